"""The bare queries `bench/console.py` compares with: the same rows and counts, by hand, as tuples."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from typing import Any

from domain.time import to_micros

_HEAD = """
    SELECT t.id, t.number, t.state, t.severity, t.summary, t.carrier, t.shop, t.platform, t.receiver_province,
           t.opened_at, t.updated_at, t.acknowledged_by, t.resolved_at, t.version, p.waybill_no,
           (SELECT o.order_no FROM order_parcels l JOIN orders o ON o.id = l.order_id
            WHERE l.parcel_id = t.parcel_id ORDER BY l.unlinked_at IS NULL DESC, o.paid_at, o.id LIMIT 1)
    FROM tickets t JOIN parcels p ON p.id = t.parcel_id
"""
_UPCOMING = """
    SELECT d.parcel_id, d.limit_at, d.limit_rule, p.carrier, p.waybill_no, p.milestone, p.last_event_at,
           o.shop, o.order_no, t.number
    FROM due d JOIN parcels p ON p.id = d.parcel_id
    LEFT JOIN order_parcels l ON l.parcel_id = d.parcel_id AND l.unlinked_at IS NULL
    LEFT JOIN orders o ON o.id = l.order_id
    LEFT JOIN tickets t ON t.parcel_id = d.parcel_id AND t.state IN ('open', 'acknowledged')
    WHERE d.limit_at > ? AND d.limit_at <= ? ORDER BY d.limit_at, d.parcel_id LIMIT 50 OFFSET ?
"""
_AHEAD = "FROM due d WHERE d.limit_at > :now AND d.limit_at <= :until"
_COUNTS = (
    f"SELECT (d.limit_at - :now) / 3600000000, count(*) {_AHEAD} GROUP BY 1",
    f"SELECT d.limit_rule, count(*) {_AHEAD} GROUP BY 1",
    f"SELECT p.carrier, count(*) {_AHEAD.replace('WHERE', 'JOIN parcels p ON p.id = d.parcel_id WHERE')} GROUP BY 1",
    "SELECT o.shop, count(*) FROM due d JOIN order_parcels l ON l.parcel_id = d.parcel_id"
    " JOIN orders o ON o.id = l.order_id WHERE d.limit_at > :now AND d.limit_at <= :until GROUP BY 1",
    "SELECT count(*) FROM findings WHERE state = 'open' AND stage = 'breach'",
)


def urgent(raw: sqlite3.Connection) -> object:
    """The live tickets, the worst first, of these the oldest."""
    live = "SELECT id FROM tickets WHERE state IN ('open', 'acknowledged')"
    ids = raw.execute(f"{live} ORDER BY severity DESC, opened_at, id LIMIT 50").fetchall()
    return _with_heads(raw, ids)


def dearest(raw: sqlite3.Connection) -> object:
    """The live tickets, the most money first."""
    live = "SELECT id FROM tickets WHERE state IN ('open', 'acknowledged')"
    ids = raw.execute(f"{live} ORDER BY risk_high DESC, opened_at DESC, id DESC LIMIT 50").fetchall()
    return _with_heads(raw, ids)


def hourly(raw: sqlite3.Connection, now: datetime) -> object:
    """The live tickets by money for each hour until the nearest limit of a warning that stands."""
    ids = raw.execute(_HOURLY, {"now": to_micros(now)}).fetchall()
    return _with_heads(raw, ids)


_HOURLY = """
    SELECT id FROM (
        SELECT t.id, t.risk_high, (SELECT min(f.deadline) FROM findings f WHERE f.ticket_id = t.id
            AND f.state = 'open' AND f.stage = 'warning' AND NOT f.shadow) AS limit_at
        FROM tickets t WHERE t.state IN ('open', 'acknowledged') AND t.risk_high IS NOT NULL)
    ORDER BY limit_at IS NULL, risk_high * 3600000000 / max(limit_at - :now, 900000000) DESC, id LIMIT 50
"""


def around(raw: sqlite3.Connection) -> object:
    """What stands around that list: how many there are, and what the menus offer."""
    rules = "SELECT DISTINCT rule FROM findings"
    menus = [*(f"SELECT DISTINCT {name} FROM tickets" for name in ("carrier", "shop", "platform")), rules]
    count = "SELECT count(*) FROM tickets WHERE state IN ('open', 'acknowledged')"
    return [raw.execute(query).fetchall() for query in (count, *menus)]


def newest(raw: sqlite3.Connection, skip: int = 0) -> object:
    """All tickets, the newest first: a state at a time along its index, then merged."""
    states = " UNION ALL ".join(
        "SELECT * FROM (SELECT id, opened_at FROM tickets WHERE state = '" + state + "'"
        " AND (opened_at, id) < (:at, :id) ORDER BY opened_at DESC, id DESC LIMIT 50)"
        for state in ("open", "acknowledged", "resolved", "closed")
    )
    at, last = 1 << 62, 0
    if skip:
        everything = "SELECT opened_at, id FROM tickets ORDER BY opened_at DESC, id DESC LIMIT 1 OFFSET ?"
        if skip not in _PLACES:
            _PLACES[skip] = raw.execute(everything, (skip,)).fetchone()
        at, last = _PLACES[skip]
    ids = raw.execute(
        f"SELECT id FROM ({states}) ORDER BY opened_at DESC, id DESC LIMIT 50",
        {"at": at, "id": last},
    ).fetchall()
    return _with_heads(raw, ids)


_PLACES: dict[int, Any] = {}


def _with_heads(raw: sqlite3.Connection, ids: list[Any]) -> object:
    marks, values = ",".join("?" * len(ids)), [id_ for (id_,) in ids]
    findings = f"SELECT ticket_id, rule, stage, state, deadline FROM findings WHERE ticket_id IN ({marks})"
    return raw.execute(f"{_HEAD} WHERE t.id IN ({marks})", values).fetchall(), raw.execute(
        findings, values
    ).fetchall()


def upcoming(raw: sqlite3.Connection, now: datetime, within: timedelta, skip: int = 0) -> object:
    """The parcels that pass a limit next."""
    return raw.execute(_UPCOMING, (to_micros(now), to_micros(now + within), skip)).fetchall()


def first_page(raw: sqlite3.Connection, now: datetime, within: timedelta) -> object:
    """These parcels, how many there are by hour, rule, carrier and shop, what is over, and the sources."""
    span = {"now": to_micros(now), "until": to_micros(now + within)}
    counts = [raw.execute(query, span if ":" in query else {}).fetchall() for query in _COUNTS]
    return upcoming(raw, now, within), counts, raw.execute("SELECT * FROM providers").fetchall()
