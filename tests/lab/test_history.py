"""The store's own history as frames, on both databases: what was known when, and judged as a live watch would."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from domain.orders import OrderStatus
from domain.tracking import Milestone, TrackingEvent
from monitor.intake.tables import FileRefused
from monitor.lab import history as module
from monitor.lab.history import Kept, read_history
from monitor.lab.study import History, from_store, judged
from monitor.lab.telling import Telling
from monitor.profiles import load_profiles
from monitor.store.database import Database
from rules.policy import PolicyBook
from tests.store.given import DAY, T0, H, column, incoming, learn, many_parcels, take

NOW = T0 + 10 * DAY
LAG = timedelta(hours=12)
BOOK = PolicyBook(load_profiles())
M = Milestone


def scan(hours: float, milestone: Milestone, text: str = "") -> TrackingEvent:
    return TrackingEvent(T0 + hours * H, milestone, text or milestone.value, area="浙江省,杭州市")


def kept(store: Database, *, since: datetime = T0 - 30 * DAY, as_of: datetime = NOW) -> Kept:
    return read_history(store, since, as_of, LAG, Telling())


def a_parcel(store: Database, number: str = "Z1", **order: object) -> int:
    row = incoming(f"order of {number}", number, **({"platform": "taobao_tmall"} | order))
    [taken] = take(store, row)
    return taken.parcel_ids[0]


def seen(store: Database, parcel: int, at: datetime) -> None:
    """The carrier's silence is proven up to this moment, and the shop's."""
    from sqlalchemy import text

    from domain.time import to_micros

    values = {"at": to_micros(at), "id": parcel}
    store.write_now(
        lambda conn: conn.execute(text("UPDATE parcels SET observed_at = :at WHERE id = :id"), values)
    )


def found(store: Database, *, as_of: datetime = NOW) -> set[tuple[str, str, datetime, datetime | None]]:
    """Rule, stage, crossed and ended of everything the lab finds."""
    history = studied(store, as_of=as_of)
    rows = judged(history, BOOK).to_dict("records")
    return {
        (
            row["rule"],
            row["stage"],
            row["crossed_at"].to_pydatetime(),
            None if pd.isna(row["ended_at"]) else row["ended_at"].to_pydatetime(),
        )
        for row in rows
    }


def studied(store: Database, *, as_of: datetime = NOW) -> History:
    return from_store(store, since=T0 - 30 * DAY, as_of=as_of, lag=LAG, telling=Telling())


def test_orders_and_scans_come_with_what_the_rules_ask(database: Database) -> None:
    parcel = a_parcel(
        database, receiver_province="新疆", tags=frozenset({"presale", "bulky"}), status=OrderStatus.FINISHED
    )
    learn(database, parcel, T0 + 5 * H, scan(2, M.PICKED_UP, "已揽收"))
    got = kept(database)
    [order] = got.orders.to_dict("records")
    assert (order["carrier"], order["waybill_no"], order["platform"]) == ("zhongtong", "Z1", "taobao_tmall")
    assert (order["receiver_province"], order["tags"], order["status"]) == (
        "新疆",
        "bulky,presale",
        "finished",
    )
    assert order["paid_at"] == pd.Timestamp(T0 - 5 * H)
    assert order["status_at"] == pd.Timestamp(T0), "when the row last changed"
    [event] = got.events.to_dict("records")
    assert (event["parcel"], event["milestone"], event["text"], event["location"]) == (
        0,
        "picked_up",
        "已揽收",
        "浙江省,杭州市",
    )
    assert event["occurred_at"] == pd.Timestamp(T0 + 2 * H)
    assert got.parcels.frame.to_dict("records") == [
        {"carrier": "zhongtong", "waybill_no": "Z1", "order_no": "order of Z1", "shop": "旗舰店"}
    ]


def test_a_scan_that_looks_had_gone_by_without_counts_from_when_it_was_learned(database: Database) -> None:
    parcel = a_parcel(database)
    picked, moved, late = scan(1, M.PICKED_UP), scan(30, M.IN_TRANSIT), scan(20, M.IN_TRANSIT, "补传")
    learn(database, parcel, T0 + 26 * H, picked)
    learn(database, parcel, T0 + 31 * H, picked, moved)
    learn(database, parcel, T0 + 60 * H, picked, late, moved)
    told = kept(database).events.set_index("text")["learned_at"]
    assert told["补传"] == pd.Timestamp(T0 + 60 * H)
    assert told.drop("补传").isna().all(), "the first answer holds what had happened before anybody asked"


def test_what_was_learned_later_is_not_known_yet(database: Database) -> None:
    parcel = a_parcel(database)
    learn(database, parcel, T0 + 5 * H, scan(2, M.PICKED_UP))
    learn(database, parcel, T0 + 50 * H, scan(2, M.PICKED_UP), scan(40, M.IN_TRANSIT))
    assert len(kept(database, as_of=T0 + 49 * H).events) == 1
    assert len(kept(database, as_of=T0 + 50 * H).events) == 2


def test_a_withdrawn_scan_counts_until_it_was_withdrawn(database: Database) -> None:
    """Picked up in time, as it seemed; taken back after the limit: late from then on, and not before."""
    parcel = a_parcel(database, paid_at=T0)
    label, stray = scan(1, M.LABEL_CREATED), scan(3, M.PICKED_UP, "已揽收")
    learn(database, parcel, T0 + 4 * H, label, stray)
    seen(database, parcel, NOW)
    assert not {each for each in found(database) if each[0] == "late_shipment"}
    learn(database, parcel, T0 + 60 * H, label)
    [withdrawn] = kept(database).events["withdrawn_at"].dropna()
    assert withdrawn == pd.Timestamp(T0 + 60 * H)
    late = {each for each in found(database) if each[:2] == ("late_shipment", "breach")}
    assert late == {("late_shipment", "breach", T0 + 48 * H, None)}


def test_silence_that_nobody_proved_is_not_claimed(database: Database) -> None:
    parcel = a_parcel(database, paid_at=T0)
    learn(database, parcel, T0 + 5 * H, scan(2, M.PICKED_UP))
    seen(database, parcel, T0 + 40 * H)
    stalled = {each[1:3] for each in found(database) if each[0] == "transit_stagnation"}
    assert stalled == {("warning", T0 + 26 * H)}, "the limit at hour 50 lies beyond the last look"
    seen(database, parcel, NOW)
    stalled = {each[1:3] for each in found(database) if each[0] == "transit_stagnation"}
    assert ("breach", T0 + 50 * H) in stalled


def test_a_parcel_that_nobody_ever_asked_about_is_left_out_and_counted(database: Database) -> None:
    asked = a_parcel(database, "Z1")
    a_parcel(database, "Z2")
    seen(database, asked, NOW)
    telling = Telling()
    history = from_store(database, since=T0 - 30 * DAY, as_of=NOW, lag=LAG, telling=telling)
    assert history.watched == 1
    assert set(judged(history, BOOK)["waybill_no"]) == {"Z1"}
    assert "有 1 个包裹从来没有查过轨迹，沉默没有证据，没有看" in telling.remarks


def test_a_store_that_never_asked_anybody_is_refused(database: Database) -> None:
    a_parcel(database, "Z1")
    take(database, incoming("later", "Z1", known=T0 + 5 * DAY))
    with pytest.raises(FileRefused, match="1 个包裹一个也没有查过轨迹"):
        studied(database)


def test_orders_of_the_last_days_in_windows(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WINDOW", 3)
    a_parcel(database, "OLD", paid_at=T0 - 40 * DAY)
    many_parcels(database, 10)
    a_parcel(database, "UNPAID", paid_at=None)
    told: list[tuple[int, int]] = []
    got = read_history(
        database, T0 - 30 * DAY, NOW, LAG, Telling(lambda stage, done, total: told.append((done, total)))
    )
    assert got.parcels.frame["waybill_no"].tolist() == [*(f"Z{n}" for n in range(10)), "UNPAID"]
    assert told[-1][0] == told[-1][1]
    assert len(told) == 4


def test_a_number_the_shop_changed_is_left_out(database: Database) -> None:
    take(database, incoming("o1", "Z1"))
    take(database, incoming("o1", "Z2", known=T0 + H), now=T0 + H)
    links = column(database, "SELECT count(*) FROM order_parcels WHERE unlinked_at IS NULL")
    assert len(kept(database).parcels) == links[0]


def test_two_orders_in_one_parcel(database: Database) -> None:
    take(database, incoming("o1", "Z1"), incoming("o2", "Z1"))
    got = kept(database)
    assert got.orders["parcel"].tolist() == [0, 0]
    assert got.parcels.frame["order_no"].tolist() == ["o1、o2"]


def test_an_empty_store_is_said(database: Database) -> None:
    with pytest.raises(FileRefused, match="没有订单"):
        studied(database)
