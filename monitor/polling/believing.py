"""How far an answer is believed: what of it is taken, and what has to be said twice before it proves anything (L1).

Nothing accuses a carrier but its own silence, so whatever may be our blindness is no look: rows whose time nobody can
read, a list that lacks the newest scans (a lagging copy, a locked number), a list of another use of the number. A
doubt is remembered where the mark of the last answer stands (`parcels.answer_hash`), with the moment of its first
sight: so the next answer is read whole, however like the last one it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.history import Merge, Stored
from domain.time import from_micros, to_micros
from domain.tracking import Answer, TrackingEvent

__all__ = [
    "Doubt",
    "believed",
    "confirmed",
    "confirmed_nothing",
    "in_a_row",
    "HEARD",
    "doubt_in",
    "doubt_of",
    "mark",
    "relevant",
]

_AHEAD: Final = timedelta(days=1)
"""Sources' clocks differ by an hour or two (`facts/carriers.md`); a day alone stands for its last second."""
_MARK: Final = "?"


class Doubt(StrEnum):
    """Why the answer to a question proves no silence."""

    PARTLY = "partly"
    """Rows had to be left out: what they say of the last hours nobody knows."""
    STALE = "stale"
    """It has only scans that are known, and lacks the newest of them."""
    EARLIER = "earlier"
    """Every scan is older than the order: another use of the number, or a wrong year."""
    NOTHING = "nothing"
    """It would accuse a parcel without scans, and nobody vouches for it (`monitor/polling/witness.py`)."""


_CONFIRMED: Final[Mapping[Doubt, timedelta]] = {
    Doubt.STALE: timedelta(hours=2),
    Doubt.EARLIER: timedelta(days=1),
    Doubt.NOTHING: timedelta(minutes=10),
}
"""It is believed when it is still so after this long; what cannot be read never is."""
_IN_TROUBLE: Final = timedelta(days=1)
"""While numbers of the account lose their scans: where all are lost for longer, nobody can tell."""
_TOGETHER: Final = timedelta(hours=2)
"""Two looks say the same thing twice when no more than this, or two intervals, lies between them."""
HEARD: Final = "+"
"""The mark of a parcel that was heard of, by an answer that the next one is not compared with."""


def relevant(answer: Answer, watch_from: datetime) -> Answer:
    """Without scans of an earlier use of the number (`facts/carriers.md`: numbers are reused)."""
    kept: tuple[TrackingEvent, ...] = tuple(e for e in answer.events if e.occurred_at >= watch_from)
    return answer if len(kept) == len(answer.events) else replace(answer, events=kept)


def believed(answer: Answer, watch_from: datetime, now: datetime) -> Answer:
    """What is taken of it: no earlier use's scans, and none of the future, which are counted as unreadable times."""
    ahead = tuple(event for event in answer.events if _ahead(event, now))
    if ahead:
        said = dict.fromkeys(f"time {event.occurred_at:%Y-%m-%d}" for event in ahead)
        kept = tuple(event for event in answer.events if not _ahead(event, now))
        unknown = tuple(dict.fromkeys((*answer.unknown_codes, *said)))
        answer = replace(answer, events=kept, whole=False, unknown_codes=unknown)
    return relevant(answer, watch_from)


def doubt_of(answer: Answer, told: Answer, known: Sequence[Stored], change: Merge) -> Doubt | None:
    """Why a question's answer proves nothing. `told` is the whole of it, `answer` what is taken, `change` its effect."""
    if not answer.whole:
        return Doubt.PARTLY
    standing = [row.event.occurred_at for row in known if row.withdrawn_at is None]
    if told.events and not answer.events:
        return None if standing else Doubt.EARLIER
    newest = max((event.occurred_at for event in answer.events), default=None)
    gone = [row for row in change.withdrawn if newest is not None and row.event.occurred_at > newest]
    return Doubt.STALE if gone and not change.added else None


def confirmed(doubt: Doubt, known: str, now: datetime) -> bool:
    """Whether it has been so for long enough; `known` is the mark of the answer before."""
    wait, since = _CONFIRMED.get(doubt), _since(doubt, known, now)
    return wait is not None and since is not None and now - since >= wait


def confirmed_nothing(known: str, now: datetime, interval: timedelta, trouble: bool) -> bool:
    """The same of a second look without scans, `interval` after the first where that is sooner."""
    since = _since(Doubt.NOTHING, known, now)
    wait = _IN_TROUBLE if trouble else min(_CONFIRMED[Doubt.NOTHING], interval)
    return since is not None and now - since >= wait


def in_a_row(known: str, now: datetime, interval: timedelta) -> str:
    """The mark of the look before, where it is recent enough to have said the same thing as this one; else nothing."""
    last = known.partition("/")[2]
    recent = last.isdigit() and now - from_micros(int(last)) <= max(_TOGETHER, 2 * interval)
    return known if recent else ""


def mark(doubt: Doubt, known: str, now: datetime) -> str:
    """What the next answer is compared with: this doubt, when it was first seen in a row, and when last."""
    return f"{_MARK}{doubt}@{to_micros(_since(doubt, known, now) or now)}/{to_micros(now)}"


def doubt_in(known: str | None) -> Doubt | None:
    """The doubt that a mark tells of; None for any other mark."""
    return next((each for each in Doubt if (known or "").startswith(f"{_MARK}{each}@")), None)


def _since(doubt: Doubt, known: str, now: datetime) -> datetime | None:
    """When the doubt was first seen; a clock that was ahead then counts from now."""
    kind, _, moments = known.partition("@")
    since = moments.partition("/")[0]
    return min(from_micros(int(since)), now) if kind == f"{_MARK}{doubt}" and since.isdigit() else None


def _ahead(event: TrackingEvent, now: datetime) -> bool:
    """A forecast may lie ahead; anything else cannot have been scanned yet."""
    slack = 2 * _AHEAD if event.written else _AHEAD
    return not event.forecast and event.occurred_at > now + slack
