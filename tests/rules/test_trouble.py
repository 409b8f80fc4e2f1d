"""Trouble the carrier itself reports: true as soon as it is read, closed by the rules of facts §9."""

from __future__ import annotations

import pytest

from domain.tracking import ExceptionKind
from rules.policy import PolicySpec
from tests.rules.scenes import (
    BACK,
    BACK_HOME,
    CANCELLED,
    FAILED,
    HUB,
    OUT,
    PICKED,
    SIGNED,
    STORED,
    TRANSIT,
    Scan,
    at,
    book,
    change,
    finding,
    judged,
    parcel,
    remark,
    rules_of,
    spec,
    stage,
)

K = ExceptionKind
RULES = [
    ("lost", K.LOST, 100),
    ("damaged", K.DAMAGED, 95),
    ("damaged", K.SHORT_CONTENT, 95),
    ("refused", K.REFUSED, 90),
    ("intercepted", K.INTERCEPTED, 80),
    ("pickup_failed", K.PICKUP_FAILED, 60),
    ("customs_exception", K.CUSTOMS_EXCEPTION, 58),
    ("address_error", K.ADDRESS_ERROR, 56),
    ("unreachable", K.CONTACT_FAILURE, 55),
    ("out_of_area", K.OUT_OF_AREA, 54),
    ("held", K.HELD, 32),
    ("held", K.HUB_CONGESTION, 32),
    ("held", K.FORCE_MAJEURE, 32),
    ("forwarded", K.FORWARDED, 25),
]
QUIET = ("held", "forwarded")
LOUD = book(*(spec("全开", held=change(watch=True), forwarded=change(watch=True)),))


@pytest.mark.parametrize("platform", ["taobao_tmall", "pinduoduo", "unknown"])
@pytest.mark.parametrize(("rule", "kind", "severity"), RULES)
def test_reported_trouble_is_a_finding_at_once(
    platform: str, rule: str, kind: ExceptionKind, severity: int
) -> None:
    case = parcel((2, PICKED), (10, remark(kind).but(text="快件异常")), platform=platform, seen=10)
    found = finding(judged(case, by=LOUD), rule)
    assert found is not None
    assert (found.stage, found.step, found.severity) == ("breach", 1, severity)
    assert found.started_at == found.crossed_at == at(10)
    assert (found.deadline, found.limit) == (None, None)
    assert (found.evidence["kind"], found.evidence["text"]) == (kind.value, "快件异常")
    assert found.policy.endswith(f".{rule}")


@pytest.mark.parametrize("rule", QUIET)
def test_what_the_stalls_tell_anyway_is_off_until_somebody_wants_it(rule: str) -> None:
    kind = K.HELD if rule == "held" else K.FORWARDED
    case = parcel((2, PICKED), (10, remark(kind)), seen=11)
    assert (rules_of(judged(case)), rules_of(judged(case, by=LOUD))) == (set(), {rule})


@pytest.mark.parametrize(("rule", "kind"), [(rule, kind) for rule, kind, _ in RULES])
def test_who_closes_it(rule: str, kind: ExceptionKind) -> None:
    """§9: a later scan, or for the grave ones only the end of the journey."""
    grave = kind in (
        K.LOST, K.DAMAGED, K.SHORT_CONTENT, K.REFUSED, K.INTERCEPTED, K.CUSTOMS_EXCEPTION, K.FORWARDED,
    )  # fmt: skip
    told = ((2, PICKED), (10, remark(kind)))
    assert (rule in rules_of(judged(parcel(*told, (12, HUB), seen=20), by=LOUD))) is grave
    kept = kind in (K.DAMAGED, K.SHORT_CONTENT)
    assert (rule in rules_of(judged(parcel(*told, (30, SIGNED), seen=31), by=LOUD))) is kept
    assert rule not in rules_of(judged(parcel(*told, (30, BACK), (50, BACK_HOME), seen=51), by=LOUD))


@pytest.mark.parametrize("end", [(), ((50, BACK_HOME),)])
def test_a_return_is_told_from_its_first_scan(end: tuple[Scan, ...]) -> None:
    verdict = judged(parcel((2, PICKED), (20, OUT), (21, FAILED), (30, BACK), *end, seen=60))
    found = finding(verdict, "returned")
    assert found is not None
    assert (found.started_at, found.evidence["trouble"]) == (at(30), "退回中")


def test_a_cancelled_waybill_is_no_return() -> None:
    assert rules_of(judged(parcel((2, PICKED), (9, CANCELLED), seen=60))) == set()


def test_a_signature_taken_back_by_a_station() -> None:
    verdict = judged(parcel((2, PICKED), (22, SIGNED), (23, STORED), seen=24))
    found = finding(verdict, "signed_then_stored")
    assert found is not None
    assert (found.started_at, found.severity) == (at(23), 62)


def test_of_several_troubles_of_one_rule_the_earliest_speaks() -> None:
    case = parcel((2, PICKED), (12, remark(K.SHORT_CONTENT)), (10, remark(K.DAMAGED)), seen=20)
    found = finding(judged(case), "damaged")
    assert found is not None
    assert (found.started_at, found.evidence["kind"]) == (at(10), "damaged")


def test_the_worst_comes_first() -> None:
    case = parcel((2, PICKED), (10, remark(K.CONTACT_FAILURE, K.REFUSED, K.DAMAGED)), seen=80)
    severities = [found.severity for found in judged(case).findings]
    assert severities == sorted(severities, reverse=True)
    assert [found.rule for found in judged(case).findings][:2] == ["damaged", "refused"]


@pytest.mark.parametrize("switch", ["watch", "notify"])
def test_the_two_switches(switch: str) -> None:
    off = change(watch=False) if switch == "watch" else change(notify=False)
    quiet: PolicySpec = spec(lost=off, transit_stagnation=off)
    verdict = judged(parcel((2, PICKED), (3, remark(K.LOST, on=TRANSIT)), seen=60), by=book(quiet))
    assert stage(verdict, "lost") == ("" if switch == "watch" else "breach")
    assert stage(verdict, "transit_stagnation") == ("" if switch == "watch" else "breach")
    told = {found.rule for found in verdict.findings if found.notify}
    assert not told & {"lost", "transit_stagnation"}
