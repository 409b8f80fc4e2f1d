"""The store the console is measured on: a large merchant's, in mid-season.

A million parcels in flight whose limits pass over the next three days, most of them in transit, five
providers' carriers and forty shops of very different sizes; 100,000 tickets, 5,000 of them still open,
each with one to three findings, the ended ones spread over three months.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table

from domain.findings import ClockReading, Stage, Step
from domain.time import to_micros
from monitor.store import bulk, codec, schema
from monitor.store.database import Database

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
HOUR = 3_600_000_000
CARRIERS = ("zhongtong", "yuantong", "yunda", "shentong", "jtexpress", "shunfeng", "youzhengguonei")
SHOPS = tuple(f"旗舰店{n}" for n in range(40))
PLATFORMS = ("taobao_tmall", "pinduoduo", "douyin")
RULES = ("transit_stagnation", "late_pickup", "fake_shipment", "paid_to_signed", "not_signed", "no_record")
STATES = (("open", 3500), ("acknowledged", 1500), ("resolved", 15_000), ("closed", 80_000))
CLOCKS = codec.clocks_text(
    [
        ClockReading(
            rule,
            f"taobao_tmall.{rule}",
            NOW,
            "揽收",
            "下一次扫描",
            timedelta(hours=48),
            NOW + timedelta(hours=48),
            (Step(Stage.BREACH, NOW + timedelta(hours=48), timedelta(0)),),
        )
        for rule in RULES
    ]
)
JOURNEY = json.dumps(
    {"milestone": "in_transit", "last_text": "快件离开【杭州转运中心】，发往【北京转运中心】" * 4}
)
Rows = tuple[tuple[Table, dict[str, Any]], ...]


def parcels(count: int) -> Iterator[Rows]:
    """Parcels in flight with their orders; none of them due."""
    rng, now = random.Random(7), to_micros(NOW)
    shops = rng.choices(SHOPS, [1 / (n + 1) for n in range(len(SHOPS))], k=count)
    for n in range(1, count + 1):
        rule = rng.choices(RULES, (50, 15, 10, 15, 8, 2))[0]
        carrier, platform = rng.choice(CARRIERS), rng.choice(PLATFORMS)
        yield (
            (
                schema.orders,
                {
                    "id": n, "platform": platform, "shop": shops[n - 1], "order_no": f"O{n:09d}",
                    "status": "shipped", "paid_at": now - 30 * HOUR, "shipped_at": now - 20 * HOUR,
                    "receiver_province": "北京", "observed_at": now, "created_at": now, "updated_at": now,
                },
            ),
            (
                schema.parcels,
                {
                    "id": n, "carrier": carrier, "waybill_no": f"75{n:012d}", "watch_from": now - 10**12,
                    "observed_at": now, "answer_hash": "0123456789abcdef" * 2, "journey": JOURNEY,
                    "milestone": "in_transit", "clocks": CLOCKS, "policy_version": "v",
                    "created_at": now, "updated_at": now,
                },
            ),
            (schema.order_parcels, {"order_id": n, "parcel_id": n, "linked_at": now}),
            (
                schema.due,
                {
                    "parcel_id": n, "provider": "k100" if n % 3 else "k100-b", "next_poll_at": now + 10**9 + n * 997,
                    "next_deadline_at": now + 10**9 + n * 1009,
                    "limit_at": now + int(rng.betavariate(1.5, 3) * 72 * HOUR), "limit_rule": rule,
                },
            ),
        )  # fmt: skip


def tickets(count: int, in_flight: int) -> Iterator[Rows]:
    """Tickets of the first parcels, the oldest first, in the given mix of states."""
    rng, now = random.Random(8), to_micros(NOW)
    total = sum(n for _, n in STATES)
    states = [state for state, n in STATES for _ in range(n * count // total)]
    states += ["closed"] * (count - len(states))
    rng.shuffle(states)
    seen = 0
    for n in range(1, count + 1):
        live = states[n - 1] in ("open", "acknowledged")
        at = now - (rng.randrange(72) if live else 72 + (count - n) * 2160 // count) * HOUR - n
        parcel, severity = 1 + n * 7 % in_flight, rng.choice((30, 40, 50, 60, 70, 80, 90))
        some = rng.sample(RULES, rng.choice((1, 1, 1, 2, 2, 3)))
        yuan = rng.choice((None, 300, 500, 500, 1000, 5000, rng.randrange(500, 30_000)))
        money = {"risk_low": yuan and yuan // 2, "risk_high": yuan}
        blamed = {
            "blame": rng.choice(("", "carrier", "warehouse", "unknown")),
            "blame_why": "揽收后 41 小时无更新",
        }
        filled = {
            "orders": [{"order_no": f"O{parcel:09d}", "shop": SHOPS[0], "paid_at": "2026-11-09T00:00:00"}]
        }
        head = {
            "id": n, "number": f"T-20261111-{n:06d}", "parcel_id": parcel,
            "was": {"open": "", "closed": "resolved"}.get(states[n - 1], "open"), "state": states[n - 1],
            "severity": severity, "summary": f"中通快递 75{parcel:012d} 物流停滞，还剩 {n % 48} 小时",
            "filled": json.dumps(filled | {"last_text": "快件离开" * 60}, ensure_ascii=False), "told": True,
            "opened_at": at, "updated_at": at, "carrier": rng.choice(CARRIERS), "shop": rng.choice(SHOPS),
            "platform": rng.choice(PLATFORMS), "receiver_province": "北京", **money, **blamed,
        }  # fmt: skip
        found = [
            {
                "id": seen + k, "parcel_id": parcel, "ticket_id": n, "rule": rule, "severity": severity,
                "stage": rng.choice(("warning", "breach")), "state": "open" if live else "cleared",
                "notify": True, "started_at": at, "crossed_at": at, "found_at": at, **money, **blamed,
                "deadline": now + rng.randrange(48) * HOUR, "shadow": rng.random() < 0.05,
            }
            for k, rule in enumerate(some, 1)
        ]  # fmt: skip
        seen += len(found)
        yield ((schema.tickets, head), *((schema.findings, row) for row in found))


def fill(db: Database, rows: Iterator[Rows], step: int = 20_000) -> None:
    """Load the rows in large steps."""
    batch: dict[Table, list[dict[str, Any]]] = {}

    def keep(some: dict[Table, list[dict[str, Any]]]) -> Callable[[Connection], None]:
        def work(conn: Connection) -> None:
            for table, values in some.items():
                bulk.insert_many(conn, table, values)

        return work

    for n, each in enumerate(rows, 1):
        for table, row in each:
            batch.setdefault(table, []).append(row)
        if n % step == 0:
            db.write_now(keep(batch))
            batch = {}
    if batch:
        db.write_now(keep(batch))
