"""A robot's budget: how many may be said now, what happens to it after each answer. Pure.

One pacer per robot, not per channel or process; its window is stored before anything is sent, so a
restart does not start a fresh one (`facts/notifiers.md` §5). A mute is a state of the robot.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from domain.remote import Denied, Outcome, RemoteError, Throttled
from monitor.store.robots import RobotState
from notifiers.base import Pace

__all__ = ["GIVE_UP_AFTER", "after", "room", "taken", "wait_after"]

GIVE_UP_AFTER: Final = timedelta(hours=72)
"""Promise 3: tried so long, then a dead letter that somebody sees."""
_SHUT_AFTER: Final = 3
_SHUT_FOR: Final = timedelta(minutes=1)
_REFUSED_FOR: Final = timedelta(minutes=10)
_RETRY: Final = (timedelta(seconds=2), timedelta(hours=1))


def room(state: RobotState, pace: Pace, now: datetime, *, critical: bool = False) -> int:
    """How many messages may leave now; the reserve is for critical ones."""
    if state.closed_until is not None and state.closed_until > now:
        return 0
    recent = [at for at in state.sends if at > now - pace.window]
    if recent and pace.gap and now - max(recent) < pace.gap:
        return 0
    if state.unknowns >= _SHUT_AFTER:
        return 1 if not recent or max(recent) <= now - _SHUT_FOR else 0
    left = pace.sends - len(recent) - (0 if critical else pace.reserved)
    return max(0, min(left, 1) if pace.gap else left)


def taken(state: RobotState, pace: Pace, now: datetime) -> RobotState:
    """The state with one more send in its window: kept before the request leaves."""
    recent = tuple(at for at in state.sends if at > now - pace.window)
    return replace(state, sends=(*recent, now))


def after(state: RobotState, error: RemoteError | None, now: datetime) -> RobotState:
    """The state after an answer, or after the lack of one."""
    if error is None:
        return replace(state, closed_until=None, closed_why="", unknowns=0)
    if isinstance(error, Throttled) and error.closes:
        return replace(state, closed_until=now + error.wait, closed_why=str(error))
    if isinstance(error, Denied):
        return replace(state, closed_until=now + _REFUSED_FOR, closed_why=str(error))
    if error.outcome is Outcome.UNKNOWN:
        return replace(state, unknowns=state.unknowns + 1)
    return state


def wait_after(attempts: int, error: RemoteError) -> timedelta:
    """How long a message waits for its next try."""
    shortest, longest = _RETRY
    wait = min(shortest * (1 << min(attempts - 1, 12)), longest)
    return max(wait, error.wait) if isinstance(error, Throttled) else wait
