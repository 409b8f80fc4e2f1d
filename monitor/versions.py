"""Versions of the policy in words for people: what one says, and what two of them say differently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from rules.described import ORDER, Difference, differences, entry, leaves

__all__ = ["Section", "compared", "readable"]

_KINDS_ZH: Final = {
    "policies": "策略",
    "exemptions": "豁免",
    "deferrals": "平台放宽",
    "warehouses": "仓库",
    "tiers": "偏远分级",
    "profiles": "平台规则",
}
_KEYS_ZH: Final = {
    **{"limit": "时限", "warn": "预警", "watch": "监控", "notify": "提醒", "shadow": "试运行"},
    **{"calendar": "日历", "match": "适用于", "profile": "平台规则", "severity": "轻重", "grace": "宽限"},
    **{"start": "起点", "stops": "终点", "exempt": "不适用", "goods": "按货品的时限", "penalty": "罚款"},
    **{"window": "时间", "starts_at": "开始", "ends_at": "结束", "proof": "凭据", "rules": "规则"},
    **{"name": "名称", "kind": "种类", "source": "出处", "confidence": "把握", "note": "说明"},
    **{
        "verified_on": "核对日期",
        "soft": "没有罚款",
        "promise": "按订单承诺",
        "province": "省",
        "city": "市",
    },
    **{"merchant": "商家", "shop": "店铺", "platform": "平台", "carrier": "快递", "warehouse": "仓库"},
    **{"origin_province": "发货省", "origin_city": "发货市", "goods_type": "货品类型", "tag": "标签"},
    **{"receiver_province": "收货省", "receiver_city": "收货市", "tiers": "偏远分级", "variants": "按日期"},
    **{
        "remote": "偏远",
        "very_remote": "极偏远",
        "excluded": "港澳台",
        "normal": "一般",
        "since": "从",
        "until": "到",
    },
    **{"inherits": "沿用", "drops": "不沿用", "when": "只管", "zh": "中文名", "together": "几项罚款如何相加"},
}
"""What is written in the configuration, as people say it; what is not here is said as it is written."""
_OF_PROFILE: Final = ("limit", "warn", "calendar", "goods", "grace", "watch", "notify", "shadow")
"""What is shown of a platform's rule; all of it is in `--json`."""


@dataclass(frozen=True, slots=True)
class Section:
    """A policy, an exemption or a platform, and lines about it."""

    title: str
    lines: tuple[str, ...]


def compared(
    was: Mapping[str, Any], now: Mapping[str, Any], rules: Mapping[str, str] = _KEYS_ZH
) -> list[Section]:
    """What `now` says that `was` did not; `rules` are the rules' names. Empty when they say the same."""
    return [
        Section(_title(*head, was, now), tuple(_line(each, rules) for each in some))
        for head, some in _grouped(differences(was, now))
    ]


def readable(book: Mapping[str, Any], rules: Mapping[str, str] = _KEYS_ZH) -> list[Section]:
    """All that a version says, the platforms' rules by what counts of them."""
    told = [Difference(path, None, value) for path, value in leaves(book) if _counts(path)]
    return [
        Section(_title(*head, book, book), tuple(_line(each, rules) for each in some))
        for head, some in _grouped(told)
    ]


def _counts(path: Sequence[str]) -> bool:
    if path[0] != "profiles":
        return True
    return len(path) > 4 and path[4] in _OF_PROFILE


def _grouped(found: Iterable[Difference]) -> list[tuple[tuple[str, str], list[Difference]]]:
    def head(each: Difference) -> tuple[str, str]:
        return each.path[0], each.path[1] if len(each.path) > 1 else ""

    return [(name, list(some)) for name, some in groupby(found, key=head)]


def _title(kind: str, name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    zh = _KINDS_ZH.get(kind, kind)
    if name == ORDER:
        return f"{zh}的先后"
    mark = (
        "（新增）" if entry(was, kind, name) is None else "（删除）" if entry(now, kind, name) is None else ""
    )
    return f"{zh}「{name}」{mark}" if name else zh


def _line(each: Difference, rules: Mapping[str, str]) -> str:
    """`揽收超时 late_pickup 时限 24h → 12h`."""
    place = _place(each.path[2:], rules)
    if each.was is None:
        return f"{place} = {_said(each.now)}" if place else _said(each.now)
    now = "（不写，用默认）" if each.now is None else _said(each.now)
    return f"{place} {_said(each.was)} → {now}".strip()


def _place(path: Sequence[str], rules: Mapping[str, str]) -> str:
    words: list[str] = []
    before = ""
    for key in path:
        if before == "rules":
            words.append(f"{rules[key]} {key}" if key in rules else key)
        elif before == "overrides":
            words.append(f"「{key}」")
        elif key == ORDER:
            words.append("先后")
        elif key not in ("rules", "overrides", "normal"):
            words.append(_KEYS_ZH.get(key, key))
        before = key
    return " ".join(words)


def _said(value: Any) -> str:
    match value:
        case bool():
            return "是" if value else "否"
        case list():
            return "、".join(map(_said, value)) or "（空）"
        case dict():
            return "，".join(f"{_KEYS_ZH.get(key, key)} {_said(each)}" for key, each in value.items())
        case None | "":
            return "（空）"
    return str(value)
