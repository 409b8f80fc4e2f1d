"""An account's ceilings hold over processes: real ones, on one store, asking one provider at the same time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.store import leases, schema
from monitor.store.database import Database
from tests.e2e.shared_provider import Seen, serving
from tests.simulated import T0, World

PROCESSES = 3
ROOT = Path(__file__).parents[2]


@pytest.fixture
def seen() -> Iterator[Seen]:
    made = Seen()
    thread = serving(made)
    yield made
    made.stop.set()
    thread.join()


@pytest.mark.parametrize(
    ("parcels", "per_second", "concurrency", "takes"),
    [pytest.param(600, 4000, 4, 0.02, id="under way"), pytest.param(40, 5, 50, 0.0, id="a second")],
)
def test_neither_the_pace_nor_the_requests_under_way_are_exceeded(
    database: Database,
    database_url: str,
    tmp_path: Path,
    seen: Seen,
    parcels: int,
    per_second: int,
    concurrency: int,
    takes: float,
) -> None:
    """A process claims 200 numbers, or four seconds' worth, at a time: there is enough for all three."""
    seen.takes = takes
    world = World(database)
    world.import_many(parcels)
    world.tick()
    world.set(-24 * 30)  # long due by the wall clock of the processes
    world.due_now()
    command = [sys.executable, "-m", "tests.e2e.asking_process", database_url, str(tmp_path)]
    limits = [str(seen.port), str(per_second), str(concurrency)]
    asking = [subprocess.Popen([*command, *limits], cwd=ROOT) for _ in range(PROCESSES)]
    assert [each.wait(timeout=120) for each in asking] == [0] * PROCESSES

    assert sorted(seen.numbers) == [f"Z{n:05d}" for n in range(parcels)], "each once"
    assert seen.most <= concurrency
    fastest = (parcels - 1) / per_second
    assert max(seen.moments) - min(seen.moments) >= 0.9 * fastest


LEASE = timedelta(seconds=60)


def take(store: Database, holder: str, at: float, used: int = 0, most: int = 8) -> leases.Leased:
    now = T0 + timedelta(seconds=at)
    return store.write_now(lambda conn: leases.take(conn, "k100", holder, most, now, lease=LEASE, used=used))


def leased(store: Database, at: float) -> int:
    return store.read_now(lambda conn: leases.held(conn, "k100", T0 + timedelta(seconds=at)))


def test_alone_a_process_has_all_slots(database: Database) -> None:
    assert take(database, "a", 0) == leases.Leased(8, shared=False)
    assert take(database, "a", 15) == leases.Leased(8, shared=False)


def test_a_dead_holders_slots_come_back_after_its_lease(database: Database) -> None:
    take(database, "dead", 0, used=8)
    assert take(database, "b", 1).limit == 0
    assert take(database, "b", 59).limit == 0
    assert take(database, "b", 60) == leases.Leased(8, shared=False)


def test_who_comes_later_gets_a_share_as_soon_as_slots_are_free(database: Database) -> None:
    take(database, "a", 0)
    assert take(database, "b", 1) == leases.Leased(0, shared=True)
    assert take(database, "a", 2, used=6) == leases.Leased(4, shared=True), "six are under way, no more begin"
    assert take(database, "b", 3).limit == 2
    assert take(database, "a", 4, used=3).limit == 4
    assert take(database, "b", 5).limit == 4
    assert leased(database, 5) == 8


def test_given_back_they_are_free_at_once(database: Database) -> None:
    take(database, "a", 0)
    database.write_now(lambda conn: leases.release(conn, "k100", "a"))
    assert take(database, "b", 1) == leases.Leased(8, shared=False)


@pytest.mark.parametrize("most", [1, 3, 8])
def test_never_more_than_there_are_whoever_asks_in_whatever_order(database: Database, most: int) -> None:
    used = dict.fromkeys("abcd", 0)
    for turn in range(40):
        who = "abcd"[turn * 7 % 4]
        limit = take(database, who, turn, used[who], most).limit
        used[who] = min(limit, used[who] + 2) if turn % 3 else max(0, used[who] - 1)
        assert leased(database, turn) <= most
        assert sum(used.values()) <= most
    assert {row[0] for row in database.read_now(lambda conn: conn.execute(schema.slots.select()).all())} == {
        "k100"
    }
