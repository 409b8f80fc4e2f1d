"""Single cells: cleaning, headings, numbers, times, money, places, status words."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from domain.orders import OrderStatus
from monitor.intake.places import destination, place
from monitor.intake.statuses import standing
from monitor.intake.values import (
    Cell,
    Precision,
    Unfit,
    clean,
    heading_key,
    identifier,
    moment,
    money,
    quoted,
    shown,
    split_list,
    text,
    waybill_no,
    without_label,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
LATEST = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "clean_"),
    [
        ('="3100"', "3100"),
        ('\'="3100"', "3100"),
        ('="\'3100"', "3100"),
        ("\t'3100\t", "3100"),
        ("''3100", "'3100"),
        ("\u200b\ufeff 3100\u3000", "3100"),
        ("a  b", "a  b"),
        ("=1+1", "=1+1"),
    ],
)
def test_what_spreadsheets_put_around_a_value_goes(raw: str, clean_: str) -> None:
    assert clean(raw) == clean_


@pytest.mark.parametrize(
    ("heading", "whole", "bare"),
    [
        ("商品数量(件)", "商品数量(件)", "商品数量"),
        ("退款金额（元）", "退款金额(元)", "退款金额"),
        ("Tracking No", "trackingno", "trackingno"),
        ("*订单号", "订单号", "订单号"),
        ("订单\n编号 ", "订单编号", "订单编号"),
        ("商家应收金额(元)（支付金额）", "商家应收金额(元)(支付金额)", "商家应收金额"),
        ("(备注)", "(备注)", "(备注)"),
        ("ＯＲＤＥＲ＿ＮＯ", "order_no", "order_no"),
    ],
)
def test_headings_are_compared_in_one_form(heading: str, whole: str, bare: str) -> None:
    assert heading_key(heading) == (whole, bare)


@pytest.mark.parametrize(
    ("cell", "name", "from_number"),
    [
        ("261118-000000000000001", "261118-000000000000001", False),
        ("00123", "00123", False),
        (123456789012345.0, "123456789012345", True),
        (7, "7", True),
        ("78000000000001.0", "78000000000001", True),
    ],
)
def test_identifiers(cell: Cell, name: str, from_number: bool) -> None:
    assert identifier(cell) == (name, from_number)


@pytest.mark.parametrize(
    "cell", [1e15, 1234567890123456, -5, 1.5, float("nan"), float("inf"), "3.1E+18", "1E+15", "12345.67"]
)
def test_damaged_identifiers_are_never_repaired(cell: Cell) -> None:
    with pytest.raises(Unfit) as unfit:
        identifier(cell)
    assert unfit.value.reason == "number_damaged"


@pytest.mark.parametrize("cell", ["x" * 65, "12\n34", "12\x0034"])
def test_a_text_that_is_no_identifier(cell: str) -> None:
    with pytest.raises(Unfit, match="不是号码"):
        identifier(cell)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("ＹＴ2600000000001", "YT2600000000001"),
        ("JDVA00000000001-1-1-", "JDVA00000000001-1-1-"),
        ("yt1", "YT1"),
    ],
)
def test_waybill_numbers(cell: str, number: str) -> None:
    assert waybill_no(cell) == (number, False)


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        ("No:75812345678901", "75812345678901"),
        ("no：75812345678901", "75812345678901"),
        ("No: YT1,No:YT2", "YT1,YT2"),
        ("NO75812345678901", "NO75812345678901"),
        ("JNo:1", "JNo:1"),
        (75812345678901, 75812345678901),
    ],
)
def test_a_label_before_a_waybill_number_is_taken_off(cell: Cell, numbers: Cell) -> None:
    assert without_label(cell) == numbers


@pytest.mark.parametrize("cell", ["见备注", "YT26****0001", "YT2600000000001/2", "-1"])
def test_what_is_no_waybill_number(cell: str) -> None:
    with pytest.raises(Unfit, match="不是运单号"):
        waybill_no(cell)


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("A1,A2，A3;A4；A5、A6 A7\nA8", ("A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8")),
        ("A1,A1, ,A1", ("A1",)),
        ('="A1,A2"', ("A1", "A2")),
        ("'A1 'A2", ("A1", "A2")),
        ("-, 无", ()),
        (5.0, (5.0,)),
    ],
)
def test_cells_that_hold_several(cell: Cell, parts: tuple[Cell, ...]) -> None:
    assert split_list(cell) == parts


@pytest.mark.parametrize(
    ("cell", "at", "precision"),
    [
        ("2026-11-18T09:12:40+08:00", "2026-11-18T01:12:40", Precision.SECOND),
        ("2026-11-18T09:12:40Z", "2026-11-18T09:12:40", Precision.SECOND),
        ("2026-11-18T09:12:40.250000-0500", "2026-11-18T14:12:40.250000", Precision.SECOND),
        ("2026-11-18 09:12:40.5", "2026-11-18T01:12:40.500000", Precision.SECOND),
        ("2026.11.18 9:12:40", "2026-11-18T01:12:40", Precision.SECOND),
        ("2026年11月18日 9时12分40秒", "2026-11-18T01:12:40", Precision.SECOND),
        ("2026年11月18日 9:12", "2026-11-18T01:12:59", Precision.MINUTE),
        ("２０２６－１１－１８　０９：１２：４０", "2026-11-18T01:12:40", Precision.SECOND),
        ("2026/11/18", "2026-11-18T15:59:59", Precision.DAY),
        (46344.375, "2026-11-18T01:00:00", Precision.SECOND),
        (46344, "2026-11-18T15:59:59", Precision.DAY),
        ("46344.37534722222", "2026-11-18T01:00:30", Precision.SECOND),
        (datetime(2026, 11, 18, 9, 12, 39, 999600), "2026-11-18T01:12:40", Precision.SECOND),  # noqa: DTZ001
        (date(2026, 11, 18), "2026-11-18T15:59:59", Precision.DAY),
    ],
)
def test_moments(cell: Cell, at: str, precision: Precision) -> None:
    found = moment(cell, SHANGHAI, latest=LATEST)
    assert found is not None
    assert (found.at, found.precision) == (datetime.fromisoformat(at).replace(tzinfo=UTC), precision)


@pytest.mark.parametrize("cell", ["", " ", "-", "无", "0000-00-00 00:00:00"])
def test_no_moment(cell: str) -> None:
    assert moment(cell, SHANGHAI, latest=LATEST) is None


@pytest.mark.parametrize(
    "cell",
    [
        "2026-02-30 00:00:00", "2026-11-18 25:00:00", "18/11/2026", "20261118", "1970-01-01 08:00:00", "9999-12-31",
        "0001-01-01 00:00:00", "2026-11-18 09:12:40+99:00", 1.5, 1e300, float("nan"), True, time(9), timedelta(hours=9),
    ],
)  # fmt: skip
def test_what_is_no_moment(cell: Cell) -> None:
    with pytest.raises(Unfit) as unfit:
        moment(cell, SHANGHAI, latest=LATEST)
    assert unfit.value.reason == "bad_time"


@pytest.mark.parametrize(
    ("cell", "yuan"),
    [
        ("59.00", "59.00"), ("¥1,234.50", "1234.50"), ("￥ 20", "20"), ("19.9元", "19.9"), ("\t8.8", "8.8"),
        (88.5, "88.5"), ("1e3", "1000"), ("1.5E+03", "1500"), ("999999999.99", "999999999.99"), (0.1 + 0.2, "0.30"), (12, "12"), ("0", "0"),
    ],
)  # fmt: skip
def test_money(cell: Cell, yuan: str) -> None:
    assert money(cell) == Decimal(yuan)


@pytest.mark.parametrize(
    "cell", ["-5", "59,90", "1e9", "1e99", "1e-3", "免费", "12.3.4", 1e9, float("nan"), -1, True]
)
def test_what_is_no_money(cell: Cell) -> None:
    with pytest.raises(Unfit) as unfit:
        money(cell)
    assert unfit.value.reason == "bad_amount"


@pytest.mark.parametrize(
    ("cell", "why"),
    [("1000000000", "太大"), ("1e9", "太大"), ("-5", "是负数"), (-1, "是负数"), ("免费", "不是金额")],
)
def test_why_it_is_no_money(cell: Cell, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        money(cell)


def test_no_money() -> None:
    assert money("") is None
    assert money("-") is None


@pytest.mark.parametrize(
    ("address", "place_"),
    [
        ("浙江省 杭州市 余杭区 仓前街道 示例路1号", ("浙江省", "杭州市")),
        ("新疆维吾尔自治区 乌鲁木齐市 ****", ("新疆维吾尔自治区", "乌鲁木齐市")),
        ("北京市 朝阳区 ****", ("北京市", "北京市")),
        ("北京 北京市 朝阳区", ("北京", "北京市")),
        ("海南省 省直辖县级行政区划 琼海市", ("海南省", "省直辖县级行政区划")),
        ("内蒙古自治区 锡林郭勒盟 某旗", ("内蒙古自治区", "锡林郭勒盟")),
        ("广东省 ****", ("广东省", "")),
        ("浙江省杭州市余杭区示例路1号", ("浙江省", "")),
        ("江苏省苏州市 张家港市 示例路1号", ("江苏省", "")),
        ("张三 13800000000 某地", ("", "")),
        ("", ("", "")),
    ],
)
def test_of_an_address_only_province_and_city_are_kept(address: str, place_: tuple[str, str]) -> None:
    assert destination(address) == place_


@pytest.mark.parametrize(
    ("cell", "name"),
    [("浙江省", "浙江省"), ("-", ""), ("浙江省杭州市余杭区示例路1号", ""), ("138****0000", "")],
)
def test_a_place_column_keeps_names_only(cell: str, name: str) -> None:
    assert place(cell) == name


@pytest.mark.parametrize(
    ("order", "refund", "shipped", "status"),
    [
        ("等待买家付款", "", False, None),
        ("买家已付款，等待卖家发货", "", False, OrderStatus.AWAITING),
        ("买家已付款,等待卖家发货", "", False, OrderStatus.AWAITING),
        ("待配货", "", False, OrderStatus.AWAITING),
        ("待发货", "", True, OrderStatus.AWAITING),
        ("部分发货", "", True, OrderStatus.SHIPPED),
        ("部分发货", "", False, OrderStatus.AWAITING),
        ("已发货，待签收", "无售后或售后取消", True, OrderStatus.SHIPPED),
        ("交易成功", "没有申请退款", True, OrderStatus.FINISHED),
        ("已收货", "退款成功", True, OrderStatus.REFUNDED),
        ("已发货", "退款中", True, OrderStatus.REFUNDING),
        ("待发货", "部分退款", False, OrderStatus.AWAITING),
        ("交易关闭", "退款成功", False, OrderStatus.CLOSED),
        ("（删除）等待出库", "", False, OrderStatus.CLOSED),
        ("", "", True, OrderStatus.SHIPPED),
        ("", "", False, OrderStatus.AWAITING),
        ("closed", "", True, OrderStatus.CLOSED),
    ],
)
def test_status_words(order: str, refund: str, shipped: bool, status: OrderStatus | None) -> None:
    said = standing(order, refund, shipped=shipped)
    assert (said.status, said.unknown) == (status, ())


@pytest.mark.parametrize(("shipped", "status"), [(True, OrderStatus.SHIPPED), (False, OrderStatus.AWAITING)])
def test_an_unknown_status_is_read_by_the_waybill(shipped: bool, status: OrderStatus) -> None:
    said = standing("风控审核", "仲裁", shipped=shipped)
    assert (said.status, said.unknown) == (status, ("风控审核", "仲裁"))


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (1.0, "1"),
        (1.25, "1.25"),
        (1.2345678901234568e16, "1.23456789012346E+16"),
        (True, "TRUE"),
        ("'x", "'x"),
    ],
)
def test_cells_as_people_see_them(cell: Cell, words: str) -> None:
    """A number too long for a workbook stays visibly damaged, so that it is not taken next time."""
    assert shown(cell) == words


def test_a_quotation_hides_phones_and_ends() -> None:
    assert "13812345678" not in quoted("电话13812345678")
    assert len(quoted("很长" * 100)) <= 26
    assert quoted("a\u202eb") == "“ab”"


def test_text_of_the_words_for_nothing() -> None:
    assert [text(cell) for cell in ("无", "无锡", "N/A", "  ", 5.0)] == ["", "无锡", "", "", "5"]
