"""`docs/reference/rules.md`, told by the platforms' profiles."""

from __future__ import annotations

from monitor.profiles import load_profiles
from rules.calendars import WorkingTime
from rules.declare import Profile, Rule
from tests.docs.told import MADE, cell, length

_HEAD = f"""{MADE}

# 规则与平台默认值

每个平台一份配置，在 [`config/profiles/`](../../config/profiles/)。平台规则一年改几次，**以规则中心为准**；自己的数字写在
[时限策略](../how-to/tune-thresholds.md)里。时限三个数依次是普通、偏远、极偏远地区；预警是超时前多久。

可信度：`OFFQ` 规则原文转述，`OFF` 官方说明，`SEC` 行业资料，`UNC` 没有可靠来源、我们定的。
时限里带代码的（`bulky` 3d）、名字后写着“只管”的，看订单的商品类型（`goods_type` 列）或标签；`no_promise` 是没有承诺发货时间的订单。
`clock` 从一个节点计时到另一个；`staleness` 每次移动扫描都重新计时；`exception` 承运商自己报告的异常，看到就成立。

English: every rule of each platform's profile, generated from the profiles: code, name, kind, limit (normal, remote, very
remote areas; then for goods of a type), warning steps before the limit, whether the groups are told, and how far the number
can be trusted."""


def rules() -> str:
    """Every rule of every profile."""
    profiles = sorted(load_profiles().values(), key=lambda each: (each.id == "generic_cn", each.id))
    return "\n\n".join((_HEAD, *map(_profile, profiles))) + "\n"


def _profile(profile: Profile) -> str:
    inherits = "、".join(f"`{each}`" for each in profile.inherits)
    more = f"没有列出的规则取自 {inherits}。" if inherits else ""
    rows = sorted(profile.rules.values(), key=lambda each: (not each.limit, each.id))
    table = "| 规则 | 名字 | 种类 | 时限 | 预警 | 通知 | 可信度 |\n|---|---|---|---|---|---|---|\n"
    title = f"## {profile.id}\n\n{profile.name}，{profile.verified_on} 核对。{more}"
    return f"{title}\n\n{table}" + "\n".join(map(_row, rows))


def _row(rule: Rule) -> str:
    columns = (
        f"`{rule.id}`",
        cell(rule.zh) + _about(rule),
        rule.kind.value,
        _limit(rule),
        "、".join(map(length, rule.warn)),
        "是" if rule.notify else "否",
        rule.confidence,
    )
    return f"| {' | '.join(columns)} |"


def _about(rule: Rule) -> str:
    """Which orders the rule is about, where not all."""
    words = "、".join(f"`{each}`" for each in sorted(rule.when))
    days = "".join(f"，{day} {side}付款的" for day, side in ((rule.since, "起"), (rule.until, "止")) if day)
    told = (f"只管 {words}" if words else "") + days
    return f"（{told.removeprefix('，')}）" if told else ""


def _limit(rule: Rule) -> str:
    limits = list(dict.fromkeys(length(each) for each in rule.limit.values()))
    calendar = rule.calendar
    counted = f"（{calendar.week.zh}）" if isinstance(calendar, WorkingTime) else ""
    goods = [f"`{word}` {length(each)}" for word, each in rule.goods.items()]
    after = [f"有承诺的：承诺后 {length(rule.promise_plus)}"] if rule.promise_plus else []
    return "；".join((" / ".join(limits) + counted, *goods, *after))
