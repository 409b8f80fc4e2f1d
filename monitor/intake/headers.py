"""Where a file's headings stand, and whose they are: the tables that hold orders, or a refusal that helps.

Nothing but a first row is looked at before it is known to be one of headings: of a file without any, its first buyer
stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from domain.masking import safe_text
from monitor.intake.books import first_rows
from monitor.intake.books import words as texts
from monitor.intake.columns import FIELDS, GENERIC, NAMING, OWN, Source
from monitor.intake.layouts import Layout, familiar, fingerprint, layout, recognise, remapped
from monitor.intake.places import destination
from monitor.intake.sheets import HeadedSheet, headings
from monitor.intake.tables import (
    HEADER_WITHIN,
    MAX_COLUMNS,
    NO_HEADER,
    SEEN,
    Book,
    FileRefused,
    Record,
    Table,
)
from monitor.intake.values import Cell, blank, clean, heading_key
from monitor.intake.workbooks import too_wide

__all__ = ["Recognised", "recognised", "remembered"]
_HEADER: Final = 200_000
"""Characters of all headings together: what is longer is no header, and no frame of the child's would hold it."""
_FIGURE: Final = re.compile(r"\d")
_BELOW: Final = 10
"""Rows that are looked at under what may be a header."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """The tables of a book that hold orders, the main one first, and whose headings theirs are."""

    sheets: tuple[HeadedSheet, ...]
    source: Source
    """`GENERIC` where they are nobody's."""


def remembered(book: Book, saved: Mapping[str, Mapping[str, str]]) -> Mapping[str, str] | None:
    """The mapping that was saved for one of the book's headers."""
    if not saved:
        return None
    rows = (headings(cells) for table in book.tables for _, cells in first_rows(table))
    return next((saved[mark] for cells in rows if cells and (mark := fingerprint(cells)) in saved), None)


def recognised(file: str, book: Book, mapping: Mapping[str, str], platform: str) -> Recognised:
    """The tables that hold orders, the main one first. Raises `FileRefused` when there is none.

    `platform`, told at import, lends its back office's headings to a sheet nobody's headings are those of; that does
    not make it that back office's.
    """
    _check_mapping(file, mapping)
    headed = [
        (table, header) for table in book.tables if (header := _header(file, table, mapping)) is not None
    ]
    names = [[str(cell) for cell in header.cells] for _, header in headed]
    sources = [recognise(cells, platform) for cells in names]
    source, sure = max(sources, key=lambda pair: pair[1], default=(None, 0.0))
    if source is None:
        raise _unrecognised(file, book)
    sheets = [
        HeadedSheet(table, header, remapped(layout(source, cells), mapping))
        for (table, header), cells in zip(headed, names, strict=True)
    ]
    if source is OWN:
        sheets = _own_sheets(file, sheets)
    chosen = [sheet for sheet in sheets if _holds_orders(sheet.layout)]
    chosen.sort(key=lambda sheet: "waybill_no" not in sheet.layout.columns)
    if not chosen or (not source.marks and "waybill_no" not in chosen[0].layout.columns):
        raise _unrecognised(file, book)
    headings_seen = {heading_key(name)[0] for sheet in chosen for name in sheet.layout.header}
    missing = [
        heading for heading in mapping.values() if heading and heading_key(heading)[0] not in headings_seen
    ]
    if missing:
        raise FileRefused(
            file,
            "bad_mapping",
            f"列对应表提到的列不在文件里：{'、'.join(missing)}；{_seen(chosen[0].header.cells)}",
            [str(cell) for cell in chosen[0].header.cells],
        )
    return Recognised(tuple(chosen), source if sure else GENERIC)


def _check_mapping(file: str, mapping: Mapping[str, str]) -> None:
    unknown = sorted(set(mapping) - set(FIELDS))
    if unknown:
        raise FileRefused(
            file,
            "bad_mapping",
            f"列对应表里没有这些字段：{'、'.join(unknown)}；可用的有：{'、'.join(FIELDS)}",
        )


def _header(file: str, table: Table, mapping: Mapping[str, str]) -> Record | None:
    """The row with the most known headings among the first twenty; None where no row has one."""
    told = {heading_key(heading)[0] for heading in mapping.values() if heading}
    best, most = None, 0
    for number, cells in first_rows(table):
        known = familiar(cells) + sum(1 for cell in cells if told and heading_key(cell)[0] in told)
        if known > most:
            best, most = Record(number, headings(cells)), known
    if best is not None and len(best.cells) > MAX_COLUMNS:
        raise too_wide(file)
    if best is not None and sum(len(str(cell)) for cell in best.cells) > _HEADER:
        raise _too_long(file, best.number)
    return best


def _too_long(file: str, line: int) -> FileRefused:
    words = f"第 {line} 行应是表头，却长得读不了；请把各列改成简短的列名再导入"
    return FileRefused(file, "header_too_long", words)


def _own_sheets(file: str, sheets: Sequence[HeadedSheet]) -> list[HeadedSheet]:
    """The sheets in our own format. Raises `FileRefused` naming the required columns that are missing."""
    own = [sheet for sheet in sheets if any(name in sheet.layout.columns for name in NAMING)]
    lacking = {name for sheet in own for name in NAMING if name not in sheet.layout.columns}
    if lacking:
        names = "、".join(name for name in NAMING if name in lacking)
        seen = own[0].header.cells
        words = f"缺少必需的列：{names}；{_seen(seen)}"
        raise FileRefused(file, "missing_columns", words, [str(cell) for cell in seen])
    return own


def _holds_orders(known: Layout) -> bool:
    return "waybill_no" in known.columns or ("order_no" in known.columns and len(known.columns) >= 3)


def _unrecognised(file: str, book: Book) -> FileRefused:
    records = [each for table in book.tables for each in islice(table.records(), HEADER_WITHIN)]
    rows = [each.cells for each in records if not all(map(blank, each.cells))]
    if not rows:
        return FileRefused(file, "empty", "文件里没有内容；请重新导出")
    if (first := records[0]).fault is not None and first.fault.reason == "cell_too_long":
        return _too_long(file, first.number)
    words = "认不出表头，至少要有运单号列（如 运单号、快递单号、物流单号）和订单号列"
    at, widest = max(enumerate(map(texts, rows)), key=lambda pair: len(headings(pair[1])))
    if any(map(_address, widest)) or not _heads(widest, rows[at + 1 : at + 1 + _BELOW]):
        return FileRefused(file, "unrecognised", f"{words}；{NO_HEADER}")
    words = f"{words}；{_seen(widest)}。请改列名，或用列对应表（--mapping）指定"
    return FileRefused(file, "unrecognised", words, headings(widest))


def _heads(cells: Sequence[str], below: Sequence[Sequence[Cell]]) -> bool:
    """Whether a row can be one of headings: in some column figures stand under a cell without any.

    A list of names alone, whatever it is of, has none, and neither a waybill: nothing of it is told or kept.
    """
    return any(
        clean(cell) and not _FIGURE.search(cell) and any(_figured(row[at]) for row in below if at < len(row))
        for at, cell in enumerate(cells)
    )


def _address(cell: str) -> bool:
    """Whether a cell says where somebody lives: a province with more behind it, as no heading does."""
    province, _ = destination(clean(cell))
    return bool(province) and clean(cell) != province


def _figured(cell: Cell) -> bool:
    """Whether a cell holds a number, a time, or a text with figures in it."""
    return bool(_FIGURE.search(cell)) if isinstance(cell, str) else not blank(cell)


def _seen(cells: Sequence[object]) -> str:
    names = [safe_text(str(cell), 20) for cell in cells[:30] if str(cell).strip()]
    more = "……" if len(cells) > 30 else ""
    return f"{SEEN}{'、'.join(names)}{more}"
