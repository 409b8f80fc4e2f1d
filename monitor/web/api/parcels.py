"""`GET /api/v1/parcels/{carrier}/{waybill_no}`: everything of `explain --json`, its tickets, and earlier uses of the number."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from carriers import names
from domain import findings as words
from domain import orders as domain_orders
from domain.findings import Stage
from domain.orders import OrderStatus
from domain.tickets import TicketState
from domain.tracking import Milestone
from monitor.config.settings import Settings
from monitor.desk.explain import asked_zh
from monitor.store.parcels import Loaded
from monitor.store.views import parcel as views
from monitor.store.views.tickets import TicketRow
from monitor.web.api import story
from monitor.web.api.outbox import Message, message
from monitor.web.api.problems import Problem, documented
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import (
    Blame,
    Risk,
    Zone,
    answer,
    blame,
    hours,
    local,
    named,
    risk,
    shown,
    zone_of,
)
from monitor.web.context import Context
from rules.judge import judge
from rules.policy import Line, Policy

__all__ = ["router"]

router = api_router("parcels")


class OrderOf(BaseModel):
    """An order in the parcel."""

    order_no: str
    shop: str
    platform: str
    status: OrderStatus
    merchant: str
    ordered_at: datetime | None
    paid_at: datetime | None
    shipped_at: datetime | None
    promised_ship_at: datetime | None
    promised_delivery_at: datetime | None
    receiver_province: str
    receiver_city: str


class ParcelHead(BaseModel):
    """Which parcel, and how it stands."""

    carrier: str
    carrier_name: str
    waybill_no: str
    milestone: Milestone
    orders: list[OrderOf]
    policy: str = Field(description="适用的策略")
    policy_why: str = Field(description="为什么是这条策略")
    policy_beat: list[str] = Field(description="也匹配、但没有轮到的策略")
    policy_version: str
    state: str = Field(description="watched、done 或 unwatched")
    why: str
    provider: str = Field(description="向哪个账号查；空：没有可查的")
    note: str = Field(description="所问的快递公司没有这个单号，给的是同一单号、待识别的包裹；空：就是所问的")


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
    shadow: bool = Field(description="规则在试运行：只记录，不通知任何人")
    risk: Risk | None = Field(description="可能赔多少元；null：没有查到罚则")
    blame: Blame | None
    line: PolicyLine | None = Field(description="说了算的策略行；null：计时的说法已经换了")


class PolicyLine(BaseModel):
    """Which line of which policy won."""

    source: str
    beat: list[str] = Field(description="被它盖过的，最后一个在前")


class TicketOf(BaseModel):
    """A ticket of the parcel."""

    number: str
    state: TicketState
    summary: str
    rules: list[str]
    opened_at: datetime
    resolved_at: datetime | None
    risk: Risk | None
    blame: Blame | None


class Edit(BaseModel):
    """How a scan read until the carrier changed it."""

    occurred_at: datetime
    replaced_at: datetime
    milestone: Milestone
    code: str
    text: str


class Use(BaseModel):
    """One use of the number: carriers give numbers out again after some months."""

    cycle: int
    state: str
    milestone: Milestone
    watched_from: datetime
    done_at: datetime | None
    tickets: list[TicketOf]


class Parcel(BaseModel):
    """The newest use of a number, with why it is judged as it is."""

    parcel: ParcelHead
    events: list[story.Event]
    clocks: list[story.Clock]
    findings: list[Found]
    risk: Risk | None = Field(description="这些异常合起来可能赔多少元（按平台的叠加和封顶办法）")
    next_look_at: datetime | None
    observed_at: datetime | None = Field(description="承运商的动态核实到什么时刻；时效只算到这里")
    next_poll_at: datetime | None
    edits: list[Edit]
    history: list[story.Standing] = Field(description="曾有的异常，含已结束的")
    trials: list[story.Standing] = Field(description="试运行的规则曾找到的，没有通知任何人")
    messages: list[Message] = Field(description="为它的工单说过的话，最近 200 条")
    uses: list[Use] = Field(description="这个单号的历次使用，最近的在前")


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
    told = await context.db.read(lambda conn: _told(conn, context.settings(), key, waybill_no, now, zone))
    if told is None:
        raise Problem(404, "没有监控这个运单；请先登记它的订单。")
    return answer(told)


def _told(
    conn: Connection, settings: Settings, carrier: str, waybill_no: str, now: datetime, zone: Zone
) -> Parcel | None:
    page = views.parcel(conn, carrier, waybill_no)
    if page is None:
        return None
    newest = page.uses[0]
    case = newest.loaded.case
    policy = settings.book.policy_for(case)
    verdict = judge(case, policy, now)
    return Parcel(
        parcel=_head(newest.loaded, policy, zone, asked_zh(page.asked, case)),
        events=[story.event(each.stored, zone) for each in newest.scans],
        clocks=[story.clock(each, zone) for each in verdict.clocks],
        findings=[_found(each, policy, zone) for each in verdict.findings],
        risk=risk(verdict.risk),
        next_look_at=local(verdict.next_look_at, zone),
        observed_at=local(case.observed_at, zone),
        next_poll_at=local(newest.loaded.next_poll_at, zone),
        edits=[_edit(each, zone) for each in newest.edits],
        history=[story.standing(each, zone) for each in newest.findings],
        trials=[story.standing(each, zone) for each in newest.trials],
        messages=[message(each, zone) for each in newest.messages],
        uses=[_use(each, zone) for each in page.uses],
    )


def _head(of: Loaded, policy: Policy, zone: Zone, note: str) -> ParcelHead:
    waybill = of.case.waybill
    return ParcelHead(
        carrier=waybill.carrier,
        carrier_name=names.display(waybill.carrier),
        waybill_no=waybill.waybill_no,
        milestone=of.case.journey.milestone,
        orders=[_order(each, zone) for each in of.case.orders],
        policy=shown(policy.name),
        policy_why=shown(policy.why),
        policy_beat=[shown(each) for each in policy.beat],
        policy_version=policy.version,
        state=of.state,
        why=shown(of.why),
        provider=of.provider,
        note=note,
    )


def _order(of: domain_orders.Order, zone: Zone) -> OrderOf:
    return OrderOf(
        order_no=named(of.order_no),
        shop=shown(of.shop),
        platform=shown(of.platform),
        status=of.status,
        merchant=shown(of.merchant),
        ordered_at=local(of.ordered_at, zone),
        paid_at=local(of.paid_at, zone),
        shipped_at=local(of.shipped_at, zone),
        promised_ship_at=local(of.promised_ship_at, zone),
        promised_delivery_at=local(of.promised_delivery_at, zone),
        receiver_province=shown(of.receiver_province),
        receiver_city=shown(of.receiver_city),
    )


def _found(of: words.Finding, policy: Policy, zone: Zone) -> Found:
    line = policy.line(of.rule)
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
        shadow=of.shadow,
        risk=risk(of.risk),
        blame=blame(of.blame),
        line=_line(line) if line is not None and of.policy.startswith(line.source) else None,
    )


def _line(of: Line) -> PolicyLine:
    return PolicyLine(source=shown(of.source), beat=[shown(each) for each in of.beat])


def _edit(of: views.Edit, zone: Zone) -> Edit:
    return Edit(
        occurred_at=of.was.occurred_at.astimezone(zone),
        replaced_at=of.replaced_at.astimezone(zone),
        milestone=of.was.milestone,
        code=shown(of.was.code),
        text=shown(of.was.text),
    )


def _use(of: views.Use, zone: Zone) -> Use:
    return Use(
        cycle=of.loaded.cycle,
        state=of.loaded.state,
        milestone=of.loaded.case.journey.milestone,
        watched_from=of.loaded.watch_from.astimezone(zone),
        done_at=local(of.done_at, zone),
        tickets=[_ticket(each, zone) for each in of.tickets],
    )


def _ticket(of: TicketRow, zone: Zone) -> TicketOf:
    return TicketOf(
        number=of.number,
        state=of.state,
        summary=shown(of.summary),
        rules=list(of.rules),
        opened_at=of.opened_at.astimezone(zone),
        resolved_at=local(of.resolved_at, zone),
        risk=risk(of.risk),
        blame=blame(of.blame),
    )
