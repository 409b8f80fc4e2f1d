"""The door for pushes: another than the console's, and no way into the console (`monitor/web/callbacks.py`)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from carriers.push import Push
from domain.remote import Reply
from monitor.config.settings import Settings
from monitor.pushes.callbacks import Refused
from monitor.store.database import Database
from monitor.web.bodies import MOST
from monitor.web.callbacks import PATH, Callbacks
from monitor.web.server import serve
from tests.web.conftest import Site

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Post:
    """Takes what comes for `k100`, and refuses the rest."""

    taken: list[Push] = field(default_factory=list)
    reply: Reply = field(default_factory=lambda: Reply(200, "成功".encode(), {"content-type": "text/x"}))

    def expects(self, name: str, query: Mapping[str, str]) -> bool:
        return name == "k100"

    async def take(self, name: str, push: Push) -> Reply:
        if name != "k100":
            raise Refused
        self.taken.append(push)
        return self.reply


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def site(store: Database, make_settings: Callable[..., Settings], post: Post) -> Site:
    return Site(store, make_settings(), extra={"callbacks": lambda: post})


def push(site: Site, path: str = "/callbacks/k100", **values: Any) -> httpx.Response:
    return site.ask("POST", path, **{"content": b"a=1", "headers": FORM, **values})


def test_the_answer_is_the_pushers_own(site: Site, post: Post) -> None:
    answer = push(site, "/callbacks/k100?key=%E5%AF%86&x=1")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "成功", "text/x")
    [taken] = post.taken
    assert taken.body == b"a=1"
    assert taken.query["x"] == "1"
    assert taken.headers["content-type"] == FORM["Content-Type"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Host": "hooks.example.org"}, id="another host"),
        pytest.param({"Host": "10.0.0.7:8443", "X-Forwarded-Proto": "https"}, id="behind a proxy"),
        pytest.param({"Origin": "https://poll.kuaidi100.com"}, id="with an origin"),
        pytest.param({"Content-Type": "application/json"}, id="json"),
        pytest.param({"Content-Type": "text/xml"}, id="xml"),
        pytest.param({"Content-Type": ""}, id="no type"),
    ],
)
def test_whoever_the_pusher_is_it_gets_here(site: Site, post: Post, headers: dict[str, str]) -> None:
    assert push(site, headers=headers).status_code == 200
    assert len(post.taken) == 1


@pytest.mark.parametrize("path", ["/", "/tickets", "/api/v1/orders", "/healthz"])
def test_nothing_else_is_reached_without_the_consoles_own_door(site: Site, path: str) -> None:
    assert site.ask("GET", path, headers={"Host": "hooks.example.org"}).status_code == 421


@pytest.mark.parametrize(
    "path",
    ["/callbacks/nobody", "/callbacks/", "/callbacks/k100/more", "/callbacks/..%2Ftickets", "/callbacks/%00"],
)
def test_refusals_are_all_alike(site: Site, path: str) -> None:
    usual = push(site, "/callbacks/forged")
    answer = push(site, path)
    assert answer.status_code == usual.status_code == 404
    assert answer.content == usual.content
    assert {**answer.headers} == {**usual.headers}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_a_post_is_a_push(site: Site, post: Post, method: str) -> None:
    assert site.ask(method, "/callbacks/k100").status_code == 404
    assert not post.taken


def test_where_nobody_takes_pushes(store: Database, make_settings: Callable[..., Settings]) -> None:
    assert push(Site(store, make_settings())).status_code == 404


def test_a_body_as_large_as_may_be(site: Site, post: Post) -> None:
    assert push(site, content=b"x" * MOST).status_code == 200
    assert len(post.taken[0].body) == MOST


def test_a_larger_one_is_not_read(site: Site, post: Post) -> None:
    assert push(site, content=b"x" * (MOST + 1)).status_code == 413
    assert not post.taken


def test_nor_one_that_hides_its_length(site: Site, post: Post) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 65_536

    assert push(site, content=endless()).status_code == 413
    assert not post.taken
    assert sent < 40


# ── who hoards or dawdles ────────────────────────────────────────────────────────────────────────


@dataclass
class Caller:
    """A push piece by piece; `status` once there is an answer."""

    path: str = "/callbacks/k100"
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._parts: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()

    def says(self, body: bytes, *, more: bool = True) -> None:
        self._parts.put_nowait((body, more))

    async def _receive(self) -> dict[str, Any]:
        body, more = await self._parts.get()
        return {"type": "http.request", "body": body, "more_body": more}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.headers |= dict(message.get("headers", ()))

    def calls(self, app: Any) -> asyncio.Task[None]:
        scope = {
            "type": "http",
            "method": "POST",
            "path": self.path,
            "query_string": b"",
            "headers": [(b"host", b"a")],
        }
        return asyncio.create_task(app(scope, self._receive, self._send))


async def pushed(app: Any, path: str = "/callbacks/k100") -> int:
    """The answer to a whole push that comes at once."""
    caller = Caller(path)
    caller.says(b"a=1", more=False)
    await caller.calls(app)
    return caller.status


async def settled() -> None:
    """Everybody has done what can be done now."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("path", ["/callbacks/nobody", "/callbacks/k100"])
@pytest.mark.parametrize(
    ("callers", "size"),
    [pytest.param(200, 1, id="dribblers"), pytest.param(80, MOST, id="hoarders")],
)
def test_a_true_push_gets_through_whoever_else_is_sending(
    site: Site, post: Post, path: str, callers: int, size: int
) -> None:
    async def main() -> None:
        crowd = [Caller(path) for _ in range(callers)]
        tasks = [each.calls(site.app) for each in crowd]
        for each in crowd:
            each.says(b"x" * size)
            await settled()
            assert await pushed(site.app) == 200
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert len(post.taken) == callers


def test_when_there_is_no_more_room_the_largest_unfinished_bodies_go(site: Site, post: Post) -> None:
    """Its sender is told to come again, on another connection; no more is kept than may be."""

    async def main() -> None:
        small, hoarders = Caller(), [Caller() for _ in range(40)]
        tasks = [each.calls(site.app) for each in (small, *hoarders)]
        small.says(b"x" * 1000)
        await settled()
        for each in hoarders:
            each.says(b"x" * MOST)
        await settled()
        gone = [each for each in hoarders if each.status]
        assert {each.status for each in gone} == {503}
        assert all(each.headers[b"connection"] == b"close" for each in gone)
        assert 40 - len(gone) == 31, "32 MB, and the small one is in there too"
        for each in (small, *hoarders):
            each.says(b"", more=False)
        await asyncio.gather(*tasks)
        assert small.status == 200

    asyncio.run(main())


def test_when_too_many_are_sending_the_oldest_goes(site: Site) -> None:
    async def main() -> None:
        crowd = [Caller() for _ in range(1001)]
        tasks = [each.calls(site.app) for each in crowd]
        await settled()
        assert [each.status for each in crowd] == [503, *[0] * 1000]
        for each in crowd:
            each.says(b"", more=False)
        await asyncio.gather(*tasks)
        assert {each.status for each in crowd[1:]} == {200}

    asyncio.run(main())


@pytest.mark.parametrize("name", ["k100", "nobody"])
def test_a_body_has_to_be_here_in_time(post: Post, name: str) -> None:
    """However busily it trickles; whoever it is for."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("not the console's")

    async def main() -> Caller:
        caller = Caller(PATH + name)
        task = caller.calls(Callbacks(app, lambda: post, patience=0.1))  # type: ignore[arg-type, return-value]
        while not task.done():
            caller.says(b"x")
            await asyncio.wait([task], timeout=0.01)
        await task
        return caller

    caller = asyncio.run(main())
    assert (caller.status, caller.headers[b"connection"]) == (408, b"close")
    assert not post.taken


def test_on_real_sockets_a_push_gets_through_beside_two_hundred_dribblers(site: Site, post: Post) -> None:
    """They name no account, or a true one; each has begun a body in chunks and goes on with it."""

    async def main() -> list[bytes]:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.listen(256)
        port, until = sock.getsockname()[1], asyncio.Event()
        running = asyncio.create_task(serve(site.app, sock, until))
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        answers = []
        for turn in range(3):
            for n, (_, writer) in enumerate(crowd):
                writer.write(b"" if turn else DRIBBLE[n % 2])
                writer.write(CHUNK)
            answers += [await told(port) for _ in range(5)]
        for _, writer in crowd:
            writer.transport.abort()
        until.set()
        await running
        return answers

    answers = asyncio.run(main())
    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert len(post.taken) == 15


HEAD = b"POST /callbacks/%s HTTP/1.1\r\nHost: a\r\n"
DRIBBLE = [HEAD % name + b"Transfer-Encoding: chunked\r\n\r\n" for name in (b"nobody", b"k100")]
CHUNK = b"1c00\r\n" + b"a" * 0x1C00 + b"\r\n"


async def told(port: int) -> bytes:
    """A whole push on a connection of its own, and its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD % b"k100" + b"Connection: close\r\nContent-Length: 3\r\n\r\na=1")
    try:
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


def test_who_hangs_up_is_not_answered(site: Site, post: Post) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/callbacks/k100", "query_string": b"", "headers": []}
    asyncio.run(site.app(scope, receive, send))
    assert not sent
    assert not post.taken
