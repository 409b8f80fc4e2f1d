"""The judge who sees everything, held to journeys written by hand, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from domain.findings import Stage
from domain.orders import Case, Order, Waybill
from domain.tracking import ExceptionKind, Milestone, Motion
from monitor.demo.places import CITIES
from monitor.demo.scans import Scan
from monitor.demo.truth import LIMITS, Limit, Wait, crossings, limits_of, troubles, waits
from monitor.profiles import load_profiles
from rules.policy import PolicyBook

T0 = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)
M = Milestone


def hour(count: float) -> datetime:
    return T0 + timedelta(hours=count)


def scan(
    at: float, mark: Milestone, *, hub: str = "", out: bool = False, seen: float | None = None, **more
) -> Scan:
    motion = Motion.DEPARTED if out else Motion.ARRIVED if hub else None
    return Scan(
        hour(at),
        hour(at if seen is None else seen),
        mark.value,
        mark,
        "0",
        CITIES["杭州"],
        hub,
        motion=motion,
        **more,
    )


JOURNEY = (
    scan(4, M.PICKED_UP),
    scan(6, M.IN_TRANSIT, out=True),
    scan(8, M.IN_TRANSIT, hub="杭州转运中心"),
    scan(11, M.IN_TRANSIT, hub="杭州转运中心", out=True),
    scan(30, M.IN_TRANSIT, hub="武汉转运中心"),
    scan(33, M.IN_TRANSIT, hub="武汉转运中心", out=True),
    scan(36, M.ARRIVED_DEST_CITY),
    scan(48, M.OUT_FOR_DELIVERY),
    scan(52, M.DELIVERED),
)


@dataclass(frozen=True)
class Written:
    """A parcel that is nothing but its order and its scans."""

    order: Order
    scans: tuple[Scan, ...]


def parcel(*scans: Scan, platform: str = "pinduoduo", province: str = "湖北") -> Written:
    """Paid at hour 0, uploaded at hour 2."""
    order = Order("1", platform=platform, paid_at=hour(0), shipped_at=hour(2), receiver_province=province)
    return Written(order, scans)


def stretches(rule: str, *scans: Scan, **more) -> list[tuple[float, float | None]]:
    """The hours between which a rule's waits run."""

    def hours(moment: datetime | None) -> float | None:
        return (moment - T0) / timedelta(hours=1) if moment else None

    return [(hours(w.started_at), hours(w.ended_at)) for w in waits(parcel(*scans, **more)) if w.rule == rule]


@pytest.mark.parametrize(
    ("rule", "platform", "expected"),
    [
        ("late_shipment", "taobao_tmall", [(0, 4)]),
        ("late_shipment", "pinduoduo", [(0, 4)]),
        ("pickup_kpi_24h", "taobao_tmall", [(0, 4)]),
        ("no_pickup", "pinduoduo", [(2, 4)]),
        ("no_record", "pinduoduo", [(2, 4)]),
        ("out_of_stock", "taobao_tmall", [(0, 4)]),
        ("out_of_stock", "pinduoduo", [(0, 2)]),
        ("pickup_no_update", "taobao_tmall", [(4, 6)]),
        ("pickup_no_update", "pinduoduo", [(4, 6)]),
        ("first_hub", "pinduoduo", [(4, 11)]),
        ("update_timeout", "pinduoduo", [(4, 6), (6, 8), (8, 11), (11, 30), (30, 33), (33, 36), (36, 48)]),
        (
            "transit_stagnation",
            "taobao_tmall",
            [(4, 6), (6, 8), (8, 11), (11, 30), (30, 33), (33, 36), (36, 48)],
        ),
        ("dispatch_sign", "pinduoduo", [(48, 52)]),
        ("paid_to_signed", "taobao_tmall", [(0, 52)]),
        ("thorough_delay", "taobao_tmall", [(4, 52)]),
    ],
)
def test_what_each_rule_measures_on_a_full_journey(rule: str, platform: str, expected: list) -> None:
    assert stretches(rule, *JOURNEY, platform=platform) == expected


def test_rules_of_the_other_platform_measure_nothing() -> None:
    names = {wait.rule for wait in waits(parcel(*JOURNEY, platform="taobao_tmall"))}
    assert not names & {"no_pickup", "first_hub", "update_timeout"}


def test_a_parcel_nobody_heard_of_keeps_the_shops_clocks_running() -> None:
    assert stretches("no_pickup") == [(2, None)]
    assert stretches("late_shipment") == [(0, None)]
    assert stretches("pickup_no_update") == []


def test_silence_after_the_last_scan_has_no_end() -> None:
    assert stretches("update_timeout", *JOURNEY[:4])[-1] == (11, None)
    assert stretches("first_hub", *JOURNEY[:3]) == [(4, None)]


def test_remarks_echoes_and_strays_move_nothing() -> None:
    held = scan(20, M.UNKNOWN, hub="杭州转运中心", moves=False, exceptions=frozenset({ExceptionKind.HELD}))
    echo = scan(11.05, M.IN_TRANSIT, hub="杭州转运中心", out=True, echo=True)
    stray = scan(22, M.IN_TRANSIT, hub="拉萨转运中心", stray=True)
    assert (11, 30) in stretches("update_timeout", *JOURNEY[:4], echo, held, stray, *JOURNEY[4:])


def test_a_missing_pickup_is_proven_by_the_next_scan() -> None:
    assert stretches("no_pickup", *JOURNEY[2:]) == [(2, 8)]
    assert stretches("pickup_no_update", *JOURNEY[2:]) == [(8, 11)]


def test_the_way_back_ends_what_was_owed_to_the_receiver() -> None:
    back = (scan(40, M.RETURNING, hub="武汉转运中心", out=True), scan(120, M.RETURNED))
    story = (*JOURNEY[:7], *back)
    assert stretches("update_timeout", *story)[-1] == (36, 40)
    assert stretches("paid_to_signed", *story, platform="taobao_tmall") == [(0, 40)]
    assert stretches("return_transit", *story) == [(40, 120)]


def test_a_second_try_starts_the_delivery_clocks_again() -> None:
    tries = (
        scan(52, M.DELIVERY_FAILED, exceptions=frozenset({ExceptionKind.CONTACT_FAILURE})),
        scan(72, M.OUT_FOR_DELIVERY),
        scan(75, M.DELIVERED),
    )
    story = (*JOURNEY[:8], *tries)
    assert stretches("dispatch_sign", *story) == [(48, 72), (72, 75)]
    assert stretches("dispatch_sign", *story, platform="taobao_tmall") == [(48, 52), (72, 75)]
    assert stretches("failed_no_retry", *story) == [(52, 72)]
    told = troubles(parcel(*story))
    assert [(t.rule, t.since, t.until) for t in told] == [("unreachable", hour(52), hour(72))]


def test_a_locker_waits_for_the_receiver() -> None:
    story = (*JOURNEY[:8], scan(50, M.READY_FOR_COLLECTION), scan(130, M.DELIVERED))
    assert stretches("locker_overdue", *story) == [(50, 130)]
    assert stretches("dispatch_sign", *story) == [(48, 50)]


def test_stored_after_the_signature_is_trouble_until_collected() -> None:
    story = (*JOURNEY, scan(53, M.READY_FOR_COLLECTION), scan(80, M.DELIVERED))
    assert [(t.rule, t.since, t.until) for t in troubles(parcel(*story))] == [
        ("signed_then_stored", hour(53), hour(80))
    ]


def test_exactly_the_limit_is_no_breach() -> None:
    limit = timedelta(hours=48)
    assert not Wait("r", hour(0), hour(0), hour(48), hour(48)).breaks(limit)
    assert Wait("r", hour(0), hour(0), hour(48) + timedelta(seconds=1), hour(60)).breaks(limit)
    assert Wait("r", hour(0), hour(0)).breaks(limit)


def test_a_stall_crosses_each_warning_step_and_then_the_limit() -> None:
    """taobao_tmall: 48 h, warned 24 and 8 h before (§11)."""
    story = (*JOURNEY[:4], scan(90, M.IN_TRANSIT, hub="武汉转运中心", seen=90.2))
    steps = [s for s in crossings(parcel(*story, platform="taobao_tmall")) if s.started_at == hour(11)]
    assert [(s.stage, s.at) for s in steps if s.rule == "transit_stagnation"] == [
        (Stage.WARNING, hour(35)),
        (Stage.WARNING, hour(51)),
        (Stage.BREACH, hour(59)),
    ]
    assert not any(s.retracted for s in steps)


@pytest.mark.parametrize(("province", "at"), [("湖北", 59), ("甘肃", 83), ("西藏", 131)])
def test_pinduoduo_is_patient_with_remote_destinations(province: str, at: float) -> None:
    """§2.2 PD-4: 48, 72 and 120 hours."""
    steps = crossings(parcel(*JOURNEY[:4], province=province))
    assert [s.at for s in steps if s.rule == "update_timeout" and s.stage is Stage.BREACH] == [hour(at)]


def test_taobao_exempts_remote_destinations() -> None:
    steps = crossings(parcel(*JOURNEY[:4], platform="taobao_tmall", province="新疆"))
    assert not [s for s in steps if s.rule in ("transit_stagnation", "pickup_no_update")]


def test_a_back_dated_scan_takes_the_crossing_back() -> None:
    story = (*JOURNEY[:4], scan(30, M.IN_TRANSIT, hub="武汉转运中心", seen=62))
    steps = [s for s in crossings(parcel(*story)) if s.rule == "update_timeout" and s.started_at == hour(11)]
    assert [(s.at, s.retracted) for s in steps] == [(hour(35), True), (hour(51), True), (hour(59), True)]
    assert {s.end_known_at for s in steps} == {hour(62)}


def test_a_crossing_is_not_knowable_before_its_start_is_known() -> None:
    steps = crossings(parcel(scan(4, M.PICKED_UP, seen=70)))
    late = [s for s in steps if s.rule == "pickup_no_update" and s.stage is Stage.BREACH]
    assert [(s.at, s.knowable_at) for s in late] == [(hour(28), hour(70))]


def test_limits_can_be_the_callers_own() -> None:
    own = {"update_timeout": Limit(10)}
    assert [s.at for s in crossings(parcel(*JOURNEY), own)] == [hour(21), hour(46)]


@pytest.mark.parametrize("platform", sorted(LIMITS))
@pytest.mark.parametrize("province", ["湖北", "甘肃", "西藏"])
def test_the_limits_of_the_facts_are_those_of_the_profiles(platform: str, province: str) -> None:
    """§11, with what both platforms inherit; warnings too, such as 48 h before a locker's 72 h."""
    order = Order("1", platform=platform, paid_at=T0, shipped_at=hour(2), receiver_province=province)
    told = limits_of(PolicyBook(load_profiles()).policy_for(Case(Waybill("zhongtong", "1"), (order,))))
    assert LIMITS[platform]["locker_overdue"] == Limit(72, (48,), 72, 72)
    for rule, limit in LIMITS[platform].items():
        allowed = limit.of(province)
        if allowed is None:
            assert rule not in told
        else:
            assert told[rule].of(province) == allowed, rule
            assert told[rule].warn == limit.warn, rule
