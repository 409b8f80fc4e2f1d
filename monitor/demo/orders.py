"""Order files of the simulated world, as a merchant would import them; and a scan file for the lab.

Our own columns (`design.md` §4, Files), or in the manner of 千牛's 已卖出的宝贝 and of 拼多多's order export,
with the quirks of the real ones (`facts/import-formats.md` §2, §4). Buyers have neither names nor streets.
"""

from __future__ import annotations

import csv
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Final

from domain.time import SHANGHAI
from monitor.demo.scans import Scan
from monitor.demo.world import Parcel

__all__ = [
    "EVENT_COLUMNS",
    "OWN_COLUMNS",
    "own_rows",
    "save_events",
    "save_own",
    "save_pinduoduo",
    "save_taobao",
]

OWN_COLUMNS: Final = (
    "order_no",
    "platform",
    "shop",
    "carrier",
    "waybill_no",
    "paid_at",
    "shipped_at",
    "promised_ship_at",
    "amount",
    "receiver_province",
    "receiver_city",
    "phone_tail",
    "warehouse",
    "goods_type",
    "merchant",
)
EVENT_COLUMNS: Final = (
    "carrier",
    "waybill_no",
    "occurred_at",
    "description",
    "code",
    "location",
    "learned_at",
)
_TAOBAO: Final = (
    "订单编号,买家会员名,买家应付货款,买家应付邮费,总金额,买家实际支付金额,订单状态,买家留言,收货人姓名,收货地址,"
    "运送方式,联系电话,联系手机,订单创建时间,订单付款时间,宝贝标题,宝贝种类,物流单号,物流公司,订单备注,宝贝总数量,"
    "店铺Id,店铺名称,发货时间"
)
_PINDUODUO: Final = (
    "商品,订单号,订单状态,商品总价(元),邮费(元),店铺优惠折扣(元),平台优惠折扣(元),多多支付立减金额(元),"
    "用户实付金额(元),商家实收金额(元),商品数量(件),支付时间,承诺发货时间,发货时间,确认收货时间,商品id,商品规格,"
    "样式ID,商家编码-规格维度,商家编码-商品维度,商家备注,售后状态,快递单号,快递公司,订单成交时间,省,市"
)
_REGIONS: Final = {
    "内蒙古": "内蒙古自治区",
    "广西": "广西壮族自治区",
    "西藏": "西藏自治区",
    "宁夏": "宁夏回族自治区",
    "新疆": "新疆维吾尔自治区",
    "北京": "北京",
    "上海": "上海",
    "天津": "天津",
    "重庆": "重庆",
}


def own_rows(parcels: Iterable[Parcel]) -> Iterator[dict[str, str]]:
    """Rows under our own column names, times in ISO 8601 with Beijing's offset."""
    for parcel in parcels:
        order = parcel.order
        yield {
            "order_no": order.order_no,
            "platform": order.platform,
            "shop": order.shop,
            "carrier": parcel.carrier.key,
            "waybill_no": parcel.waybill_no,
            "paid_at": _iso(order.paid_at),
            "shipped_at": _iso(order.shipped_at),
            "promised_ship_at": _iso(order.promised_ship_at),
            "amount": str(order.amount),
            "receiver_province": order.receiver_province,
            "receiver_city": order.receiver_city,
            "phone_tail": parcel.told_tail if parcel.carrier.checks_phone else "",
            "warehouse": order.warehouse,
            "goods_type": order.goods_type,
            "merchant": order.merchant,
        }


def save_own(path: Path, parcels: Iterable[Parcel]) -> int:
    """Write a CSV in our own columns (UTF-8); how many rows it has."""
    return _save(path, "utf-8", OWN_COLUMNS, (list(row.values()) for row in own_rows(parcels)))


def save_events(path: Path, parcels: Iterable[Parcel], at: datetime) -> int:
    """Write what the carriers show at `at` as the lab's events file; how many rows it has."""
    shown = ((parcel, scan) for parcel in parcels for scan in parcel.scans if scan.visible(at))
    return _save(path, "utf-8", EVENT_COLUMNS, (_event(parcel, scan, at) for parcel, scan in shown))


def save_taobao(
    path: Path,
    shipped: Iterable[Parcel],
    awaiting: Iterable[Parcel] = (),
    spoilt: Container[str] = frozenset(),
) -> int:
    """In the manner of 千牛: GB18030, CRLF, numbers as `="…"`; how many rows it has.

    Parcels of other platforms are left out. Those in `awaiting` have no number yet. The waybills in `spoilt`, of
    digits alone, were opened and saved in a spreadsheet: 7.73012E+14.
    """
    rows = (_taobao(parcel, sent, spoilt) for parcel, sent in _of("taobao_tmall", shipped, awaiting))
    return _save(path, "gb18030", _TAOBAO.split(","), rows)


def save_pinduoduo(path: Path, shipped: Iterable[Parcel], awaiting: Iterable[Parcel] = ()) -> int:
    """In the manner of 拼多多: UTF-8 with BOM, a tab after nearly every value; how many rows it has."""
    rows = (_pinduoduo(parcel, sent) for parcel, sent in _of("pinduoduo", shipped, awaiting))
    return _save(path, "utf-8-sig", _PINDUODUO.split(","), rows)


def _of(
    platform: str, shipped: Iterable[Parcel], awaiting: Iterable[Parcel]
) -> Iterator[tuple[Parcel, bool]]:
    """The platform's parcels, each with whether its number is uploaded."""
    both = chain(((parcel, True) for parcel in shipped), ((parcel, False) for parcel in awaiting))
    return ((parcel, sent) for parcel, sent in both if parcel.order.platform == platform)


def _save(path: Path, encoding: str, header: Sequence[str], rows: Iterable[list[str]]) -> int:
    with path.open("w", encoding=encoding, newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        return len(list(map(writer.writerow, rows)))


def _taobao(parcel: Parcel, sent: bool, spoilt: Container[str]) -> list[str]:
    order, amount = parcel.order, f"{parcel.order.amount:.2f}"
    region = _REGIONS.get(order.receiver_province, f"{order.receiver_province}省")
    status = "卖家已发货，等待买家确认" if sent else "买家已付款，等待卖家发货"
    money = [amount, "0.00", amount, amount]
    buyer = [
        "",
        "王*",
        f"{region} {order.receiver_city} ****",
        "快递",
        "",
        f"'1380*****{parcel.told_tail[-2:]}",
    ]
    times = [_wall(order.paid_at), _wall(order.paid_at)]
    waybill = parcel.waybill_no
    if waybill in spoilt:
        waybill = f"{float(waybill):.5E}"
    number = [waybill, parcel.carrier.zh] if sent else ["", ""]
    last = ["", "1", "0", order.shop, _wall(order.shipped_at) if sent else ""]
    return [
        f'="{order.order_no}"',
        "t**",
        *money,
        status,
        *buyer,
        *times,
        f"演示{order.goods_type}",
        "1",
        *number,
        *last,
    ]


def _pinduoduo(parcel: Parcel, sent: bool) -> list[str]:
    order, amount = parcel.order, f"{parcel.order.amount:.2f}"
    status = "已发货，待签收" if sent else "待发货"
    money = [amount, "0.00", "0.00", "0.00", "0.00", amount, amount, "1"]
    shipped = _wall(order.shipped_at) if sent else ""
    times = [f"{text}\t" for text in (_wall(order.paid_at), _wall(order.promised_ship_at), shipped, "")]
    goods = [f"{text}\t" for text in ("900000000001", "默认", "90000000001", "", "")]
    number = [f"{parcel.waybill_no}\t", parcel.carrier.zh] if sent else ["\t", ""]
    place = [order.receiver_province, order.receiver_city]
    after = ["", "无售后或售后取消", *number, f"{_wall(order.paid_at)}\t", *place]
    return [f"演示{order.goods_type}", f"{order.order_no}\t", status, *money, *times, *goods, *after]


def _event(parcel: Parcel, scan: Scan, at: datetime) -> list[str]:
    where = scan.city.area if scan.city else ""
    moments = _iso(scan.occurred_at), _iso(scan.visible_at.replace(microsecond=0))
    return [parcel.carrier.key, parcel.waybill_no, moments[0], scan.words(at), scan.code, where, moments[1]]


def _iso(moment: datetime | None) -> str:
    return moment.astimezone(SHANGHAI).isoformat() if moment else ""


def _wall(moment: datetime | None) -> str:
    """As the platforms write it: Beijing time without an offset."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S") if moment else ""
