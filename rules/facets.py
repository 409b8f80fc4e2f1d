"""What of a parcel policies, routes and exemptions may match, and how that is kept as a text.

The text (`said`) holds everything any policy could ask in future, never what a policy made of it: a changed
policy is worked out for stored texts without a look at the parcels behind them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.orders import Case, Order, Waybill
from rules.regions import province

__all__ = [
    "MATCHABLE",
    "Match",
    "Warehouse",
    "case_of",
    "facets",
    "matches",
    "normal_match",
    "origin_of",
    "said_of",
]

MATCHABLE: Final = (
    "merchant",
    "shop",
    "platform",
    "carrier",
    "warehouse",
    "origin_province",
    "origin_city",
    "receiver_province",
    "receiver_city",
    "goods_type",
    "tag",
)
"""What a policy, route or exemption may match on."""

Match = Mapping[str, frozenset[str]]

_OF_ORDER: Final = (
    "merchant",
    "shop",
    "platform",
    "warehouse",
    "receiver_province",
    "receiver_city",
    "goods_type",
)


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Where a warehouse stands; without a merchant it is anybody's of that name."""

    name: str
    province: str
    city: str = ""
    merchant: str = ""


def origin_of(orders: Sequence[Order], warehouses: Mapping[tuple[str, str], Warehouse]) -> str:
    """`省,市` of the first order's warehouse that is known, by (merchant, name); nothing when none is."""
    for order in orders:
        found = warehouses.get((order.merchant, order.warehouse)) or warehouses.get(("", order.warehouse))
        if found is not None:
            return f"{found.province},{found.city}"
    return ""


def facets(case: Case) -> dict[str, frozenset[str]]:
    """What of a parcel policies and routes can match: every order inside counts."""
    orders = case.orders

    def each(name: str) -> frozenset[str]:
        return frozenset(value for order in orders if (value := getattr(order, name)))

    origin, _, city = case.origin.partition(",")
    return {
        "merchant": each("merchant"),
        "shop": each("shop"),
        "platform": each("platform"),
        "carrier": frozenset({case.waybill.carrier}),
        "warehouse": each("warehouse"),
        "origin_province": frozenset({province(origin)} - {""}),
        "origin_city": frozenset({_city(city)} - {""}),
        "receiver_province": frozenset(province(name) for name in each("receiver_province")),
        "receiver_city": frozenset(map(_city, each("receiver_city"))),
        "goods_type": each("goods_type"),
        "tag": frozenset().union(*(order.tags for order in orders)),
    }


def matches(match: Match, of: Mapping[str, frozenset[str]]) -> bool:
    """Every matched field holds one of the values asked for."""
    return all(wanted & of.get(name, frozenset()) for name, wanted in match.items())


def normal_match(name: str, values: Iterable[str]) -> frozenset[str]:
    """The values of a match as `facets` spells them."""
    if name.endswith("_province"):
        return frozenset(map(province, values))
    if name.endswith("_city"):
        return frozenset(map(_city, values))
    return frozenset(values)


def _city(name: str) -> str:
    return name.strip().removesuffix("市")


# ── kept as a text ───────────────────────────────────────────────────────────────────────────────


def said_of(case: Case) -> str:
    """The parcel's facets as canonical JSON: equal for parcels that no policy can tell apart.

    The earliest order leads, for it speaks for the parcel; of the others each is told once, in no order.
    """
    orders = [_told(order) for order in case.orders]
    rest = {text: each for each in orders[1:] if (text := _text(each)) != _text(orders[0])}
    told: dict[str, Any] = {"carrier": case.waybill.carrier}
    if case.origin:
        told["origin"] = case.origin
    if orders:
        told["orders"] = [orders[0], *(rest[text] for text in sorted(rest))]
    return _text(told)


def case_of(said: str) -> Case:
    """A parcel of which exactly that can be said. Raises ValueError for what is no such text."""
    told = json.loads(said)
    if not isinstance(told, dict) or "carrier" not in told:
        raise ValueError("not the facets of a parcel")
    orders = tuple(
        Order("", **{name: each.get(name, "") for name in _OF_ORDER}, tags=frozenset(each.get("tags", ())))
        for each in told.get("orders", ())
    )
    return Case(Waybill(told["carrier"], ""), orders, origin=told.get("origin", ""))


def _told(order: Order) -> dict[str, Any]:
    """What an order adds, spelled as it is matched; what it does not say is left out."""
    told: dict[str, Any] = {name: value for name in _OF_ORDER if (value := getattr(order, name))}
    for name in ("receiver_province", "receiver_city"):
        if name in told:
            (told[name],) = normal_match(name, [told[name]])
    return {**told, "tags": sorted(order.tags)} if order.tags else told


def _text(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
