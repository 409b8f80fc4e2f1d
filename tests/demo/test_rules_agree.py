"""The real rules, given a perfect reader and a look every two hours, find what the script says and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.findings import Stage
from domain.journey import condense
from domain.orders import Case
from monitor.demo.noise import Noise
from monitor.demo.scans import events_at
from monitor.demo.story import Kind
from monitor.demo.truth import crossings, limits_of, troubles
from monitor.demo.world import Parcel, World
from monitor.profiles import load_profiles
from rules.judge import judge
from rules.policy import PolicyBook

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PAUSE = timedelta(hours=2)
FORTNIGHT = timedelta(days=14)
HARMLESS = {Kind.NORMAL, Kind.MISSING_PICKUP, Kind.WRONG_PHONE, Kind.BACK_DATED_SCAN}
BOOK = PolicyBook(load_profiles())
Claim = tuple[str, datetime]
"""A rule, and since when it waits or stands."""


def looks(parcel: Parcel) -> Iterator[tuple[datetime, set[Claim]]]:
    """What the rules claim to be broken, every two hours from shipping on for a fortnight."""
    for n in range(FORTNIGHT // PAUSE):
        now = parcel.order.shipped_at + n * PAUSE
        journey = condense(events_at(parcel.scans, now))
        case = Case(parcel.waybill, (parcel.order,), journey, observed_at=now, orders_observed_at=now)
        found = judge(case, BOOK.policy_for(case), now).findings
        yield now, {(f.rule, f.started_at) for f in found if f.stage is Stage.BREACH}


def truth(parcel: Parcel) -> tuple[dict[Claim, tuple[datetime, datetime | None]], set[Claim]]:
    """Claims that must be made, with the stretch in which they can be; and those that may be made besides."""
    blank = Case(parcel.waybill, (parcel.order,))
    steps = crossings(parcel, limits_of(BOOK.policy_for(blank)))
    broken = [step for step in steps if step.stage is Stage.BREACH]
    must = {(s.rule, s.started_at): (s.knowable_at, s.end_known_at) for s in broken if not s.retracted}
    told = {(t.rule, t.since): (t.known_at, t.until) for t in troubles(parcel)}
    return must | told, {(s.rule, s.started_at) for s in broken}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.HUB_JAM])
def test_nothing_is_missed_and_nothing_is_made_up(kind: Kind) -> None:
    world = World(23, START, mix={kind: 1.0}, jams=(), noise=Noise.none())
    checked = set()
    for parcel in world.parcels(4):
        must, may = truth(parcel)
        claimed = {claim: now for now, claims in reversed(list(looks(parcel))) for claim in claims}
        assert claimed.keys() <= must.keys() | may
        last_look = parcel.order.shipped_at + FORTNIGHT
        for claim, (since, until) in must.items():
            if min(until or last_look, last_look) - since > 2 * PAUSE:
                assert since <= claimed[claim] <= since + PAUSE
                checked.add(claim[0])
    assert checked - {"paid_to_signed"} or kind in HARMLESS
