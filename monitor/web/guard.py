"""The door: whose name the site answers to, who may change something, how much anybody may send.

Pure ASGI, around everything else. A page of another site that was pointed at this machine (DNS rebinding) gets
nothing; a form or script of another site changes nothing; a body is refused before it is read. Programs of the
machine itself (no browser sends neither `Origin` nor `Sec-Fetch-Site` with a POST) may use the API.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["API", "API_BODY", "LOOPBACK", "PAGE_BODY", "UPLOADS", "UPLOAD_BODY", "Guard"]

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
API: Final = "/api/"
PAGE_BODY: Final = 1 << 20
API_BODY: Final = 8 << 20
"""Bytes of a request's body at most; a batch of orders is the largest."""
UPLOADS: Final = "/intake"
UPLOAD_BODY: Final = 51 << 20
"""Where files of orders come in, and how much of them: 50 MB and what a form adds."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Guard:
    """`public_url` is asked at each request: a reload may change it. `refuse` makes the answer of a status."""

    def __init__(
        self,
        app: ASGIApp,
        public_url: Callable[[], str],
        refuse: Callable[[Request, int], Awaitable[Response]],
    ) -> None:
        self._app = app
        self._public_url = public_url
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        send = _with_headers(send)
        public = _split(self._public_url())
        most = _most(scope["path"])
        if status := _refusal(scope, headers, public, most):
            answer = await self._refuse(Request(scope), status)
            await answer(scope, receive, send)
        else:
            await self._app(scope, _capped(receive, most), send)


def _most(path: str) -> int:
    """How large a body may be that is sent there."""
    if path == UPLOADS:
        return UPLOAD_BODY
    return API_BODY if path.startswith(API) else PAGE_BODY


def _refusal(scope: Scope, headers: Headers, public: SplitResult | None, most: int) -> int:
    """The status with which this request ends here; 0: it goes on."""
    if not _known_host(headers, public):
        return 421
    if (
        headers.get("sec-fetch-site") == "cross-site"
        and headers.get("sec-fetch-mode", "navigate") != "navigate"
    ):
        return 403  # a link in a chat navigates; a picture or script of another site only makes us work
    if scope["method"] not in _SAFE and not _from_here(scope["path"], headers, public):
        return 403
    length = headers.get("content-length", "")
    return 413 if length.isdecimal() and int(length) > most else 0


def _known_host(headers: Headers, public: SplitResult | None) -> bool:
    """A loopback name, or the public one; told exactly once."""
    told = headers.getlist("host")
    split = _split(f"//{told[0]}") if len(told) == 1 else None
    name = split.hostname if split else None
    return name is not None and (name in LOOPBACK or (public is not None and name == public.hostname))


def _from_here(path: str, headers: Headers, public: SplitResult | None) -> bool:
    """Sent by a page of this very site; or, for the API, by no browser at all."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        return path.startswith(API)
    if site is not None and site != "same-origin":
        return False
    return origin is None or _same_origin(origin, headers["host"], public)


def _same_origin(origin: str, host: str, public: SplitResult | None) -> bool:
    """A proxy may end TLS and say another host: then the configured address is what counts."""
    split = _split(origin)
    if split is None or split.scheme not in ("http", "https"):
        return False
    ours = public is not None and (split.scheme, split.netloc) == (public.scheme, public.netloc.lower())
    return ours or split.netloc == host.lower()


def _split(url: str) -> SplitResult | None:
    """The parts of an address; None for an empty or broken one."""
    try:
        split = urlsplit(url)
        _ = split.port  # raises for one that is no number
        return split if split.hostname else None
    except ValueError:
        return None


def _capped(receive: Receive, most: int) -> Receive:
    """A body whose length was not told is counted as it comes."""
    taken = 0

    async def capped() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413)
        return message

    return capped


def _with_headers(send: Send) -> Send:
    """Every answer carries the policy; nothing but static files is kept by anybody."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
