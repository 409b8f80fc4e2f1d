"""快递鸟: what we sign, what its codes and reasons mean (`facts/carriers-kdniao.md`, `carriers-states.csv`)."""

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
from carriers.kdniao import Kdniao, signature
from carriers.names import CARRIERS
from domain.journey import condense
from domain.orders import Waybill
from domain.remote import Denied, Rejected, RemoteError, Reply, Request, Secret, Unreadable, rehearse
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent

M, X = Milestone, ExceptionKind
FACTS = Path(__file__).parents[2].parent / "shared" / "facts"
NOW = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)
SILENT = "一句谁也不懂的话"
ACCOUNT = Kdniao("1000000", Secret("appkey-demo-0001"))
ZTO = Question(Waybill("zhongtong", "75812345678901"), Secret("0036"))
NO_PLAN = {"Success": False, "Reason": "业务错误[没有可用套餐]", "Traces": []}
Ask = Callable[..., Answer]


def row(words: str, action: str = "", time: str = "2026-05-08 10:00:00", **more: Any) -> dict[str, Any]:
    return {"AcceptTime": time, "AcceptStation": words, **({"Action": action} if action else {}), **more}


def reply(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Success": True, "LogisticCode": "YT9000000000001", "State": "2", "Traces": list(rows), **more}


def event(ask: Ask, words: str, action: str = "", **more: Any) -> TrackingEvent:
    """The only row of an answer."""
    return ask("kdniao", reply(row(words, action), **more)).events[0]


def form(request: Request) -> dict[str, str]:
    fields = parse_qs(request.content.decode(), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


class TestAsking:
    def test_the_worked_example(self) -> None:
        request = next(ACCOUNT.ask([ZTO], NOW))
        assert request.url == "https://api.kdniao.com/Ebusiness/EbusinessOrderHandle.aspx"
        assert form(request) == {
            "RequestData": '{"OrderCode":"","ShipperCode":"ZTO","LogisticCode":"75812345678901",'
            '"CustomerName":"0036","Sort":0}',
            "EBusinessID": "1000000",
            "RequestType": "8001",
            "DataSign": "ZDM5ZTI4ZDI1NzE3YjU0N2Q3MGE2NWMyYzQ0MTk3MWU=",
            "DataType": "2",
        }

    def test_values_are_encoded_once(self) -> None:
        content = next(ACCOUNT.ask([ZTO], NOW)).content
        assert b"DataSign=ZDM5ZTI4ZDI1NzE3YjU0N2Q3MGE2NWMyYzQ0MTk3MWU%3D&" in content

    def test_the_signature_is_over_hex_characters_and_not_over_bytes(self) -> None:
        assert len(signature("{}", "key")) == 44

    def test_what_is_not_known_is_not_sent(self) -> None:
        request = next(ACCOUNT.ask([Question(Waybill("yunda", "432100000000001"))], NOW))
        assert list(json.loads(form(request)["RequestData"])) == [
            "OrderCode",
            "ShipperCode",
            "LogisticCode",
            "Sort",
        ]

    def test_which_carriers_check_the_phone(self) -> None:
        checked = {each.key for each in CARRIERS if ACCOUNT.needs_phone(each.key)}
        assert checked == {"shunfeng", "zhongtong", "kuayue"}

    def test_a_carrier_without_a_code_is_not_asked_about(self) -> None:
        with pytest.raises(Rejected, match="菜鸟速递"):
            next(ACCOUNT.ask([Question(Waybill("danniao", "X1"))], NOW))

    def test_every_carrier_with_a_code_in_the_facts_can_be_asked_about(self) -> None:
        table = FACTS / "carriers-codes.csv"
        if not table.exists():
            pytest.skip("the facts are not beside this tree")
        rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
        codes = {each["kuaidi100"].split()[0]: each["kdniao"] for each in rows if each["kdniao"]}
        sent = {
            key: json.loads(form(next(ACCOUNT.ask([Question(Waybill(key, "N1"))], NOW)))["RequestData"])
            for key in codes
        }
        assert {key: data["ShipperCode"] for key, data in sent.items()} == codes

    @pytest.mark.parametrize("request_type", ["", "1008", "8002"])
    def test_only_the_two_queries_can_be_asked(self, request_type: str) -> None:
        with pytest.raises(ValueError, match="request_type"):
            Kdniao("1", Secret("k"), request_type=request_type)


class TestPlans:
    """没有可用套餐: 1002 and 8001 belong to different plans, so the other is tried once."""

    def asked(self, account: Kdniao, *told: dict[str, Any]) -> tuple[list[str], Any]:
        """Which request types were asked, and what came out."""
        replies, types = list(told), list[str]()

        def answer(request: Request) -> Reply:
            types.append(form(request)["RequestType"])
            return Reply(200, json.dumps(replies.pop(0)).encode())

        try:
            return types, rehearse(account.ask([ZTO], NOW), answer)
        except RemoteError as error:
            return types, error

    @pytest.mark.parametrize(("first", "second"), [("8001", "1002"), ("1002", "8001")])
    def test_the_other_plan_answers(self, first: str, second: str) -> None:
        account = Kdniao("1", Secret("k"), request_type=first)
        body = reply(row("快件已签收"), LogisticCode="75812345678901")
        types, answers = self.asked(account, NO_PLAN, body)
        assert types == [first, second]
        assert answers[0].events[0].milestone is M.DELIVERED

    def test_neither_plan_is_the_owners_business(self) -> None:
        types, error = self.asked(ACCOUNT, NO_PLAN, NO_PLAN)
        assert types == ["8001", "1002"]
        assert isinstance(error, Denied)

    def test_a_wrong_key_that_the_first_plan_hid_is_told(self) -> None:
        _, error = self.asked(ACCOUNT, NO_PLAN, {"Success": False, "Reason": "非法参数", "Traces": []})
        assert isinstance(error, Denied)
        assert "app_key" in str(error)

    def test_the_owner_may_forbid_the_other_plan(self) -> None:
        types, error = self.asked(Kdniao("1", Secret("k"), try_other_plan=False), NO_PLAN)
        assert types == ["8001"]
        assert isinstance(error, Denied)

    def test_an_answer_is_asked_for_once(self) -> None:
        types, _ = self.asked(ACCOUNT, reply(row("快件已签收"), LogisticCode="75812345678901"))
        assert types == ["8001"]


class TestReasons:
    @pytest.mark.parametrize(
        ("reason", "expected", "helps"),
        [
            ("非法参数[请核实ID和key是否正确]", Denied, "app_key"),
            ("业务错误[没有可用套餐]", Denied, "套餐"),
            ("无效的输入[【ShipperCode】快递公司编码不正确]", Rejected, "承运商"),
            ("手机尾号不能为空", Rejected, "手机号后四位"),
            ("从没见过的原因", Unreadable, "从没见过的原因"),
        ],
    )
    @pytest.mark.parametrize("traces", [{"Traces": []}, {"Traces": None}, {}], ids=["empty", "null", "none"])
    def test_an_error_is_no_empty_history(
        self, reason: str, expected: type[RemoteError], helps: str, traces: dict[str, Any], ask: Ask
    ) -> None:
        with pytest.raises(RemoteError, match=helps) as told:
            ask("kdniao", {"Success": False, "Reason": reason, "State": "0", **traces})
        assert type(told.value) is expected

    @pytest.mark.parametrize("reason", ["暂无轨迹信息", None])
    @pytest.mark.parametrize("success", [True, False, "true"])
    def test_nothing_yet_in_all_its_combinations(
        self, reason: str | None, success: bool | str, ask: Ask
    ) -> None:
        answer = ask("kdniao", {"Success": success, "Reason": reason, "State": "0", "Traces": []})
        assert answer.events == ()
        assert answer.remark == "暂无轨迹信息"

    def test_only_the_list_decides(self, ask: Ask) -> None:
        body = reply(row("快件已签收", "3"), Success=False, Reason="暂无轨迹信息", State="0")
        assert ask("kdniao", body).events[0].milestone is M.DELIVERED

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(reply(row("已揽收", "1"), LogisticCode="YT9999999999999"), id="another number"),
            pytest.param(reply(LogisticCode="YT9999999999999"), id="another number's empty list"),
            pytest.param(reply(row("已揽收", "1", "昨天")), id="no row has a time"),
            pytest.param(
                reply({"AcceptTime": "2026-05-08 10:00:00", "AcceptStation": 7}), id="words: number"
            ),
            pytest.param({**reply(), "Traces": {"0": row("已揽收")}}, id="the list is an object"),
            pytest.param({**reply(), "Reason": {"code": 1}}, id="the reason is an object"),
            pytest.param({"Success": True, "State": "0"}, id="no list at all"),
        ],
    )
    def test_what_is_in_no_document_is_unreadable(self, body: dict[str, Any], ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("kdniao", body)


CODES: dict[str, tuple[Milestone, set[ExceptionKind]]] = {
    "0": (M.UNKNOWN, set()),
    "1": (M.PICKED_UP, set()),
    "10": (M.LABEL_CREATED, set()),
    "2": (M.IN_TRANSIT, set()),
    "201": (M.ARRIVED_DEST_CITY, set()),
    "202": (M.OUT_FOR_DELIVERY, set()),
    "204": (M.IN_TRANSIT, set()),
    "205": (M.AT_DELIVERY_STATION, set()),
    "206": (M.IN_TRANSIT, set()),
    "211": (M.READY_FOR_COLLECTION, set()),
    "3": (M.DELIVERED, set()),
    "301": (M.DELIVERED, set()),
    "302": (M.DELIVERED, set()),
    "304": (M.DELIVERED, set()),
    "311": (M.DELIVERED, set()),
    "4": (M.UNKNOWN, {X.HELD}),
    "401": (M.UNKNOWN, set()),
    "402": (M.UNKNOWN, set()),
    "403": (M.UNKNOWN, set()),
    "404": (M.DELIVERY_FAILED, {X.REFUSED}),
    "405": (M.DELIVERY_FAILED, set()),
    "406": (M.RETURNED, set()),
    "407": (M.RETURNING, set()),
    "412": (M.UNKNOWN, set()),
    "413": (M.UNKNOWN, {X.INTERCEPTED}),
    "414": (M.UNKNOWN, {X.DAMAGED}),
    "415": (M.CANCELLED, set()),
    "416": (M.UNKNOWN, {X.CONTACT_FAILURE}),
    "417": (M.UNKNOWN, set()),
    "418": (M.OUT_FOR_DELIVERY, set()),
    "419": (M.OUT_FOR_DELIVERY, set()),
    "420": (M.UNKNOWN, {X.ADDRESS_ERROR}),
    "421": (M.UNKNOWN, {X.CONTACT_FAILURE}),
    "422": (M.UNKNOWN, {X.HELD}),
    "423": (M.UNKNOWN, {X.OUT_OF_AREA}),
    "5": (M.IN_TRANSIT, {X.FORWARDED}),
    "6": (M.IMPORT_CUSTOMS, set()),
    "601": (M.IMPORT_CUSTOMS, set()),
    "602": (M.IMPORT_CUSTOMS, set()),
    "603": (M.CUSTOMS_CLEARED, set()),
    "604": (M.IMPORT_CUSTOMS, {X.CUSTOMS_EXCEPTION}),
}
CLOCKS = {"401", "402", "403", "412", "417"}


class TestCodes:
    @pytest.mark.parametrize("code", CODES)
    def test_a_code_alone(self, code: str, ask: Ask) -> None:
        """Words that say nothing leave it to the code; 快递鸟's own clocks prove no scan."""
        answer = ask("kdniao", reply(row(SILENT, code)))
        told = answer.events[0]
        assert (told.milestone, set(told.exceptions), told.code) == (*CODES[code], code)
        assert told.overlaid == (code in CLOCKS)
        assert not [said for said in answer.unknown_codes if not said.startswith("AcceptStation")]

    def test_every_documented_code_is_in_this_table(self) -> None:
        table = FACTS / "carriers-states.csv"
        if not table.exists():
            pytest.skip("the facts are not beside this tree")
        rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
        assert {each["code"] for each in rows if each["provider"] == "kdniao"} == set(CODES)

    @pytest.mark.parametrize(
        ("code", "kind"),
        [("301", None), ("302", None), ("304", DeliveredKind.AGENT), ("311", DeliveredKind.STATION)],
    )
    def test_who_signed_by_code(self, code: str, kind: DeliveredKind | None, ask: Ask) -> None:
        assert event(ask, SILENT, code).delivered_kind is kind

    @pytest.mark.parametrize(
        ("code", "words", "milestone", "exceptions"),
        [
            pytest.param("2", "快件已暂存至菜鸟驿站", M.READY_FOR_COLLECTION, set(), id="2 on a storage row"),
            pytest.param(
                "2", "客户要求改约时间", M.UNKNOWN, {X.RESCHEDULED}, id="2 on a remark: no movement"
            ),
            pytest.param("304", "已由兔喜超市第三方签收", M.READY_FOR_COLLECTION, set(), id="third party"),
            pytest.param(
                "202", "快件到达 【成都转运中心】", M.OUT_FOR_DELIVERY, set(), id="codes beat words"
            ),
            pytest.param("403", "快件到达 【成都转运中心】", M.IN_TRANSIT, set(), id="a clock on an old row"),
            pytest.param("422", "快件到达 【成都转运中心】", M.IN_TRANSIT, set(), id="held on an old scan"),
            pytest.param("999", "快件已签收，外包装破损", M.UNKNOWN, {X.DAMAGED}, id="unknown code"),
            pytest.param("", "快件已签收", M.DELIVERED, set(), id="no code: by its words"),
        ],
    )
    def test_codes_and_words(
        self, code: str, words: str, milestone: Milestone, exceptions: set[ExceptionKind], ask: Ask
    ) -> None:
        told = event(ask, words, code)
        assert (told.milestone, set(told.exceptions)) == (milestone, exceptions)


class TestParcelState:
    """`State` and `StateEx` are the parcel's: they count for the last row, where rows have no `Action`."""

    @pytest.mark.parametrize(
        ("states", "milestone", "exceptions"),
        [
            pytest.param({"State": "2"}, M.IN_TRANSIT, set(), id="basic"),
            pytest.param({"State": 3}, M.DELIVERED, set(), id="a number"),
            pytest.param({"State": "2", "StateEx": "202"}, M.OUT_FOR_DELIVERY, set(), id="StateEx says more"),
            pytest.param({"State": "0"}, M.UNKNOWN, set(), id="no state"),
            pytest.param({"State": "4"}, M.UNKNOWN, set(), id="4 sticks and proves nothing"),
            pytest.param({"State": "4", "StateEx": "403"}, M.UNKNOWN, set(), id="a clock of theirs"),
        ],
    )
    def test_silent_words(
        self, states: dict[str, Any], milestone: Milestone, exceptions: set[ExceptionKind], ask: Ask
    ) -> None:
        first = row("已揽收", time="2026-05-07 10:00:00")
        answer = ask("kdniao", reply(first, row(SILENT), **states))
        assert [each.milestone for each in answer.events] == [M.PICKED_UP, milestone]
        assert set(answer.events[-1].exceptions) == exceptions

    def test_words_that_speak_are_believed(self, ask: Ask) -> None:
        assert event(ask, "快件到达 【成都转运中心】", State="3").milestone is M.IN_TRANSIT

    def test_a_problem_that_was_solved_is_none(self, ask: Ask) -> None:
        """The parcel's 4 stays after a new attempt; its journey follows the rows."""
        failed = row("派送不成功，收件人电话无人接听", "416", "2026-05-07 16:00:00")
        answer = ask("kdniao", reply(failed, row("重新派送", "419"), State="4", StateEx="419"))
        journey = condense(answer.events)
        assert journey.milestone is M.OUT_FOR_DELIVERY
        assert not journey.exceptions

    def test_an_unknown_state_is_counted_and_not_guessed(self, ask: Ask) -> None:
        answer = ask("kdniao", reply(row(SILENT), State="9"))
        assert answer.events[0].milestone is M.UNKNOWN
        assert "State 9" in answer.unknown_codes


class TestTimes:
    @pytest.mark.parametrize("written", ["2026-05-08 07:30:01", "2026/05/08 07:30:01", "2026/5/8 07:30:01"])
    def test_beijing_becomes_utc(self, written: str, ask: Ask) -> None:
        told = ask("kdniao", reply(row("已揽收", "1", written))).events[0]
        assert told.occurred_at == datetime(2026, 5, 7, 23, 30, 1, tzinfo=UTC)

    def test_a_row_without_a_time_is_counted_and_nothing_is_withdrawn(self, ask: Ask) -> None:
        answer = ask("kdniao", reply(row("已揽收", "1"), row("到达", "2", "不久前")))
        assert len(answer.events) == 1
        assert not answer.whole
        assert "AcceptTime 不久前" in answer.unknown_codes

    def test_two_rows_in_one_second_stand_by_milestone(self, ask: Ask) -> None:
        answer = ask("kdniao", reply(row("快件已签收", "3"), row("派件员正在派件", "202")))
        assert [each.milestone for each in answer.events] == [M.OUT_FOR_DELIVERY, M.DELIVERED]
