"""Provider accounts: health, spending, ceilings, and what they said that nobody could read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, Table, case, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from domain.masking import safe_text
from domain.time import SHANGHAI, from_micros, to_micros
from monitor.store import schema
from monitor.store.codec import clean, micros, moment
from monitor.store.rows import iso

__all__ = [
    "SAID",
    "ProviderState",
    "Spent",
    "UnknownCode",
    "Unreadable",
    "listing",
    "load",
    "lock",
    "note_unknown",
    "oddity",
    "queued",
    "reserve",
    "save",
    "spend",
    "spending",
    "spent",
    "spent_in",
    "unknown_codes",
    "unreadable",
    "upsert",
]

_providers, _spend, _codes, _oddities = (
    schema.providers,
    schema.spend,
    schema.unknown_codes,
    schema.oddities,
)
_MOMENTS: Final = ("since", "last_good_at", "last_bad_at", "resume_at", "back_at")
_CODE_LENGTH: Final = 200
_ODDITIES_KEPT: Final = 200
_BODY_KEPT: Final = 20_000
SAID: Final = 500
"""Characters of a reason that are kept."""
_CENT: Final = 10_000
_QUEUE: Final = 60_000_000
_IN_QUEUE: Final = 100
"""So far ahead, or so many requests, a queue may honestly reach; further is the work of a clock that was wrong."""


@dataclass(frozen=True, slots=True)
class ProviderState:
    """How an account is doing."""

    name: str
    state: str = "up"
    """`up`, `degraded` or `down`."""
    since: datetime | None = None
    last_good_at: datetime | None = None
    last_bad_at: datetime | None = None
    last_error: str = ""
    failures: int = 0
    successes: int = 0
    told: int = 0
    resume_at: datetime | None = None
    back_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """The bill of a day, or of several."""

    asked: int = 0
    cents: int = 0
    micros: int = 0
    """The same in millionths of a yuan: a query may cost less than a cent."""


@dataclass(frozen=True, slots=True)
class UnknownCode:
    """A code or text of a provider that is in no table (L7)."""

    provider: str
    code: str
    n: int
    """How many parcels' answers had it."""
    first_at: datetime
    last_at: datetime
    sample: str
    """Where it was seen first."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An answer or a parcel that nobody could make sense of; the text itself stays in the store."""

    at: datetime
    source: str
    reason: str


def load(conn: Connection, name: str) -> ProviderState:
    """The account's state; a fresh one for an account nobody knows."""
    row = conn.execute(select(_providers).where(_providers.c.name == name)).first()
    if row is None:
        return ProviderState(name)
    return ProviderState(
        name,
        row.state,
        last_error=row.last_error,
        failures=row.failures,
        successes=row.successes,
        told=row.told,
        **{each: moment(row._mapping[each]) for each in _MOMENTS},
    )


def save(conn: Connection, state: ProviderState) -> None:
    """Keep the account's state; its ceiling stays as reserved."""
    values = asdict(state) | {each: micros(getattr(state, each)) for each in _MOMENTS}
    values["last_error"] = safe_text(clean(state.last_error), SAID)
    upsert(conn, _providers, values, {name: value for name, value in values.items() if name != "name"})


def spend(conn: Connection, provider: str, day: date, *, asked: int, cents: int = 0, micros: int = 0) -> None:
    """Add to the account's bill of one day (of Shanghai); `micros` may be less than nothing: a booking undone."""
    micros += cents * _CENT
    more = func.coalesce(_spend.c.micros, 0) + micros
    upsert(
        conn,
        _spend,
        {
            "provider": provider,
            "day": day.isoformat(),
            "asked": asked,
            "cents": micros // _CENT,
            "micros": micros,
        },
        {"asked": _spend.c.asked + asked, "cents": more // _CENT, "micros": more},
    )


def spent(conn: Connection, provider: str, day: date) -> Spent:
    """The account's bill of one day."""
    return spent_in(conn, provider, day, day)


def spent_in(conn: Connection, provider: str, since: date, until: date) -> Spent:
    """The account's bill of these days, both included."""
    found = spending(conn, provider, since, until).values()
    micros = sum(each.micros for each in found)
    return Spent(sum(each.asked for each in found), micros // _CENT, micros)


def spending(conn: Connection, provider: str, since: date, until: date) -> dict[date, Spent]:
    """The account's bill of each of these days on which it was asked."""
    query = select(_spend).where(
        _spend.c.provider == provider, _spend.c.day.between(since.isoformat(), until.isoformat())
    )
    return {
        date.fromisoformat(row.day): Spent(row.asked, row.cents, row.micros) for row in conn.execute(query)
    }


def lock(conn: Connection, provider: str) -> None:
    """Hold the account's row until the transaction ends: whoever counts its money or its slots does it alone.

    On SQLite a writing transaction is alone anyway.
    """
    if conn.dialect.name == "sqlite":
        return
    statement = _insert(conn, _providers).values(name=provider)
    conn.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
    conn.execute(select(_providers.c.name).where(_providers.c.name == provider).with_for_update())


def note_unknown(conn: Connection, provider: str, codes: Sequence[str], sample: str, at: datetime) -> None:
    """Count codes and texts that are in no table (L7), with the first place each was seen."""
    moment_ = to_micros(at)
    for code in dict.fromkeys(clean(each)[:_CODE_LENGTH] for each in codes):
        upsert(
            conn,
            _codes,
            {
                "provider": provider,
                "code": code,
                "n": 1,
                "first_at": moment_,
                "last_at": moment_,
                "sample": clean(sample),
            },
            {"n": _codes.c.n + 1, "last_at": moment_},
        )


def unknown_codes(conn: Connection, limit: int) -> list[UnknownCode]:
    """What no table knows, the most frequent first."""
    query = select(_codes).order_by(_codes.c.n.desc(), _codes.c.provider, _codes.c.code).limit(limit)
    return [
        UnknownCode(
            row.provider, row.code, row.n, from_micros(row.first_at), from_micros(row.last_at), row.sample
        )
        for row in conn.execute(query)
    ]


def unreadable(conn: Connection, limit: int) -> list[Unreadable]:
    """What was put aside, the newest first."""
    query = select(_oddities).order_by(_oddities.c.id.desc()).limit(limit)
    return [Unreadable(from_micros(row.at), row.source, row.reason) for row in conn.execute(query)]


def oddity(conn: Connection, source: str, reason: str, body: str, at: datetime) -> None:
    """Keep a reply nobody could read, its head at least: the next sample. The newest 200 stay."""
    body, reason = clean(body)[:_BODY_KEPT], safe_text(clean(reason), SAID)
    conn.execute(insert(_oddities).values(at=to_micros(at), source=clean(source), reason=reason, body=body))
    newest = select(_oddities.c.id).order_by(_oddities.c.id.desc()).limit(_ODDITIES_KEPT)
    conn.execute(delete(_oddities).where(_oddities.c.id.not_in(newest)))


def reserve(conn: Connection, provider: str, n: int, per_second: float, now: datetime) -> timedelta:
    """Take `n` places in the account's queue; how long to wait before the first of them.

    The n requests may leave at that moment and 1/per_second apart from then on. One statement, so the
    ceiling holds for any number of processes (GCRA without burst, design §5). A queue that reaches further
    than requests explain was written by a clock that was ahead: it begins anew, now.
    """
    at, cost = to_micros(now), round(n / per_second * 1_000_000)
    later = func.max if conn.dialect.name == "sqlite" else func.greatest
    wrong = _providers.c.rate_at > at + _furthest(per_second)
    statement = _insert(conn, _providers).values(name=provider, rate_at=at + cost)
    statement = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"rate_at": case((wrong, at), else_=later(func.coalesce(_providers.c.rate_at, at), at)) + cost},
    )
    ends = conn.execute(statement.returning(_providers.c.rate_at)).scalar_one()
    return timedelta(microseconds=ends - cost - at)


def queued(conn: Connection, provider: str, per_second: float, now: datetime) -> timedelta:
    """How long the next request would wait in the account's queue (`reserve`)."""
    at = to_micros(now)
    ends = conn.execute(select(_providers.c.rate_at).where(_providers.c.name == provider)).scalar() or at
    return timedelta(microseconds=0 if ends > at + _furthest(per_second) else max(0, ends - at))


def _furthest(per_second: float) -> int:
    """Microseconds that an honest queue is long, at the most."""
    return max(_QUEUE, round(_IN_QUEUE / per_second * 1_000_000))


def listing(conn: Connection, now: datetime, *, zone: tzinfo = SHANGHAI) -> list[dict[str, Any]]:
    """The columns of `providers --json`: every account that ever did something. Spending in yuan."""
    today = now.astimezone(SHANGHAI).date().isoformat()
    unknown = (
        select(_codes.c.provider, func.count().label("n")).group_by(_codes.c.provider).subquery("unknown")
    )
    query = (
        select(_providers, _spend.c.asked, _spend.c.micros, unknown.c.n)
        .outerjoin(_spend, (_spend.c.provider == _providers.c.name) & (_spend.c.day == today))
        .outerjoin(unknown, unknown.c.provider == _providers.c.name)
        .order_by(_providers.c.name)
    )
    return [
        {
            "name": row.name,
            "state": row.state,
            "last_good_at": iso(row.last_good_at, zone),
            "asked_today": row.asked or 0,
            "spent_today": (row.micros or 0) / 1_000_000,
            "unknown_codes": row.n or 0,
        }
        for row in conn.execute(query)
    ]


def _insert(conn: Connection, table: Table) -> Any:
    """The database's own INSERT, which knows conflicts."""
    return (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)


def upsert(conn: Connection, table: Table, values: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Insert, or change the row that has the primary key already."""
    key = [column.name for column in table.primary_key]
    statement = _insert(conn, table).values(**values)
    conn.execute(statement.on_conflict_do_update(index_elements=key, set_=dict(changes)))
