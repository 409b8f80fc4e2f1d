"""快递100's pushes and subscriptions.

Says: a form of `param` (JSON text) and `sign`, the upper-case hex MD5 of `param` and our salt; every push has the
whole list. It wants HTTP 200 with a JSON of its own within 20 seconds; anything else is pushed again after half an
hour, and after three failures no more.
Odd:  a number given up as another carrier's ends with `abort` and `comNew`, and is pushed on under the new carrier
with `autoCheck` 1; a push may speak of `polling` while the parcel is long signed, so the rows decide.
From: `facts/carriers-kuaidi100.md` (Subscription and push).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import md5
from typing import Any, Final

from carriers.base import Question
from carriers.kuaidi100_track import found_instead, read_track
from carriers.push import Delivery, End, Ended, Forged, Push, Receipt, Subscribed, form, same
from carriers.replies import opened
from carriers.scans import Unknown, in_order, word
from domain.masking import clean, safe_text
from domain.orders import Waybill
from domain.remote import Denied, Rejected, Reply, Request, Secret, Unavailable, Unreadable
from domain.tracking import Answer

__all__ = ["admitted", "read_push", "subscribed", "subscription"]

_CARRIER: Final = re.compile(r"[a-z][a-z0-9]{1,39}")


def _said(result: bool, code: str, message: str) -> Reply:
    text = json.dumps({"result": result, "returnCode": code, "message": message}, ensure_ascii=False)
    return Reply(200, text.encode(), {"content-type": "application/json; charset=utf-8"})


_RECEIPT: Final = Receipt(_said(True, "200", "成功"), _said(False, "500", "服务器错误"))


def admitted(push: Push, salt: Secret | None) -> Receipt:
    """What to answer. Raises `Forged`; without a salt nothing of the push itself proves where it comes from."""
    _param(push, salt)
    return _RECEIPT


def read_push(push: Push, salt: Secret | None) -> Delivery:
    """What a push says. Raises `Forged` first, then `Unreadable`."""
    try:
        body = json.loads(_param(push, salt))
    except (ValueError, RecursionError):
        raise Unreadable("快递100 推送的 param 不是 JSON") from None
    result = body.get("lastResult") if isinstance(body, dict) else None
    if not isinstance(result, dict):
        raise Unreadable("快递100 的推送没有 lastResult")
    waybill = _waybill(body, result)
    status, unknown = word(body, "status"), Unknown()
    new = _carrier(body, "comNew")
    found = found_instead(new, waybill.carrier, "comNew", unknown) if new else ""
    answer = _answer(body, result, waybill)
    if found:
        answer = replace(answer, corrected_carrier=found)
    if unknown.seen:
        answer = replace(answer, unknown_codes=(*answer.unknown_codes, *unknown.seen))
    ended = _ended(status, safe_text(str(body.get("message") or ""), 120), waybill, found)
    return Delivery((answer,), _RECEIPT.kept, (ended,) if ended else ())


def _param(push: Push, salt: Secret | None) -> str:
    fields = form(push)
    param = fields.get("param")
    if param is None:
        raise Forged("快递100 的推送没有 param")
    if salt is not None:
        ours = md5(f"{param}{salt.reveal()}".encode()).hexdigest().upper()
        if not same(ours, fields.get("sign", "").upper()):
            raise Forged("快递100 的推送签名不对")
    return param


def _waybill(body: Mapping[str, Any], result: Mapping[str, Any]) -> Waybill:
    """The parcel as it was subscribed: after a correction under the carrier we once gave."""
    number = result.get("nu")
    carrier = _carrier(body, "comOld") or _carrier(result, "com")
    if not isinstance(number, str) or not number.strip() or len(number) > 64 or not carrier:
        raise Unreadable("快递100 的推送没有单号或快递公司")
    return Waybill(carrier, clean(number.strip(), 64))


def _carrier(said: Mapping[str, Any], name: str) -> str:
    code = said.get(name)
    code = code.strip().lower() if isinstance(code, str) else ""
    return code if _CARRIER.fullmatch(code) else ""


def _answer(body: Mapping[str, Any], result: Mapping[str, Any], waybill: Waybill) -> Answer:
    """The rows of both countries; a number given up may have no list at all."""
    given_up = word(body, "status") == "abort" and not isinstance(result.get("data"), list)
    answer = read_track({**result, "data": []} if given_up else result, waybill)
    abroad = body.get("destResult")
    if isinstance(abroad, dict) and abroad.get("data"):
        there = read_track(abroad, replace(waybill, waybill_no=str(abroad.get("nu") or waybill.waybill_no)))
        answer = replace(
            answer,
            events=in_order((*answer.events, *there.events)),
            unknown_codes=(*answer.unknown_codes, *there.unknown_codes),
        )
    return replace(answer, whole=False, late=True)


def _ended(status: str, said: str, waybill: Waybill, found: str) -> Ended | None:
    match status:
        case "shutdown":
            return Ended(waybill, End.DONE, said)
        case "abort" if found:
            return Ended(waybill, End.CORRECTED, said)
        case "abort" if "60天" in said:
            return Ended(waybill, End.SILENT, said)
        case "abort" if "3天" in said:
            return Ended(waybill, End.NO_RECORD, said)
        case "abort":
            return Ended(waybill, End.REFUSED, said)
        case _:
            return None


# ── subscribing ──────────────────────────────────────────────────────────────────────────────────


def subscription(
    base_url: str, key: Secret, salt: Secret | None, question: Question, callback: str
) -> Request:
    """The request for pushes about one waybill; the key is inside, there is no signature."""
    tail = question.phone_tail.reveal() if question.phone_tail else ""
    parameters = {"callbackurl": callback, "salt": salt.reveal() if salt else "", "resultv2": "4"}
    asked: dict[str, object] = {
        "company": question.waybill.carrier,
        "number": question.waybill.waybill_no,
        "from": question.origin,
        "to": question.destination,
        "key": key.reveal(),
        "parameters": {
            **{name: value for name, value in (parameters | {"phone": tail}).items() if value},
            "autoCom": "0",
            "interCom": "0",
        },
    }
    given = {name: value for name, value in asked.items() if value}
    param = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    secrets = [each for each in (key, salt, question.phone_tail, Secret(callback)) if each]
    return Request.form(f"{base_url.rstrip('/')}/poll", {"schema": "json", "param": param}, tuple(secrets))


def subscribed(reply: Reply, waybill: Waybill) -> Subscribed | Rejected:
    """What came of it; 501 is "already subscribed". Raises a `RemoteError` where the account has to wait or act."""
    body = opened(reply, "快递100")
    code, said = word(body, "returnCode"), safe_text(str(body.get("message") or ""), 120)
    match code:
        case "200" | "501":
            return Subscribed(waybill)
        case "700":
            return Rejected(f"快递100 不接受订阅的数据或回调地址（700：{said}）")
        case "701":
            return Rejected(f"快递100 不推送这家快递公司（701：{said}）")
        case "702":
            return Rejected(f"快递100 认不出快递公司（702：{said}）")
        case "600":
            raise Denied(f"快递100 不认订阅的 key，请检查 key 和推送权限（600：{said}）")
        case "601":
            raise Denied(f"快递100 的 key 已过期（601：{said}）")
        case "500":
            raise Unavailable(f"快递100 订阅暂时不可用（500：{said}）")
        case _:
            raise Unreadable(f"快递100 订阅的返回码 {clean(code, 20)!r} 不在文档中：{said}")
