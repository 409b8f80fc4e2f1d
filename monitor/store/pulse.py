"""What the store holds that people watch by the minute: one cheap read for metrics, readiness and the watchdog.

Everything goes by an index or a small table, whatever the number of parcels; only the count of watched
parcels walks a narrow index, so it is asked for now and then (`count_watched`). What was added to the
append-only ledgers is counted from where the last reading ended, so nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Select, case, func, select

from carriers import names
from domain.time import SHANGHAI
from monitor.feeds.feed import FeedState
from monitor.feeds.line import Line, account_shown
from monitor.store import schema
from monitor.store.codec import moment
from monitor.store.feeds import standing as lines
from monitor.store.push_counts import Backlog, backlog

__all__ = ["Marks", "Pulse", "count_watched", "marks", "pulse"]

Pair: TypeAlias = tuple[str, ...]
"""Two names: a series of a family with two labels."""

_due, _outbox, _tickets = schema.due, schema.outbox, schema.tickets
_findings, _entries, _attempts = schema.findings, schema.ticket_entries, schema.attempts
_UNSENT: Final = ("waiting", "sending")
_LIVE: Final = ("open", "acknowledged")


@dataclass(frozen=True, slots=True)
class Marks:
    """How far the ledgers were read: the last id of each."""

    findings: int = 0
    entries: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Pulse:
    """One reading. Moments are UTC; `new_…` counts what was added since the marks given."""

    at: datetime
    marks: Marks
    judge_since: datetime | None = None
    """The oldest stored instant that has come and is not judged."""
    poll_since: Mapping[str, datetime] = field(default_factory=dict)
    """By account: the oldest question that is due."""
    messages: Mapping[Pair, int] = field(default_factory=dict)
    """By channel and state (`waiting`, `sending`, `dead`)."""
    message_since: Mapping[str, datetime] = field(default_factory=dict)
    """By channel: since when the oldest message that is not out could have been."""
    tickets: Mapping[str, int] = field(default_factory=dict)
    """Live ones by state."""
    feeds: Mapping[str, str] = field(default_factory=dict)
    """By account, those of the configuration and those of the store: as people see it (`feeds/feed.py`)."""
    carriers: Mapping[Pair, str] = field(default_factory=dict)
    """By account and carrier, of those we have a name for."""
    troubles: Mapping[Pair, Line] = field(default_factory=dict)
    """Of these, those that are down."""
    last_good_at: Mapping[str, datetime] = field(default_factory=dict)
    asked_today: Mapping[str, int] = field(default_factory=dict)
    micros_today: Mapping[str, int] = field(default_factory=dict)
    """Spent, in millionths of a yuan."""
    unknown_codes: Mapping[str, int] = field(default_factory=dict)
    new_findings: Mapping[Pair, int] = field(default_factory=dict)
    """By rule and stage."""
    new_entries: Mapping[str, int] = field(default_factory=dict)
    """By kind of the ticket's entry."""
    new_attempts: Mapping[Pair, int] = field(default_factory=dict)
    """By channel and outcome."""
    pushes: Backlog = field(default_factory=Backlog)


def marks(conn: Connection) -> Marks:
    """Where the ledgers end now."""
    return Marks(*(_last(conn, table) for table in (_findings, _entries, _attempts)))


def pulse(conn: Connection, now: datetime, accounts: Iterable[str], since: Marks) -> Pulse:
    """Read it all; `accounts` are the provider accounts of the configuration."""
    upto, accounts = marks(conn), tuple(accounts)
    waiting = list(conn.execute(_WAITING))
    feeds = list(conn.execute(_FEEDS))
    known = lines(conn)
    named: dict[Pair, Line] = {
        pair: line for pair, line in known.items() if names.canonical(pair[1]) == pair[1]
    }
    bills = list(
        conn.execute(_BILLS.where(schema.spend.c.day == now.astimezone(SHANGHAI).date().isoformat()))
    )
    return Pulse(
        now,
        upto,
        _come(conn, _OLDEST_DEADLINE, now),
        {name: at for name in accounts if (at := _come(conn, _oldest_poll(name), now)) is not None},
        {(row.channel, row.state): row.n for row in (*waiting, *conn.execute(_DEAD))},
        _earliest((row.channel, row.oldest) for row in waiting),
        {row.state: row.n for row in conn.execute(_LIVE_TICKETS)},
        _accounts(feeds, accounts, known),
        {pair: line.shown for pair, line in named.items()},
        {pair: line for pair, line in named.items() if line.down},
        {row.name: at for row in feeds if (at := moment(row.last_good_at)) is not None},
        {row.provider: row.asked for row in bills},
        {row.provider: row.micros for row in bills},
        {row.provider: row.n for row in conn.execute(_UNKNOWN)},
        _pairs(conn, _NEW_FINDINGS, _findings.c.id, since.findings, upto.findings),
        dict(_added(conn, _NEW_ENTRIES, _entries.c.id, since.entries, upto.entries)),
        _pairs(conn, _NEW_ATTEMPTS, _attempts.c.id, since.attempts, upto.attempts),
        backlog(conn),
    )


def _accounts(
    found: Iterable[Any], accounts: Iterable[str], known: Mapping[tuple[str, str], Line]
) -> dict[str, str]:
    """How each account does, as the page shows it."""
    rows = {row.name: row for row in found}
    told = {}
    for name in (*rows, *(each for each in accounts if each not in rows)):
        mine = {carrier: line for (account, carrier), line in known.items() if account == name}
        state, good = (rows[name].state, rows[name].last_good_at) if name in rows else (FeedState.UP, None)
        told[name] = account_shown(state, mine, good=good is not None)
    return told


def count_watched(conn: Connection) -> int:
    """Parcels that something is still expected of: those with a stored next judgement."""
    query = select(func.count()).select_from(_due).where(_due.c.next_deadline_at.is_not(None))
    return int(conn.execute(query).scalar_one())


_SAYABLE: Final = case((_outbox.c.attempts == 0, _outbox.c.next_try_at), else_=_outbox.c.created_at)
"""From when on a message waits: one that is meant for later does not wait before."""
_WAITING: Final = (
    select(
        _outbox.c.channel,
        _outbox.c.state,
        func.count().label("n"),
        func.min(_SAYABLE).label("oldest"),
    )
    .where(_outbox.c.state.in_(_UNSENT))
    .group_by(_outbox.c.channel, _outbox.c.state)
)
_DEAD: Final = (
    select(_outbox.c.channel, _outbox.c.state, func.count().label("n"))
    .where(_outbox.c.state == "dead")
    .group_by(_outbox.c.channel, _outbox.c.state)
)
_LIVE_TICKETS: Final = (
    select(_tickets.c.state, func.count().label("n"))
    .where(_tickets.c.state.in_(_LIVE))
    .group_by(_tickets.c.state)
)
_FEEDS: Final = select(*(schema.providers.c[name] for name in ("name", "state", "last_good_at")))
_BILLS: Final = select(*(schema.spend.c[name] for name in ("provider", "asked", "micros")))
_UNKNOWN: Final = select(schema.unknown_codes.c.provider, func.count().label("n")).group_by(
    schema.unknown_codes.c.provider
)
_NEW_FINDINGS: Final = select(_findings.c.rule, _findings.c.stage, func.count()).group_by(
    _findings.c.rule, _findings.c.stage
)
_NEW_ENTRIES: Final = select(_entries.c.kind, func.count()).group_by(_entries.c.kind)
_NEW_ATTEMPTS: Final = (
    select(_outbox.c.channel, _attempts.c.outcome, func.count())
    .join(_outbox, _outbox.c.id == _attempts.c.outbox_id)
    .group_by(_outbox.c.channel, _attempts.c.outcome)
)


_OLDEST_DEADLINE: Final = select(func.min(_due.c.next_deadline_at)).where(
    _due.c.next_deadline_at.is_not(None)
)
"""The condition is that of the partial index: without it SQLite walks the whole table, 0.2 s at a million rows."""


def _oldest_poll(account: str) -> Select[Any]:
    return select(func.min(_due.c.next_poll_at)).where(
        _due.c.provider == account, _due.c.next_poll_at.is_not(None)
    )


def _come(conn: Connection, query: Select[Any], now: datetime) -> datetime | None:
    """The moment a query gives, where it has come."""
    at = moment(conn.execute(query).scalar())
    return at if at is not None and at <= now else None


def _earliest(pairs: Iterable[tuple[str, int]]) -> dict[str, datetime]:
    earliest: dict[str, int] = {}
    for name, micros in pairs:
        earliest[name] = min(micros, earliest.get(name, micros))
    return {name: at for name, micros in earliest.items() if (at := moment(micros)) is not None}


def _last(conn: Connection, table: Any) -> int:
    return int(conn.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one())


def _added(conn: Connection, query: Select[Any], id_: Any, since: int, upto: int) -> list[Any]:
    """The groups of what was added after `since`; nothing is read where nothing was."""
    if upto <= since:
        return []
    return [tuple(row) for row in conn.execute(query.where(id_ > since, id_ <= upto))]


def _pairs(conn: Connection, query: Select[Any], id_: Any, since: int, upto: int) -> dict[Pair, int]:
    return {(first, second): n for first, second, n in _added(conn, query, id_, since, upto)}
