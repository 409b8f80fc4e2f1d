"""`parcelwatch demo` for real: the whole product on loopback, watched from outside."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from sqlalchemy import Connection, func, select, text

from domain.time import to_micros
from monitor.demo.causes import Cause
from monitor.demo.dropped import NAME
from monitor.demo.show import WHO, PortTaken, Stage, Timing, play, stage
from monitor.demo.walk import Walk, read_walk
from monitor.store import providers, schema, tickets
from monitor.store.codec import read_message

NINE = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
NEVER = timedelta(days=1)


@pytest.fixture
def connections() -> Iterator[list[str]]:
    """Every address this process connects to meanwhile."""
    with _listening() as addresses:
        yield addresses


_ears: list[list[str]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _ears and isinstance(arguments[1], tuple):
        _ears[-1].append(str(arguments[1][0]))


sys.addaudithook(_hear)


@contextmanager
def _listening() -> Iterator[list[str]]:
    _ears.append([])
    try:
        yield _ears[-1]
    finally:
        _ears.pop()


@dataclass(frozen=True, repr=False)
class Feed:
    """What can be seen of the show at a moment."""

    now: datetime
    tickets: dict[str, list[str]]
    """Live ones: number and rules."""
    stages: set[str]
    source: str
    feeds: list[str]
    """First lines of the messages about the tracking provider, told alone or in a digest."""
    platforms: set[str]
    """Whose groups show something."""
    done: list[str]
    """The steps of the walk."""

    def __repr__(self) -> str:
        return f"{self.now:%d %H:%M}: {len(self.tickets)} tickets, source {self.source}, {self.feeds}"


class Watcher:
    """Somebody who looks at the store, the groups and the console."""

    def __init__(self, session: aiohttp.ClientSession, made: Stage) -> None:
        self._session, self._made = session, made

    async def feed(self) -> Feed:
        made, open_ = self._made, schema.findings.c.state == "open"
        rows = await made.db.read(tickets.listing)
        stages = await made.db.read(
            lambda conn: conn.execute(select(schema.findings.c.stage).where(open_).distinct()).scalars().all()
        )
        source = await made.db.read(lambda conn: providers.load(conn, "快递100"))
        return Feed(
            made.clock.now(),
            {row["number"]: row["rules"] for row in rows},
            set(stages),
            source.state,
            await made.db.read(_feeds),
            {item.platform for item in made.inbox.shown()},
            _done(await made.db.read(lambda conn: read_walk(conn, made.scene.steps, WHO))),
        )

    async def read(self, path: str, status: int = 200) -> str:
        async with self._session.get(self._made.url + path) as reply:
            assert reply.status == status
            return await reply.text()

    async def send(self, path: str, **form: str) -> tuple[int, str]:
        """Send a form as the page's own browser would: the status and where it leads."""
        headers = {"Origin": self._made.url, "Sec-Fetch-Site": "same-origin"}
        async with self._session.post(
            self._made.url + path, data=form, headers=headers, allow_redirects=False
        ) as reply:
            return reply.status, reply.headers.get("Location", "")

    async def until(self, holds: Callable[[Feed], bool], what: str, within: float = 20) -> Feed:
        """The first feed for which something holds; looks four times a second."""
        feed = await self.feed()
        try:
            async with asyncio.timeout(within * busy()):
                while not holds(feed):
                    await asyncio.sleep(0.25)
                    feed = await self.feed()
                return feed
        except TimeoutError:
            pytest.fail(f"not within {within:.0f} s: {what}; last seen: {feed}")


def _done(walk: Walk) -> list[str]:
    return [step.what for step in walk.steps if step.done]


def _feeds(conn: Connection) -> list[str]:
    outbox = schema.outbox
    told = outbox.c.state.in_(["sent", "folded"])
    query = select(outbox.c.message).where(outbox.c.kind == "feed", told).order_by(outbox.c.id)
    return [read_message(message).title for message in conn.execute(query).scalars()]


def run(
    scenario: Callable[[Stage, Watcher], Awaitable[None]], speed: float = 1200, outage: timedelta = NEVER
) -> Path:
    """Set the demo up, let it play, watch it; the folder it worked in."""
    timing = Timing(timedelta(seconds=2), outage, NEVER)

    async def main() -> Path:
        until = asyncio.Event()
        async with stage(0, started_at=NINE, speed=speed) as made, aiohttp.ClientSession() as session:
            playing = asyncio.create_task(play(made, until, timing))
            watching = asyncio.ensure_future(scenario(made, Watcher(session, made)))
            await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
            until.set()
            await asyncio.gather(playing, watching)
        return made.folder

    return asyncio.run(main())


def busy() -> float:
    """How many times longer things take while others use the machine too."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def lively(feed: Feed) -> bool:
    """Tickets of three rules and two stages, messages in three groups."""
    rules = {rule for rules in feed.tickets.values() for rule in rules}
    return (
        len(rules) >= 3
        and feed.stages >= {"warning", "breach"}
        and feed.platforms == {"dingtalk", "wecom", "onebot"}
    )


def test_two_minutes_of_the_show_at_speed(connections):
    """What a visitor sees: tickets soon, new ones, an outage that accuses nobody, its end."""

    async def scenario(made: Stage, watcher: Watcher) -> None:
        first = await watcher.until(lively, "a lively start", within=10)
        await watcher.until(lambda feed: bool(feed.tickets.keys() - first.tickets.keys()), "new tickets")
        await _outage(made, watcher)

    folder = run(scenario)
    assert not folder.exists()
    assert connections
    assert all(ip_address(address).is_loopback for address in connections)


async def _outage(made: Stage, watcher: Watcher) -> None:
    assert await watcher.send("/demo/press", cause="outage") == (303, "/demo")
    dark = await watcher.until(lambda feed: len(feed.feeds) == 1, "the outage is told")
    await watcher.until(lambda feed: feed.now > dark.now + timedelta(hours=2), "two hours in the dark")
    assert (await watcher.feed()).source == "down"
    assert await watcher.send("/demo/press", cause="heal") == (303, "/demo")
    back_at = made.clock.now()
    light = await watcher.until(lambda feed: len(feed.feeds) == 2, "the end is told")
    assert [title.partition("，")[0] for title in light.feeds] == [
        "[数据源] 快递100 查询中断",
        "[数据源] 快递100 已恢复",
    ]
    assert accused(made, dark.now, back_at) == 0
    await watcher.until(lambda feed: bool(feed.tickets.keys() - dark.tickets.keys()), "work goes on")


def accused(made: Stage, since: datetime, until: datetime) -> int:
    """How many parcels were accused of anything in between."""
    found = schema.findings.c.found_at
    query = (
        select(func.count())
        .select_from(schema.findings)
        .where(found > to_micros(since), found < to_micros(until))
    )
    return int(made.db.read_now(lambda conn: conn.execute(query).scalar_one()))


def test_every_way_in_is_walked_with_its_figures_on_the_pages():
    """Pushes with true signatures, orders out of an ERP, a file in the drop folder, and a bill with its limits."""

    async def scenario(made: Stage, watcher: Watcher) -> None:
        def counted(query: str) -> Any:
            return made.db.read_now(lambda conn: conn.execute(text(query)).scalar_one())

        async def until(query: str, what: str, within: float = 60) -> None:
            async with asyncio.timeout(within * busy()):
                while not counted(query):
                    await asyncio.sleep(0.25)

        await until("SELECT count(*) FROM imports WHERE origin = 'inbox'", "the drop folder is read")
        await until("SELECT count(*) FROM orders WHERE platform = 'douyin'", "the ERP is pulled")
        await until("SELECT count(*) FROM subscriptions WHERE state = 'open'", "numbers are subscribed")
        await until("SELECT sum(pushed) FROM feed_hours WHERE pushed > 0", "pushes are heard")
        assert counted("SELECT count(*) FROM pushes") < 50, "and read at once"
        assert made.pushes.pushed > 0
        assert counted("SELECT count(*) FROM oddities") == 0, "nothing of it is unreadable"
        assert counted("SELECT sum(failures) FROM pulls") == 0
        assert not (made.folder / "inbox" / NAME).exists(), "what was taken is put away"
        found = "SELECT count(*) FROM findings f JOIN order_parcels l ON l.parcel_id = f.parcel_id JOIN orders o ON o.id = l.order_id WHERE o.platform = 'douyin'"
        assert counted(found) == 0, "nothing goes wrong in that shop"
        sources = await watcher.read("/providers")
        for told in ("每日上限", "每月上限", "预计本月", "推送"):
            assert told in sources, told
        assert re.search(r"今日 ¥\s?\d", " ".join(sources.split())), "the bill has a figure"
        assert NAME in await watcher.read("/intake")

    run(scenario, speed=576)


def test_the_provider_fails_by_itself_when_nobody_causes_anything():
    async def scenario(made: Stage, watcher: Watcher) -> None:
        await watcher.until(lambda feed: feed.source == "down", "an outage by itself")
        assert [each.cause for each in made.scene.causes.pressed] == [Cause.OUTAGE]

    run(scenario, outage=timedelta(seconds=2))


def test_what_a_visitor_causes_is_not_disturbed_and_ends_by_itself():
    async def scenario(made: Stage, watcher: Watcher) -> None:
        await watcher.send("/demo/press", cause="mute")
        await watcher.until(lambda feed: feed.now > NINE + timedelta(hours=2), "two hours")
        assert [each.cause for each in made.scene.causes.pressed] == [Cause.MUTE]
        await watcher.until(lambda feed: not made.scene.causes.groups.only, "the robot may speak again")

    run(scenario, speed=2400, outage=timedelta(seconds=1))


def test_the_three_jobs_can_be_walked_through_and_tick_themselves_off():
    async def scenario(made: Stage, watcher: Watcher) -> None:
        await watcher.until(lambda feed: "breach" in feed.stages and "alert" in feed.done, "an alert")
        await asyncio.to_thread(_walk, made)

    def done(made: Stage) -> tuple[list[str], Walk]:
        walk = made.db.read_now(lambda conn: read_walk(conn, made.scene.steps, WHO))
        return _done(walk), walk

    def _walk(made: Stage) -> None:
        before, walk = done(made)
        assert before == ["alert"]
        with httpx.Client(base_url=made.url, headers={"Origin": made.url}, trust_env=False) as browser:
            number = walk.number
            assert number in browser.get("/demo").text
            assert browser.get(f"/tickets/{number}").status_code == 200
            for verb, form in (
                ("ack", {}),
                ("comment", {"text": "已致电承运商"}),
                ("resolve", {"text": "已补发"}),
            ):
                page = browser.get(f"/tickets/{number}").text
                version = re.search(r'name="version" value="(\d+)"', page)
                assert version is not None
                told = browser.post(f"/tickets/{number}/{verb}", data={**form, "version": version[1]})
                assert told.status_code == 303, told.text
            _, walk = done(made)
            assert walk.number == number
            for step in walk.of("merchant"):
                assert browser.get(step.path).status_code == 200
        finished, walk = done(made)
        assert finished == ["alert", "open", "ack", "comment", "resolve", "parcel", "policy"]
        assert walk.next is None

    run(scenario)


def test_a_taken_port_is_said_with_another_to_try():
    async def main() -> None:
        async with stage(0, started_at=NINE) as made:
            port = int(made.url.rpartition(":")[2])
            with pytest.raises(PortTaken, match=rf"端口 {port} 已被占用.*--port {port + 1}"):
                async with stage(port, started_at=NINE):
                    pass

    asyncio.run(main())


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_and_ends_without_a_trace(ending: signal.Signals, tmp_path: Path):
    command = [sys.executable, "-m", "monitor", "demo", "--port", "0"]
    surroundings = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            assert demo.stdout is not None
            said = [demo.stdout.readline() for _ in range(2)]
            assert re.search(r"http://127\.0\.0\.1:\d+", said[0])
            assert "parcelwatch check" in said[1]
            assert list(tmp_path.iterdir()), "it works in a temporary folder"
            demo.send_signal(ending)
            _, complaints = demo.communicate(timeout=30)
        finally:
            demo.kill()
    assert demo.returncode == 0
    assert complaints == ""
    assert not list(tmp_path.iterdir())
