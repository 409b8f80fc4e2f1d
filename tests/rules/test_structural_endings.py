"""How structural findings end: put right later, taken back with their scan, or left standing for a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.findings import Ending, FindingState
from domain.journey import condense
from domain.orders import Case, Neighbour, OrderStatus, Waybill
from domain.tracking import DeliveredKind, ExceptionKind
from rules.changes import Changes, compare
from rules.policy import PolicyBook
from rules.schedule import Pace, next_question, patience
from tests.rules.scenes import (
    BACK,
    HUB,
    OUT,
    PICKED,
    SECOND,
    SIGNED,
    TRANSIT,
    Scan,
    at,
    book,
    change,
    events,
    judged,
    order,
    parcel,
    seen_at,
    spec,
)

NOW = 400
HERE, THERE = "广东,深圳市", "广东,广州市"
GOES_THERE = {"receiver_province": "广东", "receiver_city": "广州市"}
WRONG: tuple[Scan, ...] = ((2, PICKED), (40, OUT.but(area=HERE)))
S = FindingState


def changes(before: Case, after: Case, name: str, by: PolicyBook | None = None) -> Changes:
    """What becomes of a finding of this rule between two looks."""
    old = [found for found in judged(before, NOW).findings if found.rule == name]
    assert old, f"{name} was not found before"
    verdict = judged(after, NOW + 1, by)
    return compare(
        old,
        replace(verdict, findings=tuple(f for f in verdict.findings if f.rule == name)),
        after,
        at(NOW + 1),
    )


def ending(before: Case, after: Case, name: str, by: PolicyBook | None = None) -> Ending:
    """How it ended; it must have."""
    [(_, end)] = changes(before, after, name, by).ended
    return end


def case(*scans: Scan, **said: Any) -> Case:
    return replace(parcel(*scans, seen=NOW, **{**GOES_THERE, **said}), waybill=Waybill("zhongtong", "1"))


@pytest.mark.parametrize(
    ("more", "state", "hour"),
    [
        pytest.param([(60, OUT.but(area=THERE))], S.CLEARED, 60, id="it came to the right city"),
        pytest.param([(60, BACK)], S.CLEARED, 60, id="it turned back"),
        pytest.param(
            [(60, TRANSIT.but(exceptions=frozenset({ExceptionKind.FORWARDED})))], S.CLEARED, 60, id="sent on"
        ),
    ],
)
def test_a_parcel_sorted_wrongly(more: list[Scan], state: FindingState, hour: float) -> None:
    end = ending(case(*WRONG), case(*WRONG, *more), "route_mismatch")
    assert (end.state, end.at) == (state, at(hour))
    assert end.by


def test_another_wrong_city_is_another_finding() -> None:
    after = changes(case(*WRONG), case(*WRONG, (60, OUT.but(area="广东,汕头市"))), "route_mismatch")
    assert [end.state for _, end in after.ended] == [S.CLEARED]
    assert [found.started_at for found in after.opened] == [at(60)]


def test_the_signature_in_the_wrong_city_is_the_same_one() -> None:
    after = changes(case(*WRONG), case(*WRONG, (44, SIGNED.but(area=HERE))), "route_mismatch")
    assert not after
    assert len(after.kept) == 1


@pytest.mark.parametrize(
    ("name", "scans", "without"),
    [
        pytest.param("route_mismatch", WRONG, 1, id="the wrong city"),
        pytest.param("tracking_before_order", ((-9, PICKED), (9, HUB)), 0, id="before the payment"),
        pytest.param(
            "duplicate_pickup",
            ((2, PICKED), (30, PICKED.but(text="again")), (40, HUB)),
            1,
            id="picked up again",
        ),
        pytest.param(
            "impossible_speed",
            ((2, PICKED.but(area="湖北,武汉市")), (3, HUB.but(area="河南,郑州市")), (30, HUB)),
            1,
            id="the other end of a leap",
        ),
        pytest.param(
            "transit_warehouse_signed",
            ((2, PICKED), (30, SIGNED.but(delivered_kind=DeliveredKind.TRANSIT_WAREHOUSE))),
            1,
            id="the signature",
        ),
    ],
)
def test_a_scan_that_is_withdrawn_takes_its_claim_back(
    name: str, scans: tuple[Scan, ...], without: int
) -> None:
    left = [scan for n, scan in enumerate(scans) if n != without]
    end = ending(case(*scans), case(*left), name)
    assert end.state is S.RETRACTED
    assert end.at == at(NOW + 1)


def test_a_corrected_payment_takes_its_claim_back() -> None:
    before = case((-9, PICKED))
    assert ending(before, case((-9, PICKED), paid_at=-10), "tracking_before_order").state is S.RETRACTED


def test_a_reuse_ends_when_the_other_order_has_another_number() -> None:
    other = Neighbour("2", "四川", "成都市", at(9))
    mine = Neighbour("1", "广东", "广州市", at(1))
    before = replace(case((2, PICKED)), neighbours=(mine, other))
    assert ending(before, replace(before, neighbours=()), "waybill_reuse").state is S.CLEARED


def test_a_carrier_that_knows_the_number_after_all() -> None:
    strange = Waybill("yuantong", "SF1234567890123")
    before = replace(case(), waybill=strange)
    end = ending(before, replace(case((2, PICKED)), waybill=strange), "carrier_mismatch")
    assert (end.state, end.at) == (S.CLEARED, at(2))


def test_a_shop_that_puts_the_carrier_right() -> None:
    before = replace(case((2, PICKED)), declared="yunda")
    end = ending(before, replace(before, declared=""), "carrier_mismatch")
    assert (end.state, end.by) == (S.CLEARED, "商家已改正快递公司")


def test_a_second_leg_clears_the_transit_warehouse() -> None:
    kind = SIGNED.but(delivered_kind=DeliveredKind.TRANSIT_WAREHOUSE)
    before, after = case((2, PICKED), (30, kind)), case((2, PICKED), (30, kind), (50, SIGNED))
    end = ending(before, after, "transit_warehouse_signed")
    assert (end.state, end.at) == (S.CLEARED, at(50))


@pytest.mark.parametrize(
    ("name", "scans"), [("route_mismatch", WRONG), ("tracking_before_order", ((-9, PICKED),))]
)
def test_nobody_waits_any_more(name: str, scans: tuple[Scan, ...]) -> None:
    before, after = case(*scans), case(*scans, status=OrderStatus.FINISHED)
    end = ending(before, after, name)
    assert (end.state, end.by) == (S.EXPIRED, "买家已确认收货")


def test_a_rule_that_is_switched_off() -> None:
    off = book(spec(route_mismatch=change(watch=False)))
    assert ending(case(*WRONG), case(*WRONG), "route_mismatch", off).state is S.EXPIRED


def test_a_signature_does_not_end_what_the_papers_show() -> None:
    """A fake is judged by the platform after the delivery: it stands until a person or the order's end."""
    before = case((-9, PICKED))
    after = changes(before, case((-9, PICKED), (40, SIGNED)), "tracking_before_order")
    assert not after
    assert len(after.kept) == 1


def test_news_is_enough_to_find_them() -> None:
    """They have no clock, so every judgement reads them anew."""
    before, after = judged(case((2, PICKED)), 45), judged(case(*WRONG), 45)
    assert "route_mismatch" not in {found.rule for found in before.findings}
    assert "route_mismatch" in {found.rule for found in after.findings}


def test_orders_of_a_merged_parcel_are_seen_from_both_sides() -> None:
    orders = (order("1", **GOES_THERE), order("2", receiver_province="四川", receiver_city="成都市"))
    both = Case(Waybill("zhongtong", "1"), orders, condense(events((2, PICKED))), at(NOW), at(NOW))
    assert "waybill_reuse" in {found.rule for found in judged(both, NOW).findings}
    one = replace(both, orders=orders[:1])
    assert "waybill_reuse" not in {found.rule for found in judged(one, NOW).findings}


def test_a_standing_claim_costs_no_more_questions() -> None:
    """It waits for nothing, so the provider is not asked sooner for its sake."""
    pace = Pace(SECOND)
    calm = seen_at(case((2, PICKED), (40, OUT.but(area=THERE)), paid_at=-1), at(41))
    odd = replace(calm, journey=condense(events((2, PICKED), (40, OUT.but(area=HERE)))))
    asked = [next_question(each, judged(each, 41), pace, at(41), at(41)) for each in (calm, odd)]
    fresh = [patience(each, judged(each, 41), pace) for each in (calm, odd)]
    assert [found.rule for found in judged(odd, 41).findings if "check" in found.evidence] == [
        "route_mismatch"
    ]
    assert asked[0] == asked[1]
    assert fresh[0] == fresh[1] is not None
