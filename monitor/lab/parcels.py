"""Which parcels there are: the orders' waybills, each with a number of its own, from 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from carriers.names import display

__all__ = ["Parcels", "numbered"]

_BETWEEN: Final = "\x1f"
_FEW: Final = 5_000
"""Up to so many waybills the nearest one is looked for."""


@dataclass(frozen=True)
class Parcels:
    """`frame`: carrier, waybill_no, order_no and shop of each; several orders of one parcel are joined by `、`."""

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def _index(self) -> pd.Index[str]:
        return pd.Index(_keys(self.frame["carrier"], self.frame["waybill_no"]))

    @cached_property
    def _carriers(self) -> Mapping[str, str]:
        """Waybill → carrier."""
        return dict(zip(self.frame["waybill_no"], self.frame["carrier"], strict=True))

    def places(self, carriers: pd.Series[str], waybills: pd.Series[str]) -> npt.NDArray[np.int64]:
        """The number of each scan's parcel, -1 where there is none."""
        found: npt.NDArray[np.int64] = self._index.get_indexer(pd.Index(_keys(carriers, waybills)))
        return found

    def nearest(self, carrier: str, waybill: str) -> str:
        """Which waybill may have been meant, as words to end a sentence with; or nothing."""
        other = self._carriers.get(waybill)
        if other is not None:
            return f"；订单里这个运单是{display(other)}的"
        if len(self.frame) > _FEW:
            return ""
        near = get_close_matches(waybill, self._carriers, n=1, cutoff=0.75)
        return f"；最像的是 {display(self._carriers[near[0]])} {near[0]}" if near else ""


def _keys(carriers: pd.Series[str], waybills: pd.Series[str]) -> pd.Series[str]:
    return carriers + _BETWEEN + waybills


def numbered(orders: pd.DataFrame) -> tuple[pd.DataFrame, Parcels]:
    """The orders with their parcel's number, and the parcels. An order without a waybill is one by itself."""
    key = _keys(orders["carrier"], orders["waybill_no"])
    bare = orders["waybill_no"] == ""
    if bare.any():
        alone = orders["merchant"] + _BETWEEN + orders["platform"] + _BETWEEN + orders["shop"]
        key = key.where(~bare, _BETWEEN + alone + _BETWEEN + orders["order_no"])
    codes, _ = pd.factorize(key)
    orders = orders.assign(parcel=codes.astype("int32"))
    first = orders.drop_duplicates("parcel")
    frame = first[["carrier", "waybill_no", "order_no", "shop"]].reset_index(drop=True)
    if len(first) < len(orders):
        several = orders[orders["parcel"].duplicated(keep=False)]
        joined = several.groupby("parcel")["order_no"].agg("、".join)
        frame.loc[joined.index, "order_no"] = joined
    return orders, Parcels(frame)
