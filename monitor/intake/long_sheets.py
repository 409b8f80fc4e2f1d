"""Long sheets of an XLSX, read a window of rows at a time.

calamine keeps all cells of a sheet in memory, some hundred bytes each: 100,000 rows of 90 columns want more than
the child has. So a sheet whose XML is long is cut at its rows, and every window goes to the same reader as a small
workbook of its own, with the shared texts and styles of the whole: what a cell says is decided in one place.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from python_calamine import CalamineSheet, CalamineWorkbook

from monitor.intake.values import Cell

__all__ = ["LONG", "LongSheet", "long_sheet"]

LONG: Final = 32 * 1024 * 1024
"""Bytes of a sheet's XML from which it is read in windows."""
WINDOW: Final = 16 * 1024 * 1024
"""Bytes of a window's XML."""
_CHUNK: Final = 1 << 20
_HEAD_WITHIN: Final = 4 * 1024 * 1024
_START: Final = re.compile(rb"<(?:\w+:)?sheetData(?:\s[^>]*)?>")
_END: Final = re.compile(rb"</(?:\w+:)?sheetData>")
_ROW_END: Final = re.compile(rb"</(?:\w+:)?row>|<(?:\w+:)?row\s[^>]*/>")
_NUMBERED: Final = re.compile(rb"<(?:\w+:)?(?:row|c)\s(?:[^>]*\s)?r=[\"'][A-Za-z]*\d")
_EMPTY: Final = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData/></worksheet>'
)
_RELATION: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_SMALL_PART: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LongSheet:
    """Where a long sheet lies in its workbook."""

    data: bytes
    """The whole workbook."""
    name: str
    member: str
    tail: bytes
    """What stands behind the rows: merged cells among it."""
    count: int
    """How many rows it has."""

    def merged(self) -> CalamineSheet:
        """The sheet without its rows: it knows which cells are merged."""
        return self._opened(self._frame(), b"<sheetData/>" + self.tail)

    def rows(self) -> Iterator[tuple[int, int, list[list[Cell]]]]:
        """Windows: the number of the first row, counted from 1, the column its cells begin in, and the rows."""
        frame, before = self._frame(), 0
        for window in self._cut():
            sheet = self._opened(frame, b"<sheetData>" + window + b"</sheetData></worksheet>")
            if sheet.start is None:
                before += len(_ROW_END.findall(window))
                continue
            first, left = sheet.start
            base = 0 if _NUMBERED.search(window) else before
            rows = sheet.to_python(skip_empty_area=True)
            before = base + first + len(rows)
            yield base + first + 1, left, rows

    def _cut(self) -> Iterator[bytes]:
        """The XML between the sheet's rows' ends, in pieces of whole rows."""
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive, archive.open(self.member) as stream:
            held = b""
            while (begin := _START.search(held)) is None:
                chunk = stream.read(_CHUNK)
                if not chunk or len(held) > _HEAD_WITHIN:
                    return
                held += chunk
            pieces, size, ended = [held[begin.end() :]], len(held) - begin.end(), False
            while not ended:
                chunk = stream.read(_CHUNK)
                pieces.append(chunk)
                size += len(chunk)
                if chunk and size < WINDOW:
                    continue
                held = b"".join(pieces)
                end = _END.search(held)
                ended = end is not None or not chunk
                cut = end.start() if end is not None else _last_row(held)
                if held[:cut].strip():
                    yield held[:cut]
                pieces, size = [held[cut:]], len(held) - cut

    def _frame(self) -> bytes:
        """The workbook without its sheets: a stored archive to which one sheet is added."""
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self.data)) as whole, zipfile.ZipFile(out, "w") as frame:
            for name in whole.namelist():
                if name.startswith("xl/worksheets/"):
                    if name != self.member and name.endswith(".xml"):
                        frame.writestr(name, _EMPTY)
                elif name.startswith(("xl/", "[", "_rels/")) and not name.startswith("xl/media/"):
                    frame.writestr(name, whole.read(name))
        return out.getvalue()

    def _opened(self, frame: bytes, rows: bytes) -> CalamineSheet:
        head = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        out = io.BytesIO()
        out.write(frame)
        with zipfile.ZipFile(out, "a") as archive:
            archive.writestr(self.member, head + rows)
        out.seek(0)
        return CalamineWorkbook.from_filelike(out).get_sheet_by_name(self.name)


def _last_row(held: bytes) -> int:
    """Where the last whole row of these bytes ends."""
    cut = 0
    for found in _ROW_END.finditer(held):
        cut = found.end()
    return cut


def long_sheet(data: bytes, name: str) -> LongSheet | None:
    """The sheet of that name, if it is worth reading in windows and can be; else None."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        member = _member(archive, name)
        if member is None or archive.getinfo(member).file_size < LONG:
            return None
        rows, tail = _behind(archive, member)
    if tail is None:
        return None
    return LongSheet(data, name, member, tail, rows)


def _member(archive: zipfile.ZipFile, name: str) -> str | None:
    """The archive's member with the sheet of that name."""
    parts = ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
    if any(part not in archive.NameToInfo or archive.getinfo(part).file_size > _SMALL_PART for part in parts):
        return None
    try:
        book, links = (ElementTree.fromstring(archive.read(part)) for part in parts)  # noqa: S314 - in the child
    except ElementTree.ParseError:
        return None
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    for sheet in book.iter():
        if sheet.tag.rpartition("}")[2] == "sheet" and sheet.get("name") == name:
            target = targets.get(sheet.get(_RELATION)) or ""
            member = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
            return member if member in archive.NameToInfo else None
    return None


def _behind(archive: zipfile.ZipFile, member: str) -> tuple[int, bytes | None]:
    """How many rows a sheet has, and what stands behind them; None for one that cannot be cut: prefixed, or not UTF-8."""
    rows, held = 0, b""
    with archive.open(member) as stream:
        chunk = stream.read(_CHUNK)
        if b"<sheetData" not in chunk or b"<worksheet" not in chunk or chunk.startswith((b"\xff", b"\xfe")):
            return 0, None
        while chunk:
            held = held[-32:] + chunk
            fresh = max(len(held) - len(chunk) - 4, 0)
            rows += held.count(b"<row ", fresh) + held.count(b"<row>", fresh)
            end = held.find(b"</sheetData>")
            if end >= 0:
                return rows, held[end + 12 :] + stream.read(_SMALL_PART)
            chunk = stream.read(_CHUNK)
    return rows, None
