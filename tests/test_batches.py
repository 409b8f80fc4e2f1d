"""Several numbers in one call: each has its own answer, and a bad one stops only itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx
import pytest

from carriers.base import Billing, Ceilings, Question
from domain.remote import Conversation, Rejected, Request
from domain.tracking import Answer
from monitor.config.accounts import Budget
from monitor.polling.flight import fingerprint
from monitor.store.database import Database
from tests.simulated import ERRORS, HUB, MINUTE, PICKED, T0, Adapter, Carrier, Robot, World, at

SLOW = Ceilings(30 * MINUTE, 48, per_second=2.0, concurrency=4)


@dataclass(frozen=True)
class Together(Adapter):
    """Ten numbers in a call, a reply that names its own request."""

    batch: int = 10

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Any]]:
        numbers = ",".join(question.waybill.waybill_no for question in questions)
        reply = yield Request("GET", f"http://carrier.test/{numbers}")
        told = reply.json()
        if told["error"]:
            raise ERRORS[told["error"]]()
        return [self._one(question, row) for question, row in zip(questions, told["rows"], strict=False)]

    def _one(self, question: Question, row: dict[str, Any]) -> Answer | Rejected:
        if row.get("error"):
            return Rejected("这个单号不对")
        answer = super()._read(question, _Body(row))  # type: ignore[arg-type]
        return answer


@dataclass(frozen=True)
class _Body:
    row: dict[str, Any]
    status: int = 200

    def json(self) -> dict[str, Any]:
        return self.row


@dataclass
class Desk(Carrier):
    """Answers several numbers; `poison` ones spoil the whole reply."""

    calls: int = 0
    poison: tuple[str, ...] = ()
    spoiled: str = "unreadable"
    short: bool = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        numbers = request.url.path[1:].split(",")
        self.calls += 1
        self.asked += [(self.clock.now(), number) for number in numbers]
        if self.everywhere or set(numbers) & set(self.poison):
            return httpx.Response(200, json={"error": self.everywhere or self.spoiled, "rows": []})
        rows = [self.known.get(number, {"scans": []}) for number in numbers]
        body = {"error": "", "request": f"id-{self.calls}", "rows": rows[: -1 if self.short else None]}
        return httpx.Response(200, content=json.dumps(body))


@pytest.fixture
def world(database: Database) -> World:
    made = World(database, [Robot("ops")], adapter=Together(), ceilings=SLOW)
    made.carrier = Desk(made.clock)
    return made


def parcels(world: World, n: int) -> list[int]:
    ids = world.import_many(n)
    for i in range(n):
        world.carrier.says(f"Z{i:05d}", (-1, PICKED))
    world.tick()
    world.due_now()
    return ids


def desk(world: World) -> Desk:
    assert isinstance(world.carrier, Desk)
    return world.carrier


def test_ten_numbers_are_one_call_and_the_pace_counts_calls(world: World) -> None:
    """25 numbers are three calls: at two a second the last one leaves a second after the first."""
    parcels(world, 25)
    done = world.poll()
    assert (done.parcels, desk(world).calls) == (25, 3)
    assert world.column("SELECT count(*) FROM events") == [25]
    moments = sorted({moment for moment, _ in world.carrier.asked})
    assert moments[-1] - moments[0] == timedelta(seconds=1)


def test_what_is_understood_is_compared_not_the_bytes(world: World) -> None:
    """Every reply has another request id; a number with news costs its neighbours nothing."""
    first, second = parcels(world, 2)
    world.poll()
    before = [world.loaded(each).version for each in (first, second)]
    world.clock.start += timedelta(hours=1)
    world.carrier.says("Z00001", (-1, PICKED), (0.5, HUB))
    world.due_now()
    assert world.poll().parcels == 2
    assert world.loaded(first).version == before[0], "a reschedule and nothing else"
    assert world.loaded(second).version > before[1]
    assert world.column("SELECT count(*) FROM events") == [3]


def test_a_rejection_in_its_place_stops_one_number(world: World) -> None:
    ids = parcels(world, 10)
    world.carrier.fails("Z00003", "rejected")
    world.poll()
    assert desk(world).calls == 1
    assert [world.loaded(each).why for each in ids if world.loaded(each).why] == ["这个单号不对"]
    assert world.column("SELECT count(*) FROM events") == [9]


@pytest.mark.parametrize("error", ["rejected", "unreadable"])
def test_one_bad_number_that_spoils_the_whole_reply_is_found(world: World, error: str) -> None:
    ids = parcels(world, 20)
    desk(world).poison, desk(world).spoiled = ("Z00007",), error
    world.poll()
    assert world.column("SELECT count(*) FROM events") == [19]
    assert desk(world).calls <= 2 + 2 * 4
    assert world.poller.feed.state.value == "up"
    assert world.loaded(ids[7]).case.observed_at is None, "no look"
    assert world.loaded(ids[8]).case.observed_at is not None


def test_looking_for_the_bad_number_keeps_to_the_pace(world: World) -> None:
    parcels(world, 10)
    desk(world).poison = ("Z00000",)
    world.poll()
    moments = sorted({moment for moment, _ in world.carrier.asked})
    assert len(moments) > 4
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) >= timedelta(seconds=0.5)


@pytest.mark.parametrize("billing", list(Billing))
def test_each_further_call_is_booked_and_paid_for(database: Database, billing: Billing) -> None:
    """Where a refusal costs, each one does; where only an answer does, the answers."""
    world = World(database, [Robot("ops")], adapter=Together(billing=billing), ceilings=SLOW)
    world.account = replace(world.account, price=Decimal("0.1"))
    world.carrier = Desk(world.clock)
    world.restart()
    parcels(world, 10)
    desk(world).poison = ("Z00004",)
    world.poll()
    numbers = len(world.carrier.asked)
    paid = {Billing.QUERY: numbers, Billing.NUMBER: 9, Billing.REGISTRATION: 9, Billing.FREE: 0}[billing]
    assert numbers > 10
    assert world.column("SELECT sum(asked) FROM spend") == [numbers]
    assert world.column("SELECT sum(micros) FROM spend") == [100_000 * paid]


def test_a_limit_is_not_passed_in_looking_for_the_bad_number(database: Database) -> None:
    world = World(database, [Robot("ops")], adapter=Together(), ceilings=SLOW)
    world.account = replace(world.account, price=Decimal("0.1"), budget=Budget(per_day=Decimal("1.3")))
    world.carrier = Desk(world.clock)
    world.restart()
    parcels(world, 10)
    desk(world).poison = ("Z00004",)
    world.poll()
    assert len(world.carrier.asked) <= 13
    assert world.column("SELECT sum(micros) FROM spend")[0] <= 1_300_000


def test_no_number_is_asked_more_often_in_a_day_for_a_neighbours_fault(database: Database) -> None:
    """Six a day: three at once. The call and two halves are the day's share of the bad number's neighbours."""
    ceilings = replace(SLOW, per_waybill_daily=6)
    world = World(database, [Robot("ops")], adapter=Together(), ceilings=ceilings)
    world.carrier = Desk(world.clock)
    parcels(world, 10)
    desk(world).poison = ("Z00004",)
    world.poll()
    assert 1 < max(world.carrier.times(f"Z{n:05d}") for n in range(10)) <= 3


def test_a_service_that_is_broken_is_not_searched_for_bad_numbers(world: World) -> None:
    """Three that fail alone, and none that does not: it is not the numbers."""
    parcels(world, 10)
    desk(world).everywhere = "unreadable"
    world.poll()
    assert desk(world).calls <= 9
    assert world.column("SELECT count(*) FROM events") == [0]


def test_a_batch_that_fails_for_good_reason_stops_nobody_elses(world: World) -> None:
    """No connection for one call: the other calls' answers are kept."""
    parcels(world, 20)
    desk(world).poison, desk(world).spoiled = ("Z00002",), "unavailable"
    world.poll()
    assert world.column("SELECT count(*) FROM events") == [10]


def test_fewer_answers_than_questions_are_no_answers(world: World) -> None:
    parcels(world, 3)
    desk(world).short = True
    world.poll()
    assert world.column("SELECT count(*) FROM events") == [0]


def test_a_fingerprint_is_of_what_was_said() -> None:
    said = Answer("zhongtong", "Z1", ())
    assert fingerprint(said) == fingerprint(Answer("zhongtong", "Z1", (), read_at=T0))
    assert fingerprint(said) != fingerprint(Answer("zhongtong", "Z1", (), remark="查询无结果"))


def test_an_answer_that_only_moves_its_own_date_proves_silence_that_far(database: Database) -> None:
    """17TRACK says when it read the carrier: the same words of a later moment are a later look."""
    world = World(database, [Robot("ops")], adapter=Together(), ceilings=SLOW)
    world.carrier = Desk(world.clock)
    [parcel] = parcels(world, 1)
    for hours, read_at in ((0, -0.5), (2, -0.5), (4, 3.5)):
        world.set(hours)
        world.carrier.says("Z00000", (-1, PICKED), read_at=read_at)
        world.due_now()
        world.poll()
        seen = world.loaded(parcel).case.observed_at
        assert seen == at(read_at)
