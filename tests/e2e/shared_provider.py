"""A provider that several processes ask, and what it saw of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from carriers.base import Question
from domain.remote import Conversation, Request
from domain.tracking import Answer
from tests.simulated import Adapter

__all__ = ["Plain", "Seen", "serving"]


@dataclass(frozen=True)
class Plain(Adapter):
    """One number in a call to a real address."""

    base: str = ""

    def __init__(self, base: str) -> None:
        object.__setattr__(self, "base", base)

    def ask(self, questions: Sequence[Question], now: datetime) -> Conversation[list[Answer]]:
        answers = []
        for question in questions:
            reply = yield Request("GET", f"{self.base}/{question.waybill.waybill_no}")
            answers.append(self._read(question, reply))
        return answers


@dataclass
class Seen:
    """What the provider counted."""

    port: int = 0
    takes: float = 0.0
    """Seconds for an answer, so that requests overlap."""
    numbers: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode():
            while (await reader.readline()) not in (b"\r\n", b""):
                pass
            self.moments.append(time.monotonic())
            self.numbers.append(line.split()[1][1:])
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(self.takes)
            self.under_way -= 1
            body = b'{"scans": []}'
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
        writer.close()


def serving(seen: Seen) -> threading.Thread:
    """A server on loopback in a thread of its own, until `seen.stop`."""
    ready = threading.Event()

    async def main() -> None:
        server = await asyncio.start_server(seen.answer, "127.0.0.1", 0)
        seen.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await asyncio.to_thread(seen.stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    ready.wait()
    return thread
