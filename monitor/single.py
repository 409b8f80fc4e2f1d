"""One daemon per store: two would poll twice and speak twice."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from monitor.store.database import Database, StoreError

__all__ = ["only_one"]


@contextlib.contextmanager
def only_one(db: Database) -> Iterator[None]:
    """Hold the store's daemon lock, or raise `StoreError` when another daemon has it.

    The lock is the operating system's (SQLite) or the server's (PostgreSQL): a killed process lets
    go of it.
    """
    path = db.path
    if path is None:
        with db.advisory_lock("parcelwatch daemon"):
            yield
        return
    with Path(f"{path}.daemon").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"已有一个 parcelwatch run 在使用 {path}；请先停止它，或换一个 store") from None
        yield
