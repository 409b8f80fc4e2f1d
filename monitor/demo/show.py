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
from collections.abc import AsyncIterator, Callable, Coroutine, Set
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from string import Template
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog

from domain.time import SHANGHAI, UTC
from monitor.app import App
from monitor.clock import Clock, wall
from monitor.config.settings import Settings, load
from monitor.demo.causes import Cause, Causes
from monitor.demo.dropped import drop, exported
from monitor.demo.erp import SENDER_TAIL, Carriers, erp_world, make_erp_app
from monitor.demo.faults import Fault, Switchboard
from monitor.demo.groups import Inbox, Robot, make_groups_app
from monitor.demo.orders import save_own
from monitor.demo.pace import SPEED, SimulatedTime
from monitor.demo.provider import make_provider_app
from monitor.demo.pushing import Pushes
from monitor.demo.scene import GROUPS, Scene, Wall
from monitor.demo.serving import serving
from monitor.demo.site import EXTRA, make_router
from monitor.demo.walk import watched
from monitor.demo.world import Parcel, World
from monitor.intake.files import read_orders
from monitor.intake.take import Tally, take
from monitor.net import Net, Timeouts
from monitor.store.database import Database, migrate
from monitor.vitals import Vitals
from monitor.web.context import Context
from monitor.web.server import serve
from monitor.web.site import make_site

__all__ = ["SPEED", "PortTaken", "Stage", "Timing", "play", "show", "stage"]

log = structlog.get_logger()
WHO: Final = "演示用户"
"""The author of what visitors do."""
_SEED: Final = 20261111
_PER_DAY: Final = 180.0
_BACKLOG: Final = timedelta(days=4)
_PATIENCE: Final = timedelta(seconds=8)
"""For one question on loopback: real seconds are simulated hours."""
_EXPORTED: Final = timedelta(hours=36)
"""What was shipped so lately may be in the export that lies in the drop folder."""
APP_KEY: Final = "demo"
_CONFIG: Final = Path(__file__).parent / "demo.toml"


class PortTaken(Exception):
    """Somebody else listens there; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What happens when, in real time from the start."""

    orders_every: timedelta = timedelta(seconds=10)
    outage_after: timedelta = timedelta(seconds=100)
    """From the start to the first outage, and from the end of one to the next; none while a visitor causes things."""
    outage_again: timedelta = timedelta(minutes=4)
    settle_every: timedelta = timedelta(seconds=0.5)


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
    scene: Scene
    pushes: Pushes
    """What the tracking provider was asked to push."""
    imported: list[datetime] = field(default_factory=list)
    """Up to when orders were imported, one moment per file."""


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
    """The demo, until told to stop; `announce` hears the page's address once it has parcels to show. Raises `PortTaken`."""
    async with stage(port, started_at=nine_oclock(wall()), speed=speed) as made:
        await play(made, until, ready=lambda: announce(made.url))


# ── setting up ───────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def stage(
    port: int, *, started_at: datetime, speed: float = SPEED, seed: int = _SEED
) -> AsyncIterator[Stage]:
    """Peers, configuration, store and console, all on loopback; all gone afterwards. Raises `PortTaken`."""
    door = _door(port)
    url = "http://{}:{}".format(*door.getsockname())
    world = World(seed, started_at, per_day=_PER_DAY, backlog=_BACKLOG)
    time = SimulatedTime(started_at, speed)
    clock = Clock(read=time)
    provider, groups, inbox = Switchboard(), Switchboard(), Inbox()
    erp = erp_world(seed + 1, started_at, _BACKLOG)
    carriers = Carriers(world, erp)
    pushes = Pushes(carriers, time, provider)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(door.close)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="parcelwatch-demo-")))
        keys = _Keys()
        asked = make_provider_app(
            carriers, customer=keys.customer, key=keys.key, clock=time, board=provider, pushes=pushes
        )
        shop = make_erp_app(erp, app_key=APP_KEY, app_secret=keys.erp_secret, clock=time)
        told = make_groups_app(keys.robots(), clock=time, board=groups, inbox=inbox)
        peers = [await stack.enter_async_context(serving(app)) for app in (asked, told, shop)]
        addresses = dict(zip(("provider", "groups", "erp"), peers, strict=True))
        settings = load(_configuration(folder, keys, page=url, **addresses))
        migrate(settings.store)
        db = stack.enter_context(contextlib.closing(Database.open(settings.store)))
        vitals = Vitals(started_at, speed=speed)
        app = App(settings, db, clock, Net(timeout=Timeouts(total=_PATIENCE)), pages=url, vitals=vitals)
        causes = Causes(world, provider, groups, [group.robot for group in GROUPS])
        scene = Scene(url, time, causes, Wall(inbox), vitals, policies=_policies())
        made = Stage(url, folder, settings, db, clock, world, inbox, provider, app, scene, pushes)
        await stack.enter_async_context(_console(made, door))
        yield made


def _policies() -> str:
    """The part of the configuration that visitors may see: the rest holds addresses and keys."""
    text = _CONFIG.read_text("utf-8")
    return text[text.index("[[policies]]") :]


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
    salt: str = field(default_factory=token_hex, repr=False)
    erp_secret: str = field(default_factory=token_hex, repr=False)

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
    words = asdict(keys) | {"sender": SENDER_TAIL, "app_key": APP_KEY}
    path.write_text(Template(_CONFIG.read_text("utf-8")).substitute(words, **addresses), "utf-8")
    return path


@contextlib.asynccontextmanager
async def _console(made: Stage, door: socket.socket) -> AsyncIterator[None]:
    """The real console on the simulated world, with the demo's page in it."""
    context = Context(
        made.db,
        made.clock.now,
        lambda: made.settings,
        made.app.vitals,
        lambda: made.app.callbacks,
        who=WHO,
        extras=(EXTRA,),
        metrics=made.app.metrics,
        simulated=True,
    )
    site = make_site(context, routers=[make_router(made.scene)])
    until = asyncio.Event()
    running = asyncio.create_task(serve(watched(site, made.scene.steps), door, until))
    try:
        yield
    finally:
        until.set()
        await running


# ── playing ──────────────────────────────────────────────────────────────────────────────────────


async def play(
    made: Stage, until: asyncio.Event, timing: Timing = Timing(), ready: Callable[[], None] = lambda: None
) -> None:
    """Let the world move: orders come in, the daemon runs, what was caused ends, the provider fails now and then.

    `ready` is called once the console has parcels to show.
    """
    now = made.clock.now()
    dropped = exported(made.world.shipped(now - _EXPORTED, now))
    await _import(made, made.world.opened_at, now, frozenset(each.waybill_no for each in dropped.only))
    await asyncio.to_thread(drop, made.folder / "inbox", dropped, now)
    await made.app.sweep_tick()
    ready()
    beside = [_orders(made, timing), _outages(made, timing), _settling(made, timing), made.pushes.run()]
    tasks = [asyncio.create_task(_surely(each)) for each in beside]
    try:
        await made.app.run(until)
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


async def _orders(made: Stage, timing: Timing) -> None:
    """The shops' next exports, one after the other."""
    while True:
        await asyncio.sleep(timing.orders_every.total_seconds())
        await _import(made, made.imported[-1], made.clock.now())


async def _import(made: Stage, since: datetime, until: datetime, without: Set[str] = frozenset()) -> None:
    """A file with the parcels shipped in between, the newest first, through the real import; but those `without`."""
    parcels = [each for each in made.world.shipped(since, until) if each.waybill_no not in without][::-1]
    if parcels:
        await asyncio.to_thread(_take, made, parcels, until)
    made.imported.append(until)


def _take(made: Stage, parcels: list[Parcel], now: datetime) -> Tally:
    path = made.folder / f"orders-{len(made.imported):04d}.csv"
    save_own(path, parcels)
    read = read_orders(path, zone=made.settings.timezone, now=now)
    tally = Tally()
    for tally in take(made.db, read.rows, known_at=now, now=now):
        log.info("imported", file=path.name, rows=tally.rows)
    path.unlink()
    return tally


async def _outages(made: Stage, timing: Timing) -> None:
    """The provider breaks down now and then, while nobody else causes anything."""
    await asyncio.sleep(timing.outage_after.total_seconds())
    while True:
        now = made.clock.now()
        if not made.scene.causes.standing(now):
            made.scene.causes.press(Cause.OUTAGE, now, Fault.BAD_GATEWAY)
        await asyncio.sleep(timing.outage_again.total_seconds())


async def _settling(made: Stage, timing: Timing) -> None:
    """What was caused ends when its time is over."""
    while True:
        await asyncio.sleep(timing.settle_every.total_seconds())
        made.scene.causes.settle(made.clock.now())
