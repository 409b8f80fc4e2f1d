"""What a rule concludes about one parcel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

__all__ = [
    "PARTY_ZH",
    "Blame",
    "ClockReading",
    "Ending",
    "Finding",
    "FindingState",
    "Party",
    "Risk",
    "Stage",
    "Step",
    "Verdict",
]


class Stage(StrEnum):
    """About to be broken, or broken."""

    WARNING = "warning"
    BREACH = "breach"


class FindingState(StrEnum):
    """Open, or how it ended."""

    OPEN = "open"
    CLEARED = "cleared"
    """The parcel moved, in time or late."""
    RETRACTED = "retracted"
    """A back-dated scan shows it never was true."""
    EXPIRED = "expired"
    """Nobody waits any more: order closed, rule switched off, parcel no longer watched."""
    DISMISSED = "dismissed"
    """By a person, with a reason."""


@dataclass(frozen=True, slots=True)
class Step:
    """One threshold of a clock: crossed by any moment *after* `at`."""

    stage: Stage
    at: datetime
    left: timedelta
    """How much of the limit is left at this step; zero for the breach."""
    grace: timedelta = timedelta(0)
    """How much longer silence must last until the step is claimed; it is crossed at `at` all the same."""

    @property
    def claimed_at(self) -> datetime:
        """Claimed when silence is proven to any moment after it."""
        return self.at + self.grace


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One clock of one parcel, read: what `explain` prints and the ticket shows."""

    rule: str
    policy: str
    """Which line of which policy said so (L8)."""
    started_at: datetime | None = None
    started_by: str = ""
    waits_for: str = ""
    limit: timedelta | None = None
    deadline: datetime | None = None
    steps: tuple[Step, ...] = ()
    ended_at: datetime | None = None
    ended_by: str = ""
    asleep: str = ""
    """Why the clock does not run at all: switched off, exempt, not started."""
    stale: bool = False
    """A staleness: every movement scan starts it anew."""
    calendar: str = ""
    """Which time counted towards the deadline, and where that is a guess; nothing when every hour did."""

    @property
    def running(self) -> bool:
        """Started, not ended, with a deadline ahead or behind."""
        return self.started_at is not None and self.ended_at is None and bool(self.steps)


@dataclass(frozen=True, slots=True, order=True)
class Risk:
    """What a breach would cost, as a range: the sources disagree, and so may the marketplace."""

    low: int = 0
    """Fen."""
    high: int = 0


class Party(StrEnum):
    """Where the time was lost."""

    WAREHOUSE = "warehouse"
    CARRIER = "carrier"
    EXEMPT = "exempt"
    """Weather, an epidemic, a festival: nobody's fault, and perhaps nobody's fine."""
    BUYER = "buyer"
    UNKNOWN = "unknown"


PARTY_ZH: Final[Mapping[Party, str]] = {
    Party.WAREHOUSE: "仓库",
    Party.CARRIER: "承运商",
    Party.EXEMPT: "天气或豁免",
    Party.BUYER: "买家",
    Party.UNKNOWN: "不明",
}


@dataclass(frozen=True, slots=True)
class Blame:
    """Who held the parcel up, and the clock that says so."""

    party: Party
    because: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule broken, or about to be, by one parcel."""

    rule: str
    stage: Stage
    started_at: datetime
    crossed_at: datetime
    """The last step crossed: a warning step, the limit, or the scan that told of the trouble."""
    policy: str
    deadline: datetime | None = None
    limit: timedelta | None = None
    step: int = 0
    """How many steps were crossed: told again when it grows."""
    severity: int = 0
    notify: bool = True
    evidence: Mapping[str, str] = field(default_factory=dict)
    shadow: bool = False
    """Found and recorded only: of a rule on trial nobody is told, and it silences nothing."""
    risk: Risk | None = None
    """None where no penalty is known."""
    blame: Blame | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a finding that was open is no longer found."""

    state: FindingState
    at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a case at a moment, and when to ask again."""

    findings: tuple[Finding, ...] = ()
    clocks: tuple[ClockReading, ...] = ()
    next_look_at: datetime | None = None
    """The next instant at which something changes without news; None when nothing runs (L2)."""
    policy_version: str = ""
    carrier_look_at: datetime | None = None
    """The same of the clocks that the carrier's silence decides; the others wait for the shop's word."""
    shop_look_at: datetime | None = None
    """The same of the clocks that wait for the shop's word alone."""
    risk: Risk | None = None
    """What all findings may cost together; less than their sum where fines do not add up or are capped."""

    def clock(self, rule: str) -> ClockReading | None:
        """The reading of one rule's clock."""
        return next((clock for clock in self.clocks if clock.rule == rule), None)
