"""How the columns of files are read: a merchant's own table per kind of file, kept by name and found by its header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.codec import clean, dump, read_mapping

__all__ = ["MOST", "ColumnTable", "all_of", "by_fingerprint", "find", "remove", "save", "used"]

_table = schema.mappings
MOST: Final = 200
"""More tables than any merchant has kinds of files."""


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """One saved table."""

    name: str
    fields: Mapping[str, str]
    """Field → heading; an empty heading: not read."""
    fingerprint: str = ""
    shop: str = ""
    used_at: datetime | None = None


def save(conn: Connection, table: ColumnTable, now: datetime) -> bool:
    """Keep a table under its name, in place of one that had it. False when there are too many."""
    values = {
        "shop": clean(table.shop),
        "fingerprint": table.fingerprint,
        "fields": dump({clean(field): clean(heading) for field, heading in table.fields.items()}),
        "used_at": to_micros(now),
    }
    name = clean(table.name)[:64]
    if conn.execute(update(_table).where(_table.c.name == name).values(**values)).rowcount:
        return True
    if len(all_of(conn)) >= MOST:
        return False
    conn.execute(insert(_table).values(name=name, created_at=to_micros(now), **values))
    return True


def all_of(conn: Connection) -> list[ColumnTable]:
    """Every table, the one used last first."""
    query = select(_table).order_by(_table.c.used_at.desc(), _table.c.id.desc()).limit(MOST)
    return [_read(row) for row in conn.execute(query)]


def find(conn: Connection, name: str) -> ColumnTable | None:
    """The table of that name."""
    row = conn.execute(select(_table).where(_table.c.name == clean(name))).first()
    return None if row is None else _read(row)


def by_fingerprint(conn: Connection, shop: str = "") -> dict[str, dict[str, str]]:
    """Fingerprint → field → heading. That shop's own tables win over anybody's; other shops' do not count."""
    known = [each for each in reversed(all_of(conn)) if each.fingerprint]
    anybodys = {each.fingerprint: dict(each.fields) for each in known if not each.shop}
    own = {each.fingerprint: dict(each.fields) for each in known if shop and each.shop == clean(shop)}
    return anybodys | own


def used(conn: Connection, fingerprint: str, now: datetime) -> None:
    """The tables of this header were of use."""
    conn.execute(update(_table).where(_table.c.fingerprint == fingerprint).values(used_at=to_micros(now)))


def remove(conn: Connection, name: str) -> bool:
    """Forget a table; whether there was one."""
    return bool(conn.execute(delete(_table).where(_table.c.name == clean(name))).rowcount)


def _read(row: Any) -> ColumnTable:
    fields = {str(field): str(heading) for field, heading in read_mapping(row.fields).items()}
    return ColumnTable(row.name, fields, row.fingerprint, row.shop, from_micros(row.used_at))
