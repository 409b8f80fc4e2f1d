"""What carriers' words mean: the samples of `facts/platform-rules.md` §10.1, their pitfalls, real scans."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.masking import mask_phones
from domain.reading import Reading, delivered_kind, read
from domain.tracking import DeliveredKind, ExceptionKind, Milestone, Motion

M, X, D = Milestone, ExceptionKind, DeliveredKind

SCANS = Path(__file__).parents[2].parent / "shared" / "data" / "scan_timelines_sample.csv.gz"


def sample(
    text: str,
    milestone: Milestone,
    kind: DeliveredKind | None = None,
    exceptions: set[ExceptionKind] | None = None,
) -> Any:
    """One row of the table, named by its words."""
    return pytest.param(text, milestone, kind, frozenset(exceptions or ()), id=text)


# §10.1, its placeholders filled with invented values
SAMPLES = [
    # SF
    sample("顺丰速运 已收取快件", M.PICKED_UP),
    sample("快件在【杭州滨江营业点】已装车,准备发往 【杭州萧山集散中心】", M.IN_TRANSIT),
    sample("快件到达 【重庆渝北集散中心】", M.IN_TRANSIT),
    sample("快件离开【重庆渝北集散中心】,正发往 【达州杨柳集散中心】", M.IN_TRANSIT),
    sample("正在派送途中,请您准备签收(派件人:王小明,电话:18600000055)", M.OUT_FOR_DELIVERY),
    sample("已签收,感谢使用顺丰,期待再次为您服务", M.DELIVERED),
    sample("因联系不到收件人,派件不成功,待进一步处理", M.DELIVERY_FAILED, None, {X.CONTACT_FAILURE, X.HELD}),
    sample("由于客户拒收 派件不成功", M.DELIVERY_FAILED, None, {X.REFUSED}),
    sample("应客户要求,快件正在转寄中", M.UNKNOWN, None, {X.FORWARDED}),
    sample("快件已退回/转寄,新单号为: SF1390001112223", M.RETURNING, None, {X.FORWARDED}),
    sample("快件因台风天气影响滞留在【深圳中转场】", M.IN_TRANSIT, None, {X.FORCE_MAJEURE, X.HELD}),
    sample("快件已存放至丰巢智能柜,请凭取件码取件", M.READY_FOR_COLLECTION),
    # ZTO
    sample("[杭州城南区] [杭州市] [杭州城南区]的赵敏已收件 电话:15912340036", M.PICKED_UP),
    sample("【芜湖市】 【芜湖】(18600000055) 的 芜湖镜湖区十一部 (18600000055) 已揽收", M.PICKED_UP),
    sample("[武汉市] 快件离开 [武汉中转部] 发往 [成都中转]", M.IN_TRANSIT),
    sample("[荆州市] 快件到达 [荆州中转部]", M.IN_TRANSIT),
    sample(
        "[成都市] 快件已到达 [成都华阳],业务员 陈大为(18600000055) 正在第2次派件, 请保持电话畅通,并耐心等待",
        M.OUT_FOR_DELIVERY,
    ),
    sample("[南京市]快件已在南京雨花区签收 签收人:快递柜,感谢您使用中通快递", M.DELIVERED, D.LOCKER),
    sample(
        "[成都市] 快件已在 [成都华阳] 签收,签收人: 本人, 感谢使用中通快递,期待再次为您服务!",
        M.DELIVERED,
        D.SELF,
    ),
    sample("【绵阳市】因收件地址不详,登记问题件,快件暂存网点", M.UNKNOWN, None, {X.ADDRESS_ERROR, X.HELD}),
    sample("[湖州市] 快件已退回 [湖州市中转部],退回原因:客户拒收", M.RETURNING, None, {X.REFUSED}),
    # YTO
    sample("【四川省直营市场部公司】 已收件 取件人: 陈大为 (15912340036)", M.PICKED_UP),
    sample("【南充转运中心公司】 已收入", M.IN_TRANSIT),
    sample("【南充转运中心】 已发出 下一站 【重庆转运中心公司】", M.IN_TRANSIT),
    sample(
        "【重庆市江北区公司】 派件中  派件人: 王小明 电话 15912340036  如有疑问,请联系:15912340036",
        M.OUT_FOR_DELIVERY,
    ),
    sample("快件已由涉外商务区B1栋丰巢柜丰巢柜代收,取件码已发送,请及时取件。", M.READY_FOR_COLLECTION),
    sample("快件已暂存至青岛世华府店菜鸟驿站,如有疑问请联系13800138000", M.READY_FOR_COLLECTION),
    sample("客户签收人: 已签收,签收人凭取货码签收。 已签收  感谢使用圆通速递", M.DELIVERED, D.STATION),
    sample("客户签收人: 前台 已签收  感谢使用圆通速递,期待再次为您服务", M.DELIVERED, D.RECEPTION),
    sample(
        "【绵阳市公司】 派件失败,失败原因:收件人电话无人接听", M.DELIVERY_FAILED, None, {X.CONTACT_FAILURE}
    ),
    sample(
        "【湖州市转运中心】 因件量激增,快件积压,预计延误1-2天", M.IN_TRANSIT, None, {X.HUB_CONGESTION, X.HELD}
    ),
    # STO
    sample("【四川苍溪公司】的收件员【陈大为(18600000055)】已收件", M.PICKED_UP),
    sample("快件由【四川苍溪公司】发往【四川南充转运中心】", M.IN_TRANSIT),
    sample("快件已到达【四川南充转运中心】扫描员是【孙立】", M.IN_TRANSIT),
    sample("湖南长沙转运中心-已发往-湖南平江公司", M.IN_TRANSIT),
    sample("浙江杭州航空部-已装袋发往-河南郑州转运中心", M.IN_TRANSIT),
    sample("【四川成都双丰公司】的派件员【陈大为(15912340036)】正在为您派件", M.OUT_FOR_DELIVERY),
    sample(
        "快递已被【富友收件宝快递柜】花园路8号代收,请及时取件。有问题请联系18600000055",
        M.READY_FOR_COLLECTION,
    ),
    sample("已签收(13800138000),签收人是【朋友代签】,如有疑问请联系:13800138000", M.DELIVERED, D.AGENT),
    sample("已签收,签收人凭取货码签收。", M.DELIVERED, D.STATION),
    sample("【湖州市公司】问题件-收件人拒收,快件退回", M.RETURNING, None, {X.REFUSED, X.HELD}),
    # YUNDA
    sample("[江苏丰县公司]进行揽件扫描", M.PICKED_UP),
    sample("[江苏丰县公司]进行下级地点扫描,发往:京西地区包", M.IN_TRANSIT),
    sample("[江苏徐州分拨中心]在分拨中心进行称重扫描", M.IN_TRANSIT),
    sample("[江苏徐州分拨中心]进行装车扫描,发往:北京分拨中心", M.IN_TRANSIT),
    sample("[北京分拨中心]在分拨中心进行卸车扫描", M.IN_TRANSIT),
    sample("[北京主城区公司吴兴织里服务部]到达目的地网点,快件很快进行派送", M.AT_DELIVERY_STATION),
    sample("[涪城区服务部]进行派件扫描;派送业务员:赵敏;联系电话:13800138000", M.OUT_FOR_DELIVERY),
    sample("[吴兴织里服务部]快件已被 您的快件已送达 花园路8号丰巢智能柜 保管。", M.READY_FOR_COLLECTION),
    sample("[涪城区分部]快件已被 已签收 签收", M.DELIVERED),
    sample("[吴兴织里服务部]快件已被27号楼e站代签收", M.DELIVERED, D.AGENT),
    sample("[绵阳市公司]快件异常:地址超区,无法派送", M.DELIVERY_FAILED, None, {X.OUT_OF_AREA}),
    # JT
    sample("【梧州市】吴兴织里-赵敏(18600000055)已揽收", M.PICKED_UP),
    sample("快件离开【南京转运中心】已发往【南京玄武网点】", M.IN_TRANSIT),
    sample("【南京市】已到达 江苏南京分拨交付中心", M.IN_TRANSIT),
    sample("【南京市】涪城区[18600000055]派件员 刘芳(18600000055) 正在为您派件", M.OUT_FOR_DELIVERY),
    sample("包裹已签收!签收人是【本人签收】,如有疑问请联系:13800138000", M.DELIVERED, D.SELF),
    sample("快件被【涪城区】登记为问题件,原因:包裹破损,等待处理", M.UNKNOWN, None, {X.DAMAGED, X.HELD}),
    # JD
    sample("货物已交付京东物流", M.PICKED_UP),
    sample("货物已到达【上海浦东分拨中心】", M.IN_TRANSIT),
    sample("货物已完成分拣,离开【苏州外单分拣中心】", M.IN_TRANSIT),
    sample("货物已分配,等待配送", M.AT_DELIVERY_STATION),
    sample("配送员开始配送,请您准备收货,配送员,赵敏,手机号,13800138000", M.OUT_FOR_DELIVERY),
    sample("您的快件正在派送中,请您准备签收(快递员:孙立,联系电话:15912340036)", M.OUT_FOR_DELIVERY),
    sample("配送时无法联系到您,我们将在3日内为你再次配送", M.DELIVERY_FAILED, None, {X.CONTACT_FAILURE}),
    sample("您的快件已由本人签收,感谢您使用京东物流", M.DELIVERED, D.SELF),
    sample("货物已完成配送,感谢您选择京东配送", M.DELIVERED),
    sample("客户要求改约时间,约定8月16日派送", M.UNKNOWN, None, {X.RESCHEDULED}),
    # EMS
    sample("电子信息已收到", M.LABEL_CREATED),
    sample("【河南省永城市大宗揽收营业部】已收件,揽投员:王小明", M.PICKED_UP),
    sample("【中国邮政集团公司苏州市大宗邮件处理中心】已收寄", M.PICKED_UP),
    sample("离开【河南省邮件处理中心】,下一站【上海中心局邮件处理中心】(经转)", M.IN_TRANSIT),
    sample("到达【上海中心局邮件处理中心】(经转)", M.IN_TRANSIT),
    sample("【长宁虹桥徐泾揽投部】安排投递,投递员:孙立,电话:18600000055", M.OUT_FOR_DELIVERY),
    sample("[自提柜]您的快件已存放至花园路8号菜鸟智能柜【自提柜】,请及时取件。", M.READY_FOR_COLLECTION),
    sample("[自提柜]已签收,签收人凭取货码签收。", M.DELIVERED, D.LOCKER),
    sample("【吴兴织里投递部】已妥投,投递员:陈大为,签收人:本人收", M.DELIVERED, D.SELF),
    sample(
        "【涪城区营业投递部】 投递结果反馈-未妥投,备注(遇到沙尘暴)",
        M.DELIVERY_FAILED,
        None,
        {X.FORCE_MAJEURE},
    ),
    sample("投递结果反馈-未妥投,原因:收件人不在指定地址", M.DELIVERY_FAILED, None, {X.CONTACT_FAILURE}),
    # DEPPON
    sample("您的订单已被收件员揽收,【广州白云区永平街道快递分部】库存中", M.PICKED_UP),
    sample("运输中,离开【广州转运中心】,下一部门【西安转运中心】", M.IN_TRANSIT),
    sample("运输中,到达济南转运场", M.IN_TRANSIT),
    sample("派送中,派送人:赵敏,电话:18600000055", M.OUT_FOR_DELIVERY),
    sample("正常签收,签收人类型:本人,如有疑问请联系:13800138000", M.DELIVERED, D.SELF),
    sample("已签收,签收人类型:同事", M.DELIVERED, D.AGENT),
    sample("货物丢失,已登记异常,客服将与您联系", M.UNKNOWN, None, {X.LOST}),
    # INTL
    sample("Shipment information received", M.LABEL_CREATED),
    sample("Package picked up", M.PICKED_UP),
    sample("Departed from sort facility", M.IN_TRANSIT),
    sample("Arrived at destination facility", M.AT_DELIVERY_STATION),
    sample("Held by customs, documents required", M.IMPORT_CUSTOMS, None, {X.CUSTOMS_EXCEPTION, X.HELD}),
    sample("Customs clearance completed", M.IMPORT_CUSTOMS),
    sample("Out for delivery", M.OUT_FOR_DELIVERY),
    sample("Delivery attempted, recipient not available", M.DELIVERY_FAILED, None, {X.CONTACT_FAILURE}),
    sample("Incorrect address, shipment on hold", M.UNKNOWN, None, {X.ADDRESS_ERROR, X.HELD}),
    sample("Available for pickup at parcel shop", M.READY_FOR_COLLECTION),
    sample("Delivered, left with neighbour", M.DELIVERED, D.AGENT),
    sample("Refused by recipient, returning to sender", M.RETURNING, None, {X.REFUSED}),
    sample("Package damaged in transit", M.IN_TRANSIT, None, {X.DAMAGED}),
    sample("Delay due to severe weather", M.UNKNOWN, None, {X.FORCE_MAJEURE, X.HELD}),
    # TRICKY
    sample("离开【河南省永城市大宗揽收营业部】,下一站【河南省邮件处理中心】", M.IN_TRANSIT),
    sample("到达【长宁虹桥徐泾揽投部】", M.IN_TRANSIT),
    sample("河南郑州第二公司-东四环无点拖车超派-派件中", M.OUT_FOR_DELIVERY),
    sample("快件正在派送中,请注意签收", M.OUT_FOR_DELIVERY),
    sample("包裹正在等待揽收", M.LABEL_CREATED),
    sample("预计8月15日17:00前送达", M.UNKNOWN),
    sample("快件派送超时未签收", M.UNKNOWN),
    sample("圆通合作点【兔喜快递超市】快件已到达花园路8号驿站,联系电话13800138000", M.READY_FOR_COLLECTION),
    sample("快件已投递【丰巢的银杏山庄(丰巢智能快递柜)】如有问题请电联", M.READY_FOR_COLLECTION),
    sample("[代理点]您的快件已被便民小店代收,请在20点前取件", M.READY_FOR_COLLECTION),
    sample("您的快递已签收,签收人在【花园路8号店(已签收签收人凭取货码签收)】 领取", M.DELIVERED, D.STATION),
    sample(
        "【代收点】您的快件已投递,收件人凭取件码在【花园路8号(已签收签收人凭取货码签收)】领取",
        M.DELIVERED,
        D.STATION,
    ),
    sample("快件已从花园路8号菜鸟驿站取出", M.DELIVERED, D.STATION),
    sample("【陕西西安中转仓】已签收,等待二段转运", M.DELIVERED, D.TRANSIT_WAREHOUSE, {X.TRANSIT_WAREHOUSE}),
    sample("收件人拒绝签收", M.DELIVERY_FAILED, None, {X.REFUSED}),
    sample("疫情期间快递各环节已消毒,派件员 刘芳 正在为您派件,今日体温正常", M.OUT_FOR_DELIVERY),
    sample("因受疫情影响,快件滞留【上海转运中心】", M.IN_TRANSIT, None, {X.FORCE_MAJEURE, X.HELD}),
    sample("退回件已签收,签收人: 寄件人", M.RETURNED),
    sample("Your parcel will be delivered today", M.OUT_FOR_DELIVERY),
    sample("Not delivered - business closed", M.UNKNOWN, None, {X.RESCHEDULED}),
    sample("Collected by addressee", M.DELIVERED, D.SELF),
    sample("Parcel cannot be located, investigation started", M.UNKNOWN, None, {X.LOST}),
]


@pytest.mark.parametrize(("text", "milestone", "kind", "exceptions"), SAMPLES)
def test_documented_samples(
    text: str, milestone: Milestone, kind: DeliveredKind | None, exceptions: frozenset[ExceptionKind]
) -> None:
    reading = read(text)
    assert (reading.milestone, reading.delivered_kind, reading.exceptions) == (milestone, kind, exceptions)


@pytest.mark.parametrize(
    ("text", "milestone"),
    [
        # §10, pitfalls
        ("您的快递预计后天到达【成都转运中心】", M.UNKNOWN),
        ("Expected delivery: Tuesday", M.UNKNOWN),
        ('在官网"运单资料&签收图",可查看签收人信息', M.UNKNOWN),
        ("感谢使用中通快递，期待再次为您服务", M.UNKNOWN),
        ("已取件", M.PICKED_UP),
        ("客户已取件", M.DELIVERED),
        ("快件运输中,预计明天送达", M.IN_TRANSIT),
        # asked for by real scans and by the providers' samples
        ("商品已经下单", M.LABEL_CREATED),
        ("到宜宾市【翠屏二部】", M.IN_TRANSIT),
        ("到达：四川江油分部 指定：赵**(1**********) 派送", M.OUT_FOR_DELIVERY),
        ("【武侯祠路】 派送未成功，原因：门口无人", M.DELIVERY_FAILED),
        ("快件已由门店第三方签收", M.READY_FOR_COLLECTION),
        ("Parcel uncollected", M.UNKNOWN),
        ("To be picked up by the carrier tomorrow", M.UNKNOWN),
        # width, case, blanks and invisible characters do not matter
        ("ＯＵＴ　ＦＯＲ　ＤＥＬＩＶＥＲＹ", M.OUT_FOR_DELIVERY),
        ("快件\u200b已签\u202e收", M.DELIVERED),
        ("", M.UNKNOWN),
        ("一句谁也不懂的话", M.UNKNOWN),
    ],
)
def test_pitfalls_and_widened_patterns(text: str, milestone: Milestone) -> None:
    assert read(text).milestone is milestone


def test_a_pickup_that_failed_is_trouble_and_no_milestone() -> None:
    reading = read("揽收失败,原因:寄件人不在")
    assert reading.milestone is M.UNKNOWN
    assert X.PICKUP_FAILED in reading.exceptions


@pytest.mark.parametrize(
    ("text", "forecast"),
    [
        ("预计8月15日17:00前送达", True),
        ("Estimated delivery Aug 15", True),
        ("快件到达【重庆渝北集散中心】,预计明日送达", False),
        ("快件到达【重庆渝北集散中心】", False),
    ],
)
def test_a_forecast_speaks_of_nothing_but_the_future(text: str, forecast: bool) -> None:
    assert read(text).forecast is forecast


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ("一句谁也不懂的话", True),
        ("预计明天送达", False),
        ("客户要求改约时间,约定8月16日派送", False),
        ("快件运输中", False),
    ],
)
def test_silent_is_what_nobody_can_read(text: str, silent: bool) -> None:
    assert read(text).silent is silent


@pytest.mark.parametrize(
    ("text", "motion", "hub", "outlet", "next_stop"),
    [
        ("快件到达 【重庆渝北集散中心】", "arrived", "重庆渝北集散中心", "", ""),
        (
            "快件离开【重庆渝北集散中心】,正发往 【达州杨柳集散中心】",
            "departed",
            "重庆渝北集散中心",
            "",
            "达州杨柳集散中心",
        ),
        (
            "快件在【滨江营业点】已装车,准备发往 【萧山集散中心】",
            "departed",
            "",
            "滨江营业点",
            "萧山集散中心",
        ),
        ("快件在【浦江中转场】完成分拣，准备发往 【南海店】", None, "浦江中转场", "", "南海店"),
        ("[武汉市] 快件离开 [武汉中转部] 发往 [成都中转]", "departed", "武汉中转部", "", "成都中转"),
        ("[湖州市]快件离开吴兴织里已发往杭州中转部", "departed", "", "吴兴织里", "杭州中转部"),
        # 圆通 gives one hub two names
        ("【南充转运中心公司】 已收入", "arrived", "南充转运中心", "", ""),
        (
            "【南充转运中心】 已发出 下一站 【重庆转运中心公司】",
            "departed",
            "南充转运中心",
            "",
            "重庆转运中心",
        ),
        (
            "快件由【四川苍溪公司】发往【四川南充转运中心】",
            "departed",
            "",
            "四川苍溪公司",
            "四川南充转运中心",
        ),
        ("快件已到达【四川南充转运中心】扫描员是【孙立】", "arrived", "四川南充转运中心", "", ""),
        ("湖南长沙转运中心-已发往-湖南平江公司", "departed", "湖南长沙转运中心", "", "湖南平江公司"),
        ("浙江杭州航空部-已装袋发往-河南郑州转运中心", "departed", "", "浙江杭州航空部", "河南郑州转运中心"),
        (
            "[江苏徐州分拨中心]进行装车扫描,发往:北京分拨中心",
            "departed",
            "江苏徐州分拨中心",
            "",
            "北京分拨中心",
        ),
        ("[北京分拨中心]在分拨中心进行卸车扫描", "arrived", "北京分拨中心", "", ""),
        ("已离开 杭州分拨中心；发往 北京分拨中心", "departed", "杭州分拨中心", "", "北京分拨中心"),
        ("【南京市】已到达 江苏南京分拨交付中心", "arrived", "江苏南京分拨交付中心", "", ""),
        (
            "离开【河南邮件处理中心】,下一站【上海邮件处理中心】(经转)",
            "departed",
            "河南邮件处理中心",
            "",
            "上海邮件处理中心",
        ),
        ("运输中,到达济南转运场", "arrived", "济南转运场", "", ""),
        ("到宜宾市【翠屏二部】", "arrived", "", "翠屏二部", ""),
        ("宜宾市【宜宾转运中心】，正发往【翠屏二部】", "departed", "宜宾转运中心", "", "翠屏二部"),
        (
            "到达：云南昆明分拨中心 发往：广东广州分拨中心",
            "departed",
            "云南昆明分拨中心",
            "",
            "广东广州分拨中心",
        ),
        ("到达：广东广州分拨中心 上级站点：云南昆明分拨中心", "arrived", "广东广州分拨中心", "", ""),
        ("到达：广东顺德分部 上级站点：广东佛山公司 发往：", "arrived", "", "广东顺德分部", ""),
        ("快件已发往【上海浦东康桥店】", "departed", "", "", "上海浦东康桥店"),
        ("快件因台风天气影响滞留在【深圳中转场】", None, "深圳中转场", "", ""),
        # no place: a locker, advertising, a city, a person
        ("快件已投递【丰巢的银杏山庄(丰巢智能快递柜)】如有问题请电联", None, "", "", ""),
        ("已签收【请在评价快递员处点亮五颗星】", None, "", "", ""),
        ("【湖州市】快件运输中", None, "", "", ""),
        ("【刘**】正在派件", None, "", "", ""),
    ],
)
def test_where_and_whereto(text: str, motion: str | None, hub: str, outlet: str, next_stop: str) -> None:
    reading = read(text)
    assert (reading.motion, reading.hub, reading.outlet, reading.next_stop) == (
        motion,
        hub,
        outlet,
        next_stop,
    )


@pytest.mark.parametrize(
    ("text", "courier"),
    [
        ("正在派送途中,请您准备签收(派件人:赵敏,电话:13800138000)", "赵*"),
        ("[成都华阳],业务员 陈大为(13800138000) 正在第2次派件", "陈*"),
        ("【四川成都双丰公司】的派件员【赵敏(13800138000)】正在为您派件", "赵*"),
        ("[涪城服务部]进行派件扫描;派送业务员:孙立;联系电话:13800138000", "孙*"),
        ("【余杭良渚】 已揽收，揽件员 王** 138****0036", "王*"),
        ("【河北公司】 已揽收 取件人: 刘** (1**********)", "刘*"),
        ("快件交给陈**，正在派送途中", "陈*"),
        ("宜宾市【翠屏二部】，【刘**】正在派件", "刘*"),
        ("到达：四川江油分部 指定：赵**(1**********) 派送", "赵*"),
        ("[杭州城南区] [杭州市] [杭州城南区]的赵敏已收件", "赵*"),
        ("【梧州市】龙圩网点-孙立(13800138000)已揽收", "孙*"),
        ("配送员开始配送,请您准备收货,配送员,王小明,手机号,13800138000", "王*"),
        # nobody is named
        ("派件员正在派件", ""),
        ("【吴兴织里公司】的收件员已收件", ""),
        ("我们正在为您的快件分配最合适的快递员，请您稍等。", ""),
        ("您的订单已被收件员揽收", ""),
        ("未妥投,原因:收件人不在指定地址", ""),
        ("快件已签收,签收人:赵敏", ""),
    ],
)
def test_a_courier_is_a_surname_and_a_star(text: str, courier: str) -> None:
    assert read(text).courier == courier


def test_who_took_it_is_read_of_any_signature() -> None:
    assert delivered_kind("包裹放在小区门卫处") is D.RECEPTION
    assert delivered_kind("包裹放好了") is None


STAGES = {
    "C": (M.LABEL_CREATED, None),
    "G": (M.PICKED_UP, None),
    "D": (M.IN_TRANSIT, Motion.DEPARTED),
    "A": (M.IN_TRANSIT, Motion.ARRIVED),
    "P": (M.OUT_FOR_DELIVERY, None),
    "L": (M.READY_FOR_COLLECTION, None),
    "F": (M.DELIVERY_FAILED, None),
    "S": (M.DELIVERED, None),
}


def real_scans() -> list[Any]:
    if not SCANS.exists():
        return []
    with gzip.open(SCANS, "rt", encoding="utf-8") as lines:
        return [
            pytest.param(row["text"], row["stage"], id=f"{row['timeline_id']}-{row['seq']}")
            for row in csv.DictReader(lines)
        ]


@pytest.mark.parametrize(("text", "stage"), real_scans())
def test_real_scans_read_as_a_person_read_them(text: str, stage: str) -> None:
    reading = read(text)
    if stage == "O":
        assert reading.milestone in (M.IN_TRANSIT, M.UNKNOWN)
        assert reading.motion is None
    else:
        assert (reading.milestone, reading.motion) == STAGES[stage]
    assert not reading.exceptions, "no real row of the sample tells of trouble"


NAMED = [row.values[0] for row in SAMPLES]


@pytest.mark.parametrize("text", NAMED)
def test_masked_phones_read_the_same(text: str) -> None:
    assert read(mask_phones(text)) == read(text)


BAITS = [
    "代收",
    "暂存",
    "【",
    "到",
    "派件员",
    "(",
    "1",
    "退回",
    "预计",
    "从",
    "delivered ",
    "a",
    "感谢使用",
    "expected ",
]
BAITS += [
    "﷽",
    "一",
    "的",
    "- ",
    "快递柜代签收",
    "送达超市",
    "发往 ",
    "【发往",
    "收件人",
    "受",
    "\u0301",
    "\U0001f69a",
    "\x00",
]


@pytest.mark.parametrize("bait", BAITS)
def test_hostile_text_cannot_hang_the_reader(bait: str) -> None:
    hostile = (bait * 100_000)[:100_000]
    started = perf_counter()
    reading = read(hostile)
    assert perf_counter() - started < 1, "it takes some milliseconds"
    assert max(map(len, (reading.hub, reading.outlet, reading.next_stop, reading.courier))) <= 30


@settings(deadline=None)
@given(st.text(max_size=200) | st.lists(st.sampled_from(BAITS + NAMED), max_size=6).map("".join))
def test_any_text_is_read_without_raising(text: str) -> None:
    reading = read(text)
    assert isinstance(reading, Reading)
    assert (reading.delivered_kind is None) or reading.milestone is M.DELIVERED
    assert not (reading.hub and reading.outlet)
