"""What a source's documents mean for orders: pure. An order's parcels are those of all its documents that stand.

A shop that ships an order in two boxes has two documents for it; a number that changes, changes within one. So the
documents are remembered, and an order is always told whole: which numbers it has, which it has no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from carriers.names import canonical, watched
from domain.orders import UNNAMED, Order, OrderStatus, Waybill
from domain.remote import Secret
from monitor.erp.base import Outbound, Parcel, Poisoned, Standing, strays
from monitor.store.parcels import Incoming
from monitor.store.pulls import DocumentRow

__all__ = ["PROBLEM_ZH", "Plan", "ShopTerms", "Terms", "order_nos", "plan", "sifted"]

PROBLEM_ZH: Final = {
    "unreadable": "这一行读不懂",
    "unknown_carrier": "不认识的快递公司",
    "not_kept": "存不下来",
}
"""What is wrong with a document a source told of; one of an unknown carrier is watched, though nobody can be asked."""
_UNREAD: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class ShopTerms:
    """What the owner says of one shop of the ERP."""

    shop: str = ""
    """What it is called here; empty: as the ERP calls it."""
    platform: str = ""
    merchant: str = ""
    watch: bool = True


@dataclass(frozen=True, slots=True)
class Terms:
    """What the owner says of a source."""

    platform: str = ""
    merchant: str = ""
    shops: Mapping[str, ShopTerms] = field(default_factory=dict)
    """By the ERP's number or name of the shop."""
    carriers: Mapping[str, str] = field(default_factory=dict)
    """The ERP's own name of a carrier → our key."""
    warehouses: Mapping[str, str] = field(default_factory=dict)
    by_platform_number: bool = False
    """Orders are known by the platform's number, not the ERP's own."""
    phone_tail: Secret | None = None
    """The sender's, where a carrier asks for one."""
    needs_phone: Callable[[str], bool] = lambda carrier: False

    def shop_of(self, told: Outbound) -> ShopTerms:
        """The shop of a document, as it is called here."""
        found = self.shops.get(told.shop_id) or self.shops.get(told.shop)
        if found is None:
            return ShopTerms(told.shop or told.shop_id, self.platform, self.merchant)
        return ShopTerms(
            found.shop or told.shop or told.shop_id,
            found.platform or self.platform,
            found.merchant or self.merchant,
            found.watch,
        )

    def orders_of(self, told: Outbound) -> tuple[str, ...]:
        """The orders inside; a document without any stands for one of its own."""
        first, second = told.orders, told.platform_orders
        if self.by_platform_number:
            first, second = second, first
        return first or second or ((told.number,) if not told.adds else ())

    def carrier_of(self, parcel: Parcel) -> str:
        """Our key: as the owner said, else as the adapter understood it."""
        said = self.carriers.get(parcel.named) or self.carriers.get(parcel.named.strip())
        return said or parcel.carrier or canonical_of(parcel.named)


def canonical_of(named: str) -> str:
    """A name of our table; what merely looks like a code is nobody's."""
    return (canonical(named) or "") if named and not named.isascii() else ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a page changes."""

    documents: tuple[DocumentRow, ...] = ()
    orders: tuple[Incoming, ...] = ()
    """One for each order touched, whole."""
    unchanged: int = 0


@dataclass(slots=True)
class _Known:
    """A document as remembered: what it says itself, and further waybills told of it elsewhere."""

    told: Outbound
    more: tuple[Parcel, ...] = ()
    problem: str = ""
    why: str = ""

    @property
    def stands(self) -> bool:
        return self.told.standing is Standing.SHIPPED and not self.told.adds

    @property
    def parcels(self) -> tuple[Parcel, ...]:
        every = {each.waybill_no: each for each in (*self.more, *self.told.parcels)}
        return tuple(every.values())


def order_nos(terms: Terms, documents: Iterable[Outbound]) -> set[str]:
    """The orders under which further documents of theirs are to be looked for."""
    return {orders[0] for each in documents if (orders := terms.orders_of(each))}


def plan(
    terms: Terms,
    known: Mapping[str, DocumentRow],
    documents: Sequence[Outbound],
    poisoned: Sequence[Poisoned],
    asked_at: datetime,
    again: Iterable[str] = (),
) -> Plan:
    """What these documents change, given what is known of them and of the others of their orders.

    `again`: known ones whose meaning may have changed though they did not, as when the owner names a carrier.
    """
    before = {number: _read(row) for number, row in known.items()}
    after = dict(before)
    changed = dict.fromkeys(number for number in again if number in before)
    for told in sorted(documents, key=lambda each: each.version):
        if terms.shop_of(told).watch and _fold(after, told):
            changed[told.number] = None
    for number in changed:
        after[number] = _judged(terms, after[number])
    problems = _poison(after, poisoned)
    rows = tuple(_row(terms, after[number]) for number in {**changed, **problems})
    rows = tuple(row for row in rows if known.get(row.number) != row)
    touched = {
        order: None
        for number in changed
        for state in (before.get(number), after[number])
        if state is not None
        for order in terms.orders_of(state.told)
    }
    orders = (_order(terms, order, before, after, asked_at) for order in touched)
    kept = tuple(each for each in orders if each is not None)
    return Plan(rows, kept, max(0, len(documents) - len(changed)))


def sifted(
    terms: Terms,
    known: Mapping[str, DocumentRow],
    documents: Sequence[Outbound],
    poisoned: Sequence[Poisoned],
    asked_at: datetime,
) -> tuple[tuple[Outbound, ...], tuple[Poisoned, ...]]:
    """The documents that can be planned, and what is put aside with those that cannot."""
    good: list[Outbound] = []
    aside = list(poisoned)
    for told in documents:
        try:
            plan(terms, known, (told,), (), asked_at)
            good.append(told)
        except Exception as error:  # noqa: BLE001 - put aside, counted and shown
            aside.append(Poisoned(told.number, f"这一行处理不了（{type(error).__name__}）"))
    return tuple(good), tuple(aside)


def _fold(after: dict[str, _Known], told: Outbound) -> bool:
    """Take one telling in; whether it changes anything."""
    old = after.get(told.number)
    if told.adds:
        return _add(after, old, told)
    if told.standing is not Standing.SHIPPED:
        if old is None or not (old.stands or old.problem):
            return False
        told = replace(old.told, standing=Standing.GONE, version=told.version)
    if old is not None and not old.told.adds and _outdated(told.version, old.told.version):
        return False
    if old is None:
        after[told.number] = _Known(told)
        return True
    gone = {each.waybill_no for each in old.told.parcels} - {each.waybill_no for each in told.parcels}
    more = tuple(each for each in old.more if each.waybill_no not in gone)
    new = _Known(told, more)
    if (new.told, new.more) == (old.told, old.more) and old.problem != _UNREAD:
        return False
    after[told.number] = new
    return True


def _outdated(version: int, known: int) -> bool:
    """A telling from before the one known. Where the two are no one count, what is told later is the later word."""
    return 0 < version < known and not strays(known, version)


def _add(after: dict[str, _Known], old: _Known | None, told: Outbound) -> bool:
    """Further waybills of a document; those that come before it wait for it."""
    if old is None:
        after[told.number] = _Known(replace(told, parcels=()), told.parcels)
        return bool(told.parcels)
    have = {each.waybill_no for each in old.parcels}
    fresh = tuple(each for each in told.parcels if each.waybill_no not in have)
    if not fresh:
        return False
    after[told.number] = replace(old, more=(*old.more, *fresh))
    return True


def _poison(after: dict[str, _Known], poisoned: Sequence[Poisoned]) -> dict[str, None]:
    """Rows nobody can read stand beside what is known of their documents."""
    marked: dict[str, None] = {}
    for each in poisoned:
        number = each.number or f"?{sha256(each.body.encode('utf-8', 'replace')).hexdigest()[:16]}"
        old = after.get(number) or _Known(Outbound(number, Standing.PENDING, ()))
        after[number] = replace(old, problem=_UNREAD, why=each.why)
        marked[number] = None
    return marked


def _judged(terms: Terms, known: _Known) -> _Known:
    """With what keeps it from being watched, if anything does; more waybills make no unread document readable."""
    if known.problem == _UNREAD:
        return known
    strange = [each for each in known.parcels if not terms.carrier_of(each) and watched(each.named)]
    if not known.stands or not strange:
        return replace(known, problem="", why="")
    numbers = "、".join(each.waybill_no for each in strange)
    return replace(
        known, problem="unknown_carrier", why=f"运单 {numbers} 的快递公司“{strange[0].named}”不认识"
    )


def _order(
    terms: Terms, order: str, before: Mapping[str, _Known], after: Mapping[str, _Known], asked_at: datetime
) -> Incoming | None:
    """The order as all of its documents tell it now; None where it never was one of ours."""
    was, is_ = (_of_order(terms, order, each) for each in (before, after))
    live_before, live = ([each for each in some if each.stands] for some in (was, is_))
    if not live and not live_before:
        return None
    speaks = max(live or live_before, key=lambda each: (each.told.version, each.told.shipped_at or asked_at))
    now_has = _waybills(terms, live)
    shop = terms.shop_of(speaks.told)
    shipped = [each.told.shipped_at for each in live or live_before if each.told.shipped_at is not None]
    warehouse = speaks.told.warehouse
    return Incoming(
        Order(
            order,
            shop.merchant,
            shop.platform,
            shop.shop,
            OrderStatus.SHIPPED if live else OrderStatus.CLOSED,
            # Of several boxes the last: a clock that begins then accuses none of them too early.
            shipped_at=max(shipped, default=None),
            warehouse=terms.warehouses.get(warehouse, warehouse),
        ),
        tuple(now_has),
        _tail(terms, now_has),
        asked_at,
        dropped=frozenset(_waybills(terms, live_before)) - frozenset(now_has) if live else frozenset(),
        revives=bool(live) and bool(was) and not live_before,
    )


def _of_order(terms: Terms, order: str, every: Mapping[str, _Known]) -> list[_Known]:
    return [each for each in every.values() if order in terms.orders_of(each.told)]


def _waybills(terms: Terms, live: Sequence[_Known]) -> list[Waybill]:
    """Each once; whose it is may be found out later (`monitor/polling/recognise.py`)."""
    found = [(terms.carrier_of(each), each) for one in live for each in one.parcels if watched(each.named)]
    return list(dict.fromkeys(Waybill(key or UNNAMED, each.waybill_no) for key, each in found))


def _tail(terms: Terms, waybills: Sequence[Waybill]) -> str:
    """The sender's last four digits, only where a carrier answers for nothing else."""
    if terms.phone_tail is None or not any(terms.needs_phone(each.carrier) for each in waybills):
        return ""
    return terms.phone_tail.reveal()


# ── as it is kept ────────────────────────────────────────────────────────────────────────────────


def _row(terms: Terms, known: _Known) -> DocumentRow:
    told = known.told
    orders = terms.orders_of(told)
    said = {
        "orders": told.orders,
        "platform_orders": told.platform_orders,
        "shop_id": told.shop_id,
        "shop": told.shop,
        "parcels": [_pair(each) for each in told.parcels],
        "more": [_pair(each) for each in known.more],
        "shipped_at": told.shipped_at.isoformat() if told.shipped_at else None,
        "warehouse": told.warehouse,
        "adds": told.adds,
    }
    return DocumentRow(
        told.number,
        orders[0] if orders else "",
        terms.shop_of(told).shop,
        told.standing.value,
        told.version,
        json.dumps(said, ensure_ascii=False, separators=(",", ":")),
        known.problem,
        known.why,
    )


def _pair(parcel: Parcel) -> list[str]:
    return [parcel.waybill_no, parcel.carrier, parcel.named]


def _read(row: DocumentRow) -> _Known:
    said: dict[str, Any] = json.loads(row.said)
    shipped_at = said.get("shipped_at")
    told = Outbound(
        row.number,
        Standing(row.standing),
        tuple(said.get("orders", ())),
        tuple(said.get("platform_orders", ())),
        said.get("shop_id", ""),
        said.get("shop", ""),
        tuple(Parcel(*each) for each in said.get("parcels", ())),
        datetime.fromisoformat(shipped_at) if shipped_at else None,
        said.get("warehouse", ""),
        row.version,
        bool(said.get("adds")),
    )
    return _Known(told, tuple(Parcel(*each) for each in said.get("more", ())), row.problem, row.why)
