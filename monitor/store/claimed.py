"""What becomes of claims before they are answered: given back unasked, or asked once more after a refusal of them all.

The table says whose questions they are: `due` of an account that is asked first, `opinions` of a second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, and_, case, select, update

from domain.time import to_micros
from monitor.store import schema
from monitor.store.claims import Allowance, Claim
from monitor.store.namesakes import Use, others

__all__ = ["give_back", "once_more"]


def give_back(conn: Connection, provider: str, claims: Sequence[Claim], table: Table = schema.due) -> None:
    """Undo claims of which nothing was asked: due as they were, their places in the numbers' ceilings free.

    What somebody wrote meanwhile stays: a question by hand, a judgement that wants the next one later.
    """
    due = table.c.next_poll_at if table is schema.due else table.c.due_at
    for each in sorted(claims, key=lambda claim: claim.parcel_id):
        if (mark := each.mark) is None:
            continue
        asked, quota = table.c.asked_at, table.c.quota_at
        values = {
            "asked_at": case((asked == mark.asked_at, mark.before.asked_at), else_=asked),
            "quota_at": case((quota == mark.quota_at, mark.before.quota_at), else_=quota - mark.refill),
            due.name: case((due.between(mark.asked_at, mark.again_at), mark.due_at), else_=due),
        }
        conn.execute(update(table).where(_of(table, provider, each.parcel_id)).values(values))


def once_more(
    conn: Connection,
    provider: str,
    claims: Sequence[Claim],
    now: datetime,
    *,
    interval: timedelta,
    daily: int,
    table: Table = schema.due,
) -> list[Claim]:
    """Those of these claims whose numbers may be asked about once more today, each counted as asked again.

    For a call that was refused as a whole and told nothing of its numbers: the pause after it counts from the last
    question of the search for the one at fault.
    """
    ceilings, at = Allowance.of(interval, daily), to_micros(now)
    also = others(conn, provider, [each.parcel_id for each in claims], table)
    able: list[Claim] = []
    for each in sorted(claims, key=lambda claim: claim.parcel_id):
        mine = _of(table, provider, each.parcel_id)
        row = conn.execute(select(table.c.asked_at, table.c.quota_at).where(mine).with_for_update()).first()
        if row is None:
            continue
        used = Use(row.asked_at, row.quota_at).with_(also.get(each.waybill_no))
        quota = max(used.quota_at or 0, at)
        if quota - ceilings.ahead <= at:
            able.append(each)
            values = {"asked_at": at, "quota_at": quota + ceilings.refill}
            conn.execute(update(table).where(mine).values(values))
    return able


def _of(table: Table, provider: str, parcel_id: int) -> ColumnElement[bool]:
    """The parcel's row; in `due` whoever is asked about it by now."""
    its = table.c.parcel_id == parcel_id
    return its if table is schema.due else and_(its, table.c.provider == provider)
