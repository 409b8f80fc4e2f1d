"""Judging (laws L1–L6; features C6, C7, D1, G1, G8): what opens, what is told, how it ends, once each.

The rules are those of `tests/simulated.py`: paid at -2, so `late_pickup` warns after 16 h and 20 h and is
broken after 22 h; picked up at 0, `transit_stagnation` warns after 24 h and 40 h and is broken after 48 h.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.journey import condense
from domain.messages import MessageKind
from domain.orders import OrderStatus, Waybill
from domain.remote import Outcome
from domain.tickets import TicketState
from domain.time import to_micros
from monitor.store import outbox, parcels, tickets
from monitor.store.database import Database
from monitor.store.outbox import MessageState
from monitor.store.parcels import Incoming
from monitor.telling.routing import Route
from rules.policy import Change, PolicySpec
from rules.values import parse_limit
from tests.conftest import opened
from tests.simulated import (
    HUB,
    LOST,
    OUT,
    PICKED,
    SIGNED,
    Robot,
    Scan,
    World,
    at,
    book,
    order,
    scans,
)

SECOND = 1 / 3600
TO_BOTH = (Route(("ops", "qq"), {}),)
BREACHES_TO_QQ = (Route(("ops",), {}), Route(("qq",), {"stage": frozenset({"breach"})}))


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops"), Robot("qq")], TO_BOTH)


def look(world: World, parcel: int, hour: float, *told: Scan) -> Any:
    """At that hour the carrier has just told all it knows."""
    world.set(hour)
    return world.settle(parcel, journey=condense(scans(*told)), observed_at=at(hour))


def stages(world: World, parcel: int) -> dict[str, tuple[str, int]]:
    """Open findings: stage and step by rule."""
    return {rule: (found.stage.value, found.step) for rule, found in world.open_findings(parcel).items()}


def said(world: World, channel: str = "ops") -> list[str]:
    """What was written for a channel: kind and first words, in order."""
    rows = world.store.read_now(lambda conn: outbox.waiting(conn, channel, at(10_000), 1000))
    return [row.message.title.split(" · ")[0] for row in sorted(rows, key=lambda row: row.id)]


def live_tickets(world: World) -> list[dict[str, Any]]:
    return world.store.read_now(lambda conn: tickets.listing(conn))


def move(world: World, number: str, to: TicketState) -> None:
    """A person takes a step."""

    def work(conn: Any) -> bool:
        ticket = tickets.by_number(conn, number)
        assert ticket is not None
        return tickets.move(conn, ticket.id, to=to, version=ticket.version, at=world.now, by="小王")

    assert world.store.write_now(work)


# ── silence is proven, never assumed (L1) ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("now", "seen", "expected"),
    [
        pytest.param(100, None, {}, id="nobody has looked yet"),
        pytest.param(100, 15.9, {}, id="looked before the first step"),
        pytest.param(100, 16, {}, id="on the dot is not yet more than"),
        pytest.param(100, 16 + SECOND, {"late_pickup": ("warning", 1)}, id="a second later"),
        pytest.param(100, 22, {"late_pickup": ("warning", 2)}, id="the limit on the dot"),
        pytest.param(100, 22 + SECOND, {"late_pickup": ("breach", 3)}, id="a second over the limit"),
        pytest.param(16, 100, {}, id="no look reaches into the future"),
    ],
)
def test_a_finding_opens_only_for_silence_that_was_observed(
    world: World, now: float, seen: float | None, expected: dict[str, tuple[str, int]]
) -> None:
    parcel = world.import_("Z1")
    world.set(now)
    done = world.settle(parcel, observed_at=None if seen is None else at(seen))
    assert stages(world, parcel) == expected
    assert (done.opened, done.tickets, done.messages) == (len(expected), len(expected), 2 * len(expected))


def test_a_deadline_without_a_look_only_brings_the_question_forward(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 1)
    asked_for = world.loaded(parcel).next_poll_at
    assert asked_for is not None
    assert asked_for > at(2)
    world.set(16.5)
    before = world.counts()
    assert world.tick().parcels == 1
    assert world.counts() == before, "no finding, no ticket, no message"
    assert world.loaded(parcel).next_poll_at == asked_for < world.now, "asked at once, in its old place"
    assert world.tick().parcels == 0, "and not judged again before the answer"


def test_the_work_of_a_tick_is_what_is_due(world: World) -> None:
    world.import_many(30)
    assert world.tick().parcels == 30
    assert world.tick().parcels == 0
    world.set(1)
    assert world.tick().parcels == 0


def test_the_shops_clock_is_read_at_the_shops_last_word(world: World) -> None:
    """L1: paid → shipped waits for the order source, not for the carrier."""
    parcel = world.import_("Z1", paid=-40, shipped=None, known=-10)
    look(world, parcel, 20)
    assert "late_shipment" not in stages(world, parcel)
    world.set(20)
    assert world.import_("Z1", paid=-40, shipped=None, known=20) == parcel
    assert stages(world, parcel)["late_shipment"] == ("breach", 2)


# ── one ticket, one message per channel and step ─────────────────────────────────────────────────


def test_each_step_is_told_once_in_each_channel_and_all_of_it_is_one_ticket(world: World) -> None:
    parcel = world.import_("Z1")
    numbers = set()
    for hour, count in ((15, 0), (16.5, 1), (17, 1), (20.5, 2), (23, 3), (30, 3)):
        look(world, parcel, hour)
        keys = world.column("SELECT key FROM outbox ORDER BY id")
        assert len(keys) == len(set(keys)) == 2 * count
        numbers |= {ticket["number"] for ticket in live_tickets(world)}
    assert len(numbers) == 1
    assert [each["rules"] for each in live_tickets(world)] == [["late_pickup"]]
    assert world.counts()["findings"] == 1


@pytest.mark.parametrize("hour", [15, 16.5, 20.5, 23, 60])
def test_judging_twice_says_nothing_new(world: World, hour: float) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, hour)
    before = (world.counts(), world.rows("SELECT * FROM findings"), world.rows("SELECT * FROM outbox"))
    again = look(world, parcel, hour)
    assert (again.opened, again.grown, again.ended, again.tickets, again.messages) == (0, 0, 0, 0, 0)
    world.settle(parcel)
    assert (
        world.counts(),
        world.rows("SELECT * FROM findings"),
        world.rows("SELECT * FROM outbox"),
    ) == before


def test_steps_that_were_slept_through_are_one_message(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 23)
    assert said(world) == ["[紧急] 中通快递 Z1 揽收超时 已 25 小时（限 24 小时）"]
    assert stages(world, parcel) == {"late_pickup": ("breach", 3)}


def test_everything_a_person_needs_is_in_the_ticket(world: World) -> None:
    parcel = world.import_("Z1", receiver_city="深圳市", warehouse="华南仓")
    look(world, parcel, 0, (0, PICKED))
    look(world, parcel, 59, (0, PICKED))
    [ticket] = live_tickets(world)
    detail = world.store.read_now(lambda conn: tickets.detail(conn, ticket["number"]))
    assert detail is not None
    assert detail.ticket.summary == "中通快递 Z1 中转停滞 已 59 小时（限 48 小时）"
    [filled] = detail.ticket.filled["orders"]
    assert (filled["order_no"], filled["shop"], filled["receiver_city"]) == ("O-Z1", "旗舰店", "深圳市")
    assert filled["paid_at"] == at(-2).isoformat()
    assert [(entry.kind.value, entry.text.split(" ")[0]) for entry in detail.entries] == [
        ("opened", "中通快递"),
        ("finding", "中转停滞"),
        ("finding", "支付到签收过长"),
    ]
    assert {each.finding.rule for each in detail.findings} == {"transit_stagnation", "slow"}
    assert sorted(said_.channel for said_ in detail.messages) == ["ops", "qq"]


def test_a_worse_finding_joins_the_ticket_and_heads_it(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 25, (0, PICKED))
    look(world, parcel, 26, (0, PICKED), (25.5, LOST))
    [ticket] = live_tickets(world)
    assert ticket["rules"] == ["lost", "transit_stagnation"]
    assert world.column("SELECT summary FROM tickets") == ["中通快递 Z1 快件丢失"]
    assert said(world)[-1] == "[紧急] 中通快递 Z1 快件丢失"


# ── the lesser is silent under the worse, and speaks when that one ends (C6) ─────────────────────


def test_a_lesser_finding_is_silent_under_a_worse_one_and_speaks_after_it(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 59, (0, PICKED))
    assert stages(world, parcel) == {"transit_stagnation": ("breach", 3), "slow": ("breach", 2)}
    assert said(world) == ["[紧急] 中通快递 Z1 中转停滞 已 59 小时（限 48 小时）"]
    assert world.rows("SELECT rule, silenced_by FROM findings ORDER BY rule") == [
        ("slow", "transit_stagnation"),
        ("transit_stagnation", ""),
    ]
    [row] = world.store.read_now(lambda conn: outbox.waiting(conn, "ops", at(99), 9))
    assert ("同时", "支付到签收过长") in row.message.facts

    look(world, parcel, 60, (0, PICKED), (59.5, OUT))
    assert stages(world, parcel) == {"slow": ("breach", 2)}
    assert said(world)[-1] == "[提醒] 中通快递 Z1 支付到签收过长 已 62 小时（限 60 小时）"
    assert world.column("SELECT silenced_by FROM findings WHERE rule = 'slow'") == [""]
    assert len(live_tickets(world)) == 1, "something still stands"
    assert look(world, parcel, 60, (0, PICKED), (59.5, OUT)).messages == 0


def test_what_was_said_of_the_lesser_is_not_said_again(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 40.5, (0, PICKED), (39, HUB))
    for hour, told in ((47, []), (48, [(47.5, LOST)]), (49, [])):
        look(world, parcel, hour, (0, PICKED), (39, HUB), *told)
        world.deliver()
    assert [title.split(" ")[3] for title in world.groups["ops"].titles] == ["支付到签收过长", "快件丢失"]
    assert stages(world, parcel) == {"slow": ("warning", 1)}


def test_a_group_that_never_hears_of_the_worse_hears_of_the_lesser(database: Database) -> None:
    """L9: silence is kept where somebody else speaks for it, not where nobody does."""
    shop = Route(("qq",), {"rule": frozenset({"slow"})})
    world = World(database, [Robot("ops"), Robot("qq")], [Route(("ops",), {}), shop])
    parcel = world.import_("Z1")
    look(world, parcel, 59, (0, PICKED))
    assert look(world, parcel, 59.5, (0, PICKED)).messages == 0, "once"
    assert [line.split(" ")[3] for line in said(world, "ops")] == ["中转停滞"]
    assert [line.split(" ")[3] for line in said(world, "qq")] == ["支付到签收过长"]
    look(world, parcel, 60, (0, PICKED), (59.5, OUT))
    world.deliver()
    assert [title.split(" ")[3] for title in world.groups["ops"].titles] == ["支付到签收过长"]
    assert len(world.groups["qq"].titles) == 1, "not a second time when the worse has ended"


# ── how it ends (C6, G8) ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("told", "state", "ended_at", "first_words"),
    [
        pytest.param([(23.5, PICKED)], "cleared", 23.5, "[恢复]", id="it moved, late"),
        pytest.param([(10, PICKED)], "retracted", 10, "[撤回]", id="a back-dated scan: it never was true"),
    ],
)
def test_a_finding_ends_by_itself_and_so_does_its_ticket(
    world: World, told: list[Scan], state: str, ended_at: float, first_words: str
) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 23)
    world.run(world.deliverer.tick)
    done = look(world, parcel, 24, *told)
    assert (done.ended, done.messages) == (1, 2)
    assert world.rows("SELECT state, ended_at FROM findings") == [(state, to_micros(at(ended_at)))]
    assert world.rows("SELECT state, resolved_by FROM tickets") == [("resolved", "parcelwatch")]
    world.run(world.deliverer.tick)
    for channel in ("ops", "qq"):
        assert [title[:4] for title in world.groups[channel].titles] == ["[紧急]", first_words]
    assert look(world, parcel, 25, *told).messages == 0


def close_order(world: World, status: OrderStatus) -> None:
    row = Incoming(replace(order("Z1"), status=status), (Waybill("zhongtong", "Z1"),), "", world.now)

    def work(conn: Any) -> None:
        [taken] = parcels.intake(conn, [row], world.now)
        world.sweep.settle(conn, world.sweep.looks(conn, taken.parcel_ids), world.now)

    world.store.write_now(work)


@pytest.mark.parametrize("status", [OrderStatus.CLOSED, OrderStatus.FINISHED, OrderStatus.REFUNDED])
def test_nobody_waits_any_more(world: World, status: OrderStatus) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 23)
    world.run(world.deliverer.tick)
    world.set(24)
    close_order(world, status)
    assert world.column("SELECT state FROM findings") == ["expired"]
    assert world.column("SELECT state FROM tickets") == ["resolved"]
    world.run(world.deliverer.tick)
    assert [title[:4] for title in world.groups["ops"].titles] == ["[紧急]", "[结束]"]
    loaded = world.loaded(parcel)
    assert (loaded.state, loaded.next_poll_at, loaded.next_deadline_at) == ("done", None, None)


def test_the_end_is_told_only_where_the_alarm_was(database: Database) -> None:
    world = World(database, [Robot("ops"), Robot("qq")], BREACHES_TO_QQ)
    parcel = world.import_("Z1")
    look(world, parcel, 17)
    world.run(world.deliverer.tick)
    look(world, parcel, 18, (17.5, PICKED))
    world.run(world.deliverer.tick)
    assert [title[:4] for title in world.groups["ops"].titles] == ["[预警]", "[恢复]"]
    assert world.groups["qq"].titles == []


def test_what_ended_before_it_was_said_is_never_said(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 17)
    look(world, parcel, 18, (17.5, PICKED))
    assert world.states() == {"dropped": 2}
    assert world.run(world.deliverer.tick) == 0
    assert world.column("SELECT state FROM tickets") == ["resolved"]


def test_a_warning_that_was_overtaken_by_the_breach_is_never_said(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 17)
    look(world, parcel, 23)
    world.run(world.deliverer.tick)
    assert world.groups["ops"].titles == [
        f"[紧急] 中通快递 Z1 揽收超时 已 25 小时（限 24 小时） · {live_tickets(world)[0]['number']}"
    ]
    assert world.states() == {"dropped": 2, "sent": 2}


def test_a_group_that_hears_of_warnings_only_keeps_the_one_the_breach_overtook(database: Database) -> None:
    """Its robot was slow; nothing else would ever name the parcel there."""
    routes = (
        Route(("ops",), {"stage": frozenset({"breach"})}),
        Route(("qq",), {"stage": frozenset({"warning"})}),
    )
    world = World(database, [Robot("ops"), Robot("qq")], routes)
    parcel = world.import_("Z1")
    look(world, parcel, 17)
    look(world, parcel, 23)
    world.run(world.deliverer.tick)
    assert [title[:4] for title in world.groups["ops"].titles] == ["[紧急]"]
    assert [title[:4] for title in world.groups["qq"].titles] == ["[预警]"]


def test_an_alarm_whose_receipt_was_lost_may_have_been_heard(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 17)
    for channel in ("ops", "qq"):
        world.groups[channel].answers.append("lost, but heard")
    world.run(world.deliverer.tick)
    look(world, parcel, 18, (17.5, PICKED))
    world.run(lambda: world.repeat(world.deliverer.tick, seconds=60))
    assert [title[:4] for title in world.groups["ops"].titles] == ["[预警]", "[恢复]"]


def test_one_of_several_ends_and_the_ticket_stays(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 59, (0, PICKED))
    done = look(world, parcel, 60, (0, PICKED), (59.5, OUT))
    assert done.ended == 1
    assert [each["state"] for each in live_tickets(world)] == ["open"]


# ── people ───────────────────────────────────────────────────────────────────────────────────────


def test_after_a_person_resolved_it_a_worse_finding_is_a_new_ticket(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 25, (0, PICKED))
    [first] = live_tickets(world)
    move(world, first["number"], TicketState.RESOLVED)
    assert look(world, parcel, 30, (0, PICKED)).tickets == 0, "nothing new: no new ticket"
    assert live_tickets(world) == []
    look(world, parcel, 50, (0, PICKED))
    [second] = live_tickets(world)
    assert second["number"] != first["number"]
    assert said(world)[-1].startswith("[紧急] 中通快递 Z1 中转停滞 已 50 小时")
    assert world.column("SELECT state FROM tickets ORDER BY id") == ["resolved", "open"]


def test_what_a_person_resolved_ends_without_a_word(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 17)
    world.run(world.deliverer.tick)
    move(world, live_tickets(world)[0]["number"], TicketState.RESOLVED)
    assert look(world, parcel, 18, (17.5, PICKED)).messages == 0
    assert world.column("SELECT state FROM findings") == ["cleared"]


def test_an_acknowledged_ticket_resolves_by_itself_too(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 17)
    move(world, live_tickets(world)[0]["number"], TicketState.ACKNOWLEDGED)
    look(world, parcel, 18, (17.5, PICKED))
    assert world.column("SELECT state FROM tickets") == ["resolved"]


def test_news_of_a_parcel_is_a_line_of_its_ticket(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 25, (0, PICKED))
    world.carrier.says("Z1", (0, PICKED), (25.5, LOST))
    world.set(26)
    world.store.write_now(lambda conn: parcels.reschedule(conn, [parcels.Due(parcel, "k100", at(26), None)]))
    world.poll()
    assert world.column("SELECT text FROM ticket_entries WHERE kind = 'scan'") == ["lost 25.5"]


# ── who can be asked ─────────────────────────────────────────────────────────────────────────────


def test_a_parcel_nobody_answers_for_is_watched_by_the_shops_word_alone(world: World) -> None:
    parcel = world.import_("Y1", carrier="yuantong", paid=-50, shipped=None, known=0)
    loaded = world.loaded(parcel)
    assert stages(world, parcel) == {"late_shipment": ("breach", 2)}
    assert (loaded.provider, loaded.next_poll_at, loaded.state) == ("", None, "watched")
    world.set(100)
    assert world.tick().opened == 0, "nobody looked at the carrier"


def test_a_parcel_is_done_a_day_after_its_signature(world: World) -> None:
    """A station may take a signature back within the day (`facts/carriers.md`, realities)."""
    parcel = world.import_("Z1")
    look(world, parcel, 5, (0, PICKED), (4, SIGNED))
    assert (world.loaded(parcel).state, world.loaded(parcel).next_poll_at) == ("watched", at(28))
    look(world, parcel, 28.5, (0, PICKED), (4, SIGNED))
    loaded = world.loaded(parcel)
    assert (loaded.state, loaded.why, loaded.next_poll_at, loaded.next_deadline_at) == (
        "done",
        "签收",
        None,
        None,
    )


def test_after_sixty_days_of_silence_nobody_asks_any_more(world: World) -> None:
    """`facts/carriers-kuaidi100.md`: 60 days without change."""
    parcel = world.import_("Z1")
    look(world, parcel, 60 * 24, (0, PICKED))
    assert world.loaded(parcel).state == "watched"
    look(world, parcel, 60 * 24 + 1, (0, PICKED))
    assert (world.loaded(parcel).state, world.loaded(parcel).next_poll_at) == ("done", None)


def test_a_number_the_shop_replaced_is_let_go_with_its_reason(world: World) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, 17)
    world.set(18)
    row = Incoming(order("Z1"), (Waybill("zhongtong", "Z9"),), "", at(18))
    world.store.write_now(lambda conn: parcels.intake(conn, [row], at(18)))
    world.tick()
    loaded = world.loaded(parcel)
    assert (loaded.state, loaded.why) == ("unwatched", "商家已把运单号换成 Z9")
    assert world.rows("SELECT state FROM findings WHERE parcel_id = :p", p=parcel) == [("expired",)]
    assert live_tickets(world) == []
    assert loaded.next_poll_at is None


# ── the policy changes ───────────────────────────────────────────────────────────────────────────


def limited(limit: str | None = None, **switch: bool) -> PolicySpec:
    """A merchant's word on `late_pickup`."""
    return PolicySpec(
        "本店", rules={"late_pickup": Change(limit=None if limit is None else parse_limit(limit), **switch)}
    )


@pytest.mark.parametrize(
    ("policy", "seen", "stage", "state"),
    [
        pytest.param(limited("12h"), 14, None, "open", id="stricter: found at once, without a new look"),
        pytest.param(limited("72h"), 23, "breach", "expired", id="looser: it holds no more"),
        pytest.param(limited(watch=False), 23, "breach", "expired", id="switched off"),
        pytest.param(limited("23h"), 23, "breach", "open", id="still too late"),
        pytest.param(limited("24.5h"), 23, "breach", "open", id="still too late under a later limit"),
    ],
)
def test_a_new_policy_judges_again(
    world: World, policy: PolicySpec, seen: float, stage: str | None, state: str
) -> None:
    parcel = world.import_("Z1")
    look(world, parcel, seen)
    assert stages(world, parcel).get("late_pickup", (None,))[0] == stage
    world.judge(book(policy))
    world.settle(parcel)
    assert world.column("SELECT state FROM findings") == [state]
    assert world.loaded(parcel).policy_version == world.sweep.book.version
    assert bool(live_tickets(world)) is (state == "open")
    if state == "open":
        said_by = world.open_findings(parcel)["late_pickup"].policy
        assert said_by == "本店.late_pickup", "every number says where it came from (L8)"


def test_a_rule_that_is_not_to_be_told_opens_no_ticket(world: World) -> None:
    parcel = world.import_("Z1")
    world.judge(book(limited(notify=False)))
    done = look(world, parcel, 23)
    assert (done.opened, done.tickets, done.messages) == (1, 0, 0)
    assert stages(world, parcel) == {"late_pickup": ("breach", 3)}


# ── laws over generated histories, on both databases ─────────────────────────────────────────────

WHAT = st.sampled_from([PICKED, HUB, OUT, SIGNED, LOST])
STEP = st.fixed_dictionaries(
    {
        "after": st.floats(0.1, 30),
        "scan": st.none() | st.tuples(WHAT, st.floats(0, 40)),
        "seen": st.booleans(),
        "deliver": st.booleans(),
        "status": st.none() | st.sampled_from([OrderStatus.SHIPPED, OrderStatus.CLOSED]),
    }
)
SHOWN = (
    "SELECT rule, stage, step, state, told_step, silenced_by, started_at, crossed_at, ended_at, ended_by, evidence "
    "FROM findings WHERE parcel_id = :p ORDER BY id",
    "SELECT state, told, summary, resolution, opened_at, resolved_at FROM tickets WHERE parcel_id = :p ORDER BY id",
    "SELECT kind, author, text, at FROM ticket_entries WHERE ticket_id IN "
    "(SELECT id FROM tickets WHERE parcel_id = :p) ORDER BY id",
    "SELECT channel, kind, urgency, state FROM outbox WHERE ticket_id IN "
    "(SELECT id FROM tickets WHERE parcel_id = :p) ORDER BY id",
    "SELECT provider, next_poll_at, next_deadline_at, patience FROM due WHERE parcel_id = :p",
    "SELECT state, why, observed_at, milestone, last_event_at FROM parcels WHERE id = :p",
)


def live(world: World, number: str, steps: list[dict[str, Any]]) -> int:
    """A parcel's life as the steps tell it; after each one the laws hold."""
    world.set(0)
    parcel = world.import_(number)
    known: list[Scan] = []
    hour = 0.0
    for step in steps:
        hour += step["after"]
        world.set(hour)
        if step["scan"] is not None:
            what, ago = step["scan"]
            known.append((round(max(0.0, hour - ago), 3), what))
        if step["status"] is not None:
            changed = replace(order(number), status=step["status"])
            row = Incoming(changed, (Waybill("zhongtong", number),), "", world.now)
            world.store.write_now(lambda conn, row=row: parcels.intake(conn, [row], world.now))
        if step["seen"]:
            look(world, parcel, hour, *known)
        world.tick()
        assert world.settle(parcel).messages == 0, "nothing is said twice"
        the_laws_hold(world, parcel)
        if step["deliver"]:
            deliver_quietly(world)
    return parcel


def deliver_quietly(world: World) -> None:
    """Everything that waits was taken."""

    def work(conn: Any) -> None:
        for channel in ("ops", "qq"):
            for row in outbox.waiting(conn, channel, world.now, 100):
                outbox.begin(conn, [row.id], world.now)
                outbox.finish(conn, row.id, Outcome.TAKEN, "ok", world.now, state=MessageState.SENT)

    world.store.write_now(work)


def the_laws_hold(world: World, parcel: int) -> None:
    loaded = world.loaded(parcel)
    seen = loaded.case.observed_at
    assert (
        len(
            [
                ticket
                for ticket in live_tickets(world)
                if ticket["waybill_no"] == loaded.case.waybill.waybill_no
            ]
        )
        <= 1
    )
    for each in loaded.open:
        if each.finding.deadline is not None and each.finding.rule != "late_shipment":
            assert seen is not None, "nothing is claimed that was not observed (L1)"
            assert each.finding.crossed_at < min(seen, world.now)
        if each.told_step:
            assert each.ticket_id is not None
    assert loaded.next_deadline_at is None or loaded.next_deadline_at > world.now, (
        "what is due was judged (L2)"
    )
    told = world.rows(
        "SELECT finding_id, channel, key FROM outbox WHERE kind = :k", k=MessageKind.ALERT.value
    )
    assert len({key for *_, key in told}) == len(told)


@pytest.fixture
def both(sqlite_url: str, postgresql_url: str, tmp_path: Path) -> Iterator[list[World]]:
    """The same world on either database."""
    with opened(sqlite_url, tmp_path) as one, opened(postgresql_url, tmp_path) as other:
        yield [World(store, [Robot("ops"), Robot("qq")], TO_BOTH) for store in (one, other)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=6))
def test_both_databases_judge_alike(both: list[World], steps: list[dict[str, Any]]) -> None:
    rows = []
    for world in both:
        number = f"Z{world.column('SELECT count(*) FROM parcels')[0]}"
        parcel = live(world, number, steps)
        rows.append([world.rows(query, p=parcel) for query in SHOWN])
    assert rows[0] == rows[1]
