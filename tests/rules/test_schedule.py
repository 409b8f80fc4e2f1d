"""When to ask the carrier next: every silence proven on time with few questions (L2; `facts/carriers.md`, poll budget)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from domain.orders import Case, OrderStatus
from domain.time import RESOLUTION
from domain.tracking import DeliveredKind, ExceptionKind
from rules.schedule import Pace, next_question, patience, repeat_question
from tests.rules.scenes import (
    BACK,
    BACK_HOME,
    CANCELLED,
    HUB,
    OUT,
    PICKED,
    SIGNED,
    SIGNED_BY_WAREHOUSE,
    STORED,
    Hours,
    Scan,
    Word,
    at,
    hours,
    judged,
    order,
    parcel,
    remark,
)

HOUR = timedelta(hours=1)
HALF = Pace(interval=HOUR / 2)


def asked(
    case: Case, asked_at: Hours | None = None, now: Hours | None = None, pace: Pace = HALF
) -> Hours | None:
    """The hour of the next question about a parcel as it stands."""
    moment = at(now) if now is not None else case.observed_at
    assert moment is not None
    before = None if asked_at is None else at(asked_at)
    return hours(next_question(case, judged(case, moment), pace, before, moment))


def asked_of(*scans: Scan, seen: Hours, pace: Pace = HALF, platform: str = "taobao_tmall") -> Hours | None:
    """The hour of the next question right after a look."""
    return asked(parcel(*scans, seen=seen, platform=platform), asked_at=seen, pace=pace)


# ── the next step ────────────────────────────────────────────────────────────────────────────────

SOON = pytest.approx


@pytest.mark.parametrize(
    ("scans", "seen", "expected"),
    [
        pytest.param(((2, PICKED), (10, HUB)), 11, 23, id="nothing near: as fresh as promised"),
        pytest.param(((2, PICKED), (10, HUB)), 23, 34, id="the warning comes before that"),
        pytest.param(
            ((2, PICKED), (10, HUB)), 21.8, 34, id="a question 12 minutes before the step would make it late"
        ),
        pytest.param(((2, PICKED), (10, HUB)), 21, 33, id="one an hour before does not"),
    ],
)
def test_a_question_comes_at_the_next_step_or_when_the_last_look_is_stale(
    scans: tuple[Scan, ...], seen: Hours, expected: Hours
) -> None:
    assert asked_of(*scans, seen=seen) == SOON(expected, abs=0.001)


def test_a_step_is_proven_right_after_it_not_on_the_dot() -> None:
    case = parcel((2, PICKED), (10, HUB), seen=33)
    due = next_question(case, judged(case), HALF, at(33), at(33))
    assert due == at(34) + RESOLUTION


def test_a_provider_that_lags_is_asked_that_much_later() -> None:
    late = replace(HALF, lag=2 * HOUR)
    assert asked_of((2, PICKED), (10, HUB), seen=33, pace=late) == SOON(36, abs=0.001)


def test_a_provider_just_asked_is_not_asked_again_before_its_interval() -> None:
    case = parcel((2, PICKED), (10, HUB), seen=33.9)
    assert asked(case, asked_at=33.9) == SOON(34.4)


def test_what_is_due_is_asked_now() -> None:
    assert asked(parcel((2, PICKED), (10, HUB), seen=20), asked_at=20, now=50) == 50


def test_short_limits_are_looked_at_more_often() -> None:
    """Half the shortest running limit: 24 hours of dispatch → signature."""
    assert asked_of((2, PICKED), (20, OUT), seen=20, pace=replace(HALF, freshness=30 * HOUR)) == SOON(32)


PUSHED = replace(HALF, pushed=True)


def test_what_is_pushed_is_asked_about_at_its_steps_only() -> None:
    """A push proves no silence, so every step is verified; all else comes by itself."""
    assert asked_of((2, PICKED), (10, HUB), seen=11, pace=PUSHED) == SOON(34), (
        "not twelve hours after the look"
    )
    assert asked_of((2, PICKED), (10, HUB), seen=23, pace=PUSHED) == SOON(34)


def test_what_is_pushed_is_looked_at_in_three_days_all_the_same() -> None:
    """Pushes may have stopped, and nobody said so."""
    still = parcel((2, PICKED), (10, OUT), seen=11)
    assert patience(still, judged(still, at(11)), PUSHED) == timedelta(days=3)


def test_while_a_finding_is_open_a_pushed_parcel_is_asked_about_like_any_other() -> None:
    scans = ((2, PICKED), (10, HUB))
    assert asked_of(*scans, seen=59, pace=PUSHED) == asked_of(*scans, seen=59)


def test_the_shops_clocks_ask_no_carrier() -> None:
    """缺货 waits for the shop's click; asking the carrier every half hour would not prove it."""
    waiting = parcel(platform="pinduoduo", shipped_at=None, paid_at=0, seen=100, shop_seen=10)
    verdict = judged(waiting)
    assert verdict.next_look_at is not None
    assert verdict.next_look_at < at(100)
    assert verdict.carrier_look_at is None or verdict.carrier_look_at > at(100)
    due = asked(waiting, asked_at=100)
    assert due is not None
    assert due >= 103


# ── news is waited for ───────────────────────────────────────────────────────────────────────────


def test_while_a_finding_is_open_people_wait_for_news() -> None:
    """A twelfth of the limit after a step (warned at 34, broken at 58), then less and less often."""
    scans = ((2, PICKED), (10, HUB))
    assert asked_of(*scans, seen=35) == SOON(39)
    assert asked_of(*scans, seen=100) == SOON(100 + 42 / 6)
    assert asked_of(*scans, seen=200) == SOON(212)


def test_even_eagerness_keeps_the_interval() -> None:
    slow = Pace(interval=8 * HOUR)
    assert asked_of((2, PICKED), (10, HUB), seen=60, pace=slow) == SOON(68, abs=0.001)


@pytest.mark.parametrize("scans", [((2, PICKED), (10, HUB)), ()])
def test_what_is_silent_for_more_than_ten_days_is_asked_about_once_a_day(scans: tuple[Scan, ...]) -> None:
    assert asked_of(*scans, seen=600) == SOON(624)


def test_also_when_nothing_is_found_of_it() -> None:
    done = parcel((2, PICKED), (10, HUB), seen=600, status=OrderStatus.FINISHED)
    assert judged(done).findings == ()
    assert asked(done, asked_at=600) == 624


# ── the first look ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "now", "expected"),
    [
        pytest.param({"shipped_at": 1}, 2, 13, id="after it was shipped"),
        pytest.param({"shipped_at": None}, 2, 12, id="or paid"),
        pytest.param({"shipped_at": None, "paid_at": None}, 2, 2, id="now, when nobody says"),
        pytest.param({"shipped_at": 5}, 2, 2, id="now, when the shop's clock is ahead"),
        pytest.param({"shipped_at": 1}, 200, 200, id="now, when that is long ago"),
    ],
)
def test_a_parcel_never_looked_at(said: dict[str, Hours | None], now: Hours, expected: Hours) -> None:
    assert asked(parcel(platform="?", **said), now=now) == expected


def test_a_first_look_that_failed_is_tried_again_after_the_interval() -> None:
    assert asked(parcel(platform="?", shipped_at=1), asked_at=200, now=200) == 200.5


def test_the_earliest_order_says_when_the_way_began() -> None:
    both = (order("1", shipped_at=8, platform="?"), order("2", shipped_at=1, platform="?"))
    assert asked(parcel(orders=both), now=2) == 13


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", [BACK_HOME, CANCELLED])
def test_after_a_return_or_a_cancellation_nothing_is_asked(end: Word) -> None:
    assert asked_of((2, PICKED), (30, end), seen=31) is None


@pytest.mark.parametrize("word", [OUT, STORED, BACK, SIGNED_BY_WAREHOUSE, HUB])
def test_what_is_not_over_is_asked_about(word: Word) -> None:
    assert asked_of((2, PICKED), (30, word), seen=900) is not None


@pytest.mark.parametrize(
    ("kind", "seen", "expected"),
    [
        (None, 31, 54),
        (DeliveredKind.STATION, 31, 54),
        (DeliveredKind.SELF, 31, None),
        (None, 53, 54),
        (None, 54, None),
        (None, 90, None),
    ],
)
def test_a_signature_is_verified_a_day_later(
    kind: DeliveredKind | None, seen: Hours, expected: Hours | None
) -> None:
    """A station may take it back within the day; the receiver's own hand is not doubted."""
    assert asked_of((2, PICKED), (30, SIGNED.but(delivered_kind=kind)), seen=seen) == expected


def test_unless_nobody_wants_that() -> None:
    assert asked_of((2, PICKED), (30, SIGNED), seen=31, pace=replace(HALF, verify_signed=False)) is None


# ── an answer that repeats the last one ──────────────────────────────────────────────────────────


@pytest.mark.parametrize("seen", [3, 11, 20, 29, 33])
@pytest.mark.parametrize("scans", [((2, PICKED), (10, HUB)), ((2, PICKED),), ()])
def test_from_what_was_kept_the_next_question_is_the_same(scans: tuple[Scan, ...], seen: Hours) -> None:
    """The cheap way after an unchanged answer must not ask otherwise than the judgement would."""
    case = parcel(*(scan for scan in scans if scan[0] <= seen), seen=seen, platform="?")
    verdict = judged(case)
    fresh = patience(case, verdict, HALF)
    assert fresh is not None
    again = repeat_question(at(seen), fresh, verdict.carrier_look_at, HALF, at(seen) + HALF.interval)
    assert again == next_question(case, verdict, HALF, at(seen), at(seen))


@pytest.mark.parametrize(
    "case",
    [
        parcel(),
        parcel((2, PICKED), (3, remark(ExceptionKind.LOST)), seen=20),
        parcel((2, PICKED), (10, SIGNED), seen=20),
    ],
)
def test_what_must_be_judged_again_has_no_patience(case: Case) -> None:
    assert patience(case, judged(case, now=20), HALF) is None


# ── a life of questions ──────────────────────────────────────────────────────────────────────────


def life(*scans: Scan, until: Hours, pace: Pace, platform: str) -> tuple[list[datetime], dict[str, datetime]]:
    """Every question about a parcel, and when each step of a finding was first known."""
    now, asked_at, questions = at(1), None, []
    known: dict[str, datetime] = {}
    case = parcel(platform=platform)
    while now < at(until):
        verdict = judged(case, now)
        due = next_question(case, verdict, pace, asked_at, now)
        if due is None:
            break
        now = asked_at = due
        questions.append(now)
        so_far = tuple(scan for scan in scans if at(scan[0]) <= now)
        case = replace(parcel(*so_far, platform=platform), observed_at=now - pace.lag, orders_observed_at=now)
        for found in judged(case, now).findings:
            for step in range(1, found.step + 1):
                known.setdefault(f"{found.rule} {found.started_at.isoformat()} {step}", now)
    return questions, known


@pytest.mark.parametrize("platform", ["taobao_tmall", "pinduoduo", "?"])
@pytest.mark.parametrize("interval", [0.5, 4])
@pytest.mark.parametrize("lag", [0, 2])
def test_every_step_is_known_within_an_interval(platform: str, interval: float, lag: float) -> None:
    """Against a carrier that is asked every minute, in effect: against the steps themselves."""
    pace = Pace(interval=interval * HOUR, lag=lag * HOUR)
    scans = ((6, PICKED), (14, HUB), (90, OUT))
    questions, known = life(*scans, until=300, pace=pace, platform=platform)
    assert all(later - earlier >= pace.interval for earlier, later in pairwise(questions))

    steps = {}
    case = parcel(*scans, platform=platform, seen=300)
    for hour, seen in ((60, scans[:2]), (89, scans[:2]), (300, scans)):
        case = parcel(*(scan for scan in seen if scan[0] <= hour), platform=platform, seen=hour)
        for reading in judged(case).clocks:
            for number, step in enumerate(reading.steps, start=1):
                if reading.running and step.at < at(hour):
                    assert reading.started_at is not None
                    steps[f"{reading.rule} {reading.started_at.isoformat()} {number}"] = step.at
    assert len(steps) >= 7
    for name, step_at in steps.items():
        assert name in known, f"never learned of {name}"
        assert step_at < known[name] <= step_at + pace.lag + pace.interval + RESOLUTION, name


def test_a_parcel_in_good_order_costs_few_questions() -> None:
    """Four days from payment to signature, watched by the hour's precision, in about a dozen questions."""
    scans = ((6, PICKED), (14, HUB), (40, HUB.but(hub="武汉分拨中心")), (70, OUT), (76, SIGNED))
    questions, _ = life(*scans, until=200, pace=HALF, platform="taobao_tmall")
    assert len(questions) <= 15
