"""The one place that builds the verbs and what they work with, starts and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from carriers.base import rhythm
from carriers.push import Subscriber
from monitor.clock import TOLERANCE, Clock
from monitor.config.settings import Settings
from monitor.engine import Engine
from monitor.intake import inbox
from monitor.intake.staging import Staging, staging_folder
from monitor.metrics import Metrics
from monitor.net import CallRecord, Net
from monitor.polling import homing, recognise
from monitor.polling.astray import Astray
from monitor.polling.doubts import Doubts
from monitor.polling.homing import Homing
from monitor.polling.lanes import EVERY as EVERY_LANE
from monitor.polling.lanes import Lanes
from monitor.polling.poll import Poller
from monitor.polling.recognise import Recognition
from monitor.polling.second import Second
from monitor.pulling.pull import Puller
from monitor.pushes.callbacks import Callbacks
from monitor.pushes.subscribe import Subscribing
from monitor.reschedule import Reschedule
from monitor.store import polls
from monitor.store.database import Database, StoreError
from monitor.sweep import Sweep
from monitor.telling.deliver import Deliverer
from monitor.upkeep import EVERY, Upkeep
from monitor.vitals import Vitals
from rules.schedule import Pace

__all__ = ["App", "build_sweep", "stop_signals"]

log = structlog.get_logger()
_SWEEP = 1000


def build_sweep(settings: Settings, pages: str = "", lanes: Lanes | None = None) -> Sweep:
    """The judge, as the daemon and the commands use it; `pages` is where tickets have a page, if anywhere."""
    paces = {
        account.name: (
            account.name,
            Pace(
                account.ceilings.per_waybill_interval,
                account.refresh_lag,
                settings.freshness,
                rhythm=rhythm(account.provider),
            ),
        )
        for account in settings.providers
    }

    def feeds(carrier: str) -> tuple[str, Pace] | None:
        account = settings.provider_for(carrier)
        return paces[account.name] if account is not None else None

    def link(number: str) -> str:
        return f"{pages.rstrip('/')}/tickets/{number}" if pages else ""

    seconds = tuple(account for account in settings.providers if account.second)
    doubts = Doubts(seconds, settings.second_opinion)
    return Sweep(settings.book, settings.routes, feeds, link, (lanes or Lanes()).usual, doubts)


class App:
    """The daemon's objects. `clock` and `net` are arguments so that a demo can bring its own."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        clock: Clock | None = None,
        net: Net | None = None,
        pages: str = "",
        vitals: Vitals | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`vitals` and `metrics` of a process outlive a reload, which makes a new `App`."""
        self.settings = settings
        self.db = db
        self.clock = clock or Clock()
        self.vitals = vitals if vitals is not None else Vitals(self.clock.now())
        self.metrics = metrics if metrics is not None else Metrics()
        self.net = net or Net(on_call=self._heard, secrets=settings.secrets)
        self.lanes = Lanes()
        self.sweep = build_sweep(settings, pages, self.lanes)
        self.engine = Engine(self._rang)
        routes, ending = settings.routes, lambda: self.engine.stopping
        self.pollers = [
            (Second if account.second else Poller)(
                account, db, self.net, self.sweep, self.clock, routes, ending, self.vitals, self.metrics
            )
            for account in settings.providers
        ]
        self.pullers = [
            Puller(source, db, self.net, self.clock, routes, ending, self.vitals, self.metrics)
            for source in settings.order_sources
        ]
        self.callbacks = Callbacks(
            settings.providers, db, self.sweep, self.clock, self.metrics, routes, ending
        )
        self.subscribers = [
            Subscribing(account, db, self.net, self.clock, settings.web.public_url, ending)
            for account in settings.providers
            if account.push and isinstance(account.provider, Subscriber)
        ]
        self.deliverer = Deliverer(settings.channels, routes, db, self.net, self.clock, ending, self.vitals)
        firsts = [account for account in settings.providers if not account.second]
        self.recognition = Recognition(firsts, db, self.net, self.clock, ending)
        self.policy = Reschedule(db, settings.book, self.clock.now)
        self.astray = Astray(firsts, settings.freshness, db)
        self.homing = Homing(db, settings.home_of, self.clock.now, ending)

    def _heard(self, call: CallRecord) -> None:
        """Every answer tells the time too."""
        self.metrics.request(call.account, call.outcome, call.took.total_seconds())
        if call.date:
            self.clock.witness(call.account, call.date)

    def _rang(self, verb: str, seconds: float, why: str | None) -> None:
        """A verb's run is over."""
        self.vitals.verb(verb, self.clock.now(), why)
        self.metrics.count("verb_runs_total", verb, "failed" if why else "done")
        self.metrics.took("verb_seconds", seconds, verb)

    async def _feel_pulse(self) -> None:
        """What waits in the store, for readiness and metrics, also when nobody asks for them."""
        settings = self.settings
        await self.metrics.refresh(
            self.db,
            self.clock.now(),
            self.vitals,
            accounts=[account.name for account in settings.providers],
            channels=[channel.name for channel in settings.channels],
        )

    async def _purge_staging(self) -> None:
        """Uploads that nobody confirmed go after a day."""
        await asyncio.to_thread(self._staging.purge, self.clock.now())

    @property
    def _staging(self) -> Staging:
        return Staging(staging_folder(self.settings.store, self.settings.path.parent))

    async def _compare_clocks(self) -> None:
        """A machine's clock that is off is said: nothing is claimed by it, and alarms may come late.

        What one that was off had put off for days is brought back.
        """
        await self.astray.look(self.clock.now())
        if abs(self.clock.offset) > TOLERANCE:
            log.warning("clock differs from the services' clocks", ahead=str(self.clock.offset))

    async def prepare(self) -> None:
        """What a start owes before anything is done: the policy is noted, what was leaving is settled, what a killed
        process was still being sent is gone."""
        if gone := self._staging.forget_cut_off():
            log.info("uploads that were cut off are gone", files=gone)
        await self.astray.begin()
        await self.policy.begin()
        await self.deliverer.recover()
        for each in self.settings.providers:
            if each.carriers:
                log.info("watching", provider=each.name, carriers=sorted(each.carriers))

    async def apply_policy(self, until: asyncio.Event | None = None) -> None:
        """A new policy finds the parcels it touches, beside everything else: a million take their time.

        Cut short, it goes on at the next ring, or at the next start.
        """
        await self.policy.run(until)

    async def sweep_tick(self) -> None:
        """Settle everything that is due, or as much as there is time for; one that cannot be judged stops only itself."""
        while not self.engine.stopping and await self._sweep_some(self.clock.now()):
            self.vitals.judged(self.clock.now())
        self.vitals.judged(self.clock.now())

    async def _sweep_some(self, now: datetime) -> bool:
        """One batch; True when there may be more."""
        if not await self.db.read(lambda conn: polls.deadline_waiting(conn, now)):
            return False
        try:
            done = await self.db.write(lambda conn: self.sweep.tick(conn, now, _SWEEP))
        except StoreError:
            raise
        except Exception as error:  # whatever it is, the other parcels are not to blame
            log.error("a parcel cannot be judged", why=str(error), exc_info=True)
            await self._one_by_one()
            return False
        self.metrics.count("parcels_judged_total", n=done.parcels)
        if done.tickets or done.ended:
            log.info("swept", parcels=done.parcels, tickets=done.tickets, ended=done.ended)
        return done.parcels >= _SWEEP

    async def _one_by_one(self) -> None:
        """Find the poisoned parcel of a batch and put it aside, counted and shown."""
        now = self.clock.now()
        ids = await self.db.read(lambda conn: polls.due_deadlines(conn, now, _SWEEP))
        for parcel_id in ids:
            try:
                await self.db.write(partial(self._settle_one, parcel_id))
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - put aside, counted and shown
                why = f"{type(error).__name__}: {error}"
                await self.db.write(partial(_put_aside, parcel_id, why, now))

    def _settle_one(self, parcel_id: int, conn: Connection) -> None:
        self.sweep.settle(conn, self.sweep.looks(conn, [parcel_id]), self.clock.now())

    async def run(self, until: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Ring the verbs until told to stop; `ready` is called when they are about to ring."""
        self.db.listen(self.metrics.committed)
        try:
            await self.prepare()
            self._register(until)
            if not until.is_set():
                log.info("ready", store=self.db.dialect, policy=self.settings.book.version)
                ready()
            await self.engine.run(until)
        finally:
            await self.callbacks.close()
            await self.deliverer.settle()
            for poller in self.pollers:
                with contextlib.suppress(StoreError):
                    await poller.close()
            await self.net.close()

    def _register(self, until: asyncio.Event) -> None:
        self.engine.register("policy", 5.0, partial(self.apply_policy, until))
        self.engine.register("homing", homing.EVERY, self.homing.tick)
        self.engine.register("clock", 60.0, self._compare_clocks)
        self.engine.register("pulse", 10.0, self._feel_pulse)
        upkeep = Upkeep(self.settings, self.db, self.clock, lambda: self.engine.stopping)
        self.engine.register("upkeep", EVERY, upkeep.tick)
        dropped = inbox.Inbox(self.settings, self.db, self.clock, lambda: self.engine.stopping)
        if self.settings.intake.folder is not None:
            self.engine.register("inbox", inbox.EVERY, dropped.tick)
        self.engine.register("staging", 600.0, self._purge_staging)
        self.engine.register("lanes", EVERY_LANE, partial(self.lanes.tick, self.db, self.clock))
        self.engine.register("sweep", 1.0, self.sweep_tick)
        self.engine.register("recognise", recognise.EVERY, self.recognition.tick)
        for poller in self.pollers:
            self.engine.register(f"poll {poller.name}", 1.0, poller.tick)
        for puller in self.pullers:
            self.engine.register(f"pull {puller.name}", 1.0, puller.tick)
        # What still waits for an account that is gone has to be put aside, too.
        self.engine.register("callbacks", 1.0 if self.callbacks.open else 60.0, self.callbacks.work)
        for each in self.subscribers:
            self.engine.register(f"subscribe {each.name}", 5.0, each.tick)
        for robot in self.deliverer.robots:
            self.engine.register(f"deliver {robot}", 0.5, partial(self.deliverer.tick, robot))
        accounts = frozenset(each.name for each in self.settings.providers)
        self.vitals.keep(accounts=accounts, verbs=self.engine.verbs)


def _put_aside(parcel_id: int, why: str, now: datetime, conn: Connection) -> None:
    polls.put_aside(conn, parcel_id, why, now)


@contextlib.contextmanager
def stop_signals(until: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `until`."""
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, until.set)
    try:
        yield
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
