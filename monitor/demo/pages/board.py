"""How things stand: every live ticket with what is wrong and how long is left, counts, sources, messages.

One read of the store, at one moment; nothing here is drawn.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select

from domain.findings import Finding, Stage
from domain.tickets import TicketState
from domain.time import SHANGHAI, from_micros
from monitor.store import polls, providers, schema
from monitor.store.codec import read_mapping
from monitor.store.rows import FINDING_COLUMNS, read_finding

__all__ = ["Board", "Item", "Section", "Source", "read_board"]

_LIVE: Final = (TicketState.OPEN.value, TicketState.ACKNOWLEDGED.value)
_MOST_LIVE: Final = 500
_MOST_OVER: Final = 60


class Section(StrEnum):
    """Where a ticket stands in the list, most urgent first."""

    BREACH = "breach"
    WARNING = "warning"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Item:
    """One ticket of the list."""

    number: str
    state: TicketState
    carrier: str
    waybill_no: str
    shop: str
    opened_at: datetime
    updated_at: datetime
    worst: Finding | None
    """The finding that speaks for it: the gravest that stands, or the last one that stood."""
    others: int = 0
    """How many lesser ones stand beside it."""
    resolution: str = ""

    @property
    def section(self) -> Section:
        """Broken, about to be, or over."""
        if not self.state.live:
            return Section.OVER
        broken = self.worst is not None and self.worst.stage is Stage.BREACH
        return Section.BREACH if broken else Section.WARNING

    @property
    def changed_at(self) -> datetime:
        """When it last became more urgent, or ended."""
        if self.section is Section.OVER or self.worst is None:
            return self.updated_at
        return max(self.opened_at, self.worst.crossed_at)


@dataclass(frozen=True, slots=True)
class Source:
    """A provider account and how it does."""

    name: str
    state: str
    """`up`, `degraded` or `down`."""
    last_good_at: datetime | None
    last_error: str
    asked_today: int
    waiting: int
    """Parcels that are due for a look."""


@dataclass(frozen=True, slots=True)
class Board:
    """Everything the first page shows of the store."""

    at: datetime
    items: tuple[Item, ...] = ()
    """By section, the newest change first."""
    parcels: Mapping[str, int] = field(default_factory=dict)
    """How many are `watched`, `done` and `unwatched`."""
    messages: Mapping[str, int] = field(default_factory=dict)
    """How many of the outbox are `sent`, `waiting`, `folded`, `dropped`, `dead`."""
    sources: tuple[Source, ...] = ()
    over: int = 0
    """How many tickets were resolved so far."""

    def section(self, section: Section) -> list[Item]:
        """The tickets of one section."""
        return [item for item in self.items if item.section is section]


def read_board(conn: Connection, accounts: Sequence[str], now: datetime) -> Board:
    """The board at `now`, for the provider accounts of these names."""
    live = _items(conn, _TICKETS.where(schema.tickets.c.state.in_(_LIVE)).limit(_MOST_LIVE), standing=True)
    over = _items(
        conn, _TICKETS.where(schema.tickets.c.state.not_in(_LIVE)).limit(_MOST_OVER), standing=False
    )
    order = list(Section)
    items = sorted(live + over, key=lambda item: item.changed_at, reverse=True)
    states = _counts(conn, schema.tickets.c.state)
    return Board(
        at=now,
        items=tuple(sorted(items, key=lambda item: order.index(item.section))),
        parcels=_counts(conn, schema.parcels.c.state),
        messages=_counts(conn, schema.outbox.c.state),
        sources=tuple(_source(conn, name, now) for name in accounts),
        over=states[TicketState.RESOLVED.value] + states[TicketState.CLOSED.value],
    )


_TICKETS: Final[Select[Any]] = (
    select(
        *(
            schema.tickets.c[name]
            for name in ("id", "number", "state", "opened_at", "updated_at", "resolution")
        ),
        *(schema.tickets.c[name] for name in ("filled", "parcel_id")),
        schema.parcels.c.carrier,
        schema.parcels.c.waybill_no,
    )
    .join(schema.parcels, schema.parcels.c.id == schema.tickets.c.parcel_id)
    .order_by(schema.tickets.c.updated_at.desc(), schema.tickets.c.id.desc())
)


def _items(conn: Connection, query: Select[Any], *, standing: bool) -> list[Item]:
    rows = conn.execute(query).all()
    found = _findings(conn, [row.id for row in rows], standing=standing)
    return [_item(row, found.get(row.id, [])) for row in rows]


def _findings(conn: Connection, ids: Sequence[int], *, standing: bool) -> dict[int, list[Finding]]:
    """The findings of these tickets, the gravest first: what is broken before what may be.

    Only those that stand where `standing`.
    """
    findings = schema.findings
    query = (
        select(findings.c.ticket_id, *FINDING_COLUMNS)
        .where(findings.c.ticket_id.in_(ids))
        .order_by(findings.c.stage, findings.c.severity.desc(), findings.c.id.desc())
    )
    if standing:
        query = query.where(findings.c.state == "open")
    found: dict[int, list[Finding]] = defaultdict(list)
    for row in conn.execute(query):
        found[row.ticket_id].append(read_finding(row))
    return found


def _item(row: Row[Any], found: Sequence[Finding]) -> Item:
    orders = read_mapping(row.filled).get("orders") or [{}]
    return Item(
        number=row.number,
        state=TicketState(row.state),
        carrier=row.carrier,
        waybill_no=row.waybill_no,
        shop=str(orders[0].get("shop") or orders[0].get("merchant") or ""),
        opened_at=from_micros(row.opened_at),
        updated_at=from_micros(row.updated_at),
        worst=found[0] if found else None,
        others=max(0, len(found) - 1),
        resolution=row.resolution,
    )


def _counts(conn: Connection, column: Any) -> Counter[str]:
    """How many rows there are of each value."""
    return Counter(
        {str(row[0]): int(row[1]) for row in conn.execute(select(column, func.count()).group_by(column))}
    )


def _source(conn: Connection, name: str, now: datetime) -> Source:
    state = providers.load(conn, name)
    return Source(
        name=name,
        state=state.state,
        last_good_at=state.last_good_at,
        last_error=state.last_error,
        asked_today=providers.spent(conn, name, now.astimezone(SHANGHAI).date()).asked,
        waiting=polls.overdue(conn, name, now),
    )
