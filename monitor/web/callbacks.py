"""POST /callbacks/{account}: where providers push, in front of the console's own door.

A push comes under the public host or under any other that a proxy lets through, from no browser, and proves itself by
its signature or by the key in its address; so neither the host nor the site it comes from matters here, and nothing of
the console can be reached this way. Nobody learns which accounts there are: an unknown one, a wrong key, a wrong
signature and a wrong method are answered alike, after the same work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

import monitor.callbacks
from carriers.push import AGAIN, Push
from domain.remote import Reply

__all__ = ["MOST", "PATH", "Callbacks"]

PATH: Final = "/callbacks/"
MOST: Final = 1 << 20
"""Bytes of a push; the largest seen are a hundredth of it."""
_LARGE: Final = 1 << 16
"""Above this bodies are looked at one at a time: the small ones go in between."""
_UNREAD: Final = 64 << 20
"""Bytes of bodies that may be on their way in at once."""
_QUERY: Final = 2000
_JSON: Final = {"content-type": "application/json"}
_NOBODY: Final = Reply(404, b'{"error":"not found"}', _JSON)
_TOO_LARGE: Final = Reply(413, b'{"error":"too large"}', _JSON)


class _TooLarge(Exception):
    """A body over the limit."""


class _Gone(Exception):
    """The caller hung up in the middle of its body."""


class Callbacks:
    """Pure ASGI, around everything else of the site."""

    def __init__(self, app: ASGIApp, callbacks: Callable[[], monitor.callbacks.Callbacks | None]) -> None:
        """`callbacks` is asked at each push: a reload replaces them."""
        self._app = app
        self._callbacks = callbacks
        self._coming = 0
        self._large = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self._app(scope, receive, send)
            return
        try:
            reply = await self._answer(scope, receive)
        except _TooLarge:
            reply = _TOO_LARGE
        except _Gone:
            return
        await _respond(send, reply)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        told = headers.get("content-length", "")
        expected = int(told) if told.isdecimal() and len(told) < 12 else MOST
        if expected > MOST:
            raise _TooLarge
        if self._coming + expected > _UNREAD:
            return AGAIN
        self._coming += expected
        try:
            body = await _body(receive)
        finally:
            self._coming -= expected
        push = Push(body, headers, _query(scope["query_string"]))
        name = scope["path"].removeprefix(PATH)
        if len(body) <= _LARGE:
            return await self._take(scope["method"], name, push)
        async with self._large:
            await asyncio.sleep(0)
            return await self._take(scope["method"], name, push)

    async def _take(self, method: str, name: str, push: Push) -> Reply:
        callbacks = self._callbacks()
        if callbacks is None or method != "POST":
            return _NOBODY
        try:
            return await callbacks.take(name, push)
        except monitor.callbacks.Refused:
            return _NOBODY


async def _body(receive: Receive) -> bytes:
    """The whole body. Raises `_TooLarge`, counted as it comes."""
    parts: list[bytes] = []
    taken = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        part = message.get("body", b"")
        taken += len(part)
        if taken > MOST:
            raise _TooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _query(text: bytes) -> dict[str, str]:
    """The address's own fields; nothing where there are more than anybody needs."""
    if not text or len(text) > _QUERY:
        return {}
    return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True))


async def _respond(send: Send, reply: Reply) -> None:
    headers = {
        **reply.headers,
        "content-length": str(len(reply.content)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": reply.content})
