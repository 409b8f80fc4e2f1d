"""What a SQLite file declares: compared before a file from elsewhere becomes the store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Shape", "shape_of"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a database file declares: a name beyond ours could act by itself when the store is used."""

    tables: dict[str, list[tuple[Any, ...]]]
    triggers: dict[str, str]
    others: frozenset[str]
    """Views, and tables that are programs."""
    indexes: frozenset[str]

    def stands_for(self, pattern: Shape) -> bool:
        """The same tables and triggers and nothing that acts; an index more does no harm."""
        return (
            (self.tables, self.triggers, self.others) == (pattern.tables, pattern.triggers, pattern.others)
        ) and self.indexes >= pattern.indexes


def shape_of(path: Path) -> Shape:
    """What the file declares, read without running any of it."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA trusted_schema=OFF")
        rows = conn.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
        own = [(kind, name, sql) for kind, name, sql in rows if not name.startswith("sqlite_")]
        virtual = {name for _, name, sql in own if sql.upper().startswith("CREATE VIRTUAL")}
        tables = {
            name: [
                (column, type_.upper(), required, key, hidden)
                for _, column, type_, required, _, key, hidden in conn.execute(
                    "SELECT * FROM pragma_table_xinfo(?)", (name,)
                )
            ]
            for kind, name, _ in own
            if kind == "table" and name not in virtual
        }
    return Shape(
        tables,
        {name: " ".join(sql.split()) for kind, name, sql in own if kind == "trigger"},
        frozenset({name for kind, name, _ in own if kind == "view"} | virtual),
        frozenset(name for kind, name, _ in own if kind == "index"),
    )
