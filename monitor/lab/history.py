"""The store's own history as the lab's frames: orders paid in the last days, their parcels, every scan.

Read-only, in short reads of a few thousand parcels, so that neither the daemon's writer nor its checkpoints wait.
Everything is as it was known at `as_of`: what was learned later is left out.

A scan counts from the moment it happened, as in a live watch that looks all the time, unless looks had gone by
without it: learned later than `lag` after it happened, and not with the parcel's first answer, it counts from when
it was learned. A withdrawn scan counts until it was withdrawn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection, Select, func, select

from domain.time import to_micros
from monitor.lab.events import WORDS, Lexicon
from monitor.lab.orders import empty_orders
from monitor.lab.parcels import Parcels
from monitor.lab.telling import Telling
from monitor.lab.times import MOMENT
from monitor.store import schema
from monitor.store.database import Database

__all__ = ["Kept", "read_history"]

_WINDOW: Final = 4_000
"""Parcels of one read."""
_STAGE: Final = "读数据库"
_TEXTS: Final = (
    *("merchant", "platform", "shop", "order_no", "status", "receiver_province", "receiver_city"),
    *("warehouse", "goods_type", "tags"),
)
_MOMENTS: Final = (
    *("ordered_at", "paid_at", "confirmed_at", "shipped_at", "promised_ship_at", "promised_delivery_at"),
)
_LATELY: Final = frozenset({"finished", "closed", "refunded", "refunding"})
"""What is said of an order after a while; it was said when the row last changed."""

_orders, _parcels, _links, _events, _due = (
    schema.orders.c,
    schema.parcels.c,
    schema.order_parcels.c,
    schema.events.c,
    schema.due.c,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store knows: frames as `rules.lab` wants them."""

    orders: pd.DataFrame
    """Also `observed_at`: the last look at the order's parcel, up to which its silence is proven; missing without one."""
    events: pd.DataFrame
    parcels: Parcels


def read_history(db: Database, since: datetime, as_of: datetime, lag: timedelta, telling: Telling) -> Kept:
    """Orders paid (or, without a payment, known) from `since` to `as_of`, with all their scans."""
    first, last = db.read_now(lambda conn: _range(conn, since))
    orders: list[pd.DataFrame] = []
    events: list[pd.DataFrame] = []
    lexica = {name: Lexicon() for name in WORDS}
    for start in range(first, last + 1, _WINDOW):
        end = min(start + _WINDOW, last + 1)
        bought, scans = db.read_now(partial(_window, start=start, end=end, since=since, as_of=as_of))
        if bought:
            found = _order_frame(bought)
            orders.append(found)
            events.append(_event_frame(scans, found, lag, lexica))
        telling.watch(_STAGE, end - first, last + 1 - first)
    return _together(orders, events, lexica)


def _range(conn: Connection, since: datetime) -> tuple[int, int]:
    """The parcels that can be meant: none is older than its order's payment."""
    newest = conn.execute(select(func.max(_parcels.id))).scalar()
    oldest = conn.execute(
        select(func.min(_parcels.id)).where(_parcels.created_at >= to_micros(since))
    ).scalar()
    return (oldest, newest or 0) if oldest is not None else (1, 0)


def _window(
    conn: Connection, start: int, end: int, since: datetime, as_of: datetime
) -> tuple[list[Any], list[Any]]:
    return (
        list(conn.execute(_orders_of(start, end, since, as_of))),
        list(conn.execute(_events_of(start, end, as_of))),
    )


def _orders_of(start: int, end: int, since: datetime, as_of: datetime) -> Select[Any]:
    known_at = func.coalesce(_orders.paid_at, _orders.created_at)
    joined = schema.order_parcels.join(schema.orders, _orders.id == _links.order_id).join(
        schema.parcels, _parcels.id == _links.parcel_id
    )
    joined = joined.outerjoin(schema.due, _due.parcel_id == _parcels.id)
    return (
        select(
            _parcels.id.label("parcel_id"),
            _parcels.carrier,
            _parcels.waybill_no,
            _parcels.observed_at,
            _due.seen_at,
            _orders.updated_at,
            _orders.amount_cents,
            *(_orders[name] for name in (*_TEXTS, *_MOMENTS)),
        )
        .select_from(joined)
        .where(_links.parcel_id >= start, _links.parcel_id < end, _links.unlinked_at.is_(None))
        .where(known_at >= to_micros(since), known_at <= to_micros(as_of))
        .order_by(_parcels.id, _orders.paid_at, _orders.id)
    )


def _events_of(start: int, end: int, as_of: datetime) -> Select[Any]:
    return (
        select(
            *(_events[name] for name in ("parcel_id", "occurred_at", "learned_at", "withdrawn_at")),
            *(_events[name] for name in ("milestone", "text", "code", "detail")),
        )
        .where(_events.parcel_id >= start, _events.parcel_id < end)
        .where(_events.learned_at <= to_micros(as_of), _events.occurred_at <= to_micros(as_of))
        .order_by(_events.parcel_id, _events.occurred_at, _events.seq)
    )


def _order_frame(rows: list[Any]) -> pd.DataFrame:
    """Orders of a window, moments as UTC."""
    names = ("parcel_id", "carrier", "waybill_no", "observed_at", "seen_at", "updated_at", "amount_cents")
    frame = pd.DataFrame.from_records([tuple(row) for row in rows], columns=[*names, *_TEXTS, *_MOMENTS])
    for name in (*_MOMENTS, "observed_at", "seen_at", "updated_at"):
        frame[name] = _moment(frame[name])
    frame["tags"] = frame["tags"].str.replace(" ", ",")
    frame["amount"] = pd.to_numeric(frame["amount_cents"], errors="coerce").astype("float64") / 100
    frame["status_at"] = frame["updated_at"].where(frame["status"].isin(_LATELY))
    frame["observed_at"] = frame[["observed_at", "seen_at"]].max(axis=1)
    frame = frame.drop(columns=["amount_cents", "seen_at", "updated_at"])
    return frame.astype(dict.fromkeys(("carrier", "waybill_no", *_TEXTS), "str"))


def _event_frame(
    rows: list[Any], orders: pd.DataFrame, lag: timedelta, lexica: dict[str, Lexicon]
) -> pd.DataFrame:
    """Scans of a window's parcels, the texts as numbers."""
    names = ["parcel_id", "occurred_at", "learned_at", "withdrawn_at", "milestone", "text", "code", "detail"]
    frame = pd.DataFrame.from_records([tuple(row) for row in rows], columns=names)
    frame = frame[frame["parcel_id"].isin(orders["parcel_id"])]
    for name in ("occurred_at", "learned_at", "withdrawn_at"):
        frame[name] = _moment(frame[name])
    frame["location"] = [_area(detail) for detail in frame["detail"]]
    for name in WORDS:
        frame[name] = lexica[name].codes(frame[name].astype("str"))
    first = frame.groupby("parcel_id")["learned_at"].transform("min")
    late = (frame["learned_at"] - frame["occurred_at"] > lag) & (frame["learned_at"] > first)
    frame["learned_at"] = frame["learned_at"].where(late)
    return frame.drop(columns=["detail"])


def _moment(micros: pd.Series[Any]) -> pd.Series[pd.Timestamp]:
    return pd.to_datetime(pd.to_numeric(micros).astype("Int64"), unit="us", utc=True).astype(MOMENT)


def _area(detail: str) -> str:
    return str(json.loads(detail).get("area", "")) if '"area"' in detail else ""


def _together(orders: list[pd.DataFrame], events: list[pd.DataFrame], lexica: dict[str, Lexicon]) -> Kept:
    if not orders:
        nothing = empty_orders().assign(
            parcel=pd.Series([], dtype="int32"), observed_at=_moment(pd.Series([]))
        )
        scans = pd.DataFrame({"parcel": pd.Series([], dtype="int32"), "occurred_at": _moment(pd.Series([]))})
        return Kept(nothing, scans.assign(milestone="", text=""), Parcels(nothing[list(_NAMES)]))
    bought = pd.concat(orders, ignore_index=True)
    codes, ids = pd.factorize(bought["parcel_id"])
    bought["parcel"] = codes.astype("int32")
    scans = pd.concat(events, ignore_index=True)
    scans["parcel"] = pd.Index(ids).get_indexer(scans["parcel_id"]).astype("int32")
    for name in WORDS:
        scans[name] = lexica[name].column(scans[name].to_numpy())
    empty = [name for name in ("learned_at", "withdrawn_at") if scans[name].isna().all()]
    names = bought.groupby("parcel", as_index=False).agg(
        carrier=("carrier", "first"),
        waybill_no=("waybill_no", "first"),
        order_no=("order_no", "、".join),
        shop=("shop", "first"),
    )
    return Kept(
        bought.drop(columns="parcel_id"),
        scans.drop(columns=["parcel_id", *empty]),
        Parcels(names[list(_NAMES)]),
    )


_NAMES: Final = ("carrier", "waybill_no", "order_no", "shop")
