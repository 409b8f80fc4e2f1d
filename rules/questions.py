"""A rule's words (`picked_up`, `any_scan`) as questions to a case, and as people say them.

They are worked out once per rule: a parcel is judged every few hours, so a reading has to cost
microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final, TypeAlias

from domain.orders import Case, Order
from domain.tracking import FORWARD, MILESTONE_ZH, Milestone
from rules.language import BREACH, Kind
from rules.spec import Line

__all__ = ["NOT_STARTED", "OF_ORDER", "Plan", "implying", "not_started", "plan_of"]

NOT_STARTED: Final = "尚未开始"
"""How the reason begins why a clock sleeps that nothing has started."""

_HOMEWARD: Final = frozenset({"returning", "returned"})
_SHOP: Final = frozenset({"ordered", "paid", "confirmed", "shipped"})

_PAST_HUB: Final = frozenset({Milestone.DEPARTED_FIRST_HUB}) | frozenset(
    milestone for milestone in FORWARD if milestone.rank > Milestone.IN_TRANSIT.rank
)

Ask: TypeAlias = Callable[[Case], datetime | None]
AskSince: TypeAlias = Callable[[Case, datetime], datetime | None]

OF_ORDER: Final[dict[str, Callable[[Order], datetime | None]]] = {
    "ordered": attrgetter("ordered_at"),
    "paid": attrgetter("paid_at"),
    "confirmed": lambda order: order.confirmed_at or order.paid_at,
    "shipped": attrgetter("shipped_at"),
    "promised_ship": attrgetter("promised_ship_at"),
}
"""An order's moments by their words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A rule's start and stops as questions to a case, and as people say them."""

    start: Ask
    stops: tuple[tuple[AskSince, str], ...]
    all_stops: bool
    stale: bool
    homeward: bool
    """Runs on the way back, so turning back does not end it."""
    by_shop: bool
    """Only the shop's word ends it."""
    by_both: bool
    """The shop's word or the carrier's."""
    started_by: str
    waits_for: str
    unstarted: str


def not_started(by: str) -> str:
    """Why a clock sleeps that waits for its start."""
    return f"{NOT_STARTED}：还没有「{by}」"


def plan_of(line: Line) -> Plan:
    """The questions of a line's rule."""
    rule = line.rule
    return _plan(rule.kind, rule.start, rule.stops, rule.all_stops, rule.restarts)


@lru_cache(maxsize=1024)
def _plan(kind: Kind, start: str, stops: tuple[str, ...], all_stops: bool, restarts: bool) -> Plan:
    stale = kind is Kind.STALENESS
    by_shop = [stop in _SHOP for stop in stops]
    names = [word_zh(stop) for stop in stops]
    return Plan(
        start=_stale_start(Milestone(start)) if stale else _start(start, restarts),
        stops=tuple(zip((_stop(stop, start, restarts) for stop in stops), names, strict=True)),
        all_stops=all_stops,
        stale=stale,
        homeward=start in _HOMEWARD,
        by_shop=all(by_shop),
        by_both=any(by_shop) and not all(by_shop),
        started_by="最后一次扫描" if stale else word_zh(start),
        waits_for=(" 且 " if all_stops else " 或 ").join(names),
        unstarted=not_started(word_zh(start)),
    )


def _stale_start(start: Milestone) -> Ask:
    def ask(case: Case) -> datetime | None:
        journey = case.journey
        return journey.last_movement_at if start in journey.first else None

    return ask


def _start(start: str, restarts: bool) -> Ask:
    """The latest start where the clock restarts, else the first; of several orders the earliest."""
    if start in OF_ORDER:
        return _order_time(start)
    if start == "first_scan":
        return lambda case: case.journey.first_scan_at
    if start.startswith(BREACH):
        return lambda case: None
    milestone = Milestone(start)
    if restarts:
        return lambda case: case.journey.last.get(milestone)
    return lambda case: case.journey.first.get(milestone)


def _order_time(name: str) -> Ask:
    of = OF_ORDER[name]

    def ask(case: Case) -> datetime | None:
        return min((at for order in case.orders if (at := of(order)) is not None), default=None)

    return ask


def _stop(stop: str, start: str, restarts: bool) -> AskSince:
    """When the stop came, in the case and since the start."""
    if stop == "shipped":
        shipped = _order_time(stop)
        # What the carrier has scanned was shipped, also where the shop's export does not say when.
        return lambda case, since: shipped(case) or case.journey.first_scan_at
    if stop in OF_ORDER:
        of_order = _order_time(stop)
        return lambda case, since: of_order(case)
    if stop == "first_scan":
        return lambda case, since: case.journey.first_scan_at
    if stop == "any_scan":
        if start == Milestone.PICKED_UP:
            return lambda case, since: case.journey.update_after_pickup_at
        return lambda case, since: case.journey.update_after_first_scan_at
    if stop == "hub_scan":
        return _hub_scan
    if stop == "departed_first_province":
        return lambda case, since: case.journey.left_province_at
    if stop == "terminal":
        return _first_of(frozenset(milestone for milestone in Milestone if milestone.ends))
    milestone = Milestone(stop)
    if restarts:
        return _again(milestone, Milestone(start))
    return _first_of(implying(milestone))


def _hub_scan(case: Case, since: datetime) -> datetime | None:
    """The first scan at a sorting centre; what left one, or went through customs, has been at one."""
    first = case.journey.first
    past = (at for mark, at in first.items() if mark in _PAST_HUB)
    return min((at for at in (case.journey.first_hub_at, *past) if at is not None), default=None)


def implying(stop: Milestone) -> Set[Milestone]:
    """The milestone and those that prove it: pickup scans are often missing and sites skip lines.

    Leaving the first hub is proven by its own means only (`domain.tracking`): the hub's scans of a
    parcel that has not left rank higher.
    """
    if stop is Milestone.DEPARTED_FIRST_HUB or stop not in FORWARD:
        return frozenset({stop})
    return frozenset(milestone for milestone in FORWARD if milestone.rank >= stop.rank)


def _first_of(milestones: Set[Milestone]) -> AskSince:
    if len(milestones) == 1:
        (only,) = milestones
        return lambda case, since: case.journey.first.get(only)

    def ask(case: Case, since: datetime) -> datetime | None:
        return min((at for mark, at in case.journey.first.items() if mark in milestones), default=None)

    return ask


def _again(stop: Milestone, start: Milestone) -> AskSince:
    """The first known time since a start that may come again: only the milestones named end the wait.

    In the second of the start only a later milestone does: a courier's failed attempt and the
    dispatch before it may be booked together.
    """
    later = stop.rank > start.rank

    def ask(case: Case, since: datetime) -> datetime | None:
        for at in (case.journey.first.get(stop), case.journey.last.get(stop)):
            if at is not None and (at > since or (later and at == since)):
                return at
        return None

    return ask


def word_zh(word: str) -> str:
    """A start or stop as people say it."""
    special = {
        "promised_ship": "承诺发货时间",
        "first_scan": "首条物流",
        "any_scan": "新的物流更新",
        "departed_first_province": "离开首个分拨中心所在省",
        "hub_scan": "分拣中心扫描",
        "terminal": "签收、退回或取消",
    }
    if word.startswith(BREACH):
        return "另一条规则超时"
    return special.get(word) or MILESTONE_ZH[Milestone(word)]
