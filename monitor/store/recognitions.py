"""Numbers of which nobody has said whose they are: which to ask about, what was guessed, what was taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from carriers.base import Guess
from carriers.names import display
from domain.orders import UNNAMED
from domain.time import to_micros
from monitor.store import polls, schema
from monitor.store.carriers import change_carrier
from monitor.store.codec import micros

__all__ = ["Unnamed", "found", "nothing", "unnamed"]

_parcels, _recognitions = schema.parcels, schema.recognitions
AGAIN: Final = (timedelta(hours=6), timedelta(days=1))
"""After each question that named nobody; then no more: a number printed today may be known tomorrow."""


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A watched number without a carrier."""

    parcel_id: int
    waybill_no: str
    asked: int


def unnamed(conn: Connection, now: datetime, limit: int, *, asks: bool) -> list[Unnamed]:
    """Those that are to be asked about now, the oldest first.

    `asks`: an account can be asked, so those that only their shape was looked at are due at once.
    """
    due = or_(_recognitions.c.parcel_id.is_(None), _recognitions.c.next_at <= to_micros(now))
    if asks:
        due = or_(due, _recognitions.c.asked == 0)
    query = (
        select(_parcels.c.id, _parcels.c.waybill_no, _recognitions.c.asked)
        .outerjoin(_recognitions, _recognitions.c.parcel_id == _parcels.c.id)
        .where(_parcels.c.carrier == UNNAMED, _parcels.c.state == "watched", due)
        .order_by(_parcels.c.id)
        .limit(limit)
    )
    return [Unnamed(row.id, row.waybill_no, row.asked or 0) for row in conn.execute(query)]


def found(conn: Connection, one: Unnamed, guesses: Sequence[Guess], taken: Guess, now: datetime) -> int:
    """The number is taken for `taken`'s; the id of the parcel that goes on."""
    _keep(conn, one, guesses, one.asked + 1, None, now)
    return change_carrier(conn, one.parcel_id, taken.carrier, now)


def nothing(
    conn: Connection, one: Unnamed, guesses: Sequence[Guess], now: datetime, *, asked: bool = True
) -> None:
    """Nobody could say; asked again later, a few times. The parcel says why it is not looked for.

    Where there was no account to ask (`asked`), none of those times is used up.
    """
    waits = (*AGAIN, None) if asked else (AGAIN[-1],)
    wait = waits[min(one.asked, len(waits) - 1)]
    _keep(conn, one, guesses, one.asked + asked, None if wait is None else now + wait, now)
    alike = "、".join(dict.fromkeys(display(each.carrier) for each in guesses[:4]))
    maybe = f"，可能是{alike}" if alike else ""
    polls.remark(conn, one.parcel_id, f"没有写快递公司，单号认不出是哪家的{maybe}；请补上快递公司再导入", now)


def _keep(
    conn: Connection,
    one: Unnamed,
    guesses: Sequence[Guess],
    asked: int,
    next_at: datetime | None,
    now: datetime,
) -> None:
    said = [[each.carrier, round(each.confidence, 3), each.source] for each in guesses]
    values: dict[str, Any] = {
        "at": to_micros(now),
        "next_at": micros(next_at),
        "asked": asked,
        "guesses": json.dumps(said, separators=(",", ":")),
    }
    kind = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = kind.insert(_recognitions).values(parcel_id=one.parcel_id, **values)
    conn.execute(statement.on_conflict_do_update(index_elements=["parcel_id"], set_=values))
