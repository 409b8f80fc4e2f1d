"""How a shipped order stands, in words, and what to do about it: the same on the page and at the command line."""

from __future__ import annotations

from typing import Final

from monitor.store.views.coverage import Reason

__all__ = ["ADVICE_ZH", "REASON_ZH"]

REASON_ZH: Final = {
    Reason.ASKED: "监控中",
    Reason.PUSHED: "监控中，只靠推送",
    Reason.WAITING: "监控中，承运商还没有任何答复",
    Reason.NOT_KEPT: "订单来源报了，却没能登记（漏单）",
    Reason.NO_WAYBILL: "已发货，没有运单号",
    Reason.UNKNOWN_CARRIER: "不认识的快递公司",
    Reason.NOT_SERVED: "没有数据源查这家快递",
    Reason.PUT_ASIDE: "本程序处理不了，已放在一边",
    Reason.NEEDS_PHONE: "缺手机号后四位，承运商不答",
    Reason.LOCKED: "数据源锁住了这个单号",
    Reason.REFUSED: "数据源拒绝查这个单号",
    Reason.CHANGED: "商家已换单号，新单号在监控中",
    Reason.ENDED: "已结束",
}
ADVICE_ZH: Final = {
    Reason.WAITING: "刚发货时属正常。一天后仍是这样，请核对单号和快递公司是否填对。",
    Reason.NOT_KEPT: "请按原因在 ERP 里改正这张出库单，下次取到会自动登记；看不懂的也可以先用文件或接口登记。",
    Reason.NO_WAYBILL: "请在店铺后台补填运单号，再重新导入；延迟发货的时限仍在监控。",
    Reason.UNKNOWN_CARRIER: "请把快递公司改成常用的名字再导入，例如“中通快递”。",
    Reason.NOT_SERVED: '请在配置的 [[providers]] 里让一个账号负责这家快递（carriers），或写 ["*"]。',
    Reason.PUT_ASIDE: "请把这里的原因转告维护人员；修好后会自动继续。",
    Reason.NEEDS_PHONE: "请导入收件人手机号（只留后四位），或在订单来源里写发货人的 phone_tail。",
    Reason.LOCKED: "到时会自动再查；一天之内查得太多会被锁，请看 ceilings 是否改得太松，或另有程序在查同一个账号。",
    Reason.REFUSED: "请核对单号和快递公司。",
}
"""What to do about those that are not covered."""
