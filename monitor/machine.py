"""What `check` looks at outside the configuration: the disk, SQLite, who owns our package names."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from domain.remote import Secret
from monitor.lint import CheckLine, readable_by_others
from monitor.settings import Settings
from monitor.store_url import sqlite_file

__all__ = ["OUR_PACKAGES", "disk", "homes", "reach", "sqlite_version", "store"]

OUR_PACKAGES: Final = ("domain", "carriers", "rules", "notifiers", "monitor")
_TIGHT: Final = 1 << 30
_FULL: Final = 100 << 20
_ALONE: Final = "把 parcelwatch 装进它自己的虚拟环境，或卸载同名的包"
_CALL: Final = 5.0
"""Seconds to wait for a connection."""


def store(settings: Settings) -> Iterator[CheckLine]:
    """The database answers, its schema is ours, and only we can read it."""
    from monitor.store.database import StoreError, schema_state

    file = sqlite_file(settings.store)
    if file is not None and not file.parent.is_dir():
        yield CheckLine(
            "fail", f"数据库的目录 {file.parent} 不存在", f"mkdir -p {file.parent}", _line(settings)
        )
        return
    if file is not None and not file.exists():
        yield CheckLine("ok", "数据库还没有建立：第一次导入或启动时自动建好", "", _line(settings))
        return
    try:
        state = schema_state(settings.store)
    except StoreError as error:
        yield CheckLine("fail", f"数据库打不开：{error}", "", _line(settings))
        return
    said = {
        "current": CheckLine("ok", "数据库结构是最新的"),
        "absent": CheckLine("ok", "数据库还没有建立：第一次导入或启动时自动建好", "", _line(settings)),
        "outdated": CheckLine(
            "fail", "数据库结构比程序旧", "先备份，再 parcelwatch migrate", _line(settings)
        ),
        "newer": CheckLine("fail", "数据库是更新的版本建的", "升级程序，或恢复旧备份", _line(settings)),
    }
    yield said[state]
    if file is not None and readable_by_others(file):
        yield CheckLine("warn", f"数据库 {file} 本机任何用户都能读", f"chmod o-r {file}", _line(settings))


def _line(settings: Settings) -> int:
    return settings.written.lines.found.get(("store",), 0)


def disk(file: Path) -> CheckLine:
    """Room where `file` is or will be."""
    folder = next(each for each in file.absolute().parents if each.exists())
    free = shutil.disk_usage(folder).free
    left = f"{folder} 剩余 {free / (1 << 30):.1f} GB"
    if free < _FULL:
        return CheckLine("fail", f"磁盘快满了：{left}", "腾出空间；写满后会停止接收新数据")
    if free < _TIGHT:
        return CheckLine("warn", f"磁盘空间紧张：{left}", "至少留 1 GB")
    return CheckLine("ok", f"磁盘空间够用：{left}")


def sqlite_version(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> CheckLine:
    """Whether this SQLite has the WAL-reset bug (`facts/libraries.md` §5), which one writer avoids."""
    text = ".".join(map(str, version))
    fixed = version >= (3, 51, 3) or any(
        version[:2] == line[:2] and version >= line for line in ((3, 50, 7), (3, 44, 6))
    )
    if fixed:
        return CheckLine("ok", f"SQLite {text}")
    todo = "不必处理：本程序只用一个写连接，避开了它；不要用别的程序同时写这个库"
    return CheckLine("ok", f"SQLite {text} 有 WAL-reset 缺陷（3.51.3 修复）", todo)


def homes(
    root: Path = Path(__file__).parent.parent,
    search: Sequence[str] | None = None,
    owners: Mapping[str, Sequence[str]] | None = None,
) -> list[CheckLine]:
    """Each of our package names has one home and one owner; public packages have the same names."""
    search = sys.path if search is None else search
    owners = packages_distributions() if owners is None else owners
    root = root.resolve()
    said = []
    for name in OUR_PACKAGES:
        places = dict.fromkeys(Path(each).resolve() for each in search)
        found = [place for place in places if _has(place, name)]
        if found and found[0] != root:
            said.append(CheckLine("fail", f"{found[0]} 里有另一个 {name}，程序会用错", _ALONE))
        elif len(found) > 1:
            said.append(CheckLine("warn", f"{found[1]} 里也有名叫 {name} 的包", _ALONE))
        claimed = sorted(set(owners.get(name, ())))
        if len(claimed) > 1:
            said.append(CheckLine("fail", f"{name} 属于几个安装包：{'、'.join(claimed)}，会互相覆盖", _ALONE))
    return said or [CheckLine("ok", f"程序只有一份，在 {root}")]


def _has(place: Path, name: str) -> bool:
    return (place / name / "__init__.py").is_file() or (place / f"{name}.py").is_file()


def reach(settings: Settings) -> Iterator[CheckLine]:
    """Whether each provider and channel takes a connection; nothing is sent."""
    lines = settings.written.lines
    talkers = [
        *((account.name, account.provider, ("providers", n)) for n, account in enumerate(settings.providers)),
        *((channel.name, channel.notifier, ("channels", n)) for n, channel in enumerate(settings.channels)),
    ]
    for name, adapter, path in talkers:
        address = _address(adapter)
        if address is None:
            continue
        host, port = address
        try:
            socket.create_connection(address, timeout=_CALL).close()
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            yield CheckLine(
                "fail", f"{name} 连不上 {host}:{port}：{why}", "检查网络、DNS 和防火墙", lines.of(path)
            )
        else:
            yield CheckLine("ok", f"{name} 连得上 {host}:{port}")


def _address(adapter: object) -> tuple[str, int] | None:
    """Host and port from whichever field holds an address."""
    for field in ("base_url", "url", "webhook"):
        value = getattr(adapter, field, "")
        parts = urlsplit(value.reveal().strip() if isinstance(value, Secret) else str(value))
        if parts.hostname:
            return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    host, port = getattr(adapter, "host", ""), getattr(adapter, "port", 0)
    return (str(host), int(port)) if host and port else None
