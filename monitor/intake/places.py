"""Province and city out of one address cell; the rest of it is never kept.

Exports write 收货地址 and 省市县 with blanks between the levels (`facts/import-formats.md` §2).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from monitor.intake.values import Cell, harmless

__all__ = ["destination", "place"]

_MUNICIPALITIES: Final = ("北京", "天津", "上海", "重庆")
_PROVINCES: Final = (
    *_MUNICIPALITIES,
    "河北", "山西", "内蒙古", "辽宁", "吉林", "黑龙江", "江苏", "浙江", "安徽", "福建", "江西", "山东", "河南",
    "湖北", "湖南", "广东", "广西", "海南", "四川", "贵州", "云南", "西藏", "陕西", "甘肃", "青海", "宁夏", "新疆",
    "台湾", "香港", "澳门",
)  # fmt: skip
_WHOLE: Final = re.compile(
    f"(?:{'|'.join(_PROVINCES)})(?:省|市|自治区|壮族自治区|回族自治区|维吾尔自治区|特别行政区)?"
)
_CITY: Final = re.compile(r"[\u4e00-\u9fff]{1,12}(?:市|州|盟|地区|区划)")


def destination(address: str) -> tuple[str, str]:
    """(province, city) of an address whose levels are parted by blanks; empty where it is not clear.

    `浙江省 杭州市 余杭区 …` gives 浙江省 and 杭州市. Of an address in one piece only the province is taken.
    """
    first, second, *_ = [*address.split(maxsplit=2), "", ""]
    return _levels(first, second)


@lru_cache(maxsize=1024)
def _levels(first: str, city: str) -> tuple[str, str]:
    match = _WHOLE.match(first)
    if match is None:
        return "", ""
    province = match[0]
    if province != first:
        return province, ""
    if province.startswith(_MUNICIPALITIES) and not city.startswith(province[:2]):
        return province, province
    return province, city if _CITY.fullmatch(city) else ""


def place(cell: Cell) -> str:
    """A province or city from a column of its own; anything that looks like more than a name is dropped."""
    name = harmless(cell)
    return name if len(name) <= 15 and not re.search(r"[\d*#$]", name) else ""
