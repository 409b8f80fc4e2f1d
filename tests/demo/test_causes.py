"""What can be caused while the world runs: a jam, its end, a burst of orders. The past stays as it was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from domain.findings import Stage
from domain.journey import condense
from domain.orders import Case
from domain.tracking import ExceptionKind
from monitor.demo.noise import Noise
from monitor.demo.scans import Scan, events_at
from monitor.demo.story import Kind
from monitor.demo.truth import crossings, limits_of
from monitor.demo.world import Hub, Parcel, World, answer_rows
from monitor.profiles import load_profiles
from rules.judge import judge
from rules.policy import PolicyBook

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRESSED = START + 5 * HOUR
LASTS = 30 * HOUR
LATER = START + timedelta(days=30)
EVERYTHING = range(900)
CLEAN = {"mix": {}, "noise": Noise.none()}
BOOK = PolicyBook(load_profiles())


def world(**more) -> World:
    return World(7, START, per_day=180, backlog=timedelta(days=4), jams=(), **more)


def jammed(*, at: datetime = PRESSED, lasts: timedelta = LASTS, **more) -> tuple[World, Hub]:
    """A world with a jam at its busiest hub."""
    made = world(**more)
    hub = made.busiest(at)[0]
    made.jam(hub, at, lasts)
    return made, hub


def seen(parcel: Parcel, until: datetime) -> list[tuple[datetime, str, datetime]]:
    """Every line anybody could have seen by a moment, and since when."""
    return [(s.occurred_at, s.words(until), s.visible_at) for s in parcel.scans if s.visible_at <= until]


def movements(parcel: Parcel) -> list[Scan]:
    return [scan for scan in parcel.scans if scan.moves and not scan.echo and not scan.stray]


def held(made: World, **more) -> list[Parcel]:
    """The parcels whose life a cause changed, against a world of the same making without causes."""
    before = world(**more)
    return [p for p in map(made.parcel, EVERYTHING) if p.scans != before.parcel(p.index).scans]


def test_nothing_leaves_a_jammed_hub_until_it_is_over_and_everything_does_afterwards() -> None:
    made, hub = jammed(**CLEAN)
    name, checked = hub.carrier.hub(hub.city), 0
    for parcel in made.parcels(made.paid(PRESSED + LASTS)):
        for inside, onward in pairwise(movements(parcel)):
            if parcel.carrier is hub.carrier and inside.hub == name and onward.hub == name:
                assert not PRESSED <= onward.occurred_at < PRESSED + LASTS
                checked += inside.occurred_at < PRESSED + LASTS < onward.occurred_at
        assert parcel.scans[-1].occurred_at < PRESSED + LASTS + timedelta(days=8)
    assert checked >= hub.parcels > 5


def test_what_is_inside_already_stays_too() -> None:
    made, hub = jammed(**CLEAN)
    name = hub.carrier.hub(hub.city)
    inside = [
        parcel
        for parcel in held(made, **CLEAN)
        if any(s.hub == name and s.occurred_at < PRESSED for s in movements(parcel))
    ]
    assert inside


def test_a_jam_at_one_hub_touches_no_parcel_that_does_not_pass_it() -> None:
    made, hub = jammed()
    changed = held(made)
    assert changed
    assert all(parcel.carrier is hub.carrier for parcel in changed)
    assert all(any(s.hub == hub.carrier.hub(hub.city) for s in parcel.scans) for parcel in changed)


def test_whoever_is_held_was_normal_until_then_and_counts_as_jammed() -> None:
    before, (made, _) = world(), jammed()
    for parcel in held(made):
        was = before.parcel(parcel.index).kind
        assert parcel.kind is (Kind.HUB_JAM if was is Kind.NORMAL else was)


def test_the_hubs_own_scans_come_late_meanwhile() -> None:
    made, hub = jammed(**CLEAN)
    name = hub.carrier.hub(hub.city)
    lags = [
        scan.visible_at - scan.occurred_at
        for parcel in held(made, **CLEAN)
        for scan in movements(parcel)
        if scan.hub == name and PRESSED <= scan.occurred_at < PRESSED + LASTS
    ]
    assert lags
    assert all(2 * HOUR <= lag <= 6 * HOUR for lag in lags)


def test_the_carrier_says_what_is_the_matter_and_it_moves_nothing() -> None:
    made, _ = jammed(**CLEAN)
    remarks = [
        s for p in held(made, **CLEAN) for s in p.scans if ExceptionKind.HUB_CONGESTION in s.exceptions
    ]
    assert len(remarks) > 5
    assert all("积压" in remark.text and not remark.moves for remark in remarks)
    assert all(PRESSED < remark.occurred_at < PRESSED + LASTS for remark in remarks)


@pytest.mark.parametrize("ended_after", [0, 3, 9, 29], ids=lambda count: f"healed after {count} h")
def test_what_was_seen_never_changes_whatever_is_caused(ended_after: int) -> None:
    made = world()
    moments = [PRESSED, PRESSED + 2 * HOUR, PRESSED + (ended_after + 2) * HOUR]

    def remembered(at: datetime) -> list:
        return [seen(made.parcel(index), at) for index in EVERYTHING]

    def cause(what, at: datetime) -> None:
        past = remembered(at)
        what()
        assert remembered(at) == past

    cause(lambda: made.jam(made.busiest(moments[0])[0], moments[0], LASTS), moments[0])
    cause(lambda: made.jam(made.busiest(moments[1])[0], moments[1], LASTS), moments[1])
    cause(lambda: made.dissolve(moments[2]), moments[2])
    cause(lambda: made.burst(moments[2], 50), moments[2])


def test_a_dissolved_jam_lets_everything_go_within_a_day() -> None:
    made, hub = jammed(**CLEAN, lasts=timedelta(days=20))
    over = PRESSED + 10 * HOUR
    assert made.dissolve(over) == 1
    assert made.dissolve(over) == 0
    for parcel in held(made, **CLEAN):
        stay = next(s for s in movements(parcel) if s.hub == hub.carrier.hub(hub.city))
        left = next(s for s in movements(parcel) if s.occurred_at > max(stay.occurred_at, PRESSED))
        assert over <= left.occurred_at < over + timedelta(days=1)


def test_the_busiest_hubs_come_first_and_a_jammed_one_is_not_offered_again() -> None:
    made, hub = jammed()
    assert hub.parcels >= max(other.parcels for other in world().busiest(PRESSED))
    again = made.busiest(PRESSED)
    assert (hub.carrier.key, hub.city.name) not in {(other.carrier.key, other.city.name) for other in again}
    counts = [other.parcels for other in again]
    assert counts == sorted(counts, reverse=True)


def test_the_same_causes_make_the_same_world() -> None:
    worlds = [jammed()[0], jammed()[0]]
    for made in worlds:
        made.burst(PRESSED + HOUR, 40)
        made.dissolve(PRESSED + 9 * HOUR)
    ours, theirs = ([made.parcel(index).scans for index in EVERYTHING] for made in worlds)
    assert ours == theirs
    until = PRESSED + 4 * HOUR
    shipped = [[p.order for p in made.shipped(PRESSED, until)] for made in worlds]
    assert shipped[0] == shipped[1]


def test_the_truth_knows_of_a_jam_that_was_caused() -> None:
    """The real rules, looking every two hours, claim of held parcels what the truth says and nothing else."""
    made, _ = jammed(**CLEAN, lasts=60 * HOUR)
    broken = set()
    for parcel in held(made, **CLEAN)[:12]:
        steps = crossings(parcel, limits_of(BOOK.policy_for(Case(parcel.waybill, (parcel.order,)))))
        true = {(s.rule, s.started_at) for s in steps if s.stage is Stage.BREACH}
        claimed = set()
        for look in range(0, 240, 2):
            now = parcel.order.shipped_at + look * HOUR
            case = Case(
                parcel.waybill,
                (parcel.order,),
                condense(events_at(parcel.scans, now)),
                observed_at=now,
                orders_observed_at=now,
            )
            found = judge(case, BOOK.policy_for(case), now).findings
            claimed |= {(f.rule, f.started_at) for f in found if f.stage is Stage.BREACH and f.deadline}
        assert claimed <= true
        assert true - claimed <= {claim for claim in true if claim[0] == "paid_to_signed"}
        broken |= {rule for rule, _ in claimed}
    assert broken & {"transit_stagnation", "update_timeout"}


def test_a_burst_is_paid_within_the_hour_and_uploaded_at_once() -> None:
    made = world()
    usual = {parcel.waybill for parcel in made.shipped(PRESSED, PRESSED + 2 * HOUR)}
    burst = made.burst(PRESSED, 120)
    more = [p for p in made.shipped(PRESSED, PRESSED + 2 * HOUR) if p.waybill not in usual]
    assert len(more) == 120
    assert all(PRESSED <= p.order.paid_at < PRESSED + burst.lasts for p in more)
    assert all(timedelta(0) < p.order.shipped_at - p.order.paid_at <= HOUR / 2 for p in more)
    assert len({p.order.order_no for p in more} | {p.waybill for p in more}) == 240


def test_parcels_of_a_burst_are_found_by_number_and_no_others_are() -> None:
    made = world()
    made.burst(PRESSED, 3)
    parcels = [p for p in made.shipped(PRESSED, PRESSED + 2 * HOUR) if p.order.paid_at >= PRESSED]
    own = [p for p in parcels if made.find(p.carrier.key, p.waybill_no) == p and p.index >= 50_000_000]
    assert len(own) == 3
    twin = world()
    assert all(twin.find(p.carrier.key, p.waybill_no) is None for p in own)
    assert [answer_rows(p, LATER) for p in own] == [
        tuple(made.lookup(p.carrier.key, p.waybill_no, LATER) or ()) for p in own
    ]


def test_a_sale_night_makes_a_part_of_its_parcels_late() -> None:
    made = world(mix={})
    made.burst(PRESSED, 200)
    parcels = [made.parcel(50_000_000 + n) for n in range(200)]
    late = [
        p for p in parcels if any(s.rule == "no_pickup" and s.stage is Stage.BREACH for s in crossings(p))
    ]
    assert 20 < len(late) < 120
    assert all(p.order.platform == "pinduoduo" for p in late)


@pytest.mark.parametrize("orders", [0, -1, 10_001])
def test_a_burst_of_nothing_or_of_too_much_is_refused(orders: int) -> None:
    with pytest.raises(ValueError, match="a burst has 1 to"):
        world().burst(PRESSED, orders)


@pytest.mark.parametrize("seed", range(4))
def test_no_series_of_causes_rewrites_what_was_seen(seed: int) -> None:
    """In the world as the demo has it, with a jam of its own and all its noise."""
    rng, at, some = Random(seed), START, range(300, 800)
    made = World(seed, START, per_day=180, backlog=timedelta(days=4))
    for _ in range(5):
        at += rng.uniform(0.2, 20) * HOUR
        past = [seen(made.parcel(index), at) for index in some]
        match rng.choice(["jam", "jam", "heal", "burst"]):
            case "jam":
                made.jam(rng.choice(made.busiest(at)[:6]), at, rng.uniform(3, 80) * HOUR)
            case "heal":
                made.dissolve(at)
            case "burst":
                made.burst(at, rng.randint(1, 200))
        assert [seen(made.parcel(index), at) for index in some] == past
        for index in some:
            scans = made.parcel(index).scans
            assert all(one.occurred_at <= two.occurred_at for one, two in pairwise(scans))
            assert all(scan.occurred_at <= scan.visible_at for scan in scans)
