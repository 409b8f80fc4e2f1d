"""What a service counted is counted here too, also where its answer never came: ceilings, money, subscriptions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import httpx
import pytest

from carriers.aftership import AfterShip
from carriers.track17 import Track17
from carriers.trackingmore import TrackingMore
from domain.remote import Secret
from domain.time import to_micros
from monitor.config.accounts import Budget, ProviderAccount
from monitor.net import Net
from monitor.pushes.subscribe import Subscribing
from monitor.store.database import Database
from monitor.sweep import Sweep
from rules.schedule import Pace
from tests.simulated import DAY, MINUTE, Robot, World
from tests.test_subscribe import Office, opens

SECOND = timedelta(seconds=1)
FOREIGN = frozenset({"usps"})
Counting = AfterShip | TrackingMore | Track17


def cut(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("reset")


def gateway(request: httpx.Request) -> httpx.Response:
    return httpx.Response(502, text="<html>bad gateway</html>")


def nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route")


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")])


def asked(world: World, answer: Callable[[httpx.Request], httpx.Response]) -> list[datetime]:
    """The moments at which the carrier hears a question; every one ends as `answer` says."""
    heard: list[datetime] = []
    robots = world.answer

    def listen(request: httpx.Request) -> httpx.Response:
        if request.url.host != "carrier.test":
            return robots(request)
        heard.append(world.now)
        return answer(request)

    world.answer = listen  # type: ignore[method-assign]
    world.restart()
    return heard


@pytest.mark.parametrize("answer", [cut, gateway])
def test_a_number_is_asked_about_no_more_often_because_answers_are_lost(
    world: World, answer: Callable[[httpx.Request], httpx.Response]
) -> None:
    world.import_("Z1")
    heard = asked(world, answer)
    world.due_now()
    world.run(lambda: world.repeat(world.poller.tick, seconds=3 * 3600, every=30))
    assert len(heard) >= 3, "and it goes on being asked about"
    assert all(later - one >= 30 * MINUTE for one, later in pairwise(heard))


@pytest.mark.parametrize(("answer", "most"), [(cut, 5), (gateway, 5), (nobody, None)])
def test_a_lost_answer_is_paid_for_one_to_a_question_that_never_left_is_not(
    world: World, answer: Callable[[httpx.Request], httpx.Response], most: int | None
) -> None:
    world.account = replace(world.account, price=Decimal("0.1"), budget=Budget(per_day=Decimal("0.5")))
    for n in range(12):
        world.import_(f"Z{n}")
    heard = asked(world, answer)
    world.due_now()
    world.run(lambda: world.repeat(world.poller.tick, seconds=7200, every=30))
    spent = sum(world.column("SELECT micros FROM spend"))
    assert spent == (0 if most is None else 100_000 * len(heard))
    assert most is None or 0 < len(heard) <= most


@pytest.mark.parametrize("answer", [cut, gateway])
def test_a_subscription_whose_answer_is_lost_keeps_its_place(
    world: World, answer: Callable[[httpx.Request], httpx.Response]
) -> None:
    office = Office(world)
    parcel = world.import_("Z1")
    counts = office.service.answer

    def lost(request: httpx.Request) -> httpx.Response:
        counts(request)
        return answer(request)

    office.service.answer = lost  # type: ignore[method-assign]
    office.restart()
    for _ in range(24):
        office.tick(0.26)
    assert len(office.service.asked["Z1"]) == 4 == opens(world, parcel)
    assert office.service.obeyed()


def test_a_subscription_that_never_left_takes_no_place(world: World) -> None:
    office = Office(world)
    parcel = world.import_("Z1")
    office.service.answer = nobody  # type: ignore[method-assign]
    office.restart()
    assert office.tick() == 1
    assert opens(world, parcel) == 0


def test_a_process_that_is_killed_over_its_questions_shortens_no_interval(world: World) -> None:
    """The last of them leaves seconds after it was claimed, and nothing of it is kept."""
    for n in range(70):
        world.import_(f"Z{n:02d}")
    heard = asked(world, lambda request: httpx.Response(200, json={"scans": []}))
    world.due_now()

    async def killed() -> None:
        tick = asyncio.create_task(world.poller.tick())
        await asyncio.sleep(3.3)
        tick.cancel()
        with suppress(asyncio.CancelledError):
            await tick

    async def never(group: object) -> None:
        await asyncio.sleep(9999)

    world.poller._take_in = never  # type: ignore[method-assign, assignment]
    world.run(killed)
    last = to_micros(max(heard))
    asked_at = world.column("SELECT asked_at FROM due WHERE asked_at IS NOT NULL")
    assert len(heard) > 50
    assert all(each >= last for each in asked_at)


# ── services abroad: many numbers in a batch, money for each ─────────────────────────────────────


class Abroad:
    """An account that subscribes numbers with a service that takes them all."""

    def __init__(self, database: Database, adapter: Counting, numbers: int, **money: object) -> None:
        self.heard: list[datetime] = []
        self.world = World(database, [Robot("ops")])
        self.account = ProviderAccount(
            "k100", adapter.kind, adapter, FOREIGN, adapter.ceilings, timedelta(0), push=True, **money  # type: ignore[arg-type]
        )  # fmt: skip
        self.world.account = self.account
        pace = Pace(adapter.ceilings.per_waybill_interval, timedelta(0), timedelta(hours=12))
        self.world.sweep = Sweep(self.world.book, tuple(self.world.routes), lambda carrier: ("k100", pace))
        for n in range(numbers):
            self.world.import_(f"9400100000000000{n:04d}", carrier="usps")
        self.reply: Callable[[httpx.Request], httpx.Response] = self.takes
        net = Net(transport=httpx.MockTransport(self.answer))
        self.verb = Subscribing(self.account, self.world.db, net, self.world.clock, "https://x.example.org")

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(self.world.now)
        return self.reply(request)

    @staticmethod
    def takes(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if isinstance(body, list):
            taken = [{"number": each["number"], "carrier": 21051, "origin": 1} for each in body]
            return httpx.Response(200, json={"code": 0, "data": {"accepted": taken, "rejected": []}})
        data = {"tracking_number": body["tracking_number"], "slug": "usps", "courier_code": "usps"}
        return httpx.Response(201, json={"meta": {"code": 201}, "data": {**data, "checkpoints": []}})

    def registered(self) -> int:
        return int(self.world.column("SELECT count(*) FROM subscriptions WHERE state = 'open'")[0])

    def spent(self) -> int:
        return sum(self.world.column("SELECT micros FROM spend"))


@pytest.mark.parametrize("kind", [AfterShip, TrackingMore])
def test_each_request_of_a_batch_of_subscriptions_waits_its_turn(
    database: Database, kind: type[AfterShip | TrackingMore]
) -> None:
    office = Abroad(database, kind(api_key=Secret("K" * 20), base_url="http://service.test"), 45)
    office.world.run(office.verb.tick)
    assert len(office.heard) >= 45
    apart = SECOND / office.account.ceilings.per_second
    assert all(later - one >= 0.99 * apart for one, later in pairwise(office.heard))


def test_subscriptions_are_paid_for_and_end_with_the_money(database: Database) -> None:
    adapter = Track17(key=Secret("K" * 20), base_url="http://service.test")
    money = {"price": Decimal("0.1"), "budget": Budget(per_day=Decimal(1))}
    office = Abroad(database, adapter, 60, **money)
    office.world.run(lambda: office.world.repeat(office.verb.tick, seconds=300, every=5))
    assert office.registered() == 8, "what is kept for deadlines is not spent on news"
    assert office.spent() == 800_000
    office.world.clock.start += DAY
    office.world.run(lambda: office.world.repeat(office.verb.tick, seconds=300, every=5))
    assert office.registered() == 16, "there is money again"


def test_a_subscription_that_was_not_taken_costs_nothing(database: Database) -> None:
    adapter = Track17(key=Secret("K" * 20), base_url="http://service.test")
    office = Abroad(database, adapter, 3, price=Decimal("0.1"), budget=Budget(per_day=Decimal(1)))
    office.reply = nobody
    office.world.run(office.verb.tick)
    assert office.heard
    assert office.spent() == 0
    office.reply = office.takes
    office.world.clock.start += timedelta(minutes=6)
    office.world.run(office.verb.tick)
    assert office.spent() == 300_000
