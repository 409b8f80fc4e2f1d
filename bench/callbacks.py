"""Signed pushes stored durably before the answer, against an empty handler in the same server.

One server process on a core of its own, one client on the other with so many kept connections. Three ways, in rounds
that alternate so that a noisy machine hits all alike:

- `empty`: a route of the console's own server that reads the body and answers, behind the same door (FastAPI);
- `bare`: the same without a framework, at the place where the callbacks stand: the floor of the server itself;
- `callbacks`: 快递100's pushes (a form of 1.5 KB with four scans, one of them new), the signature checked, stored in
  SQLite with `synchronous=FULL` before the answer; 5 % forged and 5 % played again are among them.

`ratio` is answers a second of `callbacks` to `empty` (goal 0.6), `bare_ratio` to `bare`. `kept_per_second` is what is
left of it when everything a push says, with its judgement, has to be kept before the clock stops. `cpu_ratio` and
`bare_cpu_ratio` are the same by the server's processor time, reading's share of it included: answers that leave
together cost fewer wake-ups, so by the clock on the wall a busy machine flatters us. Prints one JSON line.

    python bench/callbacks.py [--pushes 6000] [--rounds 5] [--connections 64]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import md5
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.orders import Order, Waybill
from domain.time import SHANGHAI
from monitor.app import App
from monitor.clock import Clock
from monitor.config.settings import load
from monitor.store import parcels, pushes
from monitor.store.database import Database, migrate
from monitor.store.parcels import Incoming
from monitor.vitals import Vitals
from monitor.web.context import Context
from monitor.web.server import serve
from monitor.web.site import make_site

SALT = "pepper"
CONFIG = f"""
store = "sqlite:///bench.db"
[[providers]]
name = "k100"
kind = "kuaidi100"
customer = "C"
key = "K"
salt = "{SALT}"
push = true
carriers = ["*"]
"""
OK = b'{"result":true,"returnCode":"200","message":"ok"}'
WORDS = (
    "【杭州余杭】已揽收",
    "离开【杭州转运中心】，发往【北京转运中心】",
    "快件到达【北京转运中心】",
    "派件员正在派件",
)


def push(number: str, scans: int, forged: bool = False) -> bytes:
    """A push of the whole list, newest first."""
    start = datetime.now(UTC) - timedelta(hours=9)
    rows = [
        {
            "time": f"{(start + timedelta(hours=n)).astimezone(SHANGHAI):%Y-%m-%d %H:00:00}",
            "context": WORDS[n % len(WORDS)],
            "areaName": "浙江,杭州市,余杭区",
            "status": "在途",
            "statusCode": "103" if n == 0 else "1002",
        }
        for n in range(scans)
    ]
    result = {
        "message": "ok",
        "state": "1002",
        "status": "200",
        "com": "zhongtong",
        "nu": number,
        "data": rows[::-1],
    }
    param = json.dumps(
        {"status": "polling", "message": "", "autoCheck": "0", "lastResult": result}, ensure_ascii=False
    )
    sign = md5(f"{param}{'wrong' if forged else SALT}".encode()).hexdigest().upper()
    return urlencode({"param": param, "sign": sign}).encode()


def batch(n: int, seed: int) -> list[bytes]:
    """n pushes, each of a parcel of its own; 5 % forged, 5 % played again."""
    rng = random.Random(seed)
    made: list[bytes] = []
    for i in range(n):
        if made and rng.random() < 0.05:
            made.append(rng.choice(made))
        else:
            made.append(push(f"Z{i:06d}", 1 + seed % 8, forged=rng.random() < 0.05))
    return made


def site(folder: Path, n: int) -> tuple[ASGIApp, App, Database]:
    """The console over a store with n parcels, with the two empty handlers beside it."""
    path = folder / "parcelwatch.toml"
    path.write_text(CONFIG, "utf-8")
    settings = load(path)
    migrate(settings.store)
    store, clock, now = Database.open(settings.store), Clock(), Clock().now()
    rows = [
        Incoming(
            Order(f"o{i}", paid_at=now - timedelta(hours=12)), (Waybill("zhongtong", f"Z{i:06d}"),), "", now
        )
        for i in range(n)
    ]
    store.write_now(lambda conn: parcels.intake(conn, rows, now))
    app = App(settings, store, clock)
    context = Context(store, clock.now, lambda: settings, Vitals(now), lambda: app.callbacks)
    router = APIRouter()

    @router.post("/api/empty")
    async def empty(request: Request) -> Response:
        await request.body()
        return Response(OK, media_type="application/json")

    whole = make_site(context, routers=[router])

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/bare":
            await whole(scope, receive, send)
            return
        while (await receive()).get("more_body", False):
            pass
        length = (b"content-length", str(len(OK)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": OK})

    return either, app, store


def serving(sock: socket.socket, pipe: Pipe, n: int) -> None:
    """The server's process: tells how many pushes wait when it is asked."""
    pin(0)
    with tempfile.TemporaryDirectory(prefix="parcelwatch-bench-") as folder:
        handler, _, store = site(Path(folder), n)

        async def main() -> None:
            until = asyncio.Event()
            running = asyncio.create_task(serve(handler, sock, until))
            pipe.send("ready")
            loop = asyncio.get_running_loop()
            loop.add_reader(pipe.fileno(), lambda: asked(until))
            await running

        def asked(until: asyncio.Event) -> None:
            match pipe.recv():
                case "stop":
                    until.set()
                case "cpu":
                    pipe.send(time.process_time())
                case _:
                    pipe.send(store.read_now(pushes.depth))

        with closing(store):
            asyncio.run(main())


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


async def fire(port: int, path: str, bodies: list[bytes], connections: int) -> tuple[float, dict[int, int]]:
    """Post them all over kept connections; seconds, and how often each status came."""
    left = iter(bodies)
    statuses: dict[int, int] = {}

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in left:
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            status = int(answer[9:12])
            statuses[status] = statuses.get(status, 0) + 1
            length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return time.perf_counter() - began, statuses


def rounds(port: int, pipe: Pipe, args: argparse.Namespace) -> list[dict[str, float]]:
    """Answers a second of each way, round by round."""
    found: list[dict[str, float]] = []
    for number in range(args.rounds):
        bodies, rates = batch(args.pushes, number), dict[str, float]()
        for name, path in (("empty", "/api/empty"), ("bare", "/bare"), ("callbacks", "/callbacks/k100")):
            cpu = told(pipe, "cpu")
            seconds, statuses = asyncio.run(fire(port, path, bodies, args.connections))
            rates[f"{name} cpu"] = (told(pipe, "cpu") - cpu) / len(bodies)
            rates[name] = len(bodies) / seconds
            if name == "callbacks":
                began = time.perf_counter()
                assert set(statuses) <= {200, 404}, statuses
                while told(pipe, "depth"):
                    time.sleep(0.02)
                rates["kept"] = statuses[200] / (seconds + time.perf_counter() - began)
        found.append(rates)
    return found


def told(pipe: Pipe, what: str) -> float:
    """What the server's process says: how many pushes wait, or its processor seconds."""
    pipe.send(what)
    said: Any = pipe.recv()
    return float(said)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pushes", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    args = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as sock:
        server = multiprocessing.Process(target=serving, args=(sock, theirs, args.pushes), daemon=True)
        server.start()
        port = sock.getsockname()[1]
    ours.recv()
    pin(1)
    found = rounds(port, ours, args)
    ours.send("stop")
    server.join(20)
    rate = {name: round(median(each[name] for each in found)) for name in found[0]}

    def by_cpu(name: str) -> float:
        return round(median(each[f"{name} cpu"] / each["callbacks cpu"] for each in found), 3)

    print(
        json.dumps(
            {
                "bench": "callbacks",
                "ratio": round(median(each["callbacks"] / each["empty"] for each in found), 3),
                "goal": 0.6,
                "bare_ratio": round(median(each["callbacks"] / each["bare"] for each in found), 3),
                "cpu_ratio": by_cpu("empty"),
                "bare_cpu_ratio": by_cpu("bare"),
                "answers_per_second": {name: rate[name] for name in ("empty", "bare", "callbacks")},
                "kept_per_second": rate["kept"],
                "pushes": args.pushes,
                "connections": args.connections,
                "rounds": args.rounds,
            }
        )
    )


if __name__ == "__main__":
    main()
