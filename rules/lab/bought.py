"""Orders by parcel: their moments, what a policy may ask of them, and when nobody waits any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from domain.orders import OrderStatus
from rules.lab.columns import NEVER, Bools, Codes, Micros, codes, micros
from rules.lab.rowwise import ORDER_TIMES

__all__ = ["LONG_AGO", "Bought", "bought"]

LONG_AGO: Final = -(1 << 62)
_FACETS: Final = (
    *("platform", "shop", "merchant", "carrier", "waybill_no", "warehouse", "origin"),
    *("receiver_province", "receiver_city", "goods_type", "tags"),
)
_GONE: Final = (OrderStatus.CLOSED, OrderStatus.FINISHED)
_REFUND: Final = (OrderStatus.REFUNDED, OrderStatus.REFUNDING)


@dataclass(frozen=True)
class Bought:
    """What is known of the orders of each parcel."""

    lead: Codes
    """The order row that speaks for the parcel; -1 where there is none."""
    several: Bools
    """Holds orders that differ in a moment or promise: what asks order by order is replayed."""
    many: Bools
    """Holds more than one order."""
    amount: Codes
    """Where in `amounts` the order's is."""
    amounts: tuple[Any, ...]
    """Yuan, as the frame has them; None for an unknown one."""
    status: Codes
    """The order's status as its place in `OrderStatus`."""
    times: dict[str, Micros]
    """Each moment, the earliest of the parcel's orders."""
    kind: Codes
    """Parcels of one kind are alike in every facet."""
    of_kind: Codes
    """A parcel of each kind."""
    gone_at: Micros
    """From when nobody waits; `LONG_AGO` from the outset."""
    finished: Bools
    """Nobody waits at the end of the replay."""
    refunded: Bools
    """Somebody waits from the first scan on."""
    odd: Codes
    """Parcels whose orders the columns do not model."""


def bought(orders: pd.DataFrame, count: int) -> Bought:
    """The orders of so many parcels."""
    owner = orders["parcel"].to_numpy()
    times = {name: micros(orders, name) for name in ORDER_TIMES}
    held = np.bincount(owner, minlength=count)
    alone = bool((held <= 1).all())
    rows = np.arange(len(owner)) if alone else np.lexsort((times["paid_at"], owner))
    lead = np.full(count, -1, dtype=np.int64)
    lead[owner[rows][::-1]] = rows[::-1]
    facet, status = _facets(orders), _statuses(orders)
    told = {name: _of_parcel(lead, column) for name, column in times.items()}
    several, odd = np.zeros(count, dtype=bool), held == 0
    if not alone:
        for name, column in times.items():
            np.minimum.at(told[name], owner, column)
            several[owner[column != told[name][owner]]] = True
        first = lead[owner]
        odd[owner[(facet != facet[first]) | (status != status[first])]] = True
        # An order's own moment decides what it starts from: confirmed, or else paid.
        odd[owner[(times["confirmed_at"] == NEVER) != (told["confirmed_at"][owner] == NEVER)]] = True
    kind, of_kind = _kinds(facet, lead)
    said = told.pop("status_at")
    state = _of_parcel(lead, status, missing=-1)
    gone = np.isin(state, [_number(each) for each in _GONE])
    refund = np.isin(state, [_number(each) for each in _REFUND])
    finished = (state == _number(OrderStatus.FINISHED)) & (said == NEVER)
    gone_at = np.where(gone & ~finished, np.where(said == NEVER, LONG_AGO, said), NEVER)
    odd |= refund & (said != NEVER)
    amount, amounts = _amounts(orders)
    paid = _of_parcel(lead, amount, missing=len(amounts) - 1)
    return Bought(
        lead,
        several,
        held > 1,
        paid,
        amounts,
        state,
        told,
        kind,
        of_kind,
        gone_at,
        finished,
        refund,
        np.flatnonzero(odd),
    )


def _of_parcel(lead: Codes, column: Codes, missing: int = NEVER) -> Codes:
    if not len(column):
        return np.full(len(lead), missing, dtype=np.int64)
    if len(lead) == len(column) and (lead == np.arange(len(lead))).all():
        return column.copy()
    return np.where(lead >= 0, column[lead], missing)


def _amounts(orders: pd.DataFrame) -> tuple[Codes, tuple[Any, ...]]:
    """For each order where its amount stands in the list of all amounts, the last of which is unknown."""
    if "amount" not in orders:
        return np.zeros(len(orders), dtype=np.int64), (None,)
    number, found = pd.factorize(orders["amount"])
    return np.where(number < 0, len(found), number), (*found.tolist(), None)


def _number(status: OrderStatus) -> int:
    return list(OrderStatus).index(status)


def _statuses(orders: pd.DataFrame) -> Codes:
    """Each order's status as its number. Raises ValueError for one nobody knows."""
    number, words = codes(orders, "status")
    table = np.array([_number(OrderStatus(word or OrderStatus.SHIPPED)) for word in words], dtype=np.int8)
    return table[number]


def _facets(orders: pd.DataFrame) -> Codes:
    """Orders alike in every facet have one number."""
    found = np.zeros(len(orders), dtype=np.int64)
    for name in _FACETS:
        if name not in orders:
            continue
        number, words = (_numberless(orders), ["", "+"]) if name == "waybill_no" else codes(orders, name)
        if len(words) > 1:
            found = pd.factorize(found * len(words) + number)[0].astype(np.int64)
    return found


def _numberless(orders: pd.DataFrame) -> Codes:
    """Of a waybill's number only whether there is one decides anything."""
    column = orders["waybill_no"]
    return (column.notna() & (column.astype(object) != "")).to_numpy().astype(np.int64)


def _kinds(facet: Codes, lead: Codes) -> tuple[Codes, Codes]:
    """The kind of each parcel, and a parcel of each kind."""
    kind, found = pd.factorize(_of_parcel(lead, facet, missing=-1))
    of_kind = np.empty(len(found), dtype=np.int64)
    of_kind[kind[::-1]] = np.arange(len(kind))[::-1]
    return kind.astype(np.int32), of_kind
