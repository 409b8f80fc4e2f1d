"""What 快递100 counts per number: the pause between two questions, the daily count, the lock.

`facts/carriers-kuaidi100.md`, Limits: at least 30 minutes between two queries of one number; more than 48
within 24 hours lock it, it then gives stale data, and unlocks after 24 hours below the limit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

__all__ = ["Ceilings", "Meter", "Offence", "Violation"]


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The provider's limits; tests shorten them."""

    interval: timedelta = timedelta(minutes=30)
    most: int = 48
    window: timedelta = timedelta(hours=24)
    unlock_after: timedelta = timedelta(hours=24)
    quota: int | None = None
    """Questions the account has in all; the next one gets 601."""


class Offence(StrEnum):
    """What a caller did wrong."""

    TOO_FREQUENT = "too_frequent"
    TOO_MANY = "too_many"
    OVER_QUOTA = "over_quota"


@dataclass(frozen=True, slots=True)
class Violation:
    """One question that broke a limit."""

    num: str
    at: datetime
    offence: Offence

    def plain(self) -> dict[str, str]:
        """For JSON."""
        return {"num": self.num, "at": self.at.isoformat(), "offence": self.offence.value}


class Meter:
    """Counts questions. With `enforced` off it only takes note of violations."""

    def __init__(self, ceilings: Ceilings, *, enforced: bool = True) -> None:
        self.ceilings = ceilings
        self.enforced = enforced
        self.violations: list[Violation] = []
        self.spent = 0
        self._asked: MutableMapping[str, list[datetime]] = defaultdict(list)
        self._locked: dict[str, tuple[datetime, datetime]] = {}

    def ask(self, num: str, at: datetime) -> Offence | None:
        """Count a question; the offence it is refused for, or None when it is answered (perhaps stale)."""
        limits = self.ceilings
        self.spent += 1
        times = self._asked[num]
        offences = []
        if limits.quota is not None and self.spent > limits.quota:
            offences.append(Offence.OVER_QUOTA)
        if times and at - times[-1] < limits.interval:
            offences.append(Offence.TOO_FREQUENT)
        times.append(at)
        while times[0] <= at - limits.window:
            times.pop(0)
        if len(times) > limits.most:
            offences.append(Offence.TOO_MANY)
            since, _ = self._locked.get(num, (at, at))
            self._locked[num] = (since, times[-limits.most - 1] + limits.window)
        self.violations += [Violation(num, at, offence) for offence in offences]
        refused = [offence for offence in offences if offence is not Offence.TOO_MANY]
        return refused[0] if refused and self.enforced else None

    def locked_since(self, num: str, at: datetime) -> datetime | None:
        """Since when a number only gives what was known then; None when it is not locked."""
        if not self.enforced or num not in self._locked:
            return None
        since, above_until = self._locked[num]
        if at < above_until + self.ceilings.unlock_after:
            return since
        del self._locked[num]
        return None
