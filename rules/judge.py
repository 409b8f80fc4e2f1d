"""The judgement: one parcel, one moment, every finding, and when to look again.

A clock is read at `min(now, observed_at)`: silence is proven, never assumed (L1). A breach is *more
than* the limit. The live sweep, `explain` and the lab all come here (L3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.findings import Blame, ClockReading, Finding, Stage, Verdict
from domain.journey import Journey
from domain.orders import Case
from domain.time import RESOLUTION
from domain.tracking import EXCEPTION_ZH, MILESTONE_ZH, Milestone
from rules.blame import blame, blame_trouble
from rules.breach import first_breach
from rules.clock import PROMISED, Cause, Common, chosen, common, read, read_clock
from rules.declare import Kind, Rule
from rules.money import assess, together
from rules.policy import Line, Policy
from rules.questions import Plan, plan_of
from rules.structural import shown

__all__ = ["judge", "proven_until", "read_clock"]


def judge(case: Case, policy: Policy, now: datetime) -> Verdict:
    """Every finding that is true now, every clock's reading, and the next instant of change.

    `next_look_at` is the first step that more silence would make true. It may lie in the past: then
    the parcel is due for a look, not in breach.
    """
    if policy.origin and not case.origin:
        case = replace(case, origin=policy.origin)
    all_of = common(case)
    troubles = _troubles(all_of)
    clocks: list[ClockReading] = []
    findings: list[Finding] = []
    looks: list[datetime] = []
    carrier_looks: list[datetime] = []
    for line in policy.lines:
        if line.rule.kind is Kind.EXCEPTION:
            if troubles and not line.asleep:
                findings += (_charged(found, line, all_of) for found in _reported(line, troubles))
            continue
        if line.rule.kind is Kind.STRUCTURAL:
            claim = None if line.asleep or all_of.nobody else shown(case, line)
            if claim is not None:
                findings.append(_charged(claim, line, all_of, claim.blame))
            continue
        line, mine = chosen(all_of, line)
        reading = read(mine, line, _cause(all_of, line, policy, now))
        clocks.append(reading)
        if not reading.running:
            continue
        plan = plan_of(line)
        horizon = _horizon(mine.case, plan, now)
        passed = 0
        for step in reading.steps:
            if horizon is None or step.claimed_at >= horizon:
                (looks if plan.by_shop else carrier_looks).append(step.claimed_at)
                break
            passed += 1
        if passed and horizon is not None:
            found = _crossed(all_of.case, line, reading, passed, horizon)
            findings.append(_charged(found, line, mine, blame(mine.case, line, reading, horizon)))
    findings.sort(key=lambda finding: -finding.severity)
    return Verdict(
        findings=tuple(findings),
        clocks=tuple(clocks),
        next_look_at=_first_look([*looks, *carrier_looks]),
        policy_version=policy.version,
        carrier_look_at=_first_look(carrier_looks),
        shop_look_at=_first_look(looks),
        risk=together(findings, case, policy) if findings else None,
    )


def proven_until(case: Case, line: Line, now: datetime) -> datetime | None:
    """Up to when silence is proven for this line's clock, for it must have one; None when nobody has looked (L1)."""
    line, mine = chosen(common(case), line)
    return _horizon(mine.case, plan_of(line), now)


def _cause(all_of: Common, line: Line, policy: Policy, now: datetime) -> Cause | None:
    """The breach that starts this line's clock, where a breach does."""
    name = line.rule.after
    if not name:
        return None
    other = policy.line(name)
    if other is None:
        return Cause(None, name, f"没有规则 {name}")
    zh = other.rule.zh
    if other.asleep:
        return Cause(None, zh, f"{zh}：{other.asleep}")
    other, mine = chosen(all_of, other)
    return Cause(first_breach(mine, other, _horizon(mine.case, plan_of(other), now)), zh)


def _first_look(steps: Sequence[datetime]) -> datetime | None:
    """The first moment after the nearest step: a step is crossed by any moment *after* it."""
    return min(steps) + RESOLUTION if steps else None


def _horizon(case: Case, plan: Plan, now: datetime) -> datetime | None:
    """Up to when this clock's silence is proven; None when nobody has looked yet.

    The shop's silence is proven by the shop's last word, and so is a carrier's that has no number to
    be asked about. Where both must act one silent side proves enough; where either may, both must be
    silent.
    """
    shop, carrier = case.orders_observed_at, case.observed_at
    if plan.by_shop or not case.waybill.waybill_no:
        seen = shop
    elif not plan.by_both or (plan.all_stops and _shipped(case)):
        seen = carrier
    elif plan.all_stops:
        seen = max((at for at in (shop, carrier) if at is not None), default=None)
    else:
        seen = min(shop, carrier) if shop is not None and carrier is not None else None
    return min(now, seen) if seen is not None else None


def _shipped(case: Case) -> bool:
    """The shop has done its part, so that only the carrier is waited for."""
    return any(order.shipped_at is not None for order in case.orders)


def _crossed(case: Case, line: Line, reading: ClockReading, passed: int, horizon: datetime) -> Finding:
    """The worst step a running clock has passed by the horizon."""
    assert reading.started_at is not None
    worst = reading.steps[passed - 1]
    return Finding(
        rule=line.rule.id,
        stage=worst.stage,
        started_at=reading.started_at,
        crossed_at=worst.at,
        deadline=reading.deadline,
        limit=reading.limit,
        policy=reading.policy,
        step=passed,
        severity=line.rule.severity,
        notify=line.rule.notify,
        shadow=line.rule.shadow,
        evidence=_evidence(case, line.rule, reading, horizon),
    )


def _charged(found: Finding, line: Line, mine: Common, by: Blame | None = None) -> Finding:
    """With what it may cost and whose doing it is: a warning carries the risk of its breach."""
    cost = assess(line.rule, mine, found.deadline or found.crossed_at)
    told = {**found.evidence, "penalty": "；".join(cost.because)} if cost.because else found.evidence
    culprit = by or blame_trouble(found.evidence["kind"], mine.case)
    return replace(found, risk=cost.risk, blame=culprit, evidence=told)


def _evidence(case: Case, rule: Rule, reading: ClockReading, horizon: datetime) -> dict[str, str]:
    """What a person needs to check the claim."""
    journey = case.journey
    told = {
        "rule_zh": rule.zh,
        "started_by": reading.started_by,
        "waits_for": reading.waits_for,
        "silent_until": horizon.isoformat(),
        "confidence": rule.confidence,
    }
    if rule.soft:
        told["soft"] = "true"
    if reading.policy.endswith(PROMISED) and reading.deadline is not None:
        told["promised"] = (reading.deadline - rule.promise_plus).isoformat()
    if reading.calendar:
        told["calendar"] = reading.calendar
    if journey.whereabouts is not None:
        told["whereabouts"] = journey.whereabouts.value
    if journey.unread:
        told["unread"] = str(journey.unread)
    if journey.events == 0:
        told["no_news"] = "也可能是承运商选错、缺少手机号后四位，或刚下单尚无记录"
    return told


@dataclass(frozen=True, slots=True, order=True)
class _Trouble:
    """Trouble the carrier itself tells of: true as soon as it is read."""

    since: datetime
    kind: str
    zh: str
    text: str


def _troubles(all_of: Common) -> list[_Trouble]:
    """The earliest first. Of a parcel nobody waits for that was never picked up nothing is told."""
    journey: Journey = all_of.case.journey
    if all_of.nobody and journey.first_scan_at is None:
        return []
    told = [
        _Trouble(found.since, found.kind.value, EXCEPTION_ZH[found.kind], found.text)
        for found in journey.exceptions
    ]
    if journey.turned_back:
        told += [
            _Trouble(at, mark.value, MILESTONE_ZH[mark], journey.last_text)
            for mark in _TURNS
            if (at := journey.first.get(mark)) is not None
        ]
    return sorted(told)


_TURNS: Final = (Milestone.RETURNING, Milestone.RETURNED)


def _reported(line: Line, troubles: Sequence[_Trouble]) -> list[Finding]:
    """The rule's finding, of the earliest trouble it is about; or nothing."""
    rule = line.rule
    trouble = next((each for each in troubles if each.kind in rule.on), None)
    if trouble is None:
        return []
    return [
        Finding(
            rule=rule.id,
            stage=Stage.BREACH,
            started_at=trouble.since,
            crossed_at=trouble.since,
            policy=line.source,
            step=1,
            severity=rule.severity,
            notify=rule.notify,
            shadow=rule.shadow,
            evidence={
                "rule_zh": rule.zh,
                "trouble": trouble.zh,
                "kind": trouble.kind,
                "text": trouble.text,
            },
        )
    ]
