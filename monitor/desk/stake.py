"""What is at stake in a ticket: the money its findings put at risk together, and whose doing the worst of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from domain.findings import Blame, Finding, Party, Risk, Verdict
from monitor.store.parcels import LiveTicket

__all__ = ["Stake", "party", "stake", "stands", "unhurried"]


class Stake(NamedTuple):
    """As a ticket keeps it."""

    risk: Risk | None
    blame: Blame | None


def stake(standing: Sequence[Finding], verdict: Verdict) -> Stake | None:
    """Of the findings that stand and are no trial; None when nobody is told of any: the ticket keeps what it had."""
    if not any(finding.notify for finding in standing):
        return None
    worst = max(standing, key=lambda finding: finding.severity)
    return Stake(verdict.risk, worst.blame)


def stands(ticket: LiveTicket, now: Stake) -> bool:
    """The ticket says so already. The words of a blame count the hours: they follow with the next thing that changes."""
    return ticket.risk == now.risk and party(ticket.blame) is party(now.blame)


def party(blame: Blame | None) -> Party | None:
    """Whose doing it is."""
    return None if blame is None else blame.party


def unhurried(verdict: Verdict) -> Verdict:
    """The verdict as the questions to the carrier see it: what a rule on trial found makes none of them sooner."""
    if not any(finding.shadow for finding in verdict.findings):
        return verdict
    return replace(verdict, findings=tuple(each for each in verdict.findings if not each.shadow))
