"""A robot's budget (`facts/notifiers.md` §3, §5): what may leave now, and what an answer does to the robot."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.remote import Denied, Rejected, RemoteError, Throttled, Unanswered, Unavailable, Unreadable
from monitor.store.robots import RobotState
from monitor.telling import pacing
from notifiers.base import Pace
from notifiers.dingtalk import DingTalk
from notifiers.onebot import OneBot
from notifiers.wecom import WeCom
from tests.simulated import DAY, HOUR, MINUTE, T0

SECOND = timedelta(seconds=1)
ROBOT = Pace(sends=18, window=MINUTE, reserved=2)
SLOW = Pace(sends=18, window=MINUTE, reserved=2, gap=3 * SECOND)
WINDOW_ERRORS = [
    Throttled("45009", MINUTE, again=HOUR),
    Throttled("130101", 10 * MINUTE),
]


def spoke(*seconds_ago: float, **state: object) -> RobotState:
    return RobotState(tuple(T0 - timedelta(seconds=each) for each in seconds_ago), **state)


@pytest.mark.parametrize(
    ("state", "pace", "normal", "critical"),
    [
        pytest.param(spoke(), ROBOT, 16, 18, id="fresh: two kept for critical ones"),
        pytest.param(spoke(*range(10)), ROBOT, 6, 8, id="ten in this minute"),
        pytest.param(spoke(*range(16)), ROBOT, 0, 2, id="only the reserve is left"),
        pytest.param(spoke(*range(18)), ROBOT, 0, 0, id="the window is full"),
        pytest.param(spoke(*range(17), 60), ROBOT, 0, 1, id="a minute ago is out of the window"),
        pytest.param(spoke(59.9), ROBOT, 15, 17, id="just inside the window"),
        pytest.param(spoke(2.9), SLOW, 0, 0, id="a gap between two"),
        pytest.param(spoke(3), SLOW, 1, 1, id="the gap has passed: one at a time"),
        pytest.param(spoke(closed_until=T0 + SECOND), ROBOT, 0, 0, id="closed"),
        pytest.param(
            spoke(closed_until=T0), ROBOT, 16, 18, id="open again at the moment it was closed until"
        ),
        pytest.param(spoke(90, unknowns=3), ROBOT, 1, 1, id="three unknown in a row: one probe"),
        pytest.param(spoke(30, unknowns=3), ROBOT, 0, 0, id="not another probe within the minute"),
        pytest.param(spoke(30, unknowns=2), ROBOT, 15, 17, id="two unknown are none"),
        pytest.param(
            spoke(*[-2 * 86400] * 18), SLOW, 1, 1, id="a clock that was wrong stops no robot for days"
        ),
        pytest.param(spoke(-20), ROBOT, 15, 17, id="a clock set back a little forgets no send"),
    ],
)
def test_how_many_may_leave_now(state: RobotState, pace: Pace, normal: int, critical: int) -> None:
    assert pacing.room(state, pace, T0) == normal
    assert pacing.room(state, pace, T0, critical=True) == critical


@pytest.mark.parametrize("robot", [DingTalk, WeCom, OneBot], ids=lambda each: each.__name__)
def test_our_robots_keep_below_the_platforms_twenty_with_two_for_emergencies(robot: type) -> None:
    """`facts/notifiers.md` §5: at most 18 in any 60 s, two kept."""
    assert (robot.pace.sends, robot.pace.window, robot.pace.reserved) == (18, MINUTE, 2)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=120), st.sampled_from([ROBOT, SLOW]))
def test_no_window_ever_holds_more_than_the_platform_takes(
    moves: list[tuple[float, bool]], pace: Pace
) -> None:
    state, now, sent = RobotState(), T0, []
    for wait, critical in moves:
        now += timedelta(seconds=wait)
        while pacing.room(state, pace, now, critical=critical):
            state = pacing.taken(state, pace, now)
            sent.append(now)
    for n, first in enumerate(sent):
        assert sum(first <= at < first + pace.window for at in sent[n:]) <= pace.sends
        assert all(at - first >= pace.gap for at in sent[n + 1 : n + 2])


def test_the_state_does_not_grow() -> None:
    state = RobotState()
    for n in range(1000):
        state = pacing.taken(state, ROBOT, T0 + n * SECOND)
    assert len(state.sends) <= 60


@pytest.mark.parametrize(
    ("error", "closed_for", "unknowns"),
    [
        pytest.param(None, None, 0, id="taken"),
        pytest.param(
            Throttled("130101", 10 * MINUTE), 10 * MINUTE, 0, id="muted: the whole robot for ten minutes"
        ),
        pytest.param(Throttled("45033", 5 * SECOND, closes=False), None, 0, id="one call too many at once"),
        pytest.param(Denied("43004"), 10 * MINUTE, 0, id="refused: no use to knock more often"),
        pytest.param(Rejected("430102"), None, 0, id="this one message"),
        pytest.param(Unavailable("-1"), None, 2, id="busy"),
        pytest.param(Unanswered("time-out"), None, 3, id="lost"),
        pytest.param(Unreadable("a login page"), None, 3, id="unreadable"),
    ],
)
def test_what_an_answer_does_to_the_robot(
    error: RemoteError | None, closed_for: timedelta | None, unknowns: int
) -> None:
    state = pacing.after(RobotState((T0,), unknowns=2), error, T0)
    assert state.closed_until == (None if closed_for is None else T0 + closed_for)
    assert state.unknowns == unknowns
    assert state.sends == (T0,), "what was sent stays counted, whatever came of it"


@pytest.mark.parametrize(
    ("later", "first", "second", "closed_for"),
    [
        pytest.param(MINUTE, 0, 0, HOUR, id="45009 again at once: the limit of an hour"),
        pytest.param(3 * MINUTE, 0, 0, MINUTE, id="long after: a new minute"),
        pytest.param(MINUTE, 1, 1, 10 * MINUTE, id="DingTalk mutes for ten minutes, whenever"),
    ],
)
def test_too_fast_again(later: timedelta, first: int, second: int, closed_for: timedelta) -> None:
    state = pacing.after(RobotState(), WINDOW_ERRORS[first], T0)
    assert not pacing.room(state, ROBOT, T0 + MINUTE - SECOND)
    again = pacing.after(state, WINDOW_ERRORS[second], T0 + later)
    assert again.closed_until == T0 + later + closed_for


def test_after_a_message_was_taken_the_next_45009_is_a_minutes_again() -> None:
    state = pacing.after(RobotState(), WINDOW_ERRORS[0], T0)
    state = pacing.after(state, None, T0 + MINUTE)
    assert (
        pacing.after(state, WINDOW_ERRORS[0], T0 + MINUTE + SECOND).closed_until == T0 + 2 * MINUTE + SECOND
    )


def test_a_robot_is_denied_until_it_takes_something() -> None:
    muted = pacing.after(RobotState(), Throttled("130101", 10 * MINUTE), T0)
    refused = pacing.after(muted, Denied("43004"), T0 + 10 * MINUTE)
    assert not pacing.denied(RobotState())
    assert not pacing.denied(muted)
    assert pacing.denied(refused)
    assert pacing.denied(pacing.after(refused, Unanswered("lost"), T0 + HOUR))
    assert not pacing.denied(pacing.after(refused, None, T0 + HOUR))


@pytest.mark.parametrize(
    ("attempts", "error", "wait"),
    [
        pytest.param(1, Unavailable("-1"), 2 * SECOND, id="first"),
        pytest.param(2, Unavailable("-1"), 4 * SECOND, id="twice as long"),
        pytest.param(20, Unavailable("-1"), HOUR, id="an hour at most"),
        pytest.param(1, Throttled("130101", 10 * MINUTE), 10 * MINUTE, id="not before the platform says"),
        pytest.param(
            20, Throttled("45033", 5 * SECOND, closes=False), HOUR, id="nor sooner than our own patience"
        ),
        pytest.param(1, Denied("310000"), 10 * MINUTE, id="as long as a robot that refuses us is left alone"),
        pytest.param(10_000, Unavailable("-1"), HOUR, id="no number is too large"),
    ],
)
def test_how_long_a_message_waits_for_its_next_try(
    attempts: int, error: RemoteError, wait: timedelta
) -> None:
    assert pacing.wait_after(attempts, error) == wait


def test_it_is_given_up_after_three_days() -> None:
    assert pacing.GIVE_UP_AFTER == 3 * DAY
