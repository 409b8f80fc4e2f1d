"""Everything a report of the lab says, before anybody writes it down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from domain.masking import safe_text
from monitor.lab.compare import TERMS, Card, Difference, Numbers

__all__ = ["CHANGED", "Other", "Report", "percent", "yuan"]


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

    def pairs(self) -> Iterator[tuple[str, ...]]:
        """The overall numbers: what, of this policy; with another one also of that, and the difference."""
        agents = self.numbers.agents
        counted: list[tuple[str, Callable[[Numbers], float], str]] = [
            ("提醒 每天", lambda found: found.alerts_per_day, ",.1f"),
            *([(f"提醒 每人每天（{agents} 人）", _per_agent, ",.1f")] if agents > 1 else []),
            ("提醒 总数", lambda found: found.alerts, ",.0f"),
            ("属实（超时）", lambda found: _sum(found, "breached"), ",.0f"),
            ("自行恢复", lambda found: _sum(found, "recovered"), ",.0f"),
            ("误报", lambda found: _sum(found, "false"), ",.0f"),
            ("太晚", lambda found: _sum(found, "too_late"), ",.0f"),
            ("还在走", lambda found: found.running, ",.0f"),
        ]
        for what, of, shape in counted:
            values = [of(found) for found in self._sides]
            more = [_signed(values[0] - values[1], shape)] if self.other else []
            yield (what, *(f"{value:{shape}}" for value in values), *more)
        told: list[tuple[str, Callable[[Numbers], str]]] = [
            ("最忙的一天", _busiest),
            ("可能的罚款", lambda found: yuan(found.at_risk)),
            ("可能避免的罚款", lambda found: yuan(found.avoided)),
        ]
        for what, say in told:
            yield (what, *(say(found) for found in self._sides), *([""] if self.other else []))

    @property
    def headings(self) -> tuple[str, ...]:
        """Over `pairs`."""
        return ("", self.policy, self.other.policy, "差") if self.other else ("", self.policy)

    def changed(self) -> Iterator[tuple[str, ...]]:
        """The rules that the two policies' numbers differ in, this one's before the other's."""
        cards = [{card.rule: card for card in found.cards} for found in self._sides]
        for rule in sorted({rule for each in cards for rule in each}):
            rows = [_brief(each.get(rule)) for each in cards]
            if rows[0] != rows[-1]:
                yield (self.rule(rule), *(f"{mine} / {theirs}" for mine, theirs in zip(*rows, strict=True)))

    @property
    def _sides(self) -> tuple[Numbers, ...]:
        return (self.numbers, self.other.numbers) if self.other else (self.numbers,)


CHANGED: Final = ("规则", "提醒", "属实", "自行恢复", "太晚", "提前量（小时）")
"""Over `Report.changed`."""


def _brief(card: Card | None) -> tuple[str, ...]:
    if card is None:
        return ("0", "0", "0", "0", "-")
    lead = "-" if card.lead_hours is None else f"{card.lead_hours:.1f}"
    return (*(f"{count:,}" for count in (card.alerts, card.breached, card.recovered, card.too_late)), lead)


def _signed(difference: float, shape: str) -> str:
    told = f"{difference:+{shape}}"
    return told if told.strip("+-0.") else "0"


def _per_agent(found: Numbers) -> float:
    return found.alerts_per_agent


def _busiest(found: Numbers) -> str:
    day, most = found.busiest
    return f"{day}：{most:,}" if most else "没有"


def _sum(found: Numbers, name: str) -> int:
    return sum(getattr(card, name) for card in found.cards)


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
