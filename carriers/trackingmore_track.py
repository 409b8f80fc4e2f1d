"""TrackingMore's trackings: what statuses and substatuses mean, two legs in one order.

Says: `origin_info.trackinfo[]` and `destination_info.trackinfo[]`, newest first, each row with a status, a
substatus and a time, mostly with an offset.
From: `facts/carriers-international.md` (TrackingMore), `facts/carriers-states.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from carriers.abroad import NEVER, When, area, corrected, legs, newest, when, zone_of
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
from domain.masking import safe_text
from domain.orders import Waybill
from domain.remote import Unreadable
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["read_tracking"]

_WHO: Final = "TrackingMore"

_SUBSTATUS: Final = by_code(
    ("notfound001", Meaning(Milestone.LABEL_CREATED)),
    ("notfound002", REMARK),
    (
        "transit001 transit002 transit003 transit004 transit005 transit006 transit007",
        Meaning(Milestone.IN_TRANSIT),
    ),
    ("pickup001", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("pickup002 pickup003", Meaning(otherwise=Milestone.READY_FOR_COLLECTION)),
    ("delivered001 delivered002 delivered003 delivered004", Meaning(Milestone.DELIVERED)),
    (
        "undelivered001 undelivered002 undelivered003 undelivered004",
        Meaning(Milestone.DELIVERY_FAILED),
    ),
    ("exception004", Meaning(exception=ExceptionKind.LOCKER_OVERDUE)),
    ("exception005", Meaning(exception=ExceptionKind.HELD)),
    ("exception006", Meaning(exception=ExceptionKind.CUSTOMS_EXCEPTION)),
    ("exception007", Meaning(exception=ExceptionKind.DAMAGED)),
    ("exception008", Meaning(Milestone.CANCELLED)),
    ("exception009", Meaning(exception=ExceptionKind.REFUSED)),
    ("exception010", Meaning(Milestone.RETURNED)),
    ("exception011", Meaning(Milestone.RETURNING)),
)

_STATUS: Final = by_code(
    ("pending notfound", REMARK),
    ("inforeceived", Meaning(Milestone.LABEL_CREATED)),
    ("transit", Meaning(Milestone.IN_TRANSIT)),
    ("pickup", Meaning(otherwise=Milestone.OUT_FOR_DELIVERY)),
    ("delivered", Meaning(Milestone.DELIVERED)),
    ("undelivered", Meaning(Milestone.DELIVERY_FAILED)),
    ("exception", Meaning(exception=ExceptionKind.HELD)),
    ("expired", OWN_CLOCK),
)
"""Coarser than the substatus, so it counts only where that is in no table."""


def read_tracking(
    tracking: Mapping[str, Any],
    waybill: Waybill,
    codes: Mapping[str, str],
    now: datetime,
    lag: timedelta,
) -> Answer:
    """A tracking of a list, a reply or a push as one track; `lag` is how long TrackingMore needs to look.

    Raises `Unreadable` for wrong types, or rows of which none has a time.
    """
    rows = [*_leg(tracking, "origin_info"), *_leg(tracking, "destination_info")]
    unknown, events = Unknown(), list[TrackingEvent]()
    for row in reversed(rows):
        moment = when(row.get("checkpoint_date"), zone_of(row.get("country_iso2")))
        if moment is None:
            unknown.note("checkpoint_date", row.get("checkpoint_date"))
        else:
            events.append(_event(moment, row, unknown))
    if rows and not events:
        raise Unreadable(f"{_WHO} 的轨迹没有一行时间可读")
    status = word(tracking, "delivery_status")
    said = safe_text(str(tracking.get("status_info") or ""), 80) or word(tracking, "substatus") or status
    return Answer(
        carrier=waybill.carrier,
        waybill_no=waybill.waybill_no,
        events=in_order(events),
        read_at=_read_at(tracking, events, now - lag),
        whole=len(events) == len(rows),
        corrected_carrier=corrected(word(tracking, "courier_code"), waybill.carrier, codes, unknown),
        remark="" if events else f"{_WHO}：没有轨迹（{said or '没有说明'}）",
        unknown_codes=tuple(unknown.seen),
    )


def _leg(tracking: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    told = tracking.get(name)
    if not isinstance(told, dict | None):
        raise Unreadable(f"{_WHO} 的 {name} 不是对象")
    return legs(told.get("trackinfo") if told else None, _WHO)


def _read_at(
    tracking: Mapping[str, Any], events: Sequence[TrackingEvent], looked: datetime
) -> datetime | None:
    """None: as fresh as TrackingMore ever is. It does not say when it looked, only when it cannot have."""
    if word(tracking, "delivery_status") == "expired" or tracking.get("archived") is True:
        return newest(events)
    created = when(tracking.get("created_at"))
    unread = not events and (created is None or created.at > looked)
    return NEVER if unread else None


def _event(moment: When, row: Mapping[str, Any], unknown: Unknown) -> TrackingEvent:
    said = row.get("tracking_detail")
    if not isinstance(said, str | None):
        raise Unreadable(f"{_WHO} 的 tracking_detail 不是文字")
    code, status = word(row, "checkpoint_delivery_substatus"), word(row, "checkpoint_delivery_status")
    event = scan(
        moment.at,
        text_of(said),
        _meaning(code, status, unknown),
        unknown,
        said_in="tracking_detail",
        code=code,
        status=status,
        area=area(word(row, "city") or row.get("location"), word(row, "country_iso2")),
    )
    return moment.on(event)


def _meaning(code: str, status: str, unknown: Unknown) -> Meaning:
    """What the substatus says, else the status; what is in neither table is counted."""
    known = (("substatus", code, _SUBSTATUS), ("status", status, _STATUS))
    for name, value, table in known:
        if value and value not in table:
            unknown.note(name, value)
    found = _SUBSTATUS.get(code) or _STATUS.get(status)
    return found or (NOBODY_KNOWS if code or status else BY_WORDS)
