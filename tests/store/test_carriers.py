"""A number turns out to be another carrier's: one parcel, its history, and what the shop goes on writing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import text

from domain.orders import Waybill
from monitor.store import parcels
from monitor.store.carriers import change_carrier
from monitor.store.database import Database
from monitor.store.parcels import Incoming
from tests.store.given import PICKED, T0, H, column, incoming, learn, take


def change(store: Database, parcel: int, carrier: str) -> int:
    return store.write_now(lambda conn: change_carrier(conn, parcel, carrier, T0 + H))


def rows(store: Database, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in store.read_now(lambda conn: conn.execute(text(query)).all())]


def of(order: str, carrier: str) -> Incoming:
    """An order that names the carrier of N1 so."""
    return replace(incoming(order), waybills=(Waybill(carrier, "N1"),))


def given(store: Database, order: str = "o1", carrier: str = "yunda") -> int:
    [taken] = take(store, of(order, carrier))
    return taken.parcel_ids[0]


def test_it_stays_the_same_parcel_with_its_history(database: Database) -> None:
    parcel = given(database)
    learn(database, parcel, T0, PICKED)
    assert change(database, parcel, "zhongtong") == parcel
    [loaded] = database.read_now(lambda conn: parcels.load(conn, [parcel]))
    assert (loaded.case.waybill.carrier, loaded.case.declared) == ("zhongtong", "yunda")
    assert (loaded.answer_hash, loaded.provider, loaded.asked_at) == ("", "", None)
    assert loaded.next_deadline_at == T0 + H
    assert column(database, "SELECT count(*) FROM events") == [1]


def test_the_shop_goes_on_writing_the_wrong_one_and_means_this_parcel(database: Database) -> None:
    parcel = given(database)
    change(database, parcel, "zhongtong")
    [again] = take(database, of("o1", "yunda"))
    assert (again.outcome, again.parcel_ids) == ("unchanged", (parcel,))
    [other] = take(database, of("o2", "yunda"))
    assert other.parcel_ids == (parcel,), "another order of the same parcel"
    assert column(database, "SELECT count(*) FROM parcels") == [1]


def test_corrected_back_it_is_what_the_shop_said(database: Database) -> None:
    parcel = given(database)
    change(database, parcel, "zhongtong")
    change(database, parcel, "yunda")
    assert rows(database, "SELECT carrier, declared FROM parcels") == [("yunda", "")]
    change(database, parcel, "zhongtong")
    change(database, parcel, "shentong")
    assert rows(database, "SELECT carrier, declared FROM parcels") == [("shentong", "yunda")]


def test_a_number_watched_under_that_name_already_takes_the_orders_over(database: Database) -> None:
    wrong, right = given(database, "o1", "yunda"), given(database, "o2", "zhongtong")
    assert change(database, wrong, "zhongtong") == right
    live = "SELECT order_id, parcel_id FROM order_parcels WHERE unlinked_at IS NULL ORDER BY order_id"
    assert rows(database, live) == [(1, right), (2, right)]
    assert rows(database, f"SELECT state FROM parcels WHERE id = {wrong}") == [("unwatched",)]
    [again] = take(database, of("o1", "yunda"))
    assert again.parcel_ids == (right,)
    assert rows(database, live) == [(1, right), (2, right)]


def test_a_number_that_was_that_carriers_long_ago_is_another_use_of_it(database: Database) -> None:
    old, parcel = given(database, "o0", "zhongtong"), given(database, "o1", "yunda")
    database.write_now(lambda conn: conn.execute(text(f"UPDATE parcels SET state = 'done' WHERE id = {old}")))
    assert change(database, parcel, "zhongtong") == parcel
    assert rows(database, f"SELECT carrier, cycle FROM parcels WHERE id = {parcel}") == [("zhongtong", 1)]


def test_nothing_changes_for_what_is_not_there_or_right(database: Database) -> None:
    parcel = given(database)
    before = rows(database, "SELECT * FROM parcels")
    assert change(database, parcel, "yunda") == parcel
    assert change(database, parcel, "") == parcel
    assert change(database, 999, "zhongtong") == 999
    assert rows(database, "SELECT * FROM parcels") == before


def test_the_shop_that_puts_it_right_is_believed(database: Database) -> None:
    parcel = given(database)
    change(database, parcel, "zhongtong")
    [right] = take(database, replace(of("o1", "zhongtong"), known_at=T0 + 2 * H))
    assert (right.outcome, right.parcel_ids) == ("updated", (parcel,))
    assert "快递公司已改正" in right.detail
    assert rows(database, "SELECT carrier, declared FROM parcels") == [("zhongtong", "")]


def test_the_ceilings_belong_to_the_number_and_outlive_the_wrong_name(database: Database) -> None:
    """One account may serve both carriers: under the new one it is not asked again at once, nor more often a day."""
    parcel = given(database)
    said = f"UPDATE due SET asked_at = 7, quota_at = 9 WHERE parcel_id = {parcel}"
    database.write_now(lambda conn: conn.execute(text(said)))
    change(database, parcel, "zhongtong")
    assert rows(database, "SELECT asked_at, quota_at, next_poll_at FROM due") == [(7, 9, None)]
