"""Order sources: how far each was read, its health and its token, and what it last said of every document.

A page's orders and the cursor behind it are one transaction, so a killed process goes on exactly behind the last
page it kept. `observed_at` of a source holds for every order it told of: raising it touches one row, and those
parcels whose clock waits for the shop's word (`due.shop_at`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.masking import safe_text
from domain.time import to_micros
from monitor.store import schema
from monitor.store.bulk import chunks
from monitor.store.codec import clean, dump, micros, moment, read_mapping
from monitor.store.providers import SAID
from monitor.store.sealing import Unsealable, keys_of, seal, unseal

__all__ = [
    "OBSERVED", "DocumentRow", "PullState", "advance", "assign", "documents", "grant", "keep_documents", "keep_grant",
    "listing", "load", "note_health", "problems", "shop_observed", "troubled",
]  # fmt: skip

_pulls, _pulled, _orders, _due, _links = (
    schema.pulls,
    schema.pulled,
    schema.orders,
    schema.due,
    schema.order_parcels,
)
_MOMENTS: Final = ("since", "last_good_at", "last_bad_at", "resume_at", "back_at")

OBSERVED: Final[ColumnElement[int]] = case(
    (_pulls.c.observed_at > _orders.c.observed_at, _pulls.c.observed_at), else_=_orders.c.observed_at
)
"""Up to when the shop's word on an order is known, in a query that joins `pulls` (outer) by `orders.source`."""


@dataclass(frozen=True, slots=True)
class PullState:
    """How a source stands."""

    source: str
    cursor: Mapping[str, Any] = field(default_factory=dict)
    """Empty: never read."""
    observed_at: datetime | None = None
    pulled_at: datetime | None = None
    """When it had told all it had."""
    state: str = "up"
    since: datetime | None = None
    last_good_at: datetime | None = None
    last_bad_at: datetime | None = None
    last_error: str = ""
    failures: int = 0
    told: bool = False
    resume_at: datetime | None = None
    back_at: datetime | None = None
    pages: int = 0
    documents: int = 0
    poisoned: int = 0


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One outbound document as it was last told."""

    number: str
    order_no: str
    shop: str
    standing: str
    version: int
    said: str
    """JSON, as `monitor/pulling/documents.py` writes it."""
    problem: str = ""
    """Why it is not watched: `unknown_carrier`, `unreadable`, …"""
    why: str = ""


# ── how far, how well ────────────────────────────────────────────────────────────────────────────


def load(conn: Connection, source: str) -> PullState:
    """The source's state; a fresh one where it was never read."""
    row = conn.execute(select(_pulls).where(_pulls.c.source == source)).first()
    return PullState(source) if row is None else _state(row)


def _state(row: Any) -> PullState:
    found = row._mapping
    names = ("source", "state", "last_error", "failures", "pages", "documents", "poisoned")
    values: dict[str, Any] = {name: found[name] for name in names}
    values |= {name: moment(found[name]) for name in ("observed_at", "pulled_at", *_MOMENTS)}
    return PullState(cursor=read_mapping(found["cursor"]), told=bool(found["told"]), **values)


def listing(conn: Connection) -> list[PullState]:
    """Every source that was ever read, by name."""
    return [_state(row) for row in conn.execute(select(_pulls).order_by(_pulls.c.source))]


def advance(
    conn: Connection,
    source: str,
    cursor: Mapping[str, Any],
    *,
    observed_at: datetime | None = None,
    pulled_at: datetime | None = None,
    documents: int = 0,
    poisoned: int = 0,
    now: datetime,
) -> int:
    """A page was kept: the cursor behind it, and what it proves. Returns how many parcels it wakes.

    What is proven never goes back: an older look takes back no silence.
    """
    _ensure(conn, source)
    values: dict[str, Any] = {
        "cursor": dump(dict(cursor)),
        "pages": _pulls.c.pages + 1,
        "documents": _pulls.c.documents + documents,
        "poisoned": _pulls.c.poisoned + poisoned,
    }
    if pulled_at is not None:
        values["pulled_at"] = to_micros(pulled_at)
    proven = micros(observed_at)
    if proven is not None:
        before = func.coalesce(_pulls.c.observed_at, proven)
        values["observed_at"] = case((before > proven, before), else_=proven)
    conn.execute(update(_pulls).where(_pulls.c.source == source).values(values))
    return 0 if proven is None else _wake(conn, source, proven, now)


def _wake(conn: Connection, source: str, proven: int, now: datetime) -> int:
    """Parcels whose clock had passed a step unproven, and which this look proves, are judged at the next tick."""
    mine = exists().where(
        _links.c.parcel_id == _due.c.parcel_id,
        _links.c.unlinked_at.is_(None),
        _links.c.order_id == _orders.c.id,
        _orders.c.source == source,
    )
    waits = (_due.c.shop_at.is_not(None), _due.c.shop_at <= proven)
    later = or_(_due.c.next_deadline_at.is_(None), _due.c.next_deadline_at > to_micros(now))
    statement = update(_due).where(*waits, later, mine).values(next_deadline_at=to_micros(now))
    return conn.execute(statement).rowcount


def note_health(conn: Connection, state: PullState) -> None:
    """Keep the health of a source; how far it was read stays as it is."""
    _ensure(conn, state.source)
    values: dict[str, Any] = {name: micros(getattr(state, name)) for name in _MOMENTS}
    values |= {"state": state.state, "failures": state.failures, "told": int(state.told)}
    values["last_error"] = safe_text(clean(state.last_error), SAID)
    conn.execute(update(_pulls).where(_pulls.c.source == state.source).values(values))


def _ensure(conn: Connection, source: str) -> None:
    kind = sqlite if conn.dialect.name == "sqlite" else postgresql
    conn.execute(kind.insert(_pulls).values(source=source).on_conflict_do_nothing())


# ── its token ────────────────────────────────────────────────────────────────────────────────────


def keep_grant(conn: Connection, source: str, held: Mapping[str, Any]) -> None:
    """Keep a source's access, sealed."""
    _ensure(conn, source)
    sealed = seal(keys_of(conn), dump(dict(held)), _context(source))
    conn.execute(update(_pulls).where(_pulls.c.source == source).values(sealed=sealed))


def grant(conn: Connection, source: str) -> Mapping[str, Any] | None:
    """The access that was kept; None where there is none, or no key opens it."""
    sealed = conn.execute(select(_pulls.c.sealed).where(_pulls.c.source == source)).scalar()
    if sealed is None:
        return None
    try:
        return read_mapping(unseal(keys_of(conn), sealed, _context(source)))
    except Unsealable:
        return None


def _context(source: str) -> str:
    return f"pulls.sealed:{source}"


# ── its documents ────────────────────────────────────────────────────────────────────────────────


def documents(
    conn: Connection, source: str, numbers: Sequence[str], order_nos: Sequence[str]
) -> dict[str, DocumentRow]:
    """What is known of these documents and of all others of these orders, by number."""
    found: dict[str, DocumentRow] = {}
    for column, wanted in ((_pulled.c.number, numbers), (_pulled.c.order_no, order_nos)):
        for some in chunks(sorted({clean(each) for each in wanted if each})):
            query = select(*_DOCUMENT).where(_pulled.c.source == source, column.in_(some))
            found |= {row.number: DocumentRow(*row) for row in conn.execute(query)}
    return found


def troubled(conn: Connection, source: str, problem: str, limit: int = 1000) -> list[DocumentRow]:
    """Documents that are not watched for one reason, the newest first."""
    query = select(*_DOCUMENT).where(_PROBLEM, _pulled.c.source == source, _pulled.c.problem == problem)
    return [DocumentRow(*row) for row in conn.execute(query.order_by(_pulled.c.id.desc()).limit(limit))]


_DOCUMENT: Final = tuple(
    _pulled.c[name]
    for name in ("number", "order_no", "shop", "standing", "version", "said", "problem", "why")
)
_PROBLEM: Final = _pulled.c.problem != ""


def problems(conn: Connection) -> dict[tuple[str, str], int]:
    """How many documents of each source are not watched, by (source, problem)."""
    query = select(_pulled.c.source, _pulled.c.problem, func.count()).where(_PROBLEM)
    return {
        (source, problem): n
        for source, problem, n in conn.execute(query.group_by(_pulled.c.source, _pulled.c.problem))
    }


def keep_documents(conn: Connection, source: str, rows: Sequence[DocumentRow], now: datetime) -> None:
    """What was told last takes the place of what was told before."""
    numbers = [clean(row.number) for row in rows]
    for some in chunks(numbers):
        conn.execute(delete(_pulled).where(_pulled.c.source == source, _pulled.c.number.in_(some)))
    values = [
        {
            "source": source,
            "number": clean(row.number),
            "order_no": clean(row.order_no),
            "shop": clean(row.shop),
            "standing": row.standing,
            "version": row.version,
            "said": row.said,
            "problem": row.problem,
            "why": clean(row.why),
            "seen_at": to_micros(now),
        }
        for row in rows
    ]
    if values:
        conn.execute(insert(_pulled), values)


def assign(conn: Connection, source: str, keys: Sequence[tuple[str, str, str, str]]) -> int:
    """These orders (merchant, platform, shop, order_no) are the source's: its last look is theirs. How many are new."""
    wanted = {tuple(map(clean, key)) for key in keys}
    ids: list[int] = []
    for some in chunks(sorted({key[3] for key in wanted})):
        query = select(
            _orders.c.id, _orders.c.merchant, _orders.c.platform, _orders.c.shop, _orders.c.order_no
        ).where(_orders.c.order_no.in_(some), _orders.c.source != source)
        ids += [row.id for row in conn.execute(query) if tuple(row[1:]) in wanted]
    for part in chunks(ids):
        conn.execute(update(_orders).where(_orders.c.id.in_(part)).values(source=source))
    return len(ids)


def shop_observed(query: Any) -> Any:
    """A query over `orders` joined with what its sources have proven (`OBSERVED`)."""
    return query.outerjoin(_pulls, _pulls.c.source == _orders.c.source)
