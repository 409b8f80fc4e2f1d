"""What a visitor may cause: a hub that closes, a provider that fails, a sale night, a mute robot; and their end.

Each is one press. What was pressed when is kept, so that the page can tell it and a test can repeat it; what
lasts a while ends by itself, in simulated time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from monitor.demo.faults import Fault, Switchboard
from monitor.demo.world import World

__all__ = ["BURST", "JAM", "OUTAGE", "OUTAGES", "Cause", "Caused", "Causes"]

JAM: Final = timedelta(hours=36)
"""Longer than any warning step of the simulated shops, so that everybody hears of it."""
OUTAGE: Final = timedelta(hours=8)
BURST: Final = 150
"""Orders of a sale night; an ordinary day has about as many."""
OUTAGES: Final = (Fault.BAD_GATEWAY, Fault.WRONG_SIGNATURE, Fault.HANG)
"""How a provider may fail here: it is down, it refuses our key, it never answers."""
_KEPT: Final = 20


class Cause(StrEnum):
    """The buttons."""

    JAM = "jam"
    OUTAGE = "outage"
    BURST = "burst"
    MUTE = "mute"
    HEAL = "heal"


@dataclass(frozen=True, slots=True)
class Caused:
    """One press, and what came of it."""

    cause: Cause
    at: datetime
    until: datetime | None = None
    """When it ends, or ended; None where nothing lasts."""
    carrier: str = ""
    city: str = ""
    count: int = 0
    """Parcels about to leave the jammed hub; orders of the burst; what was healed."""
    fault: Fault = Fault.OK
    robot: str = ""

    def lasts(self, now: datetime) -> bool:
        """It is still so."""
        return self.until is not None and now < self.until


@dataclass
class Causes:
    """The wires to the world and its peers. Moments are simulated and given by the caller."""

    world: World
    provider: Switchboard
    groups: Switchboard
    robots: Sequence[str]
    """Their names in the groups, the one to be muted first."""
    pressed: list[Caused] = field(default_factory=list)
    """Oldest first; the last twenty."""

    def press(self, cause: Cause, now: datetime, fault: Fault = Fault.BAD_GATEWAY) -> Caused | None:
        """Cause it; None when there is nothing left to cause (no hub is open, nothing is to be healed).

        `fault` is how the provider fails. Raises ValueError for one that is not in `OUTAGES`.
        """
        self.settle(now)
        match cause:
            case Cause.JAM:
                done = self._jam(now)
            case Cause.OUTAGE:
                done = self._outage(now, fault)
            case Cause.BURST:
                done = Caused(cause, now, count=self.world.burst(now, BURST).orders)
            case Cause.MUTE:
                done = self._mute(now)
            case Cause.HEAL:
                done = self._heal(now)
        if done is not None:
            self.pressed = [*self.pressed[-_KEPT + 1 :], done]
        return done

    def settle(self, now: datetime) -> None:
        """What has lasted long enough is over: the provider answers again, robots may speak."""
        if self.provider.mode is not Fault.OK and not self._standing(Cause.OUTAGE, now):
            self.provider.turn(Fault.OK)
        if self.groups.only and not self._standing(Cause.MUTE, now):
            self.groups.turn(Fault.OK)

    def standing(self, now: datetime) -> tuple[Caused, ...]:
        """What is so at the moment, the newest first."""
        return tuple(each for each in reversed(self.pressed) if each.lasts(now))

    def _standing(self, cause: Cause, now: datetime) -> bool:
        return any(each.cause is cause for each in self.standing(now))

    def _jam(self, now: datetime) -> Caused | None:
        hub = next(iter(self.world.busiest(now)), None)
        if hub is None:
            return None
        jam = self.world.jam(hub, now, JAM)
        return Caused(
            Cause.JAM, now, jam.until, carrier=hub.carrier.key, city=hub.city.name, count=hub.parcels
        )

    def _outage(self, now: datetime, fault: Fault) -> Caused:
        if fault not in OUTAGES:
            raise ValueError(f"a provider does not fail here with {fault.value}")
        self._end(Cause.OUTAGE, now)
        self.provider.turn(fault)
        return Caused(Cause.OUTAGE, now, now + OUTAGE, fault=fault)

    def _mute(self, now: datetime) -> Caused:
        self._end(Cause.MUTE, now)
        robot = self.robots[0]
        self.groups.turn(Fault.OK, {robot: Fault.MUTED})
        return Caused(Cause.MUTE, now, now + OUTAGE, robot=robot)

    def _heal(self, now: datetime) -> Caused | None:
        """Everything that lasts ends now."""
        standing = self.standing(now)
        if not standing:
            return None
        self._end(None, now)
        self.world.dissolve(now)
        self.settle(now)
        return Caused(Cause.HEAL, now, count=len(standing))

    def _end(self, cause: Cause | None, now: datetime) -> None:
        """What was caused (of one kind, or all) lasts no longer."""
        self.pressed = [
            replace(each, until=now) if each.lasts(now) and cause in (None, each.cause) else each
            for each in self.pressed
        ]
