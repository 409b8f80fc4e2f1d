"""The sealing key's file when a backup brings keys of its own."""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from pathlib import Path

from monitor.store.workplace import sync_folder

__all__ = ["keep_key"]


def keep_key(keys: str, path: Path, now: datetime) -> None:
    """The backup's keys first, then those that are here: whatever was sealed with either opens."""
    lines = keys.split()
    if not lines:
        return
    here = path.read_text().split() if path.exists() else []
    wanted = list(dict.fromkeys([*lines, *here]))
    if wanted == here:
        return
    if here:
        before = path.with_name(f"{path.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
        _write_private(before, here)
    _write_private(path, wanted)


def _write_private(path: Path, lines: list[str]) -> None:
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(number)
        fresh.replace(path)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)
