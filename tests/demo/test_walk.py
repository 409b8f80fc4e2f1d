"""Which ticket the walk takes as its example, and which of its steps the store says are done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from domain.findings import Finding, Stage
from domain.messages import Message, MessageKind
from domain.orders import Order, Waybill
from domain.remote import Outcome
from domain.tickets import EntryKind, TicketState
from monitor.demo.walk import Footsteps, Step, Walk, read_walk
from monitor.store import findings, outbox, parcels, tickets
from monitor.store.database import Database
from monitor.store.outbox import MessageState

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHO = "演示用户"
BROKEN = Finding(
    rule="transit_stagnation",
    stage=Stage.BREACH,
    started_at=NOON - 49 * HOUR,
    crossed_at=NOON - HOUR,
    policy="taobao_tmall.transit_stagnation",
    deadline=NOON - HOUR,
    limit=48 * HOUR,
    severity=70,
)
OWN = replace(BROKEN, policy="旗舰店从严.transit_stagnation")
WARNED = replace(BROKEN, stage=Stage.WARNING, deadline=NOON + HOUR)
TROUBLE = replace(BROKEN, rule="damaged", deadline=None, limit=None)


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with closing(Database.open(sqlite_url)) as opened:
        yield opened


def add(database: Database, finding: Finding, *, told: bool = True) -> str:
    """A parcel with this finding, and its ticket; the number. `told`: a group was told of it."""

    def work(conn: Connection) -> str:
        waybill = Waybill(
            "zhongtong", f"7581000000{conn.exec_driver_sql('SELECT count(*) FROM parcels').scalar():04d}"
        )
        order = Order(f"31{waybill.waybill_no}", platform="taobao_tmall", paid_at=NOON - 60 * HOUR)
        taken = parcels.intake(conn, [parcels.Incoming(order, (waybill,), "", NOON)], NOON)
        parcel = taken[0].parcel_ids[0]
        ids = findings.open_(conn, [findings.NewFinding(parcel, finding, NOON)])
        ticket = tickets.open_(
            conn, parcel_id=parcel, at=NOON, severity=70, summary="中转停滞", filled={}, finding_ids=ids
        )
        if told:
            tickets.told(conn, ticket.id)
        return ticket.number

    return database.write_now(work)


def send(database: Database, number: str) -> None:
    """A group was told of the ticket, and took it."""

    def work(conn: Connection) -> None:
        ticket = tickets.by_number(conn, number)
        assert ticket is not None
        message = Message(MessageKind.ALERT, f"[紧急] {number}")
        outbox.put(conn, [outbox.NewMessage(number, "ops", message, NOON, ticket_id=ticket.id)])
        row = outbox.by_key(conn, number)
        assert row is not None
        outbox.begin(conn, [row.id], NOON)
        outbox.finish(conn, row.id, Outcome.TAKEN, "errcode 0", NOON, state=MessageState.SENT)

    database.write_now(work)


def move(database: Database, number: str, to: TicketState, by: str = WHO) -> None:
    def work(conn: Connection) -> bool:
        ticket = tickets.by_number(conn, number)
        assert ticket is not None
        return tickets.move(conn, ticket.id, to=to, version=None, at=NOON, by=by)

    assert database.write_now(work)


def walk(database: Database, steps: Footsteps | None = None) -> Walk:
    return database.read_now(lambda conn: read_walk(conn, steps or Footsteps(), WHO, ("旗舰店从严",)))


def done(found: Walk) -> list[str]:
    return [step.what for step in found.steps if step.done]


def test_before_there_is_a_ticket_nothing_is_done_and_nothing_leads_anywhere(database: Database) -> None:
    found = walk(database)
    assert (found.number, done(found)) == ("", [])
    assert [step.path for step in found.steps if step.path.startswith(("/tickets", "/parcels"))] == []
    assert found.next == Step("ops", "alert", False, "#groups")


def test_the_example_is_the_newest_broken_limit_that_was_told(database: Database) -> None:
    add(database, BROKEN)
    wanted = add(database, BROKEN)
    for finding in (WARNED, TROUBLE):
        add(database, finding)
    add(database, BROKEN, told=False)
    assert walk(database).number == wanted


def test_a_limit_that_somebody_set_is_the_better_example(database: Database) -> None:
    wanted = add(database, OWN)
    add(database, BROKEN)
    assert walk(database).number == wanted


def test_where_no_limit_is_broken_any_live_ticket_will_do(database: Database) -> None:
    wanted = add(database, WARNED)
    assert walk(database).number == wanted


def test_the_one_that_was_opened_is_kept(database: Database) -> None:
    opened = add(database, WARNED)
    add(database, OWN)
    assert walk(database, Footsteps({"ticket"}, opened)).number == opened


def test_one_that_ended_by_itself_before_any_work_is_left_for_another(database: Database) -> None:
    opened, wanted = add(database, BROKEN), add(database, BROKEN)
    move(database, opened, TicketState.RESOLVED, by="")
    assert walk(database, Footsteps({"ticket"}, opened)).number == wanted


def test_steps_tick_themselves_off_by_what_was_written(database: Database) -> None:
    number = add(database, OWN)
    assert done(walk(database)) == []
    send(database, number)
    assert done(walk(database)) == ["alert"]
    steps = Footsteps()
    steps.note(f"/tickets/{number}")
    assert done(walk(database, steps)) == ["alert", "open"]
    move(database, number, TicketState.ACKNOWLEDGED)
    assert done(walk(database, steps)) == ["alert", "open", "ack"]
    move(database, number, TicketState.RESOLVED)
    found = walk(database, steps)
    assert done(found) == ["alert", "open", "ack", "resolve"]
    assert (found.number, found.next and found.next.what) == (number, "comment")


def test_what_others_wrote_is_nobodys_step(database: Database) -> None:
    number = add(database, OWN)
    move(database, number, TicketState.ACKNOWLEDGED, by="别人")
    assert done(walk(database)) == []


def test_a_comment_counts_in_whichever_ticket(database: Database) -> None:
    number = add(database, BROKEN)
    add(database, OWN)

    def write(conn: Connection) -> None:
        ticket = tickets.by_number(conn, number)
        assert ticket is not None
        tickets.entry(conn, ticket.id, NOON, EntryKind.COMMENT, author=WHO, text="已致电")

    database.write_now(write)
    assert done(walk(database)) == ["comment"]


def test_resolving_without_taking_it_first_counts_as_taken(database: Database) -> None:
    move(database, add(database, OWN), TicketState.RESOLVED)
    assert done(walk(database)) == ["ack", "resolve"]


def test_each_step_leads_to_its_place(database: Database) -> None:
    number = add(database, OWN)
    paths = {step.what: step.path for step in walk(database).steps}
    assert paths["ack"] == f"/tickets/{number}"
    assert paths["parcel"] == "/parcels/zhongtong/75810000000000"
    assert paths["policy"] == f"/demo/policy?ticket={number}"
