"""The numbers of a report, on a handful of waits counted by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.time import UTC
from monitor.lab.compare import Card, Numbers, difference, numbers, waits
from monitor.lab.fines import Sum, limits

T0 = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
CARRIERS = pd.Series(["zhongtong", "yuantong", "zhongtong"])


def at(hours: float | None) -> datetime | None:
    return None if hours is None else T0 + timedelta(hours=hours)


def crossing(
    parcel: int,
    stage: str,
    crossed: float,
    ended: float | None = None,
    *,
    by: str = "",
    step: int = 1,
    rule: str = "late",
    started: float = 0,
    risk: tuple[int, int] | None = None,
    notify: bool = True,
    shadow: bool = False,
    limit: float = 48,
    policy: str = "base",
) -> dict[str, Any]:
    low, high = risk or (None, None)
    return {
        "parcel": parcel,
        "rule": rule,
        "stage": stage,
        "step": step,
        "started_at": at(started),
        "crossed_at": at(crossed),
        "ended_at": at(ended),
        "ended_by": by or ("open" if ended is None else "cleared"),
        "limit_hours": float(limit),
        "policy": policy,
        "notify": notify,
        "shadow": shadow,
        "risk_low": low,
        "risk_high": high,
    }


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    columns = list(crossing(0, "warning", 0))
    found = pd.DataFrame(list(rows), columns=columns)
    for name in ("started_at", "crossed_at", "ended_at"):
        found[name] = pd.to_datetime(found[name], utc=True)
    kinds = {"risk_low": "Int64", "risk_high": "Int64", "notify": bool, "shadow": bool}
    return found.astype(kinds | dict.fromkeys(("rule", "stage", "ended_by"), "category"))


def told(
    *rows: dict[str, Any], agents: int = 1, days: int = 10, platform: tuple[dict[str, Any], ...] = ()
) -> Numbers:
    return numbers(
        frame(*rows),
        CARRIERS,
        since=T0,
        as_of=T0 + timedelta(days=days),
        zone=SHANGHAI,
        agents=agents,
        platform=limits(frame(*platform)),
    )


def card(*rows: dict[str, Any]) -> Card:
    [only] = told(*rows).cards
    return only


@pytest.mark.parametrize(
    "rows, outcome",
    [
        ([crossing(0, "warning", 36, 40)], "recovered"),
        ([crossing(0, "warning", 36, 60), crossing(0, "breach", 48, 60, step=2)], "breached"),
        ([crossing(0, "warning", 36), crossing(0, "breach", 48, step=2)], "breached"),
        ([crossing(0, "warning", 36)], "running"),
        ([crossing(0, "warning", 36, 50, by="retracted")], "false"),
        (
            [
                crossing(0, "warning", 36, 47, by="retracted"),
                crossing(0, "breach", 48, 47, by="retracted", step=2),
            ],
            "false",
        ),
        ([crossing(0, "warning", 36, 40, by="expired")], "expired"),
    ],
    ids=[
        "moved in time",
        "moved late",
        "never moved",
        "still ahead",
        "never was so",
        "not even a breach",
        "nobody waits",
    ],
)
def test_how_a_wait_came_out(rows: list[dict[str, Any]], outcome: str) -> None:
    assert waits(frame(*rows))["outcome"].tolist() == [outcome]
    found = card(*rows)
    counts = {name: getattr(found, name) for name in ("breached", "recovered", "false", "expired", "running")}
    assert counts == {name: int(name == outcome) for name in counts}
    assert found.waits == 1


def test_a_wait_that_begins_anew_is_another() -> None:
    found = card(crossing(0, "warning", 36, 40), crossing(0, "warning", 136, started=100))
    assert (found.waits, found.recovered, found.running) == (2, 1, 1)


@pytest.mark.parametrize(
    "warned, late",
    [(40.0, 0), (44.0, 0), (44.1, 1), (None, 1)],
    ids=["eight hours", "four hours on the dot", "a little less", "no warning"],
)
def test_too_late_is_less_than_four_hours_before_the_limit(warned: float | None, late: int) -> None:
    rows = [crossing(0, "breach", 48, 60, step=2)]
    if warned is not None:
        rows.append(crossing(0, "warning", warned, 60))
    found = card(*rows)
    assert (found.too_late, found.moved_late) == (late, 1)
    assert found.lead_hours == pytest.approx(48 - (warned or 48))


def test_of_a_rule_that_tells_nobody_nothing_is_late() -> None:
    quiet = card(crossing(0, "breach", 48, 60, notify=False))
    trial = card(crossing(0, "breach", 48, 60, shadow=True))
    for found in (quiet, trial):
        assert (found.alerts, found.breached, found.too_late, found.lead_hours, found.silent) == (
            0,
            1,
            0,
            None,
            True,
        )
    assert (quiet.shadow, trial.shadow) == (False, True)


def test_alerts_by_day_in_the_zone_and_by_agent() -> None:
    found = told(
        crossing(0, "warning", 15, 17),
        crossing(1, "warning", 17, 18),
        crossing(2, "warning", 17, 18, notify=False),
        agents=2,
        days=1,
    )
    assert found.per_day == {"2026-11-01": 1, "2026-11-02": 1}
    assert (found.findings, found.alerts, found.alerts_per_day, found.alerts_per_agent) == (3, 2, 2.0, 1.0)
    assert found.busiest == ("2026-11-01", 1)
    assert found.carrier == {"yuantong": 1, "zhongtong": 2}
    assert found.rule_stage == {"late": {"warning": 3}}


def test_days_without_an_alert_are_days_too() -> None:
    found = told(crossing(0, "warning", 1, 2), days=10)
    assert len(found.per_day) == 11
    assert sum(found.per_day.values()) == 1
    assert found.alerts_per_day == pytest.approx(0.1)


OWED = (
    crossing(0, "breach", 48, risk=(500, 5000)),
    crossing(0, "breach", 60, rule="stall", risk=(700, 10000)),
    crossing(1, "breach", 48, risk=(500, 500)),
    crossing(1, "breach", 90, started=60, risk=(500, 500)),
    crossing(1, "breach", 20, rule="unpriced"),
    crossing(2, "breach", 48, by="retracted", risk=(900, 900)),
)
"""Under the platforms' own rules: two rules of one parcel, one rule twice, no fine, a limit not broken after all."""


def test_what_the_platform_fines_does_not_depend_on_the_policy() -> None:
    """Two rules of one parcel: at least the dearer, at most both."""
    nothing, strict = told(platform=OWED), told(crossing(0, "breach", 24, risk=(9, 99)), platform=OWED)
    assert nothing.fines.every == strict.fines.every == Sum(3, 700 + 500, 5000 + 10000 + 500)
    assert nothing.fines.in_time == Sum()
    assert told(crossing(0, "breach", 24, risk=(9, 99))).fines.every == Sum()


@pytest.mark.parametrize(
    "row, in_time",
    [
        (crossing(0, "warning", 44), True),
        (crossing(0, "breach", 24), True),
        (crossing(0, "warning", 30, rule="other"), True),
        (crossing(0, "warning", 44.5), False),
        (crossing(0, "warning", 30, notify=False), False),
        (crossing(0, "warning", 30, shadow=True), False),
        (crossing(1, "warning", 30), False),
        (crossing(0, "warning", -9, -2, started=-20, rule="other"), False),
    ],
    ids=[
        "four hours on the dot",
        "the policy's own limit",
        "another rule",
        "too late",
        "told nobody",
        "on trial",
        "another parcel",
        "over before",
    ],
)
def test_which_fines_somebody_was_told_of_in_time(row: dict[str, Any], in_time: bool) -> None:
    fines = told(row, platform=OWED[:1]).fines
    assert (fines.in_time, fines.rest) == ((fines.every, Sum()) if in_time else (Sum(), Sum(1, 500, 5000)))


def test_two_policies_are_measured_against_the_platforms_limit() -> None:
    """Both tell at hour 36 of 48; the stricter one calls that its own limit."""
    usual = told(crossing(0, "warning", 36), crossing(0, "breach", 48, step=2), platform=OWED[:1])
    strict = told(crossing(0, "breach", 36, limit=36), platform=OWED[:1])
    slow = told(crossing(0, "breach", 60, limit=60), platform=OWED[:1])
    assert (usual.lead_hours, strict.lead_hours) == ((12,), (0,))
    assert [each.platform_lead_hours for each in (usual, strict, slow)] == [(12,), (12,), (-12,)]


def test_breaches_that_only_a_record_knows_are_told_apart() -> None:
    found = told(crossing(0, "breach", 48), crossing(1, "breach", 48, notify=False))
    assert (found.cards[0].breached, found.cards[0].breached_told) == (2, 1)


def test_a_step_is_a_real_one_of_its_own_limit() -> None:
    """16 and 4 hours before a limit of 24, and 4 hours before a limit of 12, where 16 would be before the start."""
    rows = [
        crossing(0, "warning", 8, step=1, limit=24),
        crossing(0, "warning", 20, step=2, limit=24),
        crossing(0, "breach", 24, step=3, limit=24),
        crossing(1, "warning", 8, step=1, limit=12, policy="far"),
        crossing(1, "breach", 12, step=2, limit=12, policy="far"),
        crossing(2, "warning", 18, step=1, limit=24, policy="draft"),
        crossing(2, "breach", 24, step=2, limit=24, policy="draft"),
    ]
    steps = [(each.limit_hours, each.hours_before, each.crossed) for each in card(*rows).steps]
    assert steps == [(24, 16, 1), (24, 6, 1), (24, 4, 1), (12, 4, 1)]


def many(breached: int, recovered: int, *, step: int, ahead: float, first: int = 0) -> list[dict[str, Any]]:
    rows = []
    for n in range(first, first + breached + recovered):
        broke = n < first + breached
        rows.append(crossing(n, "warning", 48 - ahead, 60 if broke else 47, step=step))
        if broke:
            rows.append(crossing(n, "breach", 48, 60, step=9))
    return rows


def test_the_next_threshold_is_the_step_after_which_most_breach() -> None:
    """36 crossed the step 8 h ahead, 30 of them breached; of the 120 at 24 h ahead a quarter did."""
    rows = many(30, 90, step=1, ahead=24)
    rows += [each for each in many(30, 6, step=2, ahead=8) if each["stage"] == "warning"]
    found = card(*rows)
    assert [(each.hours_before, each.decided, each.breached) for each in found.steps] == [
        (24, 120, 30),
        (8, 36, 30),
    ]
    assert found.suggested is found.steps[1]
    assert found.enough


def test_nothing_is_suggested_from_too_little_or_where_nothing_would_change() -> None:
    few = many(20, 60, step=1, ahead=24) + [
        e for e in many(20, 3, step=2, ahead=8) if e["stage"] == "warning"
    ]
    assert card(*few).suggested is None
    assert card(*few).advice.startswith("没有建议：没有一步到 80%")
    good = many(40, 5, step=1, ahead=24) + [
        e for e in many(40, 2, step=2, ahead=8) if e["stage"] == "warning"
    ]
    first = card(*good)
    assert first.suggested is first.steps[0]
    assert first.advice == "现在最早的预警（时限 48 小时的提前 24 小时）就是：45 个里 89% 最终超时，不用改晚"
    assert card(*many(20, 6, step=1, ahead=24)).advice.startswith("没有建议：样本太少")
    assert card(crossing(0, "breach", 48)).advice == "没有建议：这段历史里没有一次预警"
    assert not card(*many(20, 9, step=1, ahead=24)).enough


def test_what_only_one_of_two_policies_finds() -> None:
    first = frame(
        crossing(0, "warning", 36),
        crossing(0, "breach", 48, step=2),
        crossing(1, "warning", 36, rule="stall"),
    )
    second = frame(crossing(0, "warning", 30), crossing(2, "warning", 30))
    found = difference(first, second)
    assert (found.both, found.only_first, found.only_second) == (1, 2, 1)
    assert found.by_rule == {
        "late": {"breach": (0, 1, 0), "warning": (1, 0, 1)},
        "stall": {"warning": (0, 1, 0)},
    }


def test_of_nothing_nothing_is_said() -> None:
    found = told()
    assert (found.findings, found.alerts, found.cards, found.fines.every) == (0, 0, (), Sum())
    assert difference(frame(), frame()).by_rule == {}


crossings = st.lists(
    st.builds(
        crossing,
        st.integers(0, 2),
        st.sampled_from(["warning", "breach"]),
        st.integers(1, 100),
        st.none() | st.integers(100, 200),
        rule=st.sampled_from(["late", "stall"]),
        started=st.integers(-3, 0),
        notify=st.booleans(),
        shadow=st.booleans(),
    ),
    max_size=15,
)


@settings(deadline=None)
@given(crossings)
def test_every_wait_has_one_outcome_and_every_alert_one_day(rows: list[dict[str, Any]]) -> None:
    found = told(*rows)
    for each in found.cards:
        assert each.waits == each.breached + each.recovered + each.false + each.expired + each.running
        assert each.too_late <= each.breached
    assert sum(each.waits for each in found.cards) == len(waits(frame(*rows)))
    assert sum(found.per_day.values()) == found.alerts == sum(each.alerts for each in found.cards)
    assert sum(found.carrier.values()) == found.findings


@settings(deadline=None)
@given(crossings, crossings)
def test_a_difference_turned_round_is_the_same_turned_round(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    there, back = difference(frame(*one), frame(*other)), difference(frame(*other), frame(*one))
    assert (there.both, there.only_first, there.only_second) == (back.both, back.only_second, back.only_first)
    assert difference(frame(*one), frame(*one)).only_first == 0
