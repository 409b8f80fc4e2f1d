"""The outbox: what waits to be said, and what became of it.

A row is one fact for one channel, held apart by its key. It waits, is marked as being sent before it
leaves, and ends as sent, folded into a digest, dropped because it was overtaken, or dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, insert, or_, select, update

from domain.messages import Message, MessageKind, Urgency
from domain.remote import Outcome
from domain.time import SHANGHAI, from_micros, to_micros
from monitor.store import schema
from monitor.store.bulk import chunks, insert_many
from monitor.store.codec import clean, message_text, read_message
from monitor.store.rows import iso

__all__ = [
    "MessageState",
    "NewMessage",
    "Waiting",
    "begin",
    "by_key",
    "channels_told",
    "channels_waiting",
    "count",
    "drop",
    "finish",
    "fold",
    "late",
    "listing",
    "put",
    "recover",
    "unsent_of_finding",
    "unsent_of_ticket",
    "waiting",
]

_outbox = schema.outbox


class MessageState(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FOLDED = "folded"
    DROPPED = "dropped"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """Something to say to one channel."""

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
    """A message that is not out yet."""

    id: int
    key: str
    channel: str
    message: Message
    state: MessageState
    attempts: int
    unknowns: int
    """How many attempts had an unknown outcome."""
    next_try_at: datetime
    created_at: datetime
    ticket_id: int | None = None
    finding_id: int | None = None


def put(conn: Connection, rows: Sequence[NewMessage]) -> int:
    """Add messages; returns how many were new."""
    return insert_many(conn, _outbox, [_values(row) for row in rows], ignore=True)


def waiting(conn: Connection, channel: str, now: datetime, limit: int) -> list[Waiting]:
    """What may be said to a channel now: critical first, then the oldest."""
    query = (
        select(_outbox)
        .where(_outbox.c.channel == channel, *_ready(now))
        .order_by(_URGENCY, _outbox.c.created_at, _outbox.c.id)
        .limit(limit)
    )
    return _read(conn, query)


def channels_waiting(conn: Connection, now: datetime) -> list[str]:
    """The channels that have something to hear now."""
    query = select(_outbox.c.channel).where(*_ready(now)).distinct().order_by(_outbox.c.channel)
    return list(conn.execute(query).scalars())


def channels_told(conn: Connection, ticket_id: int) -> list[str]:
    """The channels that heard, or will yet hear, an alert about a ticket: folded into a digest counts."""
    heard = or_(
        _outbox.c.state.in_(("waiting", "sending", "sent", "folded")),
        and_(_outbox.c.state == "dead", _outbox.c.unknowns > 0),
    )
    query = (
        select(_outbox.c.channel)
        .where(_outbox.c.ticket_id == ticket_id, _outbox.c.kind == MessageKind.ALERT.value, heard)
        .distinct()
        .order_by(_outbox.c.channel)
    )
    return list(conn.execute(query).scalars())


def begin(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """Mark as being sent, before it leaves; `next_try_at` becomes the moment the sending began."""
    _set(
        conn,
        ids,
        state=MessageState.SENDING.value,
        attempts=_outbox.c.attempts + 1,
        next_try_at=to_micros(now),
    )


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
    """How an attempt ended: kept in `attempts`, and where the message stands now."""
    moment = to_micros(at)
    values: dict[str, Any] = {
        "state": state.value,
        "last_outcome": outcome.value,
        "last_answer": clean(answer),
        "next_try_at": moment if next_try_at is None else to_micros(next_try_at),
    }
    if state is MessageState.SENT:
        values["sent_at"] = moment
    if outcome is Outcome.UNKNOWN:
        values["unknowns"] = _outbox.c.unknowns + 1
    _set(conn, [id_], **values)
    conn.execute(
        insert(schema.attempts).values(outbox_id=id_, at=moment, outcome=outcome.value, answer=clean(answer))
    )


def fold(conn: Connection, ids: Sequence[int], into: int) -> None:
    """Said as part of a digest, `into`, from now on."""
    _set(conn, ids, state=MessageState.FOLDED.value, folded_into=into)


def drop(conn: Connection, ids: Sequence[int], why: str) -> None:
    """Overtaken before it was said."""
    _set(conn, ids, state=MessageState.DROPPED.value, last_outcome="dropped", last_answer=clean(why))


def unsent_of_finding(conn: Connection, finding_id: int) -> list[Waiting]:
    """Messages about a finding that have not begun to leave."""
    return _unsent(conn, _outbox.c.finding_id == finding_id)


def unsent_of_ticket(conn: Connection, ticket_id: int) -> list[Waiting]:
    """Messages about a ticket that have not begun to leave."""
    return _unsent(conn, _outbox.c.ticket_id == ticket_id)


def count(conn: Connection, state: MessageState, at_most: int = 10_000) -> int:
    """How many messages stand there; `at_most` for that many or more."""
    some = select(_outbox.c.id).where(_outbox.c.state == state.value).limit(at_most).subquery()
    return int(conn.execute(select(func.count()).select_from(some)).scalar_one())


def late(conn: Connection, before: datetime, at_most: int = 10_000) -> int:
    """How many messages written before that moment are still not out; `at_most` for that many or more."""
    standing = _outbox.c.state.in_((MessageState.WAITING.value, MessageState.SENDING.value))
    some = (
        select(_outbox.c.id)
        .where(standing, _outbox.c.created_at < to_micros(before))
        .limit(at_most)
        .subquery()
    )
    return int(conn.execute(select(func.count()).select_from(some)).scalar_one())


def by_key(conn: Connection, key: str) -> Waiting | None:
    """The message of that key, wherever it stands."""
    return next(iter(_read(conn, select(_outbox).where(_outbox.c.key == clean(key)))), None)


def listing(
    conn: Connection, *, all_: bool = False, limit: int = 1000, zone: tzinfo = SHANGHAI
) -> list[dict[str, Any]]:
    """The columns of `outbox --json`: what waits, is leaving or is dead; with `all_` everything."""
    query = (
        select(_outbox, schema.tickets.c.number)
        .outerjoin(schema.tickets, schema.tickets.c.id == _outbox.c.ticket_id)
        .order_by(_outbox.c.created_at.desc(), _outbox.c.id.desc())
        .limit(limit)
    )
    if not all_:
        query = query.where(_outbox.c.state.in_(("waiting", "sending", "dead")))
    return [
        {
            "id": row.id,
            "channel": row.channel,
            "ticket": row.number or "",
            "state": row.state,
            "attempts": row.attempts,
            "next_try_at": iso(row.next_try_at, zone) if row.state in ("waiting", "sending") else None,
            "last_answer": row.last_answer,
        }
        for row in conn.execute(query)
    ]


def recover(conn: Connection, now: datetime, *, idle: timedelta = timedelta(0)) -> list[Waiting]:
    """Messages still `sending` although nobody sends them: all of them, or those begun `idle` ago.

    Nothing is changed here. The caller settles each one in the same transaction with
    `finish(…, Outcome.UNKNOWN, …, state=WAITING or DEAD)`: how often a message may be said again is
    the robot's business.
    """
    query = select(_outbox).where(_outbox.c.state == MessageState.SENDING.value).order_by(_outbox.c.id)
    if idle:
        query = query.where(_outbox.c.next_try_at <= to_micros(now - idle))
    return _read(conn, query)


_URGENCY: Final = case(
    {urgency.value: rank for rank, urgency in enumerate(Urgency)}, value=_outbox.c.urgency, else_=len(Urgency)
)


def _ready(now: datetime) -> tuple[Any, Any]:
    return _outbox.c.state == MessageState.WAITING.value, _outbox.c.next_try_at <= to_micros(now)


def _unsent(conn: Connection, whose: Any) -> list[Waiting]:
    query = select(_outbox).where(whose, _outbox.c.state == MessageState.WAITING.value)
    return _read(conn, query.order_by(_outbox.c.id))


def _set(conn: Connection, ids: Sequence[int], **values: Any) -> None:
    for some in chunks(ids):
        conn.execute(update(_outbox).where(_outbox.c.id.in_(some)).values(**values))


def _values(row: NewMessage) -> dict[str, Any]:
    return {
        "key": clean(row.key),
        "channel": row.channel,
        "kind": row.message.kind.value,
        "urgency": row.message.urgency.value,
        "ticket_id": row.ticket_id,
        "finding_id": row.finding_id,
        "message": message_text(row.message),
        "next_try_at": to_micros(row.next_try_at or row.at),
        "created_at": to_micros(row.at),
    }


def _read(conn: Connection, query: Any) -> list[Waiting]:
    return [
        Waiting(
            row.id,
            row.key,
            row.channel,
            read_message(row.message),
            MessageState(row.state),
            row.attempts,
            row.unknowns,
            from_micros(row.next_try_at),
            from_micros(row.created_at),
            row.ticket_id,
            row.finding_id,
        )
        for row in conn.execute(query)
    ]
