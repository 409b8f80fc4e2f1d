"""What stands beside a parcel: the other uses of its number, and the other numbers of its orders.

Read only where there are any. A purged order or phone leaves a use without it: what is not known is claimed
of nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select

from domain.orders import Neighbour
from monitor.store import schema
from monitor.store.claims import open_tail
from monitor.store.codec import moment
from monitor.store.rows import read_order

__all__ = ["USE_COLUMNS", "siblings", "uses"]

_links, _orders, _parcels = schema.order_parcels, schema.orders, schema.parcels
USE_COLUMNS: Final = (_orders.c.id.label("order_id"), _links.c.linked_at, _orders.c.phone_tail)
"""What `uses` needs beside `ORDER_COLUMNS`."""
_USED_AT: Final = ("shipped_at", "paid_at", "confirmed_at", "ordered_at", "linked_at")

_mine, _theirs = _links.alias("mine"), _links.alias("theirs")
_SIBLINGS: Final = (
    select(_mine.c.parcel_id, _parcels.c.waybill_no)
    .join(_theirs, _theirs.c.order_id == _mine.c.order_id)
    .join(_parcels, _parcels.c.id == _theirs.c.parcel_id)
    .where(
        _mine.c.parcel_id.in_(bindparam("ids", expanding=True)),
        _theirs.c.parcel_id != _mine.c.parcel_id,
        _theirs.c.unlinked_at.is_(None),
    )
)


def uses(conn: Connection, linked: Sequence[Row[Any]]) -> tuple[Neighbour, ...]:
    """Every use of a number by its order rows, where there are several.

    Phones are numbered in the order met, so that no digit of them leaves the store.
    """
    if len(linked) < 2:
        return ()
    phones: dict[str, int] = {}
    return tuple(_use(row, _phone(conn, row, phones)) for row in linked)


def _use(row: Row[Any], phone: int) -> Neighbour:
    found = row._mapping
    used_at = next((found[name] for name in _USED_AT if found[name] is not None), None)
    return Neighbour(
        row.order_no,
        row.receiver_province,
        row.receiver_city,
        moment(used_at),
        phone,
        read_order(row).sent,
    )


def _phone(conn: Connection, row: Row[Any], phones: dict[str, int]) -> int:
    tail = open_tail(conn, row.order_id, row.phone_tail) if row.phone_tail is not None else ""
    return phones.setdefault(tail, len(phones) + 1) if tail else 0


def siblings(conn: Connection, parcel_ids: Sequence[int]) -> Mapping[int, frozenset[str]]:
    """By parcel, the other numbers under which its orders travel now."""
    if not parcel_ids:
        return {}
    found: dict[int, set[str]] = defaultdict(set)
    for row in conn.execute(_SIBLINGS, {"ids": list(parcel_ids)}):
        found[row.parcel_id].add(row.waybill_no)
    return {parcel_id: frozenset(found[parcel_id]) for parcel_id in parcel_ids}
