"""Parcels that share a number: to whoever is asked it is one number, and its ceilings are one.

快递100 locks a number, whatever carrier is named beside it (`facts/carriers-kuaidi100.md`, Limits); for the others the
facts name no ceiling of one number, and the cautious default is as strict. What is paid for is the parcel: 快递鸟
bills by carrier and number, 17TRACK registers by number and carrier.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, bindparam, select

from monitor.store import schema
from monitor.store.bulk import chunks
from monitor.store.providers import lock

__all__ = ["Use", "others"]

_mine, _other = schema.parcels.alias("mine"), schema.parcels.alias("other")


class Use(NamedTuple):
    """How much of its ceilings a number has used, in microseconds."""

    asked_at: int | None
    quota_at: int | None

    def with_(self, other: Use | None) -> Use:
        """Both together: asked when it was asked last, its day used up as far as the one that is further."""
        if other is None:
            return self
        return Use(_later(self.asked_at, other.asked_at), _later(self.quota_at, other.quota_at))


def _later(one: int | None, other: int | None) -> int | None:
    return max((at for at in (one, other) if at is not None), default=None)


def others(
    conn: Connection, provider: str, parcel_ids: Sequence[int], table: Table = schema.due
) -> dict[str, Use]:
    """Of the numbers of these parcels that are other parcels' too, at this account, what was asked in their names.

    `table` says when each was asked: `due`, or `opinions` of a second account. Where there are any the account is
    locked first: two processes may be at two parcels of one number.
    """
    found = _read(conn, provider, parcel_ids, table)
    if not found or conn.dialect.name == "sqlite":
        return found
    lock(conn, provider)
    return _read(conn, provider, parcel_ids, table)


@cache
def _used(table: Table) -> Select[Any]:
    """A parcel that nobody is asked about any more (no provider) may have been asked about here."""
    return (
        select(_mine.c.waybill_no, table.c.asked_at, table.c.quota_at)
        .join(_other, (_other.c.waybill_no == _mine.c.waybill_no) & (_other.c.id != _mine.c.id))
        .join(table, table.c.parcel_id == _other.c.id)
        .where(
            _mine.c.id.in_(bindparam("ids", expanding=True)),
            table.c.provider.in_([bindparam("provider"), ""]),
        )
    )


def _read(conn: Connection, provider: str, parcel_ids: Sequence[int], table: Table) -> dict[str, Use]:
    found: dict[str, Use] = {}
    for some in chunks(parcel_ids):
        for row in conn.execute(_used(table), {"ids": list(some), "provider": provider}):
            found[row.waybill_no] = Use(row.asked_at, row.quota_at).with_(found.get(row.waybill_no))
    return found
