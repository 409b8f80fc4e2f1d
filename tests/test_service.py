"""The daemon around the verbs: what it tells the service manager, what it survives, what ends it.

With real processes it is tried in `tests/e2e/test_service.py`; here is what is hard to bring about there.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs

from monitor import service, serving
from monitor.config.service import Web
from monitor.config.settings import Settings, load
from monitor.notify_socket import NotifySocket
from monitor.reschedule import Reschedule
from monitor.service import Service, signals
from monitor.store import meta, upkeep
from monitor.store.database import Database, StoreFull, StoreUnavailable
from tests.conftest import opened
from tests.simulated import T0


class Manager(NotifySocket):
    """A service manager in this process."""

    def __init__(self) -> None:
        super().__init__("")
        self.said: list[dict[str, str]] = []
        self.news = asyncio.Event()

    def _say(self, *lines: str) -> None:
        self.said.append(dict(line.split("=", 1) for line in lines))
        self.news.set()

    async def hear(self, key: str, times: int = 1) -> dict[str, str]:
        """Waits until it was told `key` so often; the last time."""
        while len(told := [each for each in self.said if key in each]) < times:
            self.news.clear()
            await self.news.wait()
        return told[times - 1]

    def count(self, key: str) -> int:
        return sum(key in each for each in self.said)


@pytest.fixture
def db(sqlite_url: str, tmp_path: Path) -> Iterator[Database]:
    with opened(sqlite_url, tmp_path) as store:
        yield store


def settings(folder: Path, text: str = "") -> Settings:
    file = folder / "parcelwatch.toml"
    file.write_text(text, "utf-8")
    return load(file, {})


Play = Callable[[Service, Manager], Awaitable[None]]


def played(
    db: Database, given: Settings, play: Play, *, watched: float = 0.3, console: serving.Console | None = None
) -> list[dict[str, Any]]:
    """Run the service, play something on it once it is ready, stop it; what was logged."""

    async def main() -> None:
        manager, until = Manager(), asyncio.Event()
        daemon = Service(given, db, manager, read=lambda: given, watched=watched)
        daemon.console = console
        running = asyncio.create_task(daemon.run(until))
        async with asyncio.timeout(30):
            try:
                await asyncio.wait(
                    {running, asyncio.create_task(manager.hear("READY"))}, return_when=asyncio.FIRST_COMPLETED
                )
                if not running.done():
                    await play(daemon, manager)
            finally:
                until.set()
                await running

    with capture_logs() as logged:
        asyncio.run(main())
    return [dict(each) for each in logged]


# ── the store in trouble ─────────────────────────────────────────────────────────────────────────


def failing(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, error: Exception) -> list[bool]:
    """`where.name` raises as long as the list is not empty."""
    real, broken = getattr(where, name), [True]

    def work(conn: Connection, *args: Any, **values: Any) -> Any:
        if broken:
            raise error
        return real(conn, *args, **values)

    monkeypatch.setattr(where, name, work)
    return broken


def test_a_store_in_trouble_at_the_start_ends_it(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, meta, "note_policy", StoreUnavailable("数据库文件不可写"))

    async def never(*_: object) -> None:
        raise AssertionError("it was ready")

    with pytest.raises(StoreUnavailable, match="不可写"):
        played(db, settings(tmp_path), never)


def test_a_store_in_trouble_at_a_reload_ends_nothing(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_AGAIN", 0.01)

    async def play(daemon: Service, manager: Manager) -> None:
        broken = failing(monkeypatch, meta, "note_policy", StoreUnavailable("数据库文件不可写"))
        daemon.hup.set()
        await manager.hear("RELOADING")
        await manager.hear("WATCHDOG", manager.count("WATCHDOG") + 2)
        assert manager.count("READY") == 1
        broken.clear()
        assert "正常" in (await manager.hear("READY", 2))["STATUS"]

    logged = played(db, settings(tmp_path), play)
    assert [each for each in logged if each["event"] == "the store does not take the new configuration"]
    assert [each["event"] for each in logged].count("ready") == 2


def test_a_file_without_what_is_in_use_is_refused(tmp_path: Path) -> None:
    """An empty or half written file is valid TOML: taken at its word it would end every watch and every ticket."""
    text = """
[[providers]]
name = "k100"
kind = "kuaidi100"
customer = "C"
key = "K"
carriers = ["*"]

[[policies]]
name = "p"
profile = "taobao_tmall"
"""
    whole, empty = settings(tmp_path, text), settings(tmp_path)
    assert service._gone(whole, empty) == ["服务商账号", "策略"]
    assert service._gone(whole, whole) == service._gone(empty, whole) == []


def test_a_reload_that_misses_a_new_environment_variable_says_that_it_takes_a_restart(
    db: Database, tmp_path: Path
) -> None:
    given = settings(tmp_path)

    async def play(daemon: Service, manager: Manager) -> None:
        daemon._read = lambda: load(given.path, {})
        given.path.write_text('[deadman]\nurl = "env:NOT_THERE_AT_THE_START"\n', "utf-8")
        daemon.hup.set()
        assert "要重启服务才读得到" in (await manager.hear("READY", 2))["STATUS"]
        given.path.write_text("[deadman]\nurl = 1\n", "utf-8")
        daemon.hup.set()
        assert "重启服务" not in (await manager.hear("READY", 3))["STATUS"]

    logged = played(db, given, play)
    [told] = [each for each in logged if each["event"] == "a new environment variable needs a restart"]
    assert "要重启服务" in told["why"]


def test_a_file_that_is_being_written_is_read_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, steps = tmp_path / "parcelwatch.toml", iter(["", "store = 1", "store = 12"])
    path.write_text("s")
    monkeypatch.setattr(service.time, "sleep", lambda _: path.write_text(next(steps, "store = 12")))
    assert service.at_rest(path).read_text() == "store = 12"
    assert next(steps, None) is None


def test_a_full_disk_is_told_but_not_bitten_for(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart makes no room, and what can be read is to stay readable."""
    given = settings(tmp_path)
    assert asyncio.run(Reschedule(db, given.book, lambda: T0).run()), "nothing else is left to be noted"

    async def play(daemon: Service, manager: Manager) -> None:
        broken = failing(monkeypatch, upkeep, "note", StoreFull("磁盘空间已满"))
        await manager.hear("WATCHDOG", manager.count("WATCHDOG") + 3)
        assert daemon.problems() == ("磁盘空间已满",)
        broken.clear()
        await manager.hear("WATCHDOG", manager.count("WATCHDOG") + 2)
        assert daemon.problems() == ()

    logged = played(db, given, play)
    told = [each["event"] for each in logged if "the store" in each["event"]]
    assert told == ["the store does not answer", "the store answers again"]


def test_a_store_that_hangs_is_not_waited_for_and_the_watchdog_not_fed(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(daemon: Service, manager: Manager) -> None:
        await manager.hear("WATCHDOG")
        hangs = asyncio.Event()

        async def hang(_: object) -> None:
            await hangs.wait()

        monkeypatch.setattr(db, "read", hang)
        fed = manager.count("WATCHDOG")
        while not daemon.problems():
            await asyncio.sleep(0.01)
        assert "没有应答" in daemon.problems()[0]
        assert manager.count("WATCHDOG") <= fed + 1, "but for one that was under way"
        monkeypatch.undo()
        hangs.set()
        await manager.hear("WATCHDOG", manager.count("WATCHDOG") + 1)

    played(db, settings(tmp_path), play)


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────


def test_a_console_that_ends_does_not_end_the_watch(db: Database, tmp_path: Path) -> None:
    async def serve(until: asyncio.Event) -> None:
        raise OSError("no descriptors left")

    async def play(daemon: Service, manager: Manager) -> None:
        assert "控制台已停止" in (await manager.hear("READY"))["STATUS"]
        await manager.hear("WATCHDOG", 2)

    console = serving.Console("http://127.0.0.1:8000", serve)
    logged = played(db, settings(tmp_path), play, console=console)
    assert [each["log_level"] for each in logged if each["event"] == "the console has stopped"] == ["error"]


def test_what_the_verbs_suffer_from_is_on_the_status_line(db: Database, tmp_path: Path) -> None:
    async def play(daemon: Service, manager: Manager) -> None:
        now = daemon.clock.now()
        daemon.vitals.verb("digest", now - timedelta(minutes=5), "磁盘出错")
        daemon.vitals.verb("digest", now, "磁盘出错")
        await daemon._say()
        assert manager.said[-1]["STATUS"].startswith("1 个问题：")
        assert "磁盘出错" in manager.said[-1]["STATUS"]
        told = len(manager.said)
        await daemon._say()
        assert not [each for each in manager.said[told:] if "STATUS" in each], "once is enough"

    played(db, settings(tmp_path), play)


def test_links_lead_to_a_console_that_there_is(db: Database, tmp_path: Path) -> None:
    given = settings(tmp_path, '[web]\npublic_url = "https://watch.example.com"\n')

    async def serve(until: asyncio.Event) -> None:
        await until.wait()

    def link(console: serving.Console | None) -> str:
        async def make() -> str:
            daemon = Service(given, db, Manager(), read=lambda: given)
            daemon.console = console
            return daemon._app().sweep.link("T-1")

        return asyncio.run(make())

    assert link(serving.Console("http://127.0.0.1:8000", serve)) == "https://watch.example.com/tickets/T-1"
    assert link(None) == "", "no link to a page that is not there"


@pytest.mark.parametrize(
    ("terminal", "there", "ends"),
    [
        pytest.param(False, False, False, id="a service: read the configuration again"),
        pytest.param(True, True, False, id="a terminal: the same"),
        pytest.param(True, False, True, id="the terminal is gone: stop"),
    ],
)
def test_a_hangup(monkeypatch: pytest.MonkeyPatch, terminal: bool, there: bool, ends: bool) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys.stdin, "fileno", lambda: 0, raising=False)
    monkeypatch.setattr(os, "isatty", lambda fd: there)

    async def main() -> tuple[bool, bool]:
        until, hup = asyncio.Event(), asyncio.Event()
        with signals(until, hup):
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(5):
                await asyncio.wait(
                    [asyncio.create_task(each.wait()) for each in (until, hup)],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        return until.is_set(), hup.is_set()

    assert asyncio.run(main()) == (ends, not ends)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_the_console_listens_on_this_machine(host: str) -> None:
    with serving.bind(Web(host=host, port=0)) as sock:
        url = serving._url(sock)
        with socket.create_connection(sock.getsockname()[:2], timeout=5):
            assert url.endswith(f":{sock.getsockname()[1]}")
    assert url.startswith("http://[::1]:") or url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EADDRINUSE, "ss -ltnp"), (errno.EACCES, "1024"), (errno.EADDRNOTAVAIL, "127.0.0.1")],
    ids=["taken", "needs rights", "not ours"],
)
def test_a_place_that_cannot_be_had_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(serving.PortTaken, match=r"127\.0\.0\.1:80 ") as refused:
        serving.bind(Web(port=80))
    assert words in str(refused.value)
