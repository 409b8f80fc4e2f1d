"""The lab's report as one page: style and charts inside, no script, nothing fetched; light and dark, phone and desk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from monitor.lab.charts import by_week, days, histogram, shares
from monitor.lab.compare import ENOUGH, Card
from monitor.lab.report import CHANGED, Report, fined, percent

__all__ = ["page"]

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6575;--line:#dfe3ea;--paper:#fff;--card:#f6f7f9;
--a:#2563c9;--b:#c8781a;--bad:#c0392b;--good:#2e8b57;--odd:#8a63c0;--wait:#a9b2bf}
@media (prefers-color-scheme:dark){:root{--ink:#e7eaf0;--soft:#a3adbb;--line:#343b47;--paper:#14181f;--card:#1d232c;
--a:#6aa2f7;--b:#e6a04c;--bad:#ef7b6d;--good:#63c48e;--odd:#b798e6;--wait:#5d6775}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.6 system-ui,"PingFang SC","Microsoft YaHei",
"Noto Sans CJK SC","WenQuanYi Micro Hei",sans-serif}
main{max-width:1080px;margin:0 auto;padding:20px 16px 48px}
h1{font-size:1.5rem;margin:0 0 4px}h2{font-size:1.15rem;margin:32px 0 8px}h3{font-size:1rem;margin:0}
p{margin:4px 0}.soft{color:var(--soft)}
.note{border-left:4px solid var(--b);background:var(--card);padding:8px 12px;margin:8px 0;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:5px 10px;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:8em;overflow-wrap:break-word}
.one{white-space:nowrap}
thead th{color:var(--soft);font-weight:500;white-space:normal;overflow-wrap:break-word}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr));gap:12px}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;overflow-wrap:anywhere}
.card dl{display:grid;grid-template-columns:1fr auto;gap:2px 12px;margin:8px 0 0}.card dd{margin:0;text-align:right}
.card dt{color:var(--soft)}.card .say{margin-top:8px}
svg{width:100%;height:auto;display:block}svg.bar{height:18px;border-radius:4px;margin-top:8px}
svg text{fill:var(--soft);font-size:12px}svg line{stroke:var(--line)}
.s0{fill:var(--a)}.s1{fill:var(--b)}.bad{fill:var(--bad)}.good{fill:var(--good)}.odd{fill:var(--odd)}.wait{fill:var(--wait)}
.key{display:flex;flex-wrap:wrap;gap:4px 16px;color:var(--soft);font-size:.9rem}
.key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:6px}
.key .s0{background:var(--a)}.key .s1{background:var(--b)}.key .bad{background:var(--bad)}
.key .good{background:var(--good)}.key .odd{background:var(--odd)}.key .wait{background:var(--wait)}
@media (max-width:480px){main{padding:14px 12px 40px}svg text{font-size:19px}
th,td{padding:5px 6px;white-space:normal;word-break:keep-all}th:first-child,td:first-child{min-width:6em;word-break:normal}}
@media print{.card{break-inside:avoid}}
"""
_OUTCOMES: Final = (
    ("bad", "breached", "属实"),
    ("good", "recovered", "自行恢复"),
    ("odd", "false", "误报"),
    ("wait", "running", "还在走"),
)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?|[\d,]+–[\d,]+ 元")
_STAGES: Final = {"warning": "预警", "breach": "超时"}


def page(report: Report) -> str:
    """The whole document. Everything that came from outside is escaped."""
    body = "".join(
        [
            *_head(report),
            *_overall(report),
            *_charts(report),
            *_cards(report),
            *_differs(report),
            *_counts(report),
            *_terms(report),
        ]
    )
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>策略试验：{escape(report.policy)}</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _head(report: Report) -> Iterator[str]:
    against = f"，对比 {escape(report.other.policy)}" if report.other else ""
    yield f"<h1>策略试验：{escape(report.policy)}{against}</h1>"
    yield f'<p class="soft">{_whole(report.span)}；{report.parcels:,} 个包裹，{report.events:,} 条轨迹</p>'
    for remark in report.remarks:
        yield f'<p class="note">{escape(remark)}</p>'
    if report.rejected:
        yield f'<p class="note">有 {sum(report.rejected.values()):,} 行没有采用，逐行原因在 rejected.csv</p>'


def _whole(span: str) -> str:
    """Moments and ranges of money that no line breaks."""
    return _MOMENT.sub(r'<span class="one">\g<0></span>', escape(span))


def _overall(report: Report) -> Iterator[str]:
    yield "<h2>总的来看</h2>"
    yield _table(report.headings, [*report.pairs()])


def _charts(report: Report) -> Iterator[str]:
    sides = [
        (report.policy, report.numbers),
        *([(report.other.policy, report.other.numbers)] if report.other else []),
    ]
    daily = [(name, found.per_day) for name, found in sides]
    yield f"<h2>{'每周' if by_week(daily) else '每天'}多少提醒</h2>"
    yield _key([(f"s{n}", name) for n, (name, _) in enumerate(sides)])
    yield days(daily, "提醒数")
    if any(found.platform_lead_hours for _, found in sides):
        yield f'<h2>离平台时限还有多少小时</h2><p class="soft">{escape(report.terms["platform_lead"])}</p>'
        yield histogram(
            [(name, found.platform_lead_hours) for name, found in sides], "从第一次提醒到平台时限的小时数"
        )


def _cards(report: Report) -> Iterator[str]:
    yield "<h2>每条规则的成绩</h2>"
    if not report.numbers.cards:
        yield "<p>没有一个包裹越过任何一步。</p>"
        return
    yield _key([(name, words) for name, _, words in _OUTCOMES])
    yield '<div class="cards">'
    for card in sorted(report.numbers.cards, key=lambda each: -each.waits):
        yield _card(report, card)
    yield "</div>"


def _card(report: Report, card: Card) -> str:
    name, owed = report.heading(card), card.fines
    rows = [
        ("提醒", f"{card.alerts:,}"),
        *(
            (words, _share(card, getattr(card, field)))
            for _, field, words in _OUTCOMES[:3]
            if getattr(card, field)
        ),
        *([("不再适用", f"{card.expired:,}")] if card.expired else []),
        *([("还在走", f"{card.running:,}")] if card.running else []),
        *([("太晚", f"{card.too_late:,}")] if card.breached and not card.silent else []),
        *([("超时后才动", f"{card.moved_late:,}")] if card.breached else []),
        *([("提前量（中位数）", f"{card.lead_hours:.1f} 小时")] if card.lead_hours is not None else []),
        *(
            [("离平台时限（中位数）", f"{card.platform_lead_hours:.1f} 小时")]
            if card.platform_lead_hours is not None
            else []
        ),
        *(
            [("平台会罚", fined(owed.every)), ("其中提前提醒到的", fined(owed.in_time))]
            if owed.every.count
            else []
        ),
    ]
    listed = "".join(f"<dt>{escape(what)}</dt><dd>{escape(told)}</dd>" for what, told in rows)
    bar = shares([(css, words, getattr(card, field)) for css, field, words in _OUTCOMES], f"{name}：结果")
    said = "".join(f'<p class="say soft">{escape(each)}</p>' for each in _advice(card))
    return f'<section class="card"><h3>{escape(name)}</h3><p class="soft">{escape(card.rule)}</p>{bar}<dl>{listed}</dl>{said}</section>'


def _share(card: Card, count: int) -> str:
    return f"{count:,}（{percent(card, count)}）" if card.enough else f"{count:,}"


def _advice(card: Card) -> Iterator[str]:
    if not card.enough:
        yield f"样本太少：有结果的只有 {card.decided} 个，不到 {ENOUGH} 个，不算比例"
    for step in card.steps:
        if step.decided:
            yield f"{step.told}的预警：{step.decided:,} 个有结果的里 {step.breached:,} 个最终超时"
    if not card.silent:
        yield card.advice


def _differs(report: Report) -> Iterator[str]:
    if report.other is None:
        return
    differs, other = report.other.difference, report.other.policy
    yield "<h2>两份策略差在哪里</h2>"
    yield (
        f"<p>都找到 {differs.both:,}；只有 {escape(report.policy)} 找到 {differs.only_first:,}；"
        f'只有 {escape(other)} 找到 {differs.only_second:,}。<span class="soft">按包裹 × 规则 × 阶段数。</span></p>'
    )
    changed = [*report.changed()]
    if changed:
        yield _table(CHANGED, changed)
        yield f'<p class="soft">{escape(report.policy)} / {escape(other)}；一样的规则没有列</p>'
    rows = [
        (report.rule(rule), _STAGES.get(stage, stage), *(f"{count:,}" for count in counts))
        for rule, stages in differs.by_rule.items()
        for stage, counts in stages.items()
        if any(counts[1:])
    ]
    if rows:
        yield _table(["规则", "阶段", "都找到", f"只有 {report.policy}", f"只有 {other}"], rows)


def _counts(report: Report) -> Iterator[str]:
    found = report.numbers
    if found.rule_stage:
        yield "<h2>按规则和阶段</h2>"
        rows = [
            (report.rule(rule), *(f"{stages.get(stage, 0):,}" for stage in _STAGES))
            for rule, stages in found.rule_stage.items()
        ]
        yield _table(["规则", *_STAGES.values()], rows)
        yield "<h2>按快递公司</h2>"
        most = sorted(found.carrier.items(), key=lambda item: -item[1])
        yield _table(
            ["快递公司", "越过的步数"], [(report.carrier(name), f"{count:,}") for name, count in most]
        )


def _terms(report: Report) -> Iterator[str]:
    yield "<h2>怎么读</h2><ul>"
    yield from (f"<li>{escape(words)}</li>" for words in report.terms.values())
    yield "</ul>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in headings)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{_whole(each) if n else escape(each)}</td>" for n, each in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _key(parts: Sequence[tuple[str, str]]) -> str:
    return (
        '<p class="key">'
        + "".join(f'<span><i class="{css}"></i>{escape(words)}</span>' for css, words in parts)
        + "</p>"
    )
