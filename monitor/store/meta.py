from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Imported:
    at: datetime
    sha256: str
    name: str
    source: str = ""
    exported_at: datetime | None = None
    counts: Mapping[str, int] | None = None


def note_policy(conn: Connection, version: str, body: str, now: datetime) -> bool:
    """True when this version was never seen before."""
    raise NotImplementedError


def seen_import(conn: Connection, sha256: str) -> Imported | None:
    raise NotImplementedError


def note_import(conn: Connection, row: Imported) -> None:
    raise NotImplementedError


def touch_all(conn: Connection, now: datetime, *, after: int = 0, limit: int | None = None) -> int:
    """Make watched parcels with an id beyond `after` due for judging, at most `limit` of them.

    Returns the last id touched (0: none left), so that a caller can go on in another transaction.
    """
    raise NotImplementedError
