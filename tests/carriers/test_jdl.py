"""京东物流: what we sign, two interfaces, two code sets, two kinds of refusal (`facts/carriers-cn-express.md`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from carriers.base import Question
from carriers.jdl import Jdl
from domain.orders import Waybill
from domain.remote import Denied, Rejected, RemoteError, Reply, Request, Secret, Unreadable, rehearse
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent
from tests.carriers.documented import documented

M, X = Milestone, ExceptionKind
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""10:00 in Beijing, the time of the worked example."""
SILENT = "一句谁也不懂的话"
SETTINGS = ("jdl-app-demo", Secret("jdl-secret-demo"), Secret("jdl-token-demo"))
ACCOUNT = Jdl(*SETTINGS, customer_code="010K000001")
BY_PHONE = Jdl(*SETTINGS, interface="tracking")
NUMBER = "JDVC00000000001"
WAYBILL = f"jd/{NUMBER}"
Ask = Callable[..., Answer]


def question(number: str = NUMBER, tail: str = "0036", carrier: str = "jd") -> Question:
    return Question(Waybill(carrier, number), Secret(tail) if tail else None)


def row(remark: str | None, state: object = "", category: object = "", **more: Any) -> dict[str, Any]:
    told = {"waybillCode": NUMBER, "operationTime": "2026-03-03 18:22:50", "operationRemark": remark}
    return {**told, "state": state, "category": category, **more}


def reply(*rows: object, code: object = "0") -> bytes:
    return json.dumps({"code": code, "msg": "成功", "data": {"traceDetails": list(rows)}}).encode()


def fault(code: str, zh: str = "", en: str = "") -> bytes:
    return json.dumps({"error_response": {"code": code, "zh_desc": zh, "en_desc": en}}).encode()


def numbers(request: Request) -> list[str]:
    return [each["waybillCode"] for each in json.loads(request.content)]


def event(
    ask: Ask, remark: str | None, state: object = "", category: object = "", **more: Any
) -> TrackingEvent:
    """The only row of an answer."""
    return ask("jdl", reply(row(remark, state, category, **more)), WAYBILL).events[0]


class TestAsking:
    def test_the_worked_example(self) -> None:
        request = next(ACCOUNT.ask([question()], NOW))
        assert request.url == "https://api.jdl.com/ecap/v1/orders/trace/query"
        assert request.query == {
            "LOP-DN": "ECAP",
            "app_key": "jdl-app-demo",
            "access_token": "jdl-token-demo",
            "timestamp": "2026-03-02 10:00:00",
            "v": "2.0",
            "sign": "d7d5d6de31f07b448f39ee22b5fe724f",
            "algorithm": "md5-salt",
        }
        assert request.content.decode() == (
            '[{"waybillCode":"JDVC00000000001","orderOrigin":"1","customerCode":"010K000001"}]'
        )

    def test_the_other_interface_asks_by_phone(self) -> None:
        request = next(BY_PHONE.ask([question(), question("JDVC2", "")], NOW))
        assert request.url == "https://api.jdl.com/jd/tracking/query"
        assert request.query["LOP-DN"] == "Tracking_JD"
        assert json.loads(request.content) == [
            {"referenceNumber": NUMBER, "referenceType": "20000", "phone": "0036"},
            {"referenceNumber": "JDVC2", "referenceType": "20000"},
        ]
        assert BY_PHONE.needs_phone("jd")
        assert not ACCOUNT.needs_phone("jd")

    def test_the_signature_in_upper_case_where_the_gateway_wants_it(self) -> None:
        loud = Jdl(*SETTINGS, customer_code="010K000001", upper_case_sign=True)
        assert next(loud.ask([question()], NOW)).query["sign"] == "D7D5D6DE31F07B448F39EE22B5FE724F"

    def test_ten_in_a_call_each_once_and_with_its_own_rows(self) -> None:
        asked = [question(f"JD{n}") for n in range(12)] + [question("JD11")]
        calls: list[list[str]] = []

        def answer(request: Request) -> Reply:
            calls.append(numbers(request))
            rows = [row("已签收", "10034", waybillCode=number) for number in reversed(calls[-1])]
            return Reply(200, reply(*rows))

        told = rehearse(ACCOUNT.ask(asked, NOW), answer)
        assert calls == [[f"JD{n}" for n in range(10)], ["JD10", "JD11"]]
        assert [each.waybill_no for each in told if isinstance(each, Answer) and len(each.events) == 1] == [
            each.waybill.waybill_no for each in asked
        ]

    def test_another_carriers_is_refused_without_a_call(self) -> None:
        assert (ACCOUNT.serves("jd"), ACCOUNT.serves("yuantong")) == (True, False)
        asked = [question("YT1", carrier="yuantong"), question(carrier="jingdongkuaiyun")]
        told = rehearse(ACCOUNT.ask(asked, NOW), lambda request: Reply(200, reply()))
        assert [type(each) for each in told] == [Rejected, Answer]

    @pytest.mark.parametrize(
        ("settings", "names"),
        [
            ({"interface": "old"}, "interface"),
            ({}, "customer_code"),
            ({"interface": "ecap"}, "customer_code"),
        ],
        ids=["no such interface", "no customer", "no customer, said"],
    )
    def test_settings_that_cannot_work(self, settings: Mapping[str, Any], names: str) -> None:
        with pytest.raises(ValueError, match=names):
            Jdl(*SETTINGS, **settings)


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            pytest.param(fault("19", "无效access_token", "Invalid access_token"), Denied, id="token"),
            pytest.param(fault("20", "签名错误"), Denied, id="signature"),
            pytest.param(fault("21", "", "Invalid sign"), Denied, id="signature in English"),
            pytest.param(fault("22", "app_key不存在"), Denied, id="application"),
            pytest.param(fault("23", "没有接口权限"), Denied, id="permission"),
            pytest.param(fault("99", "一个没有文档的错误"), Unreadable, id="a fault nobody knows"),
            pytest.param(b'{"code":"1001","msg":"x","data":null}', Unreadable, id="business"),
            pytest.param(b'{"error_response":"x"}', Unreadable, id="a fault that is text"),
            pytest.param(b'{"code":"0","data":null}', Unreadable, id="no data"),
            pytest.param(b'{"code":"0","data":{}}', Unreadable, id="no list"),
            pytest.param(b'{"code":"0","data":{"traceDetails":[1]}}', Unreadable, id="rows are numbers"),
            pytest.param(reply(row(None, operationTime="刚才")), Unreadable, id="no row has a time"),
            pytest.param(reply(row("x", waybillCode="JDVC9")), Unreadable, id="another number"),
            pytest.param(reply({**row("x"), "operationRemark": 7}), Unreadable, id="words are a number"),
        ],
    )
    def test_who_has_to_act(self, body: bytes, expected: type[RemoteError], ask: Ask) -> None:
        with pytest.raises(RemoteError) as told:
            ask("jdl", body, WAYBILL)
        assert type(told.value) is expected

    def test_a_token_that_lapsed_says_what_to_do(self, ask: Ask) -> None:
        with pytest.raises(Denied, match="access_token"):
            ask("jdl", fault("19", "无效access_token"), WAYBILL)

    def test_a_refusal_that_names_no_culprit_is_raised_whole(self) -> None:
        """Each further question counts and costs: the poller looks for the number at fault, and books it."""
        calls: list[list[str]] = []

        def answer(request: Request) -> Reply:
            calls.append(numbers(request))
            return Reply(200, b'{"code":"1001","msg":"x","data":null}')

        with pytest.raises(Unreadable):
            rehearse(ACCOUNT.ask([question(f"JD{n}") for n in (1, 2, 3)], NOW), answer)
        assert calls == [["JD1", "JD2", "JD3"]]

    def test_rows_of_nobody_are_given_to_nobody(self) -> None:
        with pytest.raises(Unreadable, match="分开"):
            rehearse(
                ACCOUNT.ask([question("JD1"), question("JD2")], NOW),
                lambda request: Reply(200, reply(row("已签收", waybillCode=""))),
            )

    def test_the_only_number_needs_no_name(self, ask: Ask) -> None:
        assert ask("jdl", reply(row("已签收", "10034", waybillCode="")), WAYBILL).events

    def test_nothing_seen_without_a_phone_proves_nothing(self) -> None:
        asked = [question("JD1", ""), question("JD2")]
        told = rehearse(BY_PHONE.ask(asked, NOW), lambda request: Reply(200, reply()))
        assert [type(each) for each in told] == [Rejected, Answer]
        assert "手机号后四位" in str(told[0])

    @pytest.mark.parametrize("code", ["0", "1000", 0, 1000])
    def test_success_is_either_code_as_text_or_number(self, code: object, ask: Ask) -> None:
        assert ask("jdl", reply(code=code), WAYBILL).remark


STATES: Mapping[tuple[Milestone, ExceptionKind | None], str] = {
    (M.LABEL_CREATED, None): "10010 200062 200063 200071 200018 200034 200035 200036 200030 200037 200053",
    (M.UNKNOWN, X.PICKUP_FAILED): "200052 200059 200064 200067",
    (M.PICKED_UP, None): "200001",
    (M.IN_TRANSIT, None): "10032 200017 10054 200012 200013 200019 200076 200004 200006 200007",
    (M.IN_TRANSIT, X.FORWARDED): "200040 200058 200061",
    (M.AT_DELIVERY_STATION, None): "10033 200050 200075",
    (M.OUT_FOR_DELIVERY, None): "11000",
    (M.DELIVERY_FAILED, None): "200003 200023 200031",
    (M.DELIVERY_FAILED, X.REFUSED): "10035 200068",
    (M.UNKNOWN, X.REFUSED): "200069",
    (M.READY_FOR_COLLECTION, None): "200051 200057",
    (M.DELIVERED, None): "10034 10042",
    (M.RETURNING, None): "200033 200060",
    (M.RETURNED, None): "200054",
    (M.UNKNOWN, X.DAMAGED): "200070 200032",
    (M.CANCELLED, None): "200010",
    (M.UNKNOWN, X.FORWARDED): "200020",
    (M.UNKNOWN, None): "200000 200002 200039",
}
CATEGORIES: Mapping[tuple[Milestone, ExceptionKind | None], str] = {
    (M.LABEL_CREATED, None): "100 390",
    (M.UNKNOWN, X.HELD): "403 500",
    (M.PICKED_UP, None): "420",
    (M.IN_TRANSIT, None): "430",
    (M.OUT_FOR_DELIVERY, None): "440",
    (M.UNKNOWN, X.INTERCEPTED): "480",
    (M.DELIVERED, None): "510",
    (M.DELIVERY_FAILED, X.REFUSED): "530",
    (M.CANCELLED, None): "690",
    (M.UNKNOWN, None): "700",
}
STATE = {code: means for means, codes in STATES.items() for code in codes.split()}
CATEGORY = {code: means for means, codes in CATEGORIES.items() for code in codes.split()}


class TestCodes:
    @pytest.mark.parametrize("code", STATE)
    def test_a_node_alone_and_beside_any_stage(self, code: str, ask: Ask) -> None:
        milestone, exception = STATE[code]
        for category in ("", "430", "510"):
            answer = ask("jdl", reply(row(SILENT, code, category)), WAYBILL)
            told = answer.events[0]
            assert (told.milestone, set(told.exceptions), told.code) == (
                milestone,
                {exception} - {None},
                code,
            )
            assert answer.unknown_codes == ()

    @pytest.mark.parametrize("code", CATEGORY)
    def test_a_stage_counts_where_the_node_is_in_no_table(self, code: str, ask: Ask) -> None:
        milestone, exception = CATEGORY[code]
        for state, counted in (("", ()), ("299999", ("state 299999",))):
            answer = ask("jdl", reply(row(SILENT, state, code)), WAYBILL)
            told = answer.events[0]
            assert (told.milestone, set(told.exceptions)) == (milestone, {exception} - {None})
            assert answer.unknown_codes == counted

    def test_every_documented_code_is_in_these_tables(self) -> None:
        assert documented("jdl", "state") == set(STATE)
        assert documented("jdl", "category") == set(CATEGORY)

    def test_a_new_label_keeps_the_new_number_in_its_words(self, ask: Ask) -> None:
        told = event(ask, "换单打印，新单号JDVC00000000009", "200020", "430")
        assert (told.milestone, told.exceptions) == (M.UNKNOWN, {X.FORWARDED})
        assert "JDVC00000000009" in told.text

    def test_a_storage_text_says_more_than_a_signature(self, ask: Ask) -> None:
        assert event(ask, "快件已存放至丰巢快递柜", "10034").milestone is M.READY_FOR_COLLECTION

    def test_without_codes_the_words_are_read(self, ask: Ask) -> None:
        assert event(ask, "快件已签收").milestone is M.DELIVERED


class TestRows:
    def test_beijing_becomes_utc(self, ask: Ask) -> None:
        assert event(ask, "x", "430").occurred_at == datetime(2026, 3, 3, 10, 22, 50, tzinfo=UTC)

    def test_without_a_remark_the_title_is_the_text(self, ask: Ask) -> None:
        told = event(ask, None, "11000", operationTitle="派件")
        assert (told.text, told.status) == ("派件", "派件")

    @pytest.mark.parametrize("named", [NUMBER, f"{NUMBER}-1-1-", NUMBER.lower()])
    @pytest.mark.parametrize("asked", [NUMBER, f"{NUMBER}-1-1-"])
    def test_the_parcels_place_in_its_order_is_no_other_number(
        self, asked: str, named: str, ask: Ask
    ) -> None:
        answer = ask("jdl", reply(row("已签收", waybillCode=named)), f"jd/{asked}")
        assert (len(answer.events), answer.waybill_no, answer.whole) == (1, asked, True)

    def test_a_row_without_a_time_is_counted_and_nothing_is_withdrawn(self, ask: Ask) -> None:
        answer = ask("jdl", reply(row("已签收"), row("到达", operationTime="不久前")), WAYBILL)
        assert (len(answer.events), answer.whole) == (1, False)
        assert "operationTime 不久前" in answer.unknown_codes
