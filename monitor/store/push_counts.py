"""How pushes and subscriptions stand, in numbers: by indexes, whatever waits and however many parcels there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, select, text

from monitor.store import schema
from monitor.store.codec import moment
from monitor.store.subscriptions import State

__all__ = ["STANDINGS", "Backlog", "Tally", "backlog", "tallies"]

_pushes, _subs = schema.pushes, schema.subscriptions


@dataclass(frozen=True, slots=True)
class Tally:
    """The subscriptions of one account, those closed by us left out."""

    open: int = 0
    wanted: int = 0
    """Still to be asked for, for the first time."""
    renew: int = 0
    """Given up by the pusher; asked for again when the number may be."""
    full: int = 0
    """At the number's ceiling for the month; asked for again when it has passed."""
    refused: int = 0
    """Refused, and not asked for again."""
    ended: int = 0
    """Over, and not asked for again."""


STANDINGS: Final = tuple(each.name for each in fields(Tally))


@dataclass(frozen=True, slots=True)
class Backlog:
    """Pushes that came and are not read yet."""

    waiting: int = 0
    """From the first to the last number; a number the database skipped counts."""
    since: datetime | None = None
    """When the oldest came."""


def tallies(conn: Connection) -> Mapping[str, Tally]:
    """By account, of those that ever subscribed anything and have not closed it all."""
    found: dict[str, Tally] = {}
    for row in conn.execute(_TALLIED):
        name = _standing(row.state, again=bool(row.again))
        tally = found.get(row.provider, Tally())
        found[row.provider] = replace(tally, **{name: getattr(tally, name) + row.n})
    return found


def _standing(state: str, *, again: bool) -> str:
    if state == State.ENDED:
        return "renew" if again else "ended"
    if state == State.REFUSED:
        return "full" if again else "refused"
    return state


_AGAIN: Final[Any] = _subs.c.next_at.is_not(None)
_TALLIED: Final = (
    select(_subs.c.provider, _subs.c.state, _AGAIN.label("again"), func.count().label("n"))
    .where(text("subscriptions.state <> 'closed'"))  # as the partial index has it
    .group_by(_subs.c.provider, _subs.c.state, _AGAIN)
)


def backlog(conn: Connection) -> Backlog:
    """What waits: two looks at the ends of the key, for the oldest are read first."""
    first, last = (conn.execute(select(end(_pushes.c.id))).scalar() for end in (func.min, func.max))
    if first is None or last is None:
        return Backlog()
    at = conn.execute(select(_pushes.c.at).where(_pushes.c.id == first)).scalar()
    return Backlog(last - first + 1, moment(at))
