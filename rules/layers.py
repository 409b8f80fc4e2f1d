"""How policies lie over each other: which one wins, in which order its overrides speak, what a change changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from domain.orders import Order
from rules.declare import Rule
from rules.facets import matches
from rules.regions import Tier
from rules.spec import Change, PolicySpec

__all__ = ["asleep", "changed", "excuses", "most_specific", "overrides", "ranked", "spared", "why_first"]


def ranked(specs: Sequence[PolicySpec], of: Mapping[str, frozenset[str]]) -> list[PolicySpec]:
    """The policies that fit: the match with the most fields first; of equals, the one written first."""
    return sorted((spec for spec in specs if matches(spec.match, of)), key=lambda spec: -len(spec.match))


def most_specific(specs: Sequence[PolicySpec], of: Mapping[str, frozenset[str]]) -> PolicySpec | None:
    """The policy that holds."""
    return next(iter(ranked(specs, of)), None)


def why_first(ranking: Sequence[PolicySpec]) -> str:
    """Why the first won over the second."""
    if not ranking:
        return "没有策略匹配，按平台默认值"
    first = len(ranking[0].match)
    if len(ranking) == 1:
        return "只有这条策略匹配"
    other, fields = ranking[1].name, len(ranking[1].match)
    if first > fields:
        return f"match 有 {first} 项，比「{other}」的 {fields} 项更具体"
    return f"和「{other}」一样具体（match 都是 {first} 项），它写在前面"


def overrides(spec: PolicySpec, of: Mapping[str, frozenset[str]]) -> list[PolicySpec]:
    """The overrides that fit, the most specific last, so that it has the last word."""
    fitting = [
        replace(override, name=f"{spec.name} › {override.name}")
        for override in reversed(spec.overrides)
        if matches(override.match, of)
    ]
    return sorted(fitting, key=lambda override: len(override.match))


def changed(rule: Rule, change: Change) -> Rule:
    """The rule with what was said of it."""
    return replace(
        rule,
        limit=rule.limit if change.limit is None else change.limit,
        warn=rule.warn if change.warn is None else change.warn,
        watch=rule.watch if change.watch is None else change.watch,
        notify=rule.notify if change.notify is None else change.notify,
        shadow=rule.shadow if change.shadow is None else change.shadow,
        calendar=rule.calendar if change.calendar is None else change.calendar,
    )


def excuses(orders: Sequence[Order]) -> frozenset[str]:
    """The goods types and tags of every order: a made-to-order one does not excuse its neighbour."""
    each = (order.tags | {order.goods_type} for order in orders)
    return frozenset.intersection(*each) if orders else frozenset()


def spared(rule: Rule, tier: Tier) -> bool:
    """The platform's rule does not apply to this destination."""
    return (tier is Tier.EXCLUDED and bool(rule.limit)) or tier.value in rule.exempt


def asleep(rule: Rule, tier: Tier, marks: frozenset[str], for_place: bool) -> str:
    """Why a rule does not apply; a limit the merchant wrote for the place beats the exemption."""
    if not rule.watch:
        return "该规则已关闭（watch = false）"
    if spared(rule, tier) and not for_place:
        return _SPARED[tier]
    excused = rule.exempt & marks
    return f"商品类型豁免：{'、'.join(sorted(excused))}" if excused else ""


_SPARED: Final = {
    Tier.EXCLUDED: "港澳台件不适用国内时限",
    Tier.REMOTE: "偏远地区豁免",
    Tier.VERY_REMOTE: "极偏远地区豁免",
}
