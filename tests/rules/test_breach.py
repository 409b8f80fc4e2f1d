"""A clock that another rule's breach starts (§11: `start: "breach:transit_stagnation"`; §2.1, TB-6)."""

from __future__ import annotations

import pytest

from rules.changes import compare
from tests.rules.scenes import (
    BACK,
    HUB,
    LEFT,
    NEXT_HUB,
    OUT,
    PICKED,
    SIGNED,
    Hours,
    Scan,
    at,
    book,
    change,
    clock,
    hours,
    judged,
    parcel,
    spec,
    stage,
)

RULE = "trajectory_to_out_of_stock"
SILENT: tuple[Scan, ...] = ((2, PICKED), (12, HUB))
"""Breaks the 48 h at 60."""


@pytest.mark.parametrize(
    ("scans", "started"),
    [
        pytest.param(SILENT, 60, id="still silent"),
        pytest.param((*SILENT, (70, LEFT)), 60, id="moved later"),
        pytest.param((*SILENT, (70, LEFT), (200, NEXT_HUB)), 60, id="the first of two stalls"),
        pytest.param((*SILENT, (60, LEFT)), 108, id="moved on the dot, then silent"),
        pytest.param(((2, PICKED), (51, HUB)), 50, id="before the first hub"),
        pytest.param((*SILENT, (70, OUT)), 60, id="the door came late"),
    ],
)
def test_it_counts_from_the_first_breach(scans: tuple[Scan, ...], started: Hours) -> None:
    reading = clock(judged(parcel(*scans, seen=300)), RULE)
    assert (hours(reading.started_at), hours(reading.deadline)) == (started, started + 120)
    assert (reading.started_by, reading.running) == ("中转停滞", True)


@pytest.mark.parametrize(
    ("scans", "seen"),
    [
        pytest.param(SILENT, 60, id="on the dot"),
        pytest.param((*SILENT, (60, OUT)), 300, id="at the door in time"),
        pytest.param((*SILENT, (30, OUT), (200, SIGNED)), 300, id="silent after the door only"),
        pytest.param((), 300, id="never picked up"),
    ],
)
def test_without_a_breach_it_does_not_start(scans: tuple[Scan, ...], seen: Hours) -> None:
    reading = clock(judged(parcel(*scans, seen=seen)), RULE)
    assert (reading.asleep, reading.started_at) == ("尚未开始：还没有「中转停滞」", None)


def test_a_breach_nobody_has_proven_starts_nothing() -> None:
    """L1: 60 has passed, but the last look was at 59."""
    assert clock(judged(parcel(*SILENT, seen=59), now=300), RULE).started_at is None


@pytest.mark.parametrize("end", [SIGNED, BACK])
def test_what_comes_after_the_end_breaks_nothing(end: object) -> None:
    verdict = judged(parcel(*SILENT, (70, end), seen=1000))  # type: ignore[arg-type]
    assert (stage(verdict, RULE), hours(clock(verdict, RULE).ended_at)) == ("", 70)


def test_moving_on_does_not_help_only_receiving_does() -> None:
    moved = (*SILENT, (70, LEFT), (100, NEXT_HUB), (130, OUT))
    assert stage(judged(parcel(*moved, seen=180)), RULE) == "warning"
    assert stage(judged(parcel(*moved, seen=181)), RULE) == "breach"


def test_where_the_other_rule_does_not_apply_neither_does_this_one() -> None:
    far = judged(parcel(*SILENT, seen=1000, receiver_province="西藏"))
    assert clock(far, RULE).asleep == "中转停滞：极偏远地区豁免"
    off = judged(parcel(*SILENT, seen=1000), by=book(spec(transit_stagnation=change(watch=False))))
    assert clock(off, RULE).asleep == "中转停滞：该规则已关闭（watch = false）"


def test_a_wider_limit_of_the_other_rule_starts_it_later() -> None:
    wide = book(spec(transit_stagnation=change("72h")))
    assert hours(clock(judged(parcel(*SILENT, seen=300), by=wide), RULE).started_at) == 84


def test_orders_paid_before_the_rule_was_made_are_spared() -> None:
    """In force since 2025-08-26; T0 is 2026-06-01, so 281 days earlier it was not."""
    early = judged(parcel(*SILENT, paid_at=-281 * 24, seen=1000))
    assert clock(early, RULE).asleep == "付款时该规则不在有效期内"


def test_a_scan_learned_late_takes_the_breach_and_what_it_started_back() -> None:
    before = judged(parcel(*SILENT, seen=140))
    assert stage(before, RULE) == "warning"
    known = (*SILENT, (40, LEFT), (80, NEXT_HUB), (120, OUT))
    case = parcel(*known, seen=141)
    ended = {old.rule: ending for old, ending in compare(before.findings, judged(case), case, at(141)).ended}
    assert (ended[RULE].state, ended[RULE].by) == ("retracted", "「中转停滞」已被撤回")


def test_the_next_look_goes_on_from_the_breach_to_the_steps_it_starts() -> None:
    looks = [judged(parcel(*SILENT, seen=seen)).carrier_look_at for seen in (59.5, 61, 133)]
    assert [round(hours(look) or 0, 2) for look in looks] == [60, 132, 156]
