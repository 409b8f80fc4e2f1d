"""What the daemon does for its store now and then: scheduled backups, and the daily purge.

A backup reads in a thread of its own and holds up no writer; a purge goes in small transactions, so that
others write in between. Both are told in the table `upkeep`, where the check and the console find them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection

from monitor.clock import Clock
from monitor.config.settings import Settings
from monitor.store import retention, upkeep
from monitor.store.backup import Backup, back_up_through, rotate, stamped
from monitor.store.database import Database, StoreError
from monitor.store.opening import key_file
from monitor.store.workplace import made_folder

__all__ = ["BACKUP", "BACKUP_GOOD", "EVERY", "PURGE", "Upkeep", "scheduled_backup"]

log = structlog.get_logger()
BACKUP: Final = "backup"
"""In the table `upkeep`: the last try."""
BACKUP_GOOD: Final = "backup_good"
"""The last one that stands."""
PURGE: Final = "purge"
EVERY: Final = 60.0
"""Seconds between two looks at whether something is due."""
_DAILY: Final = timedelta(days=1)
_AGAIN: Final = timedelta(hours=1)
"""How soon a failure is tried again, unless the schedule is closer."""


class _Ending(Exception):
    """The service ends: what was begun is thrown away and begun again next time."""


@dataclass
class Upkeep:
    """Rung like every verb. `ending` says that the service is to be gone within seconds."""

    settings: Settings
    db: Database
    clock: Clock
    ending: Callable[[], bool] = field(default=lambda: False)

    async def tick(self) -> None:
        """Do what is due."""
        now = self.clock.now()
        if self.settings.backup.folder is not None and await self._due(
            BACKUP, self.settings.backup.every, now
        ):
            await self._back_up(self.settings.backup.folder, now)
        # A clock a year ahead would purge a year too early, and nothing brings it back: first somebody has to agree.
        if self.clock.confirmed and not self.ending() and await self._due(PURGE, _DAILY, now):
            await self._purge(now)

    async def _due(self, name: str, every: timedelta, now: datetime) -> bool:
        done = await self.db.read(lambda conn: upkeep.last(conn, name))
        if done is None:
            return True
        wait = every if done.outcome == "ok" else min(every, _AGAIN)
        return now - done.at >= wait or done.at - now > _DAILY  # the clock was put back since

    async def _back_up(self, folder: Path, now: datetime) -> None:
        try:
            made, gone = await self.db.read(
                lambda conn: scheduled_backup(conn, self.settings, folder, now, watch=self._watch)
            )
        except _Ending:
            return
        except StoreError as error:
            await self._note(BACKUP, now, "failed", str(error))
            log.error("no backup", why=str(error))
            return
        told = f"{made.path.name}，{made.bytes:,} 字节，{made.manifest.rows:,} 行"
        await self._note(BACKUP, now, "ok", told)
        await self._note(BACKUP_GOOD, now, "ok", told)
        log.info(
            "backed up", file=made.path.name, bytes=made.bytes, rows=made.manifest.rows, rotated=len(gone)
        )

    async def _purge(self, now: datetime) -> None:
        gone: dict[str, int] = {}
        try:
            for kind in retention.KINDS:
                gone[kind] = await self._purge_kind(kind, now)
        except _Ending:
            return
        except Exception as error:
            await self._note(PURGE, now, "failed", f"{type(error).__name__}: {error}")
            raise
        some = {kind: n for kind, n in gone.items() if n}
        told = "、".join(f"{retention.KINDS_ZH[kind]} {n}" for kind, n in some.items())
        await self._note(PURGE, now, "ok", told or "没有到期的")
        if some:
            log.info("purged", **some)

    async def _purge_kind(self, kind: str, now: datetime) -> int:
        total = 0
        while True:
            if self.ending():
                raise _Ending
            work = partial(self._some, kind, now)
            done = await self.db.write(work)
            total += done
            if done < retention.BATCH:
                return total

    def _some(self, kind: str, now: datetime, conn: Connection) -> int:
        return retention.purge_some(conn, kind, self.settings.retention, now)

    async def _note(self, name: str, now: datetime, outcome: str, detail: str) -> None:
        await self.db.write(partial(upkeep.note, name=name, at=now, outcome=outcome, detail=detail))

    def _watch(self, _stage: str, _done: int, _total: int) -> None:
        if self.ending():
            raise _Ending


def scheduled_backup(
    conn: Connection,
    settings: Settings,
    folder: Path,
    now: datetime,
    *,
    with_key: bool = True,
    watch: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> tuple[Backup, list[Path]]:
    """A backup in the folder of the configuration, named by its moment, and the old ones that went for it."""
    made_folder(folder)
    target, key = stamped(folder, now), key_file(settings.store, settings.path.parent)
    made = back_up_through(conn, target, key=key, now=now, with_key=with_key, watch=watch)
    return made, rotate(folder, settings.backup.keep)
