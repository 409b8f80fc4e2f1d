"""Working days: the official tables, every edge from both sides, and the laws of the arithmetic."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.findings import Stage
from domain.time import AROUND_THE_CLOCK, SHANGHAI, Calendar, Window
from rules.calendar_file import parse_almanac
from rules.calendars import (
    FIRST_YEAR,
    LAST_YEAR,
    Almanac,
    Calendars,
    Holiday,
    Week,
    WorkingTime,
    Year,
    working_time,
)
from rules.declare import Rule, parse_profile
from rules.judge import judge
from rules.lines import WHOLE_DAYS
from rules.policy import Exemption, PolicyBook
from tests.rules.scenes import FACTS, almanac, calendars, change, order, parcel, profiles, seen_at, spec

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
MICRO = timedelta(microseconds=1)
WORKING, BUSINESS, SIX = "cn_working_days", "cn_business_days", "cn_six_days"
CN = almanac()
OFFICE = working_time(CN, Week("office", "上班时间", opens=time(9), closes=time(18)))
BY_FOUR = working_time(CN, Week("by_four", "16 点截单", cutoff=time(16)))
BY_FOUR_WHOLE = working_time(CN, Week("by_four_whole", "16 点截单（整天）", whole_days=True, cutoff=time(16)))
PACIFIC = working_time(
    Almanac("us", "美国", ZoneInfo("America/Los_Angeles"), {2026: Year(True)}),
    Week("us", "工作日（整天）", whole_days=True),
)


def by(name: str) -> WorkingTime:
    found = calendars()[name]
    assert isinstance(found, WorkingTime)
    return found


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """`2026-09-30 10:00[:00]` on the wall; without a year, 2026."""
    return datetime.fromisoformat(text if len(text) > 14 else f"2026-{text}").replace(tzinfo=zone)


# ── the official tables ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("year", "off", "worked"),
    [
        (
            2024,
            "01-01 02-10/02-17 04-04/04-06 05-01/05-05 06-10 09-15/09-17 10-01/10-07",
            "02-04 02-18 04-07 04-28 05-11 09-14 09-29 10-12",
        ),
        (
            2025,
            "01-01 01-28/02-04 04-04/04-06 05-01/05-05 05-31/06-02 10-01/10-08",
            "01-26 02-08 04-27 09-28 10-11",
        ),
        (
            2026,
            "01-01/01-03 02-15/02-23 04-04/04-06 05-01/05-05 06-19/06-21 09-25/09-27 10-01/10-07",
            "01-04 02-14 02-28 05-09 09-20 10-10",
        ),
    ],
)
def test_every_day_of_an_official_year(year: int, off: str, worked: str) -> None:
    holidays = {day for span in off.split() for day in between(*(f"{year}-{end}" for end in span.split("/")))}
    makeup = {date.fromisoformat(f"{year}-{day}") for day in worked.split()}
    for day in between(f"{year}-01-01", f"{year}-12-31"):
        counts = day in makeup or (day.isoweekday() < 6 and day not in holidays)
        assert by(WORKING).counts(day) is counts, day
        assert by(BUSINESS).counts(day) is counts, day
    assert {day for day in CN.off if day.year == year} == holidays


def between(first: str, last: str = "") -> Iterator[date]:
    start, end = date.fromisoformat(first), date.fromisoformat(last or first)
    return (start + n * DAY for n in range((end - start).days + 1))


@pytest.mark.parametrize(("year", "days"), [(2024, 251), (2025, 248), (2026, 248)])
def test_how_many_working_days_a_year_has(year: int, days: int) -> None:
    start, end = (at(f"{each}-01-01 00:00") for each in (year, year + 1))
    assert by(WORKING).elapsed(start, end) == days * DAY


@pytest.mark.skipif(not FACTS.exists(), reason="the facts are not part of the product")
def test_2026_is_as_the_facts_have_it() -> None:
    said = FACTS.read_text("utf-8").partition("holiday_calendar:")[2].partition('"2027"')[0]
    spans, makeup = re.findall(r"(?:holidays|makeup_workdays): \[(.*?)\]", said)
    found = CN.years[2026].holidays
    assert [f"{each.first}/{each.last}" for each in found] == re.findall(r'"(.*?)"', spans)
    assert sorted(map(str, (day for each in found for day in each.workdays))) == re.findall(
        r'"(.*?)"', makeup
    )


def test_which_years_are_official() -> None:
    assert [year for year in range(2020, 2035) if CN.known(year)] == [2024, 2025, 2026]
    assert all(year.source and "国办发明电" in year.source for year in CN.years.values() if year.official)
    assert "2027-02-06" in CN.years[2027].note
    assert CN.years[2027].holidays == ()


def test_a_year_that_is_not_official_has_its_weekends_only_and_says_so() -> None:
    calendar = by(WORKING)
    assert [calendar.counts(date(2027, 1, day)) for day in range(1, 5)] == [True, False, False, True]
    assert not any(each.name for each in calendar.pauses), "no holiday is made up"
    assert calendar.known(2026)
    assert not calendar.known(2027)
    assert calendar.note(at("12-30 10:00"), at("12-31 10:00")) == "中国工作日"
    assert calendar.note(at("12-31 10:00"), at("2027-01-01 10:00")) == (
        "中国工作日（没有 2027 年的官方放假安排，只按周末推算）"
    )
    assert calendar.guessed(at("2023-12-31 23:59"), at("2027-01-01 00:00")) == [2023, 2027]
    assert AROUND_THE_CLOCK.note(at("12-31 10:00"), at("2027-01-01 10:00")) == ""


def test_named_pauses_between_two_moments_are_said() -> None:
    storm = Window(at("12-30 12:00"), at("12-30 18:00"), "台风")
    plain, working = AROUND_THE_CLOCK.pausing([storm]), calendars()["cn_working_days"].pausing([storm])
    assert plain.note(at("12-30 10:00"), at("12-31 10:00")) == "自然时间，扣除「台风」"
    assert working.note(at("12-30 10:00"), at("12-31 10:00")) == "中国工作日，扣除「台风」"
    assert plain.note(at("12-30 18:00"), at("12-31 10:00")) == "", "it was over"
    assert plain.note(at("12-29 10:00"), at("12-30 12:00")) == "", "it had not begun"


def test_a_year_begins_where_the_calendar_is() -> None:
    """2026-12-31 16:00 UTC is 2027 in Shanghai."""
    midnight = datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert by(WORKING).guessed(midnight - MICRO, midnight - MICRO) == []
    assert by(WORKING).guessed(midnight, midnight) == [2027]


def test_who_counts_by_weekends_alone_guesses_nothing() -> None:
    plain = working_time(CN, Week("plain", "周一至周五", holidays=frozenset(), makeup=False))
    assert plain.known(2027)
    assert plain.note(at("2027-01-01 00:00"), at("2027-02-01 00:00")) == "周一至周五"
    assert plain.counts(date(2026, 10, 1))


# ── the edges ────────────────────────────────────────────────────────────────────────────────────

H48 = 48.0

EDGES = [
    # 2026-09: Mon 21, Fri 25 Mid-Autumn (Fri–Sun off), Wed 30; Oct 1–7 off, Sat 10 is worked.
    pytest.param(WORKING, "09-21 10:00", H48, "09-23 10:00", id="inside a week"),
    pytest.param(
        WORKING, "09-22 23:59:59", H48, "09-24 23:59:59", id="a second before the holiday's eve is over"
    ),
    pytest.param(WORKING, "09-23 00:00", H48, "09-25 00:00", id="to the very start of the holiday"),
    pytest.param(WORKING, "09-23 00:00:01", H48, "09-28 00:00:01", id="a second into the holiday"),
    pytest.param(WORKING, "09-25 00:00", H48, "09-30 00:00", id="from the start of the holiday"),
    pytest.param(WORKING, "09-27 23:59:59", H48, "09-30 00:00", id="from its last second"),
    pytest.param(WORKING, "09-28 00:00", H48, "09-30 00:00", id="from the first second after it"),
    pytest.param(WORKING, "09-30 10:00", H48, "10-09 10:00", id="over National Day"),
    pytest.param(WORKING, "09-30 00:00", 24, "10-01 00:00", id="month end, to its last moment"),
    pytest.param(WORKING, "09-29 12:00", H48, "10-08 12:00", id="month end, half a day left over"),
    pytest.param(WORKING, "10-08 10:00", H48, "10-10 10:00", id="the make-up Saturday counts"),
    pytest.param(WORKING, "10-10 10:00", H48, "10-13 10:00", id="the Sunday after it does not"),
    pytest.param(WORKING, "09-19 10:00", 24, "09-21 00:00", id="the make-up Sunday counts"),
    pytest.param(WORKING, "09-12 10:00", 24, "09-15 00:00", id="a plain Saturday does not"),
    pytest.param(WORKING, "02-13 10:00", H48, "02-24 10:00", id="Friday, make-up Saturday, Spring Festival"),
    pytest.param(WORKING, "02-14 10:00", H48, "02-25 10:00", id="from the make-up Saturday before it"),
    pytest.param(WORKING, "02-27 10:00", H48, "03-02 10:00", id="make-up Saturday at a month's end"),
    pytest.param(
        WORKING, "2025-12-31 10:00", H48, "2026-01-05 10:00", id="year end, holiday, make-up Sunday"
    ),
    pytest.param(WORKING, "2025-12-31 00:00", 24, "2026-01-01 00:00", id="to the year's last moment"),
    pytest.param(WORKING, "2024-12-31 12:00", 24, "2025-01-02 12:00", id="one day off at the year's start"),
    pytest.param(WORKING, "2024-02-28 10:00", H48, "2024-03-01 10:00", id="leap day"),
    pytest.param(WORKING, "2026-12-31 12:00", 24, "2027-01-01 12:00", id="a year nobody announced: a Friday"),
    # whole days: the start's day is not counted, the limit falls at a day's end.
    pytest.param(BUSINESS, "09-21 00:00", H48, "09-24 00:00", id="whole days from a day's first moment"),
    pytest.param(BUSINESS, "09-21 23:59:59", H48, "09-24 00:00", id="whole days from its last"),
    pytest.param(BUSINESS, "09-22 00:00", H48, "09-25 00:00", id="whole days from the next day's first"),
    pytest.param(BUSINESS, "09-23 10:00", H48, "09-29 00:00", id="whole days over the holiday"),
    pytest.param(BUSINESS, "09-26 10:00", H48, "09-30 00:00", id="whole days from a day off"),
    pytest.param(BUSINESS, "09-30 10:00", 5 * 24.0, "10-14 00:00", id="five business days over National Day"),
    pytest.param(
        BUSINESS, "10-08 10:00", H48, "10-11 00:00", id="whole days, one of them a make-up Saturday"
    ),
    pytest.param(BUSINESS, "2025-12-31 10:00", 24, "2026-01-05 00:00", id="whole days over the year's end"),
    pytest.param(BUSINESS, "09-21 10:00", 40, "09-23 16:00", id="whole days, eight hours before the limit"),
    # Monday to Saturday, three festivals off (AE-1).
    pytest.param(SIX, "09-11 10:00", H48, "09-14 10:00", id="Saturday counts, Sunday does not"),
    pytest.param(SIX, "09-12 23:59:59", 24, "09-14 23:59:59", id="Saturday's last second"),
    pytest.param(SIX, "09-13 00:00", 24, "09-15 00:00", id="Sunday's first"),
    pytest.param(SIX, "09-19 10:00", 24, "09-21 10:00", id="a make-up Sunday is a Sunday"),
    pytest.param(SIX, "09-24 10:00", H48, "09-26 10:00", id="Mid-Autumn counts"),
    pytest.param(SIX, "09-30 10:00", H48, "10-09 10:00", id="National Day does not"),
    pytest.param(SIX, "02-14 10:00", H48, "02-25 10:00", id="Spring Festival does not"),
    pytest.param(SIX, "05-01 00:00", 24, "05-07 00:00", id="Labour Day does not"),
    pytest.param(
        SIX, "2025-10-06 10:00", 24, "2025-10-10 00:00", id="Mid-Autumn inside National Day does not"
    ),
]


@pytest.mark.parametrize(("name", "start", "hours", "deadline"), EDGES)
def test_a_deadline_in_working_days(name: str, start: str, hours: float, deadline: str) -> None:
    calendar, limit = by(name), hours * HOUR
    assert calendar.after(at(start), limit) == at(deadline)
    assert calendar.elapsed(at(start), at(deadline)) == limit
    assert calendar.elapsed(at(start), at(deadline) - MICRO) == limit - MICRO, "not a moment earlier"


@pytest.mark.parametrize(
    ("calendar", "start", "hours", "deadline"),
    [
        pytest.param(OFFICE, "09-21 08:00", 9, "09-21 18:00", id="before opening, to closing time"),
        pytest.param(OFFICE, "09-21 17:59:59", 1, "09-22 09:59:59", id="a second before closing"),
        pytest.param(OFFICE, "09-21 18:00", 1, "09-22 10:00", id="on closing"),
        pytest.param(OFFICE, "09-24 17:00", 2, "09-28 10:00", id="over a holiday"),
        pytest.param(OFFICE, "10-09 17:00", 2, "10-10 10:00", id="into a make-up Saturday"),
        pytest.param(BY_FOUR, "09-21 16:00", 24, "09-22 16:00", id="on the cut-off is in time"),
        pytest.param(BY_FOUR, "09-21 16:00:01", 24, "09-23 00:00", id="after it: the next working day"),
        pytest.param(BY_FOUR, "09-24 16:00", 24, "09-28 16:00", id="before a holiday, in time"),
        pytest.param(BY_FOUR, "09-24 16:00:01", 24, "09-29 00:00", id="before a holiday, late"),
        pytest.param(BY_FOUR, "09-25 10:00", 24, "09-29 00:00", id="in a holiday: the next working day"),
        pytest.param(BY_FOUR, "10-09 16:00:01", 24, "10-11 00:00", id="the next one is a make-up Saturday"),
        pytest.param(BY_FOUR_WHOLE, "09-21 16:00", H48, "09-24 00:00", id="whole days, in time"),
        pytest.param(BY_FOUR_WHOLE, "09-21 16:00:01", H48, "09-25 00:00", id="whole days, late"),
        pytest.param(BY_FOUR_WHOLE, "09-18 17:00", 24, "09-22 00:00", id="late on Friday: as if on make-up Sunday"),
        pytest.param(BY_FOUR_WHOLE, "09-12 10:00", 24, "09-16 00:00", id="on Saturday: as if on Monday"),
    ],
)  # fmt: skip
def test_opening_hours_and_cut_offs(calendar: WorkingTime, start: str, hours: float, deadline: str) -> None:
    assert calendar.after(at(start), hours * HOUR) == at(deadline)
    assert calendar.elapsed(at(start), at(deadline)) == hours * HOUR


@pytest.mark.parametrize(
    ("start", "deadline"),
    [
        pytest.param(
            "03-05 10:00", "03-10 00:00", id="Thursday: Friday and Monday, the short Sunday between"
        ),
        pytest.param("10-29 23:59:59", "11-03 00:00", id="the long Sunday between"),
        pytest.param("10-30 00:00", "11-04 00:00", id="a marketplace's midnight is its own"),
    ],
)
def test_two_business_days_of_another_zone(start: str, deadline: str) -> None:
    """TT-1, TT-7: whole business days, cut off at 23:59 Pacific."""
    zone = ZoneInfo("America/Los_Angeles")
    assert PACIFIC.after(at(start, zone), 2 * DAY) == at(deadline, zone)


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────

starts = st.integers(0, 3 * 366 * 24 * 60).map(
    lambda n: at("2024-01-01 00:00").astimezone(UTC) + timedelta(minutes=n)
)
lengths = st.integers(0, 20 * 24 * 60).map(lambda n: timedelta(minutes=n))
every_calendar = st.sampled_from([*calendars().values(), WHOLE_DAYS, OFFICE, BY_FOUR, BY_FOUR_WHOLE, PACIFIC])
"""All that come with the program, and some of other shapes."""


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(starts)
    return Window(start, start + timedelta(minutes=draw(st.integers(1, 10 * 24 * 60))), "台风")


pausing = st.builds(Calendar.pausing, every_calendar, st.lists(windows(), max_size=3))


@settings(deadline=None, max_examples=400)
@given(pausing, starts, lengths)
def test_the_deadline_is_the_exact_inverse_of_the_time_elapsed(
    calendar: Calendar, start: datetime, length: timedelta
) -> None:
    deadline = calendar.after(start, length)
    assert calendar.elapsed(start, deadline) == length
    if length:
        assert calendar.elapsed(start, deadline - MICRO) < length, "the first such moment"


@settings(deadline=None, max_examples=200)
@given(every_calendar, starts, st.integers(0, 30 * 24))
def test_what_elapsed_is_what_counting_hours_gives(
    calendar: WorkingTime, start: datetime, hours: int
) -> None:
    """Hour by hour: an hour counts if its day does and it is inside the opening hours."""
    start = calendar.begin(start.replace(minute=0))
    week, total = calendar.week, 0
    whole = replace(week, whole_days=False, cutoff=None)
    for n in range(hours):
        local = (start + n * HOUR).astimezone(calendar.almanac.zone)
        inside = week.opens <= local.time() and (week.closes == time() or local.time() < week.closes)
        total += calendar.counts(local.date()) and inside
    plain = working_time(calendar.almanac, whole) if whole != week else calendar
    assert plain.elapsed(start, start + hours * HOUR) == total * HOUR


@settings(deadline=None, max_examples=200)
@given(pausing, starts, st.integers(0, 10_000), lengths, lengths)
def test_later_starts_and_longer_limits_are_never_earlier(
    calendar: Calendar, start: datetime, minutes: int, one: timedelta, more: timedelta
) -> None:
    later = start + timedelta(minutes=minutes)
    assert calendar.after(start, one) <= calendar.after(start, one + more)
    if one:
        assert calendar.after(start, one) <= calendar.after(later, one)
    assert calendar.after(start, one) >= start + one, "never sooner than natural hours"


@settings(deadline=None, max_examples=200)
@given(every_calendar, windows(), starts, lengths)
def test_a_further_exemption_never_makes_a_deadline_earlier(
    calendar: WorkingTime, window: Window, start: datetime, length: timedelta
) -> None:
    further = calendar.pausing([window])
    assert further.after(start, length) >= calendar.after(start, length)
    assert further.note(start, start) == calendar.note(start, start), "it is still the same calendar"


# ── a rule that names one ────────────────────────────────────────────────────────────────────────


def judging(name: str, *, exemptions: tuple[Exemption, ...] = (), limit: str = "", **said: Any) -> PolicyBook:
    """Shipping within 48 hours of payment, counted by a calendar."""
    rule = {
        "kind": "clock",
        "start": "paid",
        "stop": "shipped",
        "limit": "48h",
        "warn": ["8h"],
        "calendar": name,
        **said,
    }
    profile, problems = parse_profile(
        {"id": "generic_cn", "name": "某平台", "rules": {"r": rule}}, calendars()
    )
    assert profile is not None, problems
    own = (spec("自己的", r=change(limit)),) if limit else ()
    return PolicyBook({"generic_cn": profile}, own, exemptions)


def reading(book: PolicyBook, paid: str, seen: str, **said: Any) -> Any:
    case = seen_at(
        parcel(orders=(order(platform="generic_cn", paid_at=at(paid), shipped_at=None, **said),)), at(seen)
    )
    return judge(case, book.policy_for(case), at(seen))


def steps(verdict: Any) -> list[tuple[Stage, datetime]]:
    return [(each.stage, each.at) for each in verdict.clocks[0].steps]


def test_a_rule_counts_its_limit_and_its_warnings_by_its_calendar() -> None:
    """Paid on Wednesday before National Day: due on Friday 9 October, warned eight working hours before."""
    verdict = reading(judging(WORKING), "09-30 10:00", "10-09 10:00")
    assert steps(verdict) == [(Stage.WARNING, at("10-09 02:00")), (Stage.BREACH, at("10-09 10:00"))]
    assert verdict.clocks[0].calendar == "中国工作日"
    assert [(each.stage, each.evidence["calendar"]) for each in verdict.findings] == [
        (Stage.WARNING, "中国工作日")
    ]
    natural = reading(judging("natural"), "09-30 10:00", "10-09 10:00")
    assert steps(natural)[-1] == (Stage.BREACH, at("10-02 10:00"))
    assert natural.clocks[0].calendar == ""
    assert "calendar" not in natural.findings[0].evidence


@pytest.mark.parametrize(
    ("seen", "stage"), [("10-09 10:00", Stage.WARNING), ("10-09 10:00:01", Stage.BREACH)]
)
def test_a_breach_is_more_than_the_limit_in_working_days_too(seen: str, stage: Stage) -> None:
    assert [each.stage for each in reading(judging(WORKING), "09-30 10:00", seen).findings] == [stage]


def test_a_deadline_in_a_year_nobody_announced_is_marked() -> None:
    verdict = reading(judging(WORKING), "12-31 10:00", "2027-01-06 10:00")
    [found] = verdict.findings
    assert verdict.clocks[0].deadline == at("2027-01-04 10:00")
    assert "没有 2027 年的官方放假安排" in verdict.clocks[0].calendar
    assert found.evidence["calendar"] == verdict.clocks[0].calendar


def test_an_exemption_inside_a_working_day_adds_to_the_holidays() -> None:
    storm = Exemption(Window(at("09-30 12:00"), at("10-03 00:00"), "台风"))
    verdict = reading(judging(WORKING, exemptions=(storm,)), "09-30 10:00", "09-30 11:00")
    assert verdict.clocks[0].deadline == at("10-09 22:00"), (
        "twelve working hours more; the rest was off anyway"
    )


def test_the_merchants_own_limit_is_counted_by_the_rules_calendar() -> None:
    verdict = reading(judging(WORKING, limit="24h"), "09-30 10:00", "09-30 11:00")
    assert verdict.clocks[0].deadline == at("10-08 10:00")


def test_a_promised_moment_stays_where_it_is() -> None:
    """L8: the order's own promise is a moment; a weekend does not move it, an exemption does."""
    book = judging(WORKING, promise=True)
    verdict = reading(book, "09-30 10:00", "09-30 11:00", promised_ship_at=at("10-03 12:00"))
    assert steps(verdict) == [(Stage.WARNING, at("10-03 04:00")), (Stage.BREACH, at("10-03 12:00"))]
    assert verdict.clocks[0].calendar == ""
    storm = Exemption(Window(at("10-01 00:00"), at("10-01 06:00"), "台风"))
    moved = reading(
        judging(WORKING, promise=True, exemptions=(storm,)),
        "09-30 10:00",
        "09-30 11:00",
        promised_ship_at=at("10-03 12:00"),
    )
    assert moved.clocks[0].deadline == at("10-03 18:00")


def test_of_a_promise_and_a_limit_in_one_parcel_the_earlier_moment_counts() -> None:
    def deadline(promised: str) -> datetime | None:
        orders = (
            order("1", platform="generic_cn", paid_at=at("09-30 10:00"), shipped_at=None),
            order(
                "2",
                platform="generic_cn",
                paid_at=at("09-30 10:00"),
                shipped_at=None,
                promised_ship_at=at(promised),
            ),
        )
        case = seen_at(parcel(orders=orders), at("09-30 11:00"))
        return (
            judge(case, judging(WORKING, promise=True).policy_for(case), at("09-30 11:00")).clocks[0].deadline
        )

    assert deadline("10-09 09:59") == at("10-09 09:59")
    assert deadline("10-09 10:01") == at("10-09 10:00")


def test_a_staleness_may_be_counted_in_working_days() -> None:
    rule = {
        "kind": "staleness",
        "from": "picked_up",
        "until": "delivered",
        "limit": "48h",
        "calendar": WORKING,
    }
    profile, problems = parse_profile({"id": "x", "name": "某平台", "rules": {"r": rule}}, calendars())
    assert profile is not None, problems
    assert profile.rules["r"].calendar is by(WORKING)


def test_no_calendar_is_natural_time() -> None:
    assert all(
        isinstance(each.calendar, WorkingTime) or each.calendar is AROUND_THE_CLOCK for each in all_rules()
    )
    assert not isinstance(judging("natural").profiles["generic_cn"].rules["r"].calendar, WorkingTime)


def all_rules() -> Iterator[Rule]:
    return (rule for profile in profiles().values() for rule in profile.rules.values())


def test_other_days_are_another_version_of_the_rules() -> None:
    announced = replace(
        CN,
        years={
            **CN.years,
            2027: Year(True, "通知", "", (Holiday("元旦", date(2027, 1, 1), date(2027, 1, 3)),)),
        },
    )
    base = judging(WORKING)
    rule = base.profiles["generic_cn"].rules["r"]

    def version(calendar: Calendar) -> str:
        profile = replace(base.profiles["generic_cn"], rules={"r": replace(rule, calendar=calendar)})
        return PolicyBook({"generic_cn": profile}).version

    assert version(Calendars([CN])[WORKING]) == base.version
    assert (
        len(
            {
                base.version,
                version(by(BUSINESS)),
                version(AROUND_THE_CLOCK),
                version(Calendars([announced])[WORKING]),
            }
        )
        == 4
    )
    assert len(base.describe()) < 2_000, "it names the calendar and does not list its days"


def test_beyond_the_years_of_the_table_nothing_is_known() -> None:
    for year in (FIRST_YEAR - 1, LAST_YEAR + 1):
        assert by(WORKING).guessed(at(f"{year}-06-01 00:00"), at(f"{year}-06-02 00:00")) == [year]


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


def sound() -> dict[str, Any]:
    """A small almanac without mistakes."""
    day = date(2026, 10, 1)
    holiday = {"name": "国庆节", "from": day, "until": date(2026, 10, 7), "workdays": [date(2026, 10, 10)]}
    return {
        "id": "cn",
        "name": "中国大陆",
        "timezone": "Asia/Shanghai",
        "years": {"2026": {"official": True, "source": "通知", "holidays": [holiday]}},
        "calendars": {"w": {"zh": "工作日", "hours": "09:00-18:00", "cutoff": "16:00", "weekdays": [1, 2]}},
    }


def test_what_a_sound_file_says() -> None:
    found, problems = parse_almanac(sound())
    assert problems == []
    assert found is not None
    assert found.weeks["w"] == Week(
        "w", "工作日", frozenset({1, 2}), opens=time(9), closes=time(18), cutoff=time(16)
    )
    [holiday] = found.years[2026].holidays
    assert (holiday.name, len([*holiday.days]), holiday.workdays) == ("国庆节", 7, (date(2026, 10, 10),))


def test_a_day_that_closes_at_its_end() -> None:
    data = sound()
    data["calendars"]["w"]["hours"] = "08:00-24:00"
    found, _ = parse_almanac(data)
    assert found is not None
    assert working_time(found, found.weeks["w"]).elapsed(at("09-21 00:00"), at("09-22 00:00")) == 16 * HOUR


def of_year(**said: Any) -> Callable[[dict[str, Any]], object]:
    return lambda data: data["years"]["2026"].update(said)


def of_holiday(**said: Any) -> Callable[[dict[str, Any]], object]:
    return lambda data: data["years"]["2026"]["holidays"][0].update(said)


def of_week(**said: Any) -> Callable[[dict[str, Any]], object]:
    return lambda data: data["calendars"]["w"].update(said)


IN_YEAR, IN_HOLIDAY, IN_WEEK = ("years", "2026"), ("years", "2026", "holidays", 0), ("calendars", "w")


@pytest.mark.parametrize(
    ("spoil", "path", "said"),
    [
        (lambda data: data.pop("timezone"), ("timezone",), "缺少"),
        (lambda data: data.update(timezone="Asia/Shangai"), ("timezone",), "不认识的时区"),
        (lambda data: data.update(yeers={}), ("yeers",), "是不是想写 years"),
        (lambda data: data.update(years=[]), ("years",), "一张表"),
        (lambda data: data["years"].update({"二〇二七": {}}), ("years", "二〇二七"), "数字"),
        (lambda data: data["years"].update({"1999": {}}), ("years", "1999"), "2010"),
        (lambda data: data["years"].update({"2025": 5}), ("years", "2025"), "一张表"),
        (lambda data: data["years"].update({"2025": {}}), ("years", "2025", "official"), "缺少"),
        (of_year(official="yes"), (*IN_YEAR, "official"), "不加引号"),
        (of_year(source=""), (*IN_YEAR, "source"), "文字"),
        (of_year(holidays=[]), IN_YEAR, "source 和 holidays"),
        (of_year(official=False), (*IN_YEAR, "holidays"), "没有人知道"),
        (of_holiday(name=5), (*IN_HOLIDAY, "name"), "文字"),
        (of_holiday(until="2026-10-07"), (*IN_HOLIDAY, "until"), "不加引号"),
        (of_holiday(until=datetime(2026, 10, 7)), (*IN_HOLIDAY, "until"), "要写成日期"),  # noqa: DTZ001
        (of_holiday(until=date(2026, 9, 30)), (*IN_HOLIDAY, "until"), "早于"),
        (of_holiday(**{"from": date(2025, 9, 30), "until": date(2025, 10, 7)}), (*IN_HOLIDAY, "until"), "不在 2026 年"),
        (of_holiday(**{"from": date.max, "until": date.max}), (*IN_HOLIDAY, "until"), "不在 2026 年"),
        (of_holiday(until=date(2062, 10, 7)), (*IN_HOLIDAY, "until"), "超过 20 天"),
        (of_holiday(workdays=[date(2026, 10, 9)]), (*IN_HOLIDAY, "workdays"), "不是周末"),
        (of_holiday(workdays=[date(2026, 10, 3)]), (*IN_HOLIDAY, "workdays"), "不上班"),
        (of_holiday(work=[]), (*IN_HOLIDAY, "work"), "workdays"),
        (
            lambda data: data["years"]["2026"]["holidays"].append(
                {"name": "中秋节", "from": date(2026, 10, 7), "until": date(2026, 10, 8)}
            ),
            ("years", "2026", "holidays", 1, "from"),
            "已经是国庆节",
        ),
        (lambda data: data["calendars"]["w"].pop("zh"), (*IN_WEEK, "zh"), "缺少"),
        (of_week(weekdays=[]), (*IN_WEEK, "weekdays"), "至少一天"),
        (of_week(weekdays=[0]), (*IN_WEEK, "weekdays"), "1（星期一）"),
        (of_week(weekdays=[True]), (*IN_WEEK, "weekdays"), "1（星期一）"),
        (of_week(weekdays=[[1]]), (*IN_WEEK, "weekdays"), "1（星期一）"),
        (of_week(holidays=["国庆"]), (*IN_WEEK, "holidays"), "是不是想写 国庆节"),
        (of_week(hours="9-18"), (*IN_WEEK, "hours"), "不是时刻"),
        (of_week(hours="09:00"), (*IN_WEEK, "hours"), "09:00-18:00"),
        (of_week(hours="18:00-09:00"), (*IN_WEEK, "hours"), "晚于"),
        (of_week(whole_days=True), (*IN_WEEK, "whole_days"), "没有 hours"),
        (of_week(cutoff="4pm"), (*IN_WEEK, "cutoff"), "不是时刻"),
        (of_week(cutof="16:00"), (*IN_WEEK, "cutof"), "是不是想写 cutoff"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_with_its_path(
    spoil: Callable[[dict[str, Any]], object], path: tuple[str | int, ...], said: str
) -> None:
    data = sound()
    spoil(data)
    got, problems = parse_almanac(data)
    assert got is None
    found = {each.path: each.reason for each in problems}
    assert said in found.get(path, f"nothing at {path}: {found}")


def test_every_mistake_of_the_file_is_told_at_once() -> None:
    data = sound()
    for spoil in (
        of_year(official="yes"),
        of_holiday(name=5),
        of_week(cutoff="4pm"),
        lambda each: each.pop("id"),
    ):
        spoil(data)
    _, problems = parse_almanac(data)
    assert {each.path for each in problems} >= {
        ("id",), (*IN_YEAR, "official"), (*IN_HOLIDAY, "name"), (*IN_WEEK, "cutoff"),
    }  # fmt: skip
