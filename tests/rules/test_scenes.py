"""Parcels as they really go, and what must and must not be said of them (facts §9, §11 notes; L1, L6, L8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.journey import Whereabouts
from domain.orders import OrderStatus
from domain.time import Window
from domain.tracking import ExceptionKind
from rules.policy import Exemption
from tests.rules.scenes import (
    BACK,
    BACK_HOME,
    CANCELLED,
    CITY,
    FAILED,
    FORECAST,
    HUB,
    LABEL,
    LEFT,
    LEFT_OUTLET,
    NEXT_HUB,
    NOBODY_KNOWS,
    OUT,
    PICKED,
    SIGNED,
    SIGNED_BY_WAREHOUSE,
    STATION,
    STORED,
    TRANSIT,
    Hours,
    Scan,
    Word,
    at,
    book,
    change,
    clock,
    finding,
    hours,
    judged,
    match,
    order,
    parcel,
    remark,
    rules_of,
    spec,
    stage,
)

TAOBAO, PDD = "taobao_tmall", "pinduoduo"


# ── silence is proven (L1) ───────────────────────────────────────────────────────────────────────


def test_what_nobody_looked_at_is_not_claimed() -> None:
    assert judged(parcel(seen=None), now=500).findings == ()


def test_silence_counts_up_to_the_last_look_only() -> None:
    case = parcel((2, PICKED), seen=40)
    assert stage(judged(case, now=500), "transit_stagnation") == "warning"
    assert hours(judged(case, now=500).next_look_at) == pytest.approx(42, abs=0.001)


def test_a_look_is_no_proof_about_the_time_to_come() -> None:
    assert judged(parcel((2, PICKED), seen=400), now=20).findings == ()


def test_what_the_shop_did_is_known_up_to_the_shops_last_word() -> None:
    unshipped = {"platform": PDD, "shipped_at": None}
    assert stage(judged(parcel(seen=100, shop_seen=71, **unshipped)), "out_of_stock") == "warning"
    assert stage(judged(parcel(seen=10, shop_seen=73, **unshipped), now=80), "out_of_stock") == "breach"


def test_an_order_without_a_number_is_watched_by_the_shops_word() -> None:
    """Paid but not shipped (A6): there is no carrier to ask."""
    waiting = parcel(
        waybill="", status=OrderStatus.AWAITING, shipped_at=None, seen=None, shop_seen=49, platform=TAOBAO
    )
    assert stage(judged(waiting, now=60), "late_shipment") == "breach"


def test_where_shop_and_carrier_must_act_one_silent_side_proves_it() -> None:
    by_shop = parcel(platform=PDD, shipped_at=None, seen=1, shop_seen=49)
    by_carrier = parcel(platform=PDD, shipped_at=None, seen=49, shop_seen=1)
    shipped = parcel(platform=PDD, shipped_at=1, seen=1, shop_seen=49)
    assert stage(judged(by_shop, now=60), "late_shipment") == "breach"
    assert stage(judged(by_carrier, now=60), "late_shipment") == "breach"
    assert stage(judged(shipped, now=60), "late_shipment") == ""


def test_never_heard_of_it_names_the_other_explanations() -> None:
    found = finding(judged(parcel(seen=60)), "late_shipment")
    assert found is not None
    assert "承运商选错" in found.evidence["no_news"]
    heard = finding(judged(parcel((1, LABEL), seen=60)), "late_shipment")
    assert heard is not None
    assert "no_news" not in heard.evidence


def test_lines_nobody_could_read_are_counted_in_the_evidence() -> None:
    found = finding(judged(parcel((2, PICKED), (30, NOBODY_KNOWS), seen=51)), "transit_stagnation")
    assert found is not None
    assert (found.stage, found.evidence["unread"]) == ("breach", "1")


# ── the pickup ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("word", [TRANSIT, HUB, CITY, STATION, OUT, FAILED, STORED, SIGNED, BACK])
@pytest.mark.parametrize(
    ("platform", "rule"),
    [(TAOBAO, "late_shipment"), (TAOBAO, "pickup_kpi_24h"), (PDD, "no_pickup"), (PDD, "late_shipment")],
)
def test_a_missing_pickup_scan_is_made_good_by_any_later_one(platform: str, rule: str, word: Word) -> None:
    verdict = judged(parcel((20, word), platform=platform, seen=90))
    assert stage(verdict, rule) == ""
    assert hours(clock(verdict, rule).ended_at) == 20


def test_the_carriers_echo_of_the_order_is_no_pickup() -> None:
    assert stage(judged(parcel((2, LABEL), platform=PDD, seen=26)), "no_pickup") == "breach"


def test_a_repeated_pickup_is_no_progress() -> None:
    assert stage(judged(parcel((2, PICKED), (30, PICKED), seen=51)), "pickup_no_update") == "breach"


def test_pinduoduo_needs_both_the_click_and_the_scan() -> None:
    clicked_late = parcel((40, PICKED), platform=PDD, shipped_at=50, seen=49)
    assert hours(clock(judged(clicked_late), "late_shipment").ended_at) == 50
    picked_late = parcel((50, PICKED), platform=PDD, shipped_at=1, seen=60)
    assert hours(clock(judged(picked_late), "late_shipment").ended_at) == 50


@pytest.mark.parametrize("rule", ["out_of_stock", "late_shipment"])
def test_what_was_scanned_was_shipped_also_when_the_export_does_not_say_so(rule: str) -> None:
    verdict = judged(parcel((20, PICKED), (40, SIGNED), platform=PDD, shipped_at=None, seen=200))
    assert stage(verdict, rule) == ""
    assert hours(clock(verdict, rule).ended_at) == 20


@pytest.mark.parametrize(("platform", "rule"), [(TAOBAO, "late_shipment"), (PDD, "no_pickup")])
def test_a_pickup_booked_before_the_wait_began_leaves_nothing_to_wait_for(platform: str, rule: str) -> None:
    early = parcel((1, PICKED), platform=platform, paid_at=3, shipped_at=3, seen=200)
    reading = clock(judged(early), rule)
    assert stage(judged(early), rule) == ""
    assert reading.ended_at == reading.started_at == at(3)


# ── stalls ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("last", "place"),
    [
        (PICKED, Whereabouts.AT_PICKUP),
        (HUB, Whereabouts.IN_NODE),
        (TRANSIT, Whereabouts.IN_NODE),
        (LEFT, Whereabouts.BETWEEN_NODES),
        (LEFT_OUTLET, Whereabouts.BETWEEN_NODES),
        (CITY, Whereabouts.DELIVERY_LEG),
        (STATION, Whereabouts.DELIVERY_LEG),
    ],
)
@pytest.mark.parametrize(("platform", "rule"), [(TAOBAO, "transit_stagnation"), (PDD, "update_timeout")])
def test_a_stall_says_where(platform: str, rule: str, last: Word, place: Whereabouts) -> None:
    found = finding(judged(parcel((2, PICKED), (10, last), platform=platform, seen=59)), rule)
    assert found is not None
    assert (found.stage, found.evidence["whereabouts"]) == ("breach", place.value)


@pytest.mark.parametrize(
    "line",
    [
        FORECAST,
        NOBODY_KNOWS,
        LABEL,
        remark(ExceptionKind.HELD),
        remark(ExceptionKind.RESCHEDULED),
        remark(ExceptionKind.CONTACT_FAILURE),
        remark(ExceptionKind.HUB_CONGESTION),
        remark(ExceptionKind.FORCE_MAJEURE, on=STATION),
    ],
)
def test_forecasts_and_remarks_do_not_restart_a_staleness(line: Word) -> None:
    reading = clock(judged(parcel((2, PICKED), (10, HUB), (40, line), seen=59)), "transit_stagnation")
    assert reading.started_at == at(10)


def test_the_same_line_within_five_minutes_is_one_scan() -> None:
    echo = HUB.but(text="到达")
    case = parcel((2, PICKED), (10, echo), (10 + 4 / 60, echo), seen=59)
    assert clock(judged(case), "transit_stagnation").started_at == at(10)
    again = parcel((2, PICKED), (10, echo), (10 + 6 / 60, echo), seen=59)
    assert clock(judged(again), "transit_stagnation").started_at == at(10 + 6 / 60)


def test_every_movement_starts_the_silence_anew() -> None:
    quiet = ((2, PICKED), (10, HUB), (50, LEFT), (90, NEXT_HUB))
    assert stage(judged(parcel(*quiet, seen=138)), "transit_stagnation") == "warning"
    assert stage(judged(parcel(*quiet, seen=139)), "transit_stagnation") == "breach"


def test_there_is_no_stall_before_the_pickup_nor_at_the_door() -> None:
    assert "尚未开始" in clock(judged(parcel((2, LABEL), seen=90)), "transit_stagnation").asleep
    assert not clock(judged(parcel((2, PICKED), (20, OUT), seen=90)), "transit_stagnation").running


def test_what_was_out_for_delivery_is_in_transit_no_more() -> None:
    """A lower rank after a higher one is an event, not a state (§9): the last mile's clocks go on."""
    verdict = judged(parcel((2, PICKED), (20, OUT), (22, FAILED), (23, STATION), seen=200))
    assert rules_of(verdict, "transit_stagnation", "failed_no_retry") == {"failed_no_retry"}


# ── the first hub ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scans", "left_at"),
    [
        pytest.param([(2, PICKED), (10, HUB)], None, id="arrived at the first hub"),
        pytest.param(
            [(2, PICKED), (10, HUB), (12, TRANSIT)], None, id="a scan that says nothing of the place"
        ),
        pytest.param(
            [(2, PICKED), (5, LEFT_OUTLET), (10, HUB)], None, id="left the outlet for the first hub"
        ),
        pytest.param([(2, PICKED), (10, HUB), (14, LEFT)], 14, id="left"),
        pytest.param([(2, PICKED), (10, HUB), (30, NEXT_HUB)], 30, id="showed up at a second hub"),
        pytest.param([(2, PICKED), (10, HUB), (40, CITY)], 40, id="showed up at the destination"),
        pytest.param([(2, PICKED), (40, SIGNED)], 40, id="signed, no hub ever named"),
    ],
)
def test_only_leaving_the_first_hub_ends_that_wait(scans: list[Scan], left_at: Hours | None) -> None:
    verdict = judged(parcel(*scans, platform=PDD, seen=51))
    assert stage(verdict, "first_hub") == ("breach" if left_at is None else "")
    assert hours(clock(verdict, "first_hub").ended_at) == left_at


def test_a_direct_parcel_leaves_by_showing_up_in_another_city() -> None:
    here, there = TRANSIT.but(area="浙江省,金华市"), TRANSIT.but(area="湖北省,武汉市")
    first = PICKED.but(area="浙江省,金华市")
    assert stage(judged(parcel((2, first), (9, here), platform=PDD, seen=51)), "first_hub") == "breach"
    assert stage(judged(parcel((2, first), (9, there), platform=PDD, seen=51)), "first_hub") == ""


# ── the last mile ────────────────────────────────────────────────────────────────────────────────


def test_a_second_dispatch_starts_the_wait_for_the_signature_anew() -> None:
    twice = ((2, PICKED), (20, OUT), (30, FAILED), (40, OUT))
    for platform in (TAOBAO, PDD):
        verdict = judged(parcel(*twice, platform=platform, seen=64))
        assert clock(verdict, "dispatch_sign").started_at == at(40)
        assert stage(verdict, "dispatch_sign") == "warning"
        assert stage(judged(parcel(*twice, platform=platform, seen=65)), "dispatch_sign") == "breach"


def test_a_dispatch_booked_in_the_second_of_the_failure_is_no_retry() -> None:
    verdict = judged(parcel((2, PICKED), (20, OUT), (20, FAILED), seen=69))
    assert stage(verdict, "failed_no_retry") == "breach"


def test_a_second_failure_starts_the_wait_for_a_retry_anew() -> None:
    twice = ((2, PICKED), (20, OUT), (22, FAILED), (40, OUT), (42, FAILED))
    assert clock(judged(parcel(*twice, seen=80)), "failed_no_retry").started_at == at(42)


def test_put_into_a_station_after_the_signature_waits_for_the_receiver_again() -> None:
    verdict = judged(parcel((2, PICKED), (20, OUT), (22, SIGNED), (23, STORED), seen=96))
    assert rules_of(verdict) == {"locker_overdue", "signed_then_stored"}
    collected = judged(parcel((2, PICKED), (20, OUT), (22, SIGNED), (23, STORED), (60, SIGNED), seen=200))
    assert hours(clock(collected, "locker_overdue").ended_at) == 60
    assert rules_of(collected) == set()


# ── the end ──────────────────────────────────────────────────────────────────────────────────────

LATE_LINES: list[tuple[Scan, ...]] = [(), ((23, OUT),), ((23, FAILED),), ((23, STATION),), ((23, PICKED),)]


@pytest.mark.parametrize("late", LATE_LINES)
@pytest.mark.parametrize("platform", [TAOBAO, PDD, "unknown"])
def test_a_signature_ends_every_clock(platform: str, late: tuple[Scan, ...]) -> None:
    """Also where the site books its dispatch an hour after the signature."""
    case = parcel((2, PICKED), (10, HUB), (22, SIGNED), *late, platform=platform, shipped_at=None, seen=1000)
    verdict = judged(case)
    assert verdict.findings == ()
    assert [reading.rule for reading in verdict.clocks if reading.running] == []
    assert verdict.next_look_at is None


def test_the_transit_warehouses_signature_stops_the_merchants_clocks() -> None:
    verdict = judged(parcel((2, PICKED), (10, HUB), (22, SIGNED_BY_WAREHOUSE), platform=PDD, seen=1000))
    assert [found.rule for found in verdict.findings] == ["transit_warehouse_signed"]
    assert not any(found.notify for found in verdict.findings)


def test_an_attempt_days_after_a_signature_undoes_it() -> None:
    verdict = judged(parcel((2, PICKED), (10, SIGNED), (60, OUT), seen=85))
    assert stage(verdict, "dispatch_sign") == "breach"


@pytest.mark.parametrize("end", [BACK, BACK_HOME, CANCELLED])
@pytest.mark.parametrize("platform", [TAOBAO, PDD, "unknown"])
def test_turning_back_stops_every_forward_clock(platform: str, end: Word) -> None:
    case = parcel((2, PICKED), (10, HUB), (20, OUT), (21, FAILED), (30, end), platform=platform, seen=600)
    running = {reading.rule for reading in judged(case).clocks if reading.running}
    assert running == ({"return_transit"} if end is BACK else set())


def test_the_way_back_has_a_clock_of_its_own() -> None:
    back = ((2, PICKED), (20, OUT), (30, BACK), (50, HUB))
    assert stage(judged(parcel(*back, seen=122)), "return_transit") == "warning"
    assert stage(judged(parcel(*back, seen=123)), "return_transit") == "breach"
    assert rules_of(judged(parcel(*back, (123, BACK_HOME), seen=400))) == {"returned"}


def test_a_return_that_is_cancelled_waits_for_nothing() -> None:
    verdict = judged(parcel((2, PICKED), (30, BACK), (40, CANCELLED), seen=400))
    assert not clock(verdict, "return_transit").running


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [OrderStatus.REFUNDING, OrderStatus.REFUNDED])
def test_a_refund_before_the_pickup_leaves_every_clock(status: OrderStatus) -> None:
    case = parcel((1, LABEL), (3, remark(ExceptionKind.PICKUP_FAILED, on=LABEL)), status=status, seen=300)
    verdict = judged(case)
    assert verdict.findings == ()
    assert {reading.asleep for reading in verdict.clocks} == {"揽收前已退款"}
    assert verdict.next_look_at is None


@pytest.mark.parametrize("status", [OrderStatus.REFUNDING, OrderStatus.REFUNDED])
def test_a_refund_after_the_pickup_does_not(status: OrderStatus) -> None:
    assert stage(judged(parcel((2, PICKED), status=status, seen=51)), "transit_stagnation") == "breach"


@pytest.mark.parametrize("status", [OrderStatus.CLOSED, OrderStatus.FINISHED])
def test_an_order_that_is_over_owes_nothing(status: OrderStatus) -> None:
    verdict = judged(parcel((2, PICKED), status=status, seen=300))
    assert verdict.findings == ()
    assert all(reading.asleep for reading in verdict.clocks)


def test_orders_over_in_different_ways_owe_nothing_together() -> None:
    both = (order("1", status=OrderStatus.CLOSED), order("2", status=OrderStatus.FINISHED))
    assert judged(parcel((2, PICKED), orders=both, seen=300)).findings == ()


def test_several_orders_in_a_parcel_count_from_the_earliest_payment() -> None:
    both = (order("1", paid_at=0), order("2", paid_at=30))
    assert hours(clock(judged(parcel(orders=both, seen=10)), "late_shipment").deadline) == 48


def test_an_order_nobody_waits_for_sets_no_deadline_for_its_neighbour() -> None:
    both = (order("1", paid_at=0, status=OrderStatus.REFUNDED), order("2", paid_at=30))
    assert hours(clock(judged(parcel(orders=both, seen=10)), "late_shipment").deadline) == 78


def test_a_made_to_order_thing_does_not_excuse_its_neighbour() -> None:
    custom, stock = order("1", tags=frozenset({"custom"})), order("2")
    assert stage(judged(parcel(orders=(custom, stock), seen=49)), "late_shipment") == "breach"
    assert clock(judged(parcel(orders=(custom,), seen=49)), "late_shipment").asleep == "商品类型豁免：custom"


def test_a_parcel_without_orders_is_owed_to_nobody() -> None:
    verdict = judged(replace(parcel((2, PICKED), seen=300), orders=()))
    assert verdict.findings == ()
    assert {reading.asleep for reading in verdict.clocks} == {"没有关联的订单"}


# ── promises (L8) ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("platform", "rule"),
    [(TAOBAO, "late_shipment"), (PDD, "late_shipment"), (PDD, "out_of_stock")],
)
@pytest.mark.parametrize("promised", [30, 72, 240])
def test_the_orders_promise_replaces_the_profiles_number(platform: str, rule: str, promised: int) -> None:
    unshipped = {"platform": platform, "promised_ship_at": promised, "shipped_at": None}
    reading = clock(judged(parcel(seen=1, **unshipped)), rule)
    assert (hours(reading.deadline), reading.limit) == (promised, timedelta(hours=promised))
    assert reading.policy == f"{platform}.{rule}（订单承诺）"
    assert stage(judged(parcel(seen=promised, **unshipped)), rule) == "warning"
    late = finding(judged(parcel(seen=promised + 1, **unshipped)), rule)
    assert late is not None
    assert (late.stage, late.evidence["promised"]) == ("breach", at(promised).isoformat())


@pytest.mark.parametrize(
    "rule", ["pickup_kpi_24h", "out_of_stock", "pickup_no_update", "transit_stagnation", "paid_to_signed"]
)
def test_a_promise_to_ship_moves_no_other_clock(rule: str) -> None:
    plain = clock(judged(parcel((2, PICKED), seen=3)), rule)
    assert clock(judged(parcel((2, PICKED), promised_ship_at=240, seen=3)), rule) == plain


def test_warnings_are_counted_back_from_the_promise() -> None:
    reading = clock(judged(parcel(promised_ship_at=100, seen=1)), "late_shipment")
    assert [hours(step.at) for step in reading.steps] == [88, 96, 100]
    short = clock(judged(parcel(promised_ship_at=10, seen=1)), "late_shipment")
    assert [hours(step.at) for step in short.steps] == [6, 10]


def test_a_promise_from_before_the_payment_is_none() -> None:
    reading = clock(judged(parcel(promised_ship_at=-5, seen=1)), "late_shipment")
    assert (hours(reading.deadline), reading.policy) == (48, "taobao_tmall.late_shipment")


@pytest.mark.parametrize(
    ("first", "second", "deadline"),
    [
        pytest.param(
            {"promised_ship_at": 240}, {"paid_at": 40}, 88, id="a late promise excuses only its order"
        ),
        pytest.param({}, {"paid_at": 40, "promised_ship_at": 200}, 48, id="nor the order before it"),
        pytest.param(
            {"promised_ship_at": 100}, {"paid_at": 40, "promised_ship_at": 60}, 60, id="the tightest promise"
        ),
    ],
)
def test_each_order_has_its_own_promise(
    first: dict[str, Hours], second: dict[str, Hours], deadline: Hours
) -> None:
    both = (order("1", **first), order("2", **second))
    assert hours(clock(judged(parcel(orders=both, seen=1)), "late_shipment").deadline) == deadline


def test_the_merchants_limit_beats_the_promise() -> None:
    strict = book(spec(late_shipment=change("20h")))
    reading = clock(judged(parcel(promised_ship_at=240, seen=1), by=strict), "late_shipment")
    assert (hours(reading.deadline), reading.policy) == (20, "店铺策略.late_shipment")


def test_a_merchant_who_moves_only_the_warnings_leaves_the_promise() -> None:
    early = book(spec(late_shipment=change(warn=["30h"])))
    reading = clock(judged(parcel(promised_ship_at=240, seen=1), by=early), "late_shipment")
    assert [hours(step.at) for step in reading.steps] == [210, 240]


# ── places ───────────────────────────────────────────────────────────────────────────────────────

FAR = ("新疆维吾尔自治区", "西藏", "内蒙古自治区", "青海省", "甘肃", "宁夏", "海南")


@pytest.mark.parametrize("province", FAR)
@pytest.mark.parametrize("rule", ["pickup_no_update", "transit_stagnation"])
def test_taobao_exempts_remote_places(province: str, rule: str) -> None:
    verdict = judged(parcel((2, PICKED), receiver_province=province, seen=230))
    assert stage(verdict, rule) == ""
    assert clock(verdict, rule).asleep in ("偏远地区豁免", "极偏远地区豁免")
    assert stage(verdict, "paid_to_signed") == "breach", "the others go on"


def test_a_limit_the_merchant_wrote_for_the_place_beats_the_exemption() -> None:
    general = book(spec(transit_stagnation=change("60h")))
    written = spec(
        transit_stagnation=change("60h"),
        overrides=(spec("新疆", match(receiver_province="新疆"), transit_stagnation=change("120h")),),
    )
    far = parcel((2, PICKED), receiver_province="新疆", seen=123)
    assert stage(judged(far, by=general), "transit_stagnation") == ""
    assert stage(judged(far, by=book(written)), "transit_stagnation") == "breach"


def test_an_override_inside_a_policy_for_the_place_is_for_the_place() -> None:
    inner = spec("零食", match(goods_type="snack"), transit_stagnation=change("120h"))
    west = book(spec("西北", match(receiver_province="甘肃"), overrides=(inner,)))
    far = parcel((2, PICKED), receiver_province="甘肃", goods_type="snack", seen=123)
    assert stage(judged(far, by=west), "transit_stagnation") == "breach"


@pytest.mark.parametrize("province", ["香港特别行政区", "澳门", "台湾省"])
@pytest.mark.parametrize("platform", [TAOBAO, PDD, "unknown"])
def test_hong_kong_macau_and_taiwan_are_outside_the_domestic_clocks(platform: str, province: str) -> None:
    verdict = judged(parcel((2, PICKED), platform=platform, receiver_province=province, seen=900))
    assert verdict.findings == ()
    assert {reading.asleep for reading in verdict.clocks} >= {"港澳台件不适用国内时限"}


def test_the_merchants_own_limit_for_hong_kong_holds() -> None:
    own = book(spec("港澳", match(receiver_province="香港"), transit_stagnation=change("96h")))
    case = parcel((2, PICKED), receiver_province="香港", seen=99)
    assert rules_of(judged(case, by=own)) == {"transit_stagnation"}


def test_trouble_in_hong_kong_is_told_all_the_same() -> None:
    case = parcel((2, PICKED), (5, remark(ExceptionKind.LOST)), receiver_province="香港", seen=6)
    assert rules_of(judged(case)) == {"lost"}


# ── exemptions ───────────────────────────────────────────────────────────────────────────────────


def typhoon(start: Hours, end: Hours, *rules: str, **where: str) -> Exemption:
    return Exemption(Window(at(start), at(end), "台风"), match(**where), frozenset(rules))


@pytest.mark.parametrize(
    ("exemption", "deadline"),
    [
        pytest.param(typhoon(20, 30), 58, id="ten hours inside the wait do not count"),
        pytest.param(typhoon(-10, 10), 58, id="nor those it began in"),
        pytest.param(typhoon(60, 90), 48, id="after the deadline it excuses nothing"),
        pytest.param(typhoon(20, 30, receiver_province="广东"), 58, id="for this province"),
        pytest.param(typhoon(20, 30, receiver_province="福建"), 48, id="for another province"),
        pytest.param(typhoon(20, 30, "late_shipment"), 58, id="for this rule"),
        pytest.param(typhoon(20, 30, "out_of_stock"), 48, id="for another rule"),
    ],
)
def test_time_inside_an_exemption_does_not_count(exemption: Exemption, deadline: Hours) -> None:
    verdict = judged(parcel(seen=1), by=book(exemptions=(exemption,)))
    assert hours(clock(verdict, "late_shipment").deadline) == deadline


def test_an_exemption_moves_a_promise_and_its_warnings_too() -> None:
    away = book(exemptions=(typhoon(20, 30),))
    reading = clock(judged(parcel(promised_ship_at=100, seen=1), by=away), "late_shipment")
    assert [hours(step.at) for step in reading.steps] == [98, 106, 110]


def test_a_stall_that_falls_into_an_exemption_waits_for_its_end() -> None:
    away = book(exemptions=(typhoon(20, 120),))
    stalled = ((2, PICKED), (12, HUB))
    assert clock(judged(parcel(*stalled, seen=13), by=away), "transit_stagnation").deadline == at(160)
    assert stage(judged(parcel(*stalled, seen=119), by=away), "transit_stagnation") == ""
    assert stage(judged(parcel(*stalled, seen=160), by=away), "transit_stagnation") == "warning"
    assert stage(judged(parcel(*stalled, seen=161), by=away), "transit_stagnation") == "breach"
