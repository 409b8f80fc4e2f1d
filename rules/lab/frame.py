"""The wide frame of milestones: what all clocks of all parcels ask, worked out once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd

from domain.journey import KEPT_MOVEMENTS
from domain.tracking import MOVEMENTS, Milestone
from rules.lab.bought import Bought, bought
from rules.lab.columns import NEVER, Bools, Codes, Micros, micros
from rules.lab.meanings import MARKS, Meanings, mark, meanings
from rules.lab.odd import late_learned, taken_back, too_long, unusual
from rules.lab.scans import Rows, at_row, first_each, in_order, movements, turned

__all__ = ["Milestones", "milestones"]

T = TypeVar("T")
_LEG: Final = Milestone.ARRIVED_DEST_CITY.rank
"""From here on a scan is the delivery leg (`domain.journey`)."""


@dataclass(frozen=True, eq=False, repr=False)
class Milestones:
    """The histories of many parcels, kept for any number of policies."""

    parcels: int
    """How many there are: the highest row number and one."""
    orders: pd.DataFrame
    events: pd.DataFrame
    table: Meanings
    moved: Rows
    """The movement scans, sorted by parcel and time."""
    still: Rows
    """The other scans with a milestone."""
    troubled: Rows
    """The scans that tell of trouble."""
    echoed: Codes
    """The parcels in which a movement was told twice."""
    bought: Bought
    odd_parcels: Codes
    """Those that are replayed row by row, ascending."""
    taken_back: Codes
    """Those whose signature did not end the way, ascending: some of their rules are replayed."""
    too_long: Codes
    """Those of more orders and scans than `MOST_ROWS`, ascending: left out, nothing is found of them."""
    latest: int
    """The last moment at which a scan was learned."""
    kept: dict[Any, Any] = field(default_factory=dict)
    """What runs have worked out, for the next one."""

    @property
    def odd(self) -> float:
        """The share of parcels that the columns do not model, or not for every rule."""
        beyond = np.union1d(self.odd_parcels, self.taken_back)
        return len(beyond) / self.parcels if self.parcels else 0.0

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """What `make` makes, made once."""
        if key not in self.kept:
            self.kept[key] = make()
        found: T = self.kept[key]
        return found

    @cached_property
    def offsets(self) -> Codes:
        """Where each parcel's movements begin, and the end of the last."""
        return np.searchsorted(self.moved.owner, np.arange(self.parcels + 1))

    @cached_property
    def is_odd(self) -> Bools:
        """For each parcel whether it is replayed."""
        found = np.zeros(self.parcels, dtype=bool)
        found[self.odd_parcels] = True
        return found

    @cached_property
    def is_taken_back(self) -> Bools:
        """For each parcel whether its signature did not end the way."""
        found = np.zeros(self.parcels, dtype=bool)
        found[self.taken_back] = True
        return found

    @cached_property
    def is_forgetful(self) -> Bools:
        """For each parcel whether its condensed history does not hold all its movements (`domain.journey`)."""
        found: Bools = np.diff(self.offsets) > KEPT_MOVEMENTS
        return found

    @cached_property
    def first_scan(self) -> Micros:
        """The first movement of each parcel."""
        return self._nth(0)

    @cached_property
    def second_scan(self) -> Micros:
        """The second one."""
        return self._nth(1)

    @cached_property
    def after_pickup(self) -> Micros:
        """The first movement after the pickup; a repeated pickup scan is no progress."""
        onward = self.moved.mark != mark(Milestone.PICKED_UP)
        starts = self.offsets[:-1]
        onward[starts[starts < len(onward)]] = False
        return at_row(self.moved.at, first_each(self.moved.owner, np.flatnonzero(onward), self.parcels))

    @cached_property
    def over(self) -> Micros:
        """When the way to the receiver ended: signed for, turned back or cancelled."""
        ends = (Milestone.DELIVERED, Milestone.RETURNING, Milestone.RETURNED, Milestone.CANCELLED)
        return self.first(frozenset(ends))

    def first(self, milestones: Set[Milestone]) -> Micros:
        """The first time of any of them in each parcel."""
        return self.once(frozenset(milestones), lambda: self._first(milestones))

    def _first(self, milestones: Set[Milestone]) -> Micros:
        if milestones == {Milestone.DEPARTED_FIRST_HUB}:
            return np.minimum(self._among(self.moved, milestones), self.departed)
        found = self._among(self.moved, milestones & MOVEMENTS)
        if milestones - MOVEMENTS:
            found = np.minimum(found, self._among(self.still, milestones - MOVEMENTS))
        # The first movement of any kind stands for a pickup scan that is missing.
        return np.minimum(found, self.first_scan) if Milestone.PICKED_UP in milestones else found

    def _among(self, rows: Rows, milestones: Iterable[Milestone]) -> Micros:
        wanted = np.zeros(len(MARKS), dtype=bool)
        wanted[[mark(each) for each in milestones]] = True
        return at_row(rows.at, first_each(rows.owner, np.flatnonzero(wanted[rows.mark]), self.parcels))

    def _nth(self, n: int) -> Micros:
        row = self.offsets[:-1] + n
        return at_row(self.moved.at, np.where(row < self.offsets[1:], row, len(self.moved.at)))

    @cached_property
    def first_event(self) -> Micros:
        """The first scan with a milestone."""
        count, rows = self.parcels, self.still
        other = at_row(rows.at, first_each(rows.owner, np.arange(len(rows.at)), count))
        return np.minimum(self.first_scan, other)

    @cached_property
    def first_city(self) -> Codes:
        """The movement of each parcel's first moment that names a city; the number of movements where none does."""
        none = len(self.moved.at)
        named = np.flatnonzero(self.table.cities[self.moved.number] >= 0)
        found = first_each(self.moved.owner, named, self.parcels)
        return np.where(at_row(self.moved.at, found) == self.first_scan, found, none)

    @cached_property
    def hub_scan(self) -> Micros:
        """The first movement at a sorting centre."""
        there = np.flatnonzero(self.table.at_hub[self.moved.number])
        return at_row(self.moved.at, first_each(self.moved.owner, there, self.parcels))

    @cached_property
    def departed(self) -> Micros:
        """When each parcel left its first hub, or showed up where that is proven (`domain.journey`)."""
        rows, none = self.moved, len(self.moved.at)
        leg = np.array([each.rank >= _LEG for each in MARKS])[rows.mark]
        if (self.table.hubs >= 0).any() or (self.table.cities >= 0).any():
            leg |= self._left(none)
        return at_row(rows.at, first_each(rows.owner, np.flatnonzero(leg), self.parcels))

    def _left(self, none: int) -> Bools:
        """The movements that say the parcel left its first hub, or its city where no hub was named before."""
        rows = self.moved
        hub, city = self.table.hubs[rows.number], self.table.cities[rows.number]
        at_hub = hub >= 0
        first_hub = first_each(rows.owner, np.flatnonzero(at_hub), self.parcels)[rows.owner]
        name = np.where(first_hub < none, hub[np.minimum(first_hub, none - 1)], -1)
        home = city[self.offsets[:-1][rows.owner]]
        left = at_hub & (self.table.departed[rows.number] | (hub != name))
        away = ~at_hub & (np.arange(none) < first_hub) & (home >= 0) & (city >= 0) & (city != home)
        gone: Bools = left | away
        return gone


def milestones(orders: pd.DataFrame, events: pd.DataFrame) -> Milestones:
    """The frame of these orders and scans, whose columns the package tells of. Raises ValueError."""
    for frame, what in ((orders, "orders"), (events, "events")):
        if len(frame) and (frame["parcel"].isna().any() or frame["parcel"].min() < 0):
            raise ValueError(f"{what} without a parcel")
    occurred = micros(events, "occurred_at")
    if (occurred == NEVER).any():
        raise ValueError("events without a time")
    count = 1 + max(int(frame["parcel"].max()) if len(frame) else -1 for frame in (orders, events))
    long = too_long(orders, events, count)
    if len(long):
        orders, events = (frame[~frame["parcel"].isin(long)] for frame in (orders, events))
        occurred = micros(events, "occurred_at")
    number, table = meanings(events)
    late = late_learned(events, occurred)
    owner = events["parcel"].to_numpy().astype(np.int32, copy=False)
    owner, at, number = in_order(owner, occurred, number)
    troubled = np.flatnonzero(table.troubles[number]) if table.troubles.any() else np.empty(0, dtype=np.int64)
    rows = Rows(owner, at, table.marks[number], number)
    trouble = rows.taken(troubled)
    if not table.told.all():
        rows = rows.taken(table.told[number])
    rows = turned(rows, count)
    moved, muddled, echoed = movements(rows, table)
    still = (
        rows.taken(~table.moves[rows.number])
        if not table.moves.all()
        else rows.taken(np.empty(0, dtype=np.int64))
    )
    bound = bought(orders, count)
    odd = np.unique(np.concatenate([late, muddled, unusual(rows, moved, table, count), bound.odd]))
    latest = max(int(at.max()) if len(at) else 0, *_learned(events))
    return Milestones(
        parcels=count,
        orders=orders,
        events=events,
        table=table,
        moved=moved,
        still=still,
        troubled=trouble,
        echoed=echoed,
        bought=bound,
        odd_parcels=odd.astype(np.int64),
        taken_back=taken_back(rows, count),
        too_long=long,
        latest=latest,
    )


def _learned(events: pd.DataFrame) -> tuple[int, ...]:
    """The last moment given as learned, if any."""
    at = micros(events, "learned_at")
    known = at[at != NEVER]
    return (0, int(known.max())) if len(known) else (0,)
