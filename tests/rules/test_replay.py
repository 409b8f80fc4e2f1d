"""Replays of histories made by hand: every stage that was crossed, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.orders import OrderStatus
from domain.time import RESOLUTION
from rules.replay import Crossing, Heard, replay, stretches
from tests.simulated import HUB, LOST, OUT, PICKED, SIGNED, Scan, at, book, order, scan

BOOK = book()
"""late_pickup: 24 h from the payment at -2, warnings 6 h and 2 h before; late_shipment: 48 h, warning 12 h before;
transit_stagnation: 48 h, warnings 24 h and 8 h before; slow: 60 h to the signature, warning 12 h before; lost."""

Row = tuple[str, str, int, float, float, float | None, str]
"""Rule, stage, step; started, crossed and ended in hours; how it ended."""


@dataclass(frozen=True)
class History:
    """An order, what was scanned, what was learned late, and until when it is replayed."""

    scans: Sequence[Scan] = ()
    late: Sequence[tuple[Scan, float]] = ()
    """Scans with the hour at which they were learned."""
    order: dict[str, Any] = field(default_factory=dict)
    said: float | None = None
    """The hour at which the order's status was said."""
    until: float = 200


def rows(history: History, *rules: str) -> list[Row]:
    """The crossings of these rules."""
    told = [Heard(scan(*each), at(each[0])) for each in history.scans]
    told += [Heard(scan(*each), at(learned)) for each, learned in history.late]
    order_ = order("1", **history.order)
    said = {order_.order_no: at(history.said)} if history.said is not None else {}
    return [
        row(each)
        for each in replay([order_], told, BOOK, at(history.until), said_at=said)
        if each.rule in rules
    ]


def row(each: Crossing) -> Row:
    return (
        *(each.rule, each.stage.value, each.step, hours(each.started_at), hours(each.crossed_at)),
        None if each.ended_at is None else hours(each.ended_at),
        each.ended_by.value,
    )


def hours(moment: datetime) -> float:
    return (moment - at(0)) / timedelta(hours=1)


EDGE = RESOLUTION / timedelta(hours=1)
PICKED_EARLY: Sequence[Scan] = ((0, PICKED),)
GONE = {"status": OrderStatus.CLOSED}


@pytest.mark.parametrize(
    ("history", "rules", "expected"),
    [
        pytest.param(History([(16, PICKED)]), ["late_pickup"], [], id="picked up on the dot of the first warning"),
        pytest.param(
            History([(16 + EDGE, PICKED)]),
            ["late_pickup"],
            [("late_pickup", "warning", 1, -2, 16, 16 + EDGE, "cleared")],
            id="a millisecond later",
        ),
        pytest.param(
            History([(22, PICKED)]),
            ["late_pickup"],
            [
                ("late_pickup", "warning", 1, -2, 16, 22, "cleared"),
                ("late_pickup", "warning", 2, -2, 20, 22, "cleared"),
            ],
            id="picked up on the dot of the limit",
        ),
        pytest.param(
            History(until=30),
            ["late_pickup"],
            [
                ("late_pickup", "warning", 1, -2, 16, None, "open"),
                ("late_pickup", "warning", 2, -2, 20, None, "open"),
                ("late_pickup", "breach", 3, -2, 22, None, "open"),
            ],
            id="never picked up",
        ),
        pytest.param(History(until=22), ["late_pickup"], [
            ("late_pickup", "warning", 1, -2, 16, None, "open"),
            ("late_pickup", "warning", 2, -2, 20, None, "open"),
        ], id="replayed to the dot of the limit"),
        pytest.param(
            History([*PICKED_EARLY, (30, HUB), (60, HUB), (70, OUT)]),
            ["transit_stagnation"],
            [
                ("transit_stagnation", "warning", 1, 0, 24, 30, "cleared"),
                ("transit_stagnation", "warning", 1, 30, 54, 60, "cleared"),
            ],
            id="every silence is a wait of its own",
        ),
        pytest.param(
            History([*PICKED_EARLY, (1, HUB), (50, SIGNED)]),
            ["transit_stagnation", "slow"],
            [
                ("slow", "warning", 1, -2, 46, 50, "cleared"),
                ("transit_stagnation", "warning", 1, 1, 25, 50, "cleared"),
                ("transit_stagnation", "warning", 2, 1, 41, 50, "cleared"),
                ("transit_stagnation", "breach", 3, 1, 49, 50, "cleared"),
            ],
            id="a signature ends all",
        ),
        pytest.param(
            History(PICKED_EARLY, order={"shipped": 40}),
            ["late_shipment"],
            [],
            id="what was picked up was shipped, whatever the shop says later",
        ),
        pytest.param(
            History([(60, PICKED)], order={"shipped": 40}),
            ["late_shipment"],
            [("late_shipment", "warning", 1, -2, 34, 40, "cleared")],
            id="that it was shipped is not known before it was",
        ),
        pytest.param(
            History([*PICKED_EARLY, (2, HUB), (5, LOST), (90, SIGNED)]),
            ["lost"],
            [("lost", "breach", 1, 5, 5, 90, "cleared")],
            id="trouble stands until the signature",
        ),
        pytest.param(
            History(late=[((15, PICKED), 18)]),
            ["late_pickup"],
            [("late_pickup", "warning", 1, -2, 16, 15, "retracted")],
            id="a scan learned late takes a warning back",
        ),
        pytest.param(
            History(late=[((17, PICKED), 23)]),
            ["late_pickup"],
            [
                ("late_pickup", "warning", 1, -2, 16, 17, "retracted"),
                ("late_pickup", "warning", 2, -2, 20, 17, "retracted"),
                ("late_pickup", "breach", 3, -2, 22, 17, "retracted"),
            ],
            id="and a breach that never was one",
        ),
        pytest.param(History(order=GONE), ["late_pickup", "slow"], [], id="closed from the outset"),
        pytest.param(
            History(order=GONE, said=18),
            ["late_pickup"],
            [("late_pickup", "warning", 1, -2, 16, 18, "expired")],
            id="closed while people wait",
        ),
        pytest.param(
            History(order={"status": OrderStatus.FINISHED}, until=18),
            ["late_pickup"],
            [("late_pickup", "warning", 1, -2, 16, 18, "expired")],
            id="a finished order is finished at the end",
        ),
        pytest.param(
            History([(21, PICKED)], order={"status": OrderStatus.REFUNDED}),
            ["late_pickup"],
            [],
            id="refunded before the pickup",
        ),
        pytest.param(History([(30, PICKED)], until=10), ["late_pickup"], [], id="the future is not known"),
        pytest.param(History(order={"paid": None}), ["late_pickup", "slow"], [], id="no payment, no clock"),
    ],
)  # fmt: skip
def test_the_stages_a_history_crossed(history: History, rules: list[str], expected: list[Row]) -> None:
    assert sorted(rows(history, *rules)) == sorted(expected)


def test_the_order_of_the_scans_does_not_matter() -> None:
    told = [scan(0, PICKED), scan(30, HUB), scan(95, OUT), scan(99, SIGNED)]
    there, back = (replay([order("1")], each, BOOK, at(120)) for each in (told, told[::-1]))
    assert there == back
    assert there


def test_a_scan_that_was_withdrawn_is_forgotten_when_it_was() -> None:
    """The parcel was not picked up after all: its silence never began, the wait for the pickup did not end."""
    wrong = Heard(scan(1, PICKED), at(1), withdrawn_at=at(30))
    found = {(each.rule, each.step): row(each)[5:] for each in replay([order("1")], [wrong], BOOK, at(40))}
    assert found["transit_stagnation", 1] == (30, "retracted")
    assert found["late_pickup", 3] == (None, "open")


def test_between_two_pieces_of_news_nothing_changes() -> None:
    """The stretches follow each other without a gap, from the first news to the end."""
    told = [scan(0, PICKED), scan(30, HUB), scan(30, OUT)]
    known = [*stretches([order("1", paid=-2, shipped=5)], told, at(99))]
    assert [hours(each.since) for each in known] == [-2, 0, 5, 30]
    assert [hours(each.until) for each in known] == [0, 5, 30, 99]
    assert [each.case.journey.events for each in known] == [0, 1, 1, 3]
    assert [each.case.order.shipped_at for each in known] == [None, None, at(5), at(5)]


def test_what_is_not_told_has_no_history() -> None:
    assert replay([], [], BOOK, at(0)) == ()
