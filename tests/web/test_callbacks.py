"""The door for pushes: another than the console's, and no way into the console (`monitor/web/callbacks.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from carriers.push import Push
from domain.remote import Reply
from monitor.callbacks import Refused
from monitor.settings import Settings
from monitor.store.database import Database
from monitor.web.callbacks import MOST
from tests.web.conftest import Site

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Post:
    """Takes what comes for `k100`, and refuses the rest."""

    taken: list[Push] = field(default_factory=list)
    reply: Reply = field(default_factory=lambda: Reply(200, "成功".encode(), {"content-type": "text/x"}))

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


def test_many_bodies_at_once_take_no_more_memory_than_is_given_them(site: Site, post: Post) -> None:
    """Beyond that the pusher is told to come again."""

    async def main() -> list[int]:
        gate = asyncio.Event()

        transport = _Streaming(site.app)
        asked = [asyncio.create_task(transport.push(gate)) for _ in range(80)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(*asked)

    statuses = asyncio.run(main())
    assert statuses.count(200) == 64
    assert statuses.count(503) == 16


class _Streaming:
    """Pushes whose bodies come when a gate opens; httpx's own transport reads them ahead."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def push(self, gate: asyncio.Event) -> int:
        status = 0

        async def receive() -> dict[str, Any]:
            await gate.wait()
            return {"type": "http.request", "body": b"x", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/callbacks/k100",
            "query_string": b"",
            "headers": [(b"host", b"a")],
        }
        await self._app(scope, receive, send)
        return status


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
