"""Rules on trial (feature E5): found and recorded, told to nobody; promoted by one word, and put back by one.

The rules are those of `tests/simulated.py`: paid at -2, so `late_pickup` warns after 16 h and 20 h and is
broken after 22 h, `late_shipment` is the shop's; picked up at 0, `transit_stagnation` is broken after 48 h.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.findings import Stage
from domain.journey import condense
from domain.orders import OrderStatus, Waybill
from domain.tickets import TicketState
from monitor.store import findings, outbox, parcels, tickets
from monitor.store.database import Database
from monitor.store.parcels import Incoming
from monitor.telling.routing import Route
from rules.policy import Change, PolicyBook, PolicySpec
from tests.simulated import LOST, OUT, PICKED, SIGNED, Robot, Scan, World, at, book, order, scans

ALL = ("late_pickup", "late_shipment", "transit_stagnation", "slow", "lost")


def on_trial(*rules: str) -> PolicyBook:
    """The world's rules, these of them on trial."""
    return book(PolicySpec("本店", rules={rule: Change(shadow=True) for rule in rules}))


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops"), Robot("qq")], (Route(("ops", "qq"), {}),))


def look(world: World, parcel: int, hour: float, *told: Scan) -> Any:
    """At that hour the carrier has just told all it knows."""
    world.set(hour)
    return world.settle(parcel, journey=condense(scans(*told)), observed_at=at(hour))


def judged(world: World, parcel: int, by: PolicyBook) -> Any:
    """The same facts under other rules."""
    world.judge(by)
    return world.settle(parcel)


def standing(world: World) -> list[tuple[str, bool, str, str]]:
    """Rule, on trial, state, and the ticket, of every finding there ever was."""
    rows = world.store.read_now(lambda conn: findings.listing(conn, all_=True))
    return [(row["rule"], row["shadow"], row["state"], row["ticket"]) for row in reversed(rows)]


def live(world: World) -> list[dict[str, Any]]:
    return world.store.read_now(tickets.listing)


def entries(world: World, kind: str) -> list[str]:
    return world.column("SELECT text FROM ticket_entries WHERE kind = :k ORDER BY id", k=kind)


def told(world: World) -> list[str]:
    """The first words of everything that waits for a group."""
    rows = world.store.read_now(lambda conn: outbox.waiting(conn, "ops", at(10_000), 1000))
    return [row.message.title for row in sorted(rows, key=lambda row: row.id)]


# ── found and recorded, told to nobody ───────────────────────────────────────────────────────────


def test_what_it_finds_is_a_row_and_nothing_else(world: World) -> None:
    parcel = world.import_("Z1")
    world.judge(on_trial(*ALL))
    for hour in (17, 21, 23, 59):
        done = look(world, parcel, hour)
        assert (done.tickets, done.messages) == (0, 0)
    assert standing(world) == [("late_pickup", True, "open", ""), ("slow", True, "open", "")]
    assert world.open_findings(parcel)["late_pickup"].stage is Stage.BREACH, "it grows like any other"
    assert world.counts() == {**dict.fromkeys(world.counts(), 0), "findings": 2}


def test_it_ends_like_any_other_and_nobody_hears_of_that(world: World) -> None:
    parcel = world.import_("Z1")
    world.judge(on_trial("late_pickup"))
    look(world, parcel, 23)
    look(world, parcel, 24, (23.5, PICKED))
    assert standing(world) == [("late_pickup", True, "cleared", "")]
    assert world.counts()["outbox"] == 0


def test_it_neither_opens_holds_nor_joins_the_ticket_of_another(world: World) -> None:
    parcel = world.import_("Z1")
    world.judge(on_trial("slow", "transit_stagnation"))
    look(world, parcel, 49, (0, PICKED))
    assert live(world) == []
    look(world, parcel, 50, (0, PICKED), (49, LOST))
    [ticket] = live(world)
    assert ticket["rules"] == ["lost"]
    assert ("transit_stagnation", True, "open", "") in standing(world)
    assert [line for line in entries(world, "finding") if "停滞" in line] == []
    look(world, parcel, 52, (0, PICKED))
    assert live(world) == [], "the ticket resolves, whatever the trial still finds"
    assert ("transit_stagnation", True, "open", "") in standing(world)


def test_it_silences_nothing(world: World) -> None:
    """The stall outweighs `slow`; on trial it does not."""
    parcel = world.import_("Z1")
    world.judge(on_trial("transit_stagnation"))
    look(world, parcel, 59, (0, PICKED))
    [title] = told(world)
    assert "支付到签收过长" in title
    assert world.column("SELECT silenced_by FROM findings WHERE rule = 'slow'") == [""]


@pytest.mark.parametrize("seen", [17, 23])
def test_nobody_waits_for_news_of_it(world: World, seen: float) -> None:
    """The questions are those of its clock: an open finding would have made them more frequent."""
    asked = []
    for number, rules in (("Z1", ALL), ("Z2", ())):
        parcel = world.import_(number)
        world.judge(on_trial(*rules))
        look(world, parcel, seen)
        asked.append(world.loaded(parcel).next_poll_at)
    on_its_own, in_earnest = asked
    assert on_its_own is not None
    assert in_earnest is not None
    assert on_its_own > in_earnest


def test_its_steps_are_looked_at_when_they_come(world: World) -> None:
    """A trial that did not look would not show what the rule finds."""
    moments = []
    for number, rules in (("Z1", ("late_pickup",)), ("Z2", ())):
        parcel = world.import_(number)
        world.judge(on_trial(*rules))
        look(world, parcel, 15)
        moments.append((world.loaded(parcel).next_poll_at, world.loaded(parcel).next_deadline_at))
    assert moments[0] == moments[1]


def test_its_limit_is_not_shown_as_coming(world: World) -> None:
    parcel = world.import_("Z1")
    shown = "SELECT limit_rule FROM due WHERE parcel_id = :p"
    look(world, parcel, 1)
    assert world.column(shown, p=parcel) == ["late_pickup"]
    judged(world, parcel, on_trial("late_pickup"))
    assert world.column(shown, p=parcel) == ["slow"]


def test_it_holds_up_no_end_and_ends_with_the_watch(world: World) -> None:
    """What a carrier reports as lost stands until a person says otherwise; of a trial nobody could."""
    parcel = world.import_("Z1")
    world.judge(on_trial(*ALL))
    look(world, parcel, 5, (0, PICKED), (4, LOST))
    assert standing(world) == [("lost", True, "open", "")]
    closed = Incoming(
        replace(order("Z1"), status=OrderStatus.CLOSED), (Waybill("zhongtong", "Z1"),), "", at(6)
    )
    world.set(6)
    world.store.write_now(lambda conn: parcels.intake(conn, [closed], at(6)))
    world.tick()
    assert world.loaded(parcel).state == "done"
    assert standing(world) == [("lost", True, "expired", "")]
    assert world.column("SELECT ended_by FROM findings") == ["不再监控：交易关闭"]


# ── promoted, and put on trial ───────────────────────────────────────────────────────────────────


def test_promoted_it_tells_what_stands_as_if_it_were_found_now(world: World) -> None:
    parcel = world.import_("Z1")
    world.judge(on_trial("late_pickup"))
    look(world, parcel, 23)
    world.set(30)
    done = judged(world, parcel, book())
    assert (done.opened, done.tickets, done.messages) == (1, 1, 2)
    [ticket] = live(world)
    assert standing(world) == [
        ("late_pickup", True, "expired", ""),
        ("late_pickup", False, "open", ticket["number"]),
    ]
    assert world.column("SELECT ended_by FROM findings WHERE shadow") == ["规则结束试运行，改为正式提醒"]
    assert judged(world, parcel, book()).messages == 0, "once"
    versions = world.column("SELECT policy_version FROM findings ORDER BY id")
    assert versions == [on_trial("late_pickup").version, book().version]


def test_promoted_beside_a_live_ticket_it_joins_it(world: World) -> None:
    parcel = world.import_("Z1")
    world.judge(on_trial("transit_stagnation"))
    look(world, parcel, 59, (0, PICKED))
    [before] = live(world)
    done = judged(world, parcel, book())
    [after] = live(world)
    assert (done.tickets, done.messages) == (0, 2)
    assert after["number"] == before["number"]
    assert after["rules"] == ["transit_stagnation", "slow"]


def test_put_on_trial_it_stays_recorded_and_the_ticket_says_why(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 23)
    [ticket] = live(world)
    judged(world, parcel, on_trial("late_pickup"))
    assert standing(world) == [
        ("late_pickup", False, "expired", ticket["number"]),
        ("late_pickup", True, "open", ""),
    ]
    assert entries(world, "cleared") == ["揽收超时：不再适用（规则改为试运行，只记录，不再提醒）"]
    assert live(world) == []
    assert told(world) == [], "nothing was out yet, so nothing is left to say"


def test_put_on_trial_beside_another_the_ticket_stays(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 59, (0, PICKED))
    judged(world, parcel, on_trial("transit_stagnation"))
    [ticket] = live(world)
    assert ticket["state"] == TicketState.OPEN
    assert ("slow", False, "open", ticket["number"]) in standing(world)
    [title] = told(world)
    assert "支付到签收过长" in title, "which it had silenced"


def test_promoted_again_after_it_was_told_it_is_told_again(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 23)
    judged(world, parcel, on_trial("late_pickup"))
    done = judged(world, parcel, book())
    assert (done.tickets, done.messages) == (1, 2)
    assert len(standing(world)) == 3


def test_not_to_be_told_is_another_switch(world: World) -> None:
    """`notify = false` keeps the finding in the ticket that another one opened; a trial does not."""
    parcel = world.import_("Z1")
    quiet = book(PolicySpec("本店", rules={"transit_stagnation": Change(notify=False)}))
    world.judge(quiet)
    look(world, parcel, 59, (0, PICKED))
    [ticket] = live(world)
    assert ("transit_stagnation", False, "open", ticket["number"]) in standing(world)


WHAT = st.sampled_from([PICKED, OUT, SIGNED, LOST])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.floats(0.5, 40), st.none() | WHAT, st.booleans()), min_size=1, max_size=6))
def test_with_every_rule_on_trial_nobody_hears_a_thing_and_as_much_is_found(
    database: Database, steps: list[tuple[float, Any, bool]]
) -> None:
    found = []
    for rules in (ALL, ()):
        world = World(database, [Robot("ops")])
        world.judge(on_trial(*rules))
        before = world.counts()
        parcel = world.import_(f"Z{world.column('SELECT count(*) FROM parcels')[0]}")
        hour, known = 0.0, []
        for after, what, seen in steps:
            hour += after
            if what is not None:
                known.append((hour - 0.25, what))
            world.set(hour)
            if seen:
                look(world, parcel, hour, *known)
            world.settle(parcel)
        if rules:
            assert {**world.counts(), "findings": before["findings"]} == before
        rows = (
            "SELECT rule, stage, step, started_at, crossed_at FROM findings WHERE parcel_id = :p ORDER BY id"
        )
        found.append(world.rows(rows, p=parcel))
    assert found[0] == found[1]
