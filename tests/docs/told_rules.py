"""`docs/reference/rules.md`, told by the platforms' profiles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from monitor.profiles import load_profiles
from rules.calendars import WorkingTime
from rules.declare import Profile, Rule
from rules.tolerances import CHECKS
from tests.docs.told import MADE, cell, length
from tests.docs.told_penalties import PENALTIES, penalties, sources

_SUBJECTS = {
    "TB": "淘宝、天猫、淘特",
    "PD": "拼多多",
    "DY": "抖店",
    "JD": "京东",
    "KS": "快手",
    "XH": "小红书",
    "AL": "1688",
    "WX": "微信小店",
    "AE": "速卖通",
    "DH": "敦煌网",
    "SP": "Shopee",
    "LZ": "Lazada",
    "AM": "亚马逊",
    "TT": "TikTok Shop",
    "TM": "Temu",
    "CR": "快递业的标准和接口",
}
"""What the letters of a source's number stand for."""
_HEAD = f"""{MADE}

# 规则与平台默认值

每个平台一份配置，在 [`config/profiles/`](../../config/profiles/)。平台规则一年改几次，**以规则中心为准**；自己的数字写在
[时限策略](../how-to/tune-thresholds.md)里。时限三个数依次是普通、偏远、极偏远地区；预警是超时前多久。

可信度：`OFFQ` 规则原文转述，`OFF` 官方说明，`SEC` 行业资料，`UNC` 没有可靠来源、我们定的。

出处：`TB1`、`PD5` 这样的编号，工单的“为什么告警”里也有，是我们收集资料时给每份资料编的号，同一个号是同一份资料；写在各平台配置每条规则的
`source` 里。字母是资料讲的平台：{{subjects}}。资料的清单在 [`config/sources.toml`](../../config/sources.toml)，`parcelwatch profiles 平台`
逐条列出规则和它的出处；申诉时请引用平台规则中心的原文，不要引用编号。

时限里带代码的（`bulky` 3d）、名字后写着“只管”的，看订单的商品类型（`goods_type` 列）或标签；`no_promise` 是没有承诺发货时间的订单。
`clock` 从一个节点计时到另一个；`staleness` 每次移动扫描都重新计时；`exception` 承运商自己报告的异常，看到就成立；
`structural` 看轨迹、订单和单号本身是否对得上，没有时限，时限一栏写的是容差，容差写在平台配置里。空包、少件需要重量和件数，没有导入，所以没有。

{PENALTIES}

English: every rule of each platform's profile, generated from the profiles: code, name, kind, limit (normal, remote, very
remote areas; then for goods of a type), warning steps before the limit, whether the groups are told, how far the number
can be trusted, and the numbers we gave the papers it was taken from (`TB1`: the first about Taobao); tickets name them too.
`parcelwatch profiles NAME` tells every rule with its papers, listed in `config/sources.toml`: in an appeal quote the
marketplace's own rule, not our number."""


def rules() -> str:
    """Every rule of every profile."""
    profiles = sorted(load_profiles().values(), key=lambda each: (each.id == "generic_cn", each.id))
    head = _HEAD.format(subjects=_subjects(profiles))
    return "\n\n".join((head, *map(_profile, profiles))) + "\n"


def _subjects(profiles: Sequence[Profile]) -> str:
    """The letters in use and what they stand for. ValueError: letters nobody explained."""
    numbers = {each for profile in profiles for rule in profile.rules.values() for each in rule.source}
    numbers = numbers.union(*map(sources, profiles))
    letters = sorted({each.rstrip("0123456789") for each in numbers}, key=list(_SUBJECTS).index)
    return "，".join(f"`{each}` {_SUBJECTS[each]}" for each in letters)


def _profile(profile: Profile) -> str:
    inherits = "、".join(f"`{each}`" for each in profile.inherits)
    more = f"没有列出的规则取自 {inherits}。" if inherits else ""
    rows = sorted(profile.rules.values(), key=lambda each: (not each.limit, each.id))
    table = "| 规则 | 名字 | 种类 | 时限 | 预警 | 通知 | 可信度 | 出处 |\n|---|---|---|---|---|---|---|---|\n"
    title = f"## {profile.id}\n\n{profile.name}，{profile.verified_on} 核对。{more}"
    return "\n\n".join(
        each for each in (title, table + "\n".join(map(_row, rows)), penalties(profile)) if each
    )


def _row(rule: Rule) -> str:
    columns = (
        f"`{rule.id}`",
        cell(rule.zh) + _about(rule),
        rule.kind.value,
        _limit(rule),
        "、".join(map(length, rule.warn)),
        "是" if rule.notify else "否",
        rule.confidence,
        "、".join(rule.source),
    )
    return f"| {' | '.join(columns)} |"


def _about(rule: Rule) -> str:
    """Which orders the rule is about, where not all."""
    words = "、".join(f"`{each}`" for each in sorted(rule.when))
    days = "".join(f"，{day} {side}付款的" for day, side in ((rule.since, "起"), (rule.until, "止")) if day)
    told = (f"只管 {words}" if words else "") + days
    return f"（{told.removeprefix('，')}）" if told else ""


_TOLERANCES: Final = {
    "tolerance": "早 {} 以内不算",
    "lookback": "{} 内",
    "near_km": "{} 公里内的邻市不算",
    "escalate": "跨省时严重度 {}",
    "max_km": "超过 {} 公里",
    "max_kmh": "公路超过 {} 公里/小时",
    "air_kmh": "能飞的超过 {} 公里/小时",
    "air_from_km": "{} 公里以上算能飞",
    "air_carriers": "自己有飞机的：{}",
    "at_least": "到别的城市少于 {}",
    "apart": "相隔超过 {}",
    "counts": "以{}揽收为准",
}


def _tolerances(rule: Rule) -> str:
    """What a structural check allows, as the rule says or by default."""
    return "；".join(
        text.format(_tolerance(getattr(rule.tolerances, name)))
        for name, text in _TOLERANCES.items()
        if name in CHECKS[rule.check]
    )


def _tolerance(value: object) -> str:
    if isinstance(value, timedelta):
        return length(value)
    if isinstance(value, frozenset):
        return "、".join(f"`{each}`" for each in sorted(value))
    return {"first": "第一次", "last": "最后一次"}.get(str(value), str(value))


def _limit(rule: Rule) -> str:
    if rule.check:
        return _tolerances(rule)
    limits = list(dict.fromkeys(length(each) for each in rule.limit.values()))
    calendar = rule.calendar
    counted = f"（{calendar.week.zh}）" if isinstance(calendar, WorkingTime) else ""
    goods = [f"`{word}` {length(each)}" for word, each in rule.goods.items()]
    after = [f"有承诺的：承诺后 {length(rule.promise_plus)}"] if rule.promise_plus else []
    lines = ["按线路时效表"] if rule.lines is not None else []
    only = ["只看承诺送达时间"] if rule.promise and not limits else []
    before = [
        f"{_about(each).strip('（）')}：{_limit(each)}" for each in rule.variants if each.limit != rule.limit
    ]
    said = (" / ".join(limits) + (counted if limits else ""), *lines, *only, *goods, *after, *before)
    return "；".join(each for each in said if each)
