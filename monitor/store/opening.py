"""Opening the store for a command or the daemon."""

from __future__ import annotations

from pathlib import Path

from monitor.store.backends import parse_url, sqlite_path
from monitor.store.database import Database, migrate, schema_state
from monitor.store.sealing import Keys

__all__ = ["key_file", "open_store"]


def key_file(url: str, folder: Path) -> Path:
    """Where the sealing key of the store at `url` lies once something was sealed; `folder` is the configuration's."""
    parsed = parse_url(url)
    place = sqlite_path(parsed) if parsed.get_backend_name() == "sqlite" else folder / "parcelwatch"
    return place.with_name(place.name + ".key")


def open_store(url: str, folder: Path) -> Database:
    """The store at `url`; one that does not exist yet is made.

    `folder` is the configuration's: a store without a file of its own (PostgreSQL) keeps its sealing
    key there.

    An older one is refused with `StoreOutdated`: upgrading is the operator's decision, after a backup.
    """
    if schema_state(url) == "absent":
        migrate(url)
    return Database.open(url, keys=None if url.startswith("sqlite") else Keys.beside(folder / "parcelwatch"))
