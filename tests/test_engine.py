"""Where the verbs run: rung, guarded and ended; the daemon's objects around them; one daemon per store."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from domain.messages import Urgency
from monitor import engine
from monitor.app import App, build_sweep, stop_signals
from monitor.config.settings import Settings, load
from monitor.engine import Engine
from monitor.net import Net
from monitor.single import only_one
from monitor.store import outbox
from monitor.store.database import Database, StoreError, StoreFull
from tests.conftest import opened
from tests.simulated import HOUR, T0, AtOnce, Hands, World, alarm, at, simulate

OFTEN = 0.01


@pytest.fixture(autouse=True)
def quiet_scheduler() -> Iterator[None]:
    """The engine turns APScheduler's own log down; the next test finds it as it was."""
    log = logging.getLogger("apscheduler")
    level = log.level
    yield
    log.setLevel(level)


def run(until_: Callable[[asyncio.Event, Engine], None]) -> tuple[Engine, list[dict[str, Any]]]:
    """Register verbs, ring until one of them says stop; what was logged."""

    async def main() -> Engine:
        until, bell = asyncio.Event(), Engine()
        until_(until, bell)
        async with asyncio.timeout(20):
            await bell.run(until)
        return bell

    with capture_logs() as logged:
        done = asyncio.run(main())
    return done, [dict(each) for each in logged]


def after(
    n: int, until: asyncio.Event, verb: Callable[[int], Awaitable[None] | None]
) -> Callable[[], Awaitable[None]]:
    """A verb that is told which ring it is, and stops the engine at the n-th."""
    rings = 0

    async def ring() -> None:
        nonlocal rings
        rings += 1
        if rings >= n:
            until.set()
        done = verb(rings)
        if done is not None:
            await done

    return ring


# ── rings ────────────────────────────────────────────────────────────────────────────────────────


def test_a_verb_is_rung_at_once_and_again() -> None:
    rung: list[int] = []
    run(lambda until, bell: bell.register("a", OFTEN, after(5, until, rung.append)))
    assert rung == [1, 2, 3, 4, 5]


def test_a_verb_with_a_long_interval_is_rung_at_the_start() -> None:
    rung: list[int] = []
    run(lambda until, bell: bell.register("a", 3600, after(1, until, rung.append)))
    assert rung == [1]


def test_one_run_at_a_time() -> None:
    inside: list[str] = []

    def verbs(until: asyncio.Event, bell: Engine) -> None:
        rung = asyncio.Event()

        async def slow() -> None:
            inside.append("in")
            await rung.wait()
            inside.append("out")

        def often(n: int) -> None:
            if n == 10:
                rung.set()

        bell.register("slow", OFTEN, slow)
        bell.register("often", OFTEN, after(12, until, often))

    run(verbs)
    assert inside == ["in", "out"] * (len(inside) // 2)
    assert inside.index("out") == 1


def test_a_failing_verb_ends_neither_the_others_nor_itself_and_is_logged_when_it_starts_and_ends() -> None:
    """style.md: an outage is logged twice."""

    def moods(n: int) -> None:
        match n:
            case 1 | 2 | 3:
                raise StoreFull("磁盘空间已满")
            case 4 | 5:
                raise ZeroDivisionError("division by zero")

    _, logged = run(lambda until, bell: bell.register("sweep", OFTEN, after(8, until, moods)))
    told = [(each["event"], each.get("why"), each.get("exc_info")) for each in logged]
    assert told == [
        ("verb fails", "StoreFull: 磁盘空间已满", False),
        ("verb fails", "ZeroDivisionError: division by zero", True),
        ("works again", None, None),
    ]


# ── the end (promise 8) ──────────────────────────────────────────────────────────────────────────


def test_what_runs_is_finished_before_the_end() -> None:
    seen: list[str] = []

    def verbs(until: asyncio.Event, bell: Engine) -> None:
        async def verb() -> None:
            until.set()
            while not bell.stopping:
                await asyncio.sleep(0)
            seen.append("finished, and began nothing new")

        bell.register("poll", 3600, verb)

    _, logged = run(verbs)
    assert seen == ["finished, and began nothing new"]
    assert logged == []


def test_what_does_not_end_is_cancelled_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "PATIENCE", OFTEN)
    seen: list[str] = []

    def verbs(until: asyncio.Event, bell: Engine) -> None:
        async def hangs() -> None:
            until.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        bell.register("hangs", 3600, hangs)

    _, logged = run(verbs)
    assert seen == ["cancelled"]
    assert [(each["event"], each["verb"]) for each in logged] == [("not finished in time", "hangs")]
    assert caplog.records == [], "the scheduler has nothing to add"


def test_its_patience_keeps_the_promise() -> None:
    """SIGTERM finishes leased work within ten seconds."""
    assert 5 <= engine.PATIENCE <= 10


def test_an_engine_without_verbs_ends_too() -> None:
    run(lambda until, bell: until.set())


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(which: signal.Signals) -> None:
    async def main() -> bool:
        until = asyncio.Event()
        with stop_signals(until):
            os.kill(os.getpid(), which)
            async with asyncio.timeout(5):
                await until.wait()
        return until.is_set()

    assert asyncio.run(main())


# ── the daemon's objects ─────────────────────────────────────────────────────────────────────────

CONFIG = """
store = "sqlite:///unused.db"
[[providers]]
name = "k100"
kind = "kuaidi100"
customer = "C1234567"
key = "K1234567"
carriers = ["zhongtong"]
[[channels]]
name = "ops"
kind = "dingtalk"
webhook = "https://oapi.dingtalk.com/robot/send?access_token=t1234567"
[[routes]]
channels = ["ops"]
[[policies]]
name = "本店"
rules.late_shipment = {limit = "LIMIT"}
"""


def settings_of(folder: Path, limit: str = "48h") -> Settings:
    path = folder / "parcelwatch.toml"
    path.write_text(CONFIG.replace("LIMIT", limit), "utf-8")
    return load(path, {})


@pytest.fixture
def world(database: Database) -> World:
    """Parcels, and rules to judge them by."""
    return World(database)


def app_of(world: World, folder: Path, limit: str = "48h", date: str = "") -> App:
    """The daemon on the world's store and clock, judging by the world's rules; DingTalk says yes to everything."""
    headers = {"Date": date} if date else {}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, json={"errcode": 0}))
    clock = world.clock
    built = App(settings_of(folder, limit), AtOnce(world.store), clock, Net(transport=transport))  # type: ignore[arg-type]
    built.net._on_call, built.sweep = built._heard, world.sweep
    return built


def sweep(app: App, world: World) -> None:
    simulate(app.sweep_tick, world.clock)


def test_a_poisoned_parcel_stops_only_itself(world: World, tmp_path: Path) -> None:
    """Promise 7: put aside, counted and shown; judged again when it is well."""
    parcels = world.import_many(3, paid=-60, shipped=None)
    world.store.write_now(
        lambda conn: conn.exec_driver_sql(f"UPDATE parcels SET journey = '{{' WHERE id = {parcels[1]}")
    )
    app = app_of(world, tmp_path)
    with capture_logs() as logged:
        sweep(app, world)
    assert world.column("SELECT parcel_id FROM findings WHERE rule = 'late_shipment' ORDER BY 1") == [
        parcels[0],
        parcels[2],
    ]
    [why] = world.column("SELECT why FROM parcels WHERE id = :id", id=parcels[1])
    assert why.startswith("无法判定：")
    assert world.column("SELECT count(*) FROM oddities WHERE source = 'sweep'") == [1]
    assert logged[0]["event"] == "a parcel cannot be judged"

    world.store.write_now(
        lambda conn: conn.exec_driver_sql(f"UPDATE parcels SET journey = '{{}}' WHERE id = {parcels[1]}")
    )
    sweep(app, world)
    assert len(world.column("SELECT id FROM findings WHERE rule = 'late_shipment'")) == 2, (
        "not before an hour"
    )
    world.clock.start += HOUR
    sweep(app, world)
    assert len(world.column("SELECT id FROM findings WHERE rule = 'late_shipment'")) == 3


def test_any_poison_is_put_aside_but_a_store_in_trouble_is_not_the_parcels_fault(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = world.import_("Z1", paid=-60, shipped=None)
    app = app_of(world, tmp_path)
    for trouble, caught in (
        (AssertionError("x"), True),
        (RecursionError("x"), True),
        (StoreFull("voll"), False),
    ):
        world.store.write_now(
            lambda conn: conn.exec_driver_sql(f"UPDATE due SET next_deadline_at = {_micros(world.now)}")
        )

        def trip(*_: object, trouble: Exception = trouble) -> None:
            raise trouble

        monkeypatch.setattr("monitor.sweep.judge", trip)
        if caught:
            sweep(app, world)
            [why] = world.column("SELECT why FROM parcels WHERE id = :id", id=parcel)
            assert type(trouble).__name__ in why
        else:
            with pytest.raises(StoreFull):
                sweep(app, world)


def _micros(moment: Any) -> int:
    return int(moment.timestamp()) * 1_000_000


def test_a_sweep_goes_on_until_nothing_is_due(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.app._SWEEP", 10)
    with opened(sqlite_url, tmp_path) as store:
        world = World(store)
        world.import_many(35)
        app = app_of(world, tmp_path)
        sweep(app, world)
        assert world.column(
            "SELECT count(*) FROM due WHERE next_deadline_at <= :now", now=_micros(world.now)
        ) == [0]
        app.db.writes = 0  # type: ignore[attr-defined]
        sweep(app, world)
        assert app.db.writes == 0, "an idle sweep writes nothing"  # type: ignore[attr-defined]


def test_a_sweep_that_is_told_to_stop_leaves_the_rest_for_the_next_start(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 8: SIGTERM finishes leased work within ten seconds, whatever has piled up."""
    monkeypatch.setattr("monitor.app._SWEEP", 10)
    with opened(sqlite_url, tmp_path) as store:
        world = World(store)
        world.import_many(35)
        app = app_of(world, tmp_path)
        app.engine._stopping = True
        sweep(app, world)
        due = "SELECT count(*) FROM due WHERE next_deadline_at <= :now"
        left = world.column(due, now=_micros(world.now))
        app.engine._stopping = False
        sweep(app, world)
        assert (left, world.column(due, now=_micros(world.now))) == ([35], [0])


def test_a_start_judges_again_only_under_another_policy(world: World, tmp_path: Path) -> None:
    """E5: also when it goes back to an earlier one."""
    world.import_("Z1", paid=-60, shipped=None, platform="taobao_tmall")
    sweep(app_of(world, tmp_path), world)
    touched = []
    for limit in ("48h", "48h", "72h", "72h", "48h", "48h"):
        simulate(app_of(world, tmp_path, limit).apply_policy, world.clock)
        [due] = world.column(
            "SELECT count(*) FROM due WHERE next_deadline_at <= :now", now=_micros(world.now)
        )
        touched.append(due)
        sweep(app_of(world, tmp_path, limit), world)
        world.clock.start += HOUR
    assert touched == [1, 0, 1, 0, 1, 0]


def test_a_start_that_is_cut_short_judges_again_the_next_time(world: World, tmp_path: Path) -> None:
    """SIGTERM within ten seconds (promise 8), and no parcel left under the policy of before."""
    world.import_("Z1", paid=-60, shipped=None, platform="taobao_tmall")
    sweep(app_of(world, tmp_path), world)
    stopped = asyncio.Event()
    stopped.set()
    due = "SELECT count(*) FROM due WHERE next_deadline_at <= :now"

    simulate(lambda: app_of(world, tmp_path, "72h").apply_policy(stopped), world.clock)
    assert world.column(due, now=_micros(world.now)) == [0]

    simulate(app_of(world, tmp_path, "72h").apply_policy, world.clock)
    assert world.column(due, now=_micros(world.now)) == [1]


def test_a_start_says_again_what_was_leaving(world: World, tmp_path: Path) -> None:
    world.put(alarm("m", urgency=Urgency.CRITICAL))
    world.store.write_now(lambda conn: outbox.begin(conn, [1], T0))
    app = app_of(world, tmp_path)
    simulate(app.prepare, world.clock)
    assert world.states() == {"waiting": 1}
    simulate(app.deliverer.tick, world.clock)
    assert world.states() == {"sent": 1}


def test_every_answer_tells_the_time_too(world: World, tmp_path: Path) -> None:
    world.put(alarm("m"))
    app = app_of(world, tmp_path, date="Tue, 10 Nov 2026 02:00:00 GMT")
    simulate(app.deliverer.tick, world.clock)
    world.clock.start = at(48)
    assert app.clock.now() == at(48) - (at(48) - T0), "two days ahead of its witness"
    assert isinstance(app.clock, Hands)


def test_the_links_lead_where_the_pages_are(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert (
        build_sweep(settings, "https://watch.example.com/").link("T-1")
        == "https://watch.example.com/tickets/T-1"
    )
    assert build_sweep(settings).link("T-1") == "", "no link to a page that is not there"


def test_a_carrier_without_an_account_is_asked_of_nobody(tmp_path: Path) -> None:
    feeds = build_sweep(settings_of(tmp_path)).feeds
    assert feeds("yuantong") is None
    found = feeds("zhongtong")
    assert found is not None
    assert (found[0], found[1].interval) == ("k100", HOUR / 2)


# ── one daemon per store ─────────────────────────────────────────────────────────────────────────


def test_a_second_daemon_on_the_same_store_does_not_start(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path) as one, opened(database_url, tmp_path) as other:
        for _ in "ab":  # the loser does not rub out who holds it
            with only_one(one), pytest.raises(StoreError, match="parcelwatch") as refused, only_one(other):
                pass
            assert socket.gethostname() in str(refused.value), "who holds it is told"
            assert str(os.getpid()) in str(refused.value)
        with only_one(other):
            pass


def test_a_daemon_that_failed_lets_go(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), only_one(database):
        raise ZeroDivisionError
    with only_one(database):
        pass
