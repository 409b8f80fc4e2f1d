"""Minimal workbooks written by hand: what a test puts in a cell is what stands in the file."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from msoffcrypto.format.ooxml import OOXMLFile

Value = str | int | float | datetime | None

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy-mm-dd hh:mm:ss"/></numFmts>'
    "<fonts count='1'><font/></fonts><fills count='1'><fill/></fills><borders count='1'><border/></borders>"
    "<cellStyleXfs count='1'><xf/></cellStyleXfs>"
    "<cellXfs count='2'><xf/><xf numFmtId='164' applyNumberFormat='1'/></cellXfs>"
)


def column(place: int) -> str:
    """0 → A, 26 → AA."""
    letters = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def serial(moment: datetime) -> float:
    """A workbook's day number of a wall clock."""
    return (moment - datetime(1899, 12, 30)).total_seconds() / 86400  # noqa: DTZ001 - day numbers have no zone


def _cell(row: int, place: int, value: Value) -> str:
    where = f'r="{column(place)}{row}"'
    if value is None:
        return ""
    if isinstance(value, str):
        return f'<c {where} t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    if isinstance(value, datetime):
        return f'<c {where} s="1"><v>{serial(value)!r}</v></c>'
    return f"<c {where}><v>{value!r}</v></c>"


def sheet(
    rows: Sequence[Sequence[Value]], *, dimension: str = "", merged: Sequence[str] = (), extra: str = ""
) -> str:
    """A worksheet's XML. `extra` goes behind the data as it is."""
    lines = "".join(
        f'<row r="{number}">{"".join(_cell(number, at, value) for at, value in enumerate(row))}</row>'
        for number, row in enumerate(rows, 1)
    )
    size = f'<dimension ref="{dimension}"/>' if dimension else ""
    merges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    merges = f'<mergeCells count="{len(merged)}">{merges}</mergeCells>' if merges else ""
    return (
        f'{_HEAD}<worksheet xmlns="{_MAIN}">{size}<sheetData>{lines}</sheetData>{extra}{merges}</worksheet>'
    )


def package(
    sheets: Mapping[str, str], *, hidden: Sequence[str] = (), more: Mapping[str, bytes] | None = None
) -> bytes:
    """An XLSX from ready worksheet XML; `more` are further members."""
    names = list(sheets)
    numbers = range(1, len(names) + 1)
    parts = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_SHEET}.worksheet+xml"/>'
        for n in numbers
    )
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"{" state=" + chr(34) + "hidden" + chr(34) if name in hidden else ""}/>'
        for n, name in enumerate(names, 1)
    )
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    members = {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_SHEET}.styles+xml"/>{parts}</Types>',
        "_rels/.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{links}'
        f'<Relationship Id="rIdS" Type="{_RELS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'{_HEAD}<styleSheet xmlns="{_MAIN}">{_STYLES}</styleSheet>',
    }
    members |= {f"xl/worksheets/sheet{n}.xml": sheets[name] for n, name in enumerate(names, 1)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in {**members, **(more or {})}.items():
            archive.writestr(name, body)
    return out.getvalue()


def workbook(rows: Sequence[Sequence[Value]], name: str = "Sheet1", **how: object) -> bytes:
    """An XLSX with one sheet; `how` is what `sheet` takes."""
    return package({name: sheet(rows, **how)})  # type: ignore[arg-type]


def locked_workbook(rows: Sequence[Sequence[Value]], password: str) -> bytes:
    """An XLSX behind a password (ECMA-376 agile encryption). Incompressible bytes keep it above what the writer can do."""
    filler = {"docProps/filler.bin": random.Random(1).randbytes(6000)}
    out = io.BytesIO()
    OOXMLFile(io.BytesIO(package({"Sheet1": sheet(rows)}, more=filler))).encrypt(password, out)
    return out.getvalue()


def old_workbook(rows: Sequence[Sequence[Value]], name: str = "Sheet1", *, locked: bool = False) -> bytes:
    """An XLS (BIFF8 in an OLE container) with one sheet of texts and numbers ([MS-XLS], [MS-CFB]).

    `locked`: it says that it is behind a password, by RC4 (FilePass, §2.4.117).
    """
    title = name.encode("utf-16-le")
    before = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    before += _record(0x002F, struct.pack("<HHH", 1, 1, 1) + bytes(48)) if locked else b""
    listed = struct.pack("<BBBB", 0, 0, len(name), 1) + title
    start = len(before) + 4 + 4 + len(listed) + 4
    globals_ = before + _record(0x0085, struct.pack("<I", start) + listed) + _record(0x000A, b"")
    cells = b"".join(
        _old_cell(row, place, value) for row, line in enumerate(rows) for place, value in enumerate(line)
    )
    size = _record(0x0200, struct.pack("<IIHHH", 0, len(rows), 0, max(map(len, rows)), 0))
    body = (
        _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
        + size
        + cells
        + _record(0x000A, b"")
    )
    return _container((globals_ + body).ljust(4096, b"\0"))


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _old_cell(row: int, place: int, value: Value) -> bytes:
    if isinstance(value, str):
        text = value.encode("utf-16-le")
        return _record(0x0204, struct.pack("<HHHHB", row, place, 0, len(text) // 2, 1) + text)
    if isinstance(value, int | float):
        return _record(0x0203, struct.pack("<HHHd", row, place, 0, value))
    return b""


def letter() -> bytes:
    """An OLE container that is no workbook."""
    return _container(bytes(4096), "WordDocument")


def _container(stream: bytes, name: str = "Workbook") -> bytes:
    """An OLE container holding `stream` (4,096 bytes or more) under that name."""
    stream = stream.ljust(-(-len(stream) // 512) * 512, b"\0")
    sectors = len(stream) // 512
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, sectors + 2), 0xFFFFFFFE]
    table = struct.pack(f"<{len(chain)}I", *chain).ljust(512, b"\xff")
    head = (
        bytes.fromhex("d0cf11e0a1b11ae1")
        + bytes(16)
        + struct.pack(
            "<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0
        )
    )
    head += struct.pack("<I", 0)
    entries = _entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + _entry(name, 2, 0xFFFFFFFF, 2, len(stream))
    return head.ljust(512, b"\xff") + table + entries.ljust(512, b"\0") + stream


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    title = name.encode("utf-16-le") + b"\0\0"
    head = title.ljust(64, b"\0") + struct.pack("<HBBIII", len(title), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
    return head.ljust(116, b"\0") + struct.pack("<IQ", start, size)
