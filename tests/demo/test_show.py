"""`parcelwatch demo` for real: the whole product on loopback, watched through its own page."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import func, select

from domain.time import to_micros
from monitor.demo.faults import Fault
from monitor.demo.show import PortTaken, Stage, Timing, play, stage
from monitor.store import schema

NINE = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
NEVER = timedelta(days=1)
Feed = dict[str, Any]


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


class Watcher:
    """Somebody with the page open."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def feed(self) -> Feed:
        async with self._session.get(f"{self._url}/feed.json") as reply:
            found: Feed = await reply.json()
            return found

    async def read(self, path: str) -> str:
        async with self._session.get(self._url + path) as reply:
            return await reply.text()

    async def until(self, holds: Callable[[Feed], bool], what: str, within: float = 20) -> Feed:
        """The first feed for which something holds; looks four times a second."""
        feed: Feed = {}
        try:
            async with asyncio.timeout(within):
                while not holds(feed := await self.feed()):
                    await asyncio.sleep(0.25)
                return feed
        except TimeoutError:
            pytest.fail(f"not within {within:.0f} s: {what}; last seen: {feed}")


def run(scenario: Callable[[Stage, Watcher], Awaitable[None]], speed: float = 1200) -> Path:
    """Set the demo up, let it play, watch it; the folder it worked in."""
    timing = Timing(timedelta(seconds=2), NEVER, NEVER, NEVER)

    async def main() -> Path:
        until = asyncio.Event()
        async with stage(0, started_at=NINE, speed=speed) as scene, aiohttp.ClientSession() as session:
            playing = asyncio.create_task(play(scene, until, timing))
            watching = asyncio.ensure_future(scenario(scene, Watcher(session, scene.url)))
            await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
            until.set()
            await asyncio.gather(playing, watching)
        return scene.folder

    return asyncio.run(main())


def busy() -> float:
    """How many times longer things take while others use the machine too."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def numbers(feed: Feed) -> set[str]:
    return {ticket["number"] for ticket in feed["tickets"]}


def about_the_feed(feed: Feed) -> list[str]:
    """The groups' messages about the tracking provider, by their first line."""
    return [message["title"] for message in feed["messages"] if "[数据源]" in message["title"]]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_two_minutes_of_the_show_at_speed(connections):
    """What a visitor sees: tickets soon, new ones, an outage that accuses nobody, its end."""

    async def scenario(scene: Stage, watcher: Watcher) -> None:
        first = await watcher.until(
            lambda feed: (
                len({ticket["rule"] for ticket in feed["tickets"]}) >= 3
                and {"warning", "breach"} <= {ticket["stage"] for ticket in feed["tickets"]}
                and {message["platform"] for message in feed["messages"] if message["taken"]}
                == {"dingtalk", "wecom", "onebot"}
            ),
            "tickets of three rules and two stages, messages in three groups",
            within=10 * busy(),
        )
        await watcher.until(lambda feed: bool(numbers(feed) - numbers(first)), "new tickets")
        await _outage(scene, watcher)

    folder = run(scenario)
    assert not folder.exists()
    assert connections
    assert all(ip_address(address).is_loopback for address in connections)


async def _outage(scene: Stage, watcher: Watcher) -> None:
    scene.provider.turn(Fault.BAD_GATEWAY)
    dark = await watcher.until(lambda feed: bool(about_the_feed(feed)), "the outage is told")
    down_at = moment(dark["now"])
    later = down_at + timedelta(hours=2)
    await watcher.until(lambda feed: moment(feed["now"]) > later, "two hours in the dark")
    assert (await watcher.feed())["sources"][0]["state"] == "down"
    scene.provider.turn(Fault.OK)
    back_at = scene.clock.now()
    light = await watcher.until(lambda feed: len(about_the_feed(feed)) == 2, "the end is told")
    assert [title.partition("，")[0] for title in about_the_feed(light)] == [
        "[数据源] 快递100 查询中断",
        "[数据源] 快递100 已恢复",
    ]
    assert accused(scene, down_at, back_at) == 0
    await watcher.until(lambda feed: bool(numbers(feed) - numbers(dark)), "work goes on")


def accused(scene: Stage, since: datetime, until: datetime) -> int:
    """How many parcels were accused of anything in between."""
    found = schema.findings.c.found_at
    query = (
        select(func.count())
        .select_from(schema.findings)
        .where(found > to_micros(since), found < to_micros(until))
    )
    return int(scene.db.read_now(lambda conn: conn.execute(query).scalar_one()))


def test_a_ticket_of_the_show_opens_with_its_script_and_its_clocks():
    async def scenario(scene: Stage, watcher: Watcher) -> None:
        feed = await watcher.until(lambda feed: bool(feed["tickets"]), "a ticket")
        ticket = feed["tickets"][0]
        parcel = scene.world.find(ticket["carrier"], ticket["waybill_no"])
        assert parcel is not None
        text = await watcher.read(f"/tickets/{ticket['number']}")
        assert parcel.order.order_no in text
        assert "模拟剧本" in text
        assert "<svg" in text

    run(scenario)


def test_a_taken_port_is_said_with_another_to_try():
    async def main() -> None:
        async with stage(0, started_at=NINE) as scene:
            port = int(scene.url.rpartition(":")[2])
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
