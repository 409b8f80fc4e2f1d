"""Six carriers and how each of them talks.

The wording follows `facts/platform-rules.md` §10.1; names and phones are invented. `{outlet}`, `{hub}` and
`{next}` are places, `{city}`/`{full}` the city's short and full name, `{name}` and `{phone}` the courier's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from monitor.demo.places import City

__all__ = ["CARRIERS", "Carrier", "masked"]


@dataclass(frozen=True, slots=True)
class Carrier:
    """One carrier: its names, the shape of its waybills, its share of parcels, and its sentences."""

    key: str
    """快递100's code, which is ours too."""
    zh: str
    prefix: str
    """What stands before the ten digits of the serial."""
    share: float
    hub_name: str
    outlet_name: str
    pickup_code: str
    pickup: str
    outlet_out: str
    hub_in: str
    hub_out: str
    weighed: str
    station: str
    out: str
    signed: str
    locker: str
    taken: str
    unreachable: str
    refused: str
    returning: str
    returned: str
    damaged: str
    lost: str
    congested: str
    label: str = ""
    """Shown before the pickup; empty where the carrier shows nothing."""
    thanks: str = ""
    """A courtesy line in the second of the signature."""
    forecast: str = ""
    """A line about the future: not a scan."""
    checks_phone: bool = False

    def hub(self, city: City) -> str:
        """The sorting centre of a city."""
        return _hub(self.hub_name, city)

    def outlet(self, city: City, district: str) -> str:
        """An outlet's name."""
        province = "" if city.municipality else city.province
        return self.outlet_name.format(city=city.name, full=city.full, prov=province, district=district)


@cache
def _hub(pattern: str, city: City) -> str:
    return pattern.format(city=city.name, prov="" if city.municipality else city.province)


def masked(text: str, phone: str) -> str:
    """The text after the carrier has masked the phone in it."""
    return text.replace(phone, f"{phone[:3]}****{phone[-4:]}")


SF: Final = Carrier(
    key="shunfeng",
    zh="顺丰速运",
    prefix="SF139",
    share=0.10,
    hub_name="{city}集散中心",
    outlet_name="{city}{district}营业点",
    pickup_code="103",
    label="您的订单已下单,顺丰小哥将尽快为您服务",
    pickup="顺丰速运 已收取快件",
    outlet_out="快件在【{outlet}】已装车,准备发往 【{next}】",
    hub_in="快件到达 【{hub}】",
    hub_out="快件离开【{hub}】,正发往 【{next}】",
    weighed="快件在【{hub}】完成分拣",
    station="快件到达 【{outlet}】",
    out="正在派送途中,请您准备签收(派件人:{name},电话:{phone})",
    signed="已签收,感谢使用顺丰,期待再次为您服务",
    locker="快件已存放至丰巢智能柜,请凭取件码取件",
    taken="快件已从{outlet}丰巢智能柜取出",
    unreachable="因联系不到收件人,派件不成功,待进一步处理",
    refused="由于客户拒收 派件不成功",
    returning="快件退回途中,正发往 【{next}】",
    returned="退回件已签收,签收人: 寄件人",
    damaged="快件在【{hub}】发现外包装破损,已登记异常",
    lost="快件丢失,已登记异常,客服将与您联系",
    congested="因件量激增,快件积压在【{hub}】,预计延误1-2天",
    forecast="预计{date}17:00前送达",
    checks_phone=True,
)
ZTO: Final = Carrier(
    key="zhongtong",
    zh="中通快递",
    prefix="7581",
    share=0.24,
    hub_name="{city}转运中心",
    outlet_name="{city}{district}",
    pickup_code="1",
    pickup="【{full}】 【{outlet}】({phone}) 的 {name} ({phone}) 已揽收",
    outlet_out="【{full}】 快件离开 【{outlet}】 发往 【{next}】",
    hub_in="[{full}] 快件到达 [{hub}]",
    hub_out="[{full}] 快件离开 [{hub}] 发往 [{next}]",
    weighed="[{full}] 快件在 [{hub}] 称重扫描",
    station="[{full}] 快件到达 [{outlet}]",
    out="[{full}] 快件已到达 [{outlet}],业务员 {name}({phone}) 正在第1次派件, 请保持电话畅通,并耐心等待",
    signed="[{full}] 快件已在 [{outlet}] 签收,签收人: 本人, 感谢使用中通快递,期待再次为您服务!",
    thanks="感谢使用中通快递,期待再次为您服务",
    locker="[{full}] 快件已暂存至{outlet}菜鸟驿站,请及时取件",
    taken="[{full}] 快件已从{outlet}菜鸟驿站取出",
    unreachable="[{full}] [{outlet}] 派送未成功,派件不成功原因:多次拨打电话无人接听",
    refused="[{full}] [{outlet}] 收件人拒收,派件不成功",
    returning="[{full}] 快件已退回 [{next}],退回原因:客户要求退回",
    returned="[{full}] 退回件已签收,签收人: 寄件人",
    damaged="[{full}] 快件在 [{hub}] 发现破损,登记问题件",
    lost="[{full}] 快件疑似丢失,[{hub}] 已登记问题件",
    congested="[{full}] 因件量激增,快件积压在 [{hub}],预计延误1-2天",
)
YTO: Final = Carrier(
    key="yuantong",
    zh="圆通速递",
    prefix="YT881",
    share=0.22,
    hub_name="{city}转运中心",
    outlet_name="{prov}{full}{district}公司",
    pickup_code="103",
    label="已下单，等待揽收",
    pickup="【{outlet}】 已收件 取件人: {name} ({phone})",
    outlet_out="【{outlet}】 已发出 下一站 【{next}】",
    hub_in="【{hub}】 已收入",
    hub_out="【{hub}】 已发出 下一站 【{next}】",
    weighed="【{hub}】 已称重",
    station="快件已到达 【{outlet}】",
    out="【{outlet}】 派件中  派件人: {name} 电话 {phone}  如有疑问,请联系:{phone}",
    signed="客户签收人: 前台 已签收  感谢使用圆通速递,期待再次为您服务",
    locker="快件已暂存至{outlet}菜鸟驿站,如有疑问请联系{phone}",
    taken="客户签收人: 已签收,签收人凭取货码签收。 已签收  感谢使用圆通速递",
    unreachable="【{outlet}】 派件失败,失败原因:收件人电话无人接听",
    refused="【{outlet}】 派件失败,失败原因:收件人拒收",
    returning="【{hub}】 快件退回 下一站 【{next}】",
    returned="退回件已签收,签收人: 寄件人 感谢使用圆通速递",
    damaged="【{hub}】 快件外包装破损,已登记异常",
    lost="【{hub}】 快件丢失,已登记异常,客服将与您联系",
    congested="【{hub}】 因件量激增,快件积压,预计延误1-2天",
)
STO: Final = Carrier(
    key="shentong",
    zh="申通快递",
    prefix="77301",
    share=0.16,
    hub_name="{prov}{city}转运中心",
    outlet_name="{prov}{city}{district}公司",
    pickup_code="103",
    label="包裹正在等待揽收",
    pickup="【{outlet}】的收件员【{name}({phone})】已收件",
    outlet_out="快件由【{outlet}】发往【{next}】",
    hub_in="快件已到达【{hub}】扫描员是【{name}】",
    hub_out="{hub}-已发往-{next}",
    weighed="快件在【{hub}】进行称重扫描",
    station="快件已到达【{outlet}】扫描员是【{name}】",
    out="【{outlet}】的派件员【{name}({phone})】正在为您派件",
    signed="已签收({phone}),签收人是【朋友代签】,如有疑问请联系:{phone}",
    locker="快递已被【{outlet}丰巢快递柜】代收,请及时取件。有问题请联系{phone}",
    taken="已签收,签收人凭取货码签收。",
    unreachable="【{outlet}】派件不成功,原因:收件人电话无人接听",
    refused="【{outlet}】派件不成功,收件人拒绝签收",
    returning="【{hub}】快件退回,已发往【{next}】",
    returned="退回件已签收,签收人是【寄件人】",
    damaged="【{hub}】问题件-外包装破损",
    lost="【{hub}】问题件-快件遗失",
    congested="【{hub}】因件量激增,快件积压,预计延误1-2天",
)
YUNDA: Final = Carrier(
    key="yunda",
    zh="韵达快递",
    prefix="43210",
    share=0.18,
    hub_name="{prov}{city}分拨中心",
    outlet_name="{prov}{city}{district}公司",
    pickup_code="1",
    pickup="[{outlet}]进行揽件扫描",
    outlet_out="[{outlet}]进行下级地点扫描,发往:{next}",
    hub_in="[{hub}]在分拨中心进行卸车扫描",
    hub_out="[{hub}]进行装车扫描,发往:{next}",
    weighed="[{hub}]在分拨中心进行称重扫描",
    station="[{outlet}]到达目的地网点,快件很快进行派送",
    out="[{outlet}]进行派件扫描;派送业务员:{name};联系电话:{phone}",
    signed="[{outlet}]快件已被 已签收 签收",
    locker="[{outlet}]快件已被 您的快件已送达 {city}丰巢智能柜 保管。",
    taken="[{outlet}]快件已从丰巢智能柜取出",
    unreachable="[{outlet}]派件失败,原因:无法联系收件人",
    refused="[{outlet}]派件失败,原因:收件人拒收",
    returning="[{hub}]快件退回,发往:{next}",
    returned="[{outlet}]退回件已签收,签收人:寄件人",
    damaged="[{hub}]快件异常:外包装破损",
    lost="[{hub}]快件异常:快件丢失",
    congested="[{hub}]因件量激增,快件积压,预计延误1-2天",
)
JT: Final = Carrier(
    key="jtexpress",
    zh="极兔速递",
    prefix="JT001",
    share=0.10,
    hub_name="{city}转运中心",
    outlet_name="{city}{district}网点",
    pickup_code="103",
    pickup="【{full}】{outlet}-{name}({phone})已揽收",
    outlet_out="快件离开【{outlet}】已发往【{next}】",
    hub_in="【{full}】已到达 {hub}",
    hub_out="快件离开【{hub}】已发往【{next}】",
    weighed="快件在【{hub}】称重扫描",
    station="【{full}】已到达 {outlet}",
    out="【{full}】{outlet}[{phone}]派件员 {name}({phone}) 正在为您派件",
    signed="包裹已签收!签收人是【本人签收】,如有疑问请联系:{phone}",
    locker="【{full}】快件已存放至兔喜驿站,请凭取件码取件",
    taken="包裹已签收!签收人凭取件码在兔喜驿站签收",
    unreachable="快件被【{outlet}】登记为问题件,派件不成功,原因:联系不上收件人",
    refused="快件被【{outlet}】登记为问题件,派件不成功,原因:客户拒收",
    returning="快件退回,离开【{hub}】已发往【{next}】",
    returned="退回件已签收!签收人是【寄件人】",
    damaged="快件被【{hub}】登记为问题件,原因:包裹破损,等待处理",
    lost="快件被【{hub}】登记为问题件,原因:快件丢失,等待处理",
    congested="【{full}】{hub}因件量激增,快件积压,预计延误1-2天",
)

CARRIERS: Final[tuple[Carrier, ...]] = (SF, ZTO, YTO, STO, YUNDA, JT)
