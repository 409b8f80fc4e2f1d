"""Exemptions: time that does not count, and more time for the orders of a platform's window.

Two kinds (`facts/platform-rules.md` §7). An **exemption** pauses: between two moments no time counts for the
parcels it matches. A **deferral** is a platform's window: orders paid in it have until a set moment, or a
longer limit; the deadline is the later of the normal one and the window's, and a shop that stays open
through the festival (不打烊) has opted out of it. Neither ever makes a deadline earlier, and overlapping
ones count once. Nothing is in force that was not written or switched on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from domain.orders import Order
from domain.time import Window
from rules.facets import Match, matches
from rules.regions import Tier
from rules.values import Limit

__all__ = [
    "GROUND_ZH",
    "Deferral",
    "Exemption",
    "Grant",
    "Granted",
    "Ground",
    "Leave",
    "granted",
    "leaves",
    "pauses",
]


class Ground(StrEnum):
    """Why."""

    FESTIVAL = "festival"
    CARRIER = "carrier"
    CAMPAIGN = "campaign"
    FORCE_MAJEURE = "force_majeure"
    OWN = "own"


GROUND_ZH: Final[Mapping[Ground, str]] = {
    Ground.FESTIVAL: "节假日",
    Ground.CARRIER: "快递停运",
    Ground.CAMPAIGN: "大促",
    Ground.FORCE_MAJEURE: "不可抗力",
    Ground.OWN: "商家自定",
}


@dataclass(frozen=True, slots=True)
class Exemption:
    """Time that does not count, for the parcels that match and the rules named (all when empty)."""

    window: Window
    match: Match = field(default_factory=dict)
    rules: frozenset[str] = frozenset()
    proof: str = ""
    kind: Ground = Ground.OWN
    source: tuple[str, ...] = ()
    confidence: str = ""
    by: str = ""
    """The shipped window that says so; nothing for the merchant's own."""
    place: int = field(default=0, compare=False)
    """Which of the file's exemptions it is."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one rule's clocks are given: a moment, a longer limit, or both, of which the later counts."""

    deadline_at: datetime | None = None
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Deferral:
    """More time for the orders paid in a window, from its start to before its end."""

    window: Window
    grants: Mapping[str, Grant]
    """By rule."""
    match: Match = field(default_factory=dict)
    opt_in: str = ""
    """The tag of an order whose shop renounced the window."""
    opted_in: frozenset[str] = frozenset()
    """Shops that renounced it."""
    proof: str = ""
    kind: Ground = Ground.FESTIVAL
    source: tuple[str, ...] = ()
    confidence: str = ""
    by: str = ""
    place: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Leave:
    """A deferral as it holds for one rule and destination."""

    paid: Window
    opt_in: str = ""
    opted_in: frozenset[str] = frozenset()
    deadline_at: datetime | None = None
    limit: timedelta | None = None

    def covers(self, order: Order) -> bool:
        """The order was paid in the window by a shop that did not renounce it."""
        paid_at = order.paid_at or order.confirmed_at
        if paid_at is None or not self.paid.starts_at <= paid_at < self.paid.ends_at:
            return False
        return order.shop not in self.opted_in and not (self.opt_in and self.opt_in in order.tags)


class Granted(NamedTuple):
    """What a clock is given."""

    limit: timedelta
    longer_by: str = ""
    """The windows that made the limit longer."""
    floor: datetime | None = None
    """The deadline is not before it."""
    floor_by: str = ""
    """The windows that say so."""


def pauses(
    exemptions: Iterable[Exemption], of: Mapping[str, frozenset[str]], rule: str
) -> tuple[Window, ...]:
    """When no time counts for a rule of the parcels with these facets."""
    return tuple(
        each.window
        for each in exemptions
        if (not each.rules or rule in each.rules) and matches(each.match, of)
    )


def leaves(
    deferrals: Iterable[Deferral], of: Mapping[str, frozenset[str]], rule: str, tier: Tier
) -> tuple[Leave, ...]:
    """The windows that may give a rule of the parcels with these facets more time."""
    return tuple(
        Leave(each.window, each.opt_in, each.opted_in, grant.deadline_at, _of_tier(grant.limit, tier))
        for each in deferrals
        if (grant := each.grants.get(rule)) is not None and matches(each.match, of)
    )


def _of_tier(limit: Limit | None, tier: Tier) -> timedelta | None:
    return limit.get(tier, limit[Tier.NORMAL]) if limit else None


def granted(limit: timedelta, windows: Sequence[Leave], orders: Sequence[Order]) -> Granted:
    """What a clock about these orders is given: a window counts if it covers every one of them.

    Of a parcel with an order from outside the window that order's own deadline is the tightest.
    """
    held = [each for each in windows if orders and all(map(each.covers, orders))]
    if not held:
        return Granted(limit)
    longest = max([limit, *(each.limit for each in held if each.limit is not None)])
    floor = max((each.deadline_at for each in held if each.deadline_at is not None), default=None)
    return Granted(
        longest,
        _names(each for each in held if each.limit is not None and each.limit == longest > limit),
        floor,
        _names(each for each in held if each.deadline_at is not None and each.deadline_at == floor),
    )


def _names(windows: Iterable[Leave]) -> str:
    return "、".join(dict.fromkeys(each.paid.name for each in windows))
