"""`GET /api/v1/now`: what passes a limit in the next hours, counts of it, and how the sources are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from domain.tracking import Milestone
from monitor.store.views import now as views
from monitor.store.views.now import Source, Stake, Tally, Upcoming
from monitor.store.views.paging import Page
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import (
    Asked,
    Blame,
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

router = api_router("now")


class NowQuery(Asked):
    """How far to look, and which parcels to list; the counts are of all of them."""

    hours: int = Field(24, ge=1, le=168, description="看多远")
    rule: list[Word] = []
    carrier: list[Word] = []
    shop: list[Word] = []


class Count(BaseModel):
    """How many of something."""

    name: str
    count: int


class Ahead(BaseModel):
    """A parcel whose next limit is near."""

    carrier: str
    waybill_no: str
    order_no: str
    shop: str
    rule: str
    limit_at: datetime
    milestone: Milestone
    last_event_at: datetime | None
    ticket: str
    risk: Risk | None = Field(description="它的工单可能赔多少元；null：还没有工单，或没有查到罚则")
    blame: Blame | None


class SourceHealth(BaseModel):
    """A provider account's health."""

    name: str
    state: str = Field(description="up、degraded、down；unknown：尚无应答")
    since: datetime | None
    last_good_at: datetime | None
    last_error: str
    waiting: int = Field(description="到点而未查的运单，数到一万为止")


class Now(BaseModel):
    """The next hours."""

    at: datetime = Field(description="答复的时刻")
    total: int = Field(description="这几个小时里要到时限的包裹")
    by_hour: list[int] = Field(description="第一个小时、第二个小时……各有多少")
    by_rule: list[Count]
    by_carrier: list[Count]
    by_shop: list[Count]
    one_in: int = Field(description="大于 1 时，按规则、承运商和店铺的数是抽样估计：每几个看一个")
    risk: Risk = Field(
        description="已开单的预警里，这几个小时内到时限的合起来可能赔多少元；每个包裹不超过它工单的合计"
    )
    risk_tickets: int = Field(description="上面算进了多少张工单")
    overdue: int = Field(description="未了结的超时，数到一万为止")
    sources: list[SourceHealth]
    items: list[Ahead] = Field(description="离时限最近的在前")
    next: str | None


@router.get("/now", summary="接下来几小时要到时限的", response_model=Now)
async def get_now(request: Request, asked: Annotated[NowQuery, Query()]) -> Response:
    """The nearest limit first; the same figures as the console's first page."""
    context: Context = request.app.state.context
    now, zone, within = context.now(), zone_of(request), timedelta(hours=asked.hours)

    def read(conn: Connection) -> tuple[Tally, Stake, tuple[Source, ...], Page[Upcoming]]:
        page = views.upcoming(
            conn,
            now,
            within,
            asked.cursor,
            asked.limit,
            rules=asked.rule,
            carriers=asked.carrier,
            shops=asked.shop,
        )
        return views.tally(conn, now, within), views.stake(conn, now, within), views.sources(conn, now), page

    tally, stake, sources, page = await context.db.read(read)
    told = Now(
        at=now.astimezone(zone),
        total=tally.total,
        by_hour=list(tally.hours),
        by_rule=_counts(tally.by_rule),
        by_carrier=_counts(tally.by_carrier),
        by_shop=_counts(tally.by_shop),
        one_in=tally.one_in,
        risk=Risk(low=yuan(stake.risk.low), high=yuan(stake.risk.high)),
        risk_tickets=stake.tickets,
        overdue=tally.overdue,
        sources=[_health(each, zone) for each in sources],
        items=[_ahead(each, zone) for each in page.rows],
        next=page.next,
    )
    return answer(told)


def _counts(pairs: tuple[tuple[str, int], ...]) -> list[Count]:
    return [Count(name=shown(name), count=n) for name, n in pairs]


def _health(of: Source, zone: Zone) -> SourceHealth:
    return SourceHealth(
        name=of.name,
        state=of.state,
        since=local(of.since, zone),
        last_good_at=local(of.last_good_at, zone),
        last_error=shown(of.last_error),
        waiting=of.waiting,
    )


def _ahead(of: Upcoming, zone: Zone) -> Ahead:
    return Ahead(
        carrier=of.carrier,
        waybill_no=of.waybill_no,
        order_no=named(of.order_no),
        shop=shown(of.shop),
        rule=of.rule,
        limit_at=of.limit_at.astimezone(zone),
        milestone=of.milestone,
        last_event_at=local(of.last_event_at, zone),
        ticket=of.ticket,
        risk=risk(of.risk),
        blame=blame(of.blame),
    )
