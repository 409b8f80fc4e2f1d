"""A backup becomes the store again: everything is checked and made ready aside, then changes place in one step.

Who is killed before that step has the old store, after it the new one. What was there stays: on SQLite as
a file beside it, on PostgreSQL as a schema of its own. A backup of one database can be restored into the
other; one of an older revision is loaded as it was and then upgraded.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from monitor.store import archive, dump
from monitor.store.archive import DATABASE, Archive, Manifest, Table, Watch, table_part
from monitor.store.backends import FileLock, parse_url, sqlite_path
from monitor.store.backup import check_sqlite, nobody
from monitor.store.errors import StoreError, StoreNewer, StoreRefused, refused_by_database
from monitor.store.key_files import keep_key
from monitor.store.migration import known_revisions, made_at, newer, schema_state, upgraded, upgrading
from monitor.store.schema import METADATA
from monitor.store.sqlite_shape import shape_of
from monitor.store.workplace import sync, sync_folder, workplace

__all__ = ["Restored", "restore"]

_PATIENCE: Final = 2.0
"""Seconds to wait for others to close the old store."""
_OURS: Final = frozenset({*METADATA.tables, "alembic_version"})


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, or would have."""

    manifest: Manifest
    kept: str
    """What was there before, under its new name; empty: there was nothing."""
    sealed: int
    """Orders with a sealed phone tail that no key at hand opens."""
    done: bool


def restore(
    url: str, source: Path, *, key: Path, now: datetime, dry_run: bool = False, watch: Watch = nobody
) -> Restored:
    """Put the backup `source` in the place of the store at `url`. `key` is where the sealing key lies.

    The caller holds the daemon's lock (`monitor.single`). Raises `StoreRefused` for a backup that is not
    in order, `StoreNewer` for one of a later program, and `StoreError`; then the store is as it was.
    """
    parsed = parse_url(url)
    try:
        with archive.reading(source) as file:
            if file.manifest.revision not in known_revisions():
                raise StoreNewer(
                    f"{source} 是更新版本的 parcelwatch 的数据（{file.manifest.revision}）。请先升级程序。"
                )
            if not _damaged(parsed) and schema_state(url) == "newer":
                raise newer()
            file.verify(watch)
            keys = file.key()
            if parsed.get_backend_name() == "sqlite":
                return _into_sqlite(parsed, file, keys, key, now, dry_run, watch)
            return _into_postgresql(parsed, file, keys, key, now, dry_run, watch)
    except DBAPIError as error:
        raise refused_by_database(error) from error


def _damaged(url: URL) -> bool:
    """A SQLite file that cannot be read as one: that is what backups are for."""
    if url.get_backend_name() != "sqlite" or not sqlite_path(url).exists():
        return False
    try:
        with closing(sqlite3.connect(sqlite_path(url), timeout=5)) as conn:
            conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
    return False


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────


def _into_sqlite(
    url: URL, file: Archive, keys: str, key: Path, now: datetime, dry_run: bool, watch: Watch
) -> Restored:
    path = sqlite_path(url)
    if not path.parent.is_dir():
        raise StoreRefused(f"没有目录 {path.parent}。请先建立它。")
    with workplace(path.parent) as place:
        fresh = _ready(file, place, watch)
        sealed = _locked_out(fresh, keys, key)
        kept = None if _nothing_at(path) else _kept(path, now)
        if not dry_run:
            keep_key(keys, key, now)
            _change_places(path, fresh, kept)
    return Restored(file.manifest, str(kept) if kept else "", sealed, done=not dry_run)


def _nothing_at(path: Path) -> bool:
    """No file, or a database in which there is not even a table: not worth keeping. A damaged one is."""
    if not path.exists():
        return True
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE)) as conn:
            return conn.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    except sqlite3.Error:
        return False


def _kept(path: Path, now: datetime) -> Path:
    """A name that is free for the old store."""
    name = f"{path.name}.before-restore-{now:%Y%m%dT%H%M%SZ}"
    return next(
        free for n in count(1) if not (free := path.with_name(name if n == 1 else f"{name}-{n}")).exists()
    )


def _ready(file: Archive, place: Path, watch: Watch) -> Path:
    """A whole database file of this program's revision, made from the backup and checked."""
    fresh = place / DATABASE
    address = parse_url(f"sqlite:///{fresh}")
    if file.manifest.dialect == "sqlite":
        file.unpack(DATABASE, fresh)
        _check_copy(file, fresh, place, watch)
    else:
        made_at(address, file.manifest.revision)
        with upgrading(address) as conn:
            _load(conn, file, watch)
    upgraded(address)
    watch("check", 0, 1)
    check_sqlite(fresh, watch)
    return fresh


def _check_copy(file: Archive, fresh: Path, place: Path, watch: Watch) -> None:
    """Its pages, its references, its very tables and triggers, and its counts: all as they ought to be."""
    try:
        check_sqlite(fresh, watch)
        pattern = place / "pattern.db"
        made_at(parse_url(f"sqlite:///{pattern}"), file.manifest.revision)
        if not shape_of(fresh).stands_for(shape_of(pattern)):
            raise StoreRefused(
                f"{file.path} 不能用来恢复：里面的表或触发器不是 parcelwatch 建的。没有做任何改动。"
            )
        _drop_database(pattern)
        with closing(sqlite3.connect(fresh)) as copy:
            found = copy.execute("SELECT version_num FROM alembic_version").fetchone()
            if found != (file.manifest.revision,):
                raise StoreRefused(f"{file.path} 不能用来恢复：数据的版本和清单不符。没有做任何改动。")
            for table in file.manifest.tables:
                if table.name not in METADATA.tables:
                    raise StoreRefused(f"{file.path} 不能用来恢复：不认识表 {table.name}。没有做任何改动。")
                rows = copy.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # noqa: S608
                _compare(file, table, rows)
    except sqlite3.Error as error:
        raise StoreRefused(
            f"{file.path} 不能用来恢复：里面的数据库打不开（{error}）。没有做任何改动。"
        ) from error


def _change_places(path: Path, fresh: Path, kept: Path | None) -> None:
    """The step. While it lasts nobody else can open the old store; no log of it is left for the new one."""
    sync(fresh)
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        with lock:
            with _alone_with(path, kept):
                if kept is not None:
                    _second_name(path, kept)
                fresh.replace(path)
            sync_folder(path.parent)
    finally:
        lock.close()


@contextmanager
def _alone_with(path: Path, kept: Path | None) -> Iterator[None]:
    """The old store is one file, its log folded in, and held so that nobody opens it."""
    if not path.exists():
        yield
        return
    with closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as old:
        try:
            old.execute("PRAGMA locking_mode=EXCLUSIVE")
            if old.execute("PRAGMA journal_mode=DELETE").fetchone() != ("delete",):
                raise StoreRefused(_in_use(path))
            old.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StoreRefused(_in_use(path)) from error
            if kept is None:
                raise
            _lay_aside_logs(path, kept)  # it is damaged: kept as it is, log and all
        yield


def _in_use(path: Path) -> str:
    return f"{path} 正被别的程序打开着（控制台、导入或数据库工具）。请先关闭它们，再恢复。"


def _lay_aside_logs(path: Path, kept: Path) -> None:
    for end in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{end}").rename(f"{kept}{end}")


def _second_name(path: Path, kept: Path) -> None:
    """The old file keeps a name of its own, so that taking the other one away loses nothing."""
    try:
        os.link(path, kept)
    except OSError:  # a file system without hard links
        shutil.copy2(path, kept)
        sync(kept)


def _drop_database(path: Path) -> None:
    for end in ("", "-wal", "-shm", ".lock"):
        Path(f"{path}{end}").unlink(missing_ok=True)


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────


def _into_postgresql(
    url: URL, file: Archive, keys: str, key: Path, now: datetime, dry_run: bool, watch: Watch
) -> Restored:
    """All of it in one transaction: the tables that are there move into a schema of their own."""
    with workplace(Path(tempfile.gettempdir())) as place:
        rehearsed = dry_run or file.manifest.dialect == "sqlite"  # a dump is tried out as a file, too
        ready = _ready(file, place, watch) if rehearsed else None
        there = schema_state(url.render_as_string(hide_password=False)) != "absent"
        kept = f"before_restore_{now:%Y%m%d_%H%M%S_%f}" if there else ""
        if dry_run:
            return Restored(file.manifest, kept, _locked_out(ready, keys, key) if ready else 0, done=False)
        keep_key(keys, key, now)
        with upgrading(url) as conn:
            conn.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
            if kept:
                _move_aside(conn, kept)
            if ready is not None:
                upgraded(conn)
                _load_rows(conn, ready, watch)
            else:
                made_at(conn, file.manifest.revision)
                _load(conn, file, watch)
                upgraded(conn)
            dump.set_sequences(conn, dump.shapes(conn))
            sealed = _sealed_of(conn, keys, key)
    return Restored(file.manifest, kept, sealed, done=True)


def _move_aside(conn: Connection, schema: str) -> None:
    conn.exec_driver_sql(f"CREATE SCHEMA {schema}")
    for name in inspect(conn).get_table_names():
        if name in _OURS:
            conn.exec_driver_sql(f"ALTER TABLE {name} SET SCHEMA {schema}")
    ours = conn.execute(
        text(
            "SELECT oid::regprocedure::text FROM pg_proc"
            " WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'parcelwatch%'"
        )
    )
    for function in list(ours.scalars()):
        conn.exec_driver_sql(f"ALTER FUNCTION {function} SET SCHEMA {schema}")


def _load_rows(conn: Connection, ready: Path, watch: Watch) -> None:
    """The rows of a database file of our own revision."""
    tables = dump.shapes(conn)
    dump.empty(conn, tables)
    with closing(sqlite3.connect(f"file:{ready}?mode=ro&immutable=1", uri=True)) as source:
        for n, table in enumerate(tables):
            watch("load", n, len(tables))
            names = ", ".join(name for name, _ in table.columns)
            dump.insert_rows(conn, table, source.execute(f"SELECT {names} FROM {table.name}"))  # noqa: S608


# ── both ─────────────────────────────────────────────────────────────────────────────────────────


def _load(conn: Connection, file: Archive, watch: Watch) -> None:
    """The dumped tables, into tables of their own revision."""
    here = {table.name: dict(table.columns) for table in dump.shapes(conn)}
    for table in file.manifest.tables:
        if here.get(table.name) != dict(table.columns):
            raise StoreRefused(f"{file.path} 不能用来恢复：表 {table.name} 的列不对。没有做任何改动。")
    if here.keys() != {table.name for table in file.manifest.tables}:
        raise StoreRefused(f"{file.path} 不能用来恢复：表不全。没有做任何改动。")
    dump.empty(conn, dump.shapes(conn))
    for n, table in enumerate(file.manifest.tables):
        watch("load", n, len(file.manifest.tables))
        part = file.manifest.part(table_part(table.name))
        if part is None:
            raise StoreRefused(f"{file.path} 不能用来恢复：缺少表 {table.name}。没有做任何改动。")
        _load_table(conn, file, table, archive_chunks=file.chunks(part))
        _compare(file, table, dump.count(conn, table))


def _load_table(conn: Connection, file: Archive, table: Table, *, archive_chunks: Iterator[bytes]) -> None:
    if conn.dialect.name == "postgresql":
        try:
            dump.copy_in(conn, table, archive_chunks)
        except StoreError:
            raise
        except Exception as error:
            raise _unreadable(file, table, error) from error
        return
    try:
        dump.insert_rows(conn, table, dump.rows_of(archive_chunks, table))
    except (ValueError, KeyError, DBAPIError) as error:
        raise _unreadable(file, table, error) from error


def _unreadable(file: Archive, table: Table, error: Exception) -> StoreRefused:
    return StoreRefused(
        f"{file.path} 不能用来恢复：表 {table.name} 的内容读不进去（{type(error).__name__}）。没有做任何改动。"
    )


def _compare(file: Archive, table: Table, rows: int) -> None:
    if rows != table.rows:
        raise StoreRefused(
            f"{file.path} 不能用来恢复：表 {table.name} 有 {rows} 行，清单里是 {table.rows} 行。没有做任何改动。"
        )


def _locked_out(database: Path, keys: str, key: Path) -> int:
    engine = create_engine(f"sqlite:///{database}", poolclass=NullPool)
    with engine.connect() as conn:
        return _sealed_of(conn, keys, key)


def _sealed_of(conn: Connection, keys: str, key: Path) -> int:
    """Sealed fields for which there is no key at all."""
    if keys or key.exists():
        return 0
    found: Any = conn.execute(text("SELECT count(*) FROM orders WHERE phone_tail IS NOT NULL")).scalar_one()
    return int(found)
