"""Findings: opened, made worse, told, ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import Connection

from domain.findings import Finding, FindingState
from domain.time import SHANGHAI


@dataclass(frozen=True, slots=True)
class NewFinding:
    parcel_id: int
    finding: Finding
    found_at: datetime
    policy_version: str = ""
    silenced_by: str = ""
    ticket_id: int | None = None
    told_step: int = 0


@dataclass(frozen=True, slots=True)
class Worse:
    """An open finding as it stands now: also for a mere change of evidence, deadline or silencing."""

    id: int
    finding: Finding
    silenced_by: str = ""
    ticket_id: int | None = None
    """None: leave."""


@dataclass(frozen=True, slots=True)
class Ended:
    id: int
    state: FindingState
    at: datetime
    by: str = ""


def open_(conn: Connection, rows: Sequence[NewFinding]) -> list[int]:
    """Returns the new ids, in order. IntegrityError when one of that parcel and rule is open."""
    raise NotImplementedError


def escalate(conn: Connection, rows: Sequence[Worse]) -> None:
    raise NotImplementedError


def end(conn: Connection, rows: Sequence[Ended]) -> None:
    raise NotImplementedError


def told(conn: Connection, ids_steps: Iterable[tuple[int, int]]) -> None:
    """(finding id, step told)."""
    raise NotImplementedError


def listing(
    conn: Connection, *, all_: bool = False, limit: int = 1000, zone: tzinfo = SHANGHAI
) -> list[dict[str, Any]]:
    """The columns of `findings --json`; times as ISO 8601 texts in `zone`."""
    raise NotImplementedError
