"""The rows a batch of incoming orders is about: read at once, changed in memory, written at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, select

from domain.orders import Waybill
from monitor.store import schema
from monitor.store.bulk import chunks, insert_many, reserve_ids, update_many
from monitor.store.claims import open_tail, phone_context
from monitor.store.rows import ORDER_COLUMNS
from monitor.store.sealing import keys_of, seal

__all__ = ["Ledger", "Link", "OrderKey", "OrderRow", "ParcelRow"]

OrderKey: TypeAlias = tuple[str, str, str, str]
"""merchant, platform, shop, order_no"""

_KEY: Final = ("merchant", "platform", "shop", "order_no")
_orders, _parcels, _links, _due = schema.orders, schema.parcels, schema.order_parcels, schema.due


@dataclass(slots=True, eq=False)
class ParcelRow:
    """A parcel, stored or about to be; moments in microseconds."""

    waybill: Waybill
    cycle: int
    watch_from: int
    id: int = 0
    """0: not stored yet."""
    state: str = "watched"
    why: str = ""
    done_at: int | None = None
    declared: str = ""
    """The carrier that the shop named wrongly."""
    begun_at: int | None = None
    """When the latest of its orders was shipped, else paid."""
    holders: set[OrderKey] = field(default_factory=set)
    """The orders inside."""
    changed: bool = False
    touched: bool = False
    """To be judged again."""


@dataclass(slots=True, eq=False)
class Link:
    """That a parcel is, or was, an order's."""

    parcel: ParcelRow
    linked_at: int
    unlinked_at: int | None = None
    stored: bool = False
    changed: bool = False


@dataclass(slots=True, eq=False)
class OrderRow:
    """An order, stored or about to be."""

    values: dict[str, Any]
    """The columns of `rows.order_values`."""
    observed_at: int
    id: int = 0
    tail: str = ""
    tail_changed: bool = False
    changed: bool = False
    links: dict[Waybill, Link] = field(default_factory=dict)

    @property
    def key(self) -> OrderKey:
        """What an order is known by."""
        return (
            self.values["merchant"],
            self.values["platform"],
            self.values["shop"],
            self.values["order_no"],
        )

    def live(self) -> list[Link]:
        """Its parcels of now."""
        return [link for link in self.links.values() if link.unlinked_at is None]

    @property
    def begins_at(self) -> int | None:
        """When it was shipped, else paid."""
        begins: int | None = self.values["shipped_at"] or self.values["paid_at"]
        return begins


class Ledger:
    """Orders by key and the newest parcel of every waybill, for one batch, inside one transaction."""

    def __init__(self, conn: Connection, keys: Iterable[OrderKey], waybills: Iterable[Waybill]) -> None:
        self.orders: dict[OrderKey, OrderRow] = {}
        self.newest: dict[Waybill, ParcelRow] = {}
        self._declared: dict[Waybill, ParcelRow] = {}
        """By the waybill as the shop wrote it: parcels whose number is another carrier's."""
        self._parcels: dict[int, ParcelRow] = {}
        self._fresh: list[ParcelRow] = []
        self._new: set[int] = set()
        self._read(conn, set(keys), set(waybills))

    def known_as(self, waybill: Waybill) -> Waybill:
        """The name of the parcel that a shop means: it may go on writing the carrier that it is not."""
        meant, exact = self._declared.get(waybill), self.newest.get(waybill)
        if meant is None or (exact is not None and exact.state == "watched"):
            return waybill
        return meant.waybill

    def add_order(self, row: OrderRow) -> OrderRow:
        """An order nobody knew."""
        self.orders[row.key] = row
        return row

    def add_parcel(self, row: ParcelRow) -> ParcelRow:
        """A parcel, or a new use of a number."""
        self.newest[row.waybill] = row
        self._fresh.append(row)
        return row

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def _read(self, conn: Connection, keys: set[OrderKey], waybills: set[Waybill]) -> None:
        by_id = self._read_orders(conn, keys)
        links = _select_links(conn, _links.c.order_id, list(by_id))
        ids = {link.parcel_id for link in links}
        numbers = {form for w in waybills for form in (w.waybill_no, w.waybill_no.lower())}
        ids |= {row.id for row in _rows(conn, _PARCELS_BY_NO, sorted(numbers))}
        for row in _rows(conn, _PARCELS_BY_ID, list(ids)):
            self._take_parcel(row)
        for row in links:
            parcel = self._parcels[row.parcel_id]
            link = Link(parcel, row.linked_at, row.unlinked_at, stored=True)
            known = by_id[row.order_id].links.setdefault(parcel.waybill, link)
            if known.parcel.cycle < parcel.cycle:
                by_id[row.order_id].links[parcel.waybill] = link
        self._read_holders(conn)

    def _read_orders(self, conn: Connection, keys: set[OrderKey]) -> dict[int, OrderRow]:
        by_id: dict[int, OrderRow] = {}
        for row in _rows(conn, _ORDERS_BY_NO, [key[3] for key in keys]):
            found = row._mapping
            values = {column.name: found[column.name] for column in ORDER_COLUMNS}
            order = OrderRow(values, row.observed_at, row.id)
            if order.key in keys:
                if row.phone_tail is not None:
                    order.tail = open_tail(conn, row.id, row.phone_tail)
                by_id[row.id] = self.orders[order.key] = order
        return by_id

    def _take_parcel(self, row: Any) -> None:
        """In capitals, as numbers come in; a parcel of an older release may be kept in small letters."""
        number = row.waybill_no.upper()
        parcel = ParcelRow(
            Waybill(row.carrier, number),
            row.cycle,
            row.watch_from,
            row.id,
            row.state,
            row.why,
            row.done_at,
            row.declared,
        )
        self._parcels[row.id] = parcel
        newest = self.newest.setdefault(parcel.waybill, parcel)
        if newest.cycle < parcel.cycle:
            self.newest[parcel.waybill] = parcel
        if row.declared:
            said = Waybill(row.declared, number)
            latest = self._declared.setdefault(said, parcel)
            if latest.id < parcel.id:
                self._declared[said] = parcel

    def _read_holders(self, conn: Connection) -> None:
        for row in _select_links(conn, _links.c.parcel_id, list(self._parcels)):
            parcel = self._parcels[row.parcel_id]
            begun = row.shipped_at or row.paid_at
            if begun is not None:
                parcel.begun_at = max(begun, parcel.begun_at or begun)
            if row.unlinked_at is None:
                parcel.holders.add((row.merchant, row.platform, row.shop, row.order_no))

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    def write(self, conn: Connection, now: int) -> None:
        """Everything that changed since it was read."""
        self._write_orders(conn, now)
        self._write_parcels(conn, now)
        links = [(order, link) for order in self.orders.values() for link in order.links.values()]
        insert_many(conn, _links, [_link_values(order, link) for order, link in links if not link.stored])
        changed = [_link_values(order, link) for order, link in links if link.stored and link.changed]
        update_many(conn, _links, ("order_id", "parcel_id"), changed)

        self._write_bare(conn, [order for order, link in links if link.changed or not link.stored])

    def _write_bare(self, conn: Connection, moved: Sequence[OrderRow]) -> None:
        """Whether orders that were known before, and whose waybills changed, have any left."""
        rows = {order.id: not order.live() for order in moved if order.id not in self._new}
        update_many(conn, _orders, ("id",), [{"id": id_, "bare": bare} for id_, bare in sorted(rows.items())])

    def _write_orders(self, conn: Connection, now: int) -> None:
        fresh = [order for order in self.orders.values() if not order.id]
        old = [order for order in self.orders.values() if order.id and order.changed]
        for order, id_ in zip(fresh, reserve_ids(conn, _orders, len(fresh)), strict=True):
            order.id = id_
        values = [_order_row(order, now) | {"created_at": now, "bare": not order.live()} for order in fresh]
        self._new = {order.id for order in fresh}
        insert_many(conn, _orders, values)
        update_many(conn, _orders, ("id",), [_order_row(order, now) for order in old])
        tails = [order for order in (*fresh, *old) if order.tail_changed]
        update_many(
            conn,
            _orders,
            ("id",),
            [
                {"id": order.id, "phone_tail": seal(keys_of(conn), order.tail, phone_context(order.id))}
                for order in tails
            ],
        )

    def _write_parcels(self, conn: Connection, now: int) -> None:
        for parcel, id_ in zip(self._fresh, reserve_ids(conn, _parcels, len(self._fresh)), strict=True):
            parcel.id = id_
        insert_many(conn, _parcels, [_parcel_row(parcel, now) for parcel in self._fresh])
        insert_many(conn, _due, [{"parcel_id": parcel.id, "next_deadline_at": now} for parcel in self._fresh])
        update_many(
            conn,
            _parcels,
            ("id",),
            [
                {
                    "id": parcel.id,
                    "state": parcel.state,
                    "why": parcel.why,
                    "declared": parcel.declared,
                    "updated_at": now,
                }
                for parcel in self._parcels.values()
                if parcel.changed
            ],
        )
        touched = [parcel for parcel in self._parcels.values() if parcel.touched]
        update_many(
            conn, _due, ("parcel_id",), [{"parcel_id": p.id, "next_deadline_at": now} for p in touched]
        )
        left = [parcel for parcel in touched if parcel.state != "watched"]
        update_many(conn, _due, ("parcel_id",), [{"parcel_id": p.id, "next_poll_at": None} for p in left])


def _order_row(order: OrderRow, now: int) -> dict[str, Any]:
    return {"id": order.id, **order.values, "observed_at": order.observed_at, "updated_at": now}


def _parcel_row(parcel: ParcelRow, now: int) -> dict[str, Any]:
    return {
        "id": parcel.id,
        "carrier": parcel.waybill.carrier,
        "waybill_no": parcel.waybill.waybill_no,
        "cycle": parcel.cycle,
        "watch_from": parcel.watch_from,
        "created_at": now,
        "updated_at": now,
    }


def _link_values(order: OrderRow, link: Link) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "parcel_id": link.parcel.id,
        "linked_at": link.linked_at,
        "unlinked_at": link.unlinked_at,
    }


def _ids() -> Any:
    return bindparam("ids", expanding=True)


_ORDERS_BY_NO: Final = (
    select(_orders.c.id, _orders.c.observed_at, _orders.c.phone_tail, *ORDER_COLUMNS)
    .where(_orders.c.order_no.in_(_ids()))
    .with_for_update()
)
_PARCELS_BY_NO: Final = select(_parcels.c.id).where(_parcels.c.waybill_no.in_(_ids()))
_PARCELS_BY_ID: Final = (
    select(
        *(_parcels.c[name] for name in ("id", "carrier", "waybill_no", "cycle", "watch_from")),
        *(_parcels.c[name] for name in ("state", "why", "done_at", "declared")),
    )
    .where(_parcels.c.id.in_(_ids()))
    .order_by(_parcels.c.id)
    .with_for_update()
)


def _rows(conn: Connection, query: Any, values: Sequence[Any]) -> list[Any]:
    return [row for some in chunks(values) for row in conn.execute(query, {"ids": list(some)})]


def _select_links(conn: Connection, column: Any, ids: Sequence[int]) -> list[Any]:
    """Links by order or by parcel, with the order's name and times."""
    query = (
        select(
            *_links.c,
            *(_orders.c[name] for name in (*_KEY, "shipped_at", "paid_at")),
        )
        .join(_orders, _orders.c.id == _links.c.order_id)
        .where(column.in_(_ids()))
        .order_by(_links.c.order_id, _links.c.parcel_id)
    )
    return _rows(conn, query, ids)
