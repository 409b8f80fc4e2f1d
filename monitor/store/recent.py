"""What a store tells of late, read from outside by `check`: nothing is opened for writing, nothing is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Connection, create_engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from domain.remote import Outcome
from monitor.store import providers, schema, upkeep
from monitor.store.backends import parse_url
from monitor.store.codec import moment
from monitor.store.errors import translate

__all__ = ["Recent", "glance", "platforms", "recent"]

T = TypeVar("T")
_NEWEST: Final = 2_000
"""Orders looked at for the platforms in use."""
_outbox, _attempts = schema.outbox, schema.attempts


@dataclass(frozen=True, slots=True)
class Recent:
    """The last of everything that should happen again and again."""

    accounts: Mapping[str, providers.ProviderState]
    """By provider account, those that were ever asked."""
    told_at: Mapping[str, datetime]
    """By channel: when a platform last took a message."""
    waiting: Mapping[tuple[str, str], int]
    """Messages by channel and state: `waiting`, `sending`, `dead`."""
    upkeep: Mapping[str, upkeep.Done] = field(default_factory=dict)
    parcels: bool = False
    """There is something to lose."""


def glance(url: str, work: Callable[[Connection], T]) -> T:
    """Read something from the store at `url`, which has to exist. Raises a `StoreError` when it does not answer."""
    engine = create_engine(parse_url(url), poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as conn:
            if conn.dialect.name == "sqlite":
                conn.exec_driver_sql("PRAGMA query_only = ON")
            return work(conn)
    except DBAPIError as error:
        raise translate(error) from error
    finally:
        engine.dispose()


def recent(conn: Connection) -> Recent:
    """All of it, each by an index or from a small table."""
    names = list(conn.execute(select(schema.providers.c.name)).scalars())
    channels = list(conn.execute(select(_outbox.c.channel).distinct()).scalars())
    counts = (
        select(_outbox.c.channel, _outbox.c.state, func.count().label("n"))
        .where(_outbox.c.state.in_(("waiting", "sending", "dead")))
        .group_by(_outbox.c.channel, _outbox.c.state)
    )
    return Recent(
        {name: providers.load(conn, name) for name in names},
        {name: at for name in channels if (at := _told_at(conn, name)) is not None},
        {(row.channel, row.state): row.n for row in conn.execute(counts)},
        {done.name: done for done in upkeep.every(conn)},
        conn.execute(select(schema.parcels.c.id).limit(1)).first() is not None,
    )


def platforms(conn: Connection) -> list[str]:
    """The platforms of the newest orders."""
    orders = schema.orders
    newest = select(orders.c.platform).order_by(orders.c.id.desc()).limit(_NEWEST).subquery()
    return sorted(conn.execute(select(newest.c.platform).distinct()).scalars())


def known_words(conn: Connection, word: str) -> list[str]:
    """What the newest orders say of one of `merchant`, `shop`, `warehouse`; nothing where they do not say it."""
    orders = schema.orders
    newest = select(orders.c[word].label("word")).order_by(orders.c.id.desc()).limit(_NEWEST).subquery()
    return sorted(conn.execute(select(newest.c.word).where(newest.c.word != "").distinct()).scalars())


def _told_at(conn: Connection, channel: str) -> datetime | None:
    """The newest attempts are walked back to the first that was taken."""
    query = (
        select(_attempts.c.at)
        .join(_outbox, _outbox.c.id == _attempts.c.outbox_id)
        .where(_outbox.c.channel == channel, _attempts.c.outcome == Outcome.TAKEN.value)
        .order_by(_attempts.c.id.desc())
        .limit(1)
    )
    return moment(conn.execute(query).scalar())
