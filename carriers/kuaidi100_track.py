"""快递100's tracks: what its codes and rows mean.

Says: rows newest first, in Beijing wall clock without offset, each with a state code and the carrier's own
words.
Odd:  some codes are its own clocks and stand on old rows (201, 202, 205); code 0 is also the default;
`ischeck` 1 says as well that the shipper signed, so it is not read.
From: `facts/carriers-kuaidi100.md`, `facts/carriers-states.csv`, `facts/platform-rules.md` §9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from carriers.names import listed
from carriers.scans import (
    BY_WORDS,
    NOBODY_KNOWS,
    OWN_CLOCK,
    Meaning,
    Unknown,
    beijing,
    in_order,
    scan,
    text_of,
    word,
)
from domain.masking import clean, safe_text
from domain.orders import Waybill
from domain.reading import read
from domain.remote import Unreadable
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent

__all__ = ["found_instead", "read_track"]


_CODES: Final[Mapping[str, Meaning]] = {
    "101": Meaning(Milestone.LABEL_CREATED),
    "102": Meaning(Milestone.LABEL_CREATED),
    "1": Meaning(Milestone.PICKED_UP),
    "103": Meaning(Milestone.PICKED_UP),
    # Generic, so the words come first (§9). A row whose words nobody can read is still one that 快递100
    # says is under way (official table), and what we cannot read must not accuse a carrier of silence.
    "0": Meaning(otherwise=Milestone.IN_TRANSIT),
    "1001": Meaning(Milestone.ARRIVED_DEST_CITY),
    "1002": Meaning(Milestone.IN_TRANSIT),
    "1003": Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED),
    "5": Meaning(Milestone.OUT_FOR_DELIVERY),
    "501": Meaning(Milestone.READY_FOR_COLLECTION),
    "3": Meaning(Milestone.DELIVERED),
    "301": Meaning(Milestone.DELIVERED, kind=DeliveredKind.SELF),
    "302": Meaning(Milestone.DELIVERED),
    "303": Meaning(Milestone.DELIVERED, kind=DeliveredKind.AGENT),
    "304": Meaning(Milestone.DELIVERED, kind=DeliveredKind.STATION),
    "6": Meaning(Milestone.RETURNING),
    "4": Meaning(Milestone.RETURNED),
    "401": Meaning(Milestone.CANCELLED),
    "210": Meaning(Milestone.CANCELLED),
    "14": Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED),
    "7": Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED),
    "2": Meaning(exception=ExceptionKind.HELD),
    "201": OWN_CLOCK,  # 201, 202, 205: its own clocks, no scan and no proof of anything
    "202": OWN_CLOCK,
    "203": Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED),
    "204": Meaning(Milestone.DELIVERY_FAILED),
    "205": OWN_CLOCK,
    "206": Meaning(exception=ExceptionKind.CONTACT_FAILURE),
    "207": Meaning(exception=ExceptionKind.OUT_OF_AREA),
    "208": Meaning(exception=ExceptionKind.HELD),
    "209": Meaning(exception=ExceptionKind.DAMAGED),
    "8": Meaning(Milestone.IMPORT_CUSTOMS),
    "10": Meaning(Milestone.IMPORT_CUSTOMS),
    "11": Meaning(Milestone.IMPORT_CUSTOMS),
    "12": Meaning(Milestone.CUSTOMS_CLEARED),
    "13": Meaning(Milestone.IMPORT_CUSTOMS, ExceptionKind.CUSTOMS_EXCEPTION),
}
_NAMES: Final[Mapping[str, str]] = {
    "揽收": "1", "在途": "0", "派件": "5", "签收": "3", "退回": "6", "退签": "4", "转投": "7", "疑难": "2",
    "清关": "8", "拒签": "14", "已下单": "101", "待揽收": "102", "已揽收": "103", "到达派件城市": "1001",
    "干线": "1002", "转递": "1003", "投柜或驿站": "501", "本人签收": "301", "派件异常后签收": "302",
    "代签": "303", "投柜或站签收": "304", "已销单": "401", "超时未签收": "201", "超时未更新": "202",
    "拒收": "203", "派件异常": "204", "柜或驿站超时未取": "205", "无法联系": "206", "超区": "207",
    "滞留": "208", "破损": "209", "销单": "210", "待清关": "10", "清关中": "11", "已清关": "12",
    "清关异常": "13",
}  # fmt: skip
"""Names to codes: with `resultv2` 1 rows have only these."""

_OWN_CLOCKS: Final = frozenset({"201", "202", "205"})


def read_track(body: Mapping[str, Any], waybill: Waybill) -> Answer:
    """One track as a query's reply or a push's `lastResult` holds it.

    Raises `Unreadable` for another parcel's track, wrong types, or rows of which none has a time: that must
    not pass for an empty history.
    """
    rows = body.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable("快递100 的 data 不是轨迹列表")
    number = str(body.get("nu") or "")
    if number and _bare(number) != _bare(waybill.waybill_no):
        raise Unreadable(f"快递100 回答的是另一个单号 {clean(number, 40)!r}")
    unknown = Unknown()
    events = _events(rows, str(body.get("state") or ""), unknown)
    if rows and not events:
        raise Unreadable("快递100 的轨迹没有一行时间可读")
    said = safe_text(str(body.get("message") or ""), 120)
    return Answer(
        carrier=waybill.carrier,
        waybill_no=waybill.waybill_no,
        events=events,
        whole=len(events) == len(rows),
        corrected_carrier=_corrected(body.get("com"), waybill.carrier, unknown),
        remark="" if events else (said if said != "ok" else "查询无结果"),
        unknown_codes=tuple(unknown.seen),
    )


def _bare(number: str) -> str:
    """京东 numbers may come with or without the parcel's place in its order, as -1-1-."""
    return number.strip().upper().split("-")[0]


def _corrected(com: object, asked: str, unknown: Unknown) -> str:
    """The carrier 快递100 found instead of ours, or nothing."""
    code = com.strip().lower() if isinstance(com, str) else ""
    if not code or code == asked:
        return ""
    return found_instead(code, asked, "com", unknown)


def found_instead(code: str, asked: str, said_in: str, unknown: Unknown) -> str:
    """Our key of the carrier a code names, or nothing where it is `asked`; one in no table is counted (L7)."""
    found = listed(code)
    if found is None:
        unknown.note(said_in, code)
    return "" if found in (None, asked) else str(found)


def _events(rows: Sequence[Mapping[str, Any]], state: str, unknown: Unknown) -> tuple[TrackingEvent, ...]:
    """The rows oldest first; within a second by milestone, then as the carrier put them."""
    timed: list[tuple[datetime, Mapping[str, Any]]] = []
    for row in rows:
        moment = _moment(row)
        if moment is None:
            unknown.note("time", row.get("ftime") or row.get("time"))
        else:
            timed.append((moment, row))
    if timed and timed[0][0] >= timed[-1][0]:
        timed.reverse()
    timed.sort(key=lambda pair: pair[0])
    coded = any(word(row, "statusCode") or word(row, "status") for row in rows)
    events = [
        _event(moment, row, state if not coded and nth == len(timed) else "", unknown)
        for nth, (moment, row) in enumerate(timed, 1)
    ]
    return in_order(events)


def _moment(row: Mapping[str, Any]) -> datetime | None:
    """When the scan happened, in UTC; None where no time can be read."""
    return beijing(row.get("ftime")) or beijing(row.get("time"))


def _event(moment: datetime, row: Mapping[str, Any], state: str, unknown: Unknown) -> TrackingEvent:
    """One row. `state` is the parcel's own code where the rows have none: it counts if the words are silent."""
    context = row.get("context")
    if not isinstance(context, str | None):
        raise Unreadable("快递100 的 context 不是文字")
    code, status = word(row, "statusCode"), word(row, "status")
    text = text_of(context) or status
    means = _meaning(code, status, state if read(text).silent and state != "0" else "", unknown)
    area = word(row, "areaName")
    return scan(moment, text, means, unknown, said_in="context", code=code, status=status, area=area)


def _meaning(code: str, status: str, state: str, unknown: Unknown) -> Meaning:
    """What the row's code says, else its status name, else the parcel's state."""
    if code:
        if code not in _CODES:
            unknown.note("statusCode", code)
            return NOBODY_KNOWS
        return _CODES[code]
    if status and status not in _NAMES:
        unknown.note("status", status)
    name = _NAMES.get(status)
    if name is None and state in _OWN_CLOCKS:
        return BY_WORDS  # the state is the parcel's, no clock laid over this row
    return _CODES.get(name or state, BY_WORDS)
