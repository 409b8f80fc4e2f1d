"""One question about one number that no loop asks: inside the number's ceilings, as `claims` has them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select, update

from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.claims import Allowance
from monitor.store.namesakes import Use, others

__all__ = ["ask_one"]

_due = schema.due
_COLUMNS: Final = tuple(_due.c[name] for name in ("asked_at", "quota_at"))


def ask_one(
    conn: Connection,
    provider: str,
    parcel_id: int,
    now: datetime,
    *,
    interval: timedelta,
    daily: int,
    force: bool = False,
) -> datetime | None:
    """Mark the parcel as asked about now and return None; or, changing nothing, when it may be asked about.

    The number's other parcels at the account count (`namesakes`). `force` marks it whatever the ceilings say. When the next question is due stays as it is: a claim puts it off.
    """
    ceilings, at = Allowance.of(interval, daily), to_micros(now)
    query = select(*_COLUMNS).where(_due.c.parcel_id == parcel_id).with_for_update()
    row = conn.execute(query).first()
    if row is None:
        return None
    also = others(conn, provider, [parcel_id]).values()
    used = Use(row.asked_at, row.quota_at).with_(next(iter(also), None))
    until = ceilings.allowed_at(used, at)
    if until > at and not force:
        return from_micros(until)
    values = {"asked_at": at, "quota_at": max(used.quota_at or 0, at) + ceilings.refill}
    conn.execute(update(_due).where(_due.c.parcel_id == parcel_id).values(values))
    return None
