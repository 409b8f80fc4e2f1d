"""The unfinished tickets by what they may cost for each hour that is left.

The measure changes with every minute, so no index can hold it: the tickets are read, measured at one moment and
sorted here. Unfinished tickets are few; of very many the `SPAN` with the most money are measured. A cursor carries the
moment its walk began, so that the pages of one walk fit together.

What it measures: the high end of the money at risk, by the hours until the nearest limit of a warning that
stands; at least a quarter of an hour, also where the limit has come and nobody has looked since. Where
every limit is broken the money is mostly lost: such tickets stand behind those that can still be saved, the most money
first; those of unknown risk come last.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, func, select

from domain.findings import Risk, Stage
from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.views.paging import Mark, decode, encode, within
from monitor.store.views.ticket_filter import KEYS, UNKNOWN, Sort, TicketFilter, parts, standing
from monitor.store.views.walking import SPAN, Part, Walked, head

__all__ = ["LEAST", "per_hour", "walk"]

LEAST: Final = timedelta(minutes=15)
"""The shortest time that is counted as left."""
_NAME: Final = "tickets-hourly"
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR: Final = timedelta(hours=1) // _MICROSECOND
_LEAST: Final = LEAST // _MICROSECOND
_OVER: Final = 1 << 50
"""Taken off the money of what is over: less than any measure of what is not."""
_tickets, _findings = schema.tickets, schema.findings


class _Place(NamedTuple):
    """Where a ticket stands in the list: the smallest first."""

    measure: int
    severity: int
    opened_at: int
    id: int


def per_hour(risk: Risk | None, limit_at: datetime | None, now: datetime) -> int | None:
    """Fen at risk for each hour left until `limit_at`; None where nothing is known or nothing is left."""
    if risk is None or limit_at is None:
        return None
    return _measure(risk.high, to_micros(limit_at), to_micros(now))


def walk(conn: Connection, filter_: TicketFilter, cursor: str | None, limit: int) -> Walked:
    """Up to `limit` tickets from the cursor on; the key's last number is the id. Raises `BadCursor`."""
    limit, mark = within(limit), decode(_NAME, cursor, 1 + len(_Place._fields))
    assert filter_.now is not None, "a list by the hour needs the moment from which hours are left"
    since = to_micros(filter_.now) if mark is None else _possible(mark.key[0])
    places = _places(conn, filter_, from_micros(since))

    def at(place: _Place, *, back: bool = False) -> str:
        return encode(_NAME, Mark((since, *place), back))

    if mark is None:
        return _walked(places, 0, limit, at)
    there = _Place(*mark.key[1:])
    if not mark.back:
        return _walked(places, bisect_right(places, there), limit, at)
    end = bisect_left(places, there)
    return _walked(places, max(0, end - limit), end - max(0, end - limit), at)


def _walked(places: list[_Place], start: int, limit: int, at: Any) -> Walked:
    some = places[start : start + limit]
    more = start + len(some) < len(places)
    if not some:  # everything behind the mark has gone: back to what is left
        return Walked((), None, at(_END, back=True) if start and places else None)
    return Walked(tuple(some), at(some[-1]) if more else None, at(some[0], back=True) if start else None)


_END: Final = _Place(1 << 62, 0, 0, 0)
"""Behind every ticket."""


def _possible(micros: int) -> int:
    """The moment of a cursor, as far as there is such a moment."""
    return min(max(micros, 0), 1 << 55)


def _places(conn: Connection, filter_: TicketFilter, since: datetime) -> list[_Place]:
    """Every ticket of the filter, in order."""
    found = parts(conn, replace(filter_, sort=Sort.RISK))
    rows = (row for part in found for row in conn.execute(_measured(conn, part, SPAN // len(found))))
    return sorted(_place(row, to_micros(since)) for row in rows)


def _measured(conn: Connection, part: Part, at_most: int) -> Select[Any]:
    """The tickets of a part with their money and the nearest limit of a warning that stands."""
    seen = head(conn, part, KEYS[Sort.RISK], at_most).subquery("seen")
    warned = standing(_findings.c.ticket_id == seen.c.id, _findings.c.stage == Stage.WARNING.value)
    limit = select(func.min(_findings.c.deadline)).where(warned).scalar_subquery().label("limit_at")
    rows = select(seen.c.id, seen.c.risk_high, seen.c.opened_at, _tickets.c.severity, limit)
    rows = rows.join(_tickets, _tickets.c.id == seen.c.id)
    return rows if part.fits is None else rows.where(part.fits(seen))


def _place(row: Any, since: int) -> _Place:
    return _Place(-_measure(row.risk_high, row.limit_at, since), -row.severity, row.opened_at, row.id)


def _measure(fen: int, limit_at: int | None, since: int) -> int:
    if fen == UNKNOWN:
        return -2 * _OVER
    if limit_at is None:
        return fen - _OVER
    return fen * _HOUR // max(limit_at - since, _LEAST)
