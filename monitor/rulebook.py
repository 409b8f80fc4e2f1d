"""A profile in words people can check: what starts and stops each rule, its limits, its price, its sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from domain.time import format_duration
from domain.tracking import EXCEPTION_ZH, MILESTONE_ZH, ExceptionKind, Milestone
from monitor.sources import CONFIDENCE_ZH, Source, load_sources
from rules.calendars import WorkingTime
from rules.concern import PROMISED_ZH
from rules.declare import Kind, Profile, Rule
from rules.questions import word_zh
from rules.regions import Tier
from rules.tariff import Tariff
from rules.tolerances import CHECKS

__all__ = ["ADVICE", "profile_rows", "rule_lines", "rule_rows"]

ADVICE: Final = "默认值，请以规则中心为准"
_KIND_ZH: Final = {
    "clock": "计时",
    "staleness": "停滞（每次移动重新计时）",
    "exception": "承运商报告的异常",
    "structural": "结构检查",
}
_MARKS_ZH: Final = {
    "remote": "偏远地区", "very_remote": "极偏远地区", "presale": "预售", "custom": "定制", "virtual": "虚拟商品",
    "bulky": "大件", "booked_delivery": "预约配送", "holiday_window": "节假日窗口", "direct_mail": "直邮",
    "bonded": "保税", "cross_border": "跨境", "other_mode": "其他模式", "reship": "补发", "preorder": "预售",
    "slow_courier": "慢速快递", "postal": "邮政", "same_city": "同城件", "inter_city": "异地件",
    "no_promise": "未承诺发货时间", "cod": "货到付款",
}  # fmt: skip
_TIER_ZH: Final = {Tier.NORMAL: "普通", Tier.REMOTE: "偏远", Tier.VERY_REMOTE: "极偏远"}
_GRADES: Final = tuple(CONFIDENCE_ZH)


def profile_rows(profiles: Iterable[Profile]) -> list[dict[str, Any]]:
    """One row for each profile: the rules it inherits are counted, the confidence is that of its own."""
    return [
        {
            "id": each.id,
            "name": each.name,
            "rules": len(each.rules),
            "verified_on": each.verified_on,
            "worst_confidence": _worst(each),
        }
        for each in sorted(profiles, key=lambda each: (each.id == "generic_cn", each.id))
    ]


def rule_rows(profile: Profile) -> list[dict[str, Any]]:
    """Every rule of a profile, its own first, for programs."""
    return [
        {"profile": profile.id, "verified_on": profile.verified_on, "advice": ADVICE, **_row(rule)}
        for rule in _ordered(profile)
    ]


def rule_lines(profile: Profile) -> Iterator[str]:
    """The profile for people, line by line."""
    yield f"{profile.name}（{profile.id}），{profile.verified_on} 核对。{ADVICE}。"
    inherited = False
    for rule in _ordered(profile):
        if rule.profile != profile.id and not inherited:
            inherited = True
            yield f"\n── 继承自 {'、'.join(profile.inherits)} ──"
        yield f"\n{rule.zh}（{rule.id}）"
        for heading, told in _said(rule):
            yield f"  {heading}：{told}"
        for variant in rule.variants:
            yield f"  {_days(variant)}付款的订单"
            before = dict(_said(rule))
            for heading, told in _said(variant):
                if heading != "生效" and before.get(heading) != told:
                    yield f"    {heading}：{told}"


def _ordered(profile: Profile) -> list[Rule]:
    """What is fined first, then the platform's own before what it inherits, the gravest first."""
    return sorted(
        profile.rules.values(),
        key=lambda rule: (not rule.penalty, rule.profile != profile.id, -rule.severity),
    )


def _worst(profile: Profile) -> str:
    own = (rule for rule in profile.rules.values() if rule.profile == profile.id)
    said = {each.confidence for rule in own for each in (rule, *rule.variants)}
    return max(said & set(_GRADES), key=_GRADES.index, default="")


# ── for people ───────────────────────────────────────────────────────────────────────────────────


def _said(rule: Rule) -> Iterator[tuple[str, str]]:
    """What the rule says, heading by heading; what it does not say is left out."""
    yield "种类", _KIND_ZH.get(rule.kind, rule.kind) + ("，没有已知的处罚" if rule.soft else "")
    said: tuple[tuple[str, str], ...] = (
        ("起算", _start(rule)),
        ("停止", (" 且 " if rule.all_stops else " 或 ").join(map(word_zh, rule.stops))),
        ("异常", "、".join(map(_event_zh, sorted(rule.on)))),
        ("检查", "、".join(f"{name} = {told}" for name, told in _tolerances(rule).items())),
        ("时限", "；".join(_limits(rule))),
        ("计时", rule.calendar.week.zh if isinstance(rule.calendar, WorkingTime) else ""),
        ("预警", "、".join(f"提前 {format_duration(each)}" for each in rule.warn)),
        ("宽限", f"超时 {format_duration(rule.grace)} 后才报" if rule.grace else ""),
        ("只管", "、".join(_marks(rule.when))),
        ("生效", f"{_days(rule)}付款的订单" if rule.since or rule.until else ""),
        ("豁免", "、".join(_marks(rule.exempt))),
        ("处罚", "；".join(map(_price, rule.penalty))),
        ("默认", "、".join(_switches(rule))),
        ("说明", rule.note),
        ("可信度", CONFIDENCE_ZH.get(rule.confidence, "")),
        ("出处", "\n        ".join(_papers(rule))),
    )
    yield from ((heading, told) for heading, told in said if told)


def _start(rule: Rule) -> str:
    if not rule.start:
        return ""
    if rule.after:
        return f"规则 {rule.after} 超时"
    if rule.kind is Kind.STALENESS:
        return f"{word_zh(rule.start)}以后的最后一次扫描"
    return ("最近一次" if rule.restarts else "") + word_zh(rule.start)


def _limits(rule: Rule) -> Iterator[str]:
    if rule.limit:
        by_tier = {tier: format_duration(each) for tier, each in rule.limit.items()}
        same = len(set(by_tier.values())) == 1
        tiers = (f"{zh} {by_tier[tier]}" for tier, zh in _TIER_ZH.items() if tier in by_tier)
        yield next(iter(by_tier.values())) if same else "、".join(tiers)
    for word, length in rule.goods.items():
        yield f"{_MARKS_ZH.get(word, word)} {format_duration(length)}"
    if rule.lines is not None:
        yield f"按线路时效表的天数（表里有 {len(rule.lines)} 条线路）"
    if rule.promise:
        plus = f"再过 {format_duration(rule.promise_plus)}" if rule.promise_plus else ""
        yield f"订单写了{PROMISED_ZH[rule.promises]}的，以它为准{plus}" + (
            "" if rule.limit else "，没写的不管"
        )


def _days(rule: Rule) -> str:
    since = f"{rule.since} 起" if rule.since else ""
    return f"{since}{'、' if rule.since and rule.until else ''}" + (f"{rule.until} 止" if rule.until else "")


def _price(tariff: Tariff) -> str:
    return f"{tariff.about_zh}：{tariff.zh}" if tariff.about_zh else tariff.zh


def _switches(rule: Rule) -> Iterator[str]:
    if not rule.watch:
        yield "关闭（watch = false）"
    elif not rule.notify:
        yield "只记录，不提醒（notify = false）"


def _marks(words: Iterable[str]) -> list[str]:
    return [_MARKS_ZH.get(each, each) for each in sorted(words)]


def _event_zh(word: str) -> str:
    return EXCEPTION_ZH[ExceptionKind(word)] if word in set(ExceptionKind) else MILESTONE_ZH[Milestone(word)]


def _tolerances(rule: Rule) -> dict[str, str]:
    """What a structural check allows, where it says so."""
    allowed = sorted(CHECKS[rule.check]) if rule.check else ()
    said = {name: getattr(rule.tolerances, name) for name in allowed}
    return {name: _plain(value) for name, value in said.items() if value}


def _plain(value: Any) -> str:
    if isinstance(value, frozenset):
        return "、".join(sorted(value))
    return format_duration(value) if isinstance(value, timedelta) else str(value)


def _papers(rule: Rule) -> Iterator[str]:
    known = load_sources()
    for key in rule.source:
        paper = known.get(key)
        yield f"{key}（{paper.dated.replace('undated', '没有日期')}）{paper.where}" if paper else key


# ── for programs ─────────────────────────────────────────────────────────────────────────────────


def _row(rule: Rule) -> dict[str, Any]:
    known = load_sources()
    return {
        "rule": rule.id,
        "name": rule.zh,
        "from": rule.profile,
        "kind": rule.kind.value,
        "severity": rule.severity,
        "start": rule.start,
        "stop": list(rule.stops),
        "stop_mode": "all" if rule.all_stops else "any",
        "on": sorted(rule.on),
        "check": rule.check,
        "tolerances": _tolerances(rule),
        "limit_hours": {tier.value: _hours(each) for tier, each in rule.limit.items()},
        "goods_hours": {word: _hours(each) for word, each in rule.goods.items()},
        "lines": None if rule.lines is None else len(rule.lines),
        "warn_hours": [_hours(each) for each in rule.warn],
        "grace_hours": _hours(rule.grace),
        "promise": rule.promises if rule.promise else "",
        "after_promise_hours": _hours(rule.promise_plus),
        "calendar": rule.calendar.week.id if isinstance(rule.calendar, WorkingTime) else "natural",
        "when": sorted(rule.when),
        "since": rule.since and rule.since.isoformat(),
        "until": rule.until and rule.until.isoformat(),
        "exempt": sorted(rule.exempt),
        "watch": rule.watch,
        "notify": rule.notify,
        "soft": rule.soft,
        "penalty": [_price(each) for each in rule.penalty],
        "confidence": rule.confidence,
        "sources": [asdict(known.get(key, Source(key, "", ""))) for key in rule.source],
        "note": rule.note,
        "variants": [_row(each) for each in rule.variants],
    }


def _hours(length: timedelta) -> float:
    return length / timedelta(hours=1)
