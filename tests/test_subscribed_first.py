"""A carrier that shows only what was subscribed (韵达): its first silence accuses nobody, the next one may (L1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from carriers.yunda import Yunda
from domain.remote import Secret
from domain.time import SHANGHAI
from domain.tracking import Milestone
from monitor.store.database import Database
from tests.simulated import Robot, World, at

NUMBER = "432100000000001"


@dataclass
class Gate:
    """韵达: tells of a number from the look after its subscription on."""

    steps: list[dict[str, str]] = field(default_factory=list)
    subscribed: bool = False
    read: bool = False
    """The carrier was read since then."""
    down: bool = False
    calls: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.url.path.rpartition("/")[2])
        if self.down:
            raise httpx.ConnectError("no route")
        if self.calls[-1] == "subscribe":
            self.subscribed = True
            return httpx.Response(200, json={"result": True, "code": "0000", "message": "请求成功"})
        steps = self.steps if self.read else []
        told = {"result": bool(steps), "mailno": NUMBER, "status": "", "remark": "未查询到", "steps": steps}
        return httpx.Response(200, json={"result": True, "code": "0000", "data": told})


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def world(database: Database, gate: Gate) -> World:
    adapter: Any = Yunda("app", Secret("hidden"), base_url="http://carrier.test")
    made = World(database, [Robot("ops")], adapter=adapter, carriers=frozenset({"yunda"}))
    made.carrier = gate  # type: ignore[assignment]
    return made


@pytest.fixture
def late(world: World) -> int:
    """Three days after it was sent the order comes in, when every limit of a pickup has passed."""
    world.set(72)
    return world.import_(NUMBER, carrier="yunda")


def look(world: World, hours: float = 1) -> None:
    """So many hours later it is asked about."""
    world.set((world.now - at(0)).total_seconds() / 3600 + hours)
    world.due_now()
    world.poll()


def rules(world: World, parcel: int) -> set[str]:
    return set(world.open_findings(parcel))


def nothing(world: World, gate: Gate) -> None:
    """The account works all along."""


def an_outage(world: World, gate: Gate) -> None:
    """When the parcel is first asked about, nobody answers."""
    gate.down = True
    look(world)
    gate.down = False


@pytest.mark.parametrize("before", [nothing, an_outage])
def test_a_parcel_on_its_way_is_never_accused_of_the_silence_before_its_subscription(
    world: World, late: int, gate: Gate, before: Callable[[World, Gate], None]
) -> None:
    written = at(2).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    gate.steps = [{"time": written, "action": "GOT", "description": "已揽收"}]
    before(world, gate)
    look(world)
    assert gate.subscribed
    assert rules(world, late) == set()
    gate.read = True
    look(world)
    assert world.loaded(late).case.journey.milestone is Milestone.PICKED_UP
    assert "late_pickup" not in rules(world, late)
    assert world.column("SELECT count(*) FROM findings WHERE rule = 'late_pickup'") == [0]


def test_a_number_that_stays_silent_is_told_when_two_looks_have_said_so(
    world: World, late: int, gate: Gate
) -> None:
    look(world)
    assert gate.calls == ["query", "subscribe", "query"]
    assert rules(world, late) == set()
    since = world.now
    look(world)
    assert rules(world, late) == set()
    look(world)
    seen = world.loaded(late).case.observed_at
    assert seen is not None
    assert seen > since
    assert "late_pickup" in rules(world, late)


def test_a_silence_that_is_known_costs_one_call(world: World, late: int, gate: Gate) -> None:
    for _ in range(3):
        look(world)
    gate.calls.clear()
    look(world)
    assert gate.calls == ["query"]
