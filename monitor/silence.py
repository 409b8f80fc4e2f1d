"""Whether a carrier's feed has gone silent: no new scan where there usually are some. Pure.

What is usual is learned from the account's own hours: how many looks brought a new scan for each hour that a parcel
was watched. It is taken for the same hour of the day (of China, with the hours beside it) over two weeks, and of those
days the lower quartile: carriers scan less at night and on Sundays, and then little is expected. Only a silence in
which 30 such looks were expected and none came is called one; were every hour independent, chance would do
that once in 10¹³. Days that scan far less than two weeks ago (the first days of Spring Festival) may be called
silent by mistake; that delays findings and invents none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.time import SHANGHAI

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
    return expected(hours, since) >= EXPECTED


def expected(hours: Sequence[Hour], since: datetime) -> float:
    """How many looks with news are usual for what was watched in the whole hours since then."""
    before = [each for each in hours if each.at + _HOUR <= since]
    usual: dict[int, float] = {}
    total = 0.0
    for each in hours:
        if each.at < since:
            continue
        clock = each.at.astimezone(SHANGHAI).hour
        if clock not in usual:
            usual[clock] = _usual(before, each.at)
        total += usual[clock] * (each.watched / _HOUR)
    return total


def _usual(before: Sequence[Hour], at: datetime) -> float:
    """Looks with news per hour of a watched parcel around this hour of the day: the lower quartile of the days."""
    rates = []
    for back in range(1, HISTORY.days + 1):
        middle = at - timedelta(days=back)
        near = [each for each in before if abs(each.at - middle) <= _HOUR]
        watched = sum((each.watched for each in near), timedelta())
        if watched >= _WATCHED:
            rates.append(sum(each.news for each in near) / (watched / _HOUR))
    return sorted(rates)[len(rates) // 4] if len(rates) >= _DAYS else 0.0
