"""The headings of back offices as data: per source, which column holds which field.

The tables are `facts/import-formats.md` §2. Adding a source is one `Source` below; what the tables do
not know, a mapping saved by the user does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from monitor.intake.values import heading_key

__all__ = [
    "FIELDS",
    "GENERIC",
    "NAMING",
    "OWN",
    "PLATFORMS",
    "PLATFORM_IDS",
    "REQUIRED",
    "SOURCES",
    "Source",
    "platform_id",
]

FIELDS: Final[Mapping[str, str]] = {
    "order_no": "订单号",
    "platform_order_no": "平台订单号",
    "platform": "平台",
    "shop": "店铺",
    "carrier": "快递公司",
    "waybill_no": "运单号",
    "ordered_at": "下单时间",
    "paid_at": "付款时间",
    "confirmed_at": "成交时间",
    "promised_ship_at": "承诺发货时间",
    "promised_delivery_at": "承诺送达时间",
    "shipped_at": "发货时间",
    "finished_at": "确认收货时间",
    "amount": "实付金额",
    "status": "订单状态",
    "refund": "退款状态",
    "receiver_province": "省",
    "receiver_city": "市",
    "address": "收货地址（只取省、市）",
    "phone": "收件人手机（只取后四位）",
    "phone_tail": "手机后四位",
    "warehouse": "仓库",
    "goods_type": "商品类型",
    "tags": "标签",
    "merchant": "商家",
}
"""What a column can be, with the name people read. The keys are those of a saved mapping."""


@dataclass(frozen=True, slots=True)
class Source:
    """One back office: its headings per field, the most reliable first, and its tell-tale columns."""

    code: str
    name: str
    fields: Mapping[str, tuple[str, ...]]
    marks: tuple[str, ...] = ()
    platform: str = ""
    blocks: bool = False
    """An order's further rows leave its cells blank (quirk 10)."""


OWN: Final = Source(
    "own",
    "parcelwatch 表格",
    {name: (name,) for name in FIELDS if name not in ("address", "phone", "refund", "platform_order_no")},
)
NAMING: Final = ("order_no", "waybill_no")
"""The headings without which our own format is not imported; a carrier nobody names is recognised later."""
REQUIRED: Final = ("order_no", "carrier", "waybill_no")
"""Those without which the lab does not read it (`design.md` §4): there nobody is asked later."""

SOURCES: Final[tuple[Source, ...]] = (
    OWN,
    Source(
        "taobao", "淘宝/天猫（千牛）",
        {
            "order_no": ("订单编号", "主订单编号", "子订单编号"),
            "waybill_no": ("物流单号", "运单号", "快递单号"),
            "carrier": ("物流公司", "快递公司"),
            "ordered_at": ("订单创建时间", "买家下单时间"),
            "paid_at": ("订单付款时间", "买家付款时间"),
            "promised_ship_at": ("承诺发货时间", "应发货时间"),
            "shipped_at": ("发货时间",),
            "finished_at": ("确认收货时间",),
            "status": ("订单状态",),
            "refund": ("退款状态",),
            "shop": ("店铺名称",),
            "amount": ("买家实际支付金额", "买家实付金额", "总金额"),
            "address": ("收货地址",),
            "phone": ("联系手机",),
        },
        ("买家会员名", "买家应付货款", "宝贝标题"),
        "taobao_tmall",
    ),
    Source(
        "pinduoduo", "拼多多",
        {
            "order_no": ("订单号",),
            "waybill_no": ("快递单号",),
            "carrier": ("快递公司",),
            "confirmed_at": ("订单成交时间",),
            "paid_at": ("支付时间",),
            "promised_ship_at": ("承诺发货时间",),
            "promised_delivery_at": ("承诺送达时间",),
            "shipped_at": ("发货时间",),
            "finished_at": ("确认收货时间",),
            "status": ("订单状态",),
            "refund": ("售后状态",),
            "amount": ("用户实付金额", "商家实收金额", "商品总价"),
            "receiver_province": ("省",),
            "receiver_city": ("市",),
            "phone": ("用户购买手机号",),
        },
        ("商家编码-规格维度", "样式ID", "多多支付立减金额(元)"),
        "pinduoduo",
    ),
    Source(
        "douyin", "抖店",
        {
            "order_no": ("主订单编号", "子订单编号"),
            "waybill_no": ("快递单号", "物流单号", "运单号"),
            "carrier": ("快递公司", "物流公司"),
            "ordered_at": ("订单提交时间",),
            "paid_at": ("支付完成时间",),
            "promised_ship_at": ("承诺发货时间",),
            "shipped_at": ("发货时间",),
            "finished_at": ("订单完成时间",),
            "status": ("订单状态",),
            "refund": ("售后状态",),
            "amount": ("订单应付金额",),
            "receiver_province": ("省",),
            "receiver_city": ("市",),
            "phone": ("收件人手机号",),
        },
        ("选购商品", "达人ID", "流量来源"),
        "douyin",
    ),
    Source(
        "jd_pop", "京东 POP",
        {
            "order_no": ("订单号",),
            "waybill_no": ("快递单号", "物流单号", "运单号"),
            "carrier": ("快递公司", "物流公司"),
            "ordered_at": ("下单时间",),
            "paid_at": ("付款确认时间",),
            "finished_at": ("订单完成时间",),
            "status": ("订单状态",),
            "shop": ("店铺名称",),
            "amount": ("应付金额",),
            "address": ("客户地址",),
            "phone": ("联系电话",),
        },
        ("京东价", "订购数量", "商家备注等级(等级1-5为由高到低)", "下单帐号"),
        "jd_pop",
    ),
    Source(
        "kuaishou", "快手小店",
        {
            "order_no": ("订单号",),
            "waybill_no": ("快递单号", "发货快递单号"),
            "carrier": ("快递公司",),
            "ordered_at": ("订单创建时间",),
            "paid_at": ("订单支付时间",),
            "promised_ship_at": ("预售/承诺发货时间",),
            "shipped_at": ("发货时间",),
            "status": ("订单状态",),
            "refund": ("售后状态",),
            "amount": ("实付款",),
            "receiver_province": ("收货地址-省",),
            "receiver_city": ("收货地址-市",),
            "phone": ("收货人电话",),
        },
        ("CPS达人ID", "快赚客ID", "集运类型"),
        "kuaishou",
    ),
    Source(
        "xiaohongshu", "小红书",
        {
            "order_no": ("订单号",),
            "waybill_no": ("快递单号",),
            "carrier": ("快递公司",),
            "ordered_at": ("订单创建时间",),
            "paid_at": ("支付时间",),
            "promised_ship_at": ("承诺发货时间", "预售订单截止发货时间"),
            "shipped_at": ("订单发货时间",),
            "finished_at": ("订单完成时间",),
            "status": ("订单状态",),
            "refund": ("售后状态",),
        },
        ("SKU件数", "商家应收金额(元)(支付金额)"),
        "xiaohongshu",
    ),
    Source(
        "ali1688", "1688",
        {
            "order_no": ("订单编号", "订单号"),
            "waybill_no": ("运单号", "物流单号"),
            "carrier": ("物流公司",),
            "ordered_at": ("订单创建时间",),
            "paid_at": ("订单付款时间",),
            "status": ("订单状态",),
            "refund": ("退款状态",),
            "amount": ("实付款",),
            "address": ("收货地址",),
        },
        ("货品标题", "卖家公司名", "涨价或折扣(元)"),
        "ali1688",
        blocks=True,
    ),
    Source(
        "jushuitan", "聚水潭",
        {
            "order_no": ("内部订单号", "订单号"),
            "platform_order_no": ("线上订单号", "原始线上订单号"),
            "waybill_no": ("快递单号",),
            "carrier": ("快递公司",),
            "ordered_at": ("下单时间", "订单日期"),
            "paid_at": ("付款日期", "付款时间"),
            "promised_ship_at": ("承诺发货时间",),
            "shipped_at": ("发货日期", "发货时间"),
            "finished_at": ("确认收货日期",),
            "status": ("状态",),
            "shop": ("店铺",),
            "platform": ("平台站点",),
            "warehouse": ("发货仓",),
            "amount": ("已付金额", "应付金额"),
            "receiver_province": ("省份",),
            "receiver_city": ("城市",),
            "phone": ("手机",),
        },
        ("线上订单号", "内部订单号", "店铺状态", "分销商"),
    ),
    Source(
        "wangdiantong", "旺店通",
        {
            "order_no": ("订单编号",),
            "platform_order_no": ("原始单号", "子单原始单号", "原始子单号"),
            "waybill_no": ("物流单号",),
            "carrier": ("物流公司",),
            "ordered_at": ("交易时间",),
            "paid_at": ("付款时间",),
            "shipped_at": ("发货时间",),
            "status": ("订单状态",),
            "refund": ("订单退款状态",),
            "shop": ("店铺",),
            "platform": ("订单来源",),
            "warehouse": ("仓库",),
            "amount": ("应收金额",),
            "address": ("省市县", "收货地区"),
            "phone": ("手机",),
        },
        ("客户网名", "子单原始单号", "原始子单号"),
    ),
    Source(
        "dewu", "得物",
        {
            "order_no": ("订单号",),
            "waybill_no": ("快递单号", "物流单号", "运单号"),
            "carrier": ("快递公司", "物流公司"),
            "ordered_at": ("买家下单时间",),
            "paid_at": ("付款时间", "支付时间"),
            "status": ("订单状态",),
        },
        ("出价金额(元)", "spuID", "买家下单时间"),
        "dewu",
    ),
)  # fmt: skip

GENERIC: Final = Source(
    "generic",
    "自制表格",
    {
        "order_no": ("订单号", "订单编号", "单据编号", "主订单编号", "order no", "order number"),
        "waybill_no": (
            "快递单号", "物流单号", "运单号", "快递号", "面单号", "tracking no", "tracking number", "单号",
        ),
        "carrier": ("快递公司", "物流公司", "承运商", "快递", "carrier"),
        "ordered_at": ("下单时间", "订单创建时间"),
        "paid_at": ("付款时间", "支付时间", "付款日期"),
        "promised_ship_at": ("承诺发货时间",),
        "promised_delivery_at": ("承诺送达时间",),
        "shipped_at": ("发货时间", "发货日期", "出库时间"),
        "finished_at": ("确认收货时间",),
        "status": ("订单状态",),
        "refund": ("退款状态", "售后状态"),
        "shop": ("店铺名称", "店铺"),
        "platform": ("平台",),
        "warehouse": ("仓库", "发货仓"),
        "amount": ("实付金额",),
        "receiver_province": ("省", "省份", "收货省", "收货省份", "收件省份"),
        "receiver_city": ("市", "城市", "收货市", "收货城市", "收件城市"),
        "address": ("收货地址", "省市县"),
        "phone": (
            "收件人手机号", "收件人手机", "收货人手机", "收件人电话", "收货人电话", "手机号", "手机号码", "联系手机",
            "联系电话",
        ),
        "phone_tail": ("手机后四位", "手机尾号", "电话后四位", "收件人手机后四位", "收件人手机尾号"),
    },
)  # fmt: skip
"""Merchant-owned sheets have no format: anything with a waybill column (§2, last paragraph)."""

PLATFORMS: Final[Mapping[str, str]] = {
    "淘宝": "taobao_tmall", "天猫": "taobao_tmall", "淘宝天猫": "taobao_tmall", "淘宝/天猫": "taobao_tmall",
    "淘系": "taobao_tmall", "天猫超市": "taobao_tmall", "淘特": "taobao_special", "淘宝特价版": "taobao_special",
    "天猫国际": "tmall_global", "拼多多": "pinduoduo", "抖店": "douyin", "抖音": "douyin", "抖音小店": "douyin",
    "放心购": "douyin", "京东": "jd_pop", "京东pop": "jd_pop", "京东商城": "jd_pop", "快手": "kuaishou",
    "快手小店": "kuaishou", "小红书": "xiaohongshu", "1688": "ali1688", "阿里巴巴": "ali1688",
    "微信小店": "wechat_shop", "视频号": "wechat_shop", "视频号小店": "wechat_shop", "得物": "dewu",
    "taobao": "taobao_tmall", "tmall": "taobao_tmall", "pdd": "pinduoduo", "jd": "jd_pop", "xhs": "xiaohongshu",
    "速卖通": "aliexpress", "全球速卖通": "aliexpress", "虾皮": "shopee", "敦煌网": "dhgate",
    "抖音电商": "douyin", "抖音商城": "douyin", "快手电商": "kuaishou", "微信小商店": "wechat_shop",
    "微信视频号": "wechat_shop", "阿里1688": "ali1688", "1688阿里巴巴": "ali1688",
    "来赞达": "lazada", "lazada": "lazada", "亚马逊": "amazon", "amazon": "amazon", "shopee虾皮": "shopee",
    "tiktok美国": "tiktok_us", "tiktokshop美国": "tiktok_us", "tiktokus": "tiktok_us", "tiktokshopus": "tiktok_us",
    "temu美国本地": "temu_us_local", "temu半托管": "temu_us_local", "temu备货": "temu_jit", "temu全托管": "temu_jit",
    "temujit": "temu_jit",
}  # fmt: skip
"""The platform as ERPs write it → the profile's id (`facts/platform-rules.md` §11)."""


PLATFORM_IDS: Final = frozenset(PLATFORMS.values())
"""Every platform an order may name."""
_ID_KEYS: Final = {heading_key(each)[0]: each for each in PLATFORM_IDS}


def platform_id(name: str) -> str:
    """The profile's id of a platform's name or of the id in capitals; a name in no table stays as it is written."""
    key = heading_key(name)[0]
    return PLATFORMS.get(key) or _ID_KEYS.get(key, name)
