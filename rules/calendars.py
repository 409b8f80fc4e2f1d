"""Calendars of working days: which days count, from when, and which years are official.

A country's **almanac** is a table of its public holidays and make-up working days (调休), year by year, as
its government announces them. A **week** says how somebody counts by it: weekdays, holidays, opening
hours, whole days, a cut-off. Both together make a calendar with the arithmetic of `domain.time`: the
deadline is the exact inverse of the time elapsed. A year without an official table is never guessed in
silence: its weekends count as such, its holidays do not exist, and `known` and `note` say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from domain.time import SHANGHAI, Calendar, Window, aware

__all__ = [
    "FIRST_YEAR",
    "LAST_YEAR",
    "Almanac",
    "Calendars",
    "Holiday",
    "Week",
    "WorkingTime",
    "Year",
    "working_time",
]

FIRST_YEAR: Final = 2010
"""Nothing in an order is older: an earlier moment is refused where it comes in."""
LAST_YEAR: Final = 2059
"""Beyond these years every hour counts, and `note` says that they are not known."""
_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = time()


# ── what a government announces ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Holiday:
    """Days off in a row, both ends included, and the weekend days worked in return."""

    name: str
    first: date
    last: date
    workdays: tuple[date, ...] = ()

    @property
    def days(self) -> Iterator[date]:
        """Every day off."""
        return (self.first + n * _DAY for n in range((self.last - self.first).days + 1))

    @property
    def festivals(self) -> Set[str]:
        """Two festivals may fall on the same days: 国庆节、中秋节."""
        return frozenset(self.name.split("、"))


@dataclass(frozen=True, slots=True)
class Year:
    """One year's arrangement; one that is not official has no days."""

    official: bool
    source: str = ""
    note: str = ""
    holidays: tuple[Holiday, ...] = ()


@dataclass(frozen=True)
class Almanac:
    """What is known of a country's holidays."""

    id: str
    name: str
    zone: ZoneInfo
    years: Mapping[int, Year]
    weeks: Mapping[str, Week] = field(default_factory=dict)
    note: str = ""
    """What to know of every year that is not in the table."""

    def known(self, year: int) -> bool:
        """The year's official arrangement is in the table."""
        return year in self.years and self.years[year].official

    @cached_property
    def off(self) -> Mapping[date, Holiday]:
        """The holiday of each day off."""
        return {day: each for year in self.years.values() for each in year.holidays for day in each.days}

    @cached_property
    def worked(self) -> Set[date]:
        """Weekend days on which people work."""
        return {day for year in self.years.values() for each in year.holidays for day in each.workdays}


# ── how somebody counts by it ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Week:
    """A way to count working time."""

    id: str
    zh: str
    weekdays: frozenset[int] = frozenset(range(1, 6))
    """1 is Monday."""
    holidays: frozenset[str] | None = None
    """The festivals that do not count; None for all of them, an empty set for none."""
    makeup: bool = True
    """A weekend day worked in return for a holiday counts."""
    opens: time = _MIDNIGHT
    closes: time = _MIDNIGHT
    """The hours of a day that count; midnight to midnight is all 24."""
    whole_days: bool = False
    """The day of the start does not count: 48 h are the two working days after it, to their end."""
    cutoff: time | None = None
    """What starts later than this, or on no working day, counts as started with the next working day."""


@dataclass(frozen=True, slots=True, repr=False)
class WorkingTime(Calendar):
    """The time that counts in a week of an almanac, outside further pauses."""

    almanac: Almanac = Almanac("", "", SHANGHAI, {})
    week: Week = Week("", "")
    version: str = ""
    """Names exactly these days; a rule judged by other days was judged by another rule."""

    def __hash__(self) -> int:
        return hash((self.version, len(self.pauses)))

    def __repr__(self) -> str:
        return f"WorkingTime({self.week.id} {self.version})"

    def counts(self, day: date) -> bool:
        """Whether any of the day's time counts, further pauses aside."""
        return _counts(self.almanac, self.week, day)

    def begin(self, start: datetime) -> datetime:
        """The moment from which what started at `start` is counted."""
        local = start.astimezone(self.almanac.zone)
        day, moved = local.date(), False
        cutoff = self.week.cutoff
        if cutoff is not None and (local.time() > cutoff or not self.counts(day)):
            day, moved = self._next(day), True
        if self.week.whole_days:
            day, moved = day + _DAY, True
        return _utc(self.almanac, datetime.combine(day, _MIDNIGHT)) if moved else start

    def _next(self, day: date) -> date:
        """The next working day."""
        day += _DAY
        while not self.counts(day):
            day += _DAY
        return day

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """How much of the time between two moments counts."""
        return Calendar.elapsed(self, self.begin(start), end)

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The first moment at which `length` has counted since `start`: the exact inverse of `elapsed`."""
        return Calendar.after(self, self.begin(start), length) if length else start

    def known(self, year: int) -> bool:
        """Nothing about the year is guessed."""
        return self.almanac.known(year) or self.week.holidays == frozenset()

    def guessed(self, start: datetime, end: datetime) -> list[int]:
        """The years between two moments whose holidays nobody has announced."""
        first, last = (at.astimezone(self.almanac.zone).year for at in (start, end))
        return [year for year in range(first, last + 1) if not self.known(year)]

    def note(self, start: datetime, end: datetime) -> str:
        """By what was counted, and which years were a guess."""
        years = "、".join(map(str, self.guessed(start, end)))
        guess = f"（没有 {years} 年的官方放假安排，只按周末推算）" if years else ""
        return f"{self.week.zh}{guess}{self.excused(start, end)}"


class Calendars(Mapping[str, Calendar]):
    """The calendars of all almanacs by name, each worked out when it is first asked for."""

    def __init__(self, almanacs: Iterable[Almanac]) -> None:
        self._weeks = {name: (each, week) for each in almanacs for name, week in each.weeks.items()}
        self._made: dict[str, WorkingTime] = {}

    def __getitem__(self, name: str) -> WorkingTime:
        if name not in self._made:
            self._made[name] = working_time(*self._weeks[name])
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._weeks

    def __iter__(self) -> Iterator[str]:
        return iter(self._weeks)

    def __len__(self) -> int:
        return len(self._weeks)


def working_time(almanac: Almanac, week: Week) -> WorkingTime:
    """The calendar of a week of an almanac."""
    said = (almanac.id, almanac.zone.key, sorted(almanac.years.items()), _told(week))
    version = hashlib.sha256(repr(said).encode()).hexdigest()[:12]
    return WorkingTime(tuple(_pauses(almanac, week)), almanac, week, version)


def _told(week: Week) -> tuple[object, ...]:
    """What a week says, in an order that does not change from run to run."""
    holidays = None if week.holidays is None else sorted(week.holidays)
    hours = (week.opens, week.closes, week.cutoff)
    return (sorted(week.weekdays), holidays, week.makeup, hours, week.whole_days, week.id, week.zh)


def _counts(almanac: Almanac, week: Week, day: date) -> bool:
    holiday = almanac.off.get(day)
    if holiday is not None and (week.holidays is None or week.holidays & holiday.festivals):
        return False
    return day.isoweekday() in week.weekdays or (week.makeup and day in almanac.worked)


def _pauses(almanac: Almanac, week: Week) -> Iterator[Window]:
    """All time that does not count, in as few windows as possible."""
    day, end = date(FIRST_YEAR, 1, 1), date(LAST_YEAR + 1, 1, 1)
    since = datetime.combine(day, _MIDNIGHT)
    """On the wall: since when nothing has counted."""
    while day < end:
        if _counts(almanac, week, day):
            opens = datetime.combine(day, week.opens)
            if opens > since:
                yield Window(_utc(almanac, since), _utc(almanac, opens))
            closing_day = day + _DAY if week.closes == _MIDNIGHT else day
            since = datetime.combine(closing_day, week.closes)
        day += _DAY
    if since < (last := datetime.combine(end, _MIDNIGHT)):
        yield Window(_utc(almanac, since), _utc(almanac, last))


def _utc(almanac: Almanac, wall: datetime) -> datetime:
    return aware(wall.replace(tzinfo=almanac.zone))
