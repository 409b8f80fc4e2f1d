"""Which parcels the columns do not model: anything a usual history does not do, told conservatively."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from domain.tracking import Milestone
from rules.lab.columns import NEVER, Codes, Micros, micros
from rules.lab.meanings import Meanings, mark
from rules.lab.scans import Rows, first_each

__all__ = ["MOST_ROWS", "late_learned", "taken_back", "too_long", "unusual"]

_DAY: Final = 24 * 3600 * 1_000_000
MOST_ROWS: Final = 400
"""A parcel of more orders and scans is no parcel: a replay of it takes the square of that in time."""
_OF_THE_SHOP: Final = (
    Milestone.ORDERED,
    Milestone.PAID,
    Milestone.CONFIRMED,
    Milestone.SHIPPED,
    Milestone.BUYER_CONFIRMED,
)
_AGAIN: Final = (Milestone.OUT_FOR_DELIVERY, Milestone.DELIVERY_FAILED)


def too_long(orders: pd.DataFrame, events: pd.DataFrame, count: int) -> Codes:
    """The parcels of more than `MOST_ROWS` orders and scans, ascending."""
    held = np.bincount(events["parcel"].to_numpy(), minlength=count)
    held += np.bincount(orders["parcel"].to_numpy(), minlength=count)
    return np.flatnonzero(held > MOST_ROWS)


def late_learned(events: pd.DataFrame, at: Micros) -> Codes:
    """The parcels with a scan that was learned at another time than it happened, or taken back."""
    if not {"learned_at", "withdrawn_at"} & set(events):
        return np.empty(0, dtype=np.int64)
    learned = micros(events, "learned_at")
    late = ((learned != NEVER) & (learned != at)) | (micros(events, "withdrawn_at") != NEVER)
    return np.unique(events["parcel"].to_numpy()[late])


def unusual(told: Rows, moved: Rows, table: Meanings, count: int) -> Codes:
    """The parcels whose history is not only of scans, or contradicts itself."""
    found = [moved.owner[:0]]
    if table.transit_signed.any():
        found.append(told.owner[table.transit_signed[told.number]])
    found += [told.owner[told.mark == mark(milestone)] for milestone in _OF_THE_SHOP]
    cancelled = told.owner[told.mark == mark(Milestone.CANCELLED)]
    if len(cancelled):
        back = (told.mark == mark(Milestone.RETURNING)) | (told.mark == mark(Milestone.RETURNED))
        found.append(np.intersect1d(cancelled, told.owner[back]))
    return np.unique(np.concatenate(found).astype(np.int64))


def taken_back(told: Rows, count: int) -> Codes:
    """The parcels signed for, then stored, or on the way again more than a day later."""
    signed = np.flatnonzero(told.mark == mark(Milestone.DELIVERED))
    if not len(signed):
        return np.empty(0, dtype=np.int64)
    first = first_each(told.owner, signed, count)
    stored = np.flatnonzero(told.mark == mark(Milestone.READY_FOR_COLLECTION))
    found = [told.owner[stored[stored > first[told.owner[stored]]]]]
    for milestone in _AGAIN:
        again = np.flatnonzero(told.mark == mark(milestone))
        again = again[again > first[told.owner[again]]]
        later = told.at[again] - told.at[first[told.owner[again]]] > _DAY
        found.append(told.owner[again[later]])
    return np.unique(np.concatenate(found).astype(np.int64))
