"""Trouble the carrier reports, over columns: one line of trouble in a history is modelled, more are replayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from domain.findings import FindingState, Stage
from domain.tracking import CLOSED_BY_NEXT_SCAN, ExceptionKind, Milestone
from rules.changes import STAYS_OPEN
from rules.declare import Kind, Rule
from rules.lab.columns import NEVER, Bools, Codes, Micros
from rules.lab.frame import Milestones
from rules.lab.kinds import Kinds
from rules.lab.meanings import KINDS
from rules.lab.money import priced
from rules.lab.scans import at_row
from rules.lab.sheet import STATES, Block
from rules.policy import Line

__all__ = ["reported"]

_TURNS: Final = frozenset({Milestone.RETURNING, Milestone.RETURNED})
_KEPT_WHEN_SIGNED: Final = frozenset(
    {ExceptionKind.DAMAGED, ExceptionKind.SHORT_CONTENT, ExceptionKind.TRANSIT_WAREHOUSE}
)
_OPEN, _CLEARED = (STATES.index(each) for each in (FindingState.OPEN, FindingState.CLEARED))


class _Trouble(NamedTuple):
    """Troubles of one rule, one for each parcel."""

    owner: Codes
    since: Micros
    ended_at: Micros


def reported(m: Milestones, k: Kinds, name: str, now: int) -> tuple[list[Block], Bools]:
    """What a rule about reported trouble finds, and the parcels it has to be replayed for."""
    table = k.rules[name]
    held = np.where(m.is_odd, -1, table.of_policy[k.policy])
    replay = np.zeros(m.parcels, dtype=bool)
    blocks = []
    for n, line in enumerate(table.lines):
        if line.rule.kind is not Kind.EXCEPTION:
            continue
        for found in _found(m, line.rule, held == n, replay):
            known = (found.since <= now) & ~replay[found.owner]
            blocks.append(_block(m, k, line, _Trouble(*(each[known] for each in found)), now, replay))
    return [block.without(replay) for block in blocks], replay


def _found(m: Milestones, rule: Rule, mine: Bools, replay: Bools) -> Iterator[_Trouble]:
    kinds = [kind for kind in KINDS if kind in rule.on]
    turns = frozenset(mark for mark in _TURNS if mark in rule.on)
    bits = sum(1 << KINDS.index(kind) for kind in kinds)
    said = m.table.troubles[m.troubled.number] & bits
    rows = np.flatnonzero(said)
    rows = rows[mine[m.troubled.owner[rows]]]
    turned = m.first(turns) if turns else np.full(m.parcels, NEVER, dtype=np.int64)
    if ExceptionKind.SIGNED_THEN_STORED in kinds:
        replay |= mine & m.is_taken_back
    if len(rows):
        replay[m.troubled.owner[rows[_beyond(m, rows, said[rows], turned)]]] = True
        for kind in kinds:
            of_kind = rows[said[rows] == 1 << KINDS.index(kind)]
            yield _standing(m, kind, m.troubled.owner[of_kind], m.troubled.at[of_kind])
    back = np.flatnonzero(mine & (turned < NEVER))
    # Who has turned back stays so.
    yield _Trouble(back, turned[back], np.full(len(back), NEVER, dtype=np.int64))


def _beyond(m: Milestones, rows: Codes, said: Codes, turned: Micros) -> Bools:
    """Troubles that are not alone, or stand in a history that comes back to them."""
    owner, at = m.troubled.owner[rows], m.troubled.at[rows]
    lines = np.bincount(owner, minlength=m.parcels)[owner]
    bought = m.bought
    unwaited = (bought.gone_at[owner] < NEVER) | bought.finished[owner] | bought.refunded[owner]
    signed, back = m.first(frozenset({Milestone.DELIVERED}))[owner], m.first(_TURNS)[owner]
    beyond: Bools = (
        (lines > 1)
        | ((said & (said - 1)) != 0)
        | (turned[owner] < NEVER)
        | (unwaited & (m.first_scan[owner] > at))
        | ((signed < NEVER) & (back < NEVER))
        | np.isin(owner, m.echoed)
        | m.is_taken_back[owner]
        | m.is_forgetful[owner]
    )
    return beyond


def _standing(m: Milestones, kind: ExceptionKind, owner: Codes, since: Micros) -> _Trouble:
    """From the line that tells of it to the scan or the end that closes it; never where the end came first."""
    moved = _next_movement(m, owner, since)
    done = m.first(frozenset({Milestone.RETURNED, Milestone.CANCELLED}))[owner]
    if kind not in _KEPT_WHEN_SIGNED:
        done = np.minimum(done, m.first(frozenset({Milestone.DELIVERED}))[owner])
    closed = np.minimum(done, moved) if kind in CLOSED_BY_NEXT_SCAN else done
    ended = closed if kind in STAYS_OPEN else np.where(closed < NEVER, np.minimum(closed, moved), NEVER)
    told = done > since
    return _Trouble(owner[told], since[told], ended[told])


def _next_movement(m: Milestones, owner: Codes, since: Micros) -> Micros:
    """The first movement of each parcel after a moment."""
    rows, offsets = m.moved, m.offsets
    found = np.array(
        [
            first + np.searchsorted(rows.at[first:last], at, side="right")
            for first, last, at in zip(offsets[owner], offsets[owner + 1], since, strict=True)
        ],
        dtype=np.int64,
    )
    return at_row(rows.at, np.where(found < offsets[owner + 1], found, len(rows.at)))


def _block(m: Milestones, k: Kinds, line: Line, found: _Trouble, now: int, replay: Bools) -> Block:
    rule, ended = line.rule, found.ended_at
    rows = np.arange(len(found.owner))
    low, high = priced(m, k, rule, found.owner, found.since, replay, rows)
    return Block(
        rule=rule.id,
        stage=Stage.BREACH,
        policy=line.source,
        severity=rule.severity,
        notify=rule.notify,
        shadow=rule.shadow,
        step=1,
        owner=found.owner,
        start=found.since,
        at=found.since,
        ended_at=np.where(ended <= now, ended, NEVER),
        state=np.where(ended <= now, _CLEARED, _OPEN).astype(np.int8),
        limit=NEVER,
        low=low,
        high=high,
    )
