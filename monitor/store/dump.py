"""Tables as rows that either database takes: read in one moment's view, written in the order of references.

The text form is PostgreSQL's own (COPY, sql-copy.html "Text Format"): one line a row, tabs between,
`\\N` for nothing. Only kinds both databases have are used in `schema.py`: whole numbers, texts, truth, bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Integer, LargeBinary, inspect, text
from sqlalchemy.types import Boolean, TypeEngine

from monitor.store.archive import Table
from monitor.store.schema import METADATA

__all__ = ["copied_out", "copy_in", "count", "empty", "insert_rows", "rows_of", "set_sequences", "shapes"]

_BUFFER: Final = 1 << 18
_BATCH: Final = 1000
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
Reader = Callable[[str], Any]


def shapes(conn: Connection) -> list[Table]:
    """Our tables as they stand here, what is referred to before what refers; rows are not counted yet.

    A schema may hold tables of others as well: those are left alone.
    """
    found = inspect(conn)
    names = [name for name, _ in found.get_sorted_table_and_fkc_names() if name is not None]
    return [
        Table(name, 0, tuple((each["name"], _kind(each["type"])) for each in found.get_columns(name)))
        for name in names
        if name in METADATA.tables
    ]


def count(conn: Connection, table: Table) -> int:
    """How many rows a table has."""
    return int(conn.execute(text(f"SELECT count(*) FROM {table.name}")).scalar_one())  # noqa: S608


def copied_out(conn: Connection, table: Table) -> Iterator[bytes]:
    """PostgreSQL: a table in the text form of COPY, in pieces of whole lines."""
    raw: Any = conn.connection.driver_connection
    waiting = bytearray()
    with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} ({_names(table)}) TO STDOUT") as copy:
        for line in copy:
            waiting += line
            if len(waiting) >= _BUFFER:
                yield bytes(waiting)
                waiting.clear()
    if waiting:
        yield bytes(waiting)


def copy_in(conn: Connection, table: Table, chunks: Iterable[bytes]) -> None:
    """PostgreSQL: the inverse of `copied_out`."""
    raw: Any = conn.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} ({_names(table)}) FROM STDIN") as copy:
        for chunk in chunks:
            copy.write(chunk)


def rows_of(chunks: Iterable[bytes], table: Table) -> Iterator[tuple[Any, ...]]:
    """The rows in the text form of COPY, as SQLite takes them. Raises ValueError for what is no such row."""
    readers = [_READERS[kind] for _, kind in table.columns]
    for line in _lines(chunks):
        fields = line.decode("utf-8").split("\t")
        yield tuple(
            None if field == "\\N" else read(field) for read, field in zip(readers, fields, strict=True)
        )


def insert_rows(conn: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to a table: SQLite by bound statements, PostgreSQL by COPY."""
    if conn.dialect.name == "sqlite":
        marks = ", ".join("?" * len(table.columns))
        statement = f"INSERT INTO {table.name} ({_names(table)}) VALUES ({marks})"  # noqa: S608
        waiting = iter(rows)
        while some := [tuple(row) for row in islice(waiting, _BATCH)]:
            conn.exec_driver_sql(statement, some)
        return
    truths = [n for n, (_, kind) in enumerate(table.columns) if kind == "truth"]
    raw: Any = conn.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} ({_names(table)}) FROM STDIN") as copy:
        for row in rows:
            values = list(row)
            for n in truths:
                values[n] = None if values[n] is None else bool(values[n])
            copy.write_row(values)


def empty(conn: Connection, tables: Sequence[Table]) -> None:
    """Take away the rows that migrating put into new tables: the backup has its own."""
    for table in reversed(tables):
        if count(conn, table):
            conn.exec_driver_sql(f"DELETE FROM {table.name}")  # noqa: S608


def set_sequences(conn: Connection, tables: Sequence[Table]) -> None:
    """PostgreSQL: the next number of every table is beyond those that came in."""
    for table in tables:
        for column, kind in table.columns:
            if kind != "number":
                continue
            own = conn.execute(
                text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": table.name, "column": column},
            ).scalar()
            if own is not None:
                highest = f"SELECT max({column}) FROM {table.name}"  # noqa: S608
                conn.execute(
                    text(f"SELECT setval('{own}', coalesce(({highest}), 1), ({highest}) IS NOT NULL)")
                )


def _names(table: Table) -> str:
    return ", ".join(name for name, _ in table.columns)


def _kind(type_: TypeEngine[Any]) -> str:
    if isinstance(type_, Boolean):
        return "truth"
    if isinstance(type_, LargeBinary):
        return "bytes"
    return "number" if isinstance(type_, Integer) else "text"


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        raise ValueError("the last line is cut")


def _plain(field: str) -> str:
    """A text without its escapes."""
    if "\\" not in field:
        return field
    return _ESCAPED.sub(lambda found: _MEANS.get(found[1], found[1]), field)


def _truth(field: str) -> bool:
    if field not in ("t", "f"):
        raise ValueError(field)
    return field == "t"


_READERS: Final[dict[str, Reader]] = {
    "number": int,
    "truth": _truth,
    "text": _plain,
    "bytes": lambda field: bytes.fromhex(_plain(field).removeprefix("\\x")),
}
