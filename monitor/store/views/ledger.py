"""Who was told what, when, and what the platform answered (feature F7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, select

from domain.messages import Message, MessageKind
from domain.time import from_micros
from monitor.store import schema
from monitor.store.codec import clean, moment, read_message
from monitor.store.outbox import MessageState
from monitor.store.ticket_page import Attempt
from monitor.store.views import walking
from monitor.store.views.paging import Page
from monitor.store.views.ticket_filter import members
from monitor.store.views.walking import Key, Part

__all__ = ["MessageFilter", "MessageRow", "attempts", "channels", "message", "messages", "of_tickets"]

_outbox, _attempts, _tickets = schema.outbox, schema.attempts, schema.tickets
_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages: all of these hold, of each one's values any. Empty: no condition. Raises `BadFilter`."""

    states: tuple[MessageState | str, ...] = ()
    kinds: tuple[MessageKind | str, ...] = ()
    channels: tuple[str, ...] = ()
    ticket: str = ""
    """The number of the ticket they are about."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "states", members(MessageState, self.states, "消息状态"))
        put(self, "kinds", members(MessageKind, self.kinds, "消息种类"))
        put(self, "channels", tuple(map(clean, self.channels)))
        put(self, "ticket", clean(self.ticket))


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message and what became of it."""

    id: int
    channel: str
    state: MessageState
    message: Message
    ticket: str
    """The number of the ticket it is about; empty for news of a provider or a digest."""
    created_at: datetime
    sent_at: datetime | None
    next_try_at: datetime | None
    """Of one that waits."""
    attempts: int
    unknowns: int
    """Attempts whose receipt was lost."""
    last_outcome: str
    last_answer: str
    folded_into: int | None
    """The digest it was said in."""


def messages(
    conn: Connection, filter_: MessageFilter, cursor: str | None = None, limit: int = 50
) -> Page[MessageRow]:
    """The messages, the newest first. Raises `BadCursor`."""
    found = walking.walk(conn, _parts(filter_), _KEY, cursor, limit)
    rows = {row.id: row for row in _rows(conn, _outbox.c.id.in_([key[-1] for key in found.keys]))}
    return found.page([rows[key[-1]] for key in found.keys])


def message(conn: Connection, outbox_id: int) -> MessageRow | None:
    """One message."""
    return next(iter(_rows(conn, _outbox.c.id == outbox_id)), None)


def of_tickets(conn: Connection, ticket_ids: Sequence[int]) -> tuple[MessageRow, ...]:
    """What was said about these tickets, the newest first; at most 200."""
    return tuple(_rows(conn, _outbox.c.ticket_id.in_(ticket_ids)))


def attempts(conn: Connection, outbox_id: int) -> tuple[Attempt, ...]:
    """Every try at saying it, or the digest it was said in, the oldest first; the last 200."""
    said = select(_outbox.c.folded_into).where(_outbox.c.id == outbox_id)
    id_ = conn.execute(said).scalar() or outbox_id
    rows = select(_attempts).where(_attempts.c.outbox_id == id_).order_by(_attempts.c.id.desc()).limit(_MOST)
    found = [Attempt(from_micros(row.at), row.outcome, row.answer) for row in conn.execute(rows)]
    return tuple(found[::-1])


def channels(conn: Connection, among: int = 4000) -> tuple[str, ...]:
    """The channels of the newest messages, for the filter's menu."""
    newest = select(_outbox.c.channel).order_by(_outbox.c.id.desc()).limit(among).subquery()
    return tuple(sorted(conn.execute(select(newest.c.channel).distinct()).scalars()))


_KEY: Final = Key("messages", ("created_at", "id"), (True, True))


def _parts(filter_: MessageFilter) -> list[Part]:
    """One for each state, in the order of its index; or those of one ticket."""
    rows = select(*(_outbox.c[name] for name in ("created_at", "id", "channel", "kind")))
    fits = _fits(filter_)
    if filter_.ticket:
        ticket = select(_tickets.c.id).where(_tickets.c.number == filter_.ticket).scalar_subquery()
        rows = rows.where(_outbox.c.ticket_id == ticket)
        states = [str(state) for state in filter_.states]
        return [Part(rows.where(_outbox.c.state.in_(states)) if states else rows, fits)]
    states = [str(state) for state in filter_.states or MessageState]
    return [Part(rows.where(_outbox.c.state == state), fits) for state in states]


def _fits(filter_: MessageFilter) -> Callable[[Any], Any] | None:
    asked = (("kind", [str(kind) for kind in filter_.kinds]), ("channel", filter_.channels))
    conditions = [(name, values) for name, values in asked if values]
    if not conditions:
        return None
    return lambda seen: and_(*(seen.c[name].in_(values) for name, values in conditions))


def _rows(conn: Connection, which: Any) -> list[MessageRow]:
    rows = select(_outbox, _tickets.c.number).outerjoin(_tickets, _tickets.c.id == _outbox.c.ticket_id)
    newest = rows.where(which).order_by(_outbox.c.created_at.desc(), _outbox.c.id.desc()).limit(500)
    return [_row(row) for row in conn.execute(newest)]


def _row(row: Row[Any]) -> MessageRow:
    state = MessageState(row.state)
    return MessageRow(
        row.id,
        row.channel,
        state,
        read_message(row.message),
        row.number or "",
        from_micros(row.created_at),
        moment(row.sent_at),
        moment(row.next_try_at) if state is MessageState.WAITING else None,
        row.attempts,
        row.unknowns,
        row.last_outcome,
        row.last_answer,
        row.folded_into,
    )
