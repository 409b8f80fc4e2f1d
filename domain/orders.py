"""Orders and parcels: what the merchant owes, and what we know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from domain.journey import Journey

__all__ = ["ORDER_STATUS_ZH", "UNNAMED", "Case", "Neighbour", "Order", "OrderStatus", "Waybill"]


class OrderStatus(StrEnum):
    """What the shop says of the order (`facts/import-formats.md` §3)."""

    AWAITING = "awaiting_shipment"
    SHIPPED = "shipped"
    FINISHED = "finished"
    CLOSED = "closed"
    REFUNDING = "refunding"
    REFUNDED = "refunded"

    @property
    def rank(self) -> int:
        """A row only moves forward: an older export never takes a status back."""
        return list(OrderStatus).index(self)

    @property
    def ended(self) -> bool:
        """Nobody waits for this order any more."""
        return self in (OrderStatus.FINISHED, OrderStatus.CLOSED, OrderStatus.REFUNDED)


ORDER_STATUS_ZH: Final[Mapping[OrderStatus, str]] = {
    OrderStatus.AWAITING: "待发货",
    OrderStatus.SHIPPED: "已发货",
    OrderStatus.FINISHED: "交易完成",
    OrderStatus.CLOSED: "交易关闭",
    OrderStatus.REFUNDING: "退款中",
    OrderStatus.REFUNDED: "已退款",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One order of one shop. No receiver name, street or phone: those are not imported."""

    order_no: str
    merchant: str = ""
    platform: str = ""
    shop: str = ""
    status: OrderStatus = OrderStatus.SHIPPED
    ordered_at: datetime | None = None
    """When the buyer placed it; TikTok's and Temu's clocks start here."""
    paid_at: datetime | None = None
    confirmed_at: datetime | None = None
    shipped_at: datetime | None = None
    promised_ship_at: datetime | None = None
    promised_delivery_at: datetime | None = None
    amount: Decimal | None = None
    """Yuan the buyer paid."""
    receiver_province: str = ""
    receiver_city: str = ""
    warehouse: str = ""
    goods_type: str = ""
    tags: frozenset[str] = frozenset()

    @property
    def sent(self) -> bool:
        """It went out, as far as the shop says; a number on it before that may be taken back."""
        return self.shipped_at is not None or self.status in (OrderStatus.SHIPPED, OrderStatus.FINISHED)


UNNAMED: Final = "auto"
"""The carrier of a number of which nobody has said whose it is."""


@dataclass(frozen=True, slots=True)
class Waybill:
    """A parcel's name: our carrier key (`facts/carriers-codes.csv`) and the number on the label."""

    carrier: str
    waybill_no: str

    def __str__(self) -> str:
        return f"{self.carrier}/{self.waybill_no}"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One order that was sent under a waybill number."""

    order_no: str
    province: str = ""
    city: str = ""
    at: datetime | None = None
    """When the number was used for it."""
    phone: int = 0
    """Equal for equal ends of the receivers' phones, within one parcel; 0 where none is known."""
    sent: bool = True
    """As `Order.sent`."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a rule may look at to judge one parcel."""

    waybill: Waybill
    orders: tuple[Order, ...]
    """The orders inside, the earliest paid first: its promises are the tightest."""
    journey: Journey = field(default_factory=Journey)
    observed_at: datetime | None = None
    """Up to when the carrier's silence is proven (L1)."""
    orders_observed_at: datetime | None = None
    """Up to when the shop's silence is proven: the last export or pull that held these orders."""
    origin: str = ""
    """`省,市` of the warehouse it left from, where the configuration says; nothing when it does not."""
    neighbours: tuple[Neighbour, ...] = ()
    """Every use of the number where there are several, also by orders nobody waits for; else none."""
    siblings: frozenset[str] | None = None
    """The other numbers of the same orders; None: not looked up, as of a parcel that was not sent on."""

    declared: str = ""
    """The carrier the shop named, where the number turned out to be `waybill.carrier`'s; else nothing."""

    @property
    def order(self) -> Order:
        """The order that speaks for the parcel."""
        return self.orders[0]
