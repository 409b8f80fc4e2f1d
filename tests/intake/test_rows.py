"""Our own format row by row, and rows whose very shape is broken."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from domain.orders import Order, OrderStatus
from monitor.intake.verdicts import ParsedWaybill
from tests.intake.conftest import Reader
from tests.intake.workbook import workbook

HEADER = (
    "order_no,platform,shop,carrier,waybill_no,paid_at,shipped_at,promised_ship_at,amount,"
    "receiver_province,receiver_city,phone_tail,warehouse,goods_type,merchant"
)
FULL = (
    "A-1,pinduoduo,甲店,圆通,YT2600000000001,2026-11-18 09:00:00,2026-11-18T10:00:00+08:00,2026-11-20 09:00,59.9,"
    "浙江省,杭州市,0421,一号仓,presale,某商家"
)


def own(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def short(*rows: str) -> str:
    """The three required columns and two more."""
    return own(*rows, header="order_no,carrier,waybill_no,paid_at,amount")


# --- what is read ------------------------------------------------------------------------------------


def test_every_column_of_our_own_format(read: Reader) -> None:
    got = read(own(FULL))
    assert got.file.source == "own"
    assert got.rows[0].order == Order(
        "A-1",
        merchant="某商家",
        platform="pinduoduo",
        shop="甲店",
        status=OrderStatus.SHIPPED,
        paid_at=datetime(2026, 11, 18, 1, tzinfo=UTC),
        shipped_at=datetime(2026, 11, 18, 2, tzinfo=UTC),
        promised_ship_at=datetime(2026, 11, 20, 1, 0, 59, tzinfo=UTC),
        amount=Decimal("59.9"),
        receiver_province="浙江省",
        receiver_city="杭州市",
        warehouse="一号仓",
        goods_type="presale",
    )
    assert got.rows[0].waybills == (ParsedWaybill("yuantong", "YT2600000000001"),)
    assert got.rows[0].phone_tail == "0421"
    assert got.warnings() == []


def test_confirmed_at_and_tags_are_taken_too(read: Reader) -> None:
    header = "order_no,carrier,waybill_no,confirmed_at,tags"
    got = read(own('A-1,圆通,YT2600000000001,2026-11-18 09:00:00,"presale, bulky"', header=header))
    order = got.orders()[0]
    assert order.confirmed_at == datetime(2026, 11, 18, 1, tzinfo=UTC)
    assert order.tags == {"presale", "bulky"}


def test_the_required_columns_are_enough_and_their_order_is_free(read: Reader) -> None:
    got = read("waybill_no,order_no,carrier\nYT2600000000001,A-1,yuantong\n")
    assert got.parcels() == [("A-1", "yuantong", "YT2600000000001")]


def test_what_the_file_does_not_say_is_told_at_import(read: Reader) -> None:
    got = read(
        own(
            "A-1,甲店,圆通,YT2600000000001",
            "A-2,,圆通,YT2600000000002",
            header="order_no,shop,carrier,waybill_no",
        ),
        platform="douyin",
        shop="乙店",
        merchant="某商家",
    )
    assert [(order.platform, order.shop, order.merchant) for order in got.orders()] == [
        ("douyin", "甲店", "某商家"),
        ("douyin", "乙店", "某商家"),
    ]


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_content_tells_delimiter_and_line_ends(read: Reader, mark: str, end: str) -> None:
    lines = [
        mark.join(cells)
        for cells in (("order_no", "carrier", "waybill_no"), ("A-1", "圆通", "YT2600000000001"))
    ]
    assert read(end.join(lines)).parcels() == [("A-1", "yuantong", "YT2600000000001")]


def test_times_are_read_in_the_configured_zone(read: Reader) -> None:
    got = read(short("A-1,圆通,YT2600000000001,2026-11-18 09:00:00,"), zone=ZoneInfo("Asia/Tokyo"))
    assert got.orders()[0].paid_at == datetime(2026, 11, 18, 0, tzinfo=UTC)


def test_an_order_without_a_waybill_is_waiting(read: Reader) -> None:
    got = read(short("A-1,,,2026-11-18 09:00:00,5", "A-2,圆通,,,"))
    assert got.kinds() == ["awaiting", "awaiting"]
    assert [order.status for order in got.orders()] == [OrderStatus.AWAITING, OrderStatus.AWAITING]


def test_a_shipped_order_without_a_waybill_is_kept_with_a_warning(read: Reader) -> None:
    got = read(own("A-1,,,2026-11-18 09:00:00", header="order_no,carrier,waybill_no,shipped_at"))
    assert (got.kinds(), got.warnings()) == (["awaiting"], [(2, "missing_waybill")])


def test_an_order_number_may_hold_anything_readable_in_our_own_format(read: Reader) -> None:
    got = read(short('"订单 1,甲",圆通,YT2600000000001,,'))
    assert got.parcels()[0][0] == "订单 1,甲"


@pytest.mark.parametrize(
    ("cell", "tail"), [("0421", "0421"), ("421", ""), ("13800000421", ""), ("1380*****01", ""), ("", "")]
)
def test_only_four_digits_are_a_phone_tail(read: Reader, cell: str, tail: str) -> None:
    got = read(own(f"A-1,圆通,YT2600000000001,{cell}", header="order_no,carrier,waybill_no,phone_tail"))
    assert got.rows[0].phone_tail == tail
    assert got.warnings() == ([(2, "bad_phone_tail")] if cell and not tail else [])
    assert "13800000421" not in repr(got.rows[0])


def test_a_phone_tail_in_a_number_cell_gets_its_zeros_back(read: Reader) -> None:
    rows = [["order_no", "carrier", "waybill_no", "phone_tail"], ["A-1", "圆通", "YT2600000000001", 42]]
    assert read(workbook(rows), name="a.xlsx").rows[0].phone_tail == "0042"


PHONES = "订单编号,买家会员名,买家应付货款,宝贝标题,订单状态,物流单号,物流公司,联系手机"


@pytest.mark.parametrize(
    ("carrier", "phone", "tail"),
    [
        ("顺丰速运", "'13800000421", "0421"),
        ("顺丰速运", "138****0421", "0421"),
        ("顺丰速运", "1380*****21", ""),
        ("中通快递", "138****0421", "0421"),
        ("圆通速递", "'13800000421", ""),
    ],
)
def test_a_phones_tail_is_kept_only_where_the_carrier_asks(
    read: Reader, carrier: str, phone: str, tail: str
) -> None:
    got = read(f"{PHONES}\n91001,t,1,杯,卖家已发货,2600000000001,{carrier},{phone}\n")
    assert got.rows[0].phone_tail == tail


# --- what is rejected, and why ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason", "column"),
    [
        (",圆通,YT2600000000002,,", "missing_order_no", "order_no"),
        ("A-2,圆同,YT2600000000002,,", "unknown_carrier", "carrier"),
        ("A-2,圆通,见备注,,", "bad_waybill", "waybill_no"),
        ("A-2,圆通,7.7E+13,,", "number_damaged", "waybill_no"),
        ("3.1E+18,圆通,YT2600000000002,,", "number_damaged", "order_no"),
        ("A-2,圆通,YT2600000000002,昨天,", "bad_time", "paid_at"),
        ("A-2,圆通,YT2600000000002,2009-01-01 00:00:00,", "bad_time", "paid_at"),
        ("A-2,圆通,YT2600000000002,,5,多出来的", "column_count", "整行"),
        ("A-2,圆通", "column_count", "整行"),
    ],
)
def test_a_bad_row_stops_only_itself(read: Reader, row: str, reason: str, column: str) -> None:
    before, after = "A-1,圆通,YT2600000000001,,", "A-3,圆通,YT2600000000003,,"
    got = read(short(before, row, after))
    assert got.kinds() == ["shipment", "rejected", "shipment"]
    assert got.reasons() == [(3, reason, column)]
    assert got.rows[1].order is None


def test_all_reasons_of_a_row_are_told_at_once(read: Reader) -> None:
    got = read(short("3.1E+18,圆同,YT2600000000002,昨天,很贵"))
    assert [reason for _, reason, _ in got.reasons()] == [
        "number_damaged",
        "unknown_carrier",
        "bad_time",
    ]
    assert got.warnings() == [(2, "bad_amount")]


@pytest.mark.parametrize("amount", ["很贵", "-5", "1000000000"])
def test_a_parcel_is_watched_though_its_amount_cannot_be_read(read: Reader, amount: str) -> None:
    got = read(short(f"A-1,圆通,YT2600000000001,,{amount}"))
    assert (got.kinds(), got.warnings()) == (["shipment"], [(2, "bad_amount")])
    assert got.orders()[0].amount is None
    assert "按没有金额监控" in got.rows[0].warnings[0].text


def test_a_missing_order_is_told_beside_other_reasons(read: Reader) -> None:
    reasons = [reason for _, reason, _ in read(short(",圆通,见备注,,")).reasons()]
    assert reasons == ["bad_waybill", "missing_order_no"]


def test_an_order_cell_with_separators_only_is_empty(read: Reader) -> None:
    got = read("订单号,快递公司,快递单号\n，,圆通,YT2600000000001\n")
    assert got.reasons() == [(2, "missing_order_no", "订单号")]


def test_two_carriers_for_three_waybills_do_not_fit(read: Reader) -> None:
    got = read(short('A-1,"圆通,中通","YT2600000000001,YT2600000000002,YT2600000000003",,'))
    assert got.reasons() == [(2, "unknown_carrier", "carrier")]
    assert "2 家" in got.rows[0].problems[0].text


def test_an_empty_line_is_nothing_but_counts(read: Reader) -> None:
    got = read(short("A-1,圆通,YT2600000000001,,", "", ",,,,", "A-2,圆通,YT2600000000002,,"))
    assert [row.line for row in got.rows] == [2, 5]


def test_missing_cells_at_the_end_are_empty(read: Reader) -> None:
    assert read(short("A-1,圆通,YT2600000000001")).kinds() == ["shipment"]


def test_empty_cells_beyond_the_header_do_no_harm(read: Reader) -> None:
    assert read(short("A-1,圆通,YT2600000000001,,,,,")).kinds() == ["shipment"]


def test_the_header_once_more_is_no_row(read: Reader) -> None:
    text = short("A-1,圆通,YT2600000000001,,")
    assert read(text + text).kinds() == ["shipment", "shipment"]


@pytest.mark.parametrize(
    ("second", "kinds"), [("", ["shipment"]), ("YT2600000000001", ["shipment"]), ("YT9", ["rejected"])]
)
def test_two_columns_with_one_heading_must_agree(read: Reader, second: str, kinds: list[str]) -> None:
    got = read(f"order_no,carrier,waybill_no,waybill_no\nA-1,圆通,YT2600000000001,{second}\n")
    assert got.kinds() == kinds
    assert {reason for _, reason, _ in got.reasons()} <= {"ambiguous_column"}


def test_null_bytes_around_a_value_go_and_inside_one_reject_the_row(read: Reader) -> None:
    got = read(
        short(
            "A-1\0,圆通,\0YT2600000000001,,", "A-2,圆通,YT26\x0000000000002,,", "A-3,圆通,YT2600000000003,,"
        )
    )
    assert got.kinds() == ["shipment", "rejected", "shipment"]
    assert got.parcels()[0] == ("A-1", "yuantong", "YT2600000000001")


# --- broken quotes and bytes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param('A-2,圆通,"YT2600000000002,,', id="no quote after it in the file"),
        pytest.param('A-2,"圆通,YT2600000000002,,', id="swallows cells as well"),
    ],
)
@pytest.mark.parametrize(
    "after",
    [
        pytest.param(["A-3,圆通,YT2600000000003,,", "A-4,圆通,YT2600000000004,,"], id="plain rows"),
        pytest.param(['A-3,圆通,"YT2600000000003",,', 'A-4,"圆通",YT2600000000004,,'], id="quoted rows"),
        pytest.param(
            ['"A-3","圆通","YT2600000000003","",""', '"A-4","圆通","YT2600000000004","",""'], id="all quoted"
        ),
    ],
)
def test_an_unclosed_quote_rejects_its_row_and_no_other(read: Reader, broken: str, after: list[str]) -> None:
    got = read(short("A-1,圆通,YT2600000000001,,", broken, *after))
    assert got.kinds() == ["shipment", "rejected", "shipment", "shipment"]
    assert got.reasons() == [(3, "unclosed_quote", "整行")]
    assert [order for order, _, _ in got.parcels()] == ["A-1", "A-3", "A-4"]


def test_an_unclosed_quote_in_a_long_file_does_not_swallow_it(read: Reader) -> None:
    """More than 32,767 characters follow, with no quote among them."""
    rows = [f"A-{n},圆通,YT{n:013d},," for n in range(12_000)]
    rows[5] = 'A-5,圆通,"YT0000000000005,,'
    rows[7_000] = 'A-7000,圆通,"YT0000000007000,,'
    got = read(short(*rows))
    assert [(row.line, row.reason) for row in got.rows if row.problems] == [
        (7, "unclosed_quote"),
        (7_002, "unclosed_quote"),
    ]
    assert len(got.parcels()) == 11_998


def test_an_absurdly_long_cell_rejects_its_row(read: Reader) -> None:
    header = "order_no,carrier,waybill_no,备注"
    rows = [
        f"A-{n},圆通,YT260000000000{n},{'很' * length}"
        for n, length in ((1, 32_767), (2, 32_768), (3, 200_000))
    ]
    got = read(own(*rows, "A-4,圆通,YT2600000000004,", header=header))
    assert got.kinds() == ["shipment", "rejected", "rejected", "shipment"]
    assert [reason for _, reason, _ in got.reasons()] == ["cell_too_long", "cell_too_long"]


def test_quotes_inside_plain_cells_are_only_characters(read: Reader) -> None:
    header = "order_no,carrier,waybill_no,备注"
    got = read(own('A-1,圆通,YT2600000000001,12" 显示器', 'A-2,圆通,YT2600000000002,"大"号', header=header))
    assert got.kinds() == ["shipment", "shipment"]


@pytest.mark.parametrize(
    ("main", "other"), [("utf-8", "gb18030"), ("gb18030", "utf-8"), ("utf-8-sig", "gb18030")]
)
def test_a_line_in_another_encoding_is_rejected_alone(read: Reader, main: str, other: str) -> None:
    lines = [f"A-{n},圆通快递,YT260000000000{n},," for n in range(1, 6)]
    encoded = [line.encode(main.removesuffix("-sig")) for line in lines]
    encoded[2] = "A-3,顺丰速运公司,SF260000000000,,".encode(other)
    bom = b"\xef\xbb\xbf" if main.endswith("sig") else b""
    got = read(bom + b"order_no,carrier,waybill_no,paid_at,amount\n" + b"\n".join(encoded) + b"\n")
    assert got.file.encoding == main
    assert [row.line for row in got.rows if row.kind == "rejected"] == [4]
    assert [order for order, _, _ in got.parcels()] == ["A-1", "A-2", "A-4", "A-5"]


def test_a_damaged_cell_that_is_read_rejects_its_row(read: Reader) -> None:
    line = "A-1,圆通,YT2600000000001,一号".encode()[:-1]
    good = "A-2,圆通,YT2600000000002,一号".encode()
    got = read(b"order_no,carrier,waybill_no,warehouse\n" + line + b"\n" + good + b"\n")
    assert got.reasons() == [(2, "bad_encoding", "warehouse")]
    assert got.orders()[0].warehouse == "一号"


def test_a_damaged_remark_that_nobody_reads_does_no_harm(read: Reader) -> None:
    """Back offices cut remarks by bytes and leave half a character."""
    line = "A-1,圆通,YT2600000000001,很好".encode()[:-1]
    good = "A-2,圆通,YT2600000000002,很好".encode()
    got = read(b"order_no,carrier,waybill_no,remark\n" + line + b"\n" + good + b"\n")
    assert got.kinds() == ["shipment", "shipment"]
    assert [note.reason for note in got.file.notes] == ["bad_encoding"]


# --- statuses --------------------------------------------------------------------------------------------


STATUS = "订单号,订单状态,售后状态,快递公司,快递单号,支付时间"


@pytest.mark.parametrize(
    ("status", "refund", "waybill", "kind", "reason"),
    [
        ("待付款", "", "", "ignored", "unpaid"),
        ("交易关闭", "", "", "ignored", "closed"),
        ("已取消", "", "YT2600000000001", "ignored", "closed"),
        ("待发货", "退款成功", "", "ignored", "refunded"),
        ("交易成功", "", "", "ignored", "finished"),
        ("待发货", "", "", "awaiting", ""),
        ("待发货", "退款中", "", "awaiting", ""),
        ("已发货", "", "YT2600000000001", "shipment", ""),
        ("交易成功", "", "YT2600000000001", "shipment", ""),
        ("已收货", "退款成功", "YT2600000000001", "shipment", ""),
    ],
)
def test_what_a_status_makes_of_a_row(
    read: Reader, status: str, refund: str, waybill: str, kind: str, reason: str
) -> None:
    carrier = "圆通" if waybill else ""
    got = read(f"{STATUS}\n9001,{status},{refund},{carrier},{waybill},2026-11-18 09:00:00\n")
    assert (got.rows[0].kind, got.rows[0].reason) == (kind, reason)


def test_an_ended_order_is_handed_on_so_that_it_moves_forward(read: Reader) -> None:
    got = read(f"{STATUS}\n9001,交易关闭,,,,昨天\n", shop="甲店")
    order = got.rows[0].order
    assert order is not None
    assert (order.order_no, order.shop, order.status) == ("9001", "甲店", OrderStatus.CLOSED)


@pytest.mark.parametrize("parcel", [",", "圆通,YT2600000000001"])
def test_a_closed_row_whose_number_is_damaged_is_rejected(read: Reader, parcel: str) -> None:
    assert read(f"{STATUS}\n3.1E+18,交易关闭,,{parcel},\n").kinds() == ["rejected"]


def test_an_order_without_a_parcel_to_watch_is_waited_for_no_longer(read: Reader) -> None:
    order = read(f"{STATUS}\n9001,已发货,,无需物流,,\n").rows[0].order
    assert order is not None
    assert order.status is OrderStatus.FINISHED


def test_an_unknown_status_is_told_once_per_file(read: Reader) -> None:
    rows = [f"90{n},风控审核,仲裁中,圆通,YT260000000000{n},\n" for n in range(3)]
    got = read(f"{STATUS}\n{''.join(rows)}")
    assert got.kinds() == ["shipment"] * 3
    assert got.warnings() == [(2, "unknown_status"), (2, "unknown_status")]


def test_a_day_without_a_time_is_told_once_per_file(read: Reader) -> None:
    got = read(short(*(f"A-{n},圆通,YT260000000000{n},2026-11-18," for n in range(3))))
    assert got.warnings() == [(2, "only_a_day")]


@pytest.mark.parametrize(
    ("written", "platform", "warned"),
    [
        pytest.param("taobao_tmall", "taobao_tmall", False, id="the profile's own id"),
        pytest.param("taobao", "taobao_tmall", False, id="what people type"),
        pytest.param("拼多多", "pinduoduo", False, id="the Chinese name"),
        pytest.param("taobo", "taobo", True, id="a typing error is said, with the nearest"),
    ],
)
def test_a_platform_nobody_knows_is_said(read: Reader, written: str, platform: str, warned: bool) -> None:
    (row,) = read(f"order_no,carrier,waybill_no,platform\nA-1,圆通,YT8800000000001,{written}\n").rows
    assert row.order is not None
    assert row.order.platform == platform
    assert [warning.reason for warning in row.warnings] == ["unknown_platform"] * warned
    assert all("taobao_tmall" in warning.text for warning in row.warnings)


def test_a_phone_is_kept_in_no_column_that_is_only_shown(read: Reader) -> None:
    """People write the receiver into whatever field is free; a number that is no phone stays."""
    head = "order_no,carrier,waybill_no,merchant,shop,warehouse,goods_type,tags\n"
    told = read(
        f"{head}A-1,圆通,YT2600000000001,甲 13800001234,13800001234,王小明 13800001234,138 0000 1234,加急 13800001234\n"
        f"A-2,圆通,YT2600000000002,甲20261122,乙 1002,杭州2号仓 9500012,大件,加急 10001\n"
    )
    first, second = told.orders()
    assert (first.merchant, first.shop) == ("甲 138******34", "138******34")
    assert (first.warehouse, first.goods_type) == ("王小明 138******34", "138 **** **34")
    assert {"加急", "138******34"} <= first.tags
    assert (second.merchant, second.shop, second.warehouse) == ("甲20261122", "乙 1002", "杭州2号仓 9500012")
    assert {"加急", "10001"} <= second.tags


def test_the_shop_told_at_import_holds_no_phone_either(read: Reader) -> None:
    row = "order_no,carrier,waybill_no\nA-1,圆通,YT2600000000001\n"
    [order] = read(row, shop="甲店 13800001234").orders()
    assert order.shop == "甲店 138******34"
