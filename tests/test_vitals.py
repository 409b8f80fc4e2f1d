"""How the daemon is: red when work waits and nothing moves, never because there is nothing to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.vitals import (
    ACCOUNT_DOWN,
    DELIVER_LATE,
    FETCH_LATE,
    JUDGE_LATE,
    STALE,
    VERB_FAILING,
    Standing,
    Vitals,
)

T0 = datetime(2026, 11, 22, tzinfo=UTC)
S = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def vitals() -> Vitals:
    return Vitals(T0)


def kinds(vitals: Vitals, now: datetime) -> list[str]:
    return [each.kind for each in vitals.found(now)]


def want(vitals: Vitals, until: timedelta, since: timedelta = timedelta(0), account: str = "k100") -> None:
    """Something is due at the account from `since` to `until`, seen every minute."""
    at = since
    while at <= until:
        vitals.wants(account, T0 + at)
        at += timedelta(minutes=1)


@pytest.mark.parametrize("days", [0, 1, 400])
def test_an_idle_service_is_well(vitals: Vitals, days: int) -> None:
    vitals.standing = Standing(T0)
    assert vitals.problems(T0 + days * DAY) == ()


@pytest.mark.parametrize(
    ("after", "expected"), [(FETCH_LATE - S, []), (FETCH_LATE, ["fetch"]), (FETCH_LATE + 30 * S, ["fetch"])]
)
def test_nothing_fetched_while_questions_are_due(
    vitals: Vitals, after: timedelta, expected: list[str]
) -> None:
    want(vitals, after)
    assert kinds(vitals, T0 + after) == expected


def test_a_good_answer_ends_the_waiting(vitals: Vitals) -> None:
    want(vitals, FETCH_LATE)
    vitals.fetched("k100", T0 + FETCH_LATE)
    assert vitals.fetched_at == {"k100": T0 + FETCH_LATE}
    want(vitals, 2 * FETCH_LATE - timedelta(minutes=1), FETCH_LATE)
    assert vitals.problems(T0 + 2 * FETCH_LATE - S) == ()


def test_a_refused_number_is_no_silence(vitals: Vitals) -> None:
    """The provider answered: it does not know this number. The account works."""
    want(vitals, FETCH_LATE)
    vitals.answered("k100")
    assert vitals.problems(T0 + FETCH_LATE) == ()
    assert vitals.fetched_at == {}


def test_an_account_asked_for_once_and_never_again_is_forgotten(vitals: Vitals) -> None:
    vitals.wants("k100", T0)
    assert kinds(vitals, T0 + STALE) == ["fetch"]
    assert kinds(vitals, T0 + STALE + S) == []
    vitals.wants("k100", T0 + DAY)
    assert kinds(vitals, T0 + DAY) == [], "a new wait begins anew"


def test_accounts_are_watched_one_by_one(vitals: Vitals) -> None:
    want(vitals, FETCH_LATE)
    want(vitals, FETCH_LATE, account="sf")
    vitals.fetched("k100", T0 + FETCH_LATE)
    [told] = vitals.problems(T0 + FETCH_LATE)
    assert "sf" in told
    assert "k100" not in told


def test_an_account_that_is_down_says_why(vitals: Vitals) -> None:
    want(vitals, ACCOUNT_DOWN)
    vitals.feed("k100", T0, "KEY 已过期\u202e\n13812345678")
    assert kinds(vitals, T0 + ACCOUNT_DOWN - S) == []
    [told] = vitals.problems(T0 + ACCOUNT_DOWN)
    assert "k100" in told
    assert "KEY 已过期" in told
    assert "请检查密钥" in told
    assert "13812345678" not in told
    assert "\u202e" not in told
    vitals.feed("k100", None)
    assert kinds(vitals, T0 + ACCOUNT_DOWN) == []


def test_an_account_nobody_wants_anything_of_may_be_down(vitals: Vitals) -> None:
    vitals.feed("k100", T0, "KEY 已过期")
    assert vitals.problems(T0 + DAY) == ()


@pytest.mark.parametrize(("after", "expected"), [(DELIVER_LATE, []), (DELIVER_LATE + S, ["deliver"])])
def test_nothing_delivered_while_messages_wait(vitals: Vitals, after: timedelta, expected: list[str]) -> None:
    vitals.standing = Standing(T0 + DAY, message_since={"ops": T0 + DAY})
    assert kinds(vitals, T0 + DAY + after) == expected


def test_a_robot_that_works_through_a_storm_is_well(vitals: Vitals) -> None:
    """The oldest message waits for an hour, but the channel takes one every few seconds."""
    vitals.standing = Standing(T0 + DAY, message_since={"ops": T0})
    vitals.delivered("ops", T0 + DAY)
    assert vitals.problems(T0 + DAY + DELIVER_LATE) == ()


def test_a_fresh_start_gets_its_time_to_deliver(vitals: Vitals) -> None:
    """The message waited through the night while the service was stopped."""
    vitals.standing = Standing(T0, message_since={"ops": T0 - DAY})
    assert vitals.problems(T0 + DELIVER_LATE) == ()
    assert kinds(vitals, T0 + DELIVER_LATE + S) == ["deliver"]


def test_a_message_meant_for_later_does_not_wait(vitals: Vitals) -> None:
    vitals.standing = Standing(T0, message_since={"ops": T0 + DAY})
    assert vitals.problems(T0 + DAY) == ()


@pytest.mark.parametrize(("after", "expected"), [(JUDGE_LATE, []), (JUDGE_LATE + S, ["judge"])])
def test_nothing_judged_while_parcels_are_due(vitals: Vitals, after: timedelta, expected: list[str]) -> None:
    vitals.judged(T0 + DAY)
    vitals.standing = Standing(T0 + DAY, judge_since=T0)
    assert kinds(vitals, T0 + DAY + after) == expected


def test_a_long_sweep_that_moves_on_is_well(vitals: Vitals) -> None:
    """A new policy makes a million parcels due at once: the oldest of them waits for a while."""
    vitals.standing = Standing(T0 + DAY, judge_since=T0)
    vitals.judged(T0 + DAY)
    assert vitals.problems(T0 + DAY + JUDGE_LATE) == ()


def test_a_verb_that_fails_is_told_with_its_reason(vitals: Vitals) -> None:
    vitals.verb("sweep", T0, "磁盘空间已满")
    vitals.verb("sweep", T0 + VERB_FAILING - S, "磁盘空间已满")
    assert vitals.problems(T0 + VERB_FAILING - S) == ()
    vitals.verb("sweep", T0 + VERB_FAILING, "磁盘空间已满")
    [told] = vitals.problems(T0 + VERB_FAILING)
    assert "sweep" in told
    assert "磁盘空间已满" in told
    vitals.verb("sweep", T0 + VERB_FAILING + S, None)
    assert vitals.problems(T0 + VERB_FAILING + S) == ()


def test_a_verb_that_fails_now_and_then_is_well(vitals: Vitals) -> None:
    for hours in range(0, 24, 3):
        vitals.verb("backup", T0 + timedelta(hours=hours), "busy")
    assert vitals.problems(T0 + DAY) == ()


def test_what_a_reload_took_out_is_no_problem_any_more(vitals: Vitals) -> None:
    want(vitals, FETCH_LATE)
    vitals.verb("poll k100", T0, "x")
    vitals.verb("poll k100", T0 + FETCH_LATE, "x")
    assert kinds(vitals, T0 + FETCH_LATE) == ["verb", "fetch"]
    vitals.keep(accounts=frozenset({"sf"}), verbs=frozenset({"sweep", "poll sf"}))
    assert vitals.problems(T0 + FETCH_LATE) == ()


def test_a_demos_fast_clock_has_as_much_patience_on_the_wall() -> None:
    vitals = Vitals(T0, speed=60)
    vitals.wants("k100", T0)
    vitals.wants("k100", T0 + 59 * FETCH_LATE)
    assert vitals.problems(T0 + 59 * FETCH_LATE) == ()
    vitals.wants("k100", T0 + 60 * FETCH_LATE)
    assert kinds(vitals, T0 + 60 * FETCH_LATE) == ["fetch"]


def test_every_sentence_says_what_to_do(vitals: Vitals) -> None:
    now = T0 + DAY
    want(vitals, DAY)
    want(vitals, DAY, account="sf")
    vitals.feed("sf", T0, "超时")
    vitals.standing = Standing(now, judge_since=T0, message_since={"ops": T0})
    vitals.verb("sweep", T0, "x")
    vitals.verb("sweep", T0 + timedelta(hours=1), "x")
    vitals.verb("sweep", T0 + timedelta(hours=2), "x")
    vitals.verb("sweep", now - timedelta(hours=1), "y")
    vitals.verb("sweep", now, "y")
    assert kinds(vitals, now) == ["verb", "judge", "fetch", "account", "deliver"]
    for told in vitals.problems(now):
        assert "请" in told
        assert told.endswith("。")
