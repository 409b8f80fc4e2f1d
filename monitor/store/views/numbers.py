"""Numbers that were pasted: taken out of any text, and the parcels they name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from domain.masking import visible
from monitor.store import schema
from monitor.store.bulk import chunks
from monitor.store.codec import clean

__all__ = ["MOST_NUMBERS", "TooMany", "named", "numbers_in"]

MOST_NUMBERS: Final = 500
_LONGEST_TEXT: Final = 100_000
_LONGEST_NUMBER: Final = 100
_MOST_PARCELS: Final = 5000
"""Of one search: an order has a few, and so has a number that was used again."""
_BETWEEN: Final = re.compile(r"""[\s,，、;；|"'‘’“”`=]+""")


class TooMany(ValueError):
    """More numbers than are looked up at once; the text is for the person who pasted them."""

    def __init__(self) -> None:
        super().__init__(f"一次最多查 {MOST_NUMBERS} 个单号，请分几次。")


def numbers_in(text: str) -> tuple[str, ...]:
    """The numbers of a pasted text, each once, in order. Raises `TooMany`.

    They may be parted by blanks, commas, Chinese commas, semicolons, tabs, line ends, in any mix; the
    quotes and `=` of a spreadsheet's cell are dropped, full-width digits and invisible characters mended.
    """
    if len(text) > _LONGEST_TEXT:
        raise TooMany
    # What separates is kept apart before invisible characters go: a line end is one of them.
    parts = (visible(unicodedata.normalize("NFKC", part)).strip() for part in _BETWEEN.split(text))
    found = tuple(dict.fromkeys(clean(part)[:_LONGEST_NUMBER] for part in parts if part))
    if len(found) > MOST_NUMBERS:
        raise TooMany
    return found


def named(conn: Connection, numbers: Sequence[str]) -> dict[str, list[int]]:
    """The parcels of each number, the newest first: by waybill, order or ticket number, as written or in
    capitals. A number nobody knows has no entry."""
    spelt = _spelt(numbers)
    found: dict[str, list[int]] = {}
    for query, column in _QUERIES:
        for some in chunks(list(spelt)):
            for number, parcel_id in conn.execute(query.where(column.in_(some)).limit(_MOST_PARCELS)):
                for written in spelt[number]:
                    found.setdefault(written, []).append(parcel_id)
    return {number: sorted(set(ids), reverse=True) for number, ids in found.items()}


def _spelt(numbers: Iterable[str]) -> Mapping[str, list[str]]:
    """How a number may stand in the store, and as what it was asked for."""
    spelt: dict[str, list[str]] = {}
    for number in numbers:
        for form in dict.fromkeys((number, number.upper())):
            spelt.setdefault(form, []).append(number)
    return spelt


_orders, _links = schema.orders.c, schema.order_parcels.c
_QUERIES: Final[tuple[tuple[Any, Any], ...]] = (
    (select(schema.parcels.c.waybill_no, schema.parcels.c.id), schema.parcels.c.waybill_no),
    (
        select(_orders.order_no, _links.parcel_id).join_from(
            schema.orders, schema.order_parcels, _links.order_id == _orders.id
        ),
        _orders.order_no,
    ),
    (select(schema.tickets.c.number, schema.tickets.c.parcel_id), schema.tickets.c.number),
)
