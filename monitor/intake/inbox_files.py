"""What lies in the drop folder: which names are whose, what changes when a file does, where it goes, who is at it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from domain.masking import safe_text
from monitor.config.settings import Settings
from monitor.config.store_url import sqlite_file
from monitor.intake.staging import staging_folder

__all__ = [
    "DONE",
    "REFUSED",
    "REJECTED",
    "SAID",
    "Mark",
    "claimed",
    "files",
    "free_place",
    "mark_of",
    "ours",
    "shown_name",
    "sweep_drafts",
]

DONE: Final = "done"
REFUSED: Final = "refused"
_PASSING: Final = (
    ".part", ".partial", ".crdownload", ".download", ".opdownload", ".tmp", ".temp", ".filepart", ".swp", ".lock",
    ".!qb", ".bak",
)  # fmt: skip
"""Names under which programs write before they are done."""
_NOBODYS: Final = frozenset({"thumbs.db", "desktop.ini"})
_NAME: Final = 180
"""Bytes of a name that leave room for what is written beside it."""
REJECTED: Final = ".rejected.csv"
SAID: Final = ".verdict.txt"
_PAPERS: Final = (REJECTED, SAID)
"""What is written beside a file."""


class Mark(NamedTuple):
    """What changes when a file does."""

    size: int
    changed: int
    inode: int
    device: int


def files(folder: Path, odd: Callable[[str, Mark], object]) -> Iterator[tuple[str, Mark]]:
    """The files in a folder; `odd` hears of what is neither a file nor a folder. Raises OSError."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if _passing(entry.name):
                continue
            with suppress(OSError):
                told = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(told.st_mode):
                    yield entry.name, mark_of(told)
                elif not stat.S_ISDIR(told.st_mode):
                    odd(entry.name, mark_of(told))


def ours(folder: Path, settings: Settings) -> bool:
    """Whether the service keeps files of its own right in that folder: they would be taken for orders and moved."""
    store, kept = sqlite_file(settings.store), settings.backup.folder
    staging = staging_folder(settings.store, settings.path.parent)
    own = (settings.path.parent, staging, *((store.parent,) if store else ()), *((kept,) if kept else ()))
    return folder.resolve() in {each.resolve() for each in own}


def claimed(path: Path, handle: int, mark: Mark) -> bool:
    """Whether the open file is ours alone until it is closed, is the one that was looked at, and still lies there.

    Another process at the same folder holds it else, or has moved it: then it is that one's.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # a file system without locks: what is imported twice changes nothing
        if isinstance(error, BlockingIOError):
            return False
    try:
        return mark_of(os.fstat(handle)) == mark == mark_of(path.lstat())
    except FileNotFoundError:
        return False


def sweep_drafts(folder: Path) -> None:
    """Remove drafts of rejected rows whose writer was killed; whoever still writes holds a lock on his."""
    for draft in folder.glob(f".*{REJECTED}.*"):
        with suppress(OSError), draft.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()


def _passing(name: str) -> bool:
    """A name under which something is still being written, or that is nobody's file."""
    low = name.lower()
    return low.startswith((".", "~")) or low.endswith(_PASSING) or low in _NOBODYS


def mark_of(told: os.stat_result) -> Mark:
    return Mark(told.st_size, told.st_mtime_ns, told.st_ino, told.st_dev)


def shown_name(name: str) -> str:
    """A file's name as a person may see it."""
    return safe_text(os.fsencode(name).decode("utf-8", "replace"), 120)


def free_place(folder: Path, name: str) -> Path:
    """A name in that folder that nothing has, nor a paper left beside a file that was taken away: `name`, `name-2`, …

    There is room in it for what is written beside it.
    """
    stem, suffix = os.path.splitext(name)
    stem = os.fsdecode(os.fsencode(stem)[: _NAME - len(os.fsencode(suffix[:20]))])
    count = 1
    while True:
        target = folder / f"{stem}{f'-{count}' if count > 1 else ''}{suffix[:20]}"
        if not any(os.path.lexists(f"{target}{paper}") for paper in ("", *_PAPERS)):
            return target
        count += 1
