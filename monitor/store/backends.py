"""The two databases: how each is opened, kept to one writer, and looked after.

SQLite: settings of `facts/foundations.md` B2 and `facts/libraries.md` §5. Versions before 3.51.3 can
corrupt a WAL file when one connection commits while another checkpoints. So nothing checkpoints by
itself: the writer thread does it, and a lock file keeps the transactions and checkpoints of two
processes (the daemon and an import) apart, closing included. Never open the `-wal` or `-shm` file
from here: closing any descriptor of such a file would drop SQLite's own locks in this process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from monitor.store.errors import StoreError, StoreUnavailable

__all__ = ["Backend", "FileLock", "Postgres", "Sqlite", "backend_of", "parse_url", "sqlite_path"]

READERS: Final = 4
CHECKPOINT_BYTES: Final = 4000 * 4096
"""The write-ahead log is folded into the database when it has grown past this."""

MAPPED: Final = 64 << 20
"""Bytes of the file that each connection sees in memory. A look through all of a large store (the daily purge) fills
the map: with 256 MB a daemon of a million parcels held 450 MB then, with 64 MB 260 MB, at the same speed."""

_COMMON: Final = (
    "busy_timeout=5000",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    f"mmap_size={MAPPED}",
    "wal_autocheckpoint=0",
)
_WRITER: Final = (
    *_COMMON,
    "journal_mode=WAL",  # it is, unless a restore was killed between folding the log in and its last step
    "synchronous=FULL",
    "cache_size=-65536",
    f"journal_size_limit={CHECKPOINT_BYTES}",
)
_READER: Final = (*_COMMON, "query_only=ON", "cache_size=-16384")


class Backend(Protocol):
    """One database as this process uses it."""

    dialect: Literal["sqlite", "postgresql"]
    path: Path | None
    writer: Engine
    readers: Engine

    def exclusive(self) -> AbstractContextManager[None]:
        """A context in which no other process of ours writes or checkpoints."""

    def alive(self, conn: Connection) -> bool:
        """The transaction still stands after a failed statement."""

    def settle(self) -> None:
        """Housekeeping after a commit, inside `exclusive`. Raises nothing."""

    def advisory_lock(self, name: str) -> AbstractContextManager[None]:
        """A lock of the server's. Raises `StoreError` when it is taken."""

    def close(self) -> None:
        """Let everything go."""


def parse_url(url: str) -> URL:
    """`sqlite:///file.db` or `postgresql://…` as SQLAlchemy wants it. Raises `StoreError`."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is not None and parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed is not None and parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise StoreError(
        "看不懂配置里的 store。请写成 sqlite:///parcelwatch.db（文件）或 postgresql://用户:密码@主机/库名。"
    )


def sqlite_path(url: URL) -> Path:
    """Where the file is."""
    return Path(str(url.database))


def backend_of(url: URL, options: Mapping[str, Any]) -> Backend:
    """The backend for a parsed URL; `options` travel with every connection (`execution_options`)."""
    if url.get_backend_name() == "sqlite":
        return Sqlite(url, options)
    return Postgres(url, options)


class FileLock:
    """An exclusive lock between processes, and between two stores of one process. Not reentrant."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(
                f"建不了锁文件 {path}：{error.strerror}。请检查数据库所在目录是否存在、是否可写。"
            ) from error

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the descriptor back; the file stays, since another process may hold it."""
        os.close(self._file)


class Sqlite:
    """One file in WAL mode, every commit durable."""

    dialect: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, url: URL, options: Mapping[str, Any]) -> None:
        self.path: Path | None = (path := sqlite_path(url))
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._wal = Path(f"{path}-wal")
        self._threshold = CHECKPOINT_BYTES
        self.writer: Engine = sqlite_engine(url, _WRITER, "BEGIN IMMEDIATE", 1, {**options, "writes": True})
        self.readers: Engine = sqlite_engine(url, _READER, "BEGIN", READERS, options)

    def exclusive(self) -> FileLock:
        return self._lock

    def alive(self, conn: Connection) -> bool:
        return bool(getattr(conn.connection.driver_connection, "in_transaction", False))

    def settle(self) -> None:
        """Checkpoint once the log is long; while a reader holds it back, not before it doubles."""
        with suppress(OSError, SQLAlchemyError):
            size = self._wal.stat().st_size
            if size > self._threshold:
                whole = self._checkpoint()
                self._threshold = CHECKPOINT_BYTES if whole else size + CHECKPOINT_BYTES

    def advisory_lock(self, name: str) -> AbstractContextManager[None]:
        raise StoreError("SQLite 没有服务器锁：请用数据库旁边的锁文件。")

    def close(self) -> None:
        self.readers.dispose()
        with self._lock:
            with suppress(SQLAlchemyError, sqlite3.Error):
                self._checkpoint()
            self.writer.dispose()  # the last connection of all removes the log: inside the lock
        self._lock.close()

    def _checkpoint(self) -> bool:
        """Fold in what no reader holds back; waits for nobody. True when that was all."""
        with self.writer.connect() as conn:
            raw = conn.connection.cursor()
            busy, log, done = raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            return not busy and log == done


def sqlite_engine(
    url: URL, pragmas: tuple[str, ...], begin: str, size: int, options: Mapping[str, Any]
) -> Engine:
    """Connections that begin as told, usable from any thread."""
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=60,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def settings(raw: Any, _record: object) -> None:
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(conn: Connection) -> None:
        conn.exec_driver_sql(begin)

    return engine.execution_options(**options)


class Postgres:
    """One writing connection and a few reading ones; a dead connection is noticed and replaced."""

    dialect: Literal["sqlite", "postgresql"] = "postgresql"

    def __init__(self, url: URL, options: Mapping[str, Any]) -> None:
        self.path: Path | None = None
        self._url = url
        self.writer: Engine = _pg_engine(url, 1, "-c synchronous_commit=on").execution_options(
            **options, writes=True
        )
        self.readers: Engine = _pg_engine(
            url, READERS, "-c default_transaction_read_only=on", isolation_level="REPEATABLE READ"
        ).execution_options(**options)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield

    def alive(self, conn: Connection) -> bool:
        return not conn.invalidated and not conn.closed

    def settle(self) -> None:
        """PostgreSQL looks after itself."""

    @contextmanager
    def advisory_lock(self, name: str) -> Iterator[None]:
        engine = _pg_engine(self._url, 1, "")
        try:
            with engine.connect() as conn:
                me = f"parcelwatch {socket.gethostname()[:40]}/{os.getpid()}"
                conn.execute(text("SELECT set_config('application_name', :me, false)"), {"me": me})
                key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
                free = conn.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar()
                if not free:
                    row = conn.execute(text(_HOLDER), {"key": key}).first()
                    who = f"{row[0]}，自 {row[1]:%Y-%m-%d %H:%M}（北京时间）" if row else "正在退出"
                    raise StoreError(f"另一个进程已经占有「{name}」（{who}）。请先停止它，再启动这一个。")
                conn.commit()
                yield
        finally:
            engine.dispose()

    def close(self) -> None:
        self.readers.dispose()
        self.writer.dispose()


_HOLDER: Final = """
SELECT activity.application_name, activity.backend_start AT TIME ZONE 'Asia/Shanghai'
FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND (classid::bigint << 32 | objid::bigint) = :key
"""
"""Who holds a server's lock; a key of 64 bits is shown as two halves (PostgreSQL manual, pg_locks)."""


def _pg_engine(url: URL, size: int, settings: str, **extra: Any) -> Engine:
    try:
        return create_engine(
            url,
            pool_size=size,
            max_overflow=0,
            pool_timeout=60,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "options": f"-c timezone=UTC {settings}",
                "connect_timeout": 5,
                "application_name": "parcelwatch",
            },
            **extra,
        )
    except ModuleNotFoundError as error:
        raise StoreError("用 PostgreSQL 还缺驱动。请安装：pip install 'parcelwatch[postgres]'。") from error
