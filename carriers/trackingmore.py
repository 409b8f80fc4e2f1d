"""TrackingMore v4: carriers of the whole world; a tracking is created once, read and pushed from then on.

Asks: up to 40 numbers in one call; what is not there is created, a call each.
Says: `meta.code` beside the HTTP status; a list of trackings, each with two legs, `origin_info` and
`destination_info`, newest first.
Pushes: JSON. What is signed, and how, the documents tell in two ways, so the address holds a secret and a
signature is checked beside it where the account gives one's key.
Odd:  `pickup` stands for out for delivery as well as for waiting to be collected. `expired` is its own clock.
Unsure: see `uncertain`.
From: `facts/carriers-international.md` (TrackingMore), `facts/carriers-states.csv`.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from carriers.abroad import about, courier_codes, enveloped, legs, mistaken, recognised, starred, tagged
from carriers.base import Billing, Ceilings, Guess, Question, provider
from carriers.names import display
from carriers.push import Delivery, End, Ended, Forged, Push, Receipt, Subscribed, Terms, same
from carriers.registered import Told, halved, matched, read_or_created
from carriers.replies import starring
from carriers.scans import word
from carriers.trackingmore_track import read_tracking
from domain.masking import clean
from domain.orders import Waybill
from domain.remote import Conversation, Denied, Rejected, Reply, Request, Secret, Unreadable
from domain.tracking import Answer

__all__ = ["TrackingMore", "body_signature", "time_signature"]

_COURIERS: Final[Mapping[str, str]] = {
    "youzhengguoji": "china-post",
    "youzhengguonei": "china-post",
    "usps": "usps",
    "ups": "ups",
    "fedex": "fedex",
    "dhl": "dhl",
}
"""Our key to their `courier_code`: `china-post` is in the facts, the others in their examples."""

_OK: Final = frozenset({200, 201})
_EXISTS: Final = 4101
_MISSING: Final = 4102
_DATA_FAULT: Final[Mapping[int, str]] = {
    4110: "单号不对",
    4111: "单号不对",
    4112: "单号不对",
    4113: "单号不对",
    4120: "公司编码不对，请检查 couriers",
    4121: "认不出是哪家公司，请用 couriers 写明",
    4122: "还缺这家公司要的资料",
    4130: "格式不对",
}


def time_signature(timestamp: str, secret: str) -> str:
    """As the sample of the document signs: lower-case hex HMAC-SHA256 of the timestamp."""
    return hmac.digest(secret.encode(), timestamp.encode(), sha256).hex()


def body_signature(body: bytes, secret: str) -> str:
    """As the text of the document says: Base64 HMAC-SHA256 of the raw body."""
    return b64encode(hmac.digest(secret.encode(), body, sha256)).decode()


@provider("trackingmore")
@dataclass(frozen=True, slots=True)
class TrackingMore:
    """An account at TrackingMore (API v4)."""

    api_key: Secret
    webhook_secret: Secret | None = None
    """Where given, a push without a right signature is refused. The address has to hold a secret anyway."""
    signature_header: str = "signature"
    timestamp_header: str = "timestamp"
    """What the two headers of a push are called is not documented."""
    couriers: tuple[str, ...] = ()
    """Further carriers, as `ours=theirs`: `yanwen=yanwen`."""
    detects: bool = False
    """Ask it too whose a number is (`recognise`)."""
    base_url: str = "https://api.trackingmore.com/v4"
    refresh_lag: timedelta = timedelta(hours=6)

    kind: ClassVar[str] = "trackingmore"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 40
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=3.0, concurrency=2)
    """None of it is documented: cautious defaults of ours."""
    billing: ClassVar[Billing] = Billing.REGISTRATION
    signed: ClassVar[bool] = False
    """What is signed may be the time alone, and then any body passes under it."""
    terms: ClassVar[Terms] = Terms(per_number_monthly=1, again_after=timedelta(days=30), batch=20)
    uncertain: ClassVar[tuple[str, ...]] = (
        "推送怎样签名，文档的说法和例子不一（正文或时间戳，Base64 或十六进制），请求头的名字也没有写明："
        "推送地址要带密钥（callback_key）；配了 webhook_secret 时两种签名都认",
        "没有写明多久向快递公司更新一次：沉默按晚 6 小时算（refresh_lag），新登记的不算",
        "每秒、同一单号、一天最多几次没有写明，按每秒 3 次、30 分钟、48 次算",
        "pickup 既是派送中也是待取件：先看文字，002、003 没有文字时算待取件",
        "transit002 和 transit003 各版本含义不同，都按运输中算",
        "没有时区的时间：在中国的按北京时间，其余按 UTC；只有日期的按那天最后一秒。原文都留着",
        "事实只写明 china-post，usps、ups、fedex、dhl 的编码来自它的例子，其余由 TrackingMore 识别",
        "回调地址在 TrackingMore 的后台填写，不随单号登记",
        "认单号（couriers/detect）的回答格式来自别人的代码",
    )

    def __post_init__(self) -> None:
        courier_codes(_COURIERS, self.couriers)

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call for up to 40 waybills, one more for each new one. Raises a `RemoteError` for all of them."""
        answers: list[Answer | Rejected] = []
        for start in range(0, len(questions), self.batch):
            answers += yield from self._together(questions[start : start + self.batch], now)
        return answers

    @property
    def recognises(self) -> bool:
        """The owner wants it asked."""
        return self.detects

    def recognise(self, waybill_no: str, now: datetime) -> Conversation[tuple[Guess, ...]]:
        """Who may have issued a number; guesses from its form. Raises a `RemoteError`."""
        reply = yield self._request("POST", "couriers/detect", {"tracking_number": waybill_no}, ())
        with starring(self._secrets(())):
            code, words, data = enveloped(starred(reply, (self.api_key,)), "TrackingMore")
            if code == 4121:
                return ()
            if code not in _OK:
                raise _refusal(code, words, Waybill("", waybill_no))
            return recognised(data, "courier_code", self._codes, "trackingmore")

    def subscribe(
        self, questions: Sequence[Question], callback: str, now: datetime
    ) -> Conversation[list[Subscribed | Rejected]]:
        """Create the trackings: that is the subscription. `callback` is set in their console, not by number."""
        done: list[Subscribed | Rejected] = []
        for question in questions:
            made = yield from self._create(question, now)
            done.append(made if isinstance(made, Rejected) else Subscribed(question.waybill))
        return done

    def admit(self, push: Push, now: datetime) -> Receipt:
        """Look at the signature, where there is a secret for it."""
        if self.webhook_secret is not None and not self._genuine(push, self.webhook_secret.reveal()):
            raise Forged("TrackingMore 的推送签名不对")
        return _RECEIPT

    def receive(self, push: Push, now: datetime) -> Delivery:
        """A push of one tracking as a whole."""
        self.admit(push, now)
        with starring(self._secrets(())):
            return self._delivered(Reply(200, push.body).json(), now)

    def needs_phone(self, carrier: str) -> bool:
        """What a carrier wants beside the number TrackingMore says (4122)."""
        return False

    @property
    def _codes(self) -> Mapping[str, str]:
        return courier_codes(_COURIERS, self.couriers)

    def _genuine(self, push: Push, secret: str) -> bool:
        """Signed in one of the two documented ways; both are compared, whatever the first one says."""
        theirs = push.headers.get(self.signature_header.lower())
        timestamp = push.headers.get(self.timestamp_header.lower(), "")
        of_body = same(body_signature(push.body, secret), theirs)
        of_time = same(time_signature(timestamp, secret), theirs)
        return of_body or (bool(timestamp) and of_time)

    def _delivered(self, body: object, now: datetime) -> Delivery:
        tracking = body.get("data") if isinstance(body, dict) else None
        number = word(tracking, "tracking_number") if isinstance(tracking, dict) else ""
        if not isinstance(tracking, dict) or not number:
            raise Unreadable("TrackingMore 的推送没有 data.tracking_number")
        code = word(tracking, "courier_code")
        waybill = Waybill(about(tracking.get("order_number"), code, self._codes), number)
        another = mistaken(code, waybill.carrier, self._codes)
        if another is not None:
            return Delivery((), _KEPT, unreadable=(f"{number}：{another}",))
        told = self._read(tracking, waybill, now)
        over = word(tracking, "delivery_status") == "expired"
        ended = (Ended(waybill, End.SILENT, "expired"),) if over else ()
        return Delivery((replace(told, whole=False, late=True, read_at=None),), _KEPT, ended)

    def _together(self, asked: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        return read_or_created(
            asked,
            lambda some: self._listed(some, now),
            lambda question: self._create(question, now),
            "TrackingMore 说已经登记，却查不到",
        )

    def _listed(self, asked: Sequence[Question], now: datetime) -> Conversation[Told]:
        """What is said of these; what is missing has no entry. A call refused for one number is halved."""
        numbers = dict.fromkeys(question.waybill.waybill_no for question in asked)
        query = urlencode({"tracking_numbers": ",".join(numbers)})
        reply = yield self._request("GET", f"trackings/get?{query}", None, asked)
        with starring(self._secrets(asked)):
            code, words, data = enveloped(starred(reply, (self.api_key,)), "TrackingMore")
            if code == _MISSING:
                return {}
            if code in _OK:
                found, who = _trackings(data), "TrackingMore"
                return matched(
                    found,
                    asked,
                    "courier_code",
                    self._codes,
                    who,
                    lambda each, whose: self._read(each, whose, now),
                )
            if len(asked) == 1 or code not in _DATA_FAULT:
                return {each.waybill: _refusal(code, words, each.waybill) for each in asked}
        return (yield from halved(asked, lambda some: self._listed(some, now)))

    def _read(self, tracking: Mapping[str, Any], waybill: Waybill, now: datetime) -> Answer:
        return read_tracking(tracking, waybill, self._codes, now, self.refresh_lag)

    def _create(self, question: Question, now: datetime) -> Conversation[Answer | Rejected | None]:
        """The new tracking, which has nothing yet; None where it was there already."""
        asked = {"tracking_number": question.waybill.waybill_no}
        courier = self._codes.get(question.waybill.carrier)
        if courier is None:
            asked["order_number"] = tagged(question.waybill.carrier)
        else:
            asked["courier_code"] = courier
        reply = yield self._request("POST", "trackings/create", asked, (question,))
        with starring(self._secrets((question,))):
            code, words, data = enveloped(starred(reply, (self.api_key,)), "TrackingMore")
            if code == _EXISTS:
                return None
            if code not in _OK:
                return _refusal(code, words, question.waybill)
            if not isinstance(data, dict) or not word(data, "tracking_number"):
                raise Unreadable("TrackingMore 的登记结果没有 tracking_number")
            return self._read(data, question.waybill, now)

    def _request(
        self, method: str, path: str, body: Mapping[str, str] | None, asked: Sequence[Question]
    ) -> Request:
        content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Tracking-Api-Key": self.api_key.reveal(), "Content-Type": "application/json"}
        url = f"{self.base_url.rstrip('/')}/{path}"
        return Request(method, url, {}, headers, content, self._secrets(asked))

    def _secrets(self, asked: Sequence[Question]) -> tuple[Secret, ...]:
        tails = dict.fromkeys(each.phone_tail for each in asked)
        return tuple(secret for secret in (self.api_key, self.webhook_secret, *tails) if secret)


_KEPT: Final = Reply(200, b"success", {"content-type": "text/plain; charset=utf-8"})
"""Any 2xx is taken for "kept"."""
_RECEIPT: Final = Receipt(_KEPT)


def _trackings(data: object) -> list[Mapping[str, Any]]:
    """The list of trackings. An empty one may come as an empty object."""
    if data is None:
        raise Unreadable("TrackingMore 的 data 是空的")
    return legs([] if data == {} else data, "TrackingMore")


def _refusal(code: int, words: str, waybill: Waybill) -> Rejected:
    """A data fault of one number. Raises `Denied` for the quota, `Unreadable` for what is in no manual."""
    if code == 4190:
        raise Denied(f"TrackingMore 的额度用完，请升级套餐（{code}：{words}）")
    if code in _DATA_FAULT:
        return Rejected(f"TrackingMore：{display(waybill.carrier)} {_DATA_FAULT[code]}（{code}：{words}）")
    raise Unreadable(f"TrackingMore 的 meta.code {clean(str(code), 20)} 不在文档中：{words}")
