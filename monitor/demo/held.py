"""A hub that closes while the world runs: what is not made yet comes later, what was seen stays as it was.

`bends` writes a jam into a journey before it starts; here a jam falls on a life already written. A line that
anybody could have seen before the jam began, or before it was dissolved, is the same afterwards: so a world
that is asked again tells the same past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from domain.tracking import ExceptionKind, Milestone, Motion
from monitor.demo.places import CITIES
from monitor.demo.scans import Scan
from monitor.demo.story import Jam, hours
from monitor.demo.wording import Carrier

__all__ = ["Stay", "hold", "stay_in"]

_CONGESTED = frozenset({ExceptionKind.HUB_CONGESTION, ExceptionKind.HELD})


@dataclass(frozen=True, slots=True)
class Stay:
    """A parcel's time inside a hub: the line that says it is there, and the movement that ends it."""

    inside: Scan
    leaves: Scan


def stay_in(scans: Sequence[Scan], hub: str, since: datetime, until: datetime) -> Stay | None:
    """The first stay in a hub that began before `until` and had not ended at `since`; None when it has none."""
    moved = [scan for scan in scans if scan.moves and not scan.echo and not scan.stray]
    for inside, leaves in pairwise(moved):
        here = inside.hub == hub and inside.motion is not Motion.DEPARTED
        if here and inside.occurred_at < until and leaves.occurred_at >= since:
            return Stay(inside, leaves)
    return None


def hold(scans: Sequence[Scan], jam: Jam, carrier: Carrier, seed: int) -> tuple[Scan, ...]:
    """The life with this jam in it; as it was where the parcel does not meet it.

    What would leave the hub before the jam ends leaves whole days later, so that deliveries still happen by
    day; the hub's own scans come two to six hours late; the carrier says some hours later what is the matter.
    """
    stay = stay_in(scans, carrier.hub(CITIES[jam.city]), jam.since, jam.until)
    if carrier.key != jam.carrier or stay is None:
        return tuple(scans)
    rng = Random(f"{seed} {jam.carrier} {jam.city} {jam.since.isoformat()}")
    late, told = hours(rng.uniform(2, 6)), max(stay.inside.occurred_at, jam.since) + hours(rng.uniform(4, 8))
    shift = timedelta(days=-(-max(timedelta(0), jam.until - stay.leaves.occurred_at) // timedelta(days=1)))
    life = [_met(scan, stay, jam, late, shift) for scan in scans]
    if told < min(jam.until, stay.leaves.occurred_at + shift):
        life.append(_remark(stay.inside, told, carrier, hours(rng.uniform(0.02, 0.25))))
    return tuple(sorted(life, key=lambda scan: scan.occurred_at))


def _met(scan: Scan, stay: Stay, jam: Jam, late: timedelta, shift: timedelta) -> Scan:
    """One line of a parcel that meets the jam."""
    if scan.occurred_at >= stay.leaves.occurred_at:
        return _later(scan, shift)
    if scan.hub == stay.inside.hub and jam.since <= scan.occurred_at < jam.until:
        return replace(scan, visible_at=max(scan.visible_at, scan.occurred_at + late))
    return scan


def _later(scan: Scan, shift: timedelta) -> Scan:
    if not shift:
        return scan
    return replace(
        scan,
        occurred_at=scan.occurred_at + shift,
        visible_at=scan.visible_at + shift,
        edits=tuple((since + shift, words) for since, words in scan.edits),
        withdrawn_at=scan.withdrawn_at + shift if scan.withdrawn_at else None,
    )


def _remark(inside: Scan, at: datetime, carrier: Carrier, lag: timedelta) -> Scan:
    """The carrier says that its hub is congested; nothing moves by it."""
    city = inside.city
    assert city is not None
    return Scan(
        occurred_at=at,
        visible_at=at + lag,
        text=carrier.congested.format(full=city.full, hub=inside.hub, city=city.name),
        milestone=Milestone.UNKNOWN,
        code="0",
        city=city,
        hub=inside.hub,
        exceptions=_CONGESTED,
        moves=False,
    )
