"""One clock of one parcel, read: what started it, its steps, and what ended it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from domain.findings import ClockReading, Stage, Step
from domain.journey import Journey
from domain.orders import Case, Order, OrderStatus
from domain.time import Calendar
from domain.tracking import MILESTONE_ZH, Milestone
from rules.concern import PROMISED_AT, PROMISED_ZH, about, held, line_days, not_about
from rules.declare import Rule
from rules.exemptions import granted
from rules.lines import line_limit
from rules.questions import OF_ORDER, Plan, not_started, plan_of
from rules.spec import Line

__all__ = ["PROMISED", "Common", "Cause", "chosen", "common", "concerned", "ended", "read", "read_clock"]

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
    unconcerned: str = ""
    """Why a rule is about none of the orders, or nothing."""


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


def chosen(all_of: Common, line: Line) -> tuple[Line, Common]:
    """The line as it was in force when the orders were paid, with only the orders it is about.

    Of orders from before and after a change of the rule the wait that is over first counts.
    """
    if not line.variants or all_of.nobody:
        return line, concerned(all_of, line.rule)
    found = []
    for each in (*line.variants, line):
        orders = tuple(order for order in all_of.case.orders if held(line, order) is each)
        if orders:
            everyone = len(orders) == len(all_of.case.orders)
            mine = all_of if everyone else replace(all_of, case=replace(all_of.case, orders=orders))
            found.append((replace(each, variants=()), concerned(mine, each.rule)))
    if not found:
        return replace(line, variants=()), concerned(all_of, line.rule)
    found = [pair for pair in found if pair[1].case.orders] or found
    return found[0] if len(found) == 1 else min(found, key=lambda pair: _pressing(read(pair[1], pair[0])))


def _pressing(reading: ClockReading) -> tuple[bool, float]:
    """The clock that runs and is over first comes first."""
    return not reading.running, reading.deadline.timestamp() if reading.deadline else 0.0


def concerned(all_of: Common, rule: Rule) -> Common:
    """With only the orders the rule is about: those of its `when`, paid while it was in force."""
    if all_of.nobody or not (rule.when or rule.since or rule.until):
        return all_of
    case, orders = all_of.case, about(all_of.case, rule)
    if len(orders) == len(case.orders):
        return all_of
    why = "" if orders else not_about(case, rule)
    return replace(all_of, case=replace(case, orders=orders), unconcerned=why)


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
    line, all_of = chosen(all_of, line)
    rule, plan = line.rule, plan_of(line)
    asleep = line.asleep or all_of.nobody or all_of.unconcerned or _limitless(all_of.case, line)
    asleep = asleep or (cause.asleep if cause else "")
    begun = None if asleep else _begun(all_of.case, line, plan, cause)
    if begun is None:
        reason = asleep or (not_started(cause.zh) if cause else plan.unstarted)
        return ClockReading(rule.id, line.source, waits_for=plan.waits_for, limit=line.limit, asleep=reason)
    started, limit, source, calendar, _ = begun
    over_at, by = ended(all_of, plan, started)
    steps = _steps(rule, begun)
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
    floor: datetime | None = None
    """The deadline is not before it (`rules.exemptions`)."""

    @property
    def over_at(self) -> datetime:
        """The deadline."""
        normal = self.calendar.after(self.started, self.limit)
        return normal if self.floor is None else max(normal, self.floor)


def _begun(case: Case, line: Line, plan: Plan, cause: Cause | None) -> _Wait | None:
    """When the clock started and what is owed; None while nothing is.

    An order's own promise or kind of goods replaces the profile's number for that order; the tightest
    order counts.
    """
    rule, limit = line.rule, line.limit
    if rule.lines is not None and not line.by_merchant:
        days, _ = line_days(case, rule)
        limit = line_limit(days) if days is not None else None
    promised = rule.promise and any(PROMISED_AT[rule.promises](order) for order in case.orders)
    if ((promised or rule.goods) and not line.by_merchant) or (line.leaves and rule.start in OF_ORDER):
        owed = [wait for order in case.orders if (wait := _owed(order, line, limit)) is not None]
        return min(owed, key=lambda wait: wait.over_at, default=None)
    started = cause.at if cause else plan.start(case)
    if started is None or limit is None:
        return None
    return _excused(_Wait(started, limit, line.source, line.calendar), line, case.orders)


def _owed(order: Order, line: Line, limit: timedelta | None) -> _Wait | None:
    """One order's wait: until its promise, or the limit where it has none that makes sense."""
    rule, own = line.rule, not line.by_merchant
    started, promised = OF_ORDER[rule.start](order), PROMISED_AT[rule.promises](order)
    if started is None:
        return None
    if own and rule.promise and promised is not None and promised > started:
        length = promised - started + rule.promise_plus
        return _excused(_Wait(started, length, line.source + PROMISED, line.natural), line, (order,))
    marks = order.tags | {order.goods_type}
    longest = max((each for word, each in rule.goods.items() if own and word in marks), default=limit)
    if longest is None:
        return None
    return _excused(_Wait(started, longest, line.source, line.calendar), line, (order,))


def _excused(wait: _Wait, line: Line, orders: Sequence[Order]) -> _Wait:
    """The wait with what windows give these orders: the later deadline counts, and says whose it is."""
    if not line.leaves:
        return wait
    given = granted(wait.limit, line.leaves, orders)
    longer = wait._replace(limit=given.limit)
    binds = given.floor is not None and given.floor > longer.over_at
    by = given.floor_by if binds else given.longer_by
    return longer._replace(
        floor=given.floor if binds else None, source=wait.source + (f"（{by}）" if by else "")
    )


def _limitless(case: Case, line: Line) -> str:
    """Why nobody knows how long the wait may take, if so."""
    rule = line.rule
    if line.limit is not None:
        return ""
    if rule.lines is not None:
        return line_days(case, rule)[1]
    if not rule.promise:
        return "没有时限"
    promised = any(PROMISED_AT[rule.promises](order) for order in case.orders)
    return "" if promised else f"订单没有{PROMISED_ZH[rule.promises]}"


def _steps(rule: Rule, wait: _Wait) -> tuple[Step, ...]:
    """Warnings in order, then the breach; a warning that would not come after the start is left out."""
    steps = [Step(Stage.WARNING, at, ahead) for ahead in rule.warn if (at := _ahead(wait, ahead)) is not None]
    steps.append(Step(Stage.BREACH, wait.over_at, _NOTHING_LEFT, rule.grace))
    return tuple(steps)


def _ahead(wait: _Wait, ahead: timedelta) -> datetime | None:
    """When that much is left; None where it never was."""
    counted = wait.calendar.after(wait.started, wait.limit - ahead) if ahead < wait.limit else None
    if wait.floor is None or wait.floor - ahead <= wait.started:
        return counted
    return wait.floor - ahead if counted is None else max(counted, wait.floor - ahead)


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
