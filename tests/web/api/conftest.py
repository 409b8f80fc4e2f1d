"""The interface as a program meets it: the whole site in process, over a store with something in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import httpx
import pytest

from monitor.config.settings import Settings, load
from monitor.store.database import Database
from monitor.vitals import Vitals
from monitor.web.context import Context
from monitor.web.site import make_site
from tests.store.given import T0, H

T = TypeVar("T")
NOW = T0 + 24 * H

CONFIG = """
store = "sqlite:///store.db"
[[providers]]
name = "k100"
kind = "kuaidi100"
customer = "customer-of-ours-7"
key = "key-of-ours-1234567"
carriers = ["*"]
[[channels]]
name = "ops"
kind = "dingtalk"
webhook = "https://oapi.dingtalk.com/robot/send?access_token=token-of-ours-99"
secret = "SECsecret-of-ours-42"
[[routes]]
channels = ["ops"]
"""


@dataclass
class Api:
    """Calls the site as a program on this machine does."""

    context: Context
    now: list[datetime]
    """Change it to let time pass."""
    app: Any = field(init=False)

    def __post_init__(self) -> None:
        with mock.patch("monitor.web.site._pages", return_value=()):  # pages have their own tests
            self.app = make_site(self.context)

    @property
    def store(self) -> Database:
        return self.context.db

    def run(self, work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
        """Some calls in one loop."""

        async def main() -> T:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                return await work(client)

        return asyncio.run(main())

    def __call__(self, method: str, path: str, **how: Any) -> httpx.Response:
        return self.run(lambda client: client.request(method, path, **how))

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        """The JSON of a GET."""
        reply = self("GET", f"/api/v1{path}", params=params)
        assert reply.status_code == status, reply.text
        return reply.json()

    def post(self, path: str, body: Any, status: int = 200, **headers: str) -> Any:
        """The JSON of a POST."""
        reply = self("POST", f"/api/v1{path}", json=body, headers=headers)
        assert reply.status_code == status, reply.text
        return reply.json()

    def column(self, query: str, **values: Any) -> list[Any]:
        """The first column of a plain query."""
        from tests.store.given import column

        return column(self.store, query, **values)


def settings_in(folder: Path, more: str = "", first: str = "") -> Settings:
    path = folder / "parcelwatch.toml"
    path.write_text(first + CONFIG + more, "utf-8")
    return load(path, {})


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Api:
    """The interface over an empty store, on both databases."""
    return api_over(database, tmp_path)


def api_over(store: Database, folder: Path, more: str = "", first: str = "") -> Api:
    """`first` and `more` of the configuration: before and after its usual tables."""
    settings, now = settings_in(folder, more, first), [NOW]
    context = Context(store, lambda: now[0], lambda: settings, Vitals(NOW))
    return Api(context, now)


def problem(reply: httpx.Response, status: int, code: str = "") -> Any:
    """The body of a problem, which must be a true one."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    told = json.loads(reply.content)
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    if code:
        assert told["code"] == code, told
    return told
