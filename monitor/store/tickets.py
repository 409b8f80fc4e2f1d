"""Tickets and their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import Connection

from domain.tickets import EntryKind, TicketState
from domain.time import SHANGHAI
from monitor.store.parcels import LiveTicket


class NotAllowed(Exception):
    """A step a ticket may not take; the text is for the person who tried."""


@dataclass(frozen=True, slots=True)
class Ticket:
    id: int
    number: str
    parcel_id: int
    state: TicketState
    version: int
    severity: int
    summary: str
    filled: Mapping[str, Any]
    told: bool
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    resolved_at: datetime | None
    resolved_by: str
    resolution: str
    closed_at: datetime | None


def open_(
    conn: Connection,
    *,
    parcel_id: int,
    at: datetime,
    severity: int,
    summary: str,
    filled: Mapping[str, Any],
    finding_ids: Sequence[int],
) -> LiveTicket:
    """Also ties the findings to it and writes the `opened` entry. IntegrityError when one is live."""
    raise NotImplementedError


def attach(
    conn: Connection, ticket_id: int, finding_ids: Sequence[int], *, severity: int | None = None
) -> None:
    """Further findings of the parcel go into its live ticket."""
    raise NotImplementedError


def told(conn: Connection, ticket_id: int) -> None:
    """Somebody was told of it: from now on its end is worth a message too."""
    raise NotImplementedError


def entry(
    conn: Connection,
    ticket_id: int,
    at: datetime,
    kind: EntryKind,
    *,
    author: str = "",
    text: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    raise NotImplementedError


def move(
    conn: Connection,
    ticket_id: int,
    *,
    to: TicketState,
    version: int | None,
    at: datetime,
    by: str,
    text: str = "",
) -> bool:
    """False when somebody was faster; `NotAllowed` for a step outside the table. Writes the entry."""
    raise NotImplementedError


def by_number(conn: Connection, number: str) -> Ticket | None:
    raise NotImplementedError


def listing(
    conn: Connection, *, all_: bool = False, limit: int = 1000, zone: tzinfo = SHANGHAI
) -> list[dict[str, Any]]:
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Detail:
    ticket: Ticket
    parcel: Any
    entries: tuple[Any, ...]
    findings: tuple[Any, ...]
    events: tuple[Any, ...]
    clocks: tuple[Any, ...]
    messages: tuple[Any, ...]


def detail(conn: Connection, number: str) -> Detail | None:
    raise NotImplementedError
