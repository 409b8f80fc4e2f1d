"""The daemon, `parcelwatch run`: one process, one store, the verbs, a console beside them, a service manager told.

SIGTERM and SIGINT end it within ten seconds, with the work in hand finished. SIGHUP reads the configuration again:
only when all of it is right does it take the place of the old one, and nothing is dropped on the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from monitor import logs, serving
from monitor.app import App
from monitor.clock import Clock
from monitor.config.secrets import advice
from monitor.config.settings import ConfigError, Settings, load
from monitor.deadman import Pinger
from monitor.metrics import Metrics
from monitor.notify_socket import NotifySocket, watchdog_seconds
from monitor.pushes.callbacks import Callbacks
from monitor.single import only_one
from monitor.store import upkeep
from monitor.store.database import Database, StoreError, StoreFull
from monitor.store.opening import open_store
from monitor.vitals import Vitals
from monitor.web.context import Context

__all__ = ["Service", "run"]

log = structlog.get_logger()
UNWATCHED: Final = 60.0
"""Seconds in which the store has to answer where no service manager says so."""
_AGAIN: Final = 2.0
"""Seconds until a reload that the store would not take is tried again."""


class Service:
    """What lives as long as the process. The `App` inside is made anew by every reload."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        notify: NotifySocket,
        *,
        read: Callable[[], Settings],
        watched: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`read` reads the configuration again and raises ConfigError; `watched` are the watchdog's seconds."""
        self.settings = settings
        self.db = db
        self.clock = clock or Clock()
        self.vitals = Vitals(self.clock.now())
        self.metrics = Metrics()
        self.callbacks: Callbacks | None = None
        self.context = Context(
            db,
            self.clock.now,
            lambda: self.settings,
            self.vitals,
            lambda: self.callbacks,
            metrics=self.metrics,
        )
        self.console: serving.Console | None = None
        self.hup = asyncio.Event()
        """Set it to have the configuration read again."""
        self._notify = notify
        self._read = read
        self._patience = (watched or UNWATCHED) / 3
        self._began = False
        self._ringing = False
        self._store_trouble = ""
        self._refused = ""
        self._told = ""

    # ── its life ─────────────────────────────────────────────────────────────────────────────────

    async def run(self, until: asyncio.Event) -> None:
        """Work until told to stop. Raises `StoreError` when the store is in trouble before the first work."""
        bridge = asyncio.create_task(self._bridge())
        console = asyncio.create_task(self._serve(until))
        try:
            while not until.is_set():
                await self._generation(until)
        finally:
            until.set()
            bridge.cancel()
            await asyncio.gather(console, bridge, return_exceptions=True)

    async def _generation(self, until: asyncio.Event) -> None:
        """One configuration's time: until the end, or until a new one is in force."""
        stop = asyncio.Event()
        app = self._app()
        working = asyncio.create_task(app.run(stop, self._ready))
        asked = asyncio.create_task(self._next(until))
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        self._ringing = False
        if until.is_set():
            self._notify.stopping()
        stop.set()
        try:
            await working
        except StoreError as error:
            if not self._began:
                raise
            log.error("the store does not take the new configuration", why=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), _AGAIN)
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    def _app(self) -> App:
        """The verbs under the configuration in force."""
        settings = self.settings
        pages = settings.web.public_url if self.console is not None else ""
        app = App(settings, self.db, self.clock, pages=pages, vitals=self.vitals, metrics=self.metrics)
        self.callbacks = app.callbacks
        app.engine.register("watchdog", self._patience, self._feed)
        app.engine.register("status", 5.0, self._say)
        if settings.deadman.url is not None:
            pinger = Pinger(settings.deadman.url, app.net, self.problems)
            app.engine.register("deadman", settings.deadman.every.total_seconds(), pinger.tick)
        return app

    def _ready(self) -> None:
        """The verbs are about to ring."""
        self._began = self._ringing = True
        self._told = self._standing()
        self._notify.ready(self._told)

    async def _serve(self, until: asyncio.Event) -> None:
        """The console, if there is one; its end is not the watch's."""
        if self.console is None:
            return
        try:
            await self.console.serve(until)
        except Exception as error:  # the watch goes on, and says so
            log.error("the console has stopped", why=str(error), exc_info=True)
        if not until.is_set():
            self.console.stopped = True

    # ── the configuration again ──────────────────────────────────────────────────────────────────

    async def _next(self, until: asyncio.Event) -> None:
        """Returns when the daemon is to end, or when a new configuration is in force."""
        while not until.is_set():
            await _first(until, self.hup)
            if self.hup.is_set() and not until.is_set():
                self.hup.clear()
                if await self._reload():
                    return

    async def _reload(self) -> bool:
        """Whether the file is right, and so in force; else the old configuration stays, and every mistake is logged."""
        self._notify.reloading()
        try:
            fresh = await asyncio.to_thread(self._read)
        except ConfigError as error:
            for problem in error.problems:
                log.error(
                    "configuration is wrong", file=str(error.file), line=problem.line, problem=str(problem)
                )
            if hint := _missing(error):
                log.error("a new environment variable needs a restart", why=hint)
            return self._refuse(f"新配置有 {len(error.problems)} 处错误" + (f"（{hint}）" if hint else ""))
        except Exception as error:  # whatever it is, it is no reason to stop watching
            log.error("configuration cannot be read", why=str(error), exc_info=True)
            return self._refuse("新配置读不了")
        gone = _gone(self.settings, fresh)
        if gone:
            log.error("configuration lacks what is in use", gone=gone)
            return self._refuse(f"新配置里没有{'、'.join(gone)}，像是没写完（确实要停用请重启服务）")
        later = _needs_restart(self.settings, fresh)
        if later:
            log.warning("takes effect after a restart", settings=later)
        self._refused = f"{'、'.join(later)} 要重启后才生效" if later else ""
        web = replace(self.settings.web, public_url=fresh.web.public_url)
        self.settings = replace(fresh, store=self.settings.store, web=web)
        log.info("configuration read again", policy=fresh.book.version)
        return True

    def _refuse(self, why: str) -> bool:
        log.error("configuration refused, the old one stays in force", policy=self.settings.book.version)
        self._refused = f"{why}，没有采用，仍用原来的（parcelwatch check 可以逐条列出）"
        self._told = self._standing()
        self._notify.ready(self._told)
        return False

    # ── how it is ────────────────────────────────────────────────────────────────────────────────

    def problems(self) -> tuple[str, ...]:
        """What is wrong now, the gravest first; empty when all is well."""
        console = self.console is not None and self.console.stopped
        own = ("控制台已停止，请查看日志后重启服务",) if console else ()
        return (*own, *self.vitals.problems(self.clock.now()))

    def _standing(self) -> str:
        """The line for `systemctl status`."""
        found = self.problems()
        if found:
            return f"{len(found)} 个问题：{' '.join(found)}"
        settings = self.settings
        where = f"，控制台 {self.console.url}" if self.console is not None else ""
        odd = f"；{self._refused}" if self._refused else ""
        return f"正常：{len(settings.providers)} 个服务商账号，{len(settings.channels)} 个渠道{where}{odd}"

    async def _say(self) -> None:
        standing = self._standing()
        if standing != self._told:
            self._told = standing
            self._notify.status(standing)

    async def _feed(self) -> None:
        """Feed the watchdog, if the store answers a read and a write in time. Rung like every verb, so verbs ring."""
        trouble, alive = "", True
        try:
            async with asyncio.timeout(self._patience):
                await self.db.read(upkeep.alive_at)
                await self.db.write(partial(upkeep.note, name=upkeep.ALIVE, at=self.clock.now()))
        except (
            StoreFull
        ) as error:  # it answers, and a restart makes no room: what can be read is to stay readable
            trouble = str(error)
        except TimeoutError:
            trouble, alive = f"数据库 {self._patience:.0f} 秒没有应答", False
        except StoreError as error:
            trouble, alive = str(error), False
        if trouble and not self._store_trouble:
            log.error("the store does not answer", why=trouble)
        elif self._store_trouble and not trouble:
            log.info("the store answers again")
        self._store_trouble = self.vitals.store_trouble = trouble
        if alive:
            self._notify.watchdog()

    async def _bridge(self) -> None:
        """While no verb rings (a start, a reload), the watchdog is fed all the same and more time is asked for."""
        while True:
            await asyncio.sleep(self._patience)
            if not self._ringing:
                self._notify.more_time(self._patience * 3)
                await self._feed()


def _missing(error: ConfigError) -> str:
    """A process never learns of an environment variable that was set after its start."""
    absent = any(advice(each.reason) for each in error.problems)
    return "新加的环境变量要重启服务才读得到，重新加载读不到" if absent else ""


def _gone(old: Settings, fresh: Settings) -> list[str]:
    """Whole parts that the new file has no more: it is empty or half written, or somebody means to end the watch."""
    parts = {
        "服务商账号": (old.providers, fresh.providers),
        "通知渠道": (old.channels, fresh.channels),
        "路由": (old.routes, fresh.routes),
        "策略": (old.policies, fresh.policies),
    }
    return [name for name, (was, is_) in parts.items() if was and not is_]


def _needs_restart(old: Settings, fresh: Settings) -> list[str]:
    """The settings that this process cannot change any more."""
    pairs = {
        "store": (old.store, fresh.store),
        **{
            f"web.{key}": (getattr(old.web, key), getattr(fresh.web, key))
            for key in ("enabled", "host", "port")
        },
    }
    return [name for name, (was, is_) in pairs.items() if was != is_]


async def _first(*events: asyncio.Event) -> None:
    """Returns when one of them is set."""
    waiting = [asyncio.create_task(each.wait()) for each in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


@contextlib.contextmanager
def signals(until: asyncio.Event, hup: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `until`, SIGHUP sets `hup`; when it says that our terminal is gone, `until` too."""
    loop, terminal = asyncio.get_running_loop(), sys.stdin.isatty()

    def again() -> None:
        gone = terminal and not os.isatty(sys.stdin.fileno())
        (until if gone else hup).set()

    handlers = {signal.SIGTERM: until.set, signal.SIGINT: until.set, signal.SIGHUP: again}
    for each, handler in handlers.items():
        loop.add_signal_handler(each, handler)
    try:
        yield
    finally:
        for each in handlers:
            loop.remove_signal_handler(each)


def at_rest(path: Path, pause: float = 0.25, tries: int = 12) -> Path:
    """The file, once two looks find the same in it: an editor or a copy may be at it just now.

    After three seconds it is taken as it is, so that a SIGTERM meanwhile is not held up.
    """
    before = b""
    for _ in range(tries):
        now = path.read_bytes() if path.is_file() else b""
        if now and now == before:
            break
        before = now
        time.sleep(pause)
    return path


def run(settings: Settings, log_format: str | None = None) -> None:
    """The daemon: until a signal stops it. `log_format` overrules the configuration's.

    Raises `StoreError` when the store cannot be opened or another daemon has it, `serving.PortTaken` for the console.
    """
    if (
        sys.__stderr__ is not None
    ):  # a watchdog that bites (SIGABRT) leaves every thread's place in the journal
        faulthandler.enable(sys.__stderr__)
    asyncio.run(_main(settings, log_format))


async def _main(settings: Settings, log_format: str | None) -> None:
    until, hup = asyncio.Event(), asyncio.Event()
    notify = NotifySocket(os.environ.get("NOTIFY_SOCKET", ""))
    first = settings.secrets

    def read() -> Settings:
        fresh = load(at_rest(settings.path))
        logs.configure(
            json=logs.wants_json(log_format or fresh.log.format),
            level=fresh.log.level,
            secrets=[*first, *fresh.secrets],
        )
        return fresh

    with contextlib.ExitStack() as stack:
        stack.enter_context(signals(until, hup))
        db = stack.enter_context(contextlib.closing(open_store(settings.store, settings.path.parent)))
        stack.enter_context(only_one(db))
        service = Service(settings, db, notify, read=read, watched=watchdog_seconds())
        service.hup = hup
        service.console = serving.console(settings.web, service.context)
        await service.run(until)
    log.info("stopped", config=settings.path.name)
