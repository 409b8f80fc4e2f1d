"""What the store says when it cannot: what happened, why, and what to do next.

A driver's error becomes one of these where the operator acts or waits; anything else (a broken
constraint, a mistake in our SQL) stays what it is. Codes: sqlite.org/rescode.html, PostgreSQL appendix A.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

__all__ = [
    "StoreError",
    "StoreFull",
    "StoreNewer",
    "StoreOutdated",
    "StoreRefused",
    "StoreUnavailable",
    "collided",
    "refused_by_database",
    "translate",
]


class StoreError(Exception):
    """The store cannot do what was asked; the text is for the operator."""


class StoreFull(StoreError):
    """No room: nothing of this write was kept, reads go on, a later write works again."""


class StoreOutdated(StoreError):
    """The tables are missing, or older than this program."""


class StoreNewer(StoreError):
    """The tables were made by a later program."""


class StoreRefused(StoreError):
    """What was asked is refused until the user changes something; nothing was touched."""


class StoreUnavailable(StoreError):
    """The database does not answer now; the same work may be tried again."""


FULL_ZH: Final = (
    "磁盘空间已满：这次写入没有保存，之前的数据完好，查询照常。"
    "请清理或扩大数据库所在的磁盘，腾出空间后会自动恢复写入。"
)
_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: "数据库文件被另一个程序占用。请关闭其他打开它的工具，稍后会自动重试。",
    sqlite3.SQLITE_LOCKED: "数据库文件被另一个程序占用。请关闭其他打开它的工具，稍后会自动重试。",
    sqlite3.SQLITE_IOERR: "读写数据库文件时磁盘出错。请检查磁盘和系统日志，必要时恢复备份。",
    sqlite3.SQLITE_READONLY: "数据库文件不可写。请检查文件和所在目录的属主与权限。",
    sqlite3.SQLITE_CANTOPEN: "打不开数据库文件。请检查路径是否存在，以及文件和所在目录的权限。",
    sqlite3.SQLITE_PERM: "没有权限访问数据库文件。请检查文件和所在目录的属主与权限。",
    sqlite3.SQLITE_CORRUPT: "数据库文件已损坏。请停止程序，恢复备份。",
    sqlite3.SQLITE_NOTADB: "这个文件不是 SQLite 数据库。请检查配置里的 store 是否指向了别的文件。",
}
_PG_FULL: Final = "53100"
_PG_AWAY: Final = ("08", "57P", "53", "25006")
"""Connection trouble, shutdown, out of resources, a standby that takes no writes."""
_PG_COLLISION: Final = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock."""


def collided(error: BaseException) -> bool:
    """Two processes wanted the same rows in another order (PostgreSQL): the same work, again, gets them."""
    return isinstance(error, DBAPIError) and _state(error) in _PG_COLLISION


def translate(error: BaseException) -> BaseException:
    """The `StoreError` a driver's error stands for, with that as its cause; else the error itself."""
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(
            "数据库太忙：等了一分钟也没有空闲的连接。请稍后再试；若经常如此，请减少同时的查询。"
        )
    if not isinstance(error, DBAPIError) or error.orig is None:
        return error
    meant = _of_sqlite(error.orig) if isinstance(error.orig, sqlite3.Error) else _of_postgres(error)
    if meant is None:
        return error
    meant.__cause__ = error
    return meant


def refused_by_database(error: DBAPIError) -> StoreError:
    """The same, and where no case is known, the database's own first line."""
    meant = translate(error)
    if isinstance(meant, StoreError):
        return meant
    why = str(error.orig).strip().splitlines()
    return StoreError(f"数据库没有接受：{why[0] if why else type(error).__name__}。没有做任何改动。")


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _of_postgres(error: DBAPIError) -> StoreError | None:
    state = _state(error)
    if state == _PG_FULL:
        return StoreFull(FULL_ZH)
    if state in _PG_COLLISION:
        return StoreUnavailable("数据库太忙：几个程序同时在改同一批数据，这次没有写成。请稍后再试。")
    lost = error.connection_invalidated or (not state and "OperationalError" in type(error.orig).__name__)
    if lost or state.startswith(_PG_AWAY):
        why = str(error.orig).strip().splitlines()
        return StoreUnavailable(
            f"PostgreSQL 暂时连不上（{why[0] if why else '连接中断'}）。"
            "请确认数据库服务正在运行、地址和账号正确；恢复后会自动重连。"
        )
    return None


def _of_sqlite(error: sqlite3.Error) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(FULL_ZH)
    text = _SQLITE.get(code)
    return StoreUnavailable(f"{text}（SQLite：{error}）") if text else None
