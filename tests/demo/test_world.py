"""The simulated world: the same for the same seed, endless, found again by its numbers."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest

from domain.findings import Stage
from monitor.demo.noise import Noise
from monitor.demo.story import Jam, Kind
from monitor.demo.truth import crossings
from monitor.demo.wording import CARRIERS
from monitor.demo.world import MIX, World, answer_rows

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
LATER = START + timedelta(days=120)


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, START)


def test_two_worlds_of_one_seed_are_alike_to_the_last_word(world: World) -> None:
    twin = World(7, START)
    for ours, theirs in zip(world.parcels(300), twin.parcels(300), strict=True):
        assert (ours.waybill, ours.order, ours.kind) == (theirs.waybill, theirs.order, theirs.kind)
        assert ours.scans == theirs.scans


def test_another_seed_is_another_world(world: World) -> None:
    other = World(8, START)
    ours = {parcel.waybill_no for parcel in world.parcels(300)}
    assert not ours & {parcel.waybill_no for parcel in other.parcels(300)}


def test_a_parcel_does_not_depend_on_which_were_looked_at_before(world: World) -> None:
    fresh = World(7, START)
    assert fresh.parcel(12_345).scans == next(islice(world.parcels(first=12_345), 1)).scans


def test_the_world_does_not_end(world: World) -> None:
    assert world.parcel(1_000_000).order.paid_at > world.parcel(999_999).order.paid_at


def test_every_number_leads_back_to_its_parcel(world: World) -> None:
    for parcel in world.parcels(500):
        found = world.find(parcel.carrier.key, parcel.waybill_no)
        assert found is not None
        assert found.index == parcel.index


@pytest.mark.parametrize(
    "number", ["", "123", "YT8810000000001", "YT881000000000x", "YT881٠٠٠٠٠٠٠٠٠٠", "SF" + "9" * 30]
)
def test_numbers_of_nobody_are_not_found(world: World, number: str) -> None:
    assert world.find("yuantong", number) is None


def test_a_number_is_unknown_to_other_carriers(world: World) -> None:
    parcel = next(p for p in world.parcels() if p.carrier.key == "yuantong" and p.scans)
    assert world.lookup("zhongtong", parcel.waybill_no, LATER) is None
    assert world.lookup("nobody", parcel.waybill_no, LATER) is None


def test_numbers_have_the_shape_of_their_carrier(world: World) -> None:
    """`facts/carriers-codes.csv`, waybill_shape."""
    shapes = {
        "shunfeng": ("SF", 13),
        "zhongtong": ("", 14),
        "yuantong": ("YT", 13),
        "shentong": ("77", 13),
        "yunda": ("4", 14),
        "jtexpress": ("JT", 13),
    }
    seen = set()
    for parcel in world.parcels(200):
        prefix, digits = shapes[parcel.carrier.key]
        rest = parcel.waybill_no.removeprefix(prefix)
        assert parcel.waybill_no.startswith(prefix)
        assert rest.isdecimal()
        assert len(rest) == digits
        seen.add(parcel.carrier.key)
    assert seen == {carrier.key for carrier in CARRIERS}


def test_orders_are_paid_at_the_given_rate_from_the_backlog_on() -> None:
    world = World(1, START, per_day=100, backlog=timedelta(days=3))
    assert world.paid(START - timedelta(days=3)) == 0
    assert world.paid(START) == 300
    assert all(parcel.order.paid_at < START for parcel in world.parcels(300))
    assert world.parcel(300).order.paid_at >= START


def test_each_parcel_is_imported_once_and_awaited_before(world: World) -> None:
    hours = [START + timedelta(hours=n) for n in range(0, 30, 3)]
    imported = [p.index for a, b in pairwise(hours) for p in world.shipped(a, b)]
    assert len(imported) == len(set(imported)) > 100
    for parcel in world.awaiting(START):
        assert parcel.order.paid_at < START < parcel.order.shipped_at
    assert {p.index for p in world.awaiting(START)} <= set(imported) | {
        p.index for p in world.awaiting(hours[-1])
    }


def test_every_kind_occurs_about_as_often_as_asked(world: World) -> None:
    counted = Counter(parcel.declared for parcel in world.parcels(12_000))
    for kind, share in MIX.items():
        assert counted[kind] == pytest.approx(12_000 * share, rel=0.45), kind
    assert set(Kind) - {Kind.HUB_JAM} == set(counted)


def test_the_mix_can_be_chosen() -> None:
    world = World(3, START, mix={Kind.LOST: 1.0}, jams=())
    assert {parcel.kind for parcel in world.parcels(50)} == {Kind.LOST}


def test_a_line_is_not_seen_before_it_is_visible(world: World) -> None:
    parcel = next(p for p in world.parcels() if p.kind is Kind.NORMAL and len(p.scans) > 5)
    first = min(scan.visible_at for scan in parcel.scans)
    second = timedelta(seconds=1)
    assert world.lookup(parcel.carrier.key, parcel.waybill_no, first - second) is None
    assert world.lookup(parcel.carrier.key, parcel.waybill_no, first) is not None


def test_rows_come_newest_first(world: World) -> None:
    for parcel in world.parcels(200):
        times = [row.at for row in answer_rows(parcel, LATER)]
        assert times == sorted(times, reverse=True)


def test_only_the_carriers_that_check_phones_want_one(world: World) -> None:
    """`facts/carriers-kuaidi100.md`, param `phone`: required for 顺丰."""
    for parcel in world.parcels(300):
        wanted = world.phone_tail(parcel.carrier.key, parcel.waybill_no)
        assert wanted == (parcel.phone_tail if parcel.carrier.key == "shunfeng" else None)


def test_a_jam_holds_everything_of_its_carrier_at_its_hub_until_it_ends() -> None:
    jam = Jam("zhongtong", "武汉", START, START + timedelta(hours=60))
    world = World(5, START, per_day=400, backlog=timedelta(days=4), mix={}, noise=Noise.none(), jams=(jam,))
    held = [p for p in world.parcels(world.paid(jam.until)) if p.kind is Kind.HUB_JAM]
    assert len(held) > 20
    for parcel in held:
        hub = [
            s
            for s in parcel.scans
            if s.moves and s.hub == parcel.carrier.hub(s.city) and s.city.name == "武汉"
        ]
        arrived, left = hub[0], hub[1]
        assert jam.since <= arrived.occurred_at < jam.until <= left.occurred_at
        remark = next(s for s in parcel.scans if "积压" in s.text)
        assert arrived.occurred_at < remark.occurred_at < left.occurred_at
        assert not remark.moves


def test_there_is_trouble_at_several_stages_from_the_start_and_more_while_one_watches(world: World) -> None:
    rules_before, after = Counter(), 0
    for parcel in world.parcels(world.paid(START + timedelta(hours=12))):
        for step in crossings(parcel):
            running = step.end_known_at is None or step.end_known_at > START
            if step.at <= START and running:
                rules_before[step.rule, step.stage] += 1
            after += START < step.at <= START + timedelta(hours=12) and step.stage is Stage.BREACH
    assert {stage for _, stage in rules_before} == {Stage.WARNING, Stage.BREACH}
    assert len({rule for rule, _ in rules_before}) > 8
    assert after > 10
