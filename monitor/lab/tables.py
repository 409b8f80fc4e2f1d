"""A CSV file as frames of text, however large: gz, UTF-8 with or without BOM, GB18030, chunk by chunk.

pandas reads the rows fast where `monitor/lab/looked.py` has proven that every line is one record. Every other file
goes through the careful reader of `monitor/intake/delimited.py`: a row that is broken stops only itself.
"""

from __future__ import annotations

import codecs
import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import pandas as pd

from monitor.intake.delimited import DelimitedText
from monitor.intake.tables import FileRefused, Record
from monitor.intake.values import clean, heading_key
from monitor.intake.workbooks import MAX_UNPACKED
from monitor.lab.looked import look
from monitor.lab.telling import Telling

__all__ = ["LINE", "TextFile", "open_text"]

LINE: Final = "line"
"""The column of the line numbers, the heading being 1."""
CHUNK: Final = 200_000
_BYTES: Final = 1 << 22
_PACKED: Final = 50
"""A table of texts becomes so many times smaller at most; what unpacks to more, and is large, is no table."""
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
        if not self.plain:
            yield from self._careful(telling, stage)
            return
        names, line = range(len(self.header)), 2
        with self._fast(names) as chunks:
            for chunk in chunks:
                chunk[LINE] = range(line, line + len(chunk))
                line += len(chunk)
                telling.watch(stage, line, self.lines)
                yield self._headed(chunk)
        if line - 1 != self.lines:
            told = f"读到 {line - 1} 行，文件有 {self.lines} 行，对不上；请用表格软件另存为 CSV UTF-8"
            raise FileRefused(self.name, "lost_rows", told)

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

    def _careful(self, telling: Telling, stage: str) -> Iterator[pd.DataFrame]:
        """Record by record."""
        width = len(self.header)
        text = DelimitedText(self.path, self.encoding, self.delimiter)
        records = (each for each in text.records(Record(1, list(self.header))) if each.number > 1)
        spanning = 0
        while some := list(islice(records, CHUNK)):
            good = []
            for each in some:
                cells = [str(cell) for cell in each.cells]
                if (why := self._odd(each, cells)) is not None:
                    shown = [cell.encode("utf-8", "replace").decode() for cell in cells]
                    telling.reject(self.name, each.number, "odd_row", why, shown)
                else:
                    spanning += any(cell.count("\n") for cell in cells)
                    good.append([*cells[:width], *[""] * (width - len(cells)), each.number])
            chunk = pd.DataFrame(good, columns=[*range(width), LINE])
            telling.watch(stage, some[-1].number, self.lines)
            yield self._headed(chunk.astype(dict.fromkeys(range(width), "str")))
        if spanning:
            told = "引号里有换行，几行合为一条；若并非如此，请检查引号"
            telling.remark(f"{self.name} 有 {spanning:,} 条{told}")

    def _odd(self, record: Record, cells: Sequence[str]) -> str | None:
        """Why a record cannot be taken."""
        width = len(self.header)
        if record.fault is not None:
            return record.fault.text
        if any(cells[width:]):
            return f"这一行有 {len(cells)} 格，表头有 {width} 格"
        if any(not cell.isascii() and _undecoded(cell) for cell in cells):
            return f"这一行的编码不是整个文件的 {self.encoding.removesuffix('-sig').upper()}，读不出来"
        return None

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
            if head.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(head) == 4 and 0 in (head[0], head[1])):
                raise FileRefused(name, "utf16", "文件是 UTF-16 编码，这里读不了；请另存为 CSV UTF-8")
            source.seek(0)
            raw = source.readline(1 << 16).removeprefix(codecs.BOM_UTF8).decode("latin-1").rstrip("\r\n")
        delimiter = max(_DELIMITERS, key=raw.count)
        seen = look(unpacked, delimiter, len(next(csv.reader([raw], delimiter=delimiter), ())))
        first = _first_line(unpacked, seen.encoding)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise FileRefused(
            name, "unreadable", f"读不了：{getattr(error, 'strerror', None) or error}"
        ) from None
    if not first.strip():
        raise FileRefused(name, "empty", "文件是空的，或第一行不是表头")
    header = tuple(clean(cell) for cell in next(csv.reader([first], delimiter=delimiter)))
    return TextFile(name, unpacked, seen.encoding, delimiter, _unique(name, header), seen.lines, seen.plain)


def _unpacked(path: Path, aside: Path) -> Path:
    with path.open("rb") as source:
        if source.read(2) != b"\x1f\x8b":
            return path
    target = aside / (path.name.removesuffix(".gz") or "unpacked")
    most, done = max(MAX_UNPACKED, _PACKED * path.stat().st_size), 0
    with gzip.open(path) as packed, target.open("wb") as out:
        while block := packed.read(_BYTES):
            done += len(block)
            if done > most:
                why = f"解压后超过 {most >> 20:,} MB，疑似异常文件；请核对，或自己解压后再用"
                raise FileRefused(path.name, "too_large_unpacked", why)
            out.write(block)
    return target


def _first_line(path: Path, encoding: str) -> str:
    with path.open(encoding=encoding, errors="replace", newline="") as source:
        return source.readline(1 << 16).rstrip("\r\n")


def _undecoded(cell: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in cell)


def _unique(name: str, header: tuple[str, ...]) -> tuple[str, ...]:
    """Raises `FileRefused` where two headings are the same column, in capitals or not."""
    keys = [heading_key(each)[0] for each in header]
    double = list(
        dict.fromkeys(each for each, key in zip(header, keys, strict=True) if key and keys.count(key) > 1)
    )
    if double:
        raise FileRefused(name, "double_heading", f"有几列同名：{'、'.join(double)}")
    return tuple(each or f"（第 {n} 列）" for n, each in enumerate(header, 1))
