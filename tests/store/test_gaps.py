"""How long carriers usually say nothing, learned from histories; and whoever asks next waits for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from domain.tracking import Milestone
from monitor.store import gaps, schema
from monitor.store.database import Database
from tests.simulated import HOUR, HUB, PICKED, T0, World


def history(world: World, parcels: int, *hours: float) -> None:
    """Parcels that arrived, each with scans at these hours."""
    for n, parcel in enumerate(world.import_many(parcels)):
        rows = [
            {
                "parcel_id": parcel,
                "occurred_at": int((T0 + timedelta(hours=at)).timestamp() * 1_000_000),
                "learned_at": 1,
                "seq": 0,
                "provider": "k100",
                "milestone": (PICKED if n == 0 or at == hours[0] else HUB).value,
            }
            for at in hours
        ]
        done = {"state": "done", "done_at": int(T0.timestamp() * 1_000_000)}
        change = update(schema.parcels).where(schema.parcels.c.id == parcel).values(**done)
        world.store.write_now(lambda conn, rows=rows: conn.execute(insert(schema.events), rows))
        world.store.write_now(lambda conn, change=change: conn.execute(change))


def test_the_usual_gap_is_the_one_four_of_five_do_not_pass() -> None:
    assert gaps.usual([5, 1, 2, 3, 4]) == 5
    assert gaps.usual(list(range(100))) == 80
    assert gaps.usual([7]) == 7


def test_a_leg_is_known_once_there_are_enough_gaps(database: Database) -> None:
    world = World(database)
    history(world, gaps.ENOUGH + 1, 0, 2, 11)
    database.write_now(lambda conn: gaps.learn(conn, T0 + HOUR))
    known = database.read_now(gaps.load)
    assert known == {
        ("zhongtong", Milestone.PICKED_UP.value): 2 * HOUR,
        ("zhongtong", Milestone.IN_TRANSIT.value): 9 * HOUR,
    }


@pytest.mark.parametrize("parcels", [0, gaps.ENOUGH - 1])
def test_of_too_few_nothing_is_said(database: Database, parcels: int) -> None:
    history(World(database), parcels, 0, 2)
    database.write_now(lambda conn: gaps.learn(conn, T0 + HOUR))
    assert database.read_now(gaps.load) == {}


def test_what_is_long_over_is_forgotten(database: Database) -> None:
    world = World(database)
    history(world, gaps.ENOUGH + 1, 0, 2)
    database.write_now(lambda conn: gaps.learn(conn, T0 + HOUR))
    assert database.write_now(lambda conn: gaps.learn(conn, T0 + timedelta(days=60))) == 0
    assert database.read_now(gaps.load) == {}
