"""Where the store is: a database URL, with SQLite's relative path made absolute."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from domain.remote import Secret
from monitor.config import secrets
from monitor.config.lines import KeyPath
from monitor.config.shapes import Reading, Shape
from monitor.config.values import SECRET, TEXT

__all__ = ["DEFAULT_STORE", "STORE", "located", "sqlite_file"]

DEFAULT_STORE: Final = "sqlite:///parcelwatch.db"
_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = ("postgresql", "postgresql+psycopg")


def sqlite_file(url: str) -> Path | None:
    """The file of a located SQLite URL; None for another database."""
    return Path(url.removeprefix(_SQLITE).partition("?")[0]) if url.startswith(_SQLITE) else None


def located(url: str, folder: Path) -> str:
    """The URL with its path absolute, counted from `folder`. Raises ValueError; repeats no password."""
    if url.startswith("sqlite"):
        return _located_file(url, folder)
    try:
        parts = urlsplit(url)
        named = bool(parts.path.strip("/")) and parts.port != 0
    except ValueError:
        raise ValueError("数据库地址写得不对；密码里的特殊字符要用 % 编码") from None
    if parts.scheme == "postgres":
        raise ValueError("请把 postgres:// 写成 postgresql://")
    if parts.scheme not in _POSTGRES:
        raise ValueError('数据库要写成 "sqlite:///文件" 或 "postgresql://用户@主机/库名"')
    if not named:
        raise ValueError("数据库地址缺少库名，如 postgresql://用户@主机/parcelwatch")
    return url


def _located_file(url: str, folder: Path) -> str:
    name, mark, query = url.removeprefix(_SQLITE).partition("?")
    if not url.startswith(_SQLITE) or not name or name == ":memory:":
        raise ValueError(
            'SQLite 要写成 "sqlite:///文件"（三个斜杠是相对路径，四个是绝对路径）；内存库不保存数据'
        )
    if name.endswith("/"):
        raise ValueError("要写到文件名，不能只写目录")
    return f"{_SQLITE}{os.path.abspath(folder / name)}{mark}{query}"


def _read(reading: Reading, path: KeyPath, value: Any) -> str | None:
    """A URL, or a reference to one: it may hold a password."""
    text = TEXT.read(reading, path, value)
    if text is None:
        return None
    if secrets.is_reference(text):
        found: Secret | None = SECRET.read(reading, path, text)
        if found is None:
            return None
        text = found.reveal()
    elif _password(text):
        reading.plain.append(path)
    url: str | None = reading.problems.read(path, lambda text: located(text, reading.folder), text)
    return url


def _password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False


STORE: Final = Shape(_read, TEXT.schema)
