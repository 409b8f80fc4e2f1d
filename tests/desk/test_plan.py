"""What a judgement means for the ticket and the groups (features C6, G8): who speaks, who is silent, when it is over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.findings import Ending, Finding, FindingState, Stage
from domain.journey import Journey
from domain.orders import Case, Waybill
from monitor.desk.plan import Relief, relief, tellings
from rules.changes import Changes
from tests.simulated import T0, at, order

CLEARED, RETRACTED, EXPIRED = FindingState.CLEARED, FindingState.RETRACTED, FindingState.EXPIRED
CASE = Case(Waybill("zhongtong", "Z1"), (order("1"),), Journey(last_text="【武汉】派件中"))


def finding(rule: str, severity: int, step: int = 1, *, notify: bool = True) -> Finding:
    length = timedelta(hours=48)
    return Finding(rule, Stage.BREACH, T0, at(48), "p", at(48), length, step, severity, notify)


STALLED, SLOW, LOST = finding("stalled", 70), finding("slow", 15), finding("lost", 100)


@pytest.mark.parametrize(
    ("standing", "told", "spoken", "silent"),
    [
        pytest.param([STALLED], {}, {"stalled": ()}, {}, id="a new finding"),
        pytest.param([STALLED], {"stalled": 1}, {}, {}, id="told already"),
        pytest.param([finding("stalled", 70, 2)], {"stalled": 1}, {"stalled": ()}, {}, id="a further step"),
        pytest.param(
            [SLOW, STALLED],
            {},
            {"stalled": ("slow",)},
            {"slow": "stalled"},
            id="the worse speaks for the lesser",
        ),
        pytest.param(
            [SLOW, STALLED, LOST],
            {},
            {"lost": ("slow", "stalled")},
            {"slow": "lost", "stalled": "lost"},
            id="the worst for all",
        ),
        pytest.param(
            [SLOW, STALLED], {"stalled": 1}, {}, {"slow": "stalled"}, id="still silent under what was told"
        ),
        pytest.param([SLOW], {}, {"slow": ()}, {}, id="nothing worse stands any more"),
        pytest.param(
            [SLOW, finding("kpi", 99, notify=False)],
            {},
            {"slow": ()},
            {},
            id="what is told to nobody silences nobody",
        ),
    ],
)
def test_who_speaks(
    standing: list[Finding], told: dict[str, int], spoken: dict[str, tuple[str, ...]], silent: dict[str, str]
) -> None:
    found = tellings(Changes(opened=tuple(standing)), told)
    assert {each.finding.rule: tuple(o.rule for o in each.others) for each in found if each.spoken} == spoken
    assert {each.finding.rule: each.silenced_by for each in found if each.silenced_by} == silent


def ended(*endings: tuple[FindingState, float, str]) -> tuple[tuple[Finding, Ending], ...]:
    return tuple((STALLED, Ending(state, at(hour), by)) for state, hour, by in endings)


@pytest.mark.parametrize(
    ("changes", "over"),
    [
        pytest.param(Changes(), None, id="nothing happened"),
        pytest.param(Changes(opened=(SLOW,), ended=ended((CLEARED, 1, "揽收"))), None, id="something stands"),
        pytest.param(
            Changes(kept=(finding("kpi", 9, notify=False),), ended=ended((CLEARED, 1, "揽收"))),
            Relief("包裹已有新进展（揽收）", CLEARED),
            id="what stands is told to nobody",
        ),
        pytest.param(Changes(ended=ended((CLEARED, 1, "揽收"))), Relief("包裹已有新进展（揽收）", CLEARED), id="it moved"),
        pytest.param(
            Changes(ended=ended((CLEARED, 1, ""))), Relief("包裹已有新进展：【武汉】派件中", CLEARED), id="in the carrier's words"
        ),
        pytest.param(Changes(ended=ended((RETRACTED, 1, "补传"))), Relief("补传", RETRACTED), id="it never was true"),
        pytest.param(Changes(ended=ended((EXPIRED, 1, "订单已关闭"))), Relief("订单已关闭", EXPIRED), id="nobody waits"),
        pytest.param(
            Changes(ended=ended((RETRACTED, 1, "补传"), (CLEARED, 2, "签收"))),
            Relief("包裹已有新进展（签收）", CLEARED),
            id="one never was true, the other was: the last one says how",
        ),
        pytest.param(
            Changes(ended=ended((CLEARED, 1, "揽收"), (EXPIRED, 2, "订单已关闭"))), Relief("订单已关闭", EXPIRED), id="the last"
        ),
    ],
)  # fmt: skip
def test_when_a_ticket_resolves_by_itself(changes: Changes, over: Relief | None) -> None:
    assert relief(CASE, changes) == over
