"""A clock's time line: where its start, warnings, limit, scans and now stand, and how far it is proven (L1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.findings import ClockReading, Stage, Step
from domain.history import Stored
from domain.time import SHANGHAI
from monitor.web.timeline import Standing, TimeLine, draw, order, standing
from tests.simulated import HUB, PICKED, T0, at, scan

LIMIT = timedelta(hours=48)


def a_clock(
    start: float = 0, limit: float = 48, warn: tuple[float, ...] = (24, 8), **more: object
) -> ClockReading:
    steps = [Step(Stage.WARNING, at(start + limit - ahead), timedelta(hours=ahead)) for ahead in warn]
    steps.append(Step(Stage.BREACH, at(start + limit), timedelta(0)))
    whole = ClockReading(
        "transit_stagnation",
        "taobao_tmall.transit_stagnation",
        started_at=at(start),
        started_by="最后一次扫描",
        waits_for="派件中",
        limit=timedelta(hours=limit),
        deadline=at(start + limit),
        steps=tuple(steps),
    )
    return replace(whole, **more)  # type: ignore[arg-type]


def drawn(
    reading: ClockReading, seen: float | None, now: float, *scans: Stored, zone: ZoneInfo = SHANGHAI
) -> TimeLine:
    line = draw(reading, scans, None if seen is None else at(seen), at(now), zone)
    assert line is not None
    return line


def places(line: TimeLine, kind: str) -> list[float]:
    return [mark.x for mark in line.marks if mark.kind == kind]


@pytest.mark.parametrize(
    ("seen", "now", "expected"),
    [
        pytest.param(10, 10, Standing.FINE, id="an hour before the first warning"),
        pytest.param(24, 24, Standing.FINE, id="on the dot of the warning"),
        pytest.param(24.1, 24.1, Standing.WARNING, id="past the warning"),
        pytest.param(10, 30, Standing.FINE, id="past the warning, but not looked since"),
        pytest.param(48, 48, Standing.WARNING, id="on the dot of the limit"),
        pytest.param(48.1, 48.1, Standing.BREACH, id="past the limit, proven"),
        pytest.param(30, 60, Standing.UNPROVEN, id="past the limit, nobody looked: not in breach"),
        pytest.param(None, 60, Standing.UNPROVEN, id="nobody ever looked"),
        pytest.param(70, 60, Standing.BREACH, id="a look of the future proves up to now"),
    ],
)
def test_how_a_running_clock_stands(seen: float | None, now: float, expected: Standing) -> None:
    assert standing(a_clock(), None if seen is None else at(seen), at(now)) is expected
    assert drawn(a_clock(), seen, now).standing is expected


def test_how_an_ended_clock_stands() -> None:
    assert drawn(a_clock(ended_at=at(40)), 60, 60).standing is Standing.DONE
    assert drawn(a_clock(ended_at=at(48)), 60, 60).standing is Standing.DONE
    assert drawn(a_clock(ended_at=at(50)), 60, 60).standing is Standing.LATE


def test_a_clock_that_nothing_started_has_no_line() -> None:
    asleep = ClockReading("late_pickup", "generic_cn.late_pickup", asleep="尚未开始：还没有「付款」")
    assert draw(asleep, [], at(1), at(2), SHANGHAI) is None
    assert standing(asleep, at(1), at(2)) is Standing.ASLEEP


def test_solid_up_to_the_last_look_and_open_from_there_to_now() -> None:
    line = drawn(a_clock(), 36, 40)
    assert [bar.kind for bar in line.bars] == ["proven", "unproven"]
    proven, unproven = line.bars
    assert (proven.x, proven.width) == (0, places(line, "proven")[0])
    assert unproven.x + unproven.width == pytest.approx(places(line, "now")[0], abs=0.02)
    assert line.proven == at(36)


def test_past_the_limit_only_what_was_seen_counts_as_over() -> None:
    line = drawn(a_clock(), 54, 60)
    assert [bar.kind for bar in line.bars] == ["proven", "over", "unproven"]
    limit = places(line, "limit")[0]
    assert line.bars[1].x == limit
    assert line.over == timedelta(hours=6)
    assert drawn(a_clock(ended_at=at(50)), 60, 60).over == timedelta(hours=2)
    assert drawn(a_clock(), 40, 60).over == timedelta(0)
    assert drawn(a_clock(), 40, 60).bars[-1].kind == "unproven"
    assert "over" not in {bar.kind for bar in drawn(a_clock(), 40, 60).bars}


def test_nobody_looked_yet() -> None:
    line = drawn(a_clock(), None, 10)
    assert [bar.kind for bar in line.bars] == ["unproven"]
    assert not places(line, "proven")
    assert line.proven is None


def test_marks_stand_in_proportion() -> None:
    line = drawn(a_clock(), 12, 12)
    first, second = places(line, "warning")
    limit = places(line, "limit")[0]
    assert first / limit == pytest.approx(24 / 48, abs=0.001)
    assert second / limit == pytest.approx(40 / 48, abs=0.001)
    assert places(line, "now")[0] / limit == pytest.approx(12 / 48, abs=0.001)
    assert limit < 90, "there is room behind it for its word"


def test_an_ended_clock_has_its_end_and_no_now() -> None:
    line = drawn(a_clock(ended_at=at(20), ended_by="派件中"), 30, 30)
    assert len(places(line, "end")) == 1
    assert not places(line, "now")
    assert [bar.kind for bar in line.bars] == ["proven"]


def test_scans_within_the_line_are_marked_and_withdrawn_ones_told_apart() -> None:
    kept = Stored(scan(10, HUB), 0, at(11))
    taken_back = Stored(scan(20, HUB), 0, at(21), withdrawn_at=at(30))
    before = Stored(scan(-5, PICKED), 0, at(-4))
    line = drawn(a_clock(), 36, 36, taken_back, kept, before)
    assert [mark.kind for mark in line.marks[:2]] == ["scan", "withdrawn"]
    assert len([mark for mark in line.marks if mark.kind in ("scan", "withdrawn")]) == 2


def test_of_very_many_scans_the_newest_are_drawn() -> None:
    many = [Stored(scan(n / 100, HUB), 0, at(50)) for n in range(4000)]
    line = drawn(a_clock(), 40, 40, *many)
    assert len(places(line, "scan")) == 60
    assert max(mark.at for mark in line.marks if mark.kind == "scan") == at(39.99)


def test_exempt_time_is_told() -> None:
    assert drawn(a_clock(), 1, 1).paused == timedelta(0)
    later = a_clock(deadline=at(72), limit=48)
    steps = (*later.steps[:-1], replace(later.steps[-1], at=at(72)))
    assert drawn(replace(later, steps=steps), 1, 1).paused == timedelta(hours=24)


@pytest.mark.parametrize(
    ("now", "anchors"),
    [
        pytest.param(12, ("middle", "middle"), id="far apart"),
        pytest.param(46, ("end", "start"), id="now close before the limit: turned away from each other"),
        pytest.param(50, ("end", "start"), id="now close behind it"),
        pytest.param(0.1, ("start", "middle"), id="now at the left edge"),
    ],
)
def test_words_do_not_run_into_each_other(now: float, anchors: tuple[str, str]) -> None:
    left, right = drawn(a_clock(), now, now).labels
    assert (left.anchor, right.anchor) == anchors
    assert {left.text, right.text} == {"limit", "now"}


@pytest.mark.parametrize("limit", [0.01, 0.5, 5, 24, 48, 120, 240, 2000, 30_000])
def test_ticks_are_few_and_round(limit: float) -> None:
    ticks = drawn(a_clock(limit=limit, warn=()), 0, 0).ticks
    assert 1 <= len(ticks) <= 7
    assert all(left.x < right.x for left, right in pairwise(ticks))


def test_ticks_speak_the_time_of_the_zone() -> None:
    assert [tick.text for tick in drawn(a_clock(limit=48, warn=()), 0, 0).ticks] == [
        "12:00", "11-11", "12:00", "11-12", "12:00",
    ]  # fmt: skip
    berlin = drawn(a_clock(limit=48, warn=()), 0, 0, zone=ZoneInfo("Europe/Berlin")).ticks
    assert berlin[0].x != drawn(a_clock(limit=48, warn=()), 0, 0).ticks[0].x


@given(
    start=st.floats(-1000, 1000),
    limit=st.floats(0.01, 5000),
    seen=st.none() | st.floats(-2000, 6000),
    now=st.floats(-2000, 6000),
    ended=st.none() | st.floats(0, 5000),
)
def test_everything_stays_on_the_line(
    start: float, limit: float, seen: float | None, now: float, ended: float | None
) -> None:
    reading = a_clock(start, limit, (), ended_at=None if ended is None else at(start + ended))
    line = drawn(reading, seen, now)
    assert all(0 <= mark.x <= 100 for mark in line.marks)
    assert all(bar.x >= 0 and bar.width > 0 and bar.x + bar.width <= 100.02 for bar in line.bars)
    assert all(one.x + one.width == pytest.approx(other.x, abs=0.03) for one, other in pairwise(line.bars))
    assert line.proven is None or line.proven <= max(at(now), at(start))


def test_the_most_urgent_first() -> None:
    broken = drawn(a_clock(-60), 0, 0)
    soon = drawn(a_clock(-30), 0, 0)
    later = drawn(a_clock(-10), 0, 0)
    ended = drawn(a_clock(-100, ended_at=T0), 0, 0)
    assert order([ended, later, broken, soon]) == [broken, soon, later, ended]
