"""A provider corrects the carrier: the parcel goes on under the right name, and nothing goes to and fro."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.store.database import Database
from tests.simulated import PICKED, Robot, World


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")], carriers=frozenset({"*"}))


def ask(world: World) -> None:
    world.clock.start += timedelta(hours=1)
    world.tick()
    world.due_now()
    world.poll()


def test_the_parcel_goes_on_under_the_right_name(world: World) -> None:
    parcel = world.import_("Z1")
    world.carrier.says("Z1", (-1, PICKED), corrected="yunda")
    world.due_now()
    world.poll()
    loaded = world.loaded(parcel)
    assert (loaded.case.waybill.carrier, loaded.case.declared) == ("yunda", "zhongtong")
    assert loaded.case.journey.events, "with what was told of it"
    ask(world)
    assert world.loaded(parcel).case.waybill.carrier == "yunda"
    assert world.carrier.times("Z1") == 2, "and is asked about under it"


def test_back_to_where_it_came_from_is_no_news(world: World) -> None:
    parcel = world.import_("Z1")
    world.carrier.says("Z1", (-1, PICKED), corrected="yunda")
    world.due_now()
    world.poll()
    world.carrier.says("Z1", (-1, PICKED), corrected="zhongtong")
    ask(world)
    assert world.loaded(parcel).case.waybill.carrier == "yunda"
    [(why,)] = world.rows("SELECT reason FROM oddities")
    assert "更正来更正去" in why
