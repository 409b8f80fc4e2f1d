"""AfterShip's trackings: what tags and subtags mean, and how exact a checkpoint's time is.

Says: `checkpoints[]`, oldest first (not promised, so they are sorted), each with a tag, a subtag and a time with
offset, a wall clock without one, or a day alone.
Odd:  `Expired` is AfterShip's own clock after 30 silent days. A tracking that is no longer `active` shows what it
had then, and a new one nothing at all: neither proves silence.
From: `facts/carriers-international.md` (AfterShip), `facts/carriers-states.csv`; `facts/carriers.md`, distinction 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from carriers.abroad import NEVER, When, area, corrected, legs, newest, when, zone_of
from carriers.names import display
from carriers.push import End, Ended
from carriers.scans import (
    BY_WORDS,
    NOBODY_KNOWS,
    OWN_CLOCK,
    REMARK,
    Meaning,
    Unknown,
    by_code,
    in_order,
    scan,
    text_of,
    word,
)
from domain.masking import clean, safe_text
from domain.orders import Waybill
from domain.remote import Rejected, Unreadable
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["ended", "page_of", "read_tracking", "refusal"]

_WHO: Final = "AfterShip"

_SUBTAGS: Final = by_code(
    ("Pending_001 Pending_002 Pending_003 Pending_004 Pending_005 Pending_006", REMARK),
    ("InfoReceived_001", Meaning(Milestone.LABEL_CREATED)),
    ("InTransit_002", Meaning(Milestone.PICKED_UP)),
    (
        "InTransit_001 InTransit_003 InTransit_004 InTransit_007 InTransit_008 InTransit_009",
        Meaning(Milestone.IN_TRANSIT),
    ),
    # one is "completed" in `samples/aftership`, the table names both only "Customs"
    ("InTransit_005 InTransit_006", Meaning(Milestone.IMPORT_CUSTOMS)),
    ("OutForDelivery_001 OutForDelivery_003 OutForDelivery_004", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("AvailableForPickup_001", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("AttemptFail_001 AttemptFail_002 AttemptFail_003", Meaning(Milestone.DELIVERY_FAILED)),
    ("Delivered_001 Delivered_002 Delivered_003 Delivered_004 Delivered_005", Meaning(Milestone.DELIVERED)),
    ("Exception_002 Exception_007", Meaning(exception=ExceptionKind.ADDRESS_ERROR)),
    ("Exception_003", Meaning(exception=ExceptionKind.REFUSED)),
    ("Exception_004 Exception_018", Meaning(exception=ExceptionKind.CUSTOMS_EXCEPTION)),
    (
        "Exception_001 Exception_005 Exception_006 Exception_008 Exception_009 Exception_016 Exception_017",
        Meaning(exception=ExceptionKind.HELD),
    ),
    ("Exception_010", Meaning(Milestone.RETURNING)),
    ("Exception_011", Meaning(Milestone.RETURNED)),
    ("Exception_012", Meaning(exception=ExceptionKind.DAMAGED)),
    ("Exception_013", Meaning(exception=ExceptionKind.LOST)),
    ("Expired_001", OWN_CLOCK),
)

_TAGS: Final = by_code(
    ("Pending", REMARK),
    ("InfoReceived", Meaning(Milestone.LABEL_CREATED)),
    ("InTransit", Meaning(Milestone.IN_TRANSIT)),
    ("OutForDelivery", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("AttemptFail", Meaning(Milestone.DELIVERY_FAILED)),
    ("AvailableForPickup", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("Delivered", Meaning(Milestone.DELIVERED)),
    ("Exception", Meaning(exception=ExceptionKind.HELD)),
    ("Expired", OWN_CLOCK),
)
"""Coarser than the subtag, so it counts only where that is in no table."""

_DATA_FAULT: Final[Mapping[int, str]] = {
    4010: "slug（公司）不对，请检查 couriers",
    4011: "还缺这家公司要的资料",
    4012: "认不出是哪家公司，请用 couriers 写明",
}


def read_tracking(
    tracking: Mapping[str, Any],
    waybill: Waybill,
    codes: Mapping[str, str],
    now: datetime,
    lag: timedelta,
) -> Answer:
    """A tracking of a list, a reply or a push as one track; `lag` is how long AfterShip needs to look.

    Raises `Unreadable` for wrong types, or checkpoints of which none has a time.
    """
    rows = legs(tracking.get("checkpoints"), _WHO)
    unknown, events = Unknown(), list[TrackingEvent]()
    for row in rows:
        moment = when(row.get("checkpoint_time"), zone_of(_country(row)))
        if moment is None:
            unknown.note("checkpoint_time", row.get("checkpoint_time"))
        else:
            events.append(_event(moment, row, unknown))
    if rows and not events:
        raise Unreadable(f"{_WHO} 的轨迹没有一行时间可读")
    said = safe_text(str(tracking.get("subtag_message") or ""), 80) or word(tracking, "subtag")
    return Answer(
        carrier=waybill.carrier,
        waybill_no=waybill.waybill_no,
        events=in_order(events),
        read_at=_read_at(tracking, events, now - lag),
        whole=len(events) == len(rows),
        corrected_carrier=corrected(word(tracking, "slug"), waybill.carrier, codes, unknown),
        remark="" if events else f"{_WHO}：没有轨迹（{said or word(tracking, 'tag') or '没有说明'}）",
        unknown_codes=tuple(unknown.seen),
    )


def _read_at(tracking: Mapping[str, Any], events: list[TrackingEvent], looked: datetime) -> datetime | None:
    """None: as fresh as AfterShip ever is. It does not say when it looked, only when it cannot have."""
    if tracking.get("active") is False:
        return newest(events)
    created = when(tracking.get("created_at"))
    unread = not events and (created is None or created.at > looked)
    return NEVER if unread else None


def _country(row: Mapping[str, Any]) -> str:
    """Newer versions say `country_region`, older ones `country_iso3`."""
    return word(row, "country_region") or word(row, "country_iso3")


def _event(moment: When, row: Mapping[str, Any], unknown: Unknown) -> TrackingEvent:
    said = row.get("message")
    if not isinstance(said, str | None):
        raise Unreadable(f"{_WHO} 的 message 不是文字")
    code, tag = word(row, "subtag"), word(row, "tag")
    event = scan(
        moment.at,
        text_of(said),
        _meaning(code, tag, unknown),
        unknown,
        said_in="message",
        code=code,
        status=tag,
        area=area(word(row, "city") or row.get("location"), _country(row)),
    )
    return moment.on(event)


def _meaning(code: str, tag: str, unknown: Unknown) -> Meaning:
    """What the subtag says, else the tag; what is in neither table is counted."""
    for name, value, table in (("subtag", code, _SUBTAGS), ("tag", tag, _TAGS)):
        if value and value not in table:
            unknown.note(name, value)
    found = _SUBTAGS.get(code) or _TAGS.get(tag)
    return found or (NOBODY_KNOWS if code or tag else BY_WORDS)


def page_of(data: object) -> tuple[list[Mapping[str, Any]], str]:
    """The trackings of one page and where the next begins; nothing where there is none."""
    if not isinstance(data, dict):
        raise Unreadable(f"{_WHO} 的 data 不是对象")
    if "trackings" not in data:  # one tracking, not a list
        return legs([data] if word(data, "tracking_number") else "", _WHO), ""
    told = data.get("pagination")
    pages: Mapping[str, Any] = told if isinstance(told, dict) else {}
    more = pages.get("has_next_page") is True
    return legs(data["trackings"], _WHO), word(pages, "next_cursor") if more else ""


def ended(tracking: Mapping[str, Any], waybill: Waybill) -> tuple[Ended, ...]:
    """A tracking that is no longer active is over: arrived, or silent for 30 days."""
    tag = word(tracking, "tag")
    if tracking.get("active") is not False and tag != "Expired":
        return ()
    arrived = tag == "Delivered" or word(tracking, "subtag") == "Exception_011"
    why = End.DONE if arrived else End.SILENT if tag == "Expired" else End.REFUSED
    return (Ended(waybill, why, word(tracking, "subtag") or tag),)


def refusal(code: int, words: str, waybill: Waybill) -> Rejected:
    """A data fault of one number. Raises `Unreadable` for a code that is in no manual."""
    if code in _DATA_FAULT:
        return Rejected(f"AfterShip：{display(waybill.carrier)} {_DATA_FAULT[code]}（{code}：{words}）")
    if code in (400, 4001, 4002, 4005, 4009, 4017):
        return Rejected(f"AfterShip 不接受此单号（{code}：{words}）")
    if code in (4013, 4016):
        return Rejected(f"AfterShip 不能再跟踪（{code}：{words}）")
    raise Unreadable(f"AfterShip 的 meta.code {clean(str(code), 20)} 不在文档中：{words}")
