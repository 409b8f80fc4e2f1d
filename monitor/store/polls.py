"""The questions to a provider: what waits, what was put off, what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, case, func, select, update

from domain.time import to_micros
from monitor.store import providers, schema
from monitor.store.bulk import update_many
from monitor.store.claims import ALL, Scope

__all__ = [
    "LOCKED",
    "Asked",
    "Quiet",
    "answered",
    "any_beyond",
    "asked_ahead",
    "beyond",
    "deadline_waiting",
    "due_deadlines",
    "overdue",
    "put_aside",
    "release",
    "remark",
    "touch",
    "unchanged",
    "waiting",
]

_due = schema.due


def waiting(conn: Connection, provider: str, now: datetime, scope: Scope = ALL) -> bool:
    """Something is due at this account that may be asked: one look at an index."""
    query = (
        select(_due.c.parcel_id)
        .where(
            _due.c.provider == provider, _due.c.next_poll_at <= to_micros(now), *scope.within(provider, now)
        )
        .limit(1)
    )
    return conn.execute(query).first() is not None


def overdue(conn: Connection, provider: str, now: datetime) -> int:
    """How many parcels wait for a look at this account."""
    query = (
        select(func.count())
        .select_from(_due)
        .where(_due.c.provider == provider, _due.c.next_poll_at <= to_micros(now))
    )
    return int(conn.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class Asked:
    """A question is over: the provider's pause counts from `at`, whoever reckons the next one.

    A claim counts from itself, and its question leaves a little later.
    """

    parcel_id: int
    at: datetime
    again_at: datetime | None = None
    """The next one, where the judgement does not say it."""


def answered(conn: Connection, rows: Sequence[Asked]) -> None:
    """These parcels were asked about; their deadlines stay as they are."""
    rows = sorted(rows, key=lambda row: row.parcel_id)
    update_many(conn, _due, ("parcel_id",), [_asked(row) for row in rows if row.again_at is None])
    update_many(conn, _due, ("parcel_id",), [_asked(row) for row in rows if row.again_at is not None])


def _asked(row: Asked) -> dict[str, int]:
    values = {"parcel_id": row.parcel_id, "asked_at": to_micros(row.at)}
    return values if row.again_at is None else values | {"next_poll_at": to_micros(row.again_at)}


def release(conn: Connection, provider: str, now: datetime, *, interval: timedelta, lease: timedelta) -> None:
    """Give back the questions of a process that died over them, before their lease is out.

    `interval` is counted from the latest moment at which such a question can have left.
    """
    if interval >= lease:
        return
    left_by = case(
        (_due.c.asked_at + _micros(lease) > to_micros(now), to_micros(now)), else_=_due.c.next_poll_at
    )
    conn.execute(
        update(_due)
        .where(_due.c.provider == provider, _due.c.next_poll_at == _due.c.asked_at + _micros(lease))
        .values(next_poll_at=left_by + _micros(interval))
    )


def _micros(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Quiet:
    """A parcel whose carrier said again, word for word, what it had said before."""

    parcel_id: int
    seen_at: datetime
    next_poll_at: datetime
    answered_at: datetime
    reason: int = 3
    """What the next question is for."""


def unchanged(conn: Connection, rows: Sequence[Quiet]) -> None:
    """Silence proven a little longer, and the next question: all that such an answer costs."""
    update_many(
        conn,
        _due,
        ("parcel_id",),
        [
            {
                "parcel_id": row.parcel_id,
                "seen_at": to_micros(row.seen_at),
                "next_poll_at": to_micros(row.next_poll_at),
                "asked_at": to_micros(row.answered_at),
                "reason": int(row.reason),
            }
            for row in sorted(rows, key=lambda row: row.parcel_id)
        ],
    )


LOCKED: Final = "单号被锁："
"""How a reason begins that is the provider's lock on one number."""


def any_beyond(conn: Connection, provider: str, at: datetime) -> bool:
    """Some question to this account is due later than `at`: one look at the end of an index."""
    query = select(_due.c.parcel_id).where(_due.c.provider == provider, _due.c.next_poll_at > to_micros(at))
    return conn.execute(query.limit(1)).first() is not None


def beyond(conn: Connection, provider: str, at: datetime, now: datetime) -> int:
    """What is to be asked later than `at` is due now; how many parcels."""
    late = _due.c.provider == provider, _due.c.next_poll_at > to_micros(at)
    return conn.execute(update(_due).where(*late).values(next_poll_at=to_micros(now))).rowcount


def asked_ahead(conn: Connection, now: datetime, tolerance: timedelta) -> int:
    """What was asked later than now, by a clock that was ahead, is due now; how many parcels. Reads them all."""
    wrong = _due.c.asked_at > to_micros(now + tolerance), _due.c.next_poll_at > to_micros(now)
    return conn.execute(update(_due).where(*wrong).values(next_poll_at=to_micros(now))).rowcount


def remark(conn: Connection, parcel_id: int, why: str, now: datetime) -> None:
    """Why nobody answers for this parcel, for `explain` and the coverage list."""
    conn.execute(
        update(schema.parcels)
        .where(schema.parcels.c.id == parcel_id)
        .values(why=why[:300], updated_at=to_micros(now))
    )


def deadline_waiting(conn: Connection, now: datetime) -> bool:
    """Some parcel's stored instant has come."""
    return bool(due_deadlines(conn, now, 1))


def due_deadlines(conn: Connection, now: datetime, limit: int) -> list[int]:
    """The parcels whose stored instant has come, oldest first, without taking them."""
    query = (
        select(_due.c.parcel_id)
        .where(_due.c.next_deadline_at <= to_micros(now))
        .order_by(_due.c.next_deadline_at)
        .limit(limit)
    )
    return [int(row[0]) for row in conn.execute(query)]


def touch(conn: Connection, parcel_ids: Sequence[int], now: datetime) -> None:
    """Judge these parcels at the next sweep: something about them changed."""
    for start in range(0, len(parcel_ids), 500):
        some = parcel_ids[start : start + 500]
        conn.execute(update(_due).where(_due.c.parcel_id.in_(some)).values(next_deadline_at=to_micros(now)))


def put_aside(conn: Connection, parcel_id: int, why: str, now: datetime) -> None:
    """A parcel nobody can judge: tried again in an hour, its reason shown (promise 7)."""
    remark(conn, parcel_id, f"无法判定：{why}", now)
    providers.oddity(conn, "sweep", f"parcel {parcel_id}", why, now)
    later = to_micros(now + timedelta(hours=1))
    conn.execute(update(_due).where(_due.c.parcel_id == parcel_id).values(next_deadline_at=later))
