"""Where the verbs run: in this process, rung by APScheduler. The stored due times say what to do.

A ring is cheap and carries nothing: one job per verb, never one per parcel. A verb that fails is
logged once when it starts failing and once when it works again; it never ends the daemon.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.clock import wall
from monitor.store.database import StoreError

__all__ = ["Engine"]

log = structlog.get_logger()
PATIENCE: Final = 8.0
"""Seconds that running verbs get to finish when the service stops: it is to be gone within ten (promise 8)."""


class Engine:
    """Rings verbs at their intervals, one run of each at a time."""

    def __init__(
        self, told: Callable[[str, float, str | None], None] = lambda verb, seconds, why: None
    ) -> None:
        """`told` hears of every run that ended: the verb, its seconds, and why it failed or None."""
        self._told = told
        # One worker's missed ring is told by the next one; APScheduler's own word on it is noise.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._running: set[asyncio.Task[None]] = set()
        self._failing: dict[str, str] = {}
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """The service ends: a verb begins nothing new any more."""
        return self._stopping

    @property
    def verbs(self) -> frozenset[str]:
        """The names of all that is registered."""
        return frozenset(job.id for job in self._scheduler.get_jobs())

    def register(self, name: str, seconds: float, verb: Callable[[], Awaitable[object]]) -> None:
        """Ring `verb` at once and every `seconds`; a ring during a run is skipped."""

        async def ring() -> None:
            if not self._stopping:
                task = asyncio.create_task(self._guarded(name, verb), name=name)
                self._running.add(task)
                task.add_done_callback(self._running.discard)
                try:
                    await asyncio.shield(task)
                except asyncio.CancelledError:
                    if not self._stopping:  # else it was cut off, and that was said
                        raise

        self._scheduler.add_job(ring, "interval", seconds=seconds, id=name, name=name, next_run_time=wall())

    async def run(self, until: asyncio.Event) -> None:
        """Ring until `until` is set, then let what runs finish, as long as patience lasts."""
        self._scheduler.start()
        try:
            await until.wait()
        finally:
            self._stopping = True
            self._scheduler.pause()
            await self._drain()
            # Rings end one turn of the loop after their verb; what is still there then would be
            # cancelled by the shutdown and cried out as a failed job.
            await asyncio.sleep(0)
            self._scheduler.shutdown(wait=False)

    async def _drain(self) -> None:
        running = set(self._running)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=PATIENCE)
        for task in late:
            log.warning("not finished in time", verb=task.get_name())
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _guarded(self, name: str, verb: Callable[[], Awaitable[object]]) -> None:
        began = perf_counter()
        try:
            await verb()
        except StoreError as error:
            self._failed(name, f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - the unplanned ends one run, not the daemon
            self._failed(name, f"{type(error).__name__}: {error}", unplanned=True)
        else:
            if self._failing.pop(name, None) is not None:
                log.info("works again", verb=name)
        self._told(name, perf_counter() - began, self._failing.get(name))

    def _failed(self, name: str, why: str, *, unplanned: bool = False) -> None:
        """Logged when it starts and when its reason changes, not at every ring."""
        if self._failing.get(name) != why:
            log.error("verb fails", verb=name, why=why, exc_info=unplanned)
        self._failing[name] = why
