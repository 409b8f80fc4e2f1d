"""快递鸟: many carriers under one contract, the basic query (1002) and the advanced one (8001).

Asks: one waybill in one call, a form whose `DataSign` is Base64 over the hex text of an MD5.
Says: HTTP 200 whatever happens; `Success` says nothing, only the list of traces does, and `Reason` where there
is none. Beijing wall clock without offset, old accounts with slashes, oldest first but for some.
Odd:  `State` 4 sticks until the signature, so rows are read by their own `Action`; 401, 402, 403, 412 and 417
are 快递鸟's own clocks. 没有可用套餐 is said before a wrong key is, and the two queries are two plans.
Unsure: see `uncertain`.
From: `facts/carriers-kdniao.md`, `facts/carriers-states.csv`, `facts/carriers-codes.csv`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any, ClassVar, Final

from carriers.base import Billing, Ceilings, Guess, Question, provider
from carriers.names import display
from carriers.recognise import ranked
from carriers.replies import opened, starring
from carriers.scans import (
    BY_WORDS,
    NOBODY_KNOWS,
    OWN_CLOCK,
    Meaning,
    Unknown,
    beijing,
    by_code,
    city,
    in_order,
    scan,
    text_of,
    word,
)
from domain.masking import clean, safe_text
from domain.orders import Waybill
from domain.reading import read
from domain.remote import Conversation, Denied, Rejected, RemoteError, Reply, Request, Secret, Unreadable
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Kdniao", "signature"]

_SHIPPERS: Final[Mapping[str, str]] = {
    "shunfeng": "SF", "zhongtong": "ZTO", "yuantong": "YTO", "shentong": "STO", "yunda": "YD",
    "jtexpress": "JTSD", "jd": "JD", "jingdongkuaiyun": "JDKY", "ems": "EMS", "youzhengguonei": "YZPY",
    "debangkuaidi": "DBL", "debangwuliu": "DBLKY", "huitongkuaidi": "HTKY", "baishiwuliu": "BTWL",
    "zhaijisong": "ZJS", "kuayue": "KYSY", "youshuwuliu": "UC", "annengwuliu": "ANEKY", "fengwang": "FWX",
}  # fmt: skip
"""Our key to 快递鸟's `ShipperCode`: the rows of `facts/carriers-codes.csv` that have one."""

_OURS: Final = {code: key for key, code in _SHIPPERS.items()}
_PHONE_CHECKED: Final = frozenset({"shunfeng", "kuayue", "zhongtong"})
_PLANS: Final[Mapping[str, str]] = {"8001": "1002", "1002": "8001"}
_NO_PLAN: Final = "没有可用套餐"
_NOTHING_YET: Final = "暂无轨迹"

_CODES: Final = by_code(
    ("0", BY_WORDS),
    ("10", Meaning(Milestone.LABEL_CREATED)),
    ("1", Meaning(Milestone.PICKED_UP)),
    # Stands on storage rows too: generic like 快递100's 0, so the words come first.
    ("2", Meaning(otherwise=Milestone.IN_TRANSIT)),
    ("204 206", Meaning(Milestone.IN_TRANSIT)),
    ("201", Meaning(Milestone.ARRIVED_DEST_CITY)),
    ("205", Meaning(Milestone.AT_DELIVERY_STATION)),
    ("202 418 419", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("211", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("3 301 302", Meaning(Milestone.DELIVERED)),
    ("304", Meaning(Milestone.DELIVERED, kind=DeliveredKind.AGENT)),
    ("311", Meaning(Milestone.DELIVERED, kind=DeliveredKind.STATION)),
    ("401 402 403 412 417", OWN_CLOCK),
    ("404", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED)),
    ("405", Meaning(Milestone.DELIVERY_FAILED)),
    ("406", Meaning(Milestone.RETURNED)),
    ("407", Meaning(Milestone.RETURNING)),
    ("415", Meaning(Milestone.CANCELLED)),
    ("4 422", Meaning(exception=ExceptionKind.HELD)),
    ("413", Meaning(exception=ExceptionKind.INTERCEPTED)),
    ("414", Meaning(exception=ExceptionKind.DAMAGED)),
    ("416 421", Meaning(exception=ExceptionKind.CONTACT_FAILURE)),
    ("420", Meaning(exception=ExceptionKind.ADDRESS_ERROR)),
    ("423", Meaning(exception=ExceptionKind.OUT_OF_AREA)),
    ("5", Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)),
    ("6 601 602", Meaning(Milestone.IMPORT_CUSTOMS)),
    ("603", Meaning(Milestone.CUSTOMS_CLEARED)),
    ("604", Meaning(Milestone.IMPORT_CUSTOMS, ExceptionKind.CUSTOMS_EXCEPTION)),
)
"""`Action` of a row (8001), `StateEx` and `State` of the parcel: one table."""

_SAYS_NOTHING_OF_A_ROW: Final = frozenset({"", "0", "4", "401", "402", "403", "412", "417"})
"""As the parcel's state: nothing, sticky, or a clock of theirs."""


def signature(data: str, app_key: str) -> str:
    """`DataSign`: Base64 of the 32 lower-case hex characters of MD5(data + key), not of its 16 bytes."""
    return b64encode(md5(f"{data}{app_key}".encode()).hexdigest().encode()).decode()


@provider("kdniao")
@dataclass(frozen=True, slots=True)
class Kdniao:
    """An account at 快递鸟 (即时查询)."""

    business_id: str
    """EBusinessID, the 用户 ID of their console."""
    app_key: Secret
    request_type: str = "8001"
    """The plan that is asked: 8001 advanced (states per row), 1002 basic (words only)."""
    try_other_plan: bool = True
    """Ask the other plan once where this one is missing or used up."""
    base_url: str = "https://api.kdniao.com/Ebusiness/EbusinessOrderHandle.aspx"
    """The whole address; newer texts name https://api.kdniao.com/api/dist."""
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "kdniao"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 1
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """The pace is the older, lower of two documented ones (8001: 20). The rest is a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.NUMBER
    uncertain: ClassVar[tuple[str, ...]] = (
        "同一单号隔多久、一天几次没有写明，按 30 分钟、48 次算",
        "免费套餐含 8001 还是 1002，各处说法不一：用 request_type 选",
        "一天约 500 次以上官方要求改用订阅，超过会怎样没有写明",
        "查询地址有新旧两个（EbusinessOrderHandle.aspx、api/dist），默认用旧的",
        "服务商比快递公司晚多久没有写明，refresh_lag 按 0 算",
        "优速（UC）、丰网（FWX）的公司编码没有核对过",
    )

    def __post_init__(self) -> None:
        if self.request_type not in _PLANS:
            raise ValueError(f"request_type 只能是 8001（高级）或 1002（基础），现在是 {self.request_type}")

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer]]:
        """One call per question, two where the plan asked first is none. Raises a `RemoteError`."""
        answers: list[Answer] = []
        for question in questions:
            reply = yield self._request(question, self.request_type)
            if self.try_other_plan and _no_plan(reply):
                reply = yield self._request(question, _PLANS[self.request_type])
            with starring((self.app_key, question.phone_tail)):
                answers.append(_understood(reply, question.waybill))
        return answers

    def needs_phone(self, carrier: str) -> bool:
        """顺丰, 跨越 and 中通 answer only with the last digits of a phone."""
        return carrier in _PHONE_CHECKED

    @property
    def recognises(self) -> bool:
        """It costs nothing that is documented, and goes the way of the queries."""
        return True

    def recognise(self, waybill_no: str, now: datetime) -> Conversation[tuple[Guess, ...]]:
        """Who may have issued a number (2002), best first."""
        data = json.dumps({"LogisticCode": waybill_no}, ensure_ascii=False, separators=(",", ":"))
        reply = yield self._form(data, "2002", ())
        with starring((self.app_key,)):
            return _recognised(opened(reply, "快递鸟"))

    def _request(self, question: Question, request_type: str) -> Request:
        waybill = question.waybill
        shipper = _SHIPPERS.get(waybill.carrier)
        if shipper is None:
            raise Rejected(f"快递鸟的公司编码里没有 {display(waybill.carrier)}：请换一个数据源查它")
        asked: dict[str, str | int] = {
            "OrderCode": "",
            "ShipperCode": shipper,
            "LogisticCode": waybill.waybill_no,
        }
        if question.phone_tail:
            asked["CustomerName"] = question.phone_tail.reveal()
        data = json.dumps({**asked, "Sort": 0}, ensure_ascii=False, separators=(",", ":"))
        return self._form(data, request_type, (question.phone_tail,) if question.phone_tail else ())

    def _form(self, data: str, request_type: str, others: tuple[Secret, ...]) -> Request:
        """The call around some `RequestData`."""
        fields = {
            "RequestData": data,
            "EBusinessID": self.business_id,
            "RequestType": request_type,
            "DataSign": signature(data, self.app_key.reveal()),
            "DataType": "2",
        }
        return Request.form(self.base_url, fields, (self.app_key, *others))


def _no_plan(reply: Reply) -> bool:
    """This plan is not there or used up; whatever else it says is read later, with its own error."""
    try:
        said = opened(reply, "快递鸟")
    except RemoteError:
        return False
    return not said.get("Traces") and _NO_PLAN in str(said.get("Reason"))


def _understood(reply: Reply, waybill: Waybill) -> Answer:
    """A list that holds something is the answer whatever the flags say; without one `Reason` decides."""
    body = opened(reply, "快递鸟")
    rows, reason = body.get("Traces"), body.get("Reason")
    if not isinstance(reason, str | None):
        raise Unreadable("快递鸟的 Reason 不是文字")
    said = safe_text(reason or "", 120)
    if not rows and said and _NOTHING_YET not in said:
        raise _refusal(said)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable("快递鸟的 Traces 不是轨迹列表")
    number = str(body.get("LogisticCode") or "")
    if number and number.strip().upper() != waybill.waybill_no.strip().upper():
        raise Unreadable(f"快递鸟回答的是另一个单号 {clean(number, 40)!r}")
    if not rows:
        return Answer(waybill.carrier, waybill.waybill_no, remark=said or "暂无轨迹信息")
    return _track(rows, word(body, "StateEx") or word(body, "State"), waybill)


def _recognised(body: Mapping[str, Any]) -> tuple[Guess, ...]:
    """The shippers of a number; an empty list says that none fits, whatever else is said."""
    shippers = body.get("Shippers")
    if isinstance(shippers, list) and all(isinstance(each, dict) for each in shippers):
        return ranked([_OURS.get(word(each, "ShipperCode"), "") for each in shippers], "kdniao")
    said = safe_text(str(body.get("Reason") or ""), 120)
    if shippers is None and said:
        raise _refusal(said)
    raise Unreadable("快递鸟单号识别的回答不在文档中")


def _refusal(said: str) -> RemoteError:
    """The only error information is a text: its short stable parts, as who has to act."""
    if "非法参数" in said:
        return Denied(f"快递鸟不认账号，请检查 business_id 与 app_key（{said}）")
    if _NO_PLAN in said:
        return Denied(f"快递鸟没有可用的套餐，或今天的次数用完（{said}）")
    if "手机尾号" in said:
        return Rejected(f"需要收/寄件人手机号后四位（快递鸟：{said}）")
    if "无效的输入" in said:
        return Rejected(f"快递鸟不接受此单号或承运商（{said}）")
    return Unreadable(f"快递鸟的原因不在文档中：{said}")


def _track(rows: Sequence[Mapping[str, Any]], state: str, waybill: Waybill) -> Answer:
    """The rows as scans. Raises `Unreadable` where none has a time: that is no empty history."""
    unknown = Unknown()
    timed = [(moment, row) for row in rows if (moment := _moment(row, unknown)) is not None]
    if not timed:
        raise Unreadable("快递鸟的轨迹没有一行时间可读")
    timed.sort(key=lambda pair: pair[0])
    coded = any(word(row, "Action") for row in rows)
    last = "" if coded or state in _SAYS_NOTHING_OF_A_ROW else state
    events = [
        _event(moment, row, last if nth == len(timed) else "", unknown)
        for nth, (moment, row) in enumerate(timed, 1)
    ]
    return Answer(
        carrier=waybill.carrier,
        waybill_no=waybill.waybill_no,
        events=in_order(events),
        whole=len(timed) == len(rows),
        unknown_codes=tuple(unknown.seen),
    )


def _moment(row: Mapping[str, Any], unknown: Unknown) -> datetime | None:
    moment = beijing(row.get("AcceptTime"))
    if moment is None:
        unknown.note("AcceptTime", row.get("AcceptTime"))
    return moment


def _event(moment: datetime, row: Mapping[str, Any], state: str, unknown: Unknown) -> TrackingEvent:
    """One row. `state` is the parcel's own code where the rows have none: it counts if the words are silent."""
    said = row.get("AcceptStation")
    if not isinstance(said, str | None):
        raise Unreadable("快递鸟的 AcceptStation 不是文字")
    code, text = word(row, "Action"), text_of(said)
    asked = code or (state if read(text).silent else "")
    if asked and asked not in _CODES:
        unknown.note("Action" if code else "State", asked)
    means = _CODES.get(asked, NOBODY_KNOWS) if asked else BY_WORDS
    area = city(word(row, "Location"))
    return scan(moment, text, means, unknown, said_in="AcceptStation", code=code, area=area)
