"""One request over the network and its whole answer: the only module that opens connections to services.

httpx's API over aiohttp's connections: httpx's own pool slows down with every connection it holds
(encode/httpx 3215); with this transport one process asks four to six times as much.

What it decides is only whether a request *left*. Not left (no name, no connection): `Unavailable`. Left
and not answered in full: `Unavailable` when asking twice does no harm, else `Unanswered`, for it may have
been taken. A status means nothing here: adapters read it. Nothing of what httpx or aiohttp raise goes
further than the name of its type, for their texts carry the URL.
"""

from __future__ import annotations

import ssl
import zlib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from domain.remote import Denied, RemoteError, Reply, Request, Unanswered, Unavailable, Unreadable

__all__ = ["Timeouts", "address", "exchange", "host", "lost", "new_client"]

BODY: Final = 2 * 1024 * 1024
"""Bytes read of an answer, and made of it when it comes compressed. More is `Unreadable`."""
IDLE: Final = 55.0
"""Seconds a connection is kept for the next question; common servers drop theirs at 60 or 75."""
HEADERS: Final = {"User-Agent": "parcelwatch", "Accept": "*/*", "Accept-Encoding": "gzip"}

_BAD_ADDRESS: Final = (httpx.InvalidURL, httpx.UnsupportedProtocol, aiohttp.InvalidURL, ValueError)
_NEVER_LEFT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
)
_NOT_HTTP: Final = (aiohttp.ClientResponseError, httpx.DecodingError)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one request may take, and how its repeats are spread."""

    connect: timedelta = timedelta(seconds=3)
    """Name, connection and TLS."""
    read: timedelta = timedelta(seconds=15)
    """Between two pieces of the receipt of a send; a question may take its whole time."""
    total: timedelta = timedelta(seconds=28)
    """One request with all its tries and waits: below the 30 s after which somebody else asks again."""
    backoff: timedelta = timedelta(milliseconds=500)
    """The first wait is up to this, each further one up to twice as long, at random."""


def new_client(
    timeout: Timeouts, *, keep: bool, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """A client for one account; `keep` its connections, or dial anew for each request.

    Over kept connections go questions. One that gets no answer is left until all its time is up: to ask again
    after a silence would be a second question in a moment to a service that counts them (快递100: one in 30 min).
    """
    connect = timeout.connect.total_seconds()
    read = (timeout.total if keep else timeout.read).total_seconds()
    return httpx.AsyncClient(
        transport=transport or AiohttpTransport(verify=_certificates(), client=partial(_session, keep)),
        # aiohttp counts dialling into "pool", so both limits are the one for connecting
        timeout=httpx.Timeout(connect=connect, read=read, write=read, pool=connect),
        headers=HEADERS,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
    )


async def exchange(client: httpx.AsyncClient, request: Request) -> Reply:
    """Ask once. Returns whatever was answered; raises a `RemoteError` and, but for a cancellation, nothing else."""
    try:
        return await _exchange(client, request)
    except RemoteError as unreadable:
        failure = unreadable
    except Exception as error:  # noqa: BLE001 - whatever it is may hold the URL: only its type goes on
        failure = _failure(request, error)
    raise failure  # out here, so that it drags no httpx exception along as its context


def _headers(response: httpx.Response) -> dict[str, str]:
    """The answer's headers, names in lower case; httpx's own view decodes each of them several times over."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}


def lost(request: Request, name: str) -> RemoteError:
    """The request left, or may have, and no whole answer came."""
    if request.repeatable:
        return Unavailable(f"{host(request)} 没有答完（{name}）", left=True)
    return Unanswered(f"已发给 {host(request)}，没有等到回执（{name}）")


def address(request: Request) -> str:
    """The whole URL. A query already in it stays (a pasted robot address): httpx's `params` would drop it.

    aiohttp writes an escape plainly where it may (`%2F` in a query leaves as `/`): the meaning stays, not each byte.
    """
    if not request.query:
        return request.url
    return f"{request.url}{'&' if '?' in request.url else '?'}{urlencode(request.query)}"


def host(request: Request) -> str:
    """The host alone: the part of an address that may be shown."""
    try:
        return urlsplit(request.url).hostname or "?"
    except ValueError:
        return "?"


@cache
def _certificates() -> ssl.SSLContext:
    """Read once a process: the CA file takes 27 ms, each time."""
    return ssl.create_default_context()


def _session(keep: bool) -> aiohttp.ClientSession:
    """aiohttp's side of a client. Unlimited: the gate in front counts, nothing queues in the pool."""
    if keep:
        connector = aiohttp.TCPConnector(limit=0, ssl=_certificates(), keepalive_timeout=IDLE)
    else:
        connector = aiohttp.TCPConnector(limit=0, ssl=_certificates(), force_close=True)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


async def _exchange(client: httpx.AsyncClient, request: Request) -> Reply:
    wire = client.build_request(
        request.method, address(request), headers=dict(request.headers), content=request.content or None
    )
    response = await client.send(wire, stream=True)
    try:
        return Reply(response.status_code, await _body(response), _headers(response))
    finally:
        await response.aclose()


async def _body(response: httpx.Response) -> bytes:
    """The body, unpacked; never more than about `BODY` of it in memory, however small it came."""
    if response.is_stream_consumed:  # a stand-in transport answers with the whole body, unpacked, at once
        body = response.content
    else:
        packed = bytearray()
        async for piece in response.aiter_raw():
            packed += piece
            if len(packed) > BODY:
                raise _too_long(response)
        body = _unpacked(bytes(packed), response.headers.get("content-encoding", ""))
    if len(body) > BODY:
        raise _too_long(response)
    return body


def _too_long(response: httpx.Response) -> Unreadable:
    return Unreadable(f"HTTP {response.status_code}，答复超过 {BODY // 1024 // 1024} MB")


def _unpacked(packed: bytes, encoding: str) -> bytes:
    if encoding.lower() in ("", "identity") or not packed:
        return packed
    if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
        raise Unreadable(f"答复的压缩方式不认识：{encoding[:20]!r}")
    engine = zlib.decompressobj(wbits=47)
    try:
        body = engine.decompress(packed, BODY + 1)
    except zlib.error as error:
        raise Unreadable("答复解压失败") from error
    if not engine.eof and len(body) <= BODY:
        raise Unreadable("压缩的答复不完整")
    return body


def _failure(request: Request, error: Exception) -> RemoteError:
    """Who acts, by what kind of error it is. Looks behind httpx's names: its transport calls a reset
    after sending `ConnectTimeout`, and a send that passes for "never left" would be said twice."""
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    name, there = type(cause).__name__, host(request)
    if isinstance(cause, _NEVER_LEFT):  # first: a refused certificate is a ValueError too
        return Unavailable(f"连不上 {there}（{name}）", unsent=True)
    if isinstance(cause, _BAD_ADDRESS):
        return Denied(f"请求发不出去，地址或请求头不合法（{name}），请检查 {there} 的配置")
    if isinstance(cause, _NOT_HTTP):
        return Unreadable(f"{there} 的答复不是合法的 HTTP（{name}）")
    return lost(request, name)
