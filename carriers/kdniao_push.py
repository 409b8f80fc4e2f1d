"""快递鸟's pushes (101, 102) and subscriptions (1008, 8008).

Says: a form of `RequestData` (JSON text) and `DataSign`, several parcels in one message, each entry a full reply with
all its traces. It wants a JSON of its own with our EBusinessID and the time.
Odd:  `Success` false is "no information yet"; accounts from before 4.0.1 push without a `DataSign`. The address of
the pushes is registered in their console, not given at the subscription.
Unsure: that `DataSign` of a push follows the rule of a query; how often a failed push is repeated.
From: `facts/carriers-kdniao.md` (Subscription and push).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from carriers.base import Question
from carriers.kdniao_track import read_track
from carriers.push import Delivery, Forged, Push, Receipt, Subscribed, form, same
from carriers.replies import opened, truth
from carriers.scans import word
from domain.masking import clean, safe_text
from domain.orders import Waybill
from domain.remote import Rejected, RemoteError, Reply, Unreadable
from domain.time import SHANGHAI
from domain.tracking import Answer

__all__ = ["admitted", "read_push", "subscribed", "subscription"]


def admitted(
    push: Push, sign: Callable[[str], str], business_id: str, now: datetime, *, unsigned: bool
) -> tuple[str, Receipt]:
    """The text that was signed, and what to answer. Raises `Forged`; `unsigned` takes a push without a signature."""
    fields = form(push)
    data, theirs = fields.get("RequestData"), fields.get("DataSign", "").strip()
    if data is None or not ((unsigned and not theirs) or same(sign(data), theirs)):
        raise Forged("快递鸟的推送签名不对")

    def said(success: bool, reason: str) -> Reply:
        told = {
            "EBusinessID": business_id,
            "UpdateTime": f"{now.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
            "Success": success,
            "Reason": reason,
        }
        text = json.dumps(told, ensure_ascii=False)
        return Reply(200, text.encode(), {"content-type": "application/json; charset=utf-8"})

    return data, Receipt(said(True, ""), said(False, "系统繁忙，请重新推送"))


def read_push(data: str, receipt: Receipt, ours: Mapping[str, str]) -> Delivery:
    """What a push says; `ours` are our carrier keys by their codes. Raises `Unreadable` where no entry can be read."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise Unreadable("快递鸟推送的 RequestData 不是 JSON") from None
    entries = body.get("Data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise Unreadable("快递鸟的推送没有 Data 列表")
    answers: list[Answer] = []
    odd: list[str] = []
    for entry in entries:
        try:
            answers.append(_answer(entry, ours))
        except Unreadable as error:
            odd.append(str(error))
    if odd and not answers:
        raise Unreadable(odd[0])
    return Delivery(tuple(answers), receipt.kept, unreadable=tuple(odd))


def _answer(entry: object, ours: Mapping[str, str]) -> Answer:
    if not isinstance(entry, dict):
        raise Unreadable("快递鸟推送的一项不是对象")
    number, shipper = clean(word(entry, "LogisticCode").strip(), 64), word(entry, "ShipperCode")
    carrier = ours.get(shipper)
    if not number or carrier is None:
        raise Unreadable(f"快递鸟推送的单号 {number!r} 或公司编码 {clean(shipper, 20)!r} 不认识")
    waybill = Waybill(carrier, number)
    if not entry.get("Traces"):
        said = safe_text(str(entry.get("Reason") or ""), 120)
        answer = Answer(carrier, number, remark=said or "暂无轨迹信息")
    else:
        answer = read_track(entry, waybill)
    return replace(answer, whole=False, late=True)


# ── subscribing ──────────────────────────────────────────────────────────────────────────────────


def subscription(question: Question, shipper: str) -> str:
    """The `RequestData` that asks for pushes about one waybill."""
    asked = {
        "ShipperCode": shipper,
        "LogisticCode": question.waybill.waybill_no,
        "CustomerName": question.phone_tail.reveal() if question.phone_tail else "",
        "Callback": "",
        "OrderCode": "",
    }
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":"))


def subscribed(
    reply: Reply, waybill: Waybill, refusal: Callable[[str], RemoteError]
) -> Subscribed | Rejected:
    """What came of it. Raises a `RemoteError` where the account has to wait or act: `refusal` reads the reason."""
    body = opened(reply, "快递鸟")
    done = truth(body.get("Success"))
    if done:
        return Subscribed(waybill)
    said = safe_text(str(body.get("Reason") or ""), 120)
    error = refusal(said) if done is False and said else Unreadable("快递鸟订阅的回答不在文档中")
    if isinstance(error, Rejected):
        return error
    raise error
