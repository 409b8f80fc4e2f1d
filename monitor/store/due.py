"""When each parcel is due: for its provider's next question, and for the next judgement (design L2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from domain.time import to_micros
from monitor.store import schema
from monitor.store.bulk import Prepared, chunks
from monitor.store.codec import length, micros

__all__ = ["Due", "reschedule", "take_due_deadlines"]

_due = schema.due
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Due:
    """When to ask whom, and when to judge again. None: not by itself."""

    parcel_id: int
    provider: str
    next_poll_at: datetime | None
    next_deadline_at: datetime | None
    patience: timedelta | None = None
    """How long an answer that repeats the last one stays fresh; None: it has to be judged."""


_NOW_DUE: Final = select(
    *(_due.c[name] for name in ("parcel_id", "provider", "next_poll_at", "next_deadline_at", "patience"))
).where(_due.c.parcel_id.in_(bindparam("ids", expanding=True)))
_RESCHEDULE: Final = Prepared(
    lambda _: (
        update(_due)
        .where(_due.c.parcel_id == bindparam("p_id", type_=_due.c.parcel_id.type))
        .values(
            provider=bindparam("p_provider", type_=_due.c.provider.type),
            next_poll_at=bindparam("p_poll", type_=_due.c.next_poll_at.type),
            next_deadline_at=bindparam("p_deadline", type_=_due.c.next_deadline_at.type),
            patience=bindparam("p_patience", type_=_due.c.patience.type),
        )
    ),
    "p_provider",
    "p_poll",
    "p_deadline",
    "p_patience",
    "p_id",
)


def reschedule(conn: Connection, rows: Sequence[Due]) -> int:
    """Write when these parcels are due next, where something moved; returns how many rows that were.

    A moment that comes up to a second sooner than the stored one is left: a rewritten row costs ten
    kilobytes of log (`facts/foundations.md` B2). One that comes later is always written, or a row
    that is due already would stay so.
    """
    moved: list[tuple[Any, ...]] = []
    for some in chunks(sorted(rows, key=lambda row: row.parcel_id)):
        stored = {row[0]: row for row in conn.execute(_NOW_DUE, {"ids": [row.parcel_id for row in some]})}
        for row in some:
            new = (row.provider, micros(row.next_poll_at), micros(row.next_deadline_at), length(row.patience))
            old = stored.get(row.parcel_id)
            if old is not None and _changed(old[1:], new):
                moved.append((*new, row.parcel_id))
    return _RESCHEDULE.run(conn, moved)


def take_due_deadlines(conn: Connection, now: datetime, limit: int) -> list[int]:
    """The parcels whose stored instant has come, oldest first; they stay due until rescheduled.

    In a writing transaction on PostgreSQL, those another process is at are passed over.
    """
    query = (
        select(_due.c.parcel_id)
        .where(_due.c.next_deadline_at <= to_micros(now))
        .order_by(_due.c.next_deadline_at)
        .limit(limit)
    )
    if conn.get_execution_options().get("writes"):
        query = query.with_for_update(skip_locked=True)
    return list(conn.execute(query).scalars())


def _changed(old: Sequence[Any], new: Sequence[Any]) -> bool:
    same = old[0] == new[0] and old[3] == new[3]
    return not same or _moved(old[1], new[1]) or _moved(old[2], new[2])


def _moved(old: int | None, new: int | None) -> bool:
    if old is None or new is None:
        return old is not new
    return not old - _SECOND <= new <= old
