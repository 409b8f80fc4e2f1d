"""HTML tables, which many a back office calls `.xls` (quirk 21).

All rows of all tables are one sheet; the header is found in it as anywhere else. A cell that spans
rows says the same in each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from monitor.intake.tables import MAX_COLUMNS, MAX_ROWS, FileRefused, Record

__all__ = ["WebTable"]

_CHUNK: Final = 1 << 16
_UNFINISHED_LIMIT: Final = 1 << 20


class _Rows(HTMLParser):
    """Collects finished rows; `ready` is emptied by the caller after every chunk."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.ready: list[list[str]] = []
        self._row: list[str] | None = None
        self._cell: list[str] | None = None
        self._spans: tuple[int, int] = (1, 1)
        self._hanging: dict[int, tuple[int, str]] = {}
        """Column → (rows it still covers, words): cells that hang into the row being read."""
        self._below: dict[int, tuple[int, str]] = {}
        """The same for the row after it."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.finish()
            self._row = []
        elif tag in ("td", "th"):
            self._end_cell()
            if self._row is None:
                self._row = []
            named = dict(attrs)
            self._spans = _span(named.get("colspan"), MAX_COLUMNS), _span(named.get("rowspan"), MAX_ROWS)
            self._cell = []
        elif tag == "br" and self._cell is not None:
            self._cell.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._end_cell()
        elif tag in ("tr", "table"):
            self.finish()

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def _end_cell(self) -> None:
        if self._cell is None or self._row is None:
            return
        self._fill()
        words, self._cell = "".join(self._cell).strip(" \r\n"), None
        wide, tall = self._spans
        if len(self._row) > MAX_COLUMNS:
            return
        if tall > 1:
            self._below[len(self._row)] = (tall - 1, words)
        self._row += [words, *[""] * (wide - 1)]

    def finish(self) -> None:
        """The row ends here, whether or not the markup says so."""
        self._end_cell()
        if self._row is None:
            return
        self._fill()
        for place in sorted(self._hanging):
            self._row += [""] * (place - len(self._row))
            self._fill()
        self.ready.append(self._row)
        self._row, self._hanging, self._below = None, self._below, {}

    def _fill(self) -> None:
        """Put in what hangs from the rows above, up to the next free column."""
        while self._row is not None and len(self._row) in self._hanging:
            place = len(self._row)
            left, words = self._hanging.pop(place)
            if left > 1:
                self._below[place] = (left - 1, words)
            self._row.append(words)


def _span(written: str | None, limit: int) -> int:
    return max(1, min(int(written), limit)) if written and written.isdecimal() and len(written) < 7 else 1


@dataclass(frozen=True, slots=True)
class WebTable:
    """The rows of an HTML file's tables, as a stream."""

    path: Path
    encoding: str
    errors: str = "replace"
    name: str = ""

    def records(self, header: Record | None = None) -> Iterator[Record]:
        """Every row. Raises `FileRefused` where the markup cannot be followed."""
        rows = _Rows()
        number = 0
        with self.path.open(encoding=self.encoding, errors=self.errors) as source:
            while chunk := source.read(_CHUNK):
                self._feed(rows, chunk)
                for cells in rows.ready:
                    number += 1
                    yield Record(number, cells)
                rows.ready.clear()
        rows.finish()
        for cells in rows.ready:
            number += 1
            yield Record(number, cells)

    def _feed(self, rows: _Rows, chunk: str) -> None:
        try:
            rows.feed(chunk)
        except (AssertionError, RecursionError):
            raise self._broken() from None
        if len(rows.rawdata) > _UNFINISHED_LIMIT:
            raise self._broken()

    def _broken(self) -> FileRefused:
        return FileRefused(
            self.path.name,
            "broken_html",
            "文件里是网页表格，但内容不完整；请用表格软件打开后另存为 XLSX 再导入",
        )
