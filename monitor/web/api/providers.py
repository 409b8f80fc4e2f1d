"""`GET /api/v1/providers`: the columns of `providers --json`, for every account of the configuration."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from monitor.feeds import report as feed_report
from monitor.feeds.report import AccountReport
from monitor.store import providers
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import Zone, answer, local, shown, zone_of
from monitor.web.context import Context

__all__ = ["router"]

router = api_router("providers")


class CarrierFeed(BaseModel):
    """One carrier behind an account."""

    carrier: str
    state: str = Field(description="up、degraded 或 down；down 时它的回答不证明“没有动静”")
    since: datetime | None = Field(description="这个状态从何时起")
    why: str
    last_good_at: datetime | None
    asked_24h: int
    pushed_24h: int
    success_24h: float | None = Field(description="24 小时内查询的成功率，0 到 1；没有查过为空")
    lag_median_s: list[int | None] | None = Field(
        description="七天内扫描发生后多久才知道（中位数，秒）：在这两个数之间；第二个为空是超过 16 小时"
    )
    lag_p95_s: list[int | None] | None = Field(description="同上，95% 的扫描")
    unknown_share_7d: float | None = Field(description="七天内的新轨迹里不认识的占多少")
    unheard: int = Field(description="问过而从未有答复的运单")


class Provider(BaseModel):
    """An account: how it does, what it was asked and cost today."""

    name: str
    state: str = Field(description="up、degraded 或 down")
    last_good_at: datetime | None
    asked_today: int
    spent_today: float = Field(description="元")
    unknown_codes: int
    kind: str
    carriers: list[str]
    since: datetime | None = Field(description="这个状态从何时起")
    last_bad_at: datetime | None
    last_error: str
    waiting: int = Field(description="到点而未查的运单")
    success_24h: float | None = Field(description="24 小时内查询的成功率，0 到 1")
    unheard: int = Field(description="问过而从未有答复的运单")
    disagreements: int = Field(description="请它核对（second = true）而与第一家说法不一致的在途运单")
    spent_month: float | None = Field(description="本月花费，元；没写单价为空")
    projected_month: float | None = Field(description="按近七天的速度，本月预计，元")
    limit_day: float | None = Field(description="每天最多，元")
    limit_month: float | None = Field(description="每月最多，元")
    by_carrier: list[CarrierFeed]
    uncertain: list[str] = Field(description="服务商的哪些事没有确认")


class Providers(BaseModel):
    """All accounts; there are few, so they come on one page."""

    items: list[Provider]
    next: str | None = None


@router.get("/providers", summary="数据源账号", response_model=Providers)
async def list_providers(request: Request) -> Response:
    """In the order of the configuration, which is the order in which they are asked."""
    context: Context = request.app.state.context
    now, zone, accounts = context.now(), zone_of(request), context.settings().providers

    def read(conn: Connection) -> list[Provider]:
        bills = {row["name"]: row for row in providers.listing(conn, now, zone=zone)}
        reports = feed_report.read(conn, accounts, now)
        return [_item(each, bills.get(each.account.name, {}), zone) for each in reports]

    return answer(Providers(items=await context.db.read(read)))


def _item(report: AccountReport, bill: dict[str, Any], zone: Zone) -> Provider:
    account, health = report.account, report.health
    return Provider(
        name=account.name,
        state=report.state,
        last_good_at=local(health.last_good_at, zone),
        asked_today=bill.get("asked_today", 0),
        spent_today=bill.get("spent_today", 0),
        unknown_codes=bill.get("unknown_codes", 0),
        kind=account.kind,
        carriers=sorted(account.carriers),
        since=local(health.since, zone),
        last_bad_at=local(health.last_bad_at, zone),
        last_error=shown(health.last_error),
        waiting=report.waiting,
        **feed_report.plain(report, zone),
    )
