"""快递100's tracks: what its codes and rows mean.

Says: rows newest first, in Beijing wall clock without offset, each with a state code and the carrier's own
words.
Odd:  some codes are its own clocks and stand on old rows (201, 202, 205); code 0 is also the default;
`ischeck` 1 says as well that the shipper signed, so it is not read.
From: `facts/carriers-kuaidi100.md`, `facts/carriers-states.csv`, `facts/platform-rules.md` §9.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from domain.masking import clean, safe_text
from domain.orders import Waybill
from domain.reading import Reading, delivered_kind, normalise, read
from domain.remote import Unreadable
from domain.time import SHANGHAI, UTC
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent

__all__ = ["read_track"]


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a code says; a milestone of None leaves it to the words of the row."""

    milestone: Milestone | None = None
    exception: ExceptionKind | None = None
    kind: DeliveredKind | None = None
    otherwise: Milestone = Milestone.UNKNOWN
    """The milestone when the words say nothing at all."""


_CODES: Final[Mapping[str, _Meaning]] = {
    "101": _Meaning(Milestone.LABEL_CREATED),
    "102": _Meaning(Milestone.LABEL_CREATED),
    "1": _Meaning(Milestone.PICKED_UP),
    "103": _Meaning(Milestone.PICKED_UP),
    # Generic, so the words come first (§9). A row whose words nobody can read is still one that 快递100
    # says is under way (official table), and what we cannot read must not accuse a carrier of silence.
    "0": _Meaning(otherwise=Milestone.IN_TRANSIT),
    "1001": _Meaning(Milestone.ARRIVED_DEST_CITY),
    "1002": _Meaning(Milestone.IN_TRANSIT),
    "1003": _Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED),
    "5": _Meaning(Milestone.OUT_FOR_DELIVERY),
    "501": _Meaning(Milestone.READY_FOR_COLLECTION),
    "3": _Meaning(Milestone.DELIVERED),
    "301": _Meaning(Milestone.DELIVERED, kind=DeliveredKind.SELF),
    "302": _Meaning(Milestone.DELIVERED),
    "303": _Meaning(Milestone.DELIVERED, kind=DeliveredKind.AGENT),
    "304": _Meaning(Milestone.DELIVERED, kind=DeliveredKind.STATION),
    "6": _Meaning(Milestone.RETURNING),
    "4": _Meaning(Milestone.RETURNED),
    "401": _Meaning(Milestone.CANCELLED),
    "210": _Meaning(Milestone.CANCELLED),
    "14": _Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED),
    "7": _Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED),
    "2": _Meaning(exception=ExceptionKind.HELD),
    "201": _Meaning(),  # 201, 202, 205: its own clocks, no scan and no proof of anything
    "202": _Meaning(),
    "203": _Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED),
    "204": _Meaning(Milestone.DELIVERY_FAILED),
    "205": _Meaning(),
    "206": _Meaning(exception=ExceptionKind.CONTACT_FAILURE),
    "207": _Meaning(exception=ExceptionKind.OUT_OF_AREA),
    "208": _Meaning(exception=ExceptionKind.HELD),
    "209": _Meaning(exception=ExceptionKind.DAMAGED),
    "8": _Meaning(Milestone.IMPORT_CUSTOMS),
    "10": _Meaning(Milestone.IMPORT_CUSTOMS),
    "11": _Meaning(Milestone.IMPORT_CUSTOMS),
    "12": _Meaning(Milestone.CUSTOMS_CLEARED),
    "13": _Meaning(Milestone.IMPORT_CUSTOMS, ExceptionKind.CUSTOMS_EXCEPTION),
}
_BY_TEXT: Final = _Meaning()

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

_WORDS_WIN: Final = frozenset(
    {
        # a station's "签收" is storage, and the shipper signs too (`facts/carriers.md`, realities)
        (Milestone.DELIVERED, Milestone.READY_FOR_COLLECTION),
        (Milestone.DELIVERED, Milestone.RETURNED),
        # storage rows often carry a plain code of the way there
        (Milestone.IN_TRANSIT, Milestone.READY_FOR_COLLECTION),
        (Milestone.ARRIVED_DEST_CITY, Milestone.READY_FOR_COLLECTION),
        (Milestone.OUT_FOR_DELIVERY, Milestone.READY_FOR_COLLECTION),
        # 1001 is the city; where the words tell the outlet apart they say more
        (Milestone.ARRIVED_DEST_CITY, Milestone.AT_DELIVERY_STATION),
    }
)
"""Codes beat words for the milestone, but for these (code, words)."""

_TEXT_LIMIT: Final = 500
_EARLIEST_YEAR: Final = 2000
_MOST_UNKNOWN: Final = 20
_CARRIER_CODE: Final = re.compile(r"[a-z][a-z0-9]{1,30}")


@dataclass(slots=True)
class _Unknown:
    """What is in no table, counted once each (L7)."""

    seen: dict[str, None] = field(default_factory=dict)

    def note(self, what: str, words: object) -> None:
        """Keep it, cut short and with phones masked."""
        if len(self.seen) < _MOST_UNKNOWN:
            self.seen.setdefault(f"{what} {safe_text(str(words), 40)}".strip())


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
    unknown = _Unknown()
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


def _corrected(com: object, asked: str, unknown: _Unknown) -> str:
    """The carrier 快递100 found instead of ours, or nothing."""
    code = com.strip().lower() if isinstance(com, str) else ""
    if not code or code == asked:
        return ""
    if _CARRIER_CODE.fullmatch(code):
        return code
    unknown.note("com", code)
    return ""


def _events(rows: Sequence[Mapping[str, Any]], state: str, unknown: _Unknown) -> tuple[TrackingEvent, ...]:
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
    coded = any(_word(row, "statusCode") or _word(row, "status") for row in rows)
    events = [
        _event(moment, row, state if not coded and nth == len(timed) else "", unknown)
        for nth, (moment, row) in enumerate(timed, 1)
    ]
    return tuple(sorted(events, key=lambda event: (event.occurred_at, event.milestone.rank)))


def _moment(row: Mapping[str, Any]) -> datetime | None:
    """When the scan happened, in UTC; None where no time can be read."""
    for name in ("ftime", "time"):
        written = row.get(name)
        if not isinstance(written, str) or len(written) < len("2026-03-05 11:31"):
            continue
        try:
            moment = datetime.fromisoformat(written)
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        if moment.year >= _EARLIEST_YEAR:
            return moment
    return None


def _word(row: Mapping[str, Any], name: str) -> str:
    """A short field as text; wrong types are empty."""
    value = row.get(name)
    return clean(str(value), 60) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _event(moment: datetime, row: Mapping[str, Any], state: str, unknown: _Unknown) -> TrackingEvent:
    """One row. `state` is the parcel's own code where the rows have none: it counts if the words are silent."""
    context = row.get("context")
    if not isinstance(context, str | None):
        raise Unreadable("快递100 的 context 不是文字")
    code, status = _word(row, "statusCode"), _word(row, "status")
    text = safe_text(context or "", _TEXT_LIMIT) or status
    words = read(text)
    means = _meaning(code, status, state if words.silent and state != "0" else "", unknown)
    milestone = _milestone(means, words)
    exceptions = words.exceptions | _troubles(means, words)
    if words.silent and milestone is Milestone.UNKNOWN and not exceptions and normalise(text):
        unknown.note("context", text)
    return TrackingEvent(
        occurred_at=moment,
        milestone=milestone,
        text=text,
        code=code,
        status=status,
        exceptions=exceptions,
        delivered_kind=delivered_kind(text) or means.kind if milestone is Milestone.DELIVERED else None,
        motion=words.motion,
        area=_word(row, "areaName"),
        hub=words.hub,
        outlet=words.outlet,
        courier=words.courier,
        next_stop=words.next_stop,
        forecast=words.forecast and milestone is Milestone.UNKNOWN,
        overlaid=code in _OWN_CLOCKS or (not code and _NAMES.get(status) in _OWN_CLOCKS),
    )


_OWN_CLOCKS: Final = frozenset({"201", "202", "205"})


def _meaning(code: str, status: str, state: str, unknown: _Unknown) -> _Meaning:
    """What the row's code says, else its status name, else the parcel's state."""
    if code:
        if code not in _CODES:
            unknown.note("statusCode", code)
            return _Meaning(milestone=Milestone.UNKNOWN)
        return _CODES[code]
    if status and status not in _NAMES:
        unknown.note("status", status)
    return _CODES.get(_NAMES.get(status, state), _BY_TEXT)


def _milestone(means: _Meaning, words: Reading) -> Milestone:
    if means.milestone is None:
        return means.otherwise if words.silent else words.milestone
    if (means.milestone, words.milestone) in _WORDS_WIN:
        return words.milestone
    return means.milestone


def _troubles(means: _Meaning, words: Reading) -> frozenset[ExceptionKind]:
    """The code's exception, unless it is "held" on a row whose words say plainly that the parcel came or
    went: like 202, it is then put on an old row and takes no movement back."""
    moved = means.exception is ExceptionKind.HELD and words.motion is not None and not words.exceptions
    return frozenset() if means.exception is None or moved else frozenset({means.exception})
