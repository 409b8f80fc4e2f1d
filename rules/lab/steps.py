"""Steps over columns: which warnings and limits the waits of one line crossed, and what that may cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from domain.findings import Stage
from domain.time import Calendar
from rules.declare import Rule
from rules.lab.columns import Bools, Codes, Micros
from rules.lab.ends import Spells
from rules.lab.frame import Milestones
from rules.lab.kinds import Kinds
from rules.lab.money import priced
from rules.lab.sheet import Block
from rules.lab.spans import after, length_of

__all__ = ["Part", "steps"]


class Part(NamedTuple):
    """Waits that are measured alike."""

    waits: Spells
    length: Micros | int
    calendar: Calendar
    source: str
    """The policy line that says so."""


def steps(m: Milestones, k: Kinds, rule: Rule, part: Part, replay: Bools) -> Iterator[Block]:
    """The steps crossed by waits that are measured alike; what cannot be priced here is marked for replay."""
    found, length = part.waits, part.length
    if not len(found.owner):
        return
    owed = np.full(len(found.owner), length, dtype=np.int64) if isinstance(length, int) else length
    deadline = after(part.calendar, found.start, owed)
    told = [*_crossed(rule, part, owed, deadline)]
    crossed = np.zeros(len(owed), dtype=bool)
    for each in told:
        crossed[each.rows] = True
    low, high = priced(m, k, rule, found.owner, deadline, replay, np.flatnonzero(crossed))
    step = np.ones(len(found.owner), dtype=np.int16)
    for stage, rows, at in told:
        yield Block(
            rule=rule.id,
            stage=stage,
            policy=part.source,
            severity=rule.severity,
            notify=rule.notify,
            shadow=rule.shadow,
            step=step[rows],
            owner=found.owner[rows],
            start=found.start[rows],
            at=at,
            ended_at=found.ended_at[rows],
            state=found.state[rows],
            limit=length if isinstance(length, int) else length[rows],
            low=low if isinstance(low, int) else low[rows],
            high=high if isinstance(high, int) else high[rows],
        )
        step[rows] += 1


class _Step(NamedTuple):
    """One step: which waits crossed it, and when."""

    stage: Stage
    rows: Codes
    at: Micros


def _crossed(rule: Rule, part: Part, owed: Micros, deadline: Micros) -> Iterator[_Step]:
    """The warnings, then the breach: a later step only where the earlier ones were crossed.

    A wait that is too short for a warning goes without it.
    """
    start, until = part.waits.start, part.waits.until
    going = np.arange(len(start))
    for ahead in (length_of(each) for each in rule.warn):
        there = ahead < owed[going]
        rows = going[there]
        at = after(part.calendar, start[rows], owed[rows] - ahead)
        crossed = at < until[rows]
        yield _Step(Stage.WARNING, rows[crossed], at[crossed])
        going = rows[crossed] if there.all() else np.sort(np.concatenate([going[~there], rows[crossed]]))
    crossed = deadline[going] + length_of(rule.grace) < until[going]
    yield _Step(Stage.BREACH, going[crossed], deadline[going[crossed]])
