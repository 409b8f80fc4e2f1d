"""`GET /api/v1/parcels/{carrier}/{waybill_no}`: everything of `explain --json`, its tickets, and earlier uses of the number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection, select

from carriers import names
from domain import findings as words
from domain import orders as domain_orders
from domain.findings import Stage, Verdict
from domain.history import Stored
from domain.orders import OrderStatus
from domain.tickets import TicketState
from domain.time import from_micros
from domain.tracking import Milestone
from monitor.settings import Settings
from monitor.store import events, parcels, schema
from monitor.store.codec import clean, moment
from monitor.store.parcels import Loaded
from monitor.web.api import story
from monitor.web.api.problems import Problem, documented
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import Zone, answer, hours, local, shown, zone_of
from monitor.web.context import Context
from rules.judge import judge

__all__ = ["router"]

router = api_router("parcels")
_MOST: Final = 50
"""Uses of one number, and tickets of one parcel, that are told."""


class OrderOf(BaseModel):
    """An order in the parcel."""

    order_no: str
    shop: str
    platform: str
    status: OrderStatus
    merchant: str
    paid_at: datetime | None
    shipped_at: datetime | None
    promised_ship_at: datetime | None
    receiver_province: str
    receiver_city: str


class ParcelHead(BaseModel):
    """Which parcel, and how it stands."""

    carrier: str
    carrier_name: str
    waybill_no: str
    milestone: Milestone
    orders: list[OrderOf]
    policy_version: str
    state: str = Field(description="watched、done 或 unwatched")
    why: str
    provider: str = Field(description="向哪个账号查；空：没有可查的")


class Found(BaseModel):
    """What the rules say of it now."""

    rule: str
    stage: Stage
    started_at: datetime
    crossed_at: datetime
    deadline: datetime | None
    limit_hours: float | None
    policy: str
    severity: int
    evidence: dict[str, str]


class TicketOf(BaseModel):
    """A ticket of the parcel, or of an earlier use of its number."""

    number: str
    state: TicketState
    summary: str
    opened_at: datetime
    resolved_at: datetime | None


class Use(BaseModel):
    """One use of the number: carriers give numbers out again after some months."""

    cycle: int
    state: str
    milestone: Milestone
    watched_from: datetime
    done_at: datetime | None


class Parcel(BaseModel):
    """The newest use of a number, with why it is judged as it is."""

    parcel: ParcelHead
    events: list[story.Event]
    clocks: list[story.Clock]
    findings: list[Found]
    next_look_at: datetime | None
    observed_at: datetime | None = Field(description="承运商的动态核实到什么时刻；时效只算到这里")
    next_poll_at: datetime | None
    tickets: list[TicketOf]
    uses: list[Use]


@router.get(
    "/parcels/{carrier}/{waybill_no}",
    summary="一个包裹，以及为什么这样判",
    response_model=Parcel,
    responses=documented(404),
)
async def get_parcel(
    request: Request,
    carrier: Annotated[str, Path(max_length=64, description="承运商的代码或名字，如 zhongtong、中通")],
    waybill_no: Annotated[str, Path(max_length=64)],
) -> Response:
    """Judged now by the rules in force; nothing is written."""
    context: Context = request.app.state.context
    key = names.canonical(carrier)
    if key is None:
        near = "、".join(names.nearest(carrier))
        raise Problem(
            404, f"不认识的承运商，相近的有：{near}。" if near else "不认识的承运商。", code="unknown_carrier"
        )
    now, zone = context.now(), zone_of(request)
    told = await context.db.read(
        lambda conn: _told(conn, context.settings(), key, clean(waybill_no), now, zone)
    )
    if told is None:
        raise Problem(404, "没有监控这个运单；请先登记它的订单。")
    return answer(told)


def _told(
    conn: Connection, settings: Settings, carrier: str, waybill_no: str, now: datetime, zone: Zone
) -> Parcel | None:
    ids = parcels.find(conn, waybill_no, carrier)[:_MOST]
    if not ids:
        return None
    [row] = parcels.load(conn, ids[:1])
    history = sorted(events.known(conn, ids[:1]).get(ids[0], []), key=lambda e: (e.event.occurred_at, e.seq))
    verdict = judge(row.case, settings.book.policy_for(row.case), now)
    return _parcel(row, history, verdict, _tickets(conn, ids, zone), _uses(conn, ids, zone), zone)


def _parcel(
    row: Loaded,
    history: Sequence[Stored],
    verdict: Verdict,
    tickets: list[TicketOf],
    uses: list[Use],
    zone: Zone,
) -> Parcel:
    return Parcel(
        parcel=ParcelHead(
            carrier=row.case.waybill.carrier,
            carrier_name=names.display(row.case.waybill.carrier),
            waybill_no=row.case.waybill.waybill_no,
            milestone=row.case.journey.milestone,
            orders=[_order(each, zone) for each in row.case.orders],
            policy_version=verdict.policy_version,
            state=row.state,
            why=shown(row.why),
            provider=row.provider,
        ),
        events=[story.event(each, zone) for each in history],
        clocks=[story.clock(each, zone) for each in verdict.clocks],
        findings=[_found(each, zone) for each in verdict.findings],
        next_look_at=local(verdict.next_look_at, zone),
        observed_at=local(row.case.observed_at, zone),
        next_poll_at=local(row.next_poll_at, zone),
        tickets=tickets,
        uses=uses,
    )


def _order(of: domain_orders.Order, zone: Zone) -> OrderOf:
    return OrderOf(
        order_no=shown(of.order_no),
        shop=shown(of.shop),
        platform=shown(of.platform),
        status=of.status,
        merchant=shown(of.merchant),
        paid_at=local(of.paid_at, zone),
        shipped_at=local(of.shipped_at, zone),
        promised_ship_at=local(of.promised_ship_at, zone),
        receiver_province=shown(of.receiver_province),
        receiver_city=shown(of.receiver_city),
    )


def _found(of: words.Finding, zone: Zone) -> Found:
    return Found(
        rule=of.rule,
        stage=of.stage,
        started_at=of.started_at.astimezone(zone),
        crossed_at=of.crossed_at.astimezone(zone),
        deadline=local(of.deadline, zone),
        limit_hours=hours(of.limit),
        policy=shown(of.policy),
        severity=of.severity,
        evidence={name: shown(value) for name, value in of.evidence.items()},
    )


def _tickets(conn: Connection, ids: Sequence[int], zone: Zone) -> list[TicketOf]:
    """The newest first."""
    table = schema.tickets
    query = select(*(table.c[name] for name in ("number", "state", "summary", "opened_at", "resolved_at")))
    rows = conn.execute(query.where(table.c.parcel_id.in_(ids)).order_by(table.c.id.desc()).limit(_MOST))
    return [
        TicketOf(
            number=row.number,
            state=TicketState(row.state),
            summary=shown(row.summary),
            opened_at=from_micros(row.opened_at).astimezone(zone),
            resolved_at=local(moment(row.resolved_at), zone),
        )
        for row in rows
    ]


def _uses(conn: Connection, ids: Sequence[int], zone: Zone) -> list[Use]:
    """The newest first."""
    table = schema.parcels
    query = select(*(table.c[name] for name in ("cycle", "state", "milestone", "watch_from", "done_at")))
    rows = conn.execute(query.where(table.c.id.in_(ids)).order_by(table.c.cycle.desc()))
    return [
        Use(
            cycle=row.cycle,
            state=row.state,
            milestone=Milestone(row.milestone),
            watched_from=from_micros(row.watch_from).astimezone(zone),
            done_at=local(moment(row.done_at), zone),
        )
        for row in rows
    ]
