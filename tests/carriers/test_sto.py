"""申通: what we sign, several numbers in one call, its codes (`facts/carriers-cn-express.md`, 申通)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from carriers.base import Question
from carriers.sto import Sto
from domain.orders import Waybill
from domain.remote import (
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Unavailable,
    Unreadable,
    rehearse,
)
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

M, X = Milestone, ExceptionKind
FACTS = Path(__file__).parents[2].parent / "shared" / "facts"
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
NUMBER = "773012345678901"
WAYBILL = f"shentong/{NUMBER}"
ACCOUNT = Sto("DEMOAPP", Secret("sto-secret-demo"))
SILENT = "一句谁也不懂的话"
Ask = Callable[..., Answer]


def question(number: str = NUMBER, carrier: str = "shentong") -> Question:
    return Question(Waybill(carrier, number))


def row(memo: str, kind: str = "", time: object = "2026-03-03 18:22:50", **more: Any) -> dict[str, Any]:
    return {"opTime": time, "scanType": kind, "memo": memo, **more}


def reply(data: object, **more: Any) -> dict[str, Any]:
    return {"success": "true", "errorCode": "", "errorMsg": "", "needRetry": "false", "data": data, **more}


def refusal(said: str, **more: Any) -> dict[str, Any]:
    return {
        "success": "false",
        "errorCode": "S09",
        "errorMsg": said,
        "needRetry": "false",
        "data": None,
        **more,
    }


def form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


def numbers(request: Request) -> list[str]:
    asked: list[str] = json.loads(form(request)["content"])["waybillNoList"]
    return asked


def told(asked: Sequence[Question], body: object) -> Sequence[Answer | Rejected]:
    return rehearse(ACCOUNT.ask(asked, NOW), lambda _: Reply(200, json.dumps(body).encode()))


def read(ask: Ask, *rows: dict[str, Any]) -> Answer:
    return ask("sto", reply({NUMBER: list(rows)}), WAYBILL)


def event(ask: Ask, memo: str, kind: str = "", **more: Any) -> TrackingEvent:
    """The only row of an answer."""
    return read(ask, row(memo, kind, **more)).events[0]


class TestAsking:
    @pytest.mark.parametrize(
        ("asked", "digest"),
        [
            ([NUMBER], "5os9gJcBrkYyzc6Nk+Digg=="),
            ([NUMBER, "773012345678902"], "xa4akO8WZ6P7PEFzTK2dEA=="),
            ([NUMBER, "773012345678902", NUMBER], "xa4akO8WZ6P7PEFzTK2dEA=="),
        ],
        ids=["one", "two", "one of them twice"],
    )
    def test_the_worked_examples(self, asked: list[str], digest: str) -> None:
        request = next(ACCOUNT.ask([question(number) for number in asked], NOW))
        assert request.url == "https://cloudinter-linkgateway.sto.cn/gateway/link.do"
        fields = form(request)
        listed = ",".join(f'"{number}"' for number in dict.fromkeys(asked))
        assert fields.pop("content") == f'{{"order":"asc","waybillNoList":[{listed}]}}'
        assert fields == {
            "api_name": "STO_TRACE_QUERY_COMMON",
            "data_digest": digest,
            "from_appkey": "DEMOAPP",
            "from_code": "DEMOAPP",
            "to_appkey": "sto_trace_query",
            "to_code": "sto_trace_query",
        }

    def test_the_code_may_differ_from_the_key(self) -> None:
        fields = form(next(Sto("K", Secret("s"), from_code="C").ask([question()], NOW)))
        assert (fields["from_appkey"], fields["from_code"]) == ("K", "C")

    def test_no_phone_is_needed(self) -> None:
        assert not ACCOUNT.needs_phone("shentong")


class TestTogether:
    def test_ten_in_a_call(self) -> None:
        asked = [question(f"7730123456789{n:02}") for n in range(23)]
        calls: list[list[str]] = []

        def answer(request: Request) -> Reply:
            calls.append(numbers(request))
            rows = {number: [row("已签收", "签收", waybillNo=number)] for number in calls[-1]}
            return Reply(200, json.dumps(reply(rows)).encode())

        answers = rehearse(ACCOUNT.ask(asked, NOW), answer)
        assert [len(call) for call in calls] == [10, 10, 3]
        assert [each.waybill_no for each in answers if isinstance(each, Answer) and each.events] == [
            each.waybill.waybill_no for each in asked
        ]

    def test_another_carriers_number_is_refused_in_its_place_and_not_asked(self) -> None:
        asked = [question("YT1", "yuantong"), question("773A"), question("Z1", "zhongtong"), question("773B")]
        outcome = told(asked, reply({"773A": [row("已签收", "签收")], "773B": []}))
        assert [type(each) for each in outcome] == [Rejected, Answer, Rejected, Answer]
        assert [each.waybill_no for each in outcome if isinstance(each, Answer)] == ["773A", "773B"]
        assert "圆通" in str(outcome[0])

    def test_nothing_is_asked_where_nothing_is_theirs(self) -> None:
        asked = [question("YT1", "yuantong")]
        outcome = rehearse(ACCOUNT.ask(asked, NOW), lambda request: pytest.fail(f"asked: {request}"))
        assert [type(each) for each in outcome] == [Rejected]

    @pytest.mark.parametrize(
        "broken",
        [
            pytest.param({}, id="not there"),
            pytest.param({"773B": None}, id="null"),
            pytest.param({"773B": "暂无"}, id="text"),
            pytest.param({"773B": [1]}, id="numbers"),
            pytest.param({"773B": [row("已签收", "签收", "昨天")]}, id="no time"),
            pytest.param({"773B": [row("已签收", "签收", waybillNo="773C")]}, id="another number's rows"),
        ],
    )
    def test_one_numbers_fault_costs_the_others_nothing(self, broken: dict[str, Any]) -> None:
        asked = [question("773A"), question("773B")]
        outcome = told(asked, reply({"773A": [row("已签收", "签收")], **broken}))
        assert [type(each) for each in outcome] == [Answer, Rejected]
        with pytest.raises(Unreadable):
            told([question("773B")], reply(broken))

    def test_a_refusal_that_names_no_culprit_is_raised_whole(self) -> None:
        """Each further question counts and costs: the poller looks for the number at fault, and books it."""
        calls: list[list[str]] = []

        def answer(request: Request) -> Reply:
            calls.append(numbers(request))
            return Reply(200, json.dumps(refusal("单号格式错误")).encode())

        with pytest.raises(Unreadable):
            rehearse(ACCOUNT.ask([question(f"773{n}") for n in (1, 2, 3)], NOW), answer)
        assert calls == [["7731", "7732", "7733"]]

    def test_a_refusal_of_each_is_no_numbers_fault(self) -> None:
        with pytest.raises(Unreadable, match="没见过"):
            told([question("773A"), question("773B")], refusal("没见过的原因"))


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (refusal("数据签名验证失败"), Denied),
            (refusal("数据签名验证失败", success=False), Denied),
            (refusal("系统异常，请重试", needRetry="true"), Unavailable),
            (refusal("系统异常，请重试", needRetry=True), Unavailable),
            (refusal("从没见过的原因"), Unreadable),
            ("<response><success>false</success><errorMsg>数据签名验证失败</errorMsg></response>", Denied),
            ("<response><success>false</success><errorMsg>系统异常</errorMsg></response>", Unreadable),
        ],
        ids=["sign", "sign, a boolean", "again", "again, a boolean", "unknown", "XML: sign", "XML: unknown"],
    )
    def test_refusals(self, body: Any, expected: type[RemoteError], ask: Ask) -> None:
        with pytest.raises(RemoteError) as error:
            ask("sto", body, WAYBILL)
        assert type(error.value) is expected

    def test_what_asks_for_a_repeat_is_asked_again_when_its_numbers_are_due(self) -> None:
        """It is no number's fault, so nothing is asked one by one; and no number twice within its interval."""
        sent: list[Request] = []

        def answer(request: Request) -> Reply:
            sent.append(request)
            return Reply(200, json.dumps(refusal("系统异常", needRetry="true")).encode())

        with pytest.raises(Unavailable, match="申通请我们重试"):
            rehearse(ACCOUNT.ask([question("773A"), question("773B")], NOW), answer)
        assert len(sent) == 1

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"data": {NUMBER: []}}, id="no success"),
            pytest.param(reply({NUMBER: []}, success="yes"), id="success is another word"),
            pytest.param(reply(None), id="success without data"),
            pytest.param(reply([]), id="data is a list"),
            pytest.param(reply({}), id="no number"),
            pytest.param(reply({"773099999999999": []}), id="another number"),
            pytest.param(reply({NUMBER: [{**row("", "收件"), "memo": 7}]}), id="words are a number"),
        ],
    )
    def test_what_is_in_no_document_is_unreadable(self, body: dict[str, Any], ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("sto", body, WAYBILL)

    @pytest.mark.parametrize("success", ["true", True, "True"])
    def test_booleans_as_they_come(self, success: object, ask: Ask) -> None:
        answer = ask("sto", reply({NUMBER: []}, success=success), WAYBILL)
        assert answer.events == ()
        assert answer.remark


CODES: dict[str, tuple[Milestone, set[ExceptionKind]]] = {
    "收件": (M.PICKED_UP, set()),
    "发件": (M.IN_TRANSIT, set()),
    "到件": (M.IN_TRANSIT, set()),
    "装袋": (M.IN_TRANSIT, set()),
    "派件": (M.OUT_FOR_DELIVERY, set()),
    "第三方代派": (M.OUT_FOR_DELIVERY, set()),
    "柜机代收": (M.READY_FOR_COLLECTION, set()),
    "驿站代收": (M.READY_FOR_COLLECTION, set()),
    "快件取出": (M.OUT_FOR_DELIVERY, set()),
    "驿站出库": (M.DELIVERED, set()),
    "签收": (M.DELIVERED, set()),
    "客户签收": (M.DELIVERED, set()),
    "问题件": (M.UNKNOWN, {X.HELD}),
    "退回件": (M.RETURNING, set()),
    "改地址件": (M.IN_TRANSIT, set()),
    "转邮": (M.IN_TRANSIT, {X.FORWARDED}),
    "转同行": (M.IN_TRANSIT, {X.FORWARDED}),
}
ABROAD: dict[str, tuple[Milestone, set[ExceptionKind]]] = {
    "PU_PICKUP_SUCCESS": (M.PICKED_UP, set()),
    "CC_IM_START": (M.IMPORT_CUSTOMS, set()),
    "CC_IM_FAILURE": (M.IMPORT_CUSTOMS, {X.CUSTOMS_EXCEPTION}),
}


class TestCodes:
    @pytest.mark.parametrize("code", [*CODES, *ABROAD])
    def test_a_code_alone(self, code: str, ask: Ask) -> None:
        answer = read(ask, row(SILENT, code))
        seen = answer.events[0]
        assert (seen.milestone, set(seen.exceptions), seen.code) == (*(CODES | ABROAD)[code], code)
        assert not [said for said in answer.unknown_codes if not said.startswith("memo")]

    def test_every_documented_code_is_in_this_table(self) -> None:
        """The three international ones are named in the text beside it."""
        table = FACTS / "carriers-states.csv"
        if not table.exists():
            pytest.skip("the facts are not beside this tree")
        rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
        assert {each["code"] for each in rows if each["provider"] == "sto"} == set(CODES)

    @pytest.mark.parametrize(
        ("issue", "exceptions"),
        [
            ("拒收", {X.REFUSED}),
            ("外包装破损", {X.DAMAGED}),
            ("", {X.HELD}),
            (SILENT, {X.HELD}),
            (None, {X.HELD}),
        ],
        ids=["refused", "damaged", "none", "nobody reads it", "null"],
    )
    def test_the_reason_of_a_problem(
        self, issue: str | None, exceptions: set[ExceptionKind], ask: Ask
    ) -> None:
        seen = event(ask, SILENT, "问题件", issueName=issue)
        assert (set(seen.exceptions), seen.status) == (exceptions, issue or "")

    def test_a_reason_counts_on_a_problem_only(self, ask: Ask) -> None:
        assert not event(ask, "已签收", "签收", issueName="拒收").exceptions

    @pytest.mark.parametrize(
        ("code", "memo", "milestone"),
        [
            pytest.param(
                "快件取出", "快递员已从丰巢柜取出", M.OUT_FOR_DELIVERY, id="the courier took it out"
            ),
            pytest.param("派件", "快件已存放至菜鸟驿站", M.READY_FOR_COLLECTION, id="a storage row"),
            pytest.param("签收", "已由兔喜超市代收", M.READY_FOR_COLLECTION, id="a station signed"),
            pytest.param("", "已签收，签收人：本人", M.DELIVERED, id="no code: by its words"),
            pytest.param("新扫描", "已签收", M.UNKNOWN, id="a code in no table"),
        ],
    )
    def test_codes_and_words(self, code: str, memo: str, milestone: Milestone, ask: Ask) -> None:
        assert event(ask, memo, code).milestone is milestone


class TestRows:
    def test_beijing_becomes_utc_and_order_is_by_time(self, ask: Ask) -> None:
        answer = read(ask, row("已签收", "签收", "2026-03-05 07:30:00"), row("已收件", "收件"))
        assert [each.occurred_at for each in answer.events] == [
            datetime(2026, 3, 3, 10, 22, 50, tzinfo=UTC),
            datetime(2026, 3, 4, 23, 30, tzinfo=UTC),
        ]

    def test_a_row_without_a_time_is_counted_and_nothing_is_withdrawn(self, ask: Ask) -> None:
        answer = read(ask, row("已收件", "收件"), row("到达", "到件", "不久前"))
        assert len(answer.events) == 1
        assert not answer.whole
        assert "opTime 不久前" in answer.unknown_codes

    def test_where_it_is_and_where_it_goes(self, ask: Ask) -> None:
        site = {"opOrgName": "北京转运中心", "opOrgProvinceName": "北京", "opOrgCityName": "北京市"}
        seen = event(ask, SILENT, "发件", **site, nextOrgName="北京海淀公司")
        assert (seen.area, seen.hub, seen.next_stop) == ("北京,北京市", "北京转运中心", "北京海淀公司")

    def test_couriers_and_phones_of_a_row_are_not_kept(self, ask: Ask) -> None:
        seen = event(ask, "已收件", "收件", opEmpName="王小明", bizEmpName="王小明", opOrgTel="15912340036")
        assert not [said for said in ("王小明", "15912340036") if said in repr(seen)]
