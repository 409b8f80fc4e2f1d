"""The judgement: one parcel, one moment, every finding, and when to look again.

A clock is read at `min(now, observed_at)`: silence is proven, never assumed (L1). A breach is *more
than* the limit. The live sweep, `explain` and the lab all come here (L3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from domain.findings import ClockReading, Finding, Stage, Step, Verdict
from domain.orders import Case, OrderStatus
from domain.time import RESOLUTION
from domain.tracking import (
    EXCEPTION_ZH,
    FORWARD,
    MILESTONE_ZH,
    Journey,
    Milestone,
)
from rules.declare import ORDER_TIMES, Kind, Rule
from rules.policy import Line, Policy

__all__ = ["judge", "read_clock"]

_TURNED_BACK: Final = frozenset({Milestone.RETURNING, Milestone.RETURNED, Milestone.CANCELLED})
_SHOP_STOPS: Final = frozenset({"shipped", "paid", "confirmed"})


def judge(case: Case, policy: Policy, now: datetime) -> Verdict:
    """Every finding that is true now, every clock's reading, and the next instant of change.

    `next_look_at` is the first step that a silent carrier would make true. It may lie in the past:
    then the parcel is due for a look, not in breach.
    """
    clocks: list[ClockReading] = []
    findings: list[Finding] = []
    looks: list[datetime] = []
    for line in policy.lines:
        if line.rule.kind is Kind.EXCEPTION:
            found = _reported(case, line)
        else:
            reading = read_clock(case, line)
            clocks.append(reading)
            horizon = _horizon(case, line.rule, now)
            found = _crossed(case, line, reading, horizon)
            if reading.running:
                looks += [step.at for step in reading.steps if horizon is None or step.at >= horizon][:1]
        if found is not None:
            findings.append(found)
    findings.sort(key=lambda finding: -finding.severity)
    return Verdict(
        findings=tuple(findings),
        clocks=tuple(clocks),
        next_look_at=min(looks) + RESOLUTION if looks else None,
        policy_version=policy.version,
    )


def _horizon(case: Case, rule: Rule, now: datetime) -> datetime | None:
    """Up to when this rule's silence is proven; None when nobody has looked yet."""
    waits_for_shop = all(stop in _SHOP_STOPS for stop in rule.stops)
    seen = case.orders_observed_at if waits_for_shop else case.observed_at
    return min(now, seen) if seen is not None else None


def read_clock(case: Case, line: Line) -> ClockReading:
    """One clock of one parcel: what started it, its steps, and what ended it."""
    rule = line.rule
    waits = " 且 ".join(map(_zh, rule.stops)) if rule.all_stops else " 或 ".join(map(_zh, rule.stops))
    blank = ClockReading(rule.id, line.source, waits_for=waits, limit=line.limit)
    asleep = line.asleep or _order_over(case, rule)
    if asleep or line.limit is None:
        return replace(blank, asleep=asleep or "没有时限")
    started = _started(case, rule)
    if started is None:
        return replace(blank, asleep=f"尚未开始：还没有「{_zh(rule.start)}」")
    deadline, limit = _deadline(case, line, started)
    ended, by = _ended(case, rule, started)
    return replace(
        blank,
        started_at=started,
        started_by=_zh("last_movement" if rule.kind is Kind.STALENESS else rule.start),
        limit=limit,
        deadline=deadline,
        steps=_steps(line, started, deadline, limit),
        ended_at=ended,
        ended_by=by,
    )


def _order_over(case: Case, rule: Rule) -> str:
    """A closed order owes nothing; a refund before the pickup leaves every clock (§11, notes)."""
    orders = case.orders
    if all(order.status is OrderStatus.CLOSED for order in orders):
        return "订单已关闭"
    if all(order.status is OrderStatus.FINISHED for order in orders):
        return "买家已确认收货"
    refunded = (OrderStatus.REFUNDED, OrderStatus.REFUNDING, OrderStatus.CLOSED)
    if all(order.status in refunded for order in orders) and case.journey.first_scan_at is None:
        return "揽收前已退款"
    return ""


def _started(case: Case, rule: Rule) -> datetime | None:
    journey = case.journey
    if rule.kind is Kind.STALENESS:
        begun = Milestone(rule.start) in journey.first
        return journey.last_movement_at if begun else None
    if rule.start in ORDER_TIMES:
        return _order_time(case, rule.start)
    if rule.start == "first_scan":
        return journey.first_scan_at
    milestone = Milestone(rule.start)
    return (journey.last if rule.restarts else journey.first).get(milestone)


def _order_time(case: Case, name: str) -> datetime | None:
    """The earliest such moment of the orders inside: the tightest promise counts."""
    times: Iterable[datetime | None]
    match name:
        case "paid":
            times = (order.paid_at for order in case.orders)
        case "confirmed":
            times = (order.confirmed_at or order.paid_at for order in case.orders)
        case "shipped":
            times = (order.shipped_at for order in case.orders)
        case _:
            times = (order.promised_ship_at for order in case.orders)
    return min((moment for moment in times if moment is not None), default=None)


def _deadline(case: Case, line: Line, started: datetime) -> tuple[datetime, timedelta]:
    """The instant after which the limit is broken; the order's promise beats the profile's number."""
    assert line.limit is not None
    promised = _order_time(case, "promised_ship") if line.rule.promise else None
    if promised is not None and not line.by_merchant and promised > started:
        return promised, promised - started
    return line.calendar.after(started, line.limit), line.limit


def _steps(line: Line, started: datetime, deadline: datetime, limit: timedelta) -> tuple[Step, ...]:
    """Warnings in order, then the breach; a warning that would precede the start is left out."""
    warned = [
        Step(Stage.WARNING, at, ahead)
        for ahead in line.rule.warn
        if ahead < limit and (at := _before(line, started, deadline, limit, ahead)) > started
    ]
    return (*warned, Step(Stage.BREACH, deadline, timedelta(0)))


def _before(
    line: Line, started: datetime, deadline: datetime, limit: timedelta, ahead: timedelta
) -> datetime:
    """The moment with `ahead` of counting time left."""
    if line.limit == limit:
        return line.calendar.after(started, limit - ahead)
    return deadline - ahead


def _ended(case: Case, rule: Rule, started: datetime) -> tuple[datetime | None, str]:
    """When the wait was over, and by what; (None, "") while it goes on."""
    journey = case.journey
    ends: list[tuple[datetime, str]] = []
    stops = [(_stop_time(case, rule, stop, started), _zh(stop)) for stop in rule.stops]
    reached = [(at, name) for at, name in stops if at is not None]
    if reached and (not rule.all_stops or len(reached) == len(stops)):
        ends.append((max if rule.all_stops else min)(reached))
    if not rule.start.startswith("return") and rule.start != "delivered":
        ends += [
            (max(at, started), MILESTONE_ZH[milestone])
            for milestone in _TURNED_BACK
            if (at := journey.first.get(milestone)) is not None
        ]
    if rule.kind is Kind.STALENESS:
        over = journey.first.get(Milestone.DELIVERED)
        if over is not None and rule.start != "returning":
            ends.append((max(over, started), MILESTONE_ZH[Milestone.DELIVERED]))
    return min(ends, default=(None, ""), key=lambda end: end[0])


def _stop_time(case: Case, rule: Rule, stop: str, started: datetime) -> datetime | None:
    journey = case.journey
    if stop in ORDER_TIMES:
        return _order_time(case, stop)
    if stop == "first_scan":
        return journey.first_scan_at
    if stop == "any_scan":
        after_pickup = rule.start == Milestone.PICKED_UP
        return journey.update_after_pickup_at if after_pickup else journey.update_after_first_scan_at
    if stop == "terminal":
        seen = (_seen(journey, m, started) for m in Milestone if m.ends)
        return min((at for at in seen if at is not None), default=None)
    return _reached(journey, Milestone(stop), rule, started)


def _reached(journey: Journey, stop: Milestone, rule: Rule, started: datetime) -> datetime | None:
    """When the milestone, or a later one that implies it, was first seen from the start on.

    Pickup scans are often missing and sites skip lines, so a parcel out for delivery was picked up.
    Waiting for a retry, only the milestones named end the wait.
    """
    implied = {stop}
    if not rule.restarts and stop in FORWARD:
        implied |= {m for m in FORWARD if m.rank > stop.rank and m.value != rule.start}
    times = (_seen(journey, milestone, started) for milestone in implied)
    return min((at for at in times if at is not None), default=None)


def _seen(journey: Journey, milestone: Milestone, since: datetime) -> datetime | None:
    """The first known time of a milestone not before `since`."""
    first, last = journey.first.get(milestone), journey.last.get(milestone)
    if first is not None and first >= since:
        return first
    return last if last is not None and last >= since else None


def _crossed(case: Case, line: Line, reading: ClockReading, horizon: datetime | None) -> Finding | None:
    """The worst step a running clock has passed by the horizon, or None."""
    if not reading.running or horizon is None or reading.started_at is None:
        return None
    passed = [step for step in reading.steps if step.at < horizon]
    if not passed:
        return None
    worst = passed[-1]
    return Finding(
        rule=line.rule.id,
        stage=worst.stage,
        started_at=reading.started_at,
        crossed_at=worst.at,
        deadline=reading.deadline,
        limit=reading.limit,
        policy=line.source,
        step=len(passed),
        severity=line.rule.severity,
        notify=line.rule.notify,
        evidence=_evidence(case, line.rule, reading, horizon),
    )


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
    if journey.whereabouts is not None:
        told["whereabouts"] = journey.whereabouts.value
    if journey.unread:
        told["unread"] = str(journey.unread)
    if journey.events == 0:
        told["no_news"] = "也可能是承运商选错、缺少手机号后四位，或刚下单尚无记录"
    return told


def _reported(case: Case, line: Line) -> Finding | None:
    """Trouble the carrier itself tells of: true as soon as it is read."""
    if line.asleep:
        return None
    rule, journey = line.rule, case.journey
    troubles = [
        (found.since, EXCEPTION_ZH[found.kind], found.text)
        for found in journey.exceptions
        if found.kind.value in rule.on
    ]
    troubles += [
        (journey.first[milestone], MILESTONE_ZH[milestone], journey.last_text)
        for milestone in (Milestone.RETURNING, Milestone.RETURNED)
        if milestone.value in rule.on and milestone in journey.first and journey.turned_back
    ]
    if not troubles:
        return None
    since, what, text = min(troubles)
    return Finding(
        rule=rule.id,
        stage=Stage.BREACH,
        started_at=since,
        crossed_at=since,
        policy=line.source,
        step=1,
        severity=rule.severity,
        notify=rule.notify,
        evidence={"rule_zh": rule.zh, "trouble": what, "text": text},
    )


def _zh(word: str) -> str:
    """A start or stop as people say it."""
    special = {
        "promised_ship": "承诺发货时间",
        "first_scan": "首条物流",
        "any_scan": "新的物流更新",
        "terminal": "签收、退回或取消",
        "last_movement": "最后一次扫描",
    }
    return special.get(word) or MILESTONE_ZH[Milestone(word)]
