"""Which rules hold for a parcel: the profile, the merchant's policies over it, most specific first.

The order's own promise beats the profile, the merchant's policy beats both (L8), and every number
remembers the line it came from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Final

from domain.orders import Case, Order
from domain.time import AROUND_THE_CLOCK, Calendar, Window
from rules.declare import Limit, Profile, Rule
from rules.regions import DEFAULT_TIERS, Tier, province, tier_of

__all__ = ["FALLBACK", "MATCHABLE", "Change", "Exemption", "Line", "Policy", "PolicyBook", "PolicySpec"]

FALLBACK: Final = "generic_cn"
MATCHABLE: Final = (
    "merchant",
    "shop",
    "platform",
    "carrier",
    "warehouse",
    "receiver_province",
    "receiver_city",
    "goods_type",
    "tag",
)
"""What a policy, route or exemption may match on."""

_NO_ORDER: Final = Order("")
_PLACES: Final = frozenset({"receiver_province", "receiver_city"})

Match = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Change:
    """What a policy says of one rule; what it leaves out stays as it was."""

    limit: Limit | None = None
    warn: tuple[timedelta, ...] | None = None
    watch: bool | None = None
    notify: bool | None = None


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """One `[[policies]]` or `[[policies.overrides]]` table."""

    name: str
    match: Match = field(default_factory=dict)
    profile: str = ""
    rules: Mapping[str, Change] = field(default_factory=dict)
    overrides: tuple[PolicySpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Exemption:
    """Time that does not count, for the parcels that match and the rules named (all when empty)."""

    window: Window
    match: Match = field(default_factory=dict)
    rules: frozenset[str] = frozenset()
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A rule as it holds for a parcel, with where that was said."""

    rule: Rule
    source: str
    limit: timedelta | None = None
    by_merchant: bool = False
    """The limit is the merchant's own, so the order's promise does not replace it."""
    calendar: Calendar = AROUND_THE_CLOCK
    """Which time counts towards the limit."""
    natural: Calendar = AROUND_THE_CLOCK
    """All time outside exemptions: an order's promise is a moment, which no weekend moves."""
    asleep: str = ""
    """Why it does not apply to this parcel, if so."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that holds for one parcel."""

    name: str
    lines: tuple[Line, ...]
    version: str

    def line(self, rule: str) -> Line | None:
        """The line of one rule."""
        return next((line for line in self.lines if line.rule.id == rule), None)


def facets(case: Case) -> dict[str, frozenset[str]]:
    """What of a parcel policies and routes can match: every order inside counts."""
    orders = case.orders

    def each(name: str) -> frozenset[str]:
        return frozenset(value for order in orders if (value := getattr(order, name)))

    return {
        "merchant": each("merchant"),
        "shop": each("shop"),
        "platform": each("platform"),
        "carrier": frozenset({case.waybill.carrier}),
        "warehouse": each("warehouse"),
        "receiver_province": frozenset(province(name) for name in each("receiver_province")),
        "receiver_city": frozenset(name.removesuffix("市") for name in each("receiver_city")),
        "goods_type": each("goods_type"),
        "tag": frozenset().union(*(order.tags for order in orders)),
    }


def matches(match: Match, of: Mapping[str, frozenset[str]]) -> bool:
    """Every matched field holds one of the values asked for."""
    return all(wanted & of.get(name, frozenset()) for name, wanted in match.items())


def normal_match(name: str, values: Iterable[str]) -> frozenset[str]:
    """The values of a match as `facets` spells them."""
    if name == "receiver_province":
        return frozenset(province(value) for value in values)
    if name == "receiver_city":
        return frozenset(value.removesuffix("市") for value in values)
    return frozenset(values)


class PolicyBook:
    """All profiles, policies and exemptions in force; says what holds for a parcel."""

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        policies: Sequence[PolicySpec] = (),
        exemptions: Sequence[Exemption] = (),
        tiers: Mapping[str, Tier] | None = None,
    ) -> None:
        self._profiles = {name: _inherited(name, profiles) for name in profiles}
        self._policies = tuple(policies)
        self._exemptions = tuple(exemptions)
        self._tiers = dict(DEFAULT_TIERS if tiers is None else tiers)
        self._cache: dict[tuple[object, ...], Policy] = {}
        self.version: Final = self._fingerprint()

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """By id, with the rules they inherit."""
        return self._profiles

    def rule_ids(self, profile: str) -> frozenset[str]:
        """The rules a profile has, inherited ones too."""
        return frozenset(self._profiles[profile].rules)

    def describe(self) -> str:
        """Everything these rules say, as one text: kept beside the version that findings name."""
        return repr(_plain((self._profiles, self._policies, self._exemptions, self._tiers)))

    def rule(self, rule: str, profile: str = "") -> Rule | None:
        """A rule by id: as that profile has it, else as the one all others build on, else as the first that has it.

        For names and severities where no parcel's own policy is at hand.
        """
        order = (
            *(self._profiles[name] for name in (profile, FALLBACK) if name in self._profiles),
            *self._profiles.values(),
        )
        return next((each.rules[rule] for each in order if rule in each.rules), None)

    def policy_for(self, case: Case) -> Policy:
        """What holds for this parcel. Parcels alike in every facet share one object."""
        of = facets(case)
        order = case.orders[0] if case.orders else _NO_ORDER
        excuses = _excuses(case.orders)
        key = (*of.values(), order.platform, order.receiver_province, excuses)
        policy = self._cache.get(key)
        if policy is None:
            if len(self._cache) > 20_000:
                self._cache.clear()
            policy = self._cache[key] = self._build(of, order, excuses)
        return policy

    def _build(self, of: Mapping[str, frozenset[str]], order: Order, excuses: frozenset[str]) -> Policy:
        spec = most_specific(self._policies, of)
        wanted = (spec.profile if spec else "") or order.platform
        profile = self._profiles.get(wanted) or self._profiles[FALLBACK]
        tier = tier_of(order.receiver_province, self._tiers)
        layers = [spec, *_overrides(spec, of)] if spec else []
        lines = tuple(self._line(rule, profile, layers, tier, of, excuses) for rule in profile.rules.values())
        return Policy(spec.name if spec else profile.id, lines, self.version)

    def _line(
        self,
        rule: Rule,
        profile: Profile,
        layers: Sequence[PolicySpec],
        tier: Tier,
        of: Mapping[str, frozenset[str]],
        excuses: frozenset[str],
    ) -> Line:
        source, by_merchant, for_place = f"{rule.profile or profile.id}.{rule.id}", False, False
        for layer in layers:
            change = layer.rules.get(rule.id)
            if change is None:
                continue
            rule = _changed(rule, change)
            source = f"{layer.name}.{rule.id}"
            if change.limit is not None:
                by_merchant = True
                for_place = for_place or bool(_PLACES & (layer.match.keys() | layers[0].match.keys()))
        windows = [
            exemption.window
            for exemption in self._exemptions
            if matches(exemption.match, of) and (not exemption.rules or rule.id in exemption.rules)
        ]
        return Line(
            rule=rule,
            source=source,
            limit=rule.limit.get(tier, rule.limit[Tier.NORMAL]) if rule.limit else None,
            by_merchant=by_merchant,
            calendar=_pausing(rule.calendar, tuple(windows)),
            natural=_pausing(AROUND_THE_CLOCK, tuple(windows)),
            asleep=_asleep(rule, tier, excuses, for_place),
        )

    def _fingerprint(self) -> str:
        """A short name for exactly these rules: every finding says which judged it."""
        return hashlib.sha256(self.describe().encode()).hexdigest()[:12]


@lru_cache(maxsize=512)
def _pausing(calendar: Calendar, windows: tuple[Window, ...]) -> Calendar:
    """One object for each set of exemptions: a working calendar knows thousands of days."""
    return calendar.pausing(windows)


def _plain(value: object) -> object:
    """The same value in an order that does not change from run to run."""
    if isinstance(value, Calendar):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(_plain(getattr(value, each.name)) for each in fields(value))
    if isinstance(value, Mapping):
        return sorted((str(key), _plain(item)) for key, item in value.items())
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value


def most_specific(specs: Sequence[PolicySpec], of: Mapping[str, frozenset[str]]) -> PolicySpec | None:
    """The match with the most fields wins; of equals, the one written first."""
    fitting = [spec for spec in specs if matches(spec.match, of)]
    return max(fitting, key=lambda spec: len(spec.match), default=None)


def _overrides(spec: PolicySpec, of: Mapping[str, frozenset[str]]) -> list[PolicySpec]:
    """The overrides that fit, the most specific last, so that it has the last word."""
    fitting = [
        replace(override, name=f"{spec.name} › {override.name}")
        for override in reversed(spec.overrides)
        if matches(override.match, of)
    ]
    return sorted(fitting, key=lambda override: len(override.match))


def _changed(rule: Rule, change: Change) -> Rule:
    return replace(
        rule,
        limit=rule.limit if change.limit is None else change.limit,
        warn=rule.warn if change.warn is None else change.warn,
        watch=rule.watch if change.watch is None else change.watch,
        notify=rule.notify if change.notify is None else change.notify,
    )


def _excuses(orders: Sequence[Order]) -> frozenset[str]:
    """The goods types and tags of every order: a made-to-order one does not excuse its neighbour."""
    each = (order.tags | {order.goods_type} for order in orders)
    return frozenset.intersection(*each) if orders else frozenset()


def _asleep(rule: Rule, tier: Tier, excuses: frozenset[str], for_place: bool) -> str:
    """Why a rule does not apply; a limit the merchant wrote for the place beats the exemption."""
    if not rule.watch:
        return "该规则已关闭（watch = false）"
    if tier is Tier.EXCLUDED and rule.limit and not for_place:
        return "港澳台件不适用国内时限"
    if tier.value in rule.exempt and not for_place:
        return "偏远地区豁免" if tier is Tier.REMOTE else "极偏远地区豁免"
    excused = rule.exempt & excuses
    return f"商品类型豁免：{'、'.join(sorted(excused))}" if excused else ""


def _inherited(name: str, profiles: Mapping[str, Profile]) -> Profile:
    """A profile with the rules it inherits, its own words winning."""
    own = profiles[name]
    rules: dict[str, Rule] = {}
    for parent in own.inherits:
        rules.update(_inherited(parent, profiles).rules)
    kept = {rule_id: rule for rule_id, rule in rules.items() if rule_id not in own.drops}
    return replace(own, rules={**kept, **own.rules})
