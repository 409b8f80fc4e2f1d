"""`GET /api/v1/providers`: the columns of `providers --json`, for every account of the configuration."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from monitor.accounts import ProviderAccount
from monitor.store import polls, providers
from monitor.store.providers import ProviderState
from monitor.web.api.problems import router as api_router
from monitor.web.api.values import Zone, answer, local, shown, zone_of
from monitor.web.context import Context

__all__ = ["router"]

router = api_router("providers")


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
        return [
            _item(
                account,
                bills.get(account.name, {}),
                providers.load(conn, account.name),
                polls.overdue(conn, account.name, now),
                zone,
            )
            for account in accounts
        ]

    return answer(Providers(items=await context.db.read(read)))


def _item(
    account: ProviderAccount, bill: dict[str, Any], state: ProviderState, waiting: int, zone: Zone
) -> Provider:
    return Provider(
        name=account.name,
        state=state.state,
        last_good_at=local(state.last_good_at, zone),
        asked_today=bill.get("asked_today", 0),
        spent_today=bill.get("spent_today", 0),
        unknown_codes=bill.get("unknown_codes", 0),
        kind=account.kind,
        carriers=sorted(account.carriers),
        since=local(state.since, zone),
        last_bad_at=local(state.last_bad_at, zone),
        last_error=shown(state.last_error),
        waiting=waiting,
    )
