"""Reading a file that a test has just written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from domain.orders import Order
from monitor.intake.files import OrderFile, RowVerdict, read_orders
from monitor.intake.verdicts import RowKind

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
"""Noon in Shanghai, two days after the latest row of the samples."""
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Read:
    """A file and all its verdicts."""

    file: OrderFile
    rows: list[RowVerdict]

    def kinds(self) -> list[str]:
        return [row.kind.value for row in self.rows]

    def orders(self) -> list[Order]:
        return [row.order for row in self.rows if row.order is not None and row.kind is not RowKind.IGNORED]

    def parcels(self) -> list[tuple[str, str, str]]:
        """(order, carrier, waybill) of every shipment."""
        return [
            (row.order.order_no, each.carrier, each.waybill_no)
            for row in self.rows
            if row.order is not None
            for each in row.waybills
        ]

    def reasons(self) -> list[tuple[int, str, str]]:
        """(line, reason, column) of everything that is rejected or ignored."""
        return [(row.line, each.reason, each.column) for row in self.rows for each in row.problems]

    def warnings(self) -> list[tuple[int, str]]:
        return [(row.line, each.reason) for row in self.rows for each in row.warnings]


Reader = Callable[..., Read]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """`read(content)` writes bytes, or text as UTF-8, to a file and reads it with every row's verdict."""

    def reader(content: bytes | str, name: str = "orders.csv", **how: object) -> Read:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        options = {"zone": SHANGHAI, "now": NOW, **how}
        file = read_orders(path, **options)  # type: ignore[arg-type]
        return Read(file, list(file.rows))

    return reader
