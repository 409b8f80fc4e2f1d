"""Charts as inline SVG, drawn by us: columns over days, columns over hours, shares of a whole. No script.

Colours come from the page's style, so that they follow its light and dark scheme. Every text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from math import ceil, log10
from typing import Final

__all__ = ["by_week", "days", "histogram", "shares"]

_WIDE: Final = 720
_HIGH: Final = 200
_LEFT: Final = 66
_BELOW: Final = 34
_ABOVE: Final = 16
_LABEL: Final = 90
"""The room of a label, at a phone's size of letters."""
_MOST_DAYS: Final = 120
"""More days than this are told by weeks."""


def by_week(series: Sequence[tuple[str, Mapping[str, int]]]) -> bool:
    """The history is so long that its alerts are told by week."""
    return len({day for _, counts in series for day in counts}) > _MOST_DAYS


def days(series: Sequence[tuple[str, Mapping[str, int]]], what: str) -> str:
    """Alerts by day of one or two policies, side by side; of a long history by week."""
    every = sorted({day for _, counts in series for day in counts})
    weeks = by_week(series)
    parts = [every[n : n + 7] for n in range(0, len(every), 7)] if weeks else [[day] for day in every]
    columns = []
    for part in parts:
        label, title = (part[0][:7], f"{part[0]} 起一周") if weeks else (part[0][5:], part[0])
        columns.append((label, title, [sum(counts.get(day, 0) for day in part) for _, counts in series]))
    return _columns(columns, [name for name, _ in series], what)


def histogram(series: Sequence[tuple[str, Sequence[float]]], what: str) -> str:
    """How many waits had how many hours between being told and the limit; few columns, so that each has its hours."""
    top = max((value for _, values in series for value in values), default=0.0)
    width = next(each for each in (1, 2, 3, 4, 6, 8, 12, 24, 48, 96, 10**6) if top / each < 7)
    edges = [n * width for n in range(int(max(top, 0.0) // width) + 2)]
    after = [sum(1 for value in values if value < 0) for _, values in series]
    columns = [("已超时", "超时以后才提醒，不到 0 小时", after)] if any(after) else []
    for low, high in pairwise(edges):
        counts = [sum(1 for value in values if low <= value < high) for _, values in series]
        columns.append((f"{low:g}–{high:g}", f"{low:g}–{high:g} 小时", counts))
    return _columns(columns, [name for name, _ in series], what, every=True)


def _columns(
    columns: Sequence[tuple[str, str, Sequence[int]]], names: Sequence[str], what: str, *, every: bool = False
) -> str:
    """Columns with a scale; each says itself when pointed at. `every`: each has its label, however many."""
    top = _round(max((count for _, _, counts in columns for count in counts), default=0))
    room = (_WIDE - _LEFT) / max(len(columns), 1)
    bar = min(room * 0.8 / len(names), 40)
    drawn = [_scale(top)]
    step = 1 if every else max(1, ceil(len(columns) * _LABEL / (_WIDE - _LEFT)))
    for n, (label, title, counts) in enumerate(columns):
        middle = _LEFT + room * (n + 0.5)
        left = middle - bar * len(names) / 2
        for i, count in enumerate(counts):
            high = count / top * _HIGH if top else 0
            told = f"{title}：{count}" + (f"（{names[i]}）" if len(names) > 1 else "")
            drawn.append(
                f'<rect class="s{i}" x="{left + i * bar:.1f}" y="{_ABOVE + _HIGH - high:.1f}" '
                f'width="{max(bar - 1, 0.5):.1f}" height="{high:.1f}"><title>{escape(told)}</title></rect>'
            )
        if n % step == 0 and (every or middle < _WIDE - 30):
            drawn.append(
                f'<text x="{middle:.1f}" y="{_ABOVE + _HIGH + 24}" text-anchor="middle">{escape(label)}</text>'
            )
    return _svg("".join(drawn), what, _ABOVE + _HIGH + _BELOW)


def _scale(top: int) -> str:
    lines = []
    for share in (0, 0.5, 1):
        y = _ABOVE + _HIGH * (1 - share)
        lines.append(f'<line x1="{_LEFT}" x2="{_WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if top * share == int(top * share):
            lines.append(
                f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{int(top * share):,}</text>'
            )
    return "".join(lines)


def _round(most: int) -> int:
    """The next number people like."""
    if most <= 4:
        return max(most, 1)
    unit = 10 ** int(log10(most))
    return int(next(unit * each for each in (1, 2, 4, 5, 6, 8, 10) if unit * each >= most))


def shares(parts: Sequence[tuple[str, str, int]], what: str) -> str:
    """One bar parted by class: (class of the page's style, words, count)."""
    total = sum(count for _, _, count in parts)
    if not total:
        return ""
    drawn, at = [], 0.0
    for name, words, count in parts:
        wide = count / total * _WIDE
        drawn.append(
            f'<rect class="{escape(name)}" x="{at:.1f}" y="0" width="{wide:.1f}" height="18">'
            f"<title>{escape(words)}：{count}</title></rect>"
        )
        at += wide
    return _svg("".join(drawn), what, 18, stretched=True)


def _svg(inside: str, what: str, high: int, *, stretched: bool = False) -> str:
    more = ' preserveAspectRatio="none" class="bar"' if stretched else ""
    return f'<svg viewBox="0 0 {_WIDE} {high}" role="img" aria-label="{escape(what)}"{more}>{inside}</svg>'
