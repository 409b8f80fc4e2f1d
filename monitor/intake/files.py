"""Order files: find the header, recognise who wrote it, and say a verdict of every row.

`read_orders` opens, checks and recognises; the rows are then read as a stream. What a file cannot be is
said at once, by `FileRefused`; what a row cannot be is said of that row alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from domain.masking import safe_text
from monitor.intake.books import first_rows, open_book
from monitor.intake.columns import FIELDS, OWN, REQUIRED
from monitor.intake.file_names import exported_at
from monitor.intake.layouts import Layout, familiar, fingerprint, layout, recognise, remapped
from monitor.intake.rows import RowVerdict, Terms
from monitor.intake.sheets import HeadedSheet, headings, verdicts
from monitor.intake.tables import MAX_COLUMNS, SEEN, Book, FileRefused, Problem, Record, Table
from monitor.intake.values import clean, heading_key
from monitor.intake.workbooks import too_wide

__all__ = ["FileRefused", "OrderFile", "Problem", "RowVerdict", "read_orders"]


_FACTS: Final = frozenset({"paid_at", "ordered_at", "confirmed_at", "status"})
"""Without any of these a file tells of parcels, not of orders (quirk 17)."""


@dataclass(frozen=True, slots=True)
class OrderFile:
    """A file that was recognised. `rows` can be read once, and reads the file as it goes."""

    name: str
    source: str
    """`own`, `taobao`, `pinduoduo`, … as in `monitor/intake/columns.py`, or `generic`."""
    source_name: str
    encoding: str
    """`utf-8-sig`, `utf-8`, `gb18030`, `utf-16`, `xlsx` or `xls`."""
    sheets: tuple[str, ...]
    sha256: str
    exported_at: datetime | None
    """When the export was made, if the file's name says so (quirk 18)."""
    header: tuple[str, ...]
    mapping: Mapping[str, str]
    """Field → heading, as it is read; a user may correct and save it."""
    fingerprint: str
    """Of the header: the next file with the same columns is read the same way."""
    remembered: bool
    """A mapping saved for this fingerprint was used."""
    notes: tuple[Problem, ...]
    """What is true of the whole file and worth telling once."""
    rows: Iterator[RowVerdict] = field(repr=False, compare=False)


def read_orders(
    path: Path,
    *,
    zone: ZoneInfo,
    now: datetime,
    mapping: Mapping[str, str] | None = None,
    platform: str = "",
    shop: str = "",
    merchant: str = "",
    password: str | None = None,
    name: str = "",
    saved: Mapping[str, Mapping[str, str]] | None = None,
) -> OrderFile:
    """Open an order file (`design.md` §4, Files; `facts/import-formats.md`).

    `mapping` is field → heading and wins over what is recognised; without one, that of `saved` whose fingerprint the
    header has. `platform`, `shop` and `merchant` stand for what the file does not say. Times without a zone are read
    in `zone`. `name` is what the file is called, if not by its path. Raises `FileRefused`.
    """
    book = open_book(path, password)
    remembered = None if mapping else _remembered(book, saved or {})
    sheets = _recognised(path.name, book, mapping or remembered or {}, platform)
    main = sheets[0].layout
    if not any(row.raw for sheet in sheets for row in sheet.rows()):
        raise FileRefused(path.name, "no_rows", "只有表头，没有数据行；请确认导出时的筛选条件")
    return OrderFile(
        name or path.name,
        main.source.code,
        main.source.name,
        book.encoding,
        tuple(sheet.table.name for sheet in sheets if sheet.table.name),
        book.sha256,
        exported_at(name or path.name, zone, now),
        main.header,
        main.mapping,
        fingerprint(main.header),
        remembered is not None,
        (*book.notes, *_notes(sheets)),
        verdicts(sheets, Terms(zone, now, platform, shop, merchant)),
    )


def _remembered(book: Book, saved: Mapping[str, Mapping[str, str]]) -> Mapping[str, str] | None:
    """The mapping that was saved for one of the book's headers."""
    if not saved:
        return None
    rows = (headings(cells) for table in book.tables for _, cells in first_rows(table))
    return next((saved[mark] for cells in rows if cells and (mark := fingerprint(cells)) in saved), None)


def _recognised(file: str, book: Book, mapping: Mapping[str, str], platform: str) -> tuple[HeadedSheet, ...]:
    """The tables that hold orders, the main one first. Raises `FileRefused` when there is none."""
    _check_mapping(file, mapping)
    headed = [
        (table, header) for table in book.tables if (header := _header(file, table, mapping)) is not None
    ]
    names = [[str(cell) for cell in header.cells] for _, header in headed]
    sources = [recognise(cells, platform) for cells in names]
    source, _ = max(sources, key=lambda pair: pair[1], default=(None, 0.0))
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
    return tuple(chosen)


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
    return best


def _own_sheets(file: str, sheets: Sequence[HeadedSheet]) -> list[HeadedSheet]:
    """The sheets in our own format. Raises `FileRefused` naming the required columns that are missing."""
    own = [sheet for sheet in sheets if any(name in sheet.layout.columns for name in REQUIRED)]
    lacking = {name for sheet in own for name in REQUIRED if name not in sheet.layout.columns}
    if lacking:
        names = "、".join(name for name in REQUIRED if name in lacking)
        seen = own[0].header.cells
        words = f"缺少必需的列：{names}；{_seen(seen)}"
        raise FileRefused(file, "missing_columns", words, [str(cell) for cell in seen])
    return own


def _holds_orders(known: Layout) -> bool:
    return "waybill_no" in known.columns or ("order_no" in known.columns and len(known.columns) >= 3)


def _unrecognised(file: str, book: Book) -> FileRefused:
    rows = [cells for table in book.tables for _, cells in first_rows(table) if any(map(clean, cells))]
    if not rows:
        return FileRefused(file, "empty", "文件里没有内容；请重新导出")
    widest = max(rows, key=lambda cells: len(headings(cells)))
    return FileRefused(
        file,
        "unrecognised",
        f"认不出表头，至少要有运单号列（如 运单号、快递单号、物流单号）和订单号列；{_seen(widest)}。"
        "请改列名，或用列对应表（--mapping）指定",
        headings(widest),
    )


def _seen(cells: Sequence[object]) -> str:
    names = [safe_text(str(cell), 20) for cell in cells[:30] if str(cell).strip()]
    more = "……" if len(cells) > 30 else ""
    return f"{SEEN}{'、'.join(names)}{more}"


def _notes(sheets: Sequence[HeadedSheet]) -> Iterator[Problem]:
    """What the file as a whole lacks, and what follows from it."""
    columns = {field for sheet in sheets for field in sheet.layout.columns}
    if "waybill_no" not in columns:
        yield Problem(
            "no_waybill_column",
            "运单号",
            "文件里没有运单号列：订单先记下，再导入一个有订单号和运单号的文件即可补上",
        )
    elif "carrier" not in columns:
        yield Problem(
            "no_carrier_column", "快递公司", "文件里没有快递公司列：按单号识别，识别不出的在“覆盖”里列出"
        )
    own = sheets[0].layout.source is OWN
    if not own and {"waybill_no", "order_no"} <= columns and not columns & _FACTS:
        yield Problem(
            "no_order_columns",
            "付款时间",
            "文件里只有运单，没有付款时间和订单状态：先按订单号挂上运单；再导入订单报表，延迟发货等时限才算得准",
        )
    if "order_no" not in columns:
        yield Problem("no_order_column", "订单号", "文件里没有订单号列：以运单号代替订单号")
