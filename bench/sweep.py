"""What a sweep costs at 10 thousand, 100 thousand and 1 million parcels in flight, 1,000 due in each.

The work of a tick is the number of parcels that are due, never the number in flight (law L2). Each
size gets a store of its own with parcels in mid-transit; before every round 1,000 of them, scattered
over the table, are made due: most of them need a look, one in twenty opens a finding, a ticket and a
message. The sizes are swept in turn, round by round, so that a noisy machine hits them alike.
Prints one JSON line; `ratio_1m_to_10k` is the figure.

    python bench/sweep.py [--sizes 10000,100000,1000000] [--rounds 9]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, update

from domain.journey import condense
from domain.orders import Case, Order, Waybill
from domain.time import to_micros
from domain.tracking import Milestone, Motion, TrackingEvent
from monitor.profiles import load_profiles
from monitor.store import bulk, codec, schema
from monitor.store.database import Database, migrate
from monitor.store.facets import group_of
from monitor.sweep import Sweep
from monitor.telling.routing import Route
from rules.judge import judge
from rules.policy import PolicyBook
from rules.schedule import Pace

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
DUE = 1000
FINDING_EVERY = 20
BOOK = PolicyBook(load_profiles())


def case_of(n: int, silent: timedelta) -> Case:
    """A parcel in mid-transit whose last scan is `silent` ago, looked at just now or long ago."""
    moved = NOW - silent
    journey = condense(
        (
            TrackingEvent(moved - timedelta(hours=9), Milestone.PICKED_UP, "已揽收", outlet="杭州余杭"),
            TrackingEvent(
                moved,
                Milestone.IN_TRANSIT,
                "离开【杭州转运中心】，发往【北京转运中心】",
                motion=Motion.DEPARTED,
                hub="杭州转运中心",
            ),
        )
    )
    order = Order(
        f"O{n:09d}",
        platform="taobao_tmall",
        shop="旗舰店",
        paid_at=moved - timedelta(hours=20),
        shipped_at=moved - timedelta(hours=12),
        receiver_province="北京",
    )
    return Case(Waybill("zhongtong", f"75{n:012d}"), (order,), journey)


def rows(count: int) -> Iterator[tuple[dict[str, object], ...]]:
    """Order, parcel, link and due rows of each parcel in flight; none of them due."""
    case = case_of(0, timedelta(hours=6))
    verdict = judge(case, BOOK.policy_for(case), NOW)
    journey, clocks = codec.journey_text(case.journey), codec.clocks_text(verdict.clocks)
    now, order = to_micros(NOW), case.order
    group = group_of(BOOK.facets_key(case))
    assert order.paid_at is not None
    assert order.shipped_at is not None
    for n in range(1, count + 1):
        yield (
            {
                "id": n, "merchant": "", "platform": order.platform, "shop": order.shop, "order_no": f"O{n:09d}",
                "status": "shipped", "paid_at": to_micros(order.paid_at), "shipped_at": to_micros(order.shipped_at),
                "receiver_province": "北京", "observed_at": now, "created_at": now, "updated_at": now,
            },
            {
                "id": n, "carrier": "zhongtong", "waybill_no": f"75{n:012d}", "watch_from": now - 10**12,
                "observed_at": now, "answer_hash": "0" * 32, "journey": journey, "milestone": "in_transit", "clocks": clocks,
                "policy_version": BOOK.version, "created_at": now, "updated_at": now, "facets_id": group,
            },
            {"order_id": n, "parcel_id": n, "linked_at": now},
            {
                "parcel_id": n, "provider": "k100", "next_poll_at": now + 10**10 + n * 997,
                "next_deadline_at": now + 10**10 + n * 1009,
            },
        )  # fmt: skip


def fill(db: Database, count: int) -> None:
    """Load the store in large steps."""
    tables = (schema.orders, schema.parcels, schema.order_parcels, schema.due)
    batch: list[tuple[dict[str, object], ...]] = []

    def keep(conn: Connection) -> None:
        for n, table in enumerate(tables):
            bulk.insert_many(conn, table, [row[n] for row in batch])

    for row in rows(count):
        batch.append(row)
        if len(batch) == 20_000:
            db.write_now(keep)
            batch.clear()
    if batch:
        db.write_now(keep)


def make_due(conn: Connection, ids: list[int]) -> None:
    """Let the stored instant of these parcels have come; one in twenty is silent and seen to be."""
    quiet = case_of(0, timedelta(hours=25))
    silent = codec.journey_text(quiet.journey)
    for n, parcel_id in enumerate(ids):
        values: dict[str, object] = {"observed_at": to_micros(NOW - timedelta(hours=20))}
        if n % FINDING_EVERY == 0:
            values = {"observed_at": to_micros(NOW), "journey": silent}
        conn.execute(update(schema.parcels).where(schema.parcels.c.id == parcel_id).values(**values))
        due = update(schema.due).where(schema.due.c.parcel_id == parcel_id)
        conn.execute(due.values(next_deadline_at=to_micros(NOW) - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dir", default=None)
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    pace = Pace(timedelta(minutes=30))
    sweep = Sweep(BOOK, (Route(("ops",), {}),), lambda carrier: ("k100", pace))
    rng = random.Random(7)
    took: dict[int, list[float]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory(dir=asked.dir) as folder:
        stores: dict[int, Database] = {}
        for size in sizes:
            url = f"sqlite:///{Path(folder) / f'{size}.db'}"
            migrate(url)
            stores[size] = Database.open(url)
            fill(stores[size], size)
        for turn in range(asked.rounds + 1):
            for size, db in stores.items():
                ids = rng.sample(range(1, size + 1), DUE)
                db.write_now(lambda conn, ids=ids: make_due(conn, ids))
                started = time.perf_counter()
                done = db.write_now(lambda conn: sweep.tick(conn, NOW, DUE))
                if turn:
                    took[size].append(time.perf_counter() - started)
                assert done.parcels == DUE, done
        for db in stores.values():
            with closing(db):
                pass
    seconds = {size: median(times) for size, times in took.items()}
    first, last = min(sizes), max(sizes)
    line = {"bench": "sweep", "due": DUE, "rounds": asked.rounds}
    line |= {f"ms_{size}": round(value * 1000, 1) for size, value in seconds.items()}
    line[f"ratio_{last}_to_{first}"] = round(seconds[last] / seconds[first], 3)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
