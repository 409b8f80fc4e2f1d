"""The drop folder: files that have stopped growing are imported, then moved to `done` or `refused` with their verdict.

A file is moved only after its orders are kept, so whoever is killed in between imports it once more, which changes
nothing. It is read through a handle that was looked at, so that a link put in its place leads nowhere. Half-copied
files, temporary names, links and folders are left alone.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from domain.masking import safe_text
from domain.messages import Message, MessageKind, Urgency
from monitor.clock import Clock
from monitor.config.settings import Settings
from monitor.intake.importing import Job, Report, bring_in, note_refused, written_at
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
_REJECTED: Final = ".rejected.csv"
_SAID: Final = ".verdict.txt"
_PAPERS: Final = (_REJECTED, _SAID)
"""What is written beside a file."""
_AGAIN: Final = timedelta(minutes=10)
"""Until a file that could not be worked on is tried again."""
_PROGRESS: Final = 20_000
_OUTCOMES: Final = {
    "accepted": "新增", "updated": "更新", "unchanged": "未变", "older": "旧于已有，未采用", "ignored": "忽略",
    "rejected": "拒绝",
}  # fmt: skip


class _Mark(NamedTuple):
    """What changes when a file does."""

    size: int
    changed: int
    inode: int
    device: int


@dataclass
class Inbox:
    """Rung like every verb. `ending` says that the service is to be gone within seconds."""

    settings: Settings
    db: Database
    clock: Clock
    ending: Callable[[], bool] = field(default=lambda: False)
    _seen: dict[str, tuple[_Mark, datetime]] = field(default_factory=dict)
    _stuck: dict[str, _Mark] = field(default_factory=dict)
    """Told, and not to be moved."""
    _failed: dict[str, tuple[_Mark, datetime]] = field(default_factory=dict)
    """Told, and to be tried again from then on."""
    _odd: dict[str, _Mark] = field(default_factory=dict)
    """Told, and no files."""

    async def tick(self) -> None:
        """Import what is ripe, one after the other, beside everything else."""
        if self.settings.intake.folder is not None:
            await asyncio.to_thread(self.turn, self.settings.intake.folder)

    def turn(self, folder: Path) -> None:
        """One look. Raises `StoreError` where the folder cannot be made, or the store takes nothing."""
        for each in (folder, folder / DONE, folder / REFUSED):
            made_folder(each)
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

    def _ripe(self, folder: Path, now: datetime) -> list[tuple[str, _Mark]]:
        """The files that have been the same long enough, the oldest first."""
        found = dict(self._files(folder))
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

    def _files(self, folder: Path) -> Iterator[tuple[str, _Mark]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _passing(entry.name):
                    continue
                with suppress(OSError):
                    told = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(told.st_mode):
                        yield entry.name, _mark(told)
                    elif not stat.S_ISDIR(told.st_mode):
                        self._tell_once(entry.name, _mark(told))

    def _tell_once(self, name: str, mark: _Mark) -> None:
        """A link or a pipe: left where it is."""
        if self._odd.get(name) != mark:
            self._odd[name] = mark
            log.warning("no file, left alone", file=_shown(name))

    # ── one file ─────────────────────────────────────────────────────────────────────────────────────

    def _take(self, folder: Path, name: str, mark: _Mark) -> None:
        """Import one file and move it; what goes wrong with it is its own verdict."""
        now, shown = self.clock.now(), _shown(name)
        done = _free(folder / DONE, name)
        try:
            handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError:
            refused = FileRefused(shown, "unreadable", "打不开这个文件；请检查文件的属主和读取权限，再放一次")
            self._refuse(folder, name, mark, refused, now)
            return
        try:
            if _mark(os.fstat(handle)) != mark:
                return  # it grows again
            report = self._import(folder / name, handle, shown, mark, done, now)
        except FileRefused as refused:
            self._refuse(folder, name, mark, refused, now)
        except Stopped:
            return
        else:
            counts = dict(report.tally.counts)
            log.info("imported", file=shown, source=report.file.source, rows=report.tally.rows, **counts)
            self._settle(folder / name, mark, done, _verdict(report, now))
        finally:
            os.close(handle)

    def _import(self, path: Path, handle: int, shown: str, mark: _Mark, done: Path, now: datetime) -> Report:
        said = self.settings.intake
        how = How(platform=said.platform, shop=said.shop, merchant=said.merchant)
        back = done.with_name(done.name + _REJECTED)
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

    def _refuse(self, folder: Path, name: str, mark: _Mark, refused: FileRefused, now: datetime) -> None:
        """Say it once: in the log, on the console, in the groups, and beside the file."""
        shown = _shown(name)
        log.error("file refused", file=shown, reason=refused.reason, why=refused.kept)
        note_refused(self.db, refused, origin="inbox", now=now)
        fate = f"已移到 {REFUSED}，改好后再放进投递目录"
        self._spread(shown, mark, _alert(shown, refused, now, fate), now)
        verdict = f"{refused}\n{now.astimezone(self.settings.timezone):%Y-%m-%d %H:%M:%S}\n"
        self._settle(folder / name, mark, _free(folder / REFUSED, name), verdict)

    def _fail(self, name: str, mark: _Mark, error: Exception, now: datetime) -> None:
        """Leave a file that cannot be worked on, say it once, and let the others go on; it is tried again later."""
        shown, known = _shown(name), name in self._failed
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
        self._spread(shown, mark, _alert(shown, refused, now, "还在投递目录里，会自动再试"), now)

    def _spread(self, shown: str, mark: _Mark, message: Message, now: datetime) -> None:
        """Tell the groups, once per version of a file."""
        rows = [
            outbox.NewMessage(f"inbox:{shown}:{mark.changed}:{channel}", channel, message, now)
            for channel in everybody(self.settings.routes, message.kind)
        ]
        self.db.write_now(lambda conn: outbox.put(conn, rows))

    def _settle(self, path: Path, mark: _Mark, target: Path, verdict: str) -> None:
        """Move a file to where it belongs, its verdict beside it. One that changed meanwhile stays, and is read again."""
        try:
            if _mark(path.lstat()) != mark:
                return
            target.with_name(target.name + _SAID).write_text(verdict, "utf-8", errors="replace")
            path.rename(target)
        except OSError as error:
            self._stuck[path.name] = mark
            log.error("a file cannot be moved, and is left", file=_shown(path.name), why=error.strerror)


def _passing(name: str) -> bool:
    """A name under which something is still being written, or that is nobody's file."""
    low = name.lower()
    return low.startswith((".", "~")) or low.endswith(_PASSING) or low in _NOBODYS


def _mark(told: os.stat_result) -> _Mark:
    return _Mark(told.st_size, told.st_mtime_ns, told.st_ino, told.st_dev)


def _shown(name: str) -> str:
    """A file's name as a person may see it."""
    return safe_text(os.fsencode(name).decode("utf-8", "replace"), 120)


def _free(folder: Path, name: str) -> Path:
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


def _verdict(report: Report, now: datetime) -> str:
    """What stands beside a file that was imported."""
    file, tally = report.file, report.tally
    lines = [
        f"{file.name}：识别为 {file.source_name}（{file.encoding}），{tally.rows} 行",
        "、".join(f"{words} {tally.counts[key]}" for key, words in _OUTCOMES.items() if tally.counts[key]),
        *(f"提示：{note.text}" for note in file.notes),
    ]
    if since := report.aged(now):
        lines.append(f"按文件时间 {since:%Y-%m-%d %H:%M} UTC 计：此后已有更新的订单不会被改回。")
    if report.seen is not None:
        lines.append(
            f"同一文件已于 {report.seen.at:%Y-%m-%d %H:%M} UTC 导入过（{report.seen.name}），重复导入无妨。"
        )
    if tally.counts["rejected"]:
        lines.append("被拒绝的行连同原因在旁边的 .rejected.csv 里，改好后放回投递目录即可：")
    lines += [
        f"第 {row.line} 行 {safe_text(each.column, 40)}：{safe_text(each.text, 200)}"
        for row in tally.rejected
        for each in row.problems
    ]
    return "\n".join([*filter(None, lines), f"{now:%Y-%m-%d %H:%M:%S} UTC", ""])


def _alert(shown: str, refused: FileRefused, now: datetime, fate: str) -> Message:
    return Message(
        kind=MessageKind.FEED,
        title=f"[导入] 投递的文件没有导入：{shown}",
        facts=(
            ("原因", safe_text(refused.kept, 160)),
            ("文件", fate),
        ),
        reference="intake",
        urgency=Urgency.HIGH,
        at=now,
    )
