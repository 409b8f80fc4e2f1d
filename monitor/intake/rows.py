"""One row to a verdict: shipment, awaiting, ignored or rejected, with every reason at once.

Rejecting a row never touches its neighbours. Street, name and phone are not read; of a phone the last
four digits are kept where the carrier asks for them (`design.md` §7).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from carriers.names import phone_needed, watched
from domain.orders import Order, OrderStatus
from monitor.intake.columns import OWN, platform_id
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
    identifier,
    moment,
    money,
    quoted,
    split_list,
    text,
    waybill_no,
)
from monitor.intake.verdicts import ParsedWaybill, RowKind, RowVerdict
from monitor.intake.waybills import carrier_by_shape, carriers, check_zeros

__all__ = ["Judge", "ParsedWaybill", "Problem", "RowKind", "RowVerdict"]

T = TypeVar("T")


_TOTAL: Final = re.compile(r"(?:合计|总计|小计)")
_SEVERAL: Final = re.compile(r"[,，;；、\r\n]+")
_PLATFORM_NUMBER: Final = re.compile(r"[!-~]+")
_AHEAD: Final = timedelta(days=2)
_PROMISES_AHEAD: Final = timedelta(days=400)
_KDNIAO_ASKS: Final = frozenset({"zhongtong", "kuayue"})
"""Carriers of which 快递鸟, though not 快递100, wants the phone (`facts/carriers-codes.csv`, phone_needed)."""
_PHONE: Final = re.compile(r"(?:\+?86[- ]?)?1[\d*]{6}(\d{4})")


@dataclass(frozen=True, slots=True)
class Judge:
    """Says the verdicts of one file's rows. Remembers what it told, so that a word is told once per file."""

    zone: ZoneInfo
    now: datetime
    platform: str = ""
    shop: str = ""
    merchant: str = ""
    told: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, layout: Layout, row: Row) -> tuple[RowVerdict, ...]:
        """The verdicts of a row: one, or one per order where a cell names several orders."""
        return _Reading(self, layout, row).verdicts()


class _Reading:
    """One row being read: reasons and warnings gather here, so that all of them are told at once."""

    def __init__(self, judge: Judge, layout: Layout, row: Row) -> None:
        self.judge = judge
        self.layout = layout
        self.row = row
        self.problems: list[Problem] = list(row.faults)
        self.warnings: list[Problem] = []

    def verdicts(self) -> tuple[RowVerdict, ...]:
        if self.problems:
            return (self._rejected(),)
        if self._is_total():
            return (self._ignored("total_row", "order_no", "合计行，不是订单"),)
        orders = self._order_numbers()
        certain = bool(orders) and not self.problems
        numbers = self._waybill_numbers()
        shipped = "waybill_no" in self.row.fields
        status = self._status(shipped=shipped)
        if not orders and not shipped and not self.problems:
            return (self._without_names(),)
        if certain or (numbers and not orders):
            ended = self._ended(status, orders)
            if ended is not None:
                return ended
        return self._judged(orders, numbers, status)

    # ------------------------------------------------------------------ outcomes

    def _rejected(self) -> RowVerdict:
        row = self.row
        return RowVerdict(
            row.line,
            RowKind.REJECTED,
            problems=tuple(self.problems),
            warnings=tuple(self.warnings),
            raw=row.raw,
            sheet=row.sheet,
            header=self.layout.header,
        )

    def _ignored(self, reason: str, field: str, words: str, order: Order | None = None) -> RowVerdict:
        why = Problem(reason, self.layout.heading(field), words)
        return RowVerdict(
            self.row.line,
            RowKind.IGNORED,
            order,
            problems=(why,),
            warnings=tuple(self.warnings),
            raw=self.row.raw,
            sheet=self.row.sheet,
            header=self.layout.header,
        )

    def _without_names(self) -> RowVerdict:
        """Neither an order nor a waybill: a note under the table, or a row that lost its names."""
        if not self.row.fields:
            return self._ignored("no_data", "order_no", "没有要读的内容")
        field = "order_no" if "order_no" in self.layout.columns else "waybill_no"
        self._missing(field)
        return self._rejected()

    def _missing(self, field: str) -> None:
        heading = self.layout.heading(field)
        self.problems.append(Problem(f"missing_{field}", heading, f"“{heading}”是空的"))

    def _ended(self, status: OrderStatus | None, orders: Sequence[str]) -> tuple[RowVerdict, ...] | None:
        """Rows nobody has to watch; those of ended orders carry the order, so that it moves forward."""
        if status is None:
            return (self._ignored("unpaid", "status", "还没付款"),)
        if status is OrderStatus.CLOSED:
            return self._closing("closed", "交易已关闭，不再监控", status, orders)
        if not watched(text(self.row.fields.get("carrier", ""))):
            return (self._ignored("not_watched", "carrier", "无需物流，没有包裹可监控"),)
        if "waybill_no" in self.row.fields:
            return None
        if status is OrderStatus.REFUNDED:
            return self._closing("refunded", "没有发货就已退款，不再监控", status, orders)
        if status is OrderStatus.FINISHED:
            return self._closing("finished", "交易已完成，没有要跟踪的运单", status, orders)
        return None

    def _closing(
        self, reason: str, words: str, status: OrderStatus, orders: Sequence[str]
    ) -> tuple[RowVerdict, ...]:
        merchant, platform, shop = self._whose()
        ended = [Order(name, merchant, platform, shop, status) for name in orders]
        return tuple(self._ignored(reason, "status", words, order) for order in ended) or (
            self._ignored(reason, "status", words),
        )

    def _judged(
        self, orders: Sequence[str], numbers: Sequence[tuple[str, bool]], status: OrderStatus | None
    ) -> tuple[RowVerdict, ...]:
        """A row that is watched, or rejected with all that is wrong with it."""
        waybills = self._waybills(numbers)
        if not orders and not self.problems:
            orders = self._stand_in(numbers)
        order = self._order(orders[0] if orders else "", status)
        platform_orders = self._platform_orders()
        finished_at = self._time("finished_at")
        if self.problems:
            return (self._rejected(),)
        if not waybills and (status is OrderStatus.SHIPPED or order.shipped_at is not None):
            self._warn(
                "missing_waybill", "waybill_no", "已发货，但这一行没有运单号；可以再导入带运单号的文件补上"
            )
        whole = RowVerdict(
            self.row.line,
            RowKind.SHIPMENT if waybills else RowKind.AWAITING,
            order,
            waybills,
            phone_tail=self._phone_tail(waybills),
            warnings=tuple(self.warnings),
            raw=self.row.raw,
            platform_orders=platform_orders,
            finished_at=finished_at,
            sheet=self.row.sheet,
            header=self.layout.header,
        )
        return (whole, *(replace(whole, order=replace(order, order_no=name)) for name in orders[1:]))

    # ------------------------------------------------------------------ names

    def _is_total(self) -> bool:
        first = next((cell for cell in self.row.raw if not blank(cell)), "")
        names = (self.row.fields.get(field, "") for field in ("order_no", "waybill_no"))
        return any(isinstance(cell, str) and _TOTAL.match(text(cell)) for cell in (first, *names))

    def _order_numbers(self) -> tuple[str, ...]:
        cell = self.row.fields.get("order_no", "")
        several = isinstance(cell, str) and self.layout.source is not OWN
        parts = _SEVERAL.split(text(cell)) if several else [cell]
        names = [self._name("order_no", part) for part in parts if not blank(part)]
        return tuple(dict.fromkeys(name for name in names if name))

    def _platform_orders(self) -> tuple[str, ...]:
        parts = _SEVERAL.split(text(self.row.fields.get("platform_order_no", "")))
        names = [self._name("platform_order_no", part) for part in parts if not blank(part)]
        return tuple(dict.fromkeys(name for name in names if name))

    def _name(self, field: str, cell: Cell) -> str:
        """An order number; those of platforms and ERPs have no Chinese in them."""
        name, from_number = self._try(field, identifier, cell) or ("", False)
        if name and self.layout.source.marks and not _PLATFORM_NUMBER.fullmatch(name):
            self.problems.append(
                Problem("bad_number", self.layout.heading(field), f"{quoted(name)}不是订单号")
            )
            return ""
        if from_number:
            self._warn_number_cell(field)
        return name

    def _waybill_numbers(self) -> tuple[tuple[str, bool], ...]:
        """(number, whether it came out of a number cell) of every parcel in the cell."""
        parts = split_list(self.row.fields.get("waybill_no", ""))
        read = [self._try("waybill_no", waybill_no, part) for part in parts if not blank(part)]
        numbers = dict(filter(None, read))
        if any(numbers.values()):
            self._warn_number_cell("waybill_no")
        return tuple(numbers.items())

    def _stand_in(self, numbers: Sequence[tuple[str, bool]]) -> tuple[str, ...]:
        """The order of a row that names none: its waybill where the file has no order column at all."""
        if "order_no" in self.layout.columns or not numbers:
            self._missing("order_no")
            return ()
        return (numbers[0][0],)

    # ------------------------------------------------------------------ parcels

    def _waybills(self, numbers: Sequence[tuple[str, bool]]) -> tuple[ParsedWaybill, ...]:
        """The row's parcels; fewer than its numbers only where a problem was kept."""
        if not numbers:
            return ()
        if "carrier" not in self.layout.columns and "carrier" not in self.row.fields:
            keys = [self._try("waybill_no", carrier_by_shape, number) for number, _ in numbers]
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

    def _phone_tail(self, waybills: Sequence[ParsedWaybill]) -> str:
        cell = self.row.fields.get("phone_tail", "")
        own = text(cell) if isinstance(cell, str) else text(cell).zfill(4)
        if own:
            if re.fullmatch(r"\d{4}", own):
                return own
            self._warn("bad_phone_tail", "phone_tail", "手机后四位应是四个数字，已忽略")
        elif any(phone_needed(one.carrier) or one.carrier in _KDNIAO_ASKS for one in waybills):
            whole = _PHONE.fullmatch(text(self.row.fields.get("phone", "")))
            return whole[1] if whole else ""
        return ""

    # ------------------------------------------------------------------ the order

    def _order(self, name: str, status: OrderStatus | None) -> Order:
        fields = self.row.fields
        merchant, platform, shop = self._whose()
        province, city = destination(text(fields.get("address", "")))
        return Order(
            name,
            merchant,
            platform,
            shop,
            status or OrderStatus.AWAITING,
            paid_at=self._time("paid_at"),
            confirmed_at=self._time("confirmed_at"),
            shipped_at=self._time("shipped_at"),
            promised_ship_at=self._time("promised_ship_at", _PROMISES_AHEAD),
            amount=self._try("amount", money, fields.get("amount", "")),
            receiver_province=place(fields.get("receiver_province", "")) or province,
            receiver_city=place(fields.get("receiver_city", "")) or city,
            warehouse=self._words("warehouse"),
            goods_type=self._words("goods_type"),
            tags=frozenset(text(tag)[:64] for tag in split_list(fields.get("tags", ""))) - {""},
        )

    def _whose(self) -> tuple[str, str, str]:
        """Merchant, platform and shop: the row's own, else what was told at import, else the source's."""
        judge = self.judge
        platform = platform_id(self._words("platform")) or judge.platform or self.layout.source.platform
        return self._words("merchant") or judge.merchant, platform, self._words("shop") or judge.shop

    def _words(self, name: str) -> str:
        """A cell that is only shown and matched: at most 64 characters."""
        return text(self.row.fields.get(name, ""))[:64]

    def _status(self, *, shipped: bool) -> OrderStatus | None:
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

    def _time(self, field: str, ahead: timedelta = _AHEAD) -> datetime | None:
        cell = self.row.fields.get(field)
        if cell is None:
            return None
        found = self._try(
            field, lambda written: moment(written, self.judge.zone, latest=self.judge.now + ahead), cell
        )
        if found is not None and found.precision is Precision.DAY:
            self._once("only_a_day", field, field, "只有日期，没有时刻，按当天 23:59:59 计")
        return found.at if found else None

    # ------------------------------------------------------------------ telling

    def _try(self, field: str, read: Callable[[Cell], T], cell: Cell) -> T | None:
        """What `read` makes of the cell; None, with the reason kept, where it cannot."""
        try:
            return read(cell)
        except Unfit as unfit:
            self.problems.append(Problem(unfit.reason, self.layout.heading(field), str(unfit)))
            return None

    def _warn(self, reason: str, field: str, words: str) -> None:
        self.warnings.append(Problem(reason, self.layout.heading(field), words))

    def _warn_number_cell(self, field: str) -> None:
        self._warn(
            "number_cell_in_identifier_column",
            field,
            "号码存成了数字；这次没有丢位，建议把这一列设为文本格式",
        )

    def _once(self, reason: str, field: str, word: str, words: str) -> None:
        if (reason, word) not in self.judge.told:
            self.judge.told.add((reason, word))
            self._warn(reason, field, words)
