"""The stage of an end-to-end test: an installation of the product, and the peers it is pointed at."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from monitor.clock import wall
from tests.e2e.peers import Parcel, Peers, save_orders
from tests.e2e.processes import ROOT, Fresh, Nursery, Process
from tests.e2e.waiting import until


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its `--json`."""
        return self.json_of(0)

    def json_of(self, code: int) -> Any:
        """Its `--json` where it ends with this code."""
        assert self.code == code, self
        return json.loads(self.out)


@dataclass
class Installation:
    """`parcelwatch` in a folder of its own, with the processes started there."""

    folder: Path
    nursery: Nursery
    postgresql: str = ""
    """The store's address where it is not a SQLite file in the folder."""
    daemons: list[Process] = field(default_factory=list)
    _commands: int = 0

    @property
    def file(self) -> Path:
        """The SQLite store's."""
        return self.folder / "parcelwatch.db"

    @property
    def store(self) -> str:
        """Its address."""
        return self.postgresql or f"sqlite:///{self.file}"

    def configure(self, text: str) -> None:
        path = self.folder / "parcelwatch.toml"
        path.touch(0o600)
        path.write_text(text, "utf-8")

    @property
    def log(self) -> str:
        """What the daemons wrote, one line of JSON each."""
        path = self.folder / "daemon.log"
        return path.read_text("utf-8") if path.exists() else ""

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one kind."""
        lines = (line for line in self.log.splitlines() if line.startswith("{"))
        return [entry for line in lines if (entry := json.loads(line)).get("event") == event]

    def command(self, *argv: str) -> Done:
        """Run a command to its end."""
        self._commands += 1
        out, err = (self.folder / f"command-{self._commands}.{name}" for name in ("out", "err"))
        process = self.nursery.start("parcelwatch", argv, self.folder, out, err)
        return Done(process.wait(), out.read_text("utf-8"), err.read_text("utf-8"))

    def waiting(self) -> list[tuple[str, str, int]]:
        """Channel, state and attempts of every message that is not out yet; looked up without a process."""
        return self.query("SELECT channel, state, attempts FROM outbox WHERE state IN ('waiting', 'sending')")

    def query(self, statement: str) -> list[Any]:
        """Rows of the store, while others are at it."""
        if self.postgresql:
            with psycopg.connect(self.postgresql) as conn:
                return conn.execute(statement.encode()).fetchall()
        with closing(sqlite3.connect(f"{self.file.as_uri()}?mode=ro", uri=True)) as store:
            return store.execute(statement).fetchall()

    def listing(self, name: str, *more: str) -> list[dict[str, Any]]:
        """`parcelwatch NAME … --json`."""
        rows: list[dict[str, Any]] = self.command(name, *more, "--json").json
        return rows

    def start(
        self, *, fresh: bool = False, clock: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """The daemon, once it is ready. `fresh` gives it an interpreter of its own."""
        ready = len(self.logged("ready"))
        process = self.launch(fresh=fresh, clock=clock, env=env)
        until(
            "the daemon is ready",
            lambda: len(self.logged("ready")) > ready or process.code() is not None,
            seen=lambda: self.log[-2000:],
        )
        assert process.code() is None, self.log[-2000:]
        return process

    def launch(
        self, *, fresh: bool = False, clock: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """The daemon, at once."""
        log = self.folder / "daemon.log"
        process: Process
        if fresh:
            with log.open("ab") as end:
                command = [sys.executable, "-m", "monitor", "run"]
                environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
                process = Fresh(
                    subprocess.Popen(command, cwd=self.folder, env=environment, stdout=end, stderr=end)
                )
        else:
            more: dict[str, Any] = {} if clock is None else {"clock": str(clock)}
            more |= {} if env is None else {"env": dict(env)}
            process = self.nursery.start("parcelwatch", ["run"], self.folder, log, log, **more)
        self.daemons.append(process)
        return process

    def stop(self, process: Process) -> float:
        """Ask it to end, as systemd does; the seconds it took."""
        begun = time.monotonic()
        process.signal(signal.SIGTERM)
        assert process.wait() == 0, self.log[-2000:]
        return time.monotonic() - begun

    def kill(self, process: Process) -> datetime:
        """`kill -9`; when it was dead."""
        process.signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        return wall()

    def end(self) -> None:
        """Whatever a test left running."""
        for process in self.daemons:
            with suppress(ProcessLookupError):
                process.signal(signal.SIGKILL)
            process.wait()

    def import_(self, parcels: Iterable[Parcel], name: str = "orders.csv", **override: str) -> dict[str, Any]:
        """`parcelwatch import` of these parcels' orders: its own counts."""
        path = save_orders(self.folder / name, parcels, **override)
        counts: dict[str, Any] = self.command("import", path.name, "--json").json[0]
        return counts


@dataclass
class Stage:
    """What one scenario plays on; everything on it is ended with it."""

    nursery: Nursery
    folder: Path
    parcelwatch: Installation
    _peers: list[Peers] = field(default_factory=list)

    def peers(self, *options: str) -> Peers:
        """Fake peers; a number may be asked about once a second, 48 times a day."""
        out, err = (self.folder / f"peers-{len(self._peers)}.{name}" for name in ("out", "err"))
        argv = ["--min-interval", "1", "--daily", "48", *options]
        process = self.nursery.start("peers", argv, self.folder, out, err, held=True)
        line = until(
            "the peers answer",
            lambda: out.exists() and out.read_text("utf-8").partition("\n")[0],
            seen=lambda: err.read_text("utf-8"),
        )
        self._peers.append(Peers(process, json.loads(str(line))))
        return self._peers[-1]

    def end(self) -> None:
        """Daemons first; the peers end by themselves when they are asked to."""
        self.parcelwatch.end()
        for peers in self._peers:
            peers.process.signal(signal.SIGTERM)
            assert peers.process.wait() == 0


@contextmanager
def staged(nursery: Nursery, folder: Path) -> Iterator[Stage]:
    """A stage in a folder of its own."""
    home = folder / "parcelwatch"
    home.mkdir(parents=True)
    stage = Stage(nursery, folder, Installation(home, nursery))
    try:
        yield stage
    finally:
        stage.end()


def together(
    subtests: pytest.Subtests,
    nursery: Nursery,
    folder: Path,
    scenarios: Mapping[str, Callable[[Stage], None]],
) -> None:
    """Play scenarios side by side, each on a stage of its own: nearly all of their time is waiting."""

    def play(name: str) -> None:
        with staged(nursery, folder / name) as stage:
            scenarios[name](stage)

    with ThreadPoolExecutor(len(scenarios)) as pool:
        running = {name: pool.submit(play, name) for name in scenarios}
    for name, scenario in running.items():
        with subtests.test(name):
            scenario.result()
