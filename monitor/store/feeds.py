"""How the feeds do: the health of each carrier behind an account, and what its hours brought.

Delays are counted in classes, twice. A scan that a look finds was published between that look and the one before, so
it was at least so late as the earlier look came after it, and at most so late as the later one did; how late
exactly nobody knows who does not look every minute. A quantile of the true delays lies between those of the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.time import from_micros, to_micros
from monitor.feeds.feed import Feed, FeedState
from monitor.feeds.line import Cause, Line
from monitor.feeds.silence import Hour
from monitor.store import schema
from monitor.store.bulk import Prepared, update_many
from monitor.store.codec import clean, micros, moment

__all__ = [
    "EDGES",
    "Counts",
    "Lag",
    "add",
    "awaken",
    "hold",
    "hours",
    "lines",
    "looked_at",
    "save",
    "standing",
    "totals",
    "unheard",
]

_lines, _hours, _due, _parcels = schema.feed_lines, schema.feed_hours, schema.due, schema.parcels
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
EDGES: Final = tuple(n * _MINUTE for n in (5, 15, 30, 60, 120, 240, 480, 960))
"""The upper ends of all classes of delays but the last."""
assert len(EDGES) == schema.LAGS - 1
_COUNTED: Final = (
    *("answered", "same", "empty", "emptied", "refused", "unreadable", "failed", "pushed", "looks", "news"),
    *("watched_s", "scans", "unknown"),
)
_MOST: Final = tuple(f"most_{n}" for n in range(schema.LAGS))
_LEAST: Final = tuple(f"least_{n}" for n in range(schema.LAGS))
_KEY: Final = ("provider", "carrier", "hour")
_ALL: Final = (*_COUNTED, *_MOST, *_LEAST)


@dataclass(frozen=True, slots=True)
class Lag:
    """A quantile of the delays with which scans became known: it lies between the two."""

    least: timedelta
    most: timedelta | None
    """None: more than the last class's end."""


@dataclass(slots=True)
class Counts:
    """What some looks brought; the columns of `feed_hours`."""

    answered: int = 0
    same: int = 0
    empty: int = 0
    emptied: int = 0
    refused: int = 0
    unreadable: int = 0
    failed: int = 0
    pushed: int = 0
    looks: int = 0
    news: int = 0
    watched_s: int = 0
    scans: int = 0
    unknown: int = 0
    most: list[int] = field(default_factory=lambda: [0] * schema.LAGS)
    least: list[int] = field(default_factory=lambda: [0] * schema.LAGS)

    @property
    def bad(self) -> int:
        """Questions that brought nothing to rely on."""
        return self.emptied + self.refused + self.unreadable + self.failed

    @property
    def asked(self) -> int:
        """Questions that are over."""
        return self.answered + self.refused + self.unreadable + self.failed

    @property
    def success(self) -> float | None:
        """The share of questions that brought something to rely on; None where nobody asked."""
        return 1 - self.bad / self.asked if self.asked else None

    def learned(self, least: timedelta, most: timedelta) -> None:
        """A scan became known so late."""
        self.least[_class(least)] += 1
        self.most[_class(most)] += 1

    def lag(self, quantile: float) -> Lag | None:
        """That quantile of the delays, or None where no scan was learned of between two looks."""
        if not sum(self.most):
            return None
        low, high = _at(self.least, quantile), _at(self.most, quantile)
        return Lag(EDGES[low - 1] if low else timedelta(0), EDGES[high] if high < len(EDGES) else None)


def _class(length: timedelta) -> int:
    return next((n for n, edge in enumerate(EDGES) if length <= edge), len(EDGES))


def _at(classes: Sequence[int], quantile: float) -> int:
    """The class in which the quantile lies."""
    wanted, seen = quantile * sum(classes), 0
    for n, count in enumerate(classes):
        seen += count
        if count and seen >= wanted:
            return n
    return len(classes) - 1


# ── the hours ────────────────────────────────────────────────────────────────────────────────────


def _adding(dialect: str) -> Any:
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(_hours)
    statement = statement.values({name: bindparam(name) for name in (*_KEY, *_ALL)})
    added = {name: _hours.c[name] + statement.excluded[name] for name in _ALL}
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=added)


_ADD: Final = Prepared(_adding, *_KEY, *_ALL)


def add(conn: Connection, provider: str, found: Mapping[str, Counts], now: datetime) -> None:
    """Add what looks brought, by carrier, to the hour of `now`: one upsert for each carrier."""
    hour = to_micros(_hour(now))
    rows = [
        (provider, carrier, hour, *(getattr(each, name) for name in _COUNTED), *each.most, *each.least)
        for carrier, each in sorted(found.items())
    ]
    _ADD.run(conn, rows)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def totals(
    conn: Connection, since: datetime, *, provider: str | None = None
) -> dict[tuple[str, str], Counts]:
    """What the hours since (that of `since` with them) brought, by account and carrier."""
    sums = [func.sum(_hours.c[name]).label(name) for name in _ALL]
    query = select(_hours.c.provider, _hours.c.carrier, *sums).group_by(_hours.c.provider, _hours.c.carrier)
    query = query.where(_hours.c.hour >= to_micros(_hour(since)))
    if provider is not None:
        query = query.where(_hours.c.provider == provider)
    return {(row.provider, row.carrier): _counts(row._mapping) for row in conn.execute(query)}


def _counts(row: Any) -> Counts:
    plain = {name: int(row[name]) for name in _COUNTED}
    return Counts(**plain, most=[int(row[n]) for n in _MOST], least=[int(row[n]) for n in _LEAST])


def hours(conn: Connection, provider: str, carrier: str, since: datetime) -> list[Hour]:
    """What `monitor/feeds/silence.py` reckons with."""
    query = select(_hours.c.hour, _hours.c.news, _hours.c.watched_s).where(
        _hours.c.provider == provider, _hours.c.carrier == carrier, _hours.c.hour >= to_micros(since)
    )
    return [
        Hour(from_micros(row.hour), row.news, timedelta(seconds=row.watched_s)) for row in conn.execute(query)
    ]


# ── the health of each carrier ───────────────────────────────────────────────────────────────────


def lines(conn: Connection, provider: str) -> dict[str, Line]:
    """By carrier; under `""` what is said of all of them together."""
    return {row.carrier: _line(row) for row in conn.execute(_OF_PROVIDER, {"provider": provider})}


_OF_PROVIDER: Final = select(_lines).where(_lines.c.provider == bindparam("provider"))


def standing(conn: Connection) -> dict[tuple[str, str], Line]:
    """Of all accounts: by account and carrier."""
    return {(row.provider, row.carrier): _line(row) for row in conn.execute(select(_lines))}


def _line(row: Any) -> Line:
    numbers = json.loads(row.numbers)
    feed = Feed(
        FeedState(row.state),
        moment(row.since),
        moment(row.last_good_at),
        moment(row.last_bad_at),
        row.last_error,
        row.failures,
        bool(row.told),
        numbers=frozenset(numbers.get("errors", ())),
        back_at=moment(row.back_at),
    )
    return Line(
        feed,
        Cause(row.cause),
        frozenset(numbers.get("emptied", ())),
        frozenset(numbers.get("returned", ())),
        moment(row.news_at),
        moment(row.judged_at),
        moment(row.probe_at),
        moment(row.poor_since),
        bool(row.poor_told),
    )


_COLUMNS: Final = tuple(column.name for column in _lines.columns)


def _saving(dialect: str) -> Any:
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(_lines)
    statement = statement.values({name: bindparam(name) for name in _COLUMNS})
    kept = {name: statement.excluded[name] for name in _COLUMNS[2:]}
    return statement.on_conflict_do_update(index_elements=list(_COLUMNS[:2]), set_=kept)


_SAVE: Final = Prepared(_saving, *_COLUMNS)


def save(conn: Connection, provider: str, changed: Mapping[str, Line]) -> None:
    """Keep the health of these carriers."""
    _SAVE.run(conn, [_values(provider, carrier, changed[carrier]) for carrier in sorted(changed)])


def _values(provider: str, carrier: str, line: Line) -> tuple[Any, ...]:
    """In the order of the columns."""
    feed = line.feed
    sets = {"errors": feed.numbers, "emptied": line.emptied, "returned": line.returned}
    numbers = {name: sorted(clean(each) for each in some) for name, some in sets.items() if some}
    return (
        *(provider, carrier, feed.state.value, line.cause.value, micros(feed.since)),
        *(micros(feed.last_good_at), micros(feed.last_bad_at), clean(feed.last_error), feed.failures),
        *(int(feed.told), micros(feed.back_at), json.dumps(numbers, ensure_ascii=False)),
        *(micros(line.news_at), micros(line.judged_at), micros(line.probe_at)),
        *(micros(line.poor_since), int(line.poor_told)),
    )


# ── the parcels behind it ────────────────────────────────────────────────────────────────────────


def looked_at(conn: Connection, provider: str, carrier: str, since: datetime, most: int) -> int:
    """How many different parcels were looked at since then, counted up to `most`."""
    at = to_micros(since)
    some = (
        select(_due.c.parcel_id)
        .join(_parcels, _parcels.c.id == _due.c.parcel_id)
        .where(
            _due.c.provider == provider,
            _due.c.asked_at >= at,
            _parcels.c.carrier == carrier,
            _parcels.c.state == "watched",
        )
        .limit(most)
    )
    return int(conn.execute(select(func.count()).select_from(some.subquery())).scalar_one())


def hold(conn: Connection, later: Mapping[int, datetime]) -> None:
    """Ask about these not before; what is to be asked later anyway, or never, stays."""
    for parcel_id in sorted(later):
        at = to_micros(later[parcel_id])
        conn.execute(_HOLD, {"id": parcel_id, "at": at})


_HOLD: Final = (
    update(_due)
    .where(_due.c.parcel_id == bindparam("id"), _due.c.next_poll_at < bindparam("at"))
    .values(next_poll_at=bindparam("at"))
)


_CALLABLE: Final = 2_000


def call_witness(conn: Connection, provider: str, carrier: str, rested: datetime, now: datetime) -> bool:
    """One number of the carrier that has scans is due at once: the one that would be asked about soonest anyway.

    It was last asked about before `rested`, so that its ceilings let it be claimed. False where there is none among
    the next `_CALLABLE`: a million parcels of other carriers are not read for it.
    """
    soon = (
        select(_due.c.parcel_id, _due.c.next_poll_at, _due.c.asked_at)
        .where(_due.c.provider == provider, _due.c.next_poll_at > to_micros(now))
        .order_by(_due.c.next_poll_at)
        .limit(_CALLABLE)
        .subquery()
    )
    query = (
        select(soon.c.parcel_id)
        .join(_parcels, _parcels.c.id == soon.c.parcel_id)
        .where(
            soon.c.asked_at <= to_micros(rested),
            _parcels.c.carrier == carrier,
            _parcels.c.last_event_at.is_not(None),
        )
        .order_by(soon.c.next_poll_at)
        .limit(1)
    )
    found = conn.execute(query).scalar()
    if found is not None:
        conn.execute(update(_due).where(_due.c.parcel_id == found).values(next_poll_at=to_micros(now)))
    return found is not None


def awaken(conn: Connection, provider: str, carrier: str, since: datetime, now: datetime) -> int:
    """The carrier is back: who was asked about in vain since then and waits for an answer is due at once.

    Who waits are those whose answer is judged whatever it says (`patience` is null): a step has come, or somebody
    waits for news. The ceilings hold when they are claimed.
    """
    query = (
        select(_due.c.parcel_id)
        .join(_parcels, _parcels.c.id == _due.c.parcel_id)
        .where(
            _due.c.provider == provider,
            _due.c.asked_at >= to_micros(since),
            _due.c.next_poll_at > to_micros(now),
            _due.c.patience.is_(None),
            _parcels.c.carrier == carrier,
            _parcels.c.state == "watched",
        )
        .order_by(_due.c.parcel_id)
    )
    rows = [{"parcel_id": row.parcel_id, "next_poll_at": to_micros(now)} for row in conn.execute(query)]
    update_many(conn, _due, ("parcel_id",), rows)
    return len(rows)


def unheard(conn: Connection) -> dict[tuple[str, str], int]:
    """By account and carrier: how many watched parcels were asked about, and nobody ever answered for them."""
    query = (
        select(_due.c.provider, _parcels.c.carrier, func.count().label("n"))
        .join(_due, _due.c.parcel_id == _parcels.c.id)
        .where(
            _parcels.c.state == "watched",
            _parcels.c.answer_hash == "",
            _parcels.c.observed_at.is_(None),
            _due.c.asked_at.is_not(None),
        )
        .group_by(_due.c.provider, _parcels.c.carrier)
    )
    return {(row.provider, row.carrier): row.n for row in conn.execute(query)}
