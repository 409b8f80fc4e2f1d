"""AfterShip Tracking 2024-07: carriers of the whole world; a tracking is created once, read and pushed from then on.

Asks: up to 40 numbers of the account's list in one call; what is not in it is created, a call each. With an API
secret every request is signed.
Says: `meta.code` beside the HTTP status, which says less; the list comes in pages with a cursor.
Pushes: JSON, Base64 HMAC-SHA256 of the very bytes in a header; the address is set once in their console.
Odd:  the list reaches back 30 days unless it is told otherwise, and AfterShip keeps 120 (their Python SDK).
Unsure: see `uncertain`.
From: `facts/carriers-international.md` (AfterShip); pace and `tracking_numbers` from aftership.com/docs/tracking
(rate limit) and AfterShip/tracking-sdk-python.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from hashlib import md5, sha256
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit

from carriers.abroad import about, courier_codes, enveloped, mistaken, recognised, starred, tagged
from carriers.aftership_track import ended, page_of, read_tracking, refusal
from carriers.base import Billing, Ceilings, Guess, Question, provider
from carriers.push import Delivery, Forged, Push, Receipt, Subscribed, Terms, same
from carriers.registered import Told, halved, matched, read_or_created
from carriers.replies import starring
from carriers.scans import word
from domain.orders import Waybill
from domain.remote import Conversation, Rejected, Reply, Request, Secret, Unreadable
from domain.tracking import Answer

__all__ = ["AfterShip", "push_signature", "request_signature"]

_SLUGS: Final[Mapping[str, str]] = {
    "youzhengguoji": "china-post",
    "youzhengguonei": "china-post",
    "ems": "china-ems",
    "emsguoji": "china-ems",
    "usps": "usps",
    "ups": "ups",
    "fedex": "fedex",
    "dhl": "dhl",
}
"""Our key to their slug: `china-post` is in the facts, the others in their SDK; AfterShip finds the rest itself."""

_OK: Final = frozenset({200, 201})
_EXISTS: Final = 4003
_MISSING: Final = 4004
_MOST_PAGES: Final = 10
_KEPT_FOR: Final = timedelta(days=120)


def request_signature(request: Request, secret: str, date: str) -> str:
    """`as-signature-hmac-sha256`: Base64 HMAC-SHA256 over method, body, date, `as-*` headers and path.

    MD5 and content type are empty where there is no body.
    """
    url = urlsplit(request.url)
    own = {name.lower(): value for name, value in request.headers.items() if name.lower().startswith("as-")}
    text = (
        request.method,
        md5(request.content).hexdigest().upper() if request.content else "",
        "application/json" if request.content else "",
        date,
        *(f"{name}:{value}" for name, value in sorted(own.items())),
        f"{url.path}?{url.query}" if url.query else url.path,
    )
    return b64encode(hmac.digest(secret.encode(), "\n".join(text).encode(), sha256)).decode()


def push_signature(body: bytes, secret: str) -> str:
    """`aftership-hmac-sha256`: Base64 HMAC-SHA256 of the raw body."""
    return b64encode(hmac.digest(secret.encode(), body, sha256)).decode()


@provider("aftership")
@dataclass(frozen=True, slots=True)
class AfterShip:
    """An account at AfterShip Tracking."""

    api_key: Secret
    api_secret: Secret | None = None
    """Where the key was made with signed requests (AES)."""
    webhook_secret: Secret | None = None
    """Of the webhook settings; without it the address has to hold a secret (`callback_key`)."""
    couriers: tuple[str, ...] = ()
    """Further carriers, as `ours=slug`: `yanwen=yanwen`."""
    detects: bool = False
    """Ask it too whose a number is (`recognise`)."""
    base_url: str = "https://api.aftership.com/tracking/2024-07"
    refresh_lag: timedelta = timedelta(hours=6)

    kind: ClassVar[str] = "aftership"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 40
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=5.0, concurrency=2)
    """6 reads and 20 creations a second since 2024-07, 10 of all before: creations of a call follow each other,
    so few go at once. The rest is a cautious default."""
    billing: ClassVar[Billing] = Billing.REGISTRATION
    terms: ClassVar[Terms] = Terms(per_number_monthly=1, again_after=timedelta(days=30), batch=20)
    uncertain: ClassVar[tuple[str, ...]] = (
        "没有写明多久向快递公司更新一次：沉默按晚 6 小时算（refresh_lag），新登记的不算",
        "没有时区的时间：在中国的按北京时间，其余按 UTC，可能差十几个小时；只有日期的按那天最后一秒。原文都留着",
        "轨迹的先后没有保证，按时间重新排",
        "事实只写明 china-post；ems、usps、ups、fedex、dhl 的 slug 来自 SDK 和惯例，其余由 AfterShip 识别",
        "InTransit_005 和 006 都叫 Customs，哪个是放行没有写明，都按清关中算",
        "推送重试的次数和间隔（14 次，2 的 n 次方乘 30 秒）没有核对",
        "同一单号隔多久、一天几次没有写明，按 30 分钟、48 次算",
        "每秒几次各处不一（一处 10 次，新文档读 6 次、登记 20 次），按 5 次算",
        "回调地址在 AfterShip 的后台填写，不随单号登记",
        "认单号（couriers/detect）的回答格式来自 SDK",
    )

    def __post_init__(self) -> None:
        courier_codes(_SLUGS, self.couriers)

    @property
    def signed(self) -> bool:
        """With the webhook's secret its pushes are checked."""
        return self.webhook_secret is not None

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
        reply = yield self._request("POST", "couriers/detect", {"tracking_number": waybill_no}, (), now)
        with starring(self._own):
            code, words, data = enveloped(starred(reply, self._own), "AfterShip")
            if code == 4012:
                return ()
            if code not in _OK or not isinstance(data, dict):
                raise Unreadable(f"AfterShip 没有认单号（{code}：{words}）")
            return recognised(data.get("couriers"), "slug", self._codes, "aftership")

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
        """Look at the signature over the very bytes, where there is a secret for it."""
        if self.webhook_secret is not None:
            expected = push_signature(push.body, self.webhook_secret.reveal())
            if not same(expected, push.headers.get("aftership-hmac-sha256")):
                raise Forged("AfterShip 的推送签名不对")
        return _RECEIPT

    def receive(self, push: Push, now: datetime) -> Delivery:
        """A push of one tracking as a whole."""
        self.admit(push, now)
        with starring(self._secrets(())):
            return self._delivered(Reply(200, push.body).json(), now)

    def needs_phone(self, carrier: str) -> bool:
        """What a carrier wants beside the number AfterShip says (4011)."""
        return False

    @property
    def _own(self) -> tuple[Secret | None, ...]:
        return (self.api_key, self.api_secret, self.webhook_secret)

    @property
    def _codes(self) -> Mapping[str, str]:
        return courier_codes(_SLUGS, self.couriers)

    def _delivered(self, body: object, now: datetime) -> Delivery:
        tracking = body.get("msg") if isinstance(body, dict) else None
        number = word(tracking, "tracking_number") if isinstance(tracking, dict) else ""
        if not isinstance(body, dict) or not isinstance(tracking, dict) or not number:
            raise Unreadable("AfterShip 的推送没有 msg.tracking_number")
        if body.get("event") != "tracking_update":
            return Delivery((), _KEPT)  # edd_revise, tracking_pending_time: estimates, no news of the parcel
        waybill = Waybill(about(tracking.get("order_id"), word(tracking, "slug"), self._codes), number)
        another = mistaken(word(tracking, "slug"), waybill.carrier, self._codes)
        if another is not None:
            return Delivery((), _KEPT, unreadable=(f"{number}：{another}",))
        told = self._read(tracking, waybill, now)
        answer = replace(told, whole=False, late=True, read_at=None)
        return Delivery((answer,), _KEPT, ended(tracking, waybill))

    def _together(self, asked: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        return read_or_created(
            asked,
            lambda some: self._listed(some, now),
            lambda question: self._create(question, now),
            "AfterShip 说已经登记，列表里却没有：可能早于 120 天",
        )

    def _listed(self, asked: Sequence[Question], now: datetime) -> Conversation[Told]:
        """What the account's list says of these, page by page; a call refused for one number is halved."""
        found: list[Mapping[str, Any]] = []
        cursor, seen = "", set[str]()
        while cursor not in seen and len(seen) < _MOST_PAGES:
            seen.add(cursor)
            reply = yield self._list_request(asked, cursor, now)
            with starring(self._secrets(asked)):
                code, words, data = enveloped(starred(reply, self._own), "AfterShip")
                if code == _MISSING:
                    return {}
                if code not in _OK:
                    break
                page, cursor = page_of(data)
                found += page
        else:
            return matched(
                found,
                asked,
                "slug",
                self._codes,
                "AfterShip",
                lambda each, whose: self._read(each, whose, now),
            )
        if len(asked) == 1:
            return {asked[0].waybill: refusal(code, words, asked[0].waybill)}
        return (yield from halved(asked, lambda some: self._listed(some, now)))

    def _read(self, tracking: Mapping[str, Any], waybill: Waybill, now: datetime) -> Answer:
        return read_tracking(tracking, waybill, self._codes, now, self.refresh_lag)

    def _create(self, question: Question, now: datetime) -> Conversation[Answer | Rejected | None]:
        """The new tracking, which has nothing yet; None where it was there already."""
        asked: dict[str, str] = {"tracking_number": question.waybill.waybill_no}
        slug = self._codes.get(question.waybill.carrier)
        if slug is None:
            asked["order_id"] = tagged(question.waybill.carrier)
        else:
            asked["slug"] = slug
        reply = yield self._request("POST", "trackings", asked, (question,), now)
        with starring(self._secrets((question,))):
            code, words, data = enveloped(starred(reply, self._own), "AfterShip")
            if code == _EXISTS:
                return None
            if code not in _OK:
                return refusal(code, words, question.waybill)
            if not isinstance(data, dict) or not word(data, "tracking_number"):
                raise Unreadable("AfterShip 的登记结果没有 tracking_number")
            return self._read(data, question.waybill, now)

    def _list_request(self, asked: Sequence[Question], cursor: str, now: datetime) -> Request:
        numbers = dict.fromkeys(question.waybill.waybill_no for question in asked)
        query = {
            "tracking_numbers": ",".join(numbers),
            "created_at_min": (now - _KEPT_FOR).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "limit": "200",
            **({"cursor": cursor} if cursor else {}),
        }
        return self._request("GET", f"trackings?{urlencode(query)}", None, asked, now)

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None,
        asked: Sequence[Question],
        now: datetime,
    ) -> Request:
        content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"as-api-key": self.api_key.reveal()}
        if content:
            headers["Content-Type"] = "application/json"
        url = f"{self.base_url.rstrip('/')}/{path}"
        request = Request(method, url, {}, headers, content, self._secrets(asked))
        if self.api_secret is None:
            return request
        date = format_datetime(now, usegmt=True)
        sign = request_signature(request, self.api_secret.reveal(), date)
        return replace(request, headers={**headers, "Date": date, "as-signature-hmac-sha256": sign})

    def _secrets(self, asked: Sequence[Question]) -> tuple[Secret, ...]:
        tails = dict.fromkeys(each.phone_tail for each in asked)
        return tuple(secret for secret in (*self._own, *tails) if secret)


_KEPT: Final = Reply(200, b"success", {"content-type": "text/plain; charset=utf-8"})
"""Any 200 to 299 is taken for "kept"."""
_RECEIPT: Final = Receipt(_KEPT)
