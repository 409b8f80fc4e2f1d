"""顺丰: what we sign, several numbers in one call, its codes and refusals (`facts/carriers-sf.md`)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from carriers.base import Question
from carriers.sf import Sf, signature
from domain.journey import condense
from domain.orders import Waybill
from domain.remote import (
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Throttled,
    Unavailable,
    Unreadable,
    rehearse,
)
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

M, X = Milestone, ExceptionKind
FACTS = Path(__file__).parents[2].parent / "shared" / "facts"
PAID = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""1772416800, the timestamp of the worked examples."""
SILENT = "一句谁也不懂的话"
CHECK_WORD = Secret("checkword-demo-0123456789abcdef")
ACCOUNT = Sf("DEMOPARTNER", CHECK_WORD)
OWN = Sf("DEMOPARTNER", CHECK_WORD, own_waybills=True)
NUMBER = "SF1390001112223"
Ask = Callable[..., Answer]


def question(number: str = NUMBER, tail: str = "0036") -> Question:
    return Question(Waybill("shunfeng", number), Secret(tail) if tail else None)


def route(remark: str, op: str = "", time: str = "2026-03-04 10:00:00", **more: Any) -> dict[str, Any]:
    return {"acceptTime": time, "remark": remark, **({"opCode": op} if op else {}), **more}


def envelope(inner: object) -> bytes:
    body = {"apiErrorMsg": "", "apiResultCode": "A1000", "apiResultData": json.dumps(inner)}
    return json.dumps(body).encode()


def routes(**by_number: Sequence[dict[str, Any]]) -> bytes:
    told = [{"mailNo": number, "routes": list(rows)} for number, rows in by_number.items()]
    return envelope({"success": True, "errorCode": "S0000", "msgData": {"routeResps": told}})


def failed(code: str) -> bytes:
    return envelope({"success": False, "errorCode": code, "errorMsg": "说明", "msgData": None})


def refused(code: str) -> bytes:
    return json.dumps({"apiResultCode": code, "apiErrorMsg": "说明", "apiResultData": None}).encode()


def form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


def numbers(request: Request) -> list[str]:
    asked: list[str] = json.loads(form(request)["msgData"])["trackingNumber"]
    return asked


def read(ask: Ask, *rows: dict[str, Any]) -> Answer:
    return ask("sf", routes(**{NUMBER: rows}), f"shunfeng/{NUMBER}")


def event(ask: Ask, remark: str, op: str = "", **more: Any) -> TrackingEvent:
    """The only row of an answer."""
    return read(ask, route(remark, op, **more)).events[0]


class TestAsking:
    def test_the_worked_example(self) -> None:
        request = next(ACCOUNT.ask([question(), question("SF1390001112224")], PAID))
        assert request.url == "https://bspgw.sf-express.com/std/service"
        sent = form(request)
        assert len(sent.pop("requestID")) <= 40
        assert sent == {
            "partnerID": "DEMOPARTNER",
            "serviceCode": "EXP_RECE_SEARCH_ROUTES",
            "timestamp": "1772416800",
            "msgDigest": "bPpdKEWZhhbeaKq1ptKE+Q==",
            "msgData": '{"language":"0","trackingType":"1","trackingNumber":["SF1390001112223",'
            '"SF1390001112224"],"methodType":"1","checkPhoneNo":"0036"}',
        }

    @pytest.mark.parametrize(
        ("data", "digest"),
        [
            pytest.param(
                '{"language":"0","trackingType":"1","trackingNumber":["SF1390001112223"],"methodType":"1",'
                '"checkPhoneNo":"0036"}',
                "giybQcztWd+J55xZlRFYxg==",
                id="one number",
            ),
            pytest.param(
                '{"language":"0","trackingType":"2","trackingNumber":["订单 2026*A~1"],"methodType":"1"}',
                "wHm0O2tyt7HPcoOTnrHQiw==",
                id="Chinese, blank, star and tilde",
            ),
        ],
    )
    def test_the_worked_signatures(self, data: str, digest: str) -> None:
        assert signature(data, "1772416800", CHECK_WORD.reveal()) == digest

    def test_several_phones_stand_side_by_side(self) -> None:
        asked = [question("SF1", "0036"), question("SF2", "0055"), question("SF3", "0036")]
        assert json.loads(form(next(ACCOUNT.ask(asked, PAID)))["msgData"])["checkPhoneNo"] == "0036,0055"

    def test_own_waybills_need_no_phone(self) -> None:
        assert ACCOUNT.needs_phone("shunfeng")
        assert not OWN.needs_phone("shunfeng")
        assert "checkPhoneNo" not in json.loads(form(next(OWN.ask([question(tail="")], PAID)))["msgData"])

    def test_two_looks_have_two_request_numbers(self) -> None:
        first, second = (
            form(next(ACCOUNT.ask([question()], PAID + timedelta(milliseconds=n)))) for n in range(2)
        )
        assert first.pop("requestID") != second.pop("requestID")
        assert first == second


class TestTogether:
    def test_ten_in_a_call(self) -> None:
        asked = [question(f"SF{n}") for n in range(23)]
        calls: list[list[str]] = []

        def answer(request: Request) -> Reply:
            calls.append(numbers(request))
            return Reply(200, routes(**{number: [route("快件已签收", "80")] for number in calls[-1]}))

        answers = rehearse(ACCOUNT.ask(asked, PAID), answer)
        assert [len(call) for call in calls] == [10, 10, 3]
        assert [told.waybill_no for told in answers if isinstance(told, Answer) and told.events] == [
            each.waybill.waybill_no for each in asked
        ]

    def test_each_number_gets_its_own_rows_whatever_the_order_of_the_reply(self) -> None:
        body = routes(SF2=[route("顺丰速运 已收取快件", "54")], SF1=[route("已签收", "80")])
        told = rehearse(ACCOUNT.ask([question("sf1"), question("SF2")], PAID), lambda _: Reply(200, body))
        assert [each.events[0].code for each in told if isinstance(each, Answer)] == ["80", "54"]

    def test_a_number_that_is_not_there_is_one_of_which_nothing_is_known(self) -> None:
        body = routes(SF1=[route("已签收", "80")])
        told = rehearse(ACCOUNT.ask([question("SF1"), question("SF2")], PAID), lambda _: Reply(200, body))
        assert [len(each.events) for each in told if isinstance(each, Answer)] == [1, 0]

    @pytest.mark.parametrize("code", ["8013", "8016", "8018", "8024", "8247", "6150", "8003"])
    def test_what_one_number_spoils_is_asked_again_one_by_one(self, code: str) -> None:
        calls: list[list[str]] = []

        def answer(request: Request) -> Reply:
            calls.append(numbers(request))
            if len(calls[-1]) > 1 or (calls[-1] == ["SF2"] and code != "8003"):
                return Reply(200, failed(code))
            return Reply(200, routes(**{calls[-1][0]: [route("已签收", "80")]}))

        told = rehearse(ACCOUNT.ask([question(f"SF{n}") for n in (1, 2, 3)], PAID), answer)
        assert calls == [["SF1", "SF2", "SF3"], ["SF1"], ["SF2"], ["SF3"]]
        nothing = [n for n, each in enumerate(told) if isinstance(each, Answer) and not each.events]
        assert nothing == ([] if code == "8003" else [1])

    def test_nothing_seen_without_a_phone_proves_nothing(self) -> None:
        """An empty list may be the phone check: only that number is refused, the others are answered."""
        body = routes(SF1=[], SF2=[], SF3=[route("已签收", "80")])
        asked = [question("SF1", ""), question("SF2"), question("SF3", "")]
        told = rehearse(ACCOUNT.ask(asked, PAID), lambda _: Reply(200, body))
        assert [type(each) for each in told] == [Rejected, Answer, Answer]
        assert "手机号后四位" in str(told[0])

    def test_of_another_carrier_nothing_seen_proves_nothing(self) -> None:
        asked = Question(Waybill("yuantong", "YT9000000000001"), Secret("0036"))
        told = rehearse(OWN.ask([asked], PAID), lambda _: Reply(200, routes(YT9000000000001=[])))
        assert [type(each) for each in told] == [Rejected]
        assert "圆通" in str(told[0])

    def test_of_the_own_account_nothing_seen_is_an_answer(self) -> None:
        told = rehearse(OWN.ask([question(tail="")], PAID), lambda _: Reply(200, routes(**{NUMBER: []})))
        assert [type(each) for each in told] == [Answer]

    def test_another_number_in_the_place_of_ours_is_unreadable(self, ask: Ask) -> None:
        with pytest.raises(Unreadable, match="另一个单号"):
            ask("sf", routes(SF9=[route("已签收", "80")]), f"shunfeng/{NUMBER}")

    def test_one_more_number_than_asked_does_no_harm(self, ask: Ask) -> None:
        body = routes(**{NUMBER: [route("已签收", "80")], "SF9": [route("已揽收", "50")]})
        assert [each.code for each in ask("sf", body, f"shunfeng/{NUMBER}").events] == ["80"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "expected", "helps"),
        [
            ("A1001", Denied, "配置"),
            ("A1002", Unavailable, "时钟"),
            ("A1003", Denied, "IP"),
            ("A1004", Denied, "权限"),
            ("A1005", Throttled, "太多"),
            ("A1006", Denied, "check_word"),
            ("A1007", Unavailable, "不可用"),
            ("A1008", Denied, "配置"),
            ("A1009", Unavailable, "不可用"),
            ("A1010", Unavailable, "不可用"),
            ("A1099", Unavailable, "不可用"),
            ("A1234", Unreadable, "A1234"),
        ],
    )
    def test_the_gateways_codes(self, code: str, expected: type[RemoteError], helps: str, ask: Ask) -> None:
        with pytest.raises(RemoteError, match=helps) as told:
            ask("sf", refused(code))
        assert type(told.value) is expected

    def test_the_account_rests_when_it_is_throttled_longer_the_second_time(self, ask: Ask) -> None:
        with pytest.raises(Throttled) as told:
            ask("sf", refused("A1005"))
        assert told.value.closes
        assert (told.value.wait, told.value.again) == (timedelta(minutes=1), timedelta(hours=1))

    def test_a_request_number_seen_before_is_replaced_once(self) -> None:
        sent: list[str] = []

        def answer(request: Request) -> Reply:
            sent.append(form(request)["requestID"])
            return Reply(
                200, refused("A1007") if len(sent) == 1 else routes(**{NUMBER: [route("已签收", "80")]})
            )

        told = rehearse(ACCOUNT.ask([question()], PAID), answer)
        assert isinstance(told[0], Answer)
        assert told[0].events
        assert len(set(sent)) == 2

    @pytest.mark.parametrize("code", ["8013", "8016", "8018", "8024", "8247", "6150"])
    def test_what_is_about_one_number_is_an_answer_about_it(self, code: str, ask: Ask) -> None:
        answer = ask("sf", failed(code), f"shunfeng/{NUMBER}")
        assert answer.events == ()
        assert code in answer.remark

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(failed("9999"), id="an inner code nobody knows"),
            pytest.param(failed("8003"), id="one number is too many"),
            pytest.param(envelope({"success": True, "errorCode": "S0000", "msgData": None}), id="no list"),
            pytest.param(envelope({"errorCode": "S0000", "msgData": {"routeResps": []}}), id="no success"),
            pytest.param(envelope([]), id="inside: a list"),
            pytest.param(b'{"apiResultCode":"A1000","apiResultData":"<html>"}', id="inside: HTML"),
            pytest.param(b'{"apiResultCode":"A1000","apiResultData":null}', id="inside: nothing"),
            pytest.param(routes(**{NUMBER: [route("已签收", "80", "刚才")]}), id="no row has a time"),
            pytest.param(routes(**{NUMBER: [{**route(""), "remark": 7}]}), id="words are a number"),
        ],
    )
    def test_what_is_in_no_document_is_unreadable(self, body: bytes, ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("sf", body, f"shunfeng/{NUMBER}")

    def test_what_is_inside_may_come_unwrapped(self, ask: Ask) -> None:
        inner = json.loads(json.loads(routes(**{NUMBER: [route("已签收", "80")]}))["apiResultData"])
        assert ask("sf", {"apiResultCode": "A1000", "apiResultData": inner}, f"shunfeng/{NUMBER}").events


GROUPS: dict[tuple[Milestone, frozenset[ExceptionKind]], str] = {
    (M.PICKED_UP, frozenset()): "50 51 54 43 46 41 188 607 651 655 700 701 950 850 851",
    (M.LABEL_CREATED, frozenset()): "647 646 138 127 205 206 141 900",
    (M.IN_TRANSIT, frozenset()): "30 31 36 302 304 305 310 3036 10 11 105 106 84 75 634 633 570 571 "
    "208 626 627 649 98",
    (M.OUT_FOR_DELIVERY, frozenset()): "44 204 47 122 123 630 677 880 933 126",
    (M.READY_FOR_COLLECTION, frozenset()): "125 130 632 642 658 678",
    (M.DELIVERED, frozenset()): "80 8000 128 679 935",
    (M.DELIVERY_FAILED, frozenset()): "70 33",
    (M.UNKNOWN, frozenset({X.HELD})): "66 77 833 34 72 611 870",
    (M.UNKNOWN, frozenset({X.PICKUP_FAILED})): "131",
    (M.IN_TRANSIT, frozenset({X.FORWARDED})): "99",
    (M.RETURNING, frozenset({X.FORWARDED})): "648",
    (M.RETURNING, frozenset()): "631",
    (M.RETURNED, frozenset()): "215 660",
    (M.IMPORT_CUSTOMS, frozenset()): "14 15 16 17 18 604 605 606 612 613 614 619 620 621 623",
}
CODES = {code: means for means, codes in GROUPS.items() for code in codes.split()}


def documented(field: str) -> set[str]:
    table = FACTS / "carriers-states.csv"
    if not table.exists():
        pytest.skip("the facts are not beside this tree")
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {each["code"] for each in rows if (each["provider"], each["field"]) == ("sf", field)}


class TestCodes:
    @pytest.mark.parametrize("code", CODES)
    def test_a_code_alone(self, code: str, ask: Ask) -> None:
        answer = read(ask, route(SILENT, code))
        told = answer.events[0]
        assert (told.milestone, told.exceptions, told.code) == (*CODES[code], code)
        assert not [said for said in answer.unknown_codes if not said.startswith("remark")]

    def test_every_documented_code_is_in_this_table(self) -> None:
        """131, 570, 571 and 605 stand in another table of the facts only."""
        assert documented("opCode") == set(CODES) - {"131", "570", "571", "605"}
        assert documented("firstStatusCode") == {"1", "2", "3", "4", "11", "13"}

    @pytest.mark.parametrize(
        ("first", "milestone"),
        [
            ("1", M.PICKED_UP),
            ("2", M.IN_TRANSIT),
            ("3", M.OUT_FOR_DELIVERY),
            ("4", M.DELIVERED),
            ("13", M.DELIVERY_FAILED),
            ("11", M.UNKNOWN),
            ("77", M.UNKNOWN),
        ],
    )
    def test_the_first_status_counts_where_the_operation_is_in_no_table(
        self, first: str, milestone: Milestone, ask: Ask
    ) -> None:
        assert event(ask, SILENT, firstStatusCode=first).milestone is milestone
        answer = read(ask, route(SILENT, "7777", firstStatusCode=first))
        assert answer.events[0].milestone is milestone
        assert "opCode 7777" in answer.unknown_codes
        assert ("firstStatusCode 77" in answer.unknown_codes) == (first == "77")

    def test_the_operation_says_more_than_the_first_status(self, ask: Ask) -> None:
        assert event(ask, SILENT, "125", firstStatusCode="3").milestone is M.READY_FOR_COLLECTION

    def test_a_status_whose_words_tell_the_receivers_turn(self, ask: Ask) -> None:
        told = event(ask, "快件已投放至丰巢柜，请凭取件码领取", firstStatusCode="11")
        assert told.milestone is M.READY_FOR_COLLECTION

    @pytest.mark.parametrize(
        ("op", "reason", "milestone", "exceptions"),
        [
            ("8000", "6", M.UNKNOWN, {X.LOST}),
            ("8000", "2", M.UNKNOWN, {X.DAMAGED}),
            ("70", "46", M.CANCELLED, set()),
            ("70", "83", M.READY_FOR_COLLECTION, set()),
            ("70", "85", M.READY_FOR_COLLECTION, set()),
            ("70", "1", M.DELIVERY_FAILED, set()),
            ("99", "2", M.RETURNING, set()),
        ],
    )
    def test_the_reason_of_a_code(
        self, op: str, reason: str, milestone: Milestone, exceptions: set[ExceptionKind], ask: Ask
    ) -> None:
        told = event(ask, SILENT, op, reasonCode=reason)
        assert (told.milestone, set(told.exceptions)) == (milestone, exceptions)

    @pytest.mark.parametrize(
        ("op", "remark", "milestone", "exceptions"),
        [
            pytest.param("99", "应客户要求，快件正在退回中", M.RETURNING, set(), id="99: the way back"),
            pytest.param("99", "快件转寄中", M.IN_TRANSIT, {X.FORWARDED}, id="99: another address"),
            pytest.param(
                "648", "快件已退回/转寄，新单号为: SF1", M.RETURNING, {X.FORWARDED}, id="648: says both"
            ),
            pytest.param(
                "648", "快件已转寄，新单号为: SF1", M.IN_TRANSIT, {X.FORWARDED}, id="648: forwarded"
            ),
            pytest.param("204", "已存放至丰巢柜", M.READY_FOR_COLLECTION, set(), id="a storage row"),
            pytest.param("80", "退回件已由寄件人签收", M.RETURNED, set(), id="the shipper signed"),
            pytest.param(
                "15", "海关查验，快件滞留", M.IMPORT_CUSTOMS, {X.CUSTOMS_EXCEPTION, X.HELD}, id="customs"
            ),
            pytest.param("33", "收件人电话无人接听", M.DELIVERY_FAILED, {X.CONTACT_FAILURE}, id="33 and why"),
        ],
    )
    def test_codes_and_remarks(
        self, op: str, remark: str, milestone: Milestone, exceptions: set[ExceptionKind], ask: Ask
    ) -> None:
        told = event(ask, remark, op)
        assert (told.milestone, set(told.exceptions)) == (milestone, exceptions)

    def test_the_proof_of_a_signature_opens_nothing(self, ask: Ask) -> None:
        sign = route("已签收", "80", "2026-03-04 10:51:39")
        proof = route("运单资料与签收图可在官网查看", "8000", "2026-03-04 10:51:41")
        journey = condense(read(ask, sign, proof).events)
        assert journey.first[M.DELIVERED] == datetime(2026, 3, 4, 2, 51, 39, tzinfo=UTC)
        assert journey.over

    def test_a_return_that_was_signed_for_stays_returned(self, ask: Ask) -> None:
        rows = [
            route("快件正在退回中", "99", "2026-03-05 09:00:00"),
            route("退件已交给寄件客户", "660", "2026-03-06 09:00:00"),
            route("运单资料与签收图可在官网查看", "8000", "2026-03-06 09:00:02"),
        ]
        assert condense(read(ask, *rows).events).milestone is M.RETURNED


class TestRows:
    def test_beijing_becomes_utc_and_order_is_by_time(self, ask: Ask) -> None:
        late = route("已签收", "80", "2026-03-04 07:30:00")
        early = route("顺丰速运 已收取快件", "54", "2026-03-02 18:02:11")
        answer = read(ask, late, early)
        assert [each.occurred_at for each in answer.events] == [
            datetime(2026, 3, 2, 10, 2, 11, tzinfo=UTC),
            datetime(2026, 3, 3, 23, 30, tzinfo=UTC),
        ]

    def test_a_row_without_a_time_is_counted_and_nothing_is_withdrawn(self, ask: Ask) -> None:
        answer = read(ask, route("已签收", "80"), route("到达", "31", "不久前"))
        assert len(answer.events) == 1
        assert not answer.whole
        assert "acceptTime 不久前" in answer.unknown_codes

    @pytest.mark.parametrize(
        ("said", "area"), [("杭州市", "杭州市"), ("北京市", "北京市,北京市"), ("上海", "上海,上海"), ("", "")]
    )
    def test_a_municipality_is_its_own_province(self, said: str, area: str, ask: Ask) -> None:
        """Of other cities the province is not said, so they prove no journey between two cities."""
        assert event(ask, "快件已发车", "36", acceptAddress=said).area == area
