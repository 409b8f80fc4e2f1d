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
    reason: int = 3
    """What the next question is for (`rules.schedule.Reason`)."""
    stake: int = 3
    """What the question at the next step would be for."""
    limit_at: datetime | None = None
    """The nearest limit still ahead of a clock that runs."""
    limit_rule: str = ""
    """Whose limit it is."""
    shop_at: datetime | None = None
    """A step that a clock has passed, which only the shop's word can prove."""


_COLUMNS: Final = (
    *("provider", "next_poll_at", "next_deadline_at", "patience", "reason", "stake"),
    *("limit_at", "limit_rule", "shop_at"),
)
_NOW_DUE: Final = select(_due.c.parcel_id, *(_due.c[name] for name in _COLUMNS)).where(
    _due.c.parcel_id.in_(bindparam("ids", expanding=True))
)


def _writing(*names: str) -> Prepared:
    new = {name: bindparam(f"p_{name}", type_=_due.c[name].type) for name in (*names, "parcel_id")}
    statement = update(_due).where(_due.c.parcel_id == new["parcel_id"])
    values = {name: new[name] for name in names}
    return Prepared(lambda _: statement.values(values), *(f"p_{name}" for name in (*names, "parcel_id")))


_RESCHEDULE: Final = _writing(*_COLUMNS)
_SAME_LIMIT: Final = _writing(*_COLUMNS[:6])
"""Leaves the limit's index alone: SQLite rewrites every index of a column that is set."""


def reschedule(conn: Connection, rows: Sequence[Due]) -> int:
    """Write when these parcels are due next, where something moved; returns how many rows that were.

    A moment that comes up to a second sooner than the stored one is left: a rewritten row costs ten
    kilobytes of log (`facts/foundations.md` B2). One that comes later is always written, or a row
    that is due already would stay so.
    """
    moved: list[tuple[Any, ...]] = []
    same_limit: list[tuple[Any, ...]] = []
    for some in chunks(sorted(rows, key=lambda row: row.parcel_id)):
        stored = {row[0]: row for row in conn.execute(_NOW_DUE, {"ids": [row.parcel_id for row in some]})}
        for row in some:
            old, new = stored.get(row.parcel_id), _values(row)
            if old is not None and _changed(old[1:], new):
                if tuple(old[7:]) == new[6:]:
                    same_limit.append((*new[:6], row.parcel_id))
                else:
                    moved.append((*new, row.parcel_id))
    return _RESCHEDULE.run(conn, moved) + _SAME_LIMIT.run(conn, same_limit)


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


def _values(row: Due) -> tuple[Any, ...]:
    """In the order of `_COLUMNS`."""
    asks, judges = micros(row.next_poll_at), micros(row.next_deadline_at)
    why = int(row.reason), int(row.stake)
    return (
        row.provider,
        asks,
        judges,
        length(row.patience),
        *why,
        micros(row.limit_at),
        row.limit_rule,
        micros(row.shop_at),
    )


def _changed(old: Sequence[Any], new: Sequence[Any]) -> bool:
    same = old[0] == new[0] and tuple(old[3:]) == tuple(new[3:])
    return not same or _moved(old[1], new[1]) or _moved(old[2], new[2])


def _moved(old: int | None, new: int | None) -> bool:
    if old is None or new is None:
        return old is not new
    return not old - _SECOND <= new <= old
