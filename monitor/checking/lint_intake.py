"""What is odd about the drop folder (`[intake]`): `parcelwatch check` says it before the first file is lost sight of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from monitor.config.lines import KeyPath
from monitor.config.settings import Settings
from monitor.config.store_url import sqlite_file
from monitor.intake.inbox_files import DONE, REFUSED, ours
from monitor.intake.staging import staging_folder

__all__ = ["odd_intake"]

_FOLDER: Final = ("intake", "folder")
_USE: Final = os.R_OK | os.W_OK | os.X_OK


def odd_intake(settings: Settings) -> Iterator[tuple[KeyPath, str, str]]:
    """Where, what is odd, what to do. Rights are those of whoever asks, which should be the service's own user."""
    folder, said = settings.intake.folder, settings.intake
    if folder is None:
        if said.platform or said.shop or said.merchant:
            yield (
                ("intake",),
                "没有写 folder：platform、shop、merchant 只用于投递目录，现在用不到",
                "写 folder，或删掉这一节",
            )
        return
    if ours(folder, settings):
        what = (
            f"投递目录 {folder} 里有本系统自己的文件（配置、数据库、备份或待确认的上传），服务不会从这里导入"
        )
        yield _FOLDER, what, '换一个专用的目录，如 folder = "inbox"'
        return
    yield from _usable(folder)
    yield from _nested(folder, settings)


def _usable(folder: Path) -> Iterator[tuple[KeyPath, str, str]]:
    """Whether files can be read there and moved away."""
    owner = "请用服务的用户运行 check，并检查属主和权限"
    if not folder.exists():
        above = next(each for each in folder.parents if each.exists())
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            yield _FOLDER, f"投递目录 {folder} 不存在，在 {above} 里也建不了", f"先建好它；{owner}"
        else:
            yield _FOLDER, f"投递目录 {folder} 还不存在，服务启动时才建", f"现在就要放文件：mkdir -p {folder}"
        return
    for each in (folder, folder / DONE, folder / REFUSED):
        if each.exists() and not each.is_dir():
            yield _FOLDER, f"{each} 不是目录", "换一个目录，或把这个文件移走"
        elif each.exists() and not os.access(each, _USE):
            yield _FOLDER, f"投递目录 {each} 当前用户不能读写：文件读不了，或导入后移不走", owner


def _nested(folder: Path, settings: Settings) -> Iterator[tuple[KeyPath, str, str]]:
    """A folder of ours inside it, or it inside one of ours: each would tidy up in the other."""
    place = folder.resolve()
    store, config = sqlite_file(settings.store), settings.path.parent
    others = {"备份目录": settings.backup.folder, "待确认的上传": staging_folder(settings.store, config)}
    for name, other in others.items():
        if other is not None and other.resolve() in place.parents:
            yield _FOLDER, f"投递目录在{name} {other} 里面", "把两个目录分开"
    for name, other in (("配置文件", settings.path), ("数据库", store), ("备份目录", settings.backup.folder)):
        inside = other is not None and {place / DONE, place / REFUSED} & {
            other.resolve(),
            *other.resolve().parents,
        }
        if inside:
            yield _FOLDER, f"{name} {other} 在投递目录存放已处理文件的目录里", "把它移到别处"
