"""Workbooks: XLSX, XLSB, XLS and ODS through calamine, checked before they are opened.

A small archive can unpack to more than the machine holds, and one cell far out makes the reader
reserve every cell before it, so the archive's directory, its real contents and the farthest cells are
looked at first (`facts/import-formats.md` §5; `facts/libraries.md`, reading XLSX). Stored values are
read: filters, hidden rows and formulas do not matter (quirk 22), a wrong sheet size neither (quirk 13).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from monitor.intake.locks import locked
from monitor.intake.long_sheets import LongSheet, long_sheet
from monitor.intake.tables import MAX_COLUMNS, MAX_ROWS, FileRefused, Problem, Record
from monitor.intake.values import Cell

__all__ = ["Sheet", "WindowedSheet", "check_archive", "open_sheets"]

MAX_UNPACKED: Final = 400 * 1024 * 1024
MAX_MEMBERS: Final = 2_000
MAX_RATIO: Final = 100
RATIO_FROM: Final = 10 * 1024 * 1024
_MAX_DIRECTORY: Final = 2 * 1024 * 1024
_CHUNK: Final = 1 << 20
_TAG: Final = 400
"""How much of a chunk is looked at again with the next: longer than any cell's tag."""
_ARCHIVES: Final = (".zip", ".rar", ".7z", ".gz", ".xlsx", ".xlsm", ".xlsb", ".ods", ".docx")
_FAR: Final = (
    re.compile(rb'r="(?:[A-Za-z]{3,}\d|[L-Zl-z][A-Za-z]\d|[Kk][O-Zo-z]\d|[A-Za-z]{1,2}(\d{6,}))'),
    re.compile(rb"r='(?:[A-Za-z]{3,}\d|[L-Zl-z][A-Za-z]\d|[Kk][O-Zo-z]\d|[A-Za-z]{1,2}(\d{6,}))"),
)
"""Places beyond column KN, the 300th, or with a row number of six digits."""
_FILTERED: Final = (b"<autoFilter", b' hidden="1"', b' hidden="true"')

FILTERS: Final = Problem("filters_ignored", "", "表里有筛选或隐藏的行列；导入读取全部内容，不看筛选")


def check_archive(file: str, data: bytes) -> tuple[Problem, ...]:
    """Refuse an archive that is damaged, no workbook, or too much to open; else what to say about it."""
    try:
        with zipfile.ZipFile(io.BytesIO(_small_directory(file, data))) as archive:
            members = archive.infolist()
            _check_directory(file, members)
            filtered = [_read_through(file, archive, member) for member in members]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        raise FileRefused(file, "damaged", "工作簿已损坏，打不开；请重新下载或重新导出") from None
    return (FILTERS,) if any(filtered) else ()


def _small_directory(file: str, data: bytes) -> bytes:
    """`data`, unless the archive's directory alone is more than 2,000 members need."""
    end = data.rfind(b"PK\x05\x06")
    if end >= 0 and int.from_bytes(data[end + 12 : end + 16], "little") > _MAX_DIRECTORY:
        raise _bomb(file)
    return data


def _bomb(file: str) -> FileRefused:
    return FileRefused(
        file, "too_large_unpacked", "解压后过大（上限 400 MB），疑似异常文件；请拆分后另存为 XLSX 再导入"
    )


def _check_directory(file: str, members: list[zipfile.ZipInfo]) -> None:
    names = {member.filename for member in members}
    if not any(name.startswith("xl/workbook.") for name in names) and "content.xml" not in names:
        raise FileRefused(file, "archive", "这是压缩包，不是工作簿；请先解压，再导入里面的表格")
    if any(name.lower().endswith(_ARCHIVES) for name in names):
        raise FileRefused(file, "nested_archive", "工作簿里嵌着别的压缩文件；请把数据复制到新表再导入")
    unpacked = sum(member.file_size for member in members)
    dense = any(
        member.file_size > RATIO_FROM and member.file_size > MAX_RATIO * max(member.compress_size, 1)
        for member in members
    )
    if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED or dense:
        raise _bomb(file)


def _read_through(file: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """Unpack one member without keeping it, so that its directory entry is known to be true.

    Returns whether a sheet has filters or hidden rows. Raises `FileRefused` for a cell outside the limits.
    """
    sheet, filtered, tail = member.filename.startswith("xl/worksheets/"), False, b""
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            window = tail + chunk
            _check_places(file, window)
            filtered = filtered or (sheet and any(mark in window for mark in _FILTERED))
            tail = window[-_TAG:]
    return filtered


def _check_places(file: str, window: bytes) -> None:
    """Refuse a cell with a value outside the limits; formats without one are everywhere and do no harm."""
    for pattern in _FAR:
        for far in pattern.finditer(window):
            row = int(far[1] or 0)
            if far[1] is not None and row <= MAX_ROWS + 1:
                continue
            tag = window[window.rfind(b"<", 0, far.start()) : window.find(b">", far.end()) + 1]
            if re.match(rb"<(?:\w+:)?c\s", tag) and not tag.endswith(b"/>"):
                raise too_long(file) if row else too_wide(file)


def too_wide(file: str) -> FileRefused:
    """More columns than anybody's export has."""
    return FileRefused(file, "too_many_columns", f"超过 {MAX_COLUMNS} 列；请只保留订单与物流的列再导入")


def too_long(file: str) -> FileRefused:
    """More rows than one import takes."""
    return FileRefused(file, "too_many_rows", f"超过 {MAX_ROWS} 行；请按日期分成几个文件再导入")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One visible sheet. A vertically merged cell says the same in each of its rows (quirk 10)."""

    sheet: CalamineSheet

    @property
    def name(self) -> str:
        """As it stands on the tab."""
        return self.sheet.name

    def records(self, header: Record | None = None) -> Iterator[Record]:
        """Every row from the first of the sheet, empty ones too."""
        offset = self.sheet.start[1] if self.sheet.start else 0
        rows: Iterator[tuple[int, list[Cell]]] = enumerate(self.sheet.iter_rows(), 1)
        yield from _filled_down(rows, _merged(self.sheet, offset))


@dataclass(frozen=True, slots=True)
class WindowedSheet:
    """One visible sheet too long to be in memory at once. Its cells begin in the first column, whatever stands there."""

    sheet: LongSheet

    @property
    def name(self) -> str:
        """As it stands on the tab."""
        return self.sheet.name

    def records(self, header: Record | None = None) -> Iterator[Record]:
        """Every row that is there; between windows the empty ones are one."""
        try:
            yield from _filled_down(self._rows(), _merged(self.sheet.merged(), 0))
        except CalamineError:
            raise ValueError("a part of the sheet cannot be read") from None

    def _rows(self) -> Iterator[tuple[int, list[Cell]]]:
        at = 0
        for first, left, rows in self.sheet.rows():
            if first > at + 1:
                yield first - 1, []
            before: list[Cell] = [""] * left
            for at, row in enumerate(rows, first):
                yield at, before + row


def _filled_down(
    rows: Iterator[tuple[int, list[Cell]]], merged: Mapping[int, Sequence[tuple[int, int]]]
) -> Iterator[Record]:
    """The rows with what merged cells say put into each of their rows."""
    carried: dict[int, tuple[int, Cell]] = {}
    for number, row in rows:
        for place, last in merged.get(number, ()):
            if place < len(row):
                carried[place] = (last, row[place])
        for place, (last, value) in tuple(carried.items()):
            if place < len(row):
                row[place] = value
            if number >= last:
                del carried[place]
        yield Record(number, row)


def _merged(sheet: CalamineSheet, offset: int) -> dict[int, list[tuple[int, int]]]:
    """First row → (place in the row, last row) of the cells merged over several rows."""
    starts: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
        if bottom > top and left >= offset:
            starts[top + 1].append((left - offset, bottom + 1))
    return starts


def open_sheets(file: str, data: bytes) -> tuple[Sheet | WindowedSheet, ...]:
    """The visible sheets of a workbook that has been checked. Raises `FileRefused`."""
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = tuple(
            _opened(file, data, workbook, meta.name)
            for meta in workbook.sheets_metadata
            if meta.typ == SheetTypeEnum.WorkSheet and meta.visible == SheetVisibleEnum.Visible
        )
    except PasswordError:
        raise locked(file) from None
    except (CalamineError, OSError, ValueError):
        raise FileRefused(file, "damaged", "工作簿已损坏，打不开；请重新下载或重新导出") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise FileRefused(file, "damaged", "工作簿已损坏，打不开；请重新下载或重新导出") from None
    for sheet in sheets:
        if isinstance(sheet, WindowedSheet):
            continue  # its places were looked at when the archive was checked
        if sheet.sheet.total_width > MAX_COLUMNS and sheet.sheet.width > MAX_COLUMNS:
            raise too_wide(file)
        if sheet.sheet.height > MAX_ROWS + 20:
            raise too_long(file)
    return sheets


def _opened(file: str, data: bytes, workbook: CalamineWorkbook, name: str) -> Sheet | WindowedSheet:
    long = long_sheet(data, name) if data.startswith(b"PK") else None
    if long is None:
        return Sheet(workbook.get_sheet_by_name(name))
    if long.count > MAX_ROWS + 20:
        raise too_long(file)
    return WindowedSheet(long)
