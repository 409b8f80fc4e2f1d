"""A provider account's health: up, degraded, down. Pure: one call's result in, the next state out.

An outage is a state of its own: while it lasts nobody is accused (L1), it is told once when it
starts and once when it ends, and meanwhile a single question now and then asks whether it is over.
One that comes back soon after its end is the same one: it is told again only when it lasts.
A single carrier behind the account has a health of its own (`monitor/feeds/line.py`).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.remote import Denied, Rejected, RemoteError, Throttled, Unreadable

__all__ = ["UNHEARD", "Feed", "FeedState", "after_answer", "after_error", "may_ask", "shown", "told"]

_DEGRADED_AFTER: Final = 3
_DOWN_AFTER: Final = 6
_REFUSALS: Final = 20
"""So many different numbers refused in a row say that it is the account, not the numbers."""
_PROBE: Final = (timedelta(seconds=1), timedelta(minutes=1))
_DENIED_PROBE: Final = timedelta(minutes=10)
_CALM: Final = timedelta(minutes=30)
"""So long after an outage was told to be over, the next one is a new one, told at once."""
_LASTING: Final = timedelta(minutes=10)
"""Sooner than that, it has to last so long before anybody hears of it again."""
_OTHERS: Final = 3
"""So many numbers of further carriers, beside those of one, say that it is not that carrier alone."""


class FeedState(StrEnum):
    """How an account does."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


UNHEARD: Final = "unknown"
"""As people see it: it never gave a good answer and never pushed, so nothing says that it works."""


def shown(state: str, *, heard: bool, poor: bool = False) -> str:
    """A health as people see it: `up` only for one that was `heard` of; `poor`: half of the questions fail."""
    if state != FeedState.UP:
        return state
    return FeedState.DEGRADED.value if poor else FeedState.UP.value if heard else UNHEARD


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
    """Which numbers were refused or unreadable in this row: a few poisoned ones are no outage.

    `carrier/number` where the carrier is known.
    """
    back_at: datetime | None = None
    """When the last outage that was told was told to be over."""


def after_answer(feed: Feed, now: datetime) -> tuple[Feed, bool]:
    """An answer came. The flag says: tell that it is back (only if the outage was told)."""
    back = feed.told
    if feed.state is FeedState.UP and not feed.failures and not feed.numbers:
        return replace(feed, last_good_at=now), False
    since = now if feed.state is not FeedState.UP else feed.since
    fresh = Feed(
        FeedState.UP,
        since=since,
        last_good_at=now,
        last_bad_at=feed.last_bad_at,
        back_at=now if back else feed.back_at,
    )
    return fresh, back


def after_error(
    feed: Feed, error: RemoteError, number: str, now: datetime, *, carrier: str = "", others: bool = False
) -> tuple[Feed, bool]:
    """No answer came. The flag says: tell that it is down.

    `others`: the account lately answered for another carrier than `carrier`. Then what is wrong with numbers of
    this one alone is no outage of the account.
    """
    if isinstance(error, Throttled):
        resume = now + error.wait if error.closes else feed.resume_at
        return replace(feed, resume_at=resume, last_bad_at=now, last_error=str(error)), False
    own = isinstance(error, (Rejected, Unreadable))
    name = f"{carrier}/{number}" if carrier else number
    numbers = _with(feed.numbers, name, carrier) if own else feed.numbers
    if isinstance(error, Rejected) and feed.state is FeedState.DOWN and len(numbers) < _REFUSALS:
        return after_answer(feed, now)  # it is this number's fault, so the account works again
    known = isinstance(error, Rejected) or (own and name in feed.numbers)
    failures = feed.failures + (not known)
    state = _state(feed, error, failures, len(numbers))
    if own and others and state is not feed.state and _of_one_carrier(numbers):
        state = feed.state
    return told(
        replace(
            feed,
            state=state,
            since=now if state is not feed.state else feed.since,
            last_bad_at=now,
            last_error=str(error),
            failures=failures,
            resume_at=now + _rest(error, failures) if state is FeedState.DOWN else feed.resume_at,
            numbers=numbers,
        ),
        now,
    )


def told(feed: Feed, now: datetime) -> tuple[Feed, bool]:
    """Whether it is now to be told that it is down, and the feed that remembers it."""
    if feed.state is not FeedState.DOWN or feed.told:
        return feed, False
    relapse = feed.back_at is not None and now - feed.back_at < _CALM
    if relapse and (feed.since is None or now - feed.since < _LASTING):
        return feed, False
    return replace(feed, told=True), True


def _with(numbers: Set[str], name: str, carrier: str) -> Set[str]:
    """One more, as long as it can make a difference."""
    return numbers if _count(numbers, carrier) >= _REFUSALS else numbers | {name}


def _count(numbers: Set[str], carrier: str) -> int:
    return sum(_carrier(each) == carrier for each in numbers)


def _carrier(name: str) -> str:
    return name.partition("/")[0] if "/" in name else ""


def _of_one_carrier(numbers: Set[str]) -> bool:
    """All but a few of them are numbers of one carrier, and not of three or more."""
    carriers = {_carrier(each) for each in numbers}
    return len(carriers) <= 2 and len(numbers) - max(_count(numbers, each) for each in carriers) < _OTHERS


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
