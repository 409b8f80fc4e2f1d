"""The structural checks on the simulated world: every fake found, no honest parcel accused (run with -s for the figures)."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

import pytest

from domain.journey import condense
from domain.orders import Case
from monitor.demo.noise import Noise
from monitor.demo.scans import events_at
from monitor.demo.world import Parcel, World
from monitor.profiles import load_profiles
from rules.judge import judge
from rules.policy import PolicyBook
from rules.structural import CHECKS
from tests.demo.fakes import MAKERS, Fake, tampered

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
BOOK = PolicyBook(load_profiles())
LIFE = timedelta(days=40)
PARCELS = 3000
LOOKS = [timedelta(hours=each) for each in (6, 15, 21, 27, 36, 45, 54, 66, 90, 140, 240, 900)]


def claimed(case: Case, now: datetime) -> set[str]:
    """The checks that claim something at that moment."""
    found = judge(case, BOOK.policy_for(case), now).findings
    return {each.evidence["check"] for each in found if "check" in each.evidence}


def over_a_life(parcel: Parcel) -> set[str]:
    """What is claimed of a parcel at any of a dozen looks; its warehouse is known."""
    found: set[str] = set()
    for look in LOOKS:
        now = parcel.order.paid_at + look
        journey = condense(events_at(parcel.scans, now))
        case = Case(parcel.waybill, (parcel.order,), journey, now, now, origin=parcel.plan.origin.area)
        found |= claimed(case, now)
    return found


def fakes(parcels: Iterable[Parcel]) -> list[Fake]:
    """The world's parcels, one tampered with after the other, each in the next way."""
    pairs = zip(parcels, cycle(MAKERS), strict=False)
    return [fake for parcel, make in pairs if (fake := tampered(parcel, make)) is not None]


@pytest.fixture(scope="module")
def world() -> World:
    """With every trouble and all the noise of the demo's."""
    return World(29, START)


def table(made: Counter[str], hits: Counter[str], wrong: Counter[str]) -> str:
    """The figures, a line for each check."""
    lines = [f"\n{'check':26} {'made':>5} {'found':>5} {'recall':>7} {'wrong':>5} {'precision':>9}"]
    for check in CHECKS:
        recall, precision = hits[check] / made[check], hits[check] / (hits[check] + wrong[check])
        lines.append(
            f"{check:26} {made[check]:5} {hits[check]:5} {recall:7.3f} {wrong[check]:5} {precision:9.3f}"
        )
    return "\n".join(lines) + "\n"


def test_every_fake_is_found_and_nothing_else(world: World) -> None:
    made, hits, wrong = Counter[str](), Counter[str](), Counter[str]()
    for fake in fakes(world.parcels(PARCELS)):
        now = fake.parcel.order.shipped_at + LIFE
        found = claimed(fake.case(now), now)
        made.update(fake.must)
        hits.update(found & fake.must)
        wrong.update(found - fake.must - fake.may)
    sys.stdout.write(table(made, hits, wrong))
    assert made.keys() == CHECKS.keys()
    assert min(made.values()) >= 40
    for check in CHECKS:
        assert hits[check] / made[check] >= 0.95, check
    assert wrong == Counter()


def test_of_an_honest_parcel_nothing_is_claimed() -> None:
    """At any time of its life, late, lost, returned or jammed; with clean data."""
    world = World(31, START, noise=Noise.none())
    assert Counter(check for parcel in world.parcels(800) for check in over_a_life(parcel)) == Counter()


def test_noise_makes_no_claim_that_anybody_is_told_of(world: World) -> None:
    """Another parcel's line may show as a leap while it stands; that is recorded, and taken back with the line."""
    found = {parcel.index: over_a_life(parcel) for parcel in islice(world.parcels(first=PARCELS), 800)}
    strays = {
        parcel.index
        for parcel in islice(world.parcels(first=PARCELS), 800)
        if any(scan.stray for scan in parcel.scans)
    }
    assert strays
    assert {check for checks in found.values() for check in checks} <= {"impossible_speed"}
    assert {index for index, checks in found.items() if checks} <= strays
