"""A parcel's carrier turns out to be another: it stays the same parcel, with its history, under the right name.

What the shop wrote stays in `declared`: it goes on writing it, and means this parcel (`Ledger.known_as`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from carriers.names import display
from domain.orders import UNNAMED, Waybill
from domain.time import to_micros
from monitor.store import schema
from monitor.store.codec import clean

__all__ = ["REUSED_AFTER", "change_carrier", "name_parcel"]

REUSED_AFTER: Final = timedelta(days=60)
"""A carrier gives a number to another parcel no sooner than this after the last one."""
_parcels, _due, _links = schema.parcels, schema.due, schema.order_parcels
_COLUMNS: Final = tuple(
    _parcels.c[name] for name in ("id", "carrier", "waybill_no", "cycle", "declared", "state")
)


def change_carrier(conn: Connection, parcel_id: int, carrier: str, now: datetime) -> int:
    """The number is `carrier`'s (our key); the id of the parcel that goes on, judged again at once.

    That is this one, unless the number is watched under that carrier already: then its orders join that parcel,
    and this one says so and is watched no more. Nothing changes for a parcel that is not there, or is that carrier's.
    """
    row = conn.execute(select(*_COLUMNS).where(_parcels.c.id == parcel_id).with_for_update()).first()
    carrier = clean(carrier)
    if row is None or row.carrier == carrier or not carrier:
        return parcel_id
    there = conn.execute(
        select(*_COLUMNS)
        .where(_parcels.c.carrier == carrier, _parcels.c.waybill_no == row.waybill_no)
        .order_by(_parcels.c.cycle.desc())
        .limit(1)
        .with_for_update()
    ).first()
    at = to_micros(now)
    if there is not None and there.state == "watched":
        _join(conn, row, there, at)
        return int(there.id)
    declared = row.declared or row.carrier
    values: dict[str, Any] = {
        "carrier": carrier,
        "cycle": 0 if there is None else there.cycle + 1,
        "declared": "" if declared == carrier else declared,
        "answer_hash": "",
        "facets_id": None,
        "why": "",
        "updated_at": at,
    }
    conn.execute(update(_parcels).where(_parcels.c.id == parcel_id).values(values))
    # Which account is asked now, and when, the judgement says. The ceilings are the number's: what was asked of it
    # under the wrong name counts on, since the same account may serve both carriers.
    fresh = {"provider": "", "next_poll_at": None, "next_deadline_at": at}
    conn.execute(update(_due).where(_due.c.parcel_id == parcel_id).values(fresh))
    return parcel_id


def name_parcel(conn: Connection, waybill: Waybill, now: datetime) -> int | None:
    """Somebody who knows names the carrier of a number that had none; the id of its parcel, now that carrier's.

    None, and nothing changes, where no watched parcel of the number waits for a name, or where the carrier has one of
    that number already, if only by what a shop wrote: that one is meant then. One that was over long ago was another
    use of the number.
    """
    query = select(*(_parcels.c[name] for name in ("id", "carrier", "declared", "state", "done_at")))
    rows = conn.execute(
        query.where(_parcels.c.waybill_no.in_({waybill.waybill_no, waybill.waybill_no.upper()}))
        .order_by(_parcels.c.cycle.desc(), _parcels.c.id.desc())
        .with_for_update()
    ).all()
    has = any(waybill.carrier in (row.carrier, row.declared) and _in_use(row, now) for row in rows)
    if waybill.carrier == UNNAMED or has:
        return None
    waits = next((row.id for row in rows if row.carrier == UNNAMED and row.state == "watched"), None)
    return None if waits is None else change_carrier(conn, waits, waybill.carrier, now)


def _in_use(row: Row[Any], now: datetime) -> bool:
    """The parcel is watched, or was over so lately that no other one can have its number."""
    if row.state != "done" or row.done_at is None:
        return bool(row.state == "watched")
    return bool(row.done_at > to_micros(now - REUSED_AFTER))


def _join(conn: Connection, row: Row[Any], there: Row[Any], at: int) -> None:
    """The orders of one parcel go over to another of the same number."""
    mine = select(_links.c.order_id).where(_links.c.parcel_id == row.id, _links.c.unlinked_at.is_(None))
    orders = list(conn.execute(mine).scalars())
    known = select(_links.c.order_id).where(_links.c.parcel_id == there.id, _links.c.order_id.in_(orders))
    already = set(conn.execute(known).scalars())
    conn.execute(
        update(_links)
        .where(_links.c.parcel_id == there.id, _links.c.order_id.in_(already))
        .values(unlinked_at=None)
    )
    fresh = [order for order in orders if order not in already]
    if fresh:
        conn.execute(
            _links.insert(), [{"order_id": each, "parcel_id": there.id, "linked_at": at} for each in fresh]
        )
    conn.execute(
        update(_links)
        .where(_links.c.parcel_id == row.id, _links.c.order_id.in_(orders))
        .values(unlinked_at=at)
    )
    why = f"单号是{display(there.carrier)}的，已在监控；订单已转到那个包裹"
    conn.execute(
        update(_parcels).where(_parcels.c.id == row.id).values(state="unwatched", why=why, updated_at=at)
    )
    conn.execute(
        update(_parcels)
        .where(_parcels.c.id == there.id)
        .values(declared=there.declared or row.declared or row.carrier)
    )
    conn.execute(update(_due).where(_due.c.parcel_id == row.id).values(next_poll_at=None))
    conn.execute(update(_due).where(_due.c.parcel_id.in_((row.id, there.id))).values(next_deadline_at=at))
