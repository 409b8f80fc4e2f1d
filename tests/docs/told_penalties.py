"""The penalties of a profile, for `docs/reference/rules.md`."""

from __future__ import annotations

from collections.abc import Mapping

from rules.declare import Profile, Rule
from rules.tariff import Tariff
from tests.docs.told import cell

__all__ = ["PENALTIES", "penalties", "sources"]

PENALTIES = """罚则是每单的赔付，从各处资料来，**只用来估计风险金额，不是账单**。同一条规则有几行，又没有写什么情况的，是资料说法不一：按范围估计。
写着“止”“起”的看违规（超时）那天。分数、外币只说明，不折算成钱。"""


def penalties(profile: Profile) -> str:
    """Every entry of every rule that has a penalty, and how they add up; nothing where none has."""
    rows = [_row(rule, entry) for rule in profile.rules.values() for entry in rule.penalty]
    if not rows:
        return ""
    table = "| 罚则 | 什么情况 | 每单 | 可信度 | 出处 |\n|---|---|---|---|---|\n" + "\n".join(rows)
    return "\n\n".join(each for each in (table, _together(profile)) if each)


def sources(profile: Profile) -> set[str]:
    """The numbers of the papers that penalties were taken from."""
    entries = (each for rule in profile.rules.values() for each in rule.penalty)
    return {source for entry in entries for source in entry.source}.union(profile.together.source)


def _row(rule: Rule, entry: Tariff) -> str:
    columns = (f"`{rule.id}`", entry.about_zh, entry.zh, entry.confidence, "、".join(entry.source))
    return f"| {' | '.join(map(cell, columns))} |"


def _together(profile: Profile) -> str:
    """Which of them add up for one order."""
    names: Mapping[str, str] = {name: f"`{name}`" for name in profile.together.named}
    said = profile.together.said(names)
    return f"同一个订单：{'；'.join(said)}；其余从最贵的一笔到全部相加。" if said else ""
