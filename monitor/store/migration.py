"""From no tables, or older ones, to those of this program: Alembic, one transaction, both databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from monitor.store.backends import FileLock, parse_url, sqlite_path
from monitor.store.errors import StoreError, StoreNewer, StoreUnavailable, translate
from monitor.store.schema import REVISION

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = [
    "SchemaState",
    "known_revisions",
    "made_at",
    "migrate",
    "newer",
    "revision_of",
    "schema_state",
    "upgraded",
    "upgrading",
]

SchemaState = Literal["absent", "current", "outdated", "newer"]
_HERE: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x70617263  # "parc": one migration at a time


def migrate(url: str) -> list[str]:
    """Bring the tables up to this program; makes the database first if there is none.

    Returns the revisions applied, none when nothing was to do. All of them are one transaction: an
    interrupted upgrade leaves what was there and is simply run again. Raises `StoreNewer` for tables
    of a later program, and any other `StoreError`.
    """
    parsed = parse_url(url)
    if schema_state(url) == "newer":
        raise newer()
    return upgraded(parsed)


def upgraded(where: URL | Connection) -> list[str]:
    """Apply every step that is missing; returns those. On a connection: inside its transaction."""
    return made_at(where, "head")


def made_at(where: URL | Connection, revision: str) -> list[str]:
    """Apply the steps up to a revision; returns those that were missing."""
    from alembic import command  # slow to import, seldom needed

    applied: list[str] = []
    if isinstance(where, Connection):
        command.upgrade(_config(where, applied), revision)
        return applied
    with upgrading(where) as conn:
        command.upgrade(_config(conn, applied), revision)
    return applied


def known_revisions() -> set[str]:
    """Every revision this program can read or upgrade."""
    from alembic.script import ScriptDirectory

    return {step.revision for step in ScriptDirectory(str(_HERE)).walk_revisions()}


def schema_state(url: str) -> SchemaState:
    """How the tables stand to this program. Raises `StoreUnavailable` when nobody answers."""
    revision = _revision(parse_url(url))
    if revision == REVISION:
        return "current"
    if revision is None:
        return "absent"
    return "outdated" if revision in known_revisions() else "newer"


def revision_of(url: str) -> str:
    """The revision of the store at `url`, or an empty text."""
    return _revision(parse_url(url)) or ""


def newer() -> StoreNewer:
    """The refusal, with what to do."""
    return StoreNewer(
        "数据库是由更新版本的 parcelwatch 建立的，这个版本不认识它，没有做任何改动。"
        "请升级程序；若要退回旧版，请先恢复升级前的备份。"
        "parcelwatch migrate 只能升级，不能降级。"
    )


def _revision(url: URL) -> str | None:
    if url.get_backend_name() == "sqlite" and not sqlite_path(url).exists():
        return None
    try:
        with create_engine(url, poolclass=NullPool).connect() as conn:
            if not inspect(conn).has_table("alembic_version"):
                return None
            return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError as error:
        if _no_such_database(error):
            return None
        raise translate(error) from error


def _config(conn: Connection, applied: list[str]) -> Config:
    from alembic.config import Config

    def note(*, step: Any, **_: Any) -> None:
        applied.append(step.up_revision_id)

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes.update(connection=conn, note=note)
    return config


@contextmanager
def upgrading(url: URL) -> Iterator[Connection]:
    """A connection in a transaction no other migration shares; made first is the database there is none of."""
    try:
        if url.get_backend_name() == "sqlite":
            with _lock_of(url), _sqlite(url).begin() as conn:
                yield conn
                _check_references(conn)
        else:
            _create_database(url)
            with create_engine(url, poolclass=NullPool).begin() as conn:
                conn.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                yield conn
    except DBAPIError as error:
        raise translate(error) from error


@contextmanager
def _lock_of(url: URL) -> Iterator[None]:
    path = sqlite_path(url)
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        with lock:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            yield
    except OSError as error:
        raise StoreUnavailable(
            f"建不了数据库文件 {path}：{error.strerror}。请检查目录是否存在、是否可写。"
        ) from error
    finally:
        lock.close()


def _sqlite(url: URL) -> Any:
    """References are checked at the end: rebuilding a table in steps breaks them on the way."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"isolation_level": None})

    @event.listens_for(engine, "connect")
    def settings(raw: Any, _record: object) -> None:
        for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(conn: Connection) -> None:
        conn.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _check_references(conn: Connection) -> None:
    if conn.dialect.name == "sqlite" and conn.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise StoreError("升级后数据的引用关系不完整，已全部撤销。请把日志和数据库备份交给开发者。")


def _create_database(url: URL) -> None:
    """Make the PostgreSQL database when the server has none of that name."""
    if _exists(url):
        return
    server = create_engine(url.set(database="postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with server.connect() as conn:
        # One at a time: two that make it at once fail in each other's half-written catalogue.
        conn.exec_driver_sql(f"SELECT pg_advisory_lock({_LOCK})")
        if _exists(url):
            return
        name = conn.dialect.identifier_preparer.quote(str(url.database))
        try:
            conn.exec_driver_sql(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        except DBAPIError:
            if not _exists(url):  # else another migration made it at the same moment
                raise


def _exists(url: URL) -> bool:
    try:
        with create_engine(url, poolclass=NullPool).connect():
            return True
    except DBAPIError as error:
        if _no_such_database(error):
            return False
        raise


def _no_such_database(error: DBAPIError) -> bool:
    """A failed connection carries no code in psycopg: the server's sentence is all there is."""
    return "does not exist" in str(error.orig) and "database" in str(error.orig)
