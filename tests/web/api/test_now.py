"""The next hours as a program reads them."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.store.parcels import Due
from tests.store import given
from tests.store.given import H
from tests.web.api.conftest import NOW, Api, problem


@pytest.fixture
def ahead(api: Api) -> list[int]:
    """Four parcels: limits in half an hour, in five and in thirty hours, and one that is past."""
    ids = given.many_parcels(api.store, 4)
    for parcel, hours, rule in zip(
        ids, (0.5, 5, 30, -1), ("late_pickup", "transit_stagnation") * 2, strict=True
    ):
        at = NOW + hours * H
        given.due(api.store, Due(parcel, "k100", None, at, limit_at=at, limit_rule=rule))
    return ids


def waybills(told: Any) -> list[str]:
    return [row["waybill_no"] for row in told["items"]]


def test_the_nearest_limit_first_and_nothing_that_is_past(api: Api, ahead: list[int]) -> None:
    told = api.get("/now")
    assert waybills(told) == ["Z0", "Z1"]
    assert told["total"] == 2
    assert told["by_hour"][:6] == [1, 0, 0, 0, 1, 0]
    assert len(told["by_hour"]) == 24
    assert {each["name"]: each["count"] for each in told["by_rule"]} == {
        "late_pickup": 1,
        "transit_stagnation": 1,
    }
    assert told["by_carrier"] == [{"name": "zhongtong", "count": 2}]
    assert told["by_shop"] == [{"name": "旗舰店", "count": 2}]
    first = told["items"][0]
    assert first["limit_at"] == "2026-11-02T10:30:00+08:00"
    assert (first["shop"], first["order_no"], first["rule"]) == ("旗舰店", "o0", "late_pickup")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"hours": 1}, ["Z0"]),
        ({"hours": 48}, ["Z0", "Z1", "Z2"]),
        ({"rule": "transit_stagnation"}, ["Z1"]),
        ({"carrier": "yuantong"}, []),
        ({"shop": "旗舰店"}, ["Z0", "Z1"]),
        ({"shop": "\0"}, []),
    ],
)
def test_how_far_and_which(api: Api, ahead: list[int], asked: dict[str, Any], expected: list[str]) -> None:
    assert waybills(api.get("/now", **asked)) == expected


def test_it_is_walked_to_its_end(api: Api, ahead: list[int]) -> None:
    first = api.get("/now", hours=48, limit=2)
    second = api.get("/now", hours=48, limit=2, cursor=first["next"])
    assert waybills(first) + waybills(second) == ["Z0", "Z1", "Z2"]
    assert second["next"] is None


@pytest.mark.parametrize("hours", ["0", "169", "x", "1e3"])
def test_hours_are_one_to_a_week(api: Api, hours: str) -> None:
    problem(api("GET", "/api/v1/now", params={"hours": hours}), 422)


def test_an_empty_store_has_nothing_ahead(api: Api) -> None:
    told = api.get("/now")
    assert (told["total"], told["items"], told["sources"], told["overdue"]) == (0, [], [], 0)
