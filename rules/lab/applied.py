"""A policy book applied to the frame of milestones: every stage crossed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from domain.time import to_micros
from rules.declare import Kind
from rules.lab.breaches import Breaches, breaches
from rules.lab.clocks import Clocks, Found
from rules.lab.columns import NEVER, Bools, Codes, micros
from rules.lab.frame import Milestones, milestones
from rules.lab.kinds import Lines, kinds
from rules.lab.rowwise import Told, parcels
from rules.lab.sheet import Block, Sheet, blocks_of
from rules.lab.troubles import reported
from rules.policy import PolicyBook
from rules.replay import Crossing, Stretch, crossings, stretches

__all__ = ["LEFT_OUT", "run", "run_rowwise"]

LEFT_OUT: Final = frozenset({Kind.STRUCTURAL})
"""Kinds that are not the lab's: a structural check has no limit to try out, and its neighbours are not in the files."""


class _Kept(NamedTuple):
    """What a rule found, and what that depends on."""

    terms: tuple[Any, ...]
    blocks: tuple[Block, ...]
    breaches: Breaches | None


def run(m: Milestones, book: PolicyBook, as_of: datetime) -> pd.DataFrame:
    """Every stage crossed up to `as_of` under this book; the columns are told in the package.

    Rules that say the same as in the last run are not asked again.
    """
    now = to_micros(as_of)
    if m.latest > now:
        m = _until(m, now)
    k = kinds(m, book)
    kept: dict[str, _Kept] = m.once("kept", dict)
    clocks = Clocks(m, k, now)
    found: dict[str, Found] = {}
    terms: dict[str, tuple[Any, ...]] = {}
    causes: dict[str, Breaches] = {}
    for name, table in k.rules.items():
        if all(line.rule.kind in LEFT_OUT for line in table.lines):
            continue
        terms[name] = (now, table.lines, k.held(name).tobytes(), k.origin, _after(table, causes))
        if name in kept and kept[name].terms == terms[name]:
            first = kept[name].breaches
        else:
            kept.pop(name, None)
            found[name] = _found(clocks, name, causes)
            blocks, replay = found[name]
            first = breaches(m, table.lines, blocks, replay) if name in k.causes else None
        if first is not None:
            causes[name] = first
    rows: dict[str, list[tuple[int, Crossing]]] = {name: [] for name in found}
    for parcel, crossing in _replayed(
        m, book, as_of, _wanted(m, {name: each.replay for name, each in found.items()})
    ):
        rows[crossing.rule].append((parcel, crossing))
    for name, each in found.items():
        whole = (*each.blocks, *blocks_of(rows[name]))
        kept[name] = _Kept(terms[name], whole, causes.get(name))
    sheet = Sheet()
    for name in terms:
        sheet.add(kept[name].blocks)
    return sheet.frame()


def _found(clocks: Clocks, name: str, causes: Mapping[str, Breaches]) -> Found:
    """What one rule finds in the columns; it may be of one kind here and of another there."""
    kinds_ = {line.rule.kind for line in clocks.kinds.rules[name].lines}
    found = clocks.rule(name, causes)
    if Kind.EXCEPTION in kinds_:
        blocks, replay = reported(clocks.m, clocks.kinds, name, clocks.now)
        replay |= found.replay
        found = Found([each.without(replay) for each in (*found.blocks, *blocks)], replay)
    return found


def _after(table: Lines, causes: Mapping[str, Breaches]) -> tuple[Breaches, ...]:
    """The breaches that start the rule's clocks."""
    names = sorted({line.rule.after for line in table.lines} & causes.keys())
    return tuple(causes[name] for name in names)


def run_rowwise(m: Milestones, book: PolicyBook, as_of: datetime) -> pd.DataFrame:
    """The same, every parcel replayed: the truth that `run` is held to."""
    lines = (line for table in kinds(m, book).rules.values() for line in table.lines)
    names = frozenset(line.rule.id for line in lines if line.rule.kind not in LEFT_OUT)
    sheet = Sheet()
    sheet.add(blocks_of(_replayed(m, book, as_of, dict.fromkeys(range(m.parcels), names))))
    return sheet.frame()


def _until(m: Milestones, now: int) -> Milestones:
    """The frame without what was learned later; the last one is kept."""
    kept: tuple[int, Milestones] | None = m.kept.get("until")
    if kept is not None and kept[0] == now:
        return kept[1]
    at, learned = micros(m.events, "occurred_at"), micros(m.events, "learned_at")
    known = np.where(learned == NEVER, at, learned) <= now
    frame = milestones(m.orders, m.events.iloc[np.flatnonzero(known)])
    m.kept["until"] = now, frame
    return frame


def _wanted(m: Milestones, replay: Mapping[str, Bools]) -> dict[int, frozenset[str]]:
    """The parcels to be replayed, each with its rules."""
    every = frozenset(replay)
    wanted: dict[int, set[str]] = {parcel: set(every) for parcel in m.odd_parcels.tolist()}
    for name, which in replay.items():
        for parcel in np.flatnonzero(which & ~m.is_odd).tolist():
            wanted.setdefault(parcel, set()).add(name)
    return {parcel: frozenset(names) for parcel, names in wanted.items()}


def _replayed(
    m: Milestones, book: PolicyBook, as_of: datetime, wanted: Mapping[int, frozenset[str]]
) -> Iterator[tuple[int, Crossing]]:
    """These parcels row by row."""
    for parcel, known in _histories(m, as_of, np.array(sorted(wanted), dtype=np.int64)):
        for crossing in crossings(known, book.policy_for, only=wanted[parcel]):
            yield parcel, crossing


def _histories(m: Milestones, as_of: datetime, wanted: Codes) -> Iterator[tuple[int, tuple[Stretch, ...]]]:
    """What was known of these parcels when, kept for the next policy."""
    if m.kept.get("replayed to") != as_of:
        m.kept.update({"replayed to": as_of, "histories": {}})
    kept: dict[int, tuple[Stretch, ...]] = m.kept["histories"]
    new = np.array([parcel for parcel in wanted.tolist() if parcel not in kept], dtype=np.int64)
    for told in parcels(m.orders, m.events, new) if len(new) else ():
        kept[told.parcel] = _known(told, as_of)
    return ((parcel, kept[parcel]) for parcel in wanted.tolist())


def _known(told: Told, as_of: datetime) -> tuple[Stretch, ...]:
    known = stretches(
        told.orders,
        told.events,
        as_of,
        waybill=told.waybill,
        origin=told.origin,
        said_at=told.said_at,
    )
    return tuple(known)
