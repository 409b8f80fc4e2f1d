"""A parcel as it stands: everything around it, in few statements, exactly as it was kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, update

from domain.findings import ClockReading, Stage, Step
from domain.journey import Journey, OpenException
from domain.tickets import TicketState
from domain.tracking import ExceptionKind, Milestone
from monitor.store import findings, parcels, polls, schema
from tests.store.given import (
    T0,
    H,
    a_finding,
    a_parcel,
    column,
    due,
    incoming,
    loaded,
    many_parcels,
    open_finding,
    open_ticket,
    take,
)

JOURNEY = Journey(
    first={Milestone.PICKED_UP: T0}, last={Milestone.PICKED_UP: T0}, milestone=Milestone.PICKED_UP, events=1
)
CLOCK = ClockReading("late_pickup", "flagship", started_at=T0, limit=24 * H, deadline=T0 + 24 * H)


def save(store, parcel_id, now=T0, **fields):
    update = parcels.Update(parcel_id, **fields)
    store.write_now(lambda conn: parcels.save(conn, [update], now))


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement that goes to a database meanwhile."""
    seen: list[str] = []

    def note(conn, cursor, statement, *_):
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def test_what_is_kept_is_loaded(database):
    parcel_id = a_parcel(database)
    save(
        database,
        parcel_id,
        journey=JOURNEY,
        observed_at=T0 + H,
        answer_hash="abc",
        clocks=(CLOCK,),
        policy_version="v2",
    )
    found = loaded(database, parcel_id)
    assert found.case.journey == JOURNEY
    assert found.case.observed_at == T0 + H
    assert (found.answer_hash, found.policy_version, found.version) == ("abc", "v2", 1)
    assert database.read_now(lambda conn: parcels.clocks(conn, parcel_id)) == (CLOCK,)
    assert column(database, "SELECT milestone FROM parcels") == ["picked_up"]


def test_what_is_not_named_stays_and_the_version_grows(database):
    parcel_id = a_parcel(database)
    save(database, parcel_id, journey=JOURNEY, answer_hash="abc", why="等待揽收", clocks=(CLOCK,))
    save(database, parcel_id, policy_version="v3")
    found = loaded(database, parcel_id)
    assert (found.case.journey, found.answer_hash, found.why) == (JOURNEY, "abc", "等待揽收")
    assert (found.policy_version, found.version) == ("v3", 2)


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [(T0, T0 + H, T0 + H), (T0 + H, T0, T0 + H), (None, T0, T0), (T0, None, T0), (None, None, None)],
)
def test_silence_once_proven_stays_proven(database, first, second, kept):
    parcel_id = a_parcel(database)
    save(database, parcel_id, observed_at=first)
    save(database, parcel_id, observed_at=second)
    assert loaded(database, parcel_id).case.observed_at == kept


def test_an_answer_that_repeats_the_last_one_proves_silence_too(database):
    parcel_id = a_parcel(database)
    save(database, parcel_id, observed_at=T0)
    quiet = polls.Quiet(parcel_id, T0 + H, T0 + 2 * H, T0 + H)
    database.write_now(lambda conn: polls.unchanged(conn, [quiet]))
    found = loaded(database, parcel_id)
    assert (found.case.observed_at, found.next_poll_at, found.version) == (T0 + H, T0 + 2 * H, 1)
    assert found.asked_at == T0 + H


def test_a_parcel_is_done_from_the_first_time_it_was_and_not_once_it_is_watched_again(database):
    parcel_id = a_parcel(database)

    def done_at():
        return column(database, "SELECT done_at FROM parcels")

    save(database, parcel_id, state="done", why="签收", done_at=T0)
    [first] = done_at()
    save(database, parcel_id, state="done", why="签收", done_at=T0 + H)
    assert done_at() == [first]
    save(database, parcel_id, state="watched", why="")
    assert done_at() == [None]
    assert loaded(database, parcel_id).why == ""


def test_the_open_findings_and_the_live_ticket_come_along(database):
    parcel_id, other = many_parcels(database, 2)
    standing = open_finding(database, parcel_id, step=2)
    ended = open_finding(database, parcel_id, "fake_shipment")
    open_finding(database, other)
    ending = findings.Ended(ended, findings.FindingState.CLEARED, T0)
    database.write_now(lambda conn: findings.end(conn, [ending]))
    ticket = open_ticket(database, parcel_id, standing)
    database.write_now(lambda conn: findings.told(conn, [(standing, 2)]))
    found = loaded(database, parcel_id)
    [only] = found.open
    assert only.finding == a_finding(step=2)
    assert (only.id, only.told_step, only.ticket_id) == (standing, 2, ticket.id)
    assert (only.found_at, only.warned_at, only.breached_at) == (T0 + H, T0 + H, None)
    assert found.ticket == parcels.LiveTicket(ticket.id, ticket.number, TicketState.OPEN, 0, told=False)
    assert loaded(database, other).ticket is None


def test_a_finding_is_loaded_as_it_was_kept(database):
    whole = a_finding(
        "transit_stagnation",
        stage=Stage.BREACH,
        deadline=T0 + 48 * H,
        limit=48 * H,
        step=3,
        severity=7,
        notify=False,
        evidence={"站点": "杭州转运中心", "last": "到达"},
    )
    parcel_id = a_parcel(database)
    database.write_now(lambda conn: findings.open_(conn, [findings.NewFinding(parcel_id, whole, T0)]))
    [only] = loaded(database, parcel_id).open
    assert only.finding == whole


def test_a_thousand_parcels_cost_as_many_statements_as_one(database, statements):
    ids = many_parcels(database, 1000)
    statements.clear()
    found = database.read_now(lambda conn: parcels.load(conn, ids))
    assert [each.id for each in found] == ids
    assert len([each for each in statements if each.lstrip().upper().startswith("SELECT")]) <= 5


def test_parcels_come_in_the_order_asked_once_each_and_unknown_ones_not_at_all(database):
    first, second, third = many_parcels(database, 3)
    found = database.read_now(lambda conn: parcels.load(conn, [third, 999_999, first, third, second]))
    assert [each.id for each in found] == [third, first, second]
    assert database.read_now(lambda conn: parcels.load(conn, [])) == []


def test_a_number_is_found_with_or_without_its_carrier(database):
    zhongtong, yuantong = (
        taken.parcel_ids[0]
        for taken in take(database, incoming("o1", "zhongtong/N1"), incoming("o2", "yuantong/N1"))
    )
    find = parcels.find
    assert database.read_now(lambda conn: find(conn, "N1", "yuantong")) == [yuantong]
    assert sorted(database.read_now(lambda conn: find(conn, "N1"))) == sorted([zhongtong, yuantong])
    assert database.read_now(lambda conn: find(conn, "N2")) == []


def test_many_are_kept_at_once(database):
    ids = many_parcels(database, 1200)
    updates = [parcels.Update(id_, journey=JOURNEY, state="done", done_at=T0) for id_ in ids]
    database.write_now(lambda conn: parcels.save(conn, updates, T0))
    assert column(database, "SELECT DISTINCT version FROM parcels WHERE state = 'done'") == [1]
    assert due(database, *(parcels.Due(id_, "k100", T0, T0 + H) for id_ in ids)) == 1200


def test_clocks_keep_their_steps(database):
    parcel_id = a_parcel(database)
    steps = (Step(Stage.WARNING, T0 + 16 * H, 8 * H), Step(Stage.BREACH, T0 + 24 * H, timedelta(0)))
    clock = ClockReading("late_pickup", "flagship", started_at=T0, limit=24 * H, steps=steps)
    save(database, parcel_id, clocks=(clock,))
    assert database.read_now(lambda conn: parcels.clocks(conn, parcel_id)) == (clock,)
    assert database.read_now(lambda conn: parcels.clocks(conn, 999_999)) == ()


class TestNeighbours:
    """Other uses of a number come with the parcel, and other numbers of its orders where it was sent on."""

    HANGZHOU = {"receiver_province": "浙江", "receiver_city": "杭州市"}
    CHENGDU = {"receiver_province": "四川", "receiver_city": "成都市"}

    def test_a_number_used_once_has_none(self, database):
        assert loaded(database, a_parcel(database)).case.neighbours == ()

    def test_every_use_with_its_place_and_moment(self, database):
        [first, _] = take(
            database,
            incoming("o1", "Z1", **self.HANGZHOU),
            incoming("o2", "Z1", shipped_at=T0 + 9 * H, **self.CHENGDU),
        )
        uses = loaded(database, first.parcel_ids[0]).case.neighbours
        assert [(use.order_no, use.province, use.city, use.at) for use in uses] == [
            ("o1", "浙江", "杭州市", T0 - 2 * H),
            ("o2", "四川", "成都市", T0 + 9 * H),
        ]

    @pytest.mark.parametrize(
        ("tails", "phones"),
        [(("1234", "1234"), [1, 1]), (("1234", "9876"), [1, 2]), (("1234", ""), [1, 0]), (("", ""), [0, 0])],
    )
    def test_phones_are_compared_and_no_digit_leaves_the_store(self, database, tails, phones):
        rows = [incoming(f"o{n}", "Z1", tail=tail) for n, tail in enumerate(tails)]
        [first, _] = take(database, *rows)
        case = loaded(database, first.parcel_ids[0]).case
        assert [use.phone for use in case.neighbours] == phones
        assert "1234" not in repr(case)

    def test_an_order_that_got_another_number_is_none(self, database):
        [first, _] = take(database, incoming("o1", "Z1"), incoming("o2", "Z1"))
        take(database, incoming("o2", "Z2", known=T0 + H))
        assert loaded(database, first.parcel_ids[0]).case.neighbours == ()

    def test_a_purged_phone_does_no_harm(self, database):
        [first, _] = take(database, incoming("o1", "Z1", tail="1234"), incoming("o2", "Z1", tail="9876"))
        database.write_now(lambda conn: conn.execute(update(schema.orders).values(phone_tail=None)))
        assert [use.phone for use in loaded(database, first.parcel_ids[0]).case.neighbours] == [0, 0]

    def test_other_numbers_are_read_for_a_parcel_that_was_sent_on(self, database, statements):
        [taken] = take(database, incoming("o1", "Z1", "Z2"))
        here, other = taken.parcel_ids
        assert loaded(database, here).case.siblings is None
        sent_on = replace(JOURNEY, forwarded=OpenException(ExceptionKind.FORWARDED, T0, "新单号为 Z2"))
        save(database, here, journey=sent_on)
        assert loaded(database, here).case.siblings == {"Z2"}
        assert loaded(database, other).case.siblings is None

    def test_no_statement_is_spent_on_the_others(self, database, statements):
        take(database, incoming("o1", "Z1", tail="1234"), incoming("o2", "Z1", tail="9876"))
        ids = many_parcels(database, 3)
        statements.clear()
        database.read_now(lambda conn: parcels.load(conn, ids))
        assert len([each for each in statements if each.lstrip().upper().startswith("SELECT")]) <= 4
