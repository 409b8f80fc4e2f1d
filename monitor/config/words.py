"""The words of policies, routes and exemptions: rules, profiles, places, carriers, and what may be matched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final

from carriers.names import CARRIERS, canonical, nearest
from domain.findings import Stage
from domain.messages import MessageKind
from domain.time import AROUND_THE_CLOCK, Calendar, format_duration
from monitor.calendars import load_almanacs
from monitor.config.lines import KeyPath
from monitor.config.shapes import (
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
from monitor.config.values import BOOLEAN, DURATION, TEXT, TEXTS, choice
from monitor.intake.columns import platform_id
from monitor.profiles import Vocabulary
from rules.calendars import Calendars
from rules.declare import Limit, Rule, parse_limit, parse_warn
from rules.language import NATURAL
from rules.policy import FALLBACK, MATCHABLE, normal_match
from rules.regions import LISTED, PROVINCES, Tier, parse_tiers, province

__all__ = ["FACET_ZH", "LIMIT", "PROVINCE", "ROUTABLE", "TIERS", "WARN", "Words", "carrier", "named"]

ROUTABLE: Final = (*MATCHABLE, "rule", "stage", "kind")
"""What a route may match on: a parcel's facets, and what is said of it."""
_LISTED: Final = frozenset(carrier.key for carrier in CARRIERS)
_LONGEST: Final = timedelta(days=366)
FACET_ZH: Final = {
    "merchant": "商家",
    "shop": "店铺",
    "platform": "平台（平台配置的名字）",
    "carrier": "快递公司",
    "warehouse": "仓库",
    "origin_province": "发货省份（仓库所在，见 warehouses）",
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
_CHANGE: Final[Table] = {
    "limit": Setting(
        LIMIT, '时限；可按目的地分：{normal = "48h", remote = "72h", very_remote = "120h"}', None
    ),
    "warn": Setting(WARN, "超时前多久预警，可以有几步；空列表是不预警", None),
    "watch": Setting(BOOLEAN, "是否检查", None),
    "notify": Setting(BOOLEAN, "是否通知", None),
    "shadow": Setting(
        BOOLEAN, "试运行：照样判定、记录，不开工单，不通知任何人；删掉这个词（或写 false）就转正", None
    ),
}
TIERS: Final = leaf(
    parse_tiers,
    type="object",
    properties={tier.value: TEXTS.schema for tier in LISTED},
    additionalProperties=False,
    minProperties=1,
)
"""The provinces of a level of destinations; the levels named replace the platform's."""


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


PROVINCE: Final = named(_province)


def _profile(known: Sequence[str]) -> Shape:
    """A profile by its id; who writes the platform's name is told the id."""

    plain = choice(known, "平台配置")

    def read(reading: Reading, path: KeyPath, value: Any) -> Any:
        meant = platform_id(value) if isinstance(value, str) else ""
        if value == meant or meant not in known:
            return plain.read(reading, path, value)
        reading.problems.at(path, f"平台配置要写编号：{value} 是 {meant}")
        return None

    return Shape(read, plain.schema)


@dataclass(frozen=True, slots=True)
class Words:
    """The tables whose words depend on the profiles and calendars at hand."""

    known: Vocabulary
    calendars: Mapping[str, Calendar] = field(default_factory=lambda: Calendars(load_almanacs().values()))

    @property
    def every(self) -> Collection[Mapping[str, Rule]]:
        """The rules of each profile."""
        return self.known.profiles.values()

    def change(self) -> Table:
        """What a policy may say of one rule."""
        names = [NATURAL, *sorted(self.calendars)]
        word = choice(names, "日历")

        def read(reading: Reading, path: KeyPath, value: Any) -> Calendar | None:
            name = word.read(reading, path, value)
            return AROUND_THE_CLOCK if name == NATURAL else self.calendars.get(name)

        told = f"按什么日子算：{NATURAL} 自然时间，或日历的名字"
        return {**_CHANGE, "calendar": Setting(Shape(read, TEXT.schema), told, None)}

    def match(self, keys: Collection[str] = MATCHABLE) -> Shape:
        """A `match` table; reads as `rules.policy.Match`."""
        special = {
            "carrier": listed(named(carrier)),
            "origin_province": listed(PROVINCE),
            "receiver_province": listed(PROVINCE),
            "rule": listed(choice(sorted(self.known.rules), "规则")),
            "stage": listed(choice([stage.value for stage in Stage], "阶段")),
            "kind": listed(choice([kind.value for kind in MessageKind], "消息种类")),
        }
        fields = {key: Setting(special.get(key, TEXTS), FACET_ZH[key], None) for key in keys}

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
        change = table_schema(self.change())
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
        profile = _profile(sorted(self.known.profiles))
        return {
            "name": Setting(TEXT, "名字：每条异常都会写明是哪条策略定的"),
            "match": Setting(self.match(), "对哪些包裹；不写则对其余全部", {}),
            "profile": Setting(profile, "平台配置；不写则按订单的平台", ""),
            "shadow": Setting(BOOLEAN, "整条策略试运行：这些包裹的全部规则只记录，不通知任何人", False),
            "tiers": Setting(TIERS, "偏远地区：写了的一级以这里为准，其余照平台的名单", {}),
            "rules": Setting(self.rules(), "改动的规则", {}),
            "overrides": Setting(tables(self.override()), "更细的改动，如按收货省份", ()),
        }

    def candidates(self, profile: str, platforms: Collection[str]) -> list[Mapping[str, Rule]]:
        """The profiles a policy may stand over: its own, its platforms', or any."""
        profiles = self.known.profiles
        if profile:
            return [profiles[profile]]
        if platforms:
            return [profiles.get(platform, profiles[FALLBACK]) for platform in platforms]
        return list(profiles.values())
