"""申通: the track query of its open platform (STO_TRACE_QUERY_COMMON).

Asks: several waybills in one call, a form whose `content` is signed.
Says: booleans as text or as such; `data` holds a list for every number, empty where nothing is known. Beijing wall
clock, in the order asked for. Errors as JSON, with `needRetry`, or as XML.
Odd:  问题件 has its reason in `issueName`. 快件取出 is the courier who takes it out of a locker, 驿站出库 the
receiver. International rows have codes of their own.
Unsure: see `uncertain`. Not here: the push, whose answer nobody has described.
From: `facts/carriers-cn-express.md` (申通), `facts/carriers-states.csv`.
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
from carriers.batches import bare, in_batches, in_place
from carriers.replies import opened, refused, starring, truth
from carriers.scans import (
    Meaning,
    Row,
    Unknown,
    area_of,
    by_code,
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
from domain.remote import Conversation, Rejected, RemoteError, Request, Secret, Unavailable, Unreadable
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Sto", "signature"]

_CARRIER: Final = "shentong"
_SERVICE: Final = "sto_trace_query"

_CODES: Final = by_code(
    ("收件 PU_PICKUP_SUCCESS", Meaning(Milestone.PICKED_UP)),
    ("发件 到件 装袋 改地址件", Meaning(Milestone.IN_TRANSIT)),
    ("派件 第三方代派 快件取出", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("柜机代收 驿站代收", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("签收 客户签收 驿站出库", Meaning(Milestone.DELIVERED)),
    ("问题件", Meaning(exception=ExceptionKind.HELD)),
    ("退回件", Meaning(Milestone.RETURNING)),
    ("转邮 转同行", Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)),
    ("CC_IM_START", Meaning(Milestone.IMPORT_CUSTOMS)),
    ("CC_IM_FAILURE", Meaning(Milestone.IMPORT_CUSTOMS, ExceptionKind.CUSTOMS_EXCEPTION)),
)
"""`scanType`. The three international codes are read by their names."""

_PROBLEM: Final = "问题件"


def signature(content: str, secret: str) -> str:
    """`data_digest`: Base64 of the raw bytes of MD5 over content + secretKey."""
    return b64encode(md5(f"{content}{secret}".encode()).digest()).decode()


@provider("sto")
@dataclass(frozen=True, slots=True)
class Sto:
    """An application at 申通 开放平台."""

    app_key: str
    """from_appkey."""
    secret_key: Secret
    from_code: str = ""
    """from_code, where it is not the same as the app_key."""
    base_url: str = "https://cloudinter-linkgateway.sto.cn/gateway/link.do"
    """The whole address; also https://cloudinter-linkgatewayonline.sto.cn/gateway/link.do."""
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "sto"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 10
    """Several are documented, but not how many."""
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """Nothing is documented: a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "每秒、每天、同一单号的上限没有写明，按每秒 10 次、同一单号 30 分钟一次、一天 48 次算",
        "一次最多问几个单号没有写明，按 10 个算",
        "空列表分不清还没有、单号不对、不是申通的单",
        "驿站出库算签收（收件人取走）；也有人当作还在驿站",
        "国际件的编码（PU_、CC_ 开头）只知道三个，照名字理解；其余记为未识别",
        "错误码只知道一部分：needRetry 为真就重试，说到签名、密钥、白名单的算账号的错，其余不猜",
        "轨迹推送（STO_TRACE_PLATFORM_PUSH）的内容和应答没有文档，只能查询，不能接收推送",
        "from_code 不写时用 app_key：例子里两个一样，没有说总是一样",
        "接口收不收费没有写明，按不收费算，不计花费",
    )

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call for up to ten waybills. Raises a `RemoteError` when there is no answer at all."""
        return (yield from in_batches(questions, (_CARRIER,), "申通", self.batch, self._together))

    def serves(self, carrier: str) -> bool:
        """申通's express parcels."""
        return carrier == "shentong"

    def needs_phone(self, carrier: str) -> bool:
        """No phone is checked."""
        return False

    def _together(self, asked: Sequence[Question]) -> Conversation[list[Answer | Rejected]]:
        """One call; where the service wants another (`needRetry`) the next one is due when the numbers are again.
        What it refuses without saying whose fault it is, is nobody's answer: whoever asks looks for the bad number."""
        reply = yield self._request(asked)
        with starring(self._secrets(asked)):
            body = opened(reply, "申通")
            done = truth(body.get("success"))
            if done:
                return in_place([_told(body.get("data"), each.waybill) for each in asked])
            if done is None:
                raise Unreadable("申通的回答没有 success")
            raise _refusal(body)

    def _request(self, asked: Sequence[Question]) -> Request:
        numbers = list(dict.fromkeys(each.waybill.waybill_no for each in asked))
        given = {"order": "asc", "waybillNoList": numbers}
        content = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
        fields = {
            "api_name": "STO_TRACE_QUERY_COMMON",
            "content": content,
            "data_digest": signature(content, self.secret_key.reveal()),
            "from_appkey": self.app_key,
            "from_code": self.from_code or self.app_key,
            "to_appkey": _SERVICE,
            "to_code": _SERVICE,
        }
        return Request.form(self.base_url, fields, self._secrets(asked))

    def _secrets(self, asked: Sequence[Question]) -> tuple[Secret, ...]:
        return (self.secret_key, *dict.fromkeys(each.phone_tail for each in asked if each.phone_tail))


def _refusal(body: Mapping[str, Any]) -> RemoteError:
    code, said = word(body, "errorCode"), body.get("errorMsg")
    if truth(body.get("needRetry")):
        return Unavailable(f"申通请我们重试（{clean(code, 20)}：{safe_text(str(said or ''), 120)}）")
    return refused("申通", code, said)


def _told(data: object, waybill: Waybill) -> Answer | Unreadable:
    """The list of one number; an empty one is nothing known, none at all is no answer."""
    number = waybill.waybill_no
    try:
        if not isinstance(data, dict):
            raise Unreadable("申通的 data 不是按单号分开的")
        found = {bare(str(name)): rows for name, rows in data.items()}
        if bare(number) not in found:
            raise Unreadable("申通没有回答这个单号")
        rows = rows_in(found[bare(number)], "申通的轨迹")
        if not rows:
            return Answer(_CARRIER, number, remark="申通没有轨迹：还没有、单号不对，或不是申通的单")
        return track(rows, waybill, "申通", when="opTime", event=_event, number="waybillNo")
    except Unreadable as error:
        return error


def _event(moment: datetime, row: Row, unknown: Unknown) -> TrackingEvent:
    said, issue = row.get("memo"), word(row, "issueName")
    if not isinstance(said, str | None):
        raise Unreadable("申通的 memo 不是文字")
    code = word(row, "scanType")
    means = coded(code, _CODES, "scanType", unknown)
    if code == _PROBLEM and (why := read(issue).exceptions):
        means = Meaning(exception=min(why))
    return scan(
        moment,
        text_of(said) or text_of(issue),
        means,
        unknown,
        said_in="memo",
        code=code,
        status=text_of(issue),
        area=area_of(word(row, "opOrgProvinceName"), word(row, "opOrgCityName")),
        place=word(row, "opOrgName"),
        next_stop=word(row, "nextOrgName"),
    )
