"""Orders and scans from files: what is taken, and what is told of every row that is not, all in one go."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.intake.tables import FileRefused
from monitor.intake.values import Unfit, moment
from monitor.lab.events import read_events
from monitor.lab.orders import read_orders
from monitor.lab.parcels import Parcels, numbered
from monitor.lab.study import History, from_files
from monitor.lab.tables import LINE, open_text
from monitor.lab.telling import Telling
from monitor.lab.times import read_times
from rules.lab import MOST_ROWS

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SHANGHAI, BRAZIL = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/Sao_Paulo")
ORDERS = "order_no,carrier,waybill_no,platform,shop,paid_at\n"
GOOD = "o1,中通,Z1,淘宝,旗舰店,2026-11-01 10:00:00\n"
EVENTS = "carrier,waybill_no,occurred_at,description,milestone\n"
PICKED = "中通,Z1,2026-11-01 12:00:00,快件已揽收,\n"


def orders_of(
    tmp_path: Path, text: str, telling: Telling | None = None, *, name: str = "o.csv"
) -> pd.DataFrame:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return read_orders(path, SHANGHAI, NOW, tmp_path, telling or Telling())


def events_of(tmp_path: Path, text: str, telling: Telling | None = None) -> pd.DataFrame:
    _, parcels = numbered(orders_of(tmp_path, ORDERS + GOOD))
    path = tmp_path / "e.csv"
    path.write_bytes(text.encode())
    return read_events(path, parcels, SHANGHAI, NOW, tmp_path, telling or Telling())


# ── what is taken ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["o.csv", "o.csv.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_encodings_line_ends_and_gz_read_the_same(
    tmp_path: Path, name: str, encoding: str, ends: str
) -> None:
    data = (ORDERS + GOOD).replace("\n", ends).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (tmp_path / "aside").mkdir()
    [row] = read_orders(tmp_path / name, SHANGHAI, NOW, tmp_path / "aside", Telling()).to_dict("records")
    assert (row["carrier"], row["waybill_no"], row["platform"], row["shop"]) == (
        "zhongtong",
        "Z1",
        "taobao_tmall",
        "旗舰店",
    )
    assert row["paid_at"] == pd.Timestamp("2026-11-01 02:00", tz="UTC")


def test_texts_stay_texts(tmp_path: Path) -> None:
    """`NA` is a shop, and a waybill keeps its zeros."""
    [row] = orders_of(tmp_path, ORDERS + "NA,中通,00123,nan,NULL,\n").to_dict("records")
    assert (row["order_no"], row["waybill_no"], row["shop"]) == ("NA", "00123", "")
    assert pd.isna(row["paid_at"])


def test_a_back_offices_export_is_read_as_import_reads_it(tmp_path: Path) -> None:
    telling = Telling()
    text = "订单号,快递单号,快递公司,付款时间,平台,收货地址\nA1,YT8812345678901,圆通,2026-11-01 10:00,淘宝,浙江省 杭州市 余杭区 某路 1 号\n,,,,,\nA2,YT8812345678902,圆圆通,2026-11-01 10:00,淘宝,\n"
    [row] = orders_of(tmp_path, text, telling).to_dict("records")
    assert (row["carrier"], row["waybill_no"], row["receiver_province"]) == (
        "yuantong",
        "YT8812345678901",
        "浙江省",
    )
    assert row["paid_at"] == pd.Timestamp("2026-11-01 02:00:59", tz="UTC")
    assert [(each.line, each.fault) for each in telling.rows] == [(4, "order_row")]
    assert "圆圆通" in telling.rows[0].reason


def test_an_order_in_two_parcels_and_two_orders_in_one(tmp_path: Path) -> None:
    text = (
        ORDERS
        + GOOD
        + "o1,中通,Z2,淘宝,旗舰店,2026-11-01 10:00:00\no2,中通,Z2,淘宝,旗舰店,2026-11-01 11:00:00\no3,,,淘宝,旗舰店,2026-11-01 10:00:00\n"
    )
    orders, parcels = numbered(orders_of(tmp_path, text))
    assert orders["parcel"].tolist() == [0, 1, 1, 2]
    assert parcels.frame["order_no"].tolist() == ["o1", "o1、o2", "o3"]
    assert orders["status"].tolist() == ["shipped"] * 3 + ["awaiting_shipment"]


@pytest.mark.parametrize(
    "given, text, expected",
    [
        ("picked_up", "", "picked_up"),
        ("揽收", "", "picked_up"),
        ("registered", "", "label_created"),
        ("delivered", "快件已揽收", "delivered"),
        ("", "快件已揽收", ""),
    ],
    ids=["ours", "Chinese", "of the facts", "given wins", "left to the reader"],
)
def test_a_given_milestone_is_used_as_it_is(tmp_path: Path, given: str, text: str, expected: str) -> None:
    [row] = events_of(tmp_path, f"{EVENTS}中通,Z1,2026-11-01 12:00:00,{text},{given}\n").to_dict("records")
    assert (row["milestone"], row["text"]) == (expected, text)


# ── times ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text, zone, expected",
    [
        ("2026-09-10 08:05:00", SHANGHAI, "2026-09-10T00:05:00"),
        ("2026-09-10 08:05", SHANGHAI, "2026-09-10T00:05:00"),
        ("2026-09-10T08:05:00Z", SHANGHAI, "2026-09-10T08:05:00"),
        ("2026-09-10T08:05:00.25+09:00", SHANGHAI, "2026-09-09T23:05:00.250000"),
        ("2026/9/10 8:05:07", SHANGHAI, "2026-09-10T00:05:07"),
        ("2017-10-15 00:30:00", BRAZIL, "2017-10-15T03:30:00"),
        ("2018-02-17 23:30:00", BRAZIL, "2018-02-18T01:30:00"),
    ],
    ids=[
        "usual",
        "to the minute",
        "UTC",
        "an offset",
        "as spreadsheets write",
        "skipped by summer time",
        "there twice",
    ],
)
def test_times_are_read(text: str, zone: ZoneInfo, expected: str) -> None:
    found = read_times(pd.Series([text, ""], dtype="str"), zone, whole_day=False, late_minute=False)
    assert found.at.iloc[0].isoformat() == f"{expected}+00:00"
    assert found.at.isna().tolist() == [False, True]
    assert found.faults == {}


moments = st.datetimes(datetime(2010, 1, 2), datetime(2030, 1, 1))  # noqa: DTZ001
spellings = st.sampled_from(
    [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S+08:00",
        "%Y/%m/%d %H:%M:%S",
        "%Y-%m-%d",
        "%Y年%m月%d日 %H:%M:%S",
        "nonsense %d",
        "%H:%M",
    ]
)


@settings(deadline=None)
@given(st.lists(st.tuples(moments, spellings), min_size=1, max_size=12), st.sampled_from([SHANGHAI, BRAZIL]))
def test_a_column_is_read_as_its_cells_are(written: list[tuple[datetime, str]], zone: ZoneInfo) -> None:
    """The fast reader and the one that `import` uses agree on every spelling, whatever stands around it."""
    texts = [at.strftime(spelling) for at, spelling in written]
    column = read_times(pd.Series(texts, dtype="str"), zone, whole_day=True, late_minute=True)
    for n, text in enumerate(texts):
        try:
            single = moment(text, zone, latest=NOW + timedelta(days=4000))
        except Unfit:
            assert n in column.faults
            continue
        assert single is not None
        assert column.at.iloc[n].to_pydatetime() == single.at


# ── what is not taken ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "row, fault, words",
    [
        ("o2,中通快第,Z2,淘宝,旗舰店,\n", "unknown_carrier", "中通"),
        ("o2,zhongtog,Z2,淘宝,旗舰店,\n", "unknown_carrier", "zhongtong"),
        ("o2,中通,Z 2,淘宝,旗舰店,\n", "bad_waybill", "字母、数字"),
        ("o2,中通,7.3E+13,淘宝,旗舰店,\n", "bad_waybill", "科学计数"),
        (",中通,Z2,淘宝,旗舰店,\n", "bad_order", "order_no"),
        ("o2,中通,Z2,淘宝,旗舰店,昨天\n", "bad_time", "昨天"),
        ("o2,中通,Z2,淘宝,旗舰店,2009-12-31 10:00:00\n", "too_early", "2010"),
        ("o2,中通,Z2,淘宝,旗舰店,2027-01-01 10:00:00\n", "in_the_future", "2026-11-22"),
        ("o2,中通,Z2,淘宝,旗舰店,2026-11-01 10:00:00,多余\n", "odd_row", "7 格"),
        ('o2,中通,Z2,淘宝,"旗舰店,2026-11-01 10:00:00\n', "odd_row", "引号"),
    ],
)
def test_a_bad_order_is_named_and_its_neighbours_are_kept(
    tmp_path: Path, row: str, fault: str, words: str
) -> None:
    telling = Telling()
    after = GOOD.replace("o1", "o9").replace("Z1", "Z9")
    orders = orders_of(tmp_path, ORDERS + GOOD + row + after, telling)
    assert orders["order_no"].tolist() == ["o1", "o9"]
    [told] = telling.rows
    assert (told.file, told.line, told.fault) == ("o.csv", 3, fault)
    assert words in told.reason


@pytest.mark.parametrize(
    "row, fault, words",
    [
        ("中通,Z1,2009-12-31 12:00:00,x,\n", "too_early", "2010"),
        ("中通,Z1,2027-12-31 12:00:00,x,\n", "in_the_future", "2026-11-22"),
        ("中通,Z1,2026-11-01,x,\n", "bad_time", "没有时刻"),
        ("中通,Z1,,x,\n", "bad_time", "空"),
        ("中通,Z1,2026-11-01 12:00:00,x,pickedup\n", "unknown_milestone", "picked_up"),
        ("圆通,Z1,2026-11-01 12:00:00,x,\n", "no_order", "中通"),
        ("中通,Z11,2026-11-01 12:00:00,x,\n", "no_order", "Z1"),
        ("中通,,2026-11-01 12:00:00,x,\n", "no_event_waybill", "空"),
        ("种通,Z1,2026-11-01 12:00:00,x,\n", "unknown_carrier", "种通"),
        (PICKED, "duplicate", "第 2 行"),
    ],
)
def test_a_bad_scan_is_named_and_its_neighbours_are_kept(
    tmp_path: Path, row: str, fault: str, words: str
) -> None:
    telling = Telling()
    events = events_of(tmp_path, EVENTS + PICKED + row + "中通,Z1,2026-11-02 12:00:00,离开杭州,\n", telling)
    assert events["text"].tolist() == ["快件已揽收", "离开杭州"]
    [told] = telling.rows
    assert (told.file, told.line, told.fault) == ("e.csv", 3, fault)
    assert words in told.reason


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    telling = Telling()
    events_of(
        tmp_path,
        EVENTS + "中通,Z1,2009-01-01 12:00:00,x,pickedup\n" + "中通,Z7,2026-11-01 12:00:00,x,\n" * 15,
        telling,
    )
    lines = "\n".join(telling.lines())
    assert "早于 2010 年；不认识的节点" in telling.rows[0].reason
    assert "没有采用 15 行：运单不在订单文件里" in lines
    assert "另有 5 行" in lines


def test_of_an_order_said_twice_the_later_row_stands(tmp_path: Path) -> None:
    telling = Telling()
    [row] = orders_of(tmp_path, ORDERS + GOOD + GOOD.replace("10:00:00", "11:00:00"), telling).to_dict(
        "records"
    )
    assert row[LINE] == 3
    assert [(each.line, each.fault) for each in telling.rows] == [(2, "duplicate")]


@pytest.mark.parametrize(
    "orders, events, words",
    [
        ("order_no,waybil_no,carrier\n", EVENTS + PICKED, "waybill_no（最像的列：waybil_no）"),
        (ORDERS + GOOD, "carrier,waybill_no,occurred_at\n", "description"),
        (ORDERS + GOOD, "", "空"),
        (ORDERS, EVENTS + PICKED, "没有一行订单可用"),
        (ORDERS + GOOD, "PK\x03\x04", "另存为 CSV"),
    ],
    ids=["a column is misspelt", "nothing to read", "empty", "no order", "a workbook"],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, orders: str, events: str, words: str) -> None:
    with pytest.raises(FileRefused, match=words):
        history_of(tmp_path, orders, events)


def history_of(tmp_path: Path, orders: str, events: str, telling: Telling | None = None) -> History:
    (tmp_path / "o.csv").write_text(orders, "utf-8")
    (tmp_path / "e.csv").write_text(events, "utf-8")
    return from_files(
        tmp_path / "o.csv",
        tmp_path / "e.csv",
        zone=SHANGHAI,
        as_of=None,
        now=NOW,
        aside=tmp_path,
        telling=telling or Telling(),
    )


def test_a_parcel_of_hundreds_of_scans_is_left_out_by_name(tmp_path: Path) -> None:
    telling = Telling()
    many = "".join(f"中通,Z1,2026-11-01 {n // 60:02}:{n % 60:02},【杭州】已到达,\n" for n in range(MOST_ROWS))
    history_of(tmp_path, ORDERS + GOOD, EVENTS + many, telling)
    assert [each for each in telling.remarks if "没有看：Z1" in each and str(MOST_ROWS) in each]


def test_the_latest_moment_of_the_data_is_now_unless_told(tmp_path: Path) -> None:
    history = history_of(tmp_path, ORDERS + GOOD, EVENTS + PICKED)
    assert history.since == datetime(2026, 11, 1, 2, tzinfo=UTC)
    assert history.as_of == datetime(2026, 11, 1, 4, tzinfo=UTC)


def test_gaps_are_said(tmp_path: Path) -> None:
    telling = Telling()
    orders = ORDERS.replace("\n", ",status\n") + GOOD.replace("\n", ",\n")
    orders += "o2,中通,Z2,,旗舰店,,\no3,中通,Z3,淘宝,旗舰店,,交易关闭\no4,中通,Z4,淘宝,旗舰店,,等待买家付款\n"
    closed = PICKED.replace("Z1", "Z3")
    history = history_of(tmp_path, orders, EVENTS + PICKED + closed, telling)
    assert (history.watched, history.events) == (2, 1)
    said = "\n".join(telling.remarks)
    assert "1 行没有付款时间" in said
    assert "1 行没有平台" in said
    assert "1 行已关闭" in said
    assert "1 行还没付款" in said
    assert telling.rejected == 0


def test_an_order_refunded_nobody_knows_when_is_not_watched(tmp_path: Path) -> None:
    """Else its parcel would be late, though somebody waited for it only up to the refund."""
    telling = Telling()
    orders = ORDERS.replace("\n", ",status\n") + GOOD.replace("\n", ",\n")
    orders += GOOD.replace("o1", "o2").replace("Z1", "Z2").replace("\n", ",退款成功\n")
    history = history_of(tmp_path, orders, EVENTS + PICKED + PICKED.replace("Z1", "Z2"), telling)
    assert (history.watched, history.events) == (1, 1)
    assert "o.csv 有 1 行已退款，不知道何时退款，没有看" in telling.remarks


def test_without_a_scan_every_clock_of_the_carrier_is_called_meaningless_first(tmp_path: Path) -> None:
    telling = Telling()
    history = history_of(tmp_path, ORDERS + GOOD, EVENTS + PICKED.replace("Z1", "Z2"), telling)
    assert history.events == 0
    assert telling.remarks[0].startswith("e.csv 没有一条轨迹可用：凡是等快递动作的计时都没有意义")


# ── the table itself ─────────────────────────────────────────────────────────────────────────────


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.text("ab,\"'中\n", max_size=6), min_size=3, max_size=3).filter(any),
        min_size=1,
        max_size=8,
    )
)
def test_what_was_written_as_csv_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([["x", "y", "z"], *rows])
    telling = Telling()
    frames = list(open_text(path, path.parent).frames(telling, "读"))
    read = [row for frame in frames for row in frame[["x", "y", "z"]].to_numpy().tolist()]
    assert read == rows
    assert telling.rejected == 0


def test_rejected_rows_are_handed_back_and_cannot_become_formulas(tmp_path: Path) -> None:
    telling = Telling()
    orders_of(tmp_path, ORDERS + '=cmd,中通第,Z2,淘宝,"+1 13812345678",\n', telling)
    telling.write(tmp_path / "rejected.csv")
    with (tmp_path / "rejected.csv").open(encoding="utf-8-sig", newline="") as source:
        [head, row] = csv.reader(source)
    assert head == ["文件", "行", "错误原因", "原来的内容"]
    assert row[:2] == ["o.csv", "2"]
    assert row[3] == "'=cmd"
    assert "13812345678" not in "".join(row)


def test_without_a_bad_row_an_older_file_of_them_goes(tmp_path: Path) -> None:
    (tmp_path / "rejected.csv").write_text("old")
    Telling().write(tmp_path / "rejected.csv")
    assert not (tmp_path / "rejected.csv").exists()


def test_a_waybill_is_looked_for_only_among_a_few(tmp_path: Path) -> None:
    """Looking for the nearest of a million takes longer than the lab."""
    many = pd.DataFrame(
        {"carrier": "zhongtong", "waybill_no": [f"Z{n}" for n in range(5_001)], "order_no": "", "shop": ""}
    )
    assert Parcels(many).nearest("zhongtong", "Z5002") == ""
    assert "中通快递 Z" in Parcels(many.head(5_000)).nearest("zhongtong", "Z5002")
