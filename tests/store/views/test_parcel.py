"""Everything about a number: all parcels it was used for, what was known when, what was said."""

from __future__ import annotations

from typing import Any

import pytest

from domain.history import merge
from domain.tracking import Answer, TrackingEvent
from monitor.store import events, parcels
from monitor.store.database import Database
from monitor.store.views import parcel as view
from monitor.store.views.numbers import numbers_in
from monitor.store.views.parcel import Found, ParcelPage
from tests.simulated import DAY, HUB, PICKED, Robot, World, at, scan


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")])


def page(world: World, number: str, carrier: str = "zhongtong") -> ParcelPage | None:
    return world.store.read_now(lambda conn: view.parcel(conn, carrier, number))


def search(world: World, pasted: str) -> Found:
    return world.store.read_now(lambda conn: view.search(conn, numbers_in(pasted)))


def learn(world: World, parcel: int, hour: float, *told: TrackingEvent) -> None:
    """A provider's whole answer, kept as the poller keeps it."""

    def work(conn: Any) -> None:
        answer = Answer("zhongtong", "Z1", told)
        change = merge(events.known(conn, [parcel])[parcel], answer, at(hour))
        events.apply(conn, [(parcel, change)], provider="k100", at=at(hour))

    world.store.write_now(work)


def test_a_number_nobody_knows_has_no_page(world):
    world.import_("Z1")
    for carrier, number in (("zhongtong", "Z2"), ("yuantong", "Z1"), ("", "Z1"), ("\0", "\ud800")):
        assert page(world, number, carrier) is None


def test_withdrawn_and_edited_scans_stay_to_be_seen(world):
    parcel = world.import_("Z1")
    first, later = scan(0, PICKED), scan(5, HUB)
    learn(world, parcel, 1, first)
    learn(world, parcel, 6, first, scan(3, HUB), later)
    edited = TrackingEvent(first.occurred_at, first.milestone, "改过的字", first.code)
    learn(world, parcel, 9, edited, later)
    [use] = page(world, "Z1").uses
    assert [(each.stored.event.text, each.stored.withdrawn_at) for each in use.scans] == [
        ("改过的字", None),
        ("in_transit 3", at(9)),
        ("in_transit 5", None),
    ]
    assert {each.provider for each in use.scans} == {"k100"}
    [edit] = use.edits
    assert (edit.was, edit.learned_at, edit.replaced_at) == (first, at(1), at(9))


def test_a_page_holds_clocks_findings_tickets_and_what_was_said(world):
    parcel = world.import_("Z1")
    world.set(17)
    world.settle(parcel, observed_at=at(17))
    [use] = page(world, "Z1").uses
    assert [each.finding.rule for each in use.findings] == ["late_pickup"]
    assert [each.number for each in use.tickets] == world.column("SELECT number FROM tickets")
    assert [(each.channel, each.ticket) for each in use.messages] == [("ops", use.tickets[0].number)]
    assert {clock.rule for clock in use.clocks} >= {"late_pickup", "slow"}
    assert (use.limit_at, use.limit_rule) == (at(22), "late_pickup")
    assert [each.order.order_no for each in use.orders] == ["O-Z1"]


def test_a_number_used_again_is_two_parcels_the_newest_first(world):
    world.import_("Z1")
    world.set(24 * 90)
    world.store.write_now(
        lambda conn: parcels.save(
            conn, [parcels.Update(1, state="done", why="已签收", done_at=at(40))], at(40)
        )
    )
    again = world.import_("Z1", paid=24 * 90 - 2, shipped=24 * 90 - 1, merchant="另一家")
    new, old = page(world, "Z1").uses
    assert (new.loaded.id, new.loaded.cycle, new.done_at) == (again, 1, None)
    assert (old.loaded.cycle, old.loaded.state, old.done_at) == (0, "done", at(40))
    assert new.created_at - old.created_at == 90 * DAY
    assert [each.order.merchant for each in new.orders] == ["另一家"]


def test_an_order_that_left_is_shown_with_the_moment_it_left(world):
    from domain.orders import Waybill
    from monitor.store.parcels import Incoming
    from tests.simulated import order

    world.import_("Z1")
    row = Incoming(order("Z1"), (Waybill("zhongtong", "Z9"),), "", at(3))
    world.store.write_now(lambda conn: parcels.intake(conn, [row], at(3)))
    [use] = page(world, "Z1").uses
    assert [(each.order.order_no, each.unlinked_at) for each in use.orders] == [("O-Z1", at(3))]


def test_a_search_finds_by_waybill_order_and_ticket_and_names_the_rest(world):
    one, two = world.import_("Z1"), world.import_("Y2", carrier="yuantong")
    world.set(17)
    world.settle(one, observed_at=at(17))
    [ticket] = world.column("SELECT number FROM tickets")
    found = search(world, f"z1，O-Y2\t{ticket}\nnothing Z1")
    assert [(hit.number, hit.parcel_id) for hit in found.hits] == [
        ("z1", one),
        ("O-Y2", two),
        (ticket, one),
        ("Z1", one),
    ]
    assert found.unknown == ("nothing",)
    first, other = found.hits[:2]
    assert (first.ticket, first.limit_at, first.order_no, first.shop) == (ticket, at(22), "O-Z1", "旗舰店")
    assert (other.carrier, other.state, other.ticket) == ("yuantong", "watched", "")


def test_a_number_used_again_is_found_twice_the_newest_first(world):
    world.import_("Z1")
    world.set(24 * 90)
    world.import_("Z1", paid=24 * 90 - 2, shipped=24 * 90 - 1, merchant="另一家")
    assert [hit.cycle for hit in search(world, "Z1").hits] == [1, 0]


def test_nothing_asked_finds_nothing(world):
    world.import_("Z1")
    assert search(world, " ，\n") == Found((), ())
