"""One row being read: its cells to an order and its parcels.

Street, name and phone are not read; of a phone the last four digits are kept where the carrier asks for
them (`design.md` §7). Reasons and warnings gather, so that all of them are told at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from carriers.names import phone_needed
from domain.goods import tagged
from domain.orders import UNNAMED, Order, OrderStatus
from monitor.intake.columns import OWN, PLATFORM_IDS, platform_id
from monitor.intake.layouts import Layout
from monitor.intake.places import destination, place
from monitor.intake.shapes import Row
from monitor.intake.statuses import standing
from monitor.intake.tables import Problem
from monitor.intake.values import (
    Cell,
    Precision,
    Unfit,
    blank,
    harmless,
    moment,
    money,
    order_no,
    quoted,
    split_list,
    text,
    waybill_no,
)
from monitor.intake.verdicts import ParsedWaybill
from monitor.intake.waybills import carrier_by_shape, carriers, check_zeros

__all__ = ["MANY", "Reading", "Terms"]

T = TypeVar("T")

MANY: Final = 50
"""Numbers in one cell at most: a parcel each, and all of a row's parcels are kept in one transaction."""
_AMOUNT: Final = r"\s*[¥￥]?\s*\d[\d,，]*(?:\.\d+)?\s*[件元单行条笔个票]?"
_TOTAL: Final = re.compile(rf"(?:合\s*计|总\s*计|小\s*计)\s*[:：]?(?:{_AMOUNT}){{0,2}}")
_SUM: Final = 40
"""Characters of a cell that says 合计 and a sum."""
_LEAST: Final = 8
"""Characters of a waybill number that cannot be the count of a total row."""
_SEVERAL: Final = re.compile(r"[,，;；、\r\n]+")
_PLATFORM_NUMBER: Final = re.compile(r"[!-~]+")
_AHEAD: Final = timedelta(days=2)
_PROMISES_AHEAD: Final = timedelta(days=400)
_KDNIAO_ASKS: Final = frozenset({"zhongtong", "kuayue"})
"""Carriers of which 快递鸟, though not 快递100, wants the phone (`facts/carriers-codes.csv`, phone_needed)."""
_PHONE: Final = re.compile(r"(?:\+?86[- ]?)?1[\d*]{6}(\d{4})")


@dataclass(frozen=True, slots=True)
class Terms:
    """What one file is read by. Remembers what was told, so that a word is told once per file."""

    zone: ZoneInfo
    now: datetime
    platform: str = ""
    shop: str = ""
    merchant: str = ""
    told: set[tuple[str, str]] = field(default_factory=set)


class Reading:
    """One row. `problems` reject it; `warnings` do not."""

    def __init__(self, terms: Terms, layout: Layout, row: Row) -> None:
        self.terms = terms
        self.layout = layout
        self.row = row
        self.problems: list[Problem] = list(row.faults)
        self.warnings: list[Problem] = []

    def is_total(self) -> bool:
        """Whether a cell says 合计 and nothing more than a sum, and the row names no order with its parcel."""
        first = next((cell for cell in self.row.raw if not blank(cell)), "")
        names = (self.row.fields.get(field, "") for field in ("order_no", "waybill_no"))
        words = (text(cell) for cell in (first, *names) if isinstance(cell, str) and len(cell) <= _SUM)
        said = any(map(_TOTAL.fullmatch, words))
        return said and not self._names_a_parcel()

    def _names_a_parcel(self) -> bool:
        """An order number and a waybill number that both read fine; looked at without keeping a problem."""
        tried = Reading(self.terms, self.layout, self.row)
        numbers = [number for number, _ in tried.waybill_numbers()]
        orders = tried.order_numbers()
        return bool(orders and numbers) and not tried.problems and min(map(len, numbers)) >= _LEAST

    def order_numbers(self) -> tuple[str, ...]:
        cell = self.row.fields.get("order_no", "")
        several = isinstance(cell, str) and self.layout.source is not OWN
        parts = self._some("order_no", _SEVERAL.split(text(cell))) if several else [cell]
        names = [self._name("order_no", part) for part in parts if not blank(part)]
        return tuple(dict.fromkeys(name for name in names if name))

    def platform_orders(self) -> tuple[str, ...]:
        cell = text(self.row.fields.get("platform_order_no", ""))
        parts = self._some("platform_order_no", _SEVERAL.split(cell))
        names = [self._name("platform_order_no", part) for part in parts if not blank(part)]
        return tuple(dict.fromkeys(name for name in names if name))

    def waybill_numbers(self) -> tuple[tuple[str, bool], ...]:
        """(number, whether it came out of a number cell) of every parcel in the cell."""
        parts = self._some("waybill_no", split_list(self.row.fields.get("waybill_no", "")))
        read = [self._try("waybill_no", waybill_no, part) for part in parts if not blank(part)]
        numbers = dict(filter(None, read))
        if any(numbers.values()):
            self._warn_number_cell("waybill_no")
        return tuple(numbers.items())

    def stand_in(self, numbers: Sequence[tuple[str, bool]]) -> tuple[str, ...]:
        """The order of a row that names none: its waybill where the file has no order column at all."""
        if "order_no" not in self.layout.columns:
            return tuple(number for number, _ in numbers[:1])
        if not self.problems or "order_no" not in self.row.fields:
            self.missing("order_no")
        return ()

    def waybills(self, numbers: Sequence[tuple[str, bool]]) -> tuple[ParsedWaybill, ...]:
        """The row's parcels; fewer than its numbers only where a problem was kept."""
        if not numbers:
            return ()
        if "carrier" not in self.row.fields:
            keys = [self._try("waybill_no", carrier_by_shape, number) for number, _ in numbers]
            if UNNAMED in keys:
                self.warn(
                    "unnamed_carrier", "waybill_no", "没有写快递公司，单号也看不出是哪家：先记下，再识别"
                )
            return tuple(
                ParsedWaybill(key, number, guessed=True)
                for key, (number, _) in zip(keys, numbers, strict=True)
                if key is not None
            )
        named = self._try(
            "carrier", lambda cell: carriers(cell, len(numbers)), self.row.fields.get("carrier", "")
        )
        pairs = list(zip(named or (), numbers, strict=False))
        for key, (number, from_number) in pairs:
            if from_number:
                self._try("waybill_no", partial(check_zeros, key), number)
        return tuple(ParsedWaybill(key, number) for key, (number, _) in pairs)

    def phone_tail(self, waybills: Sequence[ParsedWaybill]) -> str:
        cell = self.row.fields.get("phone_tail", "")
        own = text(cell) if isinstance(cell, str) else text(cell).zfill(4)
        if own:
            if re.fullmatch(r"\d{4}", own):
                return own
            self.warn("bad_phone_tail", "phone_tail", "手机后四位应是四个数字，已忽略")
        elif any(phone_needed(one.carrier) or one.carrier in _KDNIAO_ASKS for one in waybills):
            whole = _PHONE.fullmatch(text(self.row.fields.get("phone", "")))
            return whole[1] if whole else ""
        return ""

    def order(self, name: str, status: OrderStatus | None) -> Order:
        fields = self.row.fields
        merchant, platform, shop = self.whose()
        province, city = destination(text(fields.get("address", "")))
        return Order(
            name,
            merchant,
            platform,
            shop,
            status or OrderStatus.AWAITING,
            ordered_at=self.time("ordered_at"),
            paid_at=self.time("paid_at"),
            confirmed_at=self.time("confirmed_at"),
            shipped_at=self.time("shipped_at"),
            promised_ship_at=self.time("promised_ship_at", _PROMISES_AHEAD),
            promised_delivery_at=self.time("promised_delivery_at", _PROMISES_AHEAD),
            amount=self._amount(),
            receiver_province=place(fields.get("receiver_province", "")) or province,
            receiver_city=place(fields.get("receiver_city", "")) or city,
            warehouse=self._words("warehouse"),
            goods_type=self._words("goods_type"),
            tags=tagged(
                self._words("goods_type"),
                frozenset(text(tag)[:64] for tag in split_list(harmless(fields.get("tags", "")))) - {""},
            ),
        )

    def _amount(self) -> Decimal | None:
        """Yuan. One that cannot be read is left out and said: the parcel is watched all the same."""
        try:
            return money(self.row.fields.get("amount", ""))
        except Unfit as unfit:
            self.warn(unfit.reason, "amount", f"{unfit}；这一单按没有金额监控")
            return None

    def whose(self) -> tuple[str, str, str]:
        """Merchant, platform and shop: the row's own, else what was told at import, else the source's."""
        terms = self.terms
        platform = platform_id(self._words("platform") or terms.platform) or self.layout.source.platform
        warned = any(problem.reason == "unknown_platform" for problem in self.warnings)
        if platform and platform not in PLATFORM_IDS and not warned:
            near = get_close_matches(platform, PLATFORM_IDS, n=1, cutoff=0.5)
            hint = f"，是不是 {near[0]}？" if near else f"；认识的有：{'、'.join(sorted(PLATFORM_IDS))}"
            self.warn("unknown_platform", "platform", f"不认识的平台{quoted(platform)}，按通用规则监控{hint}")
        merchant, shop = self._words("merchant"), self._words("shop")
        return merchant or harmless(terms.merchant), platform, shop or harmless(terms.shop)

    def status(self, *, shipped: bool) -> OrderStatus | None:
        fields = self.row.fields
        said = standing(text(fields.get("status", "")), text(fields.get("refund", "")), shipped=shipped)
        for word in said.unknown:
            self._once(
                "unknown_status",
                "status",
                word,
                f"不认识的状态{quoted(word)}：有运单号按已发货，没有按已付款处理",
            )
        return said.status

    def time(self, field: str, ahead: timedelta = _AHEAD) -> datetime | None:
        cell = self.row.fields.get(field)
        if cell is None:
            return None
        found = self._try(
            field, lambda written: moment(written, self.terms.zone, latest=self.terms.now + ahead), cell
        )
        if found is not None and found.precision is Precision.DAY:
            self._once("only_a_day", field, field, "只有日期，没有时刻，按当天 23:59:59 计")
        return found.at if found else None

    def missing(self, field: str) -> None:
        heading = self.layout.heading(field)
        self.problems.append(Problem(f"missing_{field}", heading, f"“{heading}”是空的"))

    def warn(self, reason: str, field: str, words: str) -> None:
        self.warnings.append(Problem(reason, self.layout.heading(field), words))

    def _some(self, field: str, parts: Sequence[Cell]) -> Sequence[Cell]:
        """The parts of a cell, none of which is read where they are more than anybody writes into one."""
        if len(parts) <= MANY:
            return parts
        words = f"一格里有 {len(parts)} 个号码，最多 {MANY} 个；请分成几行再导入"
        self.problems.append(Problem("too_many_numbers", self.layout.heading(field), words))
        return ()

    def _words(self, name: str) -> str:
        """A cell that is only shown and matched: at most 64 characters, and nobody's phone among them."""
        return harmless(self.row.fields.get(name, ""))[:64]

    def _name(self, field: str, cell: Cell) -> str:
        """An order number; those of platforms and ERPs have no Chinese in them."""
        name, from_number = self._try(field, order_no, cell) or ("", False)
        if name and self.layout.source.marks and not _PLATFORM_NUMBER.fullmatch(name):
            self.problems.append(
                Problem("bad_number", self.layout.heading(field), f"{quoted(name)}不是订单号")
            )
            return ""
        if from_number:
            self._warn_number_cell(field)
        return name

    def _try(self, field: str, read: Callable[[Cell], T], cell: Cell) -> T | None:
        """What `read` makes of the cell; None, with the reason kept, where it cannot."""
        try:
            return read(cell)
        except Unfit as unfit:
            self.problems.append(Problem(unfit.reason, self.layout.heading(field), str(unfit)))
            return None

    def _warn_number_cell(self, field: str) -> None:
        self.warn(
            "number_cell_in_identifier_column",
            field,
            "号码存成了数字；这次没有丢位，建议把这一列设为文本格式",
        )

    def _once(self, reason: str, field: str, word: str, words: str) -> None:
        if (reason, word) not in self.terms.told:
            self.terms.told.add((reason, word))
            self.warn(reason, field, words)
