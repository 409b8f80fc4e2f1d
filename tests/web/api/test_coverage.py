"""Is every shipped order watched? As a program reads it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.store import given
from tests.store.given import DAY, H
from tests.web.api.conftest import NOW, Api, problem


@pytest.fixture
def mixed(api: Api) -> None:
    """Three shipped orders without a waybill, and two parcels nobody has answered for yet."""
    given.take(
        api.store,
        *(
            given.incoming(f"bare{n}", shipped_at=NOW - DAY + n * H, known=NOW - DAY + n * H)
            for n in range(3)
        ),
        given.incoming("o1", "Z1"),
        given.incoming("o2", "Z2"),
    )


def counts(told: Any) -> dict[str, int]:
    return {each["reason"]: each["count"] for each in told["counts"] if each["count"]}


def test_the_counts_say_what_is_missing_and_why(api: Api, mixed: None) -> None:
    told = api.get("/coverage")
    assert counts(told)["no_waybill"] == 3
    assert told["missing"] >= 3
    assert (told["items"], told["next"]) == ([], None)
    covered = {each["reason"]: each["covered"] for each in told["counts"]}
    assert (covered["asked"], covered["no_waybill"]) == (True, False)


def test_each_list_is_walked_to_its_end(api: Api, mixed: None) -> None:
    first = api.get("/coverage", reason="no_waybill", limit=2)
    second = api.get("/coverage", reason="no_waybill", limit=2, cursor=first["next"])
    found = [row["order_no"] for row in first["items"] + second["items"]]
    assert sorted(found) == ["bare0", "bare1", "bare2"]
    assert second["next"] is None
    assert {row["reason"] for row in first["items"]} == {"no_waybill"}


def test_an_empty_store_misses_nothing(api: Api) -> None:
    told = api.get("/coverage")
    assert (told["missing"], counts(told)) == (0, {})


@pytest.mark.parametrize("asked", [{"reason": "lost"}, {"reason": ["waiting", "asked"], "limit": "x"}])
def test_a_list_there_is_not(api: Api, asked: dict[str, Any]) -> None:
    problem(api("GET", "/api/v1/coverage", params=asked), 422)


def test_a_cursor_of_another_list_is_refused(api: Api, mixed: None) -> None:
    cursor = api.get("/coverage", reason="no_waybill", limit=1)["next"]
    problem(api("GET", "/api/v1/coverage", params={"reason": "refused", "cursor": cursor}), 422)
