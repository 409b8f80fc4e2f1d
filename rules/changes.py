"""From what was found before and what is true now to what changes.

A finding ends as *cleared* when the parcel moved (in time or late), as *retracted* when a scan that
was learned late shows it never was true, as *expired* when nobody waits any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.findings import ClockReading, Ending, Finding, FindingState, Stage, Verdict
from domain.orders import Case
from domain.tracking import MILESTONE_ZH

__all__ = ["Changes", "compare", "silencer"]


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


def compare(before: Sequence[Finding], verdict: Verdict, case: Case, now: datetime) -> Changes:
    """What the verdict changes of the open findings `before` (at most one per rule)."""
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
        del opened[old.rule]
        if new.step > old.step:
            grown.append((old, new))
        else:
            kept.append(old)
    return Changes(tuple(ended), tuple(opened.values()), tuple(grown), tuple(kept))


def _same_wait(old: Finding, new: Finding) -> bool:
    """A deeper step of one wait, also when its start turns out to be earlier.

    A later start means that the parcel moved in between, and a breach that turns out to be a mere
    warning never was one: both are a wait of their own.
    """
    if old.deadline is None:
        return True
    if old.stage is Stage.BREACH and new.stage is Stage.WARNING:
        return False
    return new.started_at <= old.started_at


def _ending(old: Finding, clock: ClockReading | None, case: Case, now: datetime) -> Ending:
    """How and when a finding that no longer holds came to its end."""
    if clock is None:
        return _trouble_over(old, case, now)
    if clock.asleep:
        return Ending(FindingState.EXPIRED, now, clock.asleep)
    at, by = _relief(old, clock, case)
    if at is None:
        if clock.started_at != old.started_at:
            return Ending(FindingState.RETRACTED, now, "起点时间已更正，原来的计时不成立")
        return Ending(FindingState.EXPIRED, now, "规则已调整，按新规则不再成立")
    told_at = old.deadline if old.stage is Stage.BREACH and old.deadline else old.crossed_at
    if at <= told_at:
        return Ending(FindingState.RETRACTED, at, f"补传的轨迹显示当时已有「{by}」")
    return Ending(FindingState.CLEARED, at, by)


def _relief(old: Finding, clock: ClockReading, case: Case) -> tuple[datetime | None, str]:
    """The first thing that ended the wait the finding was about."""
    moved = next((at for at in case.journey.movements if at > old.started_at), None)
    if clock.started_at == old.started_at:
        return clock.ended_at, clock.ended_by
    if moved is not None and clock.started_at is not None and clock.started_at > old.started_at:
        return moved, MILESTONE_ZH[case.journey.milestone]
    return clock.ended_at, clock.ended_by


def _trouble_over(old: Finding, case: Case, now: datetime) -> Ending:
    """Trouble the carrier reported ends with a later scan, or was never there."""
    later = [at for at in case.journey.movements if at > old.started_at]
    over = case.journey.last_event_at
    if later or (over is not None and over > old.started_at):
        at = later[0] if later else over
        assert at is not None
        return Ending(FindingState.CLEARED, at, MILESTONE_ZH[case.journey.milestone])
    return Ending(FindingState.RETRACTED, now, "承运商撤回或更正了该轨迹")


def silencer(finding: Finding, standing: Sequence[Finding]) -> Finding | None:
    """The worse open finding under which this one stays silent, or None.

    Worse is the higher severity; between equals the one further along, then the earlier one. A
    finding nobody is to be told of silences nothing.
    """
    worse = [
        other
        for other in standing
        if other.notify and other.rule != finding.rule and _weight(other) > _weight(finding)
    ]
    return max(worse, key=_weight, default=None)


def _weight(finding: Finding) -> tuple[int, bool, float]:
    breach = finding.stage is Stage.BREACH
    return (finding.severity, breach, -finding.crossed_at.timestamp())
