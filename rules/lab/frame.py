"""The wide frame of milestones: what all clocks of all parcels ask, worked out once and kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rules.lab.columns import NEVER, Codes, micros

__all__ = ["Milestones", "milestones"]


@dataclass(frozen=True, eq=False)
class Milestones:
    """The histories of many parcels, kept for any number of policies."""

    parcels: int
    """How many there are: the highest row number and one."""
    orders: pd.DataFrame
    events: pd.DataFrame
    odd_parcels: Codes
    """Those that are replayed row by row, ascending."""

    @property
    def odd(self) -> float:
        """The share of parcels that the columns do not model."""
        return len(self.odd_parcels) / self.parcels if self.parcels else 0.0


def milestones(orders: pd.DataFrame, events: pd.DataFrame) -> Milestones:
    """The frame of these orders and scans, whose columns the package tells of. Raises ValueError."""
    for frame, what in ((orders, "orders"), (events, "events")):
        if len(frame) and (frame["parcel"].isna().any() or frame["parcel"].min() < 0):
            raise ValueError(f"{what} without a parcel")
    if (micros(events, "occurred_at") == NEVER).any():
        raise ValueError("events without a time")
    count = 1 + max(int(frame["parcel"].max()) if len(frame) else -1 for frame in (orders, events))
    return Milestones(count, orders, events, np.arange(count))
