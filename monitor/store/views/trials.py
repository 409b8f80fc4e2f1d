"""Rules on trial: what each has found lately, so that somebody can decide whether it shall speak."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from domain.findings import FindingState
from domain.time import to_micros
from monitor.store import schema

__all__ = ["LATELY", "Trial", "trials"]

LATELY: Final = timedelta(days=7)
"""How far back is counted."""
_findings = schema.findings


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule on trial found."""

    rule: str
    found: int
    """Within `LATELY`, whatever became of it."""
    standing: int
    """Open now, however old."""
    ended: tuple[tuple[FindingState, int], ...]
    """Of those found lately, how they ended."""


def trials(conn: Connection, now: datetime) -> tuple[Trial, ...]:
    """The rules on trial that found anything lately or have findings that stand, by name."""
    since = to_micros(now - LATELY)
    lately: dict[str, dict[FindingState, int]] = defaultdict(dict)
    standing: dict[str, int] = {}
    for state in FindingState:
        rows = select(_findings.c.rule, func.count().label("n"))
        rows = rows.where(_findings.c.shadow, _findings.c.state == state.value)
        rows = rows.group_by(_findings.c.rule)
        for rule, n in conn.execute(rows.where(_findings.c.found_at >= since)):
            lately[rule][state] = n
        if state is FindingState.OPEN:
            standing = {row.rule: row.n for row in conn.execute(rows)}
    return tuple(_trial(rule, lately[rule], standing.get(rule, 0)) for rule in sorted({*lately, *standing}))


def _trial(rule: str, lately: dict[FindingState, int], standing: int) -> Trial:
    ended = tuple((state, n) for state, n in lately.items() if state is not FindingState.OPEN)
    return Trial(rule, sum(lately.values()), standing, ended)
