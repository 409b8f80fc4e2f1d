"""A clock that stands still until moved, and a way to talk to an application over a real loopback port."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import aiohttp
import pytest
from aiohttp import web

from monitor.demo.serving import serving

T = TypeVar("T")
Scenario = Callable[[aiohttp.ClientSession, str], Awaitable[T]]
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


class StillClock:
    """Tells the same time until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **length: float) -> None:
        self.now += timedelta(**length)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def talk() -> Callable[[web.Application, Scenario[T]], T]:
    """`talk(app, scenario)`: serve the app, run the scenario against it, give back what it returned."""

    def run(app: web.Application, scenario: Scenario[T]) -> T:
        async def main() -> T:
            async with serving(app) as base, aiohttp.ClientSession() as session:
                return await scenario(session, base)

        return asyncio.run(main())

    return run
