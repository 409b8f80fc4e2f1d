"""Moments, lengths and calendars.

Inside the program every moment is an aware UTC `datetime`; a naive one is refused. A length is a
`timedelta`, written by people as a number with a unit: `90s`, `30m`, `48h`, `5d`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Self
from zoneinfo import ZoneInfo

__all__ = [
    "AROUND_THE_CLOCK",
    "RESOLUTION",
    "SHANGHAI",
    "UTC",
    "Calendar",
    "Window",
    "aware",
    "format_duration",
    "from_micros",
    "parse_duration",
    "to_micros",
]

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
RESOLUTION: Final = timedelta(milliseconds=1)
"""The smallest step after a limit: a breach is *more than* the limit, so it is first true here."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def aware(moment: datetime) -> datetime:
    """`moment` in UTC. Raises ValueError for a naive one: nobody but its source knows its zone."""
    if moment.tzinfo is None:
        raise ValueError(f"a moment without a zone: {moment.isoformat()}")
    return moment.astimezone(UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC: how the store keeps a moment."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`, exactly."""
    return _EPOCH + timedelta(microseconds=micros)


def parse_duration(text: str) -> timedelta:
    """`"48h"`, `"30m"`, `"1.5d"`, `"10s"`: a number with s, m, h or d. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write a number with s, m, h or d, as 48h")
    try:
        return timedelta(microseconds=int(Decimal(match[1]) * _UNITS[match[2]] * 1_000_000))
    except OverflowError:
        raise ValueError(f"{text!r} is too long for a duration") from None


def format_duration(length: timedelta) -> str:
    """The spelling people use for it, exact, read back by `parse_duration`: 48h not 2d, 90s, 30m, 0.5s."""
    seconds, micros = divmod(length // timedelta(microseconds=1), 1_000_000)
    if micros:
        return f"{seconds}.{micros:06d}".rstrip("0") + "s"
    for unit in ("h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A stretch of time that does not count, `starts_at` included and `ends_at` not; kept in UTC.

    Raises ValueError for a moment without a zone and for an end that is not after the start.
    """

    starts_at: datetime
    ends_at: datetime
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts_at", aware(self.starts_at))
        object.__setattr__(self, "ends_at", aware(self.ends_at))
        if self.ends_at <= self.starts_at:
            raise ValueError(f"the window {self.name!r} ends before it starts")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Natural time outside `pauses`. Pauses that overlap or touch count once, as one."""

    pauses: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "pauses", _merged(self.pauses))

    @classmethod
    def outside(cls, windows: Iterable[Window]) -> Calendar:
        """A calendar that stands still in `windows`."""
        return cls(tuple(windows))

    def pausing(self, windows: Iterable[Window]) -> Self:
        """The same calendar that stands still in `windows` as well."""
        further = tuple(windows)
        return replace(self, pauses=(*self.pauses, *further)) if further else self

    def note(self, start: datetime, end: datetime) -> str:
        """What a person has to know of how the time between two moments was counted; nothing of natural time."""
        excused = self.excused(start, end)
        return f"自然时间{excused}" if excused else ""

    def excused(self, start: datetime, end: datetime) -> str:
        """The pauses with a name that lie between two moments: `，扣除「台风」`; nothing where there are none."""
        names = (pause.name for pause in self._from(start) if max(pause.starts_at, start) < end)
        told = "、".join(f"「{name}」" for name in dict.fromkeys(names) if name)
        return f"，扣除{told}" if told else ""

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """How much counting time lies between two moments; zero when `end` is not after `start`."""
        if end <= start:
            return timedelta(0)
        total = end - start
        for pause in self._from(start):
            if pause.starts_at >= end:
                break
            total -= min(pause.ends_at, end) - max(pause.starts_at, start)
        return total

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The deadline: the first moment at which `length` of counting time has gone since `start`.

        The exact inverse of `elapsed`; a start inside a pause waits for its end only if any time
        is owed.
        """
        if not self.pauses:
            return start + length
        at, left = start, length
        for pause in self._from(start):
            if pause.starts_at > at:
                gap = pause.starts_at - at
                if gap >= left:
                    break
                left -= gap
                at = pause.ends_at
            elif left > timedelta(0):
                at = max(at, pause.ends_at)
        return at + left

    def _from(self, start: datetime) -> Sequence[Window]:
        """The pauses that end after `start`."""
        return self.pauses[bisect_right(self.pauses, start, key=lambda pause: pause.ends_at) :]


def _merged(windows: Iterable[Window]) -> tuple[Window, ...]:
    """In order, with those that overlap or touch made one under both names."""
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.starts_at <= merged[-1].ends_at:
            last = merged[-1]
            names = dict.fromkeys(name for name in (*last.name.split("、"), window.name) if name)
            merged[-1] = Window(last.starts_at, max(last.ends_at, window.ends_at), "、".join(names))
        else:
            merged.append(window)
    return tuple(merged)


AROUND_THE_CLOCK: Final = Calendar()
