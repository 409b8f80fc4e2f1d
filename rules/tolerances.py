"""What the structural checks are called, and what each of them allows before it speaks.

The numbers are those of `structural_rules` in `facts/platform-rules.md` §11; those that have no source there
say so, and are on the careful side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final

from rules.values import duration, severity, words

__all__ = ["CHECKS", "TOLERANCES", "Tolerances", "parse_tolerances"]


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Which of these matter depends on the check."""

    tolerance: timedelta = timedelta(minutes=5)
    """So much may a scan be earlier than the payment: two systems' watches."""
    lookback: timedelta = timedelta(days=30)
    """How long a number is taken once it was used."""
    near_km: int = 60
    """An outlet serves over the border of a neighbouring city: so near, another city is no mismatch. No source."""
    escalate: int = 0
    """The severity where another province is meant; 0: the rule's own."""
    max_km: int = 300
    """From the warehouse to the pickup."""
    max_kmh: int = 120
    """By road."""
    air_kmh: int = 800
    """Door to door by air: a jet's cruise, and nothing for loading. No source."""
    air_from_km: int = 600
    """Any carrier may fly a parcel so far. No source."""
    air_carriers: frozenset[str] = frozenset()
    """Carriers with aircraft or fast trains of their own: never judged by the road."""
    at_least: timedelta = timedelta(hours=4)
    """From the pickup to the signature in another city."""
    apart: timedelta = timedelta(hours=12)
    """Pickup scans nearer than that are the courier's and the outlet's of one pickup. No source."""
    counts: str = "first"
    """Which of several pickups the platform counts: the `first` or the `last`."""


CHECKS: Final[Mapping[str, frozenset[str]]] = {
    "tracking_before_order": frozenset({"tolerance"}),
    "waybill_reuse": frozenset({"lookback"}),
    "route_mismatch": frozenset({"near_km", "escalate"}),
    "origin_mismatch": frozenset({"max_km"}),
    "impossible_speed": frozenset({"max_kmh", "air_kmh", "air_from_km", "air_carriers"}),
    "signed_too_soon": frozenset(
        {"max_kmh", "air_kmh", "air_from_km", "air_carriers", "at_least", "near_km"}
    ),
    "duplicate_pickup": frozenset({"apart", "counts"}),
    "carrier_mismatch": frozenset(),
    "transit_warehouse_signed": frozenset(),
    "refund_after_pickup": frozenset(),
}
"""The checks, each with its own tolerances; all are in `rules.structural`."""


def _positive(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"要写成大于零的整数（现在是 {value!r}）")
    return value


def _counts(value: Any) -> str:
    if value not in ("first", "last"):
        raise ValueError(f'counts 要写 "first" 或 "last"（现在是 {value!r}）')
    return str(value)


def _carriers(value: Any) -> frozenset[str]:
    return frozenset(words(value))


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "timedelta": duration,
    "int": _positive,
    "frozenset[str]": _carriers,
    "str": _counts,
}
TOLERANCES: Final[Mapping[str, Callable[[Any], Any]]] = {
    each.name: severity if each.name == "escalate" else _READERS[str(each.type)]
    for each in fields(Tolerances)
}
"""How each one is read from a rule's table."""


def parse_tolerances(said: Mapping[str, Any]) -> Tolerances:
    """Those that the table of a rule says, as `TOLERANCES` read them; None and what is missing is the default."""
    return Tolerances(**{name: said[name] for name in TOLERANCES if said.get(name) is not None})
