"""One daemon per store: two would poll twice and speak twice."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TextIO

from monitor.store.errors import StoreError, StoreUnavailable

__all__ = ["Lockable", "StoreFile", "ever_held", "only_one"]

_HOLDER: Final = 200
"""Characters read of who holds the lock."""


class Lockable(Protocol):
    """A store, open or about to be replaced."""

    @property
    def path(self) -> Path | None: ...
    def advisory_lock(self, name: str) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A store by its file's name alone: nothing of it is opened, and it need not be there."""

    path: Path

    def advisory_lock(self, name: str) -> AbstractContextManager[None]:
        raise StoreError("SQLite 没有服务器锁：请用数据库旁边的锁文件。")


def ever_held(path: Path) -> bool:
    """Whether a daemon can be at the store in this file: each leaves the lock's file behind."""
    return _lock_file(path).exists()


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
    with _opened(_lock_file(path)) as handle:
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


def _lock_file(path: Path) -> Path:
    return Path(f"{path}.daemon")


def _opened(path: Path) -> TextIO:
    try:
        return path.open("a+")
    except OSError as error:
        raise StoreUnavailable(
            f"建不了锁文件 {path}：{error.strerror}。请检查数据库所在目录是否存在、是否可写。"
        ) from error


def _me() -> str:
    """This process, as an operator finds it."""
    return f"{socket.gethostname()} 上的进程 {os.getpid()}"


def _taken(path: str, holder: str) -> str:
    who = f"（{holder}）" if holder.isprintable() and holder else ""
    return f"已有一个 parcelwatch run{who}在使用 {path}；请先停止它，或换一个 store"
