"""快递100: most Chinese carriers under one contract.

Asks: one waybill in one call, a form signed over the very characters of its JSON text.
Says: HTTP 200 whatever happens; `returnCode` (older shape: `status`) holds the outcome, `kuaidi100_track`
reads the rows.
Odd:  400 is one number's fault or the account's; 408 also answers a wrong carrier; more than 48 questions a
day lock a number, which then shows stale data without a word.
From: `facts/carriers-kuaidi100.md`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5
from typing import ClassVar, Final

from carriers.base import Billing, Ceilings, Guess, Question, provider
from carriers.kuaidi100_push import admitted, read_push, subscribed, subscription
from carriers.kuaidi100_track import read_track
from carriers.names import canonical, phone_needed
from carriers.push import Delivery, Push, Receipt, Subscribed, Terms
from carriers.recognise import ranked
from carriers.replies import decoded, opened, starring
from domain.masking import clean, safe_text
from domain.orders import Waybill
from domain.remote import (
    Conversation,
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Throttled,
    Unavailable,
    Unreadable,
)
from domain.tracking import Answer

__all__ = ["Kuaidi100", "signature"]

_BUSY: Final = re.compile(r"繁忙|超时|稍后")
_NOTHING: Final = re.compile(r"无结果|暂无|没有|不存在")
"""500 is "no result" to a query; in the words of an overload, without these, it is no answer and proves no silence."""
_ACCOUNT: Final = re.compile(r"充值|余额|欠费|未开通|授权|账号|账户|套餐|次数|权限")
_SINGLE: Final = re.compile(r"不完整|或者|单号|公司参数|编码")
"""400 is shared by one number's fault and the account's; a text that names both must not stop the account."""


def signature(param: str, key: str, customer: str) -> str:
    """Upper-case hex MD5 of param, key and customer, over the characters that are sent."""
    return md5(f"{param}{key}{customer}".encode()).hexdigest().upper()


@provider("kuaidi100")
@dataclass(frozen=True, slots=True)
class Kuaidi100:
    """An account at 快递100 (企业版 实时查询)."""

    customer: Secret
    key: Secret
    base_url: str = "https://poll.kuaidi100.com"
    refresh_lag: timedelta = timedelta(0)
    autonumber_url: str = ""
    """Of the recognition (`autonumber/auto`); empty: not asked. The document knows plain http only: the key is seen."""
    salt: Secret | None = None
    """Signs the pushes: any text of ours, given at each subscription."""

    kind: ClassVar[str] = "kuaidi100"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 1
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=20.0, concurrency=16)
    """Interval and daily number are the document's; the pace is a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.QUERY
    terms: ClassVar[Terms] = Terms(per_number_monthly=4, again_after=timedelta(minutes=30))
    uncertain: ClassVar[tuple[str, ...]] = (
        "504（查询太频繁）要等多久没有写明，按 30 分钟算",
        "每秒最多几次没有写明，按 20 次算",
        "回调地址用 HTTPS 要不要先向客服申请，没有写明",
    )

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer]]:
        """One call per question. Raises a `RemoteError` when there is no answer."""
        answers: list[Answer] = []
        for question in questions:
            reply = yield self._request(question)
            answers.append(self._answer(question, reply))
        return answers

    def needs_phone(self, carrier: str) -> bool:
        """The carrier answers only with the last digits of a phone."""
        return phone_needed(carrier)

    @property
    def recognises(self) -> bool:
        """An address is given for it."""
        return bool(self.autonumber_url)

    def recognise(self, waybill_no: str, now: datetime) -> Conversation[tuple[Guess, ...]]:
        """Who may have issued a number, best first; guesses only (`facts/carriers-kuaidi100.md`, recognition)."""
        query = {"num": waybill_no, "key": self.key.reveal()}
        reply = yield Request("GET", self.autonumber_url, query, secrets=(self.key,))
        with starring((self.key,)):
            return _recognised(decoded(reply, "快递100"))

    @property
    def signed(self) -> bool:
        """An empty salt protects nothing, so without one the address has to."""
        return bool(self.salt)

    def admit(self, push: Push, now: datetime) -> Receipt:
        """Look at the signature. Raises `Forged`."""
        return admitted(push, self.salt)

    def receive(self, push: Push, now: datetime) -> Delivery:
        """Read a push. Raises `Forged`, then `Unreadable`."""
        return read_push(push, self.salt)

    def subscribe(
        self, questions: Sequence[Question], callback: str, now: datetime
    ) -> Conversation[list[Subscribed | Rejected]]:
        """One call per question. Raises a `RemoteError` when the account has to wait or act."""
        outcomes: list[Subscribed | Rejected] = []
        for question in questions:
            reply = yield subscription(self.base_url, self.key, self.salt, question, callback)
            with starring((self.key, self.salt, question.phone_tail)):
                outcomes.append(subscribed(reply, question.waybill))
        return outcomes

    def _request(self, question: Question) -> Request:
        tail = question.phone_tail.reveal() if question.phone_tail else ""
        asked = {
            "com": question.waybill.carrier,
            "num": question.waybill.waybill_no,
            "phone": tail,
            "from": question.origin,
            "to": question.destination,
            "resultv2": "4",
            "show": "0",
            "order": "desc",
        }
        given = {name: value for name, value in asked.items() if value}
        param = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
        sign = signature(param, self.key.reveal(), self.customer.reveal())
        fields = {"customer": self.customer.reveal(), "sign": sign, "param": param}
        secrets = (self.customer, self.key, *([question.phone_tail] if question.phone_tail else []))
        return Request.form(f"{self.base_url.rstrip('/')}/poll/query.do", fields, secrets)

    def _answer(self, question: Question, reply: Reply) -> Answer:
        """The reply as an answer; whatever it says of us is starred before it becomes a message."""
        with starring((self.customer, self.key, question.phone_tail)):
            return _understood(reply, question.waybill)


def _understood(reply: Reply, waybill: Waybill) -> Answer:
    """HTTP, then the outcome in the body, then the track."""
    body = opened(reply, "快递100")
    outcome = body.get("returnCode") or body.get("status")
    if not isinstance(outcome, (str, int)) or isinstance(outcome, bool):
        raise Unreadable("快递100 的回答没有 returnCode 和 status")
    said = safe_text(str(body.get("message") or ""), 120)
    match str(outcome):
        case "200" if body.get("result") is not False:
            return read_track(body, waybill)
        case "500" if _BUSY.search(said) and not _NOTHING.search(said):
            raise Unavailable(f"快递100 暂时不可用（500：{said}）")
        case "500" | "201" if not body.get("data"):
            return Answer(waybill.carrier, waybill.waybill_no, remark=said or "查询无结果")
        case code:
            raise _refusal(code, said)


def _recognised(said: object) -> tuple[Guess, ...]:
    """A list of carriers, or an object that says why there is none."""
    match said:
        case list() if all(isinstance(row, dict) and isinstance(row.get("comCode"), str) for row in said):
            return ranked([canonical(row["comCode"]) or "" for row in said], "kuaidi100")
        case {"returnCode": str() | int() as code, **rest}:
            words = safe_text(str(rest.get("message") or ""), 120)
            if str(code) in ("601", "701"):
                raise Denied(f"快递100 单号识别没有开通或 key 不对（{code}：{words}）")
            if str(code) == "201":
                raise Rejected(f"快递100 不认这个单号（201：{words}）")
            raise Unreadable(f"快递100 单号识别的返回码 {clean(str(code), 20)!r} 不在文档中：{words}")
        case _:
            raise Unreadable("快递100 单号识别的回答不在文档中")


def _refusal(code: str, said: str) -> RemoteError:
    """A return code that is no answer, as who has to act (`facts/carriers-kuaidi100.md`, returnCode)."""
    match code:
        case "400" if _ACCOUNT.search(said) and not _SINGLE.search(said):
            return Denied(f"快递100 账号不能查询，请检查充值与授权（400：{said}）")
        case "400":
            return Rejected(f"快递100 不接受此单号或承运商（400：{said}）")
        case "408":
            return Rejected(f"需要收/寄件人手机号后四位，或后四位、承运商不对（快递100 408：{said}）")
        case "501" | "502":
            return Unavailable(f"快递100 暂时不可用（{code}：{said}）")
        case "503":
            return Denied(f"快递100 验证签名失败，请检查 customer 与 key（503：{said}）")
        case "504":
            return Throttled(f"快递100 说查询太频繁（504：{said}）", timedelta(minutes=30), closes=False)
        case "601":
            return Denied(f"快递100 的 key 已过期或单量用完（601：{said}）")
        case _:
            return Unreadable(f"快递100 的返回码 {clean(code, 20)!r} 不在文档中：{said}")
