"""A folder for a file in the making, and the file's name given only to what is whole.

The folder lies beside the name, so that giving it is one step of the file system's: whoever is killed
leaves the folder and never half a file. What the dead left is cleared away by the next one that works
there; the living hold a lock on theirs.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from monitor.store.errors import StoreError, StoreRefused

__all__ = ["made_folder", "publish", "refuse_unfit", "sync", "sync_folder", "told_by_disk", "workplace"]

_MARK: Final = ".parcelwatch-"
_END: Final = ".part"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def refuse_unfit(target: Path, *, force: bool) -> None:
    """Raise `StoreRefused` for a name a file must not be given: a link, a folder, one that is taken."""
    if target.is_symlink():
        raise StoreRefused(f"{target} 是符号链接，不往链接里写。请写出真正的文件名。")
    if target.exists() and not target.is_file():
        raise StoreRefused(f"{target} 不是普通文件。请换一个文件名。")
    if target.exists() and not force:
        raise StoreRefused(f"{target} 已经存在，没有覆盖。请换一个文件名，或加 --force。")
    if not target.parent.is_dir():
        raise StoreRefused(f"没有目录 {target.parent}。请先建立它，或换一个地方。")


def made_folder(folder: Path) -> None:
    """The folder stands, its owner's only when it had to be made. Raises `StoreRefused`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreRefused(
            f"建不了目录 {folder}：{error.strerror}。请检查上级目录的权限，或换一个地方。"
        ) from error


@contextmanager
def workplace(beside: Path) -> Iterator[Path]:
    """A fresh folder in `beside`, its owner's only, gone afterwards. Raises `StoreRefused` when it may not be made."""
    _clear_away(beside)
    try:
        place, held = _made(beside)
    except OSError as error:
        if error.errno in _FULL:
            raise told_by_disk(error, beside) from error
        raise StoreRefused(
            f"不能在 {beside} 里写文件：{error.strerror}。请检查目录的属主和权限，或换一个地方。"
        ) from error
    try:
        yield place
    except OSError as error:
        raise told_by_disk(error, beside) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(held)


def publish(fresh: Path, target: Path, *, force: bool) -> None:
    """Give the whole file its name, durably. Raises `StoreRefused` when the name was taken meanwhile."""
    sync(fresh)
    if force:
        refuse_unfit(target, force=True)
        fresh.replace(target)
    else:
        try:
            os.link(fresh, target)  # refuses an existing name, in one step with the giving
        except FileExistsError:
            raise StoreRefused(f"{target} 刚刚被别的程序建立了，没有覆盖。请换一个文件名。") from None
        except OSError:  # a file system without hard links
            refuse_unfit(target, force=False)
            fresh.rename(target)
    sync_folder(target.parent)


def sync(path: Path) -> None:
    """The file's content is on the disk when this returns."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """The folder's names are on the disk when this returns."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some network file systems have no such promise to give
            os.fsync(number)
    finally:
        os.close(number)


def told_by_disk(error: OSError, folder: Path) -> StoreError:
    """What a failed write means, in words."""
    if error.errno in _FULL:
        return StoreError(
            f"{folder} 所在的磁盘空间不够，没有写成。数据库和以前的备份都没有动。请腾出空间，或换一个地方。"
        )
    return StoreError(f"{folder} 里读写文件出错：{error.strerror or error}。数据库没有动。")


def _made(beside: Path) -> tuple[Path, int]:
    """A folder and the lock on it. Made again when somebody cleared it away before it was locked."""
    while True:
        place = Path(tempfile.mkdtemp(prefix=_MARK, suffix=_END, dir=beside))
        with suppress(FileNotFoundError, BlockingIOError):
            held = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if place.exists():
                return place, held


def _clear_away(beside: Path) -> None:
    """Remove the folders of those that were killed: nobody holds their locks."""
    for left in beside.glob(f"{_MARK}*{_END}"):
        with suppress(OSError):
            held = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)
