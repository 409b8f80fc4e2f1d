"""A world of parcels, the same for the same seed, as large as anybody asks.

Parcel `n` is computed from the seed and `n` alone: nothing is stored, a hundred thousand are made as they
are walked through, and a waybill number leads back to its parcel. Everything lives in simulated time: the
moment is always an argument.

Two things can be caused while it runs: a jam at a hub and a burst of orders. The same seed and the same causes
at the same moments give the same world, and what was seen of it before never changes. A `Parcel` is as the
world was when it was asked for: ask again after a cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import accumulate, islice
from random import Random
from types import MappingProxyType
from typing import Final

from domain.time import aware
from monitor.demo.held import stay_in
from monitor.demo.noise import Noise
from monitor.demo.parcel import Parcel, answer_rows
from monitor.demo.places import CITIES, DESTINATIONS, City, tier
from monitor.demo.scans import Row
from monitor.demo.shops import SHOPS, Shop, fulfil, place_order
from monitor.demo.story import Jam, Kind, Plan, hours
from monitor.demo.wording import CARRIERS, SF, Carrier

__all__ = ["MIX", "Burst", "Hub", "Parcel", "World", "answer_rows", "usual_jam"]

MIX: Final[Mapping[Kind, float]] = MappingProxyType(
    {
        Kind.LATE_PICKUP: 0.016,
        Kind.FAKE_SHIPMENT: 0.010,
        Kind.FIRST_HUB_STUCK: 0.008,
        Kind.STALL_AT_PICKUP: 0.008,
        Kind.STALL_IN_NODE: 0.012,
        Kind.STALL_BETWEEN_NODES: 0.012,
        Kind.STALL_DELIVERY_LEG: 0.008,
        Kind.DISPATCH_TIMEOUT: 0.008,
        Kind.REFUSED: 0.005,
        Kind.DAMAGED: 0.004,
        Kind.LOST: 0.003,
        Kind.RETURNED: 0.004,
        Kind.UNREACHABLE: 0.008,
        Kind.LOCKER_OVERDUE: 0.008,
        Kind.SIGNED_THEN_STORED: 0.005,
        Kind.MISSING_PICKUP: 0.015,
        Kind.BACK_DATED_SCAN: 0.005,
        Kind.NEVER_HEARD_OF: 0.004,
        Kind.WRONG_PHONE: 0.003,
    }
)
"""The share of each kind; what is left is normal. A kind not named does not occur."""

_DUODUO_ONLY: Final = frozenset({Kind.FIRST_HUB_STUCK, Kind.DISPATCH_TIMEOUT})
"""Only 拼多多's profile has a rule for these."""
_SERIALS: Final = 10**10
_STEP: Final = 7_368_787
"""Coprime to ten: numbers do not look consecutive, and each leads back to one parcel."""
_BURSTS: Final = 5 * 10**7
"""Parcels from here on belong to bursts, so many numbers to each:"""
_OF_A_BURST: Final = 10_000
_SLOW: Final = 0.35
"""The share of a burst's parcels that the warehouse hands over a day late."""
_LONGEST_TO_SHIP: Final = timedelta(days=5)
_COURIERS: Final = "王李张刘陈杨赵黄周吴徐孙"


@dataclass(frozen=True, slots=True)
class Burst:
    """A sale night: so many orders paid from a moment on, within `lasts`, their numbers uploaded at once."""

    since: datetime
    orders: int
    lasts: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Hub:
    """A carrier's hub in a city, and how many parcels are about to leave it."""

    carrier: Carrier
    city: City
    parcels: int


def usual_jam(started_at: datetime) -> Jam:
    """中通's hub in 武汉, closed from twenty hours before the start for eighty hours."""
    return Jam("zhongtong", "武汉", started_at - timedelta(hours=20), started_at + timedelta(hours=60))


class World:
    """Parcels paid one after the other, `per_day` of them, from `backlog` before `started_at` on."""

    def __init__(
        self,
        seed: int,
        started_at: datetime,
        *,
        per_day: float = 200.0,
        backlog: timedelta = timedelta(days=8),
        mix: Mapping[Kind, float] = MIX,
        noise: Noise | None = None,
        jams: Sequence[Jam] | None = None,
        shops: Sequence[Shop] = SHOPS,
    ) -> None:
        self.seed: Final = seed
        self.started_at: Final = aware(started_at).replace(microsecond=0)
        self.opened_at: Final = self.started_at - backlog
        self.jams: Final = tuple(jams) if jams is not None else (usual_jam(self.started_at),)
        self._gap: Final = timedelta(days=1) / per_day
        self._kinds: Final = tuple(mix)
        self._shares: Final = tuple(accumulate(mix.values()))
        self._noise: Final = noise or Noise()
        self._shops: Final = tuple(shops)
        self._first: Final = Random(seed).randrange(_SERIALS)
        self._made: Final = lru_cache(maxsize=4096)(self._make)
        self._caused: tuple[Jam, ...] = ()
        self._bursts: tuple[Burst, ...] = ()

    # what can be caused

    @property
    def caused(self) -> tuple[Jam, ...]:
        """The jams caused so far, in that order."""
        return self._caused

    @property
    def bursts(self) -> tuple[Burst, ...]:
        """The bursts caused so far, in that order."""
        return self._bursts

    def jam(self, hub: Hub, at: datetime, lasts: timedelta) -> Jam:
        """From now on nothing leaves a hub, for so long; what is inside stays too."""
        caused = Jam(hub.carrier.key, hub.city.name, aware(at), at + lasts)
        self._caused = (*self._caused, caused)
        return caused

    def dissolve(self, at: datetime) -> int:
        """Every caused jam ends now; how many did."""
        ended = [jam for jam in self._caused if jam.until > at]
        self._caused = tuple(replace(jam, until=min(jam.until, max(at, jam.since))) for jam in self._caused)
        return len(ended)

    def burst(self, at: datetime, orders: int) -> Burst:
        """So many orders more are paid from now on. Raises ValueError for more than a burst can have."""
        if not 0 < orders <= _OF_A_BURST:
            raise ValueError(f"a burst has 1 to {_OF_A_BURST} orders, not {orders}")
        caused = Burst(aware(at), orders)
        self._bursts = (*self._bursts, caused)
        return caused

    def busiest(self, at: datetime, within: timedelta = timedelta(hours=24)) -> list[Hub]:
        """The hubs that parcels paid by now are about to leave, the busiest first; jammed ones are left out."""
        closed = {(jam.carrier, jam.city) for jam in (*self.jams, *self._caused) if jam.until > at}
        leaving: Counter[tuple[str, str]] = Counter()
        for index in range(self.paid(at - timedelta(days=7)), self.paid(at)):
            leaving.update(_leaves(self.parcel(index), at, at + within) - closed)
        known = {carrier.key: carrier for carrier in CARRIERS}
        order = sorted(leaving.items(), key=lambda item: (-item[1], item[0]))
        return [Hub(known[key], CITIES[city], count) for (key, city), count in order]

    # what there is

    def parcel(self, index: int) -> Parcel:
        """The parcel of this index, as the world is now."""
        return self._made(index, self._caused)

    def paid(self, until: datetime) -> int:
        """How many orders were paid before a moment: the parcels below this index."""
        return max(0, -(-(until - self.opened_at) // self._gap))

    def parcels(self, count: int | None = None, first: int = 0) -> Iterator[Parcel]:
        """Parcels in the order they were paid, made as they are taken, without bursts; all of them never end."""
        return (self._make(index, self._caused) for index in islice(_naturals(first), count))

    def shipped(self, since: datetime, until: datetime) -> list[Parcel]:
        """Parcels whose number was uploaded after `since` and not after `until`: the next import."""
        known = map(self.parcel, self._known(since, until))
        return [parcel for parcel in known if since < _shipped_at(parcel) <= until]

    def awaiting(self, at: datetime) -> list[Parcel]:
        """Parcels that are paid and whose number is not uploaded yet."""
        known = map(self.parcel, self._known(at, at))
        return [parcel for parcel in known if _paid_at(parcel) <= at < _shipped_at(parcel)]

    def find(self, carrier: str, waybill_no: str) -> Parcel | None:
        """The carrier's parcel of this number; None when there is none."""
        spoken = next((known for known in CARRIERS if known.key == carrier), None)
        digits = waybill_no.removeprefix(spoken.prefix) if spoken else ""
        if spoken is None or len(digits) != 10 or not digits.isdecimal() or not digits.isascii():
            return None
        index = (int(digits) - self._first) * pow(_STEP, -1, _SERIALS) % _SERIALS
        parcel = self.parcel(index) if self._exists(index) else None
        return parcel if parcel and parcel.carrier is spoken and parcel.waybill_no == waybill_no else None

    def lookup(self, com: str, num: str, at: datetime) -> Sequence[Row] | None:
        """The provider's view: rows newest first, or None while nothing is known."""
        parcel = self.find(com, num)
        return (answer_rows(parcel, at) or None) if parcel else None

    def phone_tail(self, com: str, num: str) -> str | None:
        """The digits the carrier wants to hear for this number; None when it asks for none."""
        parcel = self.find(com, num)
        return parcel.phone_tail if parcel and parcel.carrier.checks_phone else None

    def _known(self, since: datetime, until: datetime) -> Iterator[int]:
        """Which parcels can have been uploaded in between."""
        yield from range(self.paid(since - _LONGEST_TO_SHIP), self.paid(until))
        for n, burst in enumerate(self._bursts):
            if burst.since <= until and burst.since + burst.lasts + _LONGEST_TO_SHIP > since:
                yield from range(_BURSTS + n * _OF_A_BURST, _BURSTS + n * _OF_A_BURST + burst.orders)

    def _exists(self, index: int) -> bool:
        burst, n = divmod(index - _BURSTS, _OF_A_BURST)
        return burst < 0 or (burst < len(self._bursts) and n < self._bursts[burst].orders)

    def _paid(self, index: int, share: float) -> datetime:
        """When an order was paid; `share` of the way to the next one."""
        if index < _BURSTS:
            return (self.opened_at + self._gap * (index + share)).replace(microsecond=0)
        number, n = divmod(index - _BURSTS, _OF_A_BURST)
        burst = self._bursts[number]
        return (burst.since + burst.lasts * ((n + share) / burst.orders)).replace(microsecond=0)

    def _make(self, index: int, caused: tuple[Jam, ...]) -> Parcel:
        rng = Random(self.seed << 40 | index)
        serial = (self._first + index * _STEP) % _SERIALS
        kind = self._draw_kind(rng)
        shop = self._draw_shop(kind, rng)
        carrier = SF if kind is Kind.WRONG_PHONE else rng.choices(CARRIERS, cum_weights=_CARRIER_SHARES)[0]
        paid_at = self._paid(index, rng.random())
        plan = self._plan(kind, shop, carrier, paid_at, rng)
        if index >= _BURSTS:
            plan = _overrun(plan, paid_at, rng)
        tail = rng.randrange(10_000)
        return Parcel(
            index=index,
            waybill_no=f"{carrier.prefix}{serial:010d}",
            order=place_order(shop, serial, paid_at, plan.shipped_at, plan.destination, rng),
            phone_tail=f"{tail:04d}",
            told_tail=f"{(tail + (kind is Kind.WRONG_PHONE)) % 10_000:04d}",
            plan=plan,
            declared=kind,
            noise=self._noise,
            seed=rng.getrandbits(62),
            jams=caused,
        )

    def _draw_kind(self, rng: Random) -> Kind:
        draw = rng.random()
        return next(
            (kind for kind, below in zip(self._kinds, self._shares, strict=True) if draw < below), Kind.NORMAL
        )

    def _draw_shop(self, kind: Kind, rng: Random) -> Shop:
        return rng.choice([s for s in self._shops if s.platform == "pinduoduo" or kind not in _DUODUO_ONLY])

    def _plan(self, kind: Kind, shop: Shop, carrier: Carrier, paid_at: datetime, rng: Random) -> Plan:
        """When the parcel goes out, and where to. Some late pickups are the shop's own doing."""
        printed, fetched = fulfil(paid_at, rng)
        if kind is Kind.LATE_PICKUP and rng.random() < 0.3:
            days = timedelta(days=rng.randint(2, 3))
            kind, printed, fetched = Kind.NORMAL, printed + days, fetched + days
        city = rng.choices(_CITIES, cum_weights=_CITY_SHARES)[0]
        while kind is Kind.BACK_DATED_SCAN and tier(city.province) != "normal":
            city = rng.choices(_CITIES, cum_weights=_CITY_SHARES)[0]
        return Plan(
            kind=kind,
            carrier=carrier,
            origin=shop.origin,
            origin_district=rng.choice(shop.origin.outlets),
            destination=city,
            district=rng.choice(city.outlets),
            shipped_at=printed,
            picked_up_at=fetched,
            courier=f"{rng.choice(_COURIERS)}师傅",
            phone=f"1380000{rng.randrange(10_000):04d}",
            jams=self.jams,
        )


def _overrun(plan: Plan, paid_at: datetime, rng: Random) -> Plan:
    """A warehouse on a sale night: every label printed at once, a part handed over a day later."""
    slow = plan.kind is not Kind.FAKE_SHIPMENT and rng.random() < _SLOW
    fetched = plan.picked_up_at + timedelta(days=1) if slow else plan.picked_up_at
    return replace(plan, shipped_at=paid_at + hours(rng.uniform(0.1, 0.5)), picked_up_at=fetched)


def _leaves(parcel: Parcel, since: datetime, until: datetime) -> set[tuple[str, str]]:
    """The hubs (carrier, city) this parcel leaves in between."""
    spoken = parcel.carrier
    cities = {scan.city for scan in parcel.scans if scan.hub and scan.city and not scan.stray}
    stays = ((city, stay_in(parcel.scans, spoken.hub(city), since, until)) for city in cities)
    return {(spoken.key, city.name) for city, stay in stays if stay and stay.leaves.occurred_at < until}


_CARRIER_SHARES: Final = tuple(accumulate(carrier.share for carrier in CARRIERS))
_CITIES: Final = tuple(city for city, _ in DESTINATIONS)
_CITY_SHARES: Final = tuple(accumulate(weight for _, weight in DESTINATIONS))


def _naturals(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


def _paid_at(parcel: Parcel) -> datetime:
    assert parcel.order.paid_at is not None
    return parcel.order.paid_at


def _shipped_at(parcel: Parcel) -> datetime:
    assert parcel.order.shipped_at is not None
    return parcel.order.shipped_at
