"""A list as a file for a spreadsheet: CSV that Excel does not damage, XLSX with real dates and texts that stay texts.

Cells of people and carriers are hostile: in a CSV a text that a spreadsheet would take for a formula gets an
apostrophe in front, one it would turn into another value (a long number, a leading zero, a date) a tab behind,
which Excel keeps as text and our own import takes off again. In a workbook both are plain text cells.

Files are written to the disk, a row at a time, and streamed from there: a slow reader holds no connection
of the store's. At most `MOST` rows; a file that was cut says so in its last line.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from tempfile import TemporaryFile
from typing import IO, Final, TypeAlias
from zoneinfo import ZoneInfo

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from domain.masking import clean, safe_text
from domain.time import UTC

__all__ = ["MOST", "Cell", "Column", "Kind", "chunks", "csv_file", "neutral", "xlsx_file"]

MOST: Final = 100_000
"""Rows of one file."""
_LONGEST: Final = 2000
"""Characters of a cell; Excel takes 32,767."""
_CHUNK: Final = 64 * 1024
_BOM: Final = "\ufeff"
_EXCEL_BEGINS: Final = datetime(1900, 3, 1, tzinfo=UTC)
"""Before it a workbook's days are off by one, or none."""

Cell: TypeAlias = str | int | datetime | None


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    IDENTIFIER = "identifier"
    """Digits that nobody counts with, and that are nobody's phone."""
    MOMENT = "moment"
    NUMBER = "number"
    MONEY = "money"
    """Fen; shown as yuan."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file."""

    heading: str
    kind: Kind = Kind.TEXT
    width: int = 16
    """Characters, in a workbook."""


# ── cells ────────────────────────────────────────────────────────────────────────────────────────

_FORMULA: Final = frozenset("=+-@|%\t\r\n−")
_WRAPPING: Final = " \t\r\n\v\f\u00a0\u3000'\"`"
_DAMAGED: Final = re.compile(
    r"0\d+|\d{12,}"  # leading zeros; more digits than a cell shows, or keeps
    r"|\d+(?:\.\d+)?[eE][+-]?\d+"  # 12E5 becomes 1200000
    r"|\d{1,4}[-/.:年]\d{1,2}(?:[-/.:月]\d{1,4}日?)?"  # 3-4 becomes the third of April
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*[- ]?\d{1,4}"
    r"|\d{1,2}[- ]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*"
    r"|true|false",
    re.IGNORECASE,
)


def neutral(text: str) -> str:
    """A text no spreadsheet runs when it opens a CSV: an apostrophe stands before what starts a formula.

    Blanks and quotation marks in front do not hide it, neither does full-width or another form of the sign.
    """
    start = text.lstrip(_WRAPPING)[:1]
    if text[:1] in _FORMULA or (start and unicodedata.normalize("NFKC", start)[:1] in _FORMULA):
        return "'" + text
    return text


def _shown(text: str, kind: Kind) -> str:
    """A text as the list shows it."""
    return clean(text, _LONGEST) if kind is Kind.IDENTIFIER else safe_text(text, _LONGEST)


def _plain(value: Cell, kind: Kind, zone: ZoneInfo) -> str:
    """A cell of a CSV."""
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        case str():
            text = _shown(value, kind)
            return text + "\t" if _DAMAGED.fullmatch(text) else neutral(text)
        case _:
            return f"{Decimal(value).scaleb(-2):.2f}" if kind is Kind.MONEY else str(value)


def _bounded(rows: Iterable[Sequence[Cell]], cut: str) -> Iterator[Sequence[Cell]]:
    """At most `MOST` rows; where there are more, `cut` as a last one."""
    for n, row in enumerate(rows):
        if n == MOST:
            yield [cut]
            return
        yield row


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────


def csv_file(
    columns: Sequence[Column], rows: Iterable[Sequence[Cell]], zone: ZoneInfo, *, cut: str
) -> IO[bytes]:
    """The rows as UTF-8 with a byte order mark, in a file of its own, read from its start, gone when closed.

    `cut` is the last line of a file that could not hold all rows. Times are of `zone`.
    """
    file = TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        text.write(_BOM)
        write = csv.writer(text, quoting=csv.QUOTE_ALL).writerow
        write([neutral(column.heading) for column in columns])
        kinds = [column.kind for column in columns]
        for row in _bounded(rows, cut):
            write([_plain(cell, kind, zone) for cell, kind in zip(row, kinds, strict=False)])
        text.detach().seek(0)
    except BaseException:
        file.close()
        raise
    return file


# ── workbook ─────────────────────────────────────────────────────────────────────────────────────

_NEITHER: Final = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def xlsx_file(
    columns: Sequence[Column], rows: Iterable[Sequence[Cell]], zone: ZoneInfo, *, sheet: str, cut: str
) -> IO[bytes]:
    """As `csv_file`, a workbook: the heading stays in view, identifiers are text, moments are dates of `zone`."""
    file = TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        book = Workbook(file, {"constant_memory": True, **_NEITHER})
        try:
            _fill(_Sheet(book, book.add_worksheet(safe_text(sheet, 31)), columns, zone), rows, cut)
        finally:
            book.close()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


class _Sheet:
    """A worksheet that is written from top to bottom."""

    def __init__(self, book: Workbook, sheet: Worksheet, columns: Sequence[Column], zone: ZoneInfo) -> None:
        self._sheet, self._zone = sheet, zone
        self._kinds = [column.kind for column in columns]
        self._text = book.add_format({"num_format": "@"})
        self._date = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._money = book.add_format({"num_format": "0.00"})
        bold = book.add_format({"bold": True, "num_format": "@"})
        for n, column in enumerate(columns):
            sheet.set_column(n, n, column.width, self._date if column.kind is Kind.MOMENT else self._text)
            sheet.write_string(0, n, column.heading, bold)
        sheet.freeze_panes(1, 0)

    def write(self, n: int, column: int, value: Cell) -> None:
        match value:
            case None | "":
                return
            case datetime() if value >= _EXCEL_BEGINS:
                local = value.astimezone(self._zone).replace(tzinfo=None)
                self._sheet.write_datetime(n, column, local, self._date)
            case int() if self._kinds[column] is Kind.MONEY:
                self._sheet.write_number(n, column, value / 100, self._money)
            case int():
                self._sheet.write_number(n, column, value)
            case _:
                text = value if isinstance(value, str) else value.isoformat()
                self._sheet.write_string(n, column, _shown(text, self._kinds[column]), self._text)


def _fill(sheet: _Sheet, rows: Iterable[Sequence[Cell]], cut: str) -> None:
    for n, row in enumerate(_bounded(rows, cut), 1):
        for column, value in enumerate(row):
            sheet.write(n, column, value)


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The file piece by piece, closed at the end, also when the reader goes away."""
    with file:
        while piece := file.read(_CHUNK):
            yield piece
