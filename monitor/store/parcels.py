"""Parcels: loading a case with all that stands around it, keeping what was concluded, what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from domain.findings import ClockReading, Finding
from domain.orders import Case, Order, Waybill
from domain.remote import Secret
from domain.tickets import TicketState
from domain.tracking import Journey


@dataclass(frozen=True, slots=True)
class OpenFinding:
    id: int
    finding: Finding
    told_step: int
    found_at: datetime
    ticket_id: int | None = None
    silenced_by: str = ""
    breached_at: datetime | None = None
    warned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LiveTicket:
    id: int
    number: str
    state: TicketState
    version: int
    told: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    id: int
    version: int
    state: str
    why: str
    cycle: int
    case: Case
    answer_hash: str
    watch_from: datetime
    policy_version: str
    open: tuple[OpenFinding, ...] = ()
    ticket: LiveTicket | None = None
    provider: str = ""
    asked_at: datetime | None = None
    quota_at: datetime | None = None
    next_poll_at: datetime | None = None
    next_deadline_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """What to keep of a parcel; None leaves a field as it is."""

    id: int
    journey: Journey | None = None
    observed_at: datetime | None = None
    answer_hash: str | None = None
    clocks: tuple[ClockReading, ...] | None = None
    policy_version: str | None = None
    state: str | None = None
    why: str | None = None
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    parcel_id: int
    provider: str
    next_poll_at: datetime | None
    next_deadline_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    parcel_id: int
    carrier: str
    waybill_no: str
    phone_tail: Secret | None
    province: str
    city: str
    answer_hash: str
    asked_before: datetime | None


@dataclass(frozen=True, slots=True)
class Incoming:
    order: Order
    waybills: tuple[Waybill, ...]
    phone_tail: str
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    outcome: str
    """`accepted`, `updated`, `unchanged` or `older`."""
    parcel_ids: tuple[int, ...]
    detail: str


def load(conn: Connection, parcel_ids: Sequence[int]) -> list[Loaded]:
    raise NotImplementedError


def save(conn: Connection, updates: Sequence[Update], now: datetime) -> None:
    raise NotImplementedError


def reschedule(conn: Connection, rows: Sequence[Due]) -> None:
    raise NotImplementedError


def take_due_deadlines(conn: Connection, now: datetime, limit: int) -> list[int]:
    raise NotImplementedError


def claim_polls(
    conn: Connection,
    provider: str,
    now: datetime,
    limit: int,
    *,
    interval: timedelta,
    daily: int,
    lease: timedelta,
) -> list[Claim]:
    raise NotImplementedError


def find(conn: Connection, waybill_no: str, carrier: str = "") -> list[int]:
    raise NotImplementedError


def intake(conn: Connection, incoming: Sequence[Incoming], now: datetime) -> list[Taken]:
    raise NotImplementedError
