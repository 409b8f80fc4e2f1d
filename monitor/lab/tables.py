"""A CSV file as frames of text, however large: gz, UTF-8 with or without BOM, GB18030, chunk by chunk.

pandas reads the rows fast. Where a record could span lines (an odd quote) or a row has too many cells, the
careful reader of `monitor/intake/delimited.py` goes on from there: a row that is broken stops only itself.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

import pandas as pd

from monitor.intake.delimited import DelimitedText
from monitor.intake.tables import FileRefused, Record
from monitor.intake.values import clean
from monitor.lab.telling import Telling

__all__ = ["LINE", "TextFile", "open_text"]

LINE: Final = "line"
"""The column of the line numbers, the heading being 1."""
CHUNK: Final = 200_000
_BYTES: Final = 1 << 22
_BOM: Final = codecs.BOM_UTF8
_DELIMITERS: Final = ",\t;|"


@dataclass(frozen=True, slots=True)
class TextFile:
    """A table in a text file whose headings are in its first line."""

    name: str
    """As people know it."""
    path: Path
    """Unpacked."""
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    lines: int
    plain: bool
    """Every line is a record of its own."""

    def frames(self, telling: Telling, stage: str) -> Iterator[pd.DataFrame]:
        """The rows in order, as text by heading, with `LINE`. Rows whose shape is broken are told and left out."""
        names = [*range(len(self.header))]
        line = 2
        if self.plain:
            with self._fast(names) as chunks:
                try:
                    for chunk in chunks:
                        chunk[LINE] = range(line, line + len(chunk))
                        line += len(chunk)
                        telling.watch(stage, line, self.lines)
                        yield self._headed(chunk)
                except pd.errors.ParserError:
                    pass  # too many cells somewhere from `line` on: read that part with care
                else:
                    return
        yield from self._careful(line, telling, stage)

    def _fast(self, names: Sequence[int]) -> pd.io.parsers.TextFileReader:
        return pd.read_csv(
            self.path,
            header=None,
            names=list(names),
            skiprows=1,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            sep=self.delimiter,
            encoding=self.encoding,
            encoding_errors="replace",
            chunksize=CHUNK,
        )

    def _careful(self, line: int, telling: Telling, stage: str) -> Iterator[pd.DataFrame]:
        """From this line on, record by record."""
        width = len(self.header)
        text = DelimitedText(self.path, self.encoding, self.delimiter, "replace")
        rows = text.records(Record(1, list(self.header)))
        records = (each for each in rows if each.number >= line)
        while some := list(islice(records, CHUNK)):
            good = []
            for each in some:
                cells = [str(cell) for cell in each.cells]
                if each.fault is not None or any(cells[width:]):
                    why = each.fault.text if each.fault else f"这一行有 {len(cells)} 格，表头有 {width} 格"
                    telling.reject(self.name, each.number, "odd_row", why, cells)
                else:
                    good.append([*cells[:width], *[""] * (width - len(cells)), each.number])
            chunk = pd.DataFrame(good, columns=[*range(width), LINE])
            telling.watch(stage, some[-1].number, self.lines)
            yield self._headed(chunk.astype(dict.fromkeys(range(width), "str")))

    def _headed(self, chunk: pd.DataFrame) -> pd.DataFrame:
        """With the headings as names; rows without anything in them left out."""
        filled = pd.Series(False, index=chunk.index)
        for n in range(len(self.header)):
            filled |= chunk[n] != ""
        chunk = chunk if filled.all() else chunk[filled].reset_index(drop=True)
        return chunk.rename(columns=dict(enumerate(self.header)))


def open_text(path: Path, aside: Path) -> TextFile:
    """A CSV or TSV file, unpacked into the folder `aside` where it is gz. Raises `FileRefused`."""
    name = path.name
    try:
        unpacked = _unpacked(path, aside)
        with unpacked.open("rb") as source:
            head = source.read(4)
            if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
                raise FileRefused(name, "workbook", "这里要 CSV 文件；请把工作簿另存为 CSV UTF-8")
            source.seek(0)
            encoding, lines, plain = _look(source)
        first = _first_line(unpacked, encoding)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise FileRefused(
            name, "unreadable", f"读不了：{getattr(error, 'strerror', None) or error}"
        ) from None
    if not first.strip():
        raise FileRefused(name, "empty", "文件是空的，或第一行不是表头")
    delimiter = max(_DELIMITERS, key=first.count)
    header = tuple(clean(cell) for cell in next(csv.reader([first], delimiter=delimiter)))
    return TextFile(name, unpacked, encoding, delimiter, _unique(name, header), lines, plain)


def _unpacked(path: Path, aside: Path) -> Path:
    with path.open("rb") as source:
        if source.read(2) != b"\x1f\x8b":
            return path
    target = aside / (path.name.removesuffix(".gz") or "unpacked")
    with gzip.open(path) as packed, target.open("wb") as out:
        shutil.copyfileobj(packed, out, _BYTES)
    return target


def _look(source: IO[bytes]) -> tuple[str, int, bool]:
    """Encoding, lines, and whether no quote can hold a line break: strict UTF-8, else GB18030."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf8, lines, odd, rest, marked = True, 0, False, b"", False
    while block := source.read(_BYTES):
        marked = marked or (not lines and not rest and block.startswith(_BOM))
        if utf8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                utf8 = False
        lines += block.count(b"\n")
        if not odd and b'"' in (whole := rest + block):
            *parts, rest = whole.split(b"\n")
            odd = any(part.count(b'"') & 1 for part in parts)
        else:
            rest = block.rpartition(b"\n")[2] if b"\n" in block else rest + block
    odd = odd or bool(rest.count(b'"') & 1)
    encoding = "utf-8-sig" if marked else "utf-8" if utf8 else "gb18030"
    return encoding, lines, not odd


def _first_line(path: Path, encoding: str) -> str:
    with path.open(encoding=encoding, errors="replace", newline="") as source:
        return source.readline(1 << 16).rstrip("\r\n")


def _unique(name: str, header: tuple[str, ...]) -> tuple[str, ...]:
    double = sorted({each for each in header if each and header.count(each) > 1})
    if double:
        raise FileRefused(name, "double_heading", f"有几列同名：{'、'.join(double)}")
    return tuple(each or f"（第 {n} 列）" for n, each in enumerate(header, 1))
