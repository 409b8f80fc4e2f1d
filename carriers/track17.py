"""17TRACK v2.2 and v2.4: carriers of the whole world; a number is registered once, read and pushed from then on.

Asks: up to 40 numbers in a JSON array; one that is not registered is registered and asked about again.
Says: `accepted` and `rejected` by number; a call refused as a whole has another envelope, and one bad number may
refuse it for all: then it is asked in halves.
Pushes: JSON with `sign` in a header, over the very bytes; the address is set once in their console.
Odd:  registering costs quota, reading is free, so what is registered is read on when the quota is used up.
Unsure: see `uncertain`.
From: `facts/carriers-international.md` (17TRACK); HTTP 401 from help.17track.net, "Error Codes".
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar, Final

from carriers.abroad import about, courier_codes, mistaken, starred, tagged
from carriers.base import Billing, Ceilings, Question, provider
from carriers.push import Delivery, End, Ended, Forged, Push, Receipt, Subscribed, Terms, same
from carriers.replies import starring
from carriers.scans import word
from carriers.track17_said import (
    KNOWN_ALREADY,
    NOT_REGISTERED,
    OF_ONE_NUMBER,
    Said,
    by_waybill,
    code_of,
    opened_call,
    refusal,
    refused,
    verdict,
)
from carriers.track17_track import nothing_yet, read_info
from domain.masking import clean
from domain.orders import Waybill
from domain.remote import (
    Conversation,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Unavailable,
    Unreadable,
)
from domain.tracking import Answer, Milestone

__all__ = ["Track17", "signature"]

_CARRIERS: Final[Mapping[str, str]] = {
    "youzhengguoji": "3011",
    "youzhengguonei": "3011",
    "usps": "21051",
    "dhlde": "7041",
    "dhl": "100001",
    "ups": "100002",
    "fedex": "100003",
}
"""Our key to theirs, as far as the facts name them; for others 17TRACK finds the carrier itself."""

_NUMBER: Final = re.compile(r"[A-Za-z0-9]{5,50}")


def signature(body: bytes, key: str) -> str:
    """`sign` of a push: lower-case hex SHA256 of the raw body, a slash and the key."""
    return sha256(body + f"/{key}".encode()).hexdigest()


@provider("track17")
@dataclass(frozen=True, slots=True)
class Track17:
    """An account at 17TRACK (API v2)."""

    key: Secret
    """The security key, which also signs what is pushed."""
    couriers: tuple[str, ...] = ()
    """Further carriers, as `ours=theirs`: `yanwen=190012`. Their list is apicarrier.all.json."""
    base_url: str = "https://api.17track.net/track/v2.2"
    """The address with the version: v2.4 is asked the same way."""
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "track17"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 40
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=3.0, concurrency=2)
    """Three requests a second are documented, of up to 40 numbers each, and each request of a call takes a place of its
    own; the rest is a cautious default."""
    billing: ClassVar[Billing] = Billing.REGISTRATION
    signed: ClassVar[bool] = True
    terms: ClassVar[Terms] = Terms(per_number_monthly=1, again_after=timedelta(days=30), batch=40)
    uncertain: ClassVar[tuple[str, ...]] = (
        "多久向快递公司更新一次没有写明（大约几小时）：沉默只算到它自己说的 latest_sync_time",
        "latest_sync_status 不是 Success 时当作旧数据，只有 NotFound（查无此单）算看过",
        "两段运输有一段没有更新成功时，整个包裹的沉默都不算数",
        "-18019909（暂时没有）当作还没有去查，不证明沉默",
        "事实只写明六家公司的编号（3011、21051、7041、100001、100002、100003），其余由 17TRACK 按单号识别，或用 couriers 写明",
        "没有写 TRACKING_STOPPED 的原因：签收 15 天后，或 30 天没有动静",
        "同一单号隔多久、一天几次没有写明，按 30 分钟、48 次算",
        "轨迹的时区有时是 17TRACK 猜的，见过差一小时的",
        "回调地址在 17TRACK 的后台填写，不随单号登记",
    )

    def __post_init__(self) -> None:
        for ours, theirs in courier_codes(_CARRIERS, self.couriers).items():
            if not theirs.isascii() or not theirs.isdigit():
                raise ValueError(f"couriers 里 {ours} 的编号要是数字，现在是 {clean(theirs, 40)}")

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call for up to 40 waybills, two more where some are new. Raises a `RemoteError` for all of them."""
        answers: list[Answer | Rejected] = []
        for start in range(0, len(questions), self.batch):
            answers += yield from self._together(questions[start : start + self.batch])
        return answers

    def subscribe(
        self, questions: Sequence[Question], callback: str, now: datetime
    ) -> Conversation[list[Subscribed | Rejected]]:
        """Register the numbers: that is the subscription. `callback` is set in their console, not by number.

        Raises a `RemoteError`, also for the quota: nobody is subscribed then.
        """
        done: list[Subscribed | Rejected] = []
        for start in range(0, len(questions), self.batch):
            asked = questions[start : start + self.batch]
            errors = yield from self._register(asked)
            for error in errors.values():
                if not isinstance(error, Answer | Rejected):
                    raise error
            for question in asked:
                told = errors.get(question.waybill)
                done.append(told if isinstance(told, Rejected) else Subscribed(question.waybill))
        return done

    def admit(self, push: Push, now: datetime) -> Receipt:
        """Look at the signature over the very bytes."""
        if not same(signature(push.body, self.key.reveal()), push.headers.get("sign")):
            raise Forged("17TRACK 的推送签名不对")
        return _RECEIPT

    def receive(self, push: Push, now: datetime) -> Delivery:
        """A push of one number's track, or the news that no more will come."""
        self.admit(push, now)
        with starring((self.key,)):
            return self._delivered(Reply(200, push.body).json())

    def needs_phone(self, carrier: str) -> bool:
        """A number whose carrier wants one says so (-18010020); it is given where it is known."""
        return False

    @property
    def _codes(self) -> Mapping[str, str]:
        return courier_codes(_CARRIERS, self.couriers)

    def _delivered(self, body: object) -> Delivery:
        entry = body.get("data") if isinstance(body, dict) else None
        event = body.get("event") if isinstance(body, dict) else None
        number = word(entry, "number") if isinstance(entry, dict) else ""
        if not isinstance(entry, dict) or not number:
            raise Unreadable("17TRACK 的推送没有 data.number")
        waybill = Waybill(about(entry.get("tag"), word(entry, "carrier"), self._codes), number)
        answers: tuple[Answer, ...] = ()
        another = mistaken(word(entry, "carrier"), waybill.carrier, self._codes)
        if another is not None:
            return Delivery((), _KEPT, unreadable=(f"{number}：{another}",))
        if entry.get("track_info") is not None:
            told = read_info(entry, waybill, self._codes)
            answers = (replace(told, whole=False, late=True, read_at=None),)
        match event:
            case "TRACKING_UPDATED" if answers:
                return Delivery(answers, _KEPT)
            case "TRACKING_STOPPED":
                return Delivery(answers, _KEPT, (Ended(waybill, _why(answers), "TRACKING_STOPPED"),))
            case _:
                raise Unreadable(f"17TRACK 的推送 {clean(str(event), 40)!r} 不在文档中")

    def _together(self, asked: Sequence[Question]) -> Conversation[list[Answer | Rejected]]:
        """One call; what it does not know is registered and asked about once more."""
        good = [question for question in asked if _NUMBER.fullmatch(question.waybill.waybill_no)]
        told: dict[Waybill, Answer | RemoteError] = {}
        said = yield from self._call("gettrackinfo", good)
        new = [question for question in good if code_of(said[question.waybill]) == NOT_REGISTERED]
        if new:
            told |= yield from self._register(new)
            said |= yield from self._call("gettrackinfo", [each for each in new if each.waybill not in told])
        with starring(self._secrets(asked)):
            for question in good:
                if question.waybill not in told:
                    told[question.waybill] = self._told(question.waybill, said[question.waybill])
            return [_in_place(told, question.waybill) for question in asked]

    def _register(self, asked: Sequence[Question]) -> Conversation[dict[Waybill, Answer | RemoteError]]:
        """What is not registered, each with the reason; one that was registered already is a success."""
        said = yield from self._call("register", asked)
        with starring(self._secrets(asked)):
            errors: dict[Waybill, Answer | RemoteError] = {}
            for waybill, entry in said.items():
                code = code_of(entry)
                if code not in (0, KNOWN_ALREADY):
                    errors[waybill] = verdict(code, entry, waybill)
            return errors

    def _told(self, waybill: Waybill, entry: Said) -> Answer | RemoteError:
        code = code_of(entry)
        if code == 0:
            another = mistaken(word(entry, "carrier"), waybill.carrier, self._codes)
            return another or read_info(entry, waybill, self._codes)
        if code == NOT_REGISTERED:
            return nothing_yet(waybill, "刚刚登记，还没有去查")
        return verdict(code, entry, waybill)

    def _call(self, method: str, asked: Sequence[Question]) -> Generator[Request, Reply, dict[Waybill, Said]]:
        """What is said of each number; a call refused for one of them is made again in halves."""
        if not asked:
            return {}
        reply = yield self._request(method, asked)
        with starring(self._secrets(asked)):
            body = opened_call(starred(reply, (self.key,)))
            code, words = refused(body)
            if code == 0:
                return by_waybill(body, asked, self._codes)
            if code not in OF_ONE_NUMBER:
                raise refusal(code, words)
        if len(asked) == 1:
            return {asked[0].waybill: {"error": {"code": code, "message": words}}}
        half = len(asked) // 2
        first = yield from self._call(method, asked[:half])
        rest = yield from self._call(method, asked[half:])
        return first | rest

    def _request(self, method: str, asked: Sequence[Question]) -> Request:
        rows = [self._row(question, method == "register") for question in asked]
        content = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"17token": self.key.reveal(), "Content-Type": "application/json"}
        url = f"{self.base_url.rstrip('/')}/{method}"
        return Request("POST", url, {}, headers, content, self._secrets(asked))

    def _row(self, question: Question, registers: bool) -> dict[str, object]:
        row: dict[str, object] = {"number": question.waybill.waybill_no}
        code = self._codes.get(question.waybill.carrier)
        if code is not None:
            row["carrier"] = int(code)
        if registers:
            row |= {"auto_detection": code is None, "tag": tagged(question.waybill.carrier)}
            if question.phone_tail:
                row["phone"] = question.phone_tail.reveal()
        return row

    def _secrets(self, asked: Sequence[Question]) -> tuple[Secret, ...]:
        return (self.key, *dict.fromkeys(each.phone_tail for each in asked if each.phone_tail))


_KEPT: Final = Reply(200, b"success", {"content-type": "text/plain; charset=utf-8"})
"""Any HTTP 200 is taken for "kept"; else it comes again after 10, 30 and 60 minutes."""
_RECEIPT: Final = Receipt(_KEPT)


def _why(answers: Sequence[Answer]) -> End:
    """A stop that tells no track does not say why: after a delivery nobody minds which it was."""
    arrived = any(event.milestone is Milestone.DELIVERED for each in answers for event in each.events[-1:])
    return End.DONE if arrived else End.SILENT


def _in_place(told: Mapping[Waybill, Answer | RemoteError], waybill: Waybill) -> Answer | Rejected:
    """One question's outcome; what concerns them all is raised where no other question was answered."""
    error = told.get(waybill)
    if error is None:
        return Rejected("17TRACK 的单号只能是 5 到 50 位字母和数字")
    if isinstance(error, Answer | Rejected):
        return error
    if any(isinstance(each, Answer) for each in told.values()):
        if isinstance(error, Unavailable):
            return nothing_yet(waybill, str(error))
        return Rejected(str(error))
    raise error
