"""A backup of the store while everybody goes on writing: one moment's truth, checked, and whole or not there.

SQLite is copied page by page inside one read transaction: the writer is not held up and the copy does
not begin again at every commit (backup.html: a source that is being read stays as it was). The reading
connection checkpoints nothing, so the log grows by what is written meanwhile. PostgreSQL is read table
by table in one REPEATABLE READ snapshot, with no tools but the driver.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from monitor.store import archive, dump
from monitor.store.archive import DATABASE, KEY, KeyKept, Manifest, Packer, Table, Watch, table_part
from monitor.store.backends import backend_of, parse_url
from monitor.store.errors import StoreError, StoreOutdated, refused_by_database
from monitor.store.migration import schema_state
from monitor.store.workplace import publish, refuse_unfit, told_by_disk, workplace

__all__ = ["Backup", "back_up", "back_up_through", "check_sqlite", "nobody", "rotate", "stamped"]

_PAGES: Final = 1024
"""Copied in one step: 4 MB, some milliseconds."""
_STEPS: Final = 200_000
"""Virtual machine steps between two questions whether to stop."""
_STAMP: Final = re.compile(r"parcelwatch-\d{8}T\d{6}Z(-\d+)?\.backup")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that stands."""

    path: Path
    bytes: int
    manifest: Manifest
    key_path: Path | None
    """Where the sealing key lies that is not in it, or None."""


def nobody(_stage: str, _done: int, _total: int) -> None:
    """Watches without a word."""


def back_up(
    url: str, target: Path, *, key: Path, now: datetime, with_key: bool = True, force: bool = False,
    watch: Watch = nobody,
) -> Backup:  # fmt: skip
    """Back up the store at `url`, of whatever revision, as `target`. `key` is where its sealing key would lie.

    Raises `StoreRefused` for a name that may not be used, `StoreOutdated` when there is no store, and
    `StoreError` when it could not be written whole; then `target` is as it was.
    """
    refuse_unfit(target, force=force)
    if schema_state(url) == "absent":
        raise StoreOutdated("数据库还没有建立，没有东西可以备份。")
    backend = backend_of(parse_url(url), {})
    try:
        with backend.readers.connect() as conn, conn.begin():
            return back_up_through(
                conn, target, key=key, now=now, with_key=with_key, force=force, watch=watch
            )
    except DBAPIError as error:
        raise refused_by_database(error) from error
    finally:
        backend.close()


def back_up_through(
    conn: Connection, target: Path, *, key: Path, now: datetime, with_key: bool = True, force: bool = False,
    watch: Watch = nobody,
) -> Backup:  # fmt: skip
    """`back_up` on a reading connection that has read nothing yet, as `Database.read` gives it."""
    refuse_unfit(target, force=force)
    with workplace(target.parent) as place:
        fresh = place / "archive"
        packer = Packer(fresh)
        try:
            revision = str(conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
            if conn.dialect.name == "sqlite":
                tables = _pack_sqlite(conn, place, packer, watch)
            else:
                tables = _pack_postgresql(conn, packer, watch)
            kept = _pack_key(packer, key, with_key=with_key)
            dialect: Any = conn.dialect.name
            manifest = Manifest(dialect, revision, now, _program(), kept, tuple(tables), tuple(packer.parts))
            packer.close(manifest)
        finally:
            packer.abandon()
        with archive.reading(fresh) as written:  # what is given a name has been read back
            written.verify(watch)
        length = fresh.stat().st_size
        publish(fresh, target, force=force)
    return Backup(target, length, manifest, key if kept == "left_out" else None)


def check_sqlite(path: Path, watch: Watch = nobody) -> None:
    """Raise `StoreError` unless a database file that nobody has open is sound, references included."""
    address = f"file:{_quoted(path)}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as copy, _stoppable(copy, watch):
        copy.execute("PRAGMA trusted_schema=OFF")
        found = copy.execute("PRAGMA integrity_check(1)").fetchone()
        broken = copy.execute("PRAGMA foreign_key_check").fetchone()
    if found != ("ok",):
        raise StoreError(f"检查没有通过：{str(found[0])[:200] if found else '没有结果'}")
    if broken is not None:
        raise StoreError(f"检查没有通过：表 {str(broken[0])[:60]} 里有行引用了不存在的行")


def stamped(folder: Path, now: datetime) -> Path:
    """A name for a scheduled backup."""
    return folder / f"parcelwatch-{now:%Y%m%dT%H%M%SZ}.backup"


def rotate(folder: Path, keep: int) -> list[Path]:
    """Remove the oldest scheduled backups beyond the newest `keep`; other files are left alone."""
    ours = sorted(
        (path for path in folder.iterdir() if _STAMP.fullmatch(path.name) and path.is_file()),
        key=lambda path: path.name,
    )
    gone = ours[: max(len(ours) - keep, 0)]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────


def _pack_sqlite(conn: Connection, place: Path, packer: Packer, watch: Watch) -> list[Table]:
    copy = place / DATABASE
    raw: Any = conn.connection.driver_connection
    _refuse_small_disk(raw, place)
    try:
        _copy_pages(raw, copy, watch)
    except sqlite3.Error as error:
        raise _told_by_copy(error, place) from error
    watch("check", 0, 1)
    check_sqlite(copy, watch)
    tables = _counted(copy)
    length = copy.stat().st_size

    def pieces() -> Iterator[bytes]:
        done = 0
        with copy.open("rb") as file:
            for piece in archive.pieces(file):
                done += len(piece)
                watch("pack", done, length)
                yield piece

    packer.add(DATABASE, pieces())
    copy.unlink()
    return tables


def _copy_pages(source: sqlite3.Connection, to: Path, watch: Watch) -> None:
    """In steps, all of them of the moment the source's transaction began."""

    def told(_status: int, left: int, total: int) -> None:
        watch("copy", total - left, total)

    to.touch(mode=0o600)
    with closing(sqlite3.connect(to, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # a copy that is not whole is thrown away
        source.backup(copy, pages=_PAGES, progress=told)


def _refuse_small_disk(raw: sqlite3.Connection, place: Path) -> None:
    """Not even begun when the bare copy cannot fit."""
    pages = raw.execute("PRAGMA page_count").fetchone()[0] * raw.execute("PRAGMA page_size").fetchone()[0]
    free = shutil.disk_usage(place).free
    if free < pages:
        raise StoreError(
            f"{place.parent} 所在的磁盘只剩 {_mb(free)}，放不下 {_mb(pages)} 的副本，没有开始备份。"
            "数据库和以前的备份都没有动。请腾出空间，或换一个地方。"
        )


def _told_by_copy(error: sqlite3.Error, place: Path) -> StoreError:
    """A page that cannot be written stands for a disk that is full: SQLite says no more than that."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        try:
            free = shutil.disk_usage(place).free
            with (place / "probe").open("wb") as probe:
                probe.write(b"\0" * min(free, 1 << 20) + b"\0" * 4096)
        except OSError as cause:
            return told_by_disk(cause, place.parent)
    return StoreError(f"复制数据库时出错，没有备份成：{error}。数据库和以前的备份都没有动。")


def _counted(path: Path) -> list[Table]:
    engine = create_engine(f"sqlite:///file:{_quoted(path)}?mode=ro&immutable=1&uri=true", poolclass=NullPool)
    with engine.connect() as conn:
        return [replace(table, rows=dump.count(conn, table)) for table in dump.shapes(conn)]


@contextmanager
def _stoppable(conn: sqlite3.Connection, watch: Watch) -> Iterator[None]:
    """Statements that end early when `watch` raises, with what it raised."""
    raised: list[BaseException] = []

    def ask() -> int:
        try:
            watch("check", 0, 1)
        except BaseException as error:  # noqa: BLE001 - carried out of SQLite, which swallows it
            raised.append(error)
        return len(raised)

    conn.set_progress_handler(ask, _STEPS)
    try:
        yield
    except sqlite3.Error as error:
        if raised:
            raise raised[0] from None
        raise StoreError(f"检查没有通过：{error}") from error
    finally:
        conn.set_progress_handler(None, 0)


def _quoted(path: Path) -> str:
    """A path inside a `file:` address."""
    from urllib.parse import quote

    return quote(str(path.absolute()))


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────


def _pack_postgresql(conn: Connection, packer: Packer, watch: Watch) -> list[Table]:
    tables = dump.shapes(conn)
    return [_pack_table(conn, table, packer, n, len(tables), watch) for n, table in enumerate(tables)]


def _pack_table(conn: Connection, table: Table, packer: Packer, n: int, total: int, watch: Watch) -> Table:
    rows = 0

    def counted() -> Iterator[bytes]:
        nonlocal rows
        for chunk in dump.copied_out(conn, table):
            rows += chunk.count(b"\n")
            watch("copy", n, total)
            yield chunk

    watch("copy", n, total)
    packer.add(table_part(table.name), counted())
    return replace(table, rows=rows)


# ── both ─────────────────────────────────────────────────────────────────────────────────────────


def _pack_key(packer: Packer, key: Path, *, with_key: bool) -> KeyKept:
    if not key.exists():
        return "none"
    if not with_key:
        return "left_out"
    packer.add(KEY, [key.read_bytes()])
    return "inside"


def _program() -> str:
    with suppress(PackageNotFoundError):
        return version("parcelwatch")
    return ""


def _mb(length: int) -> str:
    return f"{length / 1e6:,.0f} MB"
