"""Columns of times, read at once: ISO 8601, or `YYYY-MM-DD HH:MM[:SS]` in a zone. Inside all is UTC.

What the fast reader does not know goes, each spelling once, through the reader of single cells that `import` uses
(`monitor/intake/values.py`), so that both understand the same words. A local time that a change of clocks makes
double is the first of the two, as everywhere in the program; one that it skips is read by the offset before.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from monitor.intake.values import Moment, Unfit, moment

__all__ = ["EARLIEST", "MOMENT", "Times", "read_times"]

MOMENT: Final = "datetime64[us, UTC]"
EARLIEST: Final = pd.Timestamp("2010-01-01", tz="UTC")
"""Nothing that this program watches is older."""
_OFFSET: Final = r"(?:[Zz]|[+-]\d{2}:?\d{2})$"
_PLAIN: Final = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?"
_FAR: Final = datetime(2262, 1, 1, tzinfo=UTC)


class Times:
    """What a column of texts amounts to. `at` is NaT where nothing is written, and where `faults` has a reason."""

    def __init__(self, at: pd.Series[pd.Timestamp], faults: dict[int, str]) -> None:
        self.at = at
        self.faults = faults
        """By position: why a text is no time."""


def read_times(texts: pd.Series[str], zone: ZoneInfo, *, whole_day: bool, late_minute: bool) -> Times:
    """Read a column.

    `late_minute`: `08:05` is 08:05:59, the later end of what was written, as `import` reads an order's times.
    `whole_day`: a date alone is the end of that day; else it is a fault, for no scan happens on a whole day.
    """
    codes, words = pd.factorize(texts) if texts.nunique() * 4 < len(texts) else (None, texts)
    one = pd.Series(words, dtype="str").reset_index(drop=True)
    at, faults = _read(one, zone, whole_day=whole_day, late_minute=late_minute)
    if codes is None:
        return Times(at.set_axis(texts.index), faults)
    taken = at.take(codes).set_axis(texts.index)
    wrong = {n: faults[code] for n, code in enumerate(codes.tolist()) if code in faults} if faults else {}
    return Times(taken, wrong)


def _read(
    one: pd.Series[str], zone: ZoneInfo, *, whole_day: bool, late_minute: bool
) -> tuple[pd.Series[pd.Timestamp], dict[int, str]]:
    usual = pd.to_datetime(one, format="%Y-%m-%d %H:%M:%S", errors="coerce").astype("datetime64[us]")
    if usual.notna().all():
        return _in_zone(usual, zone), {}
    stripped = one.str.strip()
    said = stripped.str.replace(_OFFSET, "", regex=True)
    zoned = said.str.len() != stripped.str.len()
    plain = said.str.fullmatch(_PLAIN)
    at = pd.Series(pd.NaT, index=one.index, dtype=MOMENT)
    with_zone = plain & zoned
    if with_zone.any():
        at[with_zone] = pd.to_datetime(stripped[with_zone], format="ISO8601", errors="coerce", utc=True)
    if (naive := plain & ~zoned).any():
        local = pd.to_datetime(stripped[naive], format="ISO8601", errors="coerce").astype("datetime64[us]")
        at[naive] = _in_zone(local, zone)
    if late_minute and (minute := plain & (said.str.len() == 16)).any():
        at[minute] += pd.Timedelta(seconds=59)
    faults: dict[int, str] = {}
    for n in (at.isna() & (stripped != "")).to_numpy().nonzero()[0].tolist():
        found = _slowly(str(one.iloc[n]), zone, whole_day)
        if isinstance(found, str):
            faults[int(n)] = found
        elif found is not None:
            at.iloc[n] = pd.Timestamp(found.at).as_unit("us")
    return at, faults


def _slowly(text: str, zone: ZoneInfo, whole_day: bool) -> Moment | str | None:
    """One odd spelling: its moment, nothing, or why not."""
    try:
        found = moment(text, zone, latest=_FAR)
    except Unfit as unfit:
        return str(unfit)
    if found is not None and found.precision == "day" and not whole_day:
        return f"{text.strip()[:24]} 只有日期，没有时刻；请写成 2026-09-10 08:05:00 这样"
    return found


def _in_zone(local: pd.Series[pd.Timestamp], zone: ZoneInfo) -> pd.Series[pd.Timestamp]:
    """Wall clocks of a zone as UTC."""
    first = np.ones(len(local), dtype=bool)
    at = local.dt.tz_localize(zone, ambiguous=first, nonexistent="NaT").dt.tz_convert("UTC")
    skipped = (at.isna() & local.notna()).to_numpy().nonzero()[0].tolist()
    for n in skipped:
        wall = local.iloc[n].to_pydatetime().replace(tzinfo=zone)
        at.iloc[n] = pd.Timestamp(wall.astimezone(UTC)).as_unit("us")
    return at
