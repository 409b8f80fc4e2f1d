"""The web server: uvicorn in the caller's loop, on a socket the caller bound, with patience that ends.

uvicorn waits for a request's head for ever. Here a connection gets `PATIENCE` seconds for a whole head, a body has
to keep coming, an answer has to be taken; and when there are more connections than descriptors allow, the one that
has kept us waiting longest is let go. So slow or idle connections, however many, never keep others out.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["PATIENCE", "serve"]

PATIENCE: Final = 10.0
"""Seconds for a whole request head, and between two looks at a body."""

_LEAST: Final = 64 * 1024
"""Bytes of a body that have to come in that time."""
_GRACE: Final = 3
"""Seconds that requests under way have when the service stops."""
_IDLE: Final = 20
"""Seconds a connection is kept for a next request."""
_DESCRIPTORS: Final = 8192
_KEPT_FREE: Final = 256
"""Descriptors for everything that is not a visitor: the store, carriers, chat platforms."""


async def serve(
    app: ASGIApp, sock: socket.socket, until: asyncio.Event, *, patience: float = PATIENCE
) -> None:
    """Serve `app` until `until` is set, then finish what is under way. Closes `sock`. Signals are left alone."""
    # asyncio sets it only where the protocol was named; without it every answer waits 40 ms for an ACK of its head.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    crowd = _Crowd(patience, _room())
    config = uvicorn.Config(
        app,
        http=crowd.protocol,  # type: ignore[arg-type]  # any maker of protocols will do
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    stopping = asyncio.create_task(_stop(server, until))
    try:
        await server.serve(sockets=[sock])
    finally:
        stopping.cancel()


async def _stop(server: uvicorn.Server, until: asyncio.Event) -> None:
    await until.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The daemon has its own handlers."""
        yield


def _room() -> int:
    """How many connections may be open, with as many descriptors as this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(64, min(_DESCRIPTORS, soft if soft > 0 else _DESCRIPTORS) - _KEPT_FREE)


class _Crowd:
    """Everybody who is connected; those who have asked nothing yet in the order in which they came."""

    def __init__(self, patience: float, room: int) -> None:
        self.patience = patience
        self._room = room
        self._open = 0
        self._silent: dict[_Patient, None] = {}

    def protocol(self, *args: Any, **values: Any) -> _Patient:
        return _Patient(self, *args, **values)

    def came(self) -> None:
        self._open += 1
        if self._open > self._room and self._silent:
            next(iter(self._silent)).let_go()

    def waits(self, one: _Patient, silent: bool) -> None:
        """`silent`: no whole request has come since the connection was made, or since the last answer."""
        self._silent.pop(one, None)
        if silent:
            self._silent[one] = None

    def left(self, one: _Patient) -> None:
        self._open -= 1
        self._silent.pop(one, None)


class _Patient(H11Protocol):
    """One connection, looked at every few seconds: has what was owed come?"""

    def __init__(self, crowd: _Crowd, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self._crowd = crowd
        self._look: asyncio.TimerHandle | None = None
        self._head_since: float | None = None
        """Since when a request's head is owed; None between two requests."""
        self._taken = 0
        self._unsent: int | None = None
        """What waited to be taken at the last look; None while nothing is stuck."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._crowd.came()
        self._wait_for_head(self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.left(self)
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        owed = self._head_owed
        self._taken += len(data)
        super().data_received(data)
        if owed and self._head_owed:
            self._head_since = self._head_since or self.loop.time()
        elif owed:
            self._head_since = None
            self._crowd.waits(self, silent=False)
            self._look_later()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._head_owed and not self.transport.is_closing():
            self._wait_for_head(None)
        else:
            self._look_later()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent = self.transport.get_write_buffer_size()
        self._look_later()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unsent = None

    def let_go(self) -> None:
        """End it without ceremony: what it did not take is not kept for it either."""
        if (sock := self.transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    @property
    def _head_owed(self) -> bool:
        return self.conn.their_state is h11.IDLE

    def _wait_for_head(self, since: float | None) -> None:
        self._head_since = since
        self._crowd.waits(self, silent=True)
        self._look_later()

    def _look_later(self) -> None:
        if self._look is not None:
            self._look.cancel()
        self._taken = 0
        self._look = self.loop.call_later(self._crowd.patience, self._look_now)

    def _look_now(self) -> None:
        if self._head_is_late() or self._body_is_late() or self._nobody_reads():
            self.let_go()
        else:
            self._look_later()

    def _head_is_late(self) -> bool:
        """Between two requests uvicorn's own timer runs; where it does not, a head has begun."""
        if not self._head_owed:
            return False
        if self._head_since is None:
            self._head_since = None if self.timeout_keep_alive_task is not None else self.loop.time()
            return False
        return self.loop.time() - self._head_since >= self._crowd.patience * 0.9

    def _body_is_late(self) -> bool:
        """It trickles, or still comes although the answer is out."""
        if self.conn.their_state is not h11.SEND_BODY or self.cycle is None:
            return False
        return self.cycle.response_complete or (self._taken < _LEAST and not self.flow.read_paused)

    def _nobody_reads(self) -> bool:
        """Not a byte of the answer was taken since the last look."""
        before, now = self._unsent, self.transport.get_write_buffer_size()
        if before is not None:
            self._unsent = now
        return before is not None and now >= before
