"""A robot's budget: how many may be said now, what happens to it after each answer. Pure.

One pacer per robot, not per channel or process; its window is stored before anything is sent, so a
restart does not start a fresh one (`facts/notifiers.md` §5). A mute is a state of the robot.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from domain.remote import Denied, Outcome, RemoteError, Throttled, Unavailable
from monitor.store.robots import RobotState
from notifiers.base import Pace

__all__ = ["GIVE_UP_AFTER", "after", "closed", "denied", "room", "taken", "wait_after"]

GIVE_UP_AFTER: Final = timedelta(hours=72)
"""Promise 3: tried so long, then a dead letter that somebody sees."""
_SHUT_AFTER: Final = 3
_SHUT_FOR: Final = timedelta(minutes=1)
_REFUSED_FOR: Final = timedelta(minutes=10)
_RETRY: Final = (timedelta(seconds=2), timedelta(hours=1))
_DENIED: Final = "被拒绝："
"""How the reason begins why a robot is closed that only its owner can open."""


def closed(state: RobotState, now: datetime) -> bool:
    """Nothing may leave, whatever it is."""
    return state.closed_until is not None and state.closed_until > now


def denied(state: RobotState) -> bool:
    """The platform refuses the robot itself, and has taken nothing since."""
    return state.closed_why.startswith(_DENIED)


def room(state: RobotState, pace: Pace, now: datetime, *, critical: bool = False) -> int:
    """How many messages may leave now; the reserve is for critical ones."""
    if closed(state, now):
        return 0
    recent = _recent(state, pace, now)
    if recent and pace.gap and now - max(recent) < pace.gap:
        return 0
    if state.unknowns >= _SHUT_AFTER:
        return 1 if not recent or max(recent) <= now - _SHUT_FOR else 0
    left = pace.sends - len(recent) - (0 if critical else pace.reserved)
    return max(0, min(left, 1) if pace.gap else left)


def taken(state: RobotState, pace: Pace, now: datetime) -> RobotState:
    """The state with one more send in its window: kept before the request leaves."""
    return replace(state, sends=(*_recent(state, pace, now), now))


def _recent(state: RobotState, pace: Pace, now: datetime) -> list[datetime]:
    """The sends its platform still counts. One far ahead of now was noted by a clock that was wrong."""
    return [at for at in state.sends if -pace.window < now - at < pace.window]


def after(state: RobotState, error: RemoteError | None, now: datetime) -> RobotState:
    """The state after an answer, or after the lack of one."""
    if error is None:
        return replace(state, closed_until=None, closed_why="", unknowns=0)
    if error.outcome is Outcome.UNKNOWN:
        return replace(state, unknowns=state.unknowns + 1)
    if isinstance(error, Throttled) and error.closes:
        until = now + (error.again if _just_reopened(state, error, now) else error.wait)
        return replace(state, closed_until=until, closed_why=str(error), unknowns=0)
    if isinstance(error, Denied):
        return replace(state, closed_until=now + _REFUSED_FOR, closed_why=f"{_DENIED}{error}", unknowns=0)
    return state if isinstance(error, Unavailable) else replace(state, unknowns=0)


def _just_reopened(state: RobotState, error: Throttled, now: datetime) -> bool:
    """It rested, has said nothing since, and is too fast again."""
    until = state.closed_until
    return until is not None and until <= now <= until + error.wait and not denied(state)


def wait_after(attempts: int, error: RemoteError) -> timedelta:
    """How long a message waits for its next try."""
    shortest, longest = _RETRY
    wait = min(shortest * (1 << min(attempts - 1, 12)), longest)
    if isinstance(error, Denied):
        return max(wait, _REFUSED_FOR)
    return max(wait, error.wait) if isinstance(error, Throttled) else wait
