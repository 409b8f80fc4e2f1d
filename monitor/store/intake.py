"""Orders come in: from a file, an interface, or a system behind. Twice the same changes nothing.

A row only moves forward (`facts/import-formats.md` §4 no. 18): what an older export says never
replaces a newer word, and an empty value never a present one. A changed waybill keeps the history of
the earlier parcel (feature A3). A number that comes back after two months is another parcel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from carriers.names import display
from domain.orders import ORDER_STATUS_ZH, UNNAMED, Order, OrderStatus, Waybill
from domain.time import from_micros, to_micros
from monitor.store.bulk import chunks
from monitor.store.carriers import REUSED_AFTER, name_parcel
from monitor.store.codec import clean, length
from monitor.store.ledger import Ledger, Link, OrderKey, OrderRow, ParcelRow
from monitor.store.rows import order_values

__all__ = ["Incoming", "Taken", "intake"]

_BATCH: Final = 1000
_REUSED_AFTER: Final = length(REUSED_AFTER) or 0
_BEFORE_START: Final = length(timedelta(days=2)) or 0
_UNDATED: Final = length(timedelta(days=30)) or 0
_EMPTY: Final = (None, "")

Whole: TypeAlias = Mapping[tuple[OrderKey, datetime], frozenset[Waybill]]
"""All waybills one export names for an order, over all of its rows."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One row: an order, the parcels it went into, and when its source knew that."""

    order: Order
    waybills: tuple[Waybill, ...]
    phone_tail: str
    """The last four digits, or nothing."""
    known_at: datetime
    dropped: frozenset[Waybill] = frozenset()
    """Numbers its source has taken back from the order, while others stay."""
    revives: bool = False
    """Its source takes back that the order was closed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a row."""

    outcome: str
    """`accepted` (new), `updated`, `unchanged`, or `older` (we know better already)."""
    parcel_ids: tuple[int, ...]
    """The parcels of its waybills."""
    detail: str
    """For the person who imported it."""


def intake(conn: Connection, incoming: Sequence[Incoming], now: datetime) -> list[Taken]:
    """Take rows in, one verdict each, in order. New and changed parcels are due for judging at once.

    An order that has ended is taken as well: whether anything is still owed, the judgement says.
    """
    incoming = _one_name(incoming)
    whole: dict[tuple[OrderKey, datetime], frozenset[Waybill]] = {}
    for row in incoming:
        name = (_key(row.order), row.known_at)
        whole[name] = whole.get(name, frozenset()) | {_cleaned(each) for each in row.waybills}
    return [taken for some in chunks(incoming, _BATCH) for taken in _batch(conn, some, whole, to_micros(now))]


def _one_name(incoming: Sequence[Incoming]) -> list[Incoming]:
    """Where a row leaves the carrier open that another one of the same order names, that one is meant."""
    said: dict[tuple[OrderKey, str], dict[Waybill, None]] = {}
    for row in incoming:
        for each in map(_cleaned, row.waybills):
            if each.carrier != UNNAMED:
                said.setdefault((_key(row.order), each.waybill_no), {})[each] = None

    def meant(row: Incoming) -> tuple[Waybill, ...]:
        named = (
            said.get((_key(row.order), each.waybill_no), (each,)) if each.carrier == UNNAMED else (each,)
            for each in map(_cleaned, row.waybills)
        )
        return tuple(dict.fromkeys(each for some in named for each in some))

    return [replace(row, waybills=meant(row)) for row in incoming]


def _batch(conn: Connection, rows: Sequence[Incoming], whole: Whole, now: int) -> list[Taken]:
    keys = {_key(row.order) for row in rows}
    named = {waybill for row in rows for waybill in whole[_key(row.order), row.known_at]}
    ledger = Ledger(conn, keys, named)
    if freshly := _name(conn, ledger, rows, now):
        ledger = Ledger(conn, keys, named)
    known_before = set(ledger.orders)
    verdicts = [_Row(ledger, row, whole, now, freshly).take(known_before) for row in rows]
    ledger.write(conn, now)
    return [Taken(outcome, tuple(p.id for p in parcels), detail) for outcome, parcels, detail in verdicts]


def _name(conn: Connection, ledger: Ledger, rows: Sequence[Incoming], now: int) -> frozenset[int]:
    """Give parcels of nobody's carrier the one that their own order names now; the ids of those that got one.

    Not where another merchant has an order in the parcel, too: whether it means the same carrier nobody has said.
    """
    freshly: set[int] = set()
    for row in rows:
        order = ledger.orders.get(_key(row.order))
        if order is None:
            continue
        live = {
            link.parcel.waybill
            for link in order.live()
            if all(holder[0] == order.key[0] for holder in link.parcel.holders)
        }
        for waybill in row.waybills:
            waits = Waybill(UNNAMED, waybill.waybill_no) in live
            if waits and (named := name_parcel(conn, waybill, from_micros(now))) is not None:
                freshly.add(named)
    return frozenset(freshly)


class _Row:
    """One incoming row meeting what is known."""

    def __init__(
        self, ledger: Ledger, row: Incoming, whole: Whole, now: int, freshly: Set[int] = frozenset()
    ) -> None:
        """`freshly`: parcels that just got a carrier from this batch."""
        self._ledger = ledger
        self._row = row
        self._freshly = freshly
        self._known = to_micros(row.known_at)
        self._whole = frozenset(self._all_meant(whole[_key(row.order), row.known_at]))
        self._now = now
        self._said: list[str] = []
        """What changed, in words."""
        self._noted: list[str] = []
        self._passed_over = False
        """The row says something else than we do, and we know better."""
        self._left: set[str] = set()
        """Numbers that were in a parcel without a carrier until this row."""

    def take(self, known_before: set[OrderKey]) -> tuple[str, list[ParcelRow], str]:
        """The outcome, the parcels, and the words."""
        values = order_values(self._row.order)
        key = _key(self._row.order)
        order = self._ledger.orders.get(key)
        first = order is None
        if order is None:
            order = self._ledger.add_order(OrderRow(values, self._known))
            order.tail = _tail(self._row.phone_tail)
            order.tail_changed = bool(order.tail)
        seen_before = order.observed_at
        if not first:
            self._merge(order, values)
        said = self._row.waybills
        named = self._all_meant(said)
        self._leave_nameless(order, named)
        if self._known > seen_before:
            self._unlink_replaced(order)
        if self._known > seen_before:
            dropped = self._all_meant(map(_cleaned, self._row.dropped))
            self._unlink_dropped(order, set(dropped) - set(named))
        parcels = [self._place(order, each, seen_before) for each in named]
        newer = self._known > seen_before
        self._put_right(said, (each for each in parcels if each and (newer or each.id in self._freshly)))
        if self._said or (self._known > seen_before and order.values["shipped_at"] is None):
            for link in order.live():
                link.parcel.touched = True
        return (
            self._outcome(first, key in known_before),
            [parcel for parcel in parcels if parcel is not None],
            "；".join([*self._said, *self._noted]) or _QUIET_ZH[first, self._passed_over],
        )

    def _outcome(self, first: bool, known_before: bool) -> str:
        if first or (self._said and not known_before):
            return "accepted"
        if self._said:
            return "updated"
        return "older" if self._passed_over else "unchanged"

    # ── the order ────────────────────────────────────────────────────────────────────────────────

    def _merge(self, order: OrderRow, values: Mapping[str, Any]) -> None:
        newer = self._known >= order.observed_at
        for name, new in values.items():
            old = order.values[name]
            if name == "status" or new in _EMPTY or new == old:
                continue
            if newer or old in _EMPTY:
                order.values[name], order.changed = new, True
                self._said.append(f"{_NAMES_ZH.get(name, name)}已更新")
            else:
                self._passed_over = True
        self._merge_status(order, OrderStatus(values["status"]))
        tail = _tail(self._row.phone_tail)
        if tail and tail != order.tail and (newer or not order.tail):
            order.tail, order.tail_changed, order.changed = tail, True, True
            self._said.append("手机尾号已更新")
        if self._known > order.observed_at:
            order.observed_at, order.changed = self._known, True

    def _merge_status(self, order: OrderRow, new: OrderStatus) -> None:
        """Forward only; but a refund can be called off."""
        old = OrderStatus(order.values["status"])
        if new is old:
            return
        called_off = old is OrderStatus.REFUNDING and self._known > order.observed_at
        called_off |= self._row.revives and old is OrderStatus.CLOSED
        if self._known >= order.observed_at and (new.rank > old.rank or called_off):
            order.values["status"], order.changed = new.value, True
            self._said.append(f"状态 {ORDER_STATUS_ZH[old]} → {ORDER_STATUS_ZH[new]}")
        else:
            self._passed_over = True

    # ── its parcels ──────────────────────────────────────────────────────────────────────────────

    def _all_meant(self, waybills: Iterable[Waybill]) -> list[Waybill]:
        return list(dict.fromkeys(meant for each in waybills for meant in self._meant(each)))

    def _meant(self, waybill: Waybill) -> list[Waybill]:
        """The names of the parcels meant: a number without a carrier is those that its order has of it already."""
        order = self._ledger.orders.get(_key(self._row.order))
        if waybill.carrier == UNNAMED and order is not None:
            mine = [each.parcel.waybill for each in order.live()]
            same = [each for each in mine if each.waybill_no == waybill.waybill_no]
            if same:
                return [each for each in same if each.carrier != UNNAMED] or same
        return [self._ledger.known_as(waybill)]

    def _leave_nameless(self, order: OrderRow, named: Sequence[Waybill]) -> None:
        """Its carrier is named now, and the parcel could not be renamed: the order goes over to that carrier's."""
        carriers = {each.waybill_no: each.carrier for each in named if each.carrier != UNNAMED}
        for link in order.live():
            number = link.parcel.waybill.waybill_no
            if link.parcel.waybill.carrier == UNNAMED and number in carriers:
                whose = display(carriers[number])
                self._unlink(order, link, f"单号是{whose}的；订单已转到那个包裹")
                self._said.append(f"运单 {number} 的快递公司写明了：{whose}")
                self._left.add(number)

    def _unlink_replaced(self, order: OrderRow) -> None:
        """A newer export with other numbers only: the shop changed them."""
        live = [link for link in order.live() if link.parcel.waybill not in self._whole]
        if not self._whole or not live or len(live) < len(order.live()):
            return
        numbers = "、".join(sorted(each.waybill_no for each in self._whole))
        for link in live:
            self._unlink(order, link, f"商家已把运单号换成 {numbers}")
            self._said.append(f"运单 {link.parcel.waybill.waybill_no} 已换成 {numbers}")

    def _unlink_dropped(self, order: OrderRow, dropped: Set[Waybill]) -> None:
        """One of several numbers that its source took back or changed."""
        for link in order.live():
            if link.parcel.waybill in dropped:
                self._unlink(order, link, "商家已从订单里撤下这个运单号")
                self._said.append(f"运单 {link.parcel.waybill.waybill_no} 已撤下")

    def _unlink(self, order: OrderRow, link: Link, why: str) -> None:
        """The order has left the parcel; the parcel that all have left is watched no more."""
        link.unlinked_at, link.changed = self._now, True
        parcel = link.parcel
        parcel.holders.discard(order.key)
        parcel.touched = True
        if not parcel.holders and parcel.state == "watched":
            parcel.state, parcel.why, parcel.changed = "unwatched", why, True

    def _put_right(self, said: Sequence[Waybill], parcels: Iterable[ParcelRow]) -> None:
        """The shop names the carrier now that it named wrongly before."""
        for parcel in parcels:
            if parcel.declared and parcel.waybill in said:
                parcel.declared, parcel.changed, parcel.touched = "", True, True
                self._said.append(f"运单 {parcel.waybill.waybill_no} 的快递公司已改正")

    def _place(self, order: OrderRow, waybill: Waybill, seen_before: int) -> ParcelRow | None:
        """The order's parcel of that number, linked now if it may be."""
        link = order.links.get(waybill)
        if link is not None and link.unlinked_at is None:
            return link.parcel
        late = self._known < seen_before and waybill.waybill_no not in self._left
        if late and (link is not None or order.live()):
            self._passed_over = True
            return None
        if link is None:
            parcel = self._parcel(order, waybill)
            if parcel is None:
                return None
            order.links[waybill] = Link(parcel, self._now)
        else:
            parcel, link.unlinked_at, link.changed = link.parcel, None, True
        parcel.holders.add(order.key)
        parcel.touched = True
        if parcel.state == "unwatched":
            parcel.state, parcel.why, parcel.changed = "watched", "", True
        self._said.append(f"监控运单 {waybill.waybill_no}")
        return parcel

    def _parcel(self, order: OrderRow, waybill: Waybill) -> ParcelRow | None:
        """The newest parcel of that number, a new one, or none when the order is from long before it."""
        newest = self._ledger.newest.get(waybill)
        begins = order.begins_at or self._known
        if newest is not None and newest.begun_at is not None and newest.begun_at - begins >= _REUSED_AFTER:
            self._passed_over = True
            self._noted.append(f"运单 {waybill.waybill_no} 已被更新的订单使用，这一单太早，不再监控")
            return None
        if newest is not None and not _used_up(newest, begins):
            newest.begun_at = max(newest.begun_at or begins, begins)
            return newest
        began = (order.values[name] for name in ("ordered_at", "paid_at", "shipped_at"))
        started = [at for at in began if at is not None]
        return self._ledger.add_parcel(
            ParcelRow(
                waybill,
                cycle=0 if newest is None else newest.cycle + 1,
                watch_from=min(started) - _BEFORE_START if started else self._now - _UNDATED,
                begun_at=begins,
            )
        )


def _used_up(parcel: ParcelRow, begins: int) -> bool:
    """The number served a parcel of two months ago: this is another one."""
    done = parcel.state == "done" and parcel.done_at is not None and begins - parcel.done_at >= _REUSED_AFTER
    return done or (parcel.begun_at is not None and begins - parcel.begun_at >= _REUSED_AFTER)


def _key(order: Order) -> OrderKey:
    return (clean(order.merchant), clean(order.platform), clean(order.shop), clean(order.order_no))


def _cleaned(waybill: Waybill) -> Waybill:
    """Carriers write their letters in capitals: whoever writes them small means the same number."""
    return Waybill(clean(waybill.carrier), clean(waybill.waybill_no).upper())


def _tail(text: str) -> str:
    """Never more than four digits are kept, whatever was handed in."""
    return clean(text.strip())[-4:]


_QUIET_ZH: Final = {
    (True, False): "新订单，还没有运单号",
    (True, True): "新订单，没有可监控的运单",
    (False, False): "没有变化",
    (False, True): "已有更新的数据，这一行较旧，没有覆盖",
}
_NAMES_ZH: Final = {
    "ordered_at": "下单时间",
    "paid_at": "付款时间",
    "confirmed_at": "确认时间",
    "shipped_at": "发货时间",
    "promised_ship_at": "承诺发货时间",
    "promised_delivery_at": "承诺送达时间",
    "amount_cents": "金额",
    "receiver_province": "收货省份",
    "receiver_city": "收货城市",
    "warehouse": "仓库",
    "goods_type": "商品类型",
    "tags": "标签",
}
