"""顺丰 丰桥: the route query of 顺丰's own open platform.

Asks: up to ten waybills in one call, a form signed over the URL-encoded characters of its JSON text.
Says: HTTP 200 with JSON inside JSON; `apiResultCode` is the gateway's outcome, `errorCode` the service's. Rows
oldest first, Beijing wall clock without offset, each with an `opCode` and mostly a `firstStatusCode`.
Odd:  no route means nothing yet, a wrong phone or somebody else's parcel, and is told alike; without a phone it
proves nothing (`own_waybills`). Some faults of one number refuse the whole call.
Unsure: see `uncertain`. Not here: the OAuth2 token, which may stand in place of the digest.
From: `facts/carriers-sf.md`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any, ClassVar, Final
from urllib.parse import quote_plus
from uuid import NAMESPACE_URL, uuid5

from carriers.base import Billing, Ceilings, Question, provider
from carriers.names import display
from carriers.push import Delivery, Push, Receipt
from carriers.replies import opened, starring
from carriers.scans import word
from carriers.sf_push import admitted, read_push
from carriers.sf_track import read_routes
from domain.masking import clean, safe_text
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

__all__ = ["Sf", "signature"]

_OF_A_NUMBER: Final = frozenset({"8013", "8016", "8018", "8024", "8247", "6150"})
"""Inner codes about one number or order (not existing, not placed, invalid): an answer about it."""
_OWN_CARRIERS: Final = frozenset({"shunfeng", "shunfengkuaiyun"})
_TOO_MANY: Final = "8003"
_REPEATED: Final = "A1007"


def signature(data: str, timestamp: str, check_word: str) -> str:
    """`msgDigest`: Base64 of the 16 bytes of MD5 over the text as Java encodes a URL: `~` too, `*` not."""
    encoded = quote_plus(f"{data}{timestamp}{check_word}", safe="*-._").replace("~", "%7E")
    return b64encode(md5(encoded.encode()).digest()).decode()


@provider("sf")
@dataclass(frozen=True, slots=True)
class Sf:
    """A customer of 顺丰 丰桥 (EXP_RECE_SEARCH_ROUTES)."""

    partner_id: str
    """顾客编码."""
    check_word: Secret
    """校验码 of the same environment (production or sandbox)."""
    own_waybills: bool = False
    """Every number asked is of the account's own 月结 or orders: seen without a phone's last digits."""
    base_url: str = "https://bspgw.sf-express.com/std/service"
    """The whole address: https://sfapi-hk.sf-express.com/std/service for Hong Kong."""
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "sf"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 10
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """Documented are only the sandbox's 30 calls a second and 3,000 a day; the rest is a cautious default."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "正式环境每秒、每天的上限没有写明（测试期每秒 30、每天 3000 次），按每秒 10 次算",
        "同一单号隔多久、一天几次没有写明，按 30 分钟、48 次算",
        "空路由分不清还没有、后四位不对、不是自己的单",
        "一次问几个单号时，几个后四位怎样对应单号没有写明，按逗号并列发送",
        "firstStatusCode 11（待取件）可能是等收件员来取，按文字判断",
        "126、130、123、658、870 和海关类编码各表说法不一，以官方表和备注为准",
        "reasonCode 的含义来自别人的记录，查询里不一定有",
        "顺丰快运的单是否查得到没有写明",
        "648（已退回/转寄）按退回算，备注明说转寄的除外",
        "推送失败后重推多久没有写明",
        "接口收不收费没有写明，按不收费算，不计花费",
    )

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call for up to ten waybills. Raises a `RemoteError` when there is no answer at all."""
        answers: list[Answer | Rejected] = []
        for start in range(0, len(questions), self.batch):
            answers += yield from self._together(questions[start : start + self.batch], now)
        return answers

    def serves(self, carrier: str) -> bool:
        """顺丰's own interface sees 顺丰's parcels only."""
        return carrier in _OWN_CARRIERS

    def needs_phone(self, carrier: str) -> bool:
        """Others' waybills are seen only with the last digits of a phone."""
        return not self.own_waybills

    @property
    def signed(self) -> bool:
        """顺丰 signs no push: the address has to hold a key."""
        return False

    def admit(self, push: Push, now: datetime) -> Receipt:
        """What to answer it; there is no signature to look at."""
        return admitted(push)

    def receive(self, push: Push, now: datetime) -> Delivery:
        """Read a push. Raises `Unreadable`."""
        return read_push(push)

    def _together(self, asked: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call; a fault of some number among several is found by asking about each alone."""
        said = yield from self._call(asked, now)
        code = word(said, "errorCode")
        with starring(self._secrets(asked)):
            if code not in _OF_A_NUMBER and (code != _TOO_MANY or len(asked) == 1):
                return [self._told(question, rows) for question, rows in _routes(said, asked)]
            if len(asked) == 1:
                return [self._nothing(asked[0], f"{code}：{safe_text(str(said.get('errorMsg') or ''), 80)}")]
        alone: list[Answer | Rejected] = []
        for question in asked:
            alone += yield from self._together([question], now)
        return alone

    def _call(self, asked: Sequence[Question], now: datetime) -> Generator[Request, Reply, Mapping[str, Any]]:
        """What is inside the envelope. A request number they have seen is replaced once."""
        reply = yield self._request(asked, now, 0)
        with starring(self._secrets(asked)):
            repeated = word(opened(reply, "顺丰"), "apiResultCode") == _REPEATED
        if repeated:
            reply = yield self._request(asked, now, 1)
        with starring(self._secrets(asked)):
            return _inside(opened(reply, "顺丰"))

    def _request(self, asked: Sequence[Question], now: datetime, nth: int) -> Request:
        tails = dict.fromkeys(each.phone_tail.reveal() for each in asked if each.phone_tail)
        given: dict[str, object] = {
            "language": "0",
            "trackingType": "1",
            "trackingNumber": list(dict.fromkeys(each.waybill.waybill_no for each in asked)),
            "methodType": "1",
        }
        if tails:
            given["checkPhoneNo"] = ",".join(tails)
        data = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
        timestamp = str(int(now.timestamp()))
        fields = {
            "partnerID": self.partner_id,
            "requestID": str(uuid5(NAMESPACE_URL, f"{self.partner_id} {now.isoformat()} {nth} {data}")),
            "serviceCode": "EXP_RECE_SEARCH_ROUTES",
            "timestamp": timestamp,
            "msgDigest": signature(data, timestamp, self.check_word.reveal()),
            "msgData": data,
        }
        return Request.form(self.base_url, fields, self._secrets(asked))

    def _secrets(self, asked: Iterable[Question]) -> tuple[Secret, ...]:
        return (self.check_word, *dict.fromkeys(each.phone_tail for each in asked if each.phone_tail))

    def _told(self, question: Question, rows: Sequence[Mapping[str, Any]]) -> Answer | Rejected:
        if not rows:
            return self._nothing(question, "没有路由")
        return read_routes(rows, question.waybill)

    def _nothing(self, question: Question, said: str) -> Answer | Rejected:
        """Nothing known, if the question could have shown it: a hidden parcel's silence proves nothing."""
        if question.waybill.carrier not in _OWN_CARRIERS:
            return Rejected(
                f"顺丰的接口只看得见顺丰的单，查不了 {display(question.waybill.carrier)}（{said}）"
            )
        if not question.phone_tail and not self.own_waybills:
            return Rejected(f"顺丰没有给路由，也没有给它收/寄件人手机号后四位，看不见不等于没有（{said}）")
        return Answer(
            question.waybill.carrier,
            question.waybill.waybill_no,
            remark=f"顺丰：{said}。还没有、手机号后四位不对，或不是本账号的运单",
        )


def _inside(envelope: Mapping[str, Any]) -> Mapping[str, Any]:
    """The service's own answer. Raises a `RemoteError` for what the gateway says."""
    code = word(envelope, "apiResultCode")
    if code != "A1000":
        raise _refusal(code, safe_text(str(envelope.get("apiErrorMsg") or ""), 120))
    inner = envelope.get("apiResultData")
    if isinstance(inner, str):
        inner = Reply(200, inner.encode("utf-8", "replace")).json()
    if not isinstance(inner, dict):
        raise Unreadable("顺丰的 apiResultData 不是 JSON 对象")
    return inner


def _refusal(code: str, said: str) -> RemoteError:
    """A gateway's code that is no answer, as who has to act."""
    match code:
        case "A1001" | "A1008":
            return Denied(f"顺丰不接受我们的请求，请核对账号的配置（{code}：{said}）")
        case "A1003":
            return Denied(f"顺丰不认这台机器的 IP，请在丰桥加进白名单（{code}：{said}）")
        case "A1004":
            return Denied(f"顺丰的账号没有路由查询的权限，请在丰桥关联这个接口（{code}：{said}）")
        case "A1006":
            return Denied(f"顺丰验证签名失败，请检查 partner_id 与 check_word（{code}：{said}）")
        case "A1002":
            return Unavailable(f"顺丰说请求过期；一直这样请核对本机时钟（{code}：{said}）")
        case "A1005":
            wait, longer = timedelta(minutes=1), timedelta(hours=1)
            return Throttled(f"顺丰说请求太多（{code}：{said}）", wait, again=longer)
        case "A1007" | "A1009" | "A1010" | "A1099":
            return Unavailable(f"顺丰暂时不可用（{code}：{said}）")
        case _:
            return Unreadable(f"顺丰的 apiResultCode {clean(code, 20)!r} 不在文档中：{said}")


def _routes(
    said: Mapping[str, Any], asked: Sequence[Question]
) -> list[tuple[Question, list[Mapping[str, Any]]]]:
    """Each question with its rows; a number that is not there has none.

    Raises `Unreadable` for anything but success, and where another number stands in the place of ours.
    """
    if said.get("success") is not True or word(said, "errorCode") not in ("S0000", ""):
        why = safe_text(str(said.get("errorMsg") or ""), 120)
        raise Unreadable(f"顺丰的 errorCode {clean(word(said, 'errorCode'), 20)!r} 不在文档中：{why}")
    data = said.get("msgData")
    told = data.get("routeResps") if isinstance(data, dict) else None
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        raise Unreadable("顺丰的 routeResps 不是列表")
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in told:
        rows = each.get("routes")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Unreadable("顺丰的 routes 不是列表")
        found.setdefault(_bare(str(each.get("mailNo") or "")), []).extend(rows)
    numbers = {_bare(question.waybill.waybill_no) for question in asked}
    if numbers - found.keys() and found.keys() - numbers:
        raise Unreadable(f"顺丰回答的是另一个单号 {clean(min(found.keys() - numbers), 40)!r}")
    return [(question, found.get(_bare(question.waybill.waybill_no), [])) for question in asked]


def _bare(number: str) -> str:
    return number.strip().upper()
