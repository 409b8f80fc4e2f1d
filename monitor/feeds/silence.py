"""Whether a carrier's feed has gone silent: no new scan where there usually are some. Pure.

What is usual is learned from the account's own hours: how many looks brought a new scan for each hour that a parcel
was watched. It is taken for the same hour of the day, with the hours beside it, over two weeks, and of those days the
lower quartile, no more than on the same day of the week: carriers scan less at night and on Sundays, and then little
is expected. A silence is one in which 30 such looks were expected and none came; and since whole lorries are scanned
at one stroke, its hours must have been empty so seldom before that chance does it once in 3,000 times. Days that
scan far less than the weeks before (the first ones of Spring Festival) may be called silent by mistake; that delays
findings and invents none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["EXPECTED", "HISTORY", "PARCELS", "SHORTEST", "Hour", "expected", "silent"]

HISTORY: Final = timedelta(days=14)
SHORTEST: Final = timedelta(hours=2)
"""A shorter silence is none, whatever was expected."""
PARCELS: Final = 20
"""So many different parcels have to be silent."""
EXPECTED: Final = 30.0
_DAYS: Final = 5
"""So many days have to say what is usual at an hour."""
_WATCHED: Final = timedelta(hours=5)
"""A day says it by so many hours of watched parcels."""
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_BACK: Final = range(1, HISTORY.days + 1)
_SURPRISE: Final = 8.0
"""Natural logarithm."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What an hour's looks at parcels that had been looked at before brought."""

    at: datetime
    """Its beginning."""
    news: int
    """Looks with a new scan."""
    watched: timedelta
    """From each look back to the one before it, all together."""


def silent(hours: Sequence[Hour], since: datetime) -> bool:
    """No new scan since `since`, and that is more than chance; `hours` reach `HISTORY` back from there."""
    return expected(hours, since) >= EXPECTED and _surprise(hours, since) >= _SURPRISE


def expected(hours: Sequence[Hour], since: datetime) -> float:
    """How many looks with news are usual for what was watched in the whole hours since then."""
    days = _days(hours, since)
    return sum(_usual(days, each.at) * (each.watched / _HOUR) for each in hours if each.at >= since)


def _surprise(hours: Sequence[Hour], since: datetime) -> float:
    """How seldom as many hours are empty: many parcels are scanned at one stroke, so hours count and not scans."""
    days = _days(hours, since)
    total = 0.0
    for each in hours:
        if each.at >= since:
            same = [other for back in _BACK if (other := days.get(each.at - back * _DAY)) is not None]
            known = [other.news for other in same if other.watched * 2 >= each.watched > timedelta()]
            total -= math.log((known.count(0) + 1) / (len(known) + 1))
    return total


def _days(hours: Sequence[Hour], since: datetime) -> dict[datetime, Hour]:
    return {each.at: each for each in hours if each.at + _HOUR <= since}


def _usual(days: Mapping[datetime, Hour], at: datetime) -> float:
    """Looks with news for each hour of a watched parcel around this hour of the day.

    The lower quartile of the days, and no more than on the same day of the last weeks.
    """
    rates: dict[int, float] = {}
    for back in _BACK:
        middle = at - back * _DAY
        near = [days[hour] for hour in (middle - _HOUR, middle, middle + _HOUR) if hour in days]
        watched = sum((each.watched for each in near), timedelta())
        if watched >= _WATCHED:
            rates[back] = sum(each.news for each in near) / (watched / _HOUR)
    if len(rates) < _DAYS:
        return 0.0
    quartile = sorted(rates.values())[len(rates) // 4]
    return min(quartile, max((rates[back] for back in (7, 14) if back in rates), default=quartile))
