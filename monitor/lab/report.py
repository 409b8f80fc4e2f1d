"""Everything a report of the lab says, before anybody writes it down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from domain.masking import safe_text
from monitor.lab.compare import TERMS, Card, Difference, Numbers
from monitor.lab.fines import Sum

__all__ = ["CHANGED", "Other", "Report", "fined", "percent", "yuan"]


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
            ("提醒 每天（条）", lambda found: found.alerts_per_day, ",.1f"),
            *([(f"提醒 每人每天（{agents} 人）（条）", _per_agent, ",.1f")] if agents > 1 else []),
            ("提醒 总数（条）", lambda found: found.alerts, ",.0f"),
            ("属实，会通知的（条）", lambda found: _sum(found, "breached_told"), ",.0f"),
            ("属实，只记录的（条）", _recorded, ",.0f"),
            ("自行恢复（条）", lambda found: _sum(found, "recovered"), ",.0f"),
            ("误报（条）", lambda found: _sum(found, "false"), ",.0f"),
            ("太晚（条）", lambda found: _sum(found, "too_late"), ",.0f"),
            ("还在走（条）", lambda found: found.running, ",.0f"),
        ]
        for what, of, shape in counted:
            values = [of(found) for found in self._sides]
            more = [_signed(values[0] - values[1], shape)] if self.other else []
            yield (what, *(f"{value:{shape}}" for value in values), *more)
        yield ("最忙的一天", *map(_busiest, self._sides), *([""] if self.other else []))
        yield ("离平台时限（中位数）", *map(_platform_lead, self._sides), *([""] if self.other else []))
        owed = [found.fines for found in self._sides]
        for what, part in (
            ("平台会罚", [each.every for each in owed]),
            ("其中提前提醒到的", [each.in_time for each in owed]),
            ("来不及或没提醒的", [each.rest for each in owed]),
        ):
            more = [_money_between(part[0], part[1])] if self.other else []
            yield (what, *map(fined, part), *more)

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


CHANGED: Final = ("规则", "提醒", "属实", "自行恢复", "太晚", "提前量（小时）", "离平台时限（小时）")
"""Over `Report.changed`."""


def _brief(card: Card | None) -> tuple[str, ...]:
    if card is None:
        return ("0", "0", "0", "0", "-", "-")
    leads = ("-" if each is None else f"{each:.1f}" for each in (card.lead_hours, card.platform_lead_hours))
    return (*(f"{count:,}" for count in (card.alerts, card.breached, card.recovered, card.too_late)), *leads)


def _signed(difference: float, shape: str) -> str:
    told = f"{difference:+{shape}}"
    return told if told.strip("+-0.") else "0"


def _per_agent(found: Numbers) -> float:
    return found.alerts_per_agent


def _busiest(found: Numbers) -> str:
    day, most = found.busiest
    return f"{day}：{most:,} 条" if most else "没有"


def _sum(found: Numbers, name: str) -> int:
    return sum(getattr(card, name) for card in found.cards)


def _recorded(found: Numbers) -> int:
    return _sum(found, "breached") - _sum(found, "breached_told")


def _platform_lead(found: Numbers) -> str:
    return f"{median(found.platform_lead_hours):.1f} 小时" if found.platform_lead_hours else "-"


def _money_between(mine: Sum, theirs: Sum) -> str:
    if mine == theirs:
        return "0"
    low, high = mine.low - theirs.low, mine.high - theirs.high
    money = f"{low / 100:+,.0f}" if low == high else f"{low / 100:+,.0f} 到 {high / 100:+,.0f}"
    return f"{mine.count - theirs.count:+,} 笔，{money} 元"


def fined(part: Sum) -> str:
    """Some fines, as people say it."""
    return f"{part.count:,} 笔，{yuan(part.fen)}" if part.count else "没有"


def yuan(fen: tuple[int, int]) -> str:
    """A range of money, as people write it."""
    low, high = (f"{each / 100:,.0f}" for each in fen)
    return f"{low} 元" if low == high else f"{low}–{high} 元"


def percent(card: Card, count: int) -> str:
    """A share of a card's decided waits; the bare number where there are too few."""
    if not card.decided:
        return "-"
    return f"{100 * count / card.decided:.0f}%" if card.enough else f"{count}/{card.decided}"
