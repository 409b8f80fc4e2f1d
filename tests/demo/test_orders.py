"""Order files of the simulated world (`design.md` §4, Files; `facts/import-formats.md`)."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.demo.orders import EVENT_COLUMNS, OWN_COLUMNS, save_events, save_own, save_pinduoduo, save_taobao
from monitor.demo.story import Kind
from monitor.demo.world import Parcel, World

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
SAMPLES = Path(__file__).parents[2].parent / "shared" / "facts" / "samples" / "imports"


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, START)


@pytest.fixture(scope="module")
def shipped(world: World) -> list[Parcel]:
    return world.shipped(world.opened_at, START)


@pytest.fixture(scope="module")
def awaiting(world: World) -> list[Parcel]:
    return world.awaiting(START)


def read(path: Path, encoding: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(encoding))))


def test_our_own_columns_hold_every_parcel(tmp_path: Path, shipped: list[Parcel]) -> None:
    assert save_own(tmp_path / "own.csv", shipped) == len(shipped)
    rows = read(tmp_path / "own.csv", "utf-8")
    assert tuple(rows[0]) == OWN_COLUMNS
    for row, parcel in zip(rows, shipped, strict=True):
        assert (row["carrier"], row["waybill_no"]) == (parcel.carrier.key, parcel.waybill_no)
        assert row["paid_at"].endswith("+08:00")
        assert datetime.fromisoformat(row["paid_at"]) == parcel.order.paid_at
        assert datetime.fromisoformat(row["shipped_at"]) <= START
        assert row["platform"] in ("taobao_tmall", "pinduoduo")
        assert bool(row["promised_ship_at"]) is (row["platform"] == "pinduoduo")


def test_a_phone_tail_is_given_only_where_the_carrier_asks(tmp_path: Path, world: World) -> None:
    parcels = [*world.parcels(400), next(p for p in world.parcels() if p.declared is Kind.WRONG_PHONE)]
    save_own(tmp_path / "own.csv", parcels)
    for row, parcel in zip(read(tmp_path / "own.csv", "utf-8"), parcels, strict=True):
        assert row["phone_tail"] == (parcel.told_tail if row["carrier"] == "shunfeng" else "")
    assert row["phone_tail"] != parcels[-1].phone_tail


def test_the_taobao_file_is_what_qianniu_exports(tmp_path: Path, shipped, awaiting) -> None:
    path = tmp_path / "ExportOrderList.csv"
    count = save_taobao(path, shipped, awaiting)
    raw = path.read_bytes()
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    assert raw.count(b"\r\n") == count + 1
    rows = read(path, "gb18030")
    assert all(row["订单编号"].startswith('="') for row in rows)
    sent = [row for row in rows if row["物流单号"]]
    assert {row["物流单号"] for row in sent} == {
        p.waybill_no for p in shipped if p.order.platform == "taobao_tmall"
    }
    unsent = [row for row in rows if not row["物流单号"]]
    assert unsent
    assert {(row["订单状态"], row["发货时间"]) for row in unsent} == {("买家已付款，等待卖家发货", "")}


def test_the_pinduoduo_file_has_a_mark_and_tabs(tmp_path: Path, shipped, awaiting) -> None:
    path = tmp_path / "pdd.csv"
    count = save_pinduoduo(path, shipped, awaiting)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = read(path, "utf-8-sig")
    assert len(rows) == count
    assert all(row["订单号"].endswith("\t") for row in rows)
    for row in rows:
        paid, promised = (datetime.fromisoformat(row[name].strip()) for name in ("支付时间", "承诺发货时间"))
        assert promised - paid == timedelta(hours=48)
    assert {row["订单状态"] for row in rows} == {"已发货，待签收", "待发货"}


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not here")
@pytest.mark.parametrize(
    ("sample", "encoding", "save"),
    [
        ("taobao_style_gb18030.csv", "gb18030", save_taobao),
        ("pdd_style_utf8_bom_tabs.csv", "utf-8-sig", save_pinduoduo),
    ],
)
def test_headings_are_those_of_real_exports(tmp_path: Path, shipped, sample, encoding, save) -> None:
    save(tmp_path / "x.csv", shipped)
    real, ours = read(SAMPLES / sample, encoding)[0], read(tmp_path / "x.csv", encoding)[0]
    assert list(ours)[: len(real)] == list(real)


def test_nobody_has_a_name_a_street_or_a_whole_phone(tmp_path: Path, shipped, awaiting) -> None:
    save_taobao(tmp_path / "a.csv", shipped, awaiting)
    for row in read(tmp_path / "a.csv", "gb18030"):
        assert row["收货人姓名"] == "王*"
        assert row["收货地址"].endswith("****")
        assert "*****" in row["联系手机"]


def test_the_events_file_holds_what_is_visible_and_when_it_was_learned(tmp_path: Path, shipped) -> None:
    count = save_events(tmp_path / "events.csv", shipped, START)
    rows = read(tmp_path / "events.csv", "utf-8")
    assert (len(rows), tuple(rows[0])) == (count, EVENT_COLUMNS)
    for row in rows:
        occurred, learned = (datetime.fromisoformat(row[name]) for name in ("occurred_at", "learned_at"))
        assert occurred <= learned <= START
        assert row["description"]
