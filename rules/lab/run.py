"""A policy book applied to the frame of milestones: every stage crossed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.findings import FindingState, Stage
from domain.orders import Case
from domain.time import to_micros
from rules.lab.columns import NEVER
from rules.lab.frame import Milestones
from rules.lab.rowwise import Told, parcels
from rules.policy import Policy, PolicyBook
from rules.replay import Crossing, crossings, stretches

__all__ = ["COLUMNS", "run"]

COLUMNS: Final = (
    *("parcel", "rule", "stage", "step", "started_at", "crossed_at", "ended_at", "ended_by", "limit_hours"),
    *("policy", "severity", "notify", "shadow", "risk_low", "risk_high"),
)
_HOUR: Final = timedelta(hours=1)


def run(m: Milestones, book: PolicyBook, as_of: datetime) -> pd.DataFrame:
    """Every stage crossed up to `as_of` under this book; the columns are told in the package."""
    rows = [*_replayed(m, book, as_of, m.odd_parcels)]
    return _sorted(_frame(rows))


def _replayed(
    m: Milestones,
    book: PolicyBook,
    as_of: datetime,
    wanted: npt.NDArray[np.int64],
    only: frozenset[str] | None = None,
) -> Iterator[tuple[int, Crossing]]:
    """These parcels row by row."""
    for told in parcels(m.orders, m.events, wanted):
        known = stretches(told.orders, told.events, as_of, waybill=told.waybill, said_at=told.said_at)

        def policy_of(case: Case, told: Told = told) -> Policy:
            return book.policy_for(replace(case, origin=told.origin) if told.origin else case)

        for crossing in crossings(known, policy_of, only=only):
            yield told.parcel, crossing


def _frame(rows: list[tuple[int, Crossing]]) -> pd.DataFrame:
    """Crossings as a frame."""
    found = [crossing for _, crossing in rows]

    def times(values: list[datetime | None]) -> npt.NDArray[np.datetime64]:
        number = np.array([NEVER if at is None else to_micros(at) for at in values], dtype=np.int64)
        return np.where(number == NEVER, np.datetime64("NaT", "us"), number.view("datetime64[us]"))

    return pd.DataFrame(
        {
            "parcel": np.array([parcel for parcel, _ in rows], dtype=np.int64),
            "rule": pd.Categorical([each.rule for each in found]),
            "stage": pd.Categorical([each.stage.value for each in found], categories=list(Stage)),
            "step": np.array([each.step for each in found], dtype=np.int16),
            "started_at": times([each.started_at for each in found]),
            "crossed_at": times([each.crossed_at for each in found]),
            "ended_at": times([each.ended_at for each in found]),
            "ended_by": pd.Categorical(
                [each.ended_by.value for each in found], categories=list(FindingState)
            ),
            "limit_hours": np.array([np.nan if each.limit is None else each.limit / _HOUR for each in found]),
            "policy": pd.Categorical([each.policy for each in found]),
            "severity": np.array([each.severity for each in found], dtype=np.int16),
            "notify": np.array([each.notify for each in found], dtype=bool),
            "shadow": np.array([each.shadow for each in found], dtype=bool),
            "risk_low": pd.array([each.risk.low if each.risk else None for each in found], dtype="Int64"),
            "risk_high": pd.array([each.risk.high if each.risk else None for each in found], dtype="Int64"),
        },
        columns=list(COLUMNS),
    )


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    order = ["parcel", "started_at", "rule", "step"]
    return frame.sort_values(order, kind="stable", ignore_index=True)
