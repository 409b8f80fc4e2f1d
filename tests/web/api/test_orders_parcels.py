"""Several parcels of an order, several orders in a parcel and changed numbers, as a program sends them (A3, A7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitor.store.views.coverage import coverage
from tests.web.api.conftest import Api

A, B, C = "75812345670001", "75812345670002", "75812345670003"


def order(number: str = "O1", *waybills: str, **more: Any) -> dict[str, Any]:
    fixed = {"order_no": number, "platform": "douyin", "shop": "旗舰店", "carrier": "中通"}
    return fixed | {"waybill_no": list(waybills), "paid_at": "2026-11-01T10:00:00+08:00"} | more


def watched(api: Api) -> list[str]:
    """Parcels that an order has now."""
    return api.column(
        "SELECT DISTINCT waybill_no FROM parcels JOIN order_parcels ON parcel_id = id AND unlinked_at IS NULL"
        " WHERE state = 'watched' ORDER BY 1"
    )


def later(api: Api, minutes: int = 1) -> None:
    api.now[0] += timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([order("O1", A, B)], id="a list"),
        pytest.param([order("O1", waybill_no=f"{A}，{B}")], id="one text"),
        pytest.param([order("O1", A), order("O1", B)], id="two rows of one request"),
    ],
)
def test_several_parcels_of_an_order(api: Api, rows: list[dict[str, Any]]) -> None:
    api.post("/orders", rows)
    assert watched(api) == [A, B]
    assert api.column("SELECT count(*) FROM orders") == [1]


def test_several_orders_in_one_parcel_are_one_parcel(api: Api) -> None:
    api.post("/orders", [order("O1", A), order("O2", A)])
    assert watched(api) == [A]
    assert api.column("SELECT count(*) FROM order_parcels") == [2]
    found = api.store.read_now(lambda conn: coverage(conn, lambda carrier: True))
    assert sum(found.counts.values()) == 1


def test_a_changed_number_keeps_the_earlier_one_and_its_history(api: Api) -> None:
    api.post("/orders", order("O1", A))
    later(api)
    body = api.post("/orders", order("O1", B))
    assert body["updated"] == 1
    assert f"已换成 {B}" in body["verdicts"][0]["detail"]
    assert watched(api) == [B]
    assert api.column(f"SELECT state FROM parcels WHERE waybill_no = '{A}'") == ["unwatched"]


def test_a_further_parcel_is_named_together_with_the_first(api: Api) -> None:
    api.post("/orders", order("O1", A))
    later(api)
    api.post("/orders", order("O1", A, B))
    assert watched(api) == [A, B]


def test_a_number_taken_back_from_one_order_stays_with_the_other(api: Api) -> None:
    api.post("/orders", [order("O1", A), order("O2", A)])
    later(api)
    api.post("/orders", order("O1", B))
    assert watched(api) == [A, B]


def test_a_number_that_was_taken_back_and_comes_again_is_the_same_parcel(api: Api) -> None:
    for number in (A, B, A):
        api.post("/orders", order("O1", number))
        later(api)
    assert watched(api) == [A]
    assert api.column("SELECT count(*) FROM parcels") == [2]


def test_a_replayed_change_changes_nothing_back(api: Api) -> None:
    """The network lost the answer to the first; it is sent again after the second."""
    first = {"Idempotency-Key": "k1"}
    api.post("/orders", order("O1", A), **first)
    later(api)
    api.post("/orders", order("O1", B), **{"Idempotency-Key": "k2"})
    later(api)
    body = api.post("/orders", order("O1", A), **first)
    assert body["accepted"] == 1, "the old answer"
    assert watched(api) == [B]


def test_without_a_key_an_older_word_is_known_by_its_time(api: Api) -> None:
    before = api.now[0].isoformat().replace("+00:00", "Z")
    api.post("/orders", order("O1", A))
    later(api)
    api.post("/orders", order("O1", B))
    later(api)
    body = api.post(f"/orders?known_at={before}", order("O1", A))
    assert body["older"] == 1
    assert watched(api) == [B]


def test_a_closed_order_ends_its_parcels_and_only_its_own(api: Api) -> None:
    api.post("/orders", [order("O1", A), order("O2", B), order("O3", C)])
    later(api)
    api.post("/orders", order("O2", B, status="交易关闭"))
    assert api.column("SELECT order_no FROM orders WHERE status = 'closed'") == ["O2"]
    assert api.column("SELECT count(*) FROM orders WHERE status <> 'closed'") == [2]
