"""The stage of an end-to-end test: peers, an installation, and nothing left behind."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.stage import Installation, Nursery, Peers, until

StartPeers = Callable[..., Peers]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """One per test process."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def start_peers(nursery: Nursery, tmp_path: Path) -> Iterator[StartPeers]:
    """Start fake peers; a number may be asked about once a second, as the configurations say."""
    running: list[Peers] = []

    def start(*options: str) -> Peers:
        out, err = (tmp_path / f"peers-{len(running)}.{name}" for name in ("out", "err"))
        argv = ["--min-interval", "1", "--daily", "48", *options]
        process = nursery.start("peers", argv, tmp_path, out, err, held=True)
        line = until(
            "the peers answer",
            lambda: out.exists() and out.read_text("utf-8").partition("\n")[0],
            seen=lambda: err.read_text("utf-8"),
        )
        peers = Peers(process, json.loads(str(line)))
        running.append(peers)
        return peers

    yield start
    for peers in running:
        peers.process.signal(signal.SIGTERM)
        assert peers.process.wait() == 0


@pytest.fixture
def peers(start_peers: StartPeers) -> Peers:
    """The peers most tests need."""
    return start_peers()


@pytest.fixture
def parcelwatch(nursery: Nursery, tmp_path: Path) -> Iterator[Installation]:
    """An installation in a folder of its own; its daemons are killed in the end."""
    folder = tmp_path / "parcelwatch"
    folder.mkdir()
    installation = Installation(folder, nursery)
    yield installation
    installation.end()
