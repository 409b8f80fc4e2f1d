"""Every kind of trouble is what it says, counted by hand from the scans of many parcels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from domain.findings import Stage
from domain.journey import condense
from domain.tracking import ExceptionKind, Milestone, Motion
from monitor.demo.noise import Noise
from monitor.demo.places import tier
from monitor.demo.scans import Scan, events_at
from monitor.demo.story import Kind
from monitor.demo.truth import Limit, crossings, troubles, waits
from monitor.demo.world import Parcel, World
from monitor.profiles import load_profiles

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
END = START + timedelta(days=150)
HOUR = timedelta(hours=1)
M = Milestone


def many(kind: Kind, count: int = 120, noise: Noise | None = None) -> list[Parcel]:
    """Parcels that are all of one kind, each with a clean view unless asked otherwise."""
    world = World(11, START, mix={kind: 1.0}, jams=(), noise=noise or Noise.none())
    return list(world.parcels(count))


def moves(parcel: Parcel) -> list[Scan]:
    return [scan for scan in parcel.scans if scan.moves and not scan.echo]


def only(parcel: Parcel, *marks: Milestone) -> list[Scan]:
    return [scan for scan in moves(parcel) if scan.milestone in marks]


def longest_gap(scans: Sequence[Scan]) -> timedelta:
    return max((b.occurred_at - a.occurred_at for a, b in pairwise(scans)), default=timedelta(0))


LAST_MILE = {
    rule: Limit(hours, (), hours, hours)
    for rule, hours in {
        "dispatch_sign": 24,
        "locker_overdue": 72,
        "no_record": 72,
        "failed_no_retry": 48,
    }.items()
}
"""Hours that no platform prescribes to a taobao_tmall shop."""

RECORDED = {"paid_to_signed", "inter_city", "same_city"}
"""What an ordinary far parcel breaks: means and service times, which no profile tells anybody of by default."""


def breached(parcel: Parcel) -> set[str]:
    """The rules whose limit a parcel really breaks."""
    steps = (*crossings(parcel), *crossings(parcel, LAST_MILE))
    return {step.rule for step in steps if step.stage is Stage.BREACH and not step.retracted}


def test_what_ordinary_parcels_may_break_tells_nobody() -> None:
    rules = load_profiles()
    for name in RECORDED:
        assert not any(
            each.notify for profile in rules.values() for each in [profile.rules.get(name)] if each
        )


def test_normal_parcels_break_nothing_that_anybody_is_told_of() -> None:
    for parcel in World(11, START, mix={}, jams=(), noise=Noise.none()).parcels(1500):
        assert parcel.kind is Kind.NORMAL
        assert breached(parcel) <= RECORDED
        assert parcel.scans[-1].milestone is M.DELIVERED
        assert troubles(parcel) == ()


def test_normal_parcels_do_not_even_warn_of_a_stall() -> None:
    for parcel in World(11, START, mix={}, jams=(), noise=Noise.none()).parcels(1500):
        warned = {step.rule for step in crossings(parcel) if not step.retracted}
        assert warned <= RECORDED


def test_late_pickup_is_more_than_48_hours_after_payment() -> None:
    for parcel in many(Kind.LATE_PICKUP):
        came = moves(parcel)
        assert not came or came[0].occurred_at - parcel.order.paid_at > 48 * HOUR
        assert "late_shipment" in breached(parcel)


def test_some_late_pickups_are_the_shops_own_and_some_never_come() -> None:
    parcels = many(Kind.LATE_PICKUP)
    assert any(parcel.order.shipped_at - parcel.order.paid_at > 48 * HOUR for parcel in parcels)
    assert any(not moves(parcel) for parcel in parcels)
    assert any("no_pickup" in breached(parcel) for parcel in parcels)


def test_a_fake_shipment_is_picked_up_and_never_seen_again() -> None:
    for parcel in many(Kind.FAKE_SHIPMENT):
        assert [scan.milestone for scan in moves(parcel)] == [M.PICKED_UP]
        exempt = parcel.order.platform == "taobao_tmall" and tier(parcel.order.receiver_province) != "normal"
        assert ("pickup_no_update" in breached(parcel)) is not exempt


def test_the_first_hub_weighs_and_weighs_and_does_not_let_go() -> None:
    for parcel in many(Kind.FIRST_HUB_STUCK):
        assert parcel.order.platform == "pinduoduo"
        first, *rest = moves(parcel)
        hub = next(scan.hub for scan in rest if scan.hub)
        left = next((s for s in rest if s.hub == hub and s.motion is Motion.DEPARTED), None)
        assert left is None or left.occurred_at - first.occurred_at > 72 * HOUR
        inside = rest[: rest.index(left)] if left else rest
        assert longest_gap(inside) < 24 * HOUR
        if tier(parcel.order.receiver_province) != "very_remote":
            assert "first_hub" in breached(parcel)


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        (Kind.STALL_AT_PICKUP, lambda scan: scan.milestone is M.PICKED_UP),
        (Kind.STALL_IN_NODE, lambda scan: scan.hub and scan.motion is Motion.ARRIVED),
        (Kind.STALL_BETWEEN_NODES, lambda scan: scan.hub and scan.motion is Motion.DEPARTED),
        (Kind.STALL_DELIVERY_LEG, lambda scan: scan.milestone is M.ARRIVED_DEST_CITY),
    ],
)
def test_a_stall_is_two_days_of_silence_at_its_place(kind: Kind, before) -> None:
    for parcel in many(kind):
        scans = moves(parcel)
        if scans[-1].milestone is M.DELIVERED:
            stalled, on = max(pairwise(scans), key=lambda pair: pair[1].occurred_at - pair[0].occurred_at)
            assert on.occurred_at - stalled.occurred_at > 48 * HOUR
        else:
            stalled = scans[-1]
        assert before(stalled)
        if tier(parcel.order.receiver_province) == "normal":
            assert breached(parcel) & {"transit_stagnation", "update_timeout"}


def test_stalls_end_and_do_not_end() -> None:
    ended = [moves(parcel)[-1].milestone is M.DELIVERED for parcel in many(Kind.STALL_BETWEEN_NODES)]
    assert 0.4 < sum(ended) / len(ended) < 0.9


def test_dispatch_timeout_is_a_day_with_the_courier() -> None:
    for parcel in many(Kind.DISPATCH_TIMEOUT):
        assert parcel.order.platform == "pinduoduo"
        out, *after = only(parcel, M.OUT_FOR_DELIVERY, M.DELIVERED)
        assert not after or after[0].occurred_at - out.occurred_at > 24 * HOUR
        assert "dispatch_sign" in breached(parcel)


@pytest.mark.parametrize(
    ("kind", "rule", "trouble"),
    [
        (Kind.REFUSED, "refused", ExceptionKind.REFUSED),
        (Kind.DAMAGED, "damaged", ExceptionKind.DAMAGED),
        (Kind.LOST, "lost", ExceptionKind.LOST),
        (Kind.UNREACHABLE, "unreachable", ExceptionKind.CONTACT_FAILURE),
    ],
)
def test_the_carrier_tells_of_trouble(kind: Kind, rule: str, trouble: ExceptionKind) -> None:
    for parcel in many(kind):
        said = [scan for scan in parcel.scans if trouble in scan.exceptions]
        assert said
        told = [t for t in troubles(parcel) if t.rule == rule]
        assert [t.since for t in told] == [scan.occurred_at for scan in said]
        assert [t.known_at for t in told] == [scan.visible_at for scan in said]


def test_a_lost_parcel_was_silent_long_before_anybody_said_so() -> None:
    for parcel in many(Kind.LOST):
        said = parcel.scans[-1]
        assert said.occurred_at - moves(parcel)[-1].occurred_at > 48 * HOUR


def test_returned_parcels_turn_round_and_are_signed_by_the_shipper() -> None:
    for parcel in many(Kind.RETURNED):
        turned, home = only(parcel, M.RETURNING, M.RETURNED)
        assert turned.occurred_at < home.occurred_at
        assert home is moves(parcel)[-1]
        assert not only(parcel, M.DELIVERED)
        assert "returned" in {t.rule for t in troubles(parcel)}


def test_a_locker_holds_it_for_three_days_or_more() -> None:
    for parcel in many(Kind.LOCKER_OVERDUE):
        put, *taken = only(parcel, M.READY_FOR_COLLECTION, M.DELIVERED)
        assert put.milestone is M.READY_FOR_COLLECTION
        assert not taken or taken[0].occurred_at - put.occurred_at > 72 * HOUR
        assert "locker_overdue" in breached(parcel)


def test_signed_then_stored_within_the_hour_under_a_plain_transit_code() -> None:
    """`facts/carriers.md`, realities."""
    for parcel in many(Kind.SIGNED_THEN_STORED):
        signed, stored, *_ = only(parcel, M.DELIVERED, M.READY_FOR_COLLECTION)
        assert (signed.milestone, stored.milestone) == (M.DELIVERED, M.READY_FOR_COLLECTION)
        assert timedelta(0) < stored.occurred_at - signed.occurred_at <= HOUR
        assert stored.code == "0"
        assert "signed_then_stored" in {t.rule for t in troubles(parcel)}


def test_a_missing_pickup_is_harmless() -> None:
    for parcel in many(Kind.MISSING_PICKUP):
        assert not only(parcel, M.PICKED_UP)
        assert breached(parcel) <= RECORDED


def test_back_dated_scans_were_in_time_and_came_too_late_to_know() -> None:
    for parcel in many(Kind.BACK_DATED_SCAN):
        onward = [scan for scan in moves(parcel) if scan.milestone.rank <= M.OUT_FOR_DELIVERY.rank]
        assert longest_gap(onward) < 48 * HOUR
        seems = [s for s in crossings(parcel) if s.rule in ("transit_stagnation", "update_timeout")]
        assert any(s.stage is Stage.BREACH and s.retracted for s in seems)
        hidden = [scan for scan in parcel.scans if scan.visible_at - scan.occurred_at > 20 * HOUR]
        assert hidden


def test_never_heard_of_has_no_line_at_all() -> None:
    for parcel in many(Kind.NEVER_HEARD_OF):
        assert parcel.scans == ()
        assert {"late_shipment", "no_record"} <= breached(parcel)


def test_a_wrong_phone_hides_an_ordinary_parcel() -> None:
    for parcel in many(Kind.WRONG_PHONE):
        assert parcel.carrier.key == "shunfeng"
        assert parcel.told_tail != parcel.phone_tail
        assert breached(parcel) <= RECORDED


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.HUB_JAM])
def test_a_perfect_reader_comes_to_the_same_truth(kind: Kind) -> None:
    """The script's waits against `domain.journey.condense`, which knows nothing of scripts."""
    for parcel in many(kind, 80, Noise()):
        read = condense(events_at(parcel.scans, END))
        found = {wait.rule: wait for wait in waits(parcel)}
        duoduo = parcel.order.platform == "pinduoduo"
        assert read.first_scan_at == found["no_record"].ended_at
        if read.first_scan_at is None:
            continue
        updated = read.update_after_first_scan_at if duoduo else read.update_after_pickup_at
        assert updated == found["pickup_no_update"].ended_at
        if duoduo:
            assert read.first.get(M.DEPARTED_FIRST_HUB) == found["first_hub"].ended_at
        silence = found["update_timeout" if duoduo else "transit_stagnation"]
        if silence.ended_at is None:
            assert read.last_movement_at == silence.started_at
