"""What one row may hold, and which row is a sum: no parcel is lost to a word, none blocks the others' writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.intake import take as taking
from monitor.intake.frames import MOST, line_of, row_frames
from monitor.intake.objects import read_object
from monitor.intake.rows import RowVerdict, Terms
from monitor.intake.take import take
from monitor.store.database import Database
from tests.intake.conftest import NOW, SHANGHAI, Reader
from tests.intake.test_outside import outside_rows, written

HEAD = "order_no,carrier,waybill_no\n"
GOODS = "商品,订单号,快递公司,运单号,件数\n"
PARCEL = "75812345678901"


def given(**values: Any) -> RowVerdict:
    return read_object(Terms(SHANGHAI, NOW), values, 1)


def numbers(count: int, first: int = 0) -> list[str]:
    return [f"YT26{n:011d}" for n in range(first, first + count)]


# ── sums ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "goods", ["小计算器 学生用", "总计划本 2026", "合计生活馆抱枕", "合计", "小计：", "总计 3件"]
)
def test_a_row_with_an_order_and_its_parcel_is_no_sum_whatever_its_goods(read: Reader, goods: str) -> None:
    got = read(GOODS + f"{goods},O1001,中通,{PARCEL},1\n")
    assert got.parcels() == [("O1001", "zhongtong", PARCEL)]


@pytest.mark.parametrize("goods", ["小计算器 学生用", "总计划本 2026"])
def test_a_damaged_row_of_such_goods_is_told(read: Reader, goods: str) -> None:
    """Were it taken for a sum, nobody would hear that its parcel is not watched."""
    assert read(GOODS + f"{goods},O1001,中通,7.58123E+13,1\n").kinds() == ["rejected"]


@pytest.mark.parametrize(
    "word", ["合计", "合计：", "总计:", "小计", "合 计", "合计：120", "总计 3,400.50元", "合计：12件 340元"]
)
@pytest.mark.parametrize("row", ["{},,,,1", "{},12,,12,1", ",{},,,1", ",,,{},1", "{},,,120.00,", ",{},,12,1"])  # fmt: skip
def test_a_cell_that_says_only_a_sum_makes_its_row_one(read: Reader, word: str, row: str) -> None:
    got = read(GOODS + f"杯子,O1,中通,{PARCEL},1\n" + row.format(f'"{word}"') + "\n")
    assert [(each.kind.value, each.reason) for each in got.rows[1:]] == [("ignored", "total_row")]


def test_an_order_may_be_called_like_a_sum() -> None:
    row = given(order_no="小计-1", carrier="中通", waybill_no=PARCEL)
    assert row.kind == "shipment"
    assert row.order is not None
    assert row.order.order_no == "小计-1"


def test_a_long_cell_of_blanks_after_the_word_costs_nothing(read: Reader) -> None:
    cell = "合计" + " " * 16_000 + "1" * 16_000
    assert read(GOODS + f"{cell},O1001,中通,{PARCEL},1\n").kinds() == ["shipment"]


# ── numbers in one cell ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("count", "kind"), [(50, "shipment"), (51, "rejected"), (1900, "rejected")])
def test_one_cell_holds_fifty_parcels_at_most(read: Reader, count: int, kind: str) -> None:
    """In a file as in what comes over the API; and the row says so."""
    cell = " ".join(numbers(count))
    row = read(HEAD + f"A-1,圆通,{cell}\nA-2,圆通,YT2699999999999\n").rows
    assert [row[0].kind, row[1].kind] == [kind, "shipment"], "its neighbour is not touched"
    over_the_api = given(order_no="A-1", carrier="圆通", waybill_no=cell)
    assert over_the_api.kind == kind
    for each in (row[0], over_the_api):
        if kind == "shipment":
            assert len(each.waybills) == count
        else:
            assert (each.reason, each.problems[0].column) == ("too_many_numbers", "waybill_no")
            assert f"{count} 个号码，最多 50 个" in each.problems[0].text


@pytest.mark.parametrize(("count", "kind"), [(50, "shipment"), (51, "rejected")])
def test_one_cell_holds_fifty_orders_at_most(read: Reader, count: int, kind: str) -> None:
    head = "订单编号,买家会员名,买家应付货款,宝贝标题,订单状态,物流单号,物流公司\n"
    cell = "；".join(f"9100000000000{n:05}" for n in range(count))
    got = read(head + f"{cell},,,,卖家已发货，等待买家确认,YT2600000000001,圆通速递\n")
    assert set(got.kinds()) == {kind}


def test_a_transaction_is_bounded_by_parcels_not_by_rows(
    database: Database, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else writes while a batch is kept."""
    got = read(HEAD + "".join(f"A-{n},圆通,{' '.join(numbers(50, 50 * n))}\n" for n in range(40)))
    kept: list[int] = []
    keep = taking._kept

    def noted(conn: Any, rows: Any, *times: Any) -> Any:
        kept.append(sum(len(row.waybills) for row in rows))
        return keep(conn, rows, *times)

    monkeypatch.setattr(taking, "_kept", noted)
    tally = list(take(database, got.rows, known_at=NOW, now=NOW))[-1]
    assert (tally.rows, tally.counts["accepted"], sum(kept)) == (40, 40, 2000)
    assert max(kept) <= 550


# ── frames ───────────────────────────────────────────────────────────────────────────────────────────


def test_frames_are_bounded_by_what_they_hold(tmp_path: Path, read: Reader) -> None:
    """Rows full of tags, far from rejected: they come over from the child like any others."""
    tags = ";".join(f"标签{n}" for n in range(4_000))
    content = HEAD.strip() + ",tags\n"
    content += "".join(f"A-{n},圆通,YT26{n:011d},{tags}\n" for n in range(100))
    here = read(content).rows
    frames = [line_of(frame) for frame in row_frames(iter(here))]
    assert max(map(len, frames)) < MOST
    assert [row.order for row in outside_rows(written(tmp_path, content))] == [row.order for row in here]


# ── marks nobody sees ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mark", "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_marks_of_direction_go_at_both_ends(read: Reader, mark: str) -> None:
    """Chat programs put them around what is copied out of them."""
    head = ",".join(f"{mark}{name}{mark}" for name in ("订单号", "快递公司", "运单号"))
    cells = ",".join(f"{mark}{cell}{mark}" for cell in ("G1", "圆通", "YT3600000000001"))
    got = read(f"{head}\n{cells}\n")
    assert got.parcels() == [("G1", "yuantong", "YT3600000000001")]
