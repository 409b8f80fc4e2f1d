"""What passes a limit soon: kept by every judgement, listed by time left, counted for the charts.

The rules are those of `tests/simulated.py`: paid at -2, so `late_pickup` is broken after 22 h and `slow`
after 58 h; picked up at 0, `transit_stagnation` after 48 h.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from domain.journey import condense
from domain.orders import OrderStatus
from domain.tickets import TicketState
from domain.time import to_micros
from monitor.store import providers, tickets
from monitor.store.database import Database
from monitor.store.views import now, walking
from monitor.store.views.now import Tally, Upcoming
from monitor.store.views.paging import BadCursor, Page
from rules.policy import Change, PolicySpec
from tests.simulated import HOUR, PICKED, SIGNED, T0, World, at, book, scans
from tests.store.views.rows import walked

DAY = 24 * HOUR


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def limit(world: World, parcel: int) -> tuple[float | None, str]:
    """The kept limit in hours after T0, and whose it is."""
    [(kept, rule)] = world.rows("SELECT limit_at, limit_rule FROM due WHERE parcel_id = :p", p=parcel)
    return (None if kept is None else (kept - to_micros(T0)) / 3_600_000_000), rule


def upcoming(world: World, within: timedelta = 3 * DAY, **more: Any) -> Page[Upcoming]:
    return world.store.read_now(lambda conn: now.upcoming(conn, world.now, within, **more))


def tally(world: World, within: timedelta = 3 * DAY) -> Tally:
    return world.store.read_now(lambda conn: now.tally(conn, world.now, within))


# ── the limit that is kept ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("hour", "told", "expected"),
    [
        pytest.param(0, [], (22, "late_pickup"), id="nothing has happened"),
        pytest.param(21.9, [], (22, "late_pickup"), id="the last minutes"),
        pytest.param(22, [], (58, "slow"), id="on the dot: the next one"),
        pytest.param(1, [(0, PICKED)], (48, "transit_stagnation"), id="picked up: that clock has ended"),
        pytest.param(57, [(56, PICKED)], (58, "slow"), id="a scan starts a staleness anew"),
        pytest.param(60, [(0, PICKED)], (None, ""), id="all are over"),
        pytest.param(5, [(0, PICKED), (4, SIGNED)], (None, ""), id="signed for"),
    ],
)
def test_the_nearest_limit_ahead_of_a_running_clock_is_kept(world, hour, told, expected):
    parcel = world.import_("Z1")
    world.set(hour)
    world.settle(parcel, journey=condense(scans(*told)), observed_at=at(hour))
    assert limit(world, parcel) == expected


def test_a_rule_that_is_switched_off_has_no_limit(world):
    off = PolicySpec("店", rules={"late_pickup": Change(watch=False)})
    world.judge(book(off))
    assert limit(world, world.import_("Z1")) == (58, "slow")


def test_a_parcel_nobody_waits_for_has_no_limit(world):
    parcel = world.import_("Z1", status=OrderStatus.CLOSED)
    assert limit(world, parcel) == (None, "")


def test_the_next_limit_is_kept_though_nobody_looks(world):
    """The provider is down: no step is proven, and still the list goes on to the next limit."""
    parcel = world.import_("Z1")
    for hour in (16.01, 20.01, 22.01):
        world.set(hour)
        world.tick()
    assert world.open_findings(parcel) == {}
    assert limit(world, parcel) == (58, "slow")
    world.set(58.01)
    world.tick()
    assert limit(world, parcel) == (None, "")


def test_an_answer_that_repeats_the_last_one_leaves_the_limit_alone(world):
    parcel = world.import_("Z1")
    world.carrier.says("Z1", (0, PICKED))
    for hour in (1, 5, 9):
        world.set(hour)
        world.due_now()
        world.poll()
    assert limit(world, parcel) == (48, "transit_stagnation")


# ── the list ─────────────────────────────────────────────────────────────────────────────────────


def some_parcels(world: World) -> list[int]:
    """Three with limits at 22 h, 20 h and 18 h, and one that has none."""
    parcels = [
        world.import_("Z1"),
        world.import_("Z2", paid=-4, shop="折扣店"),
        world.import_("Y3", paid=-6, carrier="yuantong", platform="pinduoduo"),
        world.import_("Z4", paid=-3, status=OrderStatus.CLOSED),
    ]
    return parcels[:3]


def test_the_list_is_sorted_by_time_left_and_says_whose_parcel_it_is(world):
    some_parcels(world)
    rows = upcoming(world).rows
    assert [row.waybill_no for row in rows] == ["Y3", "Z2", "Z1"]
    first = rows[0]
    assert (first.carrier, first.shop, first.order_no) == ("yuantong", "旗舰店", "O-Y3")
    assert (first.rule, first.limit_at, first.ticket) == ("late_pickup", at(18), "")


def test_the_list_names_the_ticket_somebody_works_on(world):
    parcel = world.import_("Z1")
    world.set(17)
    world.settle(parcel, observed_at=at(17))
    [row] = upcoming(world).rows
    assert [row.ticket] == world.column("SELECT number FROM tickets")


@pytest.mark.parametrize(
    ("within", "expected"),
    [(17, []), (18, ["Y3"]), (20, ["Y3", "Z2"]), (10_000, ["Y3", "Z2", "Z1"]), (0, []), (-5, [])],
)
def test_only_what_passes_within_is_listed(world, within, expected):
    some_parcels(world)
    assert [row.waybill_no for row in upcoming(world, within * HOUR).rows] == expected
    assert tally(world, within * HOUR).total == len(expected)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"carriers": ("yuantong",)}, ["Y3"]),
        ({"shops": ("折扣店",)}, ["Z2"]),
        ({"rules": ("late_pickup",)}, ["Y3", "Z2", "Z1"]),
        ({"rules": ("slow",)}, []),
        ({"carriers": ("zhongtong",), "shops": ("旗舰店",)}, ["Z1"]),
        ({"shops": ("\0", "' OR 1=1")}, []),
    ],
)
def test_the_list_is_filtered(world, asked, expected):
    some_parcels(world)
    assert [row.waybill_no for row in upcoming(world, **asked).rows] == expected


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_pages_hold_every_parcel_once(world, size, monkeypatch):
    monkeypatch.setattr(walking, "SPAN", 2)
    some_parcels(world)
    for asked in ({}, {"carriers": ("zhongtong", "yuantong")}):
        rows = walked(lambda cursor, n: upcoming(world, cursor=cursor, limit=n, **asked), size)  # noqa: B023
        assert [row.waybill_no for row in rows] == ["Y3", "Z2", "Z1"]


def test_a_cursor_of_another_list_is_refused(world):
    with pytest.raises(BadCursor):
        upcoming(world, cursor="WyJ0aWNrZXRzLW5ld2VzdCIsMCwxLDFd")


# ── the counts ───────────────────────────────────────────────────────────────────────────────────


def test_the_counts_are_those_of_the_list(world):
    some_parcels(world)
    found = tally(world, DAY)
    assert (found.total, found.one_in, found.overdue) == (3, 1, 0)
    assert [(nth, n) for nth, n in enumerate(found.hours) if n] == [(17, 1), (19, 1), (21, 1)]
    assert len(found.hours) == 24
    assert found.by_rule == (("late_pickup", 3),)
    assert dict(found.by_carrier) == {"zhongtong": 2, "yuantong": 1}
    assert dict(found.by_shop) == {"旗舰店": 2, "折扣店": 1}


def test_what_is_over_already_is_counted_apart(world):
    parcel = world.import_("Z1")
    world.set(23)
    world.settle(parcel, observed_at=at(23))
    assert tally(world).overdue == 1
    (ticket,) = world.column("SELECT id FROM tickets")
    resolve = partial(tickets.move, to=TicketState.RESOLVED, version=None, at=at(23), by="小王")
    world.store.write_now(lambda conn: resolve(conn, ticket))
    assert tally(world).overdue == 0, (
        "the same tickets as in the list: nobody has to do anything about this one"
    )


def test_counts_of_many_are_estimates_that_say_so(world, monkeypatch):
    """An even sample: shares within a few parts in a hundred, total and hours exact."""
    monkeypatch.setattr(now, "_SAMPLE", 500)
    world.import_many(3000)
    world.tick()
    for _ in range(2):
        world.tick()
    world.store.write_now(
        lambda conn: conn.execute(
            text(
                "UPDATE due SET limit_at = :at, limit_rule = CASE WHEN parcel_id % 10 < 3 THEN 'a' ELSE 'b' END"
            ),
            {"at": to_micros(at(3))},
        )
    )
    found = tally(world, DAY)
    assert (found.total, found.hours[2], found.one_in) == (3000, 3000, 6)
    assert dict(found.by_rule)["a"] == pytest.approx(900, abs=200)
    assert sum(n for _, n in found.by_rule) == pytest.approx(3000, abs=2)
    assert found.by_carrier == (("zhongtong", 3000),)


def test_with_nothing_ahead_everything_is_nought(world):
    assert tally(world, 2 * HOUR) == Tally(0, (0, 0), (), (), (), 1, 0)


def test_the_sources_say_how_they_are(world):
    state = providers.ProviderState("k100", "down", since=at(-1), last_good_at=at(-2), last_error="连不上")
    world.store.write_now(lambda conn: providers.save(conn, state))
    world.import_("Z1")
    world.due_now()
    [source] = world.store.read_now(lambda conn: now.sources(conn, world.now))
    assert (source.name, source.state, source.since, source.waiting) == ("k100", "down", at(-1), 1)
