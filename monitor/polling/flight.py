"""Questions under way: what was asked, what came of it, and the answers that have landed so far."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from domain.remote import Conversation, RemoteError, Reply
from domain.tracking import Answer, TrackingEvent
from monitor.store.parcels import Claim

__all__ = ["Flight", "Result", "Same", "fingerprint", "unless_same"]

A = TypeVar("A")
_TOGETHER: Final = 50
"""Answers that are worth a transaction without waiting for more."""
_LINGER: Final = 0.02


@dataclass(frozen=True, slots=True)
class Same:
    """The answer is the last one again."""

    read_at: datetime | None = None
    """When the provider read the carrier, where it says so."""


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


def unless_same(
    conversation: Conversation[Sequence[A]], known: Sequence[str]
) -> Conversation[tuple[list[A | Same], list[str]]]:
    """The same conversation about `len(known)` numbers; of each its answer, or `Same`, and the mark to know it by.

    A mark is two hashes, of the reply's bytes and of what was understood. One number's reply that has the known
    bytes cuts the conversation short. Where a reply holds several numbers, or bytes that vary (a request's id,
    the moment of reading), what was understood decides.
    """
    alone = known[0].partition(":")[0] if len(known) == 1 else ""
    request, raw = next(conversation), ""
    while True:
        reply: Reply = yield request
        if len(known) == 1:
            raw = hashlib.blake2b(reply.content, digest_size=12).hexdigest()
            if reply.status == 200 and raw == alone:
                conversation.close()
                return [Same()], [known[0]]
        try:
            request = conversation.send(reply)
        except StopIteration as end:
            return _marked(end.value, known, raw)


def _marked(answers: Sequence[A], known: Sequence[str], raw: str) -> tuple[list[A | Same], list[str]]:
    told: list[A | Same] = []
    marks: list[str] = []
    for nth, answer in enumerate(answers):
        if not isinstance(answer, Answer):
            told.append(answer)
            marks.append("")
            continue
        meaning = fingerprint(answer)
        before = known[nth].partition(":")[2] if nth < len(known) else ""
        told.append(Same(answer.read_at) if meaning == before else answer)
        # What is dated by its own words has to be read again, also when they are the same.
        marks.append(f"{raw if answer.read_at is None else ''}:{meaning}")
    return told, marks


def fingerprint(answer: Answer) -> str:
    """A hash of what an answer says of a parcel; when it was read is not part of that."""
    said = [
        *(answer.carrier, answer.waybill_no, answer.whole, answer.corrected_carrier, answer.remark),
        answer.unknown_codes,
        *(_line(event) for event in answer.events),
    ]
    return hashlib.blake2b(repr(said).encode(), digest_size=12).hexdigest()


def _line(event: TrackingEvent) -> tuple[object, ...]:
    return (
        *(event.occurred_at.isoformat(), event.milestone.value, event.text, event.code, event.status),
        *sorted(kind.value for kind in event.exceptions),
        *(str(event.delivered_kind), str(event.motion), event.area, event.hub, event.outlet, event.courier),
        *(event.next_stop, event.forecast, event.written, event.overlaid),
    )


class Flight:
    """Questions under way, and the answers that have come since anybody looked."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Sequence[Result]], int] = {}
        self._landed: dict[asyncio.Task[Sequence[Result]], int] = {}
        self._news = asyncio.Event()

    @property
    def under_way(self) -> int:
        """How many questions have no answer yet, or one that nobody took."""
        return sum(self._tasks.values()) + sum(self._landed.values())

    def start(self, call: Coroutine[Any, Any, Sequence[Result]], n: int = 1) -> None:
        """Ask `n` questions in one call, in the background."""
        task = asyncio.create_task(call)
        self._tasks[task] = n
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[Sequence[Result]]) -> None:
        n = self._tasks.pop(task, 0)
        if not task.cancelled():
            self._landed[task] = n
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
        landed, self._landed = self._landed, {}
        return [result for task in landed for result in task.result()]

    def cancel(self) -> None:
        """Nobody waits any more."""
        for task in tuple(self._tasks):
            task.cancel()
