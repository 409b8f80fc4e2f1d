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

from monitor.intake.books import open_book
from monitor.intake.columns import OWN, platform_id
from monitor.intake.file_names import exported_at
from monitor.intake.headers import recognised, remembered
from monitor.intake.layouts import fingerprint
from monitor.intake.rows import RowVerdict, Terms
from monitor.intake.sheets import HeadedSheet, verdicts
from monitor.intake.tables import FileRefused, Problem

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
    """How its headings were recognised: our own, a back office's, or a home-made sheet's."""
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
    mapped: bool
    """Somebody said which columns hold what: now, or by a saved mapping."""
    platform: str
    """Of the rows that name none: what was told at import, else the recognised back office's; may be empty."""
    by_row: bool
    """The file has a platform column."""
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
    kept = None if mapping else remembered(book, saved or {})
    found = recognised(path.name, book, mapping or kept or {}, platform)
    main, source = found.sheets[0].layout, found.source
    if not any(row.raw for sheet in found.sheets for row in sheet.rows()):
        raise FileRefused(path.name, "no_rows", "只有表头，没有数据行；请确认导出时的筛选条件")
    return OrderFile(
        name or path.name,
        source.code,
        source.name,
        book.encoding,
        tuple(sheet.table.name for sheet in found.sheets if sheet.table.name),
        book.sha256,
        exported_at(name or path.name, zone, now),
        main.header,
        main.mapping,
        fingerprint(main.header),
        kept is not None,
        bool(mapping or kept),
        platform_id(platform) or main.source.platform,
        "platform" in main.columns,
        (*book.notes, *_notes(found.sheets)),
        verdicts(found.sheets, Terms(zone, now, platform, shop, merchant)),
    )


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
