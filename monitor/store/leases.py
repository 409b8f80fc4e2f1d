"""Slots at a provider account, leased to processes: the ceiling of requests under way holds over all of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from domain.time import to_micros
from monitor.store import schema
from monitor.store.providers import lock, upsert

__all__ = ["Leased", "held", "leave", "release", "take"]

_slots = schema.slots
_CUT: Final = "cut/"
"""How the holder of slots begins whose requests were cut off: nobody's, until the lease is over."""


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
    left = [row for row in rows if row.holder.startswith(_CUT)]
    holders = sorted([holder, *(row.holder for row in rows if row not in left)])
    free = max(0, most - sum(row.held for row in left))
    share = free // len(holders) + (holders.index(holder) < free % len(holders))
    mine = max(0, min(most - taken, max(share, used)))
    values = {"provider": provider, "holder": holder, "held": mine, "until": to_micros(now + lease)}
    upsert(conn, _slots, values, {"held": mine, "until": values["until"]})
    return Leased(min(mine, share), bool(rows))


def leave(conn: Connection, provider: str, name: str, held: int, until: datetime) -> None:
    """Slots that nobody gets until then: their requests were cut off, and may still be under way."""
    values = {"provider": provider, "holder": f"{_CUT}{name}", "held": held, "until": to_micros(until)}
    conn.execute(insert(_slots).values(values))


def release(conn: Connection, provider: str, holder: str) -> None:
    """Give a holder's slots back."""
    conn.execute(delete(_slots).where(_slots.c.provider == provider, _slots.c.holder == holder))


def held(conn: Connection, provider: str, now: datetime) -> int:
    """How many slots are leased."""
    query = select(func.coalesce(func.sum(_slots.c.held), 0)).where(
        _slots.c.provider == provider, _slots.c.until > to_micros(now)
    )
    return int(conn.execute(query).scalar_one())
