"""`[[order_sources]]`: ERP accounts whose shipped orders are pulled: an adapter with what the owner says of it.

An adapter's dataclass fields are its settings (`monitor/erp/base.py`), so a new one is configurable without a line
here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from domain.remote import Secret
from monitor.config.accounts import NAME, secrets_of
from monitor.config.adapters import built, settings_of
from monitor.config.lines import KeyPath
from monitor.config.shapes import (
    Reading,
    Remark,
    Setting,
    Shape,
    Table,
    kind_of,
    leaf,
    read_table,
    table_schema,
    tables,
    tables_by,
)
from monitor.config.values import BOOLEAN, DURATION, SECRET, TEXT, choice, number
from monitor.config.words import carrier, named
from monitor.erp.base import OrderSource, kinds
from monitor.intake.columns import PLATFORM_IDS, platform_id
from monitor.pulling.documents import ShopTerms, Terms
from rules.declare import duration

__all__ = ["SourceAccount", "order_sources", "source_kinds"]

_TELLING: Final = 4
"""Characters; what is shorter would be starred out of everything."""
_LONGEST_SINCE: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """One `[[order_sources]]` table."""

    name: str
    kind: str
    source: OrderSource
    every: timedelta
    since: timedelta
    """How far back the first pull reads."""
    per_second: float
    terms: Terms = field(repr=False)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log may show; of a secret that is several in one, each."""
        tail = self.terms.phone_tail
        whole = (*secrets_of(self.source), *((tail,) if tail is not None else ()))
        parts = [part for each in whole for part in each.reveal().split(":") if part]
        return (*whole, *(Secret(part) for part in parts if len(part) >= _TELLING))

    def asking_phones(self, needs_phone: Callable[[str], bool]) -> SourceAccount:
        """The same, knowing which carriers answer only for a phone's digits."""
        return replace(self, terms=replace(self.terms, needs_phone=needs_phone))


def _platform(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    known = platform_id(text)
    if known not in PLATFORM_IDS:
        raise ValueError(f"不认识的平台 {text}；可用的有：{'、'.join(sorted(PLATFORM_IDS))}")
    return known


def _since(value: Any) -> timedelta:
    length = duration(value)
    if length > _LONGEST_SINCE:
        raise ValueError('最长 "90d"')
    return length


PLATFORM: Final = leaf(_platform, type="string")


def _mapped(item: Shape, noun: str) -> Shape:
    """A table of names of the ERP, each with what it is here."""

    def read(reading: Reading, path: KeyPath, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            reading.problems.at(path, f'要写成 {{"ERP 里的名字" = "{noun}"}}（现在是{kind_of(value)}）')
            return {}
        return {key: item.read(reading, (*path, key), each) for key, each in value.items()}

    return Shape(read, {"type": "object", "additionalProperties": item.schema})


_SHOP: Final[Table] = {
    "id": Setting(TEXT, "ERP 里的店铺编号或名字"),
    "shop": Setting(TEXT, "在这里叫什么；不写则用 ERP 里的名字", None),
    "platform": Setting(PLATFORM, "哪个平台，如 douyin；不写则用这个来源的", None),
    "merchant": Setting(TEXT, "哪个商家；不写则用这个来源的", None),
    "watch": Setting(BOOLEAN, "写 false 则不监控这个店铺", True),
}
_COMMON: Final[Table] = {
    "name": Setting(NAME, "来源的名字，不能重复"),
    "platform": Setting(PLATFORM, "订单属于哪个平台；店铺分属几个平台时写在 shops 里", ""),
    "merchant": Setting(TEXT, "订单属于哪个商家", ""),
    "shops": Setting(tables(_SHOP), "ERP 里的店铺各是哪一家；没写到的照 ERP 的名字监控", ()),
    "carriers": Setting(
        _mapped(named(carrier), "快递公司"), "ERP 里自己起的快递名是哪家，如 {'自由物流' = '安能'}", {}
    ),
    "warehouses": Setting(_mapped(TEXT, "仓库"), "ERP 里的仓库编号叫什么", {}),
    "number": Setting(
        choice(["internal", "platform"], "订单号"), "订单以哪个号为准：ERP 自己的，或平台的", "internal"
    ),
    "phone_tail": Setting(SECRET, "发货人手机号后四位：顺丰等快递要凭它查询；ERP 的接口不给收件人电话", None),
    "every": Setting(DURATION, "隔多久取一次", timedelta(minutes=5)),
    "since": Setting(leaf(_since, **DURATION.schema), "第一次从多久以前取起", timedelta(days=3)),
    "per_second": Setting(number(0), "每秒最多几次请求", 2.0),
}


def source_kinds() -> dict[str, Table]:
    """The settings of an `[[order_sources]]` table, for each kind."""
    return {kind: settings_of(kind, cls, _COMMON) for kind, cls in sorted(kinds().items())}


def order_sources() -> Shape:
    """`[[order_sources]]`; reads as a list of accounts, None for one with mistakes."""
    tables_ = source_kinds()
    one_of = [{"title": kind, **table_schema(each)} for kind, each in tables_.items()]
    return tables_by(
        lambda reading, path, value: _source(reading, path, value, tables_),
        {"type": "object", "oneOf": one_of},
    )


def _source(
    reading: Reading, path: KeyPath, value: Mapping[str, Any], tables_: Mapping[str, Table]
) -> SourceAccount | None:
    """One account, or None with its mistakes noted."""
    before, kind = len(reading.problems), value.get("kind")
    if not isinstance(kind, str) or kind not in tables_:
        known = {"kind": Setting(choice(list(tables_), "类型"), "类型")}
        read_table(reading, path, {key: each for key, each in value.items() if key == "kind"}, known)
        return None
    cls, got = kinds()[kind], read_table(reading, path, value, tables_[kind])
    own = [each.name for each in dataclasses.fields(cls) if each.init]  # type: ignore[arg-type]
    shops = _shops(reading, path, got["shops"])
    tail: Secret | None = got["phone_tail"]
    if tail is not None and not re.fullmatch(r"\d{4}", tail.reveal()):
        todo = "写发货人手机号的最后四位数字，否则顺丰等快递查不到"
        reading.remarks.append(Remark((*path, "phone_tail"), "不是四位数字，没有采用", todo))
        tail = None
    if len(reading.problems) > before:
        return None
    adapter = built(reading, path, cls, {name: got[name] for name in own})
    if adapter is None:
        return None
    terms = Terms(
        got["platform"],
        got["merchant"],
        shops,
        got["carriers"],
        got["warehouses"],
        got["number"] == "platform",
        tail,
    )
    return SourceAccount(got["name"], kind, adapter, got["every"], got["since"], got["per_second"], terms)


def _shops(reading: Reading, path: KeyPath, rows: Any) -> dict[str, ShopTerms]:
    found: dict[str, ShopTerms] = {}
    for where, row in rows or ():
        key = row["id"]
        if key in found:
            reading.problems.at((*where, "id"), f"店铺 {key} 写了两遍")
        if key:
            found[key] = ShopTerms(
                row["shop"] or "", row["platform"] or "", row["merchant"] or "", row["watch"] is not False
            )
    return found
