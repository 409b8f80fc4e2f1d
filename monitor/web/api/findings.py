"""`GET /api/v1/findings`: the columns of `findings --json`, and a few more."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from domain.findings import FindingState, Party, Stage
from monitor.store.views import findings
from monitor.store.views.findings import FindingFilter, FindingRow
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import (
    Asked,
    Blame,
    Risk,
    Word,
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

__all__ = ["router"]

router = api_router("findings")


class FindingQuery(Asked):
    """Which findings; of each parameter any value."""

    state: list[FindingState] = Field([FindingState.OPEN], description="默认只列未了结的")
    stage: list[Stage] = []
    rule: list[Word] = []
    carrier: list[Word] = []
    blame: list[Party] = Field([], description="责任方")
    shadow: bool = Field(False, description="true：只列试运行的规则找到的；默认只列其余的")


class Finding(BaseModel):
    """One rule broken, or about to be, by one parcel."""

    carrier: str
    waybill_no: str
    order_no: str
    rule: str
    stage: Stage
    started_at: datetime
    crossed_at: datetime
    ended_at: datetime | None
    limit_hours: float | None
    policy: str
    state: FindingState
    found_at: datetime
    ticket: str
    deadline: datetime | None
    severity: int
    ended_by: str
    policy_version: str
    shadow: bool = Field(description="规则在试运行：只记录，没有通知任何人")
    risk: Risk | None = Field(description="可能赔多少元；null：没有查到罚则")
    blame: Blame | None


class Findings(BaseModel):
    """A page; a search for something rare may give a short one with a `next`."""

    items: list[Finding]
    next: str | None


@router.get("/findings", summary="异常", response_model=Findings)
async def list_findings(request: Request, asked: Annotated[FindingQuery, Query()]) -> Response:
    """The newest first; without `state` those that stand, without `shadow` none of a rule on trial."""
    context: Context = request.app.state.context
    filter_ = FindingFilter(
        tuple(asked.state),
        tuple(asked.stage),
        tuple(asked.rule),
        tuple(asked.carrier),
        tuple(asked.blame),
        asked.shadow,
    )
    found = await context.db.read(lambda conn: findings.page(conn, filter_, asked.cursor, asked.limit))
    zone = zone_of(request)
    return answer(Findings(items=[_item(row, zone) for row in found.rows], next=found.next))


def _item(row: FindingRow, zone: Zone) -> Finding:
    return Finding(
        carrier=row.carrier,
        waybill_no=row.waybill_no,
        order_no=named(row.order_no),
        rule=row.rule,
        stage=row.stage,
        started_at=row.started_at.astimezone(zone),
        crossed_at=row.crossed_at.astimezone(zone),
        ended_at=local(row.ended_at, zone),
        limit_hours=hours(row.limit),
        policy=shown(row.policy),
        state=row.state,
        found_at=row.found_at.astimezone(zone),
        ticket=row.ticket,
        deadline=local(row.deadline, zone),
        severity=row.severity,
        ended_by=shown(row.ended_by),
        policy_version=row.policy_version,
        shadow=row.shadow,
        risk=risk(row.risk),
        blame=blame(row.blame),
    )
