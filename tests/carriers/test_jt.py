"""极兔: what we sign, several numbers in one call, its codes and words, its push (`facts/carriers-cn-express.md`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carriers.base import Question
from carriers.jt import Jt, signature
from carriers.push import Doorman, Forged, Push, Pusher
from domain.orders import Waybill
from domain.remote import Denied, Rejected, Reply, Request, Secret, Unreadable, rehearse
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent
from tests.carriers.documented import FACTS, documented

M, X = Milestone, ExceptionKind
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""1772416800, the timestamp of the worked examples."""
SILENT = "一句谁也不懂的话"
KEY = "jt-private-key-demo"
ACCOUNT = Jt("100000000000000000", Secret(KEY))
NUMBER = "JT0012345678901"
WAYBILL = f"jtexpress/{NUMBER}"
Ask = Callable[..., Answer]


def question(number: str = NUMBER, carrier: str = "jtexpress") -> Question:
    return Question(Waybill(carrier, number), Secret("0036"))


def row(desc: str, name: str = "", time: str = "2026-03-05 11:31:02", **more: Any) -> dict[str, Any]:
    return {"scanTime": time, "desc": desc, **({"scanType": name} if name else {}), **more}


def reply(**by_number: object) -> bytes:
    data = [{"billCode": number, "details": rows} for number, rows in by_number.items()]
    return json.dumps({"code": "1", "msg": "success", "data": data}).encode()


def refusal(code: str, said: str = "说明") -> bytes:
    return json.dumps({"code": code, "msg": said, "data": None}).encode()


def numbers(request: Request) -> list[str]:
    content = parse_qs(request.content.decode())["bizContent"][0]
    return str(json.loads(content)["billCodes"]).split(",")


def event(ask: Ask, desc: str, name: str = "", **more: Any) -> TrackingEvent:
    """The only row of an answer."""
    return ask("jt", reply(**{NUMBER: [row(desc, name, **more)]}), WAYBILL).events[0]


class TestAsking:
    def test_the_worked_example(self) -> None:
        request = next(ACCOUNT.ask([question(), question("JT0012345678902")], NOW))
        assert request.url == "https://openapi.jtexpress.com.cn/webopenplatformapi/api/logistics/trace"
        assert parse_qs(request.content.decode()) == {
            "bizContent": ['{"billCodes":"JT0012345678901,JT0012345678902"}']
        }
        assert {name: request.headers[name] for name in ("apiAccount", "digest", "timestamp")} == {
            "apiAccount": "100000000000000000",
            "digest": "RU8cQBFvCHdMZGINlQouWg==",
            "timestamp": "1772416800000",
        }

    def test_ten_in_a_call_each_with_its_own_rows(self) -> None:
        asked = [question(f"JT{n}") for n in range(23)]
        calls: list[list[str]] = []

        def answer(request: Request) -> Reply:
            calls.append(numbers(request))
            rows = {number: [row("已签收", "快件签收", number=number)] for number in reversed(calls[-1])}
            return Reply(200, reply(**rows))

        told = rehearse(ACCOUNT.ask(asked, NOW), answer)
        assert [len(call) for call in calls] == [10, 10, 3]
        assert [each.waybill_no for each in told if isinstance(each, Answer) and each.events] == [
            each.waybill.waybill_no for each in asked
        ]

    def test_a_number_asked_twice_is_sent_once(self) -> None:
        told = rehearse(
            ACCOUNT.ask([question(), question()], NOW),
            lambda r: Reply(200, reply(**{n: [] for n in numbers(r)})),
        )
        assert [type(each) for each in told] == [Answer, Answer]

    def test_another_carriers_is_refused_without_a_call(self) -> None:
        assert (ACCOUNT.serves("jtexpress"), ACCOUNT.serves("yuantong")) == (True, False)
        asked = [question("YT1", "yuantong"), question()]
        told = rehearse(ACCOUNT.ask(asked, NOW), lambda r: Reply(200, reply(**{n: [] for n in numbers(r)})))
        assert [type(each) for each in told] == [Rejected, Answer]
        assert "圆通" in str(told[0])

    def test_no_phone_is_asked_for(self) -> None:
        assert not ACCOUNT.needs_phone("jtexpress")
        assert b"0036" not in next(ACCOUNT.ask([question("JT5")], NOW)).content


class TestRefusals:
    def test_a_wrong_signature_is_the_accounts(self, ask: Ask) -> None:
        with pytest.raises(Denied, match="private_key"):
            ask("jt", refusal("145003030", "headers签名失败"), WAYBILL)

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(refusal("145001234"), id="a code nobody knows"),
            pytest.param(b'{"msg":"success","data":[]}', id="no code"),
            pytest.param(b'{"code":"1","msg":"success","data":null}', id="no list"),
            pytest.param(b'{"code":"1","data":[{"details":[]}]}', id="no number"),
            pytest.param(reply(**{NUMBER: "x"}), id="details are text"),
            pytest.param(reply(**{NUMBER: {}}), id="details are an object"),
            pytest.param(reply(**{NUMBER: [row("已签收", "快件签收", "刚才")]}), id="no row has a time"),
            pytest.param(reply(**{NUMBER: [{**row(""), "desc": 7}]}), id="words are a number"),
            pytest.param(reply(JT9=[row("已签收")]), id="another number"),
        ],
    )
    def test_what_is_in_no_document_is_unreadable(self, body: bytes, ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("jt", body, WAYBILL)

    def test_a_refusal_that_names_no_culprit_is_raised_whole(self) -> None:
        """Each further question counts and costs: the poller looks for the number at fault, and books it."""
        calls: list[list[str]] = []

        def answer(request: Request) -> Reply:
            calls.append(numbers(request))
            return Reply(200, refusal("145001234"))

        with pytest.raises(Unreadable):
            rehearse(ACCOUNT.ask([question(f"JT{n}") for n in (1, 2, 3)], NOW), answer)
        assert calls == [["JT1", "JT2", "JT3"]]

    def test_what_every_number_is_refused_for_is_raised(self) -> None:
        with pytest.raises(Unreadable, match="145001234"):
            rehearse(
                ACCOUNT.ask([question("JT1"), question("JT2")], NOW),
                lambda request: Reply(200, refusal("145001234")),
            )

    def test_the_account_is_not_tried_number_by_number(self) -> None:
        calls: list[Request] = []
        with pytest.raises(Denied):
            rehearse(
                ACCOUNT.ask([question("JT1"), question("JT2")], NOW),
                lambda request: calls.append(request) or Reply(200, refusal("145003030")),  # type: ignore[func-returns-value]
            )
        assert len(calls) == 1

    def test_an_unreadable_list_costs_the_others_nothing(self) -> None:
        told = rehearse(
            ACCOUNT.ask([question("JT1"), question("JT2")], NOW),
            lambda request: Reply(200, reply(JT1=[row("已签收", time="?")], JT2=[row("已签收")])),
        )
        assert [type(each) for each in told] == [Rejected, Answer]


NAMES = {
    "1": ("快件揽收", M.PICKED_UP, None),
    "2": ("入仓扫描", M.IN_TRANSIT, None),
    "3": ("发件扫描", M.IN_TRANSIT, None),
    "4": ("到件扫描", M.IN_TRANSIT, None),
    "5": ("出仓扫描", M.OUT_FOR_DELIVERY, None),
    "6": ("入库扫描", M.READY_FOR_COLLECTION, None),
    "7": ("代理点收入扫描", M.READY_FOR_COLLECTION, None),
    "8": ("快件取出扫描", M.OUT_FOR_DELIVERY, None),
    "9": ("出库扫描", M.DELIVERED, None),
    "10": ("快件签收", M.DELIVERED, None),
    "11": ("问题件扫描", M.UNKNOWN, X.HELD),
    "12": ("安检扫描", M.IN_TRANSIT, None),
    "13": ("其他扫描", M.UNKNOWN, None),
    "14": ("退件扫描", M.RETURNING, None),
}
PROBLEMS: Mapping[tuple[Milestone, ExceptionKind | None], str] = {
    (M.CANCELLED, None): "A1 A26 A31",
    (M.DELIVERY_FAILED, X.REFUSED): "A2 A14 A29 A35",
    (M.UNKNOWN, X.ADDRESS_ERROR): "A3 A12 A15 A16 A19",
    (M.RETURNING, None): "A4 A25",
    (M.UNKNOWN, X.CONTACT_FAILURE): "A9 A10",
    (M.DELIVERY_FAILED, None): "A11",
    (M.UNKNOWN, X.RESCHEDULED): "A13 A34",
    (M.READY_FOR_COLLECTION, None): "A17 A18 A21",
    (M.UNKNOWN, X.HELD): "A7 A8 A20 A24 A30 A32 A23 A27 A28 A33",
}
PROBLEM = {code: means for means, codes in PROBLEMS.items() for code in codes.split()}


class TestCodes:
    @pytest.mark.parametrize("code", NAMES)
    def test_a_name_and_a_code_say_the_same(self, code: str, ask: Ask) -> None:
        name, milestone, exception = NAMES[code]
        for said in ({"name": name}, {"scanTypeCode": code}, {"scanTypeCode": int(code)}, {"name": code}):
            answer = ask("jt", reply(**{NUMBER: [row(SILENT, **said)]}), WAYBILL)  # type: ignore[arg-type]
            told = answer.events[0]
            assert (told.milestone, set(told.exceptions)) == (milestone, {exception} - {None})
            assert answer.unknown_codes == ()

    @pytest.mark.parametrize("problem", PROBLEM)
    def test_a_problem_by_its_reason(self, problem: str, ask: Ask) -> None:
        told = event(ask, SILENT, "问题件扫描", problemType=problem)
        milestone, exception = PROBLEM[problem]
        assert (told.milestone, set(told.exceptions)) == (milestone, {exception} - {None})

    def test_every_documented_code_is_in_these_tables(self) -> None:
        assert documented("jt", "scanType") == set(NAMES)
        assert documented("jt", "problemType") == set(PROBLEM)

    @pytest.mark.parametrize(
        ("name", "milestone"),
        [("Pickup scan", M.PICKED_UP), ("Sign scan", M.DELIVERED), ("sign scan", M.DELIVERED)],
    )
    def test_the_two_names_abroad(self, name: str, milestone: Milestone, ask: Ask) -> None:
        assert event(ask, SILENT, name).milestone is milestone

    def test_without_name_and_code_the_words_are_read(self, ask: Ask) -> None:
        assert event(ask, "快件已揽收").milestone is M.PICKED_UP

    def test_a_reason_nobody_knows_is_counted_and_held(self, ask: Ask) -> None:
        answer = ask("jt", reply(**{NUMBER: [row("说不清", "问题件扫描", problemType="B9")]}), WAYBILL)
        assert "problemType B9" in answer.unknown_codes
        assert answer.events[0].exceptions == {X.HELD}

    @pytest.mark.parametrize(
        ("code", "desc", "milestone"),
        [
            pytest.param("5", "派件员正在派件", M.OUT_FOR_DELIVERY, id="5: on the way to you"),
            pytest.param("5", "快件离开杭州转运中心，发往北京转运中心", M.IN_TRANSIT, id="5: leaving a hub"),
            pytest.param("5", "快件已从驿站取出", M.OUT_FOR_DELIVERY, id="5: the courier took it out"),
            pytest.param("8", "快件已从驿站取出", M.OUT_FOR_DELIVERY, id="8: the courier took it out"),
            pytest.param("8", "快递员正在派件", M.OUT_FOR_DELIVERY, id="8: out again"),
            pytest.param("8", "客户已取件", M.DELIVERED, id="8: the words name the receiver"),
            pytest.param("9", "客户已取件", M.DELIVERED, id="9: collected"),
            pytest.param("9", "派件员正在派件", M.OUT_FOR_DELIVERY, id="9: the other table's reading"),
            pytest.param("9", "快件已存放至驿站", M.READY_FOR_COLLECTION, id="9: stored"),
            pytest.param("10", "快件已存放至丰巢快递柜", M.READY_FOR_COLLECTION, id="10: a locker signed"),
        ],
    )
    def test_the_words_decide_where_tables_are_mixed_up(
        self, code: str, desc: str, milestone: Milestone, ask: Ask
    ) -> None:
        assert event(ask, desc, scanTypeCode=code).milestone is milestone

    def test_the_reason_in_words_is_shown_and_read_once(self, ask: Ask) -> None:
        told = event(ask, "派件不成功", "问题件扫描", problemType="A8", probleDescription="电话无人接听")
        assert told.text == "派件不成功（电话无人接听）"
        assert told.exceptions == {X.HELD, X.CONTACT_FAILURE}
        assert event(ask, "电话无人接听", "问题件扫描", probleDescription="无人接听").text == "电话无人接听"


class TestRows:
    def test_beijing_becomes_utc_newest_first_becomes_oldest_first(self, ask: Ask) -> None:
        rows = [row("已签收", time="2026-03-05 07:30:00"), row("已揽收", time="2026-03-03 18:22:50")]
        assert [each.occurred_at for each in ask("jt", reply(**{NUMBER: rows}), WAYBILL).events] == [
            datetime(2026, 3, 3, 10, 22, 50, tzinfo=UTC),
            datetime(2026, 3, 4, 23, 30, tzinfo=UTC),
        ]

    def test_a_row_without_a_time_is_counted_and_nothing_is_withdrawn(self, ask: Ask) -> None:
        answer = ask("jt", reply(**{NUMBER: [row("已签收"), row("到达", time="不久前")]}), WAYBILL)
        assert (len(answer.events), answer.whole) == (1, False)
        assert "scanTime 不久前" in answer.unknown_codes

    def test_places_come_from_their_fields(self, ask: Ask) -> None:
        more = {
            "scanNetworkProvince": "浙江省",
            "scanNetworkCity": "杭州市",
            "scanNetworkArea": "余杭区",
            "scanNetworkName": "杭州余杭网点",
            "nextStopName": "杭州转运中心",
        }
        told = event(ask, "快件已发出", "发件扫描", **more)
        assert (told.area, told.outlet, told.next_stop) == (
            "浙江省,杭州市,余杭区",
            "杭州余杭网点",
            "杭州转运中心",
        )

    def test_a_number_without_a_list_is_one_of_which_nothing_is_known(self, ask: Ask) -> None:
        answer = ask("jt", reply(**{NUMBER: None}), WAYBILL)
        assert answer.events == ()
        assert answer.remark


def pushed(content: str, key: str = KEY, account: str = "100000000000000000") -> Push:
    headers = {"apiaccount": account, "digest": signature(content, key), "timestamp": "1772681462000"}
    return Push(urlencode({"bizContent": content}).encode(), headers)


TRACE = json.dumps(
    {"billCode": NUMBER, "txlogisticId": "ORDER1", "details": [row("快件已签收", "快件签收")]},
    ensure_ascii=False,
)


class TestPush:
    def test_it_pushes_signed(self) -> None:
        assert isinstance(ACCOUNT, Pusher)
        assert isinstance(ACCOUNT, Doorman)
        assert ACCOUNT.signed

    def test_the_shared_sample(self) -> None:
        sample = FACTS / "samples" / "jt"
        if not sample.exists():
            pytest.skip("the facts are not beside this tree")
        told = json.loads((sample / "push_trace.json").read_text(encoding="utf-8"))
        headers = {name.lower(): said for name, said in told["headers"].items()}
        delivery = ACCOUNT.receive(Push(urlencode(told["form"]).encode(), headers), NOW)
        assert json.loads(delivery.reply.content) == json.loads((sample / "push_reply.json").read_text())
        assert [each.milestone for each in delivery.answers[0].events] == [M.DELIVERED]

    def test_what_it_says_is_late_and_no_whole_history(self) -> None:
        delivery = ACCOUNT.receive(pushed(TRACE), NOW)
        answer = delivery.answers[0]
        assert (answer.carrier, answer.waybill_no) == ("jtexpress", NUMBER)
        assert (answer.whole, answer.late) == (False, True)
        assert answer.events[0].occurred_at == datetime(2026, 3, 5, 3, 31, 2, tzinfo=UTC)

    def test_the_exact_reply(self) -> None:
        kept = b'{"code":"1","msg":"success","data":"SUCCESS"}'
        assert ACCOUNT.receive(pushed(TRACE), NOW).reply == ACCOUNT.admit(pushed(TRACE), NOW).kept
        assert (
            ACCOUNT.admit(pushed(TRACE), NOW).kept.status,
            ACCOUNT.admit(pushed(TRACE), NOW).kept.content,
        ) == (
            200,
            kept,
        )

    def test_played_again_it_says_the_same(self) -> None:
        assert ACCOUNT.receive(pushed(TRACE), NOW) == ACCOUNT.receive(pushed(TRACE), NOW)

    @pytest.mark.parametrize(
        "push",
        [
            pytest.param(pushed(TRACE, "another key"), id="signed with another key"),
            pytest.param(pushed(TRACE, account="200000000000000000"), id="meant for another account"),
            pytest.param(Push(pushed(TRACE).body[:-7], pushed(TRACE).headers), id="cut off"),
            pytest.param(Push(pushed(TRACE).body, {}), id="no signature"),
            pytest.param(Push(pushed(TRACE).body, {**pushed(TRACE).headers, "digest": ""}), id="empty"),
            pytest.param(
                Push(pushed(TRACE).body, {**pushed(TRACE).headers, "digest": "\ud800"}), id="broken"
            ),
            pytest.param(Push(b"", pushed(TRACE).headers), id="empty body"),
            pytest.param(Push(b"\xff\xfe", pushed(TRACE).headers), id="binary"),
            pytest.param(Push(b"&".join([b"a=1"] * 1000), pushed(TRACE).headers), id="a thousand fields"),
            pytest.param(
                Push(pushed(TRACE).body.replace(b"JT00", b"JT99"), pushed(TRACE).headers), id="altered"
            ),
        ],
    )
    def test_whatever_is_not_signed_by_them_is_forged(self, push: Push) -> None:
        with pytest.raises(Forged) as told:
            ACCOUNT.receive(push, NOW)
        with pytest.raises(Forged):
            ACCOUNT.admit(push, NOW)
        assert KEY not in str(told.value)
        assert signature(TRACE, KEY) not in str(told.value)

    @given(st.text(max_size=200))
    def test_any_text_signed_by_them_is_read_or_unreadable(self, content: str) -> None:
        try:
            body = urlencode({"bizContent": content}).encode()
        except UnicodeEncodeError:
            return
        headers = {"apiaccount": "100000000000000000", "digest": signature(content, KEY)}
        with pytest.raises(Unreadable):
            ACCOUNT.receive(Push(body, headers), NOW)

    @pytest.mark.parametrize(
        "content",
        [
            TRACE[:-5],
            "[]",
            "null",
            '{"billCode":"JT1"}',
            '{"billCode":"JT1","details":[]}',
            '{"billCode":"","details":[{"scanTime":"2026-03-05 11:31:02","desc":"x"}]}',
            '{"billCode":"JT1","details":[1]}',
            '{"billCode":"JT1","details":[{"scanTime":"x","desc":"x"}]}',
            "[" * 100_000,
        ],
        ids=["cut off", "list", "null", "no details", "no scan", "no number", "numbers", "no time", "deep"],
    )
    def test_a_true_one_that_nobody_can_read(self, content: str) -> None:
        with pytest.raises(Unreadable):
            ACCOUNT.receive(pushed(content), NOW)
