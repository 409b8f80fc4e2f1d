"""A number turns out to be another carrier's: one parcel, its history, and what the shop goes on writing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from domain.orders import UNNAMED, Waybill
from monitor.store import parcels
from monitor.store.carriers import change_carrier, name_parcel
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


# ── a parcel that had no carrier ─────────────────────────────────────────────────────────────────


def name(store: Database, carrier: str) -> int | None:
    return store.write_now(lambda conn: name_parcel(conn, Waybill(carrier, "N1"), T0 + H))


def find(store: Database, carrier: str) -> list[int]:
    return store.read_now(lambda conn: parcels.find(conn, "N1", carrier))


def test_it_is_found_under_any_name_until_it_has_one(database: Database) -> None:
    parcel = given(database, carrier=UNNAMED)
    assert find(database, "zhongtong") == find(database, UNNAMED) == find(database, "") == [parcel]
    change(database, parcel, "zhongtong")
    assert find(database, "zhongtong") == find(database, UNNAMED) == [parcel]
    assert find(database, "yunda") == []


def test_who_has_one_of_that_number_is_not_given_anothers(database: Database) -> None:
    nameless, named = given(database, "o1", UNNAMED), given(database, "o2", "zhongtong")
    assert find(database, "zhongtong") == [named]
    assert find(database, "yunda") == [nameless]


@pytest.mark.parametrize(
    ("there", "carrier", "named"),
    [
        pytest.param([UNNAMED], "zhongtong", True, id="it waited for a name"),
        pytest.param(["yunda", UNNAMED], "zhongtong", True, id="another carrier has the number too"),
        pytest.param([UNNAMED, "zhongtong"], "zhongtong", False, id="that carrier's is known"),
        pytest.param([UNNAMED], UNNAMED, False, id="nobody's name is none"),
        pytest.param(["yunda"], "zhongtong", False, id="one that has a name keeps it"),
        pytest.param([], "zhongtong", False, id="nobody watches it"),
    ],
)
def test_a_name_goes_to_the_parcel_that_waits_for_one(
    database: Database, there: list[str], carrier: str, named: bool
) -> None:
    ids = {each: given(database, f"o{n}", each) for n, each in enumerate(there)}
    before = rows(database, "SELECT * FROM parcels ORDER BY id")
    if named:
        learn(database, ids[UNNAMED], T0, PICKED)
    assert name(database, carrier) == (ids[UNNAMED] if named else None)
    if named:
        query = f"SELECT carrier, declared FROM parcels WHERE id = {ids[UNNAMED]}"
        assert rows(database, query) == [(carrier, UNNAMED)]
        assert column(database, "SELECT count(*) FROM events") == [1]
    else:
        assert rows(database, "SELECT * FROM parcels ORDER BY id") == before


def test_what_is_watched_no_more_needs_no_name(database: Database) -> None:
    parcel = given(database, carrier=UNNAMED)
    database.write_now(
        lambda conn: conn.execute(text(f"UPDATE parcels SET state = 'unwatched' WHERE id = {parcel}"))
    )
    assert name(database, "zhongtong") is None


@pytest.mark.parametrize(
    ("order", "known", "outcome", "names"),
    [
        pytest.param("o1", H, "updated", [("zhongtong", "", "watched")], id="its own order, later"),
        pytest.param("o1", -H, "updated", [("zhongtong", "", "watched")], id="an older export knows more"),
        pytest.param(
            "o2", H, "accepted", [(UNNAMED, "", "watched"), ("zhongtong", "", "watched")], id="another order"
        ),
    ],
)
def test_the_order_names_the_carrier_at_last(
    database: Database, order: str, known: Any, outcome: str, names: list[tuple[str, str, str]]
) -> None:
    """The same parcel with its history, and no word of a changed number."""
    parcel = given(database, carrier=UNNAMED)
    learn(database, parcel, T0, PICKED)
    [told] = take(database, replace(of(order, "zhongtong"), known_at=T0 + known), now=T0 + H)
    assert told.outcome == outcome
    assert "换成" not in told.detail
    assert rows(database, "SELECT carrier, declared, state FROM parcels ORDER BY id") == names
    if order == "o1":
        assert told.parcel_ids == (parcel,)
        assert "快递公司已改正" in told.detail
        assert column(database, "SELECT unlinked_at FROM order_parcels") == [None]


def test_a_list_without_carriers_takes_no_carrier_away(database: Database) -> None:
    parcel = given(database, carrier="zhongtong")
    [told] = take(database, replace(of("o1", UNNAMED), known_at=T0 + H))
    assert (told.outcome, told.parcel_ids) == ("unchanged", (parcel,))
    assert rows(database, "SELECT carrier, state FROM parcels") == [("zhongtong", "watched")]


def test_named_twice_in_one_file_it_is_the_first_ones(database: Database) -> None:
    parcel = given(database, carrier=UNNAMED)
    said = [replace(of("o1", each), known_at=T0 + H) for each in ("zhongtong", "yunda")]
    take(database, *said)
    assert rows(database, f"SELECT carrier, state FROM parcels WHERE id = {parcel}") == [
        ("zhongtong", "watched")
    ]
