"""Processes that are ended whatever happens: forked in the nursery, or with an interpreter of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from tests.e2e.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]


class Nursery:
    """The process all others are forked from (`nursery.py`). Any thread may use it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
            text=True,
        )

    def start(
        self, program: str, argv: Sequence[str], cwd: Path, out: Path, err: Path, **more: Any
    ) -> Forked:
        order = {
            "run": program,
            "argv": list(argv),
            "cwd": str(cwd),
            "out": str(out),
            "err": str(err),
            **more,
        }
        return Forked(self, int(self._ask(order)["pid"]))

    def status(self, pid: int) -> int | None:
        code: int | None = self._ask({"status": pid})["code"]
        return code

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, "the nursery is gone"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """It kills what still runs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@dataclass
class Forked:
    """A process of the nursery's. Nobody takes its id before its code was asked for."""

    nursery: Nursery
    pid: int
    _code: int | None = None

    def code(self) -> int | None:
        """None while it runs."""
        if self._code is None:
            self._code = self.nursery.status(self.pid)
        return self._code

    def signal(self, number: signal.Signals) -> None:
        if self.code() is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit code; negative: the signal that killed it."""
        until(f"process {self.pid} ends", lambda: self.code() is not None, seconds=seconds)
        assert self._code is not None
        return self._code


@dataclass
class Fresh:
    """A process with an interpreter of its own: what a user starts."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def code(self) -> int | None:
        return self.process.poll()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        return self.process.wait(timeout=seconds)


Process = Forked | Fresh
