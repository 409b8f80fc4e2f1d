"""The site over a real store, asked without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from monitor.config.settings import Settings, Web, load
from monitor.store.database import Database
from monitor.vitals import Vitals
from monitor.web.context import Context
from monitor.web.site import make_site
from tests.conftest import opened
from tests.simulated import T0

HERE = "http://127.0.0.1:8000"


@dataclass
class Site:
    """One site; `now` and the settings may be changed while it stands."""

    db: Database
    settings: Settings
    now: datetime = T0
    vitals: Vitals = field(default_factory=lambda: Vitals(T0))
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        context = Context(self.db, lambda: self.now, lambda: self.settings, self.vitals, **self.extra)
        self.app: FastAPI = make_site(context)

    def with_web(self, **web: Any) -> None:
        """As if a reload had changed the table `[web]`."""
        self.settings = replace(self.settings, web=Web(**web))

    def ask(self, method: str, path: str, **values: Any) -> httpx.Response:
        """One request as a browser of this machine sends it, unless `headers` say otherwise."""

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
                return await client.request(method, path, **values)

        return asyncio.run(asked())

    def get(self, path: str, **values: Any) -> httpx.Response:
        """A page, asked for."""
        return self.ask("GET", path, **values)

    def post(self, path: str, data: dict[str, str] | None = None, **values: Any) -> httpx.Response:
        """A form of this site, sent."""
        headers = {"Origin": HERE, "Sec-Fetch-Site": "same-origin", **values.pop("headers", {})}
        return self.ask("POST", path, data=data or {}, headers=headers, **values)


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[[str], Settings]:
    """Settings from the text of a configuration."""

    def made(text: str = "") -> Settings:
        path = tmp_path / "parcelwatch.toml"
        path.write_text(f'timezone = "Asia/Shanghai"\n{text}', "utf-8")
        return load(path, {})

    return made


@pytest.fixture
def store(sqlite_url: str, tmp_path: Path) -> Iterator[Database]:
    """An empty store on a SQLite file."""
    with opened(sqlite_url, tmp_path) as db:
        yield db


@pytest.fixture
def site(store: Database, make_settings: Callable[..., Settings]) -> Site:
    """An empty site."""
    return Site(store, make_settings())
