"""菜鸟: the unsigned push of 阿里云物流, several parcels in one array (`facts/carriers-cn-express.md`, 菜鸟)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from carriers.base import Question
from carriers.cainiao import Cainiao
from carriers.push import Delivery, Push, Pusher
from domain.history import merge
from domain.orders import Waybill
from domain.remote import Rejected, Unreadable, rehearse
from domain.tracking import Answer, ExceptionKind, Milestone
from tests.carriers.documented import FACTS, documented

M, X = Milestone, ExceptionKind
NOW = datetime(2026, 3, 5, 4, 0, tzinfo=UTC)
SILENT = "一句谁也不懂的话"
ACCOUNT = Cainiao()
Ask = Callable[..., Answer]


def state(
    status: str = "SIGN", number: str = "75812345678901", cp: object = "ZTO", **more: Any
) -> dict[str, Any]:
    return {
        "cpCode": cp,
        "mailNo": number,
        "logisticsStatus": status,
        "logisticsStatusDesc": "",
        "lastLogisticDetail": SILENT,
        "logisticsGmtModified": "2026-03-05 11:31:02",
        "city": "北京市",
        **more,
    }


def received(*states: object) -> Delivery:
    return ACCOUNT.receive(Push(json.dumps(states).encode()), NOW)


def only(*states: object) -> Answer:
    (answer,) = received(*states).answers
    return answer


class TestNotAsked:
    def test_it_says_so_of_itself(self) -> None:
        assert isinstance(ACCOUNT, Pusher)
        assert (ACCOUNT.asks, ACCOUNT.signed, ACCOUNT.serves("zhongtong")) == (False, False, False)

    def test_a_question_is_refused_without_a_call(self) -> None:
        asked = [Question(Waybill("zhongtong", "75812345678901"))]
        told = rehearse(ACCOUNT.ask(asked, NOW), lambda request: pytest.fail("it asks"))
        assert [type(each) for each in told] == [Rejected]
        assert "只推送" in str(told[0])


CODES = {
    "WAIT_ACCEPT": (M.LABEL_CREATED, None),
    "ACCEPT": (M.PICKED_UP, None),
    "TRANSPORT": (M.IN_TRANSIT, None),
    "DELIVERING": (M.OUT_FOR_DELIVERY, None),
    "AGENT_SIGN": (M.READY_FOR_COLLECTION, None),
    "SIGN": (M.DELIVERED, None),
    "FAILED": (M.UNKNOWN, X.HELD),
    "00": (M.PICKED_UP, None),
    "01": (M.IN_TRANSIT, None),
    "02": (M.IN_TRANSIT, None),
    "03": (M.AT_DELIVERY_STATION, None),
    "04": (M.OUT_FOR_DELIVERY, None),
    "05": (M.UNKNOWN, X.HELD),
    "06": (M.DELIVERY_FAILED, X.REFUSED),
    "07": (M.DELIVERED, None),
    "08": (M.RETURNING, None),
    "09": (M.RETURNING, None),
    "10": (M.RETURNING, None),
    "11": (M.RETURNED, None),
    "12": (M.UNKNOWN, X.HELD),
    "13": (M.IN_TRANSIT, None),
    "ON_THE_WAY": (M.IN_TRANSIT, None),
}


class TestCodes:
    @pytest.mark.parametrize("code", CODES)
    def test_a_code_alone(self, code: str) -> None:
        answer = only(state(code))
        told, (milestone, exception) = answer.events[0], CODES[code]
        assert (told.milestone, set(told.exceptions), told.code) == (milestone, {exception} - {None}, code)
        assert answer.unknown_codes == ()

    def test_every_documented_code_is_in_this_table(self) -> None:
        """ON_THE_WAY stands in another table of the facts only."""
        told = documented("cainiao", "logisticsStatus") | documented("cainiao", "TMS_PRACTICE_TRACE_INFO")
        assert told == set(CODES) - {"ON_THE_WAY"}

    def test_a_signature_whose_words_tell_of_a_station(self) -> None:
        told = only(state("SIGN", lastLogisticDetail="快件已存放至菜鸟驿站")).events[0]
        assert told.milestone is M.READY_FOR_COLLECTION


class TestReceiving:
    def test_the_shared_sample_and_the_exact_reply(self) -> None:
        folder = FACTS / "samples" / "cainiao"
        if not folder.exists():
            pytest.skip("the facts are not beside this tree")
        delivery = ACCOUNT.receive(Push((folder / "push_aliyun_status.json").read_bytes()), NOW)
        assert json.loads(delivery.reply.content) == json.loads((folder / "push_reply_ok.json").read_text())
        assert [each.milestone for each in delivery.answers[0].events] == [M.DELIVERED]

    def test_the_reply_is_a_json_with_code_0(self) -> None:
        reply = received(state()).reply
        assert (reply.status, reply.content) == (200, b'{"code":0,"msg":"success"}')

    def test_each_parcel_of_the_array_has_its_answer(self) -> None:
        parcels = [state(number="Z1"), state(number="Y1", cp="YTO"), state(number="S1", cp="SF")]
        assert [(each.carrier, each.waybill_no) for each in received(*parcels).answers] == [
            ("zhongtong", "Z1"),
            ("yuantong", "Y1"),
            ("shunfeng", "S1"),
        ]

    def test_two_states_of_one_parcel_are_one_answer_in_order(self) -> None:
        before = state("DELIVERING", logisticsGmtModified="2026-03-05 08:40:11")
        assert [each.code for each in only(state(), before).events] == ["DELIVERING", "SIGN"]

    def test_beijing_becomes_utc_and_it_proves_nothing_else(self) -> None:
        answer = only(state())
        assert answer.events[0].occurred_at == datetime(2026, 3, 5, 3, 31, 2, tzinfo=UTC)
        assert answer.events[0].area == "北京市,北京市"
        assert (answer.whole, answer.late, answer.read_at) == (False, True, None)

    def test_played_again_it_changes_nothing(self) -> None:
        known = merge((), only(state()), NOW).added
        assert not merge(known, only(state()), NOW)

    def test_an_older_one_that_comes_late_takes_nothing_back(self) -> None:
        known = merge((), only(state()), NOW).added
        late = merge(known, only(state("DELIVERING", logisticsGmtModified="2026-03-05 08:40:11")), NOW)
        assert [row.event.code for row in late.added] == ["DELIVERING"]
        assert (late.withdrawn, late.edited) == ((), ())

    def test_a_carrier_code_nobody_knows_is_counted_and_passes_through(self) -> None:
        answer = only(state(cp="DISTRIBUTOR_1"))
        assert answer.carrier == "distributor_1"
        assert answer.unknown_codes == ("cpCode distributor_1",)

    def test_without_a_detail_the_status_is_the_text(self) -> None:
        assert only(state(lastLogisticDetail=None, logisticsStatusDesc="已签收")).events[0].text == "已签收"

    @pytest.mark.parametrize(
        "broken",
        [
            state(number=""),
            state(cp=""),
            state(cp=None),
            state(number="Z9", logisticsGmtModified="刚才"),
            state(number="Z9", lastLogisticDetail=7),
        ],
        ids=["no number", "no carrier", "carrier is nothing", "no time", "words are a number"],
    )
    def test_one_that_nobody_can_read_costs_the_others_nothing(self, broken: dict[str, Any]) -> None:
        delivery = received(broken, state(number="Z1"))
        assert [each.waybill_no for each in delivery.answers] == ["Z1"]
        assert len(delivery.unreadable) == 1
        with pytest.raises(Unreadable):
            received(broken)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{}",
            b"null",
            b"[1]",
            b"\xff\xfe",
            b"<html>",
            b"[" * 100_000,
            json.dumps([state()]).encode()[:-9],
        ],
        ids=["empty", "no parcel", "object", "null", "numbers", "binary", "html", "deep", "cut off"],
    )
    def test_what_nobody_can_read(self, body: bytes) -> None:
        with pytest.raises(Unreadable):
            ACCOUNT.receive(Push(body), NOW)
