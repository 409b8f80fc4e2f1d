"""Phones, names and invisible characters in cells where a number or a name is expected; times in file names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.intake.export import REASON, handing_back
from monitor.intake.file_names import exported_at
from monitor.intake.inbox_files import sweep_drafts
from monitor.intake.tables import FileRefused
from monitor.intake.values import Unfit, harmless, order_no
from monitor.intake.verdicts import RowKind, RowVerdict
from monitor.intake.waybills import carrier_by_shape
from tests.intake.conftest import SHANGHAI, Reader

PHONE = "13812345678"


@pytest.mark.parametrize("number", [PHONE, "02112345678", "057112345678", "138-1234-5678"])
def test_a_phone_is_no_waybill_of_an_unnamed_carrier(read: Reader, number: str) -> None:
    got = read(f"order_no,waybill_no\nA-1,{number}\nA-2,75812345678901\n")
    assert got.reasons() == [(2, "phone_number", "waybill_no")]
    assert got.parcels() == [("A-2", "auto", "75812345678901")]
    assert "像电话号码" in got.rows[0].problems[0].text
    assert number not in got.rows[0].problems[0].text


@pytest.mark.parametrize("number", ["75" + PHONE, PHONE + "90", "861381234567800"])
def test_a_longer_number_that_holds_a_phones_digits_is_a_waybill(number: str) -> None:
    assert carrier_by_shape(number) == "auto"


def test_with_a_carrier_named_eleven_digits_may_be_a_waybill(read: Reader) -> None:
    got = read(f"order_no,carrier,waybill_no\nA-1,中通,{PHONE}\n")
    assert got.parcels() == [("A-1", "zhongtong", PHONE)]


@pytest.mark.parametrize(
    "words", [f"张三丰 {PHONE}", f"Zhang {PHONE}", "王 021-12345678", "１３８１２３４５６７８"]
)
def test_words_with_a_phone_are_no_order_number_and_are_not_repeated(read: Reader, words: str) -> None:
    got = read(f"order_no,carrier,waybill_no\n{words},圆通,YT2600000000001\n")
    assert got.reasons() == [(2, "phone_number", "order_no")]
    assert words not in got.rows[0].problems[0].text
    with pytest.raises(Unfit):
        order_no(words)


@pytest.mark.parametrize("number", [PHONE, f"SO-{PHONE}", "P-20261118-77", "260718-123456789012345"])
def test_other_order_numbers_stay_as_they_are(number: str) -> None:
    assert order_no(number) == (number, False)


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("店138\u200b1234\u200b5678", "店138******78"),
        ("\x1b[31m红", "[31m红"),
        ("\u202e甲店", "甲店"),
        ("甲\n店", "甲 店"),
    ],
)
@pytest.mark.parametrize("column", ["shop", "warehouse", "goods_type", "merchant", "platform"])
def test_names_are_kept_visible_and_without_phones(read: Reader, column: str, cell: str, kept: str) -> None:
    got = read(f'order_no,carrier,waybill_no,{column}\nA-1,圆通,YT2600000000001,"{cell}"\n')
    [row] = got.rows
    assert row.order is not None
    assert getattr(row.order, column) == kept == harmless(cell)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("订单_2026-09-01_00-00-00至2026-09-10_11-00-00.csv", datetime(2026, 9, 10, 3, tzinfo=UTC)),
        ("订单_2026-09-01_00-00-00至2036-09-10_11-00-00.csv", datetime(2026, 8, 31, 16, tzinfo=UTC)),
        ("订单_2036-09-01_00-00-00.csv", None),
    ],
)
def test_of_a_span_in_the_name_the_latest_moment_that_has_been_counts(name: str, at: datetime | None) -> None:
    assert exported_at(name, SHANGHAI, datetime(2026, 9, 12, tzinfo=UTC)) == at


def test_an_address_is_not_told_as_a_heading(read: Reader) -> None:
    with pytest.raises(FileRefused) as refused:
        read("张三丰,北京市朝阳区幸福里,快递\n李四,上海市浦东新区世纪大道100号,75812345678901\n")
    assert refused.value.columns == ()
    assert "张三丰" not in str(refused.value)


def test_drafts_of_a_killed_import_are_swept_and_those_being_written_are_not(tmp_path: Path) -> None:
    (tmp_path / ".a.csv.rejected.csv.x1y2").write_text("half")
    (tmp_path / "b.csv.rejected.csv").write_text("whole")
    row = RowVerdict(2, RowKind.REJECTED, raw=("A-1",), header=("order_no",))
    with handing_back(tmp_path / "c.csv.rejected.csv", ["order_no"]) as file:
        file.add(row)
        sweep_drafts(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b.csv.rejected.csv", "c.csv.rejected.csv"]
    assert REASON in (tmp_path / "c.csv.rejected.csv").read_text("utf-8-sig")
