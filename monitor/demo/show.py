"""The whole product on a simulated world, in one process: nothing but loopback, nothing left behind.

Simulated are the world (orders, parcels, what carriers say), the tracking provider and the chat platforms, both
over real HTTP, and the time. Everything between is the product: a configuration file, order files read by the
real import, the real daemon with the real client of 快递100 and the real messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from string import Template
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog
from aiohttp import web

from domain.time import SHANGHAI, UTC
from monitor.app import App
from monitor.clock import Clock, wall
from monitor.demo.faults import Fault, Switchboard
from monitor.demo.groups import Inbox, Robot, make_groups_app
from monitor.demo.orders import save_own
from monitor.demo.page import Scene, Wall, make_page_app
from monitor.demo.pages.chat import Group
from monitor.demo.provider import make_provider_app
from monitor.demo.serving import serving
from monitor.demo.world import Parcel, World
from monitor.intake.files import read_orders
from monitor.intake.take import Tally, take
from monitor.net import Net
from monitor.profiles import load_profiles, vocabulary
from monitor.settings import Settings, load
from monitor.store.database import Database, migrate

__all__ = ["SPEED", "PortTaken", "Stage", "Timing", "play", "show", "simulated", "stage"]

log = structlog.get_logger()
SPEED: Final = 576.0
"""Two simulated days in five minutes."""
_SEED: Final = 20261111
_PER_DAY: Final = 180.0
_BACKLOG: Final = timedelta(days=4)
_CONFIG: Final = Path(__file__).parent / "demo.toml"
_GROUPS: Final = (
    Group(
        "dingtalk",
        "紧急群",
        "物流紧急群",
        "Urgent",
        "所有平台的超时和数据源中断，点名值班",
        "every broken limit, every outage; rings whoever is on duty",
    ),
    Group(
        "wecom",
        "淘系群",
        "淘系店铺群",
        "Taobao shops",
        "淘宝、天猫店铺的预警、超时和恢复",
        "warnings, broken limits and recoveries of the Taobao and Tmall shops",
    ),
    Group(
        "onebot",
        "拼多多群",
        "拼多多店铺群",
        "Pinduoduo shops",
        "拼多多店铺的预警、超时和恢复",
        "warnings, broken limits and recoveries of the Pinduoduo shops",
    ),
)


class PortTaken(Exception):
    """Somebody else listens there; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What happens when, in real time from the start."""

    orders_every: timedelta = timedelta(seconds=20)
    outage_after: timedelta = timedelta(minutes=2)
    outage_lasts: timedelta = timedelta(seconds=35)
    outage_again: timedelta = timedelta(minutes=4)
    """From the end of one to the beginning of the next."""


@dataclass(frozen=True)
class Stage:
    """Everything that is set up, before anything moves."""

    url: str
    folder: Path
    settings: Settings
    db: Database
    clock: Clock
    world: World
    inbox: Inbox
    provider: Switchboard
    """What is wrong with the tracking provider."""
    app: App
    imported: list[datetime] = field(default_factory=list)
    """Up to when orders were imported, one moment per file."""


def simulated(started_at: datetime, speed: float) -> Clock:
    """A clock that begins at `started_at` now and runs `speed` times as fast as ours."""
    begun = time.monotonic()
    return Clock(read=lambda: started_at + timedelta(seconds=(time.monotonic() - begun) * speed))


def nine_oclock(now: datetime) -> datetime:
    """Nine in the morning of that day in Shanghai: the same show at whatever time of day it is started."""
    return now.astimezone(SHANGHAI).replace(hour=9, minute=0, second=0, microsecond=0).astimezone(UTC)


async def show(
    port: int,
    *,
    until: asyncio.Event,
    speed: float = SPEED,
    announce: Callable[[str], None] = lambda url: None,
) -> None:
    """The demo, until told to stop; `announce` hears the page's address once it answers. Raises `PortTaken`."""
    async with stage(port, started_at=nine_oclock(wall()), speed=speed) as scene:
        announce(scene.url)
        await play(scene, until)


# ── setting up ───────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def stage(
    port: int, *, started_at: datetime, speed: float = SPEED, seed: int = _SEED
) -> AsyncIterator[Stage]:
    """Peers, configuration, store and page, all on loopback; all gone afterwards. Raises `PortTaken`."""
    door = _door(port)
    url = "http://{}:{}".format(*door.getsockname())
    world = World(seed, started_at, speed, per_day=_PER_DAY, backlog=_BACKLOG)
    clock = simulated(started_at, speed)
    provider, inbox = Switchboard(), Inbox()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(door.close)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="parcelwatch-demo-")))
        keys = _Keys()
        asked = make_provider_app(
            world, customer=keys.customer, key=keys.key, clock=clock.now, board=provider
        )
        told = make_groups_app(keys.robots(), clock=clock.now, inbox=inbox)
        peers = [await stack.enter_async_context(serving(app)) for app in (asked, told)]
        settings = load(_configuration(folder, keys, page=url, provider=peers[0], groups=peers[1]))
        migrate(settings.store)
        db = stack.enter_context(contextlib.closing(Database.open(settings.store)))
        app = App(settings, db, clock, Net(), pages=url)
        scene = Stage(url, folder, settings, db, clock, world, inbox, provider, app)
        await stack.enter_async_context(_page(scene, door))
        yield scene


def _door(port: int) -> socket.socket:
    """The page's own socket, taken first, so that its address is known and surely ours."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        why = {errno.EADDRINUSE: "已被占用", errno.EACCES: "需要管理员权限"}.get(error.errno or 0, "打不开")
        raise PortTaken(f"端口 {port} {why}，请换一个，如 parcelwatch demo --port {port + 1}") from None


@dataclass(frozen=True, slots=True)
class _Keys:
    """Credentials of one show: made anew, so that nothing else on this machine can speak for it."""

    customer: str = field(default_factory=token_hex, repr=False)
    key: str = field(default_factory=token_hex, repr=False)
    dingtalk: str = field(default_factory=token_hex, repr=False)
    signing: str = field(default_factory=token_hex, repr=False)
    wecom: str = field(default_factory=token_hex, repr=False)
    onebot: str = field(default_factory=token_hex, repr=False)

    def robots(self) -> tuple[Robot, ...]:
        """The robots of the three groups."""
        return (
            Robot("dingtalk", "紧急群", self.dingtalk, self.signing),
            Robot("wecom", "淘系群", self.wecom),
            Robot("onebot", "拼多多群", self.onebot, groups=frozenset({"100200300"})),
        )


def _configuration(folder: Path, keys: _Keys, **addresses: str) -> Path:
    """A real configuration file; only its owner may read it."""
    path = folder / "parcelwatch.toml"
    path.touch(0o600)
    path.write_text(Template(_CONFIG.read_text("utf-8")).substitute(asdict(keys), **addresses), "utf-8")
    return path


@contextlib.asynccontextmanager
async def _page(scene: Stage, door: socket.socket) -> AsyncIterator[None]:
    world = scene.world

    def script(carrier: str, waybill_no: str) -> str:
        parcel = world.find(carrier, waybill_no)
        return parcel.kind.value if parcel else ""

    app = make_page_app(
        Scene(
            db=scene.db,
            now=scene.clock.now,
            started_at=world.started_at,
            speed=world.speed,
            wall=Wall(scene.inbox),
            groups=_GROUPS,
            accounts=[account.name for account in scene.settings.providers],
            script=script,
            rules={
                platform: {name: rule.zh for name, rule in rules.items()}
                for platform, rules in vocabulary(load_profiles()).profiles.items()
            },
            base=scene.url,
        )
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, door).start()
        yield
    finally:
        await runner.cleanup()


# ── playing ──────────────────────────────────────────────────────────────────────────────────────


async def play(scene: Stage, until: asyncio.Event, timing: Timing = Timing()) -> None:
    """Let the world move: orders come in, the daemon runs, the provider fails now and then."""
    await _import(scene, scene.world.opened_at, scene.clock.now())
    await scene.app.sweep_tick()
    beside = [_orders(scene, timing), _outages(scene, timing)]
    tasks = [asyncio.create_task(_surely(each)) for each in beside]
    try:
        await scene.app.run(until)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _surely(work: Coroutine[Any, Any, None]) -> None:
    """What goes wrong beside the daemon is said, not lost."""
    try:
        await work
    except Exception:
        log.exception("the demo's world stands still")
        raise


async def _orders(scene: Stage, timing: Timing) -> None:
    """The shops' next exports, one after the other."""
    while True:
        await asyncio.sleep(timing.orders_every.total_seconds())
        await _import(scene, scene.imported[-1], scene.clock.now())


async def _import(scene: Stage, since: datetime, until: datetime) -> None:
    """A file with the parcels shipped in between, the newest first, through the real import."""
    parcels = scene.world.shipped(since, until)[::-1]
    if parcels:
        await asyncio.to_thread(_take, scene, parcels, until)
    scene.imported.append(until)


def _take(scene: Stage, parcels: list[Parcel], now: datetime) -> Tally:
    path = scene.folder / f"orders-{len(scene.imported):04d}.csv"
    save_own(path, parcels)
    read = read_orders(path, zone=scene.settings.timezone, now=now)
    tally = Tally()
    for tally in take(scene.db, read.rows, known_at=now, now=now):
        log.info("imported", file=path.name, rows=tally.rows)
    path.unlink()
    return tally


async def _outages(scene: Stage, timing: Timing) -> None:
    """The provider breaks down for a while, and again later."""
    await asyncio.sleep(timing.outage_after.total_seconds())
    while True:
        scene.provider.turn(Fault.BAD_GATEWAY)
        await asyncio.sleep(timing.outage_lasts.total_seconds())
        scene.provider.turn(Fault.OK)
        await asyncio.sleep(timing.outage_again.total_seconds())
