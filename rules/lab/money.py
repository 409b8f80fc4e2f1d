"""What breaches may cost: `rules.money` asked once for all parcels that pay alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from domain.orders import Case, Order, OrderStatus
from domain.time import SHANGHAI, from_micros, to_micros
from rules.clock import common
from rules.declare import Rule
from rules.lab.columns import NEVER, Bools, Codes, Micros
from rules.lab.frame import Milestones
from rules.lab.kinds import Kinds
from rules.lab.rowwise import parcels
from rules.money import assess

__all__ = ["priced"]


def priced(
    m: Milestones, k: Kinds, rule: Rule, owner: Codes, deadline: Micros, replay: Bools, rows: Codes
) -> tuple[Micros | int, Micros | int]:
    """For each of the waits the ends of its risk in fen, `NEVER` where no penalty is known.

    Only `rows` are worked out. Parcels with several orders whose promises decide are marked for replay instead.
    """
    if not rule.penalty or not len(rows):
        return NEVER, NEVER
    low = np.full(len(owner), NEVER, dtype=np.int64)
    high = low.copy()
    mine = owner[rows]
    many = m.bought.many[mine]
    merged = _merged(m, np.unique(mine[many]))
    keys = [
        _goods(m, k)[m.bought.kind[mine]],
        m.bought.amount[mine],
        m.bought.status[mine],
        _tariffs(rule, deadline[rows]),
    ]
    keys.append(np.where(many, mine, -1))
    if any(tariff.when is not None and tariff.when.subject == "promise" for tariff in rule.penalty):
        keys.append(pd.factorize(_promised(m, mine, replay))[0])
        replay[mine[many]] = True
    number = keys[0].astype(np.int64)
    for key in keys[1:]:
        number = pd.factorize(number * (int(key.max()) + 2) + key + 1)[0]
    found, first = np.unique(number, return_index=True)
    prices = np.full((len(found), 2), NEVER, dtype=np.int64)
    # The waits are those the rule is about: that is not asked again.
    plain = replace(rule, when=frozenset(), since=None, until=None, variants=())
    for n, row in enumerate(first.tolist()):
        parcel, at = int(mine[row]), from_micros(int(deadline[rows[row]]))
        risk = assess(plain, common(_case(m, k, parcel, merged)), at).risk
        if risk is not None:
            prices[n] = risk.low, risk.high
    low[rows], high[rows] = prices[number, 0], prices[number, 1]
    return low, high


def _goods(m: Milestones, k: Kinds) -> Codes:
    """Of the kinds of parcels what a price depends on: goods type and tags, as a number."""

    def numbers() -> Codes:
        known: dict[object, int] = {}
        marks = [frozenset((each.goods_type, each.tags) for each in case.orders) for case in k.cases]
        return np.array([known.setdefault(each, len(known)) for each in marks], dtype=np.int64)

    return m.once("goods", numbers)


def _merged(m: Milestones, owner: Codes) -> Mapping[int, tuple[Order, ...]]:
    """The orders of parcels that hold several."""
    kept: dict[int, tuple[Order, ...]] = m.once("merged", dict)
    new = np.array([parcel for parcel in owner.tolist() if parcel not in kept], dtype=np.int64)
    kept |= (
        {each.parcel: each.orders for each in parcels(m.orders, m.events.iloc[:0], new)} if len(new) else {}
    )
    return kept


def _case(m: Milestones, k: Kinds, parcel: int, merged: Mapping[int, tuple[Order, ...]]) -> Case:
    """The parcel as far as a price depends on it."""
    case: Case = k.cases[m.bought.kind[parcel]]
    if m.bought.many[parcel]:
        still = m.bought.refunded[parcel]
        return replace(
            case,
            orders=tuple(
                each if still else replace(each, status=OrderStatus.SHIPPED) for each in merged[parcel]
            ),
        )
    amount = m.bought.amounts[m.bought.amount[parcel]]
    status = list(OrderStatus)[m.bought.status[parcel]] if m.bought.refunded[parcel] else OrderStatus.SHIPPED
    times: dict[str, Any] = {
        name: None if (at := int(m.bought.times[name][parcel])) == NEVER else from_micros(at)
        for name in ("paid_at", "confirmed_at", "promised_ship_at", "promised_delivery_at")
    }
    order = replace(
        case.order, amount=None if amount is None else Decimal(str(amount)), status=status, **times
    )
    return replace(case, orders=(order,))


def _tariffs(rule: Rule, at: Micros) -> Codes:
    """Which of the tariffs are in force at each moment, as a number."""
    days = [tariff.since for tariff in rule.penalty if tariff.since]
    days += [tariff.until + timedelta(days=1) for tariff in rule.penalty if tariff.until]
    midnights = [
        datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC) for day in sorted(days)
    ]
    return np.searchsorted(
        np.array([to_micros(each) for each in midnights], dtype=np.int64), at, side="right"
    )


def _promised(m: Milestones, owner: Codes, replay: Bools) -> Micros:
    """From the payment to the promised time; nothing where it is not after it."""
    paid, confirmed = m.bought.times["paid_at"][owner], m.bought.times["confirmed_at"][owner]
    replay[owner[(paid < NEVER) & (confirmed < paid)]] = True
    started = np.where(paid == NEVER, confirmed, paid)
    promised = m.bought.times["promised_ship_at"][owner]
    return np.where((promised < NEVER) & (promised > started), promised - started, -1)
