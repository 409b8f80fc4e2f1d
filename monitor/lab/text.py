"""The lab's report for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from unicodedata import east_asian_width

from monitor.lab.compare import Card
from monitor.lab.report import CHANGED, Report, fined, percent

__all__ = ["text"]

_MEANT = (
    "alerts",
    "breached",
    "recovered",
    "false",
    "too_late",
    "moved_late",
    "running",
    "lead",
    "platform_lead",
    "share",
    "fined",
    "in_time",
    "left_out",
)


def text(report: Report, out: Path) -> str:
    """All of it, ready to print; names in it are cleaned, not yet what control characters could do."""
    return "\n".join(
        [
            *_head(report),
            "",
            *_overall(report),
            "",
            *_cards(report),
            *_differs(report),
            *_meant(report),
            "",
            *_files(report, out),
        ]
    )


def _head(report: Report) -> Iterator[str]:
    if not report.events:
        yield "注意：一条轨迹也没有，凡是等快递动作的计时都没有意义，下面的超时和罚款不能当真"
    yield f"历史：{report.span}，{report.parcels:,} 个包裹，{report.events:,} 条轨迹"
    yield f"策略：{report.policy}" + (f"；比较：{report.other.policy}" if report.other else "")


def _overall(report: Report) -> list[str]:
    return _table([report.headings, *report.pairs()])


def _cards(report: Report) -> Iterator[str]:
    if not report.numbers.cards:
        yield "没有一个包裹越过任何一步。"
        return
    headings = (
        "规则",
        "提醒",
        "属实",
        "自行恢复",
        "误报",
        "太晚",
        "超时后才动",
        "还在走",
        "提前量",
        "平台会罚",
    )
    yield from _table([headings, *(_card(report, card) for card in report.numbers.cards)])
    few = [report.rule(card.rule) for card in report.numbers.cards if not card.enough]
    if few:
        yield f"样本太少（有结果的不到 30 个），不算比例：{'、'.join(few)}"
    for card in report.numbers.cards:
        if card.enough and not card.silent:
            yield f"{report.rule(card.rule)}：{card.advice}"


def _card(report: Report, card: Card) -> tuple[str, ...]:
    name = report.heading(card)
    lead = "-" if card.lead_hours is None else f"{card.lead_hours:.1f} 小时"
    counts = (card.breached, card.recovered, card.false)
    late = f"{card.too_late:,}" if card.breached and not card.silent else "-"
    moved = f"{card.moved_late:,}" if card.breached else "-"
    told = (f"{count:,}（{percent(card, count)}）" if card.enough else f"{count:,}" for count in counts)
    return (name, f"{card.alerts:,}", *told, late, moved, f"{card.running:,}", lead, fined(card.fines.every))


def _differs(report: Report) -> Iterator[str]:
    if report.other is None:
        return
    differs = report.other.difference
    yield ""
    yield (
        f"两份都找到 {differs.both:,}；只有 {report.policy} 找到 {differs.only_first:,}；"
        f"只有 {report.other.policy} 找到 {differs.only_second:,}（包裹 × 规则 × 阶段）"
    )
    changed = [*report.changed()]
    if changed:
        yield from _table([CHANGED, *changed])
        yield f"（{report.policy} / {report.other.policy}；一样的规则没有列）"
    stages = {"warning": "预警", "breach": "超时"}
    rows = [
        (report.rule(rule), stages.get(stage, stage), *(f"{count:,}" for count in counts))
        for rule, each in differs.by_rule.items()
        for stage, counts in each.items()
        if any(counts[1:])
    ]
    if rows:
        yield from _table(
            [("规则", "阶段", "都找到", f"只有 {report.policy}", f"只有 {report.other.policy}"), *rows]
        )


def _meant(report: Report) -> Iterator[str]:
    yield ""
    yield "怎么读："
    for name in _MEANT:
        yield f"  {report.terms[name]}"


def _files(report: Report, out: Path) -> Iterator[str]:
    names = ["report.html", "summary.json", "findings.csv"]
    names += ["findings.against.csv"] if report.other else []
    names += ["rejected.csv"] if report.rejected else []
    yield f"写好了：{out}/ 里的 {'、'.join(names)}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns; a Chinese character takes two."""
    widths = [max(_width(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  ".join(cell + " " * (widths[n] - _width(cell)) for n, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def _width(cell: str) -> int:
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in cell)
