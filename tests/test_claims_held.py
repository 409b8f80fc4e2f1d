"""What is claimed is asked soon or given back: a slow service holds few claims, a stop or a reload none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from carriers.base import Ceilings
from monitor.polling.asking import Asker
from monitor.polling.poll import Poller
from monitor.polling.slots import Slots
from monitor.store.database import Database
from tests.simulated import MINUTE, Robot, World

SLOW = Ceilings(30 * MINUTE, 48, per_second=20.0, concurrency=2)
TAKES = 10.0
"""Seconds of one answer, also of one that nobody waits for any more."""


class Service:
    """A service that takes its time; what it began it goes on with, whoever hangs up."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.began: list[datetime] = []

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.began.append(self.world.now)
        await asyncio.sleep(TAKES)
        return httpx.Response(200, json={"scans": []})

    def most(self) -> int:
        """How many requests it had under way at once."""
        takes = timedelta(seconds=TAKES)
        return max(sum(at <= each < at + takes for at in self.began) for each in self.began)


@pytest.fixture
def world(database: Database) -> World:
    made = World(database, [Robot("ops")], ceilings=SLOW)
    made.account = replace(made.account, price=Decimal("0.1"))
    made.restart()
    made.import_many(100)
    made.tick()
    made.due_now()
    return made


@pytest.fixture
def service(world: World) -> Service:
    made = Service(world)
    world.carrier.answer = made.answer  # type: ignore[method-assign, assignment]
    return made


def booked(world: World) -> int:
    return int(world.column("SELECT coalesce(sum(asked), 0) FROM spend")[0])


def waiting(world: World) -> int:
    """Due now, never asked, with all of its day before it."""
    [found] = world.column(
        "SELECT count(*) FROM due WHERE next_poll_at <= :now AND asked_at IS NULL AND quota_at IS NULL",
        now=int(world.now.timestamp() * 1_000_000),
    )
    return int(found)


async def cut_short(world: World, seconds: float, look: Callable[[], None] = lambda: None) -> None:
    """A tick that is cancelled after so long, looked at every second."""
    tick = asyncio.create_task(world.poller.tick())
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        look()
    tick.cancel()
    with suppress(asyncio.CancelledError):
        await tick


@pytest.mark.parametrize(
    ("per_second", "concurrency", "took", "calls"),
    [
        pytest.param(20.0, 16, None, 64, id="nobody knows yet: four for each lane"),
        pytest.param(20.0, 16, 0.02, 80, id="fast: four seconds of the pace"),
        pytest.param(20.0, 16, 1.0, 64, id="a second each"),
        pytest.param(20.0, 16, 25.0, 32, id="slow: the one under way and the next"),
        pytest.param(1000.0, 1, 25.0, 2, id="one lane"),
        pytest.param(0.1, 4, None, 1, id="a slow pace of ours"),
    ],
)
def test_what_is_claimed_is_what_can_be_asked_soon(
    database: Database, per_second: float, concurrency: int, took: float | None, calls: int
) -> None:
    world = World(database)
    ceilings = replace(SLOW, per_second=per_second, concurrency=concurrency)
    slots = Slots("k100", concurrency, database, world.clock)
    account = replace(world.account, ceilings=ceilings)
    asker = Asker(account, database, world.net, world.clock, slots, _took=took)
    assert asker.soon(4.0) == calls


def test_a_slow_service_holds_few_claims_and_a_stop_none(world: World, service: Service) -> None:
    held: list[int] = []
    world.run(lambda: cut_short(world, 61, lambda: held.append(booked(world) - len(service.began))))
    assert service.most() == 2
    assert 0 < max(held) <= 8
    assert booked(world) == len(service.began), "what was not asked costs nothing"
    assert waiting(world) == 100 - len(service.began), "and is asked by whoever comes next"
    assert world.column("SELECT sum(micros) FROM spend") == [100_000 * len(service.began)]


def test_a_stop_hears_out_what_is_under_way_and_gives_back_the_rest(world: World, service: Service) -> None:
    ends = False
    world.poller = Poller(
        *(world.account, world.db, world.net, world.sweep, world.clock, world.routes), lambda: ends
    )

    async def stopped() -> None:
        nonlocal ends
        tick = asyncio.create_task(world.poller.tick())
        await asyncio.sleep(5)
        ends = True
        await tick

    world.run(stopped)
    assert len(service.began) == 2
    assert (booked(world), waiting(world)) == (2, 98)


def test_a_reload_never_asks_more_at_once_than_the_ceiling(world: World, service: Service) -> None:
    """What was cut off may still be under way there: its slots are nobody's until their lease is over."""

    async def reloaded() -> None:
        for _ in range(4):
            await cut_short(world, 3)
            await world.poller.close()
            world.restart()
        await cut_short(world, 90)

    world.run(reloaded)
    assert service.most() <= 2
    assert len(service.began) > 4, "the slots came back"
