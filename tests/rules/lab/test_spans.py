"""Deadlines over columns are those of the calendars, one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.time import AROUND_THE_CLOCK, Calendar, Window, to_micros
from monitor.calendars import load_almanacs
from rules.calendars import Calendars
from rules.lab.spans import after, length_of
from rules.lines import WHOLE_DAYS

T0 = datetime(2026, 9, 24, tzinfo=UTC)
"""Days before the Mid-Autumn and National holidays of China, weeks before the end of summer time elsewhere."""
WORKING = Calendars(load_almanacs().values())
PAUSED = Calendar.outside(
    [
        Window(T0 + timedelta(hours=10), T0 + timedelta(hours=20)),
        Window(T0 + timedelta(days=3), T0 + timedelta(days=5), "台风"),
        Window(T0 + timedelta(days=5), T0 + timedelta(days=6), "大促"),
    ]
)
CALENDARS = {
    "natural": AROUND_THE_CLOCK,
    "paused": PAUSED,
    "whole_days": WHOLE_DAYS,
    **{name: WORKING[name] for name in WORKING},
    **{f"{name}, paused": WORKING[name].pausing(PAUSED.pauses) for name in WORKING},
}
minutes = st.integers(-3 * 24 * 60, 90 * 24 * 60).map(lambda n: timedelta(minutes=n))
edges = st.sampled_from([window for each in PAUSED.pauses for window in (each.starts_at, each.ends_at)])
starts = st.one_of(minutes.map(lambda length: T0 + length), edges)
lengths = st.one_of(st.integers(0, 15 * 24 * 60).map(lambda n: timedelta(minutes=n)), st.just(timedelta(0)))


@pytest.mark.parametrize("name", CALENDARS)
@settings(deadline=None, max_examples=40)
@given(waits=st.lists(st.tuples(starts, lengths), min_size=1, max_size=20))
def test_deadlines_are_those_of_the_calendar(name: str, waits: list[tuple[datetime, timedelta]]) -> None:
    calendar = CALENDARS[name]
    start = np.array([to_micros(at) for at, _ in waits])
    length = np.array([length_of(owed) for _, owed in waits])
    expected = [to_micros(calendar.after(at, owed)) for at, owed in waits]
    assert after(calendar, start, length).tolist() == expected


class Lunar(Calendar):
    """A calendar of a kind nobody knows here."""

    def after(self, start: datetime, length: timedelta) -> datetime:
        return start + 2 * length


def test_a_calendar_of_another_kind_answers_for_itself() -> None:
    start, length = np.array([to_micros(T0)]), np.array([length_of(timedelta(hours=3))])
    assert after(Lunar(), start, length).tolist() == [to_micros(T0 + timedelta(hours=6))]
