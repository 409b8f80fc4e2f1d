"""Two accounts about one parcel: what the second has that the first has not, and where they differ.

The first account's list is the history. Of the second's only what is later than the first's last movement is taken
into it, and only until the first has it too, or has gone past it: so two lists never withdraw each other's scans, nor
double them, though their clocks differ (`facts/carriers.md`: no alarm on less than two hours across sources).
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from domain.history import Stored
from domain.journey import Journey, condense
from domain.tracking import Milestone, TrackingEvent

__all__ = ["ACROSS", "DIFFERENCES", "Place", "ahead", "differences", "overtaken", "place", "sides"]

Place = tuple[datetime, int]
"""Where a scan stands in a parcel's history: its moment, and its place within that second."""
ACROSS: Final = timedelta(hours=2)
"""Sources' times may differ by so much."""
_MINUTES: Final = timedelta(minutes=10)
_CLASSES: Final = tuple(
    each.rank
    for each in (
        Milestone.PICKED_UP,
        Milestone.OUT_FOR_DELIVERY,
        Milestone.DELIVERED,
        Milestone.RETURNING,
        Milestone.CANCELLED,
    )
)
"""Providers tell hubs and stations apart more or less finely: only from one of these to the next it is another class."""
_NOTHING, _STEP, _MOVED = "查无轨迹", "进度不同", "最后动静差两小时以上"
DIFFERENCES: Final = (_NOTHING, _STEP, _MOVED)


def ahead(first: Sequence[Stored], told: Sequence[TrackingEvent]) -> tuple[TrackingEvent, ...]:
    """The scans of `told` after the last movement of the `first` account's scans; none unless the parcel moved in them."""
    standing = [row.event for row in first if row.withdrawn_at is None]
    moved = condense(standing).last_movement_at
    moments = {row.event.occurred_at for row in first}
    later = tuple(
        event
        for event in told
        if not event.forecast
        and (moved is None or event.occurred_at > moved)
        and event.occurred_at not in moments
        and not any(_same(event, each) for each in standing)
    )
    return later if any(event.moves for event in later) else ()


def overtaken(theirs: Sequence[Stored], first: Sequence[Stored], now: datetime) -> tuple[Stored, ...]:
    """The second's standing scans, marked withdrawn, that the first tells of by now, or has gone past."""
    standing = [row.event for row in first if row.withdrawn_at is None and not row.event.forecast]
    newest = max((event.occurred_at for event in standing), default=None)
    return tuple(
        replace(row, withdrawn_at=now)
        for row in theirs
        if row.withdrawn_at is None
        and newest is not None
        and (newest >= row.event.occurred_at or any(_same(row.event, each) for each in standing))
    )


def place(row: Stored) -> Place:
    """Where the scan stands."""
    return row.event.occurred_at, row.seq


def sides(
    known: Sequence[Stored], seconds: Collection[Place], told: Sequence[TrackingEvent]
) -> tuple[list[Stored], list[Stored]]:
    """The first account's scans and the second's (`seconds`); one at a moment that the first now tells of is its own."""
    moments = {event.occurred_at for event in told}
    theirs = [row for row in known if place(row) in seconds and row.event.occurred_at not in moments]
    places = {place(row) for row in theirs}
    return [row for row in known if place(row) not in places], theirs


def differences(
    first: Journey, milestone: Milestone, moved_at: datetime | None, known: bool
) -> tuple[str, ...]:
    """Where the second's word differs from the first's: some of `DIFFERENCES`, none where they agree.

    `milestone` and `moved_at` are the second's: its step, its last movement; `known`: it has any scan at all.
    """
    if not known:
        return (_NOTHING,) if first.events else ()
    found = [_STEP] if _class(first.milestone) != _class(milestone) else []
    mine = first.last_movement_at
    if (mine is None) != (moved_at is None) or (mine and moved_at and abs(mine - moved_at) > ACROSS):
        found.append(_MOVED)
    return tuple(found)


def _same(one: TrackingEvent, other: TrackingEvent) -> bool:
    """One scan, told by two."""
    apart = abs(one.occurred_at - other.occurred_at)
    near = apart <= _MINUTES or (one.text == other.text and apart <= ACROSS)
    return one.milestone is other.milestone and near


def _class(milestone: Milestone) -> int:
    return bisect(_CLASSES, milestone.rank)
