"""抖店's on-time rate: natural days from city to city, the pickup day is day 0, due 23:59:59 of day N (§2.3, [DY9])."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from domain.findings import ClockReading
from domain.orders import Case
from domain.time import SHANGHAI
from rules.declare import Profile, parse_profile
from rules.lines import City, Lines, city_of, parse_lines
from rules.policy import PolicyBook
from tests.rules.scenes import (
    PICKED,
    PROFILES_FOLDER,
    SIGNED,
    T0,
    calendars,
    change,
    clock,
    judged,
    order,
    parcel,
    profiles,
    seen_at,
    spec,
    stage,
)

SECOND = timedelta(seconds=1)
ROWS = [
    {"from": "浙江,金华", "to": "四川省,成都市", "days": 2},
    {"from": "浙江,金华", "to": "上海,上海", "days": 1},
    {"from": "浙江,金华", "to": "吉林,延边朝鲜族自治州", "days": 4},
]


@cache
def douyin(*, with_lines: bool = True) -> PolicyBook:
    lines, problems = parse_lines(ROWS)
    assert lines is not None, problems
    data = tomllib.loads((PROFILES_FOLDER / "douyin.toml").read_text("utf-8"))
    profile, declined = parse_profile(data, calendars(), {"douyin": lines} if with_lines else {})
    assert profile is not None, declined
    return PolicyBook({**profiles(), "douyin": profile})


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


def sent(
    picked: str = "07-01 13:00",
    *,
    province: str = "四川",
    city: str = "成都",
    area: str = "浙江省,金华市",
    **said: Any,
) -> Case:
    """Picked up then, for that city."""
    hour = (beijing(picked) - T0) / timedelta(hours=1)
    return parcel(
        (hour, PICKED.but(area=area)),
        platform="douyin",
        receiver_province=province,
        receiver_city=city,
        **said,
    )


def reading(case: Case, now: str = "07-02 10:00", by: PolicyBook | None = None) -> ClockReading:
    return clock(judged(case, beijing(now), by or douyin()), "line_ontime")


@pytest.mark.parametrize(
    ("picked", "due"),
    [
        pytest.param("07-01 13:00", "07-03 23:59:59", id="the example of the text"),
        pytest.param("07-01 00:00", "07-03 23:59:59", id="early on day 0"),
        pytest.param("07-01 23:59:59", "07-03 23:59:59", id="late on day 0"),
        pytest.param("07-02 00:00", "07-04 23:59:59", id="a second later it is the next day's"),
        pytest.param("07-03 13:00", "07-05 23:59:59", id="a weekend counts"),
        pytest.param("06-30 13:00", "07-02 23:59:59", id="over the month's end"),
        pytest.param("09-30 13:00", "10-02 23:59:59", id="a holiday counts"),
    ],
)
def test_day_n_to_its_last_second(picked: str, due: str) -> None:
    case, deadline = sent(picked), beijing(due)
    assert reading(case, picked).deadline == deadline
    for late, expected in ((0, ""), (1, "breach")):
        now = deadline + late * SECOND
        assert stage(judged(seen_at(case, now), now, douyin()), "line_ontime") == expected


@pytest.mark.parametrize(("signed", "on_time"), [("07-03 23:59:59", True), ("07-04 00:00:00", False)])
def test_signed_on_the_last_second_is_on_time(signed: str, on_time: bool) -> None:
    hours = [(beijing(each) - T0) / timedelta(hours=1) for each in ("07-01 13:00", signed)]
    scans = ((hours[0], PICKED.but(area="浙江,金华")), (hours[1], SIGNED))
    case = parcel(*scans, platform="douyin", receiver_province="四川", receiver_city="成都")
    got = reading(case, "07-05 10:00")
    assert got.ended_at is not None
    assert got.deadline is not None
    assert (got.ended_at <= got.deadline) is on_time


@pytest.mark.parametrize(
    ("said", "asleep"),
    [
        ({"city": "绵阳"}, "线路时效表里没有 浙江金华 → 四川绵阳"),
        ({"city": ""}, "订单没有收货城市"),
        ({"area": "浙江"}, "不知道从哪个城市发出（仓库没有配置城市，揽收也没有写城市）"),
        ({"province": "上海市", "city": ""}, ""),
        ({"province": "吉林省", "city": "延边朝鲜族自治州"}, ""),
    ],
)
def test_a_line_without_a_number_sleeps_and_says_which(said: dict[str, str], asleep: str) -> None:
    assert reading(sent(**said)).asleep == asleep


def test_without_a_table_every_line_sleeps() -> None:
    assert reading(sent(), by=douyin(with_lines=False)).asleep == "线路时效表里没有 浙江金华 → 四川成都"


def test_the_warehouses_city_beats_the_pickups() -> None:
    case = replace(sent(area="江苏,苏州"), origin="浙江省,金华市")
    assert reading(case).deadline == beijing("07-03 23:59:59")


def test_of_two_orders_the_shorter_line_counts() -> None:
    far, near = (
        order(str(n), platform="douyin", receiver_province=place, receiver_city=place_city)
        for n, (place, place_city) in enumerate((("四川", "成都"), ("上海", "上海")))
    )
    case = replace(sent(), orders=(far, near))
    assert reading(case).deadline == beijing("07-02 23:59:59")


def test_a_merchants_own_limit_needs_no_table() -> None:
    book = PolicyBook(profiles(), [spec(line_ontime=change("72h"))])
    assert reading(sent(), by=book).deadline == beijing("07-05 00:00")


@pytest.mark.parametrize(
    ("where", "city"),
    [
        ("浙江省,金华市,义乌市", City("浙江", "金华")),
        ("上海市", City("上海", "上海")),
        ("上海市,浦东新区", City("上海", "上海")),
        ("新疆维吾尔自治区,阿克苏地区", City("新疆", "阿克苏")),
        ("内蒙古,锡林郭勒盟", City("内蒙古", "锡林郭勒")),
        ("四川省", None),
        (",成都", None),
        ("", None),
    ],
)
def test_one_name_for_one_city(where: str, city: City | None) -> None:
    assert city_of(where) == city


@pytest.mark.parametrize(
    ("row", "path", "said"),
    [
        ({"from": "浙江,金华", "to": "四川,成都"}, ("days",), "缺少 days"),
        ({"from": "浙江,金华", "to": "四川,成都", "days": 0}, ("days",), "1 到 60"),
        ({"from": "浙江,金华", "to": "四川,成都", "days": "2"}, ("days",), "1 到 60"),
        ({"from": "浙江", "to": "四川,成都", "days": 2}, ("from",), "省,市"),
        ({"from": 5, "to": "四川,成都", "days": 2}, ("from",), "要写成文字"),
        ({"from": "浙江,金华", "to": "四川,成都", "day": 2, "days": 2}, ("day",), "是不是想写 days"),
        ("浙江,金华,四川,成都,2", (), "要写成一张表"),
        (
            {"from": "浙江,金华", "to": "四川,成都", "days": 3},
            ("days",),
            "浙江金华 到 四川成都 已经写了 2 天",
        ),
    ],
)
def test_a_mistake_in_the_table_is_told(row: Any, path: tuple[str, ...], said: str) -> None:
    lines, problems = parse_lines([*ROWS, row])
    assert lines is None
    assert [(each.path, said in each.reason) for each in problems] == [(("lines", 3, *path), True)]


def test_tables_that_say_the_same_are_one_version() -> None:
    one, two = parse_lines(ROWS)[0], parse_lines(ROWS[::-1])[0]
    assert isinstance(one, Lines)
    assert (one == two, hash(one) == hash(two), repr(one) == repr(two)) == (True, True, True)
    assert one != parse_lines(ROWS[1:])[0]


@pytest.mark.parametrize("key", ["limit", "promise", "goods"])
def test_a_rule_by_lines_has_no_limit_of_its_own(key: str) -> None:
    table: dict[str, Any] = {"kind": "clock", "start": "paid", "stop": "delivered", "calendar": "line"}
    value = {"limit": "48h", "promise": True, "goods": {"bulky": "72h"}}[key]
    profile, problems = parse_profile({"id": "x", "name": "某平台", "rules": {"r": {**table, key: value}}})
    assert (profile, [each.path for each in problems]) == (None, [("rules", "r", key)])
    plain: Profile | None = parse_profile({"id": "x", "name": "某平台", "rules": {"r": table}})[0]
    assert plain is not None
