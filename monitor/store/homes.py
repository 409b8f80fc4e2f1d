"""Parcels that wait for an account the configuration no longer asks about their carrier."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, or_, select, update

from domain.time import to_micros
from monitor.store import schema
from monitor.store.bulk import chunks

__all__ = ["Home", "make_due", "strays"]

Home = Callable[[str], str]
"""The account to ask about a carrier (our key); empty where there is none."""

_parcels, _due = schema.parcels, schema.due
_WATCHED: Final = _parcels.c.state == "watched"


def strays(conn: Connection, home: Home) -> list[tuple[str, str]]:
    """Carrier and account of watched parcels that wait for another account than `home` says. Reads every parcel."""
    query = select(_parcels.c.carrier, _due.c.provider).distinct()
    found = conn.execute(query.join(_due, _due.c.parcel_id == _parcels.c.id).where(_WATCHED))
    return sorted((row.carrier, row.provider) for row in found if row.provider != home(row.carrier))


def make_due(conn: Connection, stray: tuple[str, str], now: datetime, limit: int) -> int:
    """Some of these parcels are judged at the next tick, which gives them their account; how many they were."""
    carrier, provider = stray
    at = to_micros(now)
    later = or_(_due.c.next_deadline_at.is_(None), _due.c.next_deadline_at > at)
    query = select(_parcels.c.id).join(_due, _due.c.parcel_id == _parcels.c.id)
    some = query.where(_WATCHED, _parcels.c.carrier == carrier, _due.c.provider == provider, later)
    ids = list(conn.execute(some.order_by(_parcels.c.id).limit(limit)).scalars())
    for each in chunks(ids):
        conn.execute(update(_due).where(_due.c.parcel_id.in_(each)).values(next_deadline_at=at))
    return len(ids)
