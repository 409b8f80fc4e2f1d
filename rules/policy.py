"""Which rules hold for a parcel: the profile, the merchant's policies over it, most specific first.

The order's own promise beats the profile, the merchant's policy beats both (L8), and every number
remembers the line it came from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Final

from domain.orders import Case, Order
from domain.time import AROUND_THE_CLOCK, Calendar, Window
from rules.declare import Profile, Rule
from rules.described import body
from rules.exemptions import Deferral, Exemption, leaves, pauses
from rules.facets import (
    MATCHABLE,
    Match,
    Warehouse,
    case_of,
    facets,
    matches,
    normal_match,
    origin_of,
    said_of,
)
from rules.fingerprint import plain, terms
from rules.layers import asleep, changed, excuses, most_specific, overrides, ranked, spared, why_first
from rules.regions import DEFAULT_TIERS, Tier, TierLists, retiered, tier_of
from rules.spec import Change, Line, Policy, PolicySpec

__all__ = [
    "FALLBACK",
    "MATCHABLE",
    "Change",
    "Deferral",
    "Exemption",
    "Line",
    "Match",
    "Policy",
    "PolicyBook",
    "PolicySpec",
    "Warehouse",
    "facets",
    "matches",
    "most_specific",
    "normal_match",
]

FALLBACK: Final = "generic_cn"
_NO_ORDER: Final = Order("")
_PLACES: Final = frozenset({"receiver_province", "receiver_city"})
_MOST: Final = 20_000
"""How many answers are kept; parcels ask for a few hundred different ones."""
_OF_POLICY: Final = ("platform", "receiver_province", "goods_type", "tags")
"""What every policy depends on, whatever it matches."""
_ASKED: Final = frozenset({"merchant", "shop", "warehouse", "receiver_city"})
"""Further words of an order that a match may ask for."""


class PolicyBook:
    """All profiles, policies and exemptions in force; says what holds for a parcel."""

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        policies: Sequence[PolicySpec] = (),
        exemptions: Sequence[Exemption] = (),
        tiers: Mapping[str, TierLists] | None = None,
        deferrals: Sequence[Deferral] = (),
        warehouses: Sequence[Warehouse] = (),
    ) -> None:
        """`tiers` are by profile; those of "" hold for every one."""
        self._profiles = {name: _inherited(name, profiles) for name in profiles}
        self._policies = tuple(policies)
        self._exemptions = tuple(exemptions)
        self._tiers = dict(tiers or {})
        self._deferrals = tuple(deferrals)
        self._warehouses = {(each.merchant, each.name): each for each in warehouses}
        overriding = (each for spec in self._policies for each in spec.overrides)
        tables: tuple[PolicySpec | Exemption | Deferral, ...] = (
            *self._policies,
            *overriding,
            *self._exemptions,
            *self._deferrals,
        )
        self._matches: tuple[Match, ...] = tuple(each.match for each in tables)
        every = (rule for profile in self._profiles.values() for rule in profile.rules.values())
        self._excusing = frozenset(
            word for rule in every for each in (rule, *rule.variants) for word in each.exempt
        )
        asked = self._matched()
        self._by_carrier = "carrier" in asked
        self._asked = attrgetter(*_OF_POLICY, *sorted(asked & _ASKED))
        self._cache: dict[tuple[object, ...], Policy] = {}
        self._built: dict[tuple[object, ...], Policy] = {}

    @cached_property
    def version(self) -> str:
        """A short name for exactly these rules: every finding says which judged it."""
        said = (
            self._profiles,
            self._policies,
            self._exemptions,
            self._tiers,
            self._deferrals,
            self._warehouses,
        )
        return hashlib.sha256(repr(plain(said)).encode()).hexdigest()[:12]

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """By id, with the rules they inherit."""
        return self._profiles

    @property
    def exemptions(self) -> tuple[Exemption, ...]:
        """Time that does not count, the switched on windows' too."""
        return self._exemptions

    @property
    def deferrals(self) -> tuple[Deferral, ...]:
        """Windows that give more time."""
        return self._deferrals

    @property
    def matched(self) -> list[tuple[str, Match]]:
        """Every match of the book, under the name of what it belongs to."""
        over = [
            (f"{each.name} › {inner.name}", inner.match)
            for each in self._policies
            for inner in each.overrides
        ]
        policies = [(each.name, each.match) for each in self._policies]
        pauses = [(each.window.name, each.match) for each in self._exemptions]
        return [*policies, *over, *pauses, *((each.window.name, each.match) for each in self._deferrals)]

    def platforms_own(self) -> PolicyBook:
        """The platforms' rules: without what the merchant says of single rules.

        Exemptions, windows, destinations, warehouses and which profile holds for whom stay.
        """
        warehouses = tuple(self._warehouses.values())
        policies = tuple(map(_bare, self._policies))
        return PolicyBook(
            self._profiles, policies, self._exemptions, self._tiers, self._deferrals, warehouses
        )

    def rule_ids(self, profile: str) -> frozenset[str]:
        """The rules a profile has, inherited ones too."""
        return frozenset(self._profiles[profile].rules)

    def describe(self) -> str:
        """Everything these rules say, as one text (`rules.described`): kept beside the version that findings name."""
        return body(
            policies=self._policies,
            exemptions=self._exemptions,
            deferrals=self._deferrals,
            warehouses=list(self._warehouses.values()),
            tiers=self._tiers,
            profiles={name: _own(profile) for name, profile in self._profiles.items()},
        )

    def rule(self, rule: str, profile: str = "") -> Rule | None:
        """A rule by id: as that profile has it, else as the one all others build on, else as the first that has it.

        For names and severities where no parcel's own policy is at hand.
        """
        order = (
            *(self._profiles[name] for name in (profile, FALLBACK) if name in self._profiles),
            *self._profiles.values(),
        )
        return next((each.rules[rule] for each in order if rule in each.rules), None)

    def placed(self, case: Case) -> Case:
        """The parcel with the place its warehouse stands, where the book knows it and the case does not say."""
        if case.origin or not self._warehouses:
            return case
        origin = origin_of(case.orders, self._warehouses)
        return replace(case, origin=origin) if origin else case

    def policy_for(self, case: Case) -> Policy:
        """What holds for this parcel. Parcels alike in every facet a policy asks for share one object."""
        orders = case.orders
        key = (self._by_carrier and case.waybill.carrier, case.origin, *map(self._asked, orders))
        policy = self._cache.get(key)
        if policy is None:
            if len(self._cache) > _MOST:
                self._cache.clear()
            policy = self._cache[key] = self._found(self.placed(case))
        return policy

    def facets_key(self, case: Case) -> str:
        """Everything a policy may ask of this parcel, as a text: equal texts are judged by the same policy.

        The same in every process and under every policy; where a warehouse stands is not in it, as the book
        says that.
        """
        told = case.origin and case.origin == origin_of(case.orders, self._warehouses)
        return said_of(replace(case, origin="") if told else case)

    def policy_of(self, said: str) -> Policy:
        """What holds for the parcels with that `facets_key`. Raises ValueError for what is no such text."""
        return self.policy_for(case_of(said))

    def _found(self, case: Case) -> Policy:
        """One object for all that the same tables match: of a hundred thousand shops, lines and cities there are
        a few, and each takes milliseconds to build."""
        of = facets(case)
        order = case.orders[0] if case.orders else _NO_ORDER
        ranking = ranked(self._policies, of)
        spec = ranking[0] if ranking else None
        wanted = (spec.profile if spec else "") or order.platform
        profile = self._profiles.get(wanted) or self._profiles[FALLBACK]
        tier = tier_of(order.receiver_province, self._tiers_of(profile, spec))
        marks = excuses(case.orders) & self._excusing
        key = (*(matches(each, of) for each in self._matches), profile.id, tier, marks, case.origin)
        policy = self._built.get(key)
        if policy is None:
            if len(self._built) > _MOST:
                self._built.clear()
            policy = self._built[key] = self._build(case.origin, of, ranking, profile, tier, marks)
        return policy

    def _build(
        self,
        origin: str,
        of: Mapping[str, frozenset[str]],
        ranking: Sequence[PolicySpec],
        profile: Profile,
        tier: Tier,
        marks: frozenset[str],
    ) -> Policy:
        spec = ranking[0] if ranking else None
        layers = [spec, *overrides(spec, of)] if spec else []
        lines = tuple(self._line(rule, profile, layers, tier, of, marks) for rule in profile.rules.values())
        policy = Policy(
            spec.name if spec else profile.id,
            lines,
            self.version,
            together=profile.together,
            origin=origin,
            beat=tuple(each.name for each in ranking[1:]),
            why=why_first(ranking),
        )
        return replace(policy, terms=terms(policy))

    def _tiers_of(self, profile: Profile, spec: PolicySpec | None) -> Mapping[str, Tier]:
        """The destinations' levels: the platform's own list, the configuration's, the policy's."""
        tiers: Mapping[str, Tier] = DEFAULT_TIERS
        for lists in (self._tiers.get("", {}), self._tiers.get(profile.id, {}), spec.tiers if spec else {}):
            tiers = retiered(tiers, lists)
        return tiers

    def _line(
        self,
        rule: Rule,
        profile: Profile,
        layers: Sequence[PolicySpec],
        tier: Tier,
        of: Mapping[str, frozenset[str]],
        marks: frozenset[str],
    ) -> Line:
        variants = tuple(self._line(each, profile, layers, tier, of, marks) for each in rule.variants)
        sources, by_merchant, for_place = [f"{rule.profile or profile.id}.{rule.id}"], False, False
        if layers and layers[0].shadow:
            rule = changed(rule, Change(shadow=True))
        for layer in layers:
            change = layer.rules.get(rule.id)
            if change is None:
                continue
            rule = changed(rule, change)
            sources.insert(0, f"{layer.name}.{rule.id}")
            if change.limit is not None:
                by_merchant = True
                for_place = for_place or bool(_PLACES & (layer.match.keys() | layers[0].match.keys()))
        if for_place and spared(rule, tier):
            rule = replace(
                rule, penalty=()
            )  # the limit is the merchant's own: the platform fines nobody there
        windows = pauses(self._exemptions, of, rule.id)
        return Line(
            rule=rule,
            source=sources[0],
            limit=rule.limit.get(tier, rule.limit[Tier.NORMAL]) if rule.limit else None,
            by_merchant=by_merchant,
            calendar=_pausing(rule.calendar, windows),
            natural=_pausing(AROUND_THE_CLOCK, windows),
            asleep=asleep(rule, tier, marks, for_place),
            leaves=leaves(self._deferrals, of, rule.id, tier),
            tier=tier,
            variants=variants,
            beat=tuple(sources[1:]),
        )

    def _matched(self) -> set[str]:
        """The facets that this book asks for at all."""
        return {name for match in self._matches for name in match} | (
            {"merchant", "warehouse"} if self._warehouses else set()
        )


@lru_cache(maxsize=512)
def _pausing(calendar: Calendar, windows: tuple[Window, ...]) -> Calendar:
    """One object for each set of exemptions: a working calendar knows thousands of days."""
    return calendar.pausing(windows)


def _bare(spec: PolicySpec) -> PolicySpec:
    """A policy that says nothing of any rule."""
    return replace(spec, rules={}, shadow=False, overrides=tuple(map(_bare, spec.overrides)))


def _own(profile: Profile) -> Profile:
    """A profile with no more than it says itself."""
    said = {name: rule for name, rule in profile.rules.items() if rule.profile in ("", profile.id)}
    return replace(profile, rules=said)


def _inherited(name: str, profiles: Mapping[str, Profile]) -> Profile:
    """A profile with the rules it inherits, its own words winning."""
    own = profiles[name]
    rules: dict[str, Rule] = {}
    for parent in own.inherits:
        rules.update(_inherited(parent, profiles).rules)
    kept = {rule_id: rule for rule_id, rule in rules.items() if rule_id not in own.drops}
    return replace(own, rules={**kept, **own.rules})
