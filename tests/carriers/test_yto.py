"""圆通: two interfaces' signatures, answers told apart by type (`facts/carriers-cn-express.md`, 圆通)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from carriers.base import Question
from carriers.yto import Yto, old_signature, signature
from domain.orders import Waybill
from domain.remote import Denied, Rejected, RemoteError, Reply, Secret, Unreadable, rehearse
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

M, X = Milestone, ExceptionKind
FACTS = Path(__file__).parents[2].parent / "shared" / "facts"
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""1772416800, the timestamp of the worked example; 10:00 in Beijing."""
NUMBER = "YT8812345678901"
WAYBILL = f"yuantong/{NUMBER}"
SECRET = Secret("yto-secret-demo")
NEW = Yto("DEMOCODE", SECRET, path="DEMOPATH")
OLD = Yto("YTOUSER", SECRET, app_key="ytokey", interface="old")
SILENT = "一句谁也不懂的话"
Ask = Callable[..., Answer]


def question(number: str = NUMBER, carrier: str = "yuantong") -> Question:
    return Question(Waybill(carrier, number))


def row(words: str, code: str = "", time: object = "2026-03-02 17:30:45", **more: Any) -> dict[str, Any]:
    return {"waybill_No": NUMBER, "upload_Time": time, "infoContent": code, "processInfo": words, **more}


def read(ask: Ask, *rows: dict[str, Any]) -> Answer:
    return ask("yto", json.dumps(rows), WAYBILL)


def event(ask: Ask, words: str, code: str = "", **more: Any) -> TrackingEvent:
    """The only row of an answer."""
    return read(ask, row(words, code, **more)).events[0]


def empty(**more: Any) -> dict[str, Any]:
    told = {"code": "1001", "map": {NUMBER: []}, "message": "查询结果为空。", "success": True}
    return told | more


class TestAsking:
    def test_the_worked_example(self) -> None:
        request = next(NEW.ask([question()], NOW))
        assert request.url == (
            "https://openapi.yto.net.cn:11443/open/track_query_adapter/v1/DEMOPATH/DEMOCODE"
        )
        assert json.loads(request.content) == {
            "timestamp": "1772416800000",
            "param": '{"NUMBER":"YT8812345678901"}',
            "sign": "amTRNVcIOzXVY+rDR0ChpQ==",
            "format": "JSON",
        }

    def test_the_worked_example_of_the_old_interface(self) -> None:
        request = next(OLD.ask([question()], NOW))
        assert request.url == "http://openapi.yto.net.cn/service/waybill_query/v1/YTOUSER"
        assert {name: values[0] for name, values in parse_qs(request.content.decode()).items()} == {
            "app_key": "ytokey",
            "format": "JSON",
            "method": "yto.Marketing.WaybillTrace",
            "timestamp": "2026-03-02 10:00:00",
            "user_id": "YTOUSER",
            "v": "1.01",
            "param": '[{"Number":"YT8812345678901"}]',
            "sign": "AB15C7E877938434BC0CA9061B0F9CA5",
        }

    def test_signatures_are_over_bytes_and_over_hex(self) -> None:
        assert len(signature("{}", "s")) == 24
        assert old_signature({"b": "2", "a": "1"}, "s") == old_signature({"a": "1", "b": "2"}, "s")

    @pytest.mark.parametrize(
        ("account", "url"),
        [
            (Yto("TEST", SECRET, path="P", base_url="https://yto.example/"), "https://yto.example/open/"),
            (
                Yto("U", SECRET, app_key="k", interface="old", base_url="https://yto.example"),
                "https://yto.example/service/",
            ),
        ],
        ids=["new", "old"],
    )
    def test_it_can_be_pointed_elsewhere(self, account: Yto, url: str) -> None:
        assert next(account.ask([question()], NOW)).url.startswith(url)

    @pytest.mark.parametrize(
        ("more", "helps"),
        [({}, "path"), ({"interface": "old"}, "app_key"), ({"interface": "", "path": "P"}, "interface")],
        ids=["new without a path", "old without a key", "neither"],
    )
    def test_settings_that_cannot_be_are_told(self, more: dict[str, str], helps: str) -> None:
        with pytest.raises(ValueError, match=helps):
            Yto("C", SECRET, **more)  # type: ignore[arg-type]

    def test_another_carriers_number_is_refused_in_its_place_without_a_call(self) -> None:
        asked = [question(carrier="zhongtong"), question()]
        said = json.dumps([row("已揽收", "GOT")]).encode()
        told = rehearse(NEW.ask(asked, NOW), lambda _: Reply(200, said))
        assert [type(each) for each in told] == [Rejected, Answer]
        assert "中通" in str(told[0])

    def test_no_phone_is_needed(self) -> None:
        assert not NEW.needs_phone("yuantong")


class TestByType:
    @pytest.mark.parametrize(
        "body",
        [empty(), empty(code=1001), empty(success="true"), empty(map={NUMBER.lower(): []}), empty(map=None)],
        ids=["as documented", "a number", "text", "lower case", "no map"],
    )
    def test_1001_with_success_is_nothing_known(self, body: dict[str, Any], ask: Ask) -> None:
        answer = ask("yto", body, WAYBILL)
        assert answer.events == ()
        assert answer.remark == "圆通：查询结果为空。"

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param("[]", id="an empty list is in no document"),
            pytest.param("[[]]", id="a list of lists"),
            pytest.param(empty(success=False), id="1001 without success"),
            pytest.param(empty(map={NUMBER: [row("已揽收", "GOT")]}), id="empty, with rows"),
            pytest.param(empty(map={"YT9999999999999": []}), id="another number's empty list"),
            pytest.param(empty(map=[]) | {"map": [1]}, id="the map is a list"),
            pytest.param({"code": "0", "success": True, "message": "ok"}, id="success of another code"),
            pytest.param({"code": "9", "success": False, "message": "系统繁忙"}, id="an error nobody knows"),
            pytest.param("<response><reason>系统繁忙</reason></response>", id="an XML error nobody knows"),
            pytest.param("<response></response>", id="XML that says nothing"),
            pytest.param("7", id="a number"),
            pytest.param(json.dumps([row("已揽收", "GOT", "昨天")]), id="no row has a time"),
            pytest.param(json.dumps([{**row("", "GOT"), "processInfo": 7}]), id="words are a number"),
            pytest.param(
                json.dumps([{**row("已揽收", "GOT"), "waybill_No": "YT9999999999999"}]), id="another number"
            ),
        ],
    )
    def test_what_is_in_no_document_is_unreadable(self, body: Any, ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("yto", body, WAYBILL)

    @pytest.mark.parametrize(
        "body",
        [
            {"code": "1003", "success": False, "message": "签名校验失败", "reason": "sign error"},
            {"code": "1003", "success": False, "reason": "sign error"},
            '<?xml version="1.0"?><response><success>false</success><reason>签名校验失败</reason></response>',
            " \n<response><reason>sign error</reason></response>",
        ],
        ids=["JSON", "reason alone", "XML", "XML after blanks"],
    )
    def test_a_wrong_signature_is_the_accounts(self, body: Any, ask: Ask) -> None:
        with pytest.raises(RemoteError) as told:
            ask("yto", body, WAYBILL)
        assert type(told.value) is Denied

    def test_xml_is_not_parsed_further_than_its_reason(self, ask: Ask) -> None:
        bomb = '<!DOCTYPE a [<!ENTITY b "签名">]><a>' + "<b>" * 100_000 + "<reason>&b;</reason>"
        with pytest.raises(Unreadable):
            ask("yto", bomb, WAYBILL)


CODES: dict[str, tuple[Milestone, set[ExceptionKind]]] = {
    "GOT": (M.PICKED_UP, set()),
    "ARRIVAL": (M.IN_TRANSIT, set()),
    "DEPARTURE": (M.IN_TRANSIT, set()),
    "SENT_SCAN": (M.OUT_FOR_DELIVERY, set()),
    "INBOUND": (M.READY_FOR_COLLECTION, set()),
    "SIGNED": (M.DELIVERED, set()),
    "FAILED": (M.DELIVERY_FAILED, set()),
    "FORWARDING": (M.IN_TRANSIT, {X.FORWARDED}),
    "TMS_RETURN": (M.RETURNING, set()),
    "AIRSEND": (M.IN_TRANSIT, set()),
    "AIRPICK": (M.IN_TRANSIT, set()),
}


class TestCodes:
    @pytest.mark.parametrize("code", CODES)
    def test_a_code_alone(self, code: str, ask: Ask) -> None:
        answer = read(ask, row(SILENT, code))
        told = answer.events[0]
        assert (told.milestone, set(told.exceptions), told.code) == (*CODES[code], code)
        assert not [said for said in answer.unknown_codes if not said.startswith("processInfo")]

    def test_every_documented_code_is_in_this_table(self) -> None:
        table = FACTS / "carriers-states.csv"
        if not table.exists():
            pytest.skip("the facts are not beside this tree")
        rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
        assert {each["code"] for each in rows if each["provider"] == "yto"} == set(CODES)

    @pytest.mark.parametrize(
        ("code", "words", "milestone", "exceptions"),
        [
            pytest.param(
                "ARRIVAL", "快件已存放至菜鸟驿站", M.READY_FOR_COLLECTION, set(), id="a storage row"
            ),
            pytest.param("SIGNED", "已由丰巢柜代收", M.READY_FOR_COLLECTION, set(), id="a locker signed"),
            pytest.param("FAILED", "签收失败：收件人拒收", M.DELIVERY_FAILED, {X.REFUSED}, id="refused"),
            pytest.param("", "您的快件已签收", M.DELIVERED, set(), id="no code: by its words"),
            pytest.param("NEW", "您的快件已签收", M.UNKNOWN, set(), id="a code in no table"),
        ],
    )
    def test_codes_and_words(
        self, code: str, words: str, milestone: Milestone, exceptions: set[ExceptionKind], ask: Ask
    ) -> None:
        told = event(ask, words, code)
        assert (told.milestone, set(told.exceptions)) == (milestone, exceptions)


class TestRows:
    def test_beijing_becomes_utc_and_order_is_by_time(self, ask: Ask) -> None:
        answer = read(ask, row("已签收", "SIGNED", "2026-03-05 07:30:00"), row("已揽收", "GOT"))
        assert [each.occurred_at for each in answer.events] == [
            datetime(2026, 3, 2, 9, 30, 45, tzinfo=UTC),
            datetime(2026, 3, 4, 23, 30, tzinfo=UTC),
        ]

    def test_a_row_without_a_time_is_counted_and_nothing_is_withdrawn(self, ask: Ask) -> None:
        answer = read(ask, row("已揽收", "GOT"), row("到达", "ARRIVAL", "不久前"))
        assert len(answer.events) == 1
        assert not answer.whole
        assert "upload_Time 不久前" in answer.unknown_codes

    def test_a_municipality_is_its_own_province(self, ask: Ask) -> None:
        assert event(ask, "到达", "ARRIVAL", city="北京市").area == "北京市,北京市"
        assert event(ask, "到达", "ARRIVAL", city="杭州市", district="余杭区").area == "杭州市"
