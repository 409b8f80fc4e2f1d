""" "Nothing known" of a parcel without scans accuses nobody by itself (law L1; "a provider that changes", blindness).

It counts beside scans that the same carrier answered with right after it, or when it was said twice.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from carriers.base import Ceilings
from domain.time import to_micros
from monitor.polling.witness import Unsure, Witness
from monitor.store import schema
from monitor.store.database import Database
from tests.simulated import HOUR, MINUTE, PICKED, Robot, World, at

LIMITS = Ceilings(30 * MINUTE, 48, per_second=50.0, concurrency=8)
KEPT, LOST = True, False


@pytest.mark.parametrize(
    ("said", "vouched"),
    [
        pytest.param([], None, id="nobody was asked about"),
        pytest.param([(-1, KEPT)], None, id="asked before it only"),
        pytest.param([(0, KEPT)], True, id="in the same request"),
        pytest.param([(1, KEPT)], True, id="asked after it"),
        pytest.param([(-1, KEPT), (120, KEPT)], True, id="before and right after it"),
        pytest.param([(-1, KEPT), (121, KEPT)], None, id="too late to tell"),
        pytest.param([(-1, LOST), (1, KEPT)], False, id="the one right before had lost its scans"),
        pytest.param([(1, LOST)], False, id="has lost its scans, too"),
        pytest.param([(0, KEPT), (0, LOST)], False, id="one of the same request has"),
        pytest.param([(1, LOST), (2, KEPT)], False, id="the first since has: the outage ended after it"),
        pytest.param([(-n, KEPT) for n in range(16)] + [(-50, LOST), (1, KEPT)], False, id="one in 18 has"),
        pytest.param([(-n, KEPT) for n in range(40)] + [(-50, LOST), (1, KEPT)], None, id="one in 42 has"),
        pytest.param([(-n, KEPT) for n in range(99)] + [(-500, LOST), (1, KEPT)], True, id="one in 101 has"),
        pytest.param([(-2000, LOST), (1, KEPT)], True, id="one had, long ago"),
        pytest.param([(1, KEPT), (7200, KEPT)], True, id="what a clock that ran ahead says is not asked"),
    ],
)
def test_the_answers_with_scans_right_before_and_after_vouch(
    said: list[tuple[int, bool]], vouched: bool | None
) -> None:
    witness = Witness()
    for seconds, bears in said:
        witness.heard("zhongtong", at(0) + timedelta(seconds=seconds), bears)
    assert witness.vouches("zhongtong", at(0), at(1)) is vouched
    assert witness.vouches("yunda", at(0), at(1)) is None, "each carrier speaks for itself"


def test_what_a_clock_that_was_ahead_has_heard_vouches_for_nobody() -> None:
    witness = Witness()
    witness.heard("zhongtong", at(0) + MINUTE, KEPT)
    assert witness.vouches("zhongtong", at(0), at(0)) is None


@pytest.mark.parametrize(
    ("kept", "lost", "losing"), [(0, 0, False), (0, 1, True), (18, 1, True), (19, 1, False), (190, 10, False)]
)
def test_who_loses_more_than_one_in_twenty_within_the_hour_is_losing(
    kept: int, lost: int, losing: bool
) -> None:
    witness = Witness()
    witness.heard("zhongtong", at(-1.1), LOST)
    for n in range(kept + lost):
        witness.heard("zhongtong", at(0) - timedelta(seconds=n), n >= lost)
    assert witness.losing("zhongtong", at(0)) is losing


def test_where_a_number_is_asked_about_once_a_day_a_later_one_vouches() -> None:
    witness = Witness(24 * HOUR)
    witness.heard("zhongtong", at(1.9), KEPT)
    assert witness.vouches("zhongtong", at(0), at(2))
    assert Witness().vouches("zhongtong", at(0), at(2)) is None


def test_what_waits_is_released_once_and_forgotten_when_nobody_can_tell() -> None:
    witness = Witness()
    for n, hours in enumerate((0, 1)):
        witness.wait(Unsure(n, "zhongtong", at(hours), at(hours)))
    assert witness.released(at(1)) == [], (
        "nobody was asked about since; of the first nobody will tell any more"
    )
    witness.heard("zhongtong", at(0) + MINUTE, KEPT)
    witness.heard("zhongtong", at(1) + MINUTE, KEPT)
    assert [each.parcel_id for each in witness.released(at(1.1))] == [1]
    assert witness.released(at(1.1)) == []


def test_what_has_a_newer_answer_is_not_released() -> None:
    witness = Witness()
    witness.wait(Unsure(1, "zhongtong", at(0), at(0)))
    witness.forget(1)
    witness.heard("zhongtong", at(0), KEPT)
    assert witness.released(at(0)) == []


def test_a_million_answers_and_doubts_take_bounded_memory() -> None:
    witness = Witness()
    for n in range(20_000):
        witness.heard("zhongtong", at(0) + timedelta(seconds=n), KEPT)
        witness.wait(Unsure(n, "zhongtong", at(99), at(99)))
    assert len(witness._said["zhongtong"]) <= 2_000
    assert len(witness._unsure) <= 10_000


# ── through the poller, on both databases ────────────────────────────────────────────────────────


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")], ceilings=LIMITS)


def accused(world: World) -> list[str]:
    """The parcels of which a late pickup was claimed, or warned of."""
    return world.column(
        "SELECT p.waybill_no FROM findings f JOIN parcels p ON p.id = f.parcel_id"
        " WHERE f.rule = 'late_pickup' ORDER BY p.waybill_no"
    )


def not_before(world: World, parcel_id: int, hours: float) -> None:
    """Nobody asks about it sooner."""
    query = update(schema.due).values(next_poll_at=to_micros(at(hours)))
    world.store.write_now(lambda conn: conn.execute(query.where(schema.due.c.parcel_id == parcel_id)))


def in_flight(world: World, n: int, silent: range) -> None:
    """`n` parcels asked about once: all have a scan but the silent ones, of which the limit is at 22 h."""
    world.import_many(n)
    world.tick()
    for i in (i for i in range(n) if i not in silent):
        world.carrier.says(f"Z{i:05d}", (0, PICKED))
    world.set(1)
    world.due_now()
    world.run(lambda: world.repeat(world.poller.tick, seconds=n / 50 + 2))
    assert accused(world) == []


def ask_all(world: World, hours: float, seconds: float = 8) -> None:
    world.set(hours)
    world.due_now()
    world.run(lambda: world.repeat(world.poller.tick, seconds=seconds))


def test_a_provider_that_lost_everything_accuses_nobody_and_the_true_ones_come_after_it(world: World) -> None:
    silent = range(0, 200, 4)
    in_flight(world, 200, silent)
    had, world.carrier.known = world.carrier.known, {}
    ask_all(world, 23)
    assert accused(world) == []
    ask_all(world, 24)
    assert accused(world) == [], "said twice while others have lost theirs"

    world.carrier.known = had | {f"Z{i:05d}": {"scans": [(20, "picked_up")]} for i in silent[5:]}
    ask_all(world, 25.5)
    ask_all(world, 26.1)
    ask_all(world, 26.7)
    assert accused(world) == [f"Z{i:05d}" for i in silent[:5]], "picked up in time, all but these"


def test_an_outage_shorter_than_the_next_look_accuses_nobody(world: World) -> None:
    """The first numbers with scans that are asked about after the empty answer decide, not later ones."""
    in_flight(world, 40, range(10))
    had, world.carrier.known = world.carrier.known, {}
    ids = world.column("SELECT id FROM parcels ORDER BY waybill_no")
    world.set(23)
    for each in ids[13:]:
        not_before(world, each, 23.01)
    world.due_now(*ids[:10], *ids[10:13])
    world.run(lambda: world.repeat(world.poller.tick, seconds=2))
    world.carrier.known = had | {f"Z{i:05d}": {"scans": [(20, "picked_up")]} for i in range(10)}
    world.set(23.01)
    world.due_now(*ids[13:])
    world.run(lambda: world.repeat(world.poller.tick, seconds=4))
    assert accused(world) == []


def test_beside_numbers_that_have_their_scans_it_is_claimed_at_once(world: World) -> None:
    in_flight(world, 40, range(10))
    ask_all(world, 23)
    assert accused(world) == [f"Z{i:05d}" for i in range(10)]


def test_an_answer_that_repeats_the_last_one_vouches_as_well_minutes_later(world: World) -> None:
    in_flight(world, 2, range(1))
    ids = world.column("SELECT id FROM parcels ORDER BY waybill_no")
    world.set(23)
    not_before(world, ids[1], 23.03)
    world.due_now(ids[0])
    world.poll()
    assert accused(world) == []
    world.set(23.03)
    world.due_now(ids[1])
    world.poll()
    assert accused(world) == ["Z00000"]
    assert world.loaded(ids[0]).case.observed_at == at(23), (
        "silence is proven to the look, not to the witness"
    )


def test_a_number_with_scans_is_called_to_be_asked_about(world: World) -> None:
    """So that a small shop, too, knows within moments whether it was the provider that lost everything."""
    in_flight(world, 3, range(1))
    ids = world.column("SELECT id FROM parcels ORDER BY waybill_no")
    had = dict(world.carrier.known)
    for lost, found in ((True, []), (False, ["Z00000"])):
        world.carrier.known = {} if lost else had
        hours = 23 if lost else 24
        world.set(hours)
        for each in ids[1:]:
            not_before(world, each, 40)
        world.due_now(ids[0])
        asked = len(world.carrier.asked)
        world.run(lambda: world.repeat(world.poller.tick, seconds=3))
        assert len(world.carrier.asked) == asked + 2, "the silent one, and one of the others"
        assert accused(world) == found


def test_a_parcel_of_its_own_is_asked_about_twice(world: World) -> None:
    parcel = world.import_("Z1")
    world.set(23)
    world.due_now()
    world.poll()
    assert accused(world) == []
    assert world.loaded(parcel).next_poll_at == at(23) + LIMITS.per_waybill_interval, "as soon as it may be"
    world.set(23.5)
    world.poll()
    assert accused(world) == ["Z1"]
    assert world.loaded(parcel).open[0].finding.rule == "late_pickup"


def test_a_doubt_that_somebody_vouched_for_is_over(world: World) -> None:
    """The warning was told; a look in an outage, soon after, is the first of its kind and no second one."""
    in_flight(world, 2, range(1))
    ids = world.column("SELECT id FROM parcels ORDER BY waybill_no")
    had = dict(world.carrier.known)
    for hours, known in ((21.2, had), (22.2, {})):
        world.carrier.known = known
        world.set(hours)
        not_before(world, ids[1], 40)
        world.due_now(ids[0])
        world.run(lambda: world.repeat(world.poller.tick, seconds=3))
    assert world.column("SELECT stage FROM findings WHERE rule = 'late_pickup'") == ["warning"]


def test_what_came_between_is_no_accusation(world: World) -> None:
    """The doubted look is forgotten when the parcel was heard of, whoever vouches for it afterwards."""
    in_flight(world, 2, range(1))
    ids = world.column("SELECT id FROM parcels ORDER BY waybill_no")
    world.set(23)
    not_before(world, ids[1], 23.2)
    world.due_now(ids[0])
    world.poll()
    world.settle(ids[0], journey=world.loaded(ids[1]).case.journey)
    world.set(23.2)
    world.due_now(ids[1])
    world.poll()
    assert accused(world) == []


def test_a_restart_between_loses_the_doubt_and_no_finding(world: World) -> None:
    in_flight(world, 2, range(1))
    ids = world.column("SELECT id FROM parcels ORDER BY waybill_no")
    world.set(23)
    not_before(world, ids[1], 23.2)
    world.due_now(ids[0])
    world.poll()
    world.restart()
    world.set(23.2)
    world.due_now(ids[1])
    world.poll()
    assert accused(world) == []
    world.set(23.6)
    world.poll()
    assert accused(world) == ["Z00000"]
