from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table


def insert_many(
    conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, ignore: bool = False
) -> None:
    raise NotImplementedError


def update_many(
    conn: Connection, table: Table, key_columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    raise NotImplementedError
