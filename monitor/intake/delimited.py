"""CSV and TSV, read as a stream: a row that is broken stops only itself.

The standard reader does the reading; this module watches how many lines it takes. A quote that is
never closed would swallow the rows after it, so a record that ends with the file, grows past any
sensible size, breaks the quoting rules across lines or has the wrong number of columns gives back
all its lines but the first (`facts/import-formats.md` §4, quirk 24, and §5).
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from monitor.intake.tables import MAX_CELL, FileRefused, Problem, Record

__all__ = ["DelimitedText"]

_RECORD_LIMIT: Final = 8 * MAX_CELL
_REREAD_LIMIT: Final = 64 * 1024 * 1024
"""Characters given back in all: broken quotes must not make reading quadratic."""
_OPEN_QUOTE: Final = Problem(
    "unclosed_quote", "整行", "这一行的引号不成对，分不清各列；请在原表中改好这一行再导入"
)
_TOO_LONG: Final = Problem("cell_too_long", "整行", f"有一格超过 {MAX_CELL} 个字符，多半是引号不成对")


class _Runaway(Exception):
    """A record that has grown past any sensible size."""


class _Feed:
    """Lines for the reader, remembered per record so that they can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: deque[str] = deque()
        self.taken: list[str] = []
        self.size = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self.size > _RECORD_LIMIT:
            raise _Runaway
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        self.size += len(line)
        if len(line) > _RECORD_LIMIT:
            raise _Runaway
        return line

    def start(self) -> None:
        """A new record begins."""
        self.taken = []
        self.size = 0

    def give_back(self) -> str:
        """Return all lines of this record but the first, which is the result."""
        first, *rest = self.taken
        self._returned.extendleft(reversed(rest))
        return first


@dataclass(frozen=True, slots=True)
class DelimitedText:
    """A text file with one record a line, or several lines where a quoted cell holds line breaks."""

    path: Path
    encoding: str
    delimiter: str
    errors: str = "surrogateescape"
    name: str = ""

    def records(self, header: Record | None = None) -> Iterator[Record]:
        """Stream the records. Bytes that do not decode come as lone surrogates in their cell."""
        with self.path.open(encoding=self.encoding, errors=self.errors, newline="") as lines:
            feed = _Feed(lines)
            reader = csv.reader(feed, delimiter=self.delimiter, strict=True)
            number, reread = 0, 0
            while True:
                number += 1
                feed.start()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except (csv.Error, _Runaway):
                    broken = True
                else:
                    broken = _swallowed(cells, feed, number, header)
                if not broken:
                    yield Record(number, cells, _long_cell(cells, feed.size))
                    continue
                reread += feed.size - len(feed.taken[0])
                if reread > _REREAD_LIMIT:
                    raise self._hopeless()
                yield self._repaired(feed, number)

    def _repaired(self, feed: _Feed, number: int) -> Record:
        """The first line of a broken record on its own; the others go back to be read again."""
        alone = len(feed.taken) == 1
        line = feed.give_back()
        if len(line) > _RECORD_LIMIT:
            return Record(number, [line[:MAX_CELL]], _TOO_LONG)
        try:
            cells, *after = csv.reader([line, "end"], delimiter=self.delimiter)
        except (csv.Error, ValueError):
            return Record(number, [line[:MAX_CELL]], _TOO_LONG)
        closed = alone and after == [["end"]]
        if closed:
            return Record(number, cells, _long_cell(cells, len(line)))
        cells[-1] = cells[-1].removesuffix("end").rstrip("\r\n")
        return Record(number, cells, _OPEN_QUOTE)

    def _hopeless(self) -> FileRefused:
        return FileRefused(
            self.path.name,
            "unclosed_quote",
            "引号不成对的地方太多，无法分行；请用表格软件打开后另存为 XLSX 再导入",
        )


def _swallowed(cells: list[str], feed: _Feed, number: int, header: Record | None) -> bool:
    """A record of several lines whose width is not the header's has swallowed its neighbours."""
    if len(feed.taken) == 1 or header is None or number <= header.number:
        return False
    width = len(header.cells)
    return len(cells) < width or any(cells[width:])


def _long_cell(cells: list[str], size: int) -> Problem | None:
    if size <= MAX_CELL or all(len(cell) <= MAX_CELL for cell in cells):
        return None
    return _TOO_LONG
