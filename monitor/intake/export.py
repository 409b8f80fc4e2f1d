"""The rejected rows, handed back as a file that survives Excel (`facts/import-formats.md` §5 and §6).

The original rows with one more column, 错误原因. Put right, the file can be imported as it is.
"""

from __future__ import annotations

import csv
import fcntl
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol, TextIO

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
    file = RejectedFile(path, header)
    try:
        yield file
        file.publish()
    finally:
        file.close()


class RejectedFile:
    """Rejected rows under the headings of the first sheet, each with its reasons. The first one begins the file."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self.count = 0
        self._path = path
        self._header = header
        self._kept = [at for at, heading in enumerate(header) if heading != REASON]
        self._waybills = {at for at in self._kept if is_waybill_heading(header[at])}
        self._draft: tuple[TextIO, Path] | None = None

    def add(self, verdict: RowVerdict) -> None:
        """Write a row, if it is a rejected one. Raises OSError."""
        if verdict.kind is not RowKind.REJECTED:
            return
        out = self._writer()
        if not self.count:
            out.writerow([neutral(name) for name in (*(self._header[at] for at in self._kept), REASON)])
        cells = _aligned(verdict, self._header)
        row = [_cell(cells[at] if at < len(cells) else "", at in self._waybills) for at in self._kept]
        beyond = [neutral(shown(cell)) for cell in cells[len(self._header) :]]
        out.writerow([*row, neutral(_reasons(verdict)), *beyond])
        self.count += 1

    def publish(self) -> None:
        """Give the file its name."""
        if self._draft is None:
            self._path.unlink(missing_ok=True)
            return
        out, draft = self._draft
        out.flush()
        os.fsync(out.fileno())
        draft.replace(self._path)

    def close(self) -> None:
        """Leave no draft behind."""
        if self._draft is not None:
            out, draft = self._draft
            out.close()
            draft.unlink(missing_ok=True)

    def _writer(self) -> Writer:
        if self._draft is None:
            handle, draft = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            out = os.fdopen(handle, "w", encoding="utf-8-sig", errors="replace", newline="")
            self._draft = out, Path(draft)
            with suppress(OSError):  # a file system without locks
                fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)  # in use: nobody sweeps it away
        return csv.writer(self._draft[0], quoting=csv.QUOTE_ALL, lineterminator="\r\n")


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
