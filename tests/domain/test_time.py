"""Moments, durations as people write them, and calendars that stand still for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.time import (
    AROUND_THE_CLOCK,
    RESOLUTION,
    Calendar,
    Window,
    aware,
    format_duration,
    from_micros,
    parse_duration,
    to_micros,
)

T0 = datetime(2026, 6, 1, tzinfo=UTC)
BEIJING = timezone(timedelta(hours=8))
MICRO = timedelta(microseconds=1)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def pause(start: float, end: float, name: str = "") -> Window:
    return Window(at(start), at(end), name)


# ── moments ──────────────────────────────────────────────────────────────────────────────────────


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        aware(datetime(2026, 6, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="without a zone"):
        Window(datetime(2026, 6, 1), T0)  # noqa: DTZ001


def test_inside_everything_is_utc() -> None:
    said = datetime(2026, 6, 1, 8, tzinfo=BEIJING)
    assert aware(said) == T0
    assert aware(said).tzinfo is UTC
    window = Window(said, said + timedelta(hours=1))
    assert (window.starts_at.tzinfo, window.ends_at.tzinfo) == (UTC, UTC)


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_there_and_back(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment
    assert to_micros(moment.astimezone(BEIJING) if 2 < moment.year < 9998 else moment) == to_micros(moment)


# ── durations ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("48h", timedelta(hours=48)),
        ("5d", timedelta(days=5)),
        ("30m", timedelta(minutes=30)),
        ("10s", timedelta(seconds=10)),
        ("1.5d", timedelta(hours=36)),
        (" 2 h ", timedelta(hours=2)),
        ("0.000001s", MICRO),
        ("0h", timedelta(0)),
    ],
)
def test_a_duration_as_people_write_it(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "48", "h", "-1h", "48hours", "1e3h", "1.h", ".5h", "48h8m", "nan h", "inf d"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9" * 12 + "d", "9" * 5000 + "d"])
def test_what_no_calendar_can_hold(text: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=2), "48h"),
        (timedelta(minutes=90), "90m"),
        (timedelta(seconds=90), "90s"),
        (timedelta(seconds=0.5), "0.5s"),
        (MICRO, "0.000001s"),
        (timedelta(0), "0s"),
    ],
)
def test_a_duration_as_it_is_shown(length: timedelta, text: str) -> None:
    assert format_duration(length) == text


@settings(deadline=None)
@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400_000)))
def test_what_is_shown_is_read_back_exactly(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length


# ── windows ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", [0, -1])
def test_a_window_ends_after_it_starts(end: float) -> None:
    with pytest.raises(ValueError, match="台风"):
        pause(0, end, "台风")


def test_a_window_in_a_zone_with_summer_time_is_as_long_as_it_really_is() -> None:
    """2026-03-08 has 23 hours in New York; two wall clocks of one zone subtract as if it had 24."""
    zone = ZoneInfo("America/New_York")
    window = Window(datetime(2026, 3, 8, tzinfo=zone), datetime(2026, 3, 9, tzinfo=zone))
    calendar = Calendar((window,))
    start = window.starts_at - timedelta(hours=1)
    assert calendar.after(start, timedelta(hours=2)) - start == timedelta(hours=25)
    assert calendar.elapsed(start, window.ends_at) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("windows", "merged"),
    [
        ([], []),
        ([(0, 2, "a"), (5, 6, "b")], [(0, 2, "a"), (5, 6, "b")]),
        ([(5, 6, "b"), (0, 2, "a")], [(0, 2, "a"), (5, 6, "b")]),
        ([(0, 5, "a"), (2, 3, "b")], [(0, 5, "a、b")]),
        ([(0, 2, "a"), (2, 3, "b")], [(0, 3, "a、b")]),
        ([(0, 2, "a"), (1, 3, "a")], [(0, 3, "a")]),
        ([(0, 2, ""), (1, 3, "b")], [(0, 3, "b")]),
        ([(0, 2, "台风2号"), (1, 3, "台风")], [(0, 3, "台风2号、台风")]),
    ],
)
def test_windows_that_overlap_or_touch_are_one_under_both_names(
    windows: list[tuple[float, float, str]], merged: list[tuple[float, float, str]]
) -> None:
    expected = tuple(pause(*each) for each in merged)
    assert Calendar(tuple(pause(*each) for each in windows)).pauses == expected
    assert Calendar.outside(pause(*each) for each in windows).pauses == expected


# ── calendars ────────────────────────────────────────────────────────────────────────────────────

CLOSED = Calendar((pause(10, 20), pause(30, 35)))


@pytest.mark.parametrize(
    ("start", "length", "deadline"),
    [
        pytest.param(0, 5, 5, id="before any pause"),
        pytest.param(0, 10, 10, id="up to the very start of one"),
        pytest.param(0, 11, 21, id="over one"),
        pytest.param(0, 20, 30, id="up to the second"),
        pytest.param(0, 21, 36, id="over both"),
        pytest.param(10, 1, 21, id="from the start of one"),
        pytest.param(15, 1, 21, id="from the middle of one"),
        pytest.param(20, 1, 21, id="from its end"),
        pytest.param(15, 0, 15, id="nothing owed"),
        pytest.param(40, 5, 45, id="after all"),
    ],
)
def test_a_deadline_outside_the_pauses(start: float, length: float, deadline: float) -> None:
    assert CLOSED.after(at(start), timedelta(hours=length)) == at(deadline)


@pytest.mark.parametrize(
    ("start", "end", "counted"),
    [(0, 10, 10), (0, 15, 10), (0, 25, 15), (12, 18, 0), (12, 33, 10), (0, 40, 25), (5, 5, 0), (9, 3, 0)],
)
def test_counting_time_between_two_moments(start: float, end: float, counted: float) -> None:
    assert CLOSED.elapsed(at(start), at(end)) == timedelta(hours=counted)


minutes = st.integers(0, 600).map(lambda n: T0 + timedelta(minutes=n))
lengths = st.integers(0, 900).map(lambda n: timedelta(minutes=n))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(minutes)
    return Window(start, start + timedelta(minutes=draw(st.integers(1, 200))))


calendars = st.lists(windows(), max_size=6).map(lambda found: Calendar(tuple(found)))


def counted_by_hand(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Minute by minute."""
    minute, total, moment = timedelta(minutes=1), timedelta(0), start
    while moment < end:
        if not any(each.starts_at <= moment < each.ends_at for each in calendar.pauses):
            total += minute
        moment += minute
    return total


@settings(deadline=None, max_examples=200)
@given(calendars, minutes, minutes)
def test_elapsed_is_what_counting_by_hand_gives(calendar: Calendar, start: datetime, end: datetime) -> None:
    assert calendar.elapsed(start, end) == counted_by_hand(calendar, start, end)


@settings(deadline=None)
@given(calendars, minutes, lengths)
def test_the_deadline_is_the_exact_inverse_of_the_time_elapsed(
    calendar: Calendar, start: datetime, length: timedelta
) -> None:
    deadline = calendar.after(start, length)
    assert calendar.elapsed(start, deadline) == length
    if length:
        assert calendar.elapsed(start, deadline - MICRO) < length, "the first such moment"


@settings(deadline=None)
@given(calendars, minutes, lengths, lengths)
def test_longer_is_later(calendar: Calendar, start: datetime, one: timedelta, more: timedelta) -> None:
    assert calendar.after(start, one) <= calendar.after(start, one + more)
    assert calendar.after(start, one) >= start + one


@settings(deadline=None)
@given(st.lists(windows(), max_size=5), windows(), minutes, lengths)
def test_a_further_pause_never_makes_a_deadline_earlier(
    known: list[Window], further: Window, start: datetime, length: timedelta
) -> None:
    before, after = Calendar(tuple(known)), Calendar((*known, further))
    assert after.after(start, length) >= before.after(start, length)


def test_around_the_clock_every_hour_counts() -> None:
    assert AROUND_THE_CLOCK.after(T0, timedelta(hours=48)) == at(48)
    assert timedelta(0) < RESOLUTION <= timedelta(milliseconds=1), "finer than any scan's second"
