"""Which of a parcel's orders a rule is about, and whose limit counts when they differ (§11: `when`, `overrides`)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.findings import ClockReading
from domain.orders import OrderStatus
from rules.declare import parse_profile
from rules.policy import PolicyBook
from tests.rules.scenes import (
    PICKED,
    Hours,
    book,
    change,
    clock,
    finding,
    hours,
    judged,
    order,
    parcel,
    profiles,
    spec,
    stage,
)

SECOND = timedelta(seconds=1)


def marked(*words: str, platform: str = "jd_pop", no: str = "1", **said: Any) -> Any:
    return order(no, platform=platform, tags=frozenset(words), **said)


# ── only some orders ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("platform", "rule", "said", "reason"),
    [
        ("tmall_global", "late_bonded", {}, "只适用于：bonded"),
        ("tmall_global", "late_bonded", {"tags": frozenset({"direct_mail"})}, "只适用于：bonded"),
        ("tmall_global", "late_direct", {"goods_type": "bonded"}, "只适用于：direct_mail"),
        ("jd_pop", "reship_info", {}, "只适用于：reship"),
        ("ali1688", "late_no_promise", {"promised_ship_at": 48}, "只适用于：未承诺发货时间"),
    ],
)
def test_a_rule_sleeps_where_it_is_about_no_order(
    platform: str, rule: str, said: dict[str, Any], reason: str
) -> None:
    verdict = judged(parcel(platform=platform, seen=2000, **said))
    reading = clock(verdict, rule)
    assert (reading.asleep, reading.running, stage(verdict, rule)) == (reason, False, "")


@pytest.mark.parametrize("said", [{"goods_type": "bonded"}, {"tags": frozenset({"bonded", "vip"})}])
def test_goods_type_and_tag_count_alike(said: dict[str, Any]) -> None:
    assert clock(judged(parcel(platform="tmall_global", seen=1, **said)), "late_bonded").running


def test_of_two_orders_the_one_the_rule_is_about_starts_its_clock() -> None:
    plain = order("1", platform="tmall_global", paid_at=0)
    bonded = marked("bonded", platform="tmall_global", no="2", paid_at=30)
    reading = clock(judged(parcel(orders=(plain, bonded), seen=1)), "late_bonded")
    assert (hours(reading.started_at), hours(reading.deadline)) == (30, 126)


def test_the_shipping_of_another_order_does_not_end_the_wait() -> None:
    fresh: dict[str, Any] = {"status": OrderStatus.AWAITING, "shipped_at": None, "platform": "ali1688"}
    promised = order("1", platform="ali1688", promised_ship_at=48, shipped_at=5)
    unpromised = order("2", **fresh)
    reading = clock(judged(parcel(orders=(promised, unpromised), seen=6)), "late_no_promise")
    assert reading.running


def test_an_order_that_gets_a_promise_expires_the_finding_without_one() -> None:
    fresh: dict[str, Any] = {"status": OrderStatus.AWAITING, "shipped_at": None, "platform": "ali1688"}
    assert stage(judged(parcel(seen=361, **fresh)), "late_no_promise") == "breach"
    assert stage(judged(parcel(seen=361, promised_ship_at=400, **fresh)), "late_no_promise") == ""


# ── limits by goods ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("orders", "started", "deadline"),
    [
        pytest.param([(("bulky",), 0), ((), 40)], 0, 72, id="the bulky one is due first"),
        pytest.param([(("bulky",), 0), ((), 10)], 10, 58, id="the plain one is due first"),
        pytest.param([(("bulky",), 0), (("direct_mail",), 0)], 0, 72, id="each by its own"),
        pytest.param([(("bulky", "direct_mail"), 0)], 0, 120, id="of two words the longer limit"),
        pytest.param([(("bulky",), None), ((), 10)], 10, 58, id="unpaid ones do not count"),
    ],
)
def test_the_order_that_is_due_first_counts(
    orders: list[tuple[tuple[str, ...], Hours | None]], started: Hours, deadline: Hours
) -> None:
    inside = tuple(marked(*words, no=str(n), paid_at=paid) for n, (words, paid) in enumerate(orders))
    reading = clock(judged(parcel(orders=inside, seen=1)), "late_shipment")
    assert (hours(reading.started_at), hours(reading.deadline)) == (started, deadline)


def test_the_merchants_limit_beats_the_one_of_the_goods() -> None:
    own = book(spec(late_shipment=change("60h")))
    reading = clock(judged(parcel(orders=(marked("bulky"),), seen=1), by=own), "late_shipment")
    assert hours(reading.deadline) == 60


# ── some time after the promise ──────────────────────────────────────────────────────────────────


def test_what_is_due_after_the_promise_still_names_the_promise() -> None:
    """抖店 DY-7: out of stock 48 h after the order's own promise."""
    case = parcel(platform="douyin", promised_ship_at=72, seen=121)
    found = finding(judged(case), "out_of_stock")
    assert found is not None
    assert (hours(found.deadline), found.stage) == (120, "breach")
    assert hours(datetime.fromisoformat(found.evidence["promised"])) == 72
    assert found.policy.endswith("（订单承诺）")


@pytest.mark.parametrize("promised", [0, -5])
def test_a_promise_that_makes_no_sense_leaves_the_limit(promised: Hours) -> None:
    reading = clock(judged(parcel(platform="douyin", promised_ship_at=promised, seen=1)), "out_of_stock")
    assert hours(reading.deadline) == 96


# ── in force on the day of payment ───────────────────────────────────────────────────────────────

FIRST = datetime(2025, 8, 25, 16, tzinfo=UTC)
"""Midnight in Beijing, when 2025-08-26 begins."""
OVER = datetime(2025, 9, 30, 16, tzinfo=UTC)
"""Midnight in Beijing, when 2025-09-30 is over."""


def reading_of(paid: datetime | None, **in_force: date) -> ClockReading:
    table = {"kind": "clock", "start": "paid", "stop": "picked_up", "limit": "48h", "in_force": in_force}
    profile, problems = parse_profile({"id": "x", "name": "某平台", "rules": {"late": table}})
    assert profile is not None, problems
    known = PolicyBook({**profiles(), "x": profile})
    return clock(judged(parcel(platform="x", paid_at=paid, seen=1), by=known), "late")


@pytest.mark.parametrize(
    ("paid", "counts"),
    [(FIRST - SECOND, False), (FIRST, True), (OVER - SECOND, True), (OVER, False)],
)
def test_an_order_is_judged_by_the_rules_of_the_day_it_was_paid(paid: datetime, counts: bool) -> None:
    reading = reading_of(paid, since=date(2025, 8, 26), until=date(2025, 9, 30))
    assert reading.running is counts
    assert reading.asleep == ("" if counts else "付款时该规则不在有效期内")


def test_one_end_may_stay_open() -> None:
    assert reading_of(OVER, since=date(2025, 8, 26)).running
    assert not reading_of(FIRST - SECOND, since=date(2025, 8, 26)).running
    assert reading_of(FIRST, until=date(2025, 9, 30)).running
    assert not reading_of(OVER, until=date(2025, 9, 30)).running


def test_without_a_payment_time_what_is_over_does_not_apply() -> None:
    assert "有效期" in reading_of(None, until=date(2025, 9, 30)).asleep
    assert reading_of(None, since=date(2025, 8, 26)).asleep.startswith("尚未开始")


def test_a_scan_before_the_shops_click_ends_a_wait_for_the_click() -> None:
    """快手 KS-1: what was picked up was shipped, whatever the export says."""
    case = parcel((40, PICKED), platform="kuaishou", shipped_at=None, seen=60)
    assert hours(clock(judged(case), "late_shipment").ended_at) == 40
