"""Laws of money: ranges are ranges, nothing adds up to more than its parts, more paid never costs less."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from domain.findings import Finding, Risk, Stage
from domain.orders import Case
from rules.money import exposure, together
from rules.policy import Policy
from rules.stacking import Cap, Together
from rules.tariff import Tariff, When
from tests.rules.scenes import (
    BACK,
    CITY,
    HUB,
    OUT,
    PICKED,
    SIGNED,
    T0,
    Scan,
    at,
    judged,
    order,
    parcel,
    plain_book,
    profiles,
    rule,
)

FEN = st.integers(0, 100_000)
AMOUNTS = st.decimals(0, 20_000, places=2)
CONDITIONS = st.builds(
    When, st.just("paid"), st.sampled_from(["<", "<=", ">", ">="]), st.decimals(0, 1000, places=2)
)


@st.composite
def tariffs(draw: st.DrawFn, capped: bool = False, when: bool = True) -> Tariff:
    """A percentage with ends that do not contradict, or a fixed amount."""
    floor, cap = sorted((draw(FEN), draw(FEN)))
    about = draw(st.none() | CONDITIONS) if when else None
    if draw(st.booleans()):
        return Tariff(flat=floor, cap=draw(st.sampled_from([None, cap])), when=about)
    return Tariff(
        percent=draw(st.decimals("0.1", 500, places=1)),
        floor=draw(st.sampled_from([None, floor])),
        cap=cap if capped else draw(st.sampled_from([None, cap])),
        when=about,
    )


def priced(*penalty: Tariff) -> Any:
    return replace(rule("kuaishou", "no_pickup"), penalty=penalty)


def paying(*amounts: Decimal | None) -> Case:
    orders = [order(str(n), platform="kuaishou", amount=amount) for n, amount in enumerate(amounts)]
    return parcel(orders=tuple(orders))


@given(st.lists(tariffs(), max_size=4), st.lists(st.none() | AMOUNTS, min_size=1, max_size=3))
def test_a_range_is_a_range(penalty: list[Tariff], amounts: list[Decimal | None]) -> None:
    risk = exposure(priced(*penalty), paying(*amounts), T0)
    assert risk is None or 0 <= risk.low <= risk.high


@given(tariffs(when=False), AMOUNTS, AMOUNTS)
def test_more_paid_never_costs_less_within_an_entry(entry: Tariff, one: Decimal, other: Decimal) -> None:
    less, more = sorted((one, other))
    low, high = (exposure(priced(entry), paying(amount), T0) for amount in (less, more))
    assert low is not None
    assert high is not None
    assert low.low <= high.low
    assert low.high <= high.high


@given(tariffs(capped=True), AMOUNTS)
def test_without_the_amount_the_range_holds_whatever_was_paid(entry: Tariff, amount: Decimal) -> None:
    known, unknown = exposure(priced(entry), paying(amount), T0), exposure(priced(entry), paying(None), T0)
    assume(known is not None)
    assert known is not None
    assert unknown is not None
    assert unknown.low <= known.low <= known.high <= unknown.high


@given(st.lists(tariffs(), min_size=1, max_size=3), AMOUNTS, AMOUNTS)
def test_two_orders_cost_what_each_costs(penalty: list[Tariff], one: Decimal, other: Decimal) -> None:
    each = [exposure(priced(*penalty), paying(amount), T0) for amount in (one, other)]
    both = exposure(priced(*penalty), paying(one, other), T0)
    known = [risk for risk in each if risk is not None]
    summed = Risk(sum(risk.low for risk in known), sum(risk.high for risk in known)) if known else None
    assert both == summed


# ── together ─────────────────────────────────────────────────────────────────────────────────────

NAMES = ("late_shipment", "no_pickup", "pickup_no_update", "journey_10d")
RULES = st.frozensets(st.sampled_from(NAMES), max_size=4)
STACKING = st.builds(
    Together,
    adds=RULES,
    one_of=st.sampled_from([(), (frozenset(NAMES[:2]),), (frozenset(NAMES[:2]), frozenset(NAMES[2:]))]),
    caps=st.lists(
        st.builds(
            Cap,
            st.builds(Tariff, percent=st.none() | st.decimals(1, 100, places=0), cap=st.none() | FEN),
            RULES,
        ),
        max_size=2,
    ).map(tuple),
)


def breached(name: str, penalty: Tariff, case: Case) -> tuple[Finding, Any]:
    of = replace(rule("kuaishou", name), penalty=(penalty,))
    found = Finding(name, Stage.BREACH, T0, at(24), "", risk=exposure(of, case, at(24)))
    return found, of


def with_rules(policy: Policy, rules: dict[str, Any], how: Together) -> Policy:
    lines = tuple(replace(line, rule=rules.get(line.rule.id, line.rule)) for line in policy.lines)
    return replace(policy, lines=lines, together=how)


@given(
    how=STACKING,
    penalties=st.lists(tariffs(), min_size=4, max_size=4),
    names=st.lists(st.sampled_from(NAMES), unique=True, max_size=4),
    amounts=st.lists(st.none() | AMOUNTS, min_size=1, max_size=3),
)
def test_together_is_between_the_dearest_and_the_sum(
    how: Together, penalties: list[Tariff], names: list[str], amounts: list[Decimal | None]
) -> None:
    case = paying(*amounts)
    each = [breached(name, penalty, case) for name, penalty in zip(names, penalties, strict=False)]
    policy = with_rules(plain_book().policy_for(case), {of.id: of for _, of in each}, how)
    whole = together([found for found, _ in each], case, policy)
    parts = [found.risk for found, _ in each if found.risk is not None]
    if whole is None:
        assert parts == []
        return
    assert whole.low <= whole.high
    assert max(part.low for part in parts) <= whole.low <= sum(part.low for part in parts)
    assert max(part.high for part in parts) <= whole.high <= sum(part.high for part in parts)


SCANS = st.lists(
    st.tuples(st.floats(0, 200), st.sampled_from([PICKED, HUB, CITY, OUT, SIGNED, BACK])), max_size=5
)


@given(
    platform=st.sampled_from(sorted(profiles())),
    scans=SCANS,
    seen=st.floats(1, 500),
    amount=st.none() | AMOUNTS,
    shipped=st.none() | st.floats(0, 100),
)
def test_a_verdict_costs_what_its_findings_cost(
    platform: str, scans: list[Scan], seen: float, amount: Decimal | None, shipped: float | None
) -> None:
    verdict = judged(parcel(*scans, seen=seen, platform=platform, amount=amount, shipped_at=shipped))
    parts = [each.risk for each in verdict.findings if each.risk is not None]
    assert (verdict.risk is None) == (not parts)
    if verdict.risk is not None:
        assert max(part.low for part in parts) <= verdict.risk.low <= sum(part.low for part in parts)
        assert max(part.high for part in parts) <= verdict.risk.high <= sum(part.high for part in parts)


@given(hours=st.floats(36.1, 47.9), amount=AMOUNTS)
def test_a_warning_costs_what_its_breach_would(hours: float, amount: Decimal) -> None:
    early, late = (
        judged(parcel(seen=seen, platform="pinduoduo", amount=amount, shipped_at=None))
        for seen in (hours, 48.1)
    )
    told = [
        next(each for each in verdict.findings if each.rule == "late_shipment") for verdict in (early, late)
    ]
    assert [each.stage for each in told] == [Stage.WARNING, Stage.BREACH]
    assert told[0].risk == told[1].risk is not None
