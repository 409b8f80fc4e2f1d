"""Accounts, robots, policies and files: what must not be forgotten over a restart."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.store import meta, providers, robots
from monitor.store.providers import ProviderState
from monitor.store.robots import RobotState
from tests.store.given import T0, H, column

SECOND = timedelta(seconds=1)


def reserve(store, n, *, per_second=20.0, now=T0, account="k100"):
    return store.write_now(lambda conn: providers.reserve(conn, account, n, per_second, now))


# ── providers ────────────────────────────────────────────────────────────────────────────────────


def test_an_accounts_state_is_kept_and_an_unknown_one_is_up(database):
    assert database.read_now(lambda conn: providers.load(conn, "k100")) == ProviderState("k100")
    down = ProviderState("k100", "down", T0, T0 - H, T0, "连接超时", 7, 1, 1, T0 + H)
    database.write_now(lambda conn: providers.save(conn, down))
    assert database.read_now(lambda conn: providers.load(conn, "k100")) == down
    up = ProviderState("k100")
    database.write_now(lambda conn: providers.save(conn, up))
    assert database.read_now(lambda conn: providers.load(conn, "k100")) == up


def test_saving_the_state_gives_no_reserved_place_away(database):
    reserve(database, 40)
    database.write_now(lambda conn: providers.save(conn, ProviderState("k100", "degraded")))
    assert reserve(database, 1) == 2 * SECOND


def test_places_in_the_queue_are_given_out_one_after_the_other(database):
    assert reserve(database, 10) == timedelta(0)
    assert reserve(database, 10) == SECOND / 2
    assert reserve(database, 1) == SECOND
    assert reserve(database, 1, account="another") == timedelta(0)
    assert reserve(database, 1, now=T0 + 9 * SECOND) == timedelta(0)  # idle time is not saved up


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    per_second=st.sampled_from([0.5, 1.0, 3.0, 20.0]),
    asks=st.lists(st.tuples(st.integers(1, 30), st.timedeltas(timedelta(0), 5 * SECOND)), min_size=1),
)
def test_however_it_is_asked_for_requests_leave_no_faster_than_the_ceiling(database, per_second, asks):
    account = f"a{len(column(database, 'SELECT name FROM providers'))}"
    now, leaves = T0, []
    for n, later in asks:
        now += later
        queue = database.read_now(lambda conn, now=now: providers.queued(conn, account, per_second, now))
        if queue > 30 * SECOND:  # who claims waits until it is shorter
            continue
        first = now + reserve(database, n, per_second=per_second, now=now, account=account)
        leaves += [first + place * SECOND / per_second for place in range(n)]
    blink = timedelta(microseconds=30)  # what rounding to whole microseconds adds up to
    assert all(later - earlier >= SECOND / per_second - blink for earlier, later in pairwise(leaves))


@pytest.mark.parametrize("ahead", [10 * 60 * SECOND, 48 * H])
def test_a_queue_written_by_a_clock_that_was_ahead_begins_anew(database, ahead):
    """No account stands still for as long as a clock once jumped."""
    reserve(database, 4, now=T0 + ahead)
    assert database.read_now(lambda conn: providers.queued(conn, "k100", 20.0, T0)) == timedelta(0)
    assert reserve(database, 20) == timedelta(0)
    assert reserve(database, 1) == SECOND, "and goes on as every other"


def test_a_slow_accounts_queue_is_long_without_anything_wrong(database):
    reserve(database, 9, per_second=0.1)
    assert reserve(database, 1, per_second=0.1) == 90 * SECOND


def test_spending_adds_up_by_the_day(database):
    day, next_day = date(2026, 11, 1), date(2026, 11, 2)
    for _ in range(2):
        database.write_now(lambda conn: providers.spend(conn, "k100", day, asked=200, cents=1000))
    database.write_now(lambda conn: providers.spend(conn, "k100", next_day, asked=1))
    spent = [database.read_now(lambda conn, d=d: providers.spent(conn, "k100", d)) for d in (day, next_day)]
    assert spent == [providers.Spent(400, 2000, 20_000_000), providers.Spent(1, 0, 0)]
    assert database.read_now(lambda conn: providers.spent(conn, "kdniao", day)) == providers.Spent()


def test_unknown_codes_are_counted_with_the_first_sample(database):
    """Design L7: kept, counted and shown, never guessed."""
    for n, codes in enumerate((["309", "新状态", "309"], ["309"])):
        database.write_now(
            lambda conn, n=n, codes=codes: providers.note_unknown(
                conn, "k100", codes, f"sample {n}", T0 + n * H
            )
        )
    rows = "SELECT code || ' ' || n || ' ' || sample FROM unknown_codes ORDER BY n DESC"
    assert column(database, rows) == ["309 2 sample 0", "新状态 1 sample 0"]


def test_an_endless_code_is_cut_and_still_counted(database):
    for _ in range(2):
        database.write_now(lambda conn: providers.note_unknown(conn, "k100", ["长" * 900 + "\0"], "s", T0))
    assert column(database, "SELECT n FROM unknown_codes WHERE length(code) = 200") == [2]


def test_the_newest_two_hundred_oddities_stay(database):
    def many(conn):
        for n in range(230):
            providers.oddity(conn, "k100", f"reason {n}", "<html>\0", T0)

    database.write_now(many)
    kept = column(database, "SELECT reason FROM oddities ORDER BY id")
    assert kept == [f"reason {n}" for n in range(30, 230)]


def test_an_enormous_reply_is_kept_by_its_head(database):
    database.write_now(lambda conn: providers.oddity(conn, "k100", "why", "x" * 5_000_000, T0))
    assert column(database, "SELECT length(body) FROM oddities") == [20_000]


def test_the_list_of_accounts_has_the_columns_of_the_contract(database):
    """Design §4: `providers --json`; the day is Shanghai's."""
    database.write_now(lambda conn: providers.save(conn, ProviderState("k100", "down", last_good_at=T0)))
    database.write_now(lambda conn: providers.save(conn, ProviderState("idle")))
    database.write_now(lambda conn: providers.spend(conn, "k100", date(2026, 11, 1), asked=7, cents=35))
    database.write_now(lambda conn: providers.note_unknown(conn, "k100", ["a", "b"], "s", T0))
    shown = database.read_now(lambda conn: providers.listing(conn, T0, zone=UTC))
    assert shown == [
        {
            "name": "idle",
            "state": "up",
            "last_good_at": None,
            "asked_today": 0,
            "spent_today": 0,
            "unknown_codes": 0,
        },
        {
            "name": "k100",
            "state": "down",
            "last_good_at": "2026-11-01T02:00:00+00:00",
            "asked_today": 7,
            "spent_today": 0.35,
            "unknown_codes": 2,
        },
    ]
    after_midnight = T0.replace(hour=16)
    [_, tomorrow] = database.read_now(lambda conn: providers.listing(conn, after_midnight))
    assert tomorrow["asked_today"] == 0


# ── robots ───────────────────────────────────────────────────────────────────────────────────────


def test_a_robots_window_survives_a_restart(database):
    assert database.read_now(lambda conn: robots.load(conn, "ding")) == RobotState()
    for state in (RobotState((T0, T0 + SECOND), T0 + H, "发送太快", 2), RobotState((T0 + H,))):
        database.write_now(lambda conn, state=state: robots.save(conn, "ding", state))
        assert database.read_now(lambda conn: robots.load(conn, "ding")) == state


# ── policies and files ───────────────────────────────────────────────────────────────────────────


def test_a_policy_is_new_once(database):
    note = meta.note_policy
    assert database.write_now(lambda conn: note(conn, "v1", "规则", T0)) is True
    assert database.write_now(lambda conn: note(conn, "v1", "规则", T0 + H)) is False
    assert database.write_now(lambda conn: note(conn, "v2", "规则二", T0 + H)) is True
    assert len(column(database, "SELECT version FROM policies")) == 2


def test_every_time_a_policy_applied_is_remembered(database):
    """Going back to the first one takes nothing back of what was (law L4)."""
    assert database.read_now(meta.policy_in_force) == ""
    for hours, version in enumerate(("v1", "v2", "v1", "v1")):
        at = T0 + hours * H
        database.write_now(lambda conn, v=version, at=at: meta.note_policy(conn, v, f"规则 {v}", at))
    assert database.read_now(meta.policy_in_force) == "v1"
    assert database.read_now(meta.policy_spans) == [
        meta.Span("v1", T0 + 2 * H, None),
        meta.Span("v2", T0 + H, T0 + 2 * H),
        meta.Span("v1", T0, T0 + H),
    ]
    bodies = [database.read_now(lambda conn, v=v: meta.policy_body(conn, v)) for v in ("v1", "v2", "v3")]
    assert bodies == ["规则 v1", "规则 v2", None]


def test_a_clock_that_was_put_back_keeps_the_order_in_which_policies_applied(database):
    for hours, version in ((5, "v1"), (0, "v2")):
        at = T0 + hours * H
        database.write_now(lambda conn, v=version, at=at: meta.note_policy(conn, v, "", at))
    spans = database.read_now(meta.policy_spans)
    assert [each.version for each in spans] == ["v2", "v1"]
    assert spans[0].since > spans[1].since


def test_a_file_that_came_in_is_known_again(database):
    sha = "a" * 64
    assert database.read_now(lambda conn: meta.seen_import(conn, sha)) is None
    first = meta.Imported(T0, sha, "订单.csv", "pdd", T0 - H, {"accepted": 3})
    second = meta.Imported(T0 + H, sha, "订单 (1).csv", "pdd", None, {"unchanged": 3})
    for row in (first, second):
        database.write_now(lambda conn, row=row: meta.note_import(conn, row))
    assert database.read_now(lambda conn: meta.seen_import(conn, sha)) == second
