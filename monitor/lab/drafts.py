"""The results of one sitting appear all at once: written as drafts beside their places, renamed at the end.

A run that is killed, or a disk that is full, leaves the earlier files as they were.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Final

__all__ = ["FILES", "Drafts", "taken"]

FILES: Final = ("findings.csv", "findings.against.csv", "summary.json", "report.html", "rejected.csv")
"""What the lab writes; the folder may hold anything else."""
_DRAFT: Final = ".{}.{}.part"


def taken(folder: Path) -> Path | None:
    """What stands where a file must go and is no file."""
    every = (folder / name for name in FILES)
    return next((path for path in every if path.exists() and not path.is_file()), None)


class Drafts:
    """`with Drafts(folder) as drafts:` — files take their places when the block ends well, else none does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts: dict[str, Path] = {}
        self._gone: list[str] = []

    def __enter__(self) -> Drafts:
        for name in FILES:
            for old in self._folder.glob(_DRAFT.format(name, "*")):
                if not _running(old.name.split(".")[-2]):
                    old.unlink(missing_ok=True)
        return self

    def path(self, name: str) -> Path:
        """Where to write the file of this name."""
        return self._drafts.setdefault(name, self._folder / _DRAFT.format(name, os.getpid()))

    def drop(self, name: str) -> None:
        """An earlier file of this name goes."""
        self._gone.append(name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for name, draft in self._drafts.items():
                    if draft.exists():
                        draft.replace(self._folder / name)
                    else:
                        self._gone.append(name)
                for name in self._gone:
                    (self._folder / name).unlink(missing_ok=True)
        finally:
            for draft in self._drafts.values():
                draft.unlink(missing_ok=True)


def _running(process: str) -> bool:
    """A draft of a process that runs is its own."""
    if not process.isdecimal() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
