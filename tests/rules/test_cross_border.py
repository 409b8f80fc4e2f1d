"""速卖通 and 敦煌网 count the working days of China (`facts/platform-rules.md` §3.1, §3.2).

2026: 7 June is a Sunday; 1–5 May, 19–21 June and 1–7 October are holidays, Saturday 10 October is worked.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.orders import Case, OrderStatus
from domain.time import SHANGHAI
from tests.rules.scenes import PICKED, clock, judged, order, parcel, plain_book, rules_of, seen_at, stage

MILLI = timedelta(milliseconds=1)


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


def paid(platform: str, when: str, **said: Any) -> Case:
    """Paid and uploaded at that moment."""
    moment = beijing(when)
    said = {"paid_at": moment, "shipped_at": moment, **said}
    return parcel(orders=(order(platform=platform, **said),))


SIX_DAYS = [
    pytest.param("06-01 10:00", "06-03 10:00", id="in the week"),
    pytest.param("06-05 10:00", "06-08 10:00", id="over a Sunday, a Saturday counts"),
    pytest.param("06-07 10:00", "06-10 00:00", id="from a Sunday on"),
    pytest.param("04-29 10:00", "05-06 10:00", id="Labour Day stands still"),
    pytest.param("06-18 10:00", "06-20 10:00", id="Dragon Boat does not"),
    pytest.param("09-30 10:00", "10-09 10:00", id="over the month's end and National Day"),
]
WHOLE_DAYS = [
    pytest.param("06-01 10:00", "06-09 00:00", id="over a weekend, the first day is none"),
    pytest.param("06-01 23:59", "06-09 00:00", id="late on the day"),
    pytest.param("06-06 10:00", "06-13 00:00", id="from a Saturday on"),
    pytest.param("06-18 10:00", "06-27 00:00", id="Dragon Boat"),
    pytest.param("09-30 10:00", "10-14 00:00", id="National Day, with the Saturday worked in return"),
]


@pytest.mark.parametrize(("when", "deadline"), SIX_DAYS)
def test_a_parcel_has_to_be_online_within_48_hours_of_six_days(when: str, deadline: str) -> None:
    case, limit = paid("aliexpress", when), beijing(deadline)
    assert clock(judged(case, limit), "online_48h").deadline == limit
    assert stage(judged(seen_at(case, limit), limit), "online_48h") == "warning"
    assert stage(judged(seen_at(case, limit + MILLI), limit + MILLI), "online_48h") == "breach"


@pytest.mark.parametrize(("when", "deadline"), WHOLE_DAYS)
@pytest.mark.parametrize("rule", ["handling", "first_info"])
def test_five_business_days_are_counted_whole(rule: str, when: str, deadline: str) -> None:
    fresh = {"status": OrderStatus.AWAITING, "shipped_at": None} if rule == "handling" else {}
    case, limit = paid("dhgate", when, **fresh), beijing(deadline)
    assert clock(judged(case, limit), rule).deadline == limit
    assert stage(judged(seen_at(case, limit), limit), rule) == "warning"
    assert stage(judged(seen_at(case, limit + MILLI), limit + MILLI), rule) == "breach"


@pytest.mark.parametrize(
    ("goods", "deadline"),
    [
        pytest.param("", "06-09 00:00", id="five days"),
        pytest.param("slow_courier", "06-11 00:00", id="seven"),
        pytest.param("postal", "06-16 00:00", id="ten"),
    ],
)
def test_slow_couriers_and_the_post_have_longer(goods: str, deadline: str) -> None:
    """DH-2: 5 / 7 / 10 business days by courier."""
    case = paid("dhgate", "06-01 10:00", goods_type=goods)
    assert clock(judged(case, beijing("06-02 10:00")), "first_info").deadline == beijing(deadline)


def test_the_items_own_handling_time_is_a_moment_no_weekend_moves() -> None:
    case = paid("dhgate", "06-01 10:00", promised_ship_at=beijing("06-06 10:00"), shipped_at=None)
    assert clock(judged(case, beijing("06-02 10:00")), "handling").deadline == beijing("06-06 10:00")


def test_orders_paid_before_the_assessment_began_are_spared() -> None:
    early = beijing("06-01 10:00").replace(year=2024, month=2, day=19)  # the 18th in Los Angeles
    case = paid("aliexpress", "06-01 10:00", paid_at=early)
    assert clock(judged(case, beijing("06-02 10:00")), "online_48h").asleep == "付款时该规则不在有效期内"
    first = paid("aliexpress", "06-01 10:00", paid_at=early + timedelta(days=1))
    assert clock(judged(first, beijing("06-02 10:00")), "online_48h").running


@pytest.mark.parametrize("platform", ["aliexpress", "dhgate"])
def test_no_domestic_clock_runs_for_a_parcel_abroad(platform: str) -> None:
    """A month on the way to another country is no lost parcel by the domestic standard."""
    own = [each for each in plain_book().profiles[platform].rules.values() if each.limit]
    assert {each.profile for each in own} == {platform}
    case = seen_at(parcel((2, PICKED), platform=platform, receiver_province=""), beijing("07-01 10:00"))
    assert rules_of(judged(case)) == set()


@pytest.mark.parametrize("platform", ["aliexpress", "dhgate"])
def test_what_the_carrier_reports_is_told_all_the_same(platform: str) -> None:
    assert {"lost", "damaged", "refused", "customs_exception"} <= plain_book().rule_ids(platform)
