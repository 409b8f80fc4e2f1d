"""The store's door: works go in, each one a function of a connection, and come back done.

    database.write_now(lambda conn: parcels.save(conn, updates, now))      # durable when it returns
    await database.read(lambda conn: tickets.listing(conn))                # one moment's view

Everything one work writes is one transaction with nothing else missing (L5); see `writer.py` for how
works share a commit. A read sees the store as it stood at one moment and can write nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from traceback import clear_frames
from typing import Literal, TypeVar

from sqlalchemy import Connection

from monitor.store.backends import READERS, Backend, backend_of, parse_url, sqlite_path
from monitor.store.errors import (
    StoreError,
    StoreFull,
    StoreNewer,
    StoreOutdated,
    StoreUnavailable,
    translate,
)
from monitor.store.migration import migrate, newer, schema_state
from monitor.store.sealing import Keys
from monitor.store.writer import Writer

__all__ = [
    "Database",
    "StoreError",
    "StoreFull",
    "StoreNewer",
    "StoreOutdated",
    "StoreUnavailable",
    "migrate",
    "schema_state",
]

T = TypeVar("T")


class Database:
    """One per process. Any thread and any event loop may use it."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._writer = Writer(backend)
        self._reading = ThreadPoolExecutor(READERS, "store-read")

    @classmethod
    def open(cls, url: str, *, keys: Keys | None = None) -> Database:
        """The store at `sqlite:///file.db` or `postgresql://…`.

        `keys` seal the few personal texts; without them they are kept in a file beside the SQLite
        database, or `parcelwatch.key` in the working directory for PostgreSQL, where every machine
        needs the same one. Raises `StoreOutdated` and `StoreNewer` unless the tables are this program's.
        """
        parsed = parse_url(url)
        match schema_state(url):
            case "absent":
                raise StoreOutdated("数据库还没有建立。请先运行：parcelwatch migrate")
            case "outdated":
                raise StoreOutdated(
                    "数据库是旧版本的，程序没有启动，数据没有改动。"
                    "请先备份数据库，再运行：parcelwatch migrate"
                )
            case "newer":
                raise newer()
        file = parsed.get_backend_name() == "sqlite"
        place = sqlite_path(parsed) if file else Path("parcelwatch")
        return cls(backend_of(parsed, {"keys": keys or Keys.beside(place)}))

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]:
        """Which database this is."""
        return self._backend.dialect

    @property
    def path(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        return self._backend.path

    def advisory_lock(self, name: str) -> AbstractContextManager[None]:
        """PostgreSQL: hold a lock of the server's by that name; `StoreError` when another process does.

        A process that dies lets go of it. On SQLite there is no server to hold it: `StoreError`.
        """
        return self._backend.advisory_lock(name)

    def write_now(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the writer thread and wait: what it wrote is durable when this returns.

        Raises what `work` raised (nothing of it is kept then), or a `StoreError`.
        """
        return self._writer.submit(work).result()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """`write_now` for a coroutine. Cancelled while it waits, the work is not run."""
        return await asyncio.wrap_future(self._writer.submit(work))

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """Run `work` here, on a connection that shows one moment and refuses to write."""
        try:
            with self._backend.readers.connect() as conn, conn.begin():
                return work(conn)
        except Exception as error:
            clear_frames(error.__traceback__)  # a cursor left open there would hold this moment for ever
            meant = translate(error)
            if meant is error:
                raise
            raise meant from error

    async def read(self, work: Callable[[Connection], T]) -> T:
        """`read_now` for a coroutine, in one of a few threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self.read_now, work)

    def listen(self, told: Callable[[int, int, float], None]) -> None:
        """Tell of every writing transaction: how many works, how many of them failed, seconds with the commit.

        Called from the writer's thread; it must be quick and raise nothing.
        """
        self._writer.told = told

    def close(self) -> None:
        """Finish the works that were taken, then let go of the database."""
        self._writer.close()
        self._reading.shutdown()
        self._backend.close()
