"""Of each parcel the order that speaks for it: the earliest paid of those still linked to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, exists, func, select

from monitor.store import schema
from monitor.store.bulk import chunks

__all__ = ["NOBODY", "Speaking", "of_shops", "speaking"]

_links, _orders = schema.order_parcels, schema.orders


@dataclass(frozen=True, slots=True)
class Speaking:
    """What a list says of a parcel's order; empty where none is known."""

    order_no: str = ""
    shop: str = ""
    platform: str = ""
    merchant: str = ""
    receiver_province: str = ""


NOBODY: Final = Speaking()
_ORDERS: Final = (
    select(
        _links.c.parcel_id,
        *(_orders.c[name] for name in ("order_no", "shop", "platform", "merchant", "receiver_province")),
    )
    .join(_orders, _orders.c.id == _links.c.order_id)
    .where(_links.c.parcel_id.in_(bindparam("ids", expanding=True)))
    .order_by(_links.c.unlinked_at.is_not(None), func.coalesce(_orders.c.paid_at, 1 << 62), _orders.c.id)
)


def speaking(conn: Connection, parcel_ids: Sequence[int]) -> dict[int, Speaking]:
    """By parcel; one without any order has no entry."""
    found: dict[int, Speaking] = {}
    for some in chunks(parcel_ids):
        for parcel_id, *told in conn.execute(_ORDERS, {"ids": list(some)}):
            found.setdefault(parcel_id, Speaking(*told))
    return found


def of_shops(parcel_id: Any, shops: Sequence[str]) -> Any:
    """A condition: one of the parcel's orders is of one of these shops."""
    linked = (_links.c.parcel_id == parcel_id) & _links.c.unlinked_at.is_(None)
    return exists().where(linked, _orders.c.id == _links.c.order_id, _orders.c.shop.in_(shops))
