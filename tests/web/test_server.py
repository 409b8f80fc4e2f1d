"""The server on loopback: slow connections are let go, and meanwhile nobody else waits."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from monitor.web import server
from monitor.web.server import serve

GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LIMIT = 30.0
"""Seconds after which a test that waits for an event has failed."""
BIG = 4 << 20


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says how long the body was; `/unread` answers before reading it, `/big` says a lot."""
    size, more = 0, scope["path"] != "/unread"
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    text = b"x" * BIG if scope["path"] == "/big" else str(size).encode()
    length = (b"content-length", str(len(text)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def served(patience: float) -> AsyncIterator[int]:
    """A server for `echo`; the port it listens on."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    port, until = sock.getsockname()[1], asyncio.Event()
    running = asyncio.create_task(serve(echo, sock, until, patience=patience))
    try:
        await asyncio.wait_for(answers(port), LIMIT)
        yield port
    finally:
        until.set()
        await asyncio.wait_for(running, LIMIT)


async def answers(port: int) -> None:
    """Returns once the server answers."""
    while True:
        try:
            await ask(port, GET)
            return
        except ConnectionRefusedError:
            await asyncio.sleep(0)


async def ask(port: int, request: bytes) -> bytes:
    """One whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.replace(b"Host:", b"Connection: close\r\nHost:"))
    try:
        return await asyncio.wait_for(reader.read(), LIMIT)
    finally:
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    """The server let go of this connection."""
    try:
        return await asyncio.wait_for(reader.read(), LIMIT) == b""
    except ConnectionError:
        return True


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()

    asyncio.run(whole())


def test_an_answer_and_an_end() -> None:
    async def main() -> None:
        async with served(5) as port:
            answer = await ask(port, GET)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"server:" not in answer.lower()
        with pytest.raises(ConnectionRefusedError):
            await ask(port, GET)

    run(main)


def test_an_answer_waits_for_no_acknowledgement() -> None:
    """Head and body leave in two writes: with Nagle's wait every answer on a kept connection takes 40 ms."""

    async def main() -> None:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        until = asyncio.Event()
        running = asyncio.create_task(serve(echo, sock, until))
        await asyncio.wait_for(answers(sock.getsockname()[1]), LIMIT)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "connections inherit it"
        until.set()
        await asyncio.wait_for(running, LIMIT)

    run(main)


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"", id="says nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: 127", id="half a head"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab", id="half a body"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="half a chunk"
        ),
    ],
)
def test_who_does_not_go_on_is_let_go(beginning: bytes) -> None:
    async def main() -> None:
        async with served(0.2) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(beginning)
            assert await ended(reader)
            writer.close()

    run(main)


def test_a_head_that_trickles_is_let_go() -> None:
    """A byte now and then does not buy more time."""

    async def main() -> None:
        async with served(0.3) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            over = asyncio.create_task(ended(reader))
            for byte in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 100_000:
                if over.done():
                    break
                writer.write(bytes([byte]))
                await asyncio.wait([over], timeout=0.02)
            assert await over
            writer.close()

    run(main)


def test_a_second_head_that_trickles_is_let_go() -> None:
    async def main() -> None:
        async with served(0.2) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            assert await reader.readuntil(b"\r\n\r\n0")
            writer.write(b"GET /")
            assert await ended(reader)
            writer.close()

    run(main)


def test_a_body_that_nobody_wants_is_not_awaited_for_ever() -> None:
    async def main() -> None:
        async with served(0.2) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 1000
            )
            assert await reader.readuntil(b"\r\n\r\n0"), "it is answered at once"
            assert await ended(reader)
            writer.close()

    run(main)


def test_an_answer_that_nobody_takes_is_given_up() -> None:
    async def main() -> None:
        async with served(0.2) as port:
            loop = asyncio.get_running_loop()
            with socket.socket() as visitor:
                visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                visitor.setblocking(False)
                await loop.sock_connect(visitor, ("127.0.0.1", port))
                await loop.sock_sendall(visitor, GET.replace(b"GET /", b"GET /big"))
                await asyncio.wait_for(hung_up(visitor), LIMIT)

    run(main)


async def hung_up(visitor: socket.socket) -> None:
    """Returns when the other side is gone, without reading what it said."""
    watch = select.epoll()
    watch.register(visitor, select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR)
    try:
        while not watch.poll(0):
            await asyncio.sleep(0.01)
    finally:
        watch.close()


def test_a_slow_reader_who_does_read_gets_everything() -> None:
    async def main() -> None:
        async with served(0.2) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 14)
            writer.write(GET.replace(b"GET /", b"GET /big").replace(b"Host:", b"Connection: close\r\nHost:"))
            got = 0
            while part := await reader.read(1 << 17):
                got += len(part)
                await asyncio.sleep(0.02)
            assert got > BIG
            writer.close()

    run(main)


def test_when_there_is_no_room_the_one_that_kept_us_waiting_longest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_room", lambda: 8)

    async def main() -> None:
        async with served(LIMIT) as port:
            crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
            assert (await ask(port, GET)).startswith(b"HTTP/1.1 200")
            assert all(await asyncio.gather(*(ended(reader) for reader, _ in crowd[:4])))
            assert not any(reader.at_eof() for reader, _ in crowd[6:]), "those who came later stay"
            for _, writer in crowd:
                writer.close()

    run(main)


def test_the_end_waits_for_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that never ends, a head that never comes, an idle connection: the service stops all the same."""
    monkeypatch.setattr(server, "_GRACE", 0)

    async def main() -> None:
        async with served(LIMIT) as port:
            idle, idle_writer = await asyncio.open_connection("127.0.0.1", port)
            idle_writer.write(GET)
            assert await idle.readuntil(b"\r\n\r\n0")
            others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            others[0][1].write(b"GET / HT")
            others[1][1].write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
        for writer in (idle_writer, *(writer for _, writer in others)):
            writer.close()

    run(main)


async def _crowded(slow: int) -> None:
    async with served(2) as port:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(slow)]
        for _, writer in crowd:
            writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        waits = []
        for _ in range(20):
            before = time.perf_counter()
            assert (await ask(port, GET)).startswith(b"HTTP/1.1 200")
            waits.append(time.perf_counter() - before)
        assert sorted(waits)[len(waits) // 2] < 1
        assert all(await asyncio.gather(*(ended(reader) for reader, _ in crowd)))
        for _, writer in crowd:
            writer.close()


def test_hundreds_of_slow_connections_keep_nobody_out() -> None:
    run(lambda: _crowded(300))


@pytest.mark.slow
def test_1500_slow_connections_keep_nobody_out() -> None:
    run(lambda: _crowded(1500))
