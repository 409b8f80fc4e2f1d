"""What a history amounts to: one waybill's journey, condensed to what the rules ask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import takewhile
from typing import Final, TypeVar

from domain.time import UTC
from domain.tracking import (
    CLOSED_BY_NEXT_SCAN,
    FORWARD,
    MOVEMENTS,
    DeliveredKind,
    ExceptionKind,
    Milestone,
    Motion,
    TrackingEvent,
)

__all__ = [
    "HUB_WORDS",
    "KEPT_MOVEMENTS",
    "Journey",
    "OpenException",
    "Sighting",
    "Whereabouts",
    "at_hub",
    "condense",
    "place_in_history",
]


T = TypeVar("T")


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
class OpenException:
    """Trouble that stands: since when, and the carrier's words."""

    kind: ExceptionKind
    since: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """A stay in one city: `省,市` as the provider writes it, from the first scan there to the last."""

    area: str
    at: datetime
    until: datetime

    @property
    def province(self) -> str:
        """The first part of the area."""
        return self.area.partition(",")[0]


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
    first_event_at: datetime | None = None
    """The first line that is not about the future; a label is one too."""
    cities: tuple[Sighting, ...] = ()
    """Where movement scans named a city, stay after stay: the first one and the latest."""
    doorstep: Sighting | None = None
    """The stay in which the parcel was last carried out, stored or signed for, on its way to the receiver."""
    pickups: tuple[datetime, ...] = ()
    """The pickup scans, an echo counted once: the first ones and the latest."""
    first_hub_at: datetime | None = None
    """The first scan at a sorting centre."""
    forwarded: OpenException | None = None
    """The first line that says it goes to another address or goes on under another number."""
    left_province_at: datetime | None = None
    """The first proof that it left the province of its first hub: a scan in another, or the delivery leg."""

    @property
    def origin(self) -> str:
        """`省,市` of the pickup, or nothing where that scan names no city."""
        first = self.cities[0] if self.cities else None
        return first.area if first is not None and first.at == self.first_scan_at else ""

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
_SORTED: Final = re.compile(r"\b(?:sort(?:ing|ation|ed)?|hub)\b", re.IGNORECASE)
KEPT_MOVEMENTS: Final = 40
"""So many of the latest movements a condensed history keeps."""
_KEPT_CITIES: Final = 20
_KEPT_PICKUPS: Final = 8
_SAME_SCAN: Final = timedelta(minutes=5)
_SAME_DAY: Final = timedelta(hours=24)
_TRIES_AGAIN: Final = frozenset({Milestone.OUT_FOR_DELIVERY, Milestone.DELIVERY_FAILED})
_DELIVERY_LEG: Final = Milestone.ARRIVED_DEST_CITY.rank
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_AT_DOOR: Final = frozenset(
    {
        Milestone.OUT_FOR_DELIVERY,
        Milestone.DELIVERY_FAILED,
        Milestone.READY_FOR_COLLECTION,
        Milestone.DELIVERED,
    }
)


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
        if id(event) in counted or event.milestone not in MOVEMENTS:
            first.setdefault(event.milestone, event.occurred_at)
            last[event.milestone] = event.occurred_at
    if movements and (
        Milestone.PICKED_UP not in first or movements[0].occurred_at < first[Milestone.PICKED_UP]
    ):
        first[Milestone.PICKED_UP] = movements[0].occurred_at
        last.setdefault(Milestone.PICKED_UP, movements[0].occurred_at)
    departed = _departed_first_hub(movements)
    if departed is not None:
        said = first.get(Milestone.DEPARTED_FIRST_HUB, departed)
        first[Milestone.DEPARTED_FIRST_HUB] = min(said, departed)
        last.setdefault(Milestone.DEPARTED_FIRST_HUB, departed)

    stays = _stays(movements)
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
        movements=tuple(e.occurred_at for e in movements[-KEPT_MOVEMENTS:]),
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
        first_event_at=next((e.occurred_at for e in history if not e.forecast), None),
        cities=_ends(stays, _KEPT_CITIES),
        doorstep=_doorstep(movements),
        pickups=_ends(
            [e.occurred_at for e in movements if e.milestone is Milestone.PICKED_UP], _KEPT_PICKUPS
        ),
        first_hub_at=next((e.occurred_at for e in movements if at_hub(e)), None),
        forwarded=next(
            (
                OpenException(ExceptionKind.FORWARDED, e.occurred_at, e.text)
                for e in history
                if e.exceptions and ExceptionKind.FORWARDED in e.exceptions
            ),
            None,
        ),
        left_province_at=_left_province(movements, stays, first),
    )


def _in_order(events: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """By time, then milestone, then how much a line says: one order whatever the order of arrival."""
    return sorted(events, key=place_in_history)


def place_in_history(event: TrackingEvent) -> tuple[datetime, int, tuple[bool, ...], tuple[str, ...]]:
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
            (e.text, e.milestone) == (event.text, event.milestone)
            and event.occurred_at - e.occurred_at <= _SAME_SCAN
            for e in kept[-3:]
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


@lru_cache(maxsize=4096)
def _is_hub(node: str) -> bool:
    return any(word in node for word in HUB_WORDS)


def at_hub(event: TrackingEvent) -> bool:
    """Scanned at a sorting centre; English lines name no node, their words say so."""
    return bool(event.hub) or _is_hub(event.node) or _SORTED.search(event.text) is not None


@lru_cache(maxsize=4096)
def _city(area: str) -> str:
    """`省,市`; empty where the area names no city: a bare province proves no journey."""
    parts = area.split(",")[:2]
    return ",".join(parts) if len(parts) == 2 and all(parts) else ""


def _departed_first_hub(movements: Sequence[TrackingEvent]) -> datetime | None:
    """When the parcel left the first hub, or showed up somewhere that proves it did.

    Proof is a departure from a hub, a scan at a second hub, a scan in another city when no hub was
    ever named, or the delivery leg.
    """
    hub = ""
    home = _city(movements[0].area) if movements else ""
    for event in movements:
        if event.milestone.rank >= _DELIVERY_LEG:
            return event.occurred_at
        if _is_hub(event.node):
            if event.motion is Motion.DEPARTED or (hub and event.node != hub):
                return event.occurred_at
            hub = event.node
        elif not hub and home and _city(event.area) not in ("", home):
            return event.occurred_at
    return None


def _stays(movements: Iterable[TrackingEvent]) -> list[Sighting]:
    """The cities passed, stay after stay."""
    stays: list[Sighting] = []
    said = city = here = ""
    since = until = _LONG_AGO
    for event in movements:
        if event.area != said:
            said, city = event.area, _city(event.area)
        if not city:
            continue
        if city == here:
            until = event.occurred_at
            continue
        if here:
            stays.append(Sighting(here, since, until))
        here, since, until = city, event.occurred_at, event.occurred_at
    if here:
        stays.append(Sighting(here, since, until))
    return stays


def _doorstep(movements: Sequence[TrackingEvent]) -> Sighting | None:
    """Where it was last at a door before it turned back."""
    outward = takewhile(_is_outward, movements)
    stays = _stays(event for event in outward if event.milestone in _AT_DOOR)
    return stays[-1] if stays else None


def _is_outward(event: TrackingEvent) -> bool:
    return event.milestone is not Milestone.RETURNING and event.milestone is not Milestone.RETURNED


def _ends(found: Sequence[T], most: int) -> tuple[T, ...]:
    """All of them, or of too many the first and the latest."""
    return tuple(found) if len(found) <= most else (found[0], *found[1 - most :])


def _left_province(
    movements: Sequence[TrackingEvent], stays: Sequence[Sighting], first: Mapping[Milestone, datetime]
) -> datetime | None:
    """The first stay in another province than the first hub's, or the delivery leg, whichever was earlier.

    Where no hub's city is known the parcel's first one stands for it.
    """
    hub_at = next((e.occurred_at for e in movements if e.area and _is_hub(e.node)), None)
    home = next((s for s in stays if hub_at is None or s.until >= hub_at), None)
    proofs = [at for mark, at in first.items() if mark.rank >= _DELIVERY_LEG and mark in MOVEMENTS]
    if home is not None:
        proofs += [stay.at for stay in stays if stay.at > home.at and stay.province != home.province][:1]
    return min(proofs, default=None)


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
        if standing and (event.moves or event.milestone is Milestone.DELIVERY_FAILED):
            for kind in CLOSED_BY_NEXT_SCAN & standing.keys():
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
