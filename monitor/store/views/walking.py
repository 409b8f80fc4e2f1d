"""Reading a list in order from a mark on, as few rows as will do, and never more than a fixed number.

A list is read along an index, often several parts of it side by side (one for each state) that are merged
here. Conditions the index cannot find are tried on the rows in passing. When none fits for long, the walk
stops after `SPAN` rows and says where, so that a search for something rare costs a page of time at most
and the next page goes on from there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Select, func, select, tuple_

from monitor.store.views.paging import Mark, Page, decode, encode, within

__all__ = ["SPAN", "Key", "Part", "Walked", "count", "walk"]

SPAN: Final = 20_000
"""The most rows one page looks at."""
_FIRST_STRIDE: Final = 400
_GROWTH: Final = 7

_Item: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], bool]
"""What it sorts by, the key, and whether it is a row; else the place where a part stopped."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a list is ordered by: columns of whole numbers that together name a row.

    At most the first runs another way than the rest.
    """

    name: str
    """Of the list and its order: cursors of another are refused."""
    columns: tuple[str, ...]
    down: tuple[bool, ...]
    """For each column, whether large ones come first."""

    def sorted_by(self, key: Sequence[int]) -> tuple[int, ...]:
        """What Python sorts by in this order."""
        return tuple(-each if down else each for each, down in zip(key, self.down, strict=True))

    def turned(self) -> Key:
        """The order read backwards."""
        return Key(self.name, self.columns, tuple(not each for each in self.down))


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that one index has in the order of the list."""

    rows: Select[Any]
    """With a column for every one of the key, and what `fits` needs."""
    fits: Callable[[Any], Any] | None = None
    """Given the rows as a subquery, the condition no index finds; None where there is none."""
    fixed: tuple[Any, int] | None = None
    """The column that is null in all of these rows, where it is the first of the key, and the number it counts as."""


@dataclass(frozen=True, slots=True)
class Walked:
    """The keys found, in the order of the list, and the cursors around them."""

    keys: tuple[tuple[int, ...], ...] = ()
    next: str | None = None
    previous: str | None = None

    def page(self, rows: Sequence[Any]) -> Page[Any]:
        """The rows of these keys as a page."""
        return Page(tuple(rows), self.next, self.previous)


@dataclass(slots=True)
class _Found:
    """What a walk in one direction came upon."""

    keys: list[tuple[int, ...]] = field(default_factory=list)
    stopped_at: tuple[int, ...] | None = None
    """The last row looked at, where there may be more behind it."""


def walk(conn: Connection, parts: Sequence[Part], key: Key, cursor: str | None, limit: int) -> Walked:
    """Up to `limit` rows of the parts together, from the cursor on. Raises `BadCursor`."""
    limit, mark = within(limit), decode(key.name, cursor, len(key.columns))
    back = mark is not None and mark.back
    found = _find(conn, parts, key.turned() if back else key, mark.key if mark else None, limit)
    keys = found.keys[::-1] if back else found.keys
    behind = found.stopped_at
    if mark is None:
        return Walked(tuple(keys), _cursor(key, behind))
    near = found.keys[0] if found.keys else mark.key
    if back:
        return Walked(tuple(keys), encode(key.name, Mark(near)), _cursor(key, behind, back=True))
    return Walked(tuple(keys), _cursor(key, behind), encode(key.name, Mark(near, back=True)))


def count(conn: Connection, parts: Sequence[Part], at_most: int) -> int:
    """How many rows there are, counted up to `at_most`; of rows that have to be looked at one by one,
    those among the first `5 * SPAN` of each part."""
    n = 0
    for part in parts:
        if n >= at_most:
            break
        if part.fits is None:
            some = part.rows.limit(at_most - n).subquery()
            n += conn.execute(select(func.count()).select_from(some)).scalar_one()
        else:
            rows = part.rows.limit(5 * SPAN).subquery("seen")
            some = select(rows.c[0]).where(part.fits(rows)).limit(at_most - n).subquery()
            n += conn.execute(select(func.count()).select_from(some)).scalar_one()
    return int(n)


def _cursor(key: Key, at: tuple[int, ...] | None, *, back: bool = False) -> str | None:
    return None if at is None else encode(key.name, Mark(at, back))


def _find(
    conn: Connection, parts: Sequence[Part], key: Key, start: tuple[int, ...] | None, limit: int
) -> _Found:
    """Rows of all parts merged; stopped where the first part had to stop."""
    streams = [_stream(conn, part, key, start, limit, SPAN // len(parts)) for part in parts]
    found = _Found()
    for _, at, fits in heapq.merge(*streams, key=lambda each: each[0]):
        if not fits or len(found.keys) == limit:
            found.stopped_at = at if not fits else found.keys[-1]
            break
        found.keys.append(at)
    return found


def _stream(
    conn: Connection, part: Part, key: Key, start: tuple[int, ...] | None, limit: int, span: int
) -> Iterator[_Item]:
    """The part's rows in order; the last item may be a place where looking further would be too much."""
    segments = _segments(conn, part, key, start)
    stride = _FIRST_STRIDE
    while (rows := next(segments, None)) is not None:
        if part.fits is None:
            yield from _items(conn, rows.limit(limit + 1), key)
            continue
        if span <= 0 and start is not None:
            yield key.sorted_by(start), start, False
            return
        stride = max(1, min(stride, span))
        seen = rows.limit(stride).subquery("seen")
        columns = select(*(seen.c[name] for name in key.columns)).order_by(*_ordered(seen.c, key))
        yield from _items(conn, columns.where(part.fits(seen)).limit(limit + 1), key)
        last = conn.execute(columns.offset(stride - 1).limit(1)).first()
        if last is not None:
            start, span = tuple(last), span - stride
            segments = _segments(conn, part, key, start)
        elif rest := conn.execute(columns).all():  # fewer than a stride: the end of this segment
            start, span = tuple(rest[-1]), span - len(rest)
        stride *= _GROWTH


def _items(conn: Connection, rows: Select[Any], key: Key) -> Iterator[_Item]:
    for row in conn.execute(rows).all():
        at = tuple(row._mapping[name] for name in key.columns)
        yield key.sorted_by(at), at, True


def _segments(conn: Connection, part: Part, key: Key, start: tuple[int, ...] | None) -> Iterator[Select[Any]]:
    """What lies behind `start`, as parts that an index has in order, one after the other.

    Where the first column runs the other way than the rest, such as worst first and then oldest first,
    each of its values is a part.
    """
    rows = part.rows
    if part.fixed is not None:
        yield from _of_one_value(rows, *part.fixed, key, start)
        return
    columns = [rows.selected_columns[name] for name in key.columns]
    ordered = rows.order_by(*_ordered(rows.selected_columns, key))
    if len(set(key.down)) == 1:
        yield ordered if start is None else ordered.where(_beyond(columns, start, down=key.down[0]))
        return
    first, rest = columns[0], columns[1:]
    value: int | None = None
    if start is not None:
        value = start[0]
        yield ordered.where(first == value, _beyond(rest, start[1:], down=key.down[1]))
    nearest = rows.with_only_columns(func.max(first) if key.down[0] else func.min(first))
    while True:
        beyond = nearest if value is None else nearest.where(_beyond([first], (value,), down=key.down[0]))
        value = conn.execute(beyond).scalar()
        if value is None:
            return
        yield ordered.where(first == value)


def _of_one_value(
    rows: Select[Any], column: Any, value: int, key: Key, start: tuple[int, ...] | None
) -> Iterator[Select[Any]]:
    """What of rows without a value lies behind `start`: all, what the rest of the key says, or nothing."""
    rest = [rows.selected_columns[name] for name in key.columns[1:]]
    # The column is named although it is the same everywhere: PostgreSQL knows its index by that.
    order = [column.desc() if key.down[0] else column]
    order += [each.desc() if down else each for each, down in zip(rest, key.down[1:], strict=True)]
    ordered = rows.order_by(*order)
    if start is None or (value < start[0] if key.down[0] else value > start[0]):
        yield ordered
    elif value == start[0]:
        yield ordered.where(_beyond(rest, start[1:], down=key.down[1]))


def _beyond(columns: Sequence[Any], at: tuple[int, ...], *, down: bool) -> Any:
    here: Any = columns[0] if len(columns) == 1 else tuple_(*columns)
    there: Any = at[0] if len(columns) == 1 else tuple_(*at)
    return here < there if down else here > there


def _ordered(columns: Any, key: Key) -> list[Any]:
    return [
        columns[name].desc() if down else columns[name]
        for name, down in zip(key.columns, key.down, strict=True)
    ]
