"""The health of one carrier behind an account. Pure: what one look showed in, the next state out.

Behind an aggregator one carrier can fail while the others are well: its numbers are refused or unreadable, they
are all empty though they were not before, or nothing new comes of them any more (`monitor/feeds/silence.py`). While it is
down its answers prove no silence (L1); it is told once when it begins and once when it ends (`monitor/feeds/feed.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.remote import RemoteError
from monitor.feeds.feed import Feed, FeedState, after_answer, after_error, shown, told

__all__ = [
    "Cause",
    "Line",
    "Sign",
    "account_shown",
    "after_look",
    "after_share",
    "after_silence",
    "place_in_queue",
]

_EMPTIED: Final = 6
"""So many different numbers in a row that had scans and have none: as many as time-outs (`monitor/feeds/feed.py`)."""
_BACK: Final = 3
"""A silence is over when so many different parcels have a new scan: one alone may have been on its way."""
_QUESTIONS: Final = 30
"""So many questions have to fail before their share says anything."""
_WELL: Final = 10
_PROBE: Final = timedelta(minutes=2)
_QUEUE: Final = timedelta(hours=6)
"""While it is down, one parcel every two minutes asks whether it is over, and nobody waits longer than this."""


class Sign(StrEnum):
    """What one look at one number shows of the feed."""

    NEWS = "news"
    """A scan nobody knew."""
    KNOWN = "known"
    """The scans that are known."""
    NOTHING = "nothing"
    """No scan, as before: says that somebody answers, and nothing of the carrier."""
    EMPTIED = "emptied"
    """No scan, or another parcel's, where there were some."""
    ERROR = "error"


class Cause(StrEnum):
    """Why it is down."""

    NONE = ""
    ERRORS = "errors"
    EMPTIED = "emptied"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of it."""

    feed: Feed = field(default_factory=Feed)
    cause: Cause = Cause.NONE
    emptied: Set[str] = frozenset()
    """The numbers of the row that is running."""
    returned: Set[str] = frozenset()
    """The numbers that have something new again."""
    news_at: datetime | None = None
    """The last new scan was learned then."""
    judged_at: datetime | None = None
    """Whether it is silent was reckoned then."""
    probe_at: datetime | None = None
    poor_since: datetime | None = None
    """Half of the questions fail since then."""
    poor_told: bool = False

    @property
    def down(self) -> bool:
        """Its answers prove no silence."""
        return self.feed.state is FeedState.DOWN

    @property
    def trouble(self) -> bool:
        """It is down, or a row that may bring it down is running."""
        return self.down or bool(self.emptied or self.feed.numbers or self.feed.failures)

    @property
    def state(self) -> FeedState:
        """As people see it."""
        poor = self.poor_since is not None and self.feed.state is FeedState.UP
        return FeedState.DEGRADED if poor else self.feed.state

    @property
    def shown(self) -> str:
        """`state`, or `unknown` while nothing good was ever heard of it."""
        return shown(self.state.value, heard=self.feed.last_good_at is not None)


def account_shown(state: str, lines: Mapping[str, Line], *, good: bool) -> str:
    """An account's health as people see it. `lines`: by carrier, under `""` what is said of all together; `good`: it
    was asked and answered. One that only pushes is heard of by its carriers alone."""
    poor = "" in lines and lines[""].poor_since is not None
    heard = good or any(line.feed.last_good_at is not None for line in lines.values())
    return shown(state, heard=heard, poor=poor)


def after_look(
    line: Line, sign: Sign, number: str, now: datetime, error: RemoteError | None = None
) -> tuple[Line, bool]:
    """One look's result; `error` with `Sign.ERROR`. The flag says: tell (what, the state after it says)."""
    if sign is Sign.ERROR:
        assert error is not None
        return _after_error(line, number, error, now)
    if sign is Sign.EMPTIED:
        return _after_emptied(line, number, now)
    if sign is Sign.NEWS:
        line = replace(line, news_at=now)
    if line.cause is Cause.SILENT:
        return _after_silence(line, sign, number, now)
    if sign is Sign.NOTHING and (line.emptied or line.cause is Cause.EMPTIED):
        return line, False
    return _well(line, now)


def after_silence(line: Line, why: str, now: datetime) -> tuple[Line, bool]:
    """It has gone silent."""
    if line.down:
        return line, False
    return _down(replace(line, returned=frozenset()), Cause.SILENT, why, now)


def after_share(
    line: Line, asked: int, failed: int, now: datetime, least: int = _QUESTIONS
) -> tuple[Line, bool]:
    """How many of the last questions failed: half is poor, a tenth is well again. What is down is not told as poor.

    `least` is how many have to fail: more than a few poisoned numbers can, however often each is asked about.
    """
    if line.poor_since is None and failed >= max(least, _QUESTIONS) and failed * 2 >= asked:
        return replace(line, poor_since=now, poor_told=not line.down), not line.down
    if line.poor_since is not None and asked >= _WELL and failed * 10 <= asked:
        return replace(line, poor_since=None, poor_told=False), line.poor_told
    return line, False


def place_in_queue(line: Line, earliest: datetime, now: datetime) -> tuple[Line, datetime]:
    """When a parcel of a carrier that is down is asked about again: one after the other, not all of them for nothing."""
    at = max(line.probe_at + _PROBE if line.probe_at is not None else now, earliest)
    if at > now + _QUEUE:
        return line, max(now + _QUEUE, earliest)
    return replace(line, probe_at=at), at


def _after_error(line: Line, number: str, error: RemoteError, now: datetime) -> tuple[Line, bool]:
    if line.cause in (Cause.EMPTIED, Cause.SILENT):
        feed, tell = told(replace(line.feed, last_bad_at=now), now)
        return replace(line, feed=feed), tell
    feed, tell = after_error(line.feed, error, number, now)
    cause = Cause.ERRORS if feed.state is FeedState.DOWN else Cause.NONE
    # When to ask again is the account's matter and the queue's, not this row's.
    return replace(line, feed=replace(feed, resume_at=None), cause=cause), tell


def _after_emptied(line: Line, number: str, now: datetime) -> tuple[Line, bool]:
    emptied = line.emptied if len(line.emptied) > _EMPTIED else line.emptied | {number}
    line = replace(line, emptied=emptied)
    if len(emptied) < _EMPTIED:
        return line, False
    why = "原有轨迹的单号接连查空或对不上"
    if line.down:
        feed, tell = told(replace(line.feed, last_bad_at=now), now)
        return replace(line, feed=feed), tell
    return _down(line, Cause.EMPTIED, why, now)


def _after_silence(line: Line, sign: Sign, number: str, now: datetime) -> tuple[Line, bool]:
    """What is known already may be a stale copy; only news of several parcels ends a silence."""
    if sign is Sign.NEWS:
        line = replace(line, returned=line.returned | {number})
        if len(line.returned) >= _BACK:
            return _well(line, now)
    feed, tell = told(line.feed, now)
    return replace(line, feed=feed), tell


def _down(line: Line, cause: Cause, why: str, now: datetime) -> tuple[Line, bool]:
    feed = replace(line.feed, state=FeedState.DOWN, since=now, last_bad_at=now, last_error=why)
    feed, tell = told(feed, now)
    return replace(line, feed=feed, cause=cause), tell


def _well(line: Line, now: datetime) -> tuple[Line, bool]:
    feed, back = after_answer(line.feed, now)
    none: Set[str] = frozenset()
    calm = replace(line, feed=feed, cause=Cause.NONE, emptied=none, returned=none, probe_at=None)
    return calm, back
