"""Who was told what, when, and what the platform answered (feature F7)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.messages import MessageKind
from domain.remote import Outcome
from monitor.store import outbox
from monitor.store.database import Database
from monitor.store.outbox import MessageState
from monitor.store.views import ledger, walking
from monitor.store.views.ledger import MessageFilter, MessageRow
from monitor.store.views.ticket_filter import BadFilter
from tests.simulated import T0, Robot, World, alarm, at
from tests.store.views.rows import walked


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops"), Robot("qq")])


def messages(world: World, limit: int = 50, **asked: Any) -> list[MessageRow]:
    filter_ = MessageFilter(**asked)
    return list(
        walked(
            lambda cursor, n: world.store.read_now(lambda conn: ledger.messages(conn, filter_, cursor, n)),
            limit,
        )
    )


def keys(rows: list[MessageRow]) -> list[str]:
    return [row.message.title for row in rows]


def many(world: World) -> dict[str, int]:
    """Messages in every state, the ids by key, the oldest first."""
    world.put(*(alarm(key, channel, written=at(n)) for n, (key, channel) in enumerate(MANY)))
    ids = dict(world.rows("SELECT key, id FROM outbox"))

    def work(conn: Any) -> None:
        outbox.begin(conn, [ids["sent"]], at(7))
        outbox.finish(conn, ids["sent"], Outcome.UNKNOWN, "没有回执", at(7), state=MessageState.WAITING)
        outbox.begin(conn, [ids["sent"]], at(8))
        outbox.finish(conn, ids["sent"], Outcome.TAKEN, "ok", at(8), state=MessageState.SENT)
        outbox.finish(conn, ids["dead"], Outcome.REFUSED, "不合适", at(8), state=MessageState.DEAD)
        outbox.fold(conn, [ids["folded"]], ids["sent"])
        outbox.drop(conn, [ids["dropped"]], "已恢复")

    world.store.write_now(work)
    return ids


MANY = (
    ("waits", "ops"),
    ("sent", "qq"),
    ("dead", "ops"),
    ("folded", "qq"),
    ("dropped", "ops"),
    ("new", "qq"),
)


@pytest.mark.parametrize("size", [1, 2, 50])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["new", "dropped", "folded", "dead", "sent", "waits"]),
        ({"states": ("waiting",)}, ["new", "waits"]),
        ({"states": ("dead", "sent")}, ["dead", "sent"]),
        ({"channels": ("qq",)}, ["new", "folded", "sent"]),
        ({"channels": ("ops",), "states": ("dead", "dropped")}, ["dropped", "dead"]),
        ({"kinds": ("digest",)}, []),
        ({"channels": ("\0",)}, []),
        ({"ticket": "T-1"}, []),
    ],
)
def test_the_ledger_is_filtered_and_shows_every_message_once(world, asked, expected, size, monkeypatch):
    monkeypatch.setattr(walking, "SPAN", 6)
    many(world)
    assert keys(messages(world, size, **asked)) == expected


def test_a_message_says_what_became_of_it(world):
    ids = many(world)
    found = {row.message.title: row for row in messages(world)}
    sent, folded, waits = found["sent"], found["folded"], found["waits"]
    assert (sent.state, sent.attempts, sent.unknowns, sent.sent_at, sent.last_answer) == (
        "sent",
        2,
        1,
        at(8),
        "ok",
    )
    assert (folded.state, folded.folded_into) == ("folded", ids["sent"])
    assert (waits.next_try_at, waits.created_at, sent.next_try_at) == (T0, T0, None)
    assert found["dropped"].last_answer == "已恢复"


def test_the_attempts_of_a_folded_message_are_its_digests(world):
    ids = many(world)
    for key in ("sent", "folded"):
        tried = world.store.read_now(lambda conn, key=key: ledger.attempts(conn, ids[key]))
        assert [(each.outcome, each.answer) for each in tried] == [
            ("unknown", "没有回执"),
            ("taken", "ok"),
        ]
    assert world.store.read_now(lambda conn: ledger.attempts(conn, ids["waits"])) == ()
    assert world.store.read_now(lambda conn: ledger.attempts(conn, 10**12)) == ()


def test_a_tickets_messages_are_found_by_its_number(world):
    world.import_("Z1")
    world.set(17)
    world.settle(1, observed_at=at(17))
    [number] = world.column("SELECT number FROM tickets")
    [row] = messages(world, ticket=number)
    assert (row.ticket, row.channel, row.message.kind) == (number, "ops", MessageKind.ALERT)
    assert messages(world, ticket=number, states=("dead",)) == []
    assert world.store.read_now(lambda conn: ledger.message(conn, row.id)) == row
    assert world.store.read_now(lambda conn: ledger.message(conn, 10**12)) is None


def test_the_menu_offers_the_channels_that_were_spoken_to(world):
    many(world)
    assert world.store.read_now(ledger.channels) == ("ops", "qq")


@pytest.mark.parametrize("wrong", [{"states": ("gone",)}, {"kinds": ("song",)}])
def test_what_does_not_exist_is_refused_in_words(wrong):
    with pytest.raises(BadFilter, match="可以用的有"):
        MessageFilter(**wrong)
