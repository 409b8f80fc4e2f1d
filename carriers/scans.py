"""Rows to scans: what codes and words together say, the same for every provider.

A code beats the words for the milestone (`facts/platform-rules.md` §9), but for a few pairs in which the
words are known to say more; words add trouble and places. What is in no table stays `UNKNOWN` and is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from domain.masking import clean, safe_text
from domain.reading import Reading, delivered_kind, normalise, read
from domain.time import SHANGHAI, UTC
from domain.tracking import DeliveredKind, ExceptionKind, Milestone, TrackingEvent

__all__ = [
    "BY_WORDS",
    "NOBODY_KNOWS",
    "OWN_CLOCK",
    "Meaning",
    "Unknown",
    "beijing",
    "by_code",
    "city",
    "in_order",
    "scan",
    "text_of",
    "word",
]


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


BY_WORDS: Final = Meaning()
OWN_CLOCK: Final = Meaning(overlaid=True)
NOBODY_KNOWS: Final = Meaning(milestone=Milestone.UNKNOWN)

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


def word(row: Mapping[str, Any], name: str) -> str:
    """A short field as text; wrong types are empty."""
    value = row.get(name)
    return clean(str(value), 60) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def text_of(words: str | None) -> str:
    """The carrier's own words as they are kept."""
    return safe_text(words or "", _TEXT_LIMIT)


def city(name: str) -> str:
    """A city without its province as an area: only a municipality is its own province (`省,市`)."""
    return f"{name},{name}" if _MUNICIPALITY.fullmatch(name) else name


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
) -> TrackingEvent:
    """One row as code and words together say; words that nobody can read are counted under `said_in`."""
    words = read(text)
    milestone = _milestone(means, words)
    exceptions = words.exceptions | _troubles(means, words)
    if words.silent and milestone is Milestone.UNKNOWN and not exceptions and normalise(text):
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
        hub=words.hub,
        outlet=words.outlet,
        courier=words.courier,
        next_stop=words.next_stop,
        forecast=words.forecast and milestone is Milestone.UNKNOWN,
        overlaid=means.overlaid,
    )


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
