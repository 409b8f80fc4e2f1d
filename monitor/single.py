"""One daemon per store: two would poll twice and speak twice."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from monitor.store.errors import StoreError

__all__ = ["Lockable", "only_one"]

_HOLDER: Final = 200
"""Characters read of who holds the lock."""


class Lockable(Protocol):
    """A store, open or about to be replaced."""

    @property
    def path(self) -> Path | None: ...
    def advisory_lock(self, name: str) -> AbstractContextManager[None]: ...


@contextlib.contextmanager
def only_one(db: Lockable) -> Iterator[None]:
    """Hold the store's daemon lock, or raise `StoreError` when another daemon has it.

    The lock is the operating system's (SQLite) or the server's (PostgreSQL): a killed process lets
    go of it. Who holds it is told: machine and process id.
    """
    path = db.path
    if path is None:
        with db.advisory_lock("parcelwatch daemon"):
            yield
        return
    with Path(f"{path}.daemon").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = handle.read(_HOLDER).strip()
            raise StoreError(_taken(str(path), holder)) from None
        handle.truncate(0)
        handle.write(_me())
        handle.flush()
        yield


def _me() -> str:
    """This process, as an operator finds it."""
    return f"{socket.gethostname()} 上的进程 {os.getpid()}"


def _taken(path: str, holder: str) -> str:
    who = f"（{holder}）" if holder.isprintable() and holder else ""
    return f"已有一个 parcelwatch run{who}在使用 {path}；请先停止它，或换一个 store"
