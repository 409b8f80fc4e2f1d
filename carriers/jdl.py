"""京东物流: the trace query of its open platform (ECAP), and the older one by phone (Tracking_JD).

Asks: a JSON list of waybills; the query string is signed over the very characters of the body.
Says: `code` "0" or "1000" and one list, oldest first, Beijing wall clock, each row naming its waybill. `state` is
the node, `category` the stage: two code sets, the finer one first. The gateway's faults have an envelope of their
own. 200020 is a new label: the new number stands in `operationRemark`.
Odd:  a number may end in the parcel's place in its order (-1-1-). The access token lapses and is renewed by its
owner: how is not in the facts.
Unsure: see `uncertain`.
From: `facts/carriers-cn-express.md` (京东物流), `facts/carriers-states.csv`, `facts/carriers-codes.csv` (the phone).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any, ClassVar, Final

from carriers.base import Billing, Ceilings, Question, provider
from carriers.batches import by_number, in_batches, in_place
from carriers.replies import opened, refused, starring
from carriers.scans import (
    BY_WORDS,
    NOBODY_KNOWS,
    REMARK,
    Meaning,
    Row,
    Unknown,
    by_code,
    city,
    rows_in,
    scan,
    text_of,
    track,
    word,
)
from domain.masking import safe_text
from domain.remote import Conversation, Denied, Rejected, RemoteError, Request, Secret, Unreadable
from domain.time import SHANGHAI
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Jdl", "signature"]

_CARRIERS: Final = ("jd", "jingdongkuaiyun")
_DONE: Final = frozenset({"0", "1000"})
_INTERFACES: Final[Mapping[str, tuple[str, str]]] = {
    "ecap": ("ECAP", "/ecap/v1/orders/trace/query"),
    "tracking": ("Tracking_JD", "/jd/tracking/query"),
}
"""`LOP-DN` and path."""

_OF_ACCOUNT: Final = re.compile(r"token|app_key|签名|授权|权限|(?<![a-z])sign", re.IGNORECASE)
"""What a fault of the gateway names when the account's owner has to act."""

_REFUSED: Final = Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED)
_HELD: Final = Meaning(exception=ExceptionKind.HELD)

_CATEGORIES: Final = by_code(
    ("100 390", Meaning(Milestone.LABEL_CREATED)),
    ("403 500", _HELD),
    ("420", Meaning(Milestone.PICKED_UP)),
    ("430", Meaning(Milestone.IN_TRANSIT)),
    ("440", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("480", Meaning(exception=ExceptionKind.INTERCEPTED)),
    ("510", Meaning(Milestone.DELIVERED)),
    ("530", _REFUSED),
    ("690", Meaning(Milestone.CANCELLED)),
    ("700", REMARK),
)
"""`category`, the stage."""

_STATES: Final = by_code(
    ("10010 200062 200063 200071", Meaning(Milestone.LABEL_CREATED)),
    ("200018 200034 200035 200036 200030 200037 200053", Meaning(Milestone.LABEL_CREATED)),
    ("200052 200059 200064 200067", Meaning(exception=ExceptionKind.PICKUP_FAILED)),
    ("200001", Meaning(Milestone.PICKED_UP)),
    ("10032 10054 200004 200006 200007 200012 200013 200017 200019 200076", Meaning(Milestone.IN_TRANSIT)),
    ("10033 200050 200075", Meaning(Milestone.AT_DELIVERY_STATION)),
    ("11000", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("200003 200023 200031", Meaning(Milestone.DELIVERY_FAILED)),
    ("200051 200057", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("10034 10042", Meaning(Milestone.DELIVERED)),
    ("10035 200068", _REFUSED),
    ("200069", Meaning(exception=ExceptionKind.REFUSED)),
    ("200033 200060", Meaning(Milestone.RETURNING)),
    ("200054", Meaning(Milestone.RETURNED)),
    ("200032 200070", Meaning(exception=ExceptionKind.DAMAGED)),
    ("200010", Meaning(Milestone.CANCELLED)),
    ("200040 200058 200061", Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)),
    ("200020", Meaning(Milestone.UNKNOWN, ExceptionKind.FORWARDED)),
    ("200000 200002 200039", REMARK),
)
"""`state`, the node. 10042 is delivered in part."""


def signature(fields: Mapping[str, str], secret: str) -> str:
    """Lower-case hex MD5 of the names and values in the order given, between two secrets."""
    written = "".join(f"{name}{value}" for name, value in fields.items())
    return md5(f"{secret}{written}{secret}".encode()).hexdigest()


@provider("jdl")
@dataclass(frozen=True, slots=True)
class Jdl:
    """An application at 京东物流 开放平台, authorised for one customer."""

    app_key: str
    app_secret: Secret
    access_token: Secret
    """From oauth.jdl.com; it lapses."""
    customer_code: str = ""
    """customerCode, which `ecap` needs."""
    interface: str = "ecap"
    """`ecap`: orders of the customer; `tracking`: any parcel, by a phone's last digits."""
    order_origin: str = "1"
    """orderOrigin of `ecap`."""
    upper_case_sign: bool = False
    """Their SDK signs in lower case, others' code in upper."""
    base_url: str = "https://api.jdl.com"
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "jdl"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 10
    """Several are allowed, how many is not said: a cautious default of ours."""
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """Nothing is documented: a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "每秒、每天、同一单号的上限没有写明，按每秒 10 次、同一单号 30 分钟一次、一天 48 次算",
        "一次最多问几个单号没有写明，按 10 个算",
        "签名的大小写各处说法不一：默认小写，不行就设 upper_case_sign",
        "时间戳按北京时间写；orderOrigin 的含义没有写明，默认 1",
        "interface = tracking 的回答没有单独的文档，按 ecap 的样子读",
        "access_token 怎样续期没有写明：失效时会告警，请到 oauth.jdl.com 重新授权",
        "业务错误码不全：说到签名、密钥、白名单的算账号的错，其余不猜",
        "10042（部分妥投）按签收算",
        "京东快运的单是否查得到没有写明",
        "接口收不收费没有写明，按不收费算，不计花费",
    )

    def __post_init__(self) -> None:
        if self.interface not in _INTERFACES:
            raise ValueError(f"interface 只能是 ecap 或 tracking，现在是 {self.interface}")
        if self.interface == "ecap" and not self.customer_code:
            raise ValueError("customer_code 要写：interface = ecap 只查这个客户的订单")

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call for up to ten waybills. Raises a `RemoteError` when there is no answer at all."""
        return in_batches(questions, _CARRIERS, "京东", self.batch, lambda asked: self._together(asked, now))

    def serves(self, carrier: str) -> bool:
        """Its own parcels."""
        return carrier in _CARRIERS

    def needs_phone(self, carrier: str) -> bool:
        """`tracking` shows a parcel only with the last digits of a phone."""
        return self.interface == "tracking"

    def _together(self, asked: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call. What it refuses without saying whose fault it is, is nobody's answer."""
        reply = yield self._request(asked, now)
        with starring(self._secrets(asked)):
            body = opened(reply, "京东")
            if word(body, "code") in _DONE:
                found = by_number(_lists(body.get("data"), asked), asked, "京东", _bare)
                return in_place([self._told(rows or [], question) for question, rows in found])
            raise _refusal(body)

    def _request(self, asked: Sequence[Question], now: datetime) -> Request:
        domain, path = _INTERFACES[self.interface]
        once = {each.waybill.waybill_no: each for each in reversed(asked)}
        items = [self._item(each) for each in reversed(once.values())]
        body = json.dumps(items, ensure_ascii=False, separators=(",", ":"))
        signed = {
            "access_token": self.access_token.reveal(),
            "app_key": self.app_key,
            "method": path,
            "param_json": body,
            "timestamp": f"{now.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
            "v": "2.0",
        }
        sign = signature(signed, self.app_secret.reveal())
        query = {name: signed[name] for name in ("app_key", "access_token", "timestamp", "v")}
        return Request(
            "POST",
            f"{self.base_url.rstrip('/')}{path}",
            {
                "LOP-DN": domain,
                **query,
                "sign": sign.upper() if self.upper_case_sign else sign,
                "algorithm": "md5-salt",
            },
            {"Content-Type": "application/json;charset=utf-8"},
            body.encode(),
            self._secrets(asked),
        )

    def _item(self, question: Question) -> Mapping[str, str]:
        number = question.waybill.waybill_no
        if self.interface == "ecap":
            origin, customer = self.order_origin, self.customer_code
            return {"waybillCode": number, "orderOrigin": origin, "customerCode": customer}
        tail = {"phone": question.phone_tail.reveal()} if question.phone_tail else {}
        return {"referenceNumber": number, "referenceType": "20000", **tail}

    def _secrets(self, asked: Sequence[Question]) -> tuple[Secret, ...]:
        tails = dict.fromkeys(each.phone_tail for each in asked if each.phone_tail)
        return (self.app_secret, self.access_token, *tails)

    def _told(self, rows: Sequence[Row], question: Question) -> Answer | Rejected | Unreadable:
        """One number's rows; none is nothing known, if the question could have shown it."""
        waybill = question.waybill
        if not rows and self.needs_phone(waybill.carrier) and not question.phone_tail:
            return Rejected("京东没有给轨迹，也没有给它收/寄件人手机号后四位，看不见不等于没有")
        if not rows:
            why = "还没有、手机号后四位不对，或不是京东的单"
            if self.interface == "ecap":
                why = "还没有、单号不对，或不是这个客户的订单"
            return Answer(waybill.carrier, waybill.waybill_no, remark=f"京东没有轨迹：{why}")
        try:
            return track(rows, waybill, "京东", when="operationTime", event=_event)
        except Unreadable as error:
            return error


def _bare(number: str) -> str:
    """Without the parcel's place in its order."""
    return number.strip().upper().split("-")[0]


def _refusal(body: Mapping[str, Any]) -> RemoteError:
    """The gateway's fault, or the service's, as who has to act."""
    fault = body.get("error_response")
    if isinstance(fault, dict):
        code = word(fault, "code")
        said = safe_text(f"{fault.get('zh_desc') or ''} {fault.get('en_desc') or ''}".strip(), 120)
        if _OF_ACCOUNT.search(said):
            return Denied(f"京东不认账号，请检查 app_key、app_secret 与 access_token（{code}：{said}）")
        return refused("京东", code, said)
    if not word(body, "code"):
        return Unreadable("京东的回答没有 code")
    return refused("京东", word(body, "code"), body.get("msg"))


def _lists(data: object, asked: Sequence[Question]) -> Mapping[str, list[Row]]:
    """The rows by number; one that names none belongs to the only number asked about, or to nobody."""
    if not isinstance(data, dict):
        raise Unreadable("京东的 data 不是 JSON 对象")
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows_in(data.get("traceDetails"), "京东的 traceDetails"):
        number = _bare(word(row, "waybillCode"))
        if not number and len(asked) > 1:
            raise Unreadable("京东的轨迹没有把单号分开")
        found[number or _bare(asked[0].waybill.waybill_no)].append(row)
    return found


def _event(moment: datetime, row: Row, unknown: Unknown) -> TrackingEvent:
    said, title = row.get("operationRemark"), word(row, "operationTitle")
    if not isinstance(said, str | None):
        raise Unreadable("京东的 operationRemark 不是文字")
    return scan(
        moment,
        text_of(said) or title,
        _meaning(row, unknown),
        unknown,
        said_in="operationRemark",
        code=word(row, "state") or word(row, "category"),
        status=title,
        area=city(word(row, "city")),
    )


def _meaning(row: Row, unknown: Unknown) -> Meaning:
    """What the node says, else the stage; what is in neither table is counted."""
    state, category = word(row, "state"), word(row, "category")
    for name, value, table in (("state", state, _STATES), ("category", category, _CATEGORIES)):
        if value and value not in table:
            unknown.note(name, value)
    if state in _STATES:
        return _STATES[state]
    return _CATEGORIES.get(category, NOBODY_KNOWS if state or category else BY_WORDS)
