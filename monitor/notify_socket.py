"""What systemd is told of the daemon: datagrams to `$NOTIFY_SOCKET` (sd_notify(3), frozen and public).

Without such a socket, as on a terminal, nothing is said and nothing is different.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Final

__all__ = ["NotifySocket", "watchdog_seconds"]

_STATUS: Final = 400
"""Characters of a status line; `systemctl status` shows one line."""
_PATIENCE: Final = 1.0
"""Seconds that a full socket is waited for: a lost READY would be a failed start."""


class NotifySocket:
    """The service manager's ear. A datagram that cannot be sent is lost: the daemon has better things to do."""

    def __init__(self, address: str) -> None:
        """`address` is a path, an abstract name that starts with `@`, or empty: nobody listens."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def ready(self, status: str) -> None:
        """Started, or a reload is over: whichever systemd waits for."""
        self._say("READY=1", f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it, whatever came of it. The time tells it from an earlier one."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=重新加载配置")

    def stopping(self) -> None:
        """The end has begun."""
        self._say("STOPPING=1", "STATUS=正在停止：做完手上的工作")

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows."""
        self._say(f"STATUS={_line(text)}")

    def watchdog(self) -> None:
        """All is well at this moment."""
        self._say("WATCHDOG=1")

    def more_time(self, seconds: float) -> None:
        """The start, the reload or the end goes on, and takes this much longer at most."""
        self._say(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as ear:
            ear.settimeout(_PATIENCE)
            try:
                ear.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return


def _line(text: str) -> str:
    """One line without anything that could begin another: a newline would be a message of its own."""
    return "".join(each if each.isprintable() else " " for each in text)[:_STATUS]


def watchdog_seconds(env: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """How long systemd waits for `watchdog` before it restarts us; None: it does not watch this process."""
    usec, meant = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or not int(usec) or meant not in ("", str(pid or os.getpid())):
        return None
    return int(usec) / 1_000_000
