"""韵达: the track query of its open platform, which shows only numbers that were subscribed before.

Asks: one waybill in one call, JSON signed in a header. Where nothing is told, the number is subscribed, which
does no harm when it was already, and asked about once more.
Says: two `result`s, of the call and of the number; `steps` oldest first, Beijing wall clock, and a `status` of the
whole parcel, which counts only where the steps have no `action`.
Odd:  "not subscribed" and "no scan yet" look alike. So a number that is subscribed only now and shows nothing
proves nothing: no moment at which 韵达 read it stands in the answer (`read_at`); the next look counts.
OUTBOUND is the courier taking it back out of a station, not the receiver.
Unsure: see `uncertain`. Not here: the push, whose answer nobody has described.
From: `facts/carriers-cn-express.md` (韵达), `facts/carriers-states.csv`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import md5
from typing import Any, ClassVar, Final

from carriers.base import Billing, Ceilings, Question, provider
from carriers.batches import bare, in_batches
from carriers.replies import opened, refused, starring, truth
from carriers.scans import (
    BY_WORDS,
    REMARK,
    Meaning,
    Row,
    Unknown,
    beijing,
    by_code,
    city,
    coded,
    rows_in,
    scan,
    text_of,
    track,
    word,
)
from domain.masking import safe_text
from domain.orders import Waybill
from domain.reading import read
from domain.remote import Conversation, Denied, Rejected, Request, Secret, Unreadable
from domain.time import UTC
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Yunda", "signature"]

_CARRIER: Final = "yunda"
_QUERY: Final = "/openapi/outer/logictis/query"
_SUBSCRIBE: Final = "/openapi/outer/logictis/subscribe"
"""Spelt so."""
_ALREADY: Final = ("已订阅", "重复")
_NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any parcel: the carrier was not read for us."""

_CODES: Final = by_code(
    ("GOT ACCEPT", Meaning(Milestone.PICKED_UP)),
    ("TRANSIT ARRIVAL DEPARTURE", Meaning(Milestone.IN_TRANSIT)),
    ("OVERSEA_IN OVERSEA_OUT OVERSEA_ARRIVAL OVERSEA_DEPARTURE", Meaning(Milestone.IN_TRANSIT)),
    ("CLEARANCE_START", Meaning(Milestone.IMPORT_CUSTOMS)),
    ("CLEARANCE_FINISH", Meaning(Milestone.CUSTOMS_CLEARED)),
    ("CLEARANCE_FAIL", Meaning(Milestone.IMPORT_CUSTOMS, ExceptionKind.CUSTOMS_EXCEPTION)),
    ("SENT OUTBOUND", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("INBOUND", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("SIGNED", Meaning(Milestone.DELIVERED)),
    ("SIGNFAIL", Meaning(Milestone.DELIVERY_FAILED)),
    ("REJECTION", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED)),
    ("RETURN", Meaning(Milestone.RETURNING)),
    ("ISSUE", Meaning(exception=ExceptionKind.HELD)),
    ("TRANSFER", Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)),
    ("OTHER", REMARK),
)
"""`action` of a step; `status` of the parcel has five of the same words."""


def signature(body: str, secret: str) -> str:
    """`sign`: lower-case hex MD5 of body, an underscore and the appSecret."""
    return md5(f"{body}_{secret}".encode()).hexdigest()


@provider("yunda")
@dataclass(frozen=True, slots=True)
class Yunda:
    """An application at 韵达 开放平台."""

    app_key: str
    app_secret: Secret
    subscribe_first: bool = True
    """Subscribe a number of which nothing is told. False: all are subscribed elsewhere, as with the label."""
    base_url: str = "https://openapi.yundaex.com"
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "yunda"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 1
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """Nothing is documented: a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "每秒、每天、同一单号的上限没有写明，按每秒 10 次、同一单号 30 分钟一次、一天 48 次算",
        "没有订阅和还没有轨迹，回答一样：没有轨迹就先订阅再查一次，刚订阅的空结果不算数，下一次才算",
        "订阅的应答没有文档：说不成功、又没有说已订阅或重复的，算这个单号不能订阅；订阅时的订单号用运单号",
        "错误码只知道一部分：说到签名、密钥、白名单的算账号的错，其余不猜",
        "轨迹推送的应答没有文档，只能查询，不能接收推送",
        "接口收不收费没有写明，按不收费算，不计花费",
    )

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call per question, three where nothing is told at first. Raises a `RemoteError`."""
        call = partial(self._one, now=now)
        return (yield from in_batches(questions, (_CARRIER,), "韵达", self.batch, call))

    def serves(self, carrier: str) -> bool:
        """韵达's express parcels."""
        return carrier == "yunda"

    def needs_phone(self, carrier: str) -> bool:
        """No phone is checked."""
        return False

    def _one(self, asked: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        [question] = asked
        return [(yield from self._about(question, now))]

    def _about(self, question: Question, now: datetime) -> Conversation[Answer | Rejected]:
        """What is known of one number, after subscribing it where that may be why nothing is told."""
        waybill, secrets = question.waybill, self._secrets(question)
        asked = {"mailno": waybill.waybill_no}
        reply = yield self._request(_QUERY, asked, now, secrets)
        with starring(secrets):
            answer = _understood(opened(reply, "韵达"), waybill)
        if answer.events or not self.subscribe_first:
            return answer
        order = {"orderid": waybill.waybill_no, "mailno": waybill.waybill_no}
        reply = yield self._request(_SUBSCRIBE, {"orders": [order]}, now, secrets)
        try:
            with starring(secrets):
                known = _subscribed_before(opened(reply, "韵达"))
        except Rejected as refusal:
            return refusal
        reply = yield self._request(_QUERY, asked, now, secrets)
        with starring(secrets):
            answer = _understood(opened(reply, "韵达"), waybill)
        if answer.events or known or question.asked_before is not None:
            return answer
        said = f"{answer.remark}；这次才订阅，空结果还不算数"
        return Answer(_CARRIER, waybill.waybill_no, remark=said, read_at=_NEVER)

    def _request(self, path: str, asked: object, now: datetime, secrets: tuple[Secret, ...]) -> Request:
        body = json.dumps(asked, ensure_ascii=False, separators=(",", ":"))
        headers = {
            "app-key": self.app_key,
            "req-time": str(int(now.timestamp() * 1000)),
            "sign": signature(body, self.app_secret.reveal()),
        }
        url = f"{self.base_url.rstrip('/')}{path}"
        return Request.json(url, asked, headers=headers, secrets=secrets, repeatable=True)

    def _secrets(self, question: Question) -> tuple[Secret, ...]:
        return (self.app_secret, *([question.phone_tail] if question.phone_tail else []))


def _done(body: Mapping[str, Any]) -> bool:
    """The outer `result`. Raises `Unreadable` where it is none."""
    done = truth(body.get("result"))
    if done is None:
        raise Unreadable("韵达的回答没有 result")
    return done


def _subscribed_before(body: Mapping[str, Any]) -> bool:
    """Whether it was subscribed before; if not it is now.

    Raises `Rejected` where the number cannot be, `Denied` for a refusal that is the account's.
    """
    if _done(body):
        return False
    error = refused("韵达", word(body, "code"), body.get("message"))
    if isinstance(error, Denied):
        raise error
    if any(each in str(error) for each in _ALREADY):
        return True
    raise Rejected(f"韵达不接受订阅这个单号，看不见不等于没有（{error}）")


def _understood(body: Mapping[str, Any], waybill: Waybill) -> Answer:
    """The outer `result` is the call's, the inner the number's; only the steps are the track."""
    if not _done(body):
        raise refused("韵达", word(body, "code"), body.get("message"))
    data = body.get("data")
    if not isinstance(data, dict) or truth(data.get("result")) is None:
        raise Unreadable("韵达的 data 不在文档中")
    number = word(data, "mailno")
    if number and bare(number) != bare(waybill.waybill_no):
        raise Unreadable("韵达回答的是另一个单号")
    rows = rows_in(data.get("steps"), "韵达的 steps")
    if not rows:
        said = safe_text(str(data.get("remark") or ""), 80) or "没有轨迹"
        return Answer(_CARRIER, waybill.waybill_no, remark=f"韵达：{said}。还没有、没有订阅，或不是韵达的单")
    last = max(rows, key=lambda row: beijing(row.get("time")) or _NEVER)
    silent = any(word(row, "action") for row in rows)
    event = partial(_event, last=last, state="" if silent else word(data, "status"))
    return track(rows, waybill, "韵达", when="time", event=event)


def _event(moment: datetime, row: Row, unknown: Unknown, *, last: Row, state: str) -> TrackingEvent:
    """One step. `state` is the parcel's own where no step has a code: it counts for the `last` if silent."""
    said = row.get("description")
    if not isinstance(said, str | None):
        raise Unreadable("韵达的 description 不是文字")
    code, text = word(row, "action"), text_of(said)
    means = coded(code, _CODES, "action", unknown) if code else BY_WORDS
    if row is last and state and read(text).silent:
        means = coded(state, _CODES, "status", unknown)
    return scan(
        moment,
        text,
        means,
        unknown,
        said_in="description",
        code=code,
        area=city(word(row, "city")),
        next_stop=word(row, "next_name"),
    )
