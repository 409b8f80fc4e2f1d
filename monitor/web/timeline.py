"""Clocks on a time line: where each began, its warnings, its limit, now, the scans, and how far is proven.

Pure geometry: a reading, the scans and two moments in; places on a line from 0 to 100 out. The template macro
`timeline` draws it as SVG in percent, so that it takes whatever width there is. The bar is solid up to
`proven`, the last look that counts for this clock, and open from there to now: what nobody looked at is not
yet silence (law L1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from domain.findings import ClockReading, Stage
from domain.history import Stored
from domain.time import UTC

__all__ = ["Bar", "Label", "Mark", "Standing", "TimeLine", "draw", "order", "standing"]

_MOST_SCANS: Final = 60
"""A line of 300 pixels has no room for more; the newest are drawn, all are in the list below."""
_MARGIN: Final = 0.12
"""Room behind the last mark for its label."""
_LABEL: Final = 25.0
"""Two words beside each other take this much, in percent of a line on the narrowest phone."""
_LEAST: Final = timedelta(minutes=1)
_MOST_TICKS: Final = 5
_STEPS: Final = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720, 1440, 2880, 10_080, 43_200)
)
_DAY: Final = timedelta(days=1)


class Standing(StrEnum):
    """How a clock is: decides its colour and its word."""

    FINE = "fine"
    WARNING = "warning"
    BREACH = "breach"
    UNPROVEN = "unproven"
    """The limit has passed, but nobody has looked since: due for a look, not in breach."""
    DONE = "done"
    LATE = "late"
    """Ended, after its limit."""
    ASLEEP = "asleep"


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the line, in percent."""

    x: float
    width: float
    kind: str
    """`proven`, `over` (proven, past the limit), `unproven`."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the line."""

    x: float
    at: datetime
    kind: str
    """`start`, `warning`, `limit`, `end`, `proven`, `now`, `scan`, `withdrawn`."""


@dataclass(frozen=True, slots=True)
class Label:
    """A word at a place: a round moment of the calendar, or what a mark is."""

    x: float
    text: str
    anchor: str
    """SVG's `text-anchor`, so that nothing is cut off at the edges."""


@dataclass(frozen=True, slots=True)
class TimeLine:
    """One clock, drawn."""

    reading: ClockReading
    standing: Standing
    proven: datetime | None
    """Up to when silence is proven, where the clock still runs."""
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    """In the order in which they are drawn: scans first, now last."""
    labels: tuple[Label, ...]
    """Of the limit, and of now or the end: `text` is the mark's kind."""
    ticks: tuple[Label, ...]
    paused: timedelta
    """How much of the time between start and limit does not count: exemptions."""

    @property
    def over(self) -> timedelta:
        """How long the limit is surely broken: no more silence is claimed than was observed."""
        assert self.reading.deadline is not None
        until = self.reading.ended_at or self.proven or self.reading.deadline
        return max(until - self.reading.deadline, timedelta(0))


def standing(reading: ClockReading, proven: datetime | None, now: datetime) -> Standing:
    """How the clock is, with silence proven up to `proven`: a step is crossed by any moment after it."""
    if reading.started_at is None or reading.deadline is None:
        return Standing.ASLEEP
    if reading.ended_at is not None:
        return Standing.LATE if reading.ended_at > reading.deadline else Standing.DONE
    seen = min(proven, now) if proven is not None else reading.started_at
    if seen > reading.deadline:
        return Standing.BREACH
    if now > reading.deadline:
        return Standing.UNPROVEN
    return Standing.WARNING if any(seen > step.at for step in reading.steps) else Standing.FINE


def draw(
    reading: ClockReading,
    scans: Iterable[Stored],
    proven: datetime | None,
    now: datetime,
    zone: ZoneInfo,
) -> TimeLine | None:
    """The clock's line, or None for one that nothing has started.

    `proven` is the moment up to which silence is proven for this clock; None when nobody has looked.
    """
    if reading.started_at is None or reading.deadline is None:
        return None
    start, limit, ended = reading.started_at, reading.deadline, reading.ended_at
    seen = max(start, min(proven, now)) if proven is not None else start
    last = max(limit, ended or now)
    scale = _Scale(start, last + (last - start) * _MARGIN)
    marks = tuple(_marks(scale, reading, scans, seen if proven is not None else None, now))
    return TimeLine(
        reading=reading,
        standing=standing(reading, proven, now),
        proven=None if ended is not None or proven is None else seen,
        bars=tuple(_bars(scale, start, limit, ended or seen, ended or now)),
        marks=marks,
        labels=_labels(marks),
        ticks=tuple(_ticks(scale, zone)),
        paused=max(limit - start - (reading.limit or limit - start), timedelta(0)),
    )


class _Scale:
    """Moments as percentages of a line."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.end = start, max(end, start + _LEAST)

    def at(self, moment: datetime) -> float:
        share = (moment - self.start) / (self.end - self.start) * 100
        return round(min(max(share, 0.0), 100.0), 2)

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end


def _bars(scale: _Scale, start: datetime, limit: datetime, seen: datetime, until: datetime) -> Iterator[Bar]:
    """What is known to have gone, within the limit and past it; then what nobody has looked at."""
    for since, to, kind in (
        (start, min(seen, limit), "proven"),
        (limit, seen, "over"),
        (seen, until, "unproven"),
    ):
        left, right = scale.at(since), scale.at(to)
        if right > left:
            yield Bar(left, round(right - left, 2), kind)


def _marks(
    scale: _Scale, reading: ClockReading, scans: Iterable[Stored], seen: datetime | None, now: datetime
) -> Iterator[Mark]:
    told = sorted(
        (row for row in scans if scale.holds(row.event.occurred_at)), key=lambda row: row.event.occurred_at
    )
    for row in told[-_MOST_SCANS:]:
        at = row.event.occurred_at
        yield Mark(scale.at(at), at, "scan" if row.withdrawn_at is None else "withdrawn")
    assert reading.started_at is not None
    yield Mark(0.0, reading.started_at, "start")
    for step in reading.steps:
        yield Mark(scale.at(step.at), step.at, "limit" if step.stage is Stage.BREACH else "warning")
    if reading.ended_at is not None:
        yield Mark(scale.at(reading.ended_at), reading.ended_at, "end")
        return
    if seen is not None:
        yield Mark(scale.at(seen), seen, "proven")
    yield Mark(scale.at(now), now, "now")


def _labels(marks: Sequence[Mark]) -> tuple[Label, ...]:
    """Words over the limit and over now or the end, turned away from each other where they are close."""
    left, right = sorted(
        (mark for mark in marks if mark.kind in ("limit", "now", "end")), key=lambda mark: mark.x
    )
    close = right.x - left.x < _LABEL
    return (
        Label(left.x, left.kind, "start" if left.x < 10 else "end" if close else "middle"),
        Label(right.x, right.kind, "start" if close else "middle"),
    )


def _ticks(scale: _Scale, zone: ZoneInfo) -> Iterator[Label]:
    """At most a handful of round moments in the zone: days as `11-22`, hours as `08:00`."""
    whole = scale.end - scale.start
    longer = timedelta(days=whole.days // _MOST_TICKS + 1)
    step = next((each for each in _STEPS if whole / each <= _MOST_TICKS), longer)
    local = scale.start.astimezone(zone).replace(tzinfo=None)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + ((local - midnight) // step) * step
    while (moment := at.replace(tzinfo=zone).astimezone(UTC)) <= scale.end:
        if moment >= scale.start:
            x = scale.at(moment)
            yield Label(x, _short(at, step), "start" if x < 8 else "end" if x > 92 else "middle")
        at += step


def _short(local: datetime, step: timedelta) -> str:
    if step >= _DAY or (local.hour, local.minute) == (0, 0):
        return f"{local:%m-%d}"
    return f"{local:%H:%M}"


def order(lines: Sequence[TimeLine]) -> list[TimeLine]:
    """The most urgent first: broken ones, then by the time left; those that ended last, the latest first."""
    rank = {Standing.BREACH: 0, Standing.UNPROVEN: 1, Standing.WARNING: 2, Standing.FINE: 2}

    def key(line: TimeLine) -> tuple[int, float]:
        reading = line.reading
        assert reading.deadline is not None
        if reading.ended_at is not None:
            return 3, -reading.ended_at.timestamp()
        return rank[line.standing], reading.deadline.timestamp()

    return sorted(lines, key=key)
