"""In the simulated world, where it is known what went wrong, the finding of that trouble blames who did it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.findings import Blame, Party
from domain.journey import condense
from domain.orders import Case
from monitor.demo.noise import Noise
from monitor.demo.scans import events_at
from monitor.demo.story import Kind
from monitor.demo.world import Parcel, World
from monitor.profiles import load_profiles
from rules.judge import judge
from rules.policy import PolicyBook

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PAUSE = timedelta(hours=4)
FORTNIGHT = timedelta(days=14)
BOOK = PolicyBook(load_profiles())
SILENCE = {"transit_stagnation", "update_timeout", "pickup_no_update", "first_hub"}
WHO: dict[Kind, tuple[set[str], set[Party]]] = {
    Kind.LATE_PICKUP: ({"late_shipment", "no_pickup"}, {Party.WAREHOUSE, Party.UNKNOWN}),
    Kind.NEVER_HEARD_OF: ({"late_shipment", "no_pickup"}, {Party.UNKNOWN}),
    Kind.FIRST_HUB_STUCK: ({"first_hub"}, {Party.CARRIER}),
    Kind.STALL_AT_PICKUP: (SILENCE, {Party.CARRIER}),
    Kind.STALL_IN_NODE: (SILENCE, {Party.CARRIER}),
    Kind.STALL_BETWEEN_NODES: (SILENCE, {Party.CARRIER}),
    Kind.STALL_DELIVERY_LEG: (SILENCE, {Party.CARRIER}),
    Kind.DISPATCH_TIMEOUT: ({"dispatch_sign"}, {Party.CARRIER}),
    Kind.LOST: ({"lost"}, {Party.CARRIER}),
    Kind.DAMAGED: ({"damaged"}, {Party.CARRIER}),
    Kind.SIGNED_THEN_STORED: ({"signed_then_stored"}, {Party.CARRIER}),
    Kind.REFUSED: ({"refused"}, {Party.BUYER}),
    Kind.UNREACHABLE: ({"unreachable"}, {Party.BUYER}),
    Kind.LOCKER_OVERDUE: ({"locker_overdue"}, {Party.BUYER}),
}
"""The rules that tell of the trouble, and who may have made it."""


def blamed(parcel: Parcel, rules: set[str]) -> list[Blame]:
    """Everybody whom these rules blamed in a fortnight of looks."""
    told: list[Blame] = []
    shipped_at = parcel.order.shipped_at
    assert shipped_at is not None
    for n in range(FORTNIGHT // PAUSE):
        now = shipped_at + n * PAUSE
        journey = condense(events_at(parcel.scans, now))
        case = Case(parcel.waybill, (parcel.order,), journey, observed_at=now, orders_observed_at=now)
        for finding in judge(case, BOOK.policy_for(case), now).findings:
            assert finding.blame is not None
            if finding.rule in rules:
                told.append(finding.blame)
    return told


@pytest.mark.parametrize("kind", WHO)
def test_the_one_who_did_it_is_blamed(kind: Kind) -> None:
    rules, parties = WHO[kind]
    world = World(29, START, mix={kind: 1.0}, jams=(), noise=Noise.none())
    told = [blame for parcel in world.parcels(3) for blame in blamed(parcel, rules)]
    assert told
    assert {blame.party for blame in told} <= parties, told
