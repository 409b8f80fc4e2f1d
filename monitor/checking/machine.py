"""What `check` looks at outside the configuration: disk, SQLite, file modes, the console's port, our package names."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from monitor.checking.lint import CheckLine, readable_by_others
from monitor.config.settings import Settings
from monitor.config.store_url import sqlite_file
from monitor.serving import PortTaken, bind
from monitor.store.schema import REVISION

__all__ = ["OUR_PACKAGES", "console", "disk", "files", "homes", "sqlite_version", "store", "zone"]

OUR_PACKAGES: Final = ("domain", "carriers", "rules", "notifiers", "monitor")
_TIGHT: Final = 1 << 30
_FULL: Final = 100 << 20
_ALONE: Final = "把 parcelwatch 装进它自己的虚拟环境，或卸载同名的包"
_CONSOLE: Final = ("babel", "fastapi", "jinja2", "multipart", "uvicorn", "xlsxwriter")
"""What the extra `console` brings."""


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
            "fail",
            f"数据库结构比程序旧：升级到 {REVISION} 还没有做",
            "parcelwatch migrate（会先备份）",
            _line(settings),
        ),
        "newer": CheckLine("fail", "数据库是更新的版本建的", "升级程序，或恢复旧备份", _line(settings)),
    }
    yield said[state]
    if file is not None and readable_by_others(file):
        yield CheckLine("warn", f"数据库 {file} 本机任何用户都能读", f"chmod o-r {file}", _line(settings))


def _line(settings: Settings) -> int:
    return settings.written.lines.found.get(("store",), 0)


def disk(file: Path, purpose: str) -> CheckLine:
    """Room where `file` is or will be; `purpose`: what is to be written there."""
    folder = next(each for each in file.absolute().parents if each.exists())
    free = shutil.disk_usage(folder).free
    left = f"{folder} 剩余 {free / (1 << 30):.1f} GB"
    if free < _FULL:
        return CheckLine("fail", f"{purpose}的磁盘快满了：{left}", "腾出空间；写满后会停止接收新数据")
    if free < _TIGHT:
        return CheckLine("warn", f"{purpose}的磁盘空间紧张：{left}", "至少留 1 GB")
    return CheckLine("ok", f"{purpose}的磁盘空间够用：{left}")


def sqlite_version(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> CheckLine:
    """Whether this SQLite has the WAL-reset bug (`facts/libraries.md` §5), which one writer avoids."""
    text = ".".join(map(str, version))
    fixed = version >= (3, 51, 3) or any(
        version[:2] == line[:2] and version >= line for line in ((3, 50, 7), (3, 44, 6))
    )
    if fixed:
        return CheckLine("ok", f"SQLite {text}")
    return CheckLine("ok", f"SQLite {text}：已用单一写连接避开 WAL-reset 缺陷")


def homes(
    root: Path = Path(__file__).parents[2],
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
    return said or [CheckLine("ok", f"没有同名的包冲突，程序在 {root}")]


def _has(place: Path, name: str) -> bool:
    return (place / name / "__init__.py").is_file() or (place / f"{name}.py").is_file()


def files(settings: Settings) -> Iterator[CheckLine]:
    """Nobody else may change the configuration, and nobody else may read the key or the copies of the store."""
    if _mode(settings.path) & 0o022:
        todo = f"chmod go-w {settings.path}"
        yield CheckLine("warn", f"配置文件 {settings.path} 别的用户也能改", todo)
    file = sqlite_file(settings.store)
    place = file if file is not None else settings.path.parent / "parcelwatch"
    key = place.with_name(f"{place.name}.key")
    if _mode(key) & 0o077:
        yield CheckLine(
            "warn", f"加密手机尾号的密钥 {key} 别的用户也能读", f"chmod 600 {key}", _line(settings)
        )
    folder = settings.backup.folder
    if folder is not None and _mode(folder) & 0o007:
        line = settings.written.lines.of(("backup", "folder"))
        yield CheckLine("warn", f"备份目录 {folder} 本机任何用户都能进", f"chmod o-rwx {folder}", line)


def _mode(path: Path) -> int:
    """The permission bits; none when it cannot be looked at."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return 0


def console(settings: Settings, running: bool) -> Iterator[CheckLine]:
    """The console is installed and its port is free, or ours: a service that runs has it."""
    web, line = settings.web, settings.written.lines.found.get(("web",), 0)
    if not web.enabled:
        yield CheckLine("ok", "控制台已关闭（[web] enabled = false）", "", line)
        return
    missing = [name for name in _CONSOLE if find_spec(name) is None]
    if missing:
        todo = "pip install 'parcelwatch[console]'；不要控制台就写 enabled = false"
        yield CheckLine("warn", f"控制台没有安装（缺 {'、'.join(missing)}），只在后台运行", todo, line)
        return
    place = f"{web.host}:{web.port}" if web.port else f"{web.host} 的任意空闲端口"
    try:
        bind(web).close()
    except PortTaken as taken:
        if running:
            yield CheckLine("ok", f"控制台在 http://{place}，只对本机开放", "", line)
        else:
            yield CheckLine("fail", str(taken), "换一个 port，或停掉占用它的程序", line)
        return
    yield CheckLine("ok", f"控制台将在 {place} 上，只对本机开放", "", line)


def zone(settings: Settings, now: datetime) -> CheckLine:
    """What time it is where the merchant is, by the machine's clock and the zone of the configuration."""
    local = now.astimezone(settings.timezone)
    return CheckLine("ok", f"时区 {settings.timezone.key}，现在是 {local:%Y-%m-%d %H:%M}")
