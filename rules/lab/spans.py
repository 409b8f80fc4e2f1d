"""Calendars over columns: the deadline of many waits at once, as `Calendar.after` has it for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

import numpy as np

from domain.time import Calendar, aware, from_micros, to_micros
from rules.calendars import FIRST_YEAR, LAST_YEAR, WorkingTime
from rules.lab.columns import Bools, Codes, Micros

__all__ = ["after", "length_of"]

_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)


def length_of(length: timedelta) -> int:
    """A length in microseconds."""
    return length // _MICROSECOND


def after(calendar: Calendar, start: Micros, length: Micros) -> Micros:
    """The deadlines of waits of such lengths that started then."""
    if type(calendar) is Calendar:
        return _counted(calendar, start, length)
    if type(calendar) is WorkingTime:
        begin = _begin(calendar, start)
        return np.where(length > 0, _counted(calendar, begin, length), start)
    # A calendar of another kind answers for itself.
    each = zip(start.tolist(), length.tolist(), strict=True)
    found = [calendar.after(from_micros(at), timedelta(microseconds=owed)) for at, owed in each]
    return np.array([to_micros(at) for at in found], dtype=np.int64)


@dataclass(frozen=True)
class _Pauses:
    """Pauses in order, and how much of the time before each counts."""

    starts: Micros
    ends: Micros
    gone: Micros
    """The length of all pauses before each, and of all of them at the end."""

    @property
    def counted(self) -> Micros:
        """How much time counts before each pause."""
        return self.starts - self.gone[:-1]


@lru_cache(maxsize=64)
def _pauses(calendar: Calendar) -> _Pauses:
    starts = np.array([to_micros(each.starts_at) for each in calendar.pauses], dtype=np.int64)
    ends = np.array([to_micros(each.ends_at) for each in calendar.pauses], dtype=np.int64)
    return _Pauses(starts, ends, np.concatenate(([0], np.cumsum(ends - starts))))


def _counted(calendar: Calendar, start: Micros, length: Micros) -> Micros:
    """The first moment at which so much has counted; the start itself where nothing is owed."""
    if not calendar.pauses:
        return start + length
    pauses = _pauses(calendar)
    over = np.searchsorted(pauses.ends, start, side="right")
    at = np.minimum(over, len(pauses.starts) - 1)
    inside = (over < len(pauses.starts)) & (pauses.starts[at] < start)
    since = start - pauses.gone[over] - np.where(inside, start - pauses.starts[at], 0)
    target = since + length
    deadline = target + pauses.gone[np.searchsorted(pauses.counted, target, side="left")]
    return np.where(length > 0, deadline, start)


# ── working time: from when a start counts ───────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Days:
    """The days of an almanac's zone, one after the other."""

    midnights: Micros
    cutoffs: Micros
    counts: Bools
    following: Codes
    """The next working day of each."""


@lru_cache(maxsize=32)
def _days(calendar: WorkingTime) -> _Days:
    first, last = date(FIRST_YEAR - 1, 1, 1), date(LAST_YEAR + 1, 12, 31)
    days = [first + n * _DAY for n in range((last - first).days + 1)]
    zone, cutoff = calendar.almanac.zone, calendar.week.cutoff or time.max

    def moments(at: time) -> Micros:
        walls = (datetime.combine(day, at).replace(tzinfo=zone) for day in days)
        return np.array([to_micros(aware(wall)) for wall in walls], dtype=np.int64)

    counts = np.array([calendar.counts(day) for day in days])
    place = np.where(counts, np.arange(len(days)), len(days) - 1)
    following = np.minimum.accumulate(place[::-1])[::-1]
    return _Days(moments(time()), moments(cutoff), counts, np.append(following[1:], len(days) - 1))


def _begin(calendar: WorkingTime, start: Micros) -> Micros:
    """`WorkingTime.begin` of each start."""
    week = calendar.week
    if week.cutoff is None and not week.whole_days:
        return start
    days = _days(calendar)
    day = np.searchsorted(days.midnights, start, side="right") - 1
    moved = np.zeros(len(start), dtype=bool)
    if week.cutoff is not None:
        moved = (start > days.cutoffs[day]) | ~days.counts[day]
        day = np.where(moved, days.following[day], day)
    if week.whole_days:
        return days.midnights[day + 1]
    return np.where(moved, days.midnights[day], start)
