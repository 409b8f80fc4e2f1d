"""News that come to us: a push is looked at, stored, answered, and read after that.

The signature comes first, and is all that is looked at before the answer: true pushes are stored in groups, as many as
came during the last commit, and each caller is answered when its own is durable. What they say is kept after that, in
small groups, each with all that follows from it and its end in the store in one transaction (L5): so a burst is taken
at the store's speed, a crash loses nothing that was answered, and a push that nobody can read stops only itself.

A push proves what it says and not silence (L1): `observed_at` stays, and deadlines are verified by a question where
the account can be asked. About the parcels of an account that only pushes nothing ever proves silence: their deadlines
stay due for a look that nobody can make, and `coverage` says so.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Final

import structlog
from sqlalchemy import Connection

from carriers.kuaidi100 import Kuaidi100
from carriers.push import Forged, Push, Pusher
from domain.remote import Reply, Secret
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount, secrets_of
from monitor.feeds.doctor import Doctor
from monitor.metrics import Metrics
from monitor.polling.keeping import Keeper
from monitor.pushes.reading import Batch, Door, Hush, Read, Reader
from monitor.store import pushes
from monitor.store.database import Database, StoreError
from monitor.store.pushes import Kept
from monitor.sweep import Sweep
from monitor.telling.routing import Route

__all__ = ["Callbacks", "Refused"]

log = structlog.get_logger()
_GROUP: Final = 500
"""Pushes stored in one work."""
_READ: Final = (5, 200)
"""Pushes whose news are kept in one transaction, at least and at most …"""
_SHORT: Final = 0.05
"""… as many as take so many seconds: those who wait for an answer hardly notice."""
_REST: Final = 4.0
"""While pushes pour in, reading rests so many times as long as it took: taking them comes first …"""
_BEHIND: Final = 10_000
"""… unless so many wait to be read."""
_POURING: Final = 0.05
"""Seconds since the last one, for that."""
_HELD: Final = 64 << 20
"""Bytes of bodies that may wait for their commit."""


class Refused(Exception):
    """Nobody we listen to: no such account, a wrong key, a wrong signature. All alike from outside."""


_DECOY: Final = Kuaidi100(Secret("-"), Secret("-"), salt=Secret("-" * 32))
"""Looks at what comes for nobody, so that it takes as long as for somebody."""


class Callbacks:
    """All accounts that push, under the configuration in force."""

    def __init__(
        self,
        accounts: Iterable[ProviderAccount],
        db: Database,
        sweep: Sweep,
        clock: Clock,
        metrics: Metrics,
        routes: Sequence[Route] = (),
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        """`ending` says that the service stops: what came is stored and answered, its news wait for the next start."""
        self._doors = {
            each.name: Door(
                each,
                each.provider,
                Keeper(
                    each.name,
                    secrets_of(each.provider),
                    sweep,
                    Doctor(each.name, routes, each.ceilings.per_waybill_interval),
                ),
            )
            for each in accounts
            if each.push and isinstance(each.provider, Pusher)
        }
        self._reader = Reader(self._doors, clock)
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._ending = ending
        self._waiting: list[tuple[Kept, asyncio.Future[bool]]] = []
        self._held = 0
        self._behind = 0
        self._storing: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._size = 50
        self._came_at = 0.0
        self._hushes: dict[tuple[str, str], Hush] = defaultdict(Hush)

    @property
    def open(self) -> bool:
        """Somebody pushes to us."""
        return bool(self._doors)

    def expects(self, name: str, query: Mapping[str, str]) -> bool:
        """A push to this address may be a true one: there is the account, and the key where it has one."""
        door = self._doors.get(name)
        return door is not None and door.knows(Push(b"", query=query))

    # ── taking ───────────────────────────────────────────────────────────────────────────────────

    async def take(self, name: str, push: Push) -> Reply:
        """The answer to a push, given when it is durable. Raises `Refused`, having told nothing of why."""
        now = self._clock.now()
        door = self._doors.get(name)
        known = door is not None and door.knows(push)
        try:
            receipt = door.admit(push, now) if door is not None and known else _DECOY.admit(push, now)
        except Forged as error:
            self._forged(name if door is not None else "-", str(error) if known else "no such address", now)
            raise Refused from None
        assert door is not None
        self._came_at = monotonic()
        if await self._stored(Kept(name, now, push)):
            self._metrics.count("callbacks_total", name, "taken")
            self._begin_reading()
            return receipt.kept
        self._metrics.count("callbacks_total", name, "put_off")
        return receipt.again

    def _forged(self, name: str, why: str, now: datetime) -> None:
        self._metrics.count("callbacks_total", name, "forged")
        if times := self._hushes[name, "forged"].times(now):
            log.warning("push refused", account=name, why=why, times=times)

    async def _stored(self, row: Kept) -> bool:
        """Whether it is durable; a full queue or a store in trouble is told to the pusher, who comes again."""
        size = len(row.push.body)
        if self._held + size > _HELD:
            return False
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, future))
        self._held += size
        if self._storing is None:
            self._storing = asyncio.create_task(self._store())
        try:
            return await future
        finally:
            self._held -= size

    async def _store(self) -> None:
        """Store what waits, group by group: whatever came during one commit is the next."""
        try:
            while self._waiting:
                group = self._waiting[:_GROUP]
                del self._waiting[:_GROUP]
                durable = await self._commit([row for row, _ in group])
                self._behind += len(group) if durable else 0
                for _, future in group:
                    if not future.done():
                        future.set_result(durable)
        finally:
            self._storing = None

    async def _commit(self, rows: Sequence[Kept]) -> bool:
        try:
            await self._db.write(lambda conn: pushes.put(conn, rows))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is answered as kept
            if times := self._hushes["", "store"].times(self._clock.now()):
                log.error("pushes cannot be stored", why=str(error), times=times)
            return False
        return True

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def _begin_reading(self) -> None:
        if self._reading is None and not self._ending():
            self._reading = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        """At once, without waiting for the bell; what goes wrong is told when the bell rings."""
        try:
            await self.work()
        except StoreError as error:
            log.info("pushes wait to be read", why=str(error))
        finally:
            self._reading = None

    async def work(self) -> None:
        """Keep what waiting pushes say, until none is left. Raises a `StoreError`: the rest waits."""
        if self._turn.locked():
            return
        async with self._turn:
            while not self._ending():
                began = monotonic()
                if not await self._some():
                    return
                took = monotonic() - began
                least, most = _READ
                self._size = max(least, min(most, round(self._size * _SHORT / max(took, 0.001))))
                if monotonic() - self._came_at < _POURING and self._behind < _BEHIND:
                    await asyncio.sleep(_REST * took)

    async def close(self) -> None:
        """Let what is under way finish."""
        for task in (self._storing, self._reading):
            if task is not None:
                await asyncio.gather(task, return_exceptions=True)

    async def _some(self) -> bool:
        """One group; whether there was any."""
        group = await self._db.read(self._next)
        if not group:
            self._behind = 0
            return False
        await self._keep_all(group)
        self._behind = max(0, self._behind - len(group))
        return True

    def _next(self, conn: Connection) -> list[Read]:
        """The next group, read. Runs in a reader's thread: the loop goes on answering meanwhile."""
        return [self._reader.read(each) for each in pushes.waiting(conn, self._size)]

    async def _keep_all(self, group: Sequence[Read]) -> None:
        """Keep a group; one that cannot be kept stops only itself."""
        try:
            batch = await self._db.write(partial(self._reader.keep, group))
        except StoreError:
            raise
        except Exception as error:  # whatever it is, the other pushes are not to blame
            if len(group) > 1:
                for each in group:
                    await self._keep_all([each])
                return
            why = f"{type(error).__name__}: {error}"
            log.error("a push cannot be kept", account=group[0].kept.provider, why=why, exc_info=True)
            aside = [replace(group[0], delivery=None, why=why)]
            batch = await self._db.write(partial(self._reader.keep, aside))
        self._tell(batch)

    def _tell(self, batch: Batch) -> None:
        for (account, outcome), n in batch.outcomes.items():
            name = "scans_stored_total" if outcome == "scans" else "callbacks_total"
            self._metrics.count(name, *((account,) if outcome == "scans" else (account, outcome)), n=n)
        judged = batch.judged
        self._metrics.count("parcels_judged_total", n=judged.parcels)
        if judged.opened or judged.ended:
            log.info("judged by pushes", parcels=judged.parcels, opened=judged.opened, ended=judged.ended)
