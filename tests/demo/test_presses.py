"""The buttons of the demo: what each causes, that it ends, and that the same presses make the same show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from monitor.demo.causes import BURST, JAM, OUTAGE, OUTAGES, Cause, Causes
from monitor.demo.faults import Fault, Switchboard
from monitor.demo.pace import FASTEST, SLOWEST, SimulatedTime
from monitor.demo.world import World

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def causes() -> Causes:
    world = World(7, START, per_day=180, backlog=timedelta(days=4))
    return Causes(world, Switchboard(), Switchboard(), ("紧急群", "淘系群"))


def test_a_jam_closes_the_busiest_open_hub_and_ends_by_itself(causes: Causes) -> None:
    first = causes.press(Cause.JAM, START)
    assert first is not None
    assert (first.count > 3, first.until) == (True, START + JAM)
    second = causes.press(Cause.JAM, START + HOUR)
    assert second is not None
    assert (second.carrier, second.city) != (first.carrier, first.city)
    assert causes.standing(START + 2 * HOUR) == (second, first)
    assert causes.standing(START + JAM) == (second,)


@pytest.mark.parametrize("fault", OUTAGES)
def test_an_outage_ends_by_itself(causes: Causes, fault: Fault) -> None:
    causes.press(Cause.OUTAGE, START, fault)
    assert causes.provider.mode is fault
    causes.settle(START + OUTAGE - timedelta(seconds=1))
    assert causes.provider.mode is fault
    causes.settle(START + OUTAGE)
    assert causes.provider.mode is Fault.OK


def test_another_way_of_failing_replaces_the_first(causes: Causes) -> None:
    causes.press(Cause.OUTAGE, START)
    causes.press(Cause.OUTAGE, START + HOUR, Fault.HANG)
    assert causes.provider.mode is Fault.HANG
    assert [each.fault for each in causes.standing(START + HOUR)] == [Fault.HANG]


def test_a_fault_that_is_no_outage_is_refused(causes: Causes) -> None:
    with pytest.raises(ValueError, match="does not fail here with garbage"):
        causes.press(Cause.OUTAGE, START, Fault.GARBAGE)
    assert causes.provider.mode is Fault.OK


def test_one_robot_is_muted_and_the_others_speak(causes: Causes) -> None:
    causes.press(Cause.MUTE, START)
    assert causes.groups.of("紧急群", "dingtalk") is Fault.MUTED
    assert causes.groups.of("淘系群", "wecom") is Fault.OK
    causes.settle(START + OUTAGE)
    assert causes.groups.of("紧急群", "dingtalk") is Fault.OK


def test_a_burst_brings_orders_and_nothing_that_lasts(causes: Causes) -> None:
    before = len(causes.world.shipped(START, START + 2 * HOUR))
    causes.press(Cause.BURST, START)
    assert len(causes.world.shipped(START, START + 2 * HOUR)) == before + BURST
    assert causes.standing(START) == ()


def test_healing_ends_everything_at_once(causes: Causes) -> None:
    for cause in (Cause.JAM, Cause.OUTAGE, Cause.MUTE):
        causes.press(cause, START)
    healed = causes.press(Cause.HEAL, START + HOUR)
    assert healed is not None
    assert healed.count == 3
    assert causes.standing(START + HOUR) == ()
    assert causes.provider.mode is Fault.OK
    assert causes.groups.only == {}
    assert all(jam.until == START + HOUR for jam in causes.world.caused)


def test_where_nothing_is_wrong_there_is_nothing_to_heal(causes: Causes) -> None:
    assert causes.press(Cause.HEAL, START) is None
    assert causes.pressed == []


def test_the_same_presses_make_the_same_show() -> None:
    def played() -> tuple[list, list]:
        world = World(7, START, per_day=180, backlog=timedelta(days=4))
        causes = Causes(world, Switchboard(), Switchboard(), ("a",))
        for n, cause in enumerate((Cause.JAM, Cause.BURST, Cause.OUTAGE, Cause.JAM, Cause.HEAL)):
            causes.press(cause, START + n * 3 * HOUR)
        scans = [world.parcel(index).scans for index in range(900)]
        return causes.pressed, scans

    assert played() == played()


def test_only_the_newest_presses_are_remembered(causes: Causes) -> None:
    for n in range(40):
        causes.press(Cause.BURST, START + n * HOUR)
    assert [each.at for each in causes.pressed] == [START + n * HOUR for n in range(20, 40)]


@pytest.fixture
def ticking() -> tuple[SimulatedTime, Callable[[float], None]]:
    """A simulated time, and how to let real seconds go by."""
    real = [0.0]

    def go(seconds: float) -> None:
        real[0] += seconds

    return SimulatedTime(START, 60, steady=lambda: real[0]), go


def test_time_runs_at_its_speed_and_can_be_made_faster(ticking) -> None:
    now, go = ticking
    go(60)
    assert now() == START + HOUR
    now.change(3600)
    assert now() == START + HOUR
    go(2)
    assert now() == START + 3 * HOUR


@pytest.mark.parametrize(("wanted", "is_"), [(0, SLOWEST), (-5, SLOWEST), (10**9, FASTEST), (600, 600)])
def test_a_speed_out_of_bounds_is_brought_back(ticking, wanted: float, is_: float) -> None:
    now, _ = ticking
    now.change(wanted)
    assert now.speed == is_
