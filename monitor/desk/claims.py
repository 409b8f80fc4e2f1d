"""What structural checks write down (`rules.travel`, `rules.papers`, `rules.structural`), for the catalogue."""

from __future__ import annotations

from typing import Final

__all__ = ["CLAIMS", "PLAIN_CLAIMS"]


def _(text: str) -> str:
    """Names a text for the catalogue without saying it yet."""
    return text


CLAIMS: Final = (
    _("{when} 首次扫描在{place}，发货仓在{there}，{far}"),
    _("{when} 还在{place}，{then} 已到{there}：{pace}"),
    _("{when} 在{place}揽收，{then} 已在{there}签收：{pace}"),
    _("{when} 在{place}签收，收货地是{there}，{far}（跨省）"),
    _("{when} 在{place}签收，收货地是{there}，{far}"),
    _("{when} 在{place}签收，收货地是{there}（跨省）"),
    _("{when} 在{place}签收，收货地是{there}"),
    _("{when} 已在{place}派送，收货地是{there}，{far}（跨省）"),
    _("{when} 已在{place}派送，收货地是{there}，{far}"),
    _("{when} 已在{place}派送，收货地是{there}（跨省）"),
    _("{when} 已在{place}派送，收货地是{there}"),
    _("{far}，只用了 {time}，合每小时 {kmh} 公里"),
    _("{far}，只用了 {time}"),
    _("相距约 {km} 公里"),
    _("首次扫描 {when}，订单 {order} {then} 才付款，早了 {time}"),
    _("该单号 {when} 已用于订单 {order}，寄往{place}，这一单寄往{there}（{then}）"),
    _("有 {n} 次揽收记录：{times}；按第一次（{when}）计算"),
    _("有 {n} 次揽收记录：{times}；按最后一次（{when}）计算"),
    _("{when} 已转寄，新单号 {number} 没有登记到订单上，之后的轨迹无人监控"),
    _("{when} 由中转仓/集运仓签收，不算送达：第二程会换新单号，由平台负责"),
    _("{when} 已揽收，订单 {order} 在退款，包裹还在往收件人走：要拦截就尽快通知承运商"),
)
"""With something in them; the one that says most comes first."""
PLAIN_CLAIMS: Final = (
    _("承运商查不到这个单号，而它的格式只见于另一家承运商，可能选错了承运商"),
    _("订单的付款时间已更正"),
    _("规则已关闭或改了容差，或订单资料已更正"),
    _("已转到收货城市派送"),
    _("承运商已登记转寄"),
    _("该单号已只属于一个订单"),
    _("承运商已有该单号的轨迹"),
    _("新单号已登记"),
    _("第二程已有新的扫描"),
    _("已签收，来不及拦截"),
    _("承运商已拦截"),
    _("退款已撤销，或还有订单要送"),
    _("买家在揽收后退款"),
    _("单号由商家上传，付款前已在用"),
    _("单号由商家上传，已用于别的收货地址"),
    _("轨迹由承运商登记"),
    _("揽收由承运商登记"),
    _("承运商和单号由商家上传"),
    _("面单贴错、单号错填或承运商错分都可能"),
)
"""Whole as they are: a claim, how one ended, and whose doing it is."""
