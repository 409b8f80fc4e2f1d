from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import Connection

from domain.time import SHANGHAI


@dataclass(frozen=True, slots=True)
class ProviderState:
    name: str
    state: str = "up"
    """`up`, `degraded` or `down`."""
    since: datetime | None = None
    last_good_at: datetime | None = None
    last_bad_at: datetime | None = None
    last_error: str = ""
    failures: int = 0
    successes: int = 0
    told: int = 0
    resume_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    asked: int = 0
    cents: int = 0


def load(conn: Connection, name: str) -> ProviderState:
    raise NotImplementedError


def save(conn: Connection, state: ProviderState) -> None:
    raise NotImplementedError


def spend(conn: Connection, provider: str, day: date, *, asked: int, cents: int = 0) -> None:
    """Add to the account's bill of one day (of Shanghai)."""
    raise NotImplementedError


def spent(conn: Connection, provider: str, day: date) -> Spent:
    raise NotImplementedError


def note_unknown(conn: Connection, provider: str, codes: Sequence[str], sample: str, at: datetime) -> None:
    raise NotImplementedError


def oddity(conn: Connection, source: str, reason: str, body: str, at: datetime) -> None:
    """Keep a reply nobody could read; the newest 200 stay."""
    raise NotImplementedError


def reserve(conn: Connection, provider: str, n: int, per_second: float, now: datetime) -> timedelta:
    """Take `n` places in the account's queue; how long to wait before the first of them.

    The n requests may leave at that moment and 1/per_second apart from then on.
    """
    raise NotImplementedError


def listing(conn: Connection, now: datetime, *, zone: tzinfo = SHANGHAI) -> list[dict[str, Any]]:
    raise NotImplementedError
