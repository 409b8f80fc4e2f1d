"""Money, blame and rules on trial as a program reads them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.store.views.rows import Find, Given, put_tickets
from tests.web.api.conftest import Api, problem

FIVE_TO_FIFTY = {"low": 5.0, "high": 50.0}
CARRIER = {"party": "carrier", "because": "揽收后在快递手里 41 小时"}


@pytest.fixture
def given(api: Api) -> Api:
    """Three tickets at T0, one of which has an hour left; the clock stands there."""
    api.now[0] = api.now[0].replace(day=1, hour=2)
    put_tickets(
        api.store,
        [
            Given(
                risk=(500, 5000),
                blame="carrier",
                blame_why=CARRIER["because"],
                limit=60,
                findings=(Find(left=60, risk=(500, 5000), blame="carrier"), Find("lost", shadow=True)),
            ),
            Given(risk=(9050, 9050), findings=(Find("lost", stage="breach"),)),
            Given(),
        ],
    )
    return api


def numbers(page: Any) -> list[int]:
    return [int(row["number"][-4:]) for row in page["items"]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"sort": "risk"}, [2, 1, 3]),
        ({"sort": "risk_per_hour"}, [1, 2, 3]),
        ({"sort": "risk_per_hour", "state": "open"}, [1, 2, 3]),
        ({"sort": "risk_per_hour", "state": ["closed", "acknowledged"]}, []),
        ({"sort": "risk_per_hour", "state": "closed"}, []),
        ({"blame": "carrier"}, [1]),
        ({"blame": ["buyer", "unknown"]}, []),
    ],
)
def test_tickets_by_money_and_blame(given: Api, asked: dict[str, Any], expected: list[int]) -> None:
    assert numbers(given.get("/tickets", **asked)) == expected


def test_a_walk_by_the_hour_shows_each_once(given: Api) -> None:
    found, cursor = [], None
    while cursor is not None or not found:
        page = given.get("/tickets", sort="risk_per_hour", limit=1, **({"cursor": cursor} if cursor else {}))
        found += numbers(page)
        cursor = page["next"]
    assert found == [1, 2, 3]


def test_a_ticket_says_the_money_in_yuan(given: Api) -> None:
    dear, over, unknown = given.get("/tickets", sort="risk_per_hour")["items"]
    assert (dear["risk"], dear["yuan_at_risk"], dear["risk_per_hour"]) == (FIVE_TO_FIFTY, 50.0, 50.0)
    assert dear["blame"] == CARRIER
    assert (over["risk"], over["risk_per_hour"], over["blame"]) == ({"low": 90.5, "high": 90.5}, None, None)
    assert (unknown["risk"], unknown["yuan_at_risk"]) == (None, None)
    whole = given.get(f"/tickets/{dear['number']}")
    assert (whole["risk"], whole["blame"]) == (FIVE_TO_FIFTY, CARRIER)
    assert [each["rule"] for each in whole["findings"]] == ["transit_stagnation"]
    assert [(each["rule"], each["shadow"]) for each in whole["trials"]] == [("lost", True)]


def test_findings_leave_trials_out_unless_asked(given: Api) -> None:
    assert {row["shadow"] for row in given.get("/findings")["items"]} == {False}
    [trial] = given.get("/findings", shadow="true")["items"]
    assert (trial["rule"], trial["shadow"], trial["ticket"]) == ("lost", True, "T-20261101-0001")
    [found] = given.get("/findings", blame="carrier")["items"]
    assert found["risk"] == FIVE_TO_FIFTY
    assert found["blame"]["party"] == "carrier"
    assert "policy_version" in found


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        ("/tickets", {"blame": "weather"}, "blame.0"),
        ("/findings", {"blame": "weather"}, "blame.0"),
        ("/findings", {"shadow": "perhaps"}, "shadow"),
        ("/tickets", {"sort": "money"}, "sort"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(
    given: Api, path: str, asked: dict[str, Any], field: str
) -> None:
    told = problem(given("GET", f"/api/v1{path}", params=asked), 422)
    assert [each["field"] for each in told["errors"]] == [field]


def test_now_says_what_the_next_hours_may_cost(given: Api) -> None:
    told = given.get("/now", hours=12)
    assert (told["risk"], told["risk_tickets"]) == (FIVE_TO_FIFTY, 1)
    assert [(row["risk"], row["blame"]) for row in told["items"]] == [(FIVE_TO_FIFTY, CARRIER)]
    assert given.get("/now", hours=1)["risk"] == FIVE_TO_FIFTY


def test_a_parcel_says_which_policy_won(given: Api) -> None:
    told = given.get("/parcels/zhongtong/Z1")
    assert told["parcel"]["policy"] == "taobao_tmall"
    assert told["parcel"]["policy_why"] == "没有策略匹配，按平台默认值"
    assert [each["rule"] for each in told["trials"]] == ["lost"]
    assert [each["rule"] for each in told["history"]] == ["transit_stagnation"]


def test_the_rules_say_what_they_cost_and_whether_they_are_on_trial(api: Api) -> None:
    [profile] = api.get("/policies", profile="taobao_tmall")["profiles"]
    [rule] = [each for each in profile["rules"] if each["id"] == "transit_stagnation"]
    assert rule["shadow"] is False
    assert any("实付的" in each for each in rule["penalty"])
