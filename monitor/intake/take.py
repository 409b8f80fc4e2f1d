"""Putting read rows on watch: in batches, each one transaction, idempotent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import Connection

from domain.orders import Waybill
from monitor.intake.rows import RowVerdict
from monitor.store import parcels, polls
from monitor.store.database import Database
from monitor.store.parcels import Incoming

__all__ = ["Tally", "take"]

T = TypeVar("T")
_BATCH: Final = 500


@dataclass(slots=True)
class Tally:
    """What became of a file's rows."""

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """accepted, updated, unchanged, older, ignored, rejected."""
    awaiting: int = 0
    """Of the accepted ones, orders that have no parcel yet."""
    rejected: list[RowVerdict] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)


def batches(rows: Iterable[T], size: int = _BATCH) -> Iterator[list[T]]:
    """Lists of up to `size`, lazily."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


def take(
    db: Database,
    rows: Iterable[RowVerdict],
    *,
    known_at: datetime,
    now: datetime,
    dry_run: bool = False,
) -> Iterator[Tally]:
    """Keep a file's orders; yields the running tally after each batch, for a progress display."""
    tally = Tally()
    for some in batches(rows):
        incoming = [
            _incoming(row, known_at) for row in some if row.order is not None and row.kind != "rejected"
        ]
        if not dry_run:
            tally.counts.update(db.write_now(partial(_keep, incoming, now)))
        for row in some:
            _count(tally, row)
        yield tally


def _incoming(row: RowVerdict, known_at: datetime) -> Incoming:
    assert row.order is not None
    waybills = tuple(Waybill(each.carrier, each.waybill_no) for each in row.waybills)
    return Incoming(row.order, waybills, row.phone_tail, known_at)


def _keep(incoming: list[Incoming], now: datetime, conn: Connection) -> list[str]:
    taken = parcels.intake(conn, incoming, now)
    polls.touch(conn, sorted({each for one in taken for each in one.parcel_ids}), now)
    return [one.outcome for one in taken]


def _count(tally: Tally, row: RowVerdict) -> None:
    tally.rows += 1
    tally.awaiting += row.kind == "awaiting"
    if row.kind == "rejected":
        tally.rejected.append(row)
        tally.counts["rejected"] += 1
    elif row.kind == "ignored":
        tally.counts["ignored"] += 1
    tally.warnings += [(row.line, problem.text) for problem in row.warnings]
