"""Which deadline tier a destination belongs to (`facts/platform-rules.md` §8).

Membership is uncertain there and is editable data: the profile's `tiers` may replace this default.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

__all__ = ["DEFAULT_TIERS", "PROVINCES", "Tier", "province", "tier_of"]

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
