"""Amazon, TikTok Shop US, Temu, Shopee and Lazada count whole business days (`facts/platform-rules.md` §3.3–3.7, §11 notes).

2026 in the US: 3 July stands in for Independence Day on a Saturday, 7 September is Labor Day; clocks go forward on
8 March and back on 1 November. Orders before 2025-10-23 had three days at TikTok.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.orders import Case, OrderStatus
from domain.tracking import Motion
from rules.policy import PolicyBook
from tests.rules.scenes import (
    LEFT,
    PICKED,
    SIGNED,
    TRANSIT,
    almanac,
    calendars,
    change,
    clock,
    hours,
    judged,
    order,
    parcel,
    plain_book,
    profiles,
    rules_of,
    seen_at,
    spec,
    stage,
)

MILLI = timedelta(milliseconds=1)
PACIFIC = ZoneInfo("America/Los_Angeles")
SINGAPORE = ZoneInfo("Asia/Singapore")
FRESH: dict[str, Any] = {"status": OrderStatus.AWAITING, "shipped_at": None}


def pacific(text: str) -> datetime:
    return datetime.fromisoformat(text if text[:2] == "20" else f"2026-{text}").replace(tzinfo=PACIFIC)


def singapore(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SINGAPORE)


def ordered(platform: str, when: datetime, **said: Any) -> Case:
    """Ordered and paid at that moment, and not shipped."""
    return parcel(orders=(order(platform=platform, ordered_at=when, paid_at=when, **{**FRESH, **said}),))


def due(case: Case, rule: str, limit: datetime) -> None:
    """The rule's limit is exactly there: no breach on the dot, one a millisecond later."""
    assert clock(judged(case, limit), rule).deadline == limit
    assert stage(judged(seen_at(case, limit), limit), rule) == "warning"
    assert stage(judged(seen_at(case, limit + MILLI), limit + MILLI), rule) == "breach"


@pytest.mark.parametrize(
    ("when", "deadline"),
    [
        pytest.param("06-01 10:00", "06-04 00:00", id="Monday, by the end of Wednesday"),
        pytest.param("06-01 23:59:59", "06-04 00:00", id="up to the cut-off it is Monday's"),
        pytest.param("06-02 00:00", "06-05 00:00", id="after it, Tuesday's"),
        pytest.param("06-05 10:00", "06-10 00:00", id="Friday, by the end of Tuesday"),
        pytest.param("06-06 10:00", "06-10 00:00", id="Saturday, by the end of Tuesday"),
        pytest.param("06-07 23:30", "06-10 00:00", id="Sunday as well"),
        pytest.param("06-17 10:00", "06-23 00:00", id="over Juneteenth, a Friday"),
        pytest.param("07-01 10:00", "07-07 00:00", id="over the day in lieu of Independence Day"),
        pytest.param("09-03 10:00", "09-09 00:00", id="over Labor Day"),
        pytest.param("06-29 10:00", "07-02 00:00", id="over the month's end"),
        pytest.param("11-25 10:00", "12-01 00:00", id="over Thanksgiving"),
        pytest.param("12-30 10:00", "2027-01-05 00:00", id="over the New Year"),
        pytest.param("03-06 10:00", "03-11 00:00", id="clocks go forward"),
        pytest.param("10-30 10:00", "11-04 00:00", id="clocks go back"),
        pytest.param("2025-10-23 00:00", "2025-10-28 00:00", id="the first day of the two days"),
        pytest.param("2025-10-22 23:59:59", "2025-10-28 00:00", id="the last day of the three"),
        pytest.param("2025-09-02 10:00", "2025-09-06 00:00", id="three days before"),
    ],
)
def test_tiktok_dispatch_in_two_business_days(when: str, deadline: str) -> None:
    """TT-1, TT-7; 23:59 Pacific is the day's end."""
    due(ordered("tiktok_us", pacific(when)), "dispatch", pacific(deadline))


def test_tiktok_counts_only_what_the_carrier_scanned() -> None:
    case = ordered(
        "tiktok_us", pacific("06-01 10:00"), shipped_at=pacific("06-01 11:00"), status=OrderStatus.SHIPPED
    )
    assert clock(judged(case, pacific("06-02 10:00")), "dispatch").running


@pytest.mark.parametrize(
    ("platform", "rule", "when", "deadline"),
    [
        # TT-4: six business days to the door.
        ("tiktok_us", "deliver_by", "06-01 10:00", "06-10 00:00"),
        ("tiktok_us", "deliver_by", "06-30 10:00", "07-10 00:00"),
        # TM-1: 1 + 2 operating days.
        ("temu_us_local", "ship_date", "06-05 10:00", "06-09 00:00"),
        ("temu_us_local", "ship_date", "07-02 10:00", "07-07 00:00"),
        ("temu_us_local", "delivery_date", "06-04 10:00", "06-10 00:00"),
        # AM-1 without a ship-by date.
        ("amazon", "ship_confirm", "06-01 10:00", "06-04 00:00"),
        ("amazon", "ship_confirm", "12-23 10:00", "12-29 00:00"),
    ],
)
def test_the_others_count_alike(platform: str, rule: str, when: str, deadline: str) -> None:
    due(ordered(platform, pacific(when)), rule, pacific(deadline))


@pytest.mark.parametrize(
    ("platform", "rule", "said"),
    [
        ("tiktok_us", "dispatch", "promised_ship_at"),
        ("tiktok_us", "deliver_by", "promised_delivery_at"),
        ("temu_us_local", "ship_date", "promised_ship_at"),
        ("temu_us_local", "delivery_date", "promised_delivery_at"),
        ("amazon", "ship_confirm", "promised_ship_at"),
        ("amazon", "deliver_by", "promised_delivery_at"),
        ("shopee", "dts", "promised_ship_at"),
        ("lazada", "rts", "promised_ship_at"),
    ],
)
def test_the_orders_own_promise_is_a_moment_no_weekend_moves(platform: str, rule: str, said: str) -> None:
    """L8; 6 June is a Saturday."""
    promised = pacific("06-06 15:00")
    due(ordered(platform, pacific("06-01 10:00"), **{said: promised}), rule, promised)


def test_amazon_delivery_is_watched_only_where_the_order_says_when() -> None:
    reading = clock(judged(ordered("amazon", pacific("06-01 10:00")), pacific("07-01 10:00")), "deliver_by")
    assert (reading.asleep, reading.running) == ("订单没有承诺送达时间", False)


def test_amazon_cancels_seven_business_days_after_the_ship_by_date() -> None:
    """AM-6."""
    case = ordered("amazon", pacific("06-01 10:00"), promised_ship_at=pacific("06-03 23:59:59"))
    due(case, "auto_cancel", pacific("06-13 00:00"))
    without = clock(judged(ordered("amazon", pacific("06-01 10:00")), pacific("06-20 10:00")), "auto_cancel")
    assert without.asleep == "尚未开始：还没有「承诺发货时间」"


@pytest.mark.parametrize(
    ("when", "goods", "deadline"),
    [
        pytest.param("06-01 10:00", "", "06-04 00:00", id="two working days"),
        pytest.param("06-05 10:00", "", "06-10 00:00", id="over a weekend"),
        pytest.param("06-30 23:59", "", "07-03 00:00", id="over the month's end"),
        pytest.param("06-01 10:00", "preorder", "06-16 00:00", id="pre-order, ten"),
    ],
)
def test_shopee_days_to_ship(when: str, goods: str, deadline: str) -> None:
    """SP-1, SP-4."""
    due(ordered("shopee", singapore(when), goods_type=goods), "dts", singapore(deadline))


def test_shopee_before_the_two_days_is_not_judged() -> None:
    early = datetime(2024, 1, 14, 15, tzinfo=UTC)
    assert clock(judged(ordered("shopee", early), early), "dts").asleep == "付款时该规则不在有效期内"
    assert clock(
        judged(ordered("shopee", early + timedelta(hours=1)), early + timedelta(hours=2)), "dts"
    ).running


def test_lazada_ready_to_ship() -> None:
    """LZ-1, LZ-2: warned twelve and two hours before."""
    case = ordered("lazada", singapore("06-05 10:00"))
    due(case, "rts", singapore("06-10 00:00"))
    steps = clock(judged(case, singapore("06-06 10:00")), "rts").steps
    assert [step.at for step in steps[:2]] == [singapore("06-09 12:00"), singapore("06-09 22:00")]


def test_the_holidays_of_a_site_are_not_known_and_the_reading_says_so() -> None:
    told = clock(
        judged(ordered("shopee", singapore("06-01 10:00")), singapore("06-02 10:00")), "dts"
    ).calendar
    assert told == "站点工作日（整天）（没有 2026 年的官方放假安排，只按周末推算）"


def test_a_merchants_calendar_replaces_the_sites() -> None:
    own = PolicyBook(profiles(), [spec(dts=change(calendar=calendars()["us_business_days"]))])
    case = ordered("shopee", pacific("07-01 10:00"))
    assert clock(judged(case, pacific("07-02 10:00"), by=own), "dts").deadline == pacific("07-07 00:00")


# ── the hub ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        (TRANSIT.but(hub="东莞分拨中心"), True),
        (TRANSIT.but(outlet="义乌转运点", motion=Motion.ARRIVED), True),
        (TRANSIT.but(text="Arrived at sorting centre"), True),
        (TRANSIT.but(text="Arrived at sort facility"), True),
        (LEFT, True),
        (SIGNED, True),
        (TRANSIT.but(text="Departed from warehouse"), False),
        (TRANSIT.but(outlet="义乌北苑网点"), False),
        (PICKED, False),
    ],
)
def test_only_a_sorting_centre_ends_the_wait_for_one(word: Any, ends: bool) -> None:
    """LZ-3."""
    reading = clock(judged(parcel((1, PICKED), (30, word), platform="lazada", seen=31)), "hub_scan")
    assert hours(reading.ended_at) == (30 if ends else None)


# ── all of them ──────────────────────────────────────────────────────────────────────────────────

ABROAD = ("amazon", "lazada", "shopee", "temu_jit", "temu_us_local", "tiktok_us")


@pytest.mark.parametrize("platform", ABROAD)
def test_no_domestic_clock_runs_for_a_parcel_abroad(platform: str) -> None:
    own = [each for each in plain_book().profiles[platform].rules.values() if each.limit or each.promise]
    assert {each.profile for each in own} == {platform}
    assert {"lost", "damaged", "refused", "customs_exception"} <= plain_book().rule_ids(platform)
    on_its_way = parcel((2, PICKED), (3, LEFT), (4, SIGNED), platform=platform, seen=900)
    assert rules_of(judged(on_its_way)) == set()


# ── federal holidays ─────────────────────────────────────────────────────────────────────────────


def nth(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th such weekday of a month, Monday being 0; -1 for the last."""
    days = [day for k in range(31) if (day := date(year, month, 1) + timedelta(k)).month == month]
    fitting = [day for day in days if day.weekday() == weekday]
    return fitting[n - 1] if n > 0 else fitting[n]


def by_law(year: int) -> set[date]:
    """5 U.S.C. 6103(a), and (b): Saturdays are kept on Friday, Sundays on Monday (E.O. 11582)."""
    fixed = [date(year, *day) for day in ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))] + [
        date(year + 1, 1, 1)
    ]
    shift = {5: -1, 6: 1}
    kept = {day + timedelta(shift.get(day.weekday(), 0)) for day in fixed}
    kept |= {
        nth(year, 1, 0, 3),
        nth(year, 2, 0, 3),
        nth(year, 5, 0, -1),
        nth(year, 9, 0, 1),
        nth(year, 10, 0, 2),
    }
    return {day for day in kept | {nth(year, 11, 3, 4)} if day.year == year}


@pytest.mark.parametrize("year", [2024, 2025, 2026, 2027])
def test_the_federal_holidays_are_those_of_the_law(year: int) -> None:
    calendar = calendars()["us_business_days"]
    days = [date(year, 1, 1) + timedelta(n) for n in range(366 if year == 2024 else 365)]
    off = {day for day in days if day.weekday() < 5 and not calendar.counts(day)}
    assert off == by_law(year)
    assert almanac("us").known(year)


def test_after_2027_only_weekends_are_known() -> None:
    late = datetime(2028, 7, 3, 12, tzinfo=UTC)
    told = calendars()["us_business_days"].note(late, late + timedelta(days=2))
    assert told.endswith("（没有 2028 年的官方放假安排，只按周末推算）")
