"""Which policies applied when, and which files came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from domain.time import from_micros, to_micros
from monitor.store import schema
from monitor.store.bulk import insert_many
from monitor.store.codec import clean, dump, micros, moment, read_mapping

__all__ = [
    "Imported",
    "Span",
    "note_import",
    "note_policy",
    "policy_body",
    "policy_in_force",
    "policy_spans",
    "recent_imports",
    "seen_import",
]

_imports, _spans = schema.imports, schema.policy_spans


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
    origin: str = ""
    """`command`, `console` or `inbox`."""
    refused: str = ""
    """Why nothing of it was taken; empty for a file that was."""


def note_policy(conn: Connection, version: str, body: str, now: datetime) -> bool:
    """Keep a policy as it begins to apply. True unless it is the one that applied last: going back to
    an earlier one is a change too."""
    policies = schema.policies.c
    last = _last_span(conn)
    if last is not None and last.version == version:
        return False
    since = to_micros(now) if last is None else max(to_micros(now), last.since + 1)
    row = {"version": version, "since": since, "body": clean(body)}
    if not insert_many(conn, schema.policies, [row], ignore=True):
        conn.execute(update(schema.policies).where(policies.version == version).values(since=since))
    conn.execute(insert(_spans).values(version=version, since=since))
    return True


def policy_in_force(conn: Connection) -> str:
    """The version of the policy that applied last, empty before the first."""
    last = _last_span(conn)
    return str(last.version) if last is not None else ""


def _last_span(conn: Connection) -> Any:
    """The row of the policy in force, or None."""
    return conn.execute(
        select(_spans.c.version, _spans.c.since).order_by(_spans.c.id.desc()).limit(1)
    ).first()


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which one policy applied."""

    version: str
    since: datetime
    until: datetime | None
    """None: it still does."""


def policy_spans(conn: Connection) -> list[Span]:
    """Which policy applied when, the latest first."""
    rows = conn.execute(select(_spans.c.version, _spans.c.since).order_by(_spans.c.id.desc())).all()
    ends = [None, *(from_micros(row.since) for row in rows)]
    return [Span(row.version, from_micros(row.since), until) for row, until in zip(rows, ends, strict=False)]


def policy_body(conn: Connection, version: str) -> str | None:
    """What that policy said (`rules.described`), or None for a version nobody applied."""
    policies = schema.policies.c
    body: str | None = conn.execute(select(policies.body).where(policies.version == version)).scalar()
    return body


def seen_import(conn: Connection, sha256: str) -> Imported | None:
    """The last time a file with this hash was taken."""
    query = (
        select(_imports)
        .where(_imports.c.sha256 == sha256, _imports.c.refused == "")
        .order_by(_imports.c.id.desc())
        .limit(1)
    )
    row = conn.execute(query).first()
    return None if row is None else _imported(row)


def recent_imports(conn: Connection, most: int = 20) -> list[Imported]:
    """The files that came in last, refused ones among them, the latest first."""
    rows = conn.execute(select(_imports).order_by(_imports.c.id.desc()).limit(most))
    return [_imported(row) for row in rows]


def _imported(row: Any) -> Imported:
    return Imported(
        from_micros(row.at),
        row.sha256,
        row.name,
        row.source,
        moment(row.exported_at),
        read_mapping(row.counts),
        row.origin,
        row.refused,
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
            origin=row.origin,
            refused=clean(row.refused)[:1000],
        )
    )
