"""A provider account's health: up, degraded, down. Pure: one call's result in, the next state out.

An outage is a state of its own: while it lasts nobody is accused (L1), it is told once when it
starts and once when it ends, and meanwhile a single question now and then asks whether it is over.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.remote import Denied, Rejected, RemoteError, Throttled, Unreadable

__all__ = ["Feed", "FeedState", "after_answer", "after_error", "may_ask"]

_DEGRADED_AFTER: Final = 3
_DOWN_AFTER: Final = 6
_REFUSALS: Final = 20
"""So many different numbers refused in a row say that it is the account, not the numbers."""
_PROBE: Final = (timedelta(seconds=1), timedelta(minutes=1))
_DENIED_PROBE: Final = timedelta(minutes=10)


class FeedState(StrEnum):
    """How an account does."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Feed:
    """What is known of an account's health."""

    state: FeedState = FeedState.UP
    since: datetime | None = None
    last_good_at: datetime | None = None
    last_bad_at: datetime | None = None
    last_error: str = ""
    failures: int = 0
    """In a row; a number that nobody can read counts once."""
    told: bool = False
    """The outage now running was told."""
    resume_at: datetime | None = None
    """No asking before this."""
    numbers: Set[str] = frozenset()
    """Which numbers were refused or unreadable in this row: a few poisoned ones are no outage."""


def after_answer(feed: Feed, now: datetime) -> tuple[Feed, bool]:
    """An answer came. The flag says: tell that it is back (only if the outage was told)."""
    back = feed.told
    if feed.state is FeedState.UP and not feed.failures and not feed.numbers:
        return replace(feed, last_good_at=now), False
    since = now if feed.state is not FeedState.UP else feed.since
    fresh = Feed(FeedState.UP, since=since, last_good_at=now, last_bad_at=feed.last_bad_at)
    return fresh, back


def after_error(feed: Feed, error: RemoteError, number: str, now: datetime) -> tuple[Feed, bool]:
    """No answer came. The flag says: tell that it is down."""
    if isinstance(error, Throttled):
        resume = now + error.wait if error.closes else feed.resume_at
        return replace(feed, resume_at=resume, last_bad_at=now, last_error=str(error)), False
    own = isinstance(error, (Rejected, Unreadable))
    numbers = frozenset(sorted(feed.numbers | {number})[:_REFUSALS]) if own else feed.numbers
    if isinstance(error, Rejected) and feed.state is FeedState.DOWN and len(numbers) < _REFUSALS:
        return after_answer(feed, now)  # it is this number's fault, so the account works again
    known = isinstance(error, Rejected) or (own and number in feed.numbers)
    failures = feed.failures + (not known)
    state = _state(feed, error, failures, len(numbers))
    down = state is FeedState.DOWN
    worse = replace(
        feed,
        state=state,
        since=now if state is not feed.state else feed.since,
        last_bad_at=now,
        last_error=str(error),
        failures=failures,
        told=feed.told or down,
        resume_at=now + _rest(error, failures) if down else feed.resume_at,
        numbers=numbers,
    )
    return worse, down and not feed.told


def _state(feed: Feed, error: RemoteError, failures: int, numbers: int) -> FeedState:
    """A refused account is down at once; a number's own fault counts only over many numbers."""
    if isinstance(error, Denied):
        return FeedState.DOWN
    if isinstance(error, Rejected):
        return FeedState.DOWN if numbers >= _REFUSALS else feed.state
    if failures >= _DOWN_AFTER or feed.state is FeedState.DOWN:
        return FeedState.DOWN
    return FeedState.DEGRADED if failures >= _DEGRADED_AFTER else feed.state


def _rest(error: RemoteError, failures: int) -> timedelta:
    """How long until the next probe: growing, at most a minute; longer where the owner must act."""
    if isinstance(error, Denied):
        return _DENIED_PROBE
    shortest, longest = _PROBE
    return (
        min(shortest * (1 << min(failures - _DOWN_AFTER, 10)), longest)
        if failures > _DOWN_AFTER
        else shortest
    )


def may_ask(feed: Feed, now: datetime) -> int | None:
    """How many questions are allowed now: None for no limit, 1 for a probe, 0 for none."""
    if feed.resume_at is not None and feed.resume_at > now:
        return 0
    return 1 if feed.state is FeedState.DOWN else None
