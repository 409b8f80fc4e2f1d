"""What is said of one row of an order file."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.orders import Order
from monitor.intake.tables import Problem
from monitor.intake.values import Cell

__all__ = ["ParsedWaybill", "RowKind", "RowVerdict"]


class RowKind(StrEnum):
    """What becomes of a row."""

    SHIPMENT = "shipment"
    """An order with at least one parcel."""
    AWAITING = "awaiting"
    """An order without a parcel so far; its waybill may come with another file (quirk 17)."""
    IGNORED = "ignored"
    """Nothing to watch. Where `order` is given, it says that the order has ended."""
    REJECTED = "rejected"
    """Handed back to whoever sent the file, with every reason."""


@dataclass(frozen=True, slots=True)
class ParsedWaybill:
    """A parcel of the row: the carrier's key in `carriers/names.py` and the number as printed."""

    carrier: str
    waybill_no: str
    guessed: bool = False
    """The file names no carrier; the number's shape did."""


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """One order of one row. A cell with several order numbers gives a verdict for each of them."""

    line: int
    """The record's number, the header being 1."""
    kind: RowKind
    order: Order | None = None
    waybills: tuple[ParsedWaybill, ...] = ()
    phone_tail: str = field(default="", repr=False)
    """Last four digits, only where the carrier asks for them or the column is our own."""
    problems: tuple[Problem, ...] = ()
    """Why it is rejected (all reasons) or ignored (one)."""
    warnings: tuple[Problem, ...] = ()
    raw: tuple[Cell, ...] = field(default=(), repr=False)
    """The original cells, for handing the row back."""
    platform_orders: tuple[str, ...] = ()
    """The platform's numbers of an ERP's order."""
    finished_at: datetime | None = None
    """When the buyer confirmed the receipt."""
    sheet: str = ""
    header: tuple[str, ...] = field(default=(), repr=False)
    """The headings over `raw`; sheets of one workbook may differ."""

    @property
    def reason(self) -> str:
        """The first reason's code, or nothing."""
        return self.problems[0].reason if self.problems else ""
