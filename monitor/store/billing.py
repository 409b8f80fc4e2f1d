"""The numbers that an account has charged for: asked again within their period they cost nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select

from domain.time import to_micros
from monitor.store import schema
from monitor.store.bulk import chunks
from monitor.store.providers import upsert

__all__ = ["forget", "known", "note"]

_billed = schema.billed


def note(conn: Connection, provider: str, parcels: Mapping[int, datetime]) -> None:
    """The account charged for these, each at its moment: their period begins anew."""
    for parcel_id, at in sorted(parcels.items()):
        moment = to_micros(at)
        values = {"provider": provider, "parcel_id": parcel_id, "at": moment}
        upsert(conn, _billed, values, {"at": moment})


def forget(conn: Connection, provider: str, parcel_ids: Collection[int], at: datetime) -> int:
    """What was noted of these at that very moment was not charged after all; how many that were."""
    gone = 0
    for some in chunks(sorted(parcel_ids)):
        gone += conn.execute(
            delete(_billed).where(
                _billed.c.provider == provider, _billed.c.at == to_micros(at), _billed.c.parcel_id.in_(some)
            )
        ).rowcount
    return gone


def known(conn: Connection, provider: str, parcel_ids: Collection[int], since: datetime) -> set[int]:
    """Which of these were charged for since then."""
    found: set[int] = set()
    for some in chunks(sorted(parcel_ids)):
        query = select(_billed.c.parcel_id).where(
            _billed.c.provider == provider, _billed.c.at > to_micros(since), _billed.c.parcel_id.in_(some)
        )
        found.update(conn.execute(query).scalars())
    return found
