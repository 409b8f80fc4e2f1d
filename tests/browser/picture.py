"""A PNG of few colours: a page has few, and a picture of it is then a third as long.

Reads what Chromium writes (8 bits a channel, not interlaced) and writes a palette of 256: the colours that fill the
most of the picture, every other one as the nearest of them.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice

_HEAD = b"\x89PNG\r\n\x1a\n"


def fewer_colours(png: bytes) -> bytes:
    """The same picture with at most 256 colours. Raises ValueError for another kind of PNG."""
    given = list(chunks(png))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", given[0][1])
    if (depth, interlaced) != (8, 0) or kind not in (2, 6):
        raise ValueError("not a PNG as Chromium writes it")
    step = 3 if kind == 2 else 4
    packed = b"".join(data for name, data in given if name == b"IDAT")
    rows = list(rows_of(zlib.decompress(packed), width * step, step))
    pixels = [[row[n : n + 3] for n in range(0, len(row), step)] for row in rows]
    palette, index = _palette(Counter(pixel for row in pixels for pixel in row))
    lines = b"".join(b"\0" + bytes(index[pixel] for pixel in row) for row in pixels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    ]
    return _HEAD + b"".join(chunk(name, data) for name, data in parts)


def _palette(counts: Counter[bytes]) -> tuple[list[bytes], dict[bytes, int]]:
    """The colours that are kept, and which of them stands for each."""
    kept = [colour for colour, _ in counts.most_common(256)]
    index = {colour: n for n, colour in enumerate(kept)}
    for r, g, b in islice((colour for colour, _ in counts.most_common()), 256, None):
        near = min(kept, key=lambda each: (each[0] - r) ** 2 + (each[1] - g) ** 2 + (each[2] - b) ** 2)
        index[bytes((r, g, b))] = index[near]
    return kept, index


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not png.startswith(_HEAD):
        raise ValueError("not a PNG")
    at = len(_HEAD)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def rows_of(data: bytes, length: int, step: int) -> Iterator[bytes]:
    """Lines with their filters undone (PNG specification, 9.2)."""
    before = bytearray(length)
    for at in range(0, len(data), length + 1):
        row = bytearray(data[at + 1 : at + 1 + length])
        _undo(data[at], row, before, step)
        yield bytes(row)
        before = row


def _undo(kind: int, row: bytearray, before: bytearray, step: int) -> None:
    if kind == 2:
        row[:] = bytes((a + b) & 255 for a, b in zip(row, before, strict=True))
        return
    for n in range(len(row) if kind else 0):
        left = row[n - step] if n >= step else 0
        up = before[n]
        corner = before[n - step] if n >= step else 0
        guess = (left, up, (left + up) // 2, _paeth(left, up, corner))[(1, 2, 3, 4).index(kind)]
        row[n] = (row[n] + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    distances = abs(guess - left), abs(guess - up), abs(guess - corner)
    if distances[0] <= distances[1] and distances[0] <= distances[2]:
        return left
    return up if distances[1] <= distances[2] else corner
