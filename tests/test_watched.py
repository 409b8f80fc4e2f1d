"""The verbs tell how they do: what is due, what was answered, said and judged, and what failed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from monitor.engine import Engine
from monitor.metrics import Metrics
from monitor.polling.poll import Poller
from monitor.store.database import Database, StoreFull
from monitor.telling.deliver import Deliverer
from monitor.vitals import ACCOUNT_DOWN, FETCH_LATE, Vitals
from tests.simulated import HOUR, MINUTE, PICKED, T0, Robot, World
from tests.test_metrics import series


class Watched(World):
    """A world whose verbs are listened to."""

    def restart(self) -> None:
        super().restart()
        self.vitals, self.metrics = Vitals(T0), Metrics()
        self.poller = Poller(
            self.account,
            self.db,  # type: ignore[arg-type]
            self.net,
            self.sweep,
            self.clock,
            self.routes,
            vitals=self.vitals,
            metrics=self.metrics,
        )
        self.deliverer = Deliverer(
            self.deliverer._channels.values(),  # type: ignore[arg-type]
            self.routes,
            self.db,  # type: ignore[arg-type]
            self.net,
            self.clock,
            vitals=self.vitals,
        )

    def kinds(self) -> list[str]:
        return [each.kind for each in self.vitals.found(self.now)]

    def poll_for(self, length: timedelta) -> None:
        """Ring the poller every ten seconds for so long."""
        self.run(lambda: self.repeat(self.poller.tick, seconds=length.total_seconds(), every=10))


@pytest.fixture
def world(database: Database) -> Watched:
    return Watched(database, [Robot("ops")])


def test_a_good_answer_is_told(world: Watched) -> None:
    world.import_("Z1")
    world.carrier.says("Z1", (-1, PICKED))
    world.due_now()
    world.poll()
    assert world.vitals.fetched_at == {"k100": world.now}
    told = series(world.metrics)
    assert told["queries_total{account=k100,outcome=answered}"] == 1
    assert told["scans_stored_total{account=k100}"] == 1
    assert told["parcels_judged_total"] == 1
    world.set(1)
    world.due_now()
    world.poll()
    told = series(world.metrics)
    assert told["queries_total{account=k100,outcome=unchanged}"] == 1
    assert told["scans_stored_total{account=k100}"] == 1, "nothing new"


def test_an_idle_account_is_well_for_ever(world: Watched) -> None:
    world.poll()
    world.set(24 * 30)
    world.poll()
    assert world.kinds() == []


@pytest.mark.parametrize("answer", ["unavailable", "denied"])
def test_an_outage_is_red_while_something_is_due(world: Watched, answer: str) -> None:
    for n in range(8):
        world.import_(f"Z{n}")
    world.carrier.everywhere = answer
    world.due_now()
    world.poll_for(ACCOUNT_DOWN + FETCH_LATE)
    assert world.kinds() == ["account"]
    assert series(world.metrics)[f"queries_total{{account=k100,outcome={answer}}}"] >= 1
    world.carrier.everywhere = ""
    world.due_now()
    world.poll_for(2 * HOUR)
    assert world.kinds() == []


def test_an_account_that_is_closed_for_hours_is_red_though_it_is_not_asked(world: Watched) -> None:
    """A quota that is used up: nobody may ask, and parcels wait."""
    world.import_("Z1")
    world.import_("Z2")
    world.carrier.everywhere = "closed"
    world.due_now()
    world.poll_for(FETCH_LATE - MINUTE)
    assert world.kinds() == []
    world.due_now()
    world.poll_for(2 * MINUTE)
    assert world.kinds() == ["fetch"]


def test_a_number_the_provider_refuses_is_no_outage(world: Watched) -> None:
    world.import_("Z1")
    world.carrier.everywhere = "rejected"
    world.due_now()
    world.poll_for(FETCH_LATE + MINUTE)
    assert world.kinds() == []
    assert series(world.metrics)["queries_total{account=k100,outcome=rejected}"] == 1


def test_a_restart_in_an_outage_knows_of_it(world: Watched) -> None:
    for n in range(8):
        world.import_(f"Z{n}")
    world.carrier.everywhere = "denied"
    world.due_now()
    world.poll_for(MINUTE)
    world.restart()
    world.due_now()
    world.poll_for(ACCOUNT_DOWN)
    assert world.kinds() == ["account"]


def test_a_message_that_was_taken_is_told(world: Watched) -> None:
    world.say()
    world.deliver()
    assert world.vitals.delivered_at == {"ops": world.now}


@pytest.mark.parametrize("answer", ["busy", "rejected"])
def test_a_message_that_was_not_taken_is_none(world: Watched, answer: str) -> None:
    world.groups["ops"].always = answer
    world.say()
    world.deliver()
    assert world.vitals.delivered_at == {}


def test_the_engine_tells_of_every_run_and_why_it_failed() -> None:
    heard: list[tuple[str, bool, str | None]] = []
    until = asyncio.Event()

    def told(verb: str, seconds: float, why: str | None) -> None:
        heard.append((verb, seconds >= 0, why))
        if len(heard) == 3:
            until.set()

    moods = iter([None, StoreFull("磁盘空间已满"), None])

    async def moody() -> None:
        if (mood := next(moods, None)) is not None:
            raise mood

    async def main() -> None:
        bell = Engine(told)
        bell.register("moody", 0.01, moody)
        async with asyncio.timeout(20):
            await bell.run(until)

    asyncio.run(main())
    assert heard[:3] == [
        ("moody", True, None),
        ("moody", True, "StoreFull: 磁盘空间已满"),
        ("moody", True, None),
    ]
