"""Which provinces touch: a parcel delivered just over the border is no proof of a wrong province."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["BORDERS", "touch"]

_NEIGHBOURS: Final = """
北京: 天津 河北
天津: 北京 河北
上海: 江苏 浙江
重庆: 湖北 湖南 四川 贵州 陕西
河北: 北京 天津 山西 辽宁 山东 河南 内蒙古
山西: 河北 河南 陕西 内蒙古
辽宁: 河北 吉林 内蒙古
吉林: 辽宁 黑龙江 内蒙古
黑龙江: 吉林 内蒙古
江苏: 上海 浙江 安徽 山东
浙江: 上海 江苏 安徽 福建 江西
安徽: 江苏 浙江 江西 山东 河南 湖北
福建: 浙江 江西 广东
江西: 浙江 安徽 福建 湖北 湖南 广东
山东: 河北 江苏 安徽 河南
河南: 河北 山西 安徽 山东 湖北 陕西
湖北: 重庆 安徽 江西 河南 湖南 陕西
湖南: 重庆 江西 湖北 广东 贵州 广西
广东: 福建 江西 湖南 海南 广西 香港 澳门
海南: 广东
四川: 重庆 贵州 云南 陕西 甘肃 青海 西藏
贵州: 重庆 湖南 四川 云南 广西
云南: 四川 贵州 广西 西藏
陕西: 重庆 山西 河南 湖北 四川 甘肃 内蒙古 宁夏
甘肃: 四川 陕西 青海 内蒙古 宁夏 新疆
青海: 四川 甘肃 西藏 新疆
台湾:
内蒙古: 河北 山西 辽宁 吉林 黑龙江 陕西 甘肃 宁夏
广西: 湖南 广东 贵州 云南
西藏: 四川 云南 青海 新疆
宁夏: 陕西 甘肃 内蒙古
新疆: 甘肃 青海 西藏
香港: 广东 澳门
澳门: 广东 香港
"""
"""By land, and 海南 over its strait."""

BORDERS: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(others.split())
    for name, others in (line.split(":") for line in _NEIGHBOURS.strip().splitlines())
}
"""By province, those that touch it."""


def touch(one: str, other: str) -> bool:
    """Two provinces, by their short names, share a border or are the same."""
    return one == other or other in BORDERS.get(one, frozenset())
