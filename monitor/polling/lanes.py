"""The lanes' usual gaps, learned once a day from the store and known to whoever reckons the next question."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from monitor.clock import Clock
from monitor.store import gaps
from monitor.store.database import Database

__all__ = ["EVERY", "Lanes"]

EVERY: Final = 3600.0
"""Seconds between two looks at whether it is time."""
_ANEW: Final = timedelta(hours=24)


class Lanes:
    """Knows how long a carrier usually says nothing after a milestone."""

    def __init__(self) -> None:
        self._known: gaps.Gaps = {}
        self._learned_at: datetime | None = None

    def usual(self, carrier: str, leg: str) -> timedelta | None:
        """None where too little is known: the defaults hold."""
        return self._known.get((carrier, leg))

    async def tick(self, db: Database, clock: Clock) -> None:
        """Learn, if a day has passed; a start takes what the last process learned until then."""
        now = clock.now()
        if self._learned_at is not None and now - self._learned_at < _ANEW:
            return
        await db.write(partial(gaps.learn, now=now))
        self._known = await db.read(gaps.load)
        self._learned_at = now
