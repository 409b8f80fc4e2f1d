"""The ordinary journey of a parcel, line by line, while it is being written.

Label, pickup, hubs, station, courier, signature; how long each takes. Ordinary gaps stay under every limit and
warning step that `facts/platform-rules.md` §11 gives taobao_tmall and pinduoduo, the mean paid→signed time apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from domain.tracking import ExceptionKind, Milestone, Motion
from monitor.demo.places import City, road_hours, route
from monitor.demo.wording import Carrier

__all__ = [
    "BEIJING",
    "Draft",
    "Jam",
    "Kind",
    "Plan",
    "Story",
    "at_door",
    "at_hub",
    "at_outlet",
    "hours",
    "local_window",
    "ordinary",
    "remark",
]


class Kind(StrEnum):
    """What is wrong with a parcel, as its author declares it."""

    NORMAL = "normal"
    LATE_PICKUP = "late_pickup"
    FAKE_SHIPMENT = "fake_shipment"
    FIRST_HUB_STUCK = "first_hub_stuck"
    STALL_AT_PICKUP = "stall_at_pickup"
    STALL_IN_NODE = "stall_in_node"
    STALL_BETWEEN_NODES = "stall_between_nodes"
    STALL_DELIVERY_LEG = "stall_delivery_leg"
    DISPATCH_TIMEOUT = "dispatch_timeout"
    REFUSED = "refused"
    DAMAGED = "damaged"
    LOST = "lost"
    RETURNED = "returned"
    UNREACHABLE = "unreachable"
    LOCKER_OVERDUE = "locker_overdue"
    SIGNED_THEN_STORED = "signed_then_stored"
    MISSING_PICKUP = "missing_pickup"
    """Harmless: the first scan is a hub's."""
    BACK_DATED_SCAN = "back_dated_scan"
    """Looks stalled, until scans arrive that are older than the alarm."""
    NEVER_HEARD_OF = "never_heard_of"
    WRONG_PHONE = "wrong_phone"
    """Nothing is wrong with the parcel, but the order's phone digits open no answer."""
    HUB_JAM = "hub_jam"
    """Held with many others at a congested hub."""


@dataclass(frozen=True, slots=True)
class Jam:
    """A carrier's hub that lets nothing out for a while (爆仓)."""

    carrier: str
    city: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What is settled before the journey starts."""

    kind: Kind
    carrier: Carrier
    origin: City
    origin_district: str
    destination: City
    district: str
    shipped_at: datetime
    picked_up_at: datetime
    courier: str
    phone: str
    jams: tuple[Jam, ...] = ()


@dataclass(slots=True)
class Draft:
    """A line while it is being written; `step` names its place in the journey."""

    step: str
    at: datetime
    sentence: str
    code: str
    milestone: Milestone
    city: City
    hub: str = ""
    outlet: str = ""
    next_stop: str = ""
    motion: Motion | None = None
    exceptions: frozenset[ExceptionKind] = frozenset()
    moves: bool = True
    hidden_until: datetime | None = None
    words: Mapping[str, str] = field(default_factory=dict)


Story = list[Draft]

BEIJING: Final = timedelta(hours=8)


def hours(count: float) -> timedelta:
    """A length in hours, to the second."""
    return timedelta(seconds=round(count * 3600))


def local_window(after: datetime, rng: Random, *windows: tuple[float, float]) -> datetime:
    """A moment not before `after`, inside one of the daily `windows` (hours of Beijing time, ascending)."""
    wall = after + BEIJING
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(2):
        for opens, closes in windows:
            moment = midnight + timedelta(days=day) + hours(rng.uniform(opens, closes))
            if moment >= wall:
                return moment - BEIJING
    return after


def ordinary(plan: Plan, rng: Random) -> Story:
    """Label, pickup, hubs, station, courier, signature."""
    c = plan.carrier
    home, away = c.outlet(plan.origin, plan.origin_district), c.outlet(plan.destination, plan.district)
    cities = route(plan.origin, plan.destination)
    at = plan.picked_up_at
    story = [at_outlet("pickup", at, c.pickup, c.pickup_code, Milestone.PICKED_UP, plan.origin, home)]
    if c.label:
        label = at_outlet("label", plan.shipped_at, c.label, "102", Milestone.LABEL_CREATED, plan.origin, "")
        label.moves = False
        story.insert(0, label)
    at += hours(rng.uniform(1.0, 2.5))
    leaving = at_outlet("outlet_out", at, c.outlet_out, "0", Milestone.IN_TRANSIT, plan.origin, home)
    leaving.next_stop, leaving.motion = c.hub(cities[0]), Motion.DEPARTED
    story.append(leaving)
    for n, city in enumerate(cities):
        drive = road_hours(cities[n - 1], city) * rng.uniform(0.95, 1.1) + 0.5 if n else rng.uniform(0.7, 2.0)
        at += hours(drive)
        place = "first" if n == 0 else "hub"
        story.append(at_hub(f"{place}_in", at, c.hub_in, city, c.hub(city), Motion.ARRIVED))
        at += hours(rng.uniform(1.5, 4.0))
        out = at_hub(f"{place}_out", at, c.hub_out, city, c.hub(city), Motion.DEPARTED)
        out.next_stop = c.hub(cities[n + 1]) if n + 1 < len(cities) else away
        story.append(out)
    at += hours(rng.uniform(1.0, 3.0))
    station = at_outlet("station", at, c.station, "1001", Milestone.ARRIVED_DEST_CITY, plan.destination, away)
    station.motion = Motion.ARRIVED
    story.append(station)
    return story + _delivery(plan, at, rng)


def _delivery(plan: Plan, after: datetime, rng: Random) -> Story:
    """The courier goes out and the parcel is signed for, or fetched from a locker."""
    c, away = plan.carrier, plan.carrier.outlet(plan.destination, plan.district)
    at = local_window(after + hours(0.3), rng, (8.0, 9.5), (13.5, 14.5))
    story = [at_door(plan, "out", at, c.out, "5", Milestone.OUT_FOR_DELIVERY)]
    at += hours(rng.uniform(1.0, 5.0))
    if plan.kind in (Kind.NORMAL, Kind.MISSING_PICKUP) and rng.random() < 0.25:
        story.append(at_door(plan, "locker", at, c.locker, "501", Milestone.READY_FOR_COLLECTION))
        at = local_window(at + hours(0.5), rng, (12.0, 13.0), (17.5, 21.0))
        story.append(at_door(plan, "signed", at, c.taken, "304", Milestone.DELIVERED))
    else:
        story.append(at_outlet("signed", at, c.signed, "3", Milestone.DELIVERED, plan.destination, away))
        if c.thanks and rng.random() < 0.2:
            story.append(at_outlet("thanks", at, c.thanks, "3", Milestone.DELIVERED, plan.destination, ""))
    return story


def at_outlet(
    step: str, at: datetime, text: str, code: str, mark: Milestone, city: City, outlet: str
) -> Draft:
    """A line spoken by an outlet."""
    return Draft(step, at, text, code, mark, city, outlet=outlet)


def at_hub(step: str, at: datetime, text: str, city: City, hub: str, motion: Motion | None) -> Draft:
    """A line of the trunk network."""
    return Draft(step, at, text, "1002", Milestone.IN_TRANSIT, city, hub=hub, motion=motion)


def at_door(plan: Plan, step: str, at: datetime, text: str, code: str, mark: Milestone) -> Draft:
    """A line of the delivering outlet."""
    outlet = plan.carrier.outlet(plan.destination, plan.district)
    return at_outlet(step, at, text, code, mark, plan.destination, outlet)


def remark(draft: Draft, at: datetime, text: str, code: str, *kinds: ExceptionKind) -> Draft:
    """A line about trouble at the place of `draft`, which moves nothing."""
    said = Draft(
        "remark", at, text, code, Milestone.UNKNOWN, draft.city, draft.hub, draft.outlet, draft.next_stop
    )
    said.exceptions, said.moves = frozenset(kinds), False
    return said
