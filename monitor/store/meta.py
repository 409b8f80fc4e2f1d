"""Which policies ran, which files came in, and making everything due again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.bulk import chunks, insert_many
from monitor.store.codec import clean, dump, micros, moment, read_mapping

__all__ = ["Imported", "note_import", "note_policy", "policy_in_force", "seen_import", "touch_all"]

_imports, _due, _parcels = schema.imports, schema.due, schema.parcels


@dataclass(frozen=True, slots=True)
class Imported:
    """A file that came in."""

    at: datetime
    sha256: str
    name: str
    source: str = ""
    """Which kind of export it was recognised as."""
    exported_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def note_policy(conn: Connection, version: str, body: str, now: datetime) -> bool:
    """Keep a policy as it begins to apply. True unless it is the one that applied last: going back to
    an earlier one is a change too."""
    policies = schema.policies.c
    last = conn.execute(
        select(policies.version, policies.since).order_by(policies.since.desc()).limit(1)
    ).first()
    if last is not None and last.version == version:
        return False
    since = to_micros(now) if last is None else max(to_micros(now), last.since + 1)
    row = {"version": version, "since": since, "body": clean(body)}
    if not insert_many(conn, schema.policies, [row], ignore=True):
        conn.execute(update(schema.policies).where(policies.version == version).values(since=since))
    return True


def policy_in_force(conn: Connection) -> str:
    """The version of the policy that applied last, empty before the first."""
    policies = schema.policies.c
    version: str | None = conn.execute(
        select(policies.version).order_by(policies.since.desc()).limit(1)
    ).scalar()
    return version or ""


def seen_import(conn: Connection, sha256: str) -> Imported | None:
    """The last time a file with this hash came in."""
    query = select(_imports).where(_imports.c.sha256 == sha256).order_by(_imports.c.id.desc()).limit(1)
    row = conn.execute(query).first()
    if row is None:
        return None
    return Imported(
        from_micros(row.at),
        row.sha256,
        row.name,
        row.source,
        moment(row.exported_at),
        read_mapping(row.counts),
    )


def note_import(conn: Connection, row: Imported) -> None:
    """Remember a file."""
    conn.execute(
        insert(_imports).values(
            at=to_micros(row.at),
            sha256=row.sha256,
            name=clean(row.name),
            source=clean(row.source),
            exported_at=micros(row.exported_at),
            counts=dump(dict(row.counts)),
        )
    )


def touch_all(conn: Connection, now: datetime, *, after: int = 0, limit: int | None = None) -> int:
    """Make watched parcels with an id beyond `after` due for judging, at most `limit` of them.

    Returns the last id touched, 0 when none was left, so that a caller can go on in a transaction of
    its own and let others write in between.
    """
    watched = select(_parcels.c.id).where(_parcels.c.state == "watched", _parcels.c.id > after)
    ids = list(conn.execute(watched.order_by(_parcels.c.id).limit(limit)).scalars())
    for some in chunks(ids):
        conn.execute(update(_due).where(_due.c.parcel_id.in_(some)).values(next_deadline_at=to_micros(now)))
    return ids[-1] if ids else 0
