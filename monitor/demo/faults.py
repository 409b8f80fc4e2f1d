"""How a peer misbehaves, switched while it runs; and the two things every fake peer does alike.

Some faults strike before the request is understood (nothing was taken, nothing is counted), some after
(it was taken, and the caller cannot know). Services of their own kind have faults of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum

from aiohttp import web

__all__ = ["Clock", "Fault", "Switchboard", "break_wire", "drop", "spoil", "tell_time"]

Clock = Callable[[], datetime]
"""Tells the peer's time, real or simulated; always aware."""


class Fault(StrEnum):
    """What is wrong with a peer at the moment."""

    OK = "ok"
    # before the request is understood
    SLOW = "slow"
    HANG = "hang"
    RESET = "reset"
    BAD_GATEWAY = "bad_gateway"
    HTML = "html"
    """A captive portal's page with HTTP 200."""
    # after it was understood and counted
    EMPTY = "empty"
    TRUNCATED = "truncated"
    GARBAGE = "garbage"
    # of the tracking provider
    WRONG_SIGNATURE = "wrong_signature"
    KEY_EXPIRED = "key_expired"
    BUSY = "busy"
    SERVER_ERROR = "server_error"
    OLD_STYLE = "old_style"
    """Says "no such number" in the older shape, whatever it knows."""
    CONTRADICTORY = "contradictory"
    """Answers with another parcel's history."""
    # of the chat platforms
    TAKE_AND_DROP = "take_and_drop"
    """The group has the message; the sender gets a broken connection."""
    MUTED = "muted"
    ERRCODE = "errcode"
    """Refuses with `Switchboard.code`."""


@dataclass
class Switchboard:
    """Which fault strikes whom: `mode` for all, `only` for one number, platform or robot."""

    mode: Fault = Fault.OK
    only: dict[str, Fault] = field(default_factory=dict)
    delay: float = 1.0
    """Real seconds a slow peer takes."""
    code: int = -1
    _hanging: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def of(self, *names: str) -> Fault:
        """The fault for the first of `names` that has one of its own, else the common one."""
        return next((self.only[name] for name in names if name in self.only), self.mode)

    def turn(self, mode: Fault | str, only: Mapping[str, Fault | str] | None = None) -> None:
        """Switch to a mode, forgetting single ones not named. Calls that hang are dropped. Raises ValueError."""
        self.mode = Fault(mode)
        self.only = {name: Fault(fault) for name, fault in (only or {}).items()}
        self.release()

    async def hang(self) -> None:
        """Wait until the next switch or the end."""
        await self._hanging.wait()

    def release(self) -> None:
        """Let go of everything that hangs."""
        self._hanging.set()
        self._hanging = asyncio.Event()


async def break_wire(request: web.Request, fault: Fault, board: Switchboard) -> web.Response | None:
    """The answer of a fault that strikes before the request is understood; None when it goes on."""
    match fault:
        case Fault.SLOW:
            await asyncio.sleep(board.delay)
        case Fault.HANG:
            await board.hang()
            return drop(request)
        case Fault.RESET:
            return drop(request)
        case Fault.BAD_GATEWAY:
            return web.Response(
                status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html"
            )
        case Fault.HTML:
            return web.Response(text="<!doctype html><title>请登录网络</title>", content_type="text/html")
    return None


def drop(request: web.Request) -> web.Response:
    """Break the connection instead of answering."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def spoil(fault: Fault, body: bytes) -> bytes:
    """What is left of an answer on its way back."""
    match fault:
        case Fault.EMPTY:
            return b""
        case Fault.TRUNCATED:
            return body[: len(body) // 2]
        case Fault.GARBAGE:
            return bytes(255 - byte for byte in body)
    return body


def tell_time(app: web.Application, clock: Clock, board: Switchboard) -> None:
    """Every answer carries the peer's own time as `Date`; nothing hangs once the peer goes down."""

    async def stamp(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = format_datetime(clock().astimezone(UTC), usegmt=True)

    async def let_go(app: web.Application) -> None:
        board.release()

    app.on_response_prepare.append(stamp)
    app.on_shutdown.append(let_go)
