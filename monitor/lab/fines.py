"""What the platforms would have fined in a history, and how much of it a policy told somebody of in time.

What a platform fines does not depend on the merchant's own limits. So the history is judged once more by the
platforms' own rules (`PolicyBook.platforms_own`), and each policy is held against those breaches. Pure, over frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pandas as pd

__all__ = ["LIMITS", "NONE", "Fines", "Sum", "fines", "leads", "limits"]

LIMITS: Final = ("parcel", "rule", "started_at", "limit_at", "low", "high")
"""The columns of `limits`."""
_WAIT: Final = ["parcel", "rule", "started_at"]


@dataclass(frozen=True, slots=True)
class Sum:
    """Some fines: how many (parcel × rule), and fen, low and high."""

    count: int = 0
    low: int = 0
    high: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.count + other.count, self.low + other.low, self.high + other.high)

    @property
    def fen(self) -> tuple[int, int]:
        """Low and high."""
        return self.low, self.high


_NOTHING: Final = Sum()


@dataclass(frozen=True, slots=True)
class Fines:
    """The fines of a history, parted by whether a policy told somebody in time."""

    every: Sum = _NOTHING
    in_time: Sum = _NOTHING
    rest: Sum = _NOTHING
    """Told too late, or never."""

    def __add__(self, other: Fines) -> Fines:
        return Fines(self.every + other.every, self.in_time + other.in_time, self.rest + other.rest)


NONE: Final = Fines()
"""No fine at all."""


def limits(findings: pd.DataFrame) -> pd.DataFrame:
    """Every limit that was broken under the platforms' own rules, one row a wait: when, and fen (missing: no fine).

    Each parcel's dearest fine alone has its low end, so that any parts of all fines add up to the whole: of
    several rules the platform takes at least the dearest, at most all. A rule fines a parcel once.
    """
    rows = findings[(findings["stage"] == "breach") & (findings["ended_by"] != "retracted")]
    rows = rows.sort_values(["crossed_at", "parcel", "rule"], kind="stable").rename(
        columns={"crossed_at": "limit_at", "risk_low": "low", "risk_high": "high"}
    )[list(LIMITS)]
    rows = rows.drop_duplicates(_WAIT).reset_index(drop=True)
    priced = rows["high"].notna() & ~rows[rows["high"].notna()].duplicated(["parcel", "rule"]).reindex(
        rows.index, fill_value=False
    )
    rows["high"] = rows["high"].where(priced)
    low = rows["low"].where(priced).astype("Int64")
    dearest = rows.assign(low=low)[priced].sort_values("low", ascending=False, kind="stable")
    first = dearest.drop_duplicates("parcel").index
    rows["low"] = low.where(rows.index.isin(first) | ~priced, 0)
    return rows


def fines(platform: pd.DataFrame, told: pd.DataFrame, useful: timedelta) -> dict[str, Fines]:
    """By rule: the fines of `limits`, and which of them somebody was told of in time.

    `told` are a policy's findings that were told. In time is an alert of the same parcel, by whatever rule, at
    least `useful` before the platform's limit, whose matter had not ended before the fined wait began.
    """
    owed = platform[platform["high"].notna()].reset_index(drop=True)
    owed["fine"] = owed.index
    alerts = told[["parcel", "crossed_at", "ended_at"]]
    pairs = owed[["fine", "parcel", "started_at", "limit_at"]].merge(alerts, on="parcel")
    known = pairs["crossed_at"] <= pairs["limit_at"] - pd.Timedelta(useful)
    known &= pairs["ended_at"].isna() | (pairs["ended_at"] >= pairs["started_at"])
    owed["in_time"] = owed["fine"].isin(pairs.loc[known, "fine"])
    return {
        str(rule): Fines(_sum(some), _sum(some[some["in_time"]]), _sum(some[~some["in_time"]]))
        for rule, some in owed.groupby(owed["rule"].astype("str"), sort=True)
    }


def _sum(some: pd.DataFrame) -> Sum:
    return Sum(len(some), int(some["low"].sum()), int(some["high"].sum()))


def leads(platform: pd.DataFrame, found: pd.DataFrame) -> pd.Series[float]:
    """Of each of a policy's waits: hours from the first alert to the platform's limit, negative where it came later.

    Missing where nobody was told, or the platform's limit was not broken.
    """
    at = found[_WAIT].astype({"rule": "str"})
    by = platform.astype({"rule": "str"}).set_index(_WAIT)["limit_at"]
    until = at.join(by, on=_WAIT)["limit_at"]
    return (until - found["told_at"]).dt.total_seconds() / 3600
