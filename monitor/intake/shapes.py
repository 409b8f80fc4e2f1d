"""Records to rows: the mapped cells by field, and whether the record's shape can be trusted.

What is wrong with one row never touches its neighbours (`design.md` §6, promise 7).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.intake.layouts import Layout
from monitor.intake.tables import Problem, Record
from monitor.intake.values import Cell, blank, text, without_label

__all__ = ["Row", "extract"]


@dataclass(frozen=True, slots=True)
class Row:
    """A record with its mapped cells by field; blank ones are left out."""

    line: int
    raw: tuple[Cell, ...]
    fields: Mapping[str, Cell]
    faults: tuple[Problem, ...] = ()
    sheet: str = ""


def extract(layout: Layout, record: Record, line: int, sheet: str = "") -> Row:
    """The mapped cells of a record; its faults are those of its shape, not of its values.

    A blank record gives a row with nothing in it.
    """
    cells = record.cells
    if all(isinstance(cell, str) and not cell.strip() for cell in cells):
        return Row(line, (), {}, (), sheet)
    faults = [record.fault] if record.fault else _misshapen(layout, cells)
    fields: dict[str, Cell] = {}
    for name, places in layout.columns.items():
        for at in places:
            cell = cells[at] if at < len(cells) else ""
            if name == "waybill_no":
                cell = without_label(cell)
            if blank(cell):
                continue
            if _undecoded(cell):
                faults.append(Problem("bad_encoding", layout.heading(name), "内容无法解码，文字已损坏"))
            if fields.setdefault(name, cell) is not cell and text(fields[name]) != text(cell):
                faults.append(Problem("ambiguous_column", layout.heading(name), "有几列同名，而内容不同"))
    return Row(line, tuple(cells), fields, tuple(faults), sheet)


def _misshapen(layout: Layout, cells: Sequence[Cell]) -> list[Problem]:
    """Cells outside the header, or a row cut off before the columns that name the parcel."""
    width = len(layout.header)
    names = [layout.columns[field][0] for field in ("order_no", "waybill_no") if field in layout.columns]
    if not any(not blank(cell) for cell in cells[width:]) and len(cells) > max(names, default=0):
        return []
    words = f"这一行有 {len(cells)} 格，表头有 {width} 格，各列可能错位"
    return [Problem("column_count", "整行", words)]


_UNDECODED: Final = re.compile("[\ud800-\udfff]")


def _undecoded(cell: Cell) -> bool:
    return isinstance(cell, str) and not cell.isascii() and _UNDECODED.search(cell) is not None
