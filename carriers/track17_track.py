"""17TRACK's tracks: what its stages and sub-statuses mean, and when it last read the carriers.

Says: `tracking.providers[]`, one for each leg of the way, each with its events newest first and the time of its
last look at that carrier. `time_raw` may lack the zone (then the offset is their guess) or the time of day.
Odd:  the parcel's `latest_status` may say something else than its newest event: the events decide, the other is
told in the remark. `Expired` is 17TRACK's own clock, `milestone[]` always has nine rows: neither is read.
From: `facts/carriers-international.md` (17TRACK), `facts/carriers-states.csv`; `facts/carriers.md`, distinction 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from carriers.abroad import NEVER, When, area, corrected, legs, newest, when
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
from domain.remote import Unreadable
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["nothing_yet", "read_info"]

_WHO: Final = "17TRACK"

_SUB_STATUS: Final = by_code(
    ("NotFound_Other NotFound_InvalidCode", REMARK),
    ("InfoReceived", Meaning(Milestone.LABEL_CREATED)),
    ("InTransit_PickedUp", Meaning(Milestone.PICKED_UP)),
    ("InTransit_Departure InTransit_Arrival InTransit_Other", Meaning(Milestone.IN_TRANSIT)),
    ("InTransit_CustomsProcessing", Meaning(Milestone.IMPORT_CUSTOMS)),
    ("InTransit_CustomsReleased", Meaning(Milestone.CUSTOMS_CLEARED)),
    (
        "InTransit_CustomsRequiringInformation",
        Meaning(Milestone.IMPORT_CUSTOMS, ExceptionKind.CUSTOMS_EXCEPTION),
    ),
    ("AvailableForPickup_Other", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("OutForDelivery_Other", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("DeliveryFailure_Other DeliveryFailure_NoBody", Meaning(Milestone.DELIVERY_FAILED)),
    ("DeliveryFailure_Security", Meaning(Milestone.DELIVERY_FAILED)),
    ("DeliveryFailure_Rejected", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED)),
    ("DeliveryFailure_InvalidAddress", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.ADDRESS_ERROR)),
    ("Delivered_Other", Meaning(Milestone.DELIVERED)),
    ("Expired_Other", OWN_CLOCK),
    ("Exception_Returning", Meaning(Milestone.RETURNING)),
    ("Exception_Returned", Meaning(Milestone.RETURNED)),
    ("Exception_NoBody", Meaning(exception=ExceptionKind.CONTACT_FAILURE)),
    ("Exception_Other Exception_Security Exception_Delayed", Meaning(exception=ExceptionKind.HELD)),
    ("Exception_Damage Exception_Destroyed", Meaning(exception=ExceptionKind.DAMAGED)),
    ("Exception_Rejected", Meaning(exception=ExceptionKind.REFUSED)),
    ("Exception_Lost", Meaning(exception=ExceptionKind.LOST)),
    ("Exception_Cancel", Meaning(Milestone.CANCELLED)),
)

_STAGES: Final = by_code(
    ("InfoReceived", Meaning(Milestone.LABEL_CREATED)),
    ("PickedUp", Meaning(Milestone.PICKED_UP)),
    ("Departure Arrival", Meaning(Milestone.IN_TRANSIT)),
    ("AvailableForPickup", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("OutForDelivery", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("Delivered", Meaning(Milestone.DELIVERED)),
    ("Returning", Meaning(Milestone.RETURNING)),
    ("Returned", Meaning(Milestone.RETURNED)),
)
"""`stage`, one of the nine key stages: coarser, so it counts only where the sub-status says nothing."""

_SAYS_NOTHING_OF_A_ROW: Final = frozenset({"", "NotFound_Other", "NotFound_InvalidCode", "Expired_Other"})


def nothing_yet(waybill: Waybill, said: str) -> Answer:
    """17TRACK has nothing to show and does not say that it looked: no proof of silence."""
    return Answer(waybill.carrier, waybill.waybill_no, read_at=NEVER, remark=f"{_WHO}：{said}")


def read_info(entry: Mapping[str, Any], waybill: Waybill, codes: Mapping[str, str]) -> Answer:
    """An entry with `track_info`, of a reply's `accepted` or of a push, as one track in the order of time.

    Raises `Unreadable` for wrong types, or rows of which none has a time.
    """
    info = entry.get("track_info")
    tracking = info.get("tracking") if isinstance(info, dict) else None
    if not isinstance(info, dict) or not isinstance(tracking, dict):
        raise Unreadable(f"{_WHO} 的 track_info 不是轨迹")
    providers = legs(tracking.get("providers"), _WHO)
    rows = [row for provider in providers for row in legs(provider.get("events"), _WHO)]
    unknown = Unknown()
    events = _events(rows, unknown)
    if rows and not events:
        raise Unreadable(f"{_WHO} 的轨迹没有一行时间可读")
    status = info.get("latest_status")
    status = status if isinstance(status, dict) else {}
    return Answer(
        carrier=waybill.carrier,
        waybill_no=waybill.waybill_no,
        events=events,
        read_at=_read_at(providers, events, word(status, "status")),
        whole=len(events) == len(rows),
        corrected_carrier=corrected(word(entry, "carrier"), waybill.carrier, codes, unknown),
        remark=_remark(status, events),
        unknown_codes=tuple(unknown.seen),
    )


def _read_at(
    providers: Sequence[Mapping[str, Any]], events: Sequence[TrackingEvent], status: str
) -> datetime:
    """Up to when all legs were read (L1): the earliest look that succeeded, or found nothing known.

    A leg whose last look failed is a stale copy: it proves no more than its own newest scan.
    """
    proven: list[datetime] = []
    for provider in providers:
        looked = when(provider.get("latest_sync_time"))
        good = word(provider, "latest_sync_status") == "Success" or status == "NotFound"
        proven.append(looked.at if looked is not None and good else newest(events))
    return min(proven, default=NEVER)


def _remark(status: Mapping[str, Any], events: Sequence[TrackingEvent]) -> str:
    """Why there is nothing, or what the parcel's own status says otherwise than its newest event."""
    said = word(status, "sub_status") or word(status, "status")
    if not events:
        words = safe_text(str(status.get("sub_status_descr") or ""), 80)
        return f"{_WHO}：没有轨迹（{words or said or '没有说明'}）"
    if said in _SAYS_NOTHING_OF_A_ROW or said == events[-1].code:
        return ""
    return f"{_WHO} 的总状态是 {clean(said, 40)}，最新一条轨迹是 {clean(events[-1].code or '没有状态', 40)}"


def _events(rows: Sequence[Mapping[str, Any]], unknown: Unknown) -> tuple[TrackingEvent, ...]:
    """Both legs in one order; rows come newest first, and within a second that order is turned."""
    events: list[TrackingEvent] = []
    for row in reversed(rows):
        moment = _moment(row)
        if moment is None:
            unknown.note("time", row.get("time_utc") or row.get("time_iso"))
        else:
            events.append(_event(moment, row, unknown))
    return in_order(events)


def _moment(row: Mapping[str, Any]) -> When | None:
    """When the scan happened. What `time_raw` lacks they have guessed: it is kept as it was written."""
    told = row.get("time_raw")
    raw = told if isinstance(told, dict) else {}
    date, clock = word(raw, "date"), word(raw, "time")
    exact = when(row.get("time_utc")) or when(row.get("time_iso"))
    if date and not clock:
        local = when(row.get("time_iso"))
        offset = datetime.fromisoformat(str(row.get("time_iso")).strip()).tzinfo if local else None
        return when(date, offset) if offset else when(date)
    if exact is None:
        return when(f"{date}T{clock}") if date else None
    return exact if not date or word(raw, "timezone") else replace(exact, written=f"{date} {clock}")


def _event(moment: When, row: Mapping[str, Any], unknown: Unknown) -> TrackingEvent:
    said = row.get("description")
    if not isinstance(said, str | None):
        raise Unreadable(f"{_WHO} 的 description 不是文字")
    code, stage = word(row, "sub_status"), word(row, "stage")
    event = scan(
        moment.at,
        text_of(said),
        _meaning(code, stage, unknown),
        unknown,
        said_in="description",
        code=code,
        status=stage,
        area=area(row.get("location")),
    )
    return moment.on(event)


def _meaning(code: str, stage: str, unknown: Unknown) -> Meaning:
    """What the sub-status says, else the stage; what is in neither table is counted."""
    for name, value, table in (("sub_status", code, _SUB_STATUS), ("stage", stage, _STAGES)):
        if value and value not in table:
            unknown.note(name, value)
    found = _SUB_STATUS.get(code) or _STAGES.get(stage)
    return found or (NOBODY_KNOWS if code or stage else BY_WORDS)
