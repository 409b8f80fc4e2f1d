"""What is over goes whole after its time; what is open stays; histories are let go of by no other way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.masking import forget_phones
from domain.tickets import TicketState
from domain.time import to_micros
from domain.tracking import Milestone, TrackingEvent
from monitor.config.settings import Backup
from monitor.store import outbox, parcels, retention, tickets, upkeep
from monitor.store.database import Database
from monitor.store.parcels import Update
from monitor.store.schema import METADATA
from monitor.upkeep import BACKUP, BACKUP_GOOD, PURGE, Upkeep
from tests.store.given import (
    DAY,
    PICKED,
    T0,
    H,
    alert,
    column,
    incoming,
    learn,
    open_finding,
    open_ticket,
    take,
)


@dataclass(frozen=True)
class Periods:
    personal: timedelta = 30 * DAY
    parcels: timedelta = 365 * DAY
    messages: timedelta = 365 * DAY
    oddities: timedelta = 90 * DAY


PERIODS = Periods()
LATER = T0 + 366 * DAY
COURIER = TrackingEvent(
    T0 + H, Milestone.OUT_FOR_DELIVERY, "王师傅派送中，电话138******01", "5", courier="王*"
)


def a_whole_story(store: Database, number: str = "Z1") -> int:
    """A parcel with a row in every table that is about parcels, all of it over at T0."""
    [taken] = take(store, incoming(f"order of {number}", number, tail="5678"))
    parcel = taken.parcel_ids[0]
    learn(store, parcel, T0, PICKED)
    learn(store, parcel, T0 + H, replace(PICKED, text="已揽收，电话139******02"), COURIER)
    finding = open_finding(store, parcel)
    ticket = open_ticket(store, parcel, finding)
    store.write_now(
        lambda conn: outbox.put(
            conn, [alert(f"alert {number}", ticket_id=ticket.id, finding_id=finding), alert(f"info {number}")]
        )
    )
    return parcel


def ended(store: Database, parcel: int, at: datetime = T0) -> None:
    """The parcel arrived, its findings ended and its ticket was resolved."""

    def work(conn):
        conn.execute(
            text("UPDATE outbox SET state = 'sent', sent_at = :at WHERE state = 'waiting'"),
            {"at": to_micros(at)},
        )
        conn.execute(
            text("INSERT INTO attempts (outbox_id, at, outcome) SELECT id, :at, 'ok' FROM outbox"),
            {"at": to_micros(at)},
        )
        conn.execute(
            text("UPDATE findings SET state = 'cleared', ended_at = :at WHERE parcel_id = :p"),
            {"at": to_micros(at), "p": parcel},
        )
        live = text("SELECT id FROM tickets WHERE parcel_id = :p AND state = 'open'")
        for row in conn.execute(live, {"p": parcel}).all():
            tickets.move(conn, row.id, to=TicketState.RESOLVED, version=None, at=at, by="张三", text="已签收")
        parcels.save(conn, [Update(parcel, state="done", why="delivered", done_at=at)], at)

    store.write_now(work)


def purge(store: Database, now: datetime, periods: Periods = PERIODS) -> dict[str, int]:
    """Everything that is due, as the daemon does it."""
    gone = {}
    for kind in retention.KINDS:
        gone[kind] = 0
        while done := store.write_now(
            lambda conn, kind=kind: retention.purge_some(conn, kind, periods, now, batch=2)
        ):
            gone[kind] += done
    return {kind: n for kind, n in gone.items() if n}


def filled(store: Database) -> set[str]:
    """The tables with rows in them."""
    return {name for name in METADATA.tables if column(store, f"SELECT 1 FROM {name} LIMIT 1")}


KEPT = {"ticket_transitions", "counters"}


# ── whole parcels ────────────────────────────────────────────────────────────────────────────────


def test_a_parcel_that_is_over_goes_with_everything_about_it(database):
    for n in range(5):
        ended(database, a_whole_story(database, f"Z{n}"))
    assert filled(database) >= {"orders", "parcels", "order_parcels", "events", "event_edits", "due"}
    assert filled(database) >= {"findings", "tickets", "ticket_entries", "outbox", "attempts"}
    assert purge(database, LATER)["parcels"] == 5
    assert filled(database) - KEPT == set()


def test_before_its_time_it_stays_whole(database):
    ended(database, a_whole_story(database))
    before = {name: column(database, f"SELECT count(*) FROM {name}") for name in METADATA.tables}
    assert "parcels" not in purge(database, T0 + 364 * DAY)
    assert {name: column(database, f"SELECT count(*) FROM {name}") for name in METADATA.tables} == before


def reopened(store: Database, parcel: int) -> None:
    [ticket] = column(store, "SELECT id FROM tickets")
    store.write_now(
        lambda conn: tickets.move(conn, ticket, to=TicketState.OPEN, version=None, at=T0, by="李四")
    )


def found_again(store: Database, parcel: int) -> None:
    open_finding(store, parcel, "transit_stagnation")


def watched_again(store: Database, parcel: int) -> None:
    store.write_now(lambda conn: parcels.save(conn, [Update(parcel, state="watched")], T0))


def still_to_be_said(store: Database, parcel: int) -> None:
    [ticket] = column(store, "SELECT id FROM tickets")
    store.write_now(lambda conn: outbox.put(conn, [alert("late word", ticket_id=ticket)]))


@pytest.mark.parametrize("open_again", [reopened, found_again, watched_again, still_to_be_said])
def test_nothing_open_is_ever_purged(database, open_again):
    parcel = a_whole_story(database)
    ended(database, parcel)
    open_again(database, parcel)
    assert purge(database, LATER + 10 * 365 * DAY).keys() <= {
        "messages",
        "phone_tails",
        "personal",
        "counters",
    }
    assert column(database, "SELECT id FROM parcels") == [parcel]
    assert column(database, "SELECT count(*) FROM ticket_entries") != [0]
    assert column(database, "SELECT count(*) FROM orders") == [1]


def test_an_order_stays_while_one_of_its_parcels_does(database):
    [taken] = take(database, incoming("o1", "Z1", "Z2"))
    ended(database, taken.parcel_ids[0])
    assert purge(database, LATER) == {"personal": 1, "parcels": 1}
    assert column(database, "SELECT order_no FROM orders") == ["o1"]
    assert column(database, "SELECT waybill_no FROM parcels") == ["Z2"]


def test_a_digest_stays_until_what_was_folded_into_it_went(database):
    parcel = a_whole_story(database)
    ended(database, parcel)
    database.write_now(lambda conn: outbox.put(conn, [alert("digest")]))
    database.write_now(
        lambda conn: conn.execute(
            text(
                "UPDATE outbox SET state = 'folded', folded_into = (SELECT id FROM outbox WHERE key = 'digest')"
                " WHERE key LIKE 'alert%'"
            )
        )
    )
    database.write_now(
        lambda conn: conn.execute(text("UPDATE outbox SET state = 'sent' WHERE key = 'digest'"))
    )
    gone = purge(database, LATER)
    assert (gone["parcels"], gone["messages"]) == (1, 2)
    assert filled(database) - KEPT == set()


# ── the guard ────────────────────────────────────────────────────────────────────────────────────


def refused(store: Database, *statements: str) -> None:
    """None of it is kept."""

    def work(conn):
        for statement in statements:
            conn.execute(text(statement))

    with pytest.raises(DBAPIError):
        store.write_now(work)
    assert column(store, "SELECT count(*) FROM purging") == [0]


@pytest.mark.parametrize("table", ["ticket_entries", "attempts", "event_edits"])
def test_histories_are_as_closed_as_ever(database, table):
    ended(database, a_whole_story(database))
    rows = column(database, f"SELECT count(*) FROM {table}")
    refused(database, f"DELETE FROM {table}")
    refused(database, f"UPDATE {table} SET id = id + 1000")
    assert column(database, f"SELECT count(*) FROM {table}") == rows != [0]


@pytest.mark.parametrize("open_again", [reopened, found_again, watched_again, still_to_be_said])
def test_the_database_itself_names_nothing_open_for_purging(database, open_again):
    parcel = a_whole_story(database)
    ended(database, parcel)
    open_again(database, parcel)
    refused(database, f"INSERT INTO purging (kind, id) VALUES ('parcel', {parcel})")


def test_a_message_that_may_still_leave_is_not_named_either(database):
    database.write_now(lambda conn: outbox.put(conn, [alert("k1")]))
    refused(database, "INSERT INTO purging (kind, id) VALUES ('message', 1)")


def test_a_history_goes_with_its_parcel_or_not_at_all(database):
    parcel = a_whole_story(database)
    ended(database, parcel)
    mark = f"INSERT INTO purging (kind, id) VALUES ('parcel', {parcel})"
    refused(database, mark, "DELETE FROM ticket_entries", "DELETE FROM purging")
    refused(database, mark, "DELETE FROM ticket_entries")  # left standing: the commit itself fails
    refused(database, mark, "UPDATE purging SET id = 99")
    refused(database, "INSERT INTO purging (kind, id, nowhere) VALUES ('parcel', 1, 1)")
    assert column(database, "SELECT count(*) FROM ticket_entries") == [2]


def test_the_purge_of_one_parcel_opens_no_other_history(database):
    first, second = a_whole_story(database, "Z1"), a_whole_story(database, "Z2")
    ended(database, first)
    ended(database, second)
    refused(
        database, f"INSERT INTO purging (kind, id) VALUES ('parcel', {first})", "DELETE FROM ticket_entries"
    )
    assert column(database, "SELECT count(*) FROM ticket_entries") == [4]


def test_an_edit_forgets_a_person_and_nothing_else(database):
    parcel = a_whole_story(database)
    ended(database, parcel)
    mark = f"INSERT INTO purging (kind, id) VALUES ('personal', {parcel})"
    refused(database, mark, "UPDATE event_edits SET occurred_at = 1")
    refused(database, mark, "DELETE FROM event_edits")


# ── personal fields ──────────────────────────────────────────────────────────────────────────────


def everything(store: Database) -> str:
    """Every row of every table as one text."""
    return repr(
        [
            store.read_now(lambda conn, t=t: [tuple(r) for r in conn.execute(t.select())])
            for t in METADATA.tables.values()
        ]
    )


def test_a_month_after_delivery_no_person_is_left(database):
    parcel = a_whole_story(database)
    ended(database, parcel)
    for trace in ("王*", "138******01", "139******02", "王师傅"):
        assert trace in everything(database)
    gone = purge(database, T0 + 31 * DAY)
    assert gone == {"phone_tails": 1, "personal": 1}
    left = everything(database)
    for trace in ("王*", "138******01", "139******02"):
        assert trace not in left
    assert column(database, "SELECT phone_tail FROM orders") == [None]
    assert column(database, "SELECT text FROM events WHERE code = '5'") == ["王师傅派送中，电话***********"]
    assert purge(database, T0 + 32 * DAY) == {}


def test_before_that_and_while_it_is_watched_they_stay(database):
    ended(database, a_whole_story(database, "Z1"))
    a_whole_story(database, "Z2")
    assert purge(database, T0 + 29 * DAY) == {}
    assert purge(database, T0 + 300 * DAY)["phone_tails"] == 1
    assert column(database, "SELECT count(*) FROM orders WHERE phone_tail IS NOT NULL") == [1]


def test_a_parcel_that_was_watched_again_is_gone_through_again(database):
    parcel = a_whole_story(database)
    ended(database, parcel)
    purge(database, T0 + 31 * DAY)
    watched_again(database, parcel)
    learn(database, parcel, T0 + 40 * DAY, PICKED, replace(COURIER, occurred_at=T0 + 40 * DAY))
    ended(database, parcel, T0 + 41 * DAY)
    assert purge(database, T0 + 72 * DAY)["personal"] == 1
    assert "138******01" not in everything(database)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("电话138******01", "电话***********"),
        ("电话138****0036转", "电话***********转"),
        ("138-****-**00", "***-****-****"),
        ("单号75900000000010", "单号75900000000010"),
        ("0571-********", "0571-********"),
        ("1楼**柜", "1楼**柜"),
    ],
)
def test_a_hint_of_a_phone_is_forgotten(said, kept):
    assert forget_phones(said) == kept


# ── the rest, and the daemon ─────────────────────────────────────────────────────────────────────

ROWS = {
    "oddities": "INSERT INTO oddities (at, body) VALUES ({old}, 'x'), ({new}, 'x')",
    "unknown_codes": "INSERT INTO unknown_codes (provider, code, n, first_at, last_at) VALUES"
    " ('a', '1', 1, 1, {old}), ('a', '2', 1, 1, {old}), ('b', '2', 1, 1, {new})",
    "idempotency": "INSERT INTO idempotency (key, fingerprint, status, created_at) VALUES"
    " ('old', '', 200, {old}), ('new', '', 200, {new})",
    "imports": "INSERT INTO imports (at, sha256) VALUES ({old}, 'a'), ({new}, 'b')",
    "spend": "INSERT INTO spend (provider, day) VALUES ('a', '2026-10-01'), ('a', '2027-11-01')",
    "counters": "INSERT INTO counters (name, n) VALUES ('ticket:20261001', 3), ('ticket:20271101', 3), ('x', 1)",
    "facets": "INSERT INTO facets (id, said, joined_at) VALUES (1, 'a', {old}), (2, 'b', {new})",
    "feed_hours": "INSERT INTO feed_hours (provider, carrier, hour) VALUES"
    " ('a', 'zhongtong', {old}), ('b', 'zhongtong', {old}), ('a', 'zhongtong', {new})",
    "pulled": "INSERT INTO pulled (source, number, standing, seen_at) VALUES"
    " ('erp', 'CK1', 'shipped', {old}), ('erp', 'CK2', 'gone', {new})",
}


@pytest.mark.parametrize(("table", "left"), [*zip(ROWS, [1, 2, 1, 1, 1, 2, 1, 1, 1], strict=True)])
def test_the_rest_goes_by_its_age(database, table, left):
    moments = {"old": to_micros(T0), "new": to_micros(LATER - H)}
    database.write_now(lambda conn: conn.execute(text(ROWS[table].format(**moments))))
    due = database.read_now(lambda conn: retention.count(conn, PERIODS, LATER))
    assert {kind for kind, n in due.items() if n} == {table}
    assert purge(database, LATER) == {table: due[table]}
    assert column(database, f"SELECT count(*) FROM {table}") == [left]


def test_every_kind_has_a_word(database):
    assert set(retention.KINDS) == set(database.read_now(lambda conn: retention.count(conn, PERIODS, LATER)))


class Clock:
    def __init__(self, at: datetime, confirmed: bool = True) -> None:
        self.at = at
        self.confirmed = confirmed

    def now(self) -> datetime:
        return self.at


def keeper(store: Database, tmp_path, clock: Clock, **backup: object) -> Upkeep:
    settings = SimpleNamespace(
        backup=Backup(**backup),
        retention=PERIODS,
        store=f"sqlite:///{tmp_path}/none.db",
        path=tmp_path / "parcelwatch.toml",
    )
    return Upkeep(settings, store, clock)


def test_the_daemon_purges_once_a_day(database, tmp_path):
    clock = Clock(LATER)
    keep = keeper(database, tmp_path, clock)
    ended(database, a_whole_story(database, "Z1"))
    asyncio.run(keep.tick())
    assert "parcels" not in filled(database)
    done = database.read_now(lambda conn: upkeep.last(conn, PURGE))
    assert done is not None
    assert (done.at, done.outcome) == (LATER, "ok")
    assert "结束的包裹" in done.detail
    ended(database, a_whole_story(database, "Z2"))
    clock.at = LATER + 23 * H
    asyncio.run(keep.tick())
    assert "parcels" in filled(database)
    clock.at = LATER + 24 * H
    asyncio.run(keep.tick())
    assert "parcels" not in filled(database)


def test_a_clock_that_nobody_confirms_purges_nothing(database, tmp_path):
    """A dead battery or a hand on `date`: a year too early cannot be undone, a day too late can."""
    clock = Clock(LATER, confirmed=False)
    keep = keeper(database, tmp_path, clock)
    ended(database, a_whole_story(database, "Z1"))
    asyncio.run(keep.tick())
    assert "parcels" in filled(database)
    assert database.read_now(lambda conn: upkeep.last(conn, PURGE)) is None
    clock.confirmed = True
    asyncio.run(keep.tick())
    assert "parcels" not in filled(database)


def test_the_daemon_backs_up_on_schedule_and_keeps_the_newest(database, tmp_path):
    clock, folder = Clock(T0), tmp_path / "deep" / "backups"
    keep = keeper(database, tmp_path, clock, folder=folder, every=DAY, keep=2)
    for day in range(4):
        clock.at = T0 + day * DAY
        asyncio.run(keep.tick())
        asyncio.run(keep.tick())
    assert sorted(path.name for path in folder.iterdir()) == [
        f"parcelwatch-2026110{day}T020000Z.backup" for day in (3, 4)
    ]
    done = database.read_now(lambda conn: upkeep.last(conn, BACKUP_GOOD))
    assert done is not None
    assert done.at == clock.at


def test_a_backup_that_fails_is_told_and_tried_again_within_the_hour(database, tmp_path):
    (tmp_path / "file").write_text("in the way")
    clock = Clock(T0)
    keep = keeper(database, tmp_path, clock, folder=tmp_path / "file" / "backups", every=DAY)
    asyncio.run(keep.tick())
    done = database.read_now(lambda conn: upkeep.last(conn, BACKUP))
    assert done is not None
    assert (done.outcome, "建不了目录" in done.detail) == ("failed", True)
    assert database.read_now(lambda conn: upkeep.last(conn, BACKUP_GOOD)) is None
    (tmp_path / "file").unlink()
    clock.at = T0 + 59 * timedelta(minutes=1)
    asyncio.run(keep.tick())
    assert not (tmp_path / "file").exists()
    clock.at = T0 + H
    asyncio.run(keep.tick())
    assert len(list((tmp_path / "file" / "backups").iterdir())) == 1


def test_a_service_that_ends_begins_neither(database, tmp_path):
    keep = keeper(database, tmp_path, Clock(T0), folder=tmp_path / "backups", every=DAY)
    keep.ending = lambda: True
    asyncio.run(keep.tick())
    assert list((tmp_path / "backups").iterdir()) == []
    assert database.read_now(lambda conn: upkeep.last(conn, BACKUP)) is None
    assert database.read_now(lambda conn: upkeep.last(conn, PURGE)) is None
