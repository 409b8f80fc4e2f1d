"""Two processes on one PostgreSQL that want the same rows: an import beside the daemon, say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Connection, text

from monitor.store.database import Database, StoreUnavailable
from monitor.store.writer import TRIES
from tests.conftest import opened
from tests.store.given import many_parcels


def crossing(first: int, second: int, meeting: Barrier) -> Callable[[Connection], int]:
    """Counts on one parcel, then on another; its first run meets the other process in between."""
    runs = 0

    def work(conn: Connection) -> int:
        nonlocal runs
        runs += 1
        count_on(conn, first)
        if runs == 1:
            meeting.wait(10)
        count_on(conn, second)
        return runs

    return work


def count_on(conn: Connection, parcel_id: int) -> None:
    conn.execute(text("UPDATE parcels SET version = version + 1 WHERE id = :id"), {"id": parcel_id})


def once(what: Callable[[], object]) -> Callable[[Connection], None]:
    """A work that does this, but not when it is run again."""
    left = [what]

    def work(conn: Connection) -> None:
        if left:
            left.pop()()

    return work


@pytest.fixture
def stores(postgresql_url, tmp_path):
    with opened(postgresql_url, tmp_path) as one, opened(postgresql_url, tmp_path) as other:
        yield one, other


def versions(store: Database) -> list[int]:
    query = text("SELECT version FROM parcels ORDER BY id")
    return list(store.read_now(lambda conn: conn.execute(query).scalars().all()))


def test_two_works_that_lock_each_other_out_are_both_done_once(stores):
    one, other = stores
    a, b = many_parcels(one, 2)
    before, meeting = versions(one), Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        there = pool.submit(one.write_now, crossing(a, b, meeting))
        back = pool.submit(other.write_now, crossing(b, a, meeting))
        # The server ends one of them; on a busy machine the one run again may meet the other's end too.
        assert max(there.result(30), back.result(30)) >= 2, "one of them was run again"
    assert versions(one) == [each + 2 for each in before]


def test_what_shares_the_transaction_is_done_once_too(stores):
    one, other = stores
    a, b, c = many_parcels(one, 3)
    before, meeting, gate = versions(one), Barrier(2), Barrier(2)

    def from_the_other_side() -> None:
        gate.wait(10)
        other.write_now(crossing(b, a, meeting))

    async def all_of_it() -> None:
        await asyncio.gather(
            one.write(once(lambda: gate.wait(10))),  # while it is run, the next two gather
            one.write(lambda conn: count_on(conn, c)),
            one.write(crossing(a, b, meeting)),
            asyncio.to_thread(from_the_other_side),
        )

    asyncio.run(all_of_it())
    assert versions(one) == [before[0] + 2, before[1] + 2, before[2] + 1]


def test_a_work_that_collides_for_ever_is_given_up(stores):
    store, _ = stores
    runs = []

    def work(conn: Connection) -> None:
        runs.append(1)
        conn.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$"))

    with pytest.raises(StoreUnavailable):
        store.write_now(work)
    assert len(runs) == TRIES
