"""Pictures of the documents: fewer colours, the same picture."""

from __future__ import annotations

import struct
import zlib

import pytest

from tests.browser.picture import chunk, chunks, fewer_colours, rows_of


def png(width: int, rows: list[bytes], kinds: list[int], *, kind: int = 2) -> bytes:
    """A PNG of these rows, each with the filter of its own."""
    step = 3 if kind == 2 else 4
    lines, before = b"", bytes(width * step)
    for row, filter_ in zip(rows, kinds, strict=True):
        lines += bytes([filter_]) + _filtered(filter_, row, before, step)
        before = row
    head = struct.pack(">IIBBBBB", width, len(rows), 8, kind, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def _filtered(kind: int, row: bytes, before: bytes, step: int) -> bytes:
    """Written from the specification, the other way round than the reader."""
    out = bytearray()
    for n, value in enumerate(row):
        a = row[n - step] if n >= step else 0
        b, c = before[n], before[n - step] if n >= step else 0
        p = a + b - c
        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
    return bytes(out)


def shown(picture: bytes) -> list[bytes]:
    """The rows of a picture with a palette, as colours."""
    parts = dict(chunks(picture))
    width = struct.unpack(">I", parts[b"IHDR"][:4])[0]
    palette = [parts[b"PLTE"][n : n + 3] for n in range(0, len(parts[b"PLTE"]), 3)]
    return [b"".join(palette[n] for n in row) for row in rows_of(zlib.decompress(parts[b"IDAT"]), width, 1)]


@pytest.mark.parametrize("kind", range(5))
def test_every_filter_is_undone(kind: int) -> None:
    rows = [bytes((n * 7 + m * 31) % 251 for m in range(15)) for n in range(6)]
    assert shown(fewer_colours(png(5, rows, [kind] * 6))) == rows


def test_colours_beyond_the_palette_become_the_nearest_that_is_frequent() -> None:
    often = [bytes((n, 0, 0)) for n in range(256)]
    rare = bytes((200, 3, 1))
    rows = [b"".join(often) + often[0], b"".join(often) + rare]
    assert shown(fewer_colours(png(257, rows, [1, 4]))) == [rows[0], b"".join(often) + often[200]]


def test_what_is_seen_through_is_left_out() -> None:
    assert shown(fewer_colours(png(2, [bytes((1, 2, 3, 255, 4, 5, 6, 255))], [0], kind=6))) == [
        bytes((1, 2, 3, 4, 5, 6))
    ]


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not a PNG"):
        fewer_colours(b"GIF89a")
