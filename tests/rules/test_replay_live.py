"""The replay says what the live sweep would have said had it looked all the time (L3): driven on a real store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from domain.journey import condense
from domain.orders import Order, OrderStatus
from domain.time import to_micros
from monitor.profiles import load_profiles
from monitor.store import parcels
from monitor.store.database import Database
from monitor.store.parcels import Incoming
from monitor.sweep import Look, Sweep
from rules.lab import LEFT_OUT
from rules.lab.rowwise import Told
from rules.lab.rowwise import parcels as told_parcels
from rules.policy import PolicyBook
from rules.replay import Crossing, replay
from rules.schedule import Pace
from tests.conftest import opened
from tests.rules.lab.histories import T0, edges_of, generated

AS_OF = T0 + timedelta(days=21)
TICK = timedelta(microseconds=1)
PROFILES = ("taobao_tmall", "pinduoduo", "douyin", "jd_pop", "tmall_global", "aliexpress")
BOOK = PolicyBook(load_profiles())
STRUCTURAL = {
    name
    for profile in BOOK.profiles.values()
    for name, rule in profile.rules.items()
    if rule.kind in LEFT_OUT
}
"""The store's parcels have neighbours, of which a replay of one parcel knows nothing."""
Row = tuple[Any, ...]


@pytest.fixture
def store(sqlite_url: str, tmp_path: Path) -> Iterator[Database]:
    """Durability is tested elsewhere, and twice as many databases would judge no differently."""
    with opened(sqlite_url, tmp_path) as each:
        yield each


@pytest.mark.parametrize("platform", PROFILES)
@pytest.mark.parametrize("texts", [False, True], ids=["milestones", "texts"])
def test_the_live_sweep_and_the_replay_agree_parcel_by_parcel(
    store: Database, platform: str, texts: bool
) -> None:
    orders, events = generated(3, platform, edges_of(platform), count=18, texts=texts, learned=texts)
    owners = np.unique(orders["parcel"].to_numpy())
    histories = [*told_parcels(orders, events, owners)]
    found = 0
    for told in histories:
        lived = store.write_now(partial(live, told=told))
        replayed = replay(
            told.orders,
            told.events,
            BOOK,
            AS_OF,
            waybill=told.waybill,
            origin=told.origin,
            said_at=told.said_at,
        )
        lived = [row for row in lived if row[0] not in STRUCTURAL]
        if restated(told):
            assert [row[:3] + row[5:] for row in lived] == [row[:3] + row[5:] for row in waits(replayed)], (
                told
            )
        else:
            assert lived == waits(replayed), told
        found += len(lived)
    assert found > 8, "the histories are about something"


def restated(told: Told) -> bool:
    """A finding that goes on may get another start in the store: by another order, or by a scan learned late."""
    return len(told.orders) > 1 or any(each.learned_at != each.event.occurred_at for each in told.events)


def live(conn: Connection, told: Told) -> list[Row]:
    """Everything the sweep found, looking at each piece of news and just before the next."""
    sweep = Sweep(BOOK, (), lambda carrier: ("k100", Pace(timedelta(minutes=30))))
    own = [at for order in told.orders for at in moments(order) if at is not None]
    news = {
        at for at in (*own, *(each.learned_at for each in told.events), *told.said_at.values()) if at <= AS_OF
    }
    parcel = 0
    for at, following in pairwise([*sorted(news | {AS_OF}), AS_OF + TICK]):
        rows = [Incoming(known(order, told, at), (told.waybill,), "", at) for order in told.orders]
        [*taken] = parcels.intake(conn, rows, at)
        [parcel] = {id_ for each in taken for id_ in each.parcel_ids}
        journey = condense([each.event for each in told.events if each.learned_at <= at])
        for now in (at, following - TICK):
            [look] = sweep.looks(conn, [parcel])
            case = replace(
                look.case, journey=journey, observed_at=now, orders_observed_at=now, origin=told.origin
            )
            sweep.settle(conn, [Look(look.loaded, case)], now)
    query = text(
        "SELECT rule, stage, step, started_at, crossed_at, state, ended_at FROM findings WHERE parcel_id = :parcel"
    )
    found = conn.execute(query, {"parcel": parcel}).fetchall()
    return sorted((*row[:6], row[6] or 0) for row in map(tuple, found))


def moments(order: Order) -> Sequence[datetime | None]:
    return order.ordered_at, order.paid_at, order.confirmed_at, order.shipped_at


def known(order: Order, told: Told, at: datetime) -> Order:
    """What the shop's export says of the order at that moment."""
    ahead: dict[str, Any] = {
        name: None
        for name in ("ordered_at", "paid_at", "confirmed_at", "shipped_at")
        if (moment_ := getattr(order, name)) is not None and moment_ > at
    }
    finished = AS_OF if order.status is OrderStatus.FINISHED else at
    if told.said_at.get(order.order_no, finished) > at:
        ahead["status"] = OrderStatus.SHIPPED
    return replace(order, **ahead)


def waits(crossings: Sequence[Crossing]) -> list[Row]:
    """Each finding at its last step, as the store keeps it."""
    last: list[Crossing] = []
    for each in crossings:
        before = next((n for n in range(len(last) - 1, -1, -1) if last[n].rule == each.rule), None)
        if before is not None and each.step > last[before].step and each.step > 1:
            last[before] = each
        else:
            last.append(each)
    return sorted(
        (
            *(each.rule, each.stage.value, each.step, to_micros(each.started_at), to_micros(each.crossed_at)),
            each.ended_by.value,
            to_micros(each.ended_at) if each.ended_at else 0,
        )
        for each in last
        if each.rule not in STRUCTURAL
    )
