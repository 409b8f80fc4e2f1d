from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from domain.tracking import Merge, Stored


def known(conn: Connection, parcel_ids: Sequence[int]) -> dict[int, list[Stored]]:
    raise NotImplementedError


def apply(conn: Connection, merges: Sequence[tuple[int, Merge]], *, provider: str, at: datetime) -> None:
    raise NotImplementedError
