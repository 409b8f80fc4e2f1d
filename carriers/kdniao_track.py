"""快递鸟's tracks: what its codes and rows mean.

Says: rows oldest first but for some, in Beijing wall clock without offset, with an `Action` each where the plan is
the advanced one.
Odd:  `State` 4 sticks until the signature, so rows are read by their own `Action`; 401, 402, 403, 412 and 417 are
快递鸟's own clocks.
From: `facts/carriers-kdniao.md`, `facts/carriers-states.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from carriers.scans import (
    BY_WORDS,
    NOBODY_KNOWS,
    OWN_CLOCK,
    Meaning,
    Unknown,
    beijing,
    by_code,
    city,
    in_order,
    rows_in,
    scan,
    text_of,
    word,
)
from domain.masking import clean
from domain.orders import Waybill
from domain.reading import read
from domain.remote import Unreadable
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent

__all__ = ["named", "read_track"]

_CODES: Final = by_code(
    ("0", BY_WORDS),
    ("10", Meaning(Milestone.LABEL_CREATED)),
    ("1", Meaning(Milestone.PICKED_UP)),
    # Stands on storage rows too: generic like 快递100's 0, so the words come first.
    ("2", Meaning(otherwise=Milestone.IN_TRANSIT)),
    ("204 206", Meaning(Milestone.IN_TRANSIT)),
    ("201", Meaning(Milestone.ARRIVED_DEST_CITY)),
    ("205", Meaning(Milestone.AT_DELIVERY_STATION)),
    ("202 418 419", Meaning(Milestone.OUT_FOR_DELIVERY)),
    ("211", Meaning(Milestone.READY_FOR_COLLECTION)),
    ("3 301 302", Meaning(Milestone.DELIVERED)),
    ("304", Meaning(Milestone.DELIVERED, kind=DeliveredKind.AGENT)),
    ("311", Meaning(Milestone.DELIVERED, kind=DeliveredKind.STATION)),
    ("401 402 403 412 417", OWN_CLOCK),
    ("404", Meaning(Milestone.DELIVERY_FAILED, ExceptionKind.REFUSED)),
    ("405", Meaning(Milestone.DELIVERY_FAILED)),
    ("406", Meaning(Milestone.RETURNED)),
    ("407", Meaning(Milestone.RETURNING)),
    ("415", Meaning(Milestone.CANCELLED)),
    ("4 422", Meaning(exception=ExceptionKind.HELD)),
    ("413", Meaning(exception=ExceptionKind.INTERCEPTED)),
    ("414", Meaning(exception=ExceptionKind.DAMAGED)),
    ("416 421", Meaning(exception=ExceptionKind.CONTACT_FAILURE)),
    ("420", Meaning(exception=ExceptionKind.ADDRESS_ERROR)),
    ("423", Meaning(exception=ExceptionKind.OUT_OF_AREA)),
    ("5", Meaning(Milestone.IN_TRANSIT, ExceptionKind.FORWARDED)),
    ("6 601 602", Meaning(Milestone.IMPORT_CUSTOMS)),
    ("603", Meaning(Milestone.CUSTOMS_CLEARED)),
    ("604", Meaning(Milestone.IMPORT_CUSTOMS, ExceptionKind.CUSTOMS_EXCEPTION)),
)
"""`Action` of a row (8001), `StateEx` and `State` of the parcel: one table."""

_SAYS_NOTHING_OF_A_ROW: Final = frozenset({"", "0", "4", "401", "402", "403", "412", "417"})
"""As the parcel's state: nothing, sticky, or a clock of theirs."""


def read_track(body: Mapping[str, Any], waybill: Waybill) -> Answer:
    """The `Traces` of a query's reply or of one entry of a push, of which there are some.

    Raises `Unreadable` for what is no list of rows, for another number, and where no row has a time: that must not
    pass for an empty history.
    """
    rows = rows_in(body.get("Traces"), "快递鸟的 Traces")
    named(body, waybill)
    return _track(rows, word(body, "StateEx") or word(body, "State"), waybill)


def named(body: Mapping[str, Any], waybill: Waybill) -> None:
    """Raise `Unreadable` where another number stands in the place of ours."""
    number = str(body.get("LogisticCode") or "")
    if number and number.strip().upper() != waybill.waybill_no.strip().upper():
        raise Unreadable(f"快递鸟回答的是另一个单号 {clean(number, 40)!r}")


def _track(rows: Sequence[Mapping[str, Any]], state: str, waybill: Waybill) -> Answer:
    """The rows as scans."""
    unknown = Unknown()
    timed = [(moment, row) for row in rows if (moment := _moment(row, unknown)) is not None]
    if not timed:
        raise Unreadable("快递鸟的轨迹没有一行时间可读")
    timed.sort(key=lambda pair: pair[0])
    coded = any(word(row, "Action") for row in rows)
    last = "" if coded or state in _SAYS_NOTHING_OF_A_ROW else state
    events = [
        _event(moment, row, last if nth == len(timed) else "", unknown)
        for nth, (moment, row) in enumerate(timed, 1)
    ]
    return Answer(
        carrier=waybill.carrier,
        waybill_no=waybill.waybill_no,
        events=in_order(events),
        whole=len(timed) == len(rows),
        unknown_codes=tuple(unknown.seen),
    )


def _moment(row: Mapping[str, Any], unknown: Unknown) -> datetime | None:
    moment = beijing(row.get("AcceptTime"))
    if moment is None:
        unknown.note("AcceptTime", row.get("AcceptTime"))
    return moment


def _event(moment: datetime, row: Mapping[str, Any], state: str, unknown: Unknown) -> TrackingEvent:
    """One row. `state` is the parcel's own code where the rows have none: it counts if the words are silent."""
    said = row.get("AcceptStation")
    if not isinstance(said, str | None):
        raise Unreadable("快递鸟的 AcceptStation 不是文字")
    code, text = word(row, "Action"), text_of(said)
    asked = code or (state if read(text).silent else "")
    if asked and asked not in _CODES:
        unknown.note("Action" if code else "State", asked)
    means = _CODES.get(asked, NOBODY_KNOWS) if asked else BY_WORDS
    area = city(word(row, "Location"))
    return scan(moment, text, means, unknown, said_in="AcceptStation", code=code, area=area)
