"""Second opinions (feature B8, law L1): two accounts about one parcel, and what follows where they differ.

The first account is that of `tests/simulated.py`; the second is another of its kind at `second.test`. Fined are those
rules of `tests/test_stakes.py`: a stalled parcel of 2,000 yuan costs 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from carriers.base import Ceilings, Question
from domain.remote import Conversation
from domain.time import to_micros
from domain.tracking import Answer, Milestone
from monitor.config.accounts import Budget, ProviderAccount
from monitor.config.service import SecondOpinion
from monitor.feeds import report as feed_report
from monitor.polling.doubts import Doubts
from monitor.polling.second import Second
from monitor.polling.second_wording import plain, spoken
from monitor.store import opinions, providers
from monitor.store.carriers import change_carrier
from monitor.store.database import Database
from monitor.store.opinions import Opinion
from monitor.sweep import Judged
from tests.simulated import (
    HUB,
    MINUTE,
    OUT,
    PICKED,
    POLITE,
    Adapter,
    Carrier,
    Robot,
    Scan,
    World,
    at,
)
from tests.test_stakes import fined

WAIT = 10 * MINUTE
STALL = "transit_stagnation"


@dataclass(frozen=True)
class Elsewhere(Adapter):
    """The same dialect at another host."""

    def ask(self, questions: Sequence[Question], now: Any) -> Conversation[list[Answer]]:
        conversation = super().ask(questions, now)
        try:
            request = next(conversation)
            while True:
                reply = yield replace(request, url=request.url.replace("carrier.test", "second.test"))
                request = conversation.send(reply)
        except StopIteration as end:
            return list(end.value)


@dataclass
class Two(World):
    """A world with a second account."""

    yuan: Decimal = Decimal(50)
    budget: Budget | None = None
    price: Decimal | None = None
    limits: Ceilings = POLITE

    def __post_init__(self) -> None:
        self.other = ProviderAccount(
            *("second", "test", Elsewhere(), frozenset({"zhongtong"}), self.limits, timedelta(0)),
            price=self.price,
            budget=self.budget,
            second=True,
        )
        super().__post_init__()
        self.witness = Carrier(self.clock)

    def judge(self, by: Any) -> Any:
        doubts = Doubts((self.other,), SecondOpinion(self.yuan, WAIT))
        self.sweep = replace(super().judge(by), doubts=doubts)
        return self.sweep

    def restart(self) -> None:
        super().restart()
        self.verifier = Second(
            *(self.other, self.db, self.net, self.sweep, self.clock, self.routes)  # type: ignore[arg-type]
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        return self.witness.answer(request) if request.url.host == "second.test" else super().answer(request)

    def verify(self) -> Judged:
        """One tick of the second account."""
        return self.run(self.verifier.tick)

    def look(self, hour: float, *told: Scan) -> Judged:
        """The first account is asked at that hour and tells this."""
        self.set(hour)
        self.carrier.says("Z1", *told)
        self.due_now()
        return self.poll()

    def opinion(self, parcel: int) -> Opinion:
        [found] = self.store.read_now(lambda conn: opinions.of(conn, [parcel]))[parcel]
        return found

    def breaches(self, parcel: int) -> set[str]:
        return {rule for rule, found in self.open_findings(parcel).items() if found.stage == "breach"}

    def history(self) -> list[tuple[str, str, bool]]:
        """Who told of each scan, its text, and whether it stands."""
        rows = self.rows("SELECT provider, text, withdrawn_at FROM events ORDER BY occurred_at, seq")
        return [(provider, text, withdrawn is None) for provider, text, withdrawn in rows]


@pytest.fixture
def world(database: Database) -> Two:
    return Two(database, [Robot("ops")], book=fined())


@pytest.fixture
def stalled(world: Two) -> int:
    """Picked up at T0; the first account was asked 49 hours later and knows nothing newer: the breach waits."""
    return a_stall(world)


def a_stall(world: Two) -> int:
    parcel = world.import_("Z1", amount=Decimal(2000))
    world.look(1, (0, PICKED))
    world.look(49, (0, PICKED))
    return parcel


# ── money ────────────────────────────────────────────────────────────────────────────────────────


def test_a_costly_breach_waits_for_the_second_account_and_warns_meanwhile(world: Two, stalled: int) -> None:
    assert world.open_findings(stalled)[STALL].stage == "warning"
    assert world.opinion(stalled).wait_until == at(49) + WAIT
    assert world.loaded(stalled).case.observed_at == at(49), "the first's silence is proven all the same"


def test_it_opens_at_once_when_the_second_agrees(world: Two, stalled: int) -> None:
    world.witness.says("Z1", (0, PICKED))
    world.verify()
    assert STALL in world.breaches(stalled)
    assert world.opinion(stalled).says == ()
    assert world.history() == [("k100", "picked_up 0", True)], "told by both, kept once"
    world.verify()
    assert world.witness.times("Z1") == 1, "asked once"


def test_it_does_not_open_when_the_second_shows_a_movement(world: Two, stalled: int) -> None:
    world.witness.says("Z1", (0, PICKED), (40, HUB))
    world.verify()
    assert set(world.open_findings(stalled)) == {"slow"}, "not even the warning stands"
    assert world.opinion(stalled).says == ("最后动静差两小时以上",)
    assert world.history() == [("k100", "picked_up 0", True), ("second", "in_transit 40", True)]
    world.look(50, (0, PICKED))
    assert world.breaches(stalled) == set(), "what the second told stands, though the first has it not"
    assert [row[2] for row in world.history()] == [True, True]


def test_what_the_second_told_begins_the_next_wait(world: Two, stalled: int) -> None:
    world.witness.says("Z1", (0, PICKED), (40, HUB))
    world.verify()
    world.look(89, (0, PICKED))
    assert world.breaches(stalled) == {"slow"}, "of another 48 hours' silence the second is asked again"
    world.verify()
    assert world.witness.times("Z1") == 2
    assert STALL in world.breaches(stalled)


@pytest.mark.parametrize("hour", [40, 40.1, 41])
def test_the_first_catches_up_and_nothing_is_doubled(world: Two, stalled: int, hour: float) -> None:
    world.witness.says("Z1", (0, PICKED), (40, HUB))
    world.verify()
    world.look(50, (0, PICKED), (hour, HUB))
    standing = [text for _, text, stands in world.history() if stands]
    assert standing == ["picked_up 0", f"in_transit {hour:g}"]
    assert world.opinion(stalled).says == (), "they agree now"
    world.look(51, (0, PICKED), (hour, HUB), (50.5, OUT))
    assert [text for _, text, stands in world.history() if stands] == [*standing, "out_for_delivery 50.5"]


@pytest.mark.parametrize("apart", [-0.1, 0.01, 0.1])
def test_the_same_scan_a_few_minutes_apart_is_no_movement(world: Two, stalled: int, apart: float) -> None:
    world.witness.says("Z1", (apart, PICKED))
    world.verify()
    assert STALL in world.breaches(stalled)
    assert len(world.history()) == 1
    assert world.opinion(stalled).says == ()


def test_a_second_that_knows_nothing_is_a_difference_and_no_movement(world: Two, stalled: int) -> None:
    world.verify()
    assert world.opinion(stalled).says == ("查无轨迹",)
    assert STALL in world.breaches(stalled)
    assert len(world.history()) == 1


def test_without_an_answer_it_opens_when_the_wait_is_over(world: Two, stalled: int) -> None:
    world.clock.start = at(49) + WAIT - MINUTE
    world.tick()
    world.settle(stalled)
    assert STALL not in world.breaches(stalled)
    world.clock.start += MINUTE
    world.tick()
    assert STALL in world.breaches(stalled)


@pytest.mark.parametrize("error", ["denied", "unreadable", "unavailable", "rejected", "throttled", "closed"])
def test_a_second_that_cannot_answer_holds_nothing_up(world: Two, stalled: int, error: str) -> None:
    world.witness.everywhere = error
    world.verify()
    assert STALL in world.breaches(stalled)
    assert world.opinion(stalled).why != ""
    assert world.history() == [("k100", "picked_up 0", True)]


def test_a_dead_second_delays_each_finding_by_the_wait_and_no_more(world: Two) -> None:
    world.witness.down = True
    parcel = a_stall(world)
    hour = 49.0
    while STALL not in world.breaches(parcel):
        world.verify()
        world.tick()
        hour += 1 / 60
        world.set(hour)
    assert at(hour) - at(49) <= WAIT + 2 * MINUTE
    assert world.witness.times("Z1") <= 3, "one question, as often as a call is tried"


@pytest.mark.parametrize(("amount", "yuan"), [(900, 50), (2000, 0)])
def test_what_is_cheap_or_not_to_be_verified_waits_for_nobody(
    database: Database, amount: int, yuan: int
) -> None:
    world = Two(database, [Robot("ops")], book=fined(), yuan=Decimal(yuan))
    parcel = world.import_("Z1", amount=Decimal(amount))
    world.look(1, (0, PICKED))
    world.look(49, (0, PICKED))
    assert STALL in world.breaches(parcel)
    world.verify()
    assert world.witness.asked == []


def test_the_shops_own_delay_is_no_question_for_a_carriers_account(world: Two) -> None:
    parcel = world.import_("Z1", shipped=None, paid=-60, amount=Decimal(2000))
    assert "late_shipment" in world.breaches(parcel)
    assert world.column("SELECT count(*) FROM opinions") == [0]


# ── contradictions ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("told", [[], [(3, HUB), (4, OUT)]], ids=["empty", "another parcel's"])
def test_a_first_that_contradicts_itself_is_verified_once(world: Two, told: list[Scan]) -> None:
    parcel = world.import_("Z1")
    world.look(3, (0, PICKED), (2, HUB))
    world.look(5, *told)
    world.witness.says("Z1", (0, PICKED), (2, HUB), (4.5, OUT))
    world.verify()
    assert world.opinion(parcel).says == ("进度不同", "最后动静差两小时以上")
    assert world.opinion(parcel).milestone is Milestone.OUT_FOR_DELIVERY
    assert world.loaded(parcel).case.journey.milestone is Milestone.OUT_FOR_DELIVERY
    world.look(6, *told)
    world.verify()
    assert world.witness.times("Z1") == 1


def test_differences_are_counted_by_account_while_the_parcel_is_watched(world: Two, stalled: int) -> None:
    world.verify()
    assert world.store.read_now(opinions.differing) == {"second": 1}
    world.look(50, (0, PICKED), (49.5, OUT))
    assert world.store.read_now(opinions.differing) == {}, (
        "the parcel has moved on since the opinion was given"
    )


# ── ceilings and money ───────────────────────────────────────────────────────────────────────────


def test_nothing_is_asked_beyond_the_budget_and_the_finding_opens_all_the_same(database: Database) -> None:
    world = Two(
        *(database, [Robot("ops")]),
        book=fined(),
        price=Decimal("0.1"),
        budget=Budget(per_day=Decimal("0.05")),
    )
    parcel = a_stall(world)
    world.verify()
    assert world.witness.asked == []
    world.clock.start += WAIT + MINUTE
    world.tick()
    assert STALL in world.breaches(parcel)


def test_a_question_is_paid_for_once(database: Database) -> None:
    world = Two(database, [Robot("ops")], book=fined(), price=Decimal("0.1"))
    a_stall(world)
    world.verify()
    spent = world.store.read_now(lambda conn: providers.spent(conn, "second", world.now.date()))
    assert (spent.asked, spent.micros) == (1, 100_000)


def test_a_number_is_not_asked_about_more_often_than_the_ceiling_allows(database: Database) -> None:
    limits = Ceilings(timedelta(hours=3), 48, per_second=20.0, concurrency=16)
    world = Two(database, [Robot("ops")], book=fined(), limits=limits)
    parcel = a_stall(world)
    world.witness.says("Z1", (0, PICKED), (1.5, HUB))
    world.verify()
    world.look(49.6, (0, PICKED))
    world.verify()
    assert world.witness.times("Z1") == 1
    world.clock.start += WAIT + MINUTE
    world.tick()
    assert STALL in world.breaches(parcel)
    world.set(52.1)
    world.verify()
    assert world.witness.times("Z1") == 2, "and asked when it may be"


def test_a_parcel_that_is_watched_no_more_is_not_asked_about(world: Two, stalled: int) -> None:
    world.look(49.6, (0, PICKED), (49.5, Milestone.RETURNED))
    assert world.loaded(stalled).state == "done"
    world.verify()
    assert world.witness.asked == []
    assert world.opinion(stalled).due_at is None


def test_a_parcel_that_is_another_carriers_by_now_is_not_asked_about(world: Two, stalled: int) -> None:
    world.store.write_now(lambda conn: change_carrier(conn, stalled, "yuantong", world.now))
    world.verify()
    assert world.witness.asked == []
    assert world.opinion(stalled).why == "second 不核对圆通速递"
    assert world.column("SELECT next_deadline_at FROM due") == [to_micros(world.now)], "judged at once"


# ── what is shown ────────────────────────────────────────────────────────────────────────────────


def test_explain_sets_the_two_side_by_side(world: Two, stalled: int) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    assert list(spoken([world.opinion(stalled)], zone))[1:] == [
        "  second：正要去问，异常最多等到 11-12 11:10"
    ]
    world.witness.says("Z1", (0, PICKED), (40, OUT))
    world.verify()
    assert list(spoken([world.opinion(stalled)], zone))[1:] == [
        "  second（11-12 11:00 答）：派件中，最后动静 11-12 02:00；"
        "第一家：揽收，最后动静 11-10 10:00；不一致：进度不同、最后动静差两小时以上"
    ]
    told = plain(world.opinion(stalled), zone)
    assert (told["provider"], told["milestone"], told["first_milestone"]) == (
        "second",
        "out_for_delivery",
        "picked_up",
    )
    assert told["differs"] == ["进度不同", "最后动静差两小时以上"]
    assert told["last_movement_at"] == "2026-11-12T02:00:00+08:00"


def test_explain_says_why_nobody_answered(world: Two, stalled: int) -> None:
    world.witness.everywhere = "denied"
    world.verify()
    assert list(spoken([world.opinion(stalled)], ZoneInfo("UTC")))[1:] == ["  second：没有问到：key 不对"]
    assert list(spoken([], ZoneInfo("UTC"))) == []


def test_the_report_of_the_accounts_counts_the_differences(world: Two, stalled: int) -> None:
    world.verify()
    reports = world.store.read_now(
        lambda conn: feed_report.read(conn, [world.account, world.other], world.now)
    )
    assert [feed_report.plain(each, ZoneInfo("UTC"))["disagreements"] for each in reports] == [0, 1]
