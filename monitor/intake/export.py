"""The rejected rows, handed back as a file that survives Excel (`facts/import-formats.md` §5 and §6).

The original rows with one more column, 错误原因. Put right, the file can be imported as it is.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from monitor.intake.layouts import is_waybill_heading
from monitor.intake.rows import RowVerdict
from monitor.intake.values import Cell, shown
from monitor.intake.verdicts import RowKind

__all__ = ["REASON", "neutral", "write_rejected"]

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
    """Write the rejected ones of `verdicts` to `path`, whole or not at all; returns how many.

    UTF-8 with BOM, CRLF, every field quoted. Without any there is no file, and one from an earlier
    import is removed: it would speak of rows that are right by now.
    """
    rejected = (verdict for verdict in verdicts if verdict.kind is RowKind.REJECTED)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8-sig", errors="replace", newline="") as out:
            count = _write(csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n"), rejected, header)
            out.flush()
            os.fsync(out.fileno())
        if count:
            Path(draft).replace(path)
        else:
            path.unlink(missing_ok=True)
        return count
    finally:
        with suppress(FileNotFoundError):
            Path(draft).unlink()


def _write(out: Writer, rejected: Iterable[RowVerdict], header: Sequence[str]) -> int:
    kept = [at for at, heading in enumerate(header) if heading != REASON]
    names = [header[at] for at in kept]
    waybills = {at for at in kept if is_waybill_heading(header[at])}
    count = 0
    for verdict in rejected:
        if not count:
            out.writerow([neutral(name) for name in (*names, REASON)])
        cells = _aligned(verdict, header)
        row = [_cell(cells[at] if at < len(cells) else "", at in waybills) for at in kept]
        beyond = [neutral(shown(cell)) for cell in cells[len(header) :]]
        out.writerow([*row, neutral(_reasons(verdict)), *beyond])
        count += 1
    return count


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
