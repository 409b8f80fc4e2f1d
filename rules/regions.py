"""Which deadline tier a destination belongs to (`facts/platform-rules.md` §8).

Membership is uncertain there and each platform keeps its own list, so it is editable data: a profile's
`tiers`, the configuration's `[tiers]` and a policy's `tiers` replace the levels they name.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

__all__ = [
    "DEFAULT_TIERS",
    "LISTED",
    "PROVINCES",
    "Tier",
    "TierLists",
    "parse_tiers",
    "province",
    "retiered",
    "tier_of",
]

PROVINCES: Final = [
    "北京",
    "天津",
    "上海",
    "重庆",
    "河北",
    "山西",
    "辽宁",
    "吉林",
    "黑龙江",
    "江苏",
    "浙江",
    "安徽",
    "福建",
    "江西",
    "山东",
    "河南",
    "湖北",
    "湖南",
    "广东",
    "海南",
    "四川",
    "贵州",
    "云南",
    "陕西",
    "甘肃",
    "青海",
    "台湾",
    "内蒙古",
    "广西",
    "西藏",
    "宁夏",
    "新疆",
    "香港",
    "澳门",
]


class Tier(StrEnum):
    """How far out the platforms count a province."""

    NORMAL = "normal"
    REMOTE = "remote"
    VERY_REMOTE = "very_remote"
    EXCLUDED = "excluded"
    """Hong Kong, Macau, Taiwan: a separate export leg, outside the domestic clocks."""


DEFAULT_TIERS: Final[Mapping[str, Tier]] = {
    **dict.fromkeys(("内蒙古", "海南", "甘肃", "青海", "宁夏"), Tier.REMOTE),
    **dict.fromkeys(("西藏", "新疆"), Tier.VERY_REMOTE),
    **dict.fromkeys(("台湾", "香港", "澳门"), Tier.EXCLUDED),
}


def province(name: str) -> str:
    """`新疆维吾尔自治区` → `新疆`; an unknown name comes back as it was."""
    name = name.strip()
    return next((known for known in PROVINCES if name.startswith(known)), name)


def tier_of(name: str, tiers: Mapping[str, Tier] = DEFAULT_TIERS) -> Tier:
    """The tier of a receiver's province; an unknown or missing one is normal."""
    return tiers.get(province(name), Tier.NORMAL)


LISTED: Final = (Tier.REMOTE, Tier.VERY_REMOTE, Tier.EXCLUDED)
"""The levels a list of tiers may name; every other province is normal."""
TierLists = Mapping[Tier, frozenset[str]]
"""The provinces of a level; a level that is not named stays as it was."""


def parse_tiers(value: Any) -> TierLists:
    """`{remote = ["甘肃", "青海"], very_remote = ["新疆"]}`. Raises ValueError/TypeError."""
    if not isinstance(value, Mapping) or not value:
        raise TypeError('要写成级别与省份的表，如 { remote = ["甘肃", "青海"], very_remote = ["新疆"] }')
    lists: dict[Tier, frozenset[str]] = {}
    for level, names in value.items():
        if level not in LISTED:
            raise ValueError(f"没有叫 {level} 的级别；可用的有：{'、'.join(LISTED)}")
        if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
            raise TypeError(f"{level} 要写成省份的列表")
        lists[Tier(level)] = frozenset(map(_known, names))
    _once(lists)
    return lists


def _known(name: str) -> str:
    found = province(name)
    if found not in PROVINCES:
        near = get_close_matches(name, PROVINCES, n=1, cutoff=0.5)
        raise ValueError(f"不认识的省份 {name}" + (f"，是不是想写 {near[0]}？" if near else ""))
    return found


def _once(lists: TierLists) -> None:
    for level, names in lists.items():
        for other, others in lists.items():
            if level is not other and names & others:
                raise ValueError(f"{'、'.join(sorted(names & others))} 写在了两级里")


def retiered(tiers: Mapping[str, Tier], lists: TierLists) -> Mapping[str, Tier]:
    """The tiers with the levels of `lists` replaced by what they say."""
    if not lists:
        return tiers
    kept = {name: tier for name, tier in tiers.items() if tier not in lists}
    return kept | {name: tier for tier, names in lists.items() for name in sorted(names)}
