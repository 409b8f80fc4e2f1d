"""Who wrote a file is told by its headings; a mapping puts right what is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.intake.columns import SOURCES
from monitor.intake.files import FileRefused
from monitor.intake.layouts import is_waybill_heading, recognise
from tests.intake.conftest import Reader

EXPORTS = {
    "taobao": "订单编号,买家会员名,买家应付货款,买家实际支付金额,订单状态,收货地址,联系手机,订单付款时间,宝贝标题,物流单号 ,物流公司,店铺名称,确认收货时间",
    "pinduoduo": "订单号,订单状态,商品总价(元),支付时间,承诺发货时间,发货时间,样式ID,商家编码-规格维度,售后状态,快递单号,快递公司",
    "douyin": "主订单编号,子订单编号,选购商品,订单提交时间,支付完成时间,承诺发货时间,订单状态,售后状态,达人ID,流量来源,省,市,区",
    "jd_pop": "订单号,下单时间,付款确认时间,订单状态,订购数量,京东价,客户姓名,客户地址,商家备注等级（等级1-5为由高到低）",
    "kuaishou": "订单号,订单状态,订单支付时间,预售/承诺发货时间,快递单号,快递公司,CPS达人ID,快赚客ID,集运类型,收货地址-省,收货地址-市",
    "xiaohongshu": "订单号,订单状态,支付时间,承诺发货时间,订单发货时间,快递单号,快递公司,SKU件数,商家应收金额(元)（支付金额）",
    "ali1688": "订单编号,卖家公司名,货品标题,涨价或折扣(元),订单状态,订单付款时间,运单号,物流公司,收货地址",
    "jushuitan": "内部订单号,线上订单号,店铺,平台站点,状态,店铺状态,付款日期,发货日期,快递公司,快递单号,省份,城市,区县,手机",
    "wangdiantong": "订单编号,店铺,订单来源,仓库,原始单号,子单原始单号,订单状态,付款时间,发货时间,客户网名,省市县,物流公司,物流单号",
    "dewu": "订单号,买家下单时间,出价金额（元）,spuID,订单状态",
}


def test_every_source_has_an_export_here() -> None:
    assert set(EXPORTS) == {source.code for source in SOURCES} - {"own"}


@pytest.mark.parametrize("code", EXPORTS)
def test_a_back_office_is_recognised_by_its_headings(code: str) -> None:
    source, score = recognise(EXPORTS[code].split(","))
    assert (source.code, score > 0) == (code, True)


@pytest.mark.parametrize("code", EXPORTS)
def test_the_order_of_the_columns_does_not_matter(code: str) -> None:
    assert recognise(EXPORTS[code].split(",")[::-1])[0].code == code


def test_without_tell_tale_columns_nobody_is_guessed() -> None:
    plain = ["订单号", "订单状态", "支付时间", "承诺发货时间", "快递单号", "快递公司"]
    assert recognise(plain)[0].code == "generic"
    assert recognise(plain, platform="xiaohongshu")[0].code == "xiaohongshu", "told at import, it is known"


def test_a_header_of_two_back_offices_is_nobodys() -> None:
    """淘宝 leads 1688 by less than a tenth of its columns here: no clear lead."""
    mixed = [
        *(
            "订单编号",
            "运单号",
            "物流公司",
            "订单付款时间",
            "订单状态",
            "退款状态",
            "收货地址",
            "宝贝标题",
            "货品标题",
        ),
        *("店铺名称", "发货时间", "总金额"),
    ]
    assert recognise(mixed)[0].code == "generic"
    assert recognise([*mixed, "买家会员名", "买家应付货款"])[0].code == "taobao"


@pytest.mark.parametrize(
    ("platform", "told"),
    [
        ("淘宝", "taobao_tmall"), ("天猫", "taobao_tmall"), ("拼多多", "pinduoduo"), ("抖店", "douyin"),
        ("京东", "jd_pop"), ("快手", "kuaishou"), ("小红书", "xiaohongshu"), ("1688", "ali1688"),
        ("视频号", "wechat_shop"), ("微信小店", "wechat_shop"), ("抖音电商", "douyin"), ("快手小店", "kuaishou"),
        ("淘特", "taobao_special"), ("天猫国际", "tmall_global"), ("速卖通", "aliexpress"), ("敦煌网", "dhgate"),
        ("AliExpress", "aliexpress"), ("Taobao_Tmall", "taobao_tmall"), ("jd_pop", "jd_pop"),
        ("自有商城", "自有商城"), ("", ""),
    ],
)  # fmt: skip
def test_an_erps_rows_say_their_platform_and_shop(read: Reader, platform: str, told: str) -> None:
    row = f"700123,31000001,甲店,{platform},已发货,,2026-11-18 09:00:00,2026-11-18 18:00:00,圆通,YT2600000000001,浙江省,杭州市,,"
    got = read(f"{EXPORTS['jushuitan']}\n{row}\n")
    order = got.orders()[0]
    assert (order.order_no, order.platform, order.shop) == ("700123", told, "甲店")
    assert (order.receiver_province, order.receiver_city) == ("浙江省", "杭州市")
    assert got.rows[0].platform_orders == ("31000001",)


def test_without_an_internal_number_an_erps_order_has_the_platforms(read: Reader) -> None:
    header = "线上订单号,店铺,平台站点,状态,店铺状态,付款日期,分销商,快递公司,快递单号"
    got = read(f'{header}\n"31000001,31000002",甲店,淘宝,已发货,,2026-11-18 09:00:00,,圆通,YT2600000000001\n')
    assert got.file.source == "jushuitan"
    assert [order for order, _, _ in got.parcels()] == ["31000001", "31000002"]


def test_the_platform_follows_from_the_source_unless_told_otherwise(read: Reader) -> None:
    row = "91001,t,1,1,卖家已发货,浙江省 杭州市,,2026-11-18 09:00:00,杯,YT2600000000001,圆通,甲店,"
    text = f"{EXPORTS['taobao']}\n{row}\n"
    assert read(text).orders()[0].platform == "taobao_tmall"
    assert read(text, platform="taobao_special").orders()[0].platform == "taobao_special"


def test_pinduoduos_clocks_start_at_the_deal(read: Reader) -> None:
    """订单成交时间 is when the group is complete (`facts/platform-rules.md` §9, confirmed)."""
    header = f"{EXPORTS['pinduoduo']},订单成交时间"
    row = "261118-1,待发货,9.9,2026-11-18 12:00:00\t,,,1,a,,,,2026-11-18 13:30:00\t"
    assert read(f"{header}\n{row}\n").orders()[0].confirmed_at == datetime(2026, 11, 18, 5, 30, tzinfo=UTC)


def test_order_numbers_of_platforms_have_no_chinese_in_them(read: Reader) -> None:
    """A note below the table must not become an order."""
    note = "导出时间：2026-11-18,,,,,,,,,,,,"
    assert read(f"{EXPORTS['taobao']}\n{note}\n").reasons() == [(2, "bad_number", "订单编号")]


# --- merchant-owned sheets ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "heading",
    [
        "快递单号",
        "物流单号",
        "运单号",
        "单号",
        "快递号",
        "面单号",
        "Tracking No",
        "运单号（必填）",
        "*运单号",
    ],
)
@pytest.mark.parametrize("carrier", ["快递公司", "物流公司", "承运商", "快递"])
def test_a_merchants_own_sheet_needs_a_waybill_column(read: Reader, heading: str, carrier: str) -> None:
    got = read(f"单据编号,{heading},{carrier},出库时间\n甲-1,YT2600000000001,圆通,2026-11-18 09:00:00\n")
    assert got.file.source == "generic"
    assert got.parcels() == [("甲-1", "yuantong", "YT2600000000001")]
    assert got.orders()[0].shipped_at == datetime(2026, 11, 18, 1, tzinfo=UTC)


def test_without_an_order_column_the_waybill_stands_for_the_order(read: Reader) -> None:
    got = read("快递单号,快递公司\nYT2600000000001,圆通\n")
    assert got.parcels() == [("YT2600000000001", "yuantong", "YT2600000000001")]
    assert [note.reason for note in got.file.notes] == ["no_order_column"]


@pytest.mark.parametrize(
    ("number", "carrier"),
    [
        ("SF2600000000001", "shunfeng"), ("YT2600000000001", "yuantong"), ("JT2600000000001", "jtexpress"),
        ("JDVA26000000001", "jd"), ("DPK260000000001", "debangkuaidi"),
    ],
)  # fmt: skip
def test_without_a_carrier_column_letters_tell_and_it_is_marked(
    read: Reader, number: str, carrier: str
) -> None:
    got = read(f"订单号,快递单号\n甲-1,{number}\n")
    assert [(each.carrier, each.guessed) for each in got.rows[0].waybills] == [(carrier, True)]
    assert [note.reason for note in got.file.notes] == ["no_carrier_column", "no_order_columns"]


@pytest.mark.parametrize(
    "number", ["78000000000001", "770000000000001", "30000000000000001", "LX000000005US"]
)
def test_digits_alone_never_tell_the_carrier_who_is_asked_later(read: Reader, number: str) -> None:
    got = read(f"订单号,快递单号\n甲-1,{number}\n")
    assert [(each.carrier, each.guessed) for each in got.rows[0].waybills] == [("auto", True)]
    assert [each.reason for each in got.rows[0].warnings] == ["unnamed_carrier"]


@pytest.mark.parametrize("number", ["LX000000004US", "ZZ26", "补发", "7800", "7" * 30])
def test_what_is_nobodys_number_is_refused(read: Reader, number: str) -> None:
    reasons = [reason for _, reason, _ in read(f"订单号,快递单号\n甲-1,{number}\n").reasons()]
    assert reasons in (["missing_carrier"], ["bad_waybill"])


# --- mapping ---------------------------------------------------------------------------------------------


def test_a_saved_mapping_reads_what_nobody_knows(read: Reader) -> None:
    mapping = {"order_no": "编号", "waybill_no": "面单", "carrier": "走哪家"}
    got = read("编号,面单,走哪家\n甲-1,YT2600000000001,圆通\n", mapping=mapping)
    assert got.parcels() == [("甲-1", "yuantong", "YT2600000000001")]
    assert got.file.mapping == mapping


def test_a_mapping_wins_over_what_is_recognised(read: Reader) -> None:
    got = read(
        "订单号,快递单号,退货单号,快递公司\n甲-1,YT2600000000001,YT2600000000002,圆通\n",
        mapping={"waybill_no": "退货单号"},
    )
    assert [waybill for _, _, waybill in got.parcels()] == ["YT2600000000002"]


def test_a_column_that_is_mapped_is_read_as_nothing_else(read: Reader) -> None:
    got = read("仓库,订单号,快递单号,快递公司\n甲,D-1,YT2600000000001,圆通\n", mapping={"shop": "仓库"})
    assert (got.orders()[0].shop, got.orders()[0].warehouse) == ("甲", "")


@pytest.mark.parametrize("mapping", [{"waybill_no": "没有这列"}, {"no_such_field": "订单号"}])
def test_a_mapping_that_does_not_fit_is_refused(read: Reader, mapping: dict[str, str]) -> None:
    with pytest.raises(FileRefused, match="列对应表") as refused:
        read("订单号,快递单号,快递公司\n甲-1,YT2600000000001,圆通\n", mapping=mapping)
    assert refused.value.reason == "bad_mapping"


@pytest.mark.parametrize(
    ("heading", "is_waybill"), [("快递单号", True), ("waybill_no", True), ("订单号", False)]
)
def test_waybill_headings(heading: str, is_waybill: bool) -> None:
    assert is_waybill_heading(heading) is is_waybill


@pytest.mark.parametrize("heading", ["手机后四位", "手机尾号", "收件人手机", "手机号", "收件人电话"])
def test_a_sheet_of_ones_own_may_say_the_phone_in_many_ways(read: Reader, heading: str) -> None:
    number = "8000" if heading.endswith(("四位", "尾号")) else "13912348000"
    got = read(f"订单号,快递单号,快递公司,{heading}\n甲-1,SF2600000000001,顺丰,{number}\n")
    assert [row.phone_tail for row in got.rows] == ["8000"]
