"""Rows to scans: what codes and words together say, the same for every provider.

A code beats the words for the milestone (`facts/platform-rules.md` §9), but for a few pairs in which the
words are known to say more; words add trouble and places. What is in no table stays `UNKNOWN` and is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from domain.masking import clean, mask_phones, safe_text
from domain.orders import Waybill
from domain.places import Places, find_places
from domain.reading import Reading, delivered_kind, normalise, read
from domain.remote import Unreadable
from domain.time import SHANGHAI, UTC
from domain.tracking import Answer, DeliveredKind, ExceptionKind, Milestone, TrackingEvent

__all__ = [
    "BY_WORDS",
    "NOBODY_KNOWS",
    "OWN_CLOCK",
    "REMARK",
    "Meaning",
    "Row",
    "Unknown",
    "area_of",
    "beijing",
    "by_code",
    "city",
    "coded",
    "in_order",
    "millis",
    "rows_in",
    "scan",
    "text_of",
    "track",
    "word",
]

Row: TypeAlias = Mapping[str, Any]
"""One line of a provider's list."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says; a milestone of None leaves it to the words of the row."""

    milestone: Milestone | None = None
    exception: ExceptionKind | None = None
    kind: DeliveredKind | None = None
    otherwise: Milestone = Milestone.UNKNOWN
    """The milestone when the words say nothing at all."""
    overlaid: bool = False
    """The provider's own clock, no scan and no proof of anything (`facts/carriers.md`, distinction 1)."""
    remark: bool = False
    """Known to move nothing: its words are kept and shown, and not counted as ones that nobody can read."""


BY_WORDS: Final = Meaning()
OWN_CLOCK: Final = Meaning(overlaid=True)
NOBODY_KNOWS: Final = Meaning(milestone=Milestone.UNKNOWN)
REMARK: Final = Meaning(milestone=Milestone.UNKNOWN, remark=True)
"""A documented code without a milestone (`-` in `facts/carriers-states.csv`)."""

_WORDS_WIN: Final = frozenset(
    {
        # a station's "签收" is storage, and the shipper signs too (`facts/carriers.md`, realities)
        (Milestone.DELIVERED, Milestone.READY_FOR_COLLECTION),
        (Milestone.DELIVERED, Milestone.RETURNED),
        # storage rows often carry a plain code of the way there
        (Milestone.IN_TRANSIT, Milestone.READY_FOR_COLLECTION),
        (Milestone.ARRIVED_DEST_CITY, Milestone.READY_FOR_COLLECTION),
        (Milestone.OUT_FOR_DELIVERY, Milestone.READY_FOR_COLLECTION),
        # where the words tell the outlet apart from its city they say more
        (Milestone.ARRIVED_DEST_CITY, Milestone.AT_DELIVERY_STATION),
        # one code stands for everything at the customs
        (Milestone.IMPORT_CUSTOMS, Milestone.EXPORT_CUSTOMS),
        (Milestone.IMPORT_CUSTOMS, Milestone.CUSTOMS_CLEARED),
    }
)
"""Codes beat words for the milestone, but for these (code, words)."""

_TEXT_LIMIT: Final = 500
_WORD_LIMIT: Final = 60
_EARLIEST_YEAR: Final = 2000
_MOST_UNKNOWN: Final = 20
_WHEN: Final = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?=[ T]\d)")
_MUNICIPALITY: Final = re.compile(r"(?:北京|天津|上海|重庆)市?")


@dataclass(slots=True)
class Unknown:
    """What is in no table, counted once each (L7)."""

    seen: dict[str, None] = field(default_factory=dict)

    def note(self, what: str, words: object) -> None:
        """Keep it, cut short and with phones masked."""
        if len(self.seen) < _MOST_UNKNOWN:
            self.seen.setdefault(f"{what} {safe_text(str(words), 40)}".strip())


def by_code(*groups: tuple[str, Meaning]) -> Mapping[str, Meaning]:
    """A table from groups of codes with one meaning; raises ValueError for a code that stands twice."""
    table: dict[str, Meaning] = {}
    for codes, means in groups:
        for code in codes.split():
            if code in table:
                raise ValueError(f"code {code} has two meanings")
            table[code] = means
    return table


def beijing(written: object) -> datetime | None:
    """A Beijing wall clock (`2026-03-05 11:31:02`, `2026/3/5 11:31`) in UTC; an offset is heeded.

    None where no time of day can be read, or one before any parcel.
    """
    if not isinstance(written, str):
        return None
    plain = _WHEN.sub(lambda day: f"{day[1]}-{int(day[2]):02}-{int(day[3]):02}", written.strip(), count=1)
    if len(plain) < len("2026-03-05 11:31"):
        return None
    try:
        moment = datetime.fromisoformat(plain)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= _EARLIEST_YEAR else None


def millis(written: object) -> datetime | None:
    """Epoch milliseconds, as a number or as text, in UTC; None where they are none, or before any parcel."""
    if isinstance(written, str) and written.strip().isascii() and written.strip().isdigit():
        written = int(written[:20])
    if not isinstance(written, int) or isinstance(written, bool):
        return None
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=written)
    except OverflowError:
        return None
    return moment if moment.year >= _EARLIEST_YEAR else None


def rows_in(said: object, what: str) -> list[Row]:
    """A list of lines. Raises `Unreadable` for anything else; `what` is the list as people read it."""
    if not isinstance(said, list) or not all(isinstance(row, dict) for row in said):
        raise Unreadable(f"{what} 不是轨迹列表")
    return said


def coded(code: str, table: Mapping[str, Meaning], name: str, unknown: Unknown) -> Meaning:
    """What the code in the field `name` says; no code leaves it to the words, one in no table is counted."""
    if code and code not in table:
        unknown.note(name, code)
    return table.get(code, NOBODY_KNOWS) if code else BY_WORDS


def word(row: Mapping[str, Any], name: str) -> str:
    """A short field as text; wrong types are empty. Phones stay whole, a number may look like one: `scan` masks
    them. Only in a text that is cut they are masked here: a cut leaves half of one, which nobody knows again."""
    value = row.get(name)
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return ""
    text = str(value)
    return (clean if len(text) <= _WORD_LIMIT else safe_text)(text, _WORD_LIMIT)


def text_of(words: str | None) -> str:
    """The carrier's own words as they are kept."""
    return safe_text(words or "", _TEXT_LIMIT)


def city(name: str) -> str:
    """A city without its province as an area: only a municipality is its own province (`省,市`)."""
    return f"{name},{name}" if _MUNICIPALITY.fullmatch(name) else name


def area_of(province: str, town: str, district: str = "") -> str:
    """`省,市,区` from fields of their own; without a province as `city` has it, and no district then."""
    return ",".join(part for part in (province, town, district) if part) if province else city(town)


def scan(
    moment: datetime,
    text: str,
    means: Meaning,
    unknown: Unknown,
    *,
    said_in: str,
    code: str = "",
    status: str = "",
    area: str = "",
    place: str = "",
    next_stop: str = "",
) -> TrackingEvent:
    """One row as code and words together say; words that nobody can read are counted under `said_in`.

    `place` and `next_stop` are the row's own fields: one name for one place, so they come before the words.
    Phones are masked in every one of them, whatever it is there for; a code that looks like none stays as it is.
    """
    text, code, status, area, place, next_stop = map(
        mask_phones, (text, code, status, area, place, next_stop)
    )
    words = read(text)
    here = find_places(normalise(f"【{place}】")) if place else Places()
    named = here if here.hub or here.outlet else Places(words.hub, words.outlet)
    milestone = _milestone(means, words)
    exceptions = words.exceptions | _troubles(means, words)
    unread = words.silent and milestone is Milestone.UNKNOWN and not exceptions and not means.remark
    if unread and normalise(text):
        unknown.note(said_in, text)
    return TrackingEvent(
        occurred_at=moment,
        milestone=milestone,
        text=text,
        code=code,
        status=status,
        exceptions=exceptions,
        delivered_kind=delivered_kind(text) or means.kind if milestone is Milestone.DELIVERED else None,
        motion=words.motion,
        area=area,
        hub=named.hub,
        outlet=named.outlet,
        courier=words.courier,
        next_stop=next_stop or words.next_stop,
        forecast=words.forecast and milestone is Milestone.UNKNOWN,
        overlaid=means.overlaid,
    )


def track(
    rows: Sequence[Row],
    waybill: Waybill,
    who: str,
    *,
    when: str,
    event: Callable[[datetime, Row, Unknown], TrackingEvent],
    moment: Callable[[object], datetime | None] = beijing,
    number: str = "",
) -> Answer:
    """Rows as scans. One without a time in `when`, or with another `number`, is counted and left out.

    Raises `Unreadable` where none is left: that is no empty history.
    """
    unknown, events = Unknown(), list[TrackingEvent]()
    for row in rows:
        at = moment(row.get(when))
        if number and _another(word(row, number), waybill.waybill_no):
            unknown.note(number, "是另一个单号")
        elif at is None:
            unknown.note(when, row.get(when))
        else:
            events.append(event(at, row, unknown))
    if not events:
        raise Unreadable(f"{who}的轨迹没有一行是这个单号的、时间可读的")
    return Answer(
        carrier=waybill.carrier,
        waybill_no=waybill.waybill_no,
        events=in_order(events),
        whole=len(events) == len(rows),
        unknown_codes=tuple(unknown.seen),
    )


def _another(named: str, asked: str) -> bool:
    return bool(named) and named.strip().upper() != asked.strip().upper()


def in_order(events: Iterable[TrackingEvent]) -> tuple[TrackingEvent, ...]:
    """Oldest first; within a second by milestone, then as they come."""
    return tuple(sorted(events, key=lambda event: (event.occurred_at, event.milestone.rank)))


def _milestone(means: Meaning, words: Reading) -> Milestone:
    if means.milestone is None:
        return means.otherwise if words.silent else words.milestone
    if (means.milestone, words.milestone) in _WORDS_WIN:
        return words.milestone
    return means.milestone


def _troubles(means: Meaning, words: Reading) -> frozenset[ExceptionKind]:
    """The code's exception, unless it is "held" on a row whose words say plainly that the parcel came or
    went: a provider's clock put on an old row takes no movement back."""
    moved = means.exception is ExceptionKind.HELD and words.motion is not None and not words.exceptions
    return frozenset() if means.exception is None or moved else frozenset({means.exception})
