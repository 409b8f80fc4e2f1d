"""What carriers tell: milestones, exceptions, scans and answers.

Names and ranks are those of `facts/platform-rules.md` §9. A scan keeps the carrier's words and code;
the milestone is what it means to us, and stays `UNKNOWN` where nobody knows. How answers become a
history is in `domain/history.py`, what a history amounts to in `domain/journey.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.time import aware

__all__ = [
    "CLOSED_BY_NEXT_SCAN",
    "EXCEPTION_ZH",
    "FORWARD",
    "MILESTONE_ZH",
    "MOVEMENTS",
    "Answer",
    "DeliveredKind",
    "ExceptionKind",
    "Milestone",
    "Motion",
    "TrackingEvent",
]


class Milestone(StrEnum):
    """A step of a parcel's life. Order-level ones come from the shop, the others from the carrier."""

    UNKNOWN = "unknown"
    ORDERED = "ordered"
    PAID = "paid"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    LABEL_CREATED = "label_created"
    PICKED_UP = "picked_up"
    DEPARTED_FIRST_HUB = "departed_first_hub"
    IN_TRANSIT = "in_transit"
    EXPORT_CUSTOMS = "export_customs"
    IMPORT_CUSTOMS = "import_customs"
    CUSTOMS_CLEARED = "customs_cleared"
    ARRIVED_DEST_CITY = "arrived_dest_city"
    AT_DELIVERY_STATION = "at_delivery_station"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERY_FAILED = "delivery_failed"
    READY_FOR_COLLECTION = "ready_for_collection"
    DELIVERED = "delivered"
    BUYER_CONFIRMED = "buyer_confirmed"
    RETURNING = "returning"
    RETURNED = "returned"
    CANCELLED = "cancelled"

    @property
    def rank(self) -> int:
        """How far along: a lower rank after a higher one is an event, not a new state."""
        return _RANKS[self]

    @property
    def ends(self) -> bool:
        """The journey is over."""
        return self in _TERMINAL


_RANKS: Final[Mapping[Milestone, int]] = {
    Milestone.UNKNOWN: -1,
    Milestone.ORDERED: 0,
    Milestone.PAID: 10,
    Milestone.CONFIRMED: 15,
    Milestone.SHIPPED: 20,
    Milestone.LABEL_CREATED: 25,
    Milestone.PICKED_UP: 30,
    Milestone.DEPARTED_FIRST_HUB: 35,
    Milestone.IN_TRANSIT: 40,
    Milestone.EXPORT_CUSTOMS: 43,
    Milestone.IMPORT_CUSTOMS: 46,
    Milestone.CUSTOMS_CLEARED: 48,
    Milestone.ARRIVED_DEST_CITY: 50,
    Milestone.AT_DELIVERY_STATION: 55,
    Milestone.OUT_FOR_DELIVERY: 60,
    Milestone.DELIVERY_FAILED: 62,
    Milestone.READY_FOR_COLLECTION: 65,
    Milestone.DELIVERED: 70,
    Milestone.BUYER_CONFIRMED: 80,
    Milestone.RETURNING: 90,
    Milestone.RETURNED: 95,
    Milestone.CANCELLED: 99,
}
_TERMINAL: Final = frozenset({Milestone.DELIVERED, Milestone.RETURNED, Milestone.CANCELLED})
MOVEMENTS: Final = frozenset(
    milestone for milestone in Milestone if milestone.rank >= Milestone.PICKED_UP.rank
) - {Milestone.BUYER_CONFIRMED, Milestone.CANCELLED}
"""Scans that say the parcel was touched: they end a wait and restart a staleness clock."""
FORWARD: Final = frozenset(m for m in MOVEMENTS if m.rank < Milestone.RETURNING.rank)
"""Movements towards the receiver."""

MILESTONE_ZH: Final[Mapping[Milestone, str]] = {
    Milestone.UNKNOWN: "未识别",
    Milestone.ORDERED: "下单",
    Milestone.PAID: "付款",
    Milestone.CONFIRMED: "成团/订单确认",
    Milestone.SHIPPED: "发货",
    Milestone.LABEL_CREATED: "待揽收",
    Milestone.PICKED_UP: "揽收",
    Milestone.DEPARTED_FIRST_HUB: "离开首个分拨中心",
    Milestone.IN_TRANSIT: "运输中",
    Milestone.EXPORT_CUSTOMS: "出口清关",
    Milestone.IMPORT_CUSTOMS: "清关",
    Milestone.CUSTOMS_CLEARED: "清关完成",
    Milestone.ARRIVED_DEST_CITY: "到达派件城市",
    Milestone.AT_DELIVERY_STATION: "到达派件网点",
    Milestone.OUT_FOR_DELIVERY: "派件中",
    Milestone.DELIVERY_FAILED: "派件不成功",
    Milestone.READY_FOR_COLLECTION: "待取件",
    Milestone.DELIVERED: "签收",
    Milestone.BUYER_CONFIRMED: "确认收货",
    Milestone.RETURNING: "退回中",
    Milestone.RETURNED: "退回签收",
    Milestone.CANCELLED: "已取消",
}


class ExceptionKind(StrEnum):
    """Trouble beside the milestone; it opens and closes on its own (§9)."""

    REFUSED = "refused"
    LOST = "lost"
    DAMAGED = "damaged"
    SHORT_CONTENT = "short_content"
    ADDRESS_ERROR = "address_error"
    CONTACT_FAILURE = "contact_failure"
    OUT_OF_AREA = "out_of_area"
    HELD = "held"
    HUB_CONGESTION = "hub_congestion"
    FORCE_MAJEURE = "force_majeure"
    RESCHEDULED = "rescheduled"
    FORWARDED = "forwarded"
    INTERCEPTED = "intercepted"
    CUSTOMS_EXCEPTION = "customs_exception"
    LOCKER_OVERDUE = "locker_overdue"
    PICKUP_FAILED = "pickup_failed"
    NO_RECORD = "no_record"
    TRANSIT_WAREHOUSE = "transit_warehouse"
    SIGNED_THEN_STORED = "signed_then_stored"
    """Derived: put into a station after "signed" (`facts/carriers.md`, realities)."""


EXCEPTION_ZH: Final[Mapping[ExceptionKind, str]] = {
    ExceptionKind.REFUSED: "拒收",
    ExceptionKind.LOST: "丢失",
    ExceptionKind.DAMAGED: "破损",
    ExceptionKind.SHORT_CONTENT: "内件短少",
    ExceptionKind.ADDRESS_ERROR: "地址有误",
    ExceptionKind.CONTACT_FAILURE: "联系不上收件人",
    ExceptionKind.OUT_OF_AREA: "超区",
    ExceptionKind.HELD: "滞留/问题件",
    ExceptionKind.HUB_CONGESTION: "爆仓积压",
    ExceptionKind.FORCE_MAJEURE: "不可抗力",
    ExceptionKind.RESCHEDULED: "改约派送",
    ExceptionKind.FORWARDED: "转寄/转单",
    ExceptionKind.INTERCEPTED: "拦截",
    ExceptionKind.CUSTOMS_EXCEPTION: "清关异常",
    ExceptionKind.LOCKER_OVERDUE: "驿站/柜超时未取",
    ExceptionKind.PICKUP_FAILED: "揽收失败",
    ExceptionKind.NO_RECORD: "查无记录",
    ExceptionKind.TRANSIT_WAREHOUSE: "中转仓签收",
    ExceptionKind.SIGNED_THEN_STORED: "先签收后入站",
}

CLOSED_BY_NEXT_SCAN: Final = frozenset(
    {
        ExceptionKind.HELD,
        ExceptionKind.HUB_CONGESTION,
        ExceptionKind.FORCE_MAJEURE,
        ExceptionKind.CONTACT_FAILURE,
        ExceptionKind.RESCHEDULED,
        ExceptionKind.PICKUP_FAILED,
        ExceptionKind.ADDRESS_ERROR,
        ExceptionKind.OUT_OF_AREA,
        ExceptionKind.NO_RECORD,
    }
)
"""§9: a later scan closes these. Address and area trouble end the same way: the parcel moved on."""

_REMARKS: Final = CLOSED_BY_NEXT_SCAN - {ExceptionKind.PICKUP_FAILED}
"""A transit line that carries one of these is a remark about standing still, not a movement (§11)."""

_TROUBLE: Final = frozenset(
    {
        ExceptionKind.REFUSED,
        ExceptionKind.LOST,
        ExceptionKind.DAMAGED,
        ExceptionKind.SHORT_CONTENT,
        ExceptionKind.INTERCEPTED,
        ExceptionKind.CUSTOMS_EXCEPTION,
        ExceptionKind.LOCKER_OVERDUE,
    }
)
"""So is a line that carries one of these, unless it says that the parcel came or went."""

_STANDING: Final = frozenset(
    {
        Milestone.IN_TRANSIT,
        Milestone.EXPORT_CUSTOMS,
        Milestone.IMPORT_CUSTOMS,
        Milestone.ARRIVED_DEST_CITY,
        Milestone.AT_DELIVERY_STATION,
    }
)


class DeliveredKind(StrEnum):
    """Who or what took the parcel."""

    SELF = "self"
    AGENT = "agent"
    LOCKER = "locker"
    STATION = "station"
    RECEPTION = "reception"
    TRANSIT_WAREHOUSE = "transit_warehouse"


class Motion(StrEnum):
    """Whether a transit scan says the parcel came or went."""

    ARRIVED = "arrived"
    DEPARTED = "departed"


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """One scan, or one line of the carrier's page, as it was put; phones already masked."""

    occurred_at: datetime
    milestone: Milestone
    text: str
    code: str = ""
    status: str = ""
    exceptions: frozenset[ExceptionKind] = frozenset()
    delivered_kind: DeliveredKind | None = None
    motion: Motion | None = None
    area: str = ""
    """`省,市,区` where the provider says it."""
    hub: str = ""
    outlet: str = ""
    courier: str = ""
    next_stop: str = ""
    forecast: bool = False
    """A line about the future ("预计送达"): kept and shown, never a movement."""
    written: str = ""
    """The time as it was written, where that names no moment: a day alone (`occurred_at` is then its last
    second), or a wall clock without a zone."""
    overlaid: bool = field(default=False, compare=False)
    """The provider's own "overdue" clock stands on this row: its code says nothing of the scan beneath."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "occurred_at", aware(self.occurred_at))

    @property
    def node(self) -> str:
        """The place the line speaks of: hub, else outlet."""
        return self.hub or self.outlet

    @property
    def moves(self) -> bool:
        """A movement scan: not a forecast, not a label, not a remark about standing still."""
        if self.forecast or self.milestone not in MOVEMENTS:
            return False
        standing_still = _REMARKS if self.motion is not None else _REMARKS | _TROUBLE
        return not (self.milestone in _STANDING and self.exceptions & standing_still)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said of one waybill. No events is an answer too: "never heard of it"."""

    carrier: str
    waybill_no: str
    events: tuple[TrackingEvent, ...] = ()
    read_at: datetime | None = None
    """When the provider last read the carrier, where it says so."""
    whole: bool = True
    """The list holds everything the provider has, so a known scan that is missing was withdrawn."""
    late: bool = False
    """Perhaps older than what is known: a push can be held up, or played again."""
    alone: bool = False
    """Each scan is told once, when it is new: beside a known one of its second it is another one."""
    corrected_carrier: str = ""
    remark: str = ""
    """Why there is nothing, in the provider's words."""
    unknown_codes: tuple[str, ...] = ()
    """Codes and texts of this answer that are in no table (L7)."""
