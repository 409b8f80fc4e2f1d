"""The sources of tracking data: do they answer, since when not, what they cost, and what they said that nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from monitor.config.accounts import ProviderAccount
from monitor.feeds import report as feed_report
from monitor.feeds.report import AccountReport
from monitor.store import providers
from monitor.store.providers import UnknownCode, Unreadable
from monitor.web.render import context_of, page

__all__ = ["read_sources", "router"]

router = APIRouter(include_in_schema=False)
_CODES: Final = 200
_ODDITIES: Final = 20


@dataclass(frozen=True, slots=True)
class _Sources:
    accounts: tuple[AccountReport, ...]
    codes: tuple[UnknownCode, ...]
    unread: tuple[Unreadable, ...]


@router.get("/providers")
async def show(request: Request) -> Response:
    """Every account of the configuration, the unknown codes, and what could not be read."""
    context = context_of(request)
    accounts, now = context.settings().providers, context.now()
    found = await context.db.read(
        lambda conn: _Sources(
            read_sources(conn, accounts, now),
            tuple(providers.unknown_codes(conn, _CODES)),
            tuple(providers.unreadable(conn, _ODDITIES)),
        )
    )
    return await page(request, "providers.html", found=found)


def read_sources(
    conn: Connection, accounts: tuple[ProviderAccount, ...], now: datetime
) -> tuple[AccountReport, ...]:
    """The accounts as they stand at `now`, those in trouble first."""
    return tuple(sorted(feed_report.read(conn, accounts, now), key=_trouble))


def _trouble(report: AccountReport) -> int:
    states = [report.state, *(each.line.state.value for each in report.carriers)]
    return 0 if report.state == "down" else 1 if "down" in states else 2 if "degraded" in states else 3
