"""Opening the store for a command or the daemon."""

from __future__ import annotations

from monitor.store.database import Database, migrate, schema_state

__all__ = ["open_store"]


def open_store(url: str) -> Database:
    """The store at `url`; one that does not exist yet is made.

    An older one is refused with `StoreOutdated`: upgrading is the operator's decision, after a backup.
    """
    if schema_state(url) == "absent":
        migrate(url)
    return Database.open(url)
