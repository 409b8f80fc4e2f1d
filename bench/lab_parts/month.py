"""A made-up month of orders and scans, as frames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

AS_OF: Final = datetime(2026, 11, 25, tzinfo=UTC)
_PAID_FROM: Final = datetime(2026, 10, 15, tzinfo=UTC)
_PAID_FOR: Final = timedelta(days=30)
_HOUR: Final = 3600
WORDS: Final = (
    *("label_created", "picked_up", "in_transit", "arrived_dest_city", "at_delivery_station"),
    *("out_for_delivery", "delivery_failed", "ready_for_collection", "delivered", "returning", "returned"),
)
_USUAL: Final = (
    *("label_created", "picked_up", "in_transit", "in_transit", "in_transit", "arrived_dest_city"),
    *("at_delivery_station", "out_for_delivery", "ready_for_collection", "delivered"),
)
_TRIED_TWICE: Final = (*_USUAL[:4], *_USUAL[5:8], "delivery_failed", "out_for_delivery", "delivered")
_TURNED_BACK: Final = (*_USUAL[:4], *_USUAL[6:8], "delivery_failed", "returning", "returning", "returned")
_AT_THE_DOOR: Final = (*_USUAL[:4], "in_transit", *_USUAL[4:8], "delivered")
_TAKEN_BACK: Final = (*_USUAL[:4], *_USUAL[5:8], "delivered", "ready_for_collection", "delivered")
_WAYS: Final = (
    (_AT_THE_DOOR, 0.7198),
    (_USUAL, 0.21),
    (_TRIED_TWICE, 0.05),
    (_TURNED_BACK, 0.02),
    (_TAKEN_BACK, 0.0002),
)
_PROVINCES: Final = ("广东", "江苏", "北京", "四川", "甘肃", "新疆", "香港")
_SHARES: Final = (0.3, 0.3, 0.2, 0.15, 0.03, 0.015, 0.005)


def month(parcels: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The orders and the scans of so many parcels; the scans in the order of time."""
    rng = np.random.default_rng(7)
    paid = int(_PAID_FROM.timestamp()) + rng.integers(0, int(_PAID_FOR.total_seconds()), parcels)
    way = rng.choice(
        len(_WAYS), parcels, p=np.array([share for _, share in _WAYS]) / sum(s for _, s in _WAYS)
    )
    marks = np.array([[WORDS.index(word) for word in words] for words, _ in _WAYS], dtype=np.int8)[way]
    gaps = rng.gamma(2.0, 2.6, marks.shape) * _HOUR
    stalled = rng.random(marks.shape) < 0.006
    gaps[stalled] += rng.uniform(20, 160, int(stalled.sum())) * _HOUR
    at = paid[:, None] + np.cumsum(gaps, axis=1).astype(np.int64) + _HOUR
    # A few stop on their way for good, or are never picked up.
    stops = np.where(rng.random(parcels) < 0.01, rng.integers(0, marks.shape[1], parcels), marks.shape[1])
    told = (np.arange(marks.shape[1]) < stops[:, None]) & (at <= int(AS_OF.timestamp()))
    owner = np.repeat(np.arange(parcels, dtype=np.int32), told.sum(axis=1))
    times, words = at[told], marks[told]
    order = np.argsort(times, kind="stable")
    events = pd.DataFrame(
        {
            "parcel": owner[order],
            "occurred_at": _moments(times[order]),
            "milestone": pd.Categorical.from_codes(words[order], categories=list(WORDS)),
        }
    )
    return _orders(rng, paid, at[:, 0]), events


def _orders(rng: np.random.Generator, paid: npt.NDArray[Any], shipped: npt.NDArray[Any]) -> pd.DataFrame:
    parcels = len(paid)
    promised = np.where(rng.random(parcels) < 0.05, paid + 72 * _HOUR, np.iinfo(np.int64).min // 10**6)
    return pd.DataFrame(
        {
            "parcel": np.arange(parcels, dtype=np.int32),
            "platform": pd.Categorical.from_codes(
                np.zeros(parcels, dtype=np.int8), categories=["taobao_tmall"]
            ),
            "shop": pd.Categorical.from_codes(
                rng.integers(0, 5, parcels), categories=[f"店{n}" for n in range(5)]
            ),
            "carrier": pd.Categorical.from_codes(
                rng.integers(0, 3, parcels), categories=["zhongtong", "yuantong", "yunda"]
            ),
            "receiver_province": pd.Categorical.from_codes(
                rng.choice(len(_PROVINCES), parcels, p=_SHARES), categories=list(_PROVINCES)
            ),
            "paid_at": _moments(paid),
            "shipped_at": _moments(shipped),
            "promised_ship_at": pd.Series(_moments(promised)).where(promised > 0),
        }
    )


def _moments(seconds: npt.NDArray[Any]) -> npt.NDArray[np.datetime64]:
    return (seconds.astype(np.int64) * 1_000_000).view("datetime64[us]")
