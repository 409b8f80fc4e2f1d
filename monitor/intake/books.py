"""Bytes to tables: what a file is, is decided by its content, never by its name (quirks 1, 20, 21).

The order of `facts/import-formats.md` §4: first bytes for workbooks and archives, then a byte order
mark, then strict UTF-8, then strict GB18030; where both fit or neither does, known words decide. A text file in
which a few lines do not decode is read all the same, and those lines are refused one by one.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from carriers.names import canonical
from monitor.intake.delimited import DelimitedText
from monitor.intake.layouts import familiar
from monitor.intake.locks import OLE, check_old, decrypted, is_encrypted
from monitor.intake.tables import (
    HEADER_WITHIN,
    MAX_BYTES,
    MAX_CELL,
    MAX_ROWS,
    Book,
    FileRefused,
    Problem,
    Table,
)
from monitor.intake.values import Cell, clean
from monitor.intake.webtables import WebTable
from monitor.intake.workbooks import check_archive, open_sheets, too_long

__all__ = ["first_rows", "open_book", "words"]

_ZIP: Final = b"PK\x03\x04"
_PACKED: Final = (b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"PK\x05\x06", b"BZh", b"\xfd7zXZ")
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS: Final = (",", "\t", ";", "|")
_ENCODINGS: Final = ("utf-8", "gb18030")
_LOOKED_AT: Final = 200
"""Lines that are not ASCII, of which the words are looked at."""
_BETWEEN: Final = re.compile(r"[,\t;|\"<>\r\n]")
_CHUNK: Final = 1 << 20


def open_book(path: Path, password: str | None = None) -> Book:
    """The tables of a file. Raises `FileRefused` for anything that is not one."""
    file = path.name
    try:
        head, size, digest = _look(path)
    except OSError:
        raise FileRefused(file, "unreadable", "打不开这个文件；请检查路径和读取权限") from None
    if not size:
        raise FileRefused(file, "empty", "文件是空的；请重新导出")
    if size > MAX_BYTES:
        raise FileRefused(file, "too_large", "超过 50 MB；请按日期分成几个文件再导入")
    if head.startswith((_ZIP, OLE)):
        return _workbook(file, path.read_bytes(), digest, password)
    if head.startswith(_PACKED):
        raise FileRefused(file, "archive", "这是压缩包，不是表格；请先解压，再导入里面的表格")
    return _text(path, head, digest)


def _look(path: Path) -> tuple[bytes, int, str]:
    """The first bytes, the size and the SHA-256. Stops counting just past the limit."""
    digest, size, head = hashlib.sha256(), 0, b""
    with path.open("rb") as source:
        while size <= MAX_BYTES and (chunk := source.read(_CHUNK)):
            head = head or chunk[:4096]
            size += len(chunk)
            digest.update(chunk)
    return head, size, digest.hexdigest()


def _workbook(file: str, data: bytes, digest: str, password: str | None) -> Book:
    if data.startswith(OLE):
        if is_encrypted(data):
            data = decrypted(file, data, password)
        else:
            check_old(file, data)
    if not data.startswith(_ZIP):
        return Book("xls", digest, open_sheets(file, data))
    notes = check_archive(file, data)
    return Book("xlsx", digest, open_sheets(file, data), notes)


def _text(path: Path, head: bytes, digest: str) -> Book:
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "")
    if not encoding and _binary(head):
        raise FileRefused(path.name, "not_a_table", "不是表格文件；请导入 CSV 或 XLSX")
    sniffed = _sniff(path, encoding)
    start = head.decode(sniffed.encoding, "replace").lstrip("\ufeff \t\r\n").lower()
    table: Table
    if start.startswith("<?xml") and "<html" not in start and "<table" not in start:
        raise FileRefused(path.name, "xml", "这是 XML 格式的表格；请用表格软件打开后另存为 XLSX 再导入")
    if start.startswith("<"):
        table = WebTable(path, sniffed.encoding)
    else:
        table = max(
            (DelimitedText(path, sniffed.encoding, mark, sniffed.errors) for mark in _DELIMITERS),
            key=_familiar_headings,
        )
    if sniffed.lines > MAX_ROWS and sum(1 for _ in table.records()) > MAX_ROWS + 1:
        raise too_long(path.name)
    return Book(sniffed.encoding, digest, (table,), sniffed.notes)


def _binary(head: bytes) -> bool:
    """Control characters that no table has; a stray null byte is forgiven."""
    odd = sum(1 for byte in head if byte < 32 and byte not in b"\t\r\n\x0b\x0c\x1a")
    return odd * 20 > len(head)


@dataclass(frozen=True, slots=True)
class _Sniffed:
    encoding: str
    lines: int
    notes: tuple[Problem, ...] = ()

    @property
    def errors(self) -> str:
        """How the reader marks what does not decode; UTF-16 has no way but the replacement character."""
        return "replace" if self.encoding == "utf-16" else "surrogateescape"


def _sniff(path: Path, marked: str) -> _Sniffed:
    """The encoding, from every line of the file. Raises `FileRefused` where none fits most lines.

    Strict UTF-8, then strict GB18030. Short texts can be both (`圆通` in GBK is valid UTF-8), and a file with
    damaged lines is neither: then it is the one that makes more known words of the first lines.
    """
    if marked == "utf-16":
        return _Sniffed(marked, sum(1 for _ in _lines(path)))
    lines = chinese = 0
    damaged = dict.fromkeys((marked,) if marked else _ENCODINGS, 0)
    first: list[bytes] = []
    for line in _lines(path):
        lines += 1
        if line.isascii():
            continue
        chinese += 1
        raw = line.encode("latin-1")
        if len(first) < _LOOKED_AT:
            first.append(raw[:MAX_CELL])
        for encoding in damaged:
            damaged[encoding] += not _decodes(raw, encoding)
    encoding = max(damaged, key=lambda each: (_known_words(first, each), -damaged[each]))
    if damaged[encoding] * 2 > max(chinese, 1):
        raise FileRefused(
            path.name,
            "bad_encoding",
            "文字编码认不出来（不是 UTF-8，也不是 GB18030）；请用表格软件打开后另存为 XLSX 再导入",
        )
    count = damaged[encoding]
    note = Problem("bad_encoding", "", f"有 {count} 行含有无法解码的内容，涉及要读的列时该行会被拒绝")
    return _Sniffed(encoding, lines, (note,) if count else ())


def _lines(path: Path) -> Iterator[str]:
    """The lines as the reader of records counts them, whether they end in LF, CRLF or CR; a byte a character."""
    with path.open(encoding="latin-1", newline="") as source:
        yield from source


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _known_words(lines: Sequence[bytes], encoding: str) -> int:
    """How many headings and carriers in Chinese these lines hold, if they are read so."""
    cells = (cell for line in lines for cell in _BETWEEN.split(line.decode(encoding, "replace")))
    chinese = (cell for cell in cells if not cell.isascii() and len(cell) <= 80)
    return sum(1 for cell in chinese if familiar((cell,)) or canonical(clean(cell)) is not None)


def words(cells: Sequence[Cell]) -> list[str]:
    """The text cells of a row, with empty texts in place of the others: for looking at headings."""
    return [cell if isinstance(cell, str) else "" for cell in cells]


def first_rows(table: Table) -> Iterator[tuple[int, list[str]]]:
    """(number, texts) of the rows among which the header is (quirk 15)."""
    for record in table.records():
        if record.number > HEADER_WITHIN:
            return
        yield record.number, words(record.cells)


def _familiar_headings(table: Table) -> int:
    return max((familiar(cells) for _, cells in first_rows(table)), default=0)
