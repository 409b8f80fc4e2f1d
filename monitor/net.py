"""The only HTTP client: it holds the conversations that carriers and notifiers write.

One request's fate is decided in `monitor/wire.py`. Here: at most so many at once for one account, repeats
of what may be asked twice, one bound on all of it, and no secret in anything that comes out.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from domain.remote import Conversation, RemoteError, Reply, Request, Secret, Unavailable, Unreadable
from monitor.redaction import STARS, hiding, redact, redact_json, sensitive
from monitor.wire import Timeouts, address, exchange, host, lost, new_client

__all__ = ["CallRecord", "Net", "Timeouts", "redact", "sketch"]

TURNS: Final = 200
"""Requests in one conversation: a service that always has one more page does not keep us for ever."""
T = TypeVar("T")
Pace: TypeAlias = Callable[[], Awaitable[None]]
"""Returns when one more request may leave."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One try of one request, for metrics and for what a provider was asked; holds nothing secret."""

    account: str
    host: str
    status: int | None
    """What the service answered, or None when it did not."""
    outcome: str
    """`ok`, or the name of the `RemoteError`; `cut_off` when our own time was up or we were stopped."""
    took: timedelta
    sent: int
    """Bytes of the request's body."""
    received: int
    """Bytes of the answer's body, unpacked."""
    date: str = ""
    """The service's clock (the HTTP `Date` header), to compare with ours."""


@dataclass(slots=True)
class _Line:
    """One account's connections."""

    gate: asyncio.Semaphore
    lanes: int
    clients: dict[bool, httpx.AsyncClient] = field(default_factory=dict)


class Net:
    """One per process, used from one event loop. Accounts share nothing but the certificates."""

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: Timeouts = Timeouts(),
        on_call: Callable[[CallRecord], None] | None = None,
        secrets: Iterable[Secret] = (),
    ) -> None:
        """`transport` stands in for the network (tests, rehearsals); `on_call` hears of every try. `secrets` stand in no
        error, whichever request they went with: a service may echo what another one told it."""
        self._transport = transport
        self._timeout = timeout
        self._on_call = on_call
        self._secrets = frozenset(secrets)
        self._lines: dict[str, _Line] = {}

    async def converse(
        self,
        conversation: Conversation[T],
        *,
        account: str,
        lanes: int = 16,
        tries: int = 3,
        pace: Pace | None = None,
        counted: bool = False,
    ) -> T:
        """Hold `conversation` over `account`'s connections, at most `lanes` requests at once.

        `pace` waits for the turn of each request but the first, whose turn the caller awaited. A service that
        has `counted` each request hears none twice: repeated is only what never left.

        A failed call is thrown into the conversation, which may have another way; what it does not
        catch comes out. Raises a `RemoteError` and nothing else, its text redacted, without a cause that
        could hold a URL, with the last answer in `reply`. An adapter that trips over an answer is `Unreadable`.
        """
        secrets: set[Secret] = set()
        reply: Reply | None = None
        turn: Callable[[], Request] = partial(next, conversation)
        try:
            for nth in range(TURNS):
                request = turn()
                secrets.update(request.secrets)
                if nth and pace is not None:
                    await pace()
                try:
                    reply = await self._ask(account, lanes, tries, request, pace, counted)
                except RemoteError as failure:
                    reply = None
                    turn = partial(conversation.throw, failure)
                else:
                    turn = partial(conversation.send, reply)
            error: RemoteError = Unreadable(f"问了 {TURNS} 次还没有完")
        except StopIteration as end:
            understood: T = end.value
            return understood
        except RemoteError as refusal:
            error = refusal
        except Exception as trip:  # noqa: BLE001 - an adapter may trip over anything in a hostile answer
            error = Unreadable(f"适配器读不下去：{_where(trip)}")
        finally:
            conversation.close()
        raise _presentable(error, secrets | self._secrets, reply)

    async def close(self) -> None:
        """Close every connection. What is still under way ends with an error."""
        lines, self._lines = list(self._lines.values()), {}
        for line in lines:
            for client in line.clients.values():
                await client.aclose()

    async def _ask(
        self, account: str, lanes: int, tries: int, request: Request, pace: Pace | None, counted: bool
    ) -> Reply:
        """One request with its repeats, once a lane is free; waiting for a lane is not the service's fault."""
        line = self._line(account, lanes)
        client = self._client(line, request.repeatable)
        async with line.gate:
            try:
                async with asyncio.timeout(self._timeout.total.total_seconds()):
                    return await self._tries(account, client, tries, request, pace, counted)
            except TimeoutError:
                failure = lost(request, "Timeout")
        raise failure

    async def _tries(
        self,
        account: str,
        client: httpx.AsyncClient,
        tries: int,
        request: Request,
        pace: Pace | None,
        counted: bool,
    ) -> Reply:
        try:
            return await self._try(account, client, request)
        except Unavailable as failure:
            if tries < 2 or not request.repeatable or (counted and not failure.unsent):
                raise
            first = [failure]

        async def again() -> Reply:
            if first:
                raise first.pop()
            if pace is not None:
                await pace()
            return await self._try(account, client, request)

        # Only now, told of the try that failed: on every request it would cost a quarter of the throughput.
        return await self._retrying(tries, counted)(again)

    def _retrying(self, tries: int, counted: bool) -> AsyncRetrying:
        longest = self._timeout.total.total_seconds() / 4
        return AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, Unavailable) and (e.unsent or not counted)),
            stop=stop_after_attempt(tries),
            wait=wait_random_exponential(multiplier=self._timeout.backoff.total_seconds(), max=longest),
            reraise=True,
        )

    async def _try(self, account: str, client: httpx.AsyncClient, request: Request) -> Reply:
        started, reply, outcome = perf_counter(), None, "cut_off"
        try:
            reply = await exchange(client, request)
            outcome = "ok"
            return reply
        except RemoteError as failure:
            outcome = type(failure).__name__
            raise
        finally:
            self._record(account, request, reply, outcome, perf_counter() - started)

    def _record(
        self, account: str, request: Request, reply: Reply | None, outcome: str, seconds: float
    ) -> None:
        if self._on_call is None:
            return
        status, received = (reply.status, len(reply.content)) if reply else (None, 0)
        took, sent = timedelta(seconds=seconds), len(request.content)
        date = reply.headers.get("date", "") if reply else ""
        self._on_call(CallRecord(account, host(request), status, outcome, took, sent, received, date))

    def _line(self, account: str, lanes: int) -> _Line:
        line = self._lines.get(account)
        if line is None:
            line = self._lines[account] = _Line(asyncio.Semaphore(lanes), lanes)
        elif line.lanes != lanes:  # the configuration was reloaded; calls under way finish on the old gate
            line.gate, line.lanes = asyncio.Semaphore(lanes), lanes
        return line

    def _client(self, line: _Line, repeatable: bool) -> httpx.AsyncClient:
        """Questions ride on kept connections. A send gets a fresh one: a stale one would lose its receipt."""
        client = line.clients.get(repeatable)
        if client is None:
            client = line.clients[repeatable] = new_client(
                self._timeout, keep=repeatable, transport=self._transport
            )
        return client


def sketch(request: Request) -> str:
    """`request` as `try` shows it: every line of it readable, the secrets starred, phones masked."""
    url = urlsplit(address(request))
    lines = [f"{request.method} {url._replace(query='').geturl()}"]
    lines += [f"  {_pair(name, value)}" for name, value in parse_qsl(url.query, keep_blank_values=True)]
    lines += [f"{name}: {STARS if sensitive(name) else value}" for name, value in request.headers.items()]
    body = request.content.decode("utf-8", "replace")
    if "form-urlencoded" in request.headers.get("Content-Type", ""):
        pairs = (_pair(name, value) for name, value in parse_qsl(body, keep_blank_values=True))
        body = redact("\n".join(pairs), request.secrets)
    else:
        body = redact_json(body, request.secrets)
    head = redact("\n".join(lines), request.secrets)
    return f"{head}\n\n{body}".rstrip()


def _pair(name: str, value: str) -> str:
    return f"{name} = {STARS if sensitive(name) else value}"


def _presentable(error: RemoteError, secrets: set[Secret], reply: Reply | None) -> RemoteError:
    """The same error, fit to be logged and shown; of a secret not even the beginning before a cut."""
    hide = hiding(secrets)
    error.args = tuple(redact(hide(item), secrets) if isinstance(item, str) else item for item in error.args)
    error.__cause__ = error.__context__ = None
    error.reply = reply
    return error


def _where(error: Exception) -> str:
    """The kind of an exception and the line it came from: its text may quote the answer."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} @ {Path(last.filename).name}:{last.lineno}"
