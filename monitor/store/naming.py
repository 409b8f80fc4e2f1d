"""One order, known by half its name: the parcel list says the number, the order export also whose it is.

A row that leaves merchant, platform or shop open is taken for the one known order of that number that fits, and an
order that was known by its number alone gets the rest of its name when a fuller row comes (`facts/import-formats.md`
§4 no. 17). Where several fit, and for numbers so short that two shops may both have them, nothing is assumed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Connection, select, update

from domain.orders import Order
from domain.time import to_micros
from monitor.store import schema
from monitor.store.bulk import chunks
from monitor.store.codec import clean

__all__ = ["LEAST", "named"]

LEAST: Final = 9
"""Characters of a number that no two shops have by accident; platforms' and ERPs' have twelve and more."""
_orders, _links, _due = schema.orders, schema.order_parcels, schema.due
Parts: TypeAlias = tuple[str, str, str]
"""merchant, platform, shop"""


def named(conn: Connection, orders: Sequence[Order], now: datetime) -> list[Order]:
    """These orders under the names they are kept by. Renames a known one where a fuller name has come."""
    known = _known(conn, {clean(order.order_no) for order in orders if len(order.order_no) >= LEAST})
    return [_one(conn, order, known, now) for order in orders]


def _known(conn: Connection, numbers: set[str]) -> dict[str, dict[Parts, int]]:
    """Number → name → id of the orders in the store."""
    found: dict[str, dict[Parts, int]] = defaultdict(dict)
    columns = (_orders.c.id, _orders.c.order_no, _orders.c.merchant, _orders.c.platform, _orders.c.shop)
    for some in chunks(sorted(numbers)):
        for row in conn.execute(select(*columns).where(_orders.c.order_no.in_(some))):
            found[row.order_no][row.merchant, row.platform, row.shop] = row.id
    return found


def _one(conn: Connection, order: Order, known: dict[str, dict[Parts, int]], now: datetime) -> Order:
    number = clean(order.order_no)
    same = known.get(number, {})
    mine = (clean(order.merchant), clean(order.platform), clean(order.shop))
    if mine in same:
        return order
    fitting = [
        parts for parts in same if all(a == b or not a or not b for a, b in zip(parts, mine, strict=True))
    ]
    if len(fitting) != 1:
        if len(order.order_no) >= LEAST:
            known.setdefault(number, {}).setdefault(mine, 0)
        return order
    [theirs] = fitting
    whole = merchant, platform, shop = (theirs[0] or mine[0], theirs[1] or mine[1], theirs[2] or mine[2])
    if whole != theirs:
        if not same[theirs]:  # of this very batch: it goes in under the name it has
            return order
        _rename(conn, same[theirs], whole, now)
        same[whole] = same.pop(theirs)
    return replace(order, merchant=merchant, platform=platform, shop=shop)


def _rename(conn: Connection, order_id: int, name: Parts, now: datetime) -> None:
    """The order's own policy may be another one now: its parcels are judged again."""
    merchant, platform, shop = name
    conn.execute(
        update(_orders)
        .where(_orders.c.id == order_id)
        .values(merchant=merchant, platform=platform, shop=shop, updated_at=to_micros(now))
    )
    parcels = select(_links.c.parcel_id).where(_links.c.order_id == order_id, _links.c.unlinked_at.is_(None))
    conn.execute(update(_due).where(_due.c.parcel_id.in_(parcels)).values(next_deadline_at=to_micros(now)))
