"""Parcels: a case loaded with all that stands around it, what was concluded kept, what is due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Executable,
    Row,
    Select,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)

from domain.findings import Blame, ClockReading, Finding, Risk
from domain.journey import Journey
from domain.orders import UNNAMED, Case, Order, OrderStatus, Waybill
from domain.tickets import TicketState
from domain.time import UTC, from_micros, to_micros
from monitor.store import schema
from monitor.store.bulk import Prepared, chunks
from monitor.store.claims import Claim, claim_polls
from monitor.store.codec import (
    clean,
    clocks_text,
    journey_text,
    micros,
    moment,
    read_clocks,
    read_journey,
)
from monitor.store.due import Due, reschedule, take_due_deadlines
from monitor.store.intake import Incoming, Taken, intake
from monitor.store.neighbours import USE_COLUMNS, siblings, uses
from monitor.store.pulls import OBSERVED, shop_observed
from monitor.store.rows import (
    FINDING_COLUMNS,
    ORDER_COLUMNS,
    read_blame,
    read_finding,
    read_order,
    read_risk,
)

__all__ = [
    "Claim",
    "Due",
    "Incoming",
    "LiveTicket",
    "Loaded",
    "OpenFinding",
    "Taken",
    "Update",
    "claim_polls",
    "clocks",
    "find",
    "intake",
    "load",
    "reschedule",
    "save",
    "take_due_deadlines",
]


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding that stands, and who was told how much of it."""

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
    """The ticket somebody still has to do something about."""

    id: int
    number: str
    state: TicketState
    version: int
    told: bool
    risk: Risk | None = None
    """Of its findings together, as it was last kept."""
    blame: Blame | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A parcel as it stands."""

    id: int
    version: int
    state: str
    """`watched`, `done` or `unwatched`."""
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
    facets_id: int | None = None
    """Its group (`monitor.store.facets`); None: not judged since it is watched."""
    pushed: bool = False
    """The account that is asked about it pushes its news as well."""


@dataclass(frozen=True, slots=True)
class Update:
    """What to keep of a parcel; None leaves a field as it is."""

    id: int
    journey: Journey | None = None
    observed_at: datetime | None = None
    """Only ever moves on: an older look takes back no silence that was proven."""
    answer_hash: str | None = None
    clocks: tuple[ClockReading, ...] | None = None
    policy_version: str | None = None
    state: str | None = None
    why: str | None = None
    done_at: datetime | None = None
    """Kept from the first time; forgotten when the parcel is watched again."""
    facets_id: int | None = None
    """Forgotten when the parcel is watched no more."""


# ── reading ──────────────────────────────────────────────────────────────────────────────────────

_parcels, _due, _links = schema.parcels, schema.due, schema.order_parcels
_findings, _tickets = schema.findings, schema.tickets


def _in(column: Any) -> Any:
    return column.in_(bindparam("ids", expanding=True))


_PARCELS: Final = (
    select(
        _parcels,
        _due.c.provider,
        _due.c.asked_at,
        _due.c.quota_at,
        _due.c.seen_at,
        _due.c.next_poll_at,
        _due.c.next_deadline_at,
        exists()
        .where(
            schema.subscriptions.c.parcel_id == _parcels.c.id,
            schema.subscriptions.c.provider == _due.c.provider,
            schema.subscriptions.c.state == "open",
        )
        .label("pushed"),
    )
    .join(_due, _due.c.parcel_id == _parcels.c.id)
    .where(_in(_parcels.c.id))
    .order_by(_parcels.c.id)
)
_LOCKED: Final = _PARCELS.with_for_update(of=_parcels)
_ORDERS: Final = (
    shop_observed(
        select(
            _links.c.parcel_id,
            _links.c.unlinked_at,
            OBSERVED.label("observed_at"),
            *USE_COLUMNS,
            *ORDER_COLUMNS,
        ).join(schema.orders, schema.orders.c.id == _links.c.order_id)
    )
    .where(_in(_links.c.parcel_id))
    .order_by(_links.c.order_id)
)
_OPEN: Final = (
    select(
        *(_findings.c[name] for name in ("id", "parcel_id", "told_step", "found_at", "ticket_id")),
        *(_findings.c[name] for name in ("silenced_by", "breached_at", "warned_at")),
        *FINDING_COLUMNS,
    )
    .where(_in(_findings.c.parcel_id), _findings.c.state == "open")
    .order_by(_findings.c.id)
)
_LIVE: Final = select(
    *(_tickets.c[name] for name in ("id", "parcel_id", "number", "state", "version", "told")),
    *(_tickets.c[name] for name in ("risk_low", "risk_high", "blame", "blame_why")),
).where(_in(_tickets.c.parcel_id), _tickets.c.state.in_(("open", "acknowledged")))


def load(conn: Connection, parcel_ids: Sequence[int]) -> list[Loaded]:
    """These parcels, in the order asked, with orders, open findings, live ticket and due times.

    Four statements for a thousand parcels, and one more where some were sent on. In a writing transaction PostgreSQL locks the rows, so that
    two processes never judge one parcel at a time. A parcel that all its orders have left is given with
    those orders as closed: nothing is owed of it any more.
    """
    wanted = list(dict.fromkeys(parcel_ids))
    found: dict[int, Loaded] = {}
    for some in chunks(wanted):
        found |= _load(conn, list(some))
    return [found[parcel_id] for parcel_id in wanted if parcel_id in found]


def find(conn: Connection, waybill_no: str, carrier: str = "") -> list[int]:
    """The parcels of that number, the newest use of it first. `carrier` may be the one the shop named wrongly.

    Where `carrier` has none, those of which nobody has said yet whose they are (`UNNAMED`): whoever asks for one
    under a name sees by its carrier that it is not known to be that one's.
    """
    query = select(_parcels.c.id).where(_parcels.c.waybill_no.in_({waybill_no, waybill_no.upper()}))
    query = query.order_by(_parcels.c.cycle.desc(), _parcels.c.id.desc())
    if not carrier:
        return list(conn.execute(query).scalars())
    its = or_(_parcels.c.carrier == carrier, _parcels.c.declared == carrier)
    found = list(conn.execute(query.where(its)).scalars())
    return found or list(conn.execute(query.where(_parcels.c.carrier == UNNAMED)).scalars())


def clocks(conn: Connection, parcel_id: int) -> tuple[ClockReading, ...]:
    """The clocks of a parcel as they were last read."""
    stored = conn.execute(select(_parcels.c.clocks).where(_parcels.c.id == parcel_id)).scalar()
    return () if stored is None else read_clocks(stored)


def _load(conn: Connection, ids: list[int]) -> dict[int, Loaded]:
    by_ids = {"ids": ids}
    orders = _grouped(conn, _ORDERS, by_ids)
    standing = _grouped(conn, _OPEN, by_ids)
    live = {row.parcel_id: row for row in conn.execute(_LIVE, by_ids)}
    rows = conn.execute(_LOCKED if conn.get_execution_options().get("writes") else _PARCELS, by_ids)
    found = {
        row.id: _loaded(conn, row, orders.get(row.id, []), standing.get(row.id, []), live.get(row.id))
        for row in rows
    }
    sent_on = [parcel_id for parcel_id, each in found.items() if each.case.journey.forwarded is not None]
    for parcel_id, numbers in siblings(conn, sent_on).items():
        each = found[parcel_id]
        found[parcel_id] = replace(each, case=replace(each.case, siblings=numbers))
    return found


def _grouped(conn: Connection, query: Select[Any], by_ids: dict[str, list[int]]) -> dict[int, list[Row[Any]]]:
    groups: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in conn.execute(query, by_ids):
        groups[row.parcel_id].append(row)
    return groups


def _loaded(
    conn: Connection,
    row: Row[Any],
    orders: list[Row[Any]],
    standing: list[Row[Any]],
    live: Row[Any] | None,
) -> Loaded:
    linked = [each for each in orders if each.unlinked_at is None]
    return Loaded(
        id=row.id,
        version=row.version,
        state=row.state,
        why=row.why,
        cycle=row.cycle,
        case=Case(
            Waybill(row.carrier, row.waybill_no),
            _orders(linked, orders),
            read_journey(row.journey),
            moment(max((at for at in (row.observed_at, row.seen_at) if at is not None), default=None)),
            moment(min((each.observed_at for each in linked), default=None)),
            neighbours=uses(conn, linked),
            declared=row.declared,
        ),
        answer_hash=row.answer_hash,
        watch_from=from_micros(row.watch_from),
        policy_version=row.policy_version,
        open=tuple(_open_finding(each) for each in standing),
        ticket=None if live is None else _live_ticket(live),
        provider=row.provider,
        asked_at=moment(row.asked_at),
        quota_at=moment(row.quota_at),
        next_poll_at=moment(row.next_poll_at),
        next_deadline_at=moment(row.next_deadline_at),
        facets_id=row.facets_id,
        pushed=bool(row.pushed),
    )


def _live_ticket(row: Row[Any]) -> LiveTicket:
    return LiveTicket(
        row.id,
        row.number,
        TicketState(row.state),
        row.version,
        bool(row.told),
        read_risk(row),
        read_blame(row),
    )


def _orders(linked: list[Row[Any]], all_: list[Row[Any]]) -> tuple[Order, ...]:
    """The earliest paid first, those not known to be paid last."""
    orders = [read_order(row) for row in linked] or [
        replace(read_order(row), status=OrderStatus.CLOSED) for row in all_
    ]
    never = datetime.max.replace(tzinfo=UTC)
    return tuple(sorted(orders, key=lambda order: order.paid_at or never))


def _open_finding(row: Row[Any]) -> OpenFinding:
    return OpenFinding(
        id=row.id,
        finding=read_finding(row),
        told_step=row.told_step,
        found_at=from_micros(row.found_at),
        ticket_id=row.ticket_id,
        silenced_by=row.silenced_by,
        breached_at=moment(row.breached_at),
        warned_at=moment(row.warned_at),
    )


# ── keeping ──────────────────────────────────────────────────────────────────────────────────────


_KEPT: Final = (
    *("journey", "milestone", "last_event_at", "answer_hash", "clocks", "policy_version"),
    *("observed_at", "updated_at", "id"),
)
"""What every judgement writes; the rest stands in indexes, which SQLite rewrites for a column that is merely set."""
_MOVED: Final = ("state", "why", "done_at", "facets_id")


def _saving(dialect: str, moved: Sequence[str]) -> Executable:
    columns = _parcels.c
    new = {name: bindparam(f"p_{name}", type_=columns[name].type) for name in (*moved, *_KEPT)}
    values: dict[str, Any] = {name: func.coalesce(new[name], columns[name]) for name in (*_KEPT[:7], *moved)}
    later = func.max if dialect == "sqlite" else func.greatest
    at = func.coalesce(columns.observed_at, new["observed_at"])
    values |= {"observed_at": later(values["observed_at"], at), "updated_at": new["updated_at"]}
    if moved:
        watched: Any = literal_column("'watched'")
        values["done_at"] = case(
            (new["state"] == watched, null()), else_=func.coalesce(columns.done_at, new["done_at"])
        )
        values["facets_id"] = case((values["state"] == watched, values["facets_id"]), else_=null())
    version = columns.version + literal_column("1")
    return update(_parcels).where(columns.id == new["id"]).values(version=version, **values)


_SAVE: Final = Prepared(lambda dialect: _saving(dialect, ()), *(f"p_{name}" for name in _KEPT))
_MOVE: Final = Prepared(
    lambda dialect: _saving(dialect, _MOVED), *(f"p_{name}" for name in (*_MOVED, *_KEPT))
)


def save(conn: Connection, updates: Sequence[Update], now: datetime) -> None:
    """Keep what was concluded of these parcels; each one's `version` grows by one."""
    at = to_micros(now)
    rows = [(_moved(each), _values(each, at)) for each in sorted(updates, key=lambda each: each.id)]
    _SAVE.run(conn, [kept for moved, kept in rows if moved is None])
    _MOVE.run(conn, [(*moved, *kept) for moved, kept in rows if moved is not None])


def _moved(each: Update) -> tuple[Any, ...] | None:
    """In the order of `_MOVED`; None where nothing of it is to be written."""
    why = None if each.why is None else clean(each.why)
    found = (each.state, why, micros(each.done_at), each.facets_id)
    return None if found == (None,) * len(_MOVED) else found


def _values(each: Update, at: int) -> tuple[Any, ...]:
    """In the order of `_KEPT`."""
    journey = each.journey
    return (
        None if journey is None else journey_text(journey),
        None if journey is None else journey.milestone.value,
        None if journey is None else micros(journey.last_event_at),
        each.answer_hash,
        None if each.clocks is None else clocks_text(each.clocks),
        each.policy_version,
        micros(each.observed_at),
        at,
        each.id,
    )
