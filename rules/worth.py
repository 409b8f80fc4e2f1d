"""What the next step of a parcel's clocks is worth: whether a breach there would cost money.

Where a budget is short, the questions that prove such a step are the last to be dropped.
"""

from __future__ import annotations

from datetime import datetime

from domain.findings import ClockReading, Verdict
from domain.orders import Case
from rules.money import exposure
from rules.policy import Policy
from rules.schedule import Reason

__all__ = ["stake_ahead"]


def stake_ahead(case: Case, policy: Policy, verdict: Verdict) -> Reason:
    """`MONEY` where a clock whose breach has a price is next to be proven, else `VERIFY`."""
    look_at = verdict.carrier_look_at
    if look_at is None:
        return Reason.VERIFY
    for clock in verdict.clocks:
        if clock.running and _next(clock, case.observed_at, look_at) and _costs(case, policy, clock):
            return Reason.MONEY
    return Reason.VERIFY


def _next(clock: ClockReading, seen: datetime | None, look_at: datetime) -> bool:
    """One of its steps is proven by that look."""
    return any(
        (seen is None or step.claimed_at >= seen) and step.claimed_at <= look_at for step in clock.steps
    )


def _costs(case: Case, policy: Policy, clock: ClockReading) -> bool:
    line = policy.line(clock.rule)
    if line is None or line.rule.shadow or not line.rule.penalty or clock.deadline is None:
        return False
    risk = exposure(line.rule, case, clock.deadline)
    return risk is not None and risk.high > 0
