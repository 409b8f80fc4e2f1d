"""POST /callbacks/{account}: where providers push, in front of the console's own door.

A push comes under the public host or under any other that a proxy lets through, from no browser, and proves itself by
its signature or by the key in its address; so neither the host nor the site it comes from matters here, and nothing of
the console can be reached this way. Nobody learns which accounts there are: an unknown one, a wrong key, a wrong
signature and a wrong method are answered alike, after the same work. Those whose account or key is wrong already share
a room of their own for their bodies (`bodies.Room`), so that nobody without a key takes room from true pushes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

import monitor.pushes.callbacks
from carriers.push import AGAIN, Push
from domain.remote import Reply
from monitor.web.bodies import MOST, PATIENCE, Gone, LetGo, Room, TooLarge, TooSlow

__all__ = ["PATH", "Callbacks"]

PATH: Final = "/callbacks/"
_LARGE: Final = 1 << 16
"""Above this bodies are looked at one at a time: the small ones go in between."""
_QUERY: Final = 2000
_DIGITS: Final = 12
_JSON: Final = {"content-type": "application/json"}
_NOBODY: Final = Reply(404, b'{"error":"not found"}', _JSON)
_TOO_LARGE: Final = Reply(413, b'{"error":"too large"}', _JSON)
_TOO_SLOW: Final = Reply(408, b'{"error":"too slow"}', _JSON)


class Callbacks:
    """Pure ASGI, around everything else of the site."""

    def __init__(
        self,
        app: ASGIApp,
        callbacks: Callable[[], monitor.pushes.callbacks.Callbacks | None],
        patience: float = PATIENCE,
    ) -> None:
        """`callbacks` is asked at each push: a reload replaces them. `patience` in seconds, for a whole body."""
        self._app = app
        self._callbacks = callbacks
        self._expected = Room(patience)
        self._strangers = Room(patience)
        self._large = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self._app(scope, receive, send)
            return
        try:
            await _respond(send, await self._answer(scope, receive))
        except TooLarge:
            await _respond(send, _TOO_LARGE, unread=True)
        except TooSlow:
            await _respond(send, _TOO_SLOW, unread=True)
        except LetGo:
            await _respond(send, AGAIN, unread=True)
        except Gone:
            return

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        told = headers.get("content-length", "")
        if told.isdecimal() and (len(told) >= _DIGITS or int(told) > MOST):
            raise TooLarge
        method, name = scope["method"], scope["path"].removeprefix(PATH)
        query = _query(scope["query_string"])
        async with self._room(method, name, query).place() as incoming:
            push = Push(await incoming.read(receive), headers, query)
            if len(push.body) > _LARGE:
                await self._large.acquire()
        if len(push.body) <= _LARGE:
            return await self._take(method, name, push)
        try:
            await asyncio.sleep(0)
            return await self._take(method, name, push)
        finally:
            self._large.release()

    def _room(self, method: str, name: str, query: dict[str, str]) -> Room:
        """Where its body is read."""
        callbacks = self._callbacks()
        expected = callbacks is not None and method == "POST" and callbacks.expects(name, query)
        return self._expected if expected else self._strangers

    async def _take(self, method: str, name: str, push: Push) -> Reply:
        callbacks = self._callbacks()
        if callbacks is None or method != "POST":
            return _NOBODY
        try:
            return await callbacks.take(name, push)
        except monitor.pushes.callbacks.Refused:
            return _NOBODY


def _query(text: bytes) -> dict[str, str]:
    """The address's own fields; nothing where there are more than anybody needs."""
    if not text or len(text) > _QUERY:
        return {}
    return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True))


async def _respond(send: Send, reply: Reply, *, unread: bool = False) -> None:
    """`unread`: the rest of the body is not wanted, so the connection ends."""
    headers = {
        **({"connection": "close"} if unread else {}),
        **reply.headers,
        "content-length": str(len(reply.content)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": reply.content})
