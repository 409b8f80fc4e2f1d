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
        "limit_hours": 48.0,
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


def told(*rows: dict[str, Any], agents: int = 1, days: int = 10) -> Numbers:
    return numbers(
        frame(*rows), CARRIERS, since=T0, as_of=T0 + timedelta(days=days), zone=SHANGHAI, agents=agents
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


def test_money_of_rules_and_of_whole_parcels() -> None:
    """Two rules of one parcel: at least the dearer, at most both."""
    found = told(
        crossing(0, "breach", 48, risk=(500, 5000)),
        crossing(0, "breach", 48, rule="stall", risk=(700, 10000)),
        crossing(1, "breach", 48, risk=(500, 500)),
        crossing(2, "warning", 36, 40, risk=(900, 1000)),
        crossing(2, "warning", 36, 40, rule="unpriced"),
    )
    assert found.at_risk == (700 + 500, 5000 + 10000 + 500)
    assert found.avoided == (900, 1000)
    by_rule = {each.rule: each.at_risk for each in found.cards}
    assert by_rule == {"late": (1000, 5500), "stall": (700, 10000), "unpriced": None}


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
    good = many(40, 5, step=1, ahead=24) + [
        e for e in many(40, 2, step=2, ahead=8) if e["stage"] == "warning"
    ]
    assert card(*good).suggested is None, "the first step already is the one"
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
    assert (found.findings, found.alerts, found.cards, found.at_risk) == (0, 0, (), None)
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
