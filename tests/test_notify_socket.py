"""What systemd hears of us (sd_notify(3)): every datagram as its manual says, and none where nobody listens."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.notify_socket import NotifySocket, watchdog_seconds


class Ear:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.settimeout(5)

    def hear(self) -> list[str]:
        """The lines of the next datagram."""
        return self.socket.recv(65536).decode().split("\n")


@pytest.fixture(params=["path", "abstract"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@parcelwatch-test-{tmp_path.name}"


@pytest.fixture
def ear(place: str) -> Iterator[Ear]:
    ear = Ear(place)
    with closing(ear.socket):
        yield ear


def test_a_path_and_an_abstract_name_are_both_heard(ear: Ear, place: str) -> None:
    NotifySocket(place).ready("正常")
    assert ear.hear() == ["READY=1", "STATUS=正常"]


def test_a_reload_says_when_it_began_by_the_monotonic_clock(ear: Ear, place: str) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    NotifySocket(place).reloading()
    said = dict(line.split("=", 1) for line in ear.hear())
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert said["RELOADING"] == "1"
    assert before <= int(said["MONOTONIC_USEC"]) <= after


def test_each_other_word(ear: Ear, place: str) -> None:
    notify = NotifySocket(place)
    notify.watchdog()
    assert ear.hear() == ["WATCHDOG=1"]
    notify.stopping()
    assert ear.hear()[0] == "STOPPING=1"
    notify.more_time(30)
    assert ear.hear() == ["EXTEND_TIMEOUT_USEC=30000000"]


def test_a_status_is_one_line_whatever_a_service_said(ear: Ear, place: str) -> None:
    """A newline from outside would otherwise be a message of its own, such as WATCHDOG=trigger."""
    NotifySocket(place).status("k100：拒绝\nWATCHDOG=trigger\x1b[2J" + "长" * 1000)
    [line] = ear.hear()
    assert line.startswith("STATUS=k100：拒绝 WATCHDOG=trigger [2J长")
    assert len(line) < 500


def test_where_nobody_listens_nothing_happens(tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "nobody"), "@nobody-at-all", "x" * 300):
        NotifySocket(address).ready("正常")


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        pytest.param({}, None, id="not watched"),
        pytest.param({"WATCHDOG_USEC": "60000000"}, 60.0, id="watched"),
        pytest.param({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "77"}, 0.5, id="meant for us"),
        pytest.param({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "78"}, None, id="meant for another process"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="switched off"),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="nonsense"),
    ],
)
def test_how_often_to_feed_the_watchdog(env: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(env, 77) == seconds
