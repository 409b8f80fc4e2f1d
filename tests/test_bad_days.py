"""A provider's bad days, each of them through the real poller over a real connection (laws L1, L7; "Bad input").

Every kind that can be asked is pointed at a server on this machine that answers as badly as services do. Whatever it
says, the parcel's known scans stay, nothing is proven by it, and nobody is accused though every limit has passed.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, get_type_hints

import pytest

from carriers.base import Provider, kinds
from domain.orders import Waybill
from domain.remote import Secret
from domain.tracking import Answer
from monitor.config.accounts import ProviderAccount
from monitor.feeds.feed import FeedState
from monitor.net import Net, Timeouts
from monitor.polling.keeping import Keeper
from monitor.polling.poll import Poller
from monitor.polling.told import Told
from monitor.store import outbox
from monitor.store import parcels as parcels_
from monitor.store.parcels import Incoming
from tests.carriers.conftest import NEEDED
from tests.conftest import opened
from tests.simulated import HOUR, HUB, PICKED, T0, Robot, World, at, order, scans

KINDS = sorted(kind for kind, cls in kinds().items() if cls.asks)
CARRIERS = {
    "zto": "zhongtong",
    "sto": "shentong",
    "yunda": "yunda",
    "jt": "jtexpress",
    "jdl": "jd",
    "ems": "ems",
}
CARRIERS |= {"deppon": "debangkuaidi", "sf": "shunfeng", "yto": "yuantong"}
SAMPLES = Path(__file__).parent / "carriers" / "samples"
PATIENCE = Timeouts(total=timedelta(seconds=0.3), backoff=timedelta(0))
HTML = "<html><head><title>502</title></head><body>网关错误</body></html>".encode()


@dataclass(frozen=True)
class Day:
    """What the server does: a body under a status, or something worse."""

    body: bytes = b""
    status: int = 200
    deed: str = ""


DAYS = {
    "garbage": Day(b"\xff\xfe\x00\x01\x1f\x8b"),
    "HTML": Day(HTML),
    "HTML of a gateway": Day(HTML, 502),
    "a redirect to a login": Day(HTML, 302),
    "empty": Day(),
    "an empty object": Day(b"{}"),
    "cut in the middle": Day(b'{"status":"200","data":[{"time":"2026-05-05 19'),
    "cut by the network": Day(deed="cut"),
    "hanging": Day(deed="hang"),
    "resetting": Day(deed="reset"),
    "ten megabytes": Day(b'{"data":"' + b"x" * 10_000_000 + b'"}'),
    "ten megabytes of brackets": Day(b"[" * 10_000_000),
    "a lapsed key": Day(b'{"code":401,"message":"key expired"}', 401),
    "busy": Day(b'{"code":429}', 429),
}


@asynccontextmanager
async def serving(answer: Callable[[int], Day]) -> Any:
    """A server that answers its n-th request with `answer(n)`; gives its address and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (
                        int(line[15:])
                        for line in head.lower().split(b"\r\n")
                        if line[:15] == b"content-length:"
                    ),
                    0,
                )
                asked.append(head + await reader.readexactly(length))
                await _answer(writer, answer(len(asked) - 1))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


async def _answer(writer: asyncio.StreamWriter, day: Day) -> None:
    if day.deed == "hang":
        await asyncio.sleep(30)
    if day.deed == "reset":
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionResetError
    size = 5000 if day.deed == "cut" else len(day.body)
    writer.write(
        f"HTTP/1.1 {day.status} X\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    writer.write(b'{"a":' if day.deed == "cut" else day.body)
    await writer.drain()
    if day.deed == "cut":
        raise ConnectionResetError


def specimen(kind: str, address: str) -> Provider:
    """An account of the kind whose every address is the server's."""
    cls = kinds()[kind]
    hints = get_type_hints(cls)
    given: dict[str, Any] = dict(NEEDED.get(kind, {}))
    for each in fields(cls):  # type: ignore[arg-type]
        bare = each.default is MISSING and each.default_factory is MISSING
        if each.name.endswith("_url"):
            given[each.name] = address
        elif bare and each.name not in given:
            said = f"HIDE-{each.name}-ME"
            given[each.name] = Secret(said) if hints[each.name] is Secret else f"invented-{each.name}"
    return cls(**given)


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    with opened(sqlite_url, tmp_path) as store:
        yield World(store, [Robot("ops")], carriers=frozenset({"*"}))


def on_its_way(world: World, carrier: str, n: int = 1) -> list[int]:
    """Parcels with two scans, the last one long ago: every limit passes while nobody can see them."""
    found = []
    for i in range(n):
        rows = [Incoming(order(f"N{i:04d}"), (Waybill(carrier, f"N{i:04d}"),), "0036", T0)]
        [taken] = world.store.write_now(lambda conn, rows=rows: parcels_.intake(conn, rows, T0))
        [parcel] = taken.parcel_ids
        answer = Answer(carrier, f"N{i:04d}", tuple(scans((-1, PICKED), (0, HUB))))
        told = Told(parcel, answer, T0, T0, T0)
        world.store.write_now(lambda conn, told=told: Keeper("k100", (), world.sweep).keep(conn, [told], T0))
        found.append(parcel)
    world.set(80)
    world.tick()
    return found


def spend_the_day(
    world: World, kind: str, answer: Callable[[int], Day], ticks: int = 1
) -> tuple[Poller, list[bytes]]:
    """The poller asks about everything, so many times, an hour apart."""

    async def run() -> tuple[Poller, list[bytes]]:
        async with serving(answer) as (address, asked):
            provider = specimen(kind, address)
            account = ProviderAccount(
                "k100", kind, provider, frozenset({"*"}), world.account.ceilings, timedelta(0)
            )
            net = Net(timeout=PATIENCE)
            poller = Poller(account, world.db, net, world.sweep, world.clock, world.routes)  # type: ignore[arg-type]
            for _ in range(ticks):
                world.due_now()
                await poller.tick()
                world.clock.start += HOUR
            await net.close()
            return poller, asked

    return asyncio.run(run())


def nothing_is_claimed(world: World, parcels: list[int]) -> None:
    for parcel in parcels:
        assert world.loaded(parcel).case.observed_at == T0, "it proves nothing"
        assert world.open_findings(parcel) == {}
    assert world.column("SELECT count(*) FROM findings") == [0]
    assert world.column("SELECT count(*) FROM tickets") == [0]
    assert world.column("SELECT count(*) FROM events WHERE withdrawn_at IS NULL") == [2 * len(parcels)]
    assert world.column(
        "SELECT count(*) FROM oddities WHERE body LIKE '%HIDE-%' OR reason LIKE '%HIDE-%'"
    ) == [0]


def feed_news(world: World) -> list[str]:
    rows = world.store.read_now(lambda conn: outbox.waiting(conn, "ops", at(99_999), 1000))
    return [
        row.message.title.split("，")[0]
        for row in sorted(rows, key=lambda row: row.id)
        if row.message.kind == "feed"
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_no_bad_day_of_any_provider_proves_anything_or_accuses_anybody(world: World, kind: str) -> None:
    """One after the other."""
    parcels = on_its_way(world, CARRIERS.get(kind, "yuantong"))
    for name, day in DAYS.items():
        _, asked = spend_the_day(world, kind, lambda _, day=day: day)
        assert asked, name
        world.clock.start += 3 * HOUR  # who asked us to wait is asked again
        nothing_is_claimed(world, parcels)


def bent(told: Any, how: str) -> Any:
    """A reply with all of one thing changed."""
    if isinstance(told, dict):
        return {
            (f"{key}_v2" if how == "another name" else key): bent(each, how) for key, each in told.items()
        }
    if isinstance(told, list):
        return [bent(each, how) for each in told]
    if how == "numbers as text" and isinstance(told, (int, float)) and not isinstance(told, bool):
        return str(told)
    if how == "text as numbers" and isinstance(told, str) and told.isdecimal():
        return int(told)
    return None if how == "nothing in any field" else told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "how", ["numbers as text", "text as numbers", "another name", "nothing in any field"]
)
def test_a_field_that_changed_is_no_proof_either(world: World, kind: str, how: str) -> None:
    """Each saved reply of the kind, bent: read or not, it has nothing of what is known of this parcel."""
    parcels = on_its_way(world, CARRIERS.get(kind, "yuantong"))
    saved = [path for path in sorted((SAMPLES / kind).glob("*.json")) if ".golden" not in path.suffixes]
    replies = [json.dumps(bent(json.loads(path.read_bytes()), how)).encode() for path in saved]
    assert replies
    spend_the_day(world, kind, lambda n: Day(replies[n % len(replies)]), ticks=len(replies))
    nothing_is_claimed(world, parcels)


def test_a_key_that_lapses_at_night_is_told_once_and_at_once(world: World) -> None:
    parcels = on_its_way(world, "yuantong", 8)
    world.set(90)
    refusal = Day(b'{"result":false,"returnCode":"601","message":"KEY \xe5\xb7\xb2\xe8\xbf\x87\xe6\x9c\x9f"}')
    poller, asked = spend_the_day(world, "kuaidi100", lambda _: refusal, ticks=6)
    assert feed_news(world) == ["[数据源] k100 查询中断"]
    assert poller.feed.state is FeedState.DOWN
    assert len(asked) <= 8 + 6, "a refused key is not asked about over and over"
    nothing_is_claimed(world, parcels)


@pytest.mark.parametrize("name", ["HTML", "hanging", "resetting", "ten megabytes", "empty"])
def test_an_outage_of_any_kind_is_told_once_and_ends_once(world: World, name: str) -> None:
    parcels = on_its_way(world, "yuantong", 8)
    spend_the_day(world, "kuaidi100", lambda _: DAYS[name], ticks=4)
    assert feed_news(world) == ["[数据源] k100 查询中断"]
    nothing_is_claimed(world, parcels)

    rows = [
        {"time": "2026-11-10 10:00:00", "context": "in_transit 0"},
        {"time": "2026-11-10 09:00:00", "context": "picked_up -1"},
    ]
    well = json.dumps({"message": "ok", "status": "200", "state": "0", "data": rows}).encode()
    spend_the_day(world, "kuaidi100", lambda _: Day(well), ticks=2)
    assert feed_news(world) == ["[数据源] k100 查询中断", "[数据源] k100 已恢复"]
    accused = world.column("SELECT count(DISTINCT parcel_id) FROM findings")
    assert accused == [len(parcels)], "looked at again, and now it is true"
