"""The breaches of a rule that start another one's clocks, over columns (`rules.breach`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.findings import Stage
from rules.declare import Kind
from rules.lab.columns import NEVER, Bools, Micros
from rules.lab.frame import Milestones
from rules.lab.sheet import Block
from rules.lab.spans import length_of
from rules.lab.waits import breakable, plan_key
from rules.policy import Line

__all__ = ["Breaches", "breaches"]


@dataclass(frozen=True, eq=False)
class Breaches:
    """The first breach of a rule in each parcel, `NEVER` where none was. Equal only to itself."""

    at: Micros
    claimed_at: Micros
    replayed: Bools
    """Parcels whose breaches are not known here."""


def breaches(m: Milestones, lines: Sequence[Line], blocks: Sequence[Block], replay: Bools) -> Breaches:
    """The first breach of each parcel, from what a rule of these lines found."""
    at = np.full(m.parcels, NEVER, dtype=np.int64)
    claimed, unknown = at.copy(), replay.copy()
    variants = [each for line in lines for each in (*line.variants, line)]
    rules = [each.rule for each in variants]
    for rule in rules:
        if not breakable(plan_key(rule)):
            unknown[:] = True
        if rule.kind is Kind.CLOCK:
            # A breach of before the first scan counts when somebody waits again.
            unknown |= m.bought.refunded & (m.first_scan < NEVER)
    silences = [each.limit for each in variants if each.rule.kind is Kind.STALENESS and each.limit]
    if silences and m.is_forgetful.any():
        unknown |= _forgotten(m, min(map(length_of, silences)))
    grace = max((length_of(rule.grace) for rule in rules), default=0)
    for block in blocks:
        if block.stage is Stage.BREACH:
            np.minimum.at(at, block.owner, block.at)
            np.minimum.at(claimed, block.owner, block.at + grace)
    return Breaches(at, claimed, unknown)


def _forgotten(m: Milestones, least: int) -> Bools:
    """Parcels whose first silence of more than `least` between two scans may not be known for ever."""
    found = np.zeros(m.parcels, dtype=bool)
    rows = np.flatnonzero(m.is_forgetful[m.moved.owner])
    owner, at = m.moved.owner[rows], m.moved.at[rows]
    found[owner[1:][(owner[1:] == owner[:-1]) & (np.diff(at) > least)]] = True
    return found
