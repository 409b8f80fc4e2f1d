"""What is done now and then to keep the store well, and when it was done last: backups, purges, signs of life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select, update

from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.codec import clean

__all__ = ["ALIVE", "BACKUP", "BACKUP_GOOD", "Done", "alive_at", "every", "last", "note"]

ALIVE: Final = "alive"
"""The daemon's own sign of life, by which it also proves that the store takes a write."""

BACKUP: Final = "backup"
"""The last try."""
BACKUP_GOOD: Final = "backup_good"
"""The last one that stands."""

_upkeep = schema.upkeep


@dataclass(frozen=True, slots=True)
class Done:
    """The last time something was done."""

    name: str
    at: datetime
    outcome: str
    """`ok` or `failed`."""
    detail: str = ""
    """For the operator: where to, how much, or why not."""


def note(conn: Connection, name: str, at: datetime, outcome: str = "ok", detail: str = "") -> None:
    """Remember that it was done, instead of the time before. `name` is ours, such as `backup`."""
    values = {"at": to_micros(at), "outcome": outcome, "detail": clean(detail)}
    if not conn.execute(update(_upkeep).where(_upkeep.c.name == name).values(**values)).rowcount:
        conn.execute(insert(_upkeep).values(name=name, **values))


def last(conn: Connection, name: str) -> Done | None:
    """The last time it was done, or None."""
    row = conn.execute(select(_upkeep).where(_upkeep.c.name == name)).first()
    return None if row is None else Done(row.name, from_micros(row.at), row.outcome, row.detail)


def every(conn: Connection) -> list[Done]:
    """Everything that was ever done."""
    rows = conn.execute(select(_upkeep).order_by(_upkeep.c.name))
    return [Done(row.name, from_micros(row.at), row.outcome, row.detail) for row in rows]


def alive_at(conn: Connection) -> datetime | None:
    """When a daemon was last known to work on this store."""
    done = last(conn, ALIVE)
    return done.at if done is not None else None
