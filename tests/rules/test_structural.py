"""Structural checks (`facts/platform-rules.md` §5): both sides of every tolerance, and who is never accused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.findings import Party
from domain.journey import condense
from domain.orders import Case, Neighbour, OrderStatus, Waybill
from domain.tracking import DeliveredKind, ExceptionKind
from rules.declare import Kind, parse_profile
from rules.places import apart, distance, place_of
from rules.structural import CHECKS
from rules.tolerances import CHECKS as DECLARED
from rules.tolerances import TOLERANCES
from tests.rules.scenes import (
    BACK,
    FAILED,
    HUB,
    LABEL,
    OUT,
    PICKED,
    SIGNED,
    STORED,
    TRANSIT,
    Scan,
    Word,
    at,
    change,
    clock,
    finding,
    judged,
    order,
    parcel,
    plain_book,
    profiles,
    rule,
    spec,
    stage,
)
from tests.rules.scenes import book as book_of

HANGZHOU, JIAXING, SHANGHAI = "浙江,杭州市,余杭区", "浙江,嘉兴市", "上海,上海市,浦东新区"
BEIJING, LANGFANG, CHENGDU, NANNING = "北京,北京市", "河北,廊坊市", "四川,成都市", "广西,南宁市"
GUANGZHOU, FOSHAN, SHENZHEN, SHAOGUAN = "广东,广州市", "广东,佛山市", "广东,深圳市", "广东,韶关市"
HOURS = timedelta(hours=1)
KS = "kuaishou"


def there(word: Word, area: str) -> Word:
    """The scan in a city."""
    return word.but(area=area)


def to(area: str, **said: Any) -> dict[str, Any]:
    """An order's receiver, by an area."""
    province, _, city = area.partition(",")
    return {"receiver_province": province, "receiver_city": city.partition(",")[0], **said}


def text(case: Case, name: str, now: float = 400) -> str:
    """What the check says of a parcel that is looked at long after, or nothing."""
    found = finding(judged(replace(case, observed_at=at(now), orders_observed_at=at(now)), now), name)
    return found.evidence["text"] if found else ""


# ── the declarations ─────────────────────────────────────────────────────────────────────────────


def test_every_check_is_declared_once_and_inherited_by_every_platform() -> None:
    assert CHECKS.keys() == DECLARED.keys()
    generic = {each.check for each in profiles()["generic_cn"].rules.values() if each.kind is Kind.STRUCTURAL}
    assert generic == CHECKS.keys()
    for name in profiles():
        book = plain_book().profiles[name]
        assert {each.check for each in book.rules.values() if each.check} == CHECKS.keys()


def test_the_numbers_are_those_of_the_facts() -> None:
    """§11, structural_rules."""
    said = {name: rule("没有规则的平台", name).tolerances for name in CHECKS}
    assert said["tracking_before_order"].tolerance == timedelta(minutes=5)
    assert said["waybill_reuse"].lookback == timedelta(days=30)
    assert said["origin_mismatch"].max_km == 300
    assert (said["signed_too_soon"].max_kmh, said["signed_too_soon"].at_least) == (120, 4 * HOURS)
    counts = {name: rule(name, "duplicate_pickup").tolerances.counts for name in (KS, "pinduoduo", "jd_pop")}
    assert counts == {KS: "first", "pinduoduo": "last", "jd_pop": "first"}


def test_the_grave_ones_tell_and_the_doubtful_only_record() -> None:
    tells = {name: rule("没有规则的平台", name).notify for name in CHECKS}
    assert {name for name in tells if tells[name]} == {
        "tracking_before_order",
        "waybill_reuse",
        "route_mismatch",
        "refund_after_pickup",
    }
    assert rule(KS, "duplicate_pickup").notify
    assert rule("pinduoduo", "duplicate_pickup").notify


@pytest.mark.parametrize(
    ("table", "where", "reason"),
    [
        pytest.param({"kind": "structural"}, ("check",), "structural 规则缺少 check", id="no check"),
        pytest.param({"check": "waybil_reuse"}, ("check",), "是不是想写 waybill_reuse", id="misspelt"),
        pytest.param(
            {"check": "waybill_reuse", "max_km": 3}, ("max_km",), "waybill_reuse 没有 max_km", id="another's"
        ),
        pytest.param(
            {"check": "waybill_reuse", "limit": "3h"}, ("limit",), "structural 规则没有 limit", id="a clock's"
        ),
        pytest.param({"check": "waybill_reuse", "lookback": 30}, ("lookback",), "时长", id="no unit"),
        pytest.param({"check": "origin_mismatch", "max_km": 0}, ("max_km",), "大于零", id="zero"),
        pytest.param({"check": "origin_mismatch", "max_km": True}, ("max_km",), "大于零", id="no number"),
        pytest.param({"check": "duplicate_pickup", "counts": "any"}, ("counts",), "first", id="no such end"),
        pytest.param({"check": "route_mismatch", "escalate": 101}, ("escalate",), "0 到 100", id="too grave"),
    ],
)
def test_mistakes_are_named(table: dict[str, Any], where: tuple[str, ...], reason: str) -> None:
    data = {"id": "x", "name": "x", "rules": {"r": {"kind": "structural", **table}}}
    profile, problems = parse_profile(data)
    assert profile is None
    assert [each.path for each in problems] == [("rules", "r", *where)]
    assert reason in problems[0].reason


def test_a_clock_has_no_tolerances() -> None:
    table = {"kind": "exception", "on": "lost", "max_km": 3}
    _, problems = parse_profile({"id": "x", "name": "x", "rules": {"r": table}})
    assert [each.path[-1] for each in problems] == ["max_km"]


# ── tracking_before_order ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scans", "said", "claimed"),
    [
        pytest.param([(2, PICKED)], {}, False, id="after the payment"),
        pytest.param([(-5 / 60, PICKED)], {}, False, id="five minutes early"),
        pytest.param([(-5 / 60 - 1 / 3600, PICKED)], {}, True, id="a second earlier"),
        pytest.param([(-30, TRANSIT)], {}, True, id="any scan, not just a pickup"),
        pytest.param([(-30, LABEL), (2, PICKED)], {}, False, id="a printed label is no scan"),
        pytest.param([(-30, PICKED)], {"goods_type": "presale"}, False, id="the final payment of a presale"),
        pytest.param([(-30, PICKED)], {"tags": frozenset({"cod"})}, False, id="cash on delivery"),
        pytest.param([(-30, PICKED)], {"paid_at": None}, False, id="nobody knows when it was paid"),
        pytest.param([(-30, PICKED)], {"paid_at": None, "confirmed_at": 0}, True, id="confirmed instead"),
        pytest.param([], {}, False, id="no scan"),
    ],
)
def test_tracking_before_order(scans: Any, said: dict[str, Any], claimed: bool) -> None:
    assert bool(text(parcel(*scans, **said), "tracking_before_order")) is claimed


def test_of_several_orders_the_one_paid_last_counts() -> None:
    orders = (order("1"), order("2026112200012345", paid_at=50, shipped_at=51))
    said = text(parcel((2, PICKED), orders=orders), "tracking_before_order")
    assert "…012345" in said, "the number is told by its end"
    assert "早了 48 小时" in said


@pytest.mark.parametrize(
    ("goods", "scan", "claimed"),
    [
        pytest.param("presale", -26, False, id="only the presale was paid later"),
        pytest.param("", -26, True, id="an ordinary order was"),
        pytest.param("presale", -31, True, id="before the ordinary one as well"),
    ],
)
def test_an_exempt_order_in_the_parcel_proves_nothing(goods: str, scan: float, claimed: bool) -> None:
    orders = (order("1", paid_at=-30), order("2", paid_at=-10, goods_type=goods))
    assert bool(text(parcel((scan, PICKED), orders=orders), "tracking_before_order")) is claimed


def test_two_exempt_orders_of_different_kinds_leave_nobody_to_claim_for() -> None:
    orders = (order("1", goods_type="presale"), order("2", tags=frozenset({"cod"})))
    assert not text(parcel((-26, PICKED), orders=orders), "tracking_before_order")


# ── waybill_reuse ────────────────────────────────────────────────────────────────────────────────


def used(no: str, area: str, hour: float | None, phone: int = 0) -> Neighbour:
    said = to(area)
    return Neighbour(
        no, said["receiver_province"], said["receiver_city"], None if hour is None else at(hour), phone
    )


DAY = 24.0


@pytest.mark.parametrize(
    ("first", "second", "claimed"),
    [
        pytest.param((HANGZHOU, 0, 0), (CHENGDU, 5, 0), True, id="another province"),
        pytest.param((GUANGZHOU, 0, 0), (SHENZHEN, 5, 0), True, id="another city"),
        pytest.param((HANGZHOU, 0, 0), (HANGZHOU, 5, 0), False, id="a merged order"),
        pytest.param((HANGZHOU, 0, 1), (HANGZHOU, 5, 1), False, id="merged, the same phone"),
        pytest.param((HANGZHOU, 0, 1), (HANGZHOU, 24, 2), False, id="sent together, a phone for each order"),
        pytest.param((HANGZHOU, 0, 1), (HANGZHOU, 24 + 1 / 3600, 2), True, id="the same city, another phone"),
        pytest.param((HANGZHOU, 0, 1), (CHENGDU, 0, 2), True, id="sent together to two cities"),
        pytest.param(("浙江,义乌市", 0, 0), ("浙江,金华市", 5, 0), False, id="a county and its city"),
        pytest.param(("浙江,义乌市", 0, 0), ("浙江,杭州市", 5, 0), True, id="a county of another city"),
        pytest.param((HANGZHOU, 0, 1), (HANGZHOU, 5, 0), False, id="a phone that is not known"),
        pytest.param((HANGZHOU, 0, 1), (CHENGDU, 5, 1), True, id="the same phone, another address"),
        pytest.param((HANGZHOU, 0, 0), (CHENGDU, 30 * DAY, 0), True, id="thirty days"),
        pytest.param((HANGZHOU, 0, 0), (CHENGDU, 30 * DAY + 1 / 3600, 0), False, id="a second more"),
        pytest.param((HANGZHOU, 0, 0), (CHENGDU, None, 0), False, id="nobody knows when"),
        pytest.param(("浙江,昆山市", 0, 0), ("浙江,杭州市", 5, 0), False, id="a city nobody knows"),
        pytest.param(("浙江", 0, 0), ("四川", 5, 0), True, id="bare provinces"),
        pytest.param(("浙江", 0, 0), ("浙江,杭州市", 5, 0), False, id="a bare province and its city"),
        pytest.param(("上海,上海市", 0, 0), ("上海市,市辖区", 5, 0), False, id="a municipality by its names"),
        pytest.param(("", 0, 0), (CHENGDU, 5, 0), False, id="a purged address"),
    ],
)
def test_waybill_reuse(first: Any, second: Any, claimed: bool) -> None:
    uses = (used("A0000001", *first), used("B0000002", *second))
    assert bool(text(replace(parcel(), neighbours=uses), "waybill_reuse")) is claimed
    assert bool(text(replace(parcel(), neighbours=uses[::-1]), "waybill_reuse")) is claimed


def test_the_orders_inside_tell_as_well_where_no_store_does() -> None:
    orders = (order("A0000001", **to(HANGZHOU)), order("B0000002", **to(CHENGDU), shipped_at=40))
    found = finding(judged(parcel(orders=orders, seen=60)), "waybill_reuse")
    assert found is not None
    assert found.started_at == at(40)
    assert "浙江杭州" in found.evidence["text"]
    assert "四川成都" in found.evidence["text"]
    assert "A0000001" not in found.evidence["text"]
    assert found.blame is not None
    assert found.blame.party is Party.WAREHOUSE


@pytest.mark.parametrize(
    ("said", "claimed"),
    [
        pytest.param({"status": OrderStatus.REFUNDED, "shipped_at": None}, False, id="taken back: refunded"),
        pytest.param({"status": OrderStatus.CLOSED, "shipped_at": None}, False, id="taken back: closed"),
        pytest.param({"status": OrderStatus.AWAITING, "shipped_at": None}, False, id="not sent yet"),
        pytest.param({"status": OrderStatus.REFUNDED, "shipped_at": 2}, True, id="sent, then refunded"),
        pytest.param({"status": OrderStatus.SHIPPED, "shipped_at": None}, True, id="sent, nobody says when"),
    ],
)
def test_a_number_taken_back_before_it_was_sent_is_free(said: dict[str, Any], claimed: bool) -> None:
    orders = (order("A0000001", **to(SHENZHEN), **said), order("B0000002", **to(HANGZHOU), shipped_at=9))
    assert orders[0].sent is claimed
    assert bool(text(parcel((10, there(PICKED, HANGZHOU)), orders=orders), "waybill_reuse")) is claimed
    uses = (replace(used("A0000001", SHENZHEN, 2), sent=orders[0].sent), used("B0000002", HANGZHOU, 9))
    assert bool(text(replace(parcel(), neighbours=uses), "waybill_reuse")) is claimed


def test_the_first_reuse_of_three_is_told() -> None:
    uses = (used("1", HANGZHOU, 0), used("2", HANGZHOU, 9), used("3", CHENGDU, 20), used("4", NANNING, 30))
    found = finding(judged(replace(parcel(seen=60), neighbours=uses)), "waybill_reuse")
    assert found is not None
    assert found.started_at == at(20)


# ── route_mismatch ───────────────────────────────────────────────────────────────────────────────

PATH = ((2, there(PICKED, HANGZHOU)), (20, there(HUB, HANGZHOU)))


@pytest.mark.parametrize(
    ("scans", "receiver", "level"),
    [
        pytest.param([(40, there(OUT, CHENGDU))], CHENGDU, "", id="where it should be"),
        pytest.param([(40, there(OUT, CHENGDU))], NANNING, "province", id="carried out in another province"),
        pytest.param([(40, there(SIGNED, SHENZHEN))], GUANGZHOU, "city", id="signed for in another city"),
        pytest.param([(40, there(STORED, SHENZHEN))], GUANGZHOU, "city", id="stored in another city"),
        pytest.param([(40, there(FAILED, SHENZHEN))], GUANGZHOU, "city", id="tried in another city"),
        pytest.param([(40, there(TRANSIT, SHENZHEN))], GUANGZHOU, "", id="only passed through"),
        pytest.param([(40, there(SIGNED, FOSHAN))], GUANGZHOU, "", id="a neighbouring city's outlet"),
        pytest.param([(40, there(SIGNED, LANGFANG))], BEIJING, "", id="over the border of a municipality"),
        pytest.param([(40, there(SIGNED, SHANGHAI))], "上海,上海", "", id="a municipality"),
        pytest.param(
            [(40, there(SIGNED, "上海市,市辖区"))], "上海市,上海市", "", id="a municipality's names"
        ),
        pytest.param([(40, there(SIGNED, "湖北,仙桃市"))], "湖北省,省直辖县级行政区划", "", id="直辖县"),
        pytest.param([(40, there(SIGNED, "四川"))], NANNING, "", id="a bare province of a scan"),
        pytest.param([(40, there(SIGNED, CHENGDU))], "广西", "province", id="a bare province of an order"),
        pytest.param([(40, there(SIGNED, CHENGDU))], "四川", "", id="the right bare province"),
        pytest.param([(40, there(SIGNED, "四川,不知道市"))], NANNING, "province", id="an unknown city"),
        pytest.param(
            [(40, there(SIGNED, "四川,不知道市"))], CHENGDU, "", id="an unknown city, right province"
        ),
        pytest.param(
            [(40, there(SIGNED, "四川,不知道市"))], "贵州,遵义市", "", id="unknown, over the border"
        ),
        pytest.param([(40, there(SIGNED, "陕西,西安市"))], "四川", "", id="a bare province next door"),
        pytest.param(
            [(40, there(SIGNED, "北京,北京市,通州区"))], "河北,三河市", "", id="a county at the border"
        ),
        pytest.param([(40, there(SIGNED, "北京,北京市,通州区"))], "河北,香河县", "", id="one nobody knows"),
        pytest.param([(40, there(SIGNED, SHANGHAI))], "江苏,昆山市", "", id="昆山 may lie at the border"),
        pytest.param([(40, there(SIGNED, "江苏,苏州市"))], "江苏,昆山市", "", id="a county's own city"),
        pytest.param([(40, there(SIGNED, "浙江,义乌市"))], "浙江,金华市", "", id="a scan's county"),
        pytest.param([(40, there(SIGNED, CHENGDU))], "江苏,昆山市", "province", id="a county far away"),
        pytest.param([(40, there(SIGNED, "江苏,徐州市"))], "江苏,昆山市", "city", id="far in its province"),
        pytest.param([(40, there(SIGNED, NANNING))], "新疆,石河子市", "province", id="石河子"),
        pytest.param([(40, there(SIGNED, "Moon,Base"))], NANNING, "", id="garbled"),
        pytest.param([(40, there(SIGNED, ",,,"))], NANNING, "", id="commas"),
        pytest.param([(40, SIGNED)], NANNING, "", id="no area"),
        pytest.param([(40, there(SIGNED, CHENGDU))], "", "", id="no receiver"),
        pytest.param(
            [(40, there(OUT, SHENZHEN)), (60, there(OUT, GUANGZHOU))],
            GUANGZHOU,
            "",
            id="sorted wrongly, then right",
        ),
        pytest.param(
            [(40, there(OUT, GUANGZHOU)), (60, there(SIGNED, SHENZHEN))],
            GUANGZHOU,
            "city",
            id="right, then wrong",
        ),
        pytest.param(
            [
                (30, TRANSIT.but(exceptions=frozenset({ExceptionKind.FORWARDED}))),
                (40, there(SIGNED, CHENGDU)),
            ],
            NANNING,
            "",
            id="sent on",
        ),
        pytest.param(
            [(40, there(SIGNED, "陕西,西安市").but(delivered_kind=DeliveredKind.TRANSIT_WAREHOUSE))],
            "新疆,乌鲁木齐市",
            "",
            id="a transit warehouse",
        ),
        pytest.param([(40, BACK), (50, there(OUT, HANGZHOU))], NANNING, "", id="on its way back"),
    ],
)
def test_route_mismatch(scans: Any, receiver: str, level: str) -> None:
    case = parcel(*PATH, *scans, **to(receiver), seen=400)
    found = finding(judged(case), "route_mismatch")
    assert (found.evidence["level"] if found else "") == level
    if found:
        allowed = rule("taobao_tmall", "route_mismatch")
        assert found.severity == (allowed.tolerances.escalate if level == "province" else allowed.severity)


def test_a_parcel_with_two_receivers_may_be_at_either() -> None:
    orders = (order("1", **to(GUANGZHOU)), order("2", **to(SHENZHEN)))
    assert not text(parcel(*PATH, (40, there(SIGNED, SHENZHEN)), orders=orders), "route_mismatch")


def test_the_words_say_where_and_how_far() -> None:
    said = text(parcel(*PATH, (40, there(SIGNED, SHENZHEN)), **to(GUANGZHOU)), "route_mismatch")
    assert said == "2026-06-03 00:00 在广东深圳签收，收货地是广东广州，相距约 105 公里"


def test_between_60_km_there_is_the_line() -> None:
    here, far = place_of(GUANGZHOU), place_of(FOSHAN)
    assert here is not None
    assert far is not None
    near = int(distance(here, far)) + 1
    allowed = rule("taobao_tmall", "route_mismatch").tolerances
    case = parcel(*PATH, (40, there(SIGNED, FOSHAN)), **to(GUANGZHOU))
    check = CHECKS["route_mismatch"]
    assert check(case, replace(allowed, near_km=near)) is None
    assert check(case, replace(allowed, near_km=near - 1)) is not None


# ── origin_mismatch ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("origin", "scan", "claimed"),
    [
        pytest.param(HANGZHOU, there(PICKED, HANGZHOU), False, id="at the warehouse"),
        pytest.param(HANGZHOU, there(PICKED, JIAXING), False, id="near it"),
        pytest.param(HANGZHOU, there(PICKED, BEIJING), True, id="far from it"),
        pytest.param("", there(PICKED, BEIJING), False, id="nobody knows where it stands"),
        pytest.param("火星,基地", there(PICKED, BEIJING), False, id="a place nobody knows"),
        pytest.param(HANGZHOU, PICKED, False, id="a pickup without a city"),
        pytest.param(HANGZHOU, there(PICKED, "北京"), False, id="a bare province proves nothing"),
        pytest.param("上海,上海市", there(PICKED, SHANGHAI), False, id="a municipality"),
        pytest.param("内蒙古,满洲里市", there(PICKED, "内蒙古,兴安盟"), False, id="a county of a wide city"),
        pytest.param("浙江,义乌市", there(PICKED, BEIJING), True, id="a county far away"),
    ],
)
def test_origin_mismatch(origin: str, scan: Word, claimed: bool) -> None:
    case = replace(parcel((2, scan), (30, there(HUB, BEIJING))), origin=origin)
    assert bool(text(case, "origin_mismatch")) is claimed


def test_300_km_are_allowed_and_more_are_not() -> None:
    case = replace(parcel((2, there(PICKED, SHAOGUAN))), origin=SHENZHEN)
    here, far = place_of(SHENZHEN), place_of(SHAOGUAN)
    assert here is not None
    assert far is not None
    km = int(distance(here, far))
    allowed, check = rule("taobao_tmall", "origin_mismatch").tolerances, CHECKS["origin_mismatch"]
    assert check(case, replace(allowed, max_km=km + 1)) is None
    assert check(case, replace(allowed, max_km=km)) is not None


# ── speed ────────────────────────────────────────────────────────────────────────────────────────


def hours_between(one: str, other: str, kmh: int) -> float:
    """How long the sure distance takes at that speed."""
    here, far = place_of(one), place_of(other)
    assert here is not None
    assert far is not None
    return apart(here, far) / kmh


def carried_by(carrier: str, case: Case) -> Case:
    return replace(case, waybill=Waybill(carrier, "1"))


def moved(one: str, other: str, took: float, carrier: str = "zhongtong") -> Case:
    """Leaves a city and is seen in another so many hours later."""
    return carried_by(carrier, parcel((2, there(PICKED, one)), (2 + took, there(HUB, other))))


WUHAN, ZHENGZHOU, NANJING = "湖北,武汉市", "河南,郑州市", "江苏,南京市"
ROAD, AIR = (WUHAN, ZHENGZHOU), (BEIJING, CHENGDU)
"""Nearer and farther than 600 km."""


@pytest.mark.parametrize(
    ("cities", "carrier", "kmh"),
    [
        pytest.param(ROAD, "zhongtong", 120, id="by road"),
        pytest.param(ROAD, "shunfeng", 800, id="顺丰 flies"),
        pytest.param(ROAD, "ems", 800, id="EMS flies"),
        pytest.param(ROAD, "yuantong", 800, id="圆通 flies"),
        pytest.param(AIR, "zhongtong", 800, id="anybody may book freight so far"),
    ],
)
def test_between_cities_no_faster_than_possible(cities: tuple[str, str], carrier: str, kmh: int) -> None:
    limit = hours_between(*cities, kmh)
    assert not text(moved(*cities, limit + 0.01, carrier), "impossible_speed")
    assert text(moved(*cities, limit - 0.01, carrier), "impossible_speed")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(moved(GUANGZHOU, FOSHAN, 0.1), id="neighbours"),
        pytest.param(moved(HANGZHOU, SHANGHAI, 0.1), id="cities whose land meets"),
        pytest.param(moved(WUHAN, "河南,没有市", 0.1), id="an unknown city"),
        pytest.param(moved(WUHAN, "河南", 0.1), id="a bare province"),
        pytest.param(moved(WUHAN, "\0\ud800,<b>", 0.1), id="garbled"),
        pytest.param(
            parcel(
                (2, there(PICKED, WUHAN)),
                (9, there(HUB, ZHENGZHOU)),
                (9.1, there(TRANSIT, WUHAN)),
                (9.2, there(TRANSIT, ZHENGZHOU)),
            ),
            id="a departure booked after the arrival",
        ),
    ],
)
def test_what_is_never_too_fast(case: Case) -> None:
    assert not text(carried_by("zhongtong", case), "impossible_speed")


ASTRAY = ((2, there(PICKED, WUHAN)), (3, there(HUB, ZHENGZHOU)), (3.1, there(HUB, WUHAN)))


@pytest.mark.parametrize(
    ("more", "claimed"),
    [
        pytest.param([], False, id="the arrival may still come"),
        pytest.param([(30, there(HUB, ZHENGZHOU))], False, id="and came"),
        pytest.param([(30, there(HUB, NANJING))], True, id="it went elsewhere"),
        pytest.param([(30, there(SIGNED, WUHAN))], True, id="it ended where it was"),
    ],
)
def test_a_line_of_another_parcel_and_a_late_booking(more: Any, claimed: bool) -> None:
    case = carried_by("zhongtong", parcel(*ASTRAY, *more))
    assert bool(text(case, "impossible_speed")) is claimed


def test_the_last_scan_in_a_city_counts_not_the_first() -> None:
    slow = hours_between(*ROAD, 120) + 1
    waits = parcel((2, there(PICKED, WUHAN)), (20, there(HUB, WUHAN)), (20 + slow, there(HUB, ZHENGZHOU)))
    hurries = parcel((2, there(PICKED, WUHAN)), (20, there(HUB, WUHAN)), (21, there(HUB, ZHENGZHOU)))
    assert not text(carried_by("zhongtong", waits), "impossible_speed")
    assert text(carried_by("zhongtong", hurries), "impossible_speed")


def signed(one: str, other: str, took: float, carrier: str = "zhongtong") -> Case:
    return carried_by(carrier, parcel((2, there(PICKED, one)), (2 + took, there(SIGNED, other))))


@pytest.mark.parametrize(
    ("case", "claimed"),
    [
        pytest.param(signed(GUANGZHOU, SHENZHEN, 3.99), True, id="under four hours to another city"),
        pytest.param(signed(GUANGZHOU, SHENZHEN, 4), False, id="four hours"),
        pytest.param(signed(GUANGZHOU, FOSHAN, 1), False, id="a courier crosses to the next city"),
        pytest.param(signed(GUANGZHOU, GUANGZHOU, 0.5), False, id="in town"),
        pytest.param(signed(GUANGZHOU, SHENZHEN, 3, "shunfeng"), False, id="顺丰's same-day"),
        pytest.param(
            signed(BEIJING, CHENGDU, 3.99, "shunfeng"), True, id="no flight is so fast door to door"
        ),
        pytest.param(signed(BEIJING, CHENGDU, 4, "shunfeng"), False, id="flown in four hours"),
        pytest.param(signed(WUHAN, "广西,没有市", 1), False, id="an unknown city"),
        pytest.param(signed("上海", "上海,上海市", 1), False, id="a municipality"),
        pytest.param(
            parcel((2, PICKED), (3, there(HUB, GUANGZHOU)), (4, there(SIGNED, SHENZHEN))),
            False,
            id="picked up somewhere",
        ),
    ],
)
def test_signed_too_soon(case: Case, claimed: bool) -> None:
    assert bool(text(case, "signed_too_soon")) is claimed


def test_signed_faster_than_a_lorry() -> None:
    """北京 to 南京, with nothing in the air: more than four hours of road wherever one starts."""
    cities = (BEIJING, NANJING)
    limit = hours_between(*cities, 120)
    allowed = replace(rule("taobao_tmall", "signed_too_soon").tolerances, air_from_km=2000)
    check = CHECKS["signed_too_soon"]
    assert limit > 4
    assert check(signed(*cities, limit + 0.01), allowed) is None
    assert check(signed(*cities, limit - 0.01), allowed) is not None


# ── duplicate_pickup ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scans", "claimed"),
    [
        pytest.param([(2, PICKED)], False, id="one"),
        pytest.param([(2, PICKED), (2.05, PICKED.but(text="picked_up 2"))], False, id="an echo"),
        pytest.param([(2, PICKED), (5, PICKED)], False, id="the courier, then his outlet"),
        pytest.param([(2, PICKED), (14, PICKED)], False, id="twelve hours"),
        pytest.param([(2, PICKED), (14 + 1 / 3600, PICKED)], True, id="a second more"),
        pytest.param([(2, there(PICKED, HANGZHOU)), (5, there(PICKED, BEIJING))], True, id="another city"),
        pytest.param(
            [(2, there(PICKED, GUANGZHOU)), (2 + 8 / 60, there(PICKED, BEIJING))],
            False,
            id="eight minutes to Beijing are a slip",
        ),
        pytest.param(
            [
                (2, there(PICKED, BEIJING)),
                (2 + 8 / 60, there(PICKED, GUANGZHOU)),
                (6, there(PICKED, GUANGZHOU)),
            ],
            False,
            id="the first one was garbled",
        ),
        pytest.param(
            [(2, there(PICKED, GUANGZHOU)), (6, there(PICKED, BEIJING)), (6.2, there(HUB, GUANGZHOU))],
            False,
            id="back at once, so it never was there",
        ),
        pytest.param([(2, there(PICKED, HANGZHOU)), (3, there(PICKED, SHANGHAI))], False, id="the next city"),
        pytest.param([(2, there(PICKED, "浙江")), (3, there(PICKED, "北京"))], False, id="bare provinces"),
        pytest.param([(2, PICKED), (20, SIGNED), (40, PICKED)], False, id="booked after the signature"),
    ],
)
def test_duplicate_pickup(scans: Any, claimed: bool) -> None:
    assert bool(text(parcel(*scans), "duplicate_pickup")) is claimed


@pytest.mark.parametrize(("platform", "counted"), [(KS, 2), ("pinduoduo", 50), ("taobao_tmall", 2)])
def test_which_pickup_counts(platform: str, counted: float) -> None:
    case = parcel((2, PICKED), (26, PICKED), (50, PICKED), platform=platform, seen=60)
    found = finding(judged(case), "duplicate_pickup")
    assert found is not None
    assert found.started_at == at(26)
    assert found.evidence["counted_at"] == at(counted).isoformat()
    assert "有 3 次揽收记录" in found.evidence["text"]


# ── carrier_mismatch ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("carrier", "number", "claimed"),
    [
        pytest.param("yuantong", "SF1234567890123", True, id="顺丰's number"),
        pytest.param("zhongtong", "jt1234567890123", True, id="in small letters"),
        pytest.param("shunfeng", "YT1234567890123", True, id="圆通's number"),
        pytest.param("shunfengkuaiyun", "SF1234567890123", False, id="its freight arm's"),
        pytest.param("yuantong", "YT1234567890123", False, id="its own"),
        pytest.param("yuantong", "771234567890123", False, id="bare digits tell nothing"),
        pytest.param("danniao", "SF1234567890123", False, id="a carrier whose numbers nobody knows"),
        pytest.param("yuantong", "SF123", False, id="too short to tell"),
        pytest.param("yuantong", "", False, id="no number"),
    ],
)
def test_a_number_of_another_carrier(carrier: str, number: str, claimed: bool) -> None:
    case = replace(parcel(), waybill=Waybill(carrier, number))
    assert bool(text(case, "carrier_mismatch")) is claimed
    heard_of = replace(parcel((2, PICKED)), waybill=Waybill(carrier, number))
    assert not text(heard_of, "carrier_mismatch"), "the carrier knows it, so it is his"


def test_nobody_has_looked_so_nothing_is_claimed() -> None:
    """L1: that a carrier never heard of a number is an absence."""
    case = replace(parcel(), waybill=Waybill("yuantong", "SF1234567890123"))
    assert finding(judged(case, 400), "carrier_mismatch") is None


@pytest.mark.parametrize(
    ("declared", "scans", "claimed"),
    [
        pytest.param("yunda", ((2, PICKED),), True, id="another carrier has it"),
        pytest.param("yunda", (), False, id="nobody has it yet"),
        pytest.param("auto", ((2, PICKED),), False, id="the shop named none"),
        pytest.param("", ((2, PICKED),), False, id="the shop named the right one"),
    ],
)
def test_the_shop_named_another_carrier(declared: str, scans: tuple[Scan, ...], claimed: bool) -> None:
    case = replace(parcel(*scans), declared=declared)
    assert bool(text(case, "carrier_mismatch")) is claimed


SENT_ON = TRANSIT.but(exceptions=frozenset({ExceptionKind.FORWARDED}))
NEW = SENT_ON.but(text="快件已转寄,新单号为: SF1234567890999")


@pytest.mark.parametrize(
    ("line", "siblings", "shop_seen", "claimed"),
    [
        pytest.param(NEW, frozenset(), 60, True, id="the shop never recorded it"),
        pytest.param(NEW, frozenset({"SF1234567890999"}), 60, False, id="it did"),
        pytest.param(NEW, None, 60, False, id="nobody looked it up"),
        pytest.param(NEW, frozenset(), 30, False, id="the shop has not spoken since (L1)"),
        pytest.param(SENT_ON.but(text="应客户要求,快件正在转寄中"), frozenset(), 60, False, id="no number"),
        pytest.param(SENT_ON.but(text="转单,新单号 YT1"), frozenset(), 60, False, id="too short for one"),
    ],
)
def test_sent_on_under_a_new_number(
    line: Word, siblings: frozenset[str] | None, shop_seen: float, claimed: bool
) -> None:
    case = parcel((2, PICKED), (30, line), (70, SIGNED), seen=80, shop_seen=shop_seen)
    found = finding(judged(replace(case, siblings=siblings), 80), "carrier_mismatch")
    assert (found is not None) is claimed


# ── transit_warehouse_signed, and the province of the first hub ──────────────────────────────────


def test_a_transit_warehouses_signature_is_no_delivery() -> None:
    kind = SIGNED.but(delivered_kind=DeliveredKind.TRANSIT_WAREHOUSE)
    case = parcel((2, PICKED), (40, kind), seen=60, platform="pinduoduo")
    found = finding(judged(case), "transit_warehouse_signed")
    assert found is not None
    assert not found.notify
    assert "不算送达" in found.evidence["text"]
    assert not text(parcel((2, PICKED), (40, SIGNED)), "transit_warehouse_signed")


AROUND = book_of(
    spec("到省", {"platform": frozenset({"pinduoduo"})}, first_hub_province=change(watch=True)),
)


@pytest.mark.parametrize(
    ("scans", "left"),
    [
        pytest.param([(20, there(HUB, SHENZHEN))], False, id="another hub of the province"),
        pytest.param([(20, there(HUB, NANNING))], True, id="another province"),
        pytest.param([(20, there(HUB, "广西"))], False, id="a bare province proves nothing"),
        pytest.param(
            [(20, there(OUT, SHENZHEN))], True, id="a parcel that stays in the province is carried out"
        ),
    ],
)
def test_stuck_in_the_first_hubs_province(scans: Any, left: bool) -> None:
    case = parcel(
        (2, there(PICKED, GUANGZHOU)), (9, there(HUB, GUANGZHOU)), *scans, platform="pinduoduo", seen=200
    )
    assert clock(judged(case), "first_hub_province").asleep, "off by default"
    assert stage(judged(case, by=AROUND), "first_hub_province") == ("" if left else "breach")
    if left:
        assert clock(judged(case, by=AROUND), "first_hub_province").ended_at == at(20)


# ── all of them ──────────────────────────────────────────────────────────────────────────────────

ODD = parcel(
    (-9, there(PICKED, WUHAN)),
    (-8, there(HUB, ZHENGZHOU)),
    (20, there(PICKED, ZHENGZHOU)),
    (21, there(SIGNED, NANNING)),
    **to(GUANGZHOU),
    seen=60,
)


@pytest.mark.parametrize("status", [OrderStatus.FINISHED, OrderStatus.CLOSED])
def test_of_an_order_nobody_waits_for_nothing_is_claimed(status: OrderStatus) -> None:
    odd = carried_by("zhongtong", ODD)
    assert len([each for each in judged(odd).findings if "check" in each.evidence]) >= 4
    over = replace(odd, orders=tuple(replace(each, status=status) for each in odd.orders))
    assert judged(over).findings == ()


def test_they_wait_for_nothing_so_no_look_is_due_for_them() -> None:
    verdict, lines = judged(ODD), plain_book().policy_for(ODD).lines
    assert {each.rule.id for each in lines if each.rule.kind is Kind.STRUCTURAL} == CHECKS.keys()
    assert not {reading.rule for reading in verdict.clocks} & CHECKS.keys()
    for each in verdict.findings:
        if "check" in each.evidence:
            assert each.deadline is None
            assert each.limit is None
            assert each.started_at == each.crossed_at


def test_a_rule_on_trial_says_so_and_one_switched_off_says_nothing() -> None:
    odd = carried_by("zhongtong", ODD)
    trial = book_of(spec(route_mismatch=change(shadow=True), tracking_before_order=change(watch=False)))
    verdict = judged(odd, by=trial)
    found = finding(verdict, "route_mismatch")
    assert found is not None
    assert found.shadow
    assert finding(verdict, "tracking_before_order") is None


WORDS = (PICKED, HUB, TRANSIT, OUT, STORED, SIGNED, FAILED)
AREAS = (
    HANGZHOU,
    SHANGHAI,
    BEIJING,
    CHENGDU,
    "新疆",
    "上海",
    "",
    "不,存在",
    "\0,\ud800",
    "湖北,省直辖县级行政区划,仙桃市",
)
HISTORIES = st.lists(
    st.tuples(st.integers(-30, 300), st.sampled_from(WORDS), st.sampled_from(AREAS)), max_size=9
)


@settings(deadline=None)
@given(HISTORIES, st.sampled_from(AREAS), st.sampled_from(["shunfeng", "zhongtong", ""]))
def test_whatever_the_history_the_evidence_is_in_it(history: Any, receiver: str, carrier: str) -> None:
    """Every claim rests on scans that are there, and ends in a sentence."""
    scans = [there(word, area).scan(hour) for hour, word, area in history]
    case = Case(Waybill(carrier, "1"), (order(**to(receiver)),), condense(scans), at(400), at(400))
    times = {scan.occurred_at for scan in scans}
    for check in CHECKS:
        showing = CHECKS[check](case, rule("taobao_tmall", check).tolerances)
        if showing is not None:
            assert showing.text
            assert set(showing.scans) <= times
            assert showing.at in times


@settings(deadline=None)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(history: Any, shuffled: Any) -> None:
    scans = [there(word, area).scan(hour) for hour, word, area in history]
    mixed = list(scans)
    shuffled.shuffle(mixed)
    assert condense(mixed) == condense(scans)


@settings(deadline=None)
@given(HISTORIES)
def test_stays_are_in_order_and_each_in_another_city_than_the_one_before(history: Any) -> None:
    journey = condense([there(word, area).scan(hour) for hour, word, area in history])
    assert all(stay.at <= stay.until for stay in journey.cities)
    assert all(one.until <= two.at and one.area != two.area for one, two in pairwise(journey.cities))
    assert list(journey.pickups) == sorted(journey.pickups)


def test_a_long_history_keeps_the_first_city_and_the_latest() -> None:
    scans = [there(TRANSIT, (HANGZHOU, BEIJING)[n % 2]).scan(n) for n in range(90)]
    journey = condense(scans)
    assert len(journey.cities) == 20
    assert journey.cities[0].at == at(0)
    assert journey.cities[-1].at == at(89)
    assert journey.origin == "浙江,杭州市"


def test_a_tolerance_of_every_kind_can_be_read() -> None:
    assert set().union(*DECLARED.values()) == TOLERANCES.keys()
