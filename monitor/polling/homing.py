"""Another account for a carrier: the parcels that wait for the old one are judged anew, and go to the new one.

Which account is asked is decided when a parcel is judged. One whose account was renamed, taken out or given other
carriers would wait for it until its next deadline, and without a deadline for good.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from monitor.store import homes
from monitor.store.database import Database

__all__ = ["EVERY", "Homing"]

log = structlog.get_logger()
EVERY: Final = 5.0
"""Seconds until what was cut short goes on."""
_PARCELS: Final = 5000
"""Made due in one transaction."""


@dataclass(slots=True)
class Homing:
    """The verb that is over once it has gone through the store: a new configuration is a new one."""

    db: Database
    home: homes.Home
    now: Callable[[], datetime]
    ending: Callable[[], bool] = lambda: False
    done: bool = False

    async def tick(self) -> None:
        """Make due whatever waits for another account than the configuration says."""
        if self.done:
            return
        for stray in await self.db.read(partial(homes.strays, home=self.home)):
            moved = 0
            while some := await self.db.write(
                partial(homes.make_due, stray=stray, now=self.now(), limit=_PARCELS)
            ):
                moved += some
                if self.ending():
                    return
            if moved:
                carrier, account = stray
                log.info(
                    "asked elsewhere", carrier=carrier, was=account, now=self.home(carrier), parcels=moved
                )
        self.done = True
