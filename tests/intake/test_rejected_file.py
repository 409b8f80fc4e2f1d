"""The rejected rows come back as a file that survives Excel and can be imported once put right (§5, §6)."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from monitor.intake.export import neutral, write_rejected
from monitor.intake.verdicts import RowKind, RowVerdict
from tests.intake.conftest import Reader
from tests.intake.workbook import package, sheet, workbook

HEADER = "order_no,carrier,waybill_no,备注"


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def handed_back(
    read: Reader, tmp_path: Path, content: str | bytes, name: str = "orders.csv"
) -> list[list[str]]:
    got = read(content, name=name)
    path = tmp_path / "orders.rejected.csv"
    count = write_rejected(got.rows, got.file.header, path)
    assert count == sum(row.kind is RowKind.REJECTED for row in got.rows)
    return rows_of(path)


def test_the_original_row_and_why(read: Reader, tmp_path: Path) -> None:
    text = f'{HEADER}\nA-1,圆通,YT2600000000001,好\nA-2,圆同,YT2600000000002,"两行\n备注"\n'
    header, row = handed_back(read, tmp_path, text)
    assert header == ["order_no", "carrier", "waybill_no", "备注", "错误原因"]
    assert row[:4] == ["A-2", "圆同", "YT2600000000002", "两行\n备注"]
    assert row[4].startswith("carrier：认不出快递公司“圆同”")


def test_the_bytes_are_those_excel_reads(read: Reader, tmp_path: Path) -> None:
    handed_back(read, tmp_path, f"{HEADER}\nA-2,圆同,YT2600000000002,\n")
    raw = (tmp_path / "orders.rejected.csv").read_bytes()
    assert raw.startswith(b'\xef\xbb\xbf"order_no",')
    assert raw.endswith(b'"\r\n')
    assert raw.count(b"\r\n") == 2
    assert '"A-2","圆同","YT2600000000002","","carrier'.encode() in raw


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠"])
def test_nothing_comes_out_as_a_formula(start: str) -> None:
    assert neutral(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"


@pytest.mark.parametrize("plain", ["-5", "-12.50", "圆通", "'=1", ""])
def test_what_is_no_formula_stays(plain: str) -> None:
    assert neutral(plain) == plain


@pytest.mark.parametrize(
    "number", ["YT2600000000001", '="YT2600000000001"', "\tYT2600000000001", "00123", "7.7E+13"]
)
def test_waybill_columns_are_not_altered(read: Reader, tmp_path: Path, number: str) -> None:
    quoted = number.replace('"', '""')
    _, row = handed_back(read, tmp_path, f'{HEADER}\nA-2,圆同,"{quoted}",=1+1\n')
    assert row[2] == number
    assert row[3] == "'=1+1"


def test_a_formula_in_a_waybill_column_is_still_none(read: Reader, tmp_path: Path) -> None:
    _, row = handed_back(read, tmp_path, f'{HEADER}\nA-2,圆通,"=HYPERLINK(""http://x.invalid"")",\n')
    assert row[2].startswith("'=")
    _, row = handed_back(read, tmp_path, f'{HEADER}\nA-2,圆通,"=""1""&cmd|x",\n')
    assert row[2].startswith("'=")


def test_a_row_that_was_put_right_is_imported(read: Reader, tmp_path: Path) -> None:
    """And the reason's column does not pile up when a row is rejected again."""
    first = handed_back(read, tmp_path, f'{HEADER}\n="A-2",圆同,\'YT2600000000002,=1\n')
    content = (tmp_path / "orders.rejected.csv").read_bytes()
    assert read(content.replace("圆同".encode(), "圆通".encode(), 1)).parcels() == [
        ("A-2", "yuantong", "YT2600000000002")
    ]
    again = handed_back(read, tmp_path, content)
    assert again[0] == first[0]
    assert again[1][1:3] == first[1][1:3]


def test_a_number_a_workbook_has_rounded_stays_visibly_damaged(read: Reader, tmp_path: Path) -> None:
    rows = [["order_no", "carrier", "waybill_no"], ["A-1", "中通", 1234567890123456789]]
    _, row = handed_back(read, tmp_path, workbook(rows), name="a.xlsx")
    assert row[2] == "1.23456789012346E+18"
    assert read((tmp_path / "orders.rejected.csv").read_bytes()).rows[0].reason == "number_damaged"


def test_cells_beyond_the_header_are_handed_back_too(read: Reader, tmp_path: Path) -> None:
    _, row = handed_back(read, tmp_path, f"{HEADER}\nA-1,圆通,YT2600000000001,好,多,=出\n")
    assert row[:4] == ["A-1", "圆通", "YT2600000000001", "好"]
    assert row[5:] == ["多", "'=出"]


def test_rows_of_another_sheet_are_put_under_their_headings(read: Reader, tmp_path: Path) -> None:
    one = sheet([["order_no", "carrier", "waybill_no"], ["A-1", "圆同", "YT2600000000001"]])
    two = sheet([["waybill_no", "order_no", "carrier", "x"], ["YT2600000000002", "A-2", "圆同", "y"]])
    _, first, second = handed_back(read, tmp_path, package({"一": one, "二": two}), name="a.xlsx")
    assert first[:3] == ["A-1", "圆同", "YT2600000000001"]
    assert second[:3] == ["A-2", "圆同", "YT2600000000002"]


def test_bytes_that_did_not_decode_can_be_written(read: Reader, tmp_path: Path) -> None:
    bad = b"order_no,carrier,waybill_no\n" + "A-1,圆通,YT2600000000001\n".encode() + b"A-\xff,x,YT2\n"
    got = read(bad)
    assert write_rejected(got.rows, got.file.header, tmp_path / "r.csv") == 1
    assert rows_of(tmp_path / "r.csv")[1][0] == "A-?"


def test_without_rejected_rows_there_is_no_file(read: Reader, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("from an earlier import")
    got = read(f"{HEADER}\nA-1,圆通,YT2600000000001,\n")
    assert write_rejected(got.rows, got.file.header, path) == 0
    assert not path.exists()


def test_it_is_written_whole_or_not_at_all(read: Reader, tmp_path: Path) -> None:
    got = read(f"{HEADER}\nA-1,圆同,YT2600000000001,\n")
    path = tmp_path / "r.csv"
    path.write_text("before")

    def failing() -> object:
        yield got.rows[0]
        raise RuntimeError("the store went away")

    verdicts: list[RowVerdict] = failing()  # type: ignore[assignment]
    with pytest.raises(RuntimeError):
        write_rejected(verdicts, got.file.header, path)
    assert path.read_text() == "before"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["orders.csv", "r.csv"]
