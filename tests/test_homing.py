"""A carrier's parcels go to the account that the configuration names now, also when nothing else would look at them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from monitor.polling import homing
from monitor.polling.homing import Homing
from monitor.store.database import Database
from monitor.sweep import Sweep
from tests.simulated import Robot, World


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")], carriers=frozenset({"zhongtong", "yuantong"}))


def run(world: World, home: Callable[[str], str], ending: Callable[[], bool] = lambda: False) -> Homing:
    verb = Homing(world.db, home, lambda: world.now, ending)  # type: ignore[arg-type]
    asyncio.run(verb.tick())
    return verb


def due(world: World) -> int:
    [count] = world.column(
        "SELECT count(*) FROM due WHERE next_deadline_at <= :now", now=int(world.now.timestamp() * 1_000_000)
    )
    return int(count)


def test_nothing_is_looked_at_again_while_the_accounts_stay(world: World) -> None:
    world.import_("Z1")
    world.import_("Z2")
    run(world, lambda carrier: "k100")
    assert due(world) == 0


def test_an_account_of_another_name_gets_the_parcels_of_the_old_one(world: World) -> None:
    world.import_("Z1")
    world.store.write_now(lambda conn: conn.exec_driver_sql("UPDATE due SET next_deadline_at = NULL"))
    run(world, lambda carrier: "zto")
    assert due(world) == 1
    old = world.sweep
    moved = Sweep(old.book, old.routes, lambda carrier: ("zto", old.feeds(carrier)[1]), old.link)  # type: ignore[index]
    world.store.write_now(lambda conn: moved.tick(conn, world.now, 100))
    assert world.column("SELECT provider FROM due") == ["zto"]
    assert world.column("SELECT count(*) FROM due WHERE next_poll_at IS NOT NULL") == [1]


def test_what_is_over_stays_over(world: World) -> None:
    world.import_("Z1")
    world.store.write_now(lambda conn: conn.exec_driver_sql("UPDATE parcels SET state = 'done'"))
    run(world, lambda carrier: "")
    assert due(world) == 0


def test_it_is_over_after_one_look(world: World) -> None:
    verb = run(world, lambda carrier: "k100")
    world.import_("Z1")
    verb.home = lambda carrier: "other"
    asyncio.run(verb.tick())
    assert due(world) == 0


def test_many_go_in_steps_and_what_is_cut_short_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homing, "_PARCELS", 2)
    for n in range(5):
        world.import_(f"Z{n}")
    verb = run(world, lambda carrier: "zto", lambda: True)
    assert due(world) == 2
    verb.ending = lambda: False
    asyncio.run(verb.tick())
    assert due(world) == 5
