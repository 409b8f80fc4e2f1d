"""How waits end: by what they waited for, by nobody waiting any more, or not yet."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from domain.findings import FindingState
from rules.lab.columns import NEVER, Bools, Codes, Micros
from rules.lab.frame import Milestones
from rules.lab.sheet import STATES
from rules.lab.waits import Waits

__all__ = ["Spells", "spells"]

_OPEN, _CLEARED, _EXPIRED = (
    STATES.index(each) for each in (FindingState.OPEN, FindingState.CLEARED, FindingState.EXPIRED)
)


class Spells(NamedTuple):
    """Waits as far as they go."""

    owner: Codes
    start: Micros
    until: Micros
    """A step before this is crossed."""
    ended_at: Micros
    """`NEVER` while it is open."""
    state: Codes
    """Where in `STATES`."""

    def taken(self, which: Bools | Codes) -> Spells:
        """Some of them."""
        return Spells(*(each[which] for each in self))


def spells(m: Milestones, waits: Waits, now: int) -> Spells:
    """The waits as they stand at `now`."""
    owner, start, end = waits
    bought = m.bought
    gone = np.where(bought.finished[owner], now, bought.gone_at[owner])
    until = np.minimum(np.minimum(end, gone), now)
    expired = (gone <= now) & (gone <= end)
    cleared = (end <= now) & ~expired
    state = np.where(expired, _EXPIRED, np.where(cleared, _CLEARED, _OPEN)).astype(np.int8)
    found = Spells(owner, start, until, np.where(state == _OPEN, NEVER, until), state)
    refunded = bought.refunded[owner]
    if not refunded.any():
        return found
    # Of a refunded order nothing is owed before the pickup.
    again = m.first_scan[owner]
    return found.taken(~refunded | ((again <= now) & (np.minimum(end, gone) > again)))
