"""Uploaded files between preview and confirmation: a folder beside the store, random names, gone after a day.

An upload holds names and addresses of buyers, as the shop's export does; so it is its owner's only, goes when it was
imported or discarded, and after a day whatever happened. What the preview says of it holds none of these.
Passwords are in memory alone, and with the process they are gone.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final

from domain.masking import safe_text
from monitor.intake.tables import MAX_BYTES
from monitor.store.opening import key_file
from monitor.store.workplace import made_folder

__all__ = ["KEPT", "MOST", "ROOM", "SAFE", "Crowded", "Staged", "Staging", "State", "staging_folder"]

KEPT: Final = timedelta(days=1)
MOST: Final = 20
"""Files that wait or are being uploaded; as many again may be done."""
ROOM: Final = 500 * 1024 * 1024
"""Bytes of the whole folder. A file being uploaded counts as large as one may become."""
SAFE: Final = timedelta(hours=1)
"""So long nobody's file goes for another's."""
_GATE: Final = threading.Lock()
"""Between counting and creating."""
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_PARTS: Final = (".upload", ".json", ".rejected.csv")


class Crowded(Exception):
    """So many uploads wait that one more has to."""


class State(StrEnum):
    """Where a file stands."""

    READING = "reading"
    READY = "ready"
    """Previewed; waits for a yes."""
    REFUSED = "refused"
    IMPORTING = "importing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that was uploaded, and what is known of it."""

    token: str
    name: str
    at: datetime
    state: State = State.READING
    mapping: Mapping[str, str] | None = None
    platform: str = ""
    shop: str = ""
    merchant: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)
    """What the preview, the import or the refusal told; plain values only."""

    @property
    def busy(self) -> bool:
        """A process is at it, or was when the service ended."""
        return self.state in (State.READING, State.IMPORTING)


def staging_folder(store: str, config: Path) -> Path:
    """Beside the store at that address; `config` is the configuration's folder."""
    key = key_file(store, config)
    return key.with_name(key.name.removesuffix(".key") + ".intake")


class Staging:
    """The folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, name: str, now: datetime, **said: Any) -> tuple[Staged, BinaryIO]:
        """A new file, and where its bytes go. Raises `Crowded`, OSError, `StoreRefused`."""
        made_folder(self._folder)
        staged = Staged(secrets.token_hex(16), safe_text(_base(name), 120) or "orders", now, **said)
        with _GATE:
            self._make_room(now)
            handle = os.open(
                self.upload(staged.token), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600
            )
        return staged, os.fdopen(handle, "wb")

    def upload(self, token: str) -> Path:
        """Where the bytes lie."""
        return self._part(token, ".upload")

    def rejected(self, token: str) -> Path:
        """Where the rejected rows lie, if there are any."""
        return self._part(token, ".rejected.csv")

    def keep(self, staged: Staged) -> Staged:
        """Write down where it stands."""
        target = self._part(staged.token, ".json")
        draft = target.with_suffix(f".{secrets.token_hex(4)}.part")
        text = json.dumps(asdict(staged) | {"at": staged.at.isoformat()}, ensure_ascii=False)
        with os.fdopen(
            os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8"
        ) as out:
            out.write(text)
        draft.replace(target)
        return staged

    def find(self, token: str) -> Staged | None:
        """The file of that token, if it is still here."""
        if not _TOKEN.fullmatch(token):
            return None
        try:
            told = json.loads(self._part(token, ".json").read_text("utf-8"))
            at, state = datetime.fromisoformat(told.pop("at")), State(told.pop("state"))
            return Staged(at=at, state=state, **told)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def all(self) -> list[Staged]:
        """Every file, the latest first."""
        found = (self.find(path.stem) for path in self._folder.glob("*.json"))
        return sorted((each for each in found if each is not None), key=lambda each: each.at, reverse=True)

    def drop(self, token: str, *parts: str) -> None:
        """Forget a file, or only these parts of it."""
        for part in parts or _PARTS:
            self._part(token, part).unlink(missing_ok=True)

    def purge(self, now: datetime) -> int:
        """Forget what is older than a day, by our clock; returns how many files of any kind went."""
        began = {each.token: each.at.timestamp() for each in self.all()}
        gone = 0
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            with suppress(OSError):
                since = began.get(path.name.partition(".")[0]) or path.stat().st_mtime
                if now.timestamp() - since > KEPT.total_seconds():
                    path.unlink()
                    gone += 1
        return gone

    def forget_cut_off(self) -> int:
        """Forget what a killed process left half-written; returns how many files went. Only while nobody uploads."""
        gone = 0
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            token = path.name.partition(".")[0]
            whole = path.suffix == ".json" or path.name == f"{token}.rejected.csv"
            if not whole and not (path.suffix == ".upload" and path.with_suffix(".json").exists()):
                with suppress(OSError):
                    path.unlink()
                    gone += 1
        return gone

    def _make_room(self, now: datetime) -> None:
        """Room for one more: what is done goes first, then what has waited long. Raises `Crowded`."""
        self.purge(now)
        known = self.all()
        done = [each for each in known if each.state is State.DONE]
        waited = [each for each in known if _has_waited(each, now)]
        for old in done[MOST - 1 :]:
            self.drop(old.token)
        spare = [*waited, *done[: MOST - 1]]
        """The next to go at its end."""
        while not self._has_room():
            if not spare:
                raise Crowded
            self.drop(spare.pop().token)

    def _has_room(self) -> bool:
        """Whether one more may come, and become as large as it likes."""
        files, size = 1, MAX_BYTES
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                coming = path.suffix == ".upload" and not path.with_suffix(".json").exists()
                size += MAX_BYTES if coming else path.stat().st_size
                files += path.suffix == ".upload"
        return files <= MOST and size <= ROOM

    def _part(self, token: str, part: str) -> Path:
        if not _TOKEN.fullmatch(token):
            raise ValueError("no token of ours")
        return self._folder / f"{token}{part}"


def _has_waited(staged: Staged, now: datetime) -> bool:
    """Nobody is at it, and it had its time."""
    return staged.state in (State.READY, State.REFUSED) and now - staged.at >= SAFE


def _base(name: str) -> str:
    """A file's name without any folder of the sender's."""
    return name.replace("\\", "/").rpartition("/")[2]


def with_state(staged: Staged, state: State, **said: Any) -> Staged:
    """The same file somewhere else, with something more said of it."""
    return replace(staged, state=state, said={**staged.said, **said})
