"""德邦: the trace query of its open platform.

Asks: one waybill in one call, a form whose JSON text is signed over its characters.
Says: `result` "true" and a list, Beijing wall clock. Editions differ: `trace_list` or `traceList`, `time` or
`operateTime`, `responseParam` an object or its JSON text.
Odd:  FAILED is a refusal at the door and a void waybill alike: the words tell which.
Unsure: see `uncertain`.
From: `facts/carriers-cn-express.md` (德邦), `facts/carriers-states.csv`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any, ClassVar, Final

from carriers.base import Billing, Ceilings, Question, provider
from carriers.batches import bare, in_batches
from carriers.replies import nested, opened, refused, starring, truth
from carriers.scans import (
    BY_WORDS,
    REMARK,
    Meaning,
    Row,
    Unknown,
    by_code,
    city,
    coded,
    rows_in,
    scan,
    text_of,
    track,
    word,
)
from domain.masking import clean, safe_text
from domain.orders import Waybill
from domain.reading import read
from domain.remote import Conversation, Rejected, Request, Secret, Unreadable
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Deppon", "signature"]

_CARRIERS: Final = ("debangkuaidi", "debangwuliu")
_NO_SUCH: Final = "运单不存在"

_CODES: Final = by_code(
    ("GOT", Meaning(Milestone.PICKED_UP)),
    ("DEPARTURE ARRIVAL", Meaning(Milestone.IN_TRANSIT)),
    ("ADVANCE_DELIVERY", Meaning(Milestone.ARRIVED_DEST_CITY)),
    ("SENT_SCAN", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("STA_INBOUND", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("SIGNED", Meaning(Milestone.DELIVERED)),
    ("STA_SIGN", Meaning(Milestone.DELIVERED, kind=DeliveredKind.STATION)),
    ("ERROR", Meaning(exception=ExceptionKind.HELD)),
    ("FAILED", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED)),
    ("BACK_SIGNED", Meaning(Milestone.RETURNED)),
    ("OPERATETRACK", Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)),
    ("ADVANCE_NOTICE INBOUND OTHER", REMARK),
)
"""`status` of a row."""


def signature(params: str, app_key: str, timestamp: str) -> str:
    """`digest`: Base64 of the 32 lower-case hex characters of MD5(params + key + timestamp)."""
    return b64encode(md5(f"{params}{app_key}{timestamp}".encode()).hexdigest().encode()).decode()


@provider("deppon")
@dataclass(frozen=True, slots=True)
class Deppon:
    """A company at 德邦 开放平台 (新标准轨迹查询)."""

    company_code: str
    """companyCode."""
    app_key: Secret
    """appkey; it signs."""
    base_url: str = "https://dpapi.deppon.com/dop-interface-sync/standard-order/newTraceQuery.action"
    """The whole address."""
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "deppon"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 1
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """Nothing is documented: a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "每秒、每天、同一单号的上限没有写明，按每秒 10 次、同一单号 30 分钟一次、一天 48 次算",
        "轨迹的先后、字段名（trace_list/traceList、time/operateTime）和 responseParam 的写法各版不一，都接受",
        "GOT（开单）按揽收算，也有人当作下单",
        "FAILED 是拒签还是运单作废，按文字判断；INBOUND（暂存）只有文字说存进驿站、柜子才算待取件",
        "错误码没有文档：说运单不存在的算没有记录，说到签名、密钥、白名单的算账号的错，其余不猜",
        "德邦物流（快运）的单是否查得到没有写明",
        "接口收不收费没有写明，按不收费算，不计花费",
    )

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call per question. Raises a `RemoteError` when there is no answer."""
        return in_batches(questions, _CARRIERS, "德邦", 1, lambda asked: self._call(asked[0], now))

    def serves(self, carrier: str) -> bool:
        """Its own parcels."""
        return carrier in _CARRIERS

    def needs_phone(self, carrier: str) -> bool:
        """No phone is checked."""
        return False

    def _call(self, question: Question, now: datetime) -> Conversation[list[Answer | Rejected]]:
        secrets = (self.app_key, *([question.phone_tail] if question.phone_tail else []))
        params = json.dumps(
            {"mailNo": question.waybill.waybill_no}, ensure_ascii=False, separators=(",", ":")
        )
        timestamp = str(int(now.timestamp() * 1000))
        fields = {
            "companyCode": self.company_code,
            "params": params,
            "timestamp": timestamp,
            "digest": signature(params, self.app_key.reveal(), timestamp),
        }
        reply = yield Request.form(self.base_url, fields, secrets)
        with starring(secrets):
            return [_understood(opened(reply, "德邦"), question.waybill)]


def _understood(body: Mapping[str, Any], waybill: Waybill) -> Answer:
    """The outcome, then the list, in whichever edition's names. Raises a `RemoteError`."""
    done = truth(body.get("result"))
    if done is None:
        raise Unreadable("德邦的回答没有 result")
    if not done:
        reason = safe_text(str(body.get("reason") or ""), 120)
        if _NO_SUCH in reason:
            return Answer(waybill.carrier, waybill.waybill_no, remark=f"德邦：{reason}")
        raise refused("德邦", word(body, "resultCode"), reason)
    inner = nested(body.get("responseParam"), "德邦的 responseParam")
    number = word(inner, "tracking_number")
    if number and bare(number) != bare(waybill.waybill_no):
        raise Unreadable(f"德邦回答的是另一个单号 {clean(number, 40)!r}")
    told = inner.get("trace_list")
    rows = rows_in(inner.get("traceList") if told is None else told, "德邦的 trace_list")
    if not rows:
        return Answer(waybill.carrier, waybill.waybill_no, remark="德邦没有轨迹：还没有，或单号不对")
    timed = [{**row, "time": row.get("time") or row.get("operateTime")} for row in rows]
    return track(timed, waybill, "德邦", when="time", event=_event)


def _event(moment: datetime, row: Row, unknown: Unknown) -> TrackingEvent:
    said = row.get("description")
    if not isinstance(said, str | None):
        raise Unreadable("德邦的 description 不是文字")
    code, text = word(row, "status"), text_of(said)
    return scan(
        moment,
        text,
        _meaning(code, text, unknown),
        unknown,
        said_in="description",
        code=code,
        area=city(word(row, "city")),
        place=word(row, "site"),
    )


def _meaning(code: str, text: str, unknown: Unknown) -> Meaning:
    """What `status` says; two codes stand for two things each, which the words tell apart."""
    if code == "FAILED" and "作废" in text:
        return Meaning(Milestone.CANCELLED)
    if code == "INBOUND" and read(text).milestone is Milestone.READY_FOR_COLLECTION:
        return BY_WORDS
    return coded(code, _CODES, "status", unknown)
