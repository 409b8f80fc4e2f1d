"""One parcel of the simulated world, with everything that will ever be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from random import Random

from domain.orders import Order, Waybill
from monitor.demo.bends import journey
from monitor.demo.held import hold
from monitor.demo.noise import Noise, shown
from monitor.demo.scans import Row, Scan, rows_at
from monitor.demo.story import Jam, Kind, Plan
from monitor.demo.wording import Carrier

__all__ = ["Parcel", "answer_rows"]


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
    jams: tuple[Jam, ...] = ()
    """Those that were caused while the world ran; the others are in the plan."""

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
        scans = shown(self.plan, kind, story, self.noise, rng)
        for jam in self.jams:
            met = hold(scans, jam, self.carrier, self.seed)
            if kind is Kind.NORMAL and met != scans:
                kind = Kind.HUB_JAM
            scans = met
        return kind, scans


def answer_rows(parcel: Parcel, at: datetime) -> tuple[Row, ...]:
    """What the carrier shows of a parcel at a moment, newest first."""
    return rows_at(parcel.scans, at)
