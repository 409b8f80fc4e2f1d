"""What a judgement means for the ticket and the groups. Pure: facts in, decisions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.findings import Ending, Finding, FindingState
from domain.orders import Case
from rules.changes import Changes, silencer

__all__ = ["Relief", "Telling", "relief", "tellings"]


@dataclass(frozen=True, slots=True)
class Telling:
    """A finding that somebody is to be told of, or why nobody is."""

    finding: Finding
    silenced_by: str = ""
    others: tuple[Finding, ...] = ()
    """Lesser findings it speaks for."""

    @property
    def spoken(self) -> bool:
        """It goes to the groups."""
        return self.finding.notify and not self.silenced_by


def tellings(changes: Changes, told: dict[str, int]) -> list[Telling]:
    """Every standing finding with a step nobody was told of; `told` is the last step told, by rule.

    A lesser finding is silent under a worse one and speaks when that one has ended.
    """
    standing = changes.standing
    result: list[Telling] = []
    for finding in standing:
        if finding.step <= told.get(finding.rule, 0):
            continue
        worse = silencer(finding, standing)
        others = tuple(
            other
            for other in standing
            if other.rule != finding.rule and silencer(other, (finding,)) is finding
        )
        result.append(Telling(finding, worse.rule if worse else "", others))
    return result


@dataclass(frozen=True, slots=True)
class Relief:
    """Nothing stands any more: the ticket resolves by itself."""

    because: str
    state: FindingState
    """How: the parcel moved, it never was true, or nobody waits any more."""


def relief(case: Case, changes: Changes) -> Relief | None:
    """Why the ticket may resolve, or None while something stands that somebody was to be told of."""
    if any(finding.notify for finding in changes.standing) or not changes.ended:
        return None
    endings: Sequence[Ending] = [ending for _, ending in changes.ended]
    retracted = all(ending.state is FindingState.RETRACTED for ending in endings)
    last = max(endings, key=lambda ending: ending.at)
    if retracted:
        return Relief(last.by, FindingState.RETRACTED)
    if last.state is FindingState.EXPIRED:
        return Relief(last.by, FindingState.EXPIRED)
    text = case.journey.last_text
    because = f"包裹已有新进展（{last.by}）" if last.by else f"包裹已有新进展：{text}"
    return Relief(because, FindingState.CLEARED)
