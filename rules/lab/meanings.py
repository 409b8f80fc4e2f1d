"""What the rows of events say: every different row is read once, the rest are numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from domain.journey import HUB_WORDS, at_hub, place_in_history
from domain.tracking import DeliveredKind, ExceptionKind, Milestone, Motion, TrackingEvent
from rules.lab.columns import Bools, Codes, codes
from rules.lab.rowwise import said

__all__ = ["KINDS", "MARKS", "Meanings", "mark", "meanings"]

MARKS: Final = tuple(Milestone)
"""A milestone's number is its place here."""
KINDS: Final = tuple(ExceptionKind)
_NUMBER: Final = {milestone: n for n, milestone in enumerate(MARKS)}
_COLUMNS: Final = ("milestone", "text", "code", "location")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def mark(milestone: Milestone) -> int:
    """The number of a milestone."""
    return _NUMBER[milestone]


@dataclass(frozen=True)
class Meanings:
    """All different rows, in the order in which rows of one second stand in a history."""

    events: tuple[TrackingEvent, ...]
    """One of each; its time says nothing."""

    @cached_property
    def marks(self) -> Codes:
        """The milestone of each, as its number."""
        return np.array([mark(each.milestone) for each in self.events], dtype=np.int8)

    @cached_property
    def told(self) -> Bools:
        """Says a milestone, and not of the future."""
        said = [each.milestone is not Milestone.UNKNOWN and not each.forecast for each in self.events]
        return np.array(said, dtype=bool)

    @cached_property
    def moves(self) -> Bools:
        """Is a movement scan."""
        return np.array([each.moves for each in self.events], dtype=bool)

    @cached_property
    def wordings(self) -> Codes:
        """The words of each as a number: rows of one wording repeat each other word for word."""
        return _numbered([f"={each.text}" for each in self.events])

    @cached_property
    def troubles(self) -> Codes:
        """The exception kinds of each, a bit each."""
        return np.array(
            [sum(1 << KINDS.index(kind) for kind in each.exceptions) for each in self.events], dtype=np.int32
        )

    @cached_property
    def transit_signed(self) -> Bools:
        """Signed for by a transit warehouse."""
        kind = DeliveredKind.TRANSIT_WAREHOUSE
        return np.array([each.delivered_kind is kind for each in self.events], dtype=bool)

    @cached_property
    def hubs(self) -> Codes:
        """The hub each speaks of as a number, -1 for none."""
        nodes = [each.node if any(word in each.node for word in HUB_WORDS) else "" for each in self.events]
        return _numbered(nodes)

    @cached_property
    def at_hub(self) -> Bools:
        """Scanned at a sorting centre, also where no node is named."""
        return np.array([at_hub(each) for each in self.events], dtype=bool)

    @cached_property
    def areas(self) -> tuple[str, ...]:
        """The city (`省,市`) each was told in, or nothing."""
        parts = [each.area.split(",")[:2] for each in self.events]
        return tuple(",".join(each) if len(each) == 2 and all(each) else "" for each in parts)

    @cached_property
    def cities(self) -> Codes:
        """The city each was told in as a number, -1 for none."""
        return _numbered(self.areas)

    @cached_property
    def departed(self) -> Bools:
        """The parcel left the place."""
        return np.array([each.motion is Motion.DEPARTED for each in self.events], dtype=bool)


def _numbered(words: Iterable[str]) -> Codes:
    number: dict[str, int] = {}
    return np.array([number.setdefault(word, len(number)) if word else -1 for word in words], dtype=np.int32)


def meanings(events: pd.DataFrame) -> tuple[Codes, Meanings]:
    """For each row the number of its meaning, and the meanings. Raises ValueError for an unknown milestone."""
    columns = [codes(events, name) for name in _COLUMNS if name in events]
    names = [name for name in _COLUMNS if name in events]
    if not columns:
        raise ValueError("events have neither milestone nor text")
    number, sizes = columns[0][0], [len(words) for _, words in columns]
    if len(columns) > 1:
        number = number.astype(np.int64)
        for (more, _), size in zip(columns[1:], sizes[1:], strict=True):
            number = number * size + more
        number, found = pd.factorize(number)
    else:
        found = np.arange(sizes[0])
    rows = []
    for each in found.tolist():
        row = dict.fromkeys(_COLUMNS, "")
        for name, (_, words), size in zip(names[::-1], columns[::-1], sizes[::-1], strict=True):
            each, place = divmod(each, size)
            row[name] = words[place]
        rows.append(TrackingEvent(_EPOCH, *said(*(row[name] for name in _COLUMNS))))
    order = sorted(range(len(rows)), key=lambda n: place_in_history(rows[n]))
    place_of = np.empty(len(rows), dtype=np.int8 if len(rows) < 128 else np.int32)
    place_of[order] = np.arange(len(rows))
    return place_of[number], Meanings(tuple(rows[n] for n in order))
