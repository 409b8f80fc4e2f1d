"""Bulk ingest of scans through the store against raw sqlite3, rows a second of each, in one run.

Three ways to write the same new scans (10 of each parcel, 1,000 rows a transaction, parcels at random)
into a database of the same tables, settings and durability, each into a file of its own:

- `raw`: sqlite3 `executemany` of ready tuples, BEGIN IMMEDIATE … COMMIT: the floor;
- `store`: the same tuples through the writer thread, its savepoint and lock, and `bulk.insert_many`;
- `apply`: `events.apply` of merges as the poller hands them over, with every scan turned into a row.

Rounds alternate, so that a noisy machine hits all alike; the figures are medians of the rounds'
ratios. Prints one JSON line: `ratio` is store to raw (goal 0.7), `apply_ratio` apply to raw, both by
the clock on the wall; `cpu_…` the same by processor time, which a busy neighbour changes less.

    python bench/ingest.py [--parcels 4000] [--rounds 7]
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from domain.history import Merge, Stored
from domain.orders import Order, Waybill
from domain.tracking import Milestone, Motion, TrackingEvent
from monitor.store import events, parcels, schema
from monitor.store.bulk import insert_many
from monitor.store.database import Database, migrate

T0 = datetime(2026, 11, 1, tzinfo=UTC)
SCANS = 10
BATCH = 1000
PER_BATCH = BATCH // SCANS
PLACES = ("杭州", "上海", "广州", "成都", "武汉", "西安", "沈阳", "长沙")
Merges = Sequence[tuple[int, Merge]]


def history(rng: random.Random, learned_at: datetime) -> Merge:
    """Ten scans as a carrier words them, all of them new."""
    at = T0 + timedelta(minutes=rng.randrange(10_000))
    rows = []
    for n in range(SCANS):
        at += timedelta(minutes=rng.randrange(1, 300))
        place = rng.choice(PLACES)
        event = TrackingEvent(
            at,
            Milestone.PICKED_UP if n == 0 else Milestone.IN_TRANSIT,
            f"【{place}市】快件已从【{place}转运中心】发出，准备发往【{rng.choice(PLACES)}转运中心】",
            code="1002",
            motion=Motion.DEPARTED,
            area=f"{place}市",
            hub=f"{place}转运中心",
        )
        rows.append(Stored(event, 0, learned_at))
    return Merge(added=tuple(rows))


def fresh(folder: Path, name: str, n: int) -> tuple[str, list[int]]:
    """A migrated store with n parcels: its address and their ids."""
    url = f"sqlite:///{folder / name}.db"
    migrate(url)
    rows = [
        parcels.Incoming(Order(f"o{i}", paid_at=T0), (Waybill("zhongtong", f"Z{i}"),), "", T0)
        for i in range(n)
    ]
    with closing(Database.open(url)) as store:
        taken = store.write_now(lambda conn: parcels.intake(conn, rows, T0))
    return url, [each.parcel_ids[0] for each in taken]


def batches(ids: Sequence[int], seed: int) -> list[Merges]:
    """Every parcel's history once, parcels in random order, a transaction's worth each."""
    rng = random.Random(seed)
    order = rng.sample(list(ids), len(ids))
    merges = [(parcel_id, history(rng, T0)) for parcel_id in order]
    return [merges[start : start + PER_BATCH] for start in range(0, len(merges), PER_BATCH)]


def tuples(merges: Merges) -> list[tuple[object, ...]]:
    """The rows of one transaction, ready for a driver."""
    return [events._row(parcel_id, row, "k100") for parcel_id, merge in merges for row in merge.added]


class Spent(NamedTuple):
    """Seconds one way took."""

    wall: float
    cpu: float


def timed(work: Callable[[], None]) -> Spent:
    """Run it by both clocks."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def raw(url: str, rows: Sequence[list[tuple[object, ...]]]) -> Spent:
    """The floor: sqlite3 itself, set as the store sets it."""
    conn = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    with closing(conn):
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
            conn.execute(f"PRAGMA {pragma}")
        for pragma in ("cache_size=-65536", "mmap_size=268435456", "wal_autocheckpoint=4000"):
            conn.execute(f"PRAGMA {pragma}")
        columns = ", ".join(events._COLUMNS)
        marks = ", ".join("?" * len(events._COLUMNS))

        def work() -> None:
            for some in rows:
                conn.execute("BEGIN IMMEDIATE")
                conn.executemany(f"INSERT INTO events ({columns}) VALUES ({marks})", some)
                conn.execute("COMMIT")

        return timed(work)


def through_store(url: str, rows: Sequence[list[tuple[object, ...]]]) -> Spent:
    """The same tuples by the store's own way."""
    with closing(Database.open(url)) as store:

        def work() -> None:
            for some in rows:
                store.write_now(
                    lambda conn, some=some: insert_many(conn, schema.events, some, columns=events._COLUMNS)
                )

        return timed(work)


def applied(url: str, given: Sequence[Merges]) -> Spent:
    """Merges, as the poller has them."""
    with closing(Database.open(url)) as store:

        def work() -> None:
            for some in given:
                store.write_now(lambda conn, some=some: events.apply(conn, some, provider="k100", at=T0))

        return timed(work)


def rounds(folder: Path, n_parcels: int, n: int) -> Iterator[dict[str, Spent]]:
    """Seconds of each way, round by round, the order turned each time."""
    for number in range(n):
        ways = ["raw", "store", "apply"]
        seconds: dict[str, Spent] = {}
        for name in ways[number % 3 :] + ways[: number % 3]:
            url, ids = fresh(folder, f"{name}{number}", n_parcels)
            given = batches(ids, number)
            if name == "apply":
                seconds[name] = applied(url, given)
            else:
                rows = [tuples(some) for some in given]
                seconds[name] = raw(url, rows) if name == "raw" else through_store(url, rows)
        yield seconds


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parcels", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="parcelwatch-bench-") as folder:
        found = list(rounds(Path(folder), args.parcels, args.rounds))
    n = args.parcels * SCANS
    rate = {name: round(n / median(each[name].wall for each in found)) for name in found[0]}

    def ratio(name: str, clock: str) -> float:
        return round(median(getattr(each["raw"], clock) / getattr(each[name], clock) for each in found), 3)

    print(
        json.dumps(
            {
                "bench": "ingest",
                "ratio": ratio("store", "wall"),
                "goal": 0.7,
                "apply_ratio": ratio("apply", "wall"),
                "cpu_ratio": ratio("store", "cpu"),
                "cpu_apply_ratio": ratio("apply", "cpu"),
                "rows_per_second": rate,
                "rows": n,
                "rows_per_transaction": BATCH,
                "rounds": args.rounds,
                "sqlite": sqlite3.sqlite_version,
            }
        )
    )


if __name__ == "__main__":
    main()
