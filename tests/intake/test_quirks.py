"""The quirks of `facts/import-formats.md` §4, one test or more for each, in their order.

Not here: 11 is only that two rows with one waybill stay two orders with the same parcel (the store makes
one shipment of it), 18 gives `exported_at` and 19 the file's hash, what follows from them is the store's.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from domain.orders import OrderStatus
from monitor.intake.files import FileRefused, read_orders
from monitor.intake.verdicts import RowKind
from tests.intake.conftest import NOW, SHANGHAI, Reader
from tests.intake.workbook import locked_workbook, old_workbook, package, sheet, workbook

TAOBAO = "订单编号,买家会员名,买家应付货款,宝贝标题,订单状态,收货地址,订单付款时间,物流单号,物流公司,发货时间"
PDD = "订单号,订单状态,样式ID,商家编码-规格维度,多多支付立减金额(元),支付时间,承诺发货时间,快递单号,快递公司,订单成交时间"
JST = "内部订单号,线上订单号,店铺,平台站点,状态,店铺状态,付款日期,发货日期,快递公司,快递单号,省份,城市"
WDT = [
    "订单编号",
    "店铺",
    "订单来源",
    "原始单号",
    "子单原始单号",
    "订单状态",
    "付款时间",
    "客户网名",
    "物流公司",
    "物流单号",
]
SHIPPED = "卖家已发货，等待买家确认"


def taobao(order: str, waybill: str = "YT2600000000001", carrier: str = "圆通速递", **cells: str) -> str:
    """A header and one row of a 千牛 export."""
    row = {
        "订单编号": order,
        "订单状态": SHIPPED,
        "订单付款时间": "2026-11-18 09:12:40",
        "物流单号": waybill,
        "物流公司": carrier,
        **cells,
    }
    out = io.StringIO()
    writer = csv.DictWriter(out, TAOBAO.split(","), restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerow(row)
    return out.getvalue()


# --- bytes and encodings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("gb18030", "gb18030"), ("utf-8-sig", "utf-8-sig"), ("utf-8", "utf-8")],
)
def test_quirk_1_encodings_are_told_by_strict_decoding(read: Reader, encoding: str, said: str) -> None:
    rare = taobao("910000000000000001", 买家会员名="㐂𠮷**", 收货地址="浙江省 杭州市 某区")
    got = read(rare.encode(encoding))
    assert (got.file.encoding, got.file.source) == (said, "taobao")
    assert got.orders()[0].receiver_city == "杭州市"


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_quirk_1_excels_unicode_text_is_utf_16_with_tabs(read: Reader, mark: str) -> None:
    text = "\ufeff" + taobao("910000000000000001", 收货地址="四川省 成都市 某区").replace(",", "\t")
    got = read(text.encode(mark), name="订单.txt")
    assert got.file.encoding == "utf-16"
    assert got.orders()[0].receiver_province == "四川省"


def test_quirk_2_the_formula_around_identifiers_goes(read: Reader) -> None:
    got = read(taobao('="910000000000000002"', '="YT2600000000002"'))
    assert got.parcels() == [("910000000000000002", "yuantong", "YT2600000000002")]


def test_quirk_3_one_leading_apostrophe_goes(read: Reader) -> None:
    got = read(taobao("'910000000000000003", "'YT2600000000003"))
    assert got.parcels() == [("910000000000000003", "yuantong", "YT2600000000003")]


@pytest.mark.parametrize(
    "around", ["\t{}", "{}\t", "\u00a0{}\u00a0", "\u3000{}\u3000", "\u200b{}\ufeff", " \t{} \r\n"]
)
def test_quirk_4_blanks_of_every_kind_go_at_both_ends(read: Reader, around: str) -> None:
    header, row = taobao(around.format("910000000000000004"), around.format("YT2600000000004")).split(
        "\r\n", 1
    )
    padded = ",".join('"' + around.format(name) + '"' for name in header.split(","))
    got = read(f"{padded}\r\n{row}")
    assert got.file.source == "taobao"
    assert got.parcels() == [("910000000000000004", "yuantong", "YT2600000000004")]


@pytest.mark.parametrize(
    "heading", ["用户实付金额(元)", "用户实付金额（元）", "用户实付 金额\n(元)", "用户实付金额"]
)
def test_quirk_5_headings_are_compared_without_width_blanks_and_suffix(read: Reader, heading: str) -> None:
    header = f'{PDD},"{heading}"'
    got = read(f"{header}\r\n261118-1,已发货,1,a,0,2026-11-18 12:00:03,,YT2600000000005,圆通快递,,27.90\r\n")
    assert got.orders()[0].amount == Decimal("27.90")


@pytest.mark.parametrize("nothing", ["-", "--", "无", "无权限", "N/A", "nan", "None", ""])
def test_quirk_6_the_words_for_nothing_are_nothing(read: Reader, nothing: str) -> None:
    cells = {"订单付款时间": nothing, "发货时间": nothing, "订单状态": nothing}
    got = read(taobao("910000000000000006", nothing, "", **cells))
    order = got.orders()[0]
    assert got.kinds() == ["awaiting"]
    assert (order.paid_at, order.shipped_at, order.status) == (None, None, OrderStatus.AWAITING)
    assert got.warnings() == []


# --- identifiers and times -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damaged", ["7.73412E+13", "7.73E+13", "7e+13", "77341200000000.5", "1234567890123456.0"]
)
def test_quirk_7_a_number_damaged_by_a_spreadsheet_is_rejected(read: Reader, damaged: str) -> None:
    got = read(taobao("910000000000000007", damaged))
    assert got.reasons() == [(2, "number_damaged", "物流单号")]
    assert "重新导出" in got.rows[0].problems[0].text


def test_quirk_7_number_cells_up_to_15_digits_are_taken_with_a_warning(read: Reader) -> None:
    def row(order: str, waybill: float) -> list[str | float]:
        return [order, "店", "淘宝", "1", "1", "已发货", "2026-11-18 09:00:30", "t", "中通快递", waybill]

    got = read(workbook([WDT, row("JY1", 78000000000001), row("JY2", 7800000000000012)]), name="a.xlsx")
    assert got.parcels() == [("JY1", "zhongtong", "78000000000001")]
    assert got.warnings() == [(2, "number_cell_in_identifier_column")]
    assert got.reasons() == [(3, "number_damaged", "物流单号")]


def test_quirk_7_leading_zeros_lost_in_a_number_cell_are_noticed(read: Reader) -> None:
    """中通 writes 12 to 14 digits (`facts/carriers-codes.csv`): eleven were twelve once."""
    row: list[str | float] = ["JY1", "店", "淘宝", "1", "1", "已发货", "", "t", "中通快递", 78000000001]
    got = read(workbook([WDT, row]), name="a.xlsx")
    assert got.reasons() == [(2, "number_damaged", "物流单号")]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-18 17:30:11", "2026-11-18T09:30:11"),
        ("2026/11/18 17:30:11", "2026-11-18T09:30:11"),
        ("2026/09/10 08:05:00", "2026-09-10T00:05:00"),
        ("46344.80555555555", "2026-11-18T11:20:00"),
        ("2026/9/10 8:05", "2026-09-10T00:05:59"),
        ("2026-11-18 17:30", "2026-11-18T09:30:59"),
        ("2026-11-18", "2026-11-18T15:59:59"),
    ],
)
def test_quirk_8_times_as_spreadsheets_leave_them(read: Reader, written: str, moment: str) -> None:
    """Without seconds the later end of the minute counts, so that a deadline is never early."""
    got = read(taobao("910000000000000008", 发货时间=written))
    assert got.orders()[0].shipped_at == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_quirk_8_date_cells_of_a_workbook(read: Reader) -> None:
    moment = datetime(2026, 11, 18, 9, 0, 30)  # noqa: DTZ001 - a workbook's cells have no zone
    got = read(
        workbook([WDT, ["JY1", "店", "淘宝", "1", "1", "待发货", moment, "t", None, None]]), name="a.xlsx"
    )
    assert got.orders()[0].paid_at == datetime(2026, 11, 18, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "impossible", ["2009-06-01 00:00:00", "2026-11-24 12:00:01", "2062-11-18 09:00:00", "昨天"]
)
def test_quirk_9_a_time_before_2010_or_two_days_ahead_is_rejected(read: Reader, impossible: str) -> None:
    got = read(taobao("910000000000000009", 订单付款时间=impossible))
    assert got.reasons() == [(2, "bad_time", "订单付款时间")]


def test_quirk_9_two_days_ahead_to_the_second_is_still_taken(read: Reader) -> None:
    assert read(taobao("1", 订单付款时间="2026-11-24 12:00:00")).kinds() == ["shipment"]


def test_quirk_9_a_promise_may_lie_further_ahead(read: Reader) -> None:
    got = read(f"{PDD}\r\n261118-9,待发货,1,a,0,2026-11-18 12:00:00,2026-12-31 12:00:00,,,\r\n")
    assert got.orders()[0].promised_ship_at == datetime(2026, 12, 31, 4, tzinfo=UTC)


# --- rows and numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [",", "，", ";", "；", "、", " ", "\n", ", \n"])
def test_quirk_10_several_waybills_in_one_cell(read: Reader, between: str) -> None:
    got = read(taobao("910000000000000010", f"YT2600000000010{between}YT2600000000011"))
    assert [waybill for _, _, waybill in got.parcels()] == ["YT2600000000010", "YT2600000000011"]


def test_quirk_10_as_many_carriers_as_waybills_go_in_pairs(read: Reader) -> None:
    got = read(taobao("910000000000000010", "YT2600000000010,JT2600000000011", "圆通速递,极兔速递"))
    assert [carrier for _, carrier, _ in got.parcels()] == ["yuantong", "jtexpress"]


def test_quirk_10_one_order_on_several_rows(read: Reader) -> None:
    first = taobao("910000000000000010", "YT2600000000010")
    second = taobao("910000000000000010", "YT2600000000011").split("\r\n", 1)[1]
    assert read(first + second).parcels() == [
        ("910000000000000010", "yuantong", "YT2600000000010"),
        ("910000000000000010", "yuantong", "YT2600000000011"),
    ]


ALI = [
    "订单编号",
    "卖家公司名",
    "货品标题",
    "涨价或折扣(元)",
    "订单状态",
    "订单付款时间",
    "运单号",
    "物流公司",
]


def test_quirk_10_blank_order_cells_belong_to_the_order_above_and_no_further(read: Reader) -> None:
    rows = [
        ALI,
        ["A1", "某厂", "杯子", "0", "等待买家收货", "2026-11-18 09:00:00", "YT2600000000021", "圆通速递"],
        [None, None, "盖子", None, None, None, "YT2600000000022", None],
        [None, None, "杯刷", None, None, None, None, None],
        [None] * 8,
        [None, None, "别的订单", None, None, None, "YT2600000000023", "圆通速递"],
    ]
    got = read(workbook(rows), name="1688.xlsx")
    assert got.file.source == "ali1688"
    assert got.parcels() == [("A1", "yuantong", "YT2600000000021"), ("A1", "yuantong", "YT2600000000022")]
    assert got.reasons() == [(4, "no_data", "订单编号"), (6, "missing_order_no", "订单编号")]
    assert got.orders()[1].paid_at == got.orders()[0].paid_at


def test_quirk_10_a_merged_cell_says_the_same_in_each_of_its_rows(read: Reader) -> None:
    rows = [
        ["订单号", "快递公司", "快递单号"],
        ["D-1", "圆通", "YT2600000000031"],
        [None, "圆通", "YT2600000000032"],
        ["D-2", "圆通", "YT2600000000033"],
    ]
    got = read(workbook(rows, merged=["A2:A3"]), name="发货表.xlsx")
    assert [order for order, _, _ in got.parcels()] == ["D-1", "D-1", "D-2"]


def test_quirk_11_one_waybill_for_several_orders(read: Reader) -> None:
    """Two rows, or one cell with both numbers: each order has the parcel."""
    rows = taobao("910000000000000111", "YT2600000000041")
    rows += taobao("910000000000000112", "YT2600000000041").split("\r\n", 1)[1]
    rows += taobao("910000000000000113,910000000000000114", "YT2600000000041").split("\r\n", 1)[1]
    got = read(rows)
    assert {waybill for _, _, waybill in got.parcels()} == {"YT2600000000041"}
    assert [order[-3:] for order, _, _ in got.parcels()] == ["111", "112", "113", "114"]
    assert [row.line for row in got.rows] == [2, 3, 4, 4]


@pytest.mark.parametrize("total", ["合计:", "合计：100", "总计", "小计"])
def test_quirk_12_the_total_row_is_no_order(read: Reader, total: str) -> None:
    got = read(taobao("910000000000000012") + f"{total},,59.00,,,,,,,\r\n")
    assert got.kinds() == ["shipment", "ignored"]
    assert got.rows[1].reason == "total_row"


def test_quirk_13_a_wrong_sheet_dimension_hides_nothing(read: Reader) -> None:
    row = [
        "JY1",
        "店",
        "抖音",
        "69",
        "69",
        "已发货",
        "2026-11-18 09:00:30",
        "t",
        "中通快递",
        "78000000000001",
    ]
    got = read(workbook([WDT, row], dimension="A1:A9035"), name="a.xlsx")
    assert got.parcels() == [("JY1", "zhongtong", "78000000000001")]


def test_quirk_14_split_workbooks_are_read_as_one(read: Reader) -> None:
    def rows(number: int) -> str:
        return sheet(
            [
                WDT,
                [f"JY{number}", "店", "淘宝", "1", "1", "已发货", "", "t", "圆通", f"YT260000000005{number}"],
            ]
        )

    sheets = {"说明": sheet([["本表由系统导出"]]), "销售订单明细1": rows(1), "销售订单明细2": rows(2)}
    got = read(package(sheets), name="erp.xlsx")
    assert got.file.sheets == ("销售订单明细1", "销售订单明细2")
    assert [order for order, _, _ in got.parcels()] == ["JY1", "JY2"]
    assert {row.sheet for row in got.rows} == {"销售订单明细1", "销售订单明细2"}


def test_quirk_14_the_three_sheets_of_qianniu_are_joined_by_order(read: Reader) -> None:
    orders = [
        ["订单编号", "买家会员名", "买家应付货款", "订单状态", "订单付款时间", "店铺名称", "发货时间"],
        ["91001", "a", "10", SHIPPED, "2026-11-18 09:00:00", "甲店", "2026-11-18 16:00:00"],
        ["91002", "b", "10", "买家已付款，等待卖家发货", "2026-11-18 10:00:00", "甲店", None],
    ]
    items = [
        ["子订单编号", "主订单编号", "宝贝标题", "订单状态"],
        ["91001", "91001", "杯子", SHIPPED],
        ["91002", "91002", "盖子", "买家已付款，等待卖家发货"],
    ]
    shipments = [
        ["订单编号", "物流单号", "物流公司", "发货时间"],
        ["91001", "YT2600000000061", "圆通速递", "2026-11-18 17:00:00"],
    ]
    sheets = {"订单报表": sheet(orders), "销售明细": sheet(items), "发货报表": sheet(shipments)}
    got = read(package(sheets), name="千牛.xlsx")
    assert got.file.source == "taobao"
    assert got.kinds() == ["shipment", "awaiting"]
    shipped, waiting = got.orders()
    assert (shipped.order_no, shipped.shop) == ("91001", "甲店")
    assert shipped.paid_at == datetime(2026, 11, 18, 1, tzinfo=UTC)
    assert shipped.shipped_at == datetime(2026, 11, 18, 9, tzinfo=UTC), "the parcel's own sheet knows better"
    assert waiting.order_no == "91002"


@pytest.mark.parametrize("above", [1, 5, 19])
def test_quirk_15_the_header_may_stand_below_titles(read: Reader, above: int) -> None:
    """Line numbers still count from the header."""
    got = read("示例旗舰店 订单导出,,\r\n" * above + taobao("910000000000000015"))
    assert got.file.source == "taobao"
    assert [row.line for row in got.rows] == [2]


def test_quirk_15_below_twenty_rows_nobody_looks(read: Reader) -> None:
    with pytest.raises(FileRefused, match="认不出表头"):
        read("示例旗舰店 订单导出,,\r\n" * 20 + taobao("910000000000000015"))


@pytest.mark.parametrize("masked", ["王*", "##密文", "$$密文", "~Ag3x" * 30])
def test_quirk_16_names_streets_and_masked_data_are_dropped(read: Reader, masked: str) -> None:
    header = f"{TAOBAO},收货人姓名,联系手机"
    address = "浙江省 杭州市 余杭区 仓前街道 示例路 1 号"
    row = (
        f"91016,t,1,杯,{SHIPPED},{address},2026-11-18 09:00:00,SF2600000000016,顺丰速运,,{masked},1380*****16"
    )
    got = read(f"{header}\r\n{row}\r\n")
    kept = repr((got.rows[0].order, got.rows[0].waybills, got.rows[0].phone_tail))
    assert got.kinds() == ["shipment"]
    assert not any(secret in kept for secret in (masked, "余杭", "仓前", "示例路", "1380"))


def test_quirk_17_an_export_without_waybills_says_which_file_is_missing(read: Reader) -> None:
    header = "主订单编号,选购商品,达人ID,流量来源,订单状态,支付完成时间,承诺发货时间"
    got = read(f"{header}\r\n\t69001,杯,1,直播,已发货,2026-11-18 09:00:00,2026-11-20 09:00:00\r\n")
    assert got.file.source == "douyin"
    assert [note.reason for note in got.file.notes] == ["no_waybill_column"]
    assert got.kinds() == ["awaiting"]
    assert got.orders()[0].status is OrderStatus.SHIPPED
    assert got.warnings() == [(2, "missing_waybill")]


def test_quirk_17_a_list_of_parcels_attaches_by_order_number(read: Reader) -> None:
    got = read("订单编号,快递公司,快递单号\r\n69001,圆通速递,YT2600000000171\r\n", platform="douyin")
    assert got.parcels() == [("69001", "yuantong", "YT2600000000171")]
    assert got.orders()[0].platform == "douyin"


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("1795000805_3f2a订单.csv", "2026-11-18T11:20:05"),
        ("1795000805123_订单.csv", "2026-11-18T11:20:05"),
        ("ExportOrderList202611181920.csv", "2026-11-18T11:20:00"),
        ("销售订单_2026-11-18_19-20-05.csv", "2026-11-18T11:20:05"),
        ("ExportOrderList202711181920.csv", None),
        ("订单20261340.csv", None),
        ("订单.csv", None),
    ],
)
def test_quirk_18_the_file_name_tells_when_it_was_exported(
    read: Reader, name: str, moment: str | None
) -> None:
    wanted = datetime.fromisoformat(moment).replace(tzinfo=UTC) if moment else None
    assert read(taobao("910000000000000018"), name=name).file.exported_at == wanted


def test_quirk_19_the_same_file_is_known_by_its_hash(read: Reader) -> None:
    content = taobao("910000000000000019").encode()
    first, again = read(content), read(content, name="副本.csv")
    assert first.file.sha256 == again.file.sha256 == hashlib.sha256(content).hexdigest()
    assert first.rows == again.rows


def test_quirk_19_the_same_row_twice_is_no_error(read: Reader) -> None:
    rows = taobao("910000000000000019")
    assert read(rows + rows.split("\r\n", 1)[1]).kinds() == ["shipment", "shipment"]


ENCRYPTED = (
    bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512) + "EncryptedPackage".encode("utf-16-le") + bytes(512)
)


def test_quirk_20_a_locked_workbook_asks_for_its_password(read: Reader) -> None:
    with pytest.raises(FileRefused, match="有密码") as refused:
        read(ENCRYPTED, name="快手订单.xlsx")
    assert refused.value.reason == "encrypted"


def test_quirk_20_without_the_decrypting_package_the_way_out_is_named(
    read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "msoffcrypto", None)
    with pytest.raises(FileRefused, match="去掉密码另存"):
        read(ENCRYPTED, name="快手订单.xlsx", password="x1y2")


def test_quirk_20_with_the_password_it_is_read(read: Reader) -> None:
    """A real one, encrypted as Excel does it; a wrong password is said and not repeated."""
    row = ["JY1", "店", "快手", "69", "69", "已发货", "", "t", "中通快递", "78000000000001"]
    locked = locked_workbook([WDT, row], "x1y2")
    got = read(locked, name="a.xlsx", password="x1y2")
    assert (got.file.encoding, got.orders()[0].platform) == ("xlsx", "kuaishou")
    with pytest.raises(FileRefused, match="密码不对") as refused:
        read(locked, name="a.xlsx", password="wrong-secret")
    assert "wrong-secret" not in str(refused.value)


def test_quirk_21_an_xls_that_is_html(read: Reader) -> None:
    cells = "".join(f"<td>{name}</td>" for name in TAOBAO.split(","))
    row = "".join(f"<td style='mso-number-format:\\@'>{cell}</td>" for cell in (
        "910000000000000021", "t", "1", "杯 &amp; 盖", SHIPPED, "浙江省 杭州市 某区", "2026-11-18 09:00:00",
        "YT2600000000211<br>YT2600000000212", "圆通速递", "",
    ))  # fmt: skip
    page = f"<html><head><meta charset='gbk'></head><body><table><tr>{cells}</tr><tr>{row}</tr></table></body></html>"
    got = read(page.encode("gb18030"), name="订单.xls")
    assert (got.file.source, got.file.encoding) == ("taobao", "gb18030")
    assert [waybill for _, _, waybill in got.parcels()] == ["YT2600000000211", "YT2600000000212"]


def test_quirk_21_html_cells_that_span_rows_say_the_same_in_each(read: Reader) -> None:
    page = (
        "<table><tr><th colspan=3>发货表<tr><th>订单号<th>快递公司<th>快递单号"
        "<tr><td rowspan=3>H-1<td>圆通<td>YT2600000000221"
        "<tr><td>圆通<td>YT2600000000222"
        "<tr><td>圆通<td>YT2600000000224"
        "<tr><td>H-2<td>圆通<td>YT2600000000223</table>"
    )
    got = read(page, name="发货.xls")
    assert [order for order, _, _ in got.parcels()] == ["H-1", "H-1", "H-1", "H-2"]


def test_quirk_21_an_xls_that_is_csv(read: Reader) -> None:
    assert read(taobao("910000000000000021").encode("gb18030"), name="订单.xls").kinds() == ["shipment"]


def test_quirk_21_an_xls_that_is_one(read: Reader) -> None:
    row: list[str | float] = ["JY1", "店", "淘宝", "69", "69", "已发货", "", "t", "中通快递", 78000000000001]
    got = read(old_workbook([WDT, row]), name="订单.csv")
    assert (got.file.encoding, got.file.source, got.file.sheets) == ("xls", "wangdiantong", ("Sheet1",))
    assert got.parcels() == [("JY1", "zhongtong", "78000000000001")]


def test_quirk_21_a_csv_that_is_a_workbook(read: Reader) -> None:
    row = ["JY1", "店", "淘宝", "69", "69", "已发货", "", "t", "中通快递", "78000000000001"]
    got = read(workbook([WDT, row]), name="订单.csv")
    assert (got.file.encoding, got.kinds()) == ("xlsx", ["shipment"])


def test_quirk_22_stored_values_are_read_filters_are_told(read: Reader) -> None:
    body = sheet(
        [WDT, ["JY1", "店", "淘宝", "69", "69", "已发货", "", "t", "中通快递", "78000000000001"]],
        extra='<autoFilter ref="A1:J2"/>',
    )
    formula = '<c r="A2" t="str"><f>CONCATENATE("JY",1)</f><v>JY1</v></c>'
    body = body.replace('<c r="A2" t="inlineStr"><is><t xml:space="preserve">JY1</t></is></c>', formula)
    body = body.replace('<row r="2">', '<row r="2" hidden="1">')
    got = read(package({"Sheet1": body}), name="a.xlsx")
    assert got.parcels() == [("JY1", "zhongtong", "78000000000001")]
    assert [note.reason for note in got.file.notes] == ["filters_ignored"]


def test_quirk_22_a_hidden_sheet_is_not_read(read: Reader) -> None:
    def rows(name: str) -> str:
        return sheet([WDT, [name, "店", "淘宝", "1", "1", "已发货", "", "t", "圆通", "YT2600000000225"]])

    got = read(package({"旧": rows("JY0"), "新": rows("JY1")}, hidden=["旧"]), name="a.xlsx")
    assert [order for order, _, _ in got.parcels()] == ["JY1"]


@pytest.mark.parametrize(
    ("spelling", "key"),
    [
        ("圆通", "yuantong"), ("圆通速递", "yuantong"), ("圆通快递", "yuantong"), ("YTO", "yuantong"),
        ("中国邮政", "youzhengguonei"), ("邮政快递包裹", "youzhengguonei"), ("EMS", "ems"),
        ("顺丰", "shunfeng"), ("顺丰速运", "shunfeng"), ("SF", "shunfeng"),
        ("极兔", "jtexpress"), ("极兔速递", "jtexpress"), ("J&T", "jtexpress"),
        ("韵达", "yunda"), ("韵达快递", "yunda"),
    ],
)  # fmt: skip
def test_quirk_23_carriers_in_many_spellings(read: Reader, spelling: str, key: str) -> None:
    assert read(taobao("910000000000000023", "2600000000231", spelling)).rows[0].waybills[0].carrier == key


@pytest.mark.parametrize("name", ["无需物流", "自提", "虚拟发货"])
def test_quirk_23_what_no_carrier_takes_is_not_watched(read: Reader, name: str) -> None:
    got = read(taobao("910000000000000023", "", name))
    assert got.reasons() == [(2, "not_watched", "物流公司")]
    assert got.kinds() == ["ignored"]


def test_quirk_23_an_unknown_carrier_is_rejected_with_the_nearest_names(read: Reader) -> None:
    got = read(taobao("910000000000000023", "YT2600000000232", "圆同速递"))
    assert got.reasons() == [(2, "unknown_carrier", "物流公司")]
    assert "圆通速递" in got.rows[0].problems[0].text
    assert read(taobao("910000000000000023", "YT2600000000232", "其他")).rows[0].reason == "unknown_carrier"


def test_quirk_24_remarks_of_several_lines_are_one_record(read: Reader) -> None:
    rows = taobao("910000000000000241", 宝贝标题='说"好",\r\n第二行\n第三行')
    rows += taobao("坏", 宝贝标题="").split("\r\n", 1)[1]
    got = read(rows)
    assert [row.line for row in got.rows] == [2, 3], "records count, not lines of text"
    assert got.kinds() == ["shipment", "rejected"]


def test_quirk_25_wide_and_long_lists_are_a_stream(tmp_path: Path) -> None:
    """90 columns, never more than a few rows of them in memory."""
    path = tmp_path / "orders.csv"
    lines = [f"{TAOBAO},{','.join(f'备用{n}' for n in range(80))}"]
    for n in range(2500):
        cells = f"91{n:016d},t,1,杯,{SHIPPED},,2026-11-18 09:00:00,YT{n:013d},圆通速递,"
        lines.append(f"{cells},{','.join(['xxxxx'] * 80)}")
    path.write_text("\r\n".join(lines), "utf-8", newline="")
    del lines
    tracemalloc.start()
    try:
        rows = read_orders(path, zone=SHANGHAI, now=NOW).rows
        lines_read = [row.line for row in rows if row.kind is RowKind.SHIPMENT]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines_read == list(range(2, 2502))
    assert peak < 4_000_000, "all 225,000 cells at once would take several times that"
