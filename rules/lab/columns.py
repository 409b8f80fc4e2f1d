"""Columns of a frame as plain arrays: times in microseconds, texts as lists or codes."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["NEVER", "Bools", "Codes", "Micros", "codes", "micros", "texts"]

Micros: TypeAlias = npt.NDArray[np.int64]
"""Microseconds since 1970 UTC, `NEVER` where nothing is known."""
Codes: TypeAlias = npt.NDArray[Any]
Bools: TypeAlias = npt.NDArray[np.bool_]

NEVER: Final = 1 << 62
"""Later than any moment, and far enough from the ends of the number that differences fit."""
_NAT: Final = int(np.iinfo(np.int64).min)


def micros(frame: pd.DataFrame, name: str) -> Micros:
    """A time column; `NEVER` where the column or a value is missing. A zone is taken to UTC."""
    if name not in frame:
        return np.full(len(frame), NEVER, dtype=np.int64)
    column = frame[name]
    if not pd.api.types.is_datetime64_any_dtype(column):
        column = pd.to_datetime(column, utc=True)
    if column.dt.unit != "us":
        column = column.dt.as_unit("us")
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    values: Micros = column.to_numpy().view(np.int64)
    missing = values == _NAT
    return np.where(missing, NEVER, values) if missing.any() else values


def texts(frame: pd.DataFrame, name: str) -> list[str]:
    """A text column as a list; nothing where the column or a value is missing."""
    if name not in frame:
        return [""] * len(frame)
    number, words = codes(frame, name)
    return [words[n] for n in number.tolist()]


def codes(frame: pd.DataFrame, name: str) -> tuple[Codes, list[str]]:
    """A text column as numbers into a list of its words; the last word is nothing, also where one is missing."""
    if name not in frame:
        return np.zeros(len(frame), dtype=np.int8), [""]
    column = frame[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        number, words = column.cat.codes.to_numpy(), [str(each) for each in column.cat.categories]
    else:
        number, found = pd.factorize(column)
        words = [str(each) for each in found]
    return np.where(number < 0, len(words), number) if (number < 0).any() else number, [*words, ""]
