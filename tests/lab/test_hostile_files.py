"""Files as hostile as they come: no row may vanish without a word, and nothing ends in a traceback."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from monitor.intake.tables import FileRefused
from monitor.lab.orders import read_orders
from monitor.lab.tables import LINE, open_text
from monitor.lab.telling import Telling
from tests.lab.test_files import (
    EVENTS,
    GOOD,
    NOW,
    ORDERS,
    PICKED,
    SHANGHAI,
    events_of,
    history_of,
    orders_of,
)

WIDE = "order_no,platform,shop,carrier,waybill_no,paid_at,amount,receiver_province\n"
INCHES = (
    'O1,taobao_tmall,5"屏,yunda,432104942859575,2026-10-04 14:07:36,194.2,"湖北\n'
    'O2,taobao_tmall,5"屏,yunda,432104942859576,2026-10-04 14:07:36,194.2,湖北"\n'
    'O3,taobao_tmall,5"x,yunda,432104942859577,2026-10-04 14:07:36,1,{}\n'
    "O4,taobao_tmall,x,yunda,432104942859578,2026-10-04 14:07:36,1,湖北\n"
)


@pytest.mark.parametrize("last", ['y"z', "湖北", '"湖北'], ids=["closed later", "never closed", "open again"])
def test_odd_quotes_in_even_number_swallow_no_order(tmp_path: Path, last: str) -> None:
    telling = Telling()
    orders = orders_of(tmp_path, WIDE + INCHES.format(last), telling)
    told = {row.line for row in telling.rows}
    taken = set(orders[LINE])
    assert taken | told == {2, 3, 4, 5}
    assert not taken & told
    assert {3, 5} <= taken
    assert 2 in told


def test_odd_quotes_in_even_number_swallow_no_scan(tmp_path: Path) -> None:
    telling = Telling()
    rows = '中通,Z1,2026-11-01 12:00:00,5"屏,"\n' + PICKED + '中通,Z1,2026-11-02 12:00:00,5"x,y"z\n'
    events = events_of(tmp_path, EVENTS + rows + "中通,Z1,2026-11-03 12:00:00,离开杭州,\n", telling)
    assert {*events[LINE], *(row.line for row in telling.rows)} == {2, 3, 4, 5}
    assert {3, 5} <= {*events[LINE]}


@pytest.mark.parametrize("extra", [1, 90])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("quoted", [True, False])
def test_no_cell_is_cut_off(tmp_path: Path, extra: int, first: bool, quoted: bool) -> None:
    telling = Telling()
    long = GOOD.replace("o1", "o2").rstrip("\n") + ",多余" * extra + "\n"
    good = GOOD.replace("旗舰店", '"旗舰店"') if quoted else GOOD
    orders = orders_of(tmp_path, ORDERS + (long + good if first else good + long), telling)
    assert orders["order_no"].tolist() == ["o1"]
    [told] = telling.rows
    assert (told.line, told.fault) == (2 if first else 3, "odd_row")
    assert f"{6 + extra} 格" in told.reason


def test_a_cell_of_several_lines_is_said(tmp_path: Path) -> None:
    telling = Telling()
    [row] = orders_of(tmp_path, ORDERS + GOOD.replace("旗舰店", '"旗舰\n店"'), telling).to_dict("records")
    assert row["shop"] == "旗舰\n店"
    assert any("几行合为一条" in each for each in telling.remarks)


def test_a_lone_carriage_return_hides_no_row(tmp_path: Path) -> None:
    """One line end of the old kind and one quoted line break: as many rows as lines, and not the same ones."""
    text = ORDERS + GOOD.rstrip("\n") + "\r" + GOOD.replace("o1", "o2") + GOOD.replace("o1", '"o\n3"')
    orders = orders_of(tmp_path, text)
    assert orders["order_no"].tolist() == ["o1", "o2", "o\n3"]


@pytest.mark.parametrize("text", ["-", "--", "null", "None", "0000-00-00 00:00:00", " "])
def test_a_scan_without_a_time_is_named(tmp_path: Path, text: str) -> None:
    telling = Telling()
    events = events_of(tmp_path, f"{EVENTS}{PICKED}中通,Z1,{text},离开,\n", telling)
    assert len(events) == 1
    assert [(row.line, row.fault, row.reason) for row in telling.rows] == [
        (3, "bad_time", "occurred_at 是空的")
    ]


@pytest.mark.parametrize(
    "head", ["waybill_no,Waybill_No", "waybill_no,waybill_no", "waybill_no, WAYBILL_NO "]
)
def test_two_headings_of_one_column_are_refused(tmp_path: Path, head: str) -> None:
    with pytest.raises(FileRefused, match="有几列同名：waybill_no"):
        orders_of(tmp_path, ORDERS.replace("waybill_no,platform", head) + GOOD)


def test_a_row_in_another_encoding_is_named_and_the_file_is_read(tmp_path: Path) -> None:
    telling = Telling()
    odd = GOOD.replace("o1", "o2").encode("gb18030")
    (tmp_path / "o.csv").write_bytes((ORDERS + GOOD).encode() + odd + GOOD.replace("o1", "o3").encode())
    orders = read_orders(tmp_path / "o.csv", SHANGHAI, NOW, tmp_path, telling)
    assert orders["order_no"].tolist() == ["o1", "o3"]
    assert {*orders["shop"]} == {"旗舰店"}
    [told] = telling.rows
    assert (told.line, told.fault) == (3, "odd_row")
    assert "UTF-8" in told.reason
    telling.write(tmp_path / "rejected.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "o.csv").write_bytes((ORDERS + GOOD).encode(encoding))
    with pytest.raises(FileRefused, match="UTF-16"):
        read_orders(tmp_path / "o.csv", SHANGHAI, NOW, tmp_path, Telling())


def test_what_unpacks_to_far_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.lab.tables.MAX_UNPACKED", 1 << 20)
    (tmp_path / "o.csv.gz").write_bytes(gzip.compress((ORDERS + GOOD).encode() + bytes(1 << 24)))
    (tmp_path / "aside").mkdir()
    with pytest.raises(FileRefused, match="解压后超过 1 MB"):
        open_text(tmp_path / "o.csv.gz", tmp_path / "aside")


@pytest.mark.parametrize(
    "orders, events, words",
    [
        (EVENTS + PICKED, EVENTS + PICKED, "--events 写反"),
        (ORDERS + GOOD, ORDERS + GOOD, "--orders 写反"),
    ],
)
def test_swapped_files_are_recognised(tmp_path: Path, orders: str, events: str, words: str) -> None:
    with pytest.raises(FileRefused, match=words):
        history_of(tmp_path, orders, events)
