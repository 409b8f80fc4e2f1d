"""Everything about a number: each parcel it was used for, with orders, scans, clocks and what followed.

Carriers use numbers again after some months: each use is a parcel of its own, the newest first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from domain.findings import ClockReading
from domain.history import Stored
from domain.orders import UNNAMED, Order, Waybill
from domain.time import from_micros
from domain.tracking import TrackingEvent
from monitor.store import opinions, parcels, schema
from monitor.store.codec import clean, moment, read_event, read_mapping
from monitor.store.opinions import Opinion
from monitor.store.parcels import Loaded
from monitor.store.pulls import OBSERVED, shop_observed
from monitor.store.rows import ORDER_COLUMNS, read_order
from monitor.store.ticket_page import TicketFinding, findings_where
from monitor.store.views import ledger, tickets
from monitor.store.views.ledger import MessageRow
from monitor.store.views.numbers import named
from monitor.store.views.speaking import NOBODY, Speaking, speaking
from monitor.store.views.tickets import TicketRow

__all__ = ["Edit", "Found", "Hit", "Linked", "ParcelPage", "Scan", "Use", "parcel", "search"]

_USES: Final = 20
_SCANS: Final = 1000
_MOST: Final = 200
_HITS: Final = 2000
_parcels, _due, _tickets = schema.parcels, schema.due, schema.tickets


@dataclass(frozen=True, slots=True)
class Linked:
    """An order that is, or was, in the parcel."""

    order: Order
    observed_at: datetime
    """The shop's word is known up to here."""
    linked_at: datetime
    unlinked_at: datetime | None
    """The shop changed the number."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan, standing or withdrawn, and who told of it."""

    stored: Stored
    provider: str


@dataclass(frozen=True, slots=True)
class Edit:
    """How a scan read until the carrier changed it."""

    was: TrackingEvent
    seq: int
    learned_at: datetime
    withdrawn_at: datetime | None
    replaced_at: datetime


@dataclass(frozen=True, slots=True)
class Use:
    """One parcel under the number."""

    loaded: Loaded
    """State, why, orders of now and journey (its `case`), open findings, live ticket, due times."""
    created_at: datetime
    done_at: datetime | None
    limit_at: datetime | None
    limit_rule: str
    orders: tuple[Linked, ...]
    scans: tuple[Scan, ...]
    """In order of time; the newest thousand."""
    edits: tuple[Edit, ...]
    clocks: tuple[ClockReading, ...]
    """As they were last read."""
    findings: tuple[TicketFinding, ...]
    """Standing and ended."""
    trials: tuple[TicketFinding, ...]
    """The same of rules on trial: nobody was told."""
    tickets: tuple[TicketRow, ...]
    """The newest first."""
    messages: tuple[MessageRow, ...]
    """About these tickets, the newest first."""
    opinions: tuple[Opinion, ...] = ()
    """What second accounts say of it."""


@dataclass(frozen=True, slots=True)
class ParcelPage:
    """All uses of a number at a carrier, the newest first; at most twenty."""

    waybill: Waybill
    uses: tuple[Use, ...]
    asked: str = ""
    """The carrier it was asked for under, where nobody has said yet whose the number is."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A parcel that a search found."""

    number: str
    """As it was asked for."""
    parcel_id: int
    carrier: str
    waybill_no: str
    cycle: int
    state: str
    why: str
    milestone: str
    order_no: str
    shop: str
    limit_at: datetime | None
    ticket: str
    """The newest one's number, or empty."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, in the order of the numbers, and the numbers nobody knows."""

    hits: tuple[Hit, ...]
    unknown: tuple[str, ...]


def parcel(conn: Connection, carrier: str, waybill_no: str) -> ParcelPage | None:
    """Everything about the number, or None where it is not known."""
    waybill = Waybill(clean(carrier), clean(waybill_no))
    ids = parcels.find(conn, waybill.waybill_no, waybill.carrier)[:_USES] if waybill.carrier else []
    loaded = {each.id: each for each in parcels.load(conn, ids)}
    if not loaded:
        return None
    uses = tuple(_use(conn, loaded[id_]) for id_ in ids if id_ in loaded)
    known = uses[0].loaded.case.waybill
    if known.carrier == UNNAMED != waybill.carrier:
        return ParcelPage(known, uses, asked=waybill.carrier)
    return ParcelPage(waybill, uses)


def search(conn: Connection, numbers: Sequence[str]) -> Found:
    """The parcels of waybill, order and ticket numbers (`numbers.numbers_in`); at most 2,000 parcels."""
    known = named(conn, numbers)
    asked = [(number, id_) for number in numbers for id_ in known.get(number, ())][:_HITS]
    ids = sorted({id_ for _, id_ in asked})
    rows = {row.id: row for row in conn.execute(_HEADS.where(_parcels.c.id.in_(ids)))} if ids else {}
    orders = speaking(conn, ids)
    hits = [_hit(number, rows[id_], orders.get(id_, NOBODY)) for number, id_ in asked]
    return Found(tuple(hits), tuple(number for number in numbers if number not in known))


_HEADS: Final = select(
    *(_parcels.c[name] for name in ("id", "carrier", "waybill_no", "cycle", "state", "why", "milestone")),
    _due.c.limit_at,
    select(_tickets.c.number)
    .where(_tickets.c.parcel_id == _parcels.c.id)
    .order_by(_tickets.c.id.desc())
    .limit(1)
    .scalar_subquery()
    .label("ticket"),
).join(_due, _due.c.parcel_id == _parcels.c.id)


def _hit(number: str, row: Any, order: Speaking) -> Hit:
    return Hit(
        number,
        row.id,
        row.carrier,
        row.waybill_no,
        row.cycle,
        row.state,
        row.why,
        row.milestone,
        order.order_no,
        order.shop,
        moment(row.limit_at),
        row.ticket or "",
    )


def _use(conn: Connection, loaded: Loaded) -> Use:
    head = conn.execute(
        select(_parcels.c.created_at, _parcels.c.done_at, _due.c.limit_at, _due.c.limit_rule)
        .join(_due, _due.c.parcel_id == _parcels.c.id)
        .where(_parcels.c.id == loaded.id)
    ).one()
    newest = select(_tickets.c.id).where(_tickets.c.parcel_id == loaded.id).order_by(_tickets.c.id.desc())
    ticket_ids = list(conn.execute(newest.limit(_MOST)).scalars())
    return Use(
        loaded,
        from_micros(head.created_at),
        moment(head.done_at),
        moment(head.limit_at),
        head.limit_rule,
        _orders(conn, loaded.id),
        _scans(conn, loaded.id),
        _edits(conn, loaded.id),
        parcels.clocks(conn, loaded.id),
        findings_where(
            conn, (schema.findings.c.parcel_id == loaded.id) & schema.findings.c.shadow.is_(False)
        ),
        findings_where(conn, (schema.findings.c.parcel_id == loaded.id) & schema.findings.c.shadow),
        tuple(tickets.read(conn, ticket_ids)),
        ledger.of_tickets(conn, ticket_ids),
        tuple(opinions.of(conn, [loaded.id]).get(loaded.id, ())),
    )


def _orders(conn: Connection, parcel_id: int) -> tuple[Linked, ...]:
    links, orders = schema.order_parcels, schema.orders
    query = (
        shop_observed(
            select(
                *ORDER_COLUMNS, OBSERVED.label("observed_at"), links.c.linked_at, links.c.unlinked_at
            ).join(links, links.c.order_id == orders.c.id)
        )
        .where(links.c.parcel_id == parcel_id)
        .order_by(links.c.unlinked_at.is_not(None), links.c.linked_at.desc(), orders.c.id)
        .limit(_MOST)
    )
    return tuple(map(_linked, conn.execute(query)))


def _linked(row: Any) -> Linked:
    linked_at, unlinked_at = from_micros(row.linked_at), moment(row.unlinked_at)
    return Linked(read_order(row), from_micros(row.observed_at), linked_at, unlinked_at)


def _scans(conn: Connection, parcel_id: int) -> tuple[Scan, ...]:
    table = schema.events
    newest = select(table).where(table.c.parcel_id == parcel_id)
    newest = newest.order_by(table.c.occurred_at.desc(), table.c.seq.desc()).limit(_SCANS)
    found = [
        Scan(
            Stored(
                _event(row.occurred_at, row._mapping),
                row.seq,
                from_micros(row.learned_at),
                moment(row.withdrawn_at),
            ),
            row.provider,
        )
        for row in conn.execute(newest)
    ]
    return tuple(found[::-1])


def _edits(conn: Connection, parcel_id: int) -> tuple[Edit, ...]:
    table = schema.event_edits
    newest = select(table).where(table.c.parcel_id == parcel_id).order_by(table.c.id.desc()).limit(_MOST)
    return tuple(_edit(row) for row in conn.execute(newest).all()[::-1])


def _edit(row: Row[Any]) -> Edit:
    was = read_mapping(row.was)
    return Edit(
        _event(row.occurred_at, was),
        row.seq,
        from_micros(was["learned_at"]),
        moment(was["withdrawn_at"]),
        from_micros(row.replaced_at),
    )


def _event(occurred_at: int, columns: Mapping[Any, Any]) -> TrackingEvent:
    return read_event(occurred_at, *(columns[name] for name in ("milestone", "code", "text", "detail")))
