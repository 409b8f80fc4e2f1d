"""The implementation notes at the end of §11 of `facts/platform-rules.md`, one test each, named after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.orders import OrderStatus, Waybill
from domain.tracking import ExceptionKind, Milestone
from rules.judge import judge
from rules.money import together
from tests.rules.scenes import (
    BACK,
    CITY,
    FORECAST,
    HUB,
    LABEL,
    LEFT,
    LEFT_OUTLET,
    NEXT_HUB,
    PICKED,
    SIGNED,
    TRANSIT,
    Word,
    at,
    calendars,
    clock,
    finding,
    hours,
    judged,
    order,
    parcel,
    plain_book,
    remark,
    rules_of,
    stage,
)

MINUTE = 1 / 60
ECHO = TRANSIT.but(text="快件到达【义乌转运中心】")


@pytest.mark.parametrize(
    ("line", "restarts"),
    [
        pytest.param((20, FORECAST), False, id="a forecast line"),
        pytest.param((10 + 4 * MINUTE, ECHO), False, id="the same text within five minutes"),
        pytest.param((10 + 6 * MINUTE, ECHO), True, id="the same text later"),
        pytest.param((20, remark(ExceptionKind.HELD, on=Word(Milestone.UNKNOWN))), False, id="问题件"),
        pytest.param((20, remark(ExceptionKind.RESCHEDULED, on=Word(Milestone.UNKNOWN))), False, id="改约"),
        pytest.param((20, TRANSIT), True, id="a movement"),
    ],
)
def test_staleness_restarts_on_movement_scans_only(line: Any, restarts: bool) -> None:
    reading = clock(judged(parcel((2, PICKED), (10, ECHO), line, seen=30)), "transit_stagnation")
    assert hours(reading.started_at) == pytest.approx(line[0] if restarts else 10)


@pytest.mark.parametrize(
    ("scans", "left_at"),
    [
        pytest.param([(10, HUB), (12, LEFT)], 12, id="departs from a node with 转运"),
        pytest.param([(10, HUB), (20, NEXT_HUB)], 20, id="turns up at a second hub"),
        pytest.param([(10, HUB), (12, HUB.but(text="再次扫描"))], None, id="is scanned there again"),
        pytest.param([(5, LEFT_OUTLET)], None, id="leaves an outlet, which is no hub"),
        pytest.param([(15, TRANSIT.but(area="江苏省,南京市"))], 15, id="direct: in another city"),
        pytest.param([(15, TRANSIT.but(area="浙江省,金华市"))], None, id="direct: in the same city"),
        pytest.param([(30, CITY)], 30, id="in the delivery leg"),
    ],
)
def test_departed_first_hub_is_the_first_departure_from_a_hub_or_another_city(
    scans: Any, left_at: Any
) -> None:
    case = parcel((2, PICKED.but(area="浙江省,金华市")), *scans, platform="pinduoduo", seen=40)
    assert hours(clock(judged(case), "first_hub").ended_at) == left_at


def test_first_scan_is_not_the_echo_of_the_order() -> None:
    """PDD's "first carrier information": a printed label is none where the carrier tells them apart."""
    echoed = parcel((3, LABEL), platform="pinduoduo", seen=26)
    assert stage(judged(echoed), "no_pickup") == "breach"
    scanned = parcel((3, LABEL), (4, PICKED), platform="pinduoduo", seen=26)
    assert hours(clock(judged(scanned), "no_pickup").ended_at) == 4


@pytest.mark.parametrize("status", [OrderStatus.REFUNDING, OrderStatus.REFUNDED])
def test_a_refund_before_the_pickup_leaves_every_clock(status: OrderStatus) -> None:
    verdict = judged(parcel(seen=200, status=status))
    assert verdict.findings == ()
    assert not any(reading.running for reading in verdict.clocks)


@pytest.mark.parametrize("status", [OrderStatus.REFUNDING, OrderStatus.REFUNDED])
@pytest.mark.parametrize("platform", ["taobao_tmall", "pinduoduo", "amazon", "没有规则的平台"])
def test_a_refund_after_the_pickup_raises_an_interception_task(status: OrderStatus, platform: str) -> None:
    case = parcel((2, PICKED), (10, HUB), platform=platform, seen=11, status=status)
    found = finding(judged(case), "refund_after_pickup")
    assert found is not None
    assert found.notify
    assert "要拦截" in found.evidence["text"]


@pytest.mark.parametrize(
    ("scans", "orders"),
    [
        pytest.param(((2, PICKED), (20, SIGNED)), ("refunding",), id="signed for already"),
        pytest.param(((2, PICKED), (20, BACK)), ("refunding",), id="on its way back"),
        pytest.param(((2, PICKED), (20, remark(ExceptionKind.INTERCEPTED))), ("refunded",), id="stopped"),
        pytest.param(((2, PICKED),), ("refunding", "shipped"), id="another order is inside"),
        pytest.param(((2, PICKED),), ("shipped",), id="no refund"),
        pytest.param((), ("refunding",), id="never picked up"),
    ],
)
def test_nothing_is_to_be_stopped(scans: Any, orders: tuple[str, ...]) -> None:
    inside = tuple(order(str(n), status=OrderStatus(each)) for n, each in enumerate(orders))
    assert "refund_after_pickup" not in rules_of(judged(parcel(*scans, orders=inside, seen=25)))


def test_an_order_of_several_parcels_is_late_if_any_of_them_is() -> None:
    """Taobao's 48 h KPI: each parcel answers for the whole order."""
    one = order("1")
    there = parcel((2, PICKED), orders=(one,), waybill="YT1", seen=49)
    missing = parcel(orders=(one,), waybill="YT2", seen=49)
    assert stage(judged(there), "late_shipment") == ""
    assert stage(judged(missing), "late_shipment") == "breach"


def test_merged_orders_of_one_receiver_are_no_reuse() -> None:
    """One waybill, several orders, the same receiver."""
    to = {"receiver_province": "广东省", "receiver_city": "深圳市"}
    merged = parcel((2, PICKED), orders=(order("1", **to), order("2", **to)), seen=3)
    assert "waybill_reuse" not in rules_of(judged(merged))
    other = {"receiver_province": "四川省", "receiver_city": "成都市"}
    reused = parcel((2, PICKED), orders=(order("1", **to), order("2", **other)), seen=3)
    assert "waybill_reuse" in rules_of(judged(reused))


def test_another_number_restarts_the_carriers_clocks_and_none_from_the_payment() -> None:
    """改单号: the new parcel has its own scans, the order its old payment."""
    same = order("1", shipped_at=40)
    old = parcel((2, PICKED), orders=(same,), seen=50)
    new = replace(parcel((41, PICKED), orders=(same,), seen=50), waybill=Waybill("yuantong", "YT2"))
    assert [hours(clock(judged(each), "pickup_no_update").started_at) for each in (old, new)] == [2, 41]
    assert [hours(clock(judged(each), "paid_to_signed").started_at) for each in (old, new)] == [0, 0]
    assert [hours(clock(judged(each), "paid_to_signed").deadline) for each in (old, new)] == [59, 59]


@pytest.mark.parametrize(
    ("platform", "amount", "low", "high"),
    [
        pytest.param("pinduoduo", 100, 500, 500, id="拼多多: late and out of stock do not add up"),
        pytest.param("douyin", 1000, 6000, 6000, id="抖店: out of stock adds to late"),
        pytest.param("taobao_tmall", 1000, 35000, 35000, id="天猫: 5 to 10 % and 30 %, at most 35 %"),
    ],
)
def test_rules_of_one_order_that_break_together(platform: str, amount: int, low: int, high: int) -> None:
    """Exposure in fen: the sum of what adds up, as a range."""
    case = parcel(
        platform=platform, amount=Decimal(amount), shipped_at=None, status=OrderStatus.AWAITING, seen=200
    )
    policy = plain_book().policy_for(case)
    found = [
        each
        for each in judge(case, policy, at(200)).findings
        if each.rule in ("late_shipment", "out_of_stock")
    ]
    assert {each.rule for each in found} == {"late_shipment", "out_of_stock"}
    risk = together(found, case, policy)
    assert risk is not None
    assert (risk.low, risk.high) == (low, high)


def test_business_days_are_whole_days_with_the_cut_off_not_24_hours() -> None:
    pacific = ZoneInfo("America/Los_Angeles")
    business = calendars()["us_business_days"]
    for minute in (0, 1439):
        start = datetime(2026, 6, 1, tzinfo=pacific) + timedelta(minutes=minute)
        assert business.after(start, timedelta(hours=48)) == datetime(2026, 6, 4, tzinfo=pacific)
