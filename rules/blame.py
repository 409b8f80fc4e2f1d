"""Whose doing it is: who held the parcel for most of the wait that was broken.

The wait of a clock is cut where the parcel changed hands, as far as anybody told: the shop until it was shipped,
nobody knows who until the pickup, the carrier from then on, the buyer where the carrier says that it waits for one.
Weather and exemption windows are nobody's. Who holds the longest piece is to blame, with the length in words.
A remark about standing still (no answer, typhoon) explains the whole silence it was made in. Troubles that end with
the next scan are not in the condensed history any more, so a paid → signed clock knows the last one only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from domain.findings import Blame, ClockReading, Party
from domain.journey import Journey, OpenException
from domain.orders import Case, OrderStatus
from domain.time import Calendar
from domain.tracking import EXCEPTION_ZH, MILESTONE_ZH, ExceptionKind, Milestone
from rules.policy import Line

__all__ = ["blame", "blame_trouble"]


class _Hands(StrEnum):
    """Who may hold a parcel; between equals the first one here is named."""

    EXEMPT = "exempt"
    BUYER = "buyer"
    SHOP = "shop"
    CARRIER = "carrier"
    BETWEEN = "between"
    """Shipped and not picked up: still in the shop, or the courier never came."""


_PARTY: Final[Mapping[_Hands, Party]] = {
    _Hands.EXEMPT: Party.EXEMPT,
    _Hands.BUYER: Party.BUYER,
    _Hands.SHOP: Party.WAREHOUSE,
    _Hands.CARRIER: Party.CARRIER,
    _Hands.BETWEEN: Party.UNKNOWN,
}
_BUYERS: Final = (
    ExceptionKind.REFUSED,
    ExceptionKind.ADDRESS_ERROR,
    ExceptionKind.CONTACT_FAILURE,
    ExceptionKind.RESCHEDULED,
    ExceptionKind.LOCKER_OVERDUE,
)


class _Turn(NamedTuple):
    """From when in whose hands, and how people say it around the length: `付款后` 40 小时 `才发货`."""

    since: datetime
    hands: _Hands
    head: str
    tail: str = ""


def blame(case: Case, line: Line, reading: ClockReading, horizon: datetime) -> Blame:
    """Who held the parcel for most of the time between the clock's start and the horizon, and for how long."""
    started = reading.started_at
    if started is None or horizon <= started:
        return Blame(Party.UNKNOWN, "还没有可以归因的时间")
    turns = _turns(case, reading, started)
    ends = [*(turn.since for turn in turns[1:]), horizon]
    held = [
        (line.natural.elapsed(max(turn.since, started), min(end, horizon)), turn)
        for turn, end in zip(turns, ends, strict=True)
    ]
    total = horizon - started
    excused = total - line.natural.elapsed(started, horizon)
    if excused:
        held.append(
            (excused, _Turn(started, _Hands.EXEMPT, f"豁免时段{_names(line.natural, started, horizon)}占了"))
        )
    length, turn = max(held, key=lambda each: (each[0], -_RANK[each[1].hands]))
    whole = f"（共 {_long(total)}）" if length < total else ""
    gap = "" if turn.head.endswith("，") else " "
    return Blame(_PARTY[turn.hands], f"{turn.head}{gap}{_long(length)}{turn.tail}{whole}")


def blame_trouble(kind: str, case: Case) -> Blame:
    """Who is to blame for trouble the carrier itself reports: an exception, or the way back."""
    if kind in _WAY_BACK:
        why = next((found.kind for found in case.journey.exceptions if found.kind in _BUYERS), None)
        if why is not None:
            return Blame(Party.BUYER, f"{EXCEPTION_ZH[why]}后退回")
        if Milestone.DELIVERY_FAILED in case.journey.first:
            return Blame(Party.UNKNOWN, f"{MILESTONE_ZH[Milestone.DELIVERY_FAILED]}后退回")
        return Blame(Party.UNKNOWN, "退回，轨迹没有写原因")
    said = ExceptionKind(kind)
    return Blame(_REPORTED.get(said, Party.UNKNOWN), f"承运商报告：{EXCEPTION_ZH[said]}")


_RANK: Final = {hands: rank for rank, hands in enumerate(_Hands)}
_WAY_BACK: Final = frozenset({Milestone.RETURNING.value, Milestone.RETURNED.value})
_REPORTED: Final[Mapping[ExceptionKind, Party]] = {
    **dict.fromkeys(_BUYERS, Party.BUYER),
    ExceptionKind.LOST: Party.CARRIER,
    ExceptionKind.DAMAGED: Party.CARRIER,
    ExceptionKind.HELD: Party.CARRIER,
    ExceptionKind.HUB_CONGESTION: Party.CARRIER,
    ExceptionKind.OUT_OF_AREA: Party.CARRIER,
    ExceptionKind.SIGNED_THEN_STORED: Party.CARRIER,
    ExceptionKind.FORCE_MAJEURE: Party.EXEMPT,
    ExceptionKind.PICKUP_FAILED: Party.WAREHOUSE,
}
"""The others say what happened and not whose doing it was: contents missing, customs, an interception."""


# ── who held it when ─────────────────────────────────────────────────────────────────────────────


def _turns(case: Case, reading: ClockReading, started: datetime) -> list[_Turn]:
    """Whose turn it was since the start, in order; each lasts until the next."""
    journey = case.journey
    if journey.turned_back:
        return [_Turn(started, _Hands.CARRIER, "退回途中", "还没有退到")]
    picked_at = journey.first_scan_at
    turns = _in_the_shop(case, reading, started)
    if picked_at is not None:
        turns.append(
            _with_the_carrier(journey, max(picked_at, started), "揽收后" if picked_at >= started else "")
        )
    standing = _standing(journey)
    if standing is not None:
        turns.append(standing._replace(since=max(standing.since, started)))
    turns.sort(key=lambda turn: turn.since)
    return turns


def _in_the_shop(case: Case, reading: ClockReading, started: datetime) -> list[_Turn]:
    """Until the pickup: the buyer pays, the shop packs, and then somebody waits for the courier."""
    journey, word = case.journey, reading.started_by
    shipped_at = _shipped_at(case)
    picked_at = journey.first_scan_at
    turns: list[_Turn] = []
    paid_at = min((order.paid_at for order in case.orders if order.paid_at is not None), default=None)
    begun = started
    if paid_at is not None and paid_at > started and word == MILESTONE_ZH[Milestone.ORDERED]:
        turns.append(_Turn(started, _Hands.BUYER, "下单后", "才付款"))
        begun, word = paid_at, MILESTONE_ZH[Milestone.PAID]
    if picked_at is None and any(found.kind is ExceptionKind.PICKUP_FAILED for found in journey.exceptions):
        return [*turns, _Turn(begun, _Hands.SHOP, f"快递上门揽收失败，{word}后", "仍未揽收")]
    if shipped_at is None and picked_at is None and _said_shipped(case):
        return [*turns, _Turn(begun, _Hands.BETWEEN, f"{word}后", "仍没有揽收，也不知道何时发的货")]
    if shipped_at is None or (picked_at is not None and picked_at <= shipped_at):
        tail = "仍未发货" if picked_at is None else "才揽收"
        return [*turns, _Turn(begun, _Hands.SHOP, f"{word}后", tail)]
    if shipped_at > begun:
        turns.append(_Turn(begun, _Hands.SHOP, f"{word}后", "才发货"))
    until = "才揽收" if picked_at is not None else "仍没有揽收"
    tail = f"{until}，看不出是仓库没交出，还是快递没来取"
    return [*turns, _Turn(max(shipped_at, begun), _Hands.BETWEEN, "发货后", tail)]


def _with_the_carrier(journey: Journey, since: datetime, head: str) -> _Turn:
    """From the pickup on; where it stands still since the start, it is said where."""
    if journey.last_movement_at is not None and journey.last_movement_at <= since:
        where = journey.whereabouts.zh if journey.whereabouts is not None else "揽收后"
        return _Turn(since, _Hands.CARRIER, f"{where}，", "没有新的扫描")
    return _Turn(since, _Hands.CARRIER, f"{head}在快递手里")


def _standing(journey: Journey) -> _Turn | None:
    """Trouble that stands and that neither shop nor carrier made."""
    for found in journey.exceptions:
        if found.kind is ExceptionKind.FORCE_MAJEURE:
            return _Turn(_silent_since(journey, found), _Hands.EXEMPT, "承运商报告不可抗力，已")
    for found in journey.exceptions:
        if found.kind in _BUYERS:
            return _Turn(_silent_since(journey, found), _Hands.BUYER, f"{EXCEPTION_ZH[found.kind]}，已等")
    if journey.milestone is Milestone.READY_FOR_COLLECTION:
        stored_at = journey.first[Milestone.READY_FOR_COLLECTION]
        out_at = journey.last.get(Milestone.OUT_FOR_DELIVERY)
        if out_at is not None and out_at > stored_at:
            stored_at = journey.last[Milestone.READY_FOR_COLLECTION]
        return _Turn(stored_at, _Hands.BUYER, "待取件", "没有取")
    return None


def _silent_since(journey: Journey, found: OpenException) -> datetime:
    """The scan before the remark, for the remark explains the silence after it."""
    moved_at = journey.last_movement_at
    return moved_at if moved_at is not None and moved_at <= found.since else found.since


def _shipped_at(case: Case) -> datetime | None:
    """The shop's word, else the carrier's echo of the label."""
    shipped = (order.shipped_at for order in case.orders if order.shipped_at is not None)
    return min(shipped, default=case.journey.first.get(Milestone.LABEL_CREATED))


def _said_shipped(case: Case) -> bool:
    """The export says that it was shipped, and not when."""
    return any(order.status.rank >= OrderStatus.SHIPPED.rank for order in case.orders)


# ── in words ─────────────────────────────────────────────────────────────────────────────────────


def _names(calendar: Calendar, started: datetime, horizon: datetime) -> str:
    """The windows that lie in the wait: `「台风」`; nothing where they have no names."""
    inside = (pause for pause in calendar.pauses if pause.starts_at < horizon and pause.ends_at > started)
    names = "、".join(dict.fromkeys(pause.name for pause in inside if pause.name))
    return f"「{names}」" if names else ""


def _long(length: timedelta) -> str:
    """`40 小时`, `1.5 小时`, `36 分钟`, `8 秒`: a rehearsal's waits are seconds."""
    for unit, zh in ((timedelta(hours=1), "小时"), (timedelta(minutes=1), "分钟")):
        if length >= unit:
            return f"{round(length / unit, 1):g} {zh}"
    return f"{round(length / timedelta(seconds=1)):g} 秒"
