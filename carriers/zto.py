"""中通: the track query of its open platform, and the old interface that is still in the wild.

Asks: one waybill in one call, JSON signed in a header; the old one a form (`NEW_TRACES`).
Says: `status` true and a list, oldest first, times in epoch milliseconds (old: Beijing wall clock as text).
Odd:  `scanType` has three vocabularies: Chinese words, English ones of stations and lockers (ARRIVAL is no hub),
digits after re-numbering. 第三方签收 and 7 are the station, not the receiver. A site may book "signed" hours before
its own arrival and delivery scans. Nothing is shown of somebody else's waybill without a phone's last digits, and
it is not said that this is why: such silence proves nothing (`own_waybills`).
Unsure: see `uncertain`. Not here: the push, whose body and answer nobody has described.
From: `facts/carriers-cn-express.md` (中通), `facts/carriers-states.csv`; the old interface's list of numbers in
`data` from public code.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import md5, sha256
from typing import Any, ClassVar, Final

from carriers.base import Billing, Ceilings, Question, provider
from carriers.batches import bare, in_batches
from carriers.replies import opened, refused, starring, truth
from carriers.scans import (
    BY_WORDS,
    Meaning,
    Row,
    Unknown,
    area_of,
    beijing,
    by_code,
    coded,
    millis,
    rows_in,
    scan,
    text_of,
    track,
    word,
)
from domain.orders import Waybill
from domain.reading import delivered_kind, read
from domain.remote import Conversation, Rejected, Reply, Request, Secret, Unreadable
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Zto", "signature"]

_CARRIER: Final = "zhongtong"
_ADDRESS: Final = "https://japi.zto.com"
_DIGESTS: Final = {"md5": md5, "sha256": sha256}
_INTERFACES: Final = ("new", "old")

_CODES: Final = by_code(
    ("收件 1", Meaning(Milestone.PICKED_UP)),
    ("发件 2 安检", Meaning(Milestone.IN_TRANSIT)),
    ("到件 3", Meaning(Milestone.IN_TRANSIT)),
    ("派件 4 DELIVERY", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("签收 5 SIGNED", Meaning(Milestone.DELIVERED)),
    ("第三方签收 7 ARRIVAL 44", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("退件 8", Meaning(Milestone.RETURNING)),
    ("退件签收", Meaning(Milestone.RETURNED)),
    ("问题件", Meaning(exception=ExceptionKind.HELD)),
    # Taken out by the staff: what the words call "taken out" is no signature.
    ("DEPARTURE", Meaning(Milestone.UNKNOWN, ExceptionKind.HELD)),
    ("转单 9", Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)),
    ("事件 45", BY_WORDS),
)
"""`scanType` in its three vocabularies."""

_ARRIVED: Final = frozenset({"到件", "3"})
_SENT_ON: Final = frozenset({"发件", "2"})
"""`preOrNextSite` is the next one here, elsewhere the one before."""


def signature(body: str, secret: str, digest: str = "md5") -> str:
    """`x-dataDigest`: Base64 of the raw bytes of MD5 (or SHA256, as their console is set) of body + secret."""
    return b64encode(_DIGESTS[digest](f"{body}{secret}".encode()).digest()).decode()


@provider("zto")
@dataclass(frozen=True, slots=True)
class Zto:
    """An application at 中通 开放平台."""

    app_key: str
    """AppKey; company_id of the old interface."""
    app_secret: Secret
    own_waybills: bool = False
    """Every number asked is of the account's own e-waybills: seen without a phone's last digits."""
    digest: str = "md5"
    """How the console of the application is set to sign: md5 or sha256."""
    interface: str = "new"
    """`old`: NEW_TRACES; its whole address then stands in `base_url`."""
    base_url: str = _ADDRESS
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "zto"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 1
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """Nothing is documented: a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "每秒、每天、同一单号的上限没有写明，按每秒 10 次、同一单号 30 分钟一次、一天 48 次算",
        "空结果分不清还没有、后四位不对、不是自己的单",
        "错误码只知道一部分：说到签名、密钥、白名单的算账号的错，其余不猜",
        "老接口（interface = old）的地址、签名和单号写法没有文档，照别人的代码，先用 parcelwatch try 试一次",
        "轨迹推送的内容和应答没有文档，只能查询，不能接收推送",
        "digest = sha256 的写法没有例子：照 MD5，对原始字节做 Base64",
        "接口收不收费没有写明，按不收费算，不计花费",
    )

    def __post_init__(self) -> None:
        if self.digest not in _DIGESTS:
            raise ValueError(f"digest 只能是 md5 或 sha256，现在是 {self.digest}")
        if self.interface not in _INTERFACES:
            raise ValueError(f"interface 只能是 new 或 old，现在是 {self.interface}")
        if self.interface == "old" and self.base_url == _ADDRESS:
            raise ValueError("interface = old 时，请把老接口的整个地址写在 base_url 里")

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call per question. Raises a `RemoteError` when there is no answer."""
        return (yield from in_batches(questions, (_CARRIER,), "中通", self.batch, self._one))

    def serves(self, carrier: str) -> bool:
        """中通's express parcels."""
        return carrier == "zhongtong"

    def needs_phone(self, carrier: str) -> bool:
        """Others' waybills are seen only with the last digits of a phone."""
        return not self.own_waybills

    def _one(self, asked: Sequence[Question]) -> Conversation[list[Answer | Rejected]]:
        [question] = asked
        reply = yield self._request(question)
        with starring((self.app_secret, question.phone_tail)):
            return [self._told(question, reply)]

    def _request(self, question: Question) -> Request:
        secrets = (self.app_secret, *([question.phone_tail] if question.phone_tail else []))
        secret, number = self.app_secret.reveal(), question.waybill.waybill_no
        if self.interface == "old":
            data = _text([number])
            fields = {"company_id": self.app_key, "msg_type": "NEW_TRACES", "data": data}
            fields["data_digest"] = signature(data, secret, self.digest)
            return Request.form(self.base_url, fields, secrets)
        asked = {"billCode": number}
        if question.phone_tail:
            asked["mobilePhone"] = question.phone_tail.reveal()
        url = f"{self.base_url.rstrip('/')}/zto.merchant.waybill.track.query"
        signed = {"x-appKey": self.app_key, "x-dataDigest": signature(_text(asked), secret, self.digest)}
        return Request.json(url, asked, headers=signed, secrets=secrets, repeatable=True)

    def _told(self, question: Question, reply: Reply) -> Answer | Rejected:
        """The track, or nothing known, if the question could have shown it."""
        rows = _rows(opened(reply, "中通"), question.waybill)
        if rows:
            who, number = "中通", "billCode"
            return track(
                rows, question.waybill, who, when="scanDate", event=_event, moment=_moment, number=number
            )
        if not question.phone_tail and not self.own_waybills:
            return Rejected("中通没有给轨迹，也没有给它收/寄件人手机号后四位，看不见不等于没有")
        said = "中通没有轨迹：还没有、手机号后四位不对，或不是本账号的运单"
        return Answer(_CARRIER, question.waybill.waybill_no, remark=said)


def _text(value: object) -> str:
    """As it is sent and signed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _rows(body: Mapping[str, Any], waybill: Waybill) -> list[Row]:
    """The lines of a successful answer in either interface's shape. Raises a `RemoteError` for a refusal."""
    done = truth(body.get("status"))
    if done is False:
        raise refused("中通", word(body, "statusCode"), body.get("message") or body.get("msg"))
    if done is None:
        raise Unreadable("中通的回答没有 status")
    if "result" in body:
        return rows_in(body["result"], "中通的 result")
    told = rows_in(body.get("data"), "中通的 data")
    ours = [each for each in told if bare(word(each, "billCode")) == bare(waybill.waybill_no)]
    if told and not ours:
        raise Unreadable("中通回答的是另一个单号")
    return [row for each in ours for row in rows_in(each.get("traces"), "中通的 traces")]


def _moment(written: object) -> datetime | None:
    """Milliseconds, or the old interface's wall clock: told apart by the type, never by the size."""
    return millis(written) or beijing(written)


def _event(moment: datetime, row: Row, unknown: Unknown) -> TrackingEvent:
    said = row.get("desc")
    if not isinstance(said, str | None):
        raise Unreadable("中通的 desc 不是文字")
    code, text = word(row, "scanType"), text_of(said)
    site, other = _site(row, "scanSite"), _site(row, "preOrNextSite")
    return scan(
        moment,
        text,
        _meaning(row, code, text, unknown),
        unknown,
        said_in="desc",
        code=code,
        area=area_of(word(site, "prov"), word(site, "city")),
        place=word(site, "name"),
        next_stop=word(other, "name") if code in _SENT_ON else "",
    )


def _site(row: Row, name: str) -> Row:
    site = row.get(name)
    return site if isinstance(site, dict) else {}


def _meaning(row: Row, code: str, text: str, unknown: Unknown) -> Meaning:
    """What `scanType` says; the words tell the delivery site from a hub, `signMan` who or what signed."""
    means = coded(code, _CODES, "scanType", unknown)
    if code in _ARRIVED and read(text).milestone is Milestone.AT_DELIVERY_STATION:
        return Meaning(Milestone.AT_DELIVERY_STATION)
    if means.milestone is Milestone.DELIVERED:
        return replace(means, kind=delivered_kind(word(row, "signMan")))
    return means
