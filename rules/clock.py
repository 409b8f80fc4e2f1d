"""One clock of one parcel, read: what started it, its steps, and what ended it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from domain.findings import ClockReading, Stage, Step
from domain.journey import Journey
from domain.orders import Case, Order, OrderStatus
from domain.time import SHANGHAI, Calendar
from domain.tracking import MILESTONE_ZH, Milestone
from rules.declare import Rule
from rules.policy import Line
from rules.questions import OF_ORDER, Plan, not_started, plan_of

__all__ = ["PROMISED", "Common", "Cause", "common", "concerned", "ended", "read", "read_clock"]

PROMISED: Final = "（订单承诺）"
"""Ends the policy line of a reading whose deadline is the order's own promise (L8)."""

_TURNED_BACK: Final = (Milestone.RETURNING, Milestone.RETURNED, Milestone.CANCELLED)
_NOTHING_LEFT: Final = timedelta(0)


# ── what all clocks of a parcel have in common ───────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Common:
    """Worked out once for all clocks of a parcel."""

    case: Case
    """With the orders somebody still waits for, or as it was when nobody waits."""
    nobody: str
    """Why nobody waits for the parcel any more, or nothing."""
    over: tuple[datetime, str] | None
    """When and how the way to the receiver ended: signed for, turned back or cancelled."""


def common(case: Case) -> Common:
    """What all clocks of a parcel have in common."""
    owed, nobody = _still_owed(case)
    return Common(owed, nobody, _over(case.journey))


_GONE: Final = frozenset({OrderStatus.CLOSED, OrderStatus.FINISHED})
_GONE_BEFORE_PICKUP: Final = _GONE | {OrderStatus.REFUNDED, OrderStatus.REFUNDING}


def _still_owed(case: Case) -> tuple[Case, str]:
    """The case without the orders nobody waits for; a refund before the pickup ends one (§11, notes)."""
    gone = _GONE if case.journey.first_scan_at is not None else _GONE_BEFORE_PICKUP
    owed = tuple(order for order in case.orders if order.status not in gone)
    if owed:
        return (case if len(owed) == len(case.orders) else replace(case, orders=owed)), ""
    said = {order.status for order in case.orders}
    if not said:
        return case, "没有关联的订单"
    if said == {OrderStatus.CLOSED}:
        return case, "订单已关闭"
    if OrderStatus.FINISHED in said:
        return case, "买家已确认收货"
    return case, "揽收前已退款"


def concerned(all_of: Common, rule: Rule) -> Common:
    """With only the orders the rule is about: those of its `when`, paid while it was in force."""
    if all_of.nobody or not (rule.when or rule.since or rule.until):
        return all_of
    case = all_of.case
    about = tuple(order for order in case.orders if _meant(order, rule) and _in_force(order, rule))
    return all_of if len(about) == len(case.orders) else replace(all_of, case=replace(case, orders=about))


def _meant(order: Order, rule: Rule) -> bool:
    marks = order.tags | {order.goods_type}
    unpromised = "no_promise" in rule.when and order.promised_ship_at is None
    return not rule.when or unpromised or bool(rule.when & marks)


def _in_force(order: Order, rule: Rule) -> bool:
    """By the day of payment in Beijing; without one the order is of today, when what has an end is over."""
    if order.paid_at is None:
        return rule.until is None
    paid = order.paid_at.astimezone(SHANGHAI).date()
    return (rule.since is None or paid >= rule.since) and (rule.until is None or paid <= rule.until)


def _over(journey: Journey) -> tuple[datetime, str] | None:
    """A signature that a station took back, or a later attempt undid, did not end the way."""
    if journey.turned_back:
        ends = ((at, milestone) for milestone in _TURNED_BACK if (at := journey.first.get(milestone)))
        return min(((at, MILESTONE_ZH[milestone]) for at, milestone in ends), default=None)
    signed_at = journey.last.get(Milestone.DELIVERED)
    if journey.milestone is Milestone.DELIVERED and signed_at is not None:
        return signed_at, MILESTONE_ZH[Milestone.DELIVERED]
    return None


class Cause(NamedTuple):
    """Another rule's breach, which starts this one's clock."""

    at: datetime | None
    """None while there was none."""
    zh: str
    """The other rule's name."""
    asleep: str = ""
    """Why the other rule does not apply, if so."""


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def read_clock(case: Case, line: Line) -> ClockReading:
    """One clock of one parcel: what started it, its steps, and what ended it."""
    return read(common(case), line)


def read(all_of: Common, line: Line, cause: Cause | None = None) -> ClockReading:
    """As `read_clock`, with what the clocks of a parcel share worked out before.

    `cause` is asked for where another rule's breach starts the clock (`rules.breach`).
    """
    rule, plan = line.rule, plan_of(line)
    all_of = concerned(all_of, rule)
    asleep = line.asleep or all_of.nobody or ("" if line.limit is not None else "没有时限")
    asleep = asleep or ("" if all_of.case.orders else _not_about(rule))
    asleep = asleep or (cause.asleep if cause else "")
    begun = None if asleep else _begun(all_of.case, line, plan, cause)
    if begun is None:
        reason = asleep or (not_started(cause.zh) if cause else plan.unstarted)
        return ClockReading(rule.id, line.source, waits_for=plan.waits_for, limit=line.limit, asleep=reason)
    started, limit, source, calendar = begun
    over_at, by = ended(all_of, plan, started)
    steps = _steps(line.rule.warn, started, limit, calendar)
    return ClockReading(
        rule=rule.id,
        policy=source,
        started_at=started,
        started_by=cause.zh if cause else plan.started_by,
        waits_for=plan.waits_for,
        limit=limit,
        deadline=steps[-1].at,
        steps=steps,
        ended_at=over_at,
        ended_by=by,
        stale=plan.stale,
        calendar=calendar.note(started, steps[-1].at),
    )


class _Wait(NamedTuple):
    """When a clock started, its limit, who said so, and which time counts."""

    started: datetime
    limit: timedelta
    source: str
    calendar: Calendar


def _begun(case: Case, line: Line, plan: Plan, cause: Cause | None) -> _Wait | None:
    """When the clock started and what is owed; None while nothing is.

    An order's own promise or kind of goods replaces the profile's number for that order; the tightest
    order counts.
    """
    assert line.limit is not None
    rule = line.rule
    promised = rule.promise and any(order.promised_ship_at for order in case.orders)
    if (promised or rule.goods) and not line.by_merchant:
        owed = [wait for order in case.orders if (wait := _owed(order, line)) is not None]
        return min(owed, key=lambda wait: wait.calendar.after(wait.started, wait.limit), default=None)
    started = cause.at if cause else plan.start(case)
    return None if started is None else _Wait(started, line.limit, line.source, line.calendar)


def _owed(order: Order, line: Line) -> _Wait | None:
    """One order's wait: until its promise, or the limit where it has none that makes sense."""
    assert line.limit is not None
    rule = line.rule
    started, promised = OF_ORDER[rule.start](order), order.promised_ship_at
    if started is None:
        return None
    if rule.promise and promised is not None and promised > started:
        return _Wait(started, promised - started + rule.promise_plus, line.source + PROMISED, line.natural)
    marks = order.tags | {order.goods_type}
    longest = max((limit for word, limit in rule.goods.items() if word in marks), default=line.limit)
    return _Wait(started, longest, line.source, line.calendar)


def _not_about(rule: Rule) -> str:
    """Why the rule is about none of the orders."""
    if not rule.when:
        return "付款时该规则不在有效期内"
    return f"只适用于：{'、'.join('未承诺发货时间' if each == 'no_promise' else each for each in sorted(rule.when))}"


def _steps(
    warn: Sequence[timedelta], started: datetime, limit: timedelta, calendar: Calendar
) -> tuple[Step, ...]:
    """Warnings in order, then the breach; a warning that would not come after the start is left out."""
    after = calendar.after
    steps = [Step(Stage.WARNING, after(started, limit - ahead), ahead) for ahead in warn if ahead < limit]
    steps.append(Step(Stage.BREACH, after(started, limit), _NOTHING_LEFT))
    return tuple(steps)


def ended(all_of: Common, plan: Plan, started: datetime) -> tuple[datetime | None, str]:
    """When the wait was over, and by what; (None, "") while it goes on.

    Never before it started: a pickup booked before the payment leaves nothing to wait for.
    """
    case = all_of.case
    reached = [(at, name) for ask, name in plan.stops if (at := ask(case, started)) is not None]
    ends: list[tuple[datetime, str]] = []
    if reached and (not plan.all_stops or len(reached) == len(plan.stops)):
        ends.append(max(reached) if plan.all_stops else min(reached))
    if not plan.homeward and all_of.over is not None:
        ends.append(all_of.over)
    cancelled_at = case.journey.last.get(Milestone.CANCELLED)
    if plan.homeward and case.journey.milestone is Milestone.CANCELLED and cancelled_at is not None:
        ends.append((cancelled_at, MILESTONE_ZH[Milestone.CANCELLED]))
    if not ends:
        return None, ""
    at, by = min(ends)
    return max(at, started), by
