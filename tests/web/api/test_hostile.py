"""Texts of an enemy through every field: kept and given out as text, nothing invisible, no whole phone, no fault."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from domain.masking import visible
from tests.hostile import FORMULAS, TEXTS
from tests.store import given
from tests.web.api.conftest import Api
from tests.web.api.world import fill

ENEMY = (*TEXTS, *FORMULAS)
PHONE = "13812345678"


def strings(value: Any) -> list[str]:
    """Every text of an answer, names of fields too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [each for pair in value.items() for part in pair for each in strings(part)]
    return [each for part in value for each in strings(part)] if isinstance(value, list) else []


def check(reply: httpx.Response) -> Any:
    """JSON, declared so, with nothing invisible in it."""
    assert reply.status_code < 500, reply.text
    assert reply.headers["content-type"] in ("application/json", "application/problem+json")
    assert reply.headers["x-content-type-options"] == "nosniff"
    body = reply.json()
    for text in strings(body):
        assert visible(text) == text
        assert not re.search(rf"(?<!\d){PHONE}(?!\d)", text)
    return body


@pytest.fixture
def lite(sqlite_url: str, tmp_path: Any) -> Any:
    """One database is enough for this."""
    from tests.conftest import opened
    from tests.web.api.conftest import api_over

    with opened(sqlite_url, tmp_path) as store:
        yield api_over(store, tmp_path)


def test_in_every_field_of_an_order(lite: Api) -> None:
    fields = ("order_no", "carrier", "waybill_no", "shop", "platform", "merchant", "paid_at", "amount", "status",
              "receiver_province", "warehouse", "goods_type", "tags", "phone_tail")  # fmt: skip
    rows = []
    for n, text in enumerate(ENEMY):
        row = {"order_no": f"o{n}", "carrier": "中通", "waybill_no": f"75812345{n:06}"}
        rows.append(row | {fields[n % len(fields)]: f"{text} {PHONE}", text[:60]: text})
        rows.append(row | dict.fromkeys(fields[3:6], text))
    for start in range(0, len(rows), 500):
        some = json.dumps(rows[start : start + 500])
        body = check(
            lite("POST", "/api/v1/orders", content=some, headers={"content-type": "application/json"})
        )
        assert body["rows"] == len(body["verdicts"])
    parcels = lite.column("SELECT waybill_no FROM parcels")
    assert len(parcels) >= len(ENEMY) - 5
    for number in parcels[:40]:
        check(lite("GET", f"/api/v1/parcels/zhongtong/{number}"))


def test_in_comments_steps_and_authors(lite: Api) -> None:
    story = fill(lite.store)
    path = f"/api/v1/tickets/{story.tickets[0]}"
    kind = {"content-type": "application/json"}
    for text in ENEMY[::3]:
        body = json.dumps({"text": f"x {text} {PHONE}"[:2000], "by": text[:64]})
        check(lite("POST", f"{path}/entries", content=body, headers=kind))
        check(lite("PATCH", path, content=json.dumps({"state": text, "version": text}), headers=kind))
    check(lite("GET", path))


def test_in_what_carriers_and_shops_wrote(lite: Api) -> None:
    from domain.tracking import Milestone, TrackingEvent
    from tests.store.given import H

    parcel = given.a_parcel(lite.store, "ZX", shop=ENEMY[0], goods_type=ENEMY[1])
    scans = [
        TrackingEvent(given.T0 + n * H / 60, Milestone.IN_TRANSIT, f"{visible(text)} {n}", "103")
        for n, text in enumerate(ENEMY)
    ]
    given.learn(lite.store, parcel, given.T0 + 20 * H, *scans)
    finding = given.open_finding(lite.store, parcel, evidence={"rule_zh": ENEMY[2], "trouble": ENEMY[3]})
    given.open_ticket(lite.store, parcel, finding)
    told = check(lite("GET", "/api/v1/parcels/zhongtong/ZX"))
    assert len(told["events"]) == len(ENEMY)
    for path in ("/tickets", "/tickets/T-20261101-0001", "/findings", "/now"):
        check(lite("GET", f"/api/v1{path}"))


def test_in_addresses_and_parameters(lite: Api) -> None:
    fill(lite.store)

    async def all_(client: httpx.AsyncClient) -> None:
        for n, text in enumerate(ENEMY[::2]):
            name = text.encode("utf-8", "replace").decode()[:1000]
            for path in ("/tickets", "/findings", "/now", "/policies"):
                param = ("rule", "q", "number", "cursor", "state", "limit", name[:30])[n % 7]
                check(await client.get(f"/api/v1{path}", params={param: name}))
            check(
                await client.get(
                    httpx.URL("http://127.0.0.1:8000/api/v1/tickets").copy_with(params={"shop": name})
                )
            )

    lite.run(all_)
