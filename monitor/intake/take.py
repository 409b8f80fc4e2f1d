"""Putting read rows on watch: in batches, each one transaction, idempotent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from sqlalchemy import Connection, select

from domain.orders import Waybill
from monitor.intake.rows import RowVerdict
from monitor.store import naming, parcels, polls, schema
from monitor.store.database import Database
from monitor.store.parcels import Incoming, Taken

__all__ = ["LONG_AGO", "NONE_FITS", "NONE_LEFT", "SHOWN", "Tally", "keep", "take"]

_BATCH: Final = 500
SHOWN: Final = 200
"""Rejected rows and warnings that are told; the rest is in the file of the rejected (§5)."""
NONE_FITS: Final = (
    "这个文件里没有一行能导入：该登记的行都被拒绝了，每行都写了原因。请按原因改好表格再导入；"
    "如果是列对错了，在控制台“导入”里改“怎样读这个文件”，或用列对应表指定"
)
NONE_LEFT: Final = (
    "这个文件里没有要导入的订单：每一行都不用监控（每行都写了原因），已登记的订单也没有变化。"
    "如果不该这样，请检查导出时的筛选条件和“订单状态”列"
)
LONG_AGO: Final = timedelta(days=60)
"""An order that was paid before this much time has all its limits behind it."""


@dataclass(slots=True)
class Tally:
    """What became of a file's rows."""

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """accepted, updated, unchanged, older, ignored, rejected."""
    awaiting: int = 0
    """Of the accepted ones, orders that have no parcel yet."""
    homeless: int = 0
    """Rows on watch that name no platform: the general rules hold for them."""
    long_paid: int = 0
    """Of the accepted ones, orders that nobody says are over and that were paid more than `LONG_AGO` before."""
    ended: int = 0
    """Of the ignored ones, those that end an order that is watched."""
    rejected: list[RowVerdict] = field(default_factory=list)
    """The first `SHOWN`."""
    aside: list[tuple[int, str]] = field(default_factory=list)
    """The first `SHOWN` ignored ones that are no blank line, as (line, words)."""
    warnings: list[tuple[int, str]] = field(default_factory=list)
    """The first `SHOWN`, as (line, words)."""
    warned: int = 0
    """All of them."""

    @property
    def standing(self) -> int:
        """The rows whose orders stand in the store."""
        return sum(self.counts[each] for each in ("accepted", "updated", "unchanged", "older"))

    @property
    def nothing(self) -> str:
        """Why importing these rows does nothing at all, and what to do; empty where it does something."""
        if self.ended or self.standing:
            return ""
        return NONE_FITS if self.counts["rejected"] else NONE_LEFT


def batches(rows: Iterable[RowVerdict], size: int = _BATCH) -> Iterator[list[RowVerdict]]:
    """Lists of rows with `size` parcels or orders without one, or little more, lazily.

    Counted by parcels, as these are what a transaction takes its time for, and nobody else writes meanwhile.
    """
    some: list[RowVerdict] = []
    weight = 0
    for row in rows:
        some.append(row)
        weight += max(1, len(row.waybills))
        if weight >= size:
            yield some
            some, weight = [], 0
    if some:
        yield some


def take(
    db: Database,
    rows: Iterable[RowVerdict],
    *,
    known_at: datetime,
    now: datetime,
    dry_run: bool = False,
    hand_back: Callable[[RowVerdict], object] = lambda row: None,
) -> Iterator[Tally]:
    """Keep a file's orders; yields the running tally after each batch, for a progress display.

    `hand_back` is given every rejected row, of which the tally keeps only the first.

    A dry run does all of it and takes it back. An ignored row (a closed order, one without logistics)
    puts nothing on watch, but ends an order that is watched already.
    """
    tally = Tally()
    for some in batches(rows):
        taken, ended = _settled(db, some, known_at, now, dry_run=dry_run)
        tally.ended += ended
        tally.counts.update(one.outcome for one in taken if one is not None)
        for row, one in zip(some, taken, strict=True):
            _count(tally, row)
            if row.kind == "rejected":
                hand_back(row)
            tally.long_paid += one is not None and one.outcome == "accepted" and _paid_long_ago(row, now)
        yield tally


def keep(
    conn: Connection, rows: Sequence[RowVerdict], known_at: datetime, now: datetime
) -> list[Taken | None]:
    """Keep these rows' orders in the caller's transaction; what became of each, None where nothing was to keep."""
    return _kept(conn, rows, known_at, now)[0]


_Kept: TypeAlias = tuple[list[Taken | None], int]
"""What became of each row, and how many orders that were watched have ended."""


def _kept(conn: Connection, rows: Sequence[RowVerdict], known_at: datetime, now: datetime) -> _Kept:
    rows = _named(conn, rows, now)
    wanted = [row.kind in ("shipment", "awaiting") and row.order is not None for row in rows]
    ended = [row for row in rows if row.kind == "ignored" and row.order is not None]
    taken = parcels.intake(
        conn, [_incoming(row, known_at) for row, yes in zip(rows, wanted, strict=True) if yes], now
    )
    over = parcels.intake(conn, _known(conn, [_incoming(row, known_at) for row in ended]), now)
    polls.touch(conn, sorted({parcel_id for one in (*taken, *over) for parcel_id in one.parcel_ids}), now)
    each = iter(taken)
    ended_now = sum(one.outcome == "updated" for one in over)
    return [next(each) if yes else None for yes in wanted], ended_now


def _named(conn: Connection, rows: Sequence[RowVerdict], now: datetime) -> list[RowVerdict]:
    """The rows with their orders under the names these are known by (quirk 17)."""
    known = iter(naming.named(conn, [row.order for row in rows if row.order is not None], now))
    return [row if row.order is None else replace(row, order=next(known)) for row in rows]


def _incoming(row: RowVerdict, known_at: datetime) -> Incoming:
    assert row.order is not None
    waybills = tuple(Waybill(each.carrier, each.waybill_no) for each in row.waybills)
    return Incoming(row.order, waybills, row.phone_tail, known_at)


class _TakenBack(Exception):
    """Ends a dry run's transaction with nothing kept; carries what would have become of the rows."""

    def __init__(self, kept: _Kept) -> None:
        super().__init__()
        self.kept = kept


def _settled(
    db: Database, rows: Sequence[RowVerdict], known_at: datetime, now: datetime, *, dry_run: bool
) -> _Kept:
    """`keep` in a transaction of its own, which a dry run takes back."""

    def write(conn: Connection) -> _Kept:
        kept = _kept(conn, rows, known_at, now)
        if dry_run:
            raise _TakenBack(kept)
        return kept

    try:
        return db.write_now(write)
    except _TakenBack as done:
        return done.kept


def _known(conn: Connection, incoming: list[Incoming]) -> list[Incoming]:
    """Those whose order is in the store already."""
    order = schema.orders.c
    numbers = {each.order.order_no for each in incoming}
    query = select(order.merchant, order.platform, order.shop, order.order_no).where(
        order.order_no.in_(numbers)
    )
    known = {tuple(row) for row in conn.execute(query)} if numbers else set()
    return [
        each
        for each in incoming
        if (each.order.merchant, each.order.platform, each.order.shop, each.order.order_no) in known
    ]


def _paid_long_ago(row: RowVerdict, now: datetime) -> bool:
    order = row.order
    if order is None or order.paid_at is None or order.status.ended:
        return False
    return now - order.paid_at > LONG_AGO


def _count(tally: Tally, row: RowVerdict) -> None:
    tally.rows += 1
    tally.awaiting += row.kind == "awaiting"
    tally.homeless += row.kind == "shipment" and row.order is not None and not row.order.platform
    if row.kind == "rejected":
        tally.rejected += [row] if len(tally.rejected) < SHOWN else []
        tally.counts["rejected"] += 1
    elif row.kind == "ignored":
        tally.counts["ignored"] += 1
        if len(tally.aside) < SHOWN and row.reason != "no_data":
            tally.aside.append((row.line, row.problems[0].text))
    tally.warned += len(row.warnings)
    tally.warnings += [(row.line, problem.text) for problem in row.warnings][: SHOWN - len(tally.warnings)]
