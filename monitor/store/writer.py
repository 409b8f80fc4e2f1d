"""One thread that writes, for the whole process: group commit.

Whatever has arrived while the last transaction was being made durable, up to 500 works, becomes the
next one. Each work after the first runs in a savepoint of its own, so one that fails takes nothing
else back; when the first fails, the others get a transaction without it. A work that collides with
another process (PostgreSQL) is run again, with all of its transaction.
No timer: an idle store commits at once, a busy one shares its fsyncs (`facts/foundations.md` C2).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import perf_counter
from traceback import clear_frames
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from monitor.store.backends import Backend
from monitor.store.errors import StoreUnavailable, collided, translate

__all__ = ["GROUP", "Writer"]

GROUP: Final = 500
TRIES: Final = 5
"""How often a work is run that collides."""
T = TypeVar("T")


class _Broken(Exception):
    """A work's failure took the whole transaction with it."""


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    future: Future[Any] = field(default_factory=Future)
    result: Any = None
    error: BaseException | None = None
    tries: int = 0

    def run(self, conn: Connection, backend: Backend) -> None:
        """Do the work in a savepoint. Raises `_Broken` when nothing is left to go on with."""
        point = conn.begin_nested()
        try:
            self.result = self.work(conn)
            point.commit()
        except Exception as error:
            if collided(error) or not backend.alive(conn):
                raise _Broken from error
            point.rollback()
            self.error = error

    def run_first(self, conn: Connection) -> None:
        """Do the first work of a transaction: with nothing before it to keep, it needs no savepoint.

        That saves SQLite a copy of every page it changes, and PostgreSQL two round trips.
        """
        try:
            self.result = self.work(conn)
        except Exception as error:
            raise _Broken from error

    def again(self) -> bool:
        """As if it had not been run; False when that was done often enough."""
        self.result, self.error, self.tries = None, None, self.tries + 1
        return self.tries < TRIES

    def settle(self, failure: BaseException | None = None) -> None:
        """Tell the caller, once, after the commit or the failure."""
        if self.future.done():
            return
        error = failure or self.error
        if error is not None:
            # A cursor left open in one of its frames would hold back every checkpoint.
            clear_frames(error.__traceback__)
            self.future.set_exception(translate(error))
        else:
            self.future.set_result(self.result)


def _nobody(works: int, failed: int, seconds: float) -> None:
    """Nobody listens."""


class Writer:
    """Takes works from any thread and tells each caller when its own is durable."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self.told: Callable[[int, int, float], None] = _nobody
        """Hears of every transaction: how many works, how many of them failed, seconds with the commit."""
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue a work; it may be run more than once, and is kept once. Raises `StoreUnavailable` after `close`."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a work must not write through the store again: use its connection")
        job = _Job(work)
        with self._gate:
            if self._closed:
                raise StoreUnavailable("存储已经关闭：程序正在停止，不再接受写入。")
            self._queue.put(job)
        return job.future

    def close(self) -> None:
        """Finish what was taken, then stop."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            jobs = [job, *self._arrived()]
            jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            while jobs:
                jobs = self._turn(jobs)

    def _arrived(self) -> Iterator[_Job]:
        """What else waits now, up to one group."""
        for _ in range(GROUP - 1):
            try:
                job = self._queue.get_nowait()
            except Empty:
                return
            if job is None:  # the end: let `_run` find it after this group
                self._queue.put(None)
                return
            yield job

    def _turn(self, jobs: list[_Job]) -> list[_Job]:
        """One transaction. Returns the jobs an earlier one deprived of their turn."""
        started, began = 0, perf_counter()
        try:
            with self._backend.exclusive():
                with self._backend.writer.connect() as conn, conn.begin():
                    started = 1
                    jobs[0].run_first(conn)
                    for job in jobs[1:]:
                        started += 1
                        job.run(conn, self._backend)
                took = perf_counter() - began
                for job in jobs:
                    job.settle()
                self._backend.settle()
            self.told(len(jobs), sum(job.error is not None for job in jobs), took)
        except BaseException as error:  # noqa: BLE001 - every caller gets it
            cause = error.__cause__ if isinstance(error, _Broken) and error.__cause__ else error
            if collided(cause) and all(job.again() for job in jobs):
                return jobs
            lost = jobs[: started or len(jobs)]
            for job in lost:
                job.settle(cause)
            self.told(len(lost), len(lost), perf_counter() - began)
            return jobs[len(lost) :]
        return []
