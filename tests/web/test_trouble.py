"""Bad days: the store locked, read-only, full, away or damaged; places in a list that are none; what nobody foresaw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.config.settings import Settings
from monitor.store.database import Database
from monitor.store.errors import _SQLITE, FULL_ZH, StoreError, StoreFull, StoreUnavailable
from tests.conftest import opened
from tests.web.conftest import Site

PAGES = ["/", "/tickets", "/parcels?q=1", "/outbox", "/providers", "/coverage", "/intake"]
LOCKED, READONLY = (text for code, text in _SQLITE.items() if code in (5, 8))


class Refusing:
    """A store that does what a broken one does."""

    def __init__(self, error: StoreError) -> None:
        self._error = error

    async def read(self, work: Any) -> Any:
        raise self._error

    write = read


@pytest.fixture
def broken(make_settings: Callable[..., Settings]) -> Callable[[StoreError], Site]:
    def made(error: StoreError) -> Site:
        return Site(Refusing(error), make_settings())  # type: ignore[arg-type]

    return made


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("error", "todo", "english"),
    [
        pytest.param(StoreUnavailable(f"{LOCKED}（SQLite：database is locked）"), "请关闭其他打开它的工具", "Close other tools", id="locked"),
        pytest.param(StoreUnavailable(f"{READONLY}（SQLite：readonly）"), "属主与权限", "owner and the modes", id="read-only"),
        pytest.param(StoreFull(FULL_ZH), "腾出空间", "Free some space", id="full"),
    ],
)  # fmt: skip
def test_a_store_in_trouble_is_said_with_what_to_do(
    broken: Callable[[StoreError], Site], path: str, error: StoreError, todo: str, english: str
) -> None:
    site = broken(error)
    answer = site.get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "15"
    assert answer.headers["content-type"].startswith("text/html")
    assert todo in answer.text
    assert "Traceback" not in answer.text
    assert english in site.get(path, headers={"Accept-Language": "en"}).text


def test_a_damaged_file_is_said_too(
    sqlite_url: str, tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    """A real one: the file's head is overwritten while the program runs."""
    with opened(sqlite_url, tmp_path) as db:
        assert db.path is not None
        db.write_now(lambda conn: None)
        site = Site(db, make_settings())
        for side in ("-wal", "-shm"):
            Path(f"{db.path}{side}").unlink(missing_ok=True)
        db.path.write_bytes(b"this was a database " * 1000)
        answer = site.get("/providers")
        assert answer.status_code == 503
        assert "SQLite" in answer.text


@pytest.mark.parametrize("path", ["/", "/tickets", "/outbox", "/coverage"])
@pytest.mark.parametrize(
    "cursor", ["nonsense", "eyJ4IjoxfQ", "A" * 5000, "'; drop table tickets; --", "%00", "中文"]
)
def test_a_place_in_a_list_that_is_none_is_said_kindly(site: Site, path: str, cursor: str) -> None:
    answer = site.get(path, params={"cursor": cursor})
    assert answer.status_code == 400
    assert "第一页" in answer.text


@pytest.mark.parametrize("path", ["/nowhere", "/parcels/a/b/c", "/%2e%2e/etc/passwd", "/static"])
def test_no_such_page(site: Site, path: str) -> None:
    answer = site.get(path)
    assert answer.status_code == 404
    assert "没有这个页面" in answer.text
    assert 'href="/"' in answer.text


def test_a_method_a_page_does_not_take(site: Site) -> None:
    answer = site.post("/providers")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert "不接受这种操作" in answer.text


@pytest.mark.parametrize(
    "value", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202e\u200b", "x" * 5_000]
)
def test_what_the_address_says_is_never_markup(site: Site, value: str) -> None:
    for path in ("/", "/tickets", "/outbox", "/parcels", "/coverage"):
        answer = site.get(
            path, params=dict.fromkeys(("rule", "carrier", "shop", "q", "ticket", "channel", "lang"), value)
        )
        assert answer.status_code < 500, path
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text


def test_many_at_once(store: Database, make_settings: Callable[..., Settings]) -> None:
    """Two readers with different languages do not hear each other's."""
    import asyncio

    import httpx

    site = Site(store, make_settings())

    async def both() -> None:
        transport = httpx.ASGITransport(site.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            asked = [client.get("/providers", params={"lang": lang}) for lang in ("en", "zh") * 20]
            for n, answer in enumerate(await asyncio.gather(*asked)):
                assert ("Sources" in answer.text) is (n % 2 == 0)

    asyncio.run(both())
