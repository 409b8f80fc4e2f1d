"""One parcel as a program reads it: what `explain` says, and what else is known of the number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.tracking import Milestone, TrackingEvent
from tests.store import given
from tests.store.given import T0, H
from tests.web.api.conftest import Api, problem
from tests.web.api.world import CLEAN, fill


@pytest.fixture
def story(api: Api) -> None:
    fill(api.store)


@pytest.mark.parametrize("carrier", ["zhongtong", "中通", "中通快递"])
def test_everything_explain_says_and_more(api: Api, story: None, carrier: str) -> None:
    told = api.get(f"/parcels/{carrier}/Z0")
    assert {"parcel", "events", "clocks", "findings", "next_look_at", "observed_at"} < set(told)
    assert told["parcel"]["carrier"] == "zhongtong"
    assert told["parcel"]["carrier_name"] == "中通快递"
    assert told["parcel"]["orders"][0]["order_no"] == "o0"
    assert told["events"][0]["text"] == CLEAN
    assert told["events"][0]["occurred_at"] == "2026-11-01T11:00:00+08:00"
    assert {clock["rule"] for clock in told["clocks"]} >= {"transit_stagnation"}
    [use] = told["uses"]
    assert use["cycle"] == 0
    assert [ticket["number"] for ticket in use["tickets"]] == ["T-20261101-0001"]
    assert {each["rule"] for each in told["history"]} == {"late_pickup", "late_shipment"}
    assert {each["state"] for each in told["messages"]} == {"sent", "dead", "waiting"}


def test_a_parcel_whose_carrier_is_not_known_is_found_by_its_number(api: Api, story: None) -> None:
    given.a_parcel(api.store, "auto/75812345678901")
    told = api.get("/parcels/中通/75812345678901")["parcel"]
    assert (told["carrier"], told["carrier_name"]) == ("auto", "待识别")
    assert told["note"].startswith("没有中通快递的 75812345678901；")
    assert api.get("/parcels/auto/75812345678901")["parcel"]["note"] == ""
    assert api.get("/parcels/zhongtong/Z0")["parcel"]["note"] == ""


def test_a_scan_that_was_edited_and_one_that_was_withdrawn_are_marked(api: Api) -> None:
    parcel = given.a_parcel(api.store, "Z9")
    first = TrackingEvent(T0 + H, Milestone.PICKED_UP, "已揽收", "103")
    gone = TrackingEvent(T0 + 2 * H, Milestone.IN_TRANSIT, "已发往 上海", "0")
    given.learn(api.store, parcel, T0 + 3 * H, first, gone)
    given.learn(api.store, parcel, T0 + 5 * H, TrackingEvent(T0 + H, Milestone.PICKED_UP, "已揽件", "103"))
    told = api.get("/parcels/zhongtong/Z9")
    assert [(each["text"], each["withdrawn_at"] is None) for each in told["events"]] == [
        ("已揽件", True),
        ("已发往 上海", False),
    ]
    assert [each["text"] for each in told["edits"]] == ["已揽收"]


def test_a_clock_says_what_started_it_until_when_and_by_which_line(api: Api) -> None:
    parcel = given.a_parcel(api.store, "Z9", platform="taobao_tmall")
    given.learn(api.store, parcel, T0 + 2 * H, TrackingEvent(T0 + H, Milestone.PICKED_UP, "已揽收", "103"))
    told = api.get("/parcels/zhongtong/Z9")
    clocks = {clock["rule"]: clock for clock in told["clocks"]}
    late = clocks["late_pickup" if "late_pickup" in clocks else next(iter(clocks))]
    assert late["policy"]
    assert late["asleep"] or late["started_at"]


def test_a_number_that_is_used_again_shows_both_uses(api: Api) -> None:
    given.take(api.store, given.incoming("o1", "Z1"))
    later = T0 + timedelta(days=90)
    again = given.incoming("o2", "Z1", known=later, paid_at=later - 5 * H, shipped_at=later - 2 * H)
    given.take(api.store, again)
    told = api.get("/parcels/zhongtong/Z1")
    assert told["parcel"]["orders"][0]["order_no"] == "o2"
    assert [use["cycle"] for use in told["uses"]] == [1, 0]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("zhongtong/NOBODY", "not_found"),
        ("yuantong/Z0", "not_found"),
        ("中通/Z0%00", "not_found"),
        ("没有这家/Z0", "unknown_carrier"),
        ("%00/Z0", "unknown_carrier"),
    ],
)
def test_a_parcel_nobody_knows(api: Api, story: None, path: str, code: str) -> None:
    problem(api("GET", f"/api/v1/parcels/{path}"), 404, code)


def test_a_name_that_is_too_long_is_refused(api: Api) -> None:
    problem(api("GET", f"/api/v1/parcels/zhongtong/{'Z' * 65}"), 422)
    problem(api("GET", f"/api/v1/parcels/{'z' * 65}/Z1"), 422)
