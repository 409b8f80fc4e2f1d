"""How answers become a history: what is new, what was edited, what was taken back. Nothing is lost (L4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.tracking import Answer, TrackingEvent

__all__ = [
    "Merge",
    "Stored",
    "merge",
]


@dataclass(frozen=True, slots=True)
class Stored:
    """A scan as we keep it: its place within its second, when we learned of it, whether it still stands."""

    event: TrackingEvent
    seq: int
    learned_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    """What an answer changes of what we knew."""

    added: tuple[Stored, ...] = ()
    edited: tuple[tuple[Stored, Stored], ...] = ()
    """(before, after): same moment and place in it, other words."""
    withdrawn: tuple[Stored, ...] = ()
    restored: tuple[Stored, ...] = ()
    contradicts: bool = False
    """The answer shares no scan with a history of several: another parcel's, so nothing was taken."""

    def __bool__(self) -> bool:
        return bool(self.added or self.edited or self.withdrawn or self.restored)


def merge(known: Sequence[Stored], answer: Answer, learned_at: datetime) -> Merge:
    """Fold a provider's answer into the known scans; asking twice changes nothing.

    A scan is known by its moment and its place within that second, not by its text or code: texts
    are edited, phones get masked later, and 快递100 puts its own "overdue" code on an old row.
    An empty answer after a full one deletes nothing. A known scan missing from a whole answer that
    reaches back that far is marked withdrawn; when it comes back it is restored. A whole answer that
    shares no moment with several standing scans is another parcel's. A push of new scans alone is not.
    The same scan twice in one answer is one scan.

    What may be late is believed of a known scan only where it also tells of one we do not know: whatever was
    said before our last look had nothing that the look did not have. Else it changes nothing, and neither do
    scans that come `alone`, which tell nothing of the others.
    """
    if not answer.events:
        return Merge()
    before: dict[datetime, list[Stored]] = defaultdict(list)
    for row in known:
        before[row.event.occurred_at].append(row)
    now: dict[datetime, list[TrackingEvent]] = defaultdict(list)
    for event in dict.fromkeys(answer.events):
        now[event.occurred_at].append(event)
    standing = [row for row in known if row.withdrawn_at is None]
    strange = answer.whole and not any(row.event.occurred_at in now for row in standing)
    if strange and len(standing) > 1:
        return Merge(contradicts=True)

    added: list[Stored] = []
    edited: list[tuple[Stored, Stored]] = []
    restored: list[Stored] = []
    missing: list[Stored] = []
    for moment in sorted(before.keys() | now.keys()):
        pairs, left, fresh = _pair(before.get(moment, []), now.get(moment, []), answer)
        for row, told in pairs:
            event = _beneath(row.event, told)
            if row.event != event:
                edited.append((row, replace(row, event=event, withdrawn_at=None)))
            elif row.withdrawn_at is not None:
                restored.append(replace(row, withdrawn_at=None))
        missing += left
        seq = max((row.seq for row in before.get(moment, [])), default=-1)
        added += [Stored(event, seq + n, learned_at) for n, event in enumerate(fresh, 1)]
    if answer.late and (answer.alone or not added):
        return Merge(tuple(added))
    reaches_back_to = min(now)
    withdrawn = [
        replace(row, withdrawn_at=learned_at)
        for row in missing
        if answer.whole and row.withdrawn_at is None and row.event.occurred_at >= reaches_back_to
    ]
    return Merge(tuple(added), tuple(edited), tuple(withdrawn), tuple(restored))


def _beneath(known: TrackingEvent, told: TrackingEvent) -> TrackingEvent:
    """What the row is: a provider's own clock laid over an old scan takes nothing of it away."""
    return known if told.overlaid and not known.overlaid and told.text == known.text else told


def _pair(
    rows: Sequence[Stored], events: Sequence[TrackingEvent], answer: Answer
) -> tuple[list[tuple[Stored, TrackingEvent]], list[Stored], list[TrackingEvent]]:
    """Match one second's rows: equal ones first, then equal texts, then what is left in order.

    A standing row is taken before a withdrawn one, so that the same answer twice changes nothing. One that was
    withdrawn in other words may be what a late answer speaks of; of scans told alone only the code says which is
    which (顺丰: 80 and its 8000 in one second, and a message repeated in other words).
    """
    left = sorted(rows, key=lambda row: (row.withdrawn_at is not None, row.seq))
    fresh = list(events)
    pairs: list[tuple[Stored, TrackingEvent]] = []
    for same in (
        lambda row, event: row.event == event,
        lambda row, event: row.event.text == event.text,
        (lambda row, event: row.event.code == event.code)
        if answer.alone
        else (lambda row, event: row.withdrawn_at is None or answer.late),
    ):
        for event in tuple(fresh):
            row = next((row for row in left if same(row, event)), None)
            if row is not None:
                pairs.append((row, event))
                left.remove(row)
                fresh.remove(event)
    return pairs, left, fresh
