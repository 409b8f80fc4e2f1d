"""When an order was placed and when its delivery was promised, as the exports write it (`facts/import-formats.md` §2)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.intake.columns import SOURCES, platform_id
from monitor.intake.verdicts import RowKind
from tests.intake.conftest import Reader

PLACED = datetime(2026, 11, 18, 1, tzinfo=UTC)
PROMISED = datetime(2026, 11, 25, 4, tzinfo=UTC)


def test_our_own_columns(read: Reader) -> None:
    header = "order_no,carrier,waybill_no,ordered_at,promised_delivery_at"
    got = read(f"{header}\nA-1,圆通,YT2600000000001,2026-11-18 09:00:00,2026-11-25T12:00:00+08:00\n")
    [order] = got.orders()
    assert (order.ordered_at, order.promised_delivery_at, order.paid_at) == (PLACED, PROMISED, None)
    assert got.reasons() == []


@pytest.mark.parametrize(
    ("source", "heading"),
    [
        ("taobao", "订单创建时间"),
        ("taobao", "买家下单时间"),
        ("douyin", "订单提交时间"),
        ("jd_pop", "下单时间"),
        ("kuaishou", "订单创建时间"),
        ("xiaohongshu", "订单创建时间"),
        ("ali1688", "订单创建时间"),
        ("jushuitan", "下单时间"),
        ("wangdiantong", "交易时间"),
        ("dewu", "买家下单时间"),
    ],
)
def test_the_created_column_of_every_back_office(read: Reader, source: str, heading: str) -> None:
    """Row `created` of both tables."""
    of = next(each for each in SOURCES if each.code == source)
    names = {key: of.fields[key][0] for key in ("order_no", "waybill_no", "carrier", "paid_at", "status")}
    cells = {
        names["order_no"]: "6920254321098765432",
        names["waybill_no"]: "YT2600000000001",
        names["carrier"]: "圆通",
        names["paid_at"]: "2026-11-18 09:30:00",
        names["status"]: "已发货",
        heading: "2026-11-18 09:00:00",
        **dict.fromkeys(of.marks, "x"),
    }
    cells[heading] = "2026-11-18 09:00:00"
    got = read(",".join(f'"{name}"' for name in cells) + "\n" + ",".join(cells.values()) + "\n")
    assert got.file.source == source
    assert [order.ordered_at for order in got.orders()] == [PLACED]


def test_pinduoduo_promises_delivery_too(read: Reader) -> None:
    header = "订单号,快递单号,快递公司,支付时间,承诺发货时间,承诺送达时间,订单状态,样式ID,商家编码-规格维度"
    row = "A-1,YT2600000000001,圆通,2026-11-18 09:00:00,2026-11-20 09:00:00,2026-11-25 12:00:00,已发货,1,2"
    got = read(f"{header}\n{row}\n")
    assert got.file.source == "pinduoduo"
    assert [order.promised_delivery_at for order in got.orders()] == [PROMISED]


def test_a_sheet_of_ones_own(read: Reader) -> None:
    got = read(
        "订单号,快递公司,运单号,下单时间,承诺送达时间\nA-1,圆通,YT2600000000001,2026-11-18 09:00:00,2026-11-25 12:00:00\n"
    )
    [order] = got.orders()
    assert (order.ordered_at, order.promised_delivery_at) == (PLACED, PROMISED)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("ordered_at", "昨天"),
        ("ordered_at", "2026-11-30 09:00:00"),
        ("promised_delivery_at", "2009-01-01 00:00:00"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused(read: Reader, column: str, cell: str) -> None:
    """Before 2010, or an order placed in the future."""
    got = read(f"order_no,carrier,waybill_no,{column}\nA-1,圆通,YT2600000000001,{cell}\n")
    assert got.kinds() == [RowKind.REJECTED.value]
    assert got.reasons()[0][2] == column


@pytest.mark.parametrize(
    ("said", "platform"),
    [
        ("虾皮", "shopee"), ("Shopee", "shopee"), ("LAZADA", "lazada"), ("来赞达", "lazada"), ("Amazon", "amazon"),
        ("亚马逊", "amazon"), ("TikTok Shop US", "tiktok_us"), ("TikTok 美国", "tiktok_us"),
        ("Temu半托管", "temu_us_local"), ("TEMU 全托管", "temu_jit"), ("temu_jit", "temu_jit"),
    ],
)  # fmt: skip
def test_the_marketplaces_by_the_names_erps_give_them(said: str, platform: str) -> None:
    assert platform_id(said) == platform
