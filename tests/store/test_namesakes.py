"""One number under two carriers' codes at one account: the provider counts the number, so its ceilings are one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from carriers.base import Ceilings
from domain.orders import UNNAMED, Waybill
from monitor.polling.by_hand import asked_by_hand
from monitor.store import parcels
from monitor.store.claimed import give_back
from monitor.store.database import Database
from tests.simulated import HOUR, MINUTE, PICKED, Robot, World

BOTH = frozenset({"zhongtong", "yuantong"})


@pytest.fixture
def world(database: Database) -> World:
    made = World(database, [Robot("ops")], carriers=BOTH, ceilings=Ceilings(30 * MINUTE, 4, 20.0, 16))
    for carrier in sorted(BOTH):
        made.import_("Z1", carrier=carrier)
    made.carrier.says("Z1", (-1, PICKED))
    return made


def ask(world: World) -> int:
    """What is due is asked; how many questions that was."""
    before = len(world.carrier.asked)
    world.due_now()
    world.poll()
    return len(world.carrier.asked) - before


def test_one_is_asked_and_the_other_waits_its_interval(world: World) -> None:
    assert ask(world) == 1
    world.clock.start += 29 * MINUTE
    assert ask(world) == 0
    world.clock.start += 2 * MINUTE
    assert ask(world) == 1


def test_the_day_is_one_too(world: World) -> None:
    """Four a day: half of them at once, the other half evenly; not that for each name."""
    began = world.now
    while world.now < began + 24 * HOUR:
        ask(world)
        world.clock.start += 31 * MINUTE
    assert len(world.carrier.asked) <= 4


def test_both_have_their_turn(world: World) -> None:
    world.due_now()
    world.poll()
    for _ in range(3):
        world.clock.start += 31 * MINUTE
        world.poll()
    assert world.column("SELECT count(*) FROM due WHERE asked_at IS NULL") == [0]


def test_a_name_that_comes_later_finds_what_the_number_has_used(world: World) -> None:
    """Also by hand, whatever the carrier is called."""
    world.due_now()
    world.poll()

    def by_hand(carrier: str) -> object:
        waybill = Waybill(carrier, "Z1")
        return world.store.write_now(
            lambda conn: asked_by_hand(conn, world.account, waybill, world.now, force=False)
        )

    assert by_hand("zhongtong") is not None
    assert by_hand("yuantong") is not None
    assert by_hand(UNNAMED) is not None


def test_another_accounts_questions_are_its_own(world: World) -> None:
    world.store.write_now(
        lambda conn: conn.exec_driver_sql("UPDATE due SET provider = 'another' WHERE parcel_id = 1")
    )
    world.due_now()
    assert ask(world) == 1
    claims = world.store.write_now(
        lambda conn: parcels.claim_polls(
            *(conn, "another", world.now, 10), interval=30 * MINUTE, daily=4, lease=MINUTE
        )
    )
    assert [claim.parcel_id for claim in claims] == [1]


def test_what_is_given_back_frees_the_number(world: World) -> None:
    ceilings = {"interval": 30 * MINUTE, "daily": 4, "lease": MINUTE}
    world.due_now()
    before = world.rows("SELECT * FROM due ORDER BY parcel_id")
    [claim] = world.store.write_now(lambda conn: parcels.claim_polls(conn, "k100", world.now, 1, **ceilings))
    assert world.rows("SELECT * FROM due ORDER BY parcel_id") != before
    world.store.write_now(lambda conn: give_back(conn, "k100", [claim]))
    assert world.rows("SELECT * FROM due ORDER BY parcel_id") == before


def test_what_was_asked_by_hand_meanwhile_stays_counted(world: World) -> None:
    ceilings = {"interval": timedelta(0), "daily": 40, "lease": MINUTE}
    world.due_now()
    [claim] = world.store.write_now(lambda conn: parcels.claim_polls(conn, "k100", world.now, 1, **ceilings))
    waybill = Waybill(claim.carrier, "Z1")
    world.clock.start += MINUTE
    world.store.write_now(lambda conn: asked_by_hand(conn, world.account, waybill, world.now, force=True))
    [(asked,)] = world.rows("SELECT asked_at FROM due WHERE parcel_id = :id", id=claim.parcel_id)
    world.store.write_now(lambda conn: give_back(conn, "k100", [claim]))
    [(still, quota)] = world.rows(
        "SELECT asked_at, quota_at FROM due WHERE parcel_id = :id", id=claim.parcel_id
    )
    assert still == asked
    assert quota > asked
