"""The row-wise truth of the lab: one parcel's history walked from news to news, judged all the way.

Between two pieces of news nothing changes but the time, so the parcel is judged twice in each stretch:
when the news has come, and with the silence proven up to just before the next. That is what the live
sweep would have said had it looked all the time (L1, L3): the same `condense`, `judge` and `compare`.

A scan is news when it was learned (when it happened, unless told otherwise). Of an order the promises,
the goods and the places are known from the outset, its own moments when they happen. A status is known
from the moment it was said; without one from the outset, but `FINISHED`, which comes at the end of a
parcel's way, at the end of the replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from domain.findings import Finding, FindingState, Risk, Stage, Step, Verdict
from domain.journey import Journey, condense
from domain.orders import Case, Order, OrderStatus, Waybill
from domain.time import UTC
from domain.tracking import TrackingEvent
from rules.changes import compare
from rules.judge import judge
from rules.policy import Policy, PolicyBook

__all__ = ["Crossing", "Heard", "Stretch", "crossings", "replay", "stretches"]

ORDER_MOMENTS: Final = ("ordered_at", "paid_at", "confirmed_at", "shipped_at")
"""What of an order becomes known when it happens; its promises are known from the outset."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_NO_NUMBER: Final = Waybill("", "")
_NOTHING_SAID: Final[Mapping[str, datetime]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Heard:
    """A scan with the moment it was learned."""

    event: TrackingEvent
    learned_at: datetime
    withdrawn_at: datetime | None = None
    """When the carrier took it back: it counts until then."""

    def stands(self, at: datetime) -> bool:
        """Known by then, and not taken back."""
        return self.learned_at <= at and (self.withdrawn_at is None or at < self.withdrawn_at)


@dataclass(frozen=True, slots=True)
class Crossing:
    """One stage of one wait crossed, and how the finding came to its end."""

    rule: str
    stage: Stage
    step: int
    """The first step of the wait is 1."""
    started_at: datetime
    crossed_at: datetime
    limit: Any
    """`timedelta`, or None of trouble the carrier reports."""
    policy: str
    severity: int
    notify: bool
    shadow: bool
    risk: Risk | None
    ended_at: datetime | None = None
    ended_by: FindingState = FindingState.OPEN


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one piece of news to just before the next: what is known of the parcel does not change."""

    since: datetime
    until: datetime
    case: Case
    """Without the looks: silence is proven up to the moment of the judgement."""


def replay(
    orders: Sequence[Order],
    events: Iterable[TrackingEvent | Heard],
    book: PolicyBook,
    as_of: datetime,
    *,
    waybill: Waybill = _NO_NUMBER,
    origin: str = "",
    said_at: Mapping[str, datetime] = _NOTHING_SAID,
) -> tuple[Crossing, ...]:
    """Every stage crossed up to `as_of`, in the order of the findings' opening; the steps of one in order.

    `origin`: `省,市` of the warehouse, where the configuration says. `said_at`: by order number, when the
    order's status was said. What was learned after `as_of` is not known.
    """
    known = stretches(orders, events, as_of, waybill=waybill, origin=origin, said_at=said_at)
    return crossings(known, book.policy_for)


def stretches(
    orders: Sequence[Order],
    events: Iterable[TrackingEvent | Heard],
    as_of: datetime,
    *,
    waybill: Waybill = _NO_NUMBER,
    origin: str = "",
    said_at: Mapping[str, datetime] = _NOTHING_SAID,
) -> Iterator[Stretch]:
    """What is known from news to news, up to `as_of`."""
    heard = sorted((_heard(each) for each in events), key=lambda each: each.learned_at)
    said = {order.order_no: _said_at(order, as_of, said_at) for order in orders}
    news = {each.learned_at for each in heard}
    news |= {each.withdrawn_at for each in heard if each.withdrawn_at is not None}
    news |= {at for order in orders for name in ORDER_MOMENTS if (at := getattr(order, name)) is not None}
    news |= {at for at in said.values() if at is not None}
    instants = sorted({at for at in news if at <= as_of} or {as_of})
    journey, seen = Journey(), None
    for since, until in zip(instants, [*instants[1:], as_of], strict=True):
        known = [each.event for each in heard if each.stands(since)]
        journey = journey if known == seen else condense(known)
        told = (_as_said(order, since, said[order.order_no]) for order in orders)
        paid = tuple(sorted(told, key=lambda order: order.paid_at or _NEVER))
        seen = known
        yield Stretch(since, until, Case(waybill, paid, journey, origin=origin))


def crossings(
    known: Iterable[Stretch], policy_of: Callable[[Case], Policy], *, only: frozenset[str] | None = None
) -> tuple[Crossing, ...]:
    """Every stage crossed in these stretches under what `policy_of` says holds for the case.

    `only`: judge by these rules alone, and those whose breach starts them.
    """
    tape = _Tape()
    for stretch in known:
        policy = policy_of(stretch.case)
        policy = policy if only is None else _reduced(policy, only)
        moments = (stretch.since, stretch.until) if tape.open else (stretch.until,)
        for now in moments:
            case = replace(stretch.case, observed_at=now, orders_observed_at=now)
            tape.take(judge(case, policy, now), case, now)
    return tuple(each for each in tape.rows if only is None or each.rule in only)


def _heard(event: TrackingEvent | Heard) -> Heard:
    return event if isinstance(event, Heard) else Heard(event, event.occurred_at)


def _said_at(order: Order, as_of: datetime, said_at: Mapping[str, datetime]) -> datetime | None:
    """When the order's status became known; None from the outset."""
    return said_at.get(order.order_no, as_of if order.status is OrderStatus.FINISHED else None)


def _as_said(order: Order, at: datetime, status_at: datetime | None) -> Order:
    """The order as the shop told of it by then."""
    ahead: dict[str, Any] = {
        name: None for name in ORDER_MOMENTS if (moment := getattr(order, name)) is not None and moment > at
    }
    if status_at is not None and status_at > at:
        ahead["status"] = OrderStatus.SHIPPED
    return replace(order, **ahead) if ahead else order


def _reduced(policy: Policy, only: frozenset[str]) -> Policy:
    wanted = only | {line.rule.after for line in policy.lines if line.rule.id in only}
    return replace(policy, lines=tuple(line for line in policy.lines if line.rule.id in wanted))


class _Tape:
    """Records the crossings of one parcel from verdict to verdict."""

    def __init__(self) -> None:
        self.rows: list[Crossing] = []
        self.open: dict[str, Finding] = {}
        self._of: dict[str, list[int]] = {}
        """The rows of each open finding."""

    def take(self, verdict: Verdict, case: Case, now: datetime) -> None:
        """What the verdict changes."""
        changes = compare([*self.open.values()], verdict, case, now)
        for old, ending in changes.ended:
            for n in self._of.pop(old.rule):
                self.rows[n] = replace(self.rows[n], ended_at=ending.at, ended_by=ending.state)
            del self.open[old.rule]
        found = {each.rule: each for each in verdict.findings}
        for finding in changes.standing:
            self._record(found[finding.rule], _steps(verdict, finding.rule))

    def _record(self, finding: Finding, steps: Sequence[Step]) -> None:
        """The steps of the wait that were not crossed before."""
        rows = self._of.setdefault(finding.rule, [])
        for n in range(len(rows), finding.step):
            stage, at = (steps[n].stage, steps[n].at) if steps else (finding.stage, finding.crossed_at)
            rows.append(len(self.rows))
            self.rows.append(
                Crossing(
                    rule=finding.rule,
                    stage=stage,
                    step=n + 1,
                    started_at=finding.started_at,
                    crossed_at=at,
                    limit=finding.limit,
                    policy=finding.policy,
                    severity=finding.severity,
                    notify=finding.notify,
                    shadow=finding.shadow,
                    risk=finding.risk,
                )
            )
        self.open[finding.rule] = finding


def _steps(verdict: Verdict, rule: str) -> Sequence[Step]:
    clock = verdict.clock(rule)
    return clock.steps if clock is not None else ()
