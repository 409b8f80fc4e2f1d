"""The outbox: what waits to be said, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from domain.messages import Message
from domain.remote import Outcome
from domain.time import SHANGHAI


class MessageState(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FOLDED = "folded"
    DROPPED = "dropped"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class NewMessage:
    key: str
    """One per fact and channel: a second one with this key is ignored."""
    channel: str
    message: Message
    at: datetime
    """When it was written."""
    next_try_at: datetime | None = None
    """Not before this; None: at once."""
    ticket_id: int | None = None
    finding_id: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    id: int
    key: str
    channel: str
    message: Message
    state: MessageState
    attempts: int
    unknowns: int
    next_try_at: datetime
    created_at: datetime
    ticket_id: int | None = None
    finding_id: int | None = None


def put(conn: Connection, rows: Sequence[NewMessage]) -> int:
    """How many were new."""
    raise NotImplementedError


def waiting(conn: Connection, channel: str, now: datetime, limit: int) -> list[Waiting]:
    """State `waiting` and due, critical first, then oldest first."""
    raise NotImplementedError


def channels_waiting(conn: Connection, now: datetime) -> list[str]:
    raise NotImplementedError


def begin(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """State `sending`, attempts + 1; `next_try_at` becomes the moment the sending began."""
    raise NotImplementedError


def finish(
    conn: Connection,
    id_: int,
    outcome: Outcome,
    answer: str,
    at: datetime,
    *,
    state: MessageState,
    next_try_at: datetime | None = None,
) -> None:
    """How an attempt ended, added to `attempts`; an unknown outcome is counted in `unknowns`."""
    raise NotImplementedError


def fold(conn: Connection, ids: Sequence[int], into: int) -> None:
    raise NotImplementedError


def drop(conn: Connection, ids: Sequence[int], why: str) -> None:
    raise NotImplementedError


def unsent_of_finding(conn: Connection, finding_id: int) -> list[Waiting]:
    """State `waiting` only."""
    raise NotImplementedError


def unsent_of_ticket(conn: Connection, ticket_id: int) -> list[Waiting]:
    """State `waiting` only."""
    raise NotImplementedError


def by_key(conn: Connection, key: str) -> Waiting | None:
    """For the id of a message just put, a digest for one."""
    raise NotImplementedError


def listing(
    conn: Connection, *, all_: bool = False, limit: int = 1000, zone: tzinfo = SHANGHAI
) -> list[dict[str, Any]]:
    raise NotImplementedError


def recover(conn: Connection, now: datetime, *, idle: timedelta = timedelta(0)) -> list[Waiting]:
    """Rows still `sending` although nobody sends them: begun `idle` ago or earlier.

    Nothing is changed here: the caller settles each one in the same transaction with
    `finish(…, Outcome.UNKNOWN, …, state=WAITING or DEAD)`, because how often a message may be
    repeated is the robot's business.
    """
    raise NotImplementedError
