"""Everything a report of the lab says, before anybody writes it down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from domain.masking import safe_text
from monitor.lab.compare import TERMS, Card, Difference, Numbers

__all__ = ["Other", "Report", "percent", "yuan"]


@dataclass(frozen=True, slots=True)
class Other:
    """The policy it is compared with."""

    policy: str
    numbers: Numbers
    difference: Difference


@dataclass(frozen=True, slots=True)
class Report:
    """One policy over one history, perhaps beside another."""

    policy: str
    numbers: Numbers
    since: datetime
    as_of: datetime
    zone: ZoneInfo
    parcels: int
    events: int
    useful: timedelta
    rejected: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    rules_zh: Mapping[str, str] = field(default_factory=dict)
    carriers_zh: Mapping[str, str] = field(default_factory=dict)
    other: Other | None = None

    def rule(self, name: str) -> str:
        """A rule as people know it."""
        return safe_text(self.rules_zh.get(name, name), 40)

    def heading(self, card: Card) -> str:
        """A rule as people know it, and whether anybody is told."""
        more = "（试行）" if card.shadow else "（不通知）" if card.silent else ""
        return self.rule(card.rule) + more

    def carrier(self, name: str) -> str:
        """A carrier as people know it."""
        return safe_text(self.carriers_zh.get(name, name), 40) or "（没有运单）"

    @property
    def terms(self) -> Mapping[str, str]:
        """What each number means, in one line."""
        hours = self.useful / timedelta(hours=1)
        return {name: words.format(useful=hours) for name, words in TERMS.items()}

    @property
    def span(self) -> str:
        """From when to when."""
        first, last = self.since.astimezone(self.zone), self.as_of.astimezone(self.zone)
        return (
            f"{first:%Y-%m-%d %H:%M} 至 {last:%Y-%m-%d %H:%M}（{self.zone.key}，{self.numbers.days:.1f} 天）"
        )

    def pairs(self) -> Iterator[tuple[str, str, str]]:
        """The overall numbers: what, of this policy, of the other (nothing without one)."""
        mine, theirs = self.numbers, self.other.numbers if self.other else None

        def pair(what: str, told: object, other: object) -> tuple[str, str, str]:
            return what, str(told), str(other) if theirs else ""

        def money(fen: tuple[int, int] | None) -> str:
            return yuan(fen)

        yield pair(
            "提醒 每天", f"{mine.alerts_per_day:.1f}", f"{theirs.alerts_per_day:.1f}" if theirs else ""
        )
        if mine.agents > 1:
            each = f"{theirs.alerts_per_agent:.1f}" if theirs else ""
            yield pair(f"提醒 每人每天（{mine.agents} 人）", f"{mine.alerts_per_agent:.1f}", each)
        yield pair("提醒 总数", f"{mine.alerts:,}", f"{theirs.alerts:,}" if theirs else "")
        yield pair("最忙的一天", _busiest(mine), _busiest(theirs) if theirs else "")
        yield pair(
            "属实（超时）", f"{_sum(mine, 'breached'):,}", f"{_sum(theirs, 'breached'):,}" if theirs else ""
        )
        yield pair(
            "自行恢复", f"{_sum(mine, 'recovered'):,}", f"{_sum(theirs, 'recovered'):,}" if theirs else ""
        )
        yield pair("太晚", f"{_sum(mine, 'too_late'):,}", f"{_sum(theirs, 'too_late'):,}" if theirs else "")
        yield pair("还在走", f"{mine.running:,}", f"{theirs.running:,}" if theirs else "")
        yield pair("可能的罚款", money(mine.at_risk), money(theirs.at_risk) if theirs else "")
        yield pair("可能避免的罚款", money(mine.avoided), money(theirs.avoided) if theirs else "")


def _busiest(found: Numbers) -> str:
    day, most = found.busiest
    return f"{day}：{most:,}" if most else "没有"


def _sum(found: Numbers | None, name: str) -> int:
    return sum(getattr(card, name) for card in found.cards) if found else 0


def yuan(fen: tuple[int, int] | None) -> str:
    """A range of money, as people write it."""
    if fen is None:
        return "不知道"
    low, high = (f"{each / 100:,.0f}" for each in fen)
    return f"{low} 元" if low == high else f"{low}–{high} 元"


def percent(card: Card, count: int) -> str:
    """A share of a card's decided waits; the bare number where there are too few."""
    if not card.decided:
        return "-"
    return f"{100 * count / card.decided:.0f}%" if card.enough else f"{count}/{card.decided}"
