"""EMS 中国邮政: the trace query (040001) of its open platform.

Asks: one waybill in one call, a form whose payload is encrypted with SM4 together with the key itself.
Says: `retCode` 00000 and `responseItems`, oldest first, Beijing wall clock; `retBody` is an object or its JSON text.
Odd:  00000 without items and with 当前邮件无客户信息 is a number that is not bound to the account: no access, so it
proves nothing. Codes whose name ends in 删除 or 撤销 take an earlier event back (743 undoes 704): that row is kept
and shown, and means nothing any more. Why a delivery failed and how it was signed for are code sets of their own;
signed 50 (包裹柜) and 30 (自提点) are ready for collection, not delivered.
Unsure: see `uncertain`. Not here: the push (040002), of which only the name is known.
From: `facts/carriers-cn-express.md` (EMS), `facts/carriers-states.csv`.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from carriers.base import Billing, Ceilings, Question, provider
from carriers.batches import in_batches
from carriers.replies import nested, opened, refused, starring
from carriers.scans import (
    REMARK,
    Meaning,
    Row,
    Unknown,
    area_of,
    beijing,
    by_code,
    coded,
    rows_in,
    scan,
    text_of,
    track,
    word,
)
from carriers.sm4 import BLOCK, encrypt
from domain.masking import safe_text
from domain.orders import Waybill
from domain.remote import Conversation, Rejected, Request, Secret, Unreadable
from domain.time import SHANGHAI
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Ems", "sealed"]

_CARRIERS: Final = ("ems", "youzhengguonei", "youzhengbk", "youzhengdsbk", "emsguoji", "youzhengguoji")
_DONE: Final = "00000"
_NOT_OURS: Final = "无客户信息"

_ELSEWHERE: Final = Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)
_COLLECT: Final = Meaning(Milestone.READY_FOR_COLLECTION)

_UNDOES: Final[Mapping[str, str]] = {"742": "702", "743": "704", "744": "705", "207": "203"}
_TAKE_BACK: Final = frozenset(_UNDOES) | frozenset(["212", "304", "424", "448", "472", "474", "483", "492"])
_LOOK_BACK: Final = 200
"""Rows: more than a parcel has, and few enough for a reply that has no end."""
_TAKING_BACK: Final = re.compile(r"(?:删除|撤销)$")

_CODES: Final = by_code(
    ("203", Meaning(Milestone.PICKED_UP)),
    ("305 360 364 365 370 376 389 954", Meaning(Milestone.IN_TRANSIT)),
    ("456 466 468 469 486 487", Meaning(Milestone.IMPORT_CUSTOMS)),
    ("467 470 493 564", Meaning(Milestone.IMPORT_CUSTOMS, ExceptionKind.CUSTOMS_EXCEPTION)),
    ("713", Meaning(Milestone.AT_DELIVERY_STATION)),
    ("702 749", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("704", Meaning(Milestone.DELIVERED)),
    ("748", Meaning(Milestone.DELIVERED, kind=DeliveredKind.STATION)),
    ("705", Meaning(Milestone.DELIVERY_FAILED)),
    ("747", _COLLECT),
    ("312 708 741 750", Meaning(Milestone.RETURNING)),
    ("711", Meaning(Milestone.RETURNED)),
    ("756 802 803", _ELSEWHERE),
    ("801", Meaning(Milestone.CANCELLED)),
    ("987 988", Meaning(exception=ExceptionKind.LOST)),
    ("651", Meaning(exception=ExceptionKind.HELD)),
    ("013 993", Meaning(exception=ExceptionKind.INTERCEPTED)),
    (" ".join(sorted(_TAKE_BACK)), REMARK),
)
"""`opCode`: the documented selection."""

_UNSIGNED: Final = by_code(
    ("1 2 3 5", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.ADDRESS_ERROR)),
    ("4", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.CONTACT_FAILURE)),
    ("6", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.RESCHEDULED)),
    ("7", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED)),
    ("8 9 14", _COLLECT),
    ("10 15", Meaning(Milestone.RETURNING)),
    ("11 12", _ELSEWHERE),
    ("13", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.LOST)),
    ("16", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.HELD)),
)
"""Why a 705 failed."""

_SIGNED: Final = by_code(("30 50", _COLLECT))
"""How a 704 was signed for: the two that are documented, neither by the receiver."""

_KEPT_FOR: Final = re.compile(r"包裹柜|自提点")
_FETCHED: Final = re.compile(r"取走|取出|取件|本人|收件人")


def sealed(payload: str, sign_key: str) -> str:
    """`logitcsInterface` (spelt so): the payload and the key as issued, encrypted under the key's 16 bytes.

    Raises ValueError for a key that is not the Base64 of 16 bytes.
    """
    key = b64decode(sign_key, validate=True)
    return f"|$4|{b64encode(encrypt(f'{payload}{sign_key}'.encode(), key)).decode()}"


@provider("ems")
@dataclass(frozen=True, slots=True)
class Ems:
    """A customer of EMS 中国邮政速递物流 (轨迹查询 040001)."""

    sender_no: str
    """senderNo, 协议客户号."""
    authorization: Secret
    """授权码."""
    sign_key: Secret
    """signKey as issued, in Base64."""
    base_url: str = "https://api.ems.com.cn/amp-prod-api/f/amp/api/open"
    """The whole address."""
    refresh_lag: timedelta = timedelta(0)

    kind: ClassVar[str] = "ems"
    asks: ClassVar[bool] = True
    batch: ClassVar[int] = 1
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(minutes=30), 48, per_second=10.0, concurrency=8)
    """Nothing is documented: a cautious default of ours."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "每秒、每天、同一单号的上限没有写明，按每秒 10 次、同一单号 30 分钟一次、一天 48 次算",
        "retBody 是对象还是 JSON 文字没有写明，都接受",
        "opCode 只有一部分有文档，其余记为未识别",
        "未妥投原因、妥投方式放在哪个字段没有写明：按 unsigned、signed（或带 Code）找，找不到就看文字",
        "哪条撤销对应哪条轨迹只写明四对（742→702、743→704、744→705、207→203），其余按名字去掉“删除/撤销”找最近的一条",
        "456、466、468、469、486、487 里哪个是放行没有写明，都按清关中算",
        "错误码只知道 00000：说到签名、密钥、白名单的算账号的错，其余不猜",
        "轨迹推送（040002）的内容没有文档，只能查询，不能接收推送",
        "邮政快递包裹、标准快递、电商标快和国际件是否查得到没有写明",
        "接口收不收费没有写明，按不收费算，不计花费",
    )

    def __post_init__(self) -> None:
        try:
            right = len(b64decode(self.sign_key.reveal(), validate=True)) == BLOCK
        except ValueError:
            right = False
        if not right:
            raise ValueError("sign_key 不是 16 个字节的 Base64，请原样抄 EMS 给的 signKey")

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """One call per question. Raises a `RemoteError` when there is no answer."""
        return in_batches(questions, _CARRIERS, "EMS", 1, lambda asked: self._call(asked[0], now))

    def serves(self, carrier: str) -> bool:
        """Its own parcels."""
        return carrier in _CARRIERS

    def needs_phone(self, carrier: str) -> bool:
        """No phone is checked."""
        return False

    def _call(self, question: Question, now: datetime) -> Conversation[list[Answer | Rejected]]:
        tail = [question.phone_tail] if question.phone_tail else []
        secrets = (self.sign_key, self.authorization, *tail)
        asked = {"waybillNo": question.waybill.waybill_no, "direction": "0"}
        payload = json.dumps(asked, ensure_ascii=False, separators=(",", ":"))
        fields = {
            "apiCode": "040001",
            "senderNo": self.sender_no,
            "authorization": self.authorization.reveal(),
            "timeStamp": f"{now.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
            "logitcsInterface": sealed(payload, self.sign_key.reveal()),
        }
        reply = yield Request.form(self.base_url, fields, secrets)
        with starring(secrets):
            return [_understood(opened(reply, "EMS"), question.waybill)]


def _understood(body: Mapping[str, Any], waybill: Waybill) -> Answer | Rejected:
    """The outcome, then the items. Raises a `RemoteError` for what is neither."""
    code, said = word(body, "retCode"), safe_text(str(body.get("retMsg") or ""), 120)
    if not code:
        raise Unreadable("EMS 的回答没有 retCode")
    if code != _DONE:
        raise refused("EMS", code, said)
    inner = nested(body.get("retBody") or ({} if _NOT_OURS in said else None), "EMS 的 retBody")
    items = inner.get("responseItems")
    if not items and _NOT_OURS in said:
        return Rejected(f"EMS：{said} 这个单号没有绑定在本账号上，看不见不等于没有")
    rows = rows_in(items, "EMS 的 responseItems")
    if not rows:
        return Answer(waybill.carrier, waybill.waybill_no, remark=f"EMS 没有轨迹：{said or '没有说明'}")
    void = _taken_back(rows)
    return track(
        rows,
        waybill,
        "EMS",
        when="opTime",
        event=lambda moment, row, unknown: _event(moment, row, unknown, void),
        number="waybillNo",
    )


def _taken_back(rows: Iterable[Row]) -> AbstractSet[int]:
    """The identities of the rows that a later one makes void."""
    timed = [(moment, row) for row in rows if (moment := beijing(row.get("opTime"))) is not None]
    void: set[int] = set()
    before: list[Row] = []
    for _, row in sorted(timed, key=lambda pair: pair[0]):
        if _takes_back(row):
            lately = before[-_LOOK_BACK:]
            undone = next((each for each in reversed(lately) if _undoes(row, each)), None)
            void |= {id(each) for each in lately if each == undone}  # a row may stand there twice
            before[-_LOOK_BACK:] = [each for each in lately if each != undone]
        else:
            before.append(row)
    return void


def _takes_back(row: Row) -> bool:
    return word(row, "opCode") in _TAKE_BACK or bool(_TAKING_BACK.search(word(row, "opName")))


def _undoes(row: Row, earlier: Row) -> bool:
    """By the documented pairs; else by the name, which is the earlier one's and 删除 or 撤销 behind it."""
    code, name = word(row, "opCode"), _TAKING_BACK.sub("", word(row, "opName"))
    if code in _UNDOES:
        return word(earlier, "opCode") == _UNDOES[code]
    return len(name) > 1 and word(earlier, "opName").endswith(name)


def _event(moment: datetime, row: Row, unknown: Unknown, void: AbstractSet[int]) -> TrackingEvent:
    said, name = row.get("opDesc"), word(row, "opName")
    if not isinstance(said, str | None):
        raise Unreadable("EMS 的 opDesc 不是文字")
    code, text = word(row, "opCode"), text_of(said) or name
    undone = id(row) in void
    means = coded(code, _CODES, "opCode", unknown)
    means = REMARK if undone or _takes_back(row) else _narrowed(code, means, row, text, unknown)
    event = scan(
        moment,
        text,
        means,
        unknown,
        said_in="opDesc",
        code=code,
        status=f"{name}（已撤销）" if undone else name,
        area=area_of(word(row, "opOrgProvName"), word(row, "opOrgCity")),
        place=word(row, "opOrgName"),
    )
    # What was taken back, or takes back, tells of no trouble either.
    return replace(event, exceptions=frozenset()) if means is REMARK else event


def _narrowed(code: str, means: Meaning, row: Row, text: str, unknown: Unknown) -> Meaning:
    """A failed delivery by its reason, a signature by its manner: both have codes of their own."""
    if code == "705":
        return _by(row, "unsigned", _UNSIGNED, means, unknown)
    if code == "704":
        means = _by(row, "signed", _SIGNED, means, None)
        stored = _KEPT_FOR.search(text) and not _FETCHED.search(text)
        return _COLLECT if stored else means
    return means


def _by(
    row: Row, name: str, table: Mapping[str, Meaning], means: Meaning, unknown: Unknown | None
) -> Meaning:
    """What the finer code says; which field it stands in is not documented."""
    code = next((said for key in (name, f"{name}Code") if (said := word(row, key))), "")
    if code and code not in table and unknown is not None:
        unknown.note(name, code)
    return table.get(code, means)
