"""When a second account is asked about a parcel, and how long a finding waits for it.

Two reasons: the first account contradicts what it said before, or a breach that costs much is about to be claimed on
its word alone. In the second case the finding waits, for so long at most; then the first's word stands (L1: silence is
proven by the first's look as ever; the wait only gives the second the chance to show a movement).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from domain.findings import Finding, Stage, Verdict
from domain.orders import Case
from monitor.config.accounts import ProviderAccount
from monitor.config.service import SecondOpinion
from monitor.store import opinions
from rules.judge import judge
from rules.policy import Policy
from rules.schedule import Reason

__all__ = ["Doubts"]

_FEN: Final = 100


@dataclass(frozen=True, slots=True)
class Doubts:
    """What the owner says of second opinions."""

    accounts: tuple[ProviderAccount, ...] = ()
    terms: SecondOpinion = field(default_factory=SecondOpinion)

    @property
    def names(self) -> frozenset[str]:
        """The accounts that are asked for second opinions."""
        return frozenset(each.name for each in self.accounts if each.second)

    def about(self, carrier: str) -> str:
        """The account to ask about a carrier's parcels; empty where there is none."""
        return next((each.name for each in self.accounts if each.seconds(carrier)), "")

    def contradicted(self, conn: Connection, parcel_id: int, carrier: str, now: datetime) -> None:
        """The first account's answer cannot be true, or what it said before was not."""
        if name := self.about(carrier):
            opinions.request(conn, parcel_id, name, Reason.VERIFY, now)

    def heard(
        self,
        conn: Connection,
        parcel_id: int,
        case: Case,
        policy: Policy,
        verdict: Verdict,
        before: Sequence[Finding],
        now: datetime,
    ) -> tuple[Verdict, datetime | None]:
        """The verdict without the costly breaches that wait for the second account, and until when they do.

        What waits is judged as if silence were proven to its limit and no further, so its warnings stand.
        """
        costly = self._costly(verdict, before)
        name = self.about(case.waybill.carrier) if costly else ""
        if not name:
            return verdict, None
        since = min(each.crossed_at for each in costly)
        short = judge(replace(case, observed_at=since), policy, now)
        claimed = {each.rule for each in short.findings if each.stage is Stage.BREACH}
        waits = [each for each in costly if each.rule not in claimed]
        if not waits:  # the shop's silence, which no carrier's account knows anything of
            return verdict, None
        crossed, wait = max(each.crossed_at for each in waits), self.terms.wait
        until = opinions.hold(conn, parcel_id, name, Reason.MONEY, crossed, now, wait)
        return (verdict, None) if until is None else (short, until)

    def _costly(self, verdict: Verdict, before: Sequence[Finding]) -> list[Finding]:
        """Breaches of clocks that are not claimed yet and cost as much as the owner said."""
        least = int(self.terms.yuan * _FEN)
        if not least or not self.accounts:
            return []
        known = {each.rule for each in before if each.stage is Stage.BREACH}
        return [
            each
            for each in verdict.findings
            if each.stage is Stage.BREACH
            and each.deadline is not None
            and not each.shadow
            and each.rule not in known
            and each.risk is not None
            and each.risk.high >= least
        ]
