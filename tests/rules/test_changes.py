"""From one judgement to the next: what opens, grows and ends, and how (design §3, L6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.findings import Ending, Finding, FindingState, Stage
from domain.orders import Case, OrderStatus
from domain.tracking import ExceptionKind
from rules.changes import Changes, compare, silencer
from rules.policy import PolicyBook
from tests.rules.scenes import (
    BACK,
    BACK_HOME,
    CITY,
    FAILED,
    HUB,
    LABEL,
    LEFT,
    OUT,
    PICKED,
    SIGNED,
    STORED,
    T0,
    Hours,
    Scan,
    at,
    book,
    change,
    finding,
    judged,
    order,
    parcel,
    remark,
    spec,
)

K = ExceptionKind


def changed(
    before: Case, after: Case, rule: str, by: PolicyBook | None = None, then: PolicyBook | None = None
) -> Changes:
    """What the second judgement changes of one rule's finding of the first."""
    old = finding(judged(before, by=by), rule)
    verdict = judged(after, by=then or by)
    verdict = replace(verdict, findings=tuple(each for each in verdict.findings if each.rule == rule))
    assert after.observed_at is not None
    return compare([old] if old else [], verdict, after, after.observed_at)


def ending(changes: Changes) -> Ending:
    ((_, how),) = changes.ended
    return how


STALL = ((2, PICKED), (10, HUB))


# ── opening and growing ──────────────────────────────────────────────────────────────────────────


def test_a_wait_opens_once_grows_by_its_steps_and_stays() -> None:
    looks = (20, 35, 36, 51, 57, 59, 90)
    told = []
    standing: tuple[Finding, ...] = ()
    for hour in looks:
        case = parcel(*STALL, seen=hour)
        changes = compare(standing, judged(case), case, at(hour))
        standing = changes.standing
        for kind, found in (
            *(("opened", each) for each in changes.opened),
            *(("grown", after) for _, after in changes.grown),
        ):
            if found.rule == "transit_stagnation":
                told.append((hour, kind, found.stage.value, found.step))
        assert not changes.ended
    assert told == [(35, "opened", "warning", 1), (51, "grown", "warning", 2), (59, "grown", "breach", 3)]


def test_the_same_verdict_twice_changes_nothing() -> None:
    case = parcel((2, PICKED), (9, remark(K.DAMAGED)), seen=400)
    verdict = judged(case)
    assert len(verdict.findings) > 2
    changes = compare(verdict.findings, verdict, case, at(400))
    assert not changes
    assert changes.standing == verdict.findings


def test_an_earlier_start_found_later_is_the_same_wait() -> None:
    """A back-dated hub scan cannot start a silence earlier, but a back-dated payment can."""
    before, after = parcel(paid_at=10, seen=59), parcel(paid_at=0, seen=59)
    changes = changed(before, after, "late_shipment")
    assert not changes
    assert [each.started_at for each in changes.kept] == [at(10)]


# ── cleared or retracted ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rule", "waiting", "news", "state", "ended", "by"),
    [
        pytest.param("transit_stagnation", STALL, [(70, LEFT)], "cleared", 70, "运输中", id="late"),
        pytest.param("transit_stagnation", STALL, [(70, OUT)], "cleared", 70, "派件中", id="at the door"),
        pytest.param("transit_stagnation", STALL, [(70, LEFT), (75, OUT), (80, SIGNED)], "cleared", 70, "运输中", id="first of several"),
        pytest.param("transit_stagnation", STALL, [(30, LEFT)], "retracted", 30, "当时已有", id="in time, told late"),
        pytest.param("transit_stagnation", STALL, [(58, LEFT)], "retracted", 58, "当时已有", id="on the dot"),
        pytest.param("transit_stagnation", STALL, [(70, BACK)], "cleared", 70, "退回中", id="turned back"),
        pytest.param("late_shipment", (), [(55, PICKED)], "cleared", 55, "揽收", id="picked up late"),
        pytest.param("late_shipment", (), [(55, HUB)], "cleared", 55, "揽收", id="no pickup scan but a hub's"),
        pytest.param("late_shipment", (), [(47, PICKED)], "retracted", 47, "「揽收」", id="picked up in time, told late"),
        pytest.param("pickup_no_update", ((2, PICKED),), [(60, HUB)], "cleared", 60, "物流更新", id="moved on late"),
        pytest.param("paid_to_signed", STALL, [(80, SIGNED)], "cleared", 80, "签收", id="signed late"),
        pytest.param("dispatch_sign", ((2, PICKED), (20, OUT)), [(70, OUT)], "cleared", 70, "派件中", id="sent out again"),
        pytest.param("dispatch_sign", ((2, PICKED), (20, OUT), (30, CITY)), [(70, OUT)], "cleared", 70, "派件中", id="sent out again, other scans between"),
        pytest.param("dispatch_sign", ((2, PICKED), (20, OUT)), [(40, SIGNED)], "retracted", 40, "签收", id="was signed in time"),
        pytest.param("failed_no_retry", ((2, PICKED), (20, OUT), (21, FAILED)), [(80, STORED)], "cleared", 80, "待取件", id="left at the station"),
        pytest.param("return_transit", ((2, PICKED), (5, BACK)), [(90, BACK_HOME)], "cleared", 90, "退回签收", id="came home"),
    ],
)  # fmt: skip
def test_a_finding_ends_by_what_moved(
    rule: str, waiting: tuple[Scan, ...], news: list[Scan], state: str, ended: Hours, by: str
) -> None:
    changes = changed(parcel(*waiting, seen=85), parcel(*waiting, *news, seen=95), rule)
    how = ending(changes)
    assert (how.state, how.at) == (state, at(ended))
    assert by in how.by


def test_a_parcel_that_moved_and_stalled_again_has_a_finding_of_its_own_for_each() -> None:
    changes = changed(parcel(*STALL, seen=70), parcel(*STALL, (75, LEFT), seen=130), "transit_stagnation")
    assert ending(changes) == Ending(FindingState.CLEARED, at(75), "运输中")
    (new,) = changes.opened
    assert (new.stage, new.started_at) == (Stage.BREACH, at(75))


def test_a_breach_that_was_only_a_warning_is_taken_back_and_warned_anew() -> None:
    changes = changed(parcel(*STALL, seen=60), parcel(*STALL, (20, LEFT), seen=60), "transit_stagnation")
    assert ending(changes).state is FindingState.RETRACTED
    (new,) = changes.opened
    assert (new.stage, new.started_at) == (Stage.WARNING, at(20))


def test_a_warning_is_taken_back_only_by_what_came_before_it() -> None:
    """Warned at 34; a scan at 30 shows it never was true, one at 40 ends it."""
    warned = parcel(*STALL, seen=40)
    for news, state in ((30, FindingState.RETRACTED), (40, FindingState.CLEARED)):
        assert (
            ending(changed(warned, parcel(*STALL, (news, LEFT), seen=41), "transit_stagnation")).state
            is state
        )


def test_a_withdrawn_start_takes_the_finding_back() -> None:
    changes = changed(parcel((2, PICKED), seen=60), parcel(seen=61), "transit_stagnation")
    how = ending(changes)
    assert (how.state, how.at) == (FindingState.RETRACTED, at(61))
    assert "撤回" in how.by


@pytest.mark.parametrize(
    ("scans", "state"),
    [
        pytest.param((), FindingState.RETRACTED, id="still waiting, in time"),
        pytest.param(((58, PICKED),), FindingState.RETRACTED, id="picked up in time after all"),
        pytest.param(((62, PICKED),), FindingState.CLEARED, id="late all the same"),
    ],
)
def test_a_corrected_payment_takes_the_finding_back(scans: tuple[Scan, ...], state: FindingState) -> None:
    """Paid at 12, not at 0: due at 60, not at 48."""
    changes = changed(
        parcel(seen=49), parcel(*scans, paid_at=12, seen=59 if not scans else 63), "late_shipment"
    )
    assert ending(changes).state is state
    assert [each.started_at for each in changes.opened] == ([at(12)] if not scans else [])


# ── expired ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [OrderStatus.CLOSED, OrderStatus.FINISHED])
def test_nobody_waits_any_more(status: OrderStatus) -> None:
    changes = changed(parcel(*STALL, seen=60), parcel(*STALL, status=status, seen=61), "transit_stagnation")
    assert (ending(changes).state, ending(changes).at) == (FindingState.EXPIRED, at(61))


def test_a_refund_before_the_pickup_expires_the_late_shipment() -> None:
    refunded = parcel((1, LABEL), status=OrderStatus.REFUNDED, seen=61)
    assert ending(changed(parcel((1, LABEL), seen=60), refunded, "late_shipment")).by == "揽收前已退款"


def test_a_shop_whose_clock_is_ahead_ends_no_wait_in_the_future() -> None:
    two = (order("1", platform="douyin", shipped_at=None), order("2", platform="ali1688", shipped_at=51))
    late = parcel(seen=50, orders=two)
    shipped = parcel((1, LABEL), (1, PICKED), seen=50, orders=two)
    how = ending(changed(late, shipped, "late_shipment"))
    assert (how.state, how.by, how.at) == (FindingState.CLEARED, "发货", at(50))


OFF = change(watch=False)


@pytest.mark.parametrize(
    ("rule", "scans", "rules"),
    [
        ("transit_stagnation", STALL, {"transit_stagnation": OFF}),
        ("transit_stagnation", STALL, {"transit_stagnation": change("200h")}),
        ("lost", ((2, PICKED), (3, remark(K.LOST))), {"lost": OFF}),
        ("returned", ((2, PICKED), (3, BACK)), {"returned": OFF}),
        ("unreachable", ((2, PICKED), (3, remark(K.CONTACT_FAILURE))), {"unreachable": OFF}),
    ],
)
def test_a_rule_switched_off_or_widened_expires_its_findings(
    rule: str, scans: tuple[Scan, ...], rules: dict[str, Any]
) -> None:
    case = parcel(*scans, seen=60)
    how = ending(changed(case, case, rule, then=book(spec(**rules))))
    assert (how.state, how.at) == (FindingState.EXPIRED, at(60))


def test_a_rule_the_new_profile_does_not_have_expires() -> None:
    taobao, duoduo = parcel(*STALL, seen=60), parcel(*STALL, seen=60, platform="pinduoduo")
    assert ending(changed(taobao, duoduo, "transit_stagnation")).state is FindingState.EXPIRED


def test_a_breach_that_a_wider_limit_makes_a_warning_expires_and_is_warned_anew() -> None:
    case = parcel(*STALL, seen=60)
    wider = book(spec(transit_stagnation=change("60h")))
    changes = changed(case, case, "transit_stagnation", then=wider)
    assert ending(changes).state is FindingState.EXPIRED
    assert [each.stage for each in changes.opened] == [Stage.WARNING]


# ── trouble the carrier reported ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rule", "kind", "news", "state", "ended"),
    [
        pytest.param("unreachable", K.CONTACT_FAILURE, [(12, HUB)], "cleared", 12, id="moved on"),
        pytest.param("refused", K.REFUSED, [(30, BACK), (50, BACK_HOME)], "cleared", 50, id="came home"),
        pytest.param(
            "customs_exception", K.CUSTOMS_EXCEPTION, [(30, SIGNED)], "cleared", 30, id="signed after all"
        ),
    ],
)
def test_trouble_ends_by_the_rules_of_its_kind(
    rule: str, kind: ExceptionKind, news: list[Scan], state: str, ended: Hours
) -> None:
    told = ((2, PICKED), (10, remark(kind)))
    how = ending(changed(parcel(*told, seen=11), parcel(*told, *news, seen=60), rule))
    assert (how.state, how.at) == (state, at(ended))


@pytest.mark.parametrize("later", [(), ((12, HUB),)])
@pytest.mark.parametrize(("rule", "kind"), [("refused", K.REFUSED), ("lost", K.LOST)])
def test_grave_trouble_that_the_carrier_withdrew_never_was(
    rule: str, kind: ExceptionKind, later: tuple[Scan, ...]
) -> None:
    """No scan closes it (§9), so where it is gone without an end it was taken back."""
    before = parcel((2, PICKED), (10, remark(kind)), *later, seen=20)
    assert ending(changed(before, parcel((2, PICKED), *later, seen=21), rule)).state is FindingState.RETRACTED


def test_light_trouble_that_the_carrier_withdrew_never_was() -> None:
    before = parcel((2, PICKED), (10, remark(K.CONTACT_FAILURE)), seen=20)
    assert (
        ending(changed(before, parcel((2, PICKED), seen=21), "unreachable")).state is FindingState.RETRACTED
    )


def test_a_return_that_the_carrier_withdrew_never_was() -> None:
    before = parcel((2, PICKED), (10, BACK), seen=20)
    assert (
        ending(changed(before, parcel((2, PICKED), (15, HUB), seen=21), "returned")).state
        is FindingState.RETRACTED
    )


def test_trouble_that_passed_and_came_again_is_told_again() -> None:
    once = ((2, PICKED), (10, remark(K.CONTACT_FAILURE)))
    twice = (*once, (20, HUB), (30, remark(K.CONTACT_FAILURE)))
    changes = changed(parcel(*once, seen=11), parcel(*twice, seen=31), "unreachable")
    assert (ending(changes).state, ending(changes).at) == (FindingState.CLEARED, at(20))
    assert [each.started_at for each in changes.opened] == [at(30)]


def test_the_neighbours_refund_moves_the_wait_to_the_order_that_is_left() -> None:
    both = (order("1", paid_at=0), order("2", paid_at=30))
    left = (replace(both[0], status=OrderStatus.REFUNDED), both[1])
    changes = changed(parcel(orders=both, seen=70), parcel(orders=left, seen=71), "late_shipment")
    assert ending(changes).state is FindingState.RETRACTED
    assert [(each.stage, each.started_at) for each in changes.opened] == [(Stage.WARNING, at(30))]


# ── which finding speaks ─────────────────────────────────────────────────────────────────────────


def one(
    rule: str,
    severity: int,
    stage: Stage = Stage.BREACH,
    crossed: Hours = 0,
    notify: bool = True,
    soft: bool = False,
) -> Finding:
    return Finding(
        rule, stage, T0, at(crossed), "x", deadline=at(crossed + 1), limit=timedelta(hours=1), step=1,
        severity=severity, notify=notify, evidence={"soft": "true"} if soft else {},
    )  # fmt: skip


WARNING = Stage.WARNING


@pytest.mark.parametrize(
    ("finding", "others", "by"),
    [
        pytest.param(one("a", 50), [], None, id="alone"),
        pytest.param(one("a", 50), [one("b", 40)], None, id="a lesser one"),
        pytest.param(one("a", 50), [one("b", 60)], "b", id="a worse one"),
        pytest.param(one("a", 50), [one("b", 60), one("c", 70)], "c", id="the worst of two"),
        pytest.param(one("a", 50), [one("b", 60, notify=False)], None, id="a worse one nobody hears"),
        pytest.param(one("a", 50, WARNING), [one("b", 50)], "b", id="as grave, further along"),
        pytest.param(one("a", 50, crossed=5), [one("b", 50, crossed=4)], "b", id="as grave, earlier"),
        pytest.param(one("a", 50), [one("b", 50)], None, id="quite alike"),
        pytest.param(one("a", 50, WARNING), [one("b", 60, WARNING)], "b", id="a worse warning"),
        pytest.param(one("a", 50), [one("b", 60, WARNING)], None, id="a warning does not talk over a fine"),
        pytest.param(one("a", 50, soft=True), [one("b", 60, WARNING)], "b", id="but over a soft breach"),
        pytest.param(one("a", 50), [one("a", 60)], None, id="the same rule"),
    ],
)
def test_a_worse_finding_silences_a_lesser(finding: Finding, others: list[Finding], by: str | None) -> None:
    worse = silencer(finding, [finding, *others])
    assert (worse.rule if worse else None) == by


def test_on_the_dot_of_the_fine_pinduoduo_hears_of_the_fine() -> None:
    """At 48 h unshipped the fine falls, and the warning of 缺货 a day ahead comes at the same moment."""
    verdict = judged(parcel(platform="pinduoduo", shipped_at=None, status=OrderStatus.AWAITING, seen=49))
    late = finding(verdict, "late_shipment")
    assert late is not None
    assert {each.rule: each.stage for each in verdict.findings} == {
        "late_shipment": Stage.BREACH, "out_of_stock": WARNING,
    }  # fmt: skip
    assert silencer(late, verdict.findings) is None
