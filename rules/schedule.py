"""When to ask the carrier next: the fewest questions that prove every silence on time.

A question is due at the next step of a clock that the carrier's silence decides (L2), sooner while a
finding is open and people wait for news, and never later than the freshness floor, so that a refusal
or damage is learned. The shop's clocks ask nothing: no carrier can say what the shop did.
Ceilings are facts of the provider; a question just before a step would use up the interval and make
the step late, so it is left to the step. A provider that reads the carrier by its own rhythm tells
nothing new before it has read again, and where the next scan is usually hours away nobody looks for
it sooner. Every question knows what it is for (`Reason`), so that a budget knows what to drop first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from domain.findings import Finding, Verdict
from domain.orders import Case
from domain.time import RESOLUTION
from domain.tracking import DeliveredKind, Milestone

__all__ = [
    "Asking",
    "Pace",
    "Reason",
    "next_asking",
    "next_question",
    "patience",
    "repeat_asking",
    "repeat_question",
]

_AFTER_SIGNING: Final = timedelta(hours=24)
"""A station may take a signature back within the day (`facts/carriers.md`, realities)."""
_DAY: Final = timedelta(days=1)
_WAITED: Final = timedelta(hours=6)
"""Who waits for news is never left without a look for longer than this because little is usual."""
_PUSHED: Final = timedelta(days=3)
"""A look without a reason at a parcel whose news are pushed: in case pushes stopped and nobody said so."""
_SILENT_FOR_GOOD: Final = timedelta(days=10)
"""`facts/carriers.md`, poll budget: daily for anything silent more than ten days."""


class Reason(IntEnum):
    """What a question is for; where money is short the lowest is dropped first."""

    FRESHNESS = 0
    """Nobody waits and no clock asks: a refusal or damage is to be learned some day."""
    AWAITED = 1
    """Something was found, and people wait for news."""
    VERIFY = 2
    """A deadline's silence has to be proven."""
    MONEY = 3
    """A deadline whose breach costs money."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What bounds the questions about one parcel."""

    interval: timedelta
    """The provider's least time between two questions about one number."""
    lag: timedelta = timedelta(0)
    """How far behind the carrier the provider may be: a step is asked about that much later."""
    freshness: timedelta = timedelta(hours=12)
    """The longest time without a look."""
    verify_signed: bool = True
    """Look once more a day after the signature."""
    rhythm: timedelta = timedelta(0)
    """The provider reads the carrier so often: what it read last is all it says until then."""
    pushed: bool = False
    """News of this parcel come by themselves: only silence is still to be asked about."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The next question."""

    at: datetime
    reason: Reason


def next_question(
    case: Case, verdict: Verdict, pace: Pace, asked_at: datetime | None, now: datetime
) -> datetime | None:
    """The moment of the next question; None when nothing more is to be learned."""
    asking = next_asking(case, verdict, pace, asked_at, now)
    return None if asking is None else asking.at


def next_asking(
    case: Case,
    verdict: Verdict,
    pace: Pace,
    asked_at: datetime | None,
    now: datetime,
    *,
    stake: Reason = Reason.VERIFY,
    usual: timedelta | None = None,
) -> Asking | None:
    """The next question and what it is for; None when nothing more is to be learned.

    `stake` says what the next step is worth; `usual` how long the carrier mostly says nothing on this leg.
    """
    if case.observed_at is not None and case.observed_at > now:  # a clock that was ahead said so
        case = replace(case, observed_at=now)
    journey = case.journey
    earliest = max(now, asked_at + pace.interval) if asked_at is not None else now
    if journey.over:
        at = _verification(case, pace, earliest)
        return None if at is None else Asking(at, Reason.FRESHNESS)
    why = Reason.AWAITED if _awaited(verdict) else Reason.FRESHNESS
    floor = _unhurried(case, verdict, pace, now, usual)
    return _sooner(floor, why, verdict.carrier_look_at, stake, case.observed_at, pace, earliest)


def _unhurried(case: Case, verdict: Verdict, pace: Pace, now: datetime, usual: timedelta | None) -> datetime:
    """The floor; later where the carrier's next scan is mostly not there by then.

    Where nobody waits: not before it usually is, a day after the look at most. Where people wait for news: twice
    within the usual gap is enough.
    """
    floor = _floor(case, verdict, pace, now)
    moved, seen = case.journey.last_movement_at, case.observed_at
    if usual is None or moved is None or seen is None:
        return floor
    if _awaited(verdict):
        return max(floor, seen + min(usual / 2, _WAITED))
    return max(floor, min(moved + usual, seen + max(_DAY, pace.freshness)))


def patience(case: Case, verdict: Verdict, pace: Pace) -> timedelta | None:
    """How long an answer that repeats the last one stays fresh, where such an answer changes nothing.

    None where even the same words have to be judged: something stands, or nobody has looked yet.
    """
    if _awaited(verdict) or case.journey.over or case.observed_at is None:
        return None
    return _patience(verdict, pace, case.observed_at, silent=_silence(case, case.observed_at))


def repeat_question(
    seen_at: datetime, fresh: timedelta, step: datetime | None, pace: Pace, earliest: datetime
) -> datetime:
    """`next_question` after an answer that repeats the last one, from what was kept of it."""
    return repeat_asking(seen_at, fresh, step, pace, earliest).at


def repeat_asking(
    seen_at: datetime,
    fresh: timedelta,
    step: datetime | None,
    pace: Pace,
    earliest: datetime,
    stake: Reason = Reason.VERIFY,
) -> Asking:
    """`next_asking` after such an answer: nothing stands, or it had been judged."""
    return _sooner(seen_at + fresh, Reason.FRESHNESS, step, stake, seen_at, pace, earliest)


def _sooner(
    floor: datetime,
    why: Reason,
    step: datetime | None,
    stake: Reason,
    seen: datetime | None,
    pace: Pace,
    earliest: datetime,
) -> Asking:
    """The floor or the step: a question just before a step would only make the step late."""
    floor = max(earliest, _refreshed(seen, pace, floor))
    if step is not None:
        step = max(earliest, _refreshed(seen, pace, step + pace.lag))
        if floor + pace.interval > step:
            return Asking(step, stake)
    return Asking(floor, why)


def _refreshed(seen: datetime | None, pace: Pace, at: datetime) -> datetime:
    """The first moment from `at` on at which the provider has read the carrier anew since it last said so."""
    if not pace.rhythm or seen is None:
        return at
    return seen + max(1, -((seen - at) // pace.rhythm)) * pace.rhythm


def _floor(case: Case, verdict: Verdict, pace: Pace, now: datetime) -> datetime:
    """The latest moment by which somebody should look, whatever the clocks say.

    A parcel never looked at is looked at now when nobody says when it began.
    """
    since = case.observed_at
    if since is None:
        since = _begun(case)
        if since is None or since > now:
            return now
    return since + _patience(verdict, pace, since, silent=_silence(case, since))


def _begun(case: Case) -> datetime | None:
    """When the parcel's way began, as far as the shop says."""
    return min((at for order in case.orders if (at := order.shipped_at or order.paid_at)), default=None)


def _silence(case: Case, since: datetime) -> timedelta:
    """How long nothing had moved by then."""
    return since - (case.journey.last_movement_at or _begun(case) or since)


def _patience(verdict: Verdict, pace: Pace, since: datetime, silent: timedelta) -> timedelta:
    """How long a look stays fresh: shorter for short limits and while somebody waits for news.

    What has been silent for good is looked at once a day, whatever is found of it.
    """
    longest = max(_DAY, pace.freshness) if silent > _SILENT_FOR_GOOD else pace.freshness
    awaited = _awaited(verdict)
    if pace.pushed and not awaited:
        return max(longest, _PUSHED)
    if not awaited:
        limits = [clock.limit for clock in verdict.clocks if clock.running and clock.limit is not None]
        return longest if silent > _SILENT_FOR_GOOD else min([longest, *(limit / 2 for limit in limits)])
    open_limits = [finding.limit for finding in awaited if finding.limit is not None]
    eager = min(open_limits, default=pace.freshness) / 12
    waiting = since - min(finding.crossed_at for finding in awaited)
    return min(max(eager, waiting / 6, pace.interval + RESOLUTION), longest)


def _awaited(verdict: Verdict) -> list[Finding]:
    """The findings that news would end; what a structural check shows waits for none."""
    return [finding for finding in verdict.findings if "check" not in finding.evidence]


def _verification(case: Case, pace: Pace, earliest: datetime) -> datetime | None:
    """One look a day after a signature; none after a return or a cancellation."""
    journey = case.journey
    signed_at = journey.last.get(Milestone.DELIVERED)
    if journey.milestone is not Milestone.DELIVERED or signed_at is None or not pace.verify_signed:
        return None
    if journey.delivered_kind is DeliveredKind.SELF:
        return None
    at = signed_at + _AFTER_SIGNING
    if case.observed_at is not None and case.observed_at >= at:
        return None
    return max(earliest, at)
