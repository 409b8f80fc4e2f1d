"""One call to a provider: up to its `batch` of claimed waybills asked together, and what came of each.

A call that is refused or unreadable as a whole is asked again in halves, so that one bad number among several
stops only itself. The per-second ceiling counts calls, as the facts mean it (顺丰: 30 calls a second with up to
ten numbers in a call; 17TRACK: 3 requests a second with 40 numbers); a conversation of several requests takes a
place for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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

__all__ = ["Asker"]

_ALONE: Final = 3
"""So many numbers that fail alone, and none that does not, say that it is not the numbers."""

_AT_ONCE: Final = 0.01
"""Seconds that are not worth a timer."""


@dataclass(slots=True)
class _Search:
    """Looking for the bad numbers of a call."""

    failed: int = 0
    good: int = 0

    @property
    def vain(self) -> bool:
        return self.failed >= _ALONE and not self.good


@dataclass(slots=True)
class Asker:
    """Asks one account."""

    account: ProviderAccount
    db: Database
    net: Net
    clock: Clock
    slots: Slots
    _next_at: float = 0.0
    _loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, claims: Sequence[Claim], delay: float = 0.0) -> list[Result]:
        """One call, after `delay` seconds and when a slot is free; of every claim what came of it."""
        if delay > _AT_ONCE:
            await asyncio.sleep(delay)
        await self._apart()
        results = await self._call(claims)
        if len(claims) > 1 and _refused(results):
            return await self._halves(claims, results, _Search())
        return results

    async def _halves(self, claims: Sequence[Claim], failed: list[Result], search: _Search) -> list[Result]:
        """The call's numbers in two calls, and so on: what fails alone is its own fault."""
        middle = len(claims) // 2
        found: list[Result] = []
        for some, before in ((claims[:middle], failed[:middle]), (claims[middle:], failed[middle:])):
            if search.vain:
                found += before
                continue
            await self.place()
            results = await self._call(some)
            if not _refused(results):
                search.good += 1
            elif len(some) == 1:
                search.failed += 1
            else:
                results = await self._halves(some, results, search)
            found += results
        return found

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
        async with self.slots:
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
