"""快递100's limits per number (`facts/carriers-kuaidi100.md`, Limits)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitor.demo.meter import Ceilings, Meter, Offence

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
DAY = timedelta(hours=24)


def asked(meter: Meter, times: int, every: timedelta = HALF_HOUR, start: datetime = NOON) -> datetime:
    """Ask a number that often; the moment of the last question."""
    for n in range(times):
        meter.ask("A", start + n * every)
    return start + (times - 1) * every


def test_half_an_hour_apart_all_day_long_is_allowed() -> None:
    meter = Meter(Ceilings())
    last = asked(meter, 200)
    assert meter.violations == []
    assert meter.locked_since("A", last) is None


def test_a_second_question_within_half_an_hour_is_too_frequent() -> None:
    meter = Meter(Ceilings())
    meter.ask("A", NOON)
    assert meter.ask("A", NOON + HALF_HOUR - timedelta(seconds=1)) is Offence.TOO_FREQUENT
    assert [(v.num, v.offence) for v in meter.violations] == [("A", Offence.TOO_FREQUENT)]


def test_another_number_has_its_own_half_hour() -> None:
    meter = Meter(Ceilings())
    meter.ask("A", NOON)
    assert meter.ask("B", NOON) is None


def test_the_forty_ninth_question_within_a_day_locks_the_number() -> None:
    meter = Meter(Ceilings(interval=timedelta(0)))
    last = asked(meter, 48, timedelta(minutes=10))
    assert meter.locked_since("A", last) is None
    locked = last + timedelta(minutes=10)
    assert meter.ask("A", locked) is None
    assert meter.locked_since("A", locked) == locked
    assert [v.offence for v in meter.violations] == [Offence.TOO_MANY]


def test_it_unlocks_after_a_day_below_the_limit() -> None:
    meter = Meter(Ceilings(interval=timedelta(0)))
    asked(meter, 49, timedelta(minutes=10))
    below_from = NOON + DAY
    assert meter.locked_since("A", below_from + DAY - timedelta(seconds=1)) is not None
    assert meter.locked_since("A", below_from + DAY) is None


def test_asking_on_keeps_it_locked_from_the_same_moment() -> None:
    meter = Meter(Ceilings(interval=timedelta(0)))
    locked = asked(meter, 49, timedelta(minutes=10))
    last = asked(meter, 400, timedelta(minutes=10), locked + timedelta(minutes=10))
    assert meter.locked_since("A", last) == locked
    assert meter.locked_since("A", last + DAY) == locked


def test_an_account_has_a_quota() -> None:
    meter = Meter(Ceilings(quota=2))
    assert [meter.ask(num, NOON) for num in "ABC"] == [None, None, Offence.OVER_QUOTA]
    assert meter.spent == 3


def test_not_enforced_it_only_takes_note() -> None:
    meter = Meter(Ceilings(), enforced=False)
    assert [meter.ask("A", NOON) for _ in range(60)] == [None] * 60
    assert {v.offence for v in meter.violations} == {Offence.TOO_FREQUENT, Offence.TOO_MANY}
    assert meter.locked_since("A", NOON) is None
