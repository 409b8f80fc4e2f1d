"""圆通: the track query of its open platform, the new interface and the old one.

Asks: one waybill in one call. New: JSON whose text `param` is signed; old: a form, signed without its `param`.
Says: a bare list is success, oldest first, Beijing wall clock; an object with `code` 1001 is "nothing known";
every other object is an error, and so is XML. Both interfaces answer alike.
Odd:  the address ends in a path and a customer code that are handed out per interface, with credentials of its
own, and it heeds only registered IP addresses. An empty list is in no document: it is no "nothing known".
Unsure: see `uncertain`.
From: `facts/carriers-cn-express.md` (圆通), `facts/carriers-states.csv`; the shape of the old `param` from public
code.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import md5
from typing import ClassVar, Final

from carriers.base import Billing, Ceilings, Question, provider
from carriers.batches import bare, in_batches
from carriers.replies import decoded, refused, starring, truth
from carriers.scans import Meaning, Row, Unknown, by_code, city, coded, rows_in, scan, text_of, track, word
from domain.masking import safe_text
from domain.orders import Waybill
from domain.remote import Conversation, Rejected, Reply, Request, Secret, Unreadable
from domain.time import SHANGHAI
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Yto", "old_signature", "signature"]

_CARRIER: Final = "yuantong"
_METHOD: Final = "track_query_adapter"
_VERSION: Final = "v1"
_NEW: Final = "https://openapi.yto.net.cn:11443"
_OLD: Final = "http://openapi.yto.net.cn"
_INTERFACES: Final = ("new", "old")
_NOTHING: Final = "1001"

_CODES: Final = by_code(
    ("GOT", Meaning(Milestone.PICKED_UP)),
    ("ARRIVAL DEPARTURE AIRSEND AIRPICK", Meaning(Milestone.IN_TRANSIT)),
    ("SENT_SCAN", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("INBOUND", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("SIGNED", Meaning(Milestone.DELIVERED)),
    ("FAILED", Meaning(Milestone.DELIVERY_FAILED)),
    ("FORWARDING", Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)),
    ("TMS_RETURN", Meaning(Milestone.RETURNING)),
)
"""`infoContent`."""


def signature(param: str, secret: str) -> str:
    """`sign` of the new interface: Base64 of the raw bytes of MD5 over param, method, version and secret."""
    return b64encode(md5(f"{param}{_METHOD}{_VERSION}{secret}".encode()).digest()).decode()


def old_signature(fields: Mapping[str, str], secret: str) -> str:
    """`sign` of the old one: upper-case hex MD5 of the secret and each field's name and value, by name.

    `fields` are all but `param` and `sign`.
    """
    said = "".join(f"{name}{fields[name]}" for name in sorted(fields))
    return md5(f"{secret}{said}".encode()).hexdigest().upper()


@provider("yto")
@dataclass(frozen=True, slots=True)
class Yto:
    """A customer of 圆通 开放平台 with the track query."""

    customer_code: str
    """客户编码, at the end of the address; user_id of the old interface."""
    secret: Secret
    """客户密钥 (secret_key) of this very interface."""
    path: str = ""
    """The part of the address that was handed out for this interface; the old one has none."""
    app_key: str = ""
    """Only of the old interface."""
    interface: str = "new"
    """`new` (track_query_adapter) or `old` (yto.Marketing.WaybillTrace)."""
    base_url: str = _NEW
    """Up to the port; with `interface = old` the default is http://openapi.yto.net.cn."""
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "yto"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 1
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """Nothing is documented: a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "每秒、每天、同一单号的上限没有写明，按每秒 10 次、同一单号 30 分钟一次、一天 48 次算",
        "空结果（1001）分不清还没有、单号不对、不是圆通的单",
        "错误码只知道一部分：说到签名、密钥、白名单的算账号的错，其余不猜",
        "老接口的 param 写法照别人的代码；它没有加密（http），能用新接口就用新接口",
        "接口收不收费没有写明，按不收费算，不计花费",
    )

    def __post_init__(self) -> None:
        if self.interface not in _INTERFACES:
            raise ValueError(f"interface 只能是 new 或 old，现在是 {self.interface}")
        if self.interface == "new" and not self.path:
            raise ValueError("新接口要写 path：圆通给这个接口分配的那一段地址")
        if self.interface == "old" and not self.app_key:
            raise ValueError("老接口（interface = old）要写 app_key")

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call per question. Raises a `RemoteError` when there is no answer."""
        call = partial(self._one, now=now)
        return (yield from in_batches(questions, (_CARRIER,), "圆通", self.batch, call))

    def serves(self, carrier: str) -> bool:
        """圆通's express parcels."""
        return carrier == "yuantong"

    def needs_phone(self, carrier: str) -> bool:
        """No phone is checked."""
        return False

    def _one(self, asked: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        [question] = asked
        secrets = (self.secret, *([question.phone_tail] if question.phone_tail else []))
        write = self._new if self.interface == "new" else self._old
        reply = yield write(question.waybill.waybill_no, now, secrets)
        with starring(secrets):
            return [_understood(reply, question.waybill)]

    def _new(self, number: str, now: datetime, secrets: tuple[Secret, ...]) -> Request:
        param = _text({"NUMBER": number})
        body = {
            "timestamp": str(int(now.timestamp() * 1000)),
            "param": param,
            "sign": signature(param, self.secret.reveal()),
            "format": "JSON",
        }
        url = f"{self.base_url.rstrip('/')}/open/{_METHOD}/{_VERSION}/{self.path}/{self.customer_code}"
        return Request.json(url, body, secrets=secrets, repeatable=True)

    def _old(self, number: str, now: datetime, secrets: tuple[Secret, ...]) -> Request:
        fields = {
            "app_key": self.app_key,
            "format": "JSON",
            "method": "yto.Marketing.WaybillTrace",
            "timestamp": now.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"),
            "user_id": self.customer_code,
            "v": "1.01",
        }
        sign = old_signature(fields, self.secret.reveal())
        host = _OLD if self.base_url == _NEW else self.base_url.rstrip("/")
        sent = {**fields, "param": _text([{"Number": number}]), "sign": sign}
        return Request.form(f"{host}/service/waybill_query/v1/{self.customer_code}", sent, secrets)


def _text(value: object) -> str:
    """As it is sent and signed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _understood(reply: Reply, waybill: Waybill) -> Answer:
    """By type first: a list is the track, an object is "nothing known" or an error."""
    body = decoded(reply, "圆通")
    if isinstance(body, list):
        return track(
            rows_in(body, "圆通的回答"),
            waybill,
            "圆通",
            when="upload_Time",
            event=_event,
            number="waybill_No",
        )
    if not isinstance(body, dict):
        raise Unreadable(f"圆通的回答既不是列表也不是对象（{type(body).__name__}）")
    code, done = word(body, "code"), truth(body.get("success"))
    if code == _NOTHING and done:
        _no_rows(body.get("map"), waybill)
        said = safe_text(str(body.get("message") or ""), 80) or "查询结果为空"
        return Answer(_CARRIER, waybill.waybill_no, remark=f"圆通：{said}")
    raise refused("圆通", code, " ".join(str(body[name]) for name in ("message", "reason") if body.get(name)))


def _no_rows(told: object, waybill: Waybill) -> None:
    """What stands beside "nothing known" must be about our number, and nothing. Raises `Unreadable`."""
    if told is None:
        return
    if not isinstance(told, dict) or any(told.values()):
        raise Unreadable("圆通说查询结果为空，却带着别的内容")
    if told and bare(waybill.waybill_no) not in {bare(str(each)) for each in told}:
        raise Unreadable("圆通回答的是另一个单号")


def _event(moment: datetime, row: Row, unknown: Unknown) -> TrackingEvent:
    said = row.get("processInfo")
    if not isinstance(said, str | None):
        raise Unreadable("圆通的 processInfo 不是文字")
    code = word(row, "infoContent")
    means = coded(code, _CODES, "infoContent", unknown)
    area = city(word(row, "city"))
    return scan(moment, text_of(said), means, unknown, said_in="processInfo", code=code, area=area)
