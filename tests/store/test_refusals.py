"""What the database itself refuses, whoever asks: the last fence when two act at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from domain.remote import Outcome
from domain.tickets import TRANSITIONS, EntryKind, TicketState
from monitor.store import findings, outbox, tickets
from tests.store.given import (
    PICKED,
    T0,
    H,
    a_finding,
    a_parcel,
    alert,
    column,
    learn,
    open_finding,
    open_ticket,
)


def execute(store, statement, **values):
    store.write_now(lambda conn: conn.execute(text(statement), values))


def test_a_second_live_ticket_of_one_parcel(database):
    parcel_id = a_parcel(database)
    open_ticket(database, parcel_id)
    with pytest.raises(IntegrityError):
        open_ticket(database, parcel_id)
    assert column(database, "SELECT count(*) FROM tickets") == [1]
    assert column(database, "SELECT n FROM counters") == [1]  # the number was not used up


def test_a_second_open_finding_of_one_rule_and_parcel(database):
    parcel_id = a_parcel(database)
    first = open_finding(database, parcel_id)
    open_finding(database, parcel_id, "fake_shipment")
    with pytest.raises(IntegrityError):
        open_finding(database, parcel_id)
    ending = findings.Ended(first, findings.FindingState.CLEARED, T0)
    database.write_now(lambda conn: findings.end(conn, [ending]))
    open_finding(database, parcel_id)


@pytest.mark.parametrize("was", ["", *TicketState])
@pytest.mark.parametrize("state", [*TicketState, "lost"])
def test_a_ticket_step_that_is_not_in_the_table(database, was, state):
    ticket = open_ticket(database, a_parcel(database))
    step = "UPDATE tickets SET was = :was, state = :state WHERE id = :id"
    allowed = {(source.value if source else "", target.value) for source, target in TRANSITIONS}
    if (str(was), str(state)) in allowed:
        execute(database, step, was=str(was), state=str(state), id=ticket.id)
    else:
        with pytest.raises(IntegrityError):
            execute(database, step, was=str(was), state=str(state), id=ticket.id)


@pytest.mark.parametrize("change", ["UPDATE {} SET id = id + 1000", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["ticket_entries", "attempts", "event_edits"])
def test_a_changed_or_deleted_line_of_a_history(database, table, change):
    parcel_id = a_parcel(database)
    ticket = open_ticket(database, parcel_id)
    learn(database, parcel_id, T0, PICKED)
    learn(database, parcel_id, T0 + H, replace(PICKED, text="已揽收（更正）"))
    database.write_now(lambda conn: outbox.put(conn, [alert("a")]))
    database.write_now(
        lambda conn: outbox.finish(conn, 1, Outcome.TAKEN, "ok", T0, state=outbox.MessageState.SENT)
    )
    database.write_now(lambda conn: tickets.entry(conn, ticket.id, T0, EntryKind.COMMENT, text="已联系网点"))
    before = column(database, f"SELECT count(*) FROM {table}")
    with pytest.raises(DBAPIError, match="append-only"):
        execute(database, change.format(table))
    assert column(database, f"SELECT count(*) FROM {table}") == before != [0]


def test_two_messages_for_one_fact_and_channel(database):
    assert database.write_now(lambda conn: outbox.put(conn, [alert("k")])) == 1
    with pytest.raises(IntegrityError):
        execute(
            database,
            "INSERT INTO outbox (key, channel, kind, urgency, message, next_try_at, created_at)"
            " VALUES ('k', 'ops', 'alert', 'high', '{}', 0, 0)",
        )


@pytest.mark.parametrize(
    "orphan",
    [
        "INSERT INTO events (parcel_id, occurred_at, seq, learned_at, milestone) VALUES (77, 0, 0, 0, 'x')",
        "INSERT INTO due (parcel_id) VALUES (77)",
        "INSERT INTO ticket_entries (ticket_id, at, kind) VALUES (77, 0, 'comment')",
        "INSERT INTO order_parcels (order_id, parcel_id, linked_at) VALUES (77, 77, 0)",
    ],
)
def test_a_row_of_a_parcel_order_or_ticket_that_does_not_exist(database, orphan):
    with pytest.raises(IntegrityError):
        execute(database, orphan)


def test_the_finding_refused_is_the_one_given(database):
    """A batch with one refused row keeps none of it."""
    parcel_id = a_parcel(database)
    rows = [findings.NewFinding(parcel_id, a_finding(rule), T0) for rule in ("late_pickup", "lost", "lost")]
    with pytest.raises(IntegrityError):
        database.write_now(lambda conn: findings.open_(conn, rows))
    assert column(database, "SELECT count(*) FROM findings") == [0]
