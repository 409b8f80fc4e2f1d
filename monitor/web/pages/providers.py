"""The sources of tracking data: do they answer, since when not, what they cost, and what they said that nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from domain.time import SHANGHAI
from monitor.accounts import ProviderAccount
from monitor.store import polls, providers
from monitor.store.providers import ProviderState, Spent, UnknownCode, Unreadable
from monitor.web.render import context_of, page

__all__ = ["Source", "read_sources", "router"]

router = APIRouter(include_in_schema=False)
_CODES: Final = 200
_ODDITIES: Final = 20


@dataclass(frozen=True, slots=True)
class Source:
    """One account of the configuration and how it does."""

    account: ProviderAccount
    health: ProviderState
    today: Spent
    waiting: int
    """Parcels that are due for a look."""


@dataclass(frozen=True, slots=True)
class _Sources:
    accounts: tuple[Source, ...]
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
) -> tuple[Source, ...]:
    """The accounts as they stand at `now`, those in trouble first."""
    today = now.astimezone(SHANGHAI).date()
    sources = [
        Source(
            account,
            providers.load(conn, account.name),
            providers.spent(conn, account.name, today),
            polls.overdue(conn, account.name, now),
        )
        for account in accounts
    ]
    trouble = {"down": 0, "degraded": 1}
    return tuple(sorted(sources, key=lambda source: trouble.get(source.health.state, 2)))
