"""How long each carrier usually says nothing: learned from recent histories, by the milestone said last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select

from domain.time import to_micros
from monitor.store import schema
from monitor.store.bulk import insert_many

__all__ = ["ENOUGH", "Gaps", "learn", "load", "usual"]

_parcels, _events, _gaps = schema.parcels, schema.events, schema.lane_gaps
_RECENT: Final = timedelta(days=21)
_MOST: Final = 3000
"""Parcels that are read: the newest that are over."""
_QUANTILE: Final = 0.8
"""Four of five gaps are shorter: who asks then mostly finds the next scan there."""
ENOUGH: Final = 50
"""With fewer gaps nothing is said of a leg."""

Gaps = Mapping[tuple[str, str], timedelta]
"""By carrier and milestone."""


def load(conn: Connection) -> Gaps:
    """What was learned last."""
    rows = conn.execute(select(_gaps).where(_gaps.c.n >= ENOUGH))
    return {(row.carrier, row.leg): timedelta(microseconds=row.usual) for row in rows}


def learn(conn: Connection, now: datetime) -> int:
    """Reckon them anew from parcels that arrived lately; how many legs there are now."""
    recent = (
        select(_parcels.c.id, _parcels.c.carrier)
        .where(_parcels.c.state == "done", _parcels.c.done_at >= to_micros(now - _RECENT))
        .order_by(_parcels.c.id.desc())
        .limit(_MOST)
        .subquery("recent")
    )
    query = (
        select(recent.c.id, recent.c.carrier, _events.c.milestone, _events.c.occurred_at)
        .join(recent, recent.c.id == _events.c.parcel_id)
        .where(_events.c.withdrawn_at.is_(None))
        .order_by(recent.c.id, _events.c.occurred_at, _events.c.seq)
    )
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    last: tuple[int, str, int] | None = None
    for parcel, carrier, milestone, at in conn.execute(query):
        if last is not None and last[0] == parcel:
            found[carrier, last[1]].append(at - last[2])
        last = (parcel, milestone, at)
    conn.execute(delete(_gaps))
    rows = [
        {"carrier": carrier, "leg": leg, "usual": usual(gaps), "n": len(gaps), "at": to_micros(now)}
        for (carrier, leg), gaps in sorted(found.items())
    ]
    insert_many(conn, _gaps, rows)
    return len(rows)


def usual(gaps: list[int]) -> int:
    """The gap that four of five do not pass."""
    return sorted(gaps)[min(len(gaps) - 1, int(len(gaps) * _QUANTILE))]
