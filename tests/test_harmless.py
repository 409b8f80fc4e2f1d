"""What a provider echoes or a courier types is kept without phones and without our keys, in whatever field it stands."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import httpx
import pytest

from carriers.kuaidi100 import Kuaidi100
from domain.remote import Secret
from domain.time import SHANGHAI
from domain.tracking import Answer
from monitor.polling.harmless import harmless
from monitor.redaction import hiding
from monitor.store.database import Database
from tests.simulated import PICKED, Robot, World, at, scan

CUSTOMER, KEY = "HIDE-CUSTOMER", "HIDE-KEY-3f9a77c1e0"
K100 = Kuaidi100(Secret(CUSTOMER), Secret(KEY), base_url="http://carrier.test")
PHONE = "13812345678"
TABLES = ("events", "event_edits", "parcels", "unknown_codes", "oddities", "findings", "tickets", "outbox")
ROW_FIELDS = ("context", "status", "statusCode", "areaName", "areaCode", "location", "ftime")
BODY_FIELDS = ("message", "nu", "com", "state", "status", "returnCode")
FIELDS = (*ROW_FIELDS, *BODY_FIELDS)
PIECES = (PHONE, PHONE[:9], KEY, KEY[:10], CUSTOMER)


class _K100(World):
    """A number is answered with `said` in the field of its place."""

    said = ""

    def answer(self, request: httpx.Request) -> httpx.Response:
        number = json.loads(parse_qs(request.content.decode())["param"][0])["num"]
        field = FIELDS[int(number.removeprefix("ZT"))]
        when = f"{at(-1).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
        row = {"time": when, "ftime": when, "context": "已收件", "statusCode": "1"}
        body = {"message": "ok", "nu": number, "com": "zhongtong", "status": "200", "state": "0"}
        (body if field in BODY_FIELDS else row)[field] = self.said
        return httpx.Response(200, json={**body, "data": [row]})


@pytest.mark.parametrize(
    "said", [f"{PHONE} 张三", f"key={KEY} {CUSTOMER}", "浙" * 50 + PHONE, "浙" * 45 + KEY], ids=range(4)
)
def test_neither_phones_nor_keys_reach_the_store(database: Database, said: str) -> None:
    world = _K100(database, [Robot("ops")], adapter=K100)
    world.said = said
    for nth in range(len(FIELDS)):
        world.import_(f"ZT{nth}")
    world.due_now()
    world.poll()
    assert len(world.column("SELECT 1 FROM events")) >= 5
    kept = str([world.rows(f"SELECT * FROM {table}") for table in TABLES])
    found = [kept[kept.index(each) - 60 :][:120] for each in PIECES if each in kept]
    assert not found


def test_an_answer_that_holds_nothing_of_the_kind_is_not_touched() -> None:
    answer = Answer("zhongtong", "Z1", (scan(-1, PICKED),), unknown_codes=("statusCode 13812",))
    assert harmless(answer, hiding([Secret(KEY)])) is answer
