"""From what was found before and what is true now to what changes.

A finding ends as *cleared* when the parcel moved (in time or late), as *retracted* when a scan that
was learned late or taken back shows it never was true, as *expired* when nobody waits any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.findings import ClockReading, Ending, Finding, FindingState, Stage, Verdict
from domain.journey import Journey
from domain.orders import Case
from domain.tracking import MILESTONE_ZH, ExceptionKind, Milestone
from rules.questions import NOT_STARTED
from rules.structural import undone

__all__ = ["STAYS_OPEN", "Changes", "compare", "silencer"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What one judgement changes. `ended` first: a rule may end one finding and open the next."""

    ended: tuple[tuple[Finding, Ending], ...] = ()
    opened: tuple[Finding, ...] = ()
    grown: tuple[tuple[Finding, Finding], ...] = ()
    """(before, after): a further step of the same wait was crossed."""
    kept: tuple[Finding, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ended or self.opened or self.grown)

    @property
    def standing(self) -> tuple[Finding, ...]:
        """Everything open after the change."""
        return (*self.opened, *(after for _, after in self.grown), *self.kept)

    @property
    def heard(self) -> Changes:
        """The same without what rules on trial found: that is recorded, and told to nobody."""
        return Changes(
            tuple(each for each in self.ended if not each[0].shadow),
            tuple(each for each in self.opened if not each.shadow),
            tuple(each for each in self.grown if not each[1].shadow),
            tuple(each for each in self.kept if not each.shadow),
        )


def compare(before: Sequence[Finding], verdict: Verdict, case: Case, now: datetime) -> Changes:
    """What the verdict changes of the open findings `before` (at most one per rule).

    A finding whose rule goes on trial, or comes out of it, ends as what it was and begins as what it is now.
    """
    found = {finding.rule: finding for finding in verdict.findings}
    ended: list[tuple[Finding, Ending]] = []
    grown: list[tuple[Finding, Finding]] = []
    kept: list[Finding] = []
    opened = dict(found)
    for old in before:
        new = found.get(old.rule)
        if new is None or not _same_wait(old, new):
            ended.append((old, _ending(old, verdict.clock(old.rule), case, now)))
            continue
        if new.shadow is not old.shadow:
            ended.append((old, Ending(FindingState.EXPIRED, now, _ON_TRIAL if new.shadow else _IN_EARNEST)))
            continue
        del opened[old.rule]
        if new.step > old.step:
            grown.append((old, new))
        else:
            kept.append(old)
    return Changes(tuple(ended), tuple(opened.values()), tuple(grown), tuple(kept))


def _same_wait(old: Finding, new: Finding) -> bool:
    """A deeper step of one wait, also when its start turns out to be earlier.

    A later start means that the parcel moved in between, or that the trouble is a new one. A breach
    that turns out to be a mere warning never was one. All are waits of their own.
    """
    if old.stage is Stage.BREACH and new.stage is Stage.WARNING:
        return False
    return new.started_at <= old.started_at


def _ending(old: Finding, clock: ClockReading | None, case: Case, now: datetime) -> Ending:
    """How and when a finding that no longer holds came to its end: never later than `now`.

    A shop whose clock is ahead of ours says that it shipped in a minute: the wait ended when we were told.
    """
    if "check" in old.evidence:
        return undone(old, case, now)
    if clock is None:
        return _trouble_over(old, case, now) if old.deadline is None else _expired(now)
    if clock.asleep.startswith(NOT_STARTED):
        return Ending(FindingState.RETRACTED, now, f"「{old.evidence.get('started_by', '起点')}」已被撤回")
    if clock.asleep:
        return Ending(FindingState.EXPIRED, now, clock.asleep)
    if _corrected(old, clock, case.journey):
        return Ending(FindingState.RETRACTED, now, "起点时间已更正，原来的计时不成立")
    relief = _relief(old, clock, case.journey)
    if relief is None:
        return Ending(FindingState.EXPIRED, now, "时限已调整，按新的时限不再成立")
    at, by = relief
    told_at = old.deadline if old.stage is Stage.BREACH and old.deadline else old.crossed_at
    if at <= told_at:
        return Ending(FindingState.RETRACTED, at, f"补传的轨迹显示当时已有「{by}」")
    return Ending(FindingState.CLEARED, min(at, now), by)


def _corrected(old: Finding, clock: ClockReading, journey: Journey) -> bool:
    """The wait started later than was thought, and counted from there it was not too long."""
    if clock.started_at is None or clock.started_at <= old.started_at or clock.stale:
        return False
    if _restarted(old, clock.started_at, journey):
        return False
    return clock.ended_at is None or clock.deadline is None or clock.ended_at <= clock.deadline


def _relief(old: Finding, clock: ClockReading, journey: Journey) -> tuple[datetime, str] | None:
    """The first thing that ended the wait the finding was about; None when nothing did."""
    if clock.started_at is not None and clock.started_at > old.started_at:
        if clock.stale:
            moved = next((at for at in journey.movements if at > old.started_at), clock.started_at)
            return moved, _scan_at(journey, moved)
        if _restarted(old, clock.started_at, journey):
            return clock.started_at, clock.started_by
    return (clock.ended_at, clock.ended_by) if clock.ended_at is not None else None


def _restarted(old: Finding, started_at: datetime, journey: Journey) -> bool:
    """The start came again, rather than turned out to be another."""
    return any(
        at == started_at and journey.first.get(milestone, at) <= old.started_at
        for milestone, at in journey.last.items()
    )


def _scan_at(journey: Journey, at: datetime) -> str:
    """What the movement at that moment was, as far as the condensed history knows."""
    seen = (*journey.first.items(), *journey.last.items())
    marks = [milestone for milestone, when in seen if when == at]
    return MILESTONE_ZH[max(marks, key=lambda mark: mark.rank)] if marks else "新的扫描"


def _trouble_over(old: Finding, case: Case, now: datetime) -> Ending:
    """Trouble the carrier reported ends with a later scan or at the end, or was never there (§9)."""
    journey, kind = case.journey, old.evidence.get("kind", "")
    if any(found.kind == kind and found.since == old.started_at for found in journey.exceptions):
        return _expired(now)
    if kind in _TURNS:
        still = journey.turned_back and journey.first.get(_TURNS[kind]) == old.started_at
        return _expired(now) if still else _taken_back(now)
    if kind in STAYS_OPEN:
        ended_at = journey.last.get(journey.milestone) if journey.milestone.ends else None
        if ended_at is None or ended_at <= old.started_at:
            return _taken_back(now)
        return Ending(FindingState.CLEARED, ended_at, MILESTONE_ZH[journey.milestone])
    later = next((at for at in journey.movements if at > old.started_at), journey.last_event_at)
    if later is None or later <= old.started_at:
        return _taken_back(now)
    return Ending(FindingState.CLEARED, later, _scan_at(journey, later))


def _expired(now: datetime) -> Ending:
    return Ending(FindingState.EXPIRED, now, "规则已关闭或不再适用于此包裹")


def _taken_back(now: datetime) -> Ending:
    return Ending(FindingState.RETRACTED, now, "承运商撤回或更正了该轨迹")


_ON_TRIAL: Final = "规则改为试运行，只记录，不再提醒"
_IN_EARNEST: Final = "规则结束试运行，改为正式提醒"
STAYS_OPEN: Final = frozenset(
    {
        ExceptionKind.REFUSED,
        ExceptionKind.LOST,
        ExceptionKind.DAMAGED,
        ExceptionKind.SHORT_CONTENT,
        ExceptionKind.FORWARDED,
        ExceptionKind.CUSTOMS_EXCEPTION,
        ExceptionKind.INTERCEPTED,
        ExceptionKind.SIGNED_THEN_STORED,
    }
)
"""§9: no scan closes these, only the end of the journey or a person."""
_TURNS: Final = {each.value: each for each in (Milestone.RETURNING, Milestone.RETURNED)}


def silencer(finding: Finding, standing: Sequence[Finding]) -> Finding | None:
    """The worse open finding under which this one stays silent, or None.

    Worse is the higher severity; between equals the one further along, then the earlier one. But a
    warning never silences a breach that is fined, and what nobody is told of silences nothing.
    """
    worse = [
        other
        for other in standing
        if other.notify
        and not other.shadow
        and other.rule != finding.rule
        and _weight(other) > _weight(finding)
        and not (_fined(finding) and other.stage is Stage.WARNING)
    ]
    return max(worse, key=_weight, default=None)


def _fined(finding: Finding) -> bool:
    """A clock's breach with a penalty: what is about to happen must not talk over it."""
    clock = finding.deadline is not None
    return clock and finding.stage is Stage.BREACH and "soft" not in finding.evidence


def _weight(finding: Finding) -> tuple[int, bool, float]:
    breach = finding.stage is Stage.BREACH
    return (finding.severity, breach, -finding.crossed_at.timestamp())
