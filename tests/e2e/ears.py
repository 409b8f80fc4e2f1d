"""Who listens to a daemon from outside: the service manager's socket, and a dead man's check."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.waiting import PATIENCE


@dataclass
class Manager:
    """The service manager: everything it was told, in order, with the moment it heard it."""

    address: str
    said: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    _heard: threading.Condition = field(default_factory=threading.Condition)

    def hear(self, datagram: bytes) -> None:
        facts = dict(line.split("=", 1) for line in datagram.decode().split("\n"))
        with self._heard:
            self.said.append((time.monotonic(), facts))
            self._heard.notify_all()

    def next(self, key: str, after: int = 0, *, seconds: float = PATIENCE) -> tuple[int, dict[str, str]]:
        """The first message with `key` from the `after`-th on; its number and what it says."""
        with self._heard:
            found = self._heard.wait_for(lambda: self._find(key, after), timeout=seconds)
            assert found, (
                f"no {key} within {seconds:.0f} s; heard: {[facts for _, facts in self.said[after:]]}"
            )
            return found

    def count(self, key: str) -> int:
        """How many messages had `key`."""
        with self._heard:
            return sum(key in facts for _, facts in self.said)

    def _find(self, key: str, after: int) -> tuple[int, dict[str, str]] | None:
        found = ((n, facts) for n, (_, facts) in enumerate(self.said) if n >= after and key in facts)
        return next(found, None)


@contextmanager
def service_manager(folder: Path) -> Iterator[Manager]:
    """Listens on a socket of its own until it is left."""
    manager = Manager(str(folder / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(manager.address)

        def listen() -> None:
            while datagram := ear.recv(65536):
                manager.hear(datagram)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield manager
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", manager.address)
            thread.join()


@dataclass
class Check:
    """A dead man's check: the paths that were called."""

    url: str
    called: list[str] = field(default_factory=list)


@contextmanager
def outside_check() -> Iterator[Check]:
    """An HTTP service on loopback that says yes to everything."""
    called: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            """Tests read `called`."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Check(f"http://127.0.0.1:{server.server_port}/ping-of-ours", called)
        finally:
            server.shutdown()
            thread.join()
