"""德邦: what we sign, the editions, its codes and refusals (`facts/carriers-cn-express.md`, 德邦)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from carriers.base import Question
from carriers.deppon import Deppon
from domain.orders import Waybill
from domain.remote import Denied, Rejected, RemoteError, Reply, Secret, Unreadable, rehearse
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent
from tests.carriers.documented import documented

M, X = Milestone, ExceptionKind
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""1772416800000, the timestamp of the worked example."""
SILENT = "一句谁也不懂的话"
ACCOUNT = Deppon("DEMOCOMPANY", Secret("deppon-appkey-demo"))
NUMBER = "DPK000000000001"
WAYBILL = f"debangkuaidi/{NUMBER}"
Ask = Callable[..., Answer]


def row(
    description: object, status: str = "", time: str = "2026-03-03 18:22:50", **more: Any
) -> dict[str, Any]:
    return {"time": time, "status": status, "description": description, **more}


def reply(param: object, result: object = "true", **more: Any) -> bytes:
    return json.dumps(
        {"result": result, "resultCode": "1000", "reason": "成功", "responseParam": param, **more}
    ).encode()


def event(ask: Ask, description: str, status: str = "") -> TrackingEvent:
    """The only row of an answer."""
    return ask("deppon", reply({"trace_list": [row(description, status)]}), WAYBILL).events[0]


class TestAsking:
    def test_the_worked_example(self) -> None:
        request = next(ACCOUNT.ask([Question(Waybill("debangkuaidi", NUMBER))], NOW))
        assert (
            request.url == "https://dpapi.deppon.com/dop-interface-sync/standard-order/newTraceQuery.action"
        )
        assert {name: said[0] for name, said in parse_qs(request.content.decode()).items()} == {
            "companyCode": "DEMOCOMPANY",
            "params": '{"mailNo":"DPK000000000001"}',
            "timestamp": "1772416800000",
            "digest": "NDVlMjJjNjViZmMzMGMyZjNmYjMzNGM3OTMxZDUxMjg=",
        }

    def test_another_carriers_is_refused_without_a_call(self) -> None:
        assert (ACCOUNT.serves("debangkuaidi"), ACCOUNT.serves("yuantong")) == (True, False)
        asked = [
            Question(Waybill(carrier, NUMBER)) for carrier in ("yuantong", "debangwuliu", "debangkuaidi")
        ]
        told = rehearse(ACCOUNT.ask(asked, NOW), lambda request: Reply(200, reply({"trace_list": []})))
        assert [type(each) for each in told] == [Rejected, Answer, Answer]
        assert not ACCOUNT.needs_phone("debangkuaidi")


class TestEditions:
    @pytest.mark.parametrize("rows", ["trace_list", "traceList"])
    @pytest.mark.parametrize("time", ["time", "operateTime"])
    @pytest.mark.parametrize("wrap", [dict, json.dumps], ids=["object", "text"])
    @pytest.mark.parametrize("result", ["true", True])
    def test_every_one_reads_the_same(
        self, rows: str, time: str, wrap: Callable[[Any], object], result: object, ask: Ask
    ) -> None:
        told = {time: "2026-03-05 11:31:02", "status": "SIGNED", "description": "已签收", "city": "北京市"}
        answer = ask("deppon", reply(wrap({rows: [told]}), result), WAYBILL)
        assert [(each.occurred_at, each.milestone, each.area) for each in answer.events] == [
            (datetime(2026, 3, 5, 3, 31, 2, tzinfo=UTC), M.DELIVERED, "北京市,北京市")
        ]

    @pytest.mark.parametrize(
        "param", [{"trace_list": []}, {"trace_list": None, "traceList": []}], ids=["one", "other"]
    )
    def test_an_empty_list_is_nothing_known(self, param: object, ask: Ask) -> None:
        assert ask("deppon", reply(param), WAYBILL).remark

    def test_the_order_of_the_list_does_not_matter(self, ask: Ask) -> None:
        rows = [row("已签收", "SIGNED", "2026-03-05 11:31:02"), row("已开单", "GOT")]
        answers = [ask("deppon", reply({"trace_list": each}), WAYBILL) for each in (rows, rows[::-1])]
        assert answers[0] == answers[1]
        assert [each.code for each in answers[0].events] == ["GOT", "SIGNED"]

    def test_a_row_without_a_time_is_counted_and_nothing_is_withdrawn(self, ask: Ask) -> None:
        rows = [row("已签收"), {"description": "到达", "operateTime": "不久前"}]
        answer = ask("deppon", reply({"traceList": rows}), WAYBILL)
        assert (len(answer.events), answer.whole) == (1, False)
        assert "time 不久前" in answer.unknown_codes


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            pytest.param(reply(None, "false", reason="签名错误"), Denied, id="signature"),
            pytest.param(reply(None, "false", reason="没有文档的错误"), Unreadable, id="nobody knows"),
            pytest.param(reply(None, False, reason=None), Unreadable, id="no reason"),
            pytest.param(b'{"reason":"x"}', Unreadable, id="no result"),
            pytest.param(reply(None), Unreadable, id="nothing inside"),
            pytest.param(reply("<html>"), Unreadable, id="inside: HTML"),
            pytest.param(reply("[]"), Unreadable, id="inside: a list"),
            pytest.param(reply({}), Unreadable, id="inside: no list"),
            pytest.param(reply({"trace_list": "x"}), Unreadable, id="the list is text"),
            pytest.param(reply({"trace_list": [row("x", time="刚才")]}), Unreadable, id="no row has a time"),
            pytest.param(reply({"trace_list": [row(7)]}), Unreadable, id="words are a number"),
            pytest.param(
                reply({"trace_list": [row("x")], "tracking_number": "DPK9"}), Unreadable, id="another number"
            ),
        ],
    )
    def test_who_has_to_act(self, body: bytes, expected: type[RemoteError], ask: Ask) -> None:
        with pytest.raises(RemoteError) as told:
            ask("deppon", body, WAYBILL)
        assert type(told.value) is expected

    def test_no_such_waybill_is_an_answer(self, ask: Ask) -> None:
        answer = ask("deppon", reply(None, "false", resultCode="2001", reason="运单不存在"), WAYBILL)
        assert (answer.events, answer.remark) == ((), "德邦：运单不存在")


CODES: Mapping[str, tuple[Milestone, ExceptionKind | None]] = {
    "GOT": (M.PICKED_UP, None),
    "DEPARTURE": (M.IN_TRANSIT, None),
    "ARRIVAL": (M.IN_TRANSIT, None),
    "ADVANCE_NOTICE": (M.UNKNOWN, None),
    "ADVANCE_DELIVERY": (M.ARRIVED_DEST_CITY, None),
    "SENT_SCAN": (M.OUT_FOR_DELIVERY, None),
    "ERROR": (M.UNKNOWN, X.HELD),
    "FAILED": (M.DELIVERY_FAILED, X.REFUSED),
    "INBOUND": (M.UNKNOWN, None),
    "STA_INBOUND": (M.READY_FOR_COLLECTION, None),
    "SIGNED": (M.DELIVERED, None),
    "STA_SIGN": (M.DELIVERED, None),
    "BACK_SIGNED": (M.RETURNED, None),
    "OPERATETRACK": (M.IN_TRANSIT, X.FORWARDED),
    "OTHER": (M.UNKNOWN, None),
}


class TestCodes:
    @pytest.mark.parametrize("code", CODES)
    def test_a_code_alone(self, code: str, ask: Ask) -> None:
        answer = ask("deppon", reply({"trace_list": [row(SILENT, code)]}), WAYBILL)
        told, (milestone, exception) = answer.events[0], CODES[code]
        assert (told.milestone, set(told.exceptions), told.code) == (milestone, {exception} - {None}, code)
        assert answer.unknown_codes == ()

    def test_every_documented_code_is_in_this_table(self) -> None:
        assert documented("deppon", "trace status") == set(CODES)

    @pytest.mark.parametrize(
        ("code", "words", "milestone", "exceptions"),
        [
            pytest.param("FAILED", "运单已作废", M.CANCELLED, set(), id="FAILED: void"),
            pytest.param("FAILED", "客户拒签", M.DELIVERY_FAILED, {X.REFUSED}, id="FAILED: refused"),
            pytest.param(
                "INBOUND", "快件已存放至菜鸟驿站", M.READY_FOR_COLLECTION, set(), id="INBOUND: a station"
            ),
            pytest.param("INBOUND", "货物暂存营业部", M.UNKNOWN, {X.HELD}, id="INBOUND: their own depot"),
            pytest.param("INBOUND", "货物到达营业部", M.UNKNOWN, set(), id="INBOUND: moves nothing"),
            pytest.param(
                "SIGNED", "已存放至丰巢快递柜", M.READY_FOR_COLLECTION, set(), id="SIGNED: a locker"
            ),
            pytest.param("ERROR", "暴雨，延时派送", M.UNKNOWN, {X.HELD, X.FORCE_MAJEURE}, id="ERROR: why"),
        ],
    )
    def test_codes_and_words(
        self, code: str, words: str, milestone: Milestone, exceptions: set[ExceptionKind], ask: Ask
    ) -> None:
        told = event(ask, words, code)
        assert (told.milestone, set(told.exceptions)) == (milestone, exceptions)

    def test_a_code_for_collection_was_signed_at_a_station(self, ask: Ask) -> None:
        assert event(ask, "签收", "STA_SIGN").delivered_kind is DeliveredKind.STATION
