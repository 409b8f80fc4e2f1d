"""One call to a provider: up to its `batch` of claimed waybills asked together, and what came of each.

A call that is refused or unreadable as a whole is asked again in halves, so that one bad number among several
stops only itself; each further call takes its place in the account's queue and in its numbers' day, and is paid for.
What was claimed waits here for its turn: it can be called back as long as nothing of it was sent. The per-second ceiling counts calls, as the facts mean it (顺丰: 30 calls a second with up to
ten numbers in a call; 17TRACK: 3 requests a second with 40 numbers); a conversation of several requests takes a
place for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from carriers.base import Question
from domain.orders import Waybill
from domain.remote import Rejected, RemoteError, Unreadable
from domain.tracking import Answer
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount
from monitor.net import Net
from monitor.polling.flight import Result, Same, unless_same
from monitor.polling.slots import Slots
from monitor.store import providers
from monitor.store.database import Database
from monitor.store.parcels import Claim

__all__ = ["Asker", "OnceMore"]

OnceMore: TypeAlias = Callable[[Connection, Sequence[Result], datetime], Sequence[Claim]]
"""Of a refused call's numbers, those that may be asked about once more: counted and paid for."""

_ALONE: Final = 3
"""So many numbers that fail alone, and none that does not, say that it is not the numbers."""

_AT_ONCE: Final = 0.01
"""Seconds that are not worth a timer."""
_BLIND: Final = 4
"""Calls for each lane, as long as nobody knows how long one takes."""
_NEXT: Final = 2
"""Calls for each lane at least: the one under way, and the next."""
_NEWS: Final = 0.3
"""How much the latest call says of how long one takes."""


@dataclass(slots=True)
class _Search:
    """Looking for the bad numbers of a call."""

    failed: int = 0
    good: int = 0

    @property
    def vain(self) -> bool:
        return self.failed >= _ALONE and not self.good


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call of which nothing was sent yet."""

    claims: Sequence[Claim]
    turn: float
    """When its turn is, in the loop's seconds."""


def _nobody(conn: Connection, refused: Sequence[Result], now: datetime) -> Sequence[Claim]:
    return ()


@dataclass(slots=True)
class Asker:
    """Asks one account."""

    account: ProviderAccount
    db: Database
    net: Net
    clock: Clock
    slots: Slots
    once_more: OnceMore = _nobody
    _waiting: dict[asyncio.Task[Any], _Waiting] = field(default_factory=dict)
    _took: float | None = None
    """Seconds that a call takes, of late."""
    _next_at: float = 0.0
    _loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, claims: Sequence[Claim], delay: float = 0.0) -> list[Result]:
        """One call, after `delay` seconds and when a slot is free; of every claim what came of it."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = _Waiting(claims, asyncio.get_running_loop().time() + delay)
        if delay > _AT_ONCE:
            await asyncio.sleep(delay)
        await self._apart()
        results = await self._call(claims)
        if len(claims) > 1 and _refused(results):
            return await self._halves(results, _Search())
        return results

    def recall(self, waited: float = -inf) -> list[Claim]:
        """Call back what nothing was sent of, `waited` seconds after its turn: its calls end, these are their claims."""
        if not self._waiting:
            return []
        since = asyncio.get_running_loop().time() - waited
        late = [task for task, each in self._waiting.items() if each.turn <= since]
        claims: list[Claim] = []
        for task in late:
            task.cancel()
            claims += self._waiting.pop(task).claims
        return claims

    def soon(self, seconds: float) -> int:
        """How many calls can begin within so many seconds, by the account's pace and by what calls really take."""
        paced = max(1, int(self.account.ceilings.per_second * seconds))
        each = _BLIND if self._took is None else max(_NEXT, int(seconds / max(self._took, _AT_ONCE)))
        return min(paced, self.slots.lanes * each)

    async def _halves(self, refused: Sequence[Result], search: _Search) -> list[Result]:
        """The call's numbers in two calls, and so on: what fails alone is its own fault."""
        middle = len(refused) // 2
        found: list[Result] = []
        for before in (refused[:middle], refused[middle:]):
            claims = [] if search.vain else await self._once_more(before)
            again = {claim.parcel_id for claim in claims}
            found += [each for each in before if each.claim.parcel_id not in again]
            if not claims:
                continue
            results = await self._call(claims)
            if not _refused(results):
                search.good += 1
            elif len(claims) == 1:
                search.failed += 1
            else:
                results = await self._halves(results, search)
            found += results
        return found

    async def _once_more(self, refused: Sequence[Result]) -> Sequence[Claim]:
        """Those that may be asked about in one more call, when its turn has come."""
        name, per_second, now = self.account.name, self.account.ceilings.per_second, self.clock.now()

        def work(conn: Connection) -> tuple[Sequence[Claim], timedelta]:
            able = self.once_more(conn, refused, now)
            wait = providers.reserve(conn, name, 1, per_second, now) if able else timedelta(0)
            return able, wait

        claims, wait = await self.db.write(work)
        if wait > timedelta(0):
            await asyncio.sleep(wait.total_seconds())
        return claims

    async def _apart(self) -> None:
        """What was held up (a busy machine) does not leave all at once afterwards."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        at = max(now, self._next_at) if self._loop is loop else now
        self._loop = loop
        self._next_at = at + 1.0 / self.account.ceilings.per_second
        if at - now > _AT_ONCE:
            await asyncio.sleep(at - now)

    async def place(self) -> None:
        """Wait for a place in the account's queue of one more request."""
        name, per_second, now = self.account.name, self.account.ceilings.per_second, self.clock.now()
        wait = await self.db.write(lambda conn: providers.reserve(conn, name, 1, per_second, now))
        await asyncio.sleep(max(0.0, wait.total_seconds()))

    async def _call(self, claims: Sequence[Claim]) -> list[Result]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        async with self.slots:
            if task is not None:
                self._waiting.pop(task, None)
            began = loop.time()
            asked_at = self.clock.now()
            conversation = self.account.provider.ask([_question(claim) for claim in claims], asked_at)
            told: Sequence[Answer | Same | RemoteError]
            try:
                told, marks = await self.net.converse(
                    unless_same(conversation, [claim.answer_hash for claim in claims]),
                    account=self.account.name,
                    lanes=self.account.ceilings.concurrency,
                    pace=self.place,
                    counted=True,
                )
            except RemoteError as error:
                told, marks = [error] * len(claims), [""] * len(claims)
            if len(told) != len(claims):
                why = f"问 {len(claims)} 个单号，得到 {len(told)} 个答复"
                told, marks = [Unreadable(why)] * len(claims), [""] * len(claims)
            took = loop.time() - began
            self._took = took if self._took is None else self._took + _NEWS * (took - self._took)
        heard_at = self.clock.now()
        return [
            Result(claim, asked_at, heard_at, answer, mark)
            for claim, answer, mark in zip(claims, told, marks, strict=True)
        ]


def _refused(results: Sequence[Result]) -> bool:
    """As a whole: one error for all of them."""
    first = results[0].answer
    return isinstance(first, (Rejected, Unreadable)) and all(each.answer is first for each in results)


def _question(claim: Claim) -> Question:
    return Question(
        Waybill(claim.carrier, claim.waybill_no),
        claim.phone_tail,
        destination=claim.province + claim.city,
        asked_before=claim.asked_before if claim.answered else None,
    )
