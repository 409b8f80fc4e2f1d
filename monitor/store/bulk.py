"""Many rows at the driver's own speed.

A statement is written once in Core, so that `schema.py` stays the one source of names, compiled to the
dialect's text once, and run with plain tuples through `exec_driver_sql`: the raw rate, where Core with
dictionaries reaches 57 % and the ORM 14 % (`facts/foundations.md` B1). On PostgreSQL a thousand rows
or more are copied into a temporary table and merged from there.

Values are as the driver takes them: whole numbers, texts without NUL, bytes, booleans, None.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import Connection, Executable, Table, bindparam, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

__all__ = ["BATCH", "Prepared", "chunks", "insert_many", "reserve_ids", "update_many"]

BATCH: Final = 1000
"""The knee on both databases; also far below SQLite's 32,766 parameters a statement."""

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = Sequence[Mapping[str, Any]] | Sequence[Row]
T = TypeVar("T")
_copies: Final = itertools.count(1)


def chunks(items: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """`items` in slices of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Prepared:
    """A Core statement whose text is made once per dialect and run with tuples of `names`, in order."""

    def __init__(self, make: Callable[[str], Any], *names: str) -> None:
        """`make` writes the statement for a dialect, with a `bindparam` for every one of `names`."""
        self._make = make
        self._names = names
        self._texts: dict[str, tuple[str, Callable[[Row], Row] | None]] = {}

    def run(self, conn: Connection, rows: Sequence[Row]) -> int:
        """Execute once per row; returns how many rows of the table were touched."""
        if not rows:
            return 0
        if conn.dialect.name not in self._texts:
            self._texts[conn.dialect.name] = self._compile(conn.dialect.name)
        sql, arrange = self._texts[conn.dialect.name]
        return sum(
            conn.exec_driver_sql(sql, [arrange(row) for row in some] if arrange else list(some)).rowcount
            for some in chunks(rows)
        )

    def _compile(self, dialect: str) -> tuple[str, Callable[[Row], Row] | None]:
        compiled = self._make(dialect).compile(dialect=_positional(dialect))
        order = [self._names.index(name) for name in compiled.positiontup]
        if order == list(range(len(self._names))):
            return str(compiled), None
        pick = itemgetter(*order)
        return str(compiled), pick if len(order) > 1 else lambda row: (pick(row),)


def _positional(dialect: str) -> Dialect:
    """The dialect with the driver's positional parameters."""
    if dialect == "sqlite":
        return sqlite.dialect()
    return postgresql.psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]


def insert_many(
    conn: Connection,
    table: Table,
    rows: Rows,
    *,
    columns: Sequence[str] | None = None,
    ignore: bool = False,
) -> int:
    """Insert mappings that all have the keys of the first, or tuples of `columns`; returns how many.

    With `ignore` a row that breaks a unique constraint is left out; without, IntegrityError.
    """
    if not rows:
        return 0
    names, tuples = _as_tuples(rows, columns)
    if conn.dialect.name == "postgresql" and len(tuples) >= BATCH:
        return _copy(conn, table, names, tuples, _merge_insert(table, names, ignore))
    return _insert(table, names, ignore).run(conn, tuples)


def update_many(
    conn: Connection, table: Table, key_columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> int:
    """Set the other columns of each mapping where `key_columns` match; returns how many rows did.

    All mappings have the keys of the first.
    """
    if not rows:
        return 0
    names, tuples = _as_tuples(rows, None)
    if conn.dialect.name == "postgresql" and len(tuples) >= BATCH:
        return _copy(conn, table, names, tuples, _merge_update(table, names, tuple(key_columns)))
    return _update(table, names, tuple(key_columns)).run(conn, tuples)


def reserve_ids(conn: Connection, table: Table, n: int) -> list[int]:
    """`n` ids nobody else gets: for rows that refer to one another before they are written.

    SQLite: the next ones, since a writing transaction is alone. PostgreSQL: from the sequence.
    """
    if n == 0:
        return []
    if conn.dialect.name == "sqlite":
        last = conn.execute(select(func.max(table.c.id))).scalar() or 0
        return list(range(last + 1, last + 1 + n))
    query = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :n)")
    return [int(row[0]) for row in conn.execute(query, {"name": table.name, "n": n})]


def _as_tuples(rows: Rows, columns: Sequence[str] | None) -> tuple[tuple[str, ...], Sequence[Row]]:
    if columns is not None:
        return tuple(columns), rows  # type: ignore[return-value]
    mappings: Sequence[Mapping[str, Any]] = rows  # type: ignore[assignment]
    names = tuple(mappings[0])
    return names, [tuple(row[name] for name in names) for row in mappings]


@cache
def _insert(table: Table, names: tuple[str, ...], ignore: bool) -> Prepared:
    def make(dialect: str) -> Executable:
        values = {name: bindparam(name, type_=table.c[name].type) for name in names}
        if not ignore:
            return insert(table).values(values)
        if dialect == "sqlite":
            return sqlite.insert(table).values(values).on_conflict_do_nothing()
        return postgresql.insert(table).values(values).on_conflict_do_nothing()

    return Prepared(make, *names)


@cache
def _update(table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> Prepared:
    def make(_dialect: str) -> Executable:
        bound = {name: bindparam(f"p_{name}", type_=table.c[name].type) for name in names}
        return (
            update(table)
            .where(*(table.c[key] == bound[key] for key in keys))
            .values({name: bound[name] for name in names if name not in keys})
        )

    return Prepared(make, *(f"p_{name}" for name in names))


def _copy(
    conn: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Row], merge: Callable[[str], str]
) -> int:
    """PostgreSQL: COPY into a table of its own, one merging statement, and away with it.

    The statements hold names out of `schema.py` and nothing from outside.
    """
    own = f"bulk_{next(_copies)}"
    columns = ", ".join(names)
    shape = f"SELECT {columns} FROM {table.name} WITH NO DATA"  # noqa: S608
    conn.exec_driver_sql(f"CREATE TEMP TABLE {own} ON COMMIT DROP AS {shape}")
    raw: Any = conn.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(f"COPY {own} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    touched = conn.exec_driver_sql(merge(own)).rowcount
    conn.exec_driver_sql(f"DROP TABLE {own}")
    return touched


def _merge_insert(table: Table, names: tuple[str, ...], ignore: bool) -> Callable[[str], str]:
    columns = ", ".join(names)
    tail = " ON CONFLICT DO NOTHING" if ignore else ""
    statement = f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {{0}}{tail}"  # noqa: S608
    return statement.format


def _merge_update(table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> Callable[[str], str]:
    sets = ", ".join(f"{name} = {{0}}.{name}" for name in names if name not in keys)
    same = " AND ".join(f"{table.name}.{key} = {{0}}.{key}" for key in keys)
    statement = f"UPDATE {table.name} SET {sets} FROM {{0}} WHERE {same}"  # noqa: S608
    return statement.format
