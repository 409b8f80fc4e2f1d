"""Pushes between their receipt and the moment what they say is kept: stored first, answered, read later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select

from carriers.push import Push
from domain.orders import Waybill
from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.bulk import chunks, insert_many

__all__ = ["Kept", "addressed", "depth", "done", "put", "waiting"]

_pushes, _parcels = schema.pushes, schema.parcels
_COLUMNS: Final = ("provider", "at", "body", "envelope")
_LEFT_OUT: Final = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length", "cookie", "host"}
)
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Kept:
    """One push as it was stored."""

    provider: str
    at: datetime
    push: Push = field(repr=False)
    id: int = 0
    """0: not stored yet."""


def put(conn: Connection, rows: Sequence[Kept]) -> None:
    """Store pushes; they are durable when the transaction is."""
    insert_many(conn, _pushes, [_row(each) for each in rows], columns=_COLUMNS)


def waiting(conn: Connection, limit: int) -> list[Kept]:
    """The oldest of those that wait."""
    rows = conn.execute(select(_pushes).order_by(_pushes.c.id).limit(limit))
    return [_kept(row) for row in rows]


def done(conn: Connection, ids: Iterable[int]) -> None:
    """What these say is kept, or put aside."""
    for some in chunks(list(ids)):
        conn.execute(delete(_pushes).where(_pushes.c.id.in_(some)))


def depth(conn: Connection) -> int:
    """How many wait."""
    return int(conn.execute(select(func.count()).select_from(_pushes)).scalar_one())


_BY_NUMBER: Final = (
    select(_parcels.c.id, _parcels.c.carrier, _parcels.c.waybill_no)
    .where(_parcels.c.waybill_no.in_(bindparam("numbers", expanding=True)))
    .order_by(_parcels.c.cycle, _parcels.c.id)
)


def addressed(conn: Connection, numbers: Iterable[str]) -> dict[Waybill, int]:
    """The parcels of these numbers, of each the newest use; by the number as it was given, which may be in small letters."""
    spelt: dict[str, list[str]] = {}
    for number in sorted(set(numbers)):
        for form in {number, number.upper()}:
            spelt.setdefault(form, []).append(number)
    found: dict[Waybill, int] = {}
    for some in chunks(sorted(spelt)):
        for row in conn.execute(_BY_NUMBER, {"numbers": list(some)}):
            found |= {Waybill(row.carrier, written): row.id for written in spelt[row.waybill_no]}
    return found


def _row(each: Kept) -> tuple[Any, ...]:
    headers = {
        name: value
        for name, value in each.push.headers.items()
        if name not in _LEFT_OUT and len(value) <= _LONGEST
    }
    query = {name: value for name, value in each.push.query.items() if name != "key"}
    envelope = json.dumps({"headers": headers, "query": query}, separators=(",", ":"))
    return each.provider, to_micros(each.at), each.push.body, envelope


def _kept(row: Any) -> Kept:
    envelope = json.loads(row.envelope)
    push = Push(bytes(row.body), envelope["headers"], envelope["query"])
    return Kept(row.provider, from_micros(row.at), push, row.id)
