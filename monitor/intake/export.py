"""The rejected rows, handed back as a file that survives Excel (`facts/import-formats.md` §5 and §6).

The original rows with one more column, 错误原因. Put right, the file can be imported as it is.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from monitor.intake.layouts import is_waybill_heading
from monitor.intake.rows import RowVerdict
from monitor.intake.values import Cell, shown
from monitor.intake.verdicts import RowKind

__all__ = ["REASON", "RejectedFile", "handing_back", "neutral", "write_rejected"]

REASON: Final = "错误原因"
_DANGEROUS: Final = tuple("=+-@\t\r\n\0＝＋－＠")
_NEGATIVE: Final = re.compile(r"-\d+(?:\.\d+)?")
_HARMLESS: Final = re.compile(r'="[0-9A-Za-z ,;_-]*"|\t+[0-9A-Za-z].*', re.DOTALL)
"""How back offices guard a waybill number; such a cell stays as it is."""


class Writer(Protocol):
    """What `csv.writer` gives."""

    def writerow(self, row: Iterable[str], /) -> object:
        """Write one record."""


def neutral(words: str) -> str:
    """A cell that no spreadsheet takes for a formula: a leading `'` where its start is dangerous."""
    if words.startswith(_DANGEROUS) and not _NEGATIVE.fullmatch(words):
        return f"'{words}"
    return words


def write_rejected(verdicts: Iterable[RowVerdict], header: Sequence[str], path: Path) -> int:
    """Write the rejected ones of `verdicts` to `path`, whole or not at all; returns how many."""
    with handing_back(path, header) as file:
        for verdict in verdicts:
            file.add(verdict)
    return file.count


@contextmanager
def handing_back(path: Path, header: Sequence[str]) -> Iterator[RejectedFile]:
    """A file for rejected rows as they come, at `path` when the block ends well, whole or not at all.

    UTF-8 with BOM, CRLF, every field quoted. Without any there is no file, and one from an earlier
    import is removed: it would speak of rows that are right by now.
    """
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8-sig", errors="replace", newline="") as out:
            file = RejectedFile(csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n"), header)
            yield file
            out.flush()
            os.fsync(out.fileno())
        if file.count:
            Path(draft).replace(path)
        else:
            path.unlink(missing_ok=True)
    finally:
        with suppress(FileNotFoundError):
            Path(draft).unlink()


class RejectedFile:
    """Rejected rows under the headings of the first sheet, each with its reasons."""

    def __init__(self, out: Writer, header: Sequence[str]) -> None:
        self.count = 0
        self._out = out
        self._header = header
        self._kept = [at for at, heading in enumerate(header) if heading != REASON]
        self._waybills = {at for at in self._kept if is_waybill_heading(header[at])}

    def add(self, verdict: RowVerdict) -> None:
        """Write a row, if it is a rejected one."""
        if verdict.kind is not RowKind.REJECTED:
            return
        if not self.count:
            self._out.writerow([neutral(name) for name in (*(self._header[at] for at in self._kept), REASON)])
        cells = _aligned(verdict, self._header)
        row = [_cell(cells[at] if at < len(cells) else "", at in self._waybills) for at in self._kept]
        beyond = [neutral(shown(cell)) for cell in cells[len(self._header) :]]
        self._out.writerow([*row, neutral(_reasons(verdict)), *beyond])
        self.count += 1


def _aligned(verdict: RowVerdict, header: Sequence[str]) -> Sequence[Cell]:
    """The row's cells under the file's header; a row of another sheet is put in order by its headings."""
    if not verdict.header or verdict.header == tuple(header):
        return verdict.raw
    by_heading = dict(zip(verdict.header, verdict.raw, strict=False))
    return [by_heading.get(heading, "") for heading in header]


def _cell(cell: Cell, waybill: bool) -> str:
    words = shown(cell)
    return words if waybill and _HARMLESS.fullmatch(words) else neutral(words)


def _reasons(verdict: RowVerdict) -> str:
    return "；".join(f"{problem.column}：{problem.text}" for problem in verdict.problems)
