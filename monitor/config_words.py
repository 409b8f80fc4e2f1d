"""The words of policies, routes and exemptions: rules, profiles, places, carriers, and what may be matched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final

from carriers.names import CARRIERS, canonical, nearest
from domain.findings import Stage
from domain.messages import MessageKind
from domain.time import format_duration
from monitor.config_lines import KeyPath
from monitor.config_shapes import (
    Reading,
    Remark,
    Setting,
    Shape,
    Table,
    hint,
    leaf,
    listed,
    read_table,
    table_schema,
    tables,
)
from monitor.config_values import BOOLEAN, DURATION, MOMENT, TEXT, TEXTS, choice
from monitor.profiles import Vocabulary
from rules.declare import Limit, Rule, parse_limit, parse_warn
from rules.policy import FALLBACK, MATCHABLE, normal_match
from rules.regions import PROVINCES, Tier, province

__all__ = ["CHANGE", "LIMIT", "ROUTABLE", "WARN", "Words", "carrier", "named"]

ROUTABLE: Final = (*MATCHABLE, "rule", "stage", "kind")
"""What a route may match on: a parcel's facets, and what is said of it."""
_LISTED: Final = frozenset(carrier.key for carrier in CARRIERS)
_LONGEST: Final = timedelta(days=366)
_MATCH_ZH: Final = {
    "merchant": "商家",
    "shop": "店铺",
    "platform": "平台（平台配置的名字）",
    "carrier": "快递公司",
    "warehouse": "仓库",
    "origin_province": "发货省份",
    "origin_city": "发货城市",
    "receiver_province": "收货省份",
    "receiver_city": "收货城市",
    "goods_type": "商品类型",
    "tag": "订单标签",
    "rule": "规则",
    "stage": "warning 预警，或 breach 已超时",
    "kind": "消息种类",
}


def _read_limit(value: Any) -> Limit:
    limit = parse_limit(value)
    longest = max(limit.values())
    if longest > _LONGEST:
        raise ValueError(f"{format_duration(longest)} 超过一年，不像是时限")
    return limit


LIMIT: Final = leaf(
    _read_limit,
    anyOf=[
        DURATION.schema,
        {
            "type": "object",
            "properties": {
                tier.value: DURATION.schema for tier in (Tier.NORMAL, Tier.REMOTE, Tier.VERY_REMOTE)
            },
            "required": [Tier.NORMAL.value],
            "additionalProperties": False,
        },
    ],
)
WARN: Final = leaf(parse_warn, anyOf=[DURATION.schema, {"type": "array", "items": DURATION.schema}])
CHANGE: Final[Table] = {
    "limit": Setting(
        LIMIT, '时限；可按目的地分：{normal = "48h", remote = "72h", very_remote = "120h"}', None
    ),
    "warn": Setting(WARN, "超时前多久预警，可以有几步；空列表是不预警", None),
    "watch": Setting(BOOLEAN, "是否检查", None),
    "notify": Setting(BOOLEAN, "是否通知", None),
}


def carrier(reading: Reading, path: KeyPath, text: str) -> str | None:
    """Our key of a carrier, from any of its names and codes; a code nobody listed is taken with a remark."""
    key = canonical(text)
    near = "、".join(nearest(text)) or "、".join(nearest(text.removesuffix("kuaidi")))
    if key is None or (key not in _LISTED and get_close_matches(key, _LISTED, cutoff=0.87)):
        meant = "、".join(get_close_matches(text, _LISTED, n=1)) or near
        reading.problems.at(path, f"不认识的快递公司 {text}" + (f"，是不是想写 {meant}？" if meant else ""))
        return None
    if key not in _LISTED:
        todo = f"是不是想写 {near}？" if near else "如果确实是快递100的编码，可以不管"
        reading.remarks.append(Remark(path, f"快递公司 {text} 不在名单里，当作快递100的编码", todo))
    return key


def _province(reading: Reading, path: KeyPath, text: str) -> str | None:
    name = province(text)
    if name in PROVINCES:
        return name
    reading.problems.at(path, f"不认识的省份 {text}{hint(text, PROVINCES)}")
    return None


def named(spell: Callable[[Reading, KeyPath, str], str | None]) -> Shape:
    """A text in our spelling, or None with a note of why not."""

    def read(reading: Reading, path: KeyPath, value: Any) -> Any:
        text = TEXT.read(reading, path, value)
        return None if text is None else spell(reading, path, text)

    return Shape(read, TEXT.schema)


@dataclass(frozen=True, slots=True)
class Words:
    """The tables whose words depend on the profiles at hand."""

    known: Vocabulary

    def match(self, keys: Collection[str] = MATCHABLE) -> Shape:
        """A `match` table; reads as `rules.policy.Match`."""
        special = {
            "carrier": listed(named(carrier)),
            "receiver_province": listed(named(_province)),
            "rule": listed(choice(sorted(self.known.rules), "规则")),
            "stage": listed(choice([stage.value for stage in Stage], "阶段")),
            "kind": listed(choice([kind.value for kind in MessageKind], "消息种类")),
        }
        fields = {key: Setting(special.get(key, TEXTS), _MATCH_ZH[key], None) for key in keys}

        def read(reading: Reading, path: KeyPath, value: Any) -> dict[str, frozenset[str]]:
            match = {}
            for key, values in read_table(reading, path, value, fields).items():
                if values == ():
                    reading.problems.at((*path, key), "空列表什么都匹配不到；不限制就删掉这一项")
                elif values is not None:
                    match[key] = normal_match(key, (each for each in values if each is not None))
            return match

        return Shape(read, table_schema(fields))

    def rules(self) -> Shape:
        """A `rules` table; it is understood once the profile is known, so it reads as it is."""
        change = table_schema(CHANGE)
        each = {name: {**change, "description": rule.zh} for name, rule in sorted(self.known.rules.items())}
        schema = {"type": "object", "properties": each, "additionalProperties": False}
        return Shape(lambda reading, path, value: value, schema)

    def override(self) -> Table:
        """`[[policies.overrides]]`."""
        return {
            "name": Setting(TEXT, "名字；不写则取自 match", ""),
            "match": Setting(self.match(), "只对这些包裹"),
            "rules": Setting(self.rules(), "改动的规则"),
        }

    def policy(self) -> Table:
        """`[[policies]]`."""
        profile = choice(sorted(self.known.profiles), "平台配置")
        return {
            "name": Setting(TEXT, "名字：每条异常都会写明是哪条策略定的"),
            "match": Setting(self.match(), "对哪些包裹；不写则对其余全部", {}),
            "profile": Setting(profile, "平台配置；不写则按订单的平台", ""),
            "rules": Setting(self.rules(), "改动的规则", {}),
            "overrides": Setting(tables(self.override()), "更细的改动，如按收货省份", ()),
        }

    def exemption(self) -> Table:
        """`[[exemptions]]`."""
        return {
            "name": Setting(TEXT, "名字"),
            "from": Setting(MOMENT, "从何时起不计时"),
            "until": Setting(MOMENT, "到何时恢复计时"),
            "match": Setting(self.match(), "对哪些包裹；不写则对全部", {}),
            "rules": Setting(
                listed(choice(sorted(self.known.rules), "规则")), "只对这些规则；不写则对全部", ()
            ),
            "proof": Setting(TEXT, "凭据：公告网址或文件", ""),
        }

    def candidates(self, profile: str, platforms: Collection[str]) -> list[Mapping[str, Rule]]:
        """The profiles a policy may stand over: its own, its platforms', or any."""
        profiles = self.known.profiles
        if profile:
            return [profiles[profile]]
        if platforms:
            return [profiles.get(platform, profiles[FALLBACK]) for platform in platforms]
        return list(profiles.values())
