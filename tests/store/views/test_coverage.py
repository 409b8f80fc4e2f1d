"""Every shipped order is watched, or stands on a list that says why not (feature A8)."""

from __future__ import annotations

import pytest

from domain.journey import condense
from domain.orders import UNNAMED, OrderStatus
from domain.tracking import Answer
from monitor.polling.keeping import Keeper
from monitor.polling.told import Told
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
    world.set(99)
    world.settle(ended, journey=condense(scans((0, PICKED), (1, SIGNED))), observed_at=at(99))
    world.set(0)
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
    told = {Reason.ASKED: 1} | {reason: len(rows) for reason, rows in EXPECTED.items()}
    assert found.counts == dict.fromkeys(Reason, 0) | told
    assert (found.missing, found.todo) == (8, 6)


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


def test_a_number_that_wants_a_phone_and_one_that_is_locked_are_told_apart(world):
    phone, locked = world.import_("PHONE"), world.import_("LOCKED")
    words = {phone: "需要收/寄件人手机号后四位（408）", locked: f"{polls.LOCKED}24 小时"}
    for parcel_id, why in words.items():
        world.store.write_now(lambda conn, id_=parcel_id, why=why: polls.remark(conn, id_, why, at(0)))
    found = world.store.read_now(lambda conn: coverage(conn, served))
    assert [found.counts[each] for each in (Reason.NEEDS_PHONE, Reason.LOCKED, Reason.REFUSED)] == [1, 1, 1]
    for reason, number in ((Reason.NEEDS_PHONE, "PHONE"), (Reason.LOCKED, "LOCKED")):
        [row] = world.store.read_now(lambda conn, r=reason: uncovered(conn, r, served)).rows
        assert row.waybill_no == number


def test_what_was_pushed_of_a_parcel_is_an_answer(world):
    never = world.import_("PUSHED")
    before = world.store.read_now(lambda conn: coverage(conn, served)).counts
    news = Answer("zhongtong", "PUSHED", tuple(scans((0, PICKED))), whole=False)
    told = Told(never, news, None, None, at(1))
    world.store.write_now(lambda conn: Keeper("k100", (), world.sweep).keep(conn, [told], at(1)))
    after = world.store.read_now(lambda conn: coverage(conn, served)).counts
    assert after[Reason.WAITING] == before[Reason.WAITING] - 1
    assert after[Reason.ASKED] == before[Reason.ASKED] + 1


def test_a_carrier_that_is_only_pushed_is_watched_by_pushes(world):
    found = world.store.read_now(lambda conn: coverage(conn, served, lambda carrier: carrier == "yunda"))
    assert found.counts[Reason.NOT_SERVED] == 0
    assert found.counts[Reason.PUSHED] + found.counts[Reason.WAITING] == 3
    assert found.missing == 8, "a pushed parcel that nothing was ever told of waits as well"


@pytest.mark.parametrize("why", ["", "没有写快递公司，单号认不出是哪家的"])
def test_a_number_of_which_nobody_knows_whose_it_is_is_on_its_list(database, why):
    """Whatever an account for all carriers says of itself, and whatever was remarked: nobody was asked."""
    world = World(database)
    parcel = world.import_("75812345678901", carrier=UNNAMED)
    world.store.write_now(lambda conn: polls.remark(conn, parcel, why, at(0)))
    found = world.store.read_now(lambda conn: coverage(conn, served, lambda carrier: True))
    assert (found.counts[Reason.UNKNOWN_CARRIER], found.todo) == (1, 1)
    assert sum(found.counts.values()) == 1
    page = world.store.read_now(
        lambda conn: uncovered(conn, Reason.UNKNOWN_CARRIER, served, pushed=lambda carrier: True)
    )
    assert [each.waybill_no for each in page.rows] == ["75812345678901"]


def test_two_parcels_of_an_order_and_two_orders_of_a_parcel_count_once_each(database):
    world = World(database)
    _take(world, "two boxes", "A1", "A2")
    _take(world, "one", "B1")
    _take(world, "other", "B1")
    found = world.store.read_now(lambda conn: coverage(conn, served))
    assert sum(found.counts.values()) == found.counts[Reason.WAITING] == 3


def test_what_a_source_told_of_and_nobody_could_read_is_on_a_list(world):
    from monitor.store import pulls
    from monitor.store.pulls import DocumentRow

    lost = DocumentRow("CK1", "JY1", "旗舰店", "pending", 0, "{}", "unreadable", "不是运单号")
    strange = DocumentRow(
        "CK2", "JY2", "旗舰店", "shipped", 0, "{}", "unknown_carrier", "watched all the same"
    )
    world.store.write_now(lambda conn: pulls.keep_documents(conn, "erp", [lost, strange], at(0)))
    found = world.store.read_now(lambda conn: coverage(conn, served))
    assert found.counts[Reason.NOT_KEPT] == 1
    [row] = world.store.read_now(lambda conn: uncovered(conn, Reason.NOT_KEPT, served)).rows
    assert (row.source, row.order_no, row.shop, row.why) == ("erp", "JY1", "旗舰店", "不是运单号")


def test_the_shops_together_are_the_whole(world):
    from monitor.store.views.coverage_by import by_shop

    world.import_("ELSEWHERE", shop="二店", platform="douyin")
    world.store.write_now(lambda conn: world.sweep.tick(conn, at(0)))
    whole = world.store.read_now(lambda conn: coverage(conn, served))
    shops = world.store.read_now(lambda conn: by_shop(conn, served))
    assert [(each.platform, each.shop) for each in shops if each.orders] == [
        ("", "旗舰店"),
        ("douyin", "二店"),
    ]
    for reason in set(Reason) - {Reason.CHANGED, Reason.ENDED}:
        assert sum(each.counts[reason] for each in shops) == whole.counts[reason], reason
