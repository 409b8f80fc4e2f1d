"""What carriers tell: milestones, exceptions, scans, and one waybill's journey.

Names and ranks are those of `facts/platform-rules.md` §9. A scan keeps the carrier's words and code;
the milestone is what it means to us, and stays `UNKNOWN` where nobody knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.time import aware

__all__ = [
    "EXCEPTION_ZH",
    "FORWARD",
    "HUB_WORDS",
    "MILESTONE_ZH",
    "MOVEMENTS",
    "Answer",
    "DeliveredKind",
    "ExceptionKind",
    "Journey",
    "Merge",
    "Milestone",
    "Motion",
    "OpenException",
    "Stored",
    "TrackingEvent",
    "Whereabouts",
    "condense",
    "merge",
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

_CLOSED_BY_NEXT_SCAN: Final = frozenset(
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

_REMARKS: Final = _CLOSED_BY_NEXT_SCAN - {ExceptionKind.PICKUP_FAILED}
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


class Whereabouts(StrEnum):
    """Where a silent parcel stands, as the platforms tell stalls apart (feature C2)."""

    AT_PICKUP = "at_pickup"
    IN_NODE = "in_node"
    BETWEEN_NODES = "between_nodes"
    DELIVERY_LEG = "delivery_leg"

    @property
    def zh(self) -> str:
        """How a person in the group would say it."""
        return {
            "at_pickup": "揽收后未发出",
            "in_node": "滞留在网点/分拨内",
            "between_nodes": "两个网点之间",
            "delivery_leg": "派送段",
        }[self.value]


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
    corrected_carrier: str = ""
    remark: str = ""
    """Why there is nothing, in the provider's words."""
    unknown_codes: tuple[str, ...] = ()
    """Codes and texts of this answer that are in no table (L7)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A scan as we keep it: its place within its second, when we learned of it, whether it still stands."""

    event: TrackingEvent
    seq: int
    learned_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    """What an answer changes of what we knew."""

    added: tuple[Stored, ...] = ()
    edited: tuple[tuple[Stored, Stored], ...] = ()
    """(before, after): same moment and place in it, other words."""
    withdrawn: tuple[Stored, ...] = ()
    restored: tuple[Stored, ...] = ()
    contradicts: bool = False
    """The answer shares no scan with a history of several: another parcel's, so nothing was taken."""

    def __bool__(self) -> bool:
        return bool(self.added or self.edited or self.withdrawn or self.restored)


def merge(known: Sequence[Stored], answer: Answer, learned_at: datetime) -> Merge:
    """Fold a provider's answer into the known scans; asking twice changes nothing.

    A scan is known by its moment and its place within that second, not by its text or code: texts
    are edited, phones get masked later, and 快递100 puts its own "overdue" code on an old row.
    An empty answer after a full one deletes nothing. A known scan missing from a whole answer that
    reaches back that far is marked withdrawn; when it comes back it is restored. A whole answer that
    shares no moment with several standing scans is another parcel's. A push of new scans alone is not.
    The same scan twice in one answer is one scan.
    """
    if not answer.events:
        return Merge()
    before: dict[datetime, list[Stored]] = defaultdict(list)
    for row in known:
        before[row.event.occurred_at].append(row)
    now: dict[datetime, list[TrackingEvent]] = defaultdict(list)
    for event in dict.fromkeys(answer.events):
        now[event.occurred_at].append(event)
    standing = [row for row in known if row.withdrawn_at is None]
    strange = answer.whole and not any(row.event.occurred_at in now for row in standing)
    if strange and len(standing) > 1:
        return Merge(contradicts=True)

    added: list[Stored] = []
    edited: list[tuple[Stored, Stored]] = []
    restored: list[Stored] = []
    missing: list[Stored] = []
    for moment in sorted(before.keys() | now.keys()):
        pairs, left, fresh = _pair(before.get(moment, []), now.get(moment, []))
        for row, told in pairs:
            event = _beneath(row.event, told)
            if row.event != event:
                edited.append((row, replace(row, event=event, withdrawn_at=None)))
            elif row.withdrawn_at is not None:
                restored.append(replace(row, withdrawn_at=None))
        missing += left
        seq = max((row.seq for row in before.get(moment, [])), default=-1)
        added += [Stored(event, seq + n, learned_at) for n, event in enumerate(fresh, 1)]
    reaches_back_to = min(now)
    withdrawn = [
        replace(row, withdrawn_at=learned_at)
        for row in missing
        if answer.whole and row.withdrawn_at is None and row.event.occurred_at >= reaches_back_to
    ]
    return Merge(tuple(added), tuple(edited), tuple(withdrawn), tuple(restored))


def _beneath(known: TrackingEvent, told: TrackingEvent) -> TrackingEvent:
    """What the row is: a provider's own clock laid over an old scan takes nothing of it away."""
    return known if told.overlaid and not known.overlaid and told.text == known.text else told


def _pair(
    rows: Sequence[Stored], events: Sequence[TrackingEvent]
) -> tuple[list[tuple[Stored, TrackingEvent]], list[Stored], list[TrackingEvent]]:
    """Match one second's rows: equal ones first, then equal texts, then what is left in order.

    A standing row is taken before a withdrawn one, so that the same answer twice changes nothing.
    """
    left = sorted(rows, key=lambda row: (row.withdrawn_at is not None, row.seq))
    fresh = list(events)
    pairs: list[tuple[Stored, TrackingEvent]] = []
    for same in (
        lambda row, event: row.event == event,
        lambda row, event: row.event.text == event.text,
        lambda row, event: row.withdrawn_at is None,
    ):
        for event in tuple(fresh):
            row = next((row for row in left if same(row, event)), None)
            if row is not None:
                pairs.append((row, event))
                left.remove(row)
                fresh.remove(event)
    return pairs, left, fresh


@dataclass(frozen=True, slots=True)
class OpenException:
    """Trouble that stands: since when, and the carrier's words."""

    kind: ExceptionKind
    since: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Journey:
    """One waybill's history condensed to what the rules ask: kept in the parcel row.

    `first` and `last` hold the earliest and latest time of every milestone seen, with two that are
    derived: `PICKED_UP` is the first movement of any kind where the pickup scan is missing, and
    `DEPARTED_FIRST_HUB` is read from the hubs passed (`facts/platform-rules.md` §11, notes).
    """

    first: Mapping[Milestone, datetime] = field(default_factory=dict)
    last: Mapping[Milestone, datetime] = field(default_factory=dict)
    milestone: Milestone = Milestone.UNKNOWN
    first_scan_at: datetime | None = None
    last_movement_at: datetime | None = None
    update_after_first_scan_at: datetime | None = None
    update_after_pickup_at: datetime | None = None
    movements: tuple[datetime, ...] = ()
    """The latest movement scans, oldest first: enough to tell when a silence really ended."""
    whereabouts: Whereabouts | None = None
    last_text: str = ""
    last_event_at: datetime | None = None
    node: str = ""
    next_stop: str = ""
    area: str = ""
    courier: str = ""
    delivered_kind: DeliveredKind | None = None
    exceptions: tuple[OpenException, ...] = ()
    unread: int = 0
    """Lines after the last movement that nobody could read (L7)."""
    events: int = 0

    @property
    def over(self) -> bool:
        """Nothing more is owed by anybody: delivered to a receiver, returned or cancelled."""
        if self.milestone is Milestone.DELIVERED:
            return self.delivered_kind is not DeliveredKind.TRANSIT_WAREHOUSE
        return self.milestone.ends

    @property
    def turned_back(self) -> bool:
        """On the way back, returned or cancelled: no promise to the receiver runs any more."""
        return self.milestone.rank >= Milestone.RETURNING.rank


HUB_WORDS: Final = ("分拨", "转运", "中转", "集散", "分拣", "枢纽", "处理中心")
"""What the name of a sorting centre contains (`facts/platform-rules.md` §11, notes)."""
_KEPT_MOVEMENTS: Final = 40
_SAME_SCAN: Final = timedelta(minutes=5)
_SAME_DAY: Final = timedelta(hours=24)
_TRIES_AGAIN: Final = frozenset({Milestone.OUT_FOR_DELIVERY, Milestone.DELIVERY_FAILED})
_DELIVERY_LEG: Final = Milestone.ARRIVED_DEST_CITY.rank


def condense(events: Iterable[TrackingEvent]) -> Journey:
    """Everything the rules need of a history. The order in which `events` come does not matter."""
    history = _homeward(_in_order(events))
    if not history:
        return Journey()
    first: dict[Milestone, datetime] = {}
    last: dict[Milestone, datetime] = {}
    movements = _movements(history)
    counted = {id(event) for event in movements}
    for event in history:
        if event.milestone is Milestone.UNKNOWN or event.forecast:
            continue
        if event.milestone not in MOVEMENTS or (event.moves and id(event) in counted):
            first.setdefault(event.milestone, event.occurred_at)
            last[event.milestone] = event.occurred_at
    if movements and (
        Milestone.PICKED_UP not in first or movements[0].occurred_at < first[Milestone.PICKED_UP]
    ):
        first[Milestone.PICKED_UP] = movements[0].occurred_at
        last.setdefault(Milestone.PICKED_UP, movements[0].occurred_at)
    departed = _departed_first_hub(movements)
    if departed is not None:
        first[Milestone.DEPARTED_FIRST_HUB] = last[Milestone.DEPARTED_FIRST_HUB] = departed

    state, stored_after_signing = _state(history)
    latest = movements[-1] if movements else None
    newest = next((e for e in reversed(history) if not e.forecast), history[-1])
    spoken = [e for e in history if e.node or e.area]
    couriers = [e.courier for e in history if e.courier]
    signed = [e for e in history if e.milestone is Milestone.DELIVERED]
    exceptions = _open_exceptions(history, state)
    if stored_after_signing is not None:
        exceptions += (
            OpenException(
                ExceptionKind.SIGNED_THEN_STORED,
                stored_after_signing.occurred_at,
                stored_after_signing.text,
            ),
        )
    return Journey(
        first=first,
        last=last,
        milestone=state,
        first_scan_at=movements[0].occurred_at if movements else None,
        last_movement_at=latest.occurred_at if latest else None,
        update_after_first_scan_at=_second(movements),
        update_after_pickup_at=_after_pickup(movements),
        movements=tuple(e.occurred_at for e in movements[-_KEPT_MOVEMENTS:]),
        whereabouts=_whereabouts(state, latest),
        last_text=newest.text,
        last_event_at=newest.occurred_at,
        node=spoken[-1].node if spoken else "",
        next_stop=latest.next_stop if latest else "",
        area=next((e.area for e in reversed(spoken) if e.area), ""),
        courier=couriers[-1] if couriers else "",
        delivered_kind=signed[-1].delivered_kind if signed else None,
        exceptions=exceptions,
        unread=sum(
            1
            for e in history
            if e.milestone is Milestone.UNKNOWN
            and not e.exceptions
            and not e.forecast
            and (latest is None or e.occurred_at > latest.occurred_at)
        ),
        events=len(history),
    )


def _in_order(events: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """By time, then milestone, then how much a line says: one order whatever the order of arrival."""
    return sorted(events, key=_place_in_history)


def _place_in_history(event: TrackingEvent) -> tuple[datetime, int, tuple[bool, ...], tuple[str, ...]]:
    """Within a second and milestone: arrived before departed, a thank-you line before the signature."""
    says = (event.motion is Motion.DEPARTED, event.delivered_kind is not None, bool(event.node))
    words = (event.text, event.code, event.status, event.area, event.hub, event.outlet)
    rest = (event.courier, event.next_stop, event.delivered_kind or "", event.motion or "")
    marks = (str(event.forecast), *sorted(event.exceptions))
    return event.occurred_at, event.milestone.rank, says, (*words, *rest, *marks)


def _homeward(history: list[TrackingEvent]) -> list[TrackingEvent]:
    """A signature on the way back is the shipper's (`facts/carriers.md`, realities): returned."""
    turned, seen = False, []
    for event in history:
        turned = turned or event.milestone is Milestone.RETURNING
        if turned and event.milestone is Milestone.DELIVERED:
            event = replace(event, milestone=Milestone.RETURNED, delivered_kind=None)
        seen.append(event)
    return seen


def _movements(history: Sequence[TrackingEvent]) -> list[TrackingEvent]:
    """Movement scans; a line repeated word for word within five minutes counts once (§11, notes)."""
    kept: list[TrackingEvent] = []
    for event in history:
        if not event.moves:
            continue
        echo = any(
            e.text == event.text and event.occurred_at - e.occurred_at <= _SAME_SCAN for e in kept[-3:]
        )
        if not echo:
            kept.append(event)
    return kept


def _second(movements: Sequence[TrackingEvent]) -> datetime | None:
    return movements[1].occurred_at if len(movements) > 1 else None


def _after_pickup(movements: Sequence[TrackingEvent]) -> datetime | None:
    """The first movement after the pickup; a repeated pickup scan is no progress."""
    onward = [e for e in movements[1:] if e.milestone is not Milestone.PICKED_UP]
    return onward[0].occurred_at if onward else None


def _is_hub(event: TrackingEvent) -> bool:
    return any(word in event.node for word in HUB_WORDS)


def _city(event: TrackingEvent) -> str:
    """`省,市`; empty where the area names no city: a bare province proves no journey."""
    parts = event.area.split(",")[:2]
    return ",".join(parts) if len(parts) == 2 and all(parts) else ""


def _departed_first_hub(movements: Sequence[TrackingEvent]) -> datetime | None:
    """When the parcel left the first hub, or showed up somewhere that proves it did.

    Proof is a departure from a hub, a scan at a second hub, a scan in another city when no hub was
    ever named, or the delivery leg.
    """
    hub = ""
    home = _city(movements[0]) if movements else ""
    for event in movements:
        if event.milestone.rank >= _DELIVERY_LEG:
            return event.occurred_at
        if _is_hub(event):
            if event.motion is Motion.DEPARTED or (hub and event.node != hub):
                return event.occurred_at
            hub = event.node
        elif not hub and home and _city(event) not in ("", home):
            return event.occurred_at
    return None


def _state(history: Sequence[TrackingEvent]) -> tuple[Milestone, TrackingEvent | None]:
    """The state, and the storage scan that took a signature back, if there is one.

    A lower rank does not take the state back, except returning (§9: a waybill cancelled on its way comes
    home), and that a delivery attempt more than a day after a signature, or a storage scan after it,
    says the signature was not the end. Within the day such lines are a site's late bookkeeping
    (`facts/carriers.md`, realities).
    """
    state, since = Milestone.UNKNOWN, history[0].occurred_at
    stored: TrackingEvent | None = None
    for event in history:
        mark = event.milestone
        if mark is Milestone.UNKNOWN or event.forecast:
            continue
        onward = mark.rank >= state.rank
        retried = state in (Milestone.DELIVERY_FAILED, Milestone.READY_FOR_COLLECTION) and (
            mark is Milestone.OUT_FOR_DELIVERY
        )
        if state is Milestone.DELIVERED and mark is Milestone.READY_FOR_COLLECTION:
            stored, onward = event, True
        elif state is Milestone.DELIVERED and mark in _TRIES_AGAIN:
            onward = event.occurred_at - since > _SAME_DAY
        elif state is Milestone.CANCELLED and mark is Milestone.RETURNING:
            onward = True
        if onward or retried:
            state, since = mark, event.occurred_at
        if state is Milestone.DELIVERED and stored is not None:
            stored = None if event.occurred_at > stored.occurred_at else stored
    return state, stored


def _whereabouts(state: Milestone, latest: TrackingEvent | None) -> Whereabouts | None:
    """Where the parcel is silent; None before the pickup and after the end."""
    if latest is None or state.ends:
        return None
    if latest.milestone.rank >= _DELIVERY_LEG and latest.milestone in FORWARD:
        return Whereabouts.DELIVERY_LEG
    if latest.milestone is Milestone.PICKED_UP:
        return Whereabouts.AT_PICKUP
    if latest.motion is Motion.DEPARTED:
        return Whereabouts.BETWEEN_NODES
    return Whereabouts.IN_NODE


def _open_exceptions(history: Sequence[TrackingEvent], state: Milestone) -> tuple[OpenException, ...]:
    """Which troubles stand at the end of the history, by the closing rules of §9."""
    standing: dict[ExceptionKind, OpenException] = {}
    for event in history:
        if event.moves or (event.milestone is Milestone.DELIVERY_FAILED):
            for kind in _CLOSED_BY_NEXT_SCAN & standing.keys():
                if event.occurred_at > standing[kind].since:
                    del standing[kind]
        for kind in event.exceptions:
            standing.setdefault(kind, OpenException(kind, event.occurred_at, event.text))
    if state in (Milestone.DELIVERED, Milestone.RETURNED, Milestone.CANCELLED):
        kept = {ExceptionKind.DAMAGED, ExceptionKind.SHORT_CONTENT, ExceptionKind.TRANSIT_WAREHOUSE}
        if state is not Milestone.DELIVERED:
            kept = set()
        standing = {kind: found for kind, found in standing.items() if kind in kept}
    return tuple(sorted(standing.values(), key=lambda found: (found.since, found.kind)))
