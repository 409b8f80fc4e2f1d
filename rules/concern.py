"""Which orders of a parcel a rule is about, and which of the rule's variants was in force for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Final

from domain.orders import Case, Order
from rules.declare import Rule
from rules.language import PLACES
from rules.lines import City, city_of, place_zh
from rules.spec import Line

__all__ = ["PROMISED_AT", "PROMISED_ZH", "about", "held", "line_days", "not_about"]

PROMISED_AT: Final[dict[str, Callable[[Order], datetime | None]]] = {
    "ship": attrgetter("promised_ship_at"),
    "delivery": attrgetter("promised_delivery_at"),
}
"""An order's promises by the words of `promises`."""
PROMISED_ZH: Final = {"ship": "承诺发货时间", "delivery": "承诺送达时间"}

_WHERE_ZH: Final = {"same_city": "同城件", "inter_city": "异地件", "no_promise": "未承诺发货时间"}


def about(case: Case, rule: Rule) -> tuple[Order, ...]:
    """The orders the rule is about: those of its `when`, paid while it was in force."""
    if not (rule.when or rule.since or rule.until):
        return case.orders
    return tuple(order for order in case.orders if _meant(case, order, rule) and _in_force(order, rule))


def held(line: Line, order: Order) -> Line | None:
    """The line as it was when the order was paid; None where nothing of it was in force."""
    of_that_day = next((each for each in line.variants if _in_force(order, each.rule)), line)
    return of_that_day if of_that_day is not line or _in_force(order, line.rule) else None


def not_about(case: Case, rule: Rule) -> str:
    """Why the rule is about none of the case's orders."""
    if not any(_in_force(order, rule) for order in case.orders):
        return "付款时该规则不在有效期内"
    unknown = _unknown_place(case) if rule.when & PLACES else ""
    if unknown:
        return f"分不出同城还是异地：{unknown}"
    return f"只适用于：{'、'.join(_WHERE_ZH.get(each, each) for each in sorted(rule.when))}"


def line_days(case: Case, rule: Rule) -> tuple[int | None, str]:
    """The natural days of the parcel's line, the shortest of its orders'; or None and why nobody knows."""
    assert rule.lines is not None
    origin = _origin(case)
    if origin is None:
        return None, _unknown_place(case)
    ends = [end for order in case.orders if (end := _destination(order)) is not None]
    days = [each for end in ends if (each := rule.lines.days(origin, end)) is not None]
    if days:
        return min(days), ""
    missing = "、".join(dict.fromkeys(f"{place_zh(origin)} → {place_zh(end)}" for end in ends))
    return None, f"线路时效表里没有 {missing}" if ends else _unknown_place(case)


def _meant(case: Case, order: Order, rule: Rule) -> bool:
    if not rule.when:
        return True
    marks = order.tags | {order.goods_type}
    unpromised = "no_promise" in rule.when and PROMISED_AT[rule.promises](order) is None
    return (
        unpromised or bool(rule.when & marks) or bool(rule.when & PLACES and _way(case, order) in rule.when)
    )


def _in_force(order: Order, rule: Rule) -> bool:
    """By the day of payment in the platform's zone; where that is unknown by the next best moment.

    An order that says no time at all is of today, when what has an end is over.
    """
    if rule.since is None and rule.until is None:
        return True
    paid_at = order.paid_at or order.confirmed_at or order.ordered_at or order.shipped_at
    if paid_at is None:
        return rule.until is None
    paid = paid_at.astimezone(rule.zone).date()
    return (rule.since is None or paid >= rule.since) and (rule.until is None or paid <= rule.until)


# ── from where to where ──────────────────────────────────────────────────────────────────────────


def _way(case: Case, order: Order) -> str:
    """`same_city` or `inter_city`; nothing where one end is unknown."""
    origin, end = _origin(case), _destination(order)
    if origin is None or end is None:
        return ""
    return "same_city" if origin == end else "inter_city"


def _origin(case: Case) -> City | None:
    """The warehouse's city, else the one of the pickup."""
    return city_of(case.origin) or city_of(case.journey.origin)


def _destination(order: Order) -> City | None:
    return city_of(f"{order.receiver_province},{order.receiver_city}")


def _unknown_place(case: Case) -> str:
    """Which end of the way nobody has told; nothing where both are known."""
    if _origin(case) is None:
        return "不知道从哪个城市发出（仓库没有配置城市，揽收也没有写城市）"
    return "订单没有收货城市" if all(_destination(order) is None for order in case.orders) else ""
