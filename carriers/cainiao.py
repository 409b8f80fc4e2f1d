"""菜鸟: the push of logistics states by 阿里云物流. It cannot be asked.

Says: an HTTP POST of a JSON array, one line per parcel with its latest state, Beijing wall clock; a parcel may be
any carrier's (`cpCode`). It wants a JSON with `code` 0; any other status, or none in time, is pushed again after 1,
5 and 10 minutes, three times.
Odd:  nothing is signed, so the address itself has to hold a secret. Only the latest state is told, so what happened
between two pushes may never come.
Unsure: see `uncertain`. Not here: the LINK gateway, of which the facts have a signature from general knowledge and
neither a message type nor an answer; 菜鸟速递's own `TMS_PRACTICE_TRACE_INFO`, of which they have the codes alone.
From: `facts/carriers-cn-express.md` (菜鸟), `facts/carriers-states.csv`; `facts/platform-rules.md` §9 for ON_THE_WAY.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from carriers.base import Billing, Ceilings, Question, provider
from carriers.names import canonical
from carriers.push import Delivery, Push
from carriers.scans import Meaning, Row, Unknown, by_code, city, coded, rows_in, scan, text_of, track, word
from domain.masking import clean
from domain.orders import Waybill
from domain.remote import Conversation, Rejected, Reply, Unreadable
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["Cainiao"]

_CODES: Final = by_code(
    ("WAIT_ACCEPT", Meaning(Milestone.LABEL_CREATED)),
    ("ACCEPT 00", Meaning(Milestone.PICKED_UP)),
    ("TRANSPORT ON_THE_WAY 01 02 13", Meaning(Milestone.IN_TRANSIT)),
    ("03", Meaning(Milestone.AT_DELIVERY_STATION)),
    ("DELIVERING 04", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("AGENT_SIGN", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("SIGN 07", Meaning(Milestone.DELIVERED)),
    ("FAILED 05 12", Meaning(exception=ExceptionKind.HELD)),
    ("06", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED)),
    ("08 09 10", Meaning(Milestone.RETURNING)),
    ("11", Meaning(Milestone.RETURNED)),
)
"""`logisticsStatus`, and the two digits of `TMS_PRACTICE_TRACE_INFO`: new ones may appear, they say."""

_NAMED: Final = 20
"""So many of a push's broken lines are named."""
_KEPT: Final = Reply(200, b'{"code":0,"msg":"success"}', {"content-type": "application/json; charset=utf-8"})


@provider("cainiao")
@dataclass(frozen=True, slots=True)
class Cainiao:
    """A subscription of 阿里云物流 (状态推送), kept by its owner in their console."""

    kind: ClassVar[str] = "cainiao"
    asks: ClassVar[bool] = False
    signed: ClassVar[bool] = False
    batch: ClassVar[int] = 1
    refresh_lag: ClassVar[timedelta] = timedelta(0)
    ceilings: ClassVar[Ceilings] = Ceilings(timedelta(days=1), 1, per_second=1.0, concurrency=1)
    """Nothing is ever asked."""
    billing: ClassVar[Billing] = Billing.FREE
    uncertain: ClassVar[tuple[str, ...]] = (
        "只有推送，不能查询：沉默证明不了什么，时限到了要由别的数据源核实",
        "推送没有签名，靠回调地址里的密钥（callback_key）辨认",
        "状态编码来自别人的代码和笔记，会有新的；不认识的记为未识别",
        "cpCode 的编码表没有写明，按各家常见的英文代码认",
        "logisticsGmtModified 按北京时间读",
        "LINK 网关没有文档，不支持",
        "菜鸟速递（丹鸟）自己的 TMS_PRACTICE_TRACE_INFO 只有编码、没有接口，查不了；编码出现在推送里时认得",
        "推送收不收费没有写明，按不收费算，不计花费",
    )

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer | Rejected]]:
        """Asks nobody: each is refused."""
        yield from ()
        return [Rejected("菜鸟（阿里云物流）只推送，不能查询：请换一个数据源查它") for _ in questions]

    def serves(self, carrier: str) -> bool:
        """It can be asked about none."""
        return False

    def needs_phone(self, carrier: str) -> bool:
        """Nothing is asked."""
        return False

    def receive(self, push: Push, now: datetime) -> Delivery:
        """The states of one or several parcels. Raises `Unreadable` where none can be read.

        What cannot be read among others is named, and answered like them: it would only come again as it is.
        """
        found: dict[Waybill, list[Row]] = defaultdict(list)
        broken: list[str] = []
        for row in _rows(push.body):
            number, carrier = word(row, "mailNo"), _carrier(row)
            if number and carrier:
                found[Waybill(carrier, clean(number, 64))].append(row)
            else:
                broken.append("没有 mailNo 或 cpCode 的一条")
        answers: list[Answer] = []
        for waybill, rows in found.items():
            try:
                answers.append(_read(waybill, rows))
            except Unreadable as error:
                broken.append(f"{waybill.waybill_no}：{error}")
        if not answers:
            raise Unreadable(f"菜鸟的推送没有一条读得懂：{'；'.join(broken[:3])}")
        return Delivery(tuple(answers), _KEPT, unreadable=tuple(broken[:_NAMED]))


def _rows(body: bytes) -> list[Row]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("菜鸟的推送不是 JSON") from None
    rows = rows_in(told, "菜鸟的推送")
    if not rows:
        raise Unreadable("菜鸟的推送是空的")
    return rows


def _carrier(row: Mapping[str, object]) -> str:
    """Our key of `cpCode`; one that is nobody's passes through, and matches no parcel of ours."""
    code = word(row, "cpCode")
    return canonical(code) or code.lower()


def _read(waybill: Waybill, rows: Sequence[Row]) -> Answer:
    """What it says of one parcel: nothing of the scans it leaves out, and perhaps late."""
    answer = track(rows, waybill, "菜鸟", when="logisticsGmtModified", event=_event)
    strange = () if all(canonical(word(row, "cpCode")) for row in rows) else (f"cpCode {waybill.carrier}",)
    return replace(answer, whole=False, late=True, unknown_codes=(*answer.unknown_codes, *strange))


def _event(moment: datetime, row: Row, unknown: Unknown) -> TrackingEvent:
    said, status = row.get("lastLogisticDetail"), word(row, "logisticsStatusDesc")
    if not isinstance(said, str | None):
        raise Unreadable("菜鸟的 lastLogisticDetail 不是文字")
    code = word(row, "logisticsStatus")
    return scan(
        moment,
        text_of(said) or status,
        coded(code, _CODES, "logisticsStatus", unknown),
        unknown,
        said_in="lastLogisticDetail",
        code=code,
        status=status,
        area=city(word(row, "city")),
    )
