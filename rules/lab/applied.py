"""A policy book applied to the frame of milestones: every stage crossed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from domain.time import to_micros
from rules.declare import Kind
from rules.lab.clocks import Breaches, Clocks
from rules.lab.columns import NEVER, Bools, Codes, micros
from rules.lab.frame import Milestones, milestones
from rules.lab.kinds import Kinds, kinds
from rules.lab.rowwise import Told, parcels
from rules.lab.sheet import COLUMNS, Sheet
from rules.lab.troubles import reported
from rules.policy import PolicyBook
from rules.replay import Crossing, Stretch, crossings, stretches

__all__ = ["COLUMNS", "LEFT_OUT", "run", "run_rowwise"]

LEFT_OUT: Final = frozenset({Kind.STRUCTURAL})
"""Kinds that are not the lab's: a structural check has no limit to try out, and its neighbours are not in the files."""


def run(m: Milestones, book: PolicyBook, as_of: datetime) -> pd.DataFrame:
    """Every stage crossed up to `as_of` under this book; the columns are told in the package."""
    now = to_micros(as_of)
    if m.latest > now:
        m = m.once(("until", now), lambda: _until(m, now))
    k = kinds(m, book)
    clocks, sheet = Clocks(m, k, now), Sheet()
    started_by = {line.rule.after for table in k.rules.values() for line in table.lines}
    causes: dict[str, Breaches] = {}
    replay: dict[str, Bools] = {}
    for name, table in k.rules.items():
        kind = table.lines[0].rule.kind if table.lines else Kind.STRUCTURAL
        if kind is Kind.EXCEPTION:
            blocks, replay[name] = reported(m, k, name, now)
            sheet.add(blocks)
        elif kind not in LEFT_OUT:
            found = clocks.rule(name, causes)
            sheet.add(found.blocks)
            replay[name] = found.replay
            if name in started_by:
                causes[name] = clocks.breaches(name, found)
    sheet.add_rows([*_replayed(m, book, as_of, _wanted(m, k, replay))])
    return sheet.frame()


def run_rowwise(m: Milestones, book: PolicyBook, as_of: datetime) -> pd.DataFrame:
    """The same, every parcel replayed: the truth that `run` is held to."""
    sheet = Sheet()
    every = [table.lines[0].rule for table in kinds(m, book).rules.values() if table.lines]
    names = frozenset(rule.id for rule in every if rule.kind not in LEFT_OUT)
    sheet.add_rows([*_replayed(m, book, as_of, dict.fromkeys(range(m.parcels), names))])
    return sheet.frame()


def _until(m: Milestones, now: int) -> Milestones:
    """The frame without what was learned later."""
    at, learned = micros(m.events, "occurred_at"), micros(m.events, "learned_at")
    known = np.where(learned == NEVER, at, learned) <= now
    return milestones(m.orders, m.events.iloc[np.flatnonzero(known)])


def _wanted(m: Milestones, k: Kinds, replay: Mapping[str, Bools]) -> dict[int, frozenset[str]]:
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
    kept: dict[int, tuple[Stretch, ...]] = m.once(("histories", as_of), dict)
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
