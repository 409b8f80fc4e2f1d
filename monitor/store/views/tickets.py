"""The list of tickets: filtered, searched, sorted, a page at a time.

A page looks at `walking.SPAN` tickets at most: of a search for something rare it may be short, or empty,
with a cursor to go on (`Page`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, select

from domain.findings import Blame, FindingState, Risk, Stage
from domain.tickets import TicketState
from domain.time import from_micros
from monitor.store import schema
from monitor.store.bulk import chunks
from monitor.store.codec import moment
from monitor.store.findings import order_no_of
from monitor.store.rows import read_blame, read_risk
from monitor.store.views import hourly, walking
from monitor.store.views.hourly import Saving
from monitor.store.views.numbers import named
from monitor.store.views.paging import LONGEST_PAGE, Page
from monitor.store.views.ticket_filter import KEYS, BadFilter, Sort, TicketFilter, parts

__all__ = [
    "BadFilter",
    "Choices",
    "Sort",
    "TicketFilter",
    "TicketRow",
    "choices",
    "count",
    "page",
    "read",
    "rows",
    "unknown",
]

_tickets, _findings = schema.tickets, schema.findings


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A line of the list."""

    number: str
    state: TicketState
    severity: int
    summary: str
    stage: Stage
    rules: tuple[str, ...]
    """Of its open findings, the worst first; of an ended ticket all it had."""
    carrier: str
    waybill_no: str
    order_no: str
    shop: str
    platform: str
    receiver_province: str
    opened_at: datetime
    updated_at: datetime
    limit_at: datetime | None
    """The nearest limit that was ahead of its open findings when they were last judged."""
    acknowledged_by: str
    resolved_at: datetime | None
    version: int
    risk: Risk | None = None
    """What its open findings may cost together; None where no penalty is known."""
    blame: Blame | None = None
    savings: tuple[Saving, ...] = ()
    """What its warnings can still save."""

    def per_hour(self, now: datetime) -> int | None:
        """Fen at risk for each hour left; None where nothing is known, nothing is left, or it is over."""
        return hourly.per_hour(self.savings, now) if self.state.live else None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters' menus offer."""

    carriers: tuple[str, ...]
    shops: tuple[str, ...]
    platforms: tuple[str, ...]
    rules: tuple[str, ...]


def page(
    conn: Connection, filter_: TicketFilter, cursor: str | None = None, limit: int = 50
) -> Page[TicketRow]:
    """A page of the list. Raises `BadCursor`."""
    if filter_.sort is Sort.PER_HOUR:
        found = hourly.walk(conn, filter_, cursor, limit)
    else:
        found = walking.walk(conn, parts(conn, filter_), KEYS[Sort(filter_.sort)], cursor, limit)
    return found.page(read(conn, [key[-1] for key in found.keys]))


def count(conn: Connection, filter_: TicketFilter, at_most: int = 1000) -> int:
    """How many tickets there are, `at_most` for that many or more (see `walking.count`)."""
    return walking.count(conn, parts(conn, replace(filter_, sort=Sort.NEWEST)), at_most)


def rows(conn: Connection, filter_: TicketFilter, at_most: int) -> Iterator[TicketRow]:
    """The same tickets in the same order as all pages together, up to `at_most`: for exports."""
    cursor: str | None = None
    while at_most > 0:
        some = page(conn, filter_, cursor, min(LONGEST_PAGE, at_most))
        yield from some.rows
        at_most -= len(some.rows)
        cursor = some.next
        if cursor is None:
            return


def unknown(conn: Connection, filter_: TicketFilter) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the pasted numbers: those of no parcel at all, and those whose parcels never had a ticket."""
    parcels = named(conn, filter_.numbers)
    ids = sorted({id_ for each in parcels.values() for id_ in each})
    ticketed: set[int] = set()
    for some in chunks(ids):
        ticketed.update(
            conn.execute(select(_tickets.c.parcel_id).where(_tickets.c.parcel_id.in_(some))).scalars()
        )
    quiet = (
        number for number in filter_.numbers if number in parcels and ticketed.isdisjoint(parcels[number])
    )
    return tuple(number for number in filter_.numbers if number not in parcels), tuple(quiet)


def choices(conn: Connection, among: int = 2000) -> Choices:
    """The values that occur among the newest tickets of each state, and the rules of the newest findings."""
    found: dict[str, set[str]] = {"carrier": set(), "shop": set(), "platform": set()}
    for state in TicketState:
        newest = _newest(state).limit(among).subquery()
        columns = [newest.c[name] for name in found]
        for row in conn.execute(select(*columns).distinct()):
            for name, value in zip(found, row, strict=True):
                found[name].add(value)
    latest = select(_findings.c.rule, _findings.c.shadow).where(_findings.c.ticket_id.is_not(None))
    some = latest.order_by(_findings.c.id.desc()).limit(among).subquery()
    rules = conn.execute(select(some.c.rule).where(some.c.shadow.is_(False)).distinct()).scalars()
    carriers, shops, platforms = (tuple(sorted(values - {""})) for values in found.values())
    return Choices(carriers, shops, platforms, tuple(sorted(rules)))


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────

_ROWS: Final = (
    select(
        *(
            _tickets.c[name]
            for name in ("id", "number", "state", "severity", "summary", "carrier", "shop", "platform")
        ),
        *(_tickets.c[name] for name in ("receiver_province", "opened_at", "updated_at", "acknowledged_by")),
        *(_tickets.c[name] for name in ("resolved_at", "version", "risk_low", "risk_high")),
        *(_tickets.c[name] for name in ("blame", "blame_why")),
        schema.parcels.c.waybill_no,
        order_no_of(_tickets.c.parcel_id).label("order_no"),
    )
    .join(schema.parcels, schema.parcels.c.id == _tickets.c.parcel_id)
    .where(_tickets.c.id.in_(bindparam("ids", expanding=True)))
)
_STANDING: Final = (
    select(
        *(_findings.c[name] for name in ("ticket_id", "rule", "stage", "state", "deadline", "risk_high")),
        hourly.saving().label("saves"),
    )
    .where(_findings.c.ticket_id.in_(bindparam("ids", expanding=True)), _findings.c.shadow.is_(False))
    .order_by(_findings.c.severity.desc(), _findings.c.id)
)


def read(conn: Connection, ids: Sequence[int]) -> list[TicketRow]:
    """The lines of these tickets, in this order."""
    if not ids:
        return []
    heads = {row.id: row for row in conn.execute(_ROWS, {"ids": list(ids)})}
    findings: dict[int, list[Any]] = defaultdict(list)
    for row in conn.execute(_STANDING, {"ids": list(ids)}):
        findings[row.ticket_id].append(row)
    return [_row(heads[id_], findings[id_]) for id_ in ids]


def _row(head: Any, findings: Sequence[Any]) -> TicketRow:
    standing = [each for each in findings if each.state == FindingState.OPEN.value]
    told = standing or findings
    limits = [each.deadline for each in standing if each.stage == Stage.WARNING.value and each.deadline]
    return TicketRow(
        head.number,
        TicketState(head.state),
        head.severity,
        head.summary,
        _stage_of(told),
        tuple(dict.fromkeys(each.rule for each in told)),
        head.carrier,
        head.waybill_no,
        head.order_no or "",
        head.shop,
        head.platform,
        head.receiver_province,
        from_micros(head.opened_at),
        from_micros(head.updated_at),
        moment(min(limits, default=None)),
        head.acknowledged_by,
        moment(head.resolved_at),
        head.version,
        read_risk(head),
        read_blame(head),
        tuple(Saving(each.risk_high, each.deadline) for each in findings if each.saves),
    )


def _stage_of(findings: Sequence[Any]) -> Stage:
    return Stage.BREACH if any(each.stage == Stage.BREACH.value for each in findings) else Stage.WARNING


def _newest(state: TicketState) -> Select[Any]:
    columns = (_tickets.c[name] for name in ("carrier", "shop", "platform"))
    query = select(*columns).where(_tickets.c.state == state.value)
    return query.order_by(_tickets.c.opened_at.desc(), _tickets.c.id.desc())
