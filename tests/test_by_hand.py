"""A question asked by hand keeps a number's ceilings and is booked, as any other (`parcelwatch try carrier`)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from carriers.base import Ceilings
from domain.orders import UNNAMED, Waybill
from monitor.config.accounts import ProviderAccount
from monitor.polling.by_hand import asked_by_hand
from monitor.store.database import Database
from tests.simulated import MINUTE, Adapter, Robot, World

ACCOUNT = ProviderAccount(
    "k100",
    "test",
    Adapter(),
    frozenset({"*"}),
    Ceilings(30 * MINUTE, 4, per_second=20.0, concurrency=16),
    timedelta(0),
    price=Decimal("0.05"),
)


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")])


def ask(
    world: World, number: str = "Z1", *, carrier: str = "zhongtong", force: bool = False
) -> datetime | None:
    waybill = Waybill(carrier, number)
    return world.store.write_now(
        lambda conn: asked_by_hand(conn, ACCOUNT, waybill, world.clock.now(), force=force)
    )


def booked(world: World) -> list[int]:
    return world.column("SELECT sum(asked) FROM spend WHERE provider = 'k100'")


def test_it_is_booked_and_the_next_has_to_wait(world: World) -> None:
    world.import_("Z1")
    began = world.clock.now()
    assert ask(world) is None
    assert booked(world) == [1]
    world.clock.start += MINUTE
    assert ask(world) == began + 30 * MINUTE
    assert booked(world) == [1], "what was not asked costs nothing"


def test_the_daily_ceiling_holds_too(world: World) -> None:
    world.import_("Z1")
    for _ in range(2):
        assert ask(world) is None
        world.clock.start += 31 * MINUTE
    until = ask(world)
    assert until is not None
    assert until > world.clock.now() + timedelta(hours=8)


def test_who_insists_asks_and_it_counts(world: World) -> None:
    world.import_("Z1")
    assert ask(world) is None
    assert ask(world, force=True) is None
    assert booked(world) == [2]
    world.clock.start += 31 * MINUTE
    assert ask(world) is not None, "the day's share is used up by it"


def test_a_number_nobody_watches_is_asked_and_paid_for(world: World) -> None:
    assert ask(world, "Z9") is None
    assert booked(world) == [1]


def test_the_loop_heeds_what_was_asked_by_hand(world: World) -> None:
    world.import_("Z1")
    assert ask(world) is None
    world.due_now()
    world.poll()
    assert not world.carrier.asked


def test_a_number_whose_carrier_is_asked_for_is_booked_whosever_it_is(world: World) -> None:
    """`parcelwatch recognise --ask`: by the number alone."""
    world.import_("Z1")
    for until, n in ((None, 1), (world.clock.now() + 30 * MINUTE, 1)):
        assert ask(world, "Z1", carrier=UNNAMED) == until
        assert booked(world) == [n]
    assert ask(world, "Z9", carrier=UNNAMED) is None
    assert booked(world) == [2]
