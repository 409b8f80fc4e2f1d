"""Structural fakes with known truth, made from the parcels of the simulated world.

The demo's own story stays calm: a visitor would take a faked parcel for a mistake of ours. So the fakes are made
here. What is done to a parcel, and which check must see it, is decided from the script alone (cities, times and
coordinates of the demo), never by asking a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from domain.journey import condense
from domain.orders import Case, Neighbour, Order, OrderStatus, Waybill
from domain.tracking import DeliveredKind, ExceptionKind, Milestone, TrackingEvent
from monitor.demo.places import CITIES, City, distance
from monitor.demo.scans import Scan
from monitor.demo.world import Parcel

FLIES = frozenset({"shunfeng", "ems", "yuantong"})
"""Carriers of the demo with aircraft of their own."""
_CITIES = tuple(CITIES.values())


@dataclass(frozen=True)
class Fake:
    """A parcel after somebody has tampered with it, and what a watcher of its whole life must say."""

    parcel: Parcel
    order: Order
    events: tuple[TrackingEvent, ...]
    waybill: Waybill
    must: frozenset[str]
    """The checks that have to claim something."""
    may: frozenset[str] = frozenset()
    """Those that may claim something besides: one fake often shows in two ways."""
    origin: str = ""
    neighbours: tuple[Neighbour, ...] = ()
    siblings: frozenset[str] | None = None

    def case(self, now: datetime) -> Case:
        """The parcel as a perfect reader knows it at a moment."""
        seen = condense(event for event in self.events if event.occurred_at <= now)
        return Case(
            self.waybill,
            (self.order,),
            seen,
            now,
            now,
            origin=self.origin,
            neighbours=self.neighbours,
            siblings=self.siblings if seen.forwarded is not None else None,
        )


@dataclass(frozen=True)
class _Bench:
    """A parcel on the bench, its story told to the end."""

    parcel: Parcel
    told: tuple[Scan, ...]
    rng: Random
    events: tuple[TrackingEvent, ...] = field(init=False)

    def __post_init__(self) -> None:
        end = self.told[-1].occurred_at + timedelta(days=60)
        object.__setattr__(self, "events", tuple(scan.event(end) for scan in self.told))

    @property
    def moves(self) -> list[Scan]:
        """Its own movements."""
        return [scan for scan in self.told if scan.moves and not scan.echo]

    def only(self, *marks: Milestone) -> list[Scan]:
        return [scan for scan in self.moves if scan.milestone in marks]

    def far_from(self, city: City, least: float, most: float = 9999) -> City | None:
        """Some city at such a distance, if there is one."""
        near = [each for each in _CITIES if least < distance(each, city) < most]
        return self.rng.choice(near) if near else None

    def fake(self, *must: str, may: Sequence[str] = (), **said: object) -> Fake:
        made = Fake(
            self.parcel,
            self.parcel.order,
            self.events,
            self.parcel.waybill,
            frozenset(must),
            frozenset(may),
            origin=self.parcel.plan.origin.area,
        )
        return replace(made, **said)

    def line(self, at: datetime, mark: Milestone, city: City, text: str) -> TrackingEvent:
        return TrackingEvent(at, mark, text, area=city.area)


Make = Callable[[_Bench], Fake | None]


def before_order(bench: _Bench) -> Fake | None:
    """Paid for after the first scan."""
    late = bench.moves[0].occurred_at + timedelta(minutes=bench.rng.randint(6, 900))
    order = replace(bench.parcel.order, paid_at=late, promised_ship_at=None)
    return bench.fake("tracking_before_order", order=order)


def barely_before(bench: _Bench) -> Fake | None:
    """Two clocks that differ by minutes: no fake."""
    late = bench.moves[0].occurred_at + timedelta(minutes=bench.rng.randint(1, 4))
    return bench.fake(order=replace(bench.parcel.order, paid_at=late, promised_ship_at=None))


def _uses(bench: _Bench, other: City, days: float) -> tuple[Neighbour, ...]:
    order = bench.parcel.order
    assert order.shipped_at is not None
    earlier = order.shipped_at - timedelta(days=days)
    return (
        Neighbour(order.order_no, order.receiver_province, order.receiver_city, order.shipped_at),
        Neighbour("OTHER0000001", other.province, other.full, earlier),
    )


def reused(bench: _Bench) -> Fake | None:
    """The number was used for somebody in another city up to a month ago."""
    other = bench.far_from(bench.parcel.plan.destination, 0)
    assert other is not None
    return bench.fake("waybill_reuse", neighbours=_uses(bench, other, bench.rng.uniform(0, 30)))


def merged(bench: _Bench) -> Fake | None:
    """Two orders of one receiver: no fake."""
    return bench.fake(neighbours=_uses(bench, bench.parcel.plan.destination, bench.rng.uniform(0, 3)))


def long_ago(bench: _Bench) -> Fake | None:
    """The number was free again: no fake."""
    other = bench.far_from(bench.parcel.plan.destination, 0)
    assert other is not None
    return bench.fake(neighbours=_uses(bench, other, bench.rng.uniform(30.1, 58)))


_DOOR = (
    Milestone.OUT_FOR_DELIVERY,
    Milestone.DELIVERY_FAILED,
    Milestone.READY_FOR_COLLECTION,
    Milestone.DELIVERED,
)


def misrouted(bench: _Bench) -> Fake | None:
    """It goes to a door in another city than the order's; not those that turn back."""
    if not bench.only(*_DOOR) or bench.only(Milestone.RETURNING, Milestone.RETURNED):
        return None
    other = bench.far_from(bench.parcel.plan.destination, 62)
    assert other is not None
    order = replace(bench.parcel.order, receiver_province=other.province, receiver_city=other.full)
    return bench.fake("route_mismatch", order=order)


def elsewhere(bench: _Bench) -> Fake | None:
    """The warehouse stands far from where it was picked up."""
    first = bench.moves[0]
    if first.city is None:
        return None
    warehouse = bench.far_from(first.city, 303)
    assert warehouse is not None
    return bench.fake("origin_mismatch", origin=warehouse.area)


def next_door(bench: _Bench) -> Fake | None:
    """The warehouse is in a neighbouring city: no fake."""
    first = bench.moves[0]
    warehouse = bench.far_from(first.city, 0, 297) if first.city else None
    return bench.fake(origin=warehouse.area) if warehouse else None


def hurried(bench: _Bench) -> Fake | None:
    """Its whole way squeezed into less than four hours: between cities by road, or farther than 600 km."""
    signed, first = bench.only(Milestone.DELIVERED), bench.moves[0]
    if not signed or first.milestone is not Milestone.PICKED_UP or bench.only(Milestone.RETURNING):
        return None
    plan = bench.parcel.plan
    least = 610 if plan.carrier.key in FLIES else 75
    if distance(plan.origin, plan.destination) < least:
        return None
    start, end = first.occurred_at, signed[0].occurred_at
    factor = timedelta(hours=bench.rng.uniform(0.5, 3.8)) / (end - start)
    squeezed = tuple(
        replace(event, occurred_at=start + (event.occurred_at - start) * factor)
        if event.occurred_at > start
        else event
        for event in bench.events
    )
    return bench.fake("signed_too_soon", may=("impossible_speed",), events=squeezed)


def leapt(bench: _Bench) -> Fake | None:
    """A scan of another parcel that nobody ever takes back: a thousand kilometres off within minutes."""
    places = [scan for scan in bench.moves[1:-1] if scan.city is not None]
    if not places:
        return None
    before = bench.rng.choice(places)
    assert before.city is not None
    route = [scan.city for scan in bench.moves if scan.city is not None]
    far = [city for city in _CITIES if all(distance(city, each) > 1000 for each in route)]
    if not far:
        return None
    at = before.occurred_at + timedelta(minutes=bench.rng.randint(1, 20))
    stray = bench.line(at, Milestone.IN_TRANSIT, bench.rng.choice(far), "快件已到达")
    return bench.fake("impossible_speed", may=("route_mismatch",), events=(*bench.events, stray))


def picked_twice(bench: _Bench) -> Fake | None:
    """Picked up again, half a day later or more, before it is signed for."""
    picked = bench.only(Milestone.PICKED_UP)
    signed = bench.only(Milestone.DELIVERED)
    again = bench.moves[0].occurred_at + timedelta(hours=bench.rng.uniform(12.1, 30))
    if not picked or picked[0].city is None or (signed and again >= signed[0].occurred_at):
        return None
    line = bench.line(again, Milestone.PICKED_UP, picked[0].city, "快件已再次揽收")
    return bench.fake("duplicate_pickup", may=("impossible_speed",), events=(*bench.events, line))


def booked_twice(bench: _Bench) -> Fake | None:
    """The courier's pickup and his outlet's: no fake."""
    picked = bench.only(Milestone.PICKED_UP)
    if not picked or picked[0].city is None:
        return None
    again = picked[0].occurred_at + timedelta(minutes=bench.rng.uniform(6, 50))
    line = bench.line(again, Milestone.PICKED_UP, picked[0].city, "网点已收件")
    return bench.fake(events=(*bench.events, line))


def wrong_carrier(bench: _Bench) -> Fake | None:
    """顺丰's number under another name: that carrier never heard of it."""
    if bench.parcel.carrier.key == "shunfeng":
        return None
    number = f"SF{bench.rng.randrange(10**12, 10**13)}"
    return bench.fake("carrier_mismatch", events=(), waybill=Waybill(bench.parcel.carrier.key, number))


def renumbered(bench: _Bench) -> Fake | None:
    """Sent on under a number that is in no order."""
    return _sent_on(bench, frozenset(), "carrier_mismatch")


def recorded(bench: _Bench) -> Fake | None:
    """Sent on under a number that the shop recorded: no fake."""
    return _sent_on(bench, frozenset({"SF1234567890999"}))


def _sent_on(bench: _Bench, siblings: frozenset[str], *must: str) -> Fake:
    last = bench.moves[-1]
    line = TrackingEvent(
        last.occurred_at + timedelta(hours=1),
        Milestone.IN_TRANSIT,
        "快件已转寄,新单号为: SF1234567890999",
        exceptions=frozenset({ExceptionKind.FORWARDED}),
    )
    return bench.fake(*must, events=(*bench.events, line), siblings=siblings)


def by_warehouse(bench: _Bench) -> Fake | None:
    """A transit warehouse signs for it, at the end of the first leg."""
    signed = bench.only(Milestone.DELIVERED)
    if len(signed) != 1 or bench.moves[-1] is not signed[0]:
        return None
    kind = DeliveredKind.TRANSIT_WAREHOUSE
    events = tuple(
        replace(event, delivered_kind=kind) if event.milestone is Milestone.DELIVERED else event
        for event in bench.events
    )
    return bench.fake("transit_warehouse_signed", events=events)


def refunded(bench: _Bench) -> Fake | None:
    """The buyer wants his money back while it is on its way, and it has not come to a door yet."""
    late = [
        scan.occurred_at for scan in bench.moves if scan.milestone.rank >= Milestone.OUT_FOR_DELIVERY.rank
    ]
    events = tuple(each for each in bench.events if not late or each.occurred_at < late[0])
    if not any(event.moves for event in events):
        return None
    order = replace(bench.parcel.order, status=OrderStatus.REFUNDING)
    return bench.fake("refund_after_pickup", order=order, events=events)


MAKERS: tuple[Make, ...] = (
    before_order,
    barely_before,
    reused,
    merged,
    long_ago,
    misrouted,
    elsewhere,
    next_door,
    hurried,
    leapt,
    picked_twice,
    booked_twice,
    wrong_carrier,
    renumbered,
    recorded,
    by_warehouse,
    refunded,
)
"""Each fake, and for most of them something harmless that looks like it."""


def tampered(parcel: Parcel, make: Make) -> Fake | None:
    """The parcel after that was done to it; None where it cannot be done to this one."""
    told = tuple(scan for scan in parcel.scans if scan.withdrawn_at is None)
    moved = any(scan.moves and not scan.echo for scan in told)
    return make(_Bench(parcel, told, Random(parcel.seed))) if moved else None
