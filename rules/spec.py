"""What a merchant says of rules, and what comes of it for a parcel: the words of `rules.policy`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from domain.time import AROUND_THE_CLOCK, Calendar
from rules.declare import Limit, Rule
from rules.exemptions import Leave
from rules.facets import Match
from rules.regions import Tier, TierLists
from rules.stacking import ALONE, Together

__all__ = ["Change", "Line", "Policy", "PolicySpec"]


@dataclass(frozen=True, slots=True)
class Change:
    """What a policy says of one rule; what it leaves out stays as it was."""

    limit: Limit | None = None
    warn: tuple[timedelta, ...] | None = None
    watch: bool | None = None
    notify: bool | None = None
    shadow: bool | None = None
    """On trial: found and recorded, told to nobody. Promoted by deleting the word."""
    calendar: Calendar | None = None
    """Which time counts towards the limit."""


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """One `[[policies]]` or `[[policies.overrides]]` table."""

    name: str
    match: Match = field(default_factory=dict)
    profile: str = ""
    rules: Mapping[str, Change] = field(default_factory=dict)
    overrides: tuple[PolicySpec, ...] = ()
    shadow: bool = False
    """All rules are on trial, but those that say `shadow = false`."""
    tiers: TierLists = field(default_factory=dict)
    """The levels of destinations that replace the platform's."""


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
    leaves: tuple[Leave, ...] = ()
    """Windows that give the orders paid in them more time (`rules.exemptions.granted`)."""
    tier: Tier = Tier.NORMAL
    """The destination's, by which the limit was taken."""
    variants: tuple[Line, ...] = ()
    """The same line for orders paid on other days, each with its own rule (`rules.clock.chosen`)."""
    beat: tuple[str, ...] = ()
    """The lines that said it before and were overruled, the last one first: `旗舰店.lost`, `generic_cn.lost`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that holds for one parcel."""

    name: str
    lines: tuple[Line, ...]
    version: str
    """Of the whole book."""
    together: Together = ALONE
    """How the penalties of several rules add up for one order."""
    terms: str = ""
    """A short name for exactly what holds for these parcels: equal terms, equal verdicts, whatever the version."""
    origin: str = ""
    """`省,市` of the warehouse they leave from."""
    beat: tuple[str, ...] = ()
    """The policies that match as well and lost, the nearest one first."""
    why: str = ""
    """In words for people, why this policy won over the next one."""

    def line(self, rule: str) -> Line | None:
        """The line of one rule."""
        return next((line for line in self.lines if line.rule.id == rule), None)
