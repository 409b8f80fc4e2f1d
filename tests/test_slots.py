"""Slots over processes: what a dead process held is free at once on its machine, elsewhere when the lease is over."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from functools import partial

import pytest

from monitor.polling.slots import Slots
from monitor.store import leases
from monitor.store.database import Database
from tests.simulated import T0, Hands


@pytest.fixture
def hands() -> Hands:
    return Hands(T0)


def leave_behind(store: Database, holder: str) -> None:
    """Somebody holds all eight slots of the account."""
    take = partial(leases.take, provider="k100", holder=holder, most=8, now=T0, lease=timedelta(seconds=60))
    store.write_now(lambda conn: take(conn))


def limit(store: Database, hands: Hands) -> int:
    """How many slots a fresh process gets at once."""

    async def ask() -> int:
        slots = Slots("k100", 8, store, hands)  # type: ignore[arg-type]
        await slots.keep()
        got = store.read_now(lambda conn: leases.held(conn, "k100", hands.now()))
        held_by_others = len(others(store, slots.name))
        await slots.release()
        return 0 if held_by_others else got

    return asyncio.run(ask())


def others(store: Database, name: str) -> list[str]:
    rows = store.read_now(lambda conn: conn.exec_driver_sql("SELECT holder FROM slots").all())
    return [row[0] for row in rows if row[0] != name]


def here(pid: int) -> str:
    """The name of a holder of that process on this machine."""
    machine = Slots("k100", 8, None, None).name.partition("/")[0]  # type: ignore[arg-type]
    return f"{machine}/{pid}/0123456789abcdef"


def test_a_process_that_died_here_leaves_its_slots_at_once(database: Database, hands: Hands) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    leave_behind(database, here(gone.pid))
    assert limit(database, hands) == 8


def test_one_before_us_under_our_own_number_too(database: Database, hands: Hands) -> None:
    """A container's first process has the same number after every restart."""
    leave_behind(database, here(os.getpid()))
    assert limit(database, hands) == 8


@pytest.mark.parametrize("holder", ["alive", "elsewhere/1/0123456789abcdef", "whatever"])
def test_one_that_may_live_keeps_them_until_its_lease_is_over(
    database: Database, hands: Hands, holder: str
) -> None:
    leave_behind(database, here(os.getppid()) if holder == "alive" else holder)
    assert limit(database, hands) == 0
    hands.start += timedelta(seconds=61)
    assert limit(database, hands) == 8
