"""The outbox: nothing is said twice, nothing is lost, and everybody can see what became of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.messages import Message, MessageKind, Urgency
from domain.remote import Outcome
from monitor.store import outbox
from monitor.store.outbox import MessageState, NewMessage
from tests.store.given import T0, H, a_parcel, alert, column, open_finding, open_ticket


def put(store, *rows: NewMessage) -> int:
    return store.write_now(lambda conn: outbox.put(conn, rows))


def waiting(store, now=T0, channel="ops", limit=100):
    return store.read_now(lambda conn: outbox.waiting(conn, channel, now, limit))


def finish(store, id_, outcome, state, at=T0, **more):
    store.write_now(lambda conn: outbox.finish(conn, id_, outcome, "answer", at, state=state, **more))


def begin(store, ids, now=T0):
    store.write_now(lambda conn: outbox.begin(conn, ids, now))


def get(store, key):
    return store.read_now(lambda conn: outbox.by_key(conn, key))


def test_a_message_is_one_fact_for_one_channel(database):
    assert put(database, alert("a"), alert("b"), alert("a")) == 2
    assert put(database, alert("a"), alert("c")) == 1
    assert [each.key for each in waiting(database)] == ["a", "b", "c"]
    assert put(database) == 0


def test_what_is_put_comes_out_as_it_was(database):
    message = Message(
        MessageKind.DIGEST, "汇总\0", rows=("一", "二"), mentions=("all",), at=T0, data={"k": "v"}, more=3
    )
    put(database, alert("a", message=message, next_try_at=T0 + H))
    [row] = waiting(database, T0 + H)
    assert row.message == message
    assert (row.state, row.attempts, row.unknowns) == (MessageState.WAITING, 0, 0)
    assert (row.created_at, row.next_try_at) == (T0, T0 + H)


def test_critical_first_then_the_oldest_and_only_what_may_leave_now(database):
    put(
        database,
        alert("normal", urgency=Urgency.NORMAL),
        alert("late", at=T0 + 2 * H),
        alert("early", at=T0 + H),
        alert("critical", urgency=Urgency.CRITICAL, at=T0 + 3 * H),
        alert("not yet", next_try_at=T0 + 9 * H),
        alert("elsewhere", channel="qq"),
    )
    assert [each.key for each in waiting(database, T0 + 4 * H)] == ["critical", "early", "late", "normal"]
    assert [each.key for each in waiting(database, T0 + 4 * H, limit=2)] == ["critical", "early"]
    channels = database.read_now(lambda conn: outbox.channels_waiting(conn, T0 + 4 * H))
    assert channels == ["ops", "qq"]


def test_what_is_leaving_is_not_taken_again(database):
    put(database, alert("a"))
    [row] = waiting(database)
    begin(database, [row.id], T0 + H)
    assert waiting(database, T0 + 9 * H) == []
    assert (get(database, "a").state, get(database, "a").attempts) == (MessageState.SENDING, 1)


def test_a_sent_message_keeps_the_platforms_answer(database):
    put(database, alert("a"))
    [row] = waiting(database)
    begin(database, [row.id])
    finish(database, row.id, Outcome.TAKEN, MessageState.SENT, T0 + H)
    assert get(database, "a").state is MessageState.SENT
    assert waiting(database, T0 + 99 * H) == []
    assert column(database, "SELECT outcome FROM attempts") == ["taken"]
    assert column(database, "SELECT sent_at FROM outbox") == [outbox.to_micros(T0 + H)]


def test_a_refused_for_now_message_waits_for_its_next_try(database):
    put(database, alert("a"))
    [row] = waiting(database)
    begin(database, [row.id])
    finish(database, row.id, Outcome.LATER, MessageState.WAITING, next_try_at=T0 + H)
    assert waiting(database, T0 + H - timedelta(seconds=1)) == []
    [again] = waiting(database, T0 + H)
    assert (again.attempts, again.unknowns) == (1, 0)


def test_every_unknown_outcome_is_counted(database):
    put(database, alert("a"))
    for n in range(1, 4):
        [row] = waiting(database)
        begin(database, [row.id])
        finish(database, row.id, Outcome.UNKNOWN, MessageState.WAITING)
        assert get(database, "a").unknowns == n
    assert len(column(database, "SELECT id FROM attempts")) == 3


def test_after_a_crash_what_was_leaving_is_found_and_nothing_else(database):
    put(database, alert("leaving"), alert("waiting"), alert("sent"))
    ids = {each.key: each.id for each in waiting(database)}
    begin(database, [ids["leaving"], ids["sent"]], T0)
    finish(database, ids["sent"], Outcome.TAKEN, MessageState.SENT)
    [left] = database.read_now(lambda conn: outbox.recover(conn, T0))
    assert left.key == "leaving"
    assert get(database, "leaving").state is MessageState.SENDING  # the caller settles it


@pytest.mark.parametrize(("after", "found"), [(H, 1), (H - timedelta(seconds=1), 0)])
def test_a_message_another_process_is_sending_is_left_to_it_for_a_while(database, after, found):
    put(database, alert("a"))
    begin(database, [waiting(database)[0].id], T0)
    left = database.read_now(lambda conn: outbox.recover(conn, T0 + after, idle=H))
    assert len(left) == found


def test_folded_messages_are_said_by_their_digest(database):
    put(database, alert("a"), alert("b"), alert("digest"))
    ids = [each.id for each in waiting(database)]
    database.write_now(lambda conn: outbox.fold(conn, ids[:2], ids[2]))
    assert [each.key for each in waiting(database)] == ["digest"]
    folded = "SELECT folded_into FROM outbox WHERE state = 'folded'"
    assert column(database, folded) == [ids[2], ids[2]]


def test_what_was_overtaken_is_dropped_with_the_reason(database):
    parcel_id = a_parcel(database)
    finding, ticket = open_finding(database, parcel_id), open_ticket(database, parcel_id)
    put(
        database,
        alert("of the finding", finding_id=finding, ticket_id=ticket.id),
        alert("of the ticket", ticket_id=ticket.id),
        alert("of neither"),
        alert("leaving", ticket_id=ticket.id),
    )
    begin(database, [get(database, "leaving").id])

    def unsent(kind, id_):
        return [each.key for each in database.read_now(lambda conn: kind(conn, id_))]

    assert unsent(outbox.unsent_of_finding, finding) == ["of the finding"]
    assert unsent(outbox.unsent_of_ticket, ticket.id) == ["of the finding", "of the ticket"]
    id_ = get(database, "of the ticket").id
    database.write_now(lambda conn: outbox.drop(conn, [id_], "未发出前已恢复"))
    assert unsent(outbox.unsent_of_ticket, ticket.id) == ["of the finding"]
    assert column(database, "SELECT last_answer FROM outbox WHERE state = 'dropped'") == ["未发出前已恢复"]


@pytest.mark.parametrize(
    ("outcome", "state", "heard"),
    [
        (Outcome.TAKEN, MessageState.SENT, True),
        (Outcome.UNKNOWN, MessageState.DEAD, True),
        (Outcome.REFUSED, MessageState.DEAD, False),
    ],
)
def test_a_group_hears_of_the_end_where_it_may_have_heard_the_alarm(database, outcome, state, heard):
    ticket = open_ticket(database, a_parcel(database))
    put(database, alert("a", ticket_id=ticket.id))
    finish(database, get(database, "a").id, outcome, state)
    told = database.read_now(lambda conn: outbox.channels_told(conn, ticket.id))
    assert told == (["ops"] if heard else [])


def test_a_group_that_heard_it_in_a_digest_hears_of_the_end_and_one_that_heard_nothing_does_not(database):
    ticket = open_ticket(database, a_parcel(database))
    put(database, alert("a", ticket_id=ticket.id), alert("b", "qq", ticket_id=ticket.id), alert("digest"))
    a, b, digest = (get(database, key).id for key in ("a", "b", "digest"))
    database.write_now(lambda conn: outbox.fold(conn, [a], digest))
    database.write_now(lambda conn: outbox.drop(conn, [b], "已恢复"))
    assert database.read_now(lambda conn: outbox.channels_told(conn, ticket.id)) == ["ops"]


def test_the_list_shows_what_waits_and_what_is_dead_with_its_last_answer(database):
    """Design §4: `outbox --json`."""
    ticket = open_ticket(database, a_parcel(database))
    put(database, alert("waits", ticket_id=ticket.id), alert("dead"), alert("sent"))
    finish(database, get(database, "dead").id, Outcome.REFUSED, MessageState.DEAD)
    finish(database, get(database, "sent").id, Outcome.TAKEN, MessageState.SENT)
    shown = database.read_now(outbox.listing)
    assert {each["state"] for each in shown} == {"waiting", "dead"}
    assert set(shown[0]) == {"id", "channel", "ticket", "state", "attempts", "next_try_at", "last_answer"}
    [first] = [each for each in shown if each["state"] == "waiting"]
    assert first["ticket"] == ticket.number
    assert first["next_try_at"] == "2026-11-01T10:00:00+08:00"
    [dead] = [each for each in shown if each["state"] == "dead"]
    assert (dead["last_answer"], dead["next_try_at"]) == ("answer", None)
    assert len(database.read_now(lambda conn: outbox.listing(conn, all_=True))) == 3
