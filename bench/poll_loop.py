"""The poll loop against a bare client loop on the same transport, both asking the same server.

A raw-socket server in another process answers every query at once with a 2 KB 快递100 reply. The bare
loop posts the same bytes over the same httpx transport and parses the JSON; ours claims due parcels,
asks through the driver, and keeps what follows in the store (SQLite, synchronous=FULL). Rounds
alternate. `ratio_unchanged` is the steady state (most answers repeat the last one), `ratio_fresh` the
round in which every answer is new. Prints one JSON line.

    python bench/poll_loop.py [--parcels 3000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import median

import httpx
from httpx_aiohttp import AiohttpTransport
from sqlalchemy import Connection, update

from carriers.base import Question
from domain.orders import Order, Waybill
from domain.time import to_micros
from monitor.app import App
from monitor.clock import Clock
from monitor.config.settings import load
from monitor.store import parcels, schema
from monitor.store.database import Database, migrate
from monitor.store.parcels import Incoming

LANES = 20
START = datetime(2026, 11, 11, 2, tzinfo=UTC)
CONFIG = """
store = "sqlite:///bench.db"
[[providers]]
name = "k100"
kind = "kuaidi100"
base_url = "http://127.0.0.1:{port}"
customer = "C"
key = "K"
carriers = ["*"]
ceilings = {{per_waybill_interval = "1s", per_waybill_daily = 48, per_second = 100000, concurrency = {lanes}}}
"""


def reply(waybill_no: str) -> bytes:
    """A parcel under way for a day, about 2 KB."""
    words = ["【杭州余杭】已揽收", "离开【杭州转运中心】，发往【北京转运中心】", "快件到达【北京转运中心】"]
    data = [
        {
            "time": f"2026-11-11 {hour:02d}:11:12",
            "ftime": f"2026-11-11 {hour:02d}:11:12",
            "context": words[min(hour // 3, 2)],
            "areaCode": "CN330110000000",
            "areaName": "浙江,杭州市,余杭区",
            "status": "在途",
            "statusCode": "103" if hour == 1 else "1002",
        }
        for hour in range(9, 0, -1)
    ]
    body = {"message": "ok", "nu": waybill_no, "ischeck": "0", "com": "zhongtong", "status": "200"}
    return json.dumps({**body, "state": "1002", "data": data}, ensure_ascii=False).encode()


def serve(pipe: Pipe) -> None:
    """Answer every POST with the reply of the number it asks for."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})

    class Answers(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.out = transport
            self.held = b""

        def data_received(self, data: bytes) -> None:
            self.held += data
            while b"\r\n\r\n" in self.held:
                head, _, rest = self.held.partition(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                if len(rest) < size:
                    return
                number = rest[:size].split(b"num%22%3A%22")[1][:14].decode()
                body = reply(number)
                self.held = rest[size:]
                line = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                self.out.write(line.encode() + body)  # type: ignore[attr-defined]

    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        server = await asyncio.get_running_loop().create_server(Answers, sock=listener)
        pipe.send(listener.getsockname()[1])
        async with server:
            await server.serve_forever()

    asyncio.run(main())


class Hands(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.at = START

    def now(self) -> datetime:
        return self.at


async def bare(app: App, numbers: list[str]) -> float:
    """The same questions with nothing around them."""
    provider = app.settings.providers[0].provider
    gate = asyncio.Semaphore(LANES)
    transport = AiohttpTransport(limits=httpx.Limits(max_connections=LANES, max_keepalive_connections=LANES))
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:

        async def one(number: str) -> None:
            request = next(provider.ask([Question(Waybill("zhongtong", number))], START))
            async with gate:
                answer = await client.post(
                    request.url, content=request.content, headers=dict(request.headers)
                )
                assert json.loads(answer.content)["nu"] == number

        started = time.perf_counter()
        await asyncio.gather(*(one(number) for number in numbers))
        return len(numbers) / (time.perf_counter() - started)


async def ours(app: App, count: int) -> float:
    """One tick of the poller with everything due."""
    started = time.perf_counter()
    done = await app.pollers[0].tick()
    seconds = time.perf_counter() - started
    assert done.parcels == count, done
    return count / seconds


def all_due(conn: Connection, at: datetime) -> None:
    conn.execute(update(schema.due).values(next_poll_at=to_micros(at)))


async def race(app: App, clock: Hands, numbers: list[str], rounds: int) -> dict[str, float]:
    """Alternate; the first of our rounds is the fresh one."""
    plain, same, fresh = [], [], 0.0
    for turn in range(rounds + 1):
        plain.append(await bare(app, numbers))
        clock.at += timedelta(minutes=31)
        await app.db.write(lambda conn: all_due(conn, clock.at))
        rate = await ours(app, len(numbers))
        fresh, same = (rate, same) if turn == 0 else (fresh, [*same, rate])
    await app.net.close()
    return {"bare": median(plain), "unchanged": median(same), "fresh": fresh}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    numbers = [f"75{n:012d}" for n in range(asked.parcels)]
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    port = mine.recv()
    try:
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "parcelwatch.toml"
            config.write_text(CONFIG.format(port=port, lanes=LANES), "utf-8")
            settings = load(config)
            migrate(settings.store)
            with closing(Database.open(settings.store)) as db:
                paid = START - timedelta(hours=26)
                orders = [
                    Incoming(
                        Order(f"O{number}", platform="taobao_tmall", paid_at=paid, shipped_at=paid),
                        (Waybill("zhongtong", number),),
                        "",
                        START,
                    )
                    for number in numbers
                ]
                db.write_now(lambda conn: parcels.intake(conn, orders, START))
                clock = Hands()
                app = App(settings, db, clock)
                asyncio.run(app.sweep_tick())
                rates = asyncio.run(race(app, clock, numbers, asked.rounds))
    finally:
        server.terminate()
        server.join()
    print(
        json.dumps(
            {
                "bench": "poll_loop",
                "parcels": asked.parcels,
                "bare_per_second": round(rates["bare"]),
                "unchanged_per_second": round(rates["unchanged"]),
                "fresh_per_second": round(rates["fresh"]),
                "ratio_unchanged": round(rates["unchanged"] / rates["bare"], 3),
                "ratio_fresh": round(rates["fresh"] / rates["bare"], 3),
            }
        )
    )


if __name__ == "__main__":
    main()
