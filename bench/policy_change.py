"""What a change of policy costs with 1 million parcels in 50,000 groups, when it is about one parcel in a hundred.

A new policy is compared with what was said last of every group of parcels alike, and only the parcels of groups it
speaks of in other words are made due (`monitor/reschedule.py`). The baseline of the same run makes every watched
parcel due, as was done before there were groups, in the same steps. One shop of a hundred gets another limit, back
and forth, in turn with the baseline; the policies are read anew each time, as after a start. Not counted is what
follows and costs most: every parcel that is due is judged, and `judged_ratio` says how many fewer those are.
Prints one JSON line; `ratio` is the figure, of seconds.

    python bench/policy_change.py [--parcels 1000000] [--groups 50000] [--rounds 5] [--url postgresql://…]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, func, select

from domain.orders import Case, Order, Waybill
from domain.time import to_micros
from monitor.profiles import load_profiles
from monitor.reschedule import Reschedule
from monitor.store import bulk, facets, schema
from monitor.store.database import Database, migrate
from rules.policy import Change, PolicyBook, PolicySpec
from rules.values import parse_limit

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
SHOPS = 100
CARRIERS = 10
STEP = 5000
"""Parcels made due in one transaction."""


def book(limit: str = "") -> PolicyBook:
    """The platforms' rules, with a limit of one shop's own."""
    own = {"transit_stagnation": Change(limit=parse_limit(limit))} if limit else {}
    return PolicyBook(load_profiles(), [PolicySpec("一家", {"shop": frozenset({"店7"})}, rules=own)])


def group(n: int, by: PolicyBook) -> facets.Group:
    """The nth combination of shop, carrier and city."""
    order = Order("", platform="taobao_tmall", shop=f"店{n % SHOPS}", receiver_province="广东",
                  receiver_city=f"城{n // SHOPS // CARRIERS}")  # fmt: skip
    said = by.facets_key(Case(Waybill(f"carrier{n // SHOPS % CARRIERS}", ""), (order,)))
    return facets.Group(facets.group_of(said), said, by.policy_of(said).terms)


def rows(parcels: int, groups: list[facets.Group]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Parcel and due row of each; scattered over the groups, none of them due."""
    now = to_micros(NOW)
    for n in range(1, parcels + 1):
        yield (
            {
                "id": n, "carrier": "zhongtong", "waybill_no": f"75{n:012d}", "watch_from": now, "answer_hash": "0" * 32,
                "journey": '{"first":{}}' + " " * 400, "clocks": "[]" + " " * 600, "created_at": now, "updated_at": now,
                "facets_id": groups[n * 7919 % len(groups)].id,
            },
            {"parcel_id": n, "provider": "k100", "next_deadline_at": now + 10**12 + n * 1009},
        )  # fmt: skip


def fill(db: Database, parcels: int, groups: list[facets.Group]) -> None:
    """Load the store in large steps."""
    for some in bulk.chunks(groups, 10_000):
        db.write_now(partial(facets.keep, groups=some, now=NOW))
    batch: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def keep(conn: Connection) -> None:
        for n, table in enumerate((schema.parcels, schema.due)):
            bulk.insert_many(conn, table, [row[n] for row in batch])

    for row in rows(parcels, groups):
        batch.append(row)
        if len(batch) == 20_000 or row[0]["id"] == parcels:
            db.write_now(keep)
            batch.clear()


def touch_all(db: Database) -> None:
    """Every watched parcel, in steps that let others write."""
    watched = schema.parcels.c.state == "watched"
    last = 0
    while True:

        def step(conn: Connection, after: int = last) -> int:
            some = select(schema.parcels.c.id).where(watched, schema.parcels.c.id > after)
            ids = list(conn.execute(some.order_by(schema.parcels.c.id).limit(STEP)).scalars())
            facets.make_due(conn, ids, NOW)
            return ids[-1] if ids else 0

        last = db.write_now(step)
        if not last:
            return


def due(db: Database) -> int:
    """How many parcels wait for a judgement."""
    query = select(func.count()).where(schema.due.c.next_deadline_at <= to_micros(NOW))
    return int(db.read_now(lambda conn: conn.execute(query).scalar_one()))


def timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--groups", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--url", help="an empty PostgreSQL database; without it a SQLite file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        url = asked.url or f"sqlite:///{Path(place)}/store.db"
        migrate(url)
        with closing(Database.open(url)) as db:
            by = book()
            fill(db, asked.parcels, [group(n, by) for n in range(asked.groups)])
            print(json.dumps(measured(db, asked.parcels, asked.groups, asked.rounds)))


def measured(db: Database, parcels: int, groups: int, rounds: int) -> dict[str, Any]:
    """Each round: a change, a start without one, and the baseline."""
    changes, starts, alls = [], [], []
    asyncio.run(Reschedule(db, book(), lambda: NOW).run())
    touched = due(db)
    assert touched == 0, "what was said of the groups is what the policy says"
    for n in range(rounds):
        new = book("36h" if n % 2 == 0 else "")
        changes.append(timed(lambda by=new: asyncio.run(Reschedule(db, by, lambda: NOW).run())))
        touched = touched or due(db)
        starts.append(timed(lambda by=new: asyncio.run(Reschedule(db, by, lambda: NOW).run())))
        alls.append(timed(lambda: touch_all(db)))
    return {
        "bench": "policy_change",
        "store": db.dialect,
        "parcels": parcels,
        "groups": groups,
        "touched": touched,
        "change_s": round(median(changes), 2),
        "unchanged_start_s": round(median(starts), 3),
        "touch_all_s": round(median(alls), 2),
        "ratio": round(median(one / other for one, other in zip(changes, alls, strict=True)), 3),
        "judged_ratio": round(touched / parcels, 4),
    }


if __name__ == "__main__":
    main()
