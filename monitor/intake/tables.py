"""What every reader of files hands on: records, tables, a book of them, and a polite refusal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from domain.masking import safe_text
from monitor.intake.values import Cell

__all__ = [
    "HEADER_WITHIN",
    "MAX_BYTES",
    "MAX_CELL",
    "MAX_COLUMNS",
    "MAX_ROWS",
    "NO_HEADER",
    "SEEN",
    "Book",
    "FileRefused",
    "Problem",
    "Record",
    "Table",
]

MAX_BYTES: Final = 50 * 1024 * 1024
MAX_ROWS: Final = 500_000
MAX_COLUMNS: Final = 300
MAX_CELL: Final = 32_767
"""Limits of `facts/import-formats.md` §5."""
SEEN: Final = "看到的列："
"""Before the headings that a refusal tells."""
NO_HEADER: Final = "看到的第一行像是数据，不像表头：请在文件第一行补上列名，再导入一次"
"""What is said in place of headings where there are none."""
HEADER_WITHIN: Final = 20
"""The header is among this many first rows (quirk 15)."""


class FileRefused(Exception):
    """A file that is not read at all. The message names it, says why and what to do next, in Chinese."""

    def __init__(
        self, file: str, reason: str, message: str, columns: Sequence[str] = (), *, stands: int = 0
    ) -> None:
        """`columns`: the headings that were seen, where a mapping by hand would help. `stands`: the rows that were
        kept before the reading broke off."""
        if stands:
            message = f"前面 {stands} 行已经登记，其余没有导入；可把整个文件再导入一次，不会重复登记。原因：{message}"
        super().__init__(f"{'只导入了一部分' if stands else '没有导入'}“{safe_text(file, 80)}”：{message}")
        self.stands = stands
        self.file = file
        self.reason = reason
        self.message = message
        self.columns = tuple(columns)

    @property
    def kept(self) -> str:
        """What may be written down or told to a group: without the cells that were seen, which are a buyer's
        where a file has no header."""
        before, seen, _ = self.message.partition(SEEN)
        return before.rstrip("；") + ("；请在控制台“导入”里为它选列，或改列名" if seen else "")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to tell about a row or a file: a code, the column it is about, and words for people."""

    reason: str
    column: str
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it stands in the file, counted from 1; `fault` when its very shape is broken."""

    number: int
    cells: Sequence[Cell]
    fault: Problem | None = None


class Table(Protocol):
    """One sheet, or the whole of a text file. May be read several times."""

    @property
    def name(self) -> str:
        """The sheet's name; empty for a file that has none."""

    def records(self, header: Record | None = None) -> Iterator[Record]:
        """Every row from the first. `header`, once known, tells how wide the rows after it must be."""


@dataclass(frozen=True, slots=True)
class Book:
    """A file opened: how its bytes were read, its tables, and what the user should know about it."""

    encoding: str
    sha256: str
    tables: tuple[Table, ...]
    notes: tuple[Problem, ...] = ()
