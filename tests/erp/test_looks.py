"""L1 at the order source: a clock that waits for the shop is read at the source's last look, and no later."""

from __future__ import annotations

import pytest

from domain.orders import OrderStatus, Waybill
from monitor.store import parcels, pulls
from monitor.store.database import Database
from monitor.store.parcels import Incoming
from tests.simulated import World, at, order


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def awaiting(world: World, number: str, source: str = "erp") -> int:
    """A paid order whose label is printed and that the shop has not shipped: its clock waits for the shop."""
    told = order(number, paid=-40, shipped=None, status=OrderStatus.AWAITING)
    row = Incoming(told, (Waybill("zhongtong", number),), "", at(-30))

    def work(conn):
        [taken] = parcels.intake(conn, [row], at(-30))
        pulls.assign(conn, source, [(told.merchant, told.platform, told.shop, told.order_no)])
        world.sweep.settle(conn, world.sweep.looks(conn, taken.parcel_ids), at(0))
        return taken.parcel_ids[0]

    return world.store.write_now(work)


def look(world: World, source: str, hours: float) -> int:
    """The source has told everything until then; how many parcels that wakes."""
    return world.store.write_now(
        lambda conn: pulls.advance(conn, source, {"from": "x"}, observed_at=at(hours), now=world.now)
    )


def late(world: World, parcel_id: int) -> str:
    found = world.open_findings(parcel_id).get("late_shipment")
    return "" if found is None else found.stage.value


def test_nobody_is_accused_beyond_the_sources_last_look(world):
    parcel = awaiting(world, "W1")
    world.set(30)  # 70 hours after the payment: the limit of 48 is long past
    world.tick()
    assert late(world, parcel) == ""
    look(world, "erp", 7.9)
    world.tick()
    assert late(world, parcel) == "warning", "proven until just before the limit"
    look(world, "erp", 8.1)
    world.tick()
    assert late(world, parcel) == "breach"


def test_a_look_wakes_only_parcels_of_its_own_that_wait_for_it(world):
    mine, theirs = awaiting(world, "M1"), awaiting(world, "T1", "another")
    world.import_("SHIPPED")
    world.set(30)
    world.tick()
    assert look(world, "erp", 20) == 1
    assert world.tick().parcels == 1
    assert (late(world, mine), late(world, theirs)) == ("breach", "")


def test_a_look_that_proves_nothing_new_touches_no_parcel(world):
    awaiting(world, "W1")
    world.set(30)
    world.tick()
    assert look(world, "erp", -29) == 0
    assert look(world, "erp", 20) == 1
    world.tick()
    assert look(world, "erp", 25) == 0, "its breach is known"


def test_an_older_look_takes_nothing_back(world):
    parcel = awaiting(world, "W1")
    world.set(30)
    look(world, "erp", 20)
    look(world, "erp", -20)
    assert world.loaded(parcel).case.orders_observed_at == at(20)


def test_the_shops_word_is_as_old_as_that_of_its_slowest_order(world):
    parcel = awaiting(world, "W1")
    other = order("other", paid=-40, shipped=None, status=OrderStatus.AWAITING)
    row = Incoming(other, (Waybill("zhongtong", "W1"),), "", at(-28))
    world.store.write_now(lambda conn: parcels.intake(conn, [row], at(-28)))
    look(world, "erp", 20)
    assert world.loaded(parcel).case.orders_observed_at == at(-28)


def test_many_orders_are_raised_by_one_row(world):
    ids = [awaiting(world, f"W{n}") for n in range(20)]
    before = world.column("SELECT observed_at FROM orders ORDER BY id")
    look(world, "erp", 20)
    assert world.column("SELECT observed_at FROM orders ORDER BY id") == before
    assert {world.loaded(each).case.orders_observed_at for each in ids} == {at(20)}
