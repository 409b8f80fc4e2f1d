"""`[[warehouses]]` and `[tiers]`: where parcels leave from, and how far away their destinations are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from monitor.config.lines import KeyPath
from monitor.config.shapes import Reading, Setting, Shape, Table, hint
from monitor.config.values import TEXT
from monitor.config.words import PROVINCE, TIERS, named
from rules.facets import Warehouse, normal_match
from rules.regions import LISTED, Tier, TierLists, parse_tiers

__all__ = ["EVERYWHERE", "WAREHOUSE", "tiers_of", "warehouses"]

EVERYWHERE: Final = ""
"""The platform of a list that holds for all."""


def _city(reading: Reading, path: KeyPath, text: str) -> str:
    (city,) = normal_match("origin_city", [text])
    return city


WAREHOUSE: Final[Table] = {
    "name": Setting(TEXT, "仓库的名字，和订单里写的一样"),
    "province": Setting(PROVINCE, "在哪个省"),
    "city": Setting(named(_city), "在哪个市", ""),
    "merchant": Setting(TEXT, "只是这个商家的仓库；不写则对全部商家", ""),
}
"""`[[warehouses]]`."""


def warehouses(reading: Reading, rows: Sequence[tuple[KeyPath, Mapping[str, Any]]]) -> tuple[Warehouse, ...]:
    """The warehouses, each name once for a merchant."""
    found: dict[tuple[str, str], Warehouse] = {}
    for path, row in rows:
        if row["name"] is None:
            continue
        key = (row["merchant"] or "", row["name"])
        if key in found:
            reading.problems.at((*path, "name"), f"仓库 {row['name']} 已经写过，留一条")
        found[key] = Warehouse(row["name"], row["province"] or "", row["city"] or "", row["merchant"] or "")
    return tuple(found.values())


def tiers_of(platforms: Collection[str]) -> Shape:
    """`[tiers]`: levels for every platform, and tables of one platform each."""
    schema = {
        "type": "object",
        "properties": {**TIERS.schema["properties"], **dict.fromkeys(sorted(platforms), TIERS.schema)},
        "additionalProperties": False,
    }

    def read(reading: Reading, path: KeyPath, value: Any) -> dict[str, TierLists]:
        if not isinstance(value, dict):
            reading.problems.at(path, '要写成一张表，如 [tiers.taobao_tmall] remote = ["甘肃"]')
            return {}
        found: dict[str, TierLists] = {}
        general: dict[Tier, frozenset[str]] = {}
        for key, each in value.items():
            at = (*path, key)
            if key in list(Tier) and key != Tier.NORMAL:
                general |= reading.problems.read(at, parse_tiers, {key: each}) or {}
            elif key in platforms:
                found[key] = TIERS.read(reading, at, each) or {}
            else:
                known = [*LISTED, *platforms]
                reading.problems.at(at, f"没有叫 {key} 的平台配置或级别{hint(key, known)}")
        return {EVERYWHERE: general, **found} if general else found

    return Shape(read, schema)
