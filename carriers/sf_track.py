"""顺丰's routes: what its codes and rows mean, in a query's reply and in a push.

Says: rows in Beijing wall clock without offset, each with an `opCode`, mostly with a `firstStatusCode` (queries) or a
`reasonCode` (pushes).
From: `facts/carriers-sf.md`, `facts/carriers-states.csv`; `facts/platform-rules.md` §9 for 131, 570, 571, 605.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from carriers.scans import (
    BY_WORDS,
    NOBODY_KNOWS,
    Meaning,
    Unknown,
    by_code,
    city,
    scan,
    text_of,
    track,
    word,
)
from domain.orders import Waybill
from domain.reading import read
from domain.remote import Unreadable
from domain.tracking import Answer, ExceptionKind, Milestone, TrackingEvent

__all__ = ["read_routes"]

_RETURNING: Final = Meaning(Milestone.RETURNING)
_GOES_ELSEWHERE: Final = Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)

_CODES: Final = by_code(
    ("127 138 141 205 206 646 647 900", Meaning(Milestone.LABEL_CREATED)),
    ("131", Meaning(exception=ExceptionKind.PICKUP_FAILED)),
    ("41 43 46 50 51 54 188 607 651 655 700 701 850 851 950", Meaning(Milestone.PICKED_UP)),
    ("10 11 30 31 36 75 84 105 106 302 304 305 310 570 571 633 634 3036", Meaning(Milestone.IN_TRANSIT)),
    ("98 208 626 627 649", Meaning(Milestone.IN_TRANSIT)),
    ("14 15 16 17 18 604 605 606 612 613 614 619 620 621 623", Meaning(Milestone.IMPORT_CUSTOMS)),
    ("44 47 122 123 126 204 630 677 880 933", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("125 130 632 642 658 678", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("80 128 679 935 8000", Meaning(Milestone.DELIVERED)),
    ("33 70", Meaning(Milestone.DELIVERY_FAILED)),
    ("34 66 77 833", Meaning(exception=ExceptionKind.HELD)),
    ("72 611 870", Meaning(exception=ExceptionKind.HELD)),
    ("99", _GOES_ELSEWHERE),
    ("648", Meaning(Milestone.RETURNING, ExceptionKind.FORWARDED)),
    ("631", _RETURNING),
    ("215 660", Meaning(Milestone.RETURNED)),
)
"""`opCode`. 顺丰's own list where other tables contradict it."""

_REASONS: Final[Mapping[tuple[str, str], Meaning]] = {
    ("8000", "6"): Meaning(exception=ExceptionKind.LOST),
    ("8000", "2"): Meaning(exception=ExceptionKind.DAMAGED),
    ("70", "46"): Meaning(Milestone.CANCELLED),
    ("70", "83"): Meaning(Milestone.READY_FOR_COLLECTION),
    ("70", "85"): Meaning(Milestone.READY_FOR_COLLECTION),
    ("99", "2"): _RETURNING,
}
"""`opCode` with `reasonCode`, which pushes have and queries may: field notes."""

_FIRST_STATUS: Final = by_code(
    ("1", Meaning(Milestone.PICKED_UP)),
    ("2", Meaning(Milestone.IN_TRANSIT)),
    ("3", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("4", Meaning(Milestone.DELIVERED)),
    ("11", BY_WORDS),  # 待取件: by the receiver, or by the courier before the pickup
    ("13", Meaning(Milestone.DELIVERY_FAILED)),
)
"""`firstStatusCode`: coarser than `opCode`, so it counts only where that is in no table."""


def read_routes(rows: Sequence[Mapping[str, Any]], waybill: Waybill) -> Answer:
    """Rows of one waybill, of which there are some. Raises `Unreadable` where none has a time."""
    return track(rows, waybill, "顺丰", when="acceptTime", event=_event)


def _event(moment: datetime, row: Mapping[str, Any], unknown: Unknown) -> TrackingEvent:
    remark = row.get("remark")
    if not isinstance(remark, str | None):
        raise Unreadable("顺丰的 remark 不是文字")
    text = text_of(remark)
    return scan(
        moment,
        text,
        _meaning(row, text, unknown),
        unknown,
        said_in="remark",
        code=word(row, "opCode"),
        status=word(row, "secondaryStatusName") or word(row, "firstStatusName"),
        area=city(word(row, "acceptAddress")),
    )


def _meaning(row: Mapping[str, Any], text: str, unknown: Unknown) -> Meaning:
    """What `opCode` says with its reason, else the first status; what is in neither table is counted."""
    code, first = word(row, "opCode"), word(row, "firstStatusCode")
    for name, value, table in (("opCode", code, _CODES), ("firstStatusCode", first, _FIRST_STATUS)):
        if value and value not in table:
            unknown.note(name, value)
    if code in _CODES:
        return _REASONS.get((code, word(row, "reasonCode"))) or _by_remark(code, text)
    return _FIRST_STATUS.get(first, NOBODY_KNOWS if code or first else BY_WORDS)


def _by_remark(code: str, text: str) -> Meaning:
    """99 and 648 stand for the way back and for another address: the remark tells which."""
    words = read(text)
    homeward = words.milestone in (Milestone.RETURNING, Milestone.RETURNED)
    if code == "99" and homeward:
        return _RETURNING
    if code == "648" and ExceptionKind.FORWARDED in words.exceptions and not homeward:
        return _GOES_ELSEWHERE
    return _CODES[code]
