"""How long the daemon takes to be ready with 1 million parcels in flight, and how much memory it then holds.

The real process is started on a store of that size and on an empty one, in turn; it is ready when it told the service
manager so (READY=1) *and* `/readyz` answers 200. The baseline of the same run is a bare Python that opens the same
file with sqlite3 and counts the parcels that are due. The page cache is warm: it is a restart that is measured.
Prints one JSON line; goals: 5 s and 400 MB.

    python bench/start.py [--parcels 1000000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO

from bench import sweep
from monitor.clock import wall
from monitor.config.settings import load
from monitor.reschedule import finished
from monitor.store import meta
from monitor.store.database import Database, migrate

ROOT = Path(__file__).parents[1]
SETTLE = 10.0
"""Seconds after which the memory is read: every verb was rung by then."""
BARE = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1])
store.execute("SELECT count(*) FROM due WHERE next_deadline_at <= ?", (time.time_ns() // 1000,)).fetchone()
print("ready", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Start:
    """One start: seconds until it is ready, and its memory in MB then, and at most until it was stopped."""

    seconds: float
    resident: float
    peak: float


def configured(folder: Path, parcels: int) -> Path:
    """A configuration with a store of that many parcels in flight, none of them due."""
    config = folder / "parcelwatch.toml"
    config.write_text(
        f"""
store = "sqlite:///{folder}/store.db"
[web]
port = {free_port()}
[[providers]]
name = "k100"
kind = "kuaidi100"
base_url = "http://127.0.0.1:9"
customer = "C1234567"
key = "K1234567"
carriers = ["*"]
[log]
format = "json"
""",
        "utf-8",
    )
    url = f"sqlite:///{folder}/store.db"
    migrate(url)
    sweep.NOW = wall()
    with closing(Database.open(url)) as store:
        sweep.fill(store, parcels)
        book = load(config).book
        store.write_now(lambda conn: meta.note_policy(conn, book.version, book.describe(), sweep.NOW))
        store.write_now(lambda conn: finished(conn, book.version, sweep.NOW))
    return config


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as there:
        return int(there.getsockname()[1])


def daemon(config: Path) -> Start:
    """Start the real thing, wait until it is ready, let it work a while, stop it."""
    port = next(line for line in config.read_text().splitlines() if line.startswith("port")).split()[-1]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        address = str(config.parent / "notify")
        Path(address).unlink(missing_ok=True)
        ear.bind(address)
        ear.settimeout(120)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": address}
        command = [sys.executable, "-m", "monitor", "run", "-c", str(config)]

        def ready(_: subprocess.Popen[bytes]) -> None:
            while not ear.recv(65536).startswith(b"READY=1"):
                pass
            until_200(f"http://127.0.0.1:{port}/readyz")

        return timed(command, env, ready, SETTLE)


def bare(config: Path) -> Start:
    """Python and sqlite3 on the same file."""

    def ready(process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

    return timed([sys.executable, "-c", BARE, str(config.with_name("store.db"))], dict(os.environ), ready, 0)


def timed(
    command: list[str], env: dict[str, str], ready: Callable[[subprocess.Popen[bytes]], None], settle: float
) -> Start:
    with tempfile.TemporaryFile() as log:
        try:
            return _timed(command, env, ready, settle, log)
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode())
            raise


def _timed(
    command: list[str],
    env: dict[str, str],
    ready: Callable[[subprocess.Popen[bytes]], None],
    settle: float,
    log: IO[bytes],
) -> Start:
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    try:
        ready(process)
        seconds = time.perf_counter() - began
        resident = memory(process.pid, "VmRSS")
        time.sleep(settle)
        return Start(seconds, resident, memory(process.pid, "VmHWM"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def until_200(url: str) -> None:
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60):
                return
        except urllib.error.URLError:
            time.sleep(0.02)


def memory(pid: int, name: str) -> float:
    """A field of the kernel's own account of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        full, empty = (Path(place) / name for name in ("full", "empty"))
        full.mkdir()
        empty.mkdir()
        large, none = configured(full, options.parcels), configured(empty, 0)
        rounds = [(daemon(large), daemon(none), bare(large)) for _ in range(options.rounds)]
    seconds = [median(start.seconds for start in column) for column in zip(*rounds, strict=True)]
    resident = [median(start.resident for start in column) for column in zip(*rounds, strict=True)]
    print(
        json.dumps(
            {
                "bench": "start",
                "parcels": options.parcels,
                "ready_s": round(seconds[0], 2),
                "ready_empty_s": round(seconds[1], 2),
                "bare_s": round(seconds[2], 3),
                "ratio_to_empty": round(median(a.seconds / b.seconds for a, b, _ in rounds), 2),
                "ratio_to_bare": round(median(a.seconds / c.seconds for a, _, c in rounds), 1),
                "resident_mb": round(resident[0]),
                "resident_empty_mb": round(resident[1]),
                "resident_bare_mb": round(resident[2]),
                "peak_mb": round(max(a.peak for a, _, _ in rounds)),
            }
        )
    )


if __name__ == "__main__":
    main()
