"""Asking a provider: what is due, inside each waybill's ceilings, never twice at once."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domain.time import to_micros
from monitor.store import claims, parcels, polls
from monitor.store.database import Database
from monitor.store.sealing import Keys
from tests.store.given import DAY, T0, H, a_parcel, due, incoming, loaded, many_parcels, micros, take

MINUTE = timedelta(minutes=1)


def claim(store, now, *, limit=10, provider="k100", interval=30 * MINUTE, daily=40, lease=MINUTE):
    return store.write_now(
        lambda conn: parcels.claim_polls(
            conn, provider, now, limit, interval=interval, daily=daily, lease=lease
        )
    )


def ask_at(store, parcel_id, at, provider="k100"):
    due(store, parcels.Due(parcel_id, provider, at, None))


def test_a_claim_says_all_a_question_needs(database):
    row = incoming(
        "o1", "Z1", tail="4321", receiver_province="浙江省", receiver_city="杭州市", paid_at=T0 - 9 * H
    )
    later = incoming("o2", "Z1", tail="9999", receiver_province="江苏省", paid_at=T0 - H)
    unpaid = incoming("o3", "Z1", tail="7777", receiver_province="上海市", paid_at=None)
    parcel_id = take(database, row, later, unpaid)[0].parcel_ids[0]
    update = parcels.Update(parcel_id, answer_hash="abc")
    database.write_now(lambda conn: parcels.save(conn, [update], T0))
    ask_at(database, parcel_id, T0)
    [first] = claim(database, T0)
    assert (first.parcel_id, first.carrier, first.waybill_no) == (parcel_id, "zhongtong", "Z1")
    assert (first.province, first.city) == ("浙江省", "杭州市")  # of the earliest paid, who speaks for it
    assert first.phone_tail.reveal() == "4321"
    assert first.answer_hash == "abc"
    assert first.asked_before is None
    ask_at(database, parcel_id, T0 + H)
    [second] = claim(database, T0 + H)
    assert second.asked_before == T0


def test_only_what_is_due_at_this_account_is_taken_longest_due_first(database):
    ids = many_parcels(database, 5)
    for parcel_id, minutes in zip(ids, (3, 1, 2, 4, 9), strict=True):
        ask_at(database, parcel_id, T0 + minutes * MINUTE)
    ask_at(database, ids[3], T0, provider="another")
    taken = claim(database, T0 + 5 * MINUTE, limit=2) + claim(database, T0 + 5 * MINUTE)
    assert [each.parcel_id for each in taken] == [ids[1], ids[2], ids[0]]


def test_nothing_is_asked_of_a_parcel_that_is_not_watched(database):
    parcel_id = a_parcel(database)
    ask_at(database, parcel_id, T0)
    done = parcels.Update(parcel_id, state="done", done_at=T0)
    database.write_now(lambda conn: parcels.save(conn, [done], T0))
    assert claim(database, T0 + H) == []
    assert loaded(database, parcel_id).next_poll_at is None


def test_a_claimed_waybill_is_due_again_after_its_lease_at_the_earliest(database):
    """A crash before the answer asks again, and only when the ceiling allows."""
    parcel_id = a_parcel(database)
    ask_at(database, parcel_id, T0)
    claim(database, T0, interval=30 * MINUTE, lease=5 * MINUTE)
    assert loaded(database, parcel_id).next_poll_at == T0 + 30 * MINUTE
    ask_at(database, parcel_id, T0 + H)
    claim(database, T0 + H, interval=30 * MINUTE, lease=45 * MINUTE)
    assert loaded(database, parcel_id).next_poll_at == T0 + H + 45 * MINUTE


def test_one_asked_too_early_waits_until_it_may_be(database):
    parcel_id = a_parcel(database)
    ask_at(database, parcel_id, T0)
    claim(database, T0)
    ask_at(database, parcel_id, T0 + MINUTE)
    assert claim(database, T0 + 2 * MINUTE) == []
    assert loaded(database, parcel_id).next_poll_at == T0 + 30 * MINUTE
    assert len(claim(database, T0 + 30 * MINUTE)) == 1


def test_those_that_must_wait_keep_nobody_else_from_being_asked(database):
    ids = many_parcels(database, 30)
    due(database, *(parcels.Due(parcel_id, "k100", T0, None) for parcel_id in ids[:25]))
    assert len(claim(database, T0, limit=25)) == 25
    due(database, *(parcels.Due(parcel_id, "k100", T0 + MINUTE, None) for parcel_id in ids[:25]))
    due(database, *(parcels.Due(parcel_id, "k100", T0 + 2 * MINUTE, None) for parcel_id in ids[25:]))
    taken = claim(database, T0 + 3 * MINUTE, limit=10)
    assert [each.parcel_id for each in taken] == ids[25:]


def test_half_a_days_questions_may_come_at_once_and_the_rest_evenly(database):
    parcel_id = a_parcel(database)
    asked: list[int] = []

    def ask_every_minute(conn):
        for minute in range(24 * 60):
            now = T0 + minute * MINUTE
            parcels.reschedule(conn, [parcels.Due(parcel_id, "k100", now, None)])
            limits = {"interval": MINUTE, "daily": 40, "lease": MINUTE}
            asked.extend(minute for _ in parcels.claim_polls(conn, "k100", now, 1, **limits))

    database.write_now(ask_every_minute)
    every_72_minutes = [24 * 60 // 20 * n for n in range(1, 20)]
    assert asked == [*range(20), *every_72_minutes]


numbers = count(1)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    interval=st.timedeltas(timedelta(0), 6 * H),
    daily=st.integers(1, 60),
    lease=st.timedeltas(timedelta(0), H),
    steps=st.lists(st.timedeltas(timedelta(0), 9 * H), min_size=1, max_size=60),
)
def test_no_sequence_of_claims_ever_passes_a_ceiling(database, interval, daily, lease, steps):
    """快递100: 30 minutes between two questions and so many a day, else the number is locked."""
    parcel_id = a_parcel(database, f"N{next(numbers)}")
    account = f"account {parcel_id}"
    asked = []

    def run(conn):
        now = T0
        for step in steps:
            now += step
            parcels.reschedule(conn, [parcels.Due(parcel_id, account, now, None)])
            asked.extend(
                now
                for _ in parcels.claim_polls(
                    conn, account, now, 3, interval=interval, daily=daily, lease=lease
                )
            )

    database.write_now(run)
    assert asked[0] == T0 + steps[0]  # the first question is never held back
    assert all(later - earlier >= interval for earlier, later in pairwise(asked))
    for first in asked:
        assert sum(first <= at <= first + DAY for at in asked) <= daily


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(interval=st.timedeltas(timedelta(0), 6 * H), daily=st.integers(1, 60))
def test_one_that_was_put_off_may_be_asked_at_the_moment_it_was_put_off_to(database, interval, daily):
    parcel_id = a_parcel(database, f"P{next(numbers)}")
    account = f"account {parcel_id}"
    limits = {"provider": account, "interval": interval, "daily": daily, "lease": MINUTE}
    now = T0
    for _ in range(5):
        ask_at(database, parcel_id, now, account)
        if not claim(database, now, **limits):
            now = loaded(database, parcel_id).next_poll_at
            assert len(claim(database, now, **limits)) == 1


def test_a_ceiling_of_nothing_asks_nothing(database):
    ask_at(database, a_parcel(database), T0)
    assert claim(database, T0 + DAY, daily=0) == []


def test_without_its_key_a_phone_is_not_told_and_the_question_is_asked_all_the_same(database_url, tmp_path):
    """The carrier refuses those that need the digits, and says so; the others go on."""
    store = Database.open(database_url, keys=Keys([b"k" * 32]))
    parcel_id = take(store, incoming("o1", "Z1", tail="4321"))[0].parcel_ids[0]
    ask_at(store, parcel_id, T0)
    store.close()
    other = Database.open(database_url, keys=Keys([b"x" * 32]))
    [taken] = claim(other, T0)
    other.close()
    assert taken.phone_tail is None


def test_two_processes_never_take_the_same_waybill(database, database_url, tmp_path):
    """Two stores stand for two processes: they share nothing but the database."""
    ids = many_parcels(database, 120)
    due(database, *(parcels.Due(parcel_id, "k100", T0, None) for parcel_id in ids))
    other = Database.open(database_url, keys=Keys.beside(tmp_path / "test"))
    taken: list[int] = []

    def work(store):
        while found := claim(store, T0, limit=7):
            taken.extend(each.parcel_id for each in found)

    threads = [threading.Thread(target=work, args=(store,)) for store in (database, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(taken) == sorted(ids)


# ── rescheduling ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "written"),
    [
        pytest.param({}, 0, id="nothing moved"),
        pytest.param(
            {"next_poll_at": T0 - timedelta(milliseconds=900)}, 0, id="sooner by less than a second"
        ),
        pytest.param({"next_poll_at": T0 - timedelta(seconds=2)}, 1, id="sooner"),
        pytest.param({"next_poll_at": T0 + timedelta(seconds=2)}, 1, id="later"),
        pytest.param({"next_deadline_at": T0 + H + timedelta(milliseconds=1)}, 1, id="later by a blink"),
        pytest.param({"next_poll_at": None}, 1, id="not any more"),
        pytest.param({"next_deadline_at": None}, 1, id="no deadline any more"),
        pytest.param({"provider": "kdniao"}, 1, id="somebody else is asked"),
        pytest.param({"patience": H}, 1, id="an answer stays fresh for another time"),
    ],
)
def test_rescheduling_writes_only_what_moved(database, change, written):
    """A moment later is always written: a row that is due already would stay due for ever."""
    parcel_id = a_parcel(database)
    calm = {"parcel_id": parcel_id, "provider": "k100", "next_poll_at": T0, "next_deadline_at": T0 + H}
    assert due(database, parcels.Due(**calm)) == 1
    assert due(database, parcels.Due(**(calm | change))) == written
    found = loaded(database, parcel_id)
    expected = {**calm, **change} if written else calm
    assert found.next_poll_at == expected["next_poll_at"]
    assert found.next_deadline_at == expected["next_deadline_at"]
    assert found.provider == expected["provider"]


def test_rescheduling_again_touches_no_page(sqlite_url):
    store = Database.open(sqlite_url)
    rows = [parcels.Due(parcel_id, "k100", T0, T0 + H) for parcel_id in many_parcels(store, 50)]

    def twice(conn):
        parcels.reschedule(conn, rows)
        before = conn.connection.driver_connection.total_changes
        parcels.reschedule(conn, rows)
        return conn.connection.driver_connection.total_changes - before

    assert store.write_now(twice) == 0
    store.close()


def test_deadlines_that_have_come_are_taken_oldest_first(database):
    ids = many_parcels(database, 4)
    rows = zip(ids, (3, 1, 2, None), strict=True)
    due(database, *(parcels.Due(id_, "", None, T0 + hours * H if hours else None) for id_, hours in rows))

    def take_due(now, limit=10):
        return database.write_now(lambda conn: parcels.take_due_deadlines(conn, now, limit))

    assert take_due(T0) == []
    assert take_due(T0 + H) == [ids[1]]
    assert take_due(T0 + 5 * H) == [ids[1], ids[2], ids[0]]
    assert take_due(T0 + 5 * H, limit=2) == [ids[1], ids[2]]


def test_an_empty_tick_reads_an_index_and_nothing_else(sqlite_url):
    """Design L2: the work of a tick is the number of parcels that are due, not the number in flight."""
    store = Database.open(sqlite_url)
    asked = (
        "SELECT parcel_id FROM due WHERE next_deadline_at <= 1 ORDER BY next_deadline_at LIMIT 9",
        "SELECT parcel_id FROM due WHERE provider = 'k' AND next_poll_at <= 1 ORDER BY next_poll_at LIMIT 9",
    )
    plans = [
        store.read_now(lambda conn, q=q: str(conn.execute(text(f"EXPLAIN QUERY PLAN {q}")).all()))
        for q in asked
    ]
    store.close()
    assert "ix_due_deadline" in plans[0]
    assert "ix_due_poll" in plans[1]
    assert not any("TEMP B-TREE" in plan for plan in plans)


def test_moments_are_kept_to_the_microsecond(database):
    parcel_id = a_parcel(database)
    at = T0 + timedelta(microseconds=1)
    ask_at(database, parcel_id, at)
    assert loaded(database, parcel_id).next_poll_at == at
    assert micros(at) == [to_micros(T0) + 1]


@pytest.mark.parametrize("ahead", [2 * DAY, 400 * DAY])
def test_a_waybill_asked_about_by_a_clock_that_was_ahead_waits_no_longer_than_one_just_asked(database, ahead):
    """It counts as asked now, and as often as it may be: neither rule is broken, whenever it really was."""
    [parcel_id] = many_parcels(database, 1)
    ask_at(database, parcel_id, T0 + ahead)
    assert claim(database, T0 + ahead)
    ask_at(database, parcel_id, T0)
    assert not claim(database, T0)
    asked = [T0 + n * MINUTE for n in range(1, 24 * 60) if claim(database, T0 + n * MINUTE)]
    assert T0 + 30 * MINUTE <= asked[0] <= T0 + 75 * MINUTE
    assert len(asked) <= 20, "half of the day's forty refill in a day"


def test_whoever_dies_over_a_claim_that_waited_its_turn_shortens_no_interval(database):
    """Asked up to four seconds after it was claimed: the thirty minutes count from there."""
    [parcel_id] = many_parcels(database, 1)
    ask_at(database, parcel_id, T0)
    ceilings = {"interval": 30 * MINUTE, "daily": 48, "lease": MINUTE}
    waits = timedelta(seconds=4)
    database.write_now(lambda conn: claims.take(conn, "k100", T0, 1, waits=waits, **ceilings))
    database.write_now(lambda conn: polls.release(conn, "k100", T0, interval=30 * MINUTE, lease=MINUTE))
    early = T0 + 30 * MINUTE
    assert not claim(database, early)
    ask_at(database, parcel_id, early)  # somebody judged it, and wants to know
    assert not claim(database, early + waits - timedelta(microseconds=1), daily=48)
    assert claim(database, early + waits, daily=48)
