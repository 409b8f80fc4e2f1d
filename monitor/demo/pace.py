"""The simulated time: it runs many times as fast as ours, and how many can change while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

__all__ = ["FASTEST", "SLOWEST", "SPEED", "SimulatedTime"]

SPEED: Final = 576.0
"""Two simulated days in five minutes."""
SLOWEST: Final = 1.0
FASTEST: Final = 5000.0


class SimulatedTime:
    """Called, it tells the simulated moment: never earlier than it told before, whatever the speed was set to."""

    def __init__(
        self, started_at: datetime, speed: float, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self.started_at: Final = started_at
        self._steady = steady
        self._since = started_at, steady()
        self.speed = speed

    def __call__(self) -> datetime:
        at, then = self._since
        return at + timedelta(seconds=(self._steady() - then) * self.speed)

    def change(self, speed: float) -> None:
        """From now on so many times as fast as ours; outside the limits the nearest one holds."""
        self._since = self(), self._steady()
        self.speed = min(max(speed, SLOWEST), FASTEST)
