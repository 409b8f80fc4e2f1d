"""A rule as it was: an order is judged by what was in force when it was paid (`facts/platform-rules.md` §2, §6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.orders import Case, OrderStatus
from rules.declare import Declined, Profile, parse_profile
from rules.policy import PolicyBook
from tests.rules.scenes import (
    PICKED,
    SIGNED,
    TRANSIT,
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

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def beijing(day: str) -> datetime:
    """The midnight with which a day begins in Beijing."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC) - 8 * HOUR


PICKUP_COUNTS = beijing("2025-05-15")
UNSHIPPED: dict[str, Any] = {"status": OrderStatus.AWAITING, "shipped_at": None}


def paid(moment: datetime, *, platform: str = "pinduoduo", **said: Any) -> Case:
    return parcel(orders=(order(platform=platform, paid_at=moment, **said),))


def breaches(case: Case, rule: str, limit: datetime) -> bool:
    """The rule is broken right after that moment, and not on it."""
    on_the_dot = stage(judged(seen_at(case, limit), limit), rule)
    after = stage(judged(seen_at(case, limit + SECOND), limit + SECOND), rule)
    assert on_the_dot != "breach"
    return after == "breach"


# ── the platforms' own ───────────────────────────────────────────────────────────────────────────


def test_pinduoduo_before_the_pickup_counted() -> None:
    """PD-1, §6: the upload stopped the clock; since 2025-05-15 the pickup does."""
    last, first = PICKUP_COUNTS - SECOND, PICKUP_COUNTS
    assert not breaches(paid(last, shipped_at=last + HOUR), "late_shipment", last + 48 * HOUR)
    assert breaches(paid(first, shipped_at=first + HOUR), "late_shipment", first + 48 * HOUR)
    assert breaches(paid(last, **UNSHIPPED), "late_shipment", last + 48 * HOUR)
    assert clock(judged(paid(last, **UNSHIPPED), last), "late_shipment").waits_for == "发货"


@pytest.mark.parametrize(
    ("moment", "limit"), [(beijing("2023-01-01") - SECOND, 24), (beijing("2023-01-01"), 48)]
)
def test_silence_after_the_pickup_at_taobao(moment: datetime, limit: int) -> None:
    """TB-3, §6: 24 h in the texts to 2022, then 48 h."""
    case = parcel((0, PICKED.but(text="x")), orders=(order(paid_at=moment),))
    started = clock(judged(seen_at(case, moment), moment), "pickup_no_update").started_at
    assert started is not None
    assert breaches(case, "pickup_no_update", started + limit * HOUR)


@pytest.mark.parametrize(
    ("moment", "limit"), [(beijing("2019-06-25") - SECOND, 72), (beijing("2019-06-25"), 48)]
)
def test_taobao_shipped_in_three_days_once(moment: datetime, limit: int) -> None:
    """TB-1."""
    assert breaches(
        paid(moment, platform="taobao_tmall", **UNSHIPPED), "late_shipment", moment + limit * HOUR
    )


def test_aliexpress_counts_the_days_of_los_angeles() -> None:
    """AE-1: orders paid from 2024-02-19 00:00 America/Los_Angeles."""
    first = datetime(2024, 2, 19, 8, tzinfo=UTC)
    before = clock(judged(paid(first - SECOND, platform="aliexpress"), first), "online_48h")
    assert before.asleep == "付款时该规则不在有效期内"
    assert clock(judged(paid(first, platform="aliexpress"), first + SECOND), "online_48h").running


# ── the language ─────────────────────────────────────────────────────────────────────────────────

BASE: dict[str, Any] = {
    "kind": "clock",
    "start": "paid",
    "stop": "picked_up",
    "limit": "48h",
    "warn": ["12h"],
}
OLD = {"in_force": {"until": date(2026, 5, 31)}, "limit": "72h", "stop": "delivered"}
NEXT = {"in_force": {"since": date(2026, 7, 1)}, "limit": "24h"}


def parsed(*variants: dict[str, Any], **more: Any) -> tuple[Profile | None, list[Declined]]:
    table = {**BASE, "variants": list(variants), **more}
    return parse_profile({"id": "x", "name": "某平台", "rules": {"late": table}})


def known(*variants: dict[str, Any], **more: Any) -> PolicyBook:
    profile, problems = parsed(*variants, **more)
    assert profile is not None, problems
    return PolicyBook({**profiles(), "x": profile})


@pytest.mark.parametrize(
    ("day", "hours", "waits_for"),
    [
        ("2026-05-31", 72, "签收"),
        ("2026-06-01", 48, "揽收"),
        ("2026-06-30", 48, "揽收"),
        ("2026-07-01", 24, "揽收"),
    ],
)
def test_a_variant_says_only_what_is_different(day: str, hours: int, waits_for: str) -> None:
    moment = beijing(day) + 12 * HOUR
    reading = clock(judged(paid(moment, platform="x"), moment, by=known(OLD, NEXT)), "late")
    assert (reading.limit, reading.waits_for) == (hours * HOUR, waits_for)
    assert [step.left for step in reading.steps] == [12 * HOUR, timedelta(0)]


def test_a_merchants_limit_holds_for_the_variants_too() -> None:
    profile, _ = parsed(OLD)
    assert profile is not None
    book = PolicyBook({**profiles(), "x": profile}, [spec(late=change("60h"))])
    moment = beijing("2026-05-01")
    assert clock(judged(paid(moment, platform="x"), moment, by=book), "late").limit == 60 * HOUR


def test_of_orders_from_before_and_after_the_one_due_first_counts() -> None:
    before, after = beijing("2026-05-31") + 23 * HOUR, beijing("2026-06-01") + HOUR
    orders = tuple(order(str(n), platform="x", paid_at=moment) for n, moment in enumerate((before, after)))
    reading = clock(judged(parcel(orders=orders), after, by=known(OLD)), "late")
    assert (reading.started_at, reading.deadline) == (after, after + 48 * HOUR)


def test_where_one_wait_is_over_the_other_goes_on() -> None:
    """The old text waits for the signature, so the pickup ends only the new one's."""
    before, after = beijing("2026-05-31") + 23 * HOUR, beijing("2026-06-01") + HOUR
    orders = tuple(order(str(n), platform="x", paid_at=moment) for n, moment in enumerate((before, after)))
    reading = clock(judged(parcel((2, PICKED), orders=orders, seen=3), by=known(OLD)), "late")
    assert (reading.running, reading.started_at) == (True, before)


def test_outside_every_day_the_rule_sleeps() -> None:
    moment = beijing("2026-06-10")
    book = known(OLD, in_force={"since": date(2026, 7, 1)})
    assert (
        clock(judged(paid(moment, platform="x"), moment, by=book), "late").asleep
        == "付款时该规则不在有效期内"
    )


def test_without_a_payment_the_order_is_of_the_day_it_was_placed() -> None:
    placed = beijing("2026-05-20")
    book = known(OLD, start="ordered")
    case = parcel(orders=(order(platform="x", paid_at=None, ordered_at=placed, **UNSHIPPED),))
    assert clock(judged(case, placed, by=book), "late").limit == 72 * HOUR


@pytest.mark.parametrize(
    ("variants", "path", "said"),
    [
        ([{"limit": "72h"}], ("variants", 0, "in_force"), "变体要写从哪天到哪天"),
        ([{**OLD, "kind": "staleness"}], ("variants", 0, "kind"), "变体不能另写 kind"),
        ([{**OLD, "limt": "72h"}], ("variants", 0, "limt"), "是不是想写 limit"),
        ([{**OLD, "limit": "8h"}], ("variants", 0, "warn"), "必须小于时限"),
        ([{**OLD, "stop": "piked_up"}], ("variants", 0, "stop"), "是不是想写 picked_up"),
        ([OLD, {**NEXT, "in_force": {"since": date(2026, 5, 31)}}], ("variants",), "两个变体都管 2026-05-31"),
        ([], ("variants",), "两层方括号"),
    ],
)
def test_a_mistake_in_a_variant_is_told_with_its_place(
    variants: list[dict[str, Any]], path: tuple[str | int, ...], said: str
) -> None:
    profile, problems = parsed(*variants)
    assert profile is None
    assert [each.path for each in problems] == [("rules", "late", *path)]
    assert said in problems[0].reason


# ── grace ────────────────────────────────────────────────────────────────────────────────────────


def test_no_platform_asks_for_grace_by_itself() -> None:
    assert {rule.grace for profile in profiles().values() for rule in profile.rules.values()} == {
        timedelta(0)
    }


@pytest.mark.parametrize("kind", ["clock", "staleness"])
def test_a_breach_is_claimed_after_the_grace_and_counts_from_the_limit(kind: str) -> None:
    table: dict[str, Any] = {"kind": kind, "limit": "48h", "warn": ["12h"], "grace": "90m"}
    table |= (
        {"start": "picked_up", "stop": "delivered"}
        if kind == "clock"
        else {"from": "picked_up", "until": "delivered"}
    )
    profile, problems = parse_profile({"id": "x", "name": "某平台", "rules": {"r": table}})
    assert profile is not None, problems
    book = PolicyBook({**profiles(), "x": profile})
    case = parcel((0, PICKED), platform="x")
    verdict = judged(
        seen_at(case, case.journey.first_scan_at + 49.5 * HOUR),
        case.journey.first_scan_at + 49.5 * HOUR,
        book,
    )
    assert [each.stage for each in verdict.findings] == ["warning"]
    assert verdict.next_look_at == case.journey.first_scan_at + 49.5 * HOUR + timedelta(milliseconds=1)
    later = case.journey.first_scan_at + 49.5 * HOUR + SECOND
    [found] = judged(seen_at(case, later), later, book).findings
    assert (found.stage, found.crossed_at) == ("breach", case.journey.first_scan_at + 48 * HOUR)


def test_a_late_scan_within_the_grace_was_never_a_claim() -> None:
    table = {**BASE, "grace": "90m", "variants": [OLD]}
    profile, _ = parse_profile({"id": "x", "name": "某平台", "rules": {"late": table}})
    assert profile is not None
    book = PolicyBook({**profiles(), "x": profile})
    case = parcel((49, PICKED), (50, TRANSIT), (51, SIGNED), platform="x", seen=60)
    assert judged(case, by=book).findings == ()
