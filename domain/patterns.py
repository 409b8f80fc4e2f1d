"""What carriers' words mean: the ordered patterns of `facts/platform-rules.md` §10, as data.

They are searched in lower-case text that `reading` has normalised (half-width, single blanks, no phones,
no courtesy). Order matters: the first milestone that matches wins; exceptions match independently.
A row that §10 does not have says which real line asked for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias, TypeVar

from domain.tracking import DeliveredKind, ExceptionKind, Milestone

__all__ = ["DELIVERED_KINDS", "EXCEPTIONS", "MILESTONES", "Table", "compiled"]

Meaning = TypeVar("Meaning")
Table: TypeAlias = tuple[tuple[Meaning, re.Pattern[str]], ...]


def compiled(rows: Iterable[tuple[Meaning, str]]) -> Table[Meaning]:
    """The rows with their patterns compiled, in the same order."""
    return tuple((meaning, re.compile(pattern)) for meaning, pattern in rows)


_MILESTONES: Final[tuple[tuple[Milestone | ExceptionKind, str], ...]] = (
    (
        Milestone.RETURNED,
        r"(退回件|退件|退货件|退回)[^,，。]{0,12}(已签收|已妥投|签收)|寄件(人|方)已签收|"
        r"returned to (the )?(sender|shipper|origin)\b.{0,30}(delivered|complete)|"
        r"return (delivered|completed)",
    ),
    (
        Milestone.RETURNING,
        r"退回|退件|退返|退改|退签|返回(发件|寄件|始发)|原路返回|"
        r"return(ing|ed)? to (the )?(sender|shipper|origin|seller)|\brts\b|being returned",
    ),
    (
        Milestone.CANCELLED,
        r"(订单|运单|快件|包裹).{0,6}(已取消|已撤销|作废)|销单|shipment (was )?cancel+ed|order cancel+ed",
    ),
    (
        Milestone.DELIVERY_FAILED,
        r"派件不成功|派送不成功|派件失败|派送失败|投递失败|未妥投|配送失败|无法派(送|件)|签收失败|"
        r"配送时无法联系|投递未成功|"
        r"(delivery|attempt(ed)?).{0,25}(fail|unsuccessful|not (be )?deliver|miss(ed)?)|"
        r"could not be delivered|undeliver|failed (delivery )?attempt|recipient not (available|home)",
    ),
    # widened: "派送未成功，原因：…" stands in `samples/kuaidi100/reply_advanced_no_contact.json`
    (Milestone.DELIVERY_FAILED, r"(派送|派件|配送)未成功"),
    (
        Milestone.DELIVERY_FAILED,
        r"拒收|拒签|拒绝(签收|收件)|refus(ed|al)|reject(ed)? by (the )?(recipient|consignee|customer)",
    ),
    (
        Milestone.DELIVERED,
        r"签收人凭取(货|件)码签收",
    ),
    (
        Milestone.READY_FOR_COLLECTION,
        r"取件码已|(?<!签收人)凭取(件|货)码(?!签收)|待取件|请(及时|尽快).{0,6}取件|"
        r"(丰巢|快递柜|智能柜|自提柜|菜鸟驿站|驿站|代收点|代理点|自提点|服务站|便利店|超市|妈妈驿站|兔喜|邮政便民).{0,30}(暂存|存放|代收(?!点)|保管|已到达|已入库|入站|入柜|已收件|代签收(?=.*取件))|"
        r"投柜|入柜|"
        r"(暂存|存放|放入|投入|代收|保管|送达|投递).{0,40}(丰巢|快递柜|智能柜|自提柜|驿站|代收点|代理点|自提点|便利店|超市|兔喜)(?!.{0,60}已签收)|"
        r"available for (pick ?up|collection)|ready for (pick ?up|collection)|"
        r"held at (locker|pick ?up point)|awaiting collection",
    ),
    # widened: 中通 "第三方签收" is a station's signature (`facts/carriers.md`, realities)
    (Milestone.READY_FOR_COLLECTION, r"第三方签收"),
    (
        Milestone.DELIVERED,
        r"(?<![待未请拒])(?<!准备)(?<!无法)(?<!及时)(?<!注意)(?<!请您)(?<!尽快)(?<!以便)(?<!方便)(?<!拒绝)(?<!预计)已?签收(?!失败|超时|异常|前|后|时请)|"
        r"已妥投|妥投|投递成功|派送成功|已完成配送|已被.{0,20}(签收|取走|领取)|客户已取件|驿站完成派件|"
        r"从.{0,40}(取件成功|取出)|"
        r"(?<!not )(?<!be )(?<!un)\bdelivered\b(?! to (hub|facility|carrier|airline))|proof of delivery|"
        r"signed (for )?by|(picked up|collected) by (the )?(customer|recipient|consignee|addressee)",
    ),
    (
        Milestone.OUT_FOR_DELIVERY,
        r"派件中|派送中|正在.{0,12}派(件|送)|派件扫描|派送途中|开始(派送|配送)|安排投递|正在(派件|投递)|"
        r"为您派(件|送)|(派件员|派送员|快递员|投递员|配送员).{0,20}(派件|派送|投递|配送)|out for delivery|"
        r"with (the )?(delivery )?(courier|driver)|on vehicle for delivery|will be delivered today",
    ),
    # widened: a real 韵达 scan, "到达：…分部 指定：陈**(1**********) 派送"
    (Milestone.OUT_FOR_DELIVERY, r"指定[: ].{1,20}派送"),
    (
        ExceptionKind.PICKUP_FAILED,
        r"揽收失败|揽件失败|取件失败|揽收取消|取消揽收|未揽收成功|pick ?up (failed|unsuccessful|cancel+ed)",
    ),
    (
        Milestone.LABEL_CREATED,
        r"待揽(收|件)|等待揽(收|件)|等待快递员|准备揽收|未揽收|尚未揽收|已下单|电子信息已收到|待配货|"
        r"订单开始处理|已打印面单|包裹已出库|已出库|揽收超时|添加快递单|label (has been )?created|"
        r"(shipping|shipment|order|electronic) info(rmation)?.{0,20}(received|sent|submitted)|pre-?advice|"
        r"awaiting (item|pick ?up|carrier)|ready to ship",
    ),
    # widened: a real 百世 line, "商品已经下单"
    (Milestone.LABEL_CREATED, r"已经下单"),
    (
        Milestone.PICKED_UP,
        r"已揽(收|件)|揽(收|件)(成功|完成|扫描)|完成揽收|上门揽收|已收(件|寄|取)|收取快件|已取件|"
        r"被收件员揽收|交付(京东|顺丰|百世|快递|物流)|上门收件|收件成功|"
        # narrowed: "uncollected", "not collected" and "to be picked up" are no pickup
        r"(?<!un)(?<!not )(?<!be )(picked up|collected|accepted)( by (the )?carrier)?|"
        r"origin (acceptance|scan|post is preparing)|acceptance|accepted at|carrier received",
    ),
    (
        Milestone.IMPORT_CUSTOMS,
        r"清关|海关|报关|待申报|通关|customs|clearance",
    ),
    (
        Milestone.AT_DELIVERY_STATION,
        r"到达目的地网点|很快进行派送|即将派送|已分配.{0,4}等待(配送|派送)|"
        r"到达(派件|派送|目的)(网点|站点|营业部)|"
        r"arrived at (the )?(delivery|destination|local) (station|depot|facility|office)|"
        r"at local (facility|depot)",
    ),
    (
        Milestone.IN_TRANSIT,
        r"离开|已发出|发往|下一站|下一部门|装车扫描|发车|起飞|已封发|封车|中转|转运|运输中|航空|已装袋|"
        r"装袋|集包|到达|抵达|已收入|卸车|称重扫描|入库|到件|分拣|进入分拨|depart|"
        r"left (the )?(facility|hub|origin|warehouse)|arriv|in transit|processed (through|at)|sort|"
        r"line ?haul|en route|dispatched from|hand(ed)? over to airline|flight",
    ),
    # widened: a real 百世 scan names its arrival "到重庆市【空港一部】"; others say just "在途"
    (Milestone.IN_TRANSIT, r"^到[^【,。]{0,12}【|在途"),
)
"""A pickup that failed is no milestone: its row gives the exception, and the milestone stays unknown."""

_EXCEPTIONS: Final[tuple[tuple[ExceptionKind, str], ...]] = (
    (
        ExceptionKind.REFUSED,
        r"拒收|拒签|拒绝(签收|收件)|拒付|refus(ed|al)|reject(ed)? by (the )?(recipient|consignee|customer)",
    ),
    (
        ExceptionKind.LOST,
        r"丢失|遗失|丢件|找不到(快件|包裹)|\blost\b|missing (parcel|package|shipment)|cannot be located",
    ),
    (
        ExceptionKind.DAMAGED,
        r"破损|损坏|损毁|渗漏|污染|变形|挤压|damag(ed|e)|broken|leak",
    ),
    (
        ExceptionKind.SHORT_CONTENT,
        r"内件短少|内件不符|少件|空包|缺件|short(age)? of content|missing content|empty (parcel|package)",
    ),
    (
        ExceptionKind.ADDRESS_ERROR,
        r"地址(不详|不清|错误|有误|不存在|不完整|缺失)|(门牌|楼栋).{0,6}(有误|不详)|查无此(人|址|单位)|"
        r"改址|更址|地址变更|insufficient address|(incorrect|wrong|incomplete|bad|invalid) address|"
        r"address (is )?(incorrect|incomplete|not found|unknown)|no such (number|address)",
    ),
    (
        ExceptionKind.CONTACT_FAILURE,
        r"无法联系|联系不(上|到)|无人接听|电话(关机|停机|空号|错误|打不通|占线)|手机(关机|停机|空号)|"
        r"收件人(不在|外出|不方便)|无人(收件|签收|在家)|不在(家|指定地址)|unable to (contact|reach)|"
        r"no (answer|one (at )?home|response)|recipient (not |un)(available|home)|"
        r"addressee (not available|absent)|phone (is )?(off|invalid)",
    ),
    (
        ExceptionKind.OUT_OF_AREA,
        r"超区|超出(派送|服务)(范围|区域)|不(在|属).{0,4}派送范围|无法到达区域|"
        r"outside (the )?(delivery|service) area|out of (delivery|service) area|"
        r"non[- ]?service(able)? area",
    ),
    (
        ExceptionKind.HUB_CONGESTION,
        r"爆仓|爆件|爆满|滞压|积压|件量(激增|过大|较大)|货量(激增|较大)|业务量(激增|较大)|派送压力|"
        r"分拨压力|高峰期.{0,8}延|peak (season|volume)|high volume|backlog|congest|"
        r"capacity (issue|constraint)",
    ),
    (
        ExceptionKind.FORCE_MAJEURE,
        r"天气|台风|暴雨|暴雪|大雪|洪水|大雾|地震|沙尘|道路(结冰|封闭|中断)|封路|交通(管制|事故|中断)|"
        r"(因|受|由于).{0,8}(疫情|防控)|疫情(管控|封控|影响)|不可抗力|自然灾害|停运|停航|停电|weather|"
        r"typhoon|storm|flood|snow|hurricane|earthquake|natural disaster|force majeure|road clos|strike|"
        r"epidemic",
    ),
    (
        ExceptionKind.HELD,
        r"滞留|暂存(?!.{0,40}(驿站|柜|代收|自提|便利|超市))|问题件|疑难件|异常件|待处理|待进一步处理|留仓|"
        r"延误|delay(ed)?|on hold|held\b|exception|stuck|unable to (process|forward)",
    ),
    (
        ExceptionKind.RESCHEDULED,
        r"改约|另约时间|约定.{0,8}派送|改(日|期)派送|延迟派送|客户要求.{0,8}(延|改|暂)|"
        r"节假日.{0,6}(休息|不派)|周末不(上班|收件)|reschedul|postpon|"
        r"requested (a )?(later|future) delivery|delivery date changed|business closed",
    ),
    (
        ExceptionKind.FORWARDED,
        r"转寄|转单|转投|转第三方|转其它|改派|新单号|new tracking (number|no)|"
        r"forward(ed)? to (a )?(new|another|different)|redirect",
    ),
    (
        ExceptionKind.INTERCEPTED,
        r"拦截|截留|截回|intercept",
    ),
    (
        ExceptionKind.CUSTOMS_EXCEPTION,
        r"清关(异常|延迟|失败)|海关(查验|待查|扣|没收|销毁)|查验|扣件|补税|退运|"
        r"customs (hold|held|inspection|delay|seiz|detain)|held (by|at|in) customs|"
        r"clearance (delay|event|fail)|duty (unpaid|required)|documents? required",
    ),
    (
        ExceptionKind.LOCKER_OVERDUE,
        r"超时未取|逾期未取|超时未自提|滞留.{0,8}(柜|驿站)|(柜|驿站).{0,12}(超时|超期|逾期)|not collected|"
        r"uncollected|collection (period )?expired",
    ),
    (
        ExceptionKind.TRANSIT_WAREHOUSE,
        r"(中转仓|集运仓|转运仓|集货仓|保税仓).{0,20}(签收|入库|已收)|签收.{0,16}(中转仓|集运仓|转运仓)",
    ),
)

_DELIVERED_KINDS: Final[tuple[tuple[DeliveredKind, str], ...]] = (
    (
        DeliveredKind.TRANSIT_WAREHOUSE,
        r"中转仓|集运仓|转运仓",
    ),
    (
        DeliveredKind.LOCKER,
        r"丰巢|快递柜|智能柜|自提柜|储物柜|locker",
    ),
    (
        DeliveredKind.STATION,
        r"驿站|代收点|取货码|取件码|代理点|自提|便利店|超市|兔喜|pick ?up point|parcel shop",
    ),
    (
        DeliveredKind.RECEPTION,
        r"前台|物业|门卫|保安|传达室|收发室|reception|front desk|concierge|mail ?room|security",
    ),
    (
        DeliveredKind.AGENT,
        r"代签|代收|同事|家人|朋友|亲属|邻居|他人|neighbou?r|agent|family|colleague",
    ),
    (
        DeliveredKind.SELF,
        r"本人|收件人签收|recipient|addressee|individual",
    ),
)

MILESTONES: Final = compiled(_MILESTONES)
EXCEPTIONS: Final = compiled(_EXCEPTIONS)
DELIVERED_KINDS: Final = compiled(_DELIVERED_KINDS)
