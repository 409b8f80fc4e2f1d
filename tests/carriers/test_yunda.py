"""韵达: what we sign, subscribing before a silence counts, its codes (`facts/carriers-cn-express.md`, 韵达)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from carriers.base import Question
from carriers.yunda import Yunda
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
"""1772416800, the timestamp of the worked example."""
NUMBER = "432100000000001"
WAYBILL = f"yunda/{NUMBER}"
SECRET = Secret("yunda-secret-demo")
ACCOUNT = Yunda("yunda-app-demo", SECRET)
SILENT = "一句谁也不懂的话"
Ask = Callable[..., Answer]


def question(carrier: str = "yunda", asked_before: datetime | None = None) -> Question:
    return Question(Waybill(carrier, NUMBER), asked_before=asked_before)


def step(words: str, action: str = "", time: object = "2026-03-03 18:22:50", **more: Any) -> dict[str, Any]:
    return {"time": time, "action": action, "description": words, **more}


def reply(*steps: dict[str, Any], result: object = True, **data: Any) -> dict[str, Any]:
    inner = {"result": result, "mailno": NUMBER, "status": "", "remark": "", "steps": list(steps), **data}
    return {"result": True, "code": "0000", "message": "请求成功", "data": inner}


def refusal(said: str) -> dict[str, Any]:
    return {"result": False, "code": "1003", "message": said, "data": None}


NOTHING = reply(result=False, remark="未查询到物流轨迹")
FOUND = reply(step("已揽收", "GOT"))
TAKEN: dict[str, Any] = {"result": True, "code": "0000", "message": "请求成功", "data": None}


def read(ask: Ask, *steps: dict[str, Any], **data: Any) -> Answer:
    return ask("yunda", reply(*steps, **data), WAYBILL)


def event(ask: Ask, words: str, action: str = "", **more: Any) -> TrackingEvent:
    """The only step of an answer."""
    return read(ask, step(words, action, **more)).events[0]


class TestAsking:
    def test_the_worked_example(self) -> None:
        request = next(ACCOUNT.ask([question()], NOW))
        assert request.url == "https://openapi.yundaex.com/openapi/outer/logictis/query"
        assert request.content == b'{"mailno":"432100000000001"}'
        assert {name: request.headers[name] for name in ("app-key", "req-time", "sign")} == {
            "app-key": "yunda-app-demo",
            "req-time": "1772416800000",
            "sign": "0b17c06fc39d040276450e3867a9e335",
        }

    def test_another_carriers_number_is_refused_in_its_place_without_a_call(self) -> None:
        said = json.dumps(FOUND).encode()
        told = rehearse(ACCOUNT.ask([question("zhongtong"), question()], NOW), lambda _: Reply(200, said))
        assert [type(each) for each in told] == [Rejected, Answer]
        assert "中通" in str(told[0])

    def test_no_phone_is_needed(self) -> None:
        assert not ACCOUNT.needs_phone("yunda")


class TestSubscribing:
    """Without a subscription the query stays empty, and an empty query does not say why."""

    def asked(
        self, *told: dict[str, Any], account: Yunda = ACCOUNT, before: datetime | None = None
    ) -> tuple[list[Request], Any]:
        """What was asked, and what came out; every reply has to be asked for."""
        replies, requests = list(told), list[Request]()

        def answer(request: Request) -> Reply:
            requests.append(request)
            return Reply(200, json.dumps(replies.pop(0)).encode())

        try:
            outcome: Any = rehearse(account.ask([question(asked_before=before)], NOW), answer)[0]
        except RemoteError as error:
            outcome = error
        assert not replies
        return requests, outcome

    def paths(self, requests: list[Request]) -> list[str]:
        return [request.url.rpartition("/")[2] for request in requests]

    def test_what_is_known_is_asked_for_once(self) -> None:
        requests, answer = self.asked(FOUND)
        assert self.paths(requests) == ["query"]
        assert answer.events

    def test_the_request_of_a_subscription(self) -> None:
        """The worked one has another order number; ours is the waybill's, so that it can be repeated."""
        requests, _ = self.asked(NOTHING, TAKEN, FOUND)
        request = requests[1]
        assert request.url == "https://openapi.yundaex.com/openapi/outer/logictis/subscribe"
        assert json.loads(request.content) == {"orders": [{"orderid": NUMBER, "mailno": NUMBER}]}
        assert len(request.headers["sign"]) == 32
        assert request.repeatable, "subscribing twice does no harm"

    def test_after_subscribing_it_is_asked_again(self) -> None:
        requests, answer = self.asked(NOTHING, TAKEN, FOUND)
        assert self.paths(requests) == ["query", "subscribe", "query"]
        assert answer.events
        assert answer.read_at is None

    def test_a_silence_that_was_subscribed_only_now_proves_nothing(self) -> None:
        _, answer = self.asked(NOTHING, TAKEN, NOTHING)
        assert isinstance(answer, Answer)
        assert not answer.events
        assert answer.read_at == datetime(2000, 1, 1, tzinfo=UTC)
        assert "才订阅" in answer.remark

    def test_the_next_look_at_the_same_silence_counts(self) -> None:
        _, answer = self.asked(NOTHING, TAKEN, NOTHING, before=datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
        assert not answer.events
        assert answer.read_at is None
        assert answer.remark

    @pytest.mark.parametrize("said", ["该运单已订阅", "重复订阅"])
    def test_what_was_subscribed_before_counts_at_once(self, said: str) -> None:
        requests, answer = self.asked(NOTHING, refusal(said), NOTHING)
        assert self.paths(requests) == ["query", "subscribe", "query"]
        assert isinstance(answer, Answer)
        assert answer.read_at is None

    def test_a_number_that_cannot_be_subscribed_is_refused(self) -> None:
        requests, outcome = self.asked(NOTHING, refusal("运单不属于该客户"))
        assert self.paths(requests) == ["query", "subscribe"]
        assert isinstance(outcome, Rejected)
        assert "运单不属于该客户" in str(outcome)

    def test_a_refusal_in_its_place_says_no_secret(self) -> None:
        _, outcome = self.asked(NOTHING, refusal(f"不能订阅 {SECRET.reveal()}"))
        assert isinstance(outcome, Rejected)
        assert SECRET.reveal() not in str(outcome)

    def test_one_refused_number_costs_the_next_nothing(self) -> None:
        replies = [NOTHING, refusal("运单不属于该客户"), FOUND]
        asked = [question(), question()]
        told = rehearse(ACCOUNT.ask(asked, NOW), lambda _: Reply(200, json.dumps(replies.pop(0)).encode()))
        assert [type(each) for each in told] == [Rejected, Answer]

    def test_a_wrong_key_is_the_accounts(self) -> None:
        _, outcome = self.asked(NOTHING, refusal("签名错误"))
        assert type(outcome) is Denied

    @pytest.mark.parametrize(
        ("status", "content", "expected"),
        [(500, b"", Unavailable), (200, b"<html>", Unreadable), (200, b"{}", Unreadable)],
        ids=["down", "HTML", "no result"],
    )
    def test_a_subscription_that_failed_is_no_silence(
        self, status: int, content: bytes, expected: type[RemoteError]
    ) -> None:
        replies = [Reply(200, json.dumps(NOTHING).encode()), Reply(status, content)]
        with pytest.raises(expected):
            rehearse(ACCOUNT.ask([question()], NOW), lambda _: replies.pop(0))

    def test_who_subscribes_elsewhere_is_asked_once(self) -> None:
        requests, answer = self.asked(NOTHING, account=Yunda("k", SECRET, subscribe_first=False))
        assert self.paths(requests) == ["query"]
        assert answer.read_at is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("said", "expected"), [("签名错误", Denied), ("从没见过的原因", Unreadable)], ids=["sign", "unknown"]
    )
    def test_refusals(self, said: str, expected: type[RemoteError], ask: Ask) -> None:
        with pytest.raises(RemoteError) as told:
            ask("yunda", refusal(said), WAYBILL)
        assert type(told.value) is expected

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"data": {"result": True, "steps": []}}, id="no result"),
            pytest.param({"result": True, "data": None}, id="success without data"),
            pytest.param({"result": True, "data": {"steps": []}}, id="no inner result"),
            pytest.param(reply(steps=None), id="no steps"),
            pytest.param(reply(steps={"0": step("已揽收", "GOT")}), id="steps are an object"),
            pytest.param(reply(step("已揽收", "GOT"), mailno="432199999999999"), id="another number"),
            pytest.param(reply(mailno="432199999999999"), id="another number's silence"),
            pytest.param(reply(step("已揽收", "GOT", "昨天")), id="no step has a time"),
            pytest.param(reply({**step("", "GOT"), "description": 7}), id="words are a number"),
        ],
    )
    def test_what_is_in_no_document_is_unreadable(self, body: dict[str, Any], ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("yunda", body, WAYBILL)

    def test_steps_count_whatever_the_inner_flag_says(self, ask: Ask) -> None:
        assert read(ask, step("已签收", "SIGNED"), result=False).events[0].milestone is M.DELIVERED


CODES: dict[str, tuple[Milestone, set[ExceptionKind]]] = {
    "ACCEPT": (M.PICKED_UP, set()),
    "GOT": (M.PICKED_UP, set()),
    "ARRIVAL": (M.IN_TRANSIT, set()),
    "DEPARTURE": (M.IN_TRANSIT, set()),
    "SENT": (M.OUT_FOR_DELIVERY, set()),
    "INBOUND": (M.READY_FOR_COLLECTION, set()),
    "SIGNED": (M.DELIVERED, set()),
    "OUTBOUND": (M.OUT_FOR_DELIVERY, set()),
    "SIGNFAIL": (M.DELIVERY_FAILED, set()),
    "RETURN": (M.RETURNING, set()),
    "ISSUE": (M.UNKNOWN, {X.HELD}),
    "REJECTION": (M.DELIVERY_FAILED, {X.REFUSED}),
    "OTHER": (M.UNKNOWN, set()),
    "OVERSEA_IN": (M.IN_TRANSIT, set()),
    "OVERSEA_OUT": (M.IN_TRANSIT, set()),
    "OVERSEA_ARRIVAL": (M.IN_TRANSIT, set()),
    "OVERSEA_DEPARTURE": (M.IN_TRANSIT, set()),
    "CLEARANCE_START": (M.IMPORT_CUSTOMS, set()),
    "CLEARANCE_FINISH": (M.CUSTOMS_CLEARED, set()),
    "CLEARANCE_FAIL": (M.IMPORT_CUSTOMS, {X.CUSTOMS_EXCEPTION}),
    "TRANSFER": (M.IN_TRANSIT, {X.FORWARDED}),
}
STATES: dict[str, Milestone] = {
    "GOT": M.PICKED_UP,
    "TRANSIT": M.IN_TRANSIT,
    "SIGNED": M.DELIVERED,
    "RETURN": M.RETURNING,
    "SIGNFAIL": M.DELIVERY_FAILED,
}


def documented(field: str) -> set[str]:
    table = FACTS / "carriers-states.csv"
    if not table.exists():
        pytest.skip("the facts are not beside this tree")
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {each["code"] for each in rows if (each["provider"], each["field"]) == ("yunda", field)}


class TestCodes:
    @pytest.mark.parametrize("code", CODES)
    def test_a_code_alone(self, code: str, ask: Ask) -> None:
        answer = read(ask, step(SILENT, code))
        told = answer.events[0]
        assert (told.milestone, set(told.exceptions), told.code) == (*CODES[code], code)
        assert not [said for said in answer.unknown_codes if not said.startswith("description")]

    def test_every_documented_code_is_in_these_tables(self) -> None:
        assert documented("action") == set(CODES)
        assert documented("status") == set(STATES)

    @pytest.mark.parametrize(
        ("code", "words", "milestone"),
        [
            pytest.param(
                "OUTBOUND", "快递员已从驿站取出", M.OUT_FOR_DELIVERY, id="the courier, not the receiver"
            ),
            pytest.param("ARRIVAL", "快件已存放至菜鸟驿站", M.READY_FOR_COLLECTION, id="a storage row"),
            pytest.param("SIGNED", "已由兔喜超市代收", M.READY_FOR_COLLECTION, id="a station signed"),
            pytest.param("OTHER", "已签收", M.UNKNOWN, id="OTHER moves nothing"),
            pytest.param("", "已签收", M.DELIVERED, id="no code: by its words"),
            pytest.param("NEW", "已签收", M.UNKNOWN, id="a code in no table"),
        ],
    )
    def test_codes_and_words(self, code: str, words: str, milestone: Milestone, ask: Ask) -> None:
        assert event(ask, words, code).milestone is milestone


class TestParcelStatus:
    """`status` is the parcel's: it counts for the last step, where steps have no `action`, if words are silent."""

    @pytest.mark.parametrize("status", STATES)
    def test_silent_words(self, status: str, ask: Ask) -> None:
        last = step(SILENT, time="2026-03-04 18:22:50")
        answer = read(ask, last, step("已揽收"), status=status)
        assert [each.milestone for each in answer.events] == [M.PICKED_UP, STATES[status]]

    def test_words_that_speak_are_believed(self, ask: Ask) -> None:
        assert read(ask, step("已到达 北京分拨中心"), status="SIGNED").events[0].milestone is M.IN_TRANSIT

    def test_codes_are_believed(self, ask: Ask) -> None:
        coded = step("正在派件", "SENT")
        answer = read(ask, coded, step(SILENT, "", "2026-03-04 18:22:50"), status="SIGNED")
        assert [each.milestone for each in answer.events] == [M.OUT_FOR_DELIVERY, M.UNKNOWN]

    def test_an_unknown_status_is_counted_and_not_guessed(self, ask: Ask) -> None:
        answer = read(ask, step(SILENT), status="NEW")
        assert answer.events[0].milestone is M.UNKNOWN
        assert "status NEW" in answer.unknown_codes


class TestSteps:
    def test_beijing_becomes_utc_and_order_is_by_time(self, ask: Ask) -> None:
        answer = read(ask, step("已签收", "SIGNED", "2026-03-05 07:30:00"), step("已揽收", "GOT"))
        assert [each.occurred_at for each in answer.events] == [
            datetime(2026, 3, 3, 10, 22, 50, tzinfo=UTC),
            datetime(2026, 3, 4, 23, 30, tzinfo=UTC),
        ]

    def test_a_step_without_a_time_is_counted_and_nothing_is_withdrawn(self, ask: Ask) -> None:
        answer = read(ask, step("已揽收", "GOT"), step("到达", "ARRIVAL", "不久前"))
        assert len(answer.events) == 1
        assert not answer.whole
        assert "time 不久前" in answer.unknown_codes

    def test_signers_and_phones_of_a_step_are_not_kept(self, ask: Ask) -> None:
        seen = event(ask, "已签收", "SIGNED", signer="王小明", phone="15912340036")
        assert not [said for said in ("王小明", "15912340036") if said in repr(seen)]
