"""What the lab has to say while it reads: rows it could not take, remarks, how far it has come.

Every rejected row is named with its file, line and reason; the rows around it are kept. The first of them are
shown, all are counted, and `rejected.csv` holds them (`design.md` §7, bad input).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from domain.masking import safe_text
from monitor.intake.export import neutral

__all__ = ["SHOWN", "Rejected", "Telling", "Watch", "silent"]

Watch: TypeAlias = Callable[[str, int, int], None]
"""(what is being done, how much is done, of how much; 0 where nobody knows)."""

SHOWN: Final = 10
"""Rows that are shown of each kind of fault."""
_KEPT: Final = 200_000
"""Rows `rejected.csv` holds at most: a file that fits nothing must not fill the memory as well."""


def silent(stage: str, done: int, total: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One row that was not taken."""

    file: str
    line: int
    """As in the file, the heading being 1."""
    fault: str
    """The kind, for counting."""
    reason: str
    cells: Sequence[str] = ()


@dataclass(slots=True)
class Telling:
    """Gathers what is wrong and what is odd in everything that is read."""

    watch: Watch = silent
    rows: list[Rejected] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """How many rows of each fault were not taken."""
    remarks: list[str] = field(default_factory=list)

    def reject(self, file: str, line: int, fault: str, reason: str, cells: Sequence[str] = ()) -> None:
        """A row that is not taken."""
        self.counts[fault] += 1
        if not self.full:
            self.rows.append(Rejected(file, line, fault, reason, tuple(cells)))

    @property
    def full(self) -> bool:
        """No further row is kept; they are only counted."""
        return len(self.rows) >= _KEPT

    def remark(self, text: str) -> None:
        """Something worth a line, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    @property
    def rejected(self) -> int:
        """How many rows were not taken."""
        return self.counts.total()

    def lines(self) -> list[str]:
        """What to tell: for each fault the count and its first rows, then the remarks."""
        told = []
        for fault, count in sorted(self.counts.items()):
            told.append(f"没有采用 {count:,} 行：{FAULTS.get(fault, fault)}")
            first = [row for row in self.rows if row.fault == fault][:SHOWN]
            told += [f"  {row.file} 第 {row.line} 行：{row.reason}" for row in first]
            if count > len(first):
                told.append(f"  …… 另有 {count - len(first):,} 行")
        return [*told, *(f"提醒：{remark}" for remark in self.remarks)]

    def write(self, path: Path) -> None:
        """`rejected.csv`: file, line, reason, the row as it was. Without any there is no file."""
        if not self.rows:
            path.unlink(missing_ok=True)
            return
        with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as out:
            rows = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
            rows.writerow(["文件", "行", "错误原因", "原来的内容"])
            for row in self.rows:
                cells = [neutral(safe_text(cell, 300)) for cell in (row.reason, *row.cells)]
                rows.writerow([neutral(row.file), row.line, *cells])


FAULTS: Final = {
    "bad_time": "时间看不懂",
    "too_early": "早于 2010 年",
    "in_the_future": "晚于“现在”（as-of）",
    "no_order": "运单不在订单文件里",
    "no_event_waybill": "没有运单号",
    "unknown_carrier": "认不出快递公司",
    "unknown_milestone": "认不出节点",
    "bad_waybill": "运单号不对",
    "bad_order": "订单号、平台或金额不对",
    "duplicate": "重复",
    "odd_row": "这一行的格数或引号不对",
    "order_row": "订单行不能采用",
}
"""The kinds of faults in words."""
