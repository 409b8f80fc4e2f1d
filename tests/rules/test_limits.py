"""Every rule of every profile on both sides of its limit (`facts/platform-rules.md` §2, §11).

A breach is *more than* the limit: on the dot it is none, a second later it is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rules.declare import Kind
from tests.rules.rows import ANY_SCAN, DOOR, FRESH, PLATFORMS, Row
from tests.rules.scenes import (
    BACK,
    BACK_HOME,
    CANCELLED,
    CITY,
    FAILED,
    HUB,
    LEFT,
    OUT,
    PICKED,
    SECOND,
    SIGNED,
    STATION,
    STORED,
    TRANSIT,
    Scan,
    Word,
    at,
    clock,
    finding,
    judged,
    parcel,
    plain_book,
    profiles,
    rule,
    seen_at,
    stage,
)

GENERIC = "没有规则的平台"

TAOBAO = [
    Row("taobao_tmall", "late_shipment", 0, 48, (12, 4), (PICKED, *ANY_SCAN, CANCELLED)),
    Row("taobao_tmall", "pickup_kpi_24h", 0, 24, (6,), (PICKED, *ANY_SCAN)),
    Row("taobao_tmall", "out_of_stock", 0, 120, (24,), (PICKED, *ANY_SCAN)),
    Row("taobao_tmall", "pickup_no_update", 2, 48, (24, 8), ANY_SCAN, ((2, PICKED),)),
    Row("taobao_tmall", "transit_stagnation", 12, 48, (24, 8), DOOR, ((2, PICKED), (12, HUB))),
    Row("taobao_tmall", "paid_to_signed", 0, 59, (12,), (SIGNED, BACK), ((2, PICKED),)),
    # TB-6: five days from the breach of TB-4, which is 48 h after the last scan.
    Row(
        "taobao_tmall",
        "trajectory_to_out_of_stock",
        60,
        120,
        (48, 24),
        (SIGNED, BACK),
        ((2, PICKED), (12, HUB)),
    ),
]
PINDUODUO = [
    Row(
        "pinduoduo",
        "late_shipment",
        1,
        48,
        (12, 4),
        (PICKED, *ANY_SCAN),
        said={"confirmed_at": 1, "shipped_at": 3},
    ),
    Row("pinduoduo", "no_pickup", 3, 24, (8, 2), (PICKED, *ANY_SCAN, CANCELLED), said={"shipped_at": 3}),
    Row("pinduoduo", "pickup_no_update", 2, 24, (8, 2), ANY_SCAN, ((2, PICKED),)),
    Row("pinduoduo", "first_hub", 2, 48, (24, 8), (LEFT, CITY, OUT, SIGNED, BACK), ((2, PICKED), (12, HUB))),
    Row("pinduoduo", "update_timeout", 12, 48, (24, 8), DOOR, ((2, PICKED), (12, HUB))),
    Row("pinduoduo", "dispatch_sign", 20, 24, (6,), (SIGNED, STORED, BACK), ((2, PICKED), (20, OUT))),
    Row("pinduoduo", "out_of_stock", 1, 72, (24,), (PICKED,), said={"confirmed_at": 1, **FRESH}),
]
TIERS = [
    Row(
        "pinduoduo",
        "first_hub",
        2,
        limit,
        (24, 8),
        (LEFT,),
        ((2, PICKED), (12, HUB)),
        {"receiver_province": place},
    )
    for place, limit in (("甘肃省", 72), ("海南", 72), ("新疆维吾尔自治区", 120), ("西藏", 120), ("四川", 48))
] + [
    Row(
        "pinduoduo",
        "update_timeout",
        12,
        limit,
        (24, 8),
        (OUT,),
        ((2, PICKED), (12, HUB)),
        {"receiver_province": place},
    )
    for place, limit in (("内蒙古自治区", 72), ("青海", 72), ("宁夏", 72), ("新疆", 120), ("", 48))
]
FROM_YIWU: tuple[Scan, ...] = ((2, PICKED.but(area="浙江省,金华市,义乌市")),)


def to(province: str, city: str) -> dict[str, str]:
    return {"receiver_province": province, "receiver_city": city}


EVERYWHERE = [
    Row(GENERIC, "dispatch_sign", 20, 24, (6,), (SIGNED, STORED, FAILED, BACK), ((2, PICKED), (20, OUT))),
    Row(
        GENERIC,
        "failed_no_retry",
        22,
        48,
        (24,),
        (OUT, SIGNED, STORED, BACK),
        ((2, PICKED), (20, OUT), (22, FAILED)),
    ),
    Row(GENERIC, "locker_overdue", 20, 72, (48,), (SIGNED, BACK), ((2, PICKED), (20, STORED))),
    Row(
        GENERIC, "return_transit", 30, 72, (24,), (BACK_HOME, CANCELLED), ((2, PICKED), (20, OUT), (30, BACK))
    ),
    Row(GENERIC, "no_record", 1, 72, (24,), (PICKED, *ANY_SCAN)),
    Row(GENERIC, "transit_stagnation", 12, 72, (24,), DOOR, ((2, PICKED), (12, HUB))),
    *(
        Row(
            GENERIC,
            "thorough_delay",
            2,
            limit,
            (72, 24),
            (SIGNED, BACK_HOME, BACK),
            ((2, PICKED),),
            {"receiver_province": place},
        )
        for place, limit in (("浙江", 240), ("甘肃", 336), ("新疆", 408))
    ),
    Row(GENERIC, "same_city", 2, 24, (6,), (SIGNED, BACK), FROM_YIWU, to("浙江省", "金华市")),
    Row(
        GENERIC,
        "thorough_delay_same_city",
        2,
        96,
        (24,),
        (SIGNED, BACK_HOME, BACK),
        FROM_YIWU,
        to("浙江", "金华"),
    ),
    *(
        Row(GENERIC, "inter_city", 2, limit, (24,), (SIGNED, BACK), FROM_YIWU, to(*place))
        for place, limit in ((("浙江", "杭州市"), 72), (("甘肃", "兰州"), 168), (("新疆", "乌鲁木齐"), 240))
    ),
]
INHERITED = [
    replace(row, platform=profile.id)
    for profile in profiles().values()
    for row in EVERYWHERE
    if row.rule in plain_book().rule_ids(profile.id) - profile.rules.keys()
]
ROWS = [*TAOBAO, *PINDUODUO, *TIERS, *PLATFORMS, *EVERYWHERE, *INHERITED]


def test_no_rule_of_any_profile_is_without_a_row() -> None:
    clocks = {
        (platform, each)
        for platform in profiles()
        for each in plain_book().rule_ids(platform)
        if rule(platform, each).kind in (Kind.CLOCK, Kind.STALENESS) and rule(platform, each).watch
    }
    rows = {("generic_cn" if row.platform == GENERIC else row.platform, row.rule) for row in ROWS}
    by_whole_days = {
        *(("dhgate", "handling"), ("dhgate", "first_info"), ("shopee", "dts"), ("lazada", "rts")),
        *(("amazon", "ship_confirm"), ("amazon", "auto_cancel")),
        *(("tiktok_us", "dispatch"), ("tiktok_us", "deliver_by")),
        *(("temu_us_local", "ship_date"), ("temu_us_local", "delivery_date")),
    }
    """`tests/rules/test_cross_border.py`."""
    by_line = {("douyin", "line_ontime")}
    """`tests/rules/test_lines.py`."""
    assert clocks == rows | by_whole_days | by_line


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_breach_is_more_than_the_limit(row: Row) -> None:
    deadline = at(row.started + row.limit)

    on_the_dot = judged(seen_at(row.case(), deadline), deadline)
    assert stage(on_the_dot, row.rule) == ("warning" if row.warn else "")

    a_second_later = judged(seen_at(row.case(), deadline + SECOND), deadline + SECOND)
    found = finding(a_second_later, row.rule)
    assert found is not None
    assert (found.stage, found.crossed_at, found.deadline) == ("breach", deadline, deadline)
    assert (found.started_at, found.limit) == (at(row.started), timedelta(hours=row.limit))
    assert found.step == len(row.warn) + 1


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_warning_comes_its_hours_before_the_limit(row: Row) -> None:
    for step, before in enumerate(row.warn, start=1):
        moment = at(row.started + row.limit - before)
        found = finding(judged(seen_at(row.case(), moment + SECOND), moment + SECOND), row.rule)
        assert found is not None
        assert (found.stage, found.step, found.crossed_at) == ("warning", step, moment)
        earlier = finding(judged(seen_at(row.case(), moment), moment), row.rule)
        assert (earlier.step if earlier else 0) == step - 1


@pytest.mark.parametrize(
    ("row", "word"),
    [pytest.param(row, word, id=f"{row}-{word.milestone.value}") for row in ROWS for word in row.ends],
)
def test_what_ends_the_wait_on_the_dot_or_late(row: Row, word: Word) -> None:
    for late in (0, 5):
        end = row.started + row.limit + late
        verdict = judged(seen_at(row.case((end, word)), at(end + 100)))
        reading = clock(verdict, row.rule)
        assert finding(verdict, row.rule) is None or reading.started_at == at(end)
        assert reading.ended_at == at(end)


@pytest.mark.parametrize(
    ("rule", "scans", "word"),
    [
        ("late_shipment", (), Word(PICKED.milestone).but(forecast=True)),
        ("pickup_no_update", ((2, PICKED),), PICKED),
        ("paid_to_signed", ((2, PICKED),), STORED),
        ("transit_stagnation", ((2, PICKED),), Word(TRANSIT.milestone).but(forecast=True)),
    ],
)
def test_what_does_not_end_the_wait(rule: str, scans: tuple[Scan, ...], word: Word) -> None:
    assert stage(judged(parcel(*scans, (40, word), seen=61)), rule) == "breach"


@pytest.mark.parametrize(
    ("platform", "rule", "word", "runs"),
    [
        ("pinduoduo", "dispatch_sign", FAILED, True),
        (GENERIC, "dispatch_sign", FAILED, False),
        ("pinduoduo", "first_hub", HUB, True),
        ("pinduoduo", "first_hub", TRANSIT, True),
        ("pinduoduo", "first_hub", STATION, False),
    ],
)
def test_platforms_differ_in_what_ends_it(platform: str, rule: str, word: Word, runs: bool) -> None:
    scans = ((2, PICKED), (20, OUT)) if rule == "dispatch_sign" else ((2, PICKED),)
    assert clock(judged(parcel(*scans, (30, word), platform=platform, seen=40)), rule).running is runs
