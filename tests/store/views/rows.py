"""Tickets, parcels and messages as plain rows: what a view shows is compared with what Python says of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, text

from domain.time import to_micros
from monitor.store import schema
from monitor.store.database import Database
from tests.store.given import T0, H

NOW = T0
MINUTE = H / 60


@dataclass(frozen=True)
class Find:
    """A finding of a ticket."""

    rule: str = "transit_stagnation"
    stage: str = "warning"
    open: bool = True
    severity: int = 50
    left: int | None = None
    """Minutes to its limit."""
    risk: tuple[int, int] | None = None
    """Fen."""
    blame: str = ""
    shadow: bool = False
    notify: bool = True
    policy: str = ""
    age: int | None = None
    """Minutes since it was found; else as long ago as its ticket."""


@dataclass(frozen=True)
class Given:
    """A ticket and its parcel, in few words. `age` is in minutes."""

    state: str = "open"
    age: int = 60
    severity: int = 50
    carrier: str = "zhongtong"
    shop: str = "旗舰店"
    platform: str = "taobao_tmall"
    summary: str = "中通 Z1 物流停滞"
    findings: tuple[Find, ...] = field(default=(Find(),))
    waybill_no: str = ""
    order_no: str = ""
    risk: tuple[int, int] | None = None
    """Fen."""
    blame: str = ""
    blame_why: str = ""
    limit: int | None = None
    """Minutes to the parcel's next limit."""


def put_tickets(store: Database, given: Iterable[Given]) -> list[str]:
    """Store them; their numbers in the order given."""
    return store.write_now(lambda conn: [_put(conn, each) for each in given])


def _put(conn: Connection, given: Given) -> str:
    n = 1 + (conn.execute(text("SELECT max(id) FROM parcels")).scalar() or 0)
    at = to_micros(NOW) - given.age * 60_000_000
    number = f"T-20261101-{n:04d}"
    _add(
        conn,
        schema.parcels,
        id=n,
        carrier=given.carrier,
        waybill_no=given.waybill_no or f"Z{n}",
        cycle=n,
        watch_from=at,
        answer_hash="x",
        created_at=at,
        updated_at=at,
    )
    limit = None if given.limit is None else to_micros(NOW + given.limit * MINUTE)
    _add(conn, schema.due, parcel_id=n, limit_at=limit, limit_rule="transit_stagnation" if limit else "")
    _add(
        conn,
        schema.orders,
        id=n,
        order_no=given.order_no or f"o{n}",
        shop=given.shop,
        platform=given.platform,
        merchant=str(n),
        status="shipped",
        observed_at=at,
        created_at=at,
        updated_at=at,
    )
    _add(conn, schema.order_parcels, order_id=n, parcel_id=n, linked_at=at)
    _add(
        conn,
        schema.tickets,
        id=n,
        number=number,
        parcel_id=n,
        was={"open": "", "closed": "resolved"}.get(given.state, "open"),
        state=given.state,
        severity=given.severity,
        summary=given.summary,
        filled=json.dumps({}),
        opened_at=at,
        updated_at=at,
        carrier=given.carrier,
        shop=given.shop,
        platform=given.platform,
        blame=given.blame,
        blame_why=given.blame_why,
        **_money(given.risk),
    )
    for each in given.findings:
        _add(
            conn,
            schema.findings,
            parcel_id=n,
            ticket_id=n,
            rule=each.rule,
            stage=each.stage,
            state="open" if each.open else "cleared",
            severity=each.severity,
            notify=each.notify,
            started_at=at,
            crossed_at=at,
            found_at=at if each.age is None else to_micros(NOW) - each.age * 60_000_000,
            shadow=each.shadow,
            blame=each.blame,
            policy=each.policy,
            **_money(each.risk),
            deadline=None if each.left is None else to_micros(NOW + each.left * MINUTE),
        )
    return number


def _money(risk: tuple[int, int] | None) -> dict[str, int | None]:
    low, high = risk or (None, None)
    return {"risk_low": low, "risk_high": high}


def _add(conn: Connection, table: Any, **values: Any) -> None:
    conn.execute(insert(table).values(**values))


def walked(turn: Any, limit: int) -> Sequence[Any]:
    """All rows of a list, page after page: `turn(cursor, limit)` gives one."""
    found: list[Any] = []
    cursor = None
    for _ in range(10_000):
        page = turn(cursor, limit)
        assert len(page.rows) <= limit
        found += page.rows
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError("the walk does not end")
