"""What a look over the bytes of a CSV file tells: its encoding, its lines, and whether every line is one record.

The fast reader may only have files of which the last is proven, for it swallows rows where a quote stands oddly and
cuts off cells a heading is missing for. Everything else is for the careful one.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np

__all__ = ["Look", "look"]

_BYTES: Final = 1 << 22
_LINE: Final = 1 << 24
"""No line of a table is longer."""


@dataclass(frozen=True, slots=True)
class Look:
    """`encoding` is how most of the file reads: UTF-8, else GB18030."""

    encoding: str
    lines: int
    plain: bool
    """Every line is a record of its own, all of it decodes, and no row has more cells than the heading."""


def look(path: Path, delimiter: str, width: int) -> Look:
    """Raises OSError."""
    marked, lines, plain, utf8 = False, 0, True, True
    for block in _blocks(path):
        marked = marked or (not lines and block.startswith(codecs.BOM_UTF8))
        lines += block.count(b"\n") + (not block.endswith(b"\n"))
        utf8 = utf8 and _decodes(block, "utf-8")
        plain = plain and _one_a_line(block, delimiter, width)
    if utf8:
        return Look("utf-8-sig" if marked else "utf-8", lines, plain)
    encoding, whole = ("utf-8-sig", False) if marked else _mostly(path)
    # `|` is also the second half of some characters of GB18030
    return Look(encoding, lines, plain and whole and delimiter != "|")


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in pieces that end with a line."""
    with path.open("rb") as source:
        while block := source.read(_BYTES):
            yield block + (b"" if block.endswith(b"\n") else source.readline(_LINE))


def _decodes(block: bytes, encoding: str) -> bool:
    if block.isascii():
        return True
    try:
        block.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _mostly(path: Path) -> tuple[str, bool]:
    """How most lines that say anything read, and whether all do."""
    counts = {"utf-8": 0, "gb18030": 0}
    told = 0
    for line in chain.from_iterable(block.splitlines() for block in _blocks(path)):
        if not line.isascii():
            told += 1
            for encoding in counts:
                counts[encoding] += _decodes(line, encoding)
    encoding = "utf-8" if counts["utf-8"] * 2 > told else "gb18030"
    return encoding, counts[encoding] == told


def _one_a_line(block: bytes, delimiter: str, width: int) -> bool:
    if b"\0" in block or block.count(b"\r") != block.count(b"\r\n"):
        return False
    if b'"' in block:
        mark = re.escape(delimiter.encode())
        quoted = rb'(^|%b)"[^"\n]*(?:""[^"\n]*)*"(?=%b|\r?$)' % (mark, mark)
        block = re.sub(quoted, rb"\1", block, flags=re.MULTILINE)
        if b'"' in block:
            return False
    marks = np.frombuffer(block if block.endswith(b"\n") else block + b"\n", np.uint8)
    cuts, ends = np.flatnonzero(marks == ord(delimiter)), np.flatnonzero(marks == ord("\n"))
    return bool(np.diff(np.searchsorted(cuts, ends), prepend=0).max() < width)
