"""Questions under way: what was asked, what came of it, and the answers that have landed so far."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from domain.remote import Conversation, RemoteError, Reply
from domain.tracking import Answer
from monitor.store.parcels import Claim

__all__ = ["Flight", "Result", "Same", "unless_same"]

T = TypeVar("T")
_TOGETHER: Final = 50
"""Answers that are worth a transaction without waiting for more."""
_LINGER: Final = 0.02


@dataclass(frozen=True, slots=True)
class Same:
    """The reply is word for word the last one."""


@dataclass(frozen=True, slots=True)
class Result:
    """One question and what came of it."""

    claim: Claim
    asked_at: datetime
    """Silence is proven up to here at most."""
    answered_at: datetime
    """The provider's pause is counted from here: it cannot have heard the question later."""
    answer: Answer | Same | RemoteError
    digest: str = ""


def unless_same(conversation: Conversation[T], known: str) -> Conversation[tuple[T | Same, str]]:
    """The same conversation, cut short when a reply has the hash `known`; returns the hash too."""
    request = next(conversation)
    while True:
        reply: Reply = yield request
        digest = hashlib.blake2b(reply.content, digest_size=12).hexdigest()
        if reply.status == 200 and digest == known:
            conversation.close()
            return Same(), digest
        try:
            request = conversation.send(reply)
        except StopIteration as end:
            return end.value, digest


class Flight:
    """Questions under way, and the answers that have come since anybody looked."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Result]] = set()
        self._landed: list[asyncio.Task[Result]] = []
        self._news = asyncio.Event()

    @property
    def under_way(self) -> int:
        """How many questions have no answer yet, or one that nobody took."""
        return len(self._tasks) + len(self._landed)

    def start(self, question: Coroutine[Any, Any, Result]) -> None:
        """Ask in the background."""
        task = asyncio.create_task(question)
        self._tasks.add(task)
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[Result]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._landed.append(task)
        self._news.set()

    async def landed(self, patience: float) -> list[Result]:
        """The answers so far, a moment after the first of them: worth a transaction together.

        None after `patience` seconds without one: who hangs must not hold up whom else to ask.
        """
        if not self.under_way:
            return []
        try:
            async with asyncio.timeout(patience):
                await self._news.wait()
        except TimeoutError:
            return []
        if self._tasks and len(self._landed) < _TOGETHER:
            await asyncio.sleep(_LINGER)
        self._news.clear()
        landed, self._landed = self._landed, []
        return [task.result() for task in landed]

    def cancel(self) -> None:
        """Nobody waits any more."""
        for task in tuple(self._tasks):
            task.cancel()
