"""The unfinished tickets by what they may cost for each hour that is left.

The measure changes with every minute, so no index can hold it: the tickets of the filter are read, measured at one
moment and sorted here. Unfinished tickets are few; of more than `RANKED` those with the most money are measured, and
the rest follows by its money (`Sort.RISK`), so that a walk to the end gives every ticket once. A cursor carries the
moment its walk began and the last ticket that was ranked, so that the pages of one walk fit together.

What it measures: of each warning that stands and is told of, the high end of its own money by the hours until its own
limit, and of a ticket's warnings the largest; at least a quarter of an hour, also where the limit has come and nobody
has looked since. What is broken is mostly lost, so its money adds nothing: tickets with nothing left to save stand
behind those that can still be saved, the most money first; those of unknown risk come last.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, select, tuple_, union_all

from domain.findings import Stage
from domain.time import to_micros
from monitor.store import schema
from monitor.store.views import walking
from monitor.store.views.paging import BadCursor, Mark, decode, encode, within
from monitor.store.views.ticket_filter import KEYS, Sort, TicketFilter, parts, standing
from monitor.store.views.walking import Part, Walked

__all__ = ["LEAST", "RANKED", "Saving", "per_hour", "saving", "walk"]

LEAST: Final = timedelta(minutes=15)
"""The shortest time that is counted as left."""
RANKED: Final = 10_000
"""The most tickets that are ranked by the hour."""
_NAME: Final = "tickets-hourly"
_KEY: Final = KEYS[Sort.RISK]
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR: Final = timedelta(hours=1) // _MICROSECOND
_LEAST: Final = LEAST // _MICROSECOND
_OVER: Final = 1 << 50
"""Taken off the money of what is over: less than any measure of what is not."""
_REST: Final = 1 << 60
"""Added to the place of what is not ranked: behind any measure."""
_findings = schema.findings

_Edge = tuple[int, ...]
"""Of the last ticket that is ranked what `Sort.RISK` sorts by."""
_KNOWN: Final = (0, 0, 0)
"""Behind every ticket whose risk is known, before all others."""


class _Place(NamedTuple):
    """Where a ticket stands in the list: the smallest first."""

    measure: int
    opened_at: int
    id: int


class Saving(NamedTuple):
    """What a warning that stands can still save."""

    fen: int
    """The high end of its own risk."""
    limit_at: int


def saving() -> Any:
    """Of findings: a warning that stands, is told of, and whose money is known."""
    warned = (_findings.c.stage == Stage.WARNING.value, _findings.c.notify.is_(True))
    return standing(*warned, _findings.c.risk_high.is_not(None), _findings.c.deadline.is_not(None))


def per_hour(savings: Iterable[Saving], now: datetime) -> int | None:
    """Fen at risk for each hour left, of the most pressing one; None where nothing known is left to save."""
    return max((_rate(each, to_micros(now)) for each in savings), default=None)


def walk(conn: Connection, filter_: TicketFilter, cursor: str | None, limit: int) -> Walked:
    """Up to `limit` tickets from the cursor on; the key's last number is the id. Raises `BadCursor`."""
    limit, mark = within(limit), decode(_NAME, cursor, 1 + len(_KNOWN) + len(_Place._fields))
    assert filter_.now is not None, "a list by the hour needs the moment from which hours are left"
    found = parts(conn, replace(filter_, sort=Sort.RISK))
    if mark is None:
        return _List(conn, found, to_micros(filter_.now), _edge(conn, found)).after(None, limit)
    since, edge = _possible(mark.key[0]), tuple(map(_possible, mark.key[1:4]))
    there, some = _Place(*map(_possible, mark.key[4:])), _List(conn, found, since, edge)
    return some.before(there, limit) if mark.back else some.after(there, limit)


def _possible(number: int) -> int:
    """A number of a cursor, as far as one can reckon with it."""
    return min(max(number, -(1 << 61)), 1 << 61)


@dataclass(frozen=True)
class _List:
    """The tickets of one walk: the ranked ones, and behind them the rest."""

    conn: Connection
    parts: Sequence[Part]
    since: int
    edge: _Edge

    def after(self, there: _Place | None, limit: int) -> Walked:
        """What stands behind a place, or in front."""
        shown: list[_Place] = []
        start, key = 0, self.edge
        if there is not None and _unranked(there):
            key = _key_of(there)
        else:
            start = 0 if there is None else bisect_right(self.ranked, there)
            shown = self.ranked[start : start + limit]
        previous = there is not None and (start > 0 or _unranked(there))
        if start + len(shown) < len(self.ranked) and shown:
            return self._walked(shown, shown[-1], shown[0] if previous else None)
        room = limit - len(shown)
        rest = walking.walk(self.conn, self.parts, _KEY, encode(_KEY.name, Mark(key)), max(room, 1))
        if room:
            shown += map(_place_of, rest.keys)
            behind = _place_of(_mark(rest.next)) if rest.next else None
        else:
            behind = shown[-1] if rest.keys or rest.next else None
        if not previous:
            return self._walked(shown, behind, None)
        if not shown and there is not None:  # the ticket that stood there has been shown, and comes again
            return self._walked(shown, behind, there._replace(id=there.id + 1))
        return self._walked(shown, behind, shown[0])

    def before(self, there: _Place, limit: int) -> Walked:
        """What stands before a place, the nearest."""
        shown: list[_Place] = []
        end = len(self.ranked) if _unranked(there) else bisect_left(self.ranked, there)
        if _unranked(there):
            cursor = encode(_KEY.name, Mark(_key_of(there), back=True))
            rest = walking.walk(self.conn, self.parts, _KEY, cursor, limit)
            shown = [_place_of(key) for key in rest.keys if self._behind_edge(key)]
            if rest.previous and self._behind_edge(nearer := _mark(rest.previous)):
                return self._walked(shown, shown[-1] if shown else there, _place_of(nearer))
        start = max(0, end - (limit - len(shown)))
        shown = self.ranked[start:end] + shown
        return self._walked(shown, shown[-1] if shown else there, shown[0] if start and shown else None)

    def _behind_edge(self, key: Sequence[int]) -> bool:
        return _KEY.sorted_by(key) > _KEY.sorted_by(self.edge)

    @cached_property
    def ranked(self) -> list[_Place]:
        """Those down to the edge, in order."""
        rows = [row for part in self.parts if part.fixed is None for row in self._measured(part)]
        if len(rows) > 2 * RANKED:  # so many since the walk began, or an edge of nobody's list
            raise BadCursor
        return sorted(rows)

    def _measured(self, part: Part) -> list[_Place]:
        """The places of a part's tickets."""
        down_to = tuple_(*(part.rows.selected_columns[name] for name in _KEY.columns)) >= tuple_(*self.edge)
        some = replace(part, rows=part.rows.where(down_to))
        seen = _dearest(some, 2 * RANKED + 1).subquery("dear")
        with_savings = seen.outerjoin(_findings, and_(_findings.c.ticket_id == seen.c.id, saving()))
        columns = (seen.c.id, seen.c.risk_high, seen.c.opened_at, _findings.c.risk_high, _findings.c.deadline)
        found = self.conn.execute(select(*columns).select_from(with_savings).order_by(seen.c.id))
        return [
            _Place(
                self._measure(fen, [Saving(row[3], row[4]) for row in rows if row[3] is not None]), at, id_
            )
            for (id_, fen, at), rows in groupby(found, key=lambda row: (row[0], row[1], row[2]))
        ]

    def _measure(self, fen: int, savings: Sequence[Saving]) -> int:
        """What is smallest for the ticket that comes first."""
        return -max(_rate(each, self.since) for each in savings) if savings else _OVER - fen

    def _walked(self, shown: Sequence[_Place], behind: _Place | None, before: _Place | None) -> Walked:
        here = (self.since, *self.edge)
        return Walked(
            tuple((*each[:2], abs(each.id)) for each in shown),
            None if behind is None else encode(_NAME, Mark((*here, *behind))),
            None if before is None else encode(_NAME, Mark((*here, *before), back=True)),
        )


def _edge(conn: Connection, found: Sequence[Part]) -> _Edge:
    """Down to where the tickets of these parts are ranked: all whose risk is known, or as many as may be."""
    heads = [_dearest(part, RANKED + 1).subquery() for part in found if part.fixed is None]
    every = union_all(*(select(each) for each in heads)).subquery()
    order = [every.c[name].desc() for name in _KEY.columns]
    last = conn.execute(select(every).order_by(*order).offset(RANKED - 1).limit(2)).all()
    return tuple(last[0]) if len(last) > 1 else _KNOWN


def _dearest(part: Part, at_most: int) -> Select[Any]:
    """The first tickets of a part by their money, of those that fit: by which they are sorted."""
    seen = part.rows.subquery("seen")
    columns = [seen.c[name] for name in _KEY.columns]
    rows = select(*columns) if part.fits is None else select(*columns).where(part.fits(seen))
    return rows.order_by(*(each.desc() for each in columns)).limit(at_most)


def _rate(each: Saving, since: int) -> int:
    """Fen for each hour that was left then."""
    return each.fen * _HOUR // max(each.limit_at - since, _LEAST)


def _unranked(place: _Place) -> bool:
    return place.measure > _OVER << 1


def _place_of(key: Sequence[int]) -> _Place:
    """Of a ticket that is not ranked."""
    return _Place(_REST - key[0], -key[1], -key[2])


def _key_of(place: _Place) -> _Edge:
    """The inverse of `_place_of`."""
    return (_REST - place.measure, -place.opened_at, -place.id)


def _mark(cursor: str) -> _Edge:
    """The key in a cursor of the list by money."""
    mark = decode(_KEY.name, cursor, len(_KEY.columns))
    assert mark is not None
    return mark.key
