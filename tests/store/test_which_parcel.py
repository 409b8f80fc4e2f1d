"""Which parcel is which: one number written with and without its carrier, in both cases, by several orders."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.orders import UNNAMED, Order, Waybill
from domain.time import to_micros
from monitor.store import parcels, pushes
from monitor.store.database import Database
from monitor.store.parcels import Incoming
from tests.store.given import DAY, T0, H, take

N = "75812345678901"
LIVE = (
    "SELECT o.merchant, o.order_no, p.carrier FROM order_parcels l JOIN orders o ON o.id = l.order_id"
    " JOIN parcels p ON p.id = l.parcel_id WHERE l.unlinked_at IS NULL AND p.state = 'watched' ORDER BY 1, 2, 3"
)
WATCHED = "SELECT carrier FROM parcels WHERE state = 'watched' ORDER BY carrier"


def said(
    *carriers: str, order: str = "P", at: timedelta = timedelta(0), merchant: str = "", number: str = N
) -> Incoming:
    """A row that names these carriers of the number, known `at` after T0."""
    named = tuple(Waybill(each, number) for each in carriers)
    paid_at = T0 - 5 * H + (at if at < -DAY else 0 * H)
    return Incoming(Order(order, merchant, paid_at=paid_at), named, "", T0 + at)


def rows(store: Database, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in store.read_now(lambda conn: conn.execute(text(query)).all())]


def ended(store: Database, at: datetime) -> None:
    """Every parcel is over since then."""
    query = text(f"UPDATE parcels SET state = 'done', done_at = {to_micros(at)}")
    store.write_now(lambda conn: conn.execute(query))


@pytest.mark.parametrize(
    ("files", "watched"),
    [
        pytest.param([[UNNAMED, "zhongtong"]], ["zhongtong"], id="blank, then named"),
        pytest.param([["zhongtong", UNNAMED]], ["zhongtong"], id="named, then blank"),
        pytest.param([[UNNAMED], [UNNAMED, "zhongtong"]], ["zhongtong"], id="blank, later both"),
        pytest.param([["zhongtong"], [UNNAMED]], ["zhongtong"], id="later without"),
        pytest.param([["zhongtong", "yunda"], [UNNAMED]], ["yunda", "zhongtong"], id="two, later without"),
        pytest.param([[UNNAMED, "zhongtong", "yunda"]], ["yunda", "zhongtong"], id="blank, then two"),
        pytest.param([[UNNAMED], [UNNAMED]], [UNNAMED], id="never named"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_number_without_a_carrier_is_what_its_order_says_elsewhere(
    database: Database, files: list[list[str]], watched: list[str], together: bool
) -> None:
    """In one file as rows of their own (`together`: in one cell), and over and over."""
    for n, file in enumerate([*files, files[-1]]):
        each = [said(*file, at=n * H)] if together else [said(one, at=n * H) for one in file]
        take(database, *each)
    assert [carrier for (carrier,) in rows(database, WATCHED)] == watched
    assert rows(database, "SELECT count(*) FROM parcels") == [(len(watched),)], "and none was left behind"


def test_a_nameless_parcel_beside_the_named_one_is_left(database: Database) -> None:
    """As an earlier release kept them."""
    take(database, said(UNNAMED))
    take(database, said("zhongtong", order="Q"))
    links = "INSERT INTO order_parcels (order_id, parcel_id, linked_at) SELECT o.id, p.id, 1 FROM orders o, parcels p"
    both = f"{links} WHERE o.order_no = 'P' AND p.carrier = 'zhongtong'"
    database.write_now(lambda conn: conn.execute(text(both)))
    take(database, said(UNNAMED, at=H))
    assert rows(database, LIVE) == [("", "P", "zhongtong"), ("", "Q", "zhongtong")]
    assert rows(database, WATCHED) == [("zhongtong",)]


@pytest.mark.parametrize("known", [H, -H], ids=["a newer export", "an older export"])
def test_a_parcel_that_was_over_long_ago_does_not_keep_the_name(database: Database, known: timedelta) -> None:
    take(database, said("zhongtong", order="OLD", at=-140 * DAY))
    ended(database, T0 - 130 * DAY)
    take(database, said(UNNAMED))
    [told] = take(database, said("zhongtong", at=known), now=T0 + H)
    assert told.outcome == "updated"
    stood = rows(database, "SELECT carrier, cycle, state FROM parcels ORDER BY id")
    assert stood == [("zhongtong", 0, "done"), ("zhongtong", 1, "watched")]


def test_one_that_was_over_just_now_is_the_same_parcel(database: Database) -> None:
    take(database, said("zhongtong", order="P1"))
    ended(database, T0 + H)
    take(database, said(UNNAMED, order="P2", at=2 * H))
    take(database, said("zhongtong", order="P2", at=3 * H))
    assert rows(database, "SELECT carrier, cycle, state FROM parcels ORDER BY id") == [
        ("zhongtong", 0, "done"),
        (UNNAMED, 0, "unwatched"),
    ]


@pytest.mark.parametrize("known", [H, -H], ids=["a newer export", "an older export"])
@pytest.mark.parametrize("carrier", ["yunda", "zhongtong"])
def test_what_one_merchant_names_another_keeps(database: Database, carrier: str, known: timedelta) -> None:
    take(database, said(UNNAMED, order="X", merchant="m1"), said(UNNAMED, order="Y", merchant="m2"))
    assert rows(database, WATCHED) == [(UNNAMED,)]
    [told] = take(database, said(carrier, order="Y", merchant="m2", at=known), now=T0 + H)
    assert "快递公司写明了" in told.detail
    assert rows(database, LIVE) == [("m1", "X", UNNAMED), ("m2", "Y", carrier)]
    take(database, said("zhongtong", order="X", merchant="m1", at=2 * H))
    assert rows(database, LIVE) == [("m1", "X", "zhongtong"), ("m2", "Y", carrier)]
    assert (UNNAMED,) not in rows(database, WATCHED)


def test_two_orders_of_one_merchant_are_named_together(database: Database) -> None:
    take(database, said(UNNAMED, order="X"), said(UNNAMED, order="Y"))
    take(database, said("yunda", order="Y", at=H))
    assert rows(database, LIVE) == [("", "X", "yunda"), ("", "Y", "yunda")]


# ── letters, small and capital ───────────────────────────────────────────────────────────────────

SMALL, CAPITAL = "sf1234567890123", "SF1234567890123"


@pytest.mark.parametrize("first", [SMALL, CAPITAL])
def test_a_number_in_small_letters_is_the_one_in_capitals(database: Database, first: str) -> None:
    then = CAPITAL if first == SMALL else SMALL
    take(database, said("shunfeng", number=first))
    [told] = take(database, said("shunfeng", number=then, at=H))
    assert told.outcome == "unchanged"
    assert rows(database, "SELECT waybill_no FROM parcels") == [(CAPITAL,)]
    [parcel] = database.read_now(lambda conn: parcels.find(conn, then, "shunfeng"))
    addressed = database.read_now(lambda conn: pushes.addressed(conn, [SMALL, CAPITAL]))
    assert addressed == {Waybill("shunfeng", SMALL): parcel, Waybill("shunfeng", CAPITAL): parcel}


def test_one_that_an_earlier_release_kept_in_small_letters_stays_the_parcel(database: Database) -> None:
    [first] = take(database, said("shunfeng", number=CAPITAL))
    database.write_now(lambda conn: conn.execute(text(f"UPDATE parcels SET waybill_no = '{SMALL}'")))
    for number, later in ((SMALL, H), (CAPITAL, 2 * H)):
        [told] = take(database, said("shunfeng", number=number, at=later))
        assert (told.outcome, told.parcel_ids) == ("unchanged", first.parcel_ids)
    assert rows(database, "SELECT waybill_no, state FROM parcels") == [(SMALL, "watched")]
    assert database.read_now(lambda conn: parcels.find(conn, SMALL, "shunfeng")) == list(first.parcel_ids)
