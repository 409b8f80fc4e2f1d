"""极兔: the trace query of its open platform, and its trace push.

Asks: several waybills in one call, a form whose JSON text is signed in a header.
Says: `code` "1" and a list per number, newest first, Beijing wall clock. `scanType` is the Chinese name at home and
an English one abroad, so names and codes are read alike.
Odd:  published tables mix up 5 (出仓), 8 (取出) and 9 (出库): the row's `desc` decides. A problem's reason is
`problemType`, described in `probleDescription` (spelt so).
Unsure: see `uncertain`. Not here: the subscription, of which only the body is known and not the address.
From: `facts/carriers-cn-express.md` (极兔), `facts/carriers-states.csv`.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import md5
from typing import ClassVar, Final

from carriers.base import Billing, Ceilings, Question, provider
from carriers.batches import bare, by_number, in_batches, in_place
from carriers.push import Delivery, Forged, Push, Receipt, form, same
from carriers.replies import opened, refused, starring
from carriers.scans import (
    BY_WORDS,
    NOBODY_KNOWS,
    REMARK,
    Meaning,
    Row,
    Unknown,
    area_of,
    by_code,
    rows_in,
    scan,
    text_of,
    track,
    word,
)
from domain.masking import clean, safe_text
from domain.orders import Waybill
from domain.reading import read
from domain.remote import (
    Conversation,
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Unreadable,
)
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Jt", "signature"]

_CARRIER: Final = "jtexpress"
_DONE: Final = "1"
_WRONG_SIGN: Final = "145003030"

_CODES: Final = by_code(
    ("1", Meaning(Milestone.PICKED_UP)),
    ("2 3 4 12", Meaning(Milestone.IN_TRANSIT)),
    ("5 8", Meaning(otherwise=Milestone.OUT_FOR_DELIVERY)),
    ("6 7", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("9", Meaning(otherwise=Milestone.DELIVERED)),
    ("10", Meaning(Milestone.DELIVERED)),
    ("11", Meaning(exception=ExceptionKind.HELD)),
    ("13", REMARK),
    ("14", Meaning(Milestone.RETURNING)),
)
"""`scanTypeCode`."""

_NAMES: Final[Mapping[str, str]] = {
    "快件揽收": "1", "入仓扫描": "2", "发件扫描": "3", "到件扫描": "4", "出仓扫描": "5", "入库扫描": "6",
    "代理点收入扫描": "7", "快件取出扫描": "8", "出库扫描": "9", "快件签收": "10", "问题件扫描": "11",
    "安检扫描": "12", "其他扫描": "13", "退件扫描": "14", "pickup scan": "1", "sign scan": "10",
}  # fmt: skip
"""`scanType` at home, and the two names abroad that are documented; a code may stand there too."""

_PROBLEMS: Final = by_code(
    ("A1 A26 A31", Meaning(Milestone.CANCELLED)),
    ("A2 A14 A29 A35", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED)),
    ("A3 A12 A15 A16 A19", Meaning(exception=ExceptionKind.ADDRESS_ERROR)),
    ("A4 A25", Meaning(Milestone.RETURNING)),
    ("A9 A10", Meaning(exception=ExceptionKind.CONTACT_FAILURE)),
    ("A11", Meaning(Milestone.DELIVERY_FAILED)),
    ("A13 A34", Meaning(Milestone.UNKNOWN, ExceptionKind.RESCHEDULED)),
    ("A17 A18 A21", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("A7 A8 A20 A23 A24 A27 A28 A30 A32 A33", Meaning(exception=ExceptionKind.HELD)),
)
"""`problemType` of a 问题件扫描."""

_PROBLEM: Final = "11"
_BY_STAFF: Final = frozenset({"5", "8"})
_RECEIVER: Final = re.compile(r"客户|收件人|买家|本人|签收|取[件货]码")


def signature(content: str, private_key: str) -> str:
    """`digest`: Base64 of the 16 bytes of MD5(bizContent + key)."""
    return b64encode(md5(f"{content}{private_key}".encode()).digest()).decode()


def _reply(code: str, message: str, data: str | None) -> Reply:
    said = json.dumps({"code": code, "msg": message, "data": data}, separators=(",", ":"))
    return Reply(200, said.encode(), {"content-type": "application/json; charset=utf-8"})


_RECEIPT: Final = Receipt(_reply(_DONE, "success", "SUCCESS"))


@provider("jt")
@dataclass(frozen=True, slots=True)
class Jt:
    """An account at 极兔 开放平台 (轨迹查询, 轨迹推送)."""

    api_account: str
    """apiAccount of the console."""
    private_key: Secret
    """privateKey; it signs our queries and their pushes."""
    base_url: str = "https://openapi.jtexpress.com.cn"
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "jt"
    asks: ClassVar[bool] = True
    signed: ClassVar[bool] = True
    batch: ClassVar[int] = 10
    """Several are allowed, how many is not said: a cautious default of ours."""
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """Nothing is documented: a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "每秒、每天、同一单号的上限没有写明，按每秒 10 次、同一单号 30 分钟一次、一天 48 次算",
        "一次最多问几个单号没有写明，按 10 个算",
        "出仓（5）、取出（8）、出库（9）各表说法不一，以这一行的文字为准",
        "境外的英文扫描名只知道两个（Pickup scan、Sign scan），其余记为未识别",
        "错误码只知道 145003030（签名不对）：说到签名、密钥、白名单的算账号的错，其余不猜",
        "推送应答里 data 的内容没有核对过，按 SUCCESS 回",
        "推送的订阅接口没有地址，请在极兔的后台或找他们开通",
        "接口收不收费没有写明，按不收费算，不计花费",
    )

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call for up to ten waybills. Raises a `RemoteError` when there is no answer at all."""
        return in_batches(
            questions, (_CARRIER,), "极兔", self.batch, lambda asked: self._together(asked, now)
        )

    def serves(self, carrier: str) -> bool:
        """Its own parcels."""
        return carrier == _CARRIER

    def needs_phone(self, carrier: str) -> bool:
        """No phone is checked."""
        return False

    def admit(self, push: Push, now: datetime) -> Receipt:
        """What to answer. Raises `Forged`."""
        self._content(push)
        return _RECEIPT

    def receive(self, push: Push, now: datetime) -> Delivery:
        """One parcel's scans, perhaps the newest only. Raises `Forged` first, then `Unreadable`."""
        content = self._content(push)
        with starring((self.private_key,)):
            return Delivery((_pushed(content),), _RECEIPT.kept)

    def _content(self, push: Push) -> str:
        """`bizContent`, once its signature is right and it is meant for this account."""
        content = form(push).get("bizContent", "")
        right = same(signature(content, self.private_key.reveal()), push.headers.get("digest"))
        ours = same(self.api_account, push.headers.get("apiaccount"))
        if not right or not ours:
            raise Forged("极兔推送的签名或 apiAccount 不对")
        return content

    def _together(self, asked: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call. What it refuses without saying whose fault it is, is nobody's answer."""
        reply = yield self._request(asked, now)
        with starring(self._secrets(asked)):
            body = opened(reply, "极兔")
            code = word(body, "code")
            if code == _DONE:
                found = by_number(_lists(body.get("data")), asked, "极兔", bare)
                return in_place([_told(details, question.waybill) for question, details in found])
            raise _refusal(code, body.get("msg"))

    def _request(self, asked: Sequence[Question], now: datetime) -> Request:
        numbers = dict.fromkeys(each.waybill.waybill_no for each in asked)
        content = json.dumps({"billCodes": ",".join(numbers)}, ensure_ascii=False, separators=(",", ":"))
        request = Request.form(
            f"{self.base_url.rstrip('/')}/webopenplatformapi/api/logistics/trace",
            {"bizContent": content},
            self._secrets(asked),
        )
        signed = {
            "apiAccount": self.api_account,
            "digest": signature(content, self.private_key.reveal()),
            "timestamp": str(int(now.timestamp() * 1000)),
        }
        return replace(request, headers={**request.headers, **signed})

    def _secrets(self, asked: Sequence[Question]) -> tuple[Secret, ...]:
        return (self.private_key, *dict.fromkeys(each.phone_tail for each in asked if each.phone_tail))


def _refusal(code: str, said: object) -> RemoteError:
    if not code:
        return Unreadable("极兔的回答没有 code")
    if code == _WRONG_SIGN:
        words = safe_text(str(said or ""), 120)
        return Denied(f"极兔验证签名失败，请检查 api_account 与 private_key（{code}：{words}）")
    return refused("极兔", code, said)


def _lists(data: object) -> dict[str, object]:
    """`details` by number, as they came. Raises `Unreadable` where the numbers are not told apart."""
    found: dict[str, object] = {}
    for each in rows_in(data, "极兔的 data"):
        number = bare(word(each, "billCode"))
        if not number or number in found:
            raise Unreadable("极兔的 data 没有把单号分开")
        found[number] = each.get("details")
    return found


def _told(details: object, waybill: Waybill) -> Answer | Unreadable:
    """The list of one number; an empty or missing one is nothing known."""
    try:
        rows = [] if details is None else rows_in(details, "极兔的 details")
        if not rows:
            return Answer(
                _CARRIER, waybill.waybill_no, remark="极兔没有轨迹：还没有、单号不对，或不是极兔的单"
            )
        return track(rows, waybill, "极兔", when="scanTime", event=_event)
    except Unreadable as error:
        return error


def _pushed(content: str) -> Answer:
    """A push as an answer: it may be held up or played again, and does not say that it is all there is."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("极兔推送的 bizContent 不是 JSON") from None
    number = word(body, "billCode") if isinstance(body, dict) else ""
    rows = rows_in(body.get("details"), "极兔推送的 details") if number else []
    if not rows:
        raise Unreadable("极兔的推送没有单号或轨迹")
    answer = track(rows, Waybill(_CARRIER, clean(number, 64)), "极兔", when="scanTime", event=_event)
    return replace(answer, whole=False, late=True)


def _event(moment: datetime, row: Row, unknown: Unknown) -> TrackingEvent:
    said, why = row.get("desc"), row.get("probleDescription")
    if not isinstance(said, str | None) or not isinstance(why, str | None):
        raise Unreadable("极兔的 desc 不是文字")
    status = word(row, "scanType")
    text = text_of(f"{said or status}（{why}）" if why and why not in (said or "") else said or status)
    return scan(
        moment,
        text,
        _meaning(row, text, unknown),
        unknown,
        said_in="desc",
        code=word(row, "scanTypeCode"),
        status=status,
        area=area_of(*(word(row, f"scanNetwork{part}") for part in ("Province", "City", "Area"))),
        place=word(row, "scanNetworkName"),
        next_stop=word(row, "nextStopName"),
    )


def _meaning(row: Row, text: str, unknown: Unknown) -> Meaning:
    """What the scan's name says, else its code, with a problem's own reason."""
    name, number, problem = word(row, "scanType"), word(row, "scanTypeCode"), word(row, "problemType")
    code = _NAMES.get(name.lower()) or next((said for said in (number, name) if said in _CODES), "")
    if not code and not name and not number:
        return BY_WORDS
    if not code:
        unknown.note("scanType", f"{number} {name}".strip())
        return NOBODY_KNOWS
    if code == _PROBLEM and problem:
        if problem not in _PROBLEMS:
            unknown.note("problemType", problem)
        return _PROBLEMS.get(problem, _CODES[code])
    # "Taken out" may be the courier's doing: only words that name the receiver make a signature of it.
    if code in _BY_STAFF and read(text).milestone is Milestone.DELIVERED and not _RECEIVER.search(text):
        return Meaning(Milestone.OUT_FOR_DELIVERY)
    return _CODES[code]
