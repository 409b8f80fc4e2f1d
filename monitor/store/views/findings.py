"""The list of findings: filtered, the newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, exists, select

from domain.findings import Blame, FindingState, Party, Risk, Stage
from domain.time import from_micros
from monitor.store import schema
from monitor.store.codec import clean, moment
from monitor.store.findings import order_no_of
from monitor.store.rows import read_blame, read_risk
from monitor.store.views import walking
from monitor.store.views.paging import Page
from monitor.store.views.walking import Key, Part

__all__ = ["FindingFilter", "FindingRow", "page"]

_findings, _parcels = schema.findings, schema.parcels
_KEY: Final = Key("findings", ("found_at", "id"), (True, True))


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings: all of these hold, of each one's values any. Empty: no condition, but for the states."""

    states: tuple[FindingState, ...] = (FindingState.OPEN,)
    """Empty: of every state."""
    stages: tuple[Stage, ...] = ()
    rules: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    blames: tuple[Party, ...] = ()
    shadow: bool = False
    """Only those of rules on trial, of which nobody was told; else only the others."""


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A line of the list: one finding at its present stage."""

    carrier: str
    waybill_no: str
    order_no: str
    rule: str
    stage: Stage
    started_at: datetime
    crossed_at: datetime
    ended_at: datetime | None
    limit: timedelta | None
    policy: str
    state: FindingState
    found_at: datetime
    ticket: str
    deadline: datetime | None
    severity: int
    ended_by: str
    policy_version: str
    shadow: bool
    risk: Risk | None
    blame: Blame | None


def page(
    conn: Connection, filter_: FindingFilter, cursor: str | None = None, limit: int = 50
) -> Page[FindingRow]:
    """A page of the list. Raises `BadCursor`."""
    states = filter_.states or tuple(FindingState)
    parts = [_part(state, filter_) for state in states]
    found = walking.walk(conn, parts, _KEY, cursor, limit)
    return found.page(_read(conn, [key[-1] for key in found.keys]))


def _part(state: FindingState, filter_: FindingFilter) -> Part:
    """Those of rules on trial have an index of their own; from the others they are told in passing."""
    names = ("id", "found_at", "rule", "stage", "parcel_id", "shadow", "blame")
    rows = select(*(_findings.c[name] for name in names)).where(_findings.c.state == state.value)
    if filter_.shadow:
        rows = rows.where(_findings.c.shadow)
    return Part(rows, lambda seen: _fits(seen, filter_))


def _fits(seen: Any, filter_: FindingFilter) -> Any:
    conditions = [seen.c.shadow.is_(filter_.shadow)]
    if filter_.rules:
        conditions.append(seen.c.rule.in_([clean(rule) for rule in filter_.rules]))
    if filter_.stages:
        conditions.append(seen.c.stage.in_([stage.value for stage in filter_.stages]))
    if filter_.blames:
        conditions.append(seen.c.blame.in_([party.value for party in filter_.blames]))
    if filter_.carriers:
        carriers = [clean(carrier) for carrier in filter_.carriers]
        conditions.append(exists().where(_parcels.c.id == seen.c.parcel_id, _parcels.c.carrier.in_(carriers)))
    return and_(*conditions)


_ROWS: Final = (
    select(
        _findings,
        _parcels.c.carrier,
        _parcels.c.waybill_no,
        schema.tickets.c.number,
        order_no_of(_findings.c.parcel_id).label("order_no"),
    )
    .join(_parcels, _parcels.c.id == _findings.c.parcel_id)
    .outerjoin(schema.tickets, schema.tickets.c.id == _findings.c.ticket_id)
)


def _read(conn: Connection, ids: Sequence[int]) -> list[FindingRow]:
    """The lines of these findings, in this order."""
    if not ids:
        return []
    rows = {row.id: _row(row) for row in conn.execute(_ROWS.where(_findings.c.id.in_(ids)))}
    return [rows[id_] for id_ in ids]


def _row(row: Any) -> FindingRow:
    return FindingRow(
        row.carrier,
        row.waybill_no,
        row.order_no or "",
        row.rule,
        Stage(row.stage),
        from_micros(row.started_at),
        from_micros(row.crossed_at),
        moment(row.ended_at),
        None if row.limit_us is None else timedelta(microseconds=row.limit_us),
        row.policy,
        FindingState(row.state),
        from_micros(row.found_at),
        row.number or "",
        moment(row.deadline),
        row.severity,
        row.ended_by,
        row.policy_version,
        bool(row.shadow),
        read_risk(row),
        read_blame(row),
    )
