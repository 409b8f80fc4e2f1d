"""The fake 快递100 over a real loopback port, held to its documents and samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from monitor.demo.faults import Fault, Switchboard
from monitor.demo.meter import Ceilings, Meter, Offence
from monitor.demo.places import CITIES
from monitor.demo.provider import Ledger, make_provider_app, sign
from monitor.demo.scans import Row

CUSTOMER, KEY = "CUSTOMERDEMO0001", "KEYdemo12345"
SAMPLES = Path(__file__).parents[2].parent / "shared" / "facts" / "samples" / "kuaidi100"
YT, SF = "YT8812345678901", "SF1390001112223"


class Shelf:
    """Two parcels, whose rows grow with the clock."""

    def __init__(self, clock) -> None:
        start, city = clock.now, CITIES["杭州"]
        out = Row(
            start - timedelta(hours=20), "【杭州转运中心】 已发出 下一站 【北京转运中心】", "1002", city
        )
        picked = Row(start - timedelta(hours=30), "【浙江省杭州市余杭区】 已揽收", "103", city)
        self.rows = [out, picked]
        self.next = Row(start + timedelta(hours=1), "【北京转运中心】 已收入", "1002", CITIES["北京"])

    def lookup(self, com: str, num: str, at) -> Sequence[Row] | None:
        if (com, num) not in (("yuantong", YT), ("shunfeng", SF)):
            return None
        return [self.next, *self.rows] if self.next.at <= at else self.rows

    def phone_tail(self, com: str, num: str) -> str | None:
        return "0036" if num == SF else None


def form(num: str = YT, com: str = "yuantong", key: str = KEY, **more: str) -> dict[str, str]:
    param = json.dumps({"com": com, "num": num, "resultv2": "4", **more})
    return {"customer": CUSTOMER, "param": param, "sign": sign(param, key, CUSTOMER)}


async def ask(session: aiohttp.ClientSession, base: str, fields: dict[str, str] | None = None) -> Any:
    async with session.post(f"{base}/poll/query.do", data=fields or form()) as reply:
        assert reply.status == 200
        return await reply.json()


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(Meter(Ceilings()))


@pytest.fixture
def app(clock, board, ledger):
    return make_provider_app(
        Shelf(clock), customer=CUSTOMER, key=KEY, clock=clock, board=board, ledger=ledger
    )


def test_the_documented_signatures() -> None:
    """`facts/carriers-kuaidi100.md`, worked example."""
    plain = (
        '{"com":"yuantong","num":"YT8812345678901","phone":"0036","resultv2":"4","show":"0","order":"desc"}'
    )
    assert sign(plain, KEY, CUSTOMER) == "2A8BDFB6CC6436B40B086EA5E36AE671"
    chinese = (
        '{"com":"shunfeng","num":"SF1390001112223","phone":"0036","from":"广东省深圳市南山区",'
        '"to":"北京市海淀区","resultv2":"8"}'
    )
    assert sign(chinese, KEY, CUSTOMER) == "4B82683530EA68D526E3F6F4EE5FE73F"


def test_an_answer_says_what_is_known_newest_first_in_beijing_time(app, talk, clock) -> None:
    body = talk(app, ask)
    assert {k: body[k] for k in ("message", "nu", "com", "status", "state", "ischeck", "condition")} == {
        "message": "ok",
        "nu": YT,
        "com": "yuantong",
        "status": "200",
        "state": "1002",
        "ischeck": "0",
        "condition": "00",
    }
    assert body["data"][0] == {
        "time": "2026-11-21 16:00:00",
        "context": "【杭州转运中心】 已发出 下一站 【北京转运中心】",
        "ftime": "2026-11-21 16:00:00",
        "areaCode": "CN330100000000",
        "areaName": "浙江,杭州市",
        "status": "干线",
        "location": "",
        "areaCenter": "120.160000,30.270000",
        "areaPinYin": "hang zhou shi",
        "statusCode": "1002",
    }
    assert [row["statusCode"] for row in body["data"]] == ["1002", "103"]
    assert body["routeInfo"]["cur"] == {"number": "CN330100000000", "name": "浙江,杭州市"}


@pytest.mark.parametrize(
    ("level", "sample"),
    [("0", "reply_query_plain"), ("1", "reply_query_area"), ("4", "reply_advanced_in_transit")],
)
@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not here")
def test_answers_have_the_shape_of_the_samples(app, talk, level: str, sample: str) -> None:
    documented = json.loads((SAMPLES / f"{sample}.json").read_text("utf-8"))
    body = talk(app, lambda session, base: ask(session, base, form(resultv2=level)))
    assert set(body) - {"routeInfo", "isLoop"} == set(documented) - {"routeInfo", "isLoop"}
    assert set(body["data"][0]) == set(documented["data"][0])
    for name, value in documented["data"][0].items():
        assert isinstance(body["data"][0][name], type(value))


@pytest.mark.parametrize(("level", "state"), [("0", "0"), ("1", "0"), ("4", "1002")])
def test_the_state_is_basic_unless_the_advanced_one_is_asked_for(app, talk, level: str, state: str) -> None:
    assert talk(app, lambda session, base: ask(session, base, form(resultv2=level)))["state"] == state


def test_oldest_first_on_request(app, talk) -> None:
    body = talk(app, lambda session, base: ask(session, base, form(order="asc")))
    assert [row["statusCode"] for row in body["data"]] == ["103", "1002"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param(form(key="wrong"), "503", id="signed with another key"),
        pytest.param({**form(), "customer": "X"}, "503", id="another customer"),
        pytest.param({"param": "{}"}, "400", id="fields missing"),
        pytest.param(form(com="nobody"), "400", id="unknown carrier"),
        pytest.param(form(num="12345"), "400", id="number too short"),
        pytest.param(form(num="1" * 33), "400", id="number too long"),
        pytest.param(form(num="YT8812345678999"), "500", id="never heard of it"),
        pytest.param(form(com="shentong"), "500", id="wrong carrier"),
        pytest.param(form(SF, "shunfeng"), "408", id="phone missing"),
        pytest.param(form(SF, "shunfeng", phone="0037"), "408", id="phone wrong"),
        pytest.param({**form(), "param": "{", "sign": sign("{", KEY, CUSTOMER)}, "501", id="no JSON"),
    ],
)
def test_refusals_come_with_http_200_and_a_code(app, talk, fields: dict[str, str], code: str) -> None:
    body = talk(app, lambda session, base: ask(session, base, fields))
    assert (body["result"], body["returnCode"]) == (False, code)
    assert body["message"]
    documented = SAMPLES / f"error_{code}.json"
    if documented.exists():
        assert set(body) == set(json.loads(documented.read_text("utf-8")))


@pytest.mark.parametrize("phone", ["0036", "13800000036"])
def test_the_last_four_digits_of_a_phone_open_a_checked_number(app, talk, phone: str) -> None:
    assert talk(app, lambda s, b: ask(s, b, form(SF, "shunfeng", phone=phone)))["status"] == "200"


def test_a_body_that_is_no_form_is_refused(app, talk) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> Any:
        async with session.post(f"{base}/poll/query.do", json=form()) as reply:
            return await reply.json()

    assert talk(app, scenario)["returnCode"] == "400"


def test_asking_again_within_half_an_hour_is_refused_and_noted(app, talk, clock, ledger) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> list[str]:
        first = await ask(session, base)
        clock.pass_by(minutes=29)
        again = await ask(session, base)
        clock.pass_by(minutes=30)
        later = await ask(session, base)
        return [first["status"], again["returnCode"], later["status"]]

    assert talk(app, scenario) == ["200", "504", "200"]
    assert [(v.num, v.offence) for v in ledger.meter.violations] == [(YT, Offence.TOO_FREQUENT)]
    assert [asked.code for asked in ledger.asked] == ["200", "504", "200"]


def test_a_locked_number_tells_what_it_knew_when_it_was_locked(talk, clock) -> None:
    ceilings = Ceilings(interval=timedelta(0), most=3)
    ledger = Ledger(Meter(ceilings))
    app = make_provider_app(Shelf(clock), customer=CUSTOMER, key=KEY, clock=clock, ledger=ledger)

    async def scenario(session: aiohttp.ClientSession, base: str) -> list[int]:
        counts = [len((await ask(session, base))["data"]) for _ in range(4)]
        clock.pass_by(hours=2)
        counts.append(len((await ask(session, base))["data"]))
        clock.pass_by(hours=49)
        counts.append(len((await ask(session, base))["data"]))
        return counts

    assert talk(app, scenario) == [2, 2, 2, 2, 2, 3]
    assert {v.offence for v in ledger.meter.violations} == {Offence.TOO_MANY}


def test_limits_can_be_left_off(talk, clock) -> None:
    app = make_provider_app(Shelf(clock), customer=CUSTOMER, key=KEY, clock=clock, ceilings_enforced=False)

    async def scenario(session: aiohttp.ClientSession, base: str) -> set[str]:
        return {(await ask(session, base))["status"] for _ in range(60)}

    assert talk(app, scenario) == {"200"}


def test_a_spent_quota_answers_601(talk, clock) -> None:
    app = make_provider_app(
        Shelf(clock), customer=CUSTOMER, key=KEY, clock=clock, ceilings=Ceilings(timedelta(0), quota=1)
    )

    async def scenario(session: aiohttp.ClientSession, base: str) -> str:
        await ask(session, base)
        return str((await ask(session, base))["returnCode"])

    assert talk(app, scenario) == "601"


def test_a_long_silent_row_gets_the_aggregators_own_code(app, talk, clock) -> None:
    """Sample `reply_advanced_stale`: the status is put on an old row."""

    async def scenario(session: aiohttp.ClientSession, base: str) -> tuple[Any, Any]:
        clock.pass_by(hours=73)
        on_the_dot = await ask(session, base)
        clock.pass_by(seconds=1, hours=1)
        return on_the_dot, await ask(session, base)

    fresh, stale = talk(app, scenario)
    assert (fresh["state"], fresh["data"][0]["statusCode"]) == ("1002", "1002")
    assert (stale["state"], stale["data"][0]["statusCode"], stale["data"][0]["status"]) == (
        "202",
        "202",
        "超时未更新",
    )
    assert stale["data"][0]["context"] == fresh["data"][0]["context"]


def test_a_signed_parcel_is_checked(clock, talk) -> None:
    shelf = Shelf(clock)
    shelf.rows.insert(0, Row(clock.now, "退回件已签收,签收人: 寄件人", "4", CITIES["杭州"]))
    app = make_provider_app(shelf, customer=CUSTOMER, key=KEY, clock=clock)
    body = talk(app, ask)
    assert (body["state"], body["ischeck"], body["condition"]) == ("4", "1", "F00")


def test_answers_carry_the_providers_own_time(app, talk, clock) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> str:
        async with session.post(f"{base}/poll/query.do", data=form()) as reply:
            return reply.headers["Date"]

    assert parsedate_to_datetime(talk(app, scenario)) == clock.now


# faults


async def raw(session: aiohttp.ClientSession, base: str, num: str = YT) -> tuple[int, bytes]:
    async with session.post(f"{base}/poll/query.do", data=form(num)) as reply:
        return reply.status, await reply.read()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.WRONG_SIGNATURE, "503"),
        (Fault.KEY_EXPIRED, "601"),
        (Fault.BUSY, "502"),
        (Fault.SERVER_ERROR, "501"),
    ],
)
def test_forced_codes(app, talk, board, ledger, fault: Fault, code: str) -> None:
    board.turn(fault)
    assert talk(app, ask)["returnCode"] == code
    assert ledger.meter.spent == 0


def test_a_gateways_page_and_a_portals_page(app, talk, board, ledger) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> list[tuple[int, bytes]]:
        replies = []
        for fault in (Fault.BAD_GATEWAY, Fault.HTML):
            board.turn(fault)
            replies.append(await raw(session, base))
        return replies

    (gone, page), (fine, portal) = talk(app, scenario)
    assert (gone, fine) == (502, 200)
    assert page.startswith(b"<html")
    assert portal.startswith(b"<!doctype html")
    assert ledger.meter.spent == 0
    assert [asked.code for asked in ledger.asked] == ["", ""]


def test_spoiled_bodies_were_counted_all_the_same(app, talk, board, clock, ledger) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> list[bytes]:
        bodies = []
        for fault in (Fault.OK, Fault.EMPTY, Fault.TRUNCATED, Fault.GARBAGE):
            board.turn(fault)
            bodies.append((await raw(session, base))[1])
            clock.pass_by(hours=1)
        return bodies

    whole, empty, half, garbage = talk(app, scenario)
    assert json.loads(whole)["status"] == "200"
    assert empty == b""
    for spoiled in (half, garbage):
        with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
            json.loads(spoiled)
    assert ledger.meter.spent == 4


def test_connections_are_reset_and_hang_until_switched(app, talk, board) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> Any:
        board.turn(Fault.RESET)
        with pytest.raises(aiohttp.ClientError):
            await raw(session, base)
        board.turn(Fault.HANG)
        with pytest.raises(TimeoutError):
            async with session.post(
                f"{base}/poll/query.do", data=form(), timeout=aiohttp.ClientTimeout(total=0.05)
            ):
                pass
        board.turn(Fault.OK)
        return await ask(session, base)

    assert talk(app, scenario)["status"] == "200"


def test_one_number_may_fail_alone(app, talk, board) -> None:
    board.turn(Fault.OK, {YT: Fault.OLD_STYLE})

    async def scenario(session: aiohttp.ClientSession, base: str) -> tuple[Any, Any]:
        return await ask(session, base), await ask(session, base, form(SF, "shunfeng", phone="0036"))

    old, fine = talk(app, scenario)
    assert (old["status"], old["data"]) == ("201", [])
    assert "returnCode" not in old
    assert fine["status"] == "200"


def test_rows_of_another_parcel_share_no_moment_with_ours(app, talk, board, clock) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> tuple[Any, Any]:
        ours = await ask(session, base)
        clock.pass_by(hours=1)
        board.turn(Fault.CONTRADICTORY)
        return ours, await ask(session, base)

    ours, theirs = talk(app, scenario)
    assert theirs["nu"] == ours["nu"]
    assert not {row["time"] for row in ours["data"]} & {row["time"] for row in theirs["data"]}


def test_unknown_faults_are_refused(board) -> None:
    with pytest.raises(ValueError, match="sleepy"):
        board.turn("sleepy")
