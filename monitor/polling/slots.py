"""How many requests may be under way at an account, over all processes that share the store.

A process leases slots in blocks: alone it takes them all, and renews the lease now and then with one statement.
Where several want some, each gets its share; one that has more gives them back as its requests end. What a dead
process held is free again when its lease is over, on the same machine at once. The slot of a request that was cut off
stays taken until its lease is over: the service may still be at it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Final
from uuid import uuid4
from weakref import WeakSet

from sqlalchemy import Connection

from monitor.clock import Clock
from monitor.store import leases
from monitor.store.database import Database

__all__ = ["LEASE", "Slots"]

LEASE: Final = timedelta(seconds=60)
"""Longer than a request may take (`monitor.wire.Timeouts`): what is under way is covered by its lease."""
_OFTEN: Final = 20
"""Renewals in a lease's time while others want slots as well, so that each soon has its share."""
_SELDOM: Final = 12


_HERE: Final = hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
_ALIVE: Final[WeakSet[Slots]] = WeakSet()
"""Those of this process."""


def _dead(holder: str) -> bool:
    """The process that held these slots was on this machine, and is no more."""
    here, _, rest = holder.partition("/")
    pid, _, _ = rest.partition("/")
    if here != _HERE or not pid.isdecimal():
        return False
    if int(pid) == os.getpid():
        return all(each.name != holder for each in _ALIVE)
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


class Slots:
    """One process's slots at one account; `async with` holds one."""

    def __init__(
        self, account: str, most: int, db: Database, clock: Clock, *, lease: timedelta = LEASE
    ) -> None:
        self._account = account
        self._most = most
        self._db = db
        self._clock = clock
        self._lease = lease
        self._me = f"{_HERE}/{os.getpid()}/{uuid4().hex[:16]}"
        _ALIVE.add(self)
        self._limit = 0
        self._until: datetime | None = None
        self._renew_at: datetime | None = None
        self._used = 0
        self._cut: list[datetime] = []
        """Until when the slots of requests that were cut off stay taken."""
        self._shared = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._asking = asyncio.Lock()

    @property
    def name(self) -> str:
        """Under which slots are leased: machine, process, and which of its own."""
        return self._me

    @property
    def used(self) -> int:
        """How many are in use here."""
        return self._used

    @property
    def lanes(self) -> int:
        """How many requests can be under way here, as far as is known; one at least."""
        return max(1, self._most if self._until is None else self._limit)

    async def __aenter__(self) -> None:
        while not self._free():
            if self._due():
                await self.keep()
            else:
                await self._wait()
        self._used += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._used -= 1
        if kind is not None and issubclass(kind, asyncio.CancelledError) and self._until is not None:
            self._cut.append(self._until)
        else:
            self._wake(1)
        if self._shared and not self._used and not self._waiting:
            await self.release()

    async def keep(self) -> None:
        """Renew the lease where it is time. Costs nothing in between."""
        async with self._asking:
            if not self._due():
                return
            now, used = self._clock.now(), self._taken()
            take = partial(leases.take, provider=self._account, holder=self._me, most=self._most, now=now)
            found = await self._db.write(lambda conn: take(conn, lease=self._lease, used=used, dead=_dead))
            self._limit, self._shared = found.limit, found.shared
            self._until = now + self._lease
            # Alone there is nobody to give way to: a newcomer is noticed at the next renewal.
            self._renew_at = now + self._lease / (_OFTEN if found.shared else _SELDOM)
        self._wake(self._limit - self._taken())

    async def rest(self) -> None:
        """Nothing is asked just now: when it would be time to renew, others may have them all."""
        if self._until is not None and not self._used and self._due():
            await self.release()

    async def release(self) -> None:
        """Give all back, unless some are in use; those of requests that were cut off when their leases are over."""
        async with self._asking:
            if not self._used:
                self._taken()
                cut, self._cut = self._cut, []
                self._limit, self._until, self._renew_at = 0, None, None
                await self._db.write(partial(self._give_back, cut))

    def _give_back(self, cut: Sequence[datetime], conn: Connection) -> None:
        leases.release(conn, self._account, self._me)
        for until, n in Counter(cut).items():
            leases.leave(conn, self._account, uuid4().hex[:16], n, until)

    def _free(self) -> bool:
        return self._taken() < self._limit and not self._due()

    def _taken(self) -> int:
        """Requests under way, and those that were cut off and may be."""
        if self._cut:
            now = self._clock.now()
            self._cut = [until for until in self._cut if until > now]
        return self._used + len(self._cut)

    def _due(self) -> bool:
        return self._renew_at is None or self._clock.now() >= self._renew_at

    async def _wait(self) -> None:
        """Until somebody is done, or the lease is to be renewed."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        calm = self._limit and not self._shared and not self._cut
        patience = None if calm else (self._lease / _OFTEN).total_seconds()
        try:
            async with asyncio.timeout(patience):
                await future
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # it was woken, and goes: the next one's turn
                self._wake(1)
            raise
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    def _wake(self, n: int) -> None:
        while n > 0 and self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                n -= 1
