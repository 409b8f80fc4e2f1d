"""Tickets: one live at a time for a parcel, moved by the table the database holds too, history appended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.findings import Blame, Risk
from domain.tickets import TICKET_STATE_ZH, TRANSITIONS, EntryKind, TicketState, ticket_number
from domain.time import SHANGHAI, to_micros
from monitor.store import schema
from monitor.store.bulk import chunks
from monitor.store.codec import clean, dump
from monitor.store.findings import order_no_of
from monitor.store.parcels import LiveTicket
from monitor.store.rows import iso, stake_values, yuan
from monitor.store.ticket_page import Detail, Ticket, detail, read_ticket

__all__ = [
    "Detail",
    "NotAllowed",
    "Ticket",
    "attach",
    "by_number",
    "detail",
    "entry",
    "listing",
    "move",
    "open_",
    "told",
    "weigh",
]

_tickets, _findings = schema.tickets, schema.findings
_ENTRY_OF: Final = {
    TicketState.OPEN: EntryKind.REOPENED,
    TicketState.ACKNOWLEDGED: EntryKind.ACKNOWLEDGED,
    TicketState.RESOLVED: EntryKind.RESOLVED,
    TicketState.CLOSED: EntryKind.CLOSED,
}
_FACETS: Final = ("shop", "platform", "merchant", "receiver_province")
_FACET_LENGTH: Final = 100
_LIVE: Final = (TicketState.OPEN.value, TicketState.ACKNOWLEDGED.value)


class NotAllowed(Exception):
    """A step a ticket may not take; the text is for the person who tried."""


def open_(
    conn: Connection,
    *,
    parcel_id: int,
    at: datetime,
    severity: int,
    summary: str,
    filled: Mapping[str, Any],
    finding_ids: Sequence[int],
    risk: Risk | None = None,
    blame: Blame | None = None,
) -> LiveTicket:
    """A new ticket with these findings in it and its `opened` entry. IntegrityError when one is live."""
    number = ticket_number(at, _next(conn, f"ticket:{at.astimezone(SHANGHAI):%Y%m%d}"))
    moment_ = to_micros(at)
    row = insert(_tickets).values(
        number=number,
        parcel_id=parcel_id,
        state=TicketState.OPEN.value,
        severity=severity,
        summary=clean(summary),
        filled=dump(dict(filled)),
        **_facets(filled),
        carrier=select(schema.parcels.c.carrier).where(schema.parcels.c.id == parcel_id).scalar_subquery(),
        told=False,
        opened_at=moment_,
        updated_at=moment_,
        **stake_values(risk, blame),
    )
    ticket_id = conn.execute(row.returning(_tickets.c.id)).scalar_one()
    attach(conn, ticket_id, finding_ids)
    entry(conn, ticket_id, at, EntryKind.OPENED, text=summary)
    return LiveTicket(ticket_id, number, TicketState.OPEN, 0, told=False, risk=risk, blame=blame)


def attach(
    conn: Connection,
    ticket_id: int,
    finding_ids: Sequence[int],
    *,
    severity: int | None = None,
    summary: str | None = None,
) -> None:
    """Put findings of the parcel into its ticket; `severity` and `summary` are the ticket's from now on."""
    for some in chunks(finding_ids):
        conn.execute(update(_findings).where(_findings.c.id.in_(some)).values(ticket_id=ticket_id))
    now = {"severity": severity, "summary": summary}
    changed = {name: value for name, value in now.items() if value is not None}
    if changed:
        conn.execute(update(_tickets).where(_tickets.c.id == ticket_id).values(**changed))


def weigh(conn: Connection, ticket_id: int, risk: Risk | None, blame: Blame | None) -> None:
    """What its findings put at risk together, and whose doing the worst of them is."""
    conn.execute(update(_tickets).where(_tickets.c.id == ticket_id).values(**stake_values(risk, blame)))


def told(conn: Connection, ticket_id: int) -> None:
    """Somebody was told of it: from now on its end is worth a message too."""
    conn.execute(update(_tickets).where(_tickets.c.id == ticket_id).values(told=True))


def entry(
    conn: Connection,
    ticket_id: int,
    at: datetime,
    kind: EntryKind,
    *,
    author: str = "",
    text: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add a line to the history. The database lets nobody change or delete one."""
    conn.execute(
        insert(schema.ticket_entries).values(
            ticket_id=ticket_id,
            at=to_micros(at),
            kind=kind.value,
            author=clean(author),
            text=clean(text),
            data=dump(dict(data or {})),
        )
    )


def move(
    conn: Connection,
    ticket_id: int,
    *,
    to: TicketState,
    version: int | None,
    at: datetime,
    by: str,
    text: str = "",
) -> bool:
    """Take a step, with its entry. False when somebody was faster (`version` is not the ticket's).

    Raises `NotAllowed` for a step outside the table, and for reopening beside another live ticket.
    """
    now = conn.execute(select(_tickets).where(_tickets.c.id == ticket_id)).first()
    if now is None:
        raise NotAllowed("没有这张工单。请核对工单号。")
    if version is not None and version != now.version:
        return False
    _permit(conn, now, to)
    done = conn.execute(
        update(_tickets)
        .where(_tickets.c.id == ticket_id, _tickets.c.state == now.state, _tickets.c.version == now.version)
        .values(was=now.state, state=to.value, version=now.version + 1, **_stamps(to, at, by, text))
    )
    if done.rowcount == 0:
        return False
    entry(conn, ticket_id, at, _ENTRY_OF[to], author=by, text=text)
    return True


def by_number(conn: Connection, number: str) -> Ticket | None:
    """The ticket of that number."""
    row = conn.execute(select(_tickets).where(_tickets.c.number == number)).first()
    return None if row is None else read_ticket(row)


def listing(
    conn: Connection, *, all_: bool = False, limit: int = 1000, zone: tzinfo = SHANGHAI
) -> list[dict[str, Any]]:
    """The columns of `tickets --json`: live ones by severity, then oldest first; `all_`: newest first.

    `yuan_at_risk` is the most its findings may cost together, `risk_low` and `risk_high` the range; of a ticket
    that is over, what was at risk last.
    """
    query = select(
        _tickets,
        schema.parcels.c.carrier,
        schema.parcels.c.waybill_no,
        order_no_of(_tickets.c.parcel_id).label("order_no"),
    ).join(schema.parcels, schema.parcels.c.id == _tickets.c.parcel_id)
    if all_:
        query = query.order_by(_tickets.c.opened_at.desc(), _tickets.c.id.desc())
    else:
        query = query.where(_tickets.c.state.in_(_LIVE))
        query = query.order_by(_tickets.c.severity.desc(), _tickets.c.opened_at, _tickets.c.id)
    rows = conn.execute(query.limit(limit)).all()
    rules = _rules(conn, [row.id for row in rows])
    return [
        {
            "number": row.number,
            "state": row.state,
            "carrier": row.carrier,
            "waybill_no": row.waybill_no,
            "order_no": row.order_no or "",
            "shop": row.shop,
            "opened_at": iso(row.opened_at, zone),
            "resolved_at": iso(row.resolved_at, zone),
            "rules": rules.get(row.id, []),
            "yuan_at_risk": yuan(row.risk_high),
            "risk_low": yuan(row.risk_low),
            "risk_high": yuan(row.risk_high),
            "blame": row.blame,
        }
        for row in rows
    ]


def _next(conn: Connection, name: str) -> int:
    """The next number of a counter that starts at one."""
    kind = sqlite if conn.dialect.name == "sqlite" else postgresql
    counters = schema.counters
    statement = kind.insert(counters).values(name=name, n=1)
    counted = statement.on_conflict_do_update(index_elements=["name"], set_={"n": counters.c.n + 1})
    return int(conn.execute(counted.returning(counters.c.n)).scalar_one())


def _permit(conn: Connection, now: Row[Any], to: TicketState) -> None:
    was = TicketState(now.state)
    if (was, to) not in TRANSITIONS:
        possible = "、".join(TICKET_STATE_ZH[state] for state in TicketState if (was, state) in TRANSITIONS)
        raise NotAllowed(
            f"工单 {now.number} 现在是「{TICKET_STATE_ZH[was]}」，不能改为「{TICKET_STATE_ZH[to]}」。"
            + (f"可以改为：{possible}。" if possible else "它已经结束，不能再改。")
        )
    if to is TicketState.OPEN:
        other = conn.execute(
            select(_tickets.c.number).where(
                _tickets.c.parcel_id == now.parcel_id, _tickets.c.state.in_(_LIVE)
            )
        ).scalar()
        if other is not None:
            raise NotAllowed(f"这个包裹已有处理中的工单 {other}，请在那张工单上继续。")


def _stamps(to: TicketState, at: datetime, by: str, text: str) -> dict[str, Any]:
    """What a step leaves in the ticket's head."""
    now, who = to_micros(at), clean(by)
    match to:
        case TicketState.ACKNOWLEDGED:
            stamps: dict[str, Any] = {"acknowledged_at": now, "acknowledged_by": who}
        case TicketState.RESOLVED:
            stamps = {"resolved_at": now, "resolved_by": who, "resolution": clean(text)}
        case TicketState.CLOSED:
            stamps = {"closed_at": now}
        case TicketState.OPEN:
            stamps = {"acknowledged_at": None, "acknowledged_by": ""}
            stamps |= {"resolved_at": None, "resolved_by": "", "resolution": ""}
    return {**stamps, "updated_at": now}


def _rules(conn: Connection, ticket_ids: Sequence[int]) -> dict[int, list[str]]:
    """The rules of each ticket's findings, worst first."""
    rules: dict[int, list[str]] = {}
    for some in chunks(ticket_ids):
        query = (
            select(_findings.c.ticket_id, _findings.c.rule)
            .where(_findings.c.ticket_id.in_(some))
            .order_by(_findings.c.severity.desc(), _findings.c.id)
        )
        for ticket_id, rule in conn.execute(query):
            known = rules.setdefault(ticket_id, [])
            if rule not in known:
                known.append(rule)
    return rules


def _facets(filled: Mapping[str, Any]) -> dict[str, str]:
    """What the list is filtered by, of the first order as it stood at opening; cut to what an index holds."""
    match filled.get("orders"):
        case [Mapping() as order, *_]:
            told: Mapping[str, Any] = order
        case _:
            told = filled
    return {name: clean(str(told.get(name) or ""))[:_FACET_LENGTH] for name in _FACETS}
