"""Scans: only ever added, marked or corrected with the earlier words kept (L4, feature B8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from domain.history import Merge, Stored
from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.bulk import chunks, insert_many, update_many
from monitor.store.codec import dump, event_texts, micros, moment, read_event

__all__ = ["adopt", "apply", "known", "told_by"]

_COLUMNS: Final = (
    "parcel_id",
    "occurred_at",
    "seq",
    "learned_at",
    "withdrawn_at",
    "provider",
    "milestone",
    "code",
    "text",
    "detail",
)
_KEY: Final = _COLUMNS[:3]
_READ: Final = (
    select(*(schema.events.c[name] for name in _COLUMNS))
    .where(schema.events.c.parcel_id.in_(bindparam("ids", expanding=True)))
    .order_by(schema.events.c.parcel_id, schema.events.c.occurred_at, schema.events.c.seq)
)


def known(conn: Connection, parcel_ids: Sequence[int]) -> dict[int, list[Stored]]:
    """Every scan of these parcels in order of time, withdrawn ones too; a list for each id asked."""
    found: dict[int, list[Stored]] = {parcel_id: [] for parcel_id in parcel_ids}
    for some in chunks(parcel_ids):
        for row in conn.execute(_READ, {"ids": list(some)}):
            parcel_id, at, seq, learned_at, withdrawn_at, _, milestone, code, text, detail = row
            event = read_event(at, milestone, code, text, detail)
            found[parcel_id].append(Stored(event, seq, from_micros(learned_at), moment(withdrawn_at)))
    return found


def told_by(
    conn: Connection, parcel_ids: Sequence[int], providers: Collection[str]
) -> dict[int, set[tuple[datetime, int]]]:
    """The places (moment, and place within its second) of these accounts' scans."""
    found: dict[int, set[tuple[datetime, int]]] = {}
    table = schema.events.c
    for some in chunks(parcel_ids) if providers else ():
        query = select(table.parcel_id, table.occurred_at, table.seq).where(
            table.parcel_id.in_(some), table.provider.in_(providers)
        )
        for parcel_id, at, seq in conn.execute(query):
            found.setdefault(parcel_id, set()).add((from_micros(at), seq))
    return found


def adopt(conn: Connection, parcel_id: int, places: Collection[tuple[datetime, int]], provider: str) -> None:
    """These scans are the account's own from now on: it tells of them, too."""
    rows = [
        {"parcel_id": parcel_id, "occurred_at": to_micros(at), "seq": seq, "provider": provider}
        for at, seq in sorted(places)
    ]
    update_many(conn, schema.events, _KEY, rows)


def apply(conn: Connection, merges: Sequence[tuple[int, Merge]], *, provider: str, at: datetime) -> None:
    """Keep what `domain.history.merge` says changed.

    New scans are added. An edited or restored one is rewritten and its earlier state kept in
    `event_edits`, so what was known at any moment can still be told. A withdrawn one is marked.
    Raises IntegrityError when a scan to add is there already: the merge was made from older rows.
    """
    added = [_row(parcel_id, row, provider) for parcel_id, merge in merges for row in merge.added]
    insert_many(conn, schema.events, added, columns=_COLUMNS)
    pairs = [(parcel_id, pair) for parcel_id, merge in merges for pair in merge.edited]
    pairs += [
        (parcel_id, (_still_withdrawn(conn, parcel_id, row), row))
        for parcel_id, merge in merges
        for row in merge.restored
    ]
    insert_many(conn, schema.event_edits, [_edit(parcel_id, old, at) for parcel_id, (old, _) in pairs])
    changed = [_mapping(parcel_id, new, provider) for parcel_id, (_, new) in pairs]
    update_many(conn, schema.events, _KEY, changed)
    withdrawn = [
        {
            "parcel_id": parcel_id,
            "occurred_at": to_micros(row.event.occurred_at),
            "seq": row.seq,
            "withdrawn_at": micros(row.withdrawn_at),
        }
        for parcel_id, merge in merges
        for row in merge.withdrawn
    ]
    update_many(conn, schema.events, _KEY, withdrawn)


def _row(parcel_id: int, row: Stored, provider: str) -> tuple[Any, ...]:
    """A scan in the order of `_COLUMNS`."""
    event = row.event
    return (
        parcel_id,
        to_micros(event.occurred_at),
        row.seq,
        to_micros(row.learned_at),
        micros(row.withdrawn_at),
        provider,
        event.milestone.value,
        *event_texts(event),
    )


def _mapping(parcel_id: int, row: Stored, provider: str) -> dict[str, Any]:
    return dict(zip(_COLUMNS, _row(parcel_id, row, provider), strict=True))


def _edit(parcel_id: int, old: Stored, at: datetime) -> dict[str, Any]:
    """The earlier state of a scan, whole, as it goes into `event_edits`."""
    was = _mapping(parcel_id, old, "")
    return {
        "parcel_id": parcel_id,
        "occurred_at": was["occurred_at"],
        "seq": old.seq,
        "replaced_at": to_micros(at),
        "was": dump({name: value for name, value in was.items() if name not in (*_KEY, "provider")}),
    }


def _still_withdrawn(conn: Connection, parcel_id: int, row: Stored) -> Stored:
    """A restored scan as the table still holds it: the merge no longer says when it was withdrawn."""
    place = (row.event.occurred_at, row.seq)
    return next(
        old for old in known(conn, [parcel_id])[parcel_id] if (old.event.occurred_at, old.seq) == place
    )
