"""Scans in order: sorted by parcel, time and place within a second; echoes dropped, signatures on the way back turned."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from domain.tracking import Milestone
from rules.lab.columns import NEVER, Bools, Codes, Micros
from rules.lab.meanings import Meanings, mark

__all__ = ["Rows", "at_row", "first_each", "in_order", "movements", "turned"]

_SAME_SCAN: Final = 5 * 60 * 1_000_000
"""Microseconds in which a line repeated word for word counts once (`domain.journey`)."""


class Rows(NamedTuple):
    """Scans sorted by parcel and time."""

    owner: Codes
    at: Micros
    mark: Codes
    """The milestone's number, after the signatures on the way back were turned."""
    number: Codes
    """The meaning's."""

    def taken(self, which: Bools | Codes) -> Rows:
        """Some of them."""
        return Rows(self.owner[which], self.at[which], self.mark[which], self.number[which])


def in_order(owner: Codes, at: Micros, number: Codes) -> tuple[Codes, Micros, Codes]:
    """Sorted by parcel, then time, then the meaning's number. All three in one number where they fit."""
    if not len(at):
        return owner, at, number
    base = int(at.min())
    since = at - base
    unit = next(unit for unit in (1_000_000, 1_000, 1) if unit == 1 or not (since % unit).any())
    since //= unit
    words = max(1, int(number.max()).bit_length())
    times = max(1, int(since.max()).bit_length())
    if int(owner.max()).bit_length() + times + words > 62:
        order = np.lexsort((number, at, owner))
        return owner[order], at[order], number[order]
    key = ((owner.astype(np.int64) << times) | since) << words
    key |= number
    if (key[1:] >= key[:-1]).all():
        return owner, at, number
    key.sort()
    number = (key & ((1 << words) - 1)).astype(number.dtype)
    key >>= words
    at = key & ((1 << times) - 1)
    at *= unit
    at += base
    key >>= times
    return key.astype(owner.dtype), at, number


def first_each(owner: Codes, rows: Codes, count: int) -> Codes:
    """For each parcel the first of these rows (ascending) that is its own; the number of all rows where none is."""
    mine = owner[rows]
    first = np.ones(len(rows), dtype=bool)
    np.not_equal(mine[1:], mine[:-1], out=first[1:])
    found = np.full(count, len(owner), dtype=np.int64)
    found[mine[first]] = rows[first]
    return found


def turned(rows: Rows, count: int) -> Rows:
    """With the signatures after the turning back as the shipper's."""
    back = np.flatnonzero(rows.mark == mark(Milestone.RETURNING))
    if not len(back):
        return rows
    since = first_each(rows.owner, back, count)
    signed = np.flatnonzero(rows.mark == mark(Milestone.DELIVERED))
    marks = rows.mark.copy()
    marks[signed[signed > since[rows.owner[signed]]]] = mark(Milestone.RETURNED)
    return rows._replace(mark=marks)


def movements(rows: Rows, table: Meanings) -> tuple[Rows, Codes, Codes]:
    """The movement scans without echoes, the parcels whose echoes are too many to tell apart, and all with any."""
    moves = table.moves[rows.number]
    if not moves.all():
        rows = rows.taken(moves)
    echo, muddled = _echoes(rows, table)
    if echo.any():
        odd, echoed = [rows.owner[muddled]], np.unique(rows.owner[echo])
        rows = rows.taken(~echo)
        again, unclear = _echoes(rows, table)
        odd.append(rows.owner[again | unclear])
        return rows, np.unique(np.concatenate(odd)), echoed
    return rows, np.unique(rows.owner[muddled]), rows.owner[:0]


def _echoes(rows: Rows, table: Meanings) -> tuple[Bools, Bools]:
    """Scans that only repeat the one before, itself no echo; and scans that may be echoes in another way."""
    size = len(rows.at)
    near = np.zeros(size, dtype=bool)
    if size:
        np.less_equal(np.diff(rows.at), _SAME_SCAN, out=near[1:])
        near[1:] &= rows.owner[1:] == rows.owner[:-1]
    like: list[Bools] = []
    reach = near
    for lag in (1, 2, 3):
        which = np.flatnonzero(reach)
        same = np.zeros(size, dtype=bool)
        other = which - lag
        wording = table.wordings
        same[which] = (
            (wording[rows.number[which]] == wording[rows.number[other]])
            & (rows.mark[which] == rows.mark[other])
            & (rows.at[which] - rows.at[other] <= _SAME_SCAN)
        )
        like.append(same)
        shifted = np.zeros(size, dtype=bool)
        shifted[lag:] = near[: size - lag]
        reach = reach & shifted
    maybe = like[0] | like[1] | like[2]
    before = np.zeros(size, dtype=bool)
    before[1:] = maybe[:-1]
    plain = like[0] & ~before
    return plain, maybe & ~plain


def at_row(at: Micros, row: Codes) -> Micros:
    """The times of these rows; `NEVER` of the row behind the last."""
    out = np.full(len(row), NEVER, dtype=np.int64)
    there = row < len(at)
    out[there] = at[row[there]]
    return out
