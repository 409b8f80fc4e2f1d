"""快递鸟: many carriers under one contract, the basic query (1002) and the advanced one (8001).

Asks: one waybill in one call, a form whose `DataSign` is Base64 over the hex text of an MD5.
Says: HTTP 200 whatever happens; `Success` says nothing, only the list of traces does, and `Reason` where there
is none. Beijing wall clock without offset, old accounts with slashes, oldest first but for some.
Odd:  没有可用套餐 is said before a wrong key is, and the two queries are two plans.
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
from carriers.kdniao_push import admitted, read_push, subscribed, subscription
from carriers.kdniao_track import named, read_track
from carriers.names import display
from carriers.push import Delivery, Push, Receipt, Subscribed, Terms
from carriers.recognise import ranked
from carriers.replies import opened, starring
from carriers.scans import word
from domain.masking import safe_text
from domain.orders import Waybill
from domain.remote import Conversation, Denied, Rejected, RemoteError, Reply, Request, Secret, Unreadable
from domain.tracking import Answer

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
_SUBSCRIPTIONS: Final[Mapping[str, str]] = {"8001": "8008", "1002": "1008"}
_NO_PLAN: Final = "没有可用套餐"
_NOTHING_YET: Final = "暂无轨迹"


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
    dist_url: str = "https://api.kdniao.com/api/dist"
    """Where pushes are subscribed."""
    unsigned_pushes: bool = False
    """The account is from before 4.0.1: its pushes have no DataSign, so the address has to hold a key."""

    kind: ClassVar[str] = "kdniao"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 1
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """The pace is the older, lower of two documented ones (8001: 20). The rest is a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.NUMBER
    billed_for: ClassVar[timedelta] = timedelta(days=40)
    terms: ClassVar[Terms] = Terms(per_number_monthly=4, again_after=timedelta(minutes=30))
    """Not documented: as 快递100's."""
    uncertain: ClassVar[tuple[str, ...]] = (
        "同一单号隔多久、一天几次没有写明，按 30 分钟、48 次算",
        "免费套餐含 8001 还是 1002，各处说法不一：用 request_type 选",
        "一天约 500 次以上官方要求改用订阅，超过会怎样没有写明",
        "查询地址有新旧两个（EbusinessOrderHandle.aspx、api/dist），默认用旧的",
        "服务商比快递公司晚多久没有写明，refresh_lag 按 0 算",
        "优速（UC）、丰网（FWX）的公司编码没有核对过",
        "推送的 DataSign 按查询的规则验证，文档没有单独写",
        "推送失败后隔多久、重推几次没有写明",
        "同一单号一个月能订阅几次没有写明，按 4 次、至少隔 30 分钟算",
        "每秒几次新旧文档不一（8001 是 20 次，旧的 10 次），按 10 次算",
        "40 天只计一次费写的是 8001，1002 怎样计费没有写明，按一样算",
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

    def serves(self, carrier: str) -> bool:
        """快递鸟 has a code for it that we know."""
        return carrier in _SHIPPERS

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

    @property
    def signed(self) -> bool:
        """Unless the account is an old one."""
        return not self.unsigned_pushes

    def admit(self, push: Push, now: datetime) -> Receipt:
        """Look at the signature. Raises `Forged`."""
        return self._admitted(push, now)[1]

    def receive(self, push: Push, now: datetime) -> Delivery:
        """Read a push. Raises `Forged`, then `Unreadable`."""
        return read_push(*self._admitted(push, now), _OURS)

    def _admitted(self, push: Push, now: datetime) -> tuple[str, Receipt]:
        key = self.app_key.reveal()
        return admitted(
            push,
            lambda data: signature(data, key),
            self.business_id,
            now,
            unsigned=self.unsigned_pushes,
        )

    def subscribe(
        self, questions: Sequence[Question], callback: str, now: datetime
    ) -> Conversation[list[Subscribed | Rejected]]:
        """One call per question; where to push is registered in their console. Raises a `RemoteError`."""
        outcomes: list[Subscribed | Rejected] = []
        for question in questions:
            data = subscription(question, _shipper(question.waybill))
            tail = (question.phone_tail,) if question.phone_tail else ()
            reply = yield self._form(data, _SUBSCRIPTIONS[self.request_type], tail, self.dist_url)
            with starring((self.app_key, question.phone_tail)):
                outcomes.append(subscribed(reply, question.waybill, _refusal))
        return outcomes

    def _request(self, question: Question, request_type: str) -> Request:
        waybill = question.waybill
        shipper = _shipper(waybill)
        asked: dict[str, str | int] = {
            "OrderCode": "",
            "ShipperCode": shipper,
            "LogisticCode": waybill.waybill_no,
        }
        if question.phone_tail:
            asked["CustomerName"] = question.phone_tail.reveal()
        data = json.dumps({**asked, "Sort": 0}, ensure_ascii=False, separators=(",", ":"))
        return self._form(data, request_type, (question.phone_tail,) if question.phone_tail else ())

    def _form(self, data: str, request_type: str, others: tuple[Secret, ...], url: str = "") -> Request:
        """The call around some `RequestData`."""
        fields = {
            "RequestData": data,
            "EBusinessID": self.business_id,
            "RequestType": request_type,
            "DataSign": signature(data, self.app_key.reveal()),
            "DataType": "2",
        }
        return Request.form(url or self.base_url, fields, (self.app_key, *others))


def _shipper(waybill: Waybill) -> str:
    """快递鸟's code of the carrier. Raises `Rejected` where it has none."""
    shipper = _SHIPPERS.get(waybill.carrier)
    if shipper is None:
        raise Rejected(f"快递鸟的公司编码里没有 {display(waybill.carrier)}：请换一个数据源查它")
    return shipper


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
    if rows == []:
        named(body, waybill)
        return Answer(waybill.carrier, waybill.waybill_no, remark=said or "暂无轨迹信息")
    return read_track(body, waybill)


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
