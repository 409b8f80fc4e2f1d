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
    state: str = Field(description="up、degraded、down；unknown：尚无应答。down 时它的回答不证明“没有动静”")
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


class Subscriptions(BaseModel):
    """How an account's subscriptions stand; those of finished parcels are left out."""

    open: int = Field(description="订阅着")
    wanted: int = Field(description="等着订阅")
    renew: int = Field(description="对方不再推送，到时候再订阅")
    full: int = Field(description="这个单号一个月的次数用完了，过了再订阅")
    refused: int = Field(description="被拒绝，不再订阅")
    ended: int = Field(description="推送已结束，不用再订阅")
    per_number_monthly: int | None = Field(description="同一单号一个月最多订阅几次；不用订阅的服务商为空")


class Provider(BaseModel):
    """An account: how it does, what it was asked and cost today."""

    name: str
    state: str = Field(description="up、degraded、down；unknown：尚无应答，没有成功查询过，也没有推送来过")
    last_good_at: datetime | None
    asked_today: int
    spent_today: float = Field(description="元；登记、查询都算")
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
    queries_limit_day: int | None = Field(
        description="照 limit_day 和单价，一天最多查几次；不按查询收费或没有上限为空"
    )
    per_waybill_daily: int = Field(description="同一单号 24 小时内最多查几次")
    per_waybill_interval_s: int = Field(description="同一单号两次查询至少隔几秒")
    pushes: bool = Field(description="接收它的推送")
    subscriptions: Subscriptions | None = Field(description="不接收推送为空")
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
        asked_today=report.asked_today,
        spent_today=float(report.spent_today),
        unknown_codes=bill.get("unknown_codes", 0),
        kind=account.kind,
        carriers=sorted(account.carriers),
        since=local(health.since, zone),
        last_bad_at=local(health.last_bad_at, zone),
        last_error=shown(health.last_error),
        waiting=report.waiting,
        **feed_report.plain(report, zone),
    )
