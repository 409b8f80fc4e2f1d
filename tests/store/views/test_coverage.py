"""Every shipped order is watched, or stands on a list that says why not (feature A8)."""

from __future__ import annotations

import pytest

from domain.journey import condense
from domain.orders import OrderStatus
from monitor.store import parcels, polls
from monitor.store.database import Database
from monitor.store.parcels import Incoming
from monitor.store.views.coverage import Reason, coverage, uncovered
from tests.simulated import PICKED, SIGNED, World, at, order, scans
from tests.store.views.rows import walked

SERVED = {"zhongtong", "yuantong"}


@pytest.fixture
def world(database: Database) -> World:
    world = World(database)
    _a_parcel_for_every_reason(world)
    return world


def _a_parcel_for_every_reason(world: World) -> None:
    asked = world.import_("ASKED")
    world.settle(asked, journey=condense(scans((0, PICKED))), observed_at=at(0))
    world.store.write_now(lambda conn: parcels.save(conn, [parcels.Update(asked, answer_hash="x")], at(0)))
    world.import_("NEVER")
    world.import_("YUNDA", carrier="yunda")
    world.import_("FOO", carrier="foo-express")
    aside, refused = world.import_("ASIDE"), world.import_("REFUSED")
    world.store.write_now(lambda conn: polls.put_aside(conn, aside, "ValueError: x", at(0)))
    world.store.write_now(lambda conn: polls.remark(conn, refused, "单号不对", at(0)))
    ended = world.import_("ENDED")
    world.settle(ended, journey=condense(scans((0, PICKED), (1, SIGNED))), observed_at=at(99))
    world.import_("OLD")
    _take(world, "OLD", "NEW", known=1.0)
    _take(world, "没有单号")
    _take(world, "待发货", shipped=None, status=OrderStatus.AWAITING)
    _take(world, "待发货，有发货时间", status=OrderStatus.AWAITING)
    _take(world, "买家已收货", status=OrderStatus.FINISHED)


def _take(world: World, number: str, *waybills: str, known: float = 0, **order_: object) -> None:
    from domain.orders import Waybill

    row = Incoming(
        order(number, **order_), tuple(Waybill("zhongtong", each) for each in waybills), "", at(known)
    )

    def work(conn):
        [taken] = parcels.intake(conn, [row], at(known))
        world.sweep.settle(conn, world.sweep.looks(conn, taken.parcel_ids), at(known))

    world.store.write_now(work)


def served(carrier: str) -> bool:
    return carrier in SERVED


EXPECTED = {
    Reason.WAITING: ["NEW", "NEVER"],
    Reason.NO_WAYBILL: ["O-待发货，有发货时间", "O-没有单号"],
    Reason.UNKNOWN_CARRIER: ["FOO"],
    Reason.NOT_SERVED: ["YUNDA"],
    Reason.PUT_ASIDE: ["ASIDE"],
    Reason.REFUSED: ["REFUSED"],
    Reason.CHANGED: ["OLD"],
    Reason.ENDED: ["ENDED"],
}


@pytest.mark.parametrize("reason", list(EXPECTED))
def test_each_stands_on_the_list_of_its_reason_and_on_no_other(world, reason):
    rows = walked(
        lambda cursor, n: world.store.read_now(lambda conn: uncovered(conn, reason, served, cursor, n)), 1
    )
    assert [row.waybill_no or row.order_no for row in rows] == EXPECTED[reason]
    assert {row.reason for row in rows} == {reason}


def test_the_counts_are_those_of_the_lists(world):
    found = world.store.read_now(lambda conn: coverage(conn, served))
    assert found.counts == {Reason.ASKED: 1} | {reason: len(rows) for reason, rows in EXPECTED.items()}
    assert found.missing == 8


def test_what_is_covered_has_no_list(world):
    assert world.store.read_now(lambda conn: uncovered(conn, Reason.ASKED, served)).rows == ()


def test_a_list_says_what_the_provider_said_and_whose_order_it_is(world):
    [row] = world.store.read_now(lambda conn: uncovered(conn, Reason.REFUSED, served)).rows
    assert (row.why, row.carrier, row.order_no, row.shop) == ("单号不对", "zhongtong", "O-REFUSED", "旗舰店")


def test_an_order_that_gets_its_number_leaves_the_list(world):
    _take(world, "没有单号", "LATE", known=2.0)
    rows = world.store.read_now(lambda conn: uncovered(conn, Reason.NO_WAYBILL, served)).rows
    assert [row.order_no for row in rows] == ["O-待发货，有发货时间"]


def test_when_every_carrier_is_served_nothing_is_unserved(world):
    found = world.store.read_now(lambda conn: coverage(conn, lambda carrier: True))
    assert (found.counts[Reason.UNKNOWN_CARRIER], found.counts[Reason.NOT_SERVED]) == (0, 0)


def test_an_empty_store_covers_everything(database):
    found = database.read_now(lambda conn: coverage(conn, served))
    assert set(found.counts) == set(Reason)
    assert found.missing == sum(found.counts.values()) == 0
