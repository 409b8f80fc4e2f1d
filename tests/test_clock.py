"""The clock and its witnesses (promise 5: no alarm from a jump of the clock)."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest

from monitor.clock import Clock, wall
from tests.simulated import DAY, HOUR, MINUTE, T0

SECOND = timedelta(seconds=1)


class Machine:
    """A machine whose wall clock can be set by hand, and the truth beside it."""

    def __init__(self, wrong: timedelta = timedelta(0)) -> None:
        self.truth = T0
        self.wrong = wrong
        self.clock = Clock(lambda: self.truth + self.wrong, lambda: (self.truth - T0).total_seconds())

    def passes(self, length: timedelta) -> Machine:
        self.truth += length
        return self

    def jumps(self, length: timedelta) -> Machine:
        self.wrong += length
        return self

    def hears(self, name: str, lies: timedelta = timedelta(0)) -> Machine:
        """An answer with a `Date`."""
        self.clock.witness(name, format_datetime(self.truth + lies, usegmt=True))
        return self

    @property
    def off(self) -> timedelta:
        """How far the time told is from the truth."""
        return self.clock.now() - self.truth


def test_without_a_witness_the_machine_is_believed() -> None:
    assert Machine().off == timedelta(0)
    assert Machine(2 * DAY).off == 2 * DAY
    assert Machine().clock.offset == timedelta(0)


@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY, 6 * MINUTE, -6 * MINUTE], ids=str)
@pytest.mark.parametrize("names", [["k100"], ["k100", "ops"]], ids=["one witness", "two witnesses"])
def test_a_jump_moves_nobody_who_has_witnesses(jump: timedelta, names: list[str]) -> None:
    machine = Machine()
    for name in names:
        machine.hears(name)
    machine.passes(HOUR).jumps(jump)
    assert machine.off == timedelta(0)
    assert machine.clock.offset == jump
    assert machine.passes(3 * HOUR).off == timedelta(0), "the witness's time goes on"
    assert machine.jumps(-jump).off == timedelta(0), "and the machine is believed again when it is right"


def test_a_jump_costs_no_part_of_a_second() -> None:
    """A provider's pause of a second would otherwise seem over while it is not."""
    machine = Machine().passes(0.7 * SECOND).hears("k100")
    assert machine.off == timedelta(0)
    assert machine.passes(HOUR).jumps(2 * DAY).off == timedelta(0)


@pytest.mark.parametrize("wrong", [2 * DAY, -2 * DAY], ids=str)
def test_a_machine_that_starts_wrong_is_corrected_by_two_witnesses(wrong: timedelta) -> None:
    assert Machine(wrong).hears("k100").hears("ops").off == timedelta(0)


def test_a_machine_that_starts_ahead_is_corrected_by_one() -> None:
    assert Machine(2 * DAY).hears("k100").off == timedelta(0)


def test_a_lone_liar_cannot_put_our_clock_forward() -> None:
    """Two days ahead would prove two days of silence."""
    assert Machine().hears("k100", lies=2 * DAY).off == timedelta(0)


def test_a_lone_liar_that_is_late_only_delays() -> None:
    assert Machine().hears("k100", lies=-2 * DAY).off == -2 * DAY


@pytest.mark.parametrize("lies", [2 * DAY, -2 * DAY], ids=str)
def test_one_liar_among_witnesses_moves_nobody(lies: timedelta) -> None:
    machine = Machine().hears("k100").hears("ops", lies=lies)
    assert machine.off == timedelta(0)
    assert machine.hears("ops", lies=lies).passes(HOUR).off == timedelta(0)


def test_only_somebody_outside_confirms_the_machine() -> None:
    assert not Machine().clock.confirmed, "nobody was heard yet"
    assert Machine().hears("k100").clock.confirmed
    assert not Machine(400 * DAY).hears("k100").clock.confirmed, "what he says is something else"
    assert not Machine().hears("k100").passes(HOUR).jumps(400 * DAY).clock.confirmed
    assert Machine().hears("k100").passes(400 * DAY).clock.confirmed, "his word goes on with the steady clock"


def test_small_differences_are_nobodys_lie() -> None:
    machine = Machine(4 * MINUTE).hears("k100").hears("ops", lies=-50 * SECOND)
    assert machine.off == 4 * MINUTE


def test_the_last_word_of_a_witness_counts() -> None:
    machine = Machine().hears("k100", lies=-2 * DAY).hears("k100")
    assert machine.off == timedelta(0)


def test_a_date_is_read_in_its_own_zone() -> None:
    machine = Machine(2 * DAY)
    machine.clock.witness("k100", "Tue, 10 Nov 2026 10:00:00 +0800")
    assert machine.off == timedelta(0)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Tue, 10 Nov 2026",
        "Tue, 99 Nov 2026 02:00:00 GMT",
        "Tue, 10 Nov 2020 02:00:00",
        "\0" * 99,
    ],
)
def test_nonsense_is_no_witness(date: str) -> None:
    machine = Machine()
    machine.clock.witness("k100", date)
    assert machine.off == timedelta(0)
    assert machine.clock.offset == timedelta(0)


def test_the_wall_is_in_utc() -> None:
    assert wall().utcoffset() == timedelta(0)
    assert isinstance(Clock().now(), datetime)


def test_a_lone_liar_years_behind_does_not_blind_us_for_ever() -> None:
    """Held back by it nothing comes due, so nobody is asked and nobody could put it right."""
    machine = Machine().hears("k100", lies=-700 * DAY)
    assert machine.off == -700 * DAY
    assert machine.passes(11 * MINUTE).off == timedelta(0)
    assert machine.hears("k100", lies=-700 * DAY).off == -700 * DAY, (
        "what it answers proves no more than it says"
    )
