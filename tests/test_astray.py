"""A clock that was days ahead wrote when to ask next: once it is right, nobody waits for those days."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from domain.time import to_micros
from monitor.polling.astray import Astray, furthest
from monitor.store import schema, upkeep
from monitor.store.database import Database
from tests.simulated import DAY, HOUR, MINUTE, PICKED, Robot, World

FRESH = timedelta(hours=12)


@pytest.fixture
def world(database: Database) -> World:
    made = World(database, [Robot("ops")])
    made.import_("Z1")
    made.carrier.says("Z1", (-1, PICKED))
    made.due_now()
    return made


def look(world: World, astray: Astray) -> int:
    return asyncio.run(astray.look(world.now))


def astray(world: World) -> Astray:
    made = Astray([world.account], FRESH, world.db)  # type: ignore[arg-type]
    asyncio.run(made.begin())
    return made


def put(world: World, ahead: timedelta) -> None:
    """The next question is so far ahead; nothing says when the last one was."""
    late = to_micros(world.now + ahead)
    world.store.write_now(lambda conn: conn.execute(update(schema.due).values(next_poll_at=late)))


@pytest.mark.parametrize("ahead", [9 * DAY, 400 * DAY])
def test_a_question_later_than_any_schedule_is_due_now(world: World, ahead: timedelta) -> None:
    put(world, ahead)
    assert look(world, astray(world)) == 1
    world.poll()
    assert world.carrier.times("Z1") == 1


def test_one_that_a_schedule_can_put_off_so_far_waits(world: World) -> None:
    put(world, furthest(world.account, FRESH))
    assert look(world, astray(world)) == 0
    world.poll()
    assert world.carrier.times("Z1") == 0


@pytest.mark.parametrize("ahead", [HOUR, 2 * DAY])
def test_a_restart_with_the_right_clock_asks_again(world: World, ahead: timedelta) -> None:
    """The last process's sign of life is later than now: its clock was ahead."""
    world.clock.start += ahead
    world.poll()
    world.store.write_now(lambda conn: upkeep.note(conn, upkeep.ALIVE, world.now))
    world.clock.start -= ahead
    verb = astray(world)
    assert look(world, verb) == 1
    assert look(world, verb) == 0, "once"
    for _ in range(77):
        world.clock.start += MINUTE
        world.poll()
    assert world.carrier.times("Z1") == 2, (
        "its interval after the clock came right, or when its day has room again"
    )


def test_a_clock_that_goes_back_while_we_run_is_seen(world: World) -> None:
    verb = astray(world)
    world.clock.start += 2 * DAY
    assert look(world, verb) == 0
    world.poll()
    world.clock.start -= 2 * DAY
    assert look(world, verb) == 1


def test_nothing_is_asked_sooner_while_the_clock_is_right(world: World) -> None:
    verb = astray(world)
    world.poll()
    before = world.rows("SELECT * FROM due")
    for _ in range(3):
        world.clock.start += MINUTE
        assert look(world, verb) == 0
    assert world.rows("SELECT * FROM due") == before


def test_the_usual_look_reads_the_end_of_an_index(sqlite_url: str) -> None:
    store = Database.open(sqlite_url)
    query = "SELECT parcel_id FROM due WHERE provider = 'k' AND next_poll_at > 9 LIMIT 1"
    plan = store.read_now(lambda conn: str(conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()))
    store.close()
    assert "ix_due_poll" in plan
