"""A world of parcels, the same for the same seed, as large as anybody asks.

Parcel `n` is computed from the seed and `n` alone: nothing is stored, a hundred thousand are made as they
are walked through, and a waybill number leads back to its parcel. Everything lives in simulated time: the
moment is always an argument, and `World.at` maps real seconds to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from itertools import accumulate, islice
from random import Random
from types import MappingProxyType
from typing import Final

from domain.orders import Order, Waybill
from domain.time import aware
from monitor.demo.bends import journey
from monitor.demo.noise import Noise, shown
from monitor.demo.places import DESTINATIONS, tier
from monitor.demo.scans import Row, Scan, rows_at
from monitor.demo.shops import SHOPS, Shop, fulfil, place_order
from monitor.demo.story import Jam, Kind, Plan
from monitor.demo.wording import CARRIERS, SF, Carrier

__all__ = ["MIX", "Parcel", "World", "answer_rows", "usual_jam"]

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
_MOST: Final = 10**8
_COURIERS: Final = "王李张刘陈杨赵黄周吴徐孙"


@dataclass(frozen=True)
class Parcel:
    """One parcel with everything that will ever be said of it; its scans are written when first asked for."""

    index: int
    waybill_no: str
    order: Order
    phone_tail: str
    """The digits the carrier checks."""
    told_tail: str
    """The digits in the shop's order file."""
    plan: Plan
    declared: Kind
    noise: Noise
    seed: int

    @property
    def carrier(self) -> Carrier:
        """Who carries it."""
        return self.plan.carrier

    @property
    def waybill(self) -> Waybill:
        """The parcel's name in our words."""
        return Waybill(self.carrier.key, self.waybill_no)

    @property
    def kind(self) -> Kind:
        """What is wrong with it. A parcel that was drawn normal may still run into a jam."""
        return self._written[0]

    @property
    def scans(self) -> tuple[Scan, ...]:
        """Every line of its life, in order of time."""
        return self._written[1]

    @cached_property
    def _written(self) -> tuple[Kind, tuple[Scan, ...]]:
        rng = Random(self.seed)
        kind, story = journey(self.plan, rng)
        if self.declared is not Kind.NORMAL:
            kind = self.declared
        return kind, shown(self.plan, kind, story, self.noise, rng)


def answer_rows(parcel: Parcel, at: datetime) -> tuple[Row, ...]:
    """What the carrier shows of a parcel at a moment, newest first."""
    return rows_at(parcel.scans, at)


def usual_jam(started_at: datetime) -> Jam:
    """中通's hub in 武汉, closed from twenty hours before the start for eighty hours."""
    return Jam("zhongtong", "武汉", started_at - timedelta(hours=20), started_at + timedelta(hours=60))


class World:
    """Parcels paid one after the other, `per_day` of them, from `backlog` before `started_at` on."""

    def __init__(
        self,
        seed: int,
        started_at: datetime,
        speed: float = 600.0,
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
        self.speed: Final = speed
        self.opened_at: Final = self.started_at - backlog
        self.jams: Final = tuple(jams) if jams is not None else (usual_jam(self.started_at),)
        self._gap: Final = timedelta(days=1) / per_day
        self._kinds: Final = tuple(mix)
        self._shares: Final = tuple(accumulate(mix.values()))
        self._noise: Final = noise or Noise()
        self._shops: Final = tuple(shops)
        self._first: Final = Random(seed).randrange(_SERIALS)
        self.parcel: Final = lru_cache(maxsize=4096)(self._make)

    def at(self, elapsed: timedelta) -> datetime:
        """The simulated moment `elapsed` real time after the start."""
        return self.started_at + elapsed * self.speed

    def paid(self, until: datetime) -> int:
        """How many orders were paid before a moment: the parcels below this index."""
        return max(0, -(-(until - self.opened_at) // self._gap))

    def parcels(self, count: int | None = None, first: int = 0) -> Iterator[Parcel]:
        """Parcels in the order they were paid, made as they are taken; all of them never end."""
        return islice(map(self._make, _naturals(first)), count)

    def shipped(self, since: datetime, until: datetime) -> list[Parcel]:
        """Parcels whose number was uploaded after `since` and not after `until`: the next import."""
        low = self.paid(since - timedelta(days=5))
        return [
            parcel
            for parcel in map(self.parcel, range(low, self.paid(until)))
            if since < _shipped_at(parcel) <= until
        ]

    def awaiting(self, at: datetime) -> list[Parcel]:
        """Parcels that are paid and whose number is not uploaded yet."""
        indexes = range(self.paid(at - timedelta(days=5)), self.paid(at))
        return [parcel for parcel in map(self.parcel, indexes) if _shipped_at(parcel) > at]

    def find(self, carrier: str, waybill_no: str) -> Parcel | None:
        """The carrier's parcel of this number; None when there is none."""
        spoken = next((known for known in CARRIERS if known.key == carrier), None)
        digits = waybill_no.removeprefix(spoken.prefix) if spoken else ""
        if spoken is None or len(digits) != 10 or not digits.isdecimal() or not digits.isascii():
            return None
        index = (int(digits) - self._first) * pow(_STEP, -1, _SERIALS) % _SERIALS
        parcel = self.parcel(index) if index < _MOST else None
        return parcel if parcel and parcel.carrier is spoken and parcel.waybill_no == waybill_no else None

    def lookup(self, com: str, num: str, at: datetime) -> Sequence[Row] | None:
        """The provider's view: rows newest first, or None while nothing is known."""
        parcel = self.find(com, num)
        return (answer_rows(parcel, at) or None) if parcel else None

    def phone_tail(self, com: str, num: str) -> str | None:
        """The digits the carrier wants to hear for this number; None when it asks for none."""
        parcel = self.find(com, num)
        return parcel.phone_tail if parcel and parcel.carrier.checks_phone else None

    def _make(self, index: int) -> Parcel:
        rng = Random(self.seed << 40 | index)
        serial = (self._first + index * _STEP) % _SERIALS
        kind = self._draw_kind(rng)
        shop = self._draw_shop(kind, rng)
        carrier = SF if kind is Kind.WRONG_PHONE else rng.choices(CARRIERS, cum_weights=_CARRIER_SHARES)[0]
        paid_at = (self.opened_at + self._gap * (index + rng.random())).replace(microsecond=0)
        plan = self._plan(kind, shop, carrier, paid_at, rng)
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


_CARRIER_SHARES: Final = tuple(accumulate(carrier.share for carrier in CARRIERS))
_CITIES: Final = tuple(city for city, _ in DESTINATIONS)
_CITY_SHARES: Final = tuple(accumulate(weight for _, weight in DESTINATIONS))


def _naturals(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


def _shipped_at(parcel: Parcel) -> datetime:
    assert parcel.order.shipped_at is not None
    return parcel.order.shipped_at
