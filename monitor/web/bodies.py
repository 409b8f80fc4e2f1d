"""Bodies on their way in: so many bytes and no more, and whoever hoards or dawdles goes before others wait.

Bytes are counted as they come, so that a connection which says nothing takes no room. When the room is full the
largest unfinished body is let go, when it is crowded the oldest: a push is a few kilobytes that come at once, so it is
neither. Who sends does not matter: behind a proxy everybody has the same address.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import Receive

__all__ = ["MOST", "PATIENCE", "Gone", "LetGo", "Room", "TooLarge", "TooSlow"]

MOST: Final = 1 << 20
"""Bytes of a push; the largest seen are a hundredth of it."""
PATIENCE: Final = 10.0
"""Seconds for a whole body."""
_BYTES: Final = 32 << 20
"""Bytes of bodies that may be on their way in at once."""
_BODIES: Final = 1000
"""How many may be on their way in at once."""


class TooLarge(Exception):
    """A body over the limit."""


class TooSlow(Exception):
    """A body that took too long."""


class LetGo(Exception):
    """Others needed the room: come again."""


class Gone(Exception):
    """The caller hung up in the middle of its body."""


class Incoming:
    """One body, and how long it may take."""

    def __init__(self, room: Room, over: asyncio.Timeout) -> None:
        self._room = room
        self._over = over
        self._parts: list[bytes] = []
        self.size = 0
        self.let_go = False

    async def read(self, receive: Receive) -> bytes:
        """The whole body. Raises `TooLarge`, `LetGo` and `Gone`."""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise Gone
            part = message.get("body", b"")
            if self.size + len(part) > MOST:
                raise TooLarge
            self._parts.append(part)
            self._room.grew(self, len(part))
            if not message.get("more_body", False):
                return b"".join(self._parts)

    def drop(self) -> None:
        """Give the room back at once, and end the wait for the rest."""
        self.let_go = True
        self._parts.clear()
        self._over.reschedule(asyncio.get_running_loop().time())


class Room:
    """The bodies of some callers."""

    def __init__(self, patience: float = PATIENCE, most: int = _BYTES, bodies: int = _BODIES) -> None:
        """`patience` in seconds, `most` in bytes."""
        self._patience = patience
        self._most = most
        self._bodies = bodies
        self._taken = 0
        self._inside: dict[Incoming, None] = {}

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Incoming]:
        """A place for one body, until the end of the block. Raises `TooSlow` and `LetGo` out of it."""
        incoming = None
        try:
            async with asyncio.timeout(self._patience) as over:
                incoming = Incoming(self, over)
                self._inside[incoming] = None
                if len(self._inside) > self._bodies:
                    self._drop(next(iter(self._inside)))
                yield incoming
        except TimeoutError:
            raise LetGo if incoming is not None and incoming.let_go else TooSlow from None
        finally:
            if incoming is not None:
                self._forget(incoming)

    def grew(self, incoming: Incoming, size: int) -> None:
        """More of it came. Raises `LetGo` where it is the one that has to go."""
        if not incoming.let_go:
            incoming.size += size
            self._taken += size
        while self._taken > self._most:
            self._drop(max(self._inside, key=lambda each: each.size))
        if incoming.let_go:
            raise LetGo

    def _drop(self, incoming: Incoming) -> None:
        self._forget(incoming)
        incoming.drop()

    def _forget(self, incoming: Incoming) -> None:
        if incoming in self._inside:
            del self._inside[incoming]
            self._taken -= incoming.size
