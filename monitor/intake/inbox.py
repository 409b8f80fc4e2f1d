"""The drop folder: files that have stopped growing are imported, then moved to `done` or `refused` with their verdict.

A file is moved only after its orders are kept, so whoever is killed in between imports it once more, which changes
nothing. It is read through a handle that was looked at, so that a link put in its place leads nowhere. Half-copied
files, temporary names, links and folders are left alone.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from domain.messages import Message
from monitor.clock import Clock
from monitor.config.settings import Settings
from monitor.intake.importing import Job, Report, bring_in, note_refused, written_at
from monitor.intake.inbox_files import (
    DONE,
    REFUSED,
    REJECTED,
    SAID,
    Mark,
    claimed,
    files,
    free_place,
    mark_of,
    ours,
    shown_name,
    sweep_drafts,
)
from monitor.intake.inbox_words import alert_of, verdict_of
from monitor.intake.outside import How, Stopped
from monitor.intake.tables import FileRefused
from monitor.store import outbox
from monitor.store.database import Database
from monitor.store.errors import StoreError
from monitor.store.workplace import made_folder
from monitor.telling.routing import everybody

__all__ = ["EVERY", "SETTLED", "Inbox"]

log = structlog.get_logger()
EVERY: Final = 5.0
"""Seconds between two looks."""
SETTLED: Final = timedelta(seconds=10)
"""How long a file has to be the same before it counts as whole."""
_EMPTY_FOR: Final = timedelta(minutes=1)
"""The same for an empty one: some programs make the name first."""
_AGAIN: Final = timedelta(minutes=10)
"""Until a file that could not be worked on is tried again."""
_PROGRESS: Final = 20_000
_NOT_OURS: Final = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP})
"""Why a file cannot be opened that nobody but its owner puts right."""


@dataclass
class Inbox:
    """Rung like every verb. `ending` says that the service is to be gone within seconds."""

    settings: Settings
    db: Database
    clock: Clock
    ending: Callable[[], bool] = field(default=lambda: False)
    _seen: dict[str, tuple[Mark, datetime]] = field(default_factory=dict)
    _stuck: dict[str, Mark] = field(default_factory=dict)
    """Told, and not to be moved."""
    _failed: dict[str, tuple[Mark, datetime]] = field(default_factory=dict)
    """Told, and to be tried again from then on."""
    _odd: dict[str, Mark] = field(default_factory=dict)
    """Told, and no files."""
    _told_ours: bool = False
    _swept: bool = False

    async def tick(self) -> None:
        """Import what is ripe, one after the other, beside everything else."""
        if self.settings.intake.folder is not None:
            await asyncio.to_thread(self.turn, self.settings.intake.folder)

    def turn(self, folder: Path) -> None:
        """One look. Raises `StoreError` where the folder cannot be made, or the store takes nothing."""
        if ours(folder, self.settings):
            if not self._told_ours:
                self._told_ours = True
                log.error("the drop folder holds files of the service itself, nothing is taken from it")
            return
        for each in (folder, folder / DONE, folder / REFUSED):
            made_folder(each)
        if not self._swept:
            self._swept = True
            sweep_drafts(folder / DONE)
        for name, mark in self._ripe(folder, self.clock.now()):
            if self.ending():
                return
            try:
                self._take(folder, name, mark)
            except StoreError:
                raise  # nothing can be kept of any file
            except Exception as error:  # noqa: BLE001 - one file's trouble is not the others'
                self._fail(name, mark, error, self.clock.now())

    # ── what is there ────────────────────────────────────────────────────────────────────────────────

    def _ripe(self, folder: Path, now: datetime) -> list[tuple[str, Mark]]:
        """The files that have been the same long enough, the oldest first."""
        found = dict(files(folder, self._tell_once))
        self._seen = {name: told for name, told in self._seen.items() if name in found}
        self._stuck = {name: mark for name, mark in self._stuck.items() if found.get(name) == mark}
        self._failed = {name: told for name, told in self._failed.items() if found.get(name) == told[0]}
        ripe = []
        for name, mark in found.items():
            before, since = self._seen.get(name, (mark, now))
            if before != mark or since > now:
                since = now
            self._seen[name] = mark, since
            wait = SETTLED if mark.size else _EMPTY_FOR
            _, again = self._failed.get(name, (mark, now))
            if now - since >= wait and name not in self._stuck and now >= again:
                ripe.append((name, mark))
        return sorted(ripe, key=lambda each: each[1].changed)

    def _tell_once(self, name: str, mark: Mark) -> None:
        """A link or a pipe: left where it is."""
        if self._odd.get(name) != mark:
            self._odd[name] = mark
            log.warning("no file, left alone", file=shown_name(name))

    # ── one file ─────────────────────────────────────────────────────────────────────────────────────

    def _take(self, folder: Path, name: str, mark: Mark) -> None:
        """Import one file and move it; what goes wrong with it is its own verdict."""
        now, shown = self.clock.now(), shown_name(name)
        done = free_place(folder / DONE, name)
        try:
            handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise  # the machine's trouble, not the file's: it is tried again
            refused = FileRefused(shown, "unreadable", "打不开这个文件；请检查文件的属主和读取权限，再放一次")
            self._refuse(folder, name, mark, refused, done, now)
            return
        try:
            if not claimed(folder / name, handle, mark):
                return  # it grows again, or is another's
            report = self._import(folder / name, handle, shown, mark, done, now)
        except FileRefused as refused:
            self._refuse(folder, name, mark, refused, done, now)
        except Stopped:
            return
        else:
            counts = dict(report.tally.counts)
            log.info("imported", file=shown, source=report.file.source, rows=report.tally.rows, **counts)
            if report.refused is None:
                self._settle(folder / name, mark, done, verdict_of(report, now))
            else:
                self._hand_back(folder / name, mark, done, report, now)
        finally:
            os.close(handle)

    def _import(self, path: Path, handle: int, shown: str, mark: Mark, done: Path, now: datetime) -> Report:
        said = self.settings.intake
        how = How(platform=said.platform, shop=said.shop, merchant=said.merchant)
        back = done.with_name(done.name + REJECTED)
        since = written_at(mark.changed / 1e9)
        job = Job(
            path, how, shown, "inbox", rejected=back, ending=self.ending, handle=handle, written_at=since
        )
        log.info("importing", file=shown)
        told = 0

        def heard(report: Report) -> None:
            nonlocal told
            if report.tally.rows - told >= _PROGRESS:
                told = report.tally.rows
                log.info("importing", file=shown, rows=told)

        return bring_in(self.db, job, zone=self.settings.timezone, now=now, told=heard)

    def _refuse(
        self, folder: Path, name: str, mark: Mark, refused: FileRefused, done: Path, now: datetime
    ) -> None:
        """Say it once: in the log, on the console, in the groups, and beside the file."""
        self._tell(shown_name(name), mark, refused, now)
        note_refused(self.db, refused, origin="inbox", now=now)
        target = free_place(folder / REFUSED, name)
        beside = "到那时为止被拒绝的行在旁边的 .rejected.csv 里\n" if _rejected_to(done, target) else ""
        verdict = f"{refused}\n{beside}{now.astimezone(self.settings.timezone):%Y-%m-%d %H:%M:%S}\n"
        self._settle(folder / name, mark, target, verdict)

    def _hand_back(self, path: Path, mark: Mark, done: Path, report: Report, now: datetime) -> None:
        """A file of which every row was rejected is refused like one that cannot be read, its rows beside it."""
        assert report.refused is not None
        self._tell(shown_name(path.name), mark, report.refused, now)
        target = free_place(path.parent / REFUSED, path.name)
        _rejected_to(done, target)
        self._settle(path, mark, target, verdict_of(report, now))

    def _tell(self, shown: str, mark: Mark, refused: FileRefused, now: datetime) -> None:
        log.error("file refused", file=shown, reason=refused.reason, why=refused.kept)
        fate = f"已移到 {REFUSED}，改好后再放进投递目录"
        self._spread(shown, mark, alert_of(shown, refused, now, fate), now)

    def _fail(self, name: str, mark: Mark, error: Exception, now: datetime) -> None:
        """Leave a file that cannot be worked on, say it once, and let the others go on; it is tried again later."""
        shown, known = shown_name(name), name in self._failed
        self._failed[name] = mark, now + _AGAIN
        if known:
            return
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        log.error("a file cannot be worked on, and is left", file=shown, why=why, kind=type(error).__name__)
        words = (
            f"处理时出错：{why}。文件还在投递目录里，每 {_AGAIN.seconds // 60} 分钟再试；"
            "请检查磁盘空间和目录权限，仍不行请把文件移走并转告维护人员。已写入的行不会重复登记"
        )
        refused = FileRefused(shown, "failed", words)
        note_refused(self.db, refused, origin="inbox", now=now)
        self._spread(shown, mark, alert_of(shown, refused, now, "还在投递目录里，会自动再试"), now)

    def _spread(self, shown: str, mark: Mark, message: Message, now: datetime) -> None:
        """Tell the groups, once per version of a file."""
        rows = [
            outbox.NewMessage(f"inbox:{shown}:{mark.changed}:{channel}", channel, message, now)
            for channel in everybody(self.settings.routes, message.kind)
        ]
        self.db.write_now(lambda conn: outbox.put(conn, rows))

    def _settle(self, path: Path, mark: Mark, target: Path, verdict: str) -> None:
        """Move a file to where it belongs, its verdict beside it. One that changed meanwhile stays, and is read again."""
        try:
            if mark_of(path.lstat()) != mark:
                return
            target.with_name(target.name + SAID).write_text(verdict, "utf-8", errors="replace")
            path.rename(target)
        except OSError as error:
            self._stuck[path.name] = mark
            log.error("a file cannot be moved, and is left", file=shown_name(path.name), why=error.strerror)


def _rejected_to(done: Path, target: Path) -> bool:
    """Put the rejected rows beside the refused file; whether there were any."""
    with suppress(OSError):  # the same is in the verdict
        done.with_name(done.name + REJECTED).rename(target.with_name(target.name + REJECTED))
        return True
    return False
