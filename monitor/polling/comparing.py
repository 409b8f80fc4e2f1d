"""Second opinions after news of the first account: do they still say something else?"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from domain.journey import condense
from domain.opinions import differences, sides
from domain.tracking import Milestone
from monitor.store import events, opinions

__all__ = ["compare_again"]


def compare_again(conn: Connection, parcel_ids: Sequence[int], others: frozenset[str]) -> None:
    """Second opinions (of the accounts `others`) are held against what is known now; one that was given before the last movement is old."""
    said = opinions.of(conn, parcel_ids)
    known = events.known(conn, list(said))
    seconds = events.told_by(conn, list(said), others)
    for parcel_id, each in ((parcel_id, one) for parcel_id, some in said.items() for one in some):
        if each.heard_at is None or not each.says:
            continue
        first, _ = sides(known[parcel_id], seconds.get(parcel_id, ()), ())
        journey = condense(row.event for row in first if row.withdrawn_at is None)
        moved = journey.last_movement_at
        old = moved is not None and moved > each.heard_at
        n = each.milestone is not Milestone.UNKNOWN or each.last_event_at is not None
        says = () if old else differences(journey, each.milestone, each.last_event_at, n)
        opinions.restated(conn, parcel_id, each.provider, journey, says)
