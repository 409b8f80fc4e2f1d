"""Files that are not read at all: the message names the file, the reason and the way out."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from monitor.intake import workbooks
from monitor.intake.files import FileRefused, read_orders
from monitor.intake.outside import How, opened
from tests.intake.conftest import NOW, SHANGHAI, Reader
from tests.intake.workbook import column, old_workbook, package, sheet, workbook

ROWS = [["order_no", "carrier", "waybill_no"], ["A-1", "圆通", "YT2600000000001"]]
GOOD = workbook(ROWS)


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def refusal(read: Reader, content: bytes | str, name: str = "订单.csv", **how: object) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        read(content, name=name, **how)
    assert name in str(refused.value)
    return refused.value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"\xef\xbb\xbf", "empty", id="only a byte order mark"),
        pytest.param(b"\r\n , \r\n\r\n", "empty", id="only blanks"),
        pytest.param(b"order_no,carrier,waybill_no\r\n", "no_rows", id="only a header"),
        pytest.param(b"order_no,carrier,waybill_no\r\n\r\n,,\r\n", "no_rows", id="a header and blank rows"),
        pytest.param(
            b"order_no,carrier\r\nA-1,yuantong\r\n", "missing_columns", id="a required column missing"
        ),
        pytest.param("甲,乙\r\n1,2\r\n".encode(), "unrecognised", id="headings nobody knows"),
        pytest.param("订单号,收货人\r\n1,2\r\n".encode(), "unrecognised", id="no waybill column"),
        pytest.param(bytes(range(32)) * 40, "not_a_table", id="control characters"),
        pytest.param(b"%PDF-1.7\n" + b"\x00\x01\x02\x03" * 200, "not_a_table", id="a PDF"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" * 100, "not_a_table", id="a picture"),
        pytest.param(b"abc\xff\xfe\xfd,\xfc\xfb\n" * 50, "bad_encoding", id="bytes in no encoding"),
        pytest.param(b"Rar!\x1a\x07\x01\x00" + b"x" * 99, "archive", id="a RAR archive"),
        pytest.param(b"\x1f\x8b\x08\x00" + b"x" * 99, "archive", id="a gzip archive"),
        pytest.param(zipped({"orders.csv": b"a,b"}), "archive", id="a ZIP of tables"),
        pytest.param(zipped({}), "archive", id="an empty ZIP"),
        pytest.param(b"PK\x03\x04" + b"x" * 99, "damaged", id="a ZIP cut off"),
        pytest.param(GOOD[:-30], "damaged", id="a workbook cut off"),
        pytest.param(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "damaged", id="an XLS cut off"),
        pytest.param(old_workbook(ROWS)[:1400], "damaged", id="an XLS that makes its reader panic"),
        pytest.param(b'<?xml version="1.0"?><Workbook/>', "xml", id="an XML spreadsheet"),
        pytest.param(b"<html><body>login</body></html>", "empty", id="a page without a table"),
        pytest.param(b"<table><tr><td>a<![bad[x", "broken_html", id="broken markup"),
    ],
)
def test_what_is_no_order_file(read: Reader, content: bytes, reason: str) -> None:
    assert refusal(read, content).reason == reason


def test_a_missing_column_is_named(read: Reader) -> None:
    text = str(refusal(read, "order_no,carrier,备注\r\nA-1,圆通,\r\n"))
    assert "waybill_no" in text
    assert "备注" in text, "and the columns that are there are shown"


@pytest.mark.parametrize(
    "first",
    ["王小明,杭州,中通", "王小明,13800001234", "Wang,Hangzhou", "王小明"],
)
def test_a_first_row_of_names_alone_is_nobodys_header(read: Reader, first: str) -> None:
    """Figures stand nowhere under a cell without any: nothing of it is told, in whatever words."""
    told = refusal(read, f"{first}\n{first}\n")
    assert told.columns == ()
    assert "像是数据" in told.message
    assert not any(cell in str(told) for cell in first.split(","))


@pytest.mark.parametrize("under", ["YT8812345678901", 8812345678901])
def test_headings_nobody_knows_are_told_from_data_by_the_figures_under_them(read: Reader, under: Any) -> None:
    told = refusal(read, workbook([["单", "谁送", "号"], ["甲", "圆通", under]]), "账.xlsx")
    assert told.columns == ("单", "谁送", "号")


def test_a_header_too_long_has_its_own_reason(tmp_path: Path) -> None:
    """More than a frame of the child's holds: said by the child, and not taken for its crash."""
    long = workbook([["运单号", *["列" * 20_000] * 40], ["YT1234567", *["x"] * 40]])
    (tmp_path / "长.xlsx").write_bytes(long)
    (tmp_path / "长.csv").write_text("运单号," + "列" * 220_000 + "\nYT1234567,x\n", "utf-8")
    (tmp_path / "更长.csv").write_text("运单号," + ("列" * 100 + ",") * 20_000 + "\nYT1234567,x\n", "utf-8")
    for name in ("长.xlsx", "长.csv", "更长.csv"):
        with (
            pytest.raises(FileRefused) as told,
            opened(tmp_path / name, How(), zone=SHANGHAI, now=NOW) as file,
        ):
            list(file.rows)
        assert told.value.reason == "header_too_long"
        assert "简短的列名" in told.value.message


def test_the_columns_seen_are_shown_without_phones(read: Reader) -> None:
    text = str(refusal(read, "客户,电话\r\n张三,13812345678\r\n"))
    assert "客户、电话" in text
    assert "13812345678" not in str(refusal(read, "13812345678,李四\r\n1,2\r\n"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "没有.csv", tmp_path):
        with pytest.raises(FileRefused, match="打不开"):
            read_orders(path, zone=SHANGHAI, now=NOW)


# --- limits ----------------------------------------------------------------------------------------------


def test_more_than_50_mb(tmp_path: Path) -> None:
    path = tmp_path / "订单.csv"
    with path.open("wb") as out:
        out.write(b"order_no,carrier,waybill_no\r\n")
        out.truncate(50 * 1024 * 1024 + 1)
    with pytest.raises(FileRefused, match="50 MB"):
        read_orders(path, zone=SHANGHAI, now=NOW)


def test_more_than_500_000_rows(read: Reader) -> None:
    header = "order_no,carrier,waybill_no\n"
    assert refusal(read, header + "A,B,C\n" * 500_001).reason == "too_many_rows"


def test_lines_inside_cells_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "订单.csv"
    path.write_text("order_no,carrier,waybill_no,备注\n" + 'A,圆通,YT1,"a\n\n\n"\n' * 130_000, "utf-8")
    assert next(read_orders(path, zone=SHANGHAI, now=NOW).rows).kind == "shipment"


def test_300_columns_are_the_limit(read: Reader) -> None:
    extra = [f"备用{n}" for n in range(298)]
    header = ["order_no", "carrier", "waybill_no", *extra]
    row = ["A-1", "圆通", "YT2600000000001"]
    fits = ",".join(header[:300]) + "\n" + ",".join(row) + "\n"
    assert read(fits).kinds() == ["shipment"]
    assert refusal(read, ",".join(header) + "\n" + ",".join(row) + "\n").reason == "too_many_columns"
    assert refusal(read, workbook([header, row]), name="a.xlsx").reason == "too_many_columns"


@pytest.mark.parametrize(
    ("place", "reason"),
    [("XFD1048576", "too_many_columns"), ("A1048576", "too_many_rows"), ("KO9", "too_many_columns")],
)
def test_one_cell_far_out_does_not_reserve_all_before_it(read: Reader, place: str, reason: str) -> None:
    """Opened as it is, the first of these asks for more than 400 GB."""
    row = "".join(filter(str.isdigit, place))
    far = sheet(ROWS).replace("</sheetData>", f'<row r="{row}"><c r="{place}"><v>1</v></c></row></sheetData>')
    assert refusal(read, package({"Sheet1": far}), name="a.xlsx").reason == reason


def test_formats_without_a_value_far_out_do_no_harm(read: Reader) -> None:
    """Formatting whole columns leaves empty cells down to the last row."""
    far = sheet(ROWS).replace("</sheetData>", '<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>')
    assert read(package({"Sheet1": far}), name="a.xlsx").kinds() == ["shipment"]


def test_a_long_sheet_within_the_limit_is_read(read: Reader) -> None:
    row = "".join(
        f'<c r="{at}200000" t="str"><v>{cell}</v></c>'
        for at, cell in zip("ABC", ("A-2", "圆通", "YT2"), strict=True)
    )
    long = sheet(ROWS).replace("</sheetData>", f'<row r="200000">{row}</row></sheetData>')
    got = read(package({"Sheet1": long}), name="a.xlsx")
    assert [row.line for row in got.rows] == [2, 200_000]


def test_columns_are_named_as_a_spreadsheet_does() -> None:
    assert [column(place) for place in (0, 25, 26, 299, 300, 16383)] == ["A", "Z", "AA", "KN", "KO", "XFD"]


def test_an_archive_that_unpacks_to_too_much(read: Reader) -> None:
    bomb = package({"Sheet1": sheet(ROWS)}, more={"xl/media/a.xml": bytes(11 * 1024 * 1024)})
    assert len(bomb) < 100_000
    assert refusal(read, bomb, name="a.xlsx").reason == "too_large_unpacked"


def test_an_archive_within_the_ratio_but_over_the_sum(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_UNPACKED", 2_000)
    assert refusal(read, GOOD, name="a.xlsx").reason == "too_large_unpacked"


def test_an_archive_of_too_many_members(read: Reader) -> None:
    many = package({"Sheet1": sheet(ROWS)}, more={f"xl/media/{n}.xml": b"" for n in range(2_000)})
    assert refusal(read, many, name="a.xlsx").reason == "too_large_unpacked"


def test_an_archive_whose_directory_is_too_large(read: Reader) -> None:
    """Only the last record says so; the members are never listed."""
    lying = bytearray(GOOD)
    end = lying.rfind(b"PK\x05\x06")
    struct.pack_into("<I", lying, end + 12, 3 * 1024 * 1024)
    assert refusal(read, bytes(lying), name="a.xlsx").reason == "too_large_unpacked"


def test_an_archive_that_lies_about_its_sizes(read: Reader) -> None:
    """The directory says 10 bytes, the sheet is longer."""
    lying = bytearray(GOOD)
    name = b"xl/worksheets/sheet1.xml"
    entry = lying.rfind(name) - 46
    assert lying[entry : entry + 4] == b"PK\x01\x02"
    struct.pack_into("<I", lying, entry + 24, 10)
    assert refusal(read, bytes(lying), name="a.xlsx").reason == "damaged"


def test_an_archive_in_a_workbook(read: Reader) -> None:
    nested = package({"Sheet1": sheet(ROWS)}, more={"xl/embeddings/inner.xlsx": GOOD})
    assert refusal(read, nested, name="a.xlsx").reason == "nested_archive"


def test_quotes_that_never_close_cannot_make_reading_slow(tmp_path: Path) -> None:
    """Every line opens a quote that the next one keeps open.

    No record grows past a quarter of a million characters, so that reading goes on behind it, and
    what is read again is bounded, so that it comes to an end.
    """
    path = tmp_path / "订单.csv"
    path.write_text("order_no,carrier,waybill_no\n" + 'x""","\n' * 120_000, "utf-8")
    rows, lines = read_orders(path, zone=SHANGHAI, now=NOW).rows, []
    with pytest.raises(FileRefused, match="引号") as refused:
        lines.extend(row.line for row in rows)
    assert refused.value.reason == "unclosed_quote"
    assert lines == list(range(2, len(lines) + 2))
    assert len(lines) > 200


def test_quotes_that_close_a_line_later_cannot_make_reading_slow(read: Reader) -> None:
    got = read("order_no,carrier,waybill_no\n" + 'x,"\n' * 50_000)
    assert [row.line for row in got.rows] == list(range(2, 50_002))
    assert set(got.kinds()) == {"rejected"}


def test_html_without_an_end_is_not_searched_forever(read: Reader) -> None:
    assert refusal(read, "<table><tr><td>order_no<!--" + "x" * 3_000_000).reason == "broken_html"
