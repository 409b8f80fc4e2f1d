"""Everything about one ticket, for whoever has to act on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from domain.findings import Blame, ClockReading, Finding, FindingState, Risk
from domain.history import Stored
from domain.messages import Message
from domain.tickets import EntryKind, TicketState
from domain.time import from_micros
from monitor.store import events, parcels, schema
from monitor.store.codec import moment, read_mapping, read_message
from monitor.store.rows import FINDING_COLUMNS, read_blame, read_finding, read_risk

__all__ = [
    "Attempt",
    "Detail",
    "Entry",
    "Said",
    "Ticket",
    "TicketFinding",
    "detail",
    "findings_where",
    "read_ticket",
]

_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket's head."""

    id: int
    number: str
    parcel_id: int
    state: TicketState
    version: int
    severity: int
    summary: str
    filled: Mapping[str, Any]
    """The order and parcel as they stood at opening."""
    told: bool
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    resolved_at: datetime | None
    resolved_by: str
    resolution: str
    closed_at: datetime | None
    risk: Risk | None = None
    """What its findings may cost together."""
    blame: Blame | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history."""

    at: datetime
    kind: EntryKind
    author: str
    text: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TicketFinding:
    """A finding in the ticket, standing or ended."""

    id: int
    finding: Finding
    state: FindingState
    found_at: datetime
    warned_at: datetime | None
    breached_at: datetime | None
    ended_at: datetime | None
    ended_by: str
    told_step: int
    silenced_by: str
    policy_version: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at saying something, and the platform's answer."""

    at: datetime
    outcome: str
    answer: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message about the ticket: to whom, what became of it (feature F7)."""

    id: int
    channel: str
    message: Message
    state: str
    created_at: datetime
    sent_at: datetime | None
    last_answer: str
    folded_into: int | None
    attempts: tuple[Attempt, ...]
    """Of the digest, where it was folded into one."""


@dataclass(frozen=True, slots=True)
class Detail:
    """A ticket with all that belongs to it."""

    ticket: Ticket
    parcel: parcels.Loaded
    """Orders and journey are its `case`'s."""
    entries: tuple[Entry, ...]
    findings: tuple[TicketFinding, ...]
    trials: tuple[TicketFinding, ...]
    """What rules on trial found of its parcel: nobody was told."""
    events: tuple[Stored, ...]
    clocks: tuple[ClockReading, ...]
    messages: tuple[Said, ...]


def detail(conn: Connection, number: str) -> Detail | None:
    """The ticket of that number with everything for its page, or None."""
    row = conn.execute(select(schema.tickets).where(schema.tickets.c.number == number)).first()
    if row is None:
        return None
    ticket = read_ticket(row)
    return Detail(
        ticket,
        parcels.load(conn, [ticket.parcel_id])[0],
        _entries(conn, ticket.id),
        findings_where(
            conn, (schema.findings.c.ticket_id == ticket.id) & schema.findings.c.shadow.is_(False)
        ),
        findings_where(conn, (schema.findings.c.parcel_id == ticket.parcel_id) & schema.findings.c.shadow),
        tuple(events.known(conn, [ticket.parcel_id])[ticket.parcel_id]),
        parcels.clocks(conn, ticket.parcel_id),
        _messages(conn, ticket.id),
    )


def read_ticket(row: Row[Any]) -> Ticket:
    """A ticket's head from its whole row."""
    return Ticket(
        row.id,
        row.number,
        row.parcel_id,
        TicketState(row.state),
        row.version,
        row.severity,
        row.summary,
        read_mapping(row.filled),
        bool(row.told),
        from_micros(row.opened_at),
        from_micros(row.updated_at),
        moment(row.acknowledged_at),
        row.acknowledged_by,
        moment(row.resolved_at),
        row.resolved_by,
        row.resolution,
        moment(row.closed_at),
        read_risk(row),
        read_blame(row),
    )


def _entries(conn: Connection, ticket_id: int) -> tuple[Entry, ...]:
    table = schema.ticket_entries
    query = select(table).where(table.c.ticket_id == ticket_id).order_by(table.c.id)
    return tuple(
        Entry(from_micros(row.at), EntryKind(row.kind), row.author, row.text, read_mapping(row.data))
        for row in conn.execute(query)
    )


def findings_where(conn: Connection, condition: Any) -> tuple[TicketFinding, ...]:
    """Findings, standing or ended, the worst first; at most a thousand."""
    table = schema.findings
    others = ("id", "state", "found_at", "warned_at", "breached_at", "ended_at", "ended_by")
    more = ("told_step", "silenced_by", "policy_version")
    query = (
        select(*FINDING_COLUMNS, *(table.c[name] for name in (*others, *more)))
        .where(condition)
        .order_by(table.c.severity.desc(), table.c.id)
        .limit(_MOST)
    )
    return tuple(
        TicketFinding(
            row.id,
            read_finding(row),
            FindingState(row.state),
            from_micros(row.found_at),
            moment(row.warned_at),
            moment(row.breached_at),
            moment(row.ended_at),
            row.ended_by,
            row.told_step,
            row.silenced_by,
            row.policy_version,
        )
        for row in conn.execute(query)
    )


def _messages(conn: Connection, ticket_id: int) -> tuple[Said, ...]:
    table = schema.outbox
    rows = conn.execute(select(table).where(table.c.ticket_id == ticket_id).order_by(table.c.id)).all()
    tried = _attempts(conn, {row.folded_into or row.id for row in rows})
    return tuple(
        Said(
            row.id,
            row.channel,
            read_message(row.message),
            row.state,
            from_micros(row.created_at),
            moment(row.sent_at),
            row.last_answer,
            row.folded_into,
            tuple(tried[row.folded_into or row.id]),
        )
        for row in rows
    )


def _attempts(conn: Connection, outbox_ids: set[int]) -> dict[int, list[Attempt]]:
    table = schema.attempts
    query = select(table).where(table.c.outbox_id.in_(outbox_ids)).order_by(table.c.id)
    found: dict[int, list[Attempt]] = defaultdict(list)
    for row in conn.execute(query):
        found[row.outbox_id].append(Attempt(from_micros(row.at), row.outcome, row.answer))
    return found
