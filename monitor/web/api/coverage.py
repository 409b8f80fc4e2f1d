"""`GET /api/v1/coverage`: is every shipped order watched, and which are not, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from monitor.store.views import coverage as views
from monitor.store.views.coverage import Reason, Uncovered
from monitor.store.views.paging import Page
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import Asked, Zone, answer, local, named, shown, zone_of
from monitor.web.context import Context

__all__ = ["router"]

router = api_router("coverage")


class CoverageQuery(Asked):
    """Which list to walk; without one only the counts."""

    reason: Reason | None = Field(None, description="列出其中一类；不写则只有数目。asked 和 pushed 不列")


class Share(BaseModel):
    """How many parcels (of `no_waybill` orders, of `not_kept` documents) stand so."""

    reason: Reason
    count: int = Field(description="ended、changed、no_waybill、not_kept 数到十万为止")
    covered: bool = Field(description="不缺什么")


class Missing(BaseModel):
    """A parcel, or an order without one, and why it is on its list."""

    reason: Reason
    why: str
    carrier: str
    waybill_no: str
    order_no: str
    shop: str
    platform: str
    since: datetime
    asked_at: datetime | None
    source: str = Field(description="报告它的订单来源，只有 not_kept 有")


class Covered(BaseModel):
    """Counts by reason, and a page of one of the lists."""

    missing: int = Field(description="已发货而没有监控好的")
    counts: list[Share]
    items: list[Missing]
    next: str | None


@router.get("/coverage", summary="有没有漏单", response_model=Covered)
async def get_coverage(request: Request, asked: Annotated[CoverageQuery, Query()]) -> Response:
    """Every shipped order is watched, or stands here with the reason."""
    context: Context = request.app.state.context
    settings, zone = context.settings(), zone_of(request)

    def read(conn: Connection) -> tuple[views.Coverage, Page[Uncovered]]:
        page: Page[Uncovered] = Page()
        if asked.reason is not None:
            page = views.uncovered(
                conn, asked.reason, settings.asked_about, asked.cursor, asked.limit, settings.pushed_about
            )
        return views.coverage(conn, settings.asked_about, settings.pushed_about), page

    found, page = await context.db.read(read)
    told = Covered(
        missing=found.missing,
        counts=[Share(reason=each, count=n, covered=each.covered) for each, n in found.counts.items()],
        items=[_missing(row, zone) for row in page.rows],
        next=page.next,
    )
    return answer(told)


def _missing(of: Uncovered, zone: Zone) -> Missing:
    return Missing(
        reason=of.reason,
        why=shown(of.why),
        carrier=of.carrier,
        waybill_no=of.waybill_no,
        order_no=named(of.order_no),
        shop=shown(of.shop),
        platform=shown(of.platform),
        since=of.since.astimezone(zone),
        asked_at=local(of.asked_at, zone),
        source=shown(of.source),
    )
