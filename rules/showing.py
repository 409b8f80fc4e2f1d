"""What a structural check shows: the moment, the scans it rests on, and the words a person can check it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from domain.orders import Case, Order
from domain.time import SHANGHAI
from rules.places import Place, area_of, place_of
from rules.tolerances import Tolerances

__all__ = ["Check", "Showing", "km_text", "moment", "receiver", "span"]


@dataclass(frozen=True, slots=True)
class Showing:
    """One claim."""

    at: datetime
    """The scan, or the use of the number, that showed it."""
    text: str
    """One sentence for people: what was seen when and where, and what does not fit it."""
    scans: tuple[datetime, ...] = ()
    """The scans without which it would not be true."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """The same for programs."""
    severity: int = 0
    """Another one than the rule's, if not 0."""


Check: TypeAlias = Callable[[Case, Tolerances], Showing | None]
"""Pure: the same parcel and tolerances, the same claim."""


def moment(at: datetime) -> str:
    """`2026-11-22 08:10`, Beijing."""
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def span(length: timedelta) -> str:
    """`40 分钟`, `5.5 小时`, `12 天`."""
    minutes = round(length.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} 分钟"
    return f"{minutes / 60:.3g} 小时" if minutes < 7 * 1440 else f"{minutes // 1440} 天"


def km_text(km: float) -> str:
    """`约 1067 公里`."""
    return f"约 {km:.0f} 公里"


def receiver(order: Order) -> Place | None:
    """The city an order goes to; None where the shop does not say or nobody knows it."""
    return place_of(area_of(order.receiver_province, order.receiver_city))
