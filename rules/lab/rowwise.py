"""From frames to parcels and back: the row-wise replay of single parcels out of the lab's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.orders import Order, OrderStatus, Waybill
from domain.reading import delivered_kind, read
from domain.time import from_micros
from domain.tracking import Milestone, TrackingEvent
from rules.lab.columns import NEVER, micros, texts
from rules.replay import Heard

__all__ = ["ORDER_TEXTS", "ORDER_TIMES", "Told", "parcels", "said", "split_tags"]

ORDER_TIMES: Final = (
    *("ordered_at", "paid_at", "confirmed_at", "shipped_at"),
    *("promised_ship_at", "promised_delivery_at", "status_at"),
)
ORDER_TEXTS: Final = (
    *("order_no", "platform", "shop", "merchant", "carrier", "waybill_no", "status", "origin"),
    *("receiver_province", "receiver_city", "warehouse", "goods_type", "tags"),
)
_PLAIN: Final = (
    "platform",
    "shop",
    "merchant",
    "receiver_province",
    "receiver_city",
    "warehouse",
    "goods_type",
)


class Told(NamedTuple):
    """One parcel as `rules.replay` wants it."""

    parcel: int
    orders: tuple[Order, ...]
    said_at: Mapping[str, datetime]
    waybill: Waybill
    origin: str
    events: tuple[Heard, ...]


def parcels(orders: pd.DataFrame, events: pd.DataFrame, wanted: npt.NDArray[np.int64]) -> Iterator[Told]:
    """The wanted parcels (ascending), one by one."""
    bought = _orders(orders, wanted)
    scanned = _events(events, wanted)
    for parcel in wanted.tolist():
        rows = bought.get(parcel, [])
        carrier, number, origin = rows[0][2:] if rows else ("", "", "")
        said = {order.order_no: at for order, at, *_ in rows if at is not None}
        own = tuple(order for order, *_ in rows)
        yield Told(parcel, own, said, Waybill(carrier, number), origin, tuple(scanned.get(parcel, ())))


def _chosen(frame: pd.DataFrame, wanted: npt.NDArray[np.int64]) -> pd.DataFrame:
    """The rows of these parcels."""
    owner = frame["parcel"].to_numpy()
    most = int(max(owner.max(initial=-1), wanted.max(initial=-1))) + 1
    mark = np.zeros(most, dtype=bool)
    mark[wanted] = True
    return frame.iloc[np.flatnonzero(mark[owner])]


def _orders(
    orders: pd.DataFrame, wanted: npt.NDArray[np.int64]
) -> dict[int, list[tuple[Order, datetime | None, str, str, str]]]:
    frame = _chosen(orders, wanted)
    word = {name: texts(frame, name) for name in ORDER_TEXTS}
    when = {name: _moments(frame, name) for name in ORDER_TIMES}
    amounts = frame["amount"].tolist() if "amount" in frame else [None] * len(frame)
    found: dict[int, list[tuple[Order, datetime | None, str, str, str]]] = {}
    for n, parcel in enumerate(frame["parcel"].tolist()):
        more: dict[str, Any] = {name: word[name][n] for name in _PLAIN}
        more |= {name: when[name][n] for name in ORDER_TIMES if name != "status_at"}
        order = Order(
            order_no=word["order_no"][n] or f"#{n}",
            status=OrderStatus(word["status"][n] or OrderStatus.SHIPPED),
            amount=None if pd.isna(amounts[n]) else Decimal(str(amounts[n])),
            tags=split_tags(word["tags"][n]),
            **more,
        )
        row = (order, when["status_at"][n], word["carrier"][n], word["waybill_no"][n], word["origin"][n])
        found.setdefault(parcel, []).append(row)
    return found


def split_tags(text: str) -> frozenset[str]:
    """The tags of an order, written with commas between them."""
    return frozenset(tag for each in text.split(",") if (tag := each.strip()))


def _events(events: pd.DataFrame, wanted: npt.NDArray[np.int64]) -> dict[int, list[Heard]]:
    frame = _chosen(events, wanted)
    at, learned, gone = (_moments(frame, name) for name in ("occurred_at", "learned_at", "withdrawn_at"))
    words = [texts(frame, name) for name in ("milestone", "text", "code", "location")]
    found: dict[int, list[Heard]] = {}
    for n, (parcel, occurred) in enumerate(zip(frame["parcel"].tolist(), at, strict=True)):
        assert occurred is not None
        event = TrackingEvent(occurred, *said(*[each[n] for each in words]))
        found.setdefault(parcel, []).append(Heard(event, learned[n] or occurred, gone[n]))
    return found


def _moments(frame: pd.DataFrame, name: str) -> Sequence[datetime | None]:
    return [None if at == NEVER else from_micros(at) for at in micros(frame, name).tolist()]


@lru_cache(maxsize=65_536)
def said(milestone: str, text: str, code: str, location: str) -> tuple[Any, ...]:
    """What a row of events says: the fields of a scan after its time. ValueError for an unknown milestone."""
    reading = read(text)
    mark = Milestone(milestone) if milestone else reading.milestone
    signed = mark is Milestone.DELIVERED
    kind = (reading.delivered_kind or delivered_kind(text)) if signed else None
    return (
        *(mark, text, code, "", reading.exceptions, kind, reading.motion, location),
        *(reading.hub, reading.outlet, reading.courier, reading.next_stop),
        reading.forecast and not milestone,
    )
