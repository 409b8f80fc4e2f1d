"""Answers that were given, by the caller's key: the same request gets the same answer, and is done once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from domain.time import to_micros
from monitor.store import schema
from monitor.store.codec import clean

__all__ = ["KEPT", "Given", "find", "forget", "put"]

KEPT: Final = timedelta(days=7)
"""How long a key is remembered; after that it is a new one."""
_table = schema.idempotency


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that was given."""

    fingerprint: str
    """Of the request it was given to."""
    status: int
    body: str


def find(conn: Connection, key: str, now: datetime) -> Given | None:
    """What was answered under this key in the last seven days."""
    query = select(_table.c.fingerprint, _table.c.status, _table.c.body).where(
        _table.c.key == clean(key), _table.c.created_at > to_micros(now - KEPT)
    )
    row = conn.execute(query).first()
    return None if row is None else Given(row.fingerprint, row.status, row.body)


def put(conn: Connection, key: str, given: Given, now: datetime) -> None:
    """Remember an answer, in the transaction of what it tells. IntegrityError when the key is taken."""
    forget(conn, now)
    conn.execute(
        insert(_table).values(
            key=clean(key),
            fingerprint=given.fingerprint,
            status=given.status,
            body=clean(given.body),
            created_at=to_micros(now),
        )
    )


def forget(conn: Connection, now: datetime) -> int:
    """Drop what is older than seven days; returns how many those were."""
    return conn.execute(delete(_table).where(_table.c.created_at <= to_micros(now - KEPT))).rowcount
