"""`kill -9` while a new policy finds the parcels it touches: the next start goes on, and no parcel is forgotten.

A real process on a real store, killed at random instants; its steps are made small, so that there are many of them.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from domain.orders import Order, Waybill
from monitor.reschedule import Reschedule
from monitor.store import facets, meta, parcels, upkeep
from monitor.store.database import Database
from monitor.store.parcels import Due, Incoming
from monitor.sweep import Sweep
from rules.policy import Change, PolicyBook, PolicySpec
from rules.values import parse_limit
from tests.conftest import opened
from tests.simulated import book

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 10, 2, tzinfo=UTC)
SHOPS, PARCELS, KILLS = 40, 600, 5
RUN = """
import asyncio, sys
from datetime import datetime
from monitor import reschedule
from monitor.store.database import Database
from tests.e2e.test_policy_kills import NOW, stricter
reschedule._GROUPS, reschedule._PARCELS = 7, 5
db = Database.open(sys.argv[1])
print("begun", flush=True)
asyncio.run(reschedule.Reschedule(db, stricter(sys.argv[2]), lambda: NOW).run())
print("done", flush=True)
"""


def stricter(limit: str) -> PolicyBook:
    """Every other shop has a limit of its own."""
    own = {"late_pickup": Change(limit=parse_limit(limit))}
    shops = frozenset(f"店{n}" for n in range(0, SHOPS, 2))
    return book(PolicySpec("一半", {"shop": shops}, rules=own))


def begin(store: Database) -> set[int]:
    """Parcels of all shops, judged, none of them due; those the policy will touch."""
    rows = [
        Incoming(Order(f"O{n}", shop=f"店{n % SHOPS}"), (Waybill("zhongtong", f"Z{n}"),), "", NOW)
        for n in range(PARCELS)
    ]

    def work(conn: Connection) -> set[int]:
        ids = [each.parcel_ids[0] for each in parcels.intake(conn, rows, NOW)]
        sweep = Sweep(stricter("20h"), (), lambda carrier: None)
        sweep.settle(conn, sweep.looks(conn, ids), NOW)
        return {id_ for n, id_ in enumerate(ids) if n % SHOPS % 2 == 0}

    return store.write_now(work)


def rest(store: Database) -> None:
    """Nothing is due."""
    ids = store.read_now(lambda conn: parcels.take_due_deadlines(conn, NOW, PARCELS))
    store.write_now(lambda conn: parcels.reschedule(conn, [Due(id_, "", None, None) for id_ in ids]))


def due(store: Database) -> set[int]:
    return set(store.read_now(lambda conn: parcels.take_due_deadlines(conn, NOW, PARCELS)))


def killed(url: str, limit: str, after: float) -> bool:
    """The process, killed that many seconds after it has begun; False when it was done before."""
    words = [sys.executable, "-c", RUN, url, limit]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "begun\n"
            time.sleep(after)
        finally:
            process.send_signal(signal.SIGKILL)
        return "done" not in process.communicate(timeout=60)[0]


def finish(store: Database, limit: str) -> float:
    """The next start, in this process; how many seconds it took."""
    began = time.monotonic()
    assert asyncio.run(Reschedule(store, stricter(limit), lambda: NOW).run())
    return time.monotonic() - began


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_killed_again_and_again_it_comes_to_its_end(database_url: str, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    chance = random.Random(seed)
    with opened(database_url, tmp_path) as store:
        touched = begin(store)
        finish(store, "20h")
        rest(store)
    span, kills = 0.5, 0
    for n in range(KILLS):
        limit = f"{19 - n}h"
        in_time = killed(database_url, limit, chance.uniform(0, span))
        kills, span = kills + in_time, span if in_time else span / 3
        with opened(database_url, tmp_path) as store:
            finish(store, limit)
            assert due(store) == touched, f"seed {seed}"
            by = stricter(limit)
            groups = store.read_now(facets.page)
            assert {each.terms for each in groups} == {by.policy_of(each.said).terms for each in groups}
            assert store.read_now(meta.policy_in_force) == by.version
            done = store.read_now(lambda conn: upkeep.last(conn, "policy"))
            assert done is not None
            assert (done.outcome, done.detail) == ("ok", by.version)
            rest(store)
    assert kills, f"seed {seed}: no kill came in time"
