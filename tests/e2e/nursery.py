"""Where the processes of the end-to-end tests come from: everything is imported once, each process is a fork.

`parcelwatch` and the fake peers take seconds of processor time to import, and these tests start them a
hundred times. A fork runs the same `main` with the same arguments, has a process id and a store connection
of its own, and dies of a SIGKILL like any other. Talks in lines of JSON:

`{"run": "parcelwatch", "argv": […], "cwd": "…", "out": "…", "err": "…"}` → `{"pid": 7}`; with `"held": true`
standard input stays open for as long as this process lives; `"clock"` names a file with the seconds by which
the machine's clock is wrong, `"env"` adds to the environment. `{"status": 7}` → `{"code": null}` while it runs, then its exit code (negative: the
signal). When standard input closes, what still runs is killed.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import carriers.base
import monitor.app
import monitor.cli
import monitor.clock
import monitor.demo.peers
import monitor.service
import monitor.web.server
import monitor.web.site
import notifiers.base

PROGRAMS: dict[str, Callable[[], Any]] = {
    "parcelwatch": monitor.cli.main,
    "peers": lambda: monitor.demo.peers.main(standalone_mode=True),
}


def import_everything() -> None:
    """What the commands import when they are called."""
    for name in ("service", "orders", "lists", "look", "tickets", "upkeep"):
        importlib.import_module(f"monitor.cli.{name}")
    for name in ("psycopg", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg"):
        importlib.import_module(name)
    carriers.base.kinds()
    notifiers.base.kinds()


class Nursery:
    """Forks, and knows what became of them."""

    def __init__(self) -> None:
        self.running: set[int] = set()
        self.codes: dict[int, int] = {}
        self.held: list[int] = []

    def serve(self) -> None:
        """Until nobody is there any more."""
        for line in sys.stdin:
            asked = json.loads(line)
            answer = {"pid": self.start(asked)} if "run" in asked else {"code": self.status(asked["status"])}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()

    def start(self, asked: dict[str, Any]) -> int:
        """A new process; its id."""
        reading = self._stdin(asked)
        pid = os.fork()
        if pid == 0:
            self._become(asked, reading)
        os.close(reading)
        self.running.add(pid)
        return pid

    def _stdin(self, asked: dict[str, Any]) -> int:
        if not asked.get("held"):
            return os.open(os.devnull, os.O_RDONLY)
        reading, writing = os.pipe()
        self.held.append(writing)
        return reading

    def _become(self, asked: dict[str, Any], reading: int) -> None:
        """The child: never comes back."""
        code = 1
        try:
            for other in self.held:
                os.close(other)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            os.dup2(reading, 0)
            os.dup2(os.open(asked["out"], flags, 0o600), 1)
            os.dup2(os.open(asked["err"], flags, 0o600), 2)
            os.chdir(asked["cwd"])
            sys.argv = [asked["run"], *asked["argv"]]
            os.environ.update(asked.get("env", {}))
            if asked.get("clock"):
                _wrong_clock(Path(asked["clock"]))
            PROGRAMS[asked["run"]]()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def status(self, pid: int) -> int | None:
        """None while it runs, then its exit code."""
        if pid in self.running:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self.running.discard(pid)
                self.codes[pid] = os.waitstatus_to_exitcode(status)
        return self.codes.get(pid)

    def end(self) -> None:
        """Nothing is left behind."""
        for pid in self.running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _wrong_clock(path: Path) -> None:
    """The machine's clock as this process reads it is wrong by what the file says, from one reading to the next."""

    def read() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(path.read_text()))  # noqa: TID251

    monitor.clock.Clock.__init__.__defaults__ = (read, time.monotonic)


if __name__ == "__main__":
    import_everything()
    gc.freeze()
    nursery = Nursery()
    try:
        nursery.serve()
    finally:
        nursery.end()
