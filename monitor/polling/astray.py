"""Questions that a clock which was wrong put off for days: due again when it is right.

A machine that started days ahead writes when each parcel is asked next by that clock; come right, it would leave them
alone for as long. Two signs are looked for, neither by reading all parcels each time: a question later than any
schedule can put it (the end of an index), and a clock that is seen to have gone back, by this process or since the
last one's sign of life; then all that was asked "in the future" is due, once. The ceilings hold: what was asked by such
a clock counts as asked just now (`store/claims.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from carriers.base import rhythm
from monitor.clock import TOLERANCE
from monitor.config.accounts import ProviderAccount
from monitor.store import polls, upkeep
from monitor.store.database import Database

__all__ = ["Astray", "furthest"]

log = structlog.get_logger()
_PUSHED: Final = timedelta(days=3)
"""A parcel whose news are pushed is looked at so seldom (`rules/schedule.py`)."""
_PUT_OFF: Final = timedelta(days=2)
"""Refused or locked numbers, and the day of a number that is used up."""


def furthest(account: ProviderAccount, freshness: timedelta) -> timedelta:
    """No question to this account is honestly put off further."""
    pauses = account.ceilings.per_waybill_interval + rhythm(account.provider) + account.refresh_lag
    return max(_PUSHED, freshness) + pauses + _PUT_OFF


class Astray:
    """Brings them back."""

    def __init__(self, accounts: Sequence[ProviderAccount], freshness: timedelta, db: Database) -> None:
        self._furthest: Mapping[str, timedelta] = {each.name: furthest(each, freshness) for each in accounts}
        self._db = db
        self._latest: datetime | None = None
        """The latest that any clock of this store is known to have told."""

    async def begin(self) -> None:
        """Before the first sign of life overwrites the last one."""
        self._latest = await self._db.read(upkeep.alive_at)

    async def look(self, now: datetime) -> int:
        """Make due what a wrong clock put off; how many parcels that was."""
        back = self._latest is not None and now < self._latest - TOLERANCE
        found = await self._db.read(partial(self._found, now)) or back
        moved = await self._db.write(partial(self._bring_back, now, back)) if found else 0
        self._latest = now if back or self._latest is None else max(now, self._latest)
        if moved:
            log.warning("questions were put off by a clock that was ahead", parcels=moved)
        return moved

    def _found(self, now: datetime, conn: Connection) -> bool:
        return any(polls.any_beyond(conn, name, now + most) for name, most in self._furthest.items())

    def _bring_back(self, now: datetime, back: bool, conn: Connection) -> int:
        moved = polls.asked_ahead(conn, now, TOLERANCE) if back else 0
        return moved + sum(polls.beyond(conn, name, now + most, now) for name, most in self._furthest.items())
