"""Slots at a provider account, leased to processes: the ceiling of requests under way holds over all of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from domain.time import to_micros
from monitor.store import schema
from monitor.store.providers import lock, upsert

__all__ = ["Leased", "held", "release", "take"]

_slots = schema.slots


class Leased(NamedTuple):
    """What a process may do until its lease is over."""

    limit: int
    """Begin no request beyond this many under way."""
    shared: bool
    """Others want slots as well."""


def take(
    conn: Connection,
    provider: str,
    holder: str,
    most: int,
    now: datetime,
    *,
    lease: timedelta,
    used: int = 0,
    dead: Callable[[str], bool] = lambda holder: False,
) -> Leased:
    """Renew `holder`'s lease of some of the account's `most` slots.

    Each gets its share, the remainder goes to those that are there already; nobody loses a slot in use (`used`),
    nobody gets one that is still another's. Leases that are over, and those of `dead` holders, are swept away.
    """
    lock(conn, provider)
    at = to_micros(now)
    conn.execute(delete(_slots).where(_slots.c.provider == provider, _slots.c.until <= at))
    others = _slots.c.provider == provider, _slots.c.holder != holder
    rows = list(conn.execute(select(_slots.c.holder, _slots.c.held).where(*others)))
    for row in [row for row in rows if dead(row.holder)]:
        release(conn, provider, row.holder)
        rows.remove(row)
    taken = sum(row.held for row in rows)
    holders = sorted([holder, *(row.holder for row in rows)])
    share = most // len(holders) + (holders.index(holder) < most % len(holders))
    mine = max(0, min(most - taken, max(share, used)))
    values = {"provider": provider, "holder": holder, "held": mine, "until": to_micros(now + lease)}
    upsert(conn, _slots, values, {"held": mine, "until": values["until"]})
    return Leased(min(mine, share), bool(rows))


def release(conn: Connection, provider: str, holder: str) -> None:
    """Give a holder's slots back."""
    conn.execute(delete(_slots).where(_slots.c.provider == provider, _slots.c.holder == holder))


def held(conn: Connection, provider: str, now: datetime) -> int:
    """How many slots are leased."""
    query = select(func.coalesce(func.sum(_slots.c.held), 0)).where(
        _slots.c.provider == provider, _slots.c.until > to_micros(now)
    )
    return int(conn.execute(query).scalar_one())
