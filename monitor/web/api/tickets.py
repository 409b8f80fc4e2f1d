"""`/api/v1/tickets`: the list with all its filters, one ticket whole, the steps it may take, and comments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from domain.findings import Party, Stage
from domain.masking import visible
from domain.tickets import EntryKind, TicketState
from monitor.store import tickets as store
from monitor.store.codec import clean
from monitor.store.ticket_page import Detail
from monitor.store.views import tickets as views
from monitor.store.views.hourly import RANKED
from monitor.store.views.numbers import MOST_NUMBERS
from monitor.store.views.ticket_filter import LIVE
from monitor.store.views.tickets import Sort, TicketFilter, TicketRow
from monitor.web.api import story
from monitor.web.api.problems import Flaw, Problem, documented
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import (
    Asked,
    Blame,
    Instant,
    Risk,
    Word,
    Zone,
    answer,
    blame,
    local,
    named,
    risk,
    shown,
    yuan,
    zone_of,
)
from monitor.web.context import Context

__all__ = ["router"]

router = api_router("tickets")
Number = Annotated[str, Path(max_length=64, description="工单号，如 T-20261122-0031")]


class TicketQuery(Asked):
    """Which tickets: all of these hold, of each parameter any value."""

    state: list[TicketState] = []
    stage: list[Stage] = []
    rule: list[Word] = []
    carrier: list[Word] = []
    shop: list[Word] = []
    platform: list[Word] = []
    blame: list[Party] = Field([], description="责任方")
    number: list[Word] = Field([], max_length=MOST_NUMBERS, description="运单号、订单号或工单号，最多 500 个")
    opened_since: Instant | None = None
    opened_until: Instant | None = Field(None, description="不含这一刻")
    q: Word = Field("", description="摘要里的文字")
    sort: Sort = Field(
        Sort.NEWEST,
        description="newest：新的在前。urgent：严重的在前。risk：可能赔付（高端）多的在前，不知道的最后。"
        "risk_per_hour：每小时可能赔付多的在前，即每条还来得及的预警各自的高端除以离其时限的小时数（至少算一刻钟），取最大的；"
        "时限都已过的在后，不知道的最后；只列未结束的工单。"
        f"多于 {RANKED} 张时，只有高端最多的 {RANKED} 张这样排，其余跟在后面，高端多的在前",
    )


class TicketItem(BaseModel):
    """A line of the list: the columns of `tickets --json`, and more."""

    number: str
    state: TicketState
    carrier: str
    waybill_no: str
    order_no: str
    shop: str
    opened_at: datetime
    resolved_at: datetime | None
    rules: list[str]
    yuan_at_risk: float | None = Field(description="risk 的高端")
    severity: int
    stage: Stage
    summary: str
    platform: str
    receiver_province: str
    updated_at: datetime
    limit_at: datetime | None = Field(description="其未了结异常中最近的时限")
    acknowledged_by: str
    version: int = Field(description="改动时带上；别人先改过则得到 409")
    risk: Risk | None = Field(description="其未了结异常合起来可能赔多少元；null：没有查到罚则")
    risk_per_hour: float | None = Field(
        description="高端除以离最近时限的小时数，元；null：不知道，或时限已过"
    )
    blame: Blame | None


class Tickets(BaseModel):
    """A page; a search for something rare may give a short one with a `next`."""

    items: list[TicketItem]
    next: str | None


class Ticket(BaseModel):
    """A ticket with all that belongs to it."""

    number: str
    state: TicketState
    version: int
    severity: int
    summary: str
    carrier: str
    waybill_no: str
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    resolved_at: datetime | None
    resolved_by: str
    resolution: str
    closed_at: datetime | None
    observed_at: datetime | None = Field(description="承运商的动态核实到什么时刻")
    risk: Risk | None = Field(description="其未了结异常合起来可能赔多少元；null：没有查到罚则")
    blame: Blame | None
    filled: dict[str, Any] = Field(description="开单时的订单和包裹")
    entries: list[story.Entry]
    findings: list[story.Standing]
    trials: list[story.Standing] = Field(description="试运行的规则找到的，没有通知任何人")
    clocks: list[story.Clock]
    events: list[story.Event]
    messages: list[story.Told]


class Move(BaseModel):
    """A step a ticket shall take."""

    model_config = ConfigDict(extra="forbid")
    state: TicketState
    version: int = Field(ge=0, le=2**31 - 1, description="读到它时的 version")
    text: str = Field("", max_length=2000, description="怎么解决的，或为什么重开")
    by: str = Field("", max_length=64, description="谁；默认是控制台")


class Comment(BaseModel):
    """Something to add to a ticket's history."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1, max_length=2000)
    by: str = Field("", max_length=64, description="谁；默认是控制台")


@router.get("/tickets", summary="工单列表", response_model=Tickets)
async def list_tickets(request: Request, asked: Annotated[TicketQuery, Query()]) -> Response:
    """The newest first; by severity or by money at risk with `sort`."""
    context: Context = request.app.state.context
    now, states = context.now(), asked.state
    if asked.sort is Sort.PER_HOUR:
        states = [state for state in states or LIVE if state.live]
        if not states:
            return answer(Tickets(items=[], next=None))
    filter_ = TicketFilter(
        states=tuple(states),
        stages=tuple(asked.stage),
        rules=tuple(asked.rule),
        carriers=tuple(asked.carrier),
        shops=tuple(asked.shop),
        platforms=tuple(asked.platform),
        numbers=tuple(asked.number),
        opened_since=asked.opened_since,
        opened_until=asked.opened_until,
        text=asked.q,
        sort=asked.sort,
        blames=tuple(asked.blame),
        now=now,
    )
    found = await context.db.read(lambda conn: views.page(conn, filter_, asked.cursor, asked.limit))
    zone = zone_of(request)
    return answer(Tickets(items=[_item(row, now, zone) for row in found.rows], next=found.next))


@router.get("/tickets/{number}", summary="一张工单", response_model=Ticket, responses=documented(404))
async def get_ticket(request: Request, number: Number) -> Response:
    """The ticket whole: history, findings, clocks, scans, and who was told what."""
    context: Context = request.app.state.context
    return answer(_whole(await context.db.read(lambda conn: _detail(conn, number)), zone_of(request)))


@router.patch(
    "/tickets/{number}",
    summary="认领、解决、重开或关闭",
    response_model=Ticket,
    responses=documented(404, 409, 415),
)
async def patch_ticket(request: Request, number: Number, step: Move) -> Response:
    """Take a step. 409 when somebody was faster, or when the ticket may not take it from where it stands."""
    context: Context = request.app.state.context

    def work(conn: Connection) -> Detail:
        ticket = _ticket(conn, number)
        try:
            moved = store.move(
                conn,
                ticket.id,
                to=step.state,
                version=step.version,
                at=context.now(),
                by=_author(step.by, context),
                text=step.text,
            )
        except store.NotAllowed as error:
            raise Problem(409, str(error), code="not_allowed") from None
        if not moved:
            raise _overtaken(ticket)
        return _detail(conn, number)

    return answer(_whole(await context.db.write(work), zone_of(request)))


@router.post(
    "/tickets/{number}/entries",
    summary="留言",
    status_code=201,
    response_model=story.Entry,
    responses=documented(404, 415),
)
async def post_entry(request: Request, number: Number, comment: Comment) -> Response:
    """Add a comment; nobody can change or delete one."""
    context: Context = request.app.state.context
    if not visible(comment.text).strip():
        raise Problem(422, "留言不能是空的。", flaws=[Flaw("text", "blank", "留言不能是空的")])

    def work(conn: Connection) -> Detail:
        ticket = _ticket(conn, number)
        author = _author(comment.by, context)
        store.entry(conn, ticket.id, context.now(), EntryKind.COMMENT, author=author, text=comment.text)
        return _detail(conn, number)

    written = (await context.db.write(work)).entries[-1]
    return answer(story.entry(written, zone_of(request)), 201)


def _ticket(conn: Connection, number: str) -> store.Ticket:
    found = store.by_number(conn, clean(number))
    if found is None:
        raise _nobody()
    return found


def _detail(conn: Connection, number: str) -> Detail:
    found = store.detail(conn, clean(number))
    if found is None:
        raise _nobody()
    return found


def _nobody() -> Problem:
    return Problem(404, "没有这个工单，请核对工单号。")


def _overtaken(now: store.Ticket) -> Problem:
    text = f"{now.number} 刚被别人改过（现在是 {now.state.value}，version {now.version}），没有做任何改动；请看过再试。"
    return Problem(409, text, code="version_conflict", flaws=[Flaw("version", "version_conflict", text)])


def _author(by: str, context: Context) -> str:
    return visible(by).strip() or context.who


def _item(row: TicketRow, now: datetime, zone: Zone) -> TicketItem:
    hourly = row.per_hour(now)
    return TicketItem(
        number=row.number,
        state=row.state,
        carrier=row.carrier,
        waybill_no=row.waybill_no,
        order_no=named(row.order_no),
        shop=shown(row.shop),
        opened_at=row.opened_at.astimezone(zone),
        resolved_at=local(row.resolved_at, zone),
        rules=list(row.rules),
        yuan_at_risk=None if row.risk is None else yuan(row.risk.high),
        severity=row.severity,
        stage=row.stage,
        summary=shown(row.summary),
        platform=shown(row.platform),
        receiver_province=shown(row.receiver_province),
        updated_at=row.updated_at.astimezone(zone),
        limit_at=local(row.limit_at, zone),
        acknowledged_by=shown(row.acknowledged_by),
        version=row.version,
        risk=risk(row.risk),
        risk_per_hour=None if hourly is None else yuan(hourly),
        blame=blame(row.blame),
    )


def _whole(of: Detail, zone: Zone) -> Ticket:
    head, case = of.ticket, of.parcel.case
    return Ticket(
        number=head.number,
        state=head.state,
        version=head.version,
        severity=head.severity,
        summary=shown(head.summary),
        carrier=case.waybill.carrier,
        waybill_no=case.waybill.waybill_no,
        opened_at=head.opened_at.astimezone(zone),
        updated_at=head.updated_at.astimezone(zone),
        acknowledged_at=local(head.acknowledged_at, zone),
        acknowledged_by=shown(head.acknowledged_by),
        resolved_at=local(head.resolved_at, zone),
        resolved_by=shown(head.resolved_by),
        resolution=shown(head.resolution),
        closed_at=local(head.closed_at, zone),
        observed_at=local(case.observed_at, zone),
        risk=risk(head.risk),
        blame=blame(head.blame),
        filled=story.clean_tree(head.filled),
        entries=[story.entry(each, zone) for each in of.entries],
        findings=[story.standing(each, zone) for each in of.findings],
        trials=[story.standing(each, zone) for each in of.trials],
        clocks=[story.clock(each, zone) for each in of.clocks],
        events=[story.event(each, zone) for each in of.events],
        messages=[story.message(each, zone) for each in of.messages],
    )
