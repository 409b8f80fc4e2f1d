"""Waiting for what has to happen. Nothing here sleeps and hopes: `until` looks again and again until its
condition holds, and when its time is up it tells what was there instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from monitor.clock import wall

PATIENCE = 60.0
"""Seconds after which what should happen has not happened: many times what it takes on an idle machine."""
T = TypeVar("T")


def until(
    what: str, probe: Callable[[], T], *, seconds: float = PATIENCE, seen: Callable[[], object] | None = None
) -> T:
    """The first truthy value of `probe`; fails with what was `seen` (or probed) last when time is up."""
    ends = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > ends:
            shown = seen() if seen is not None else value
            raise AssertionError(f"not within {seconds:.0f} s: {what}; seen so far:\n{_pretty(shown)}")
        time.sleep(0.05)


def wait_till(moment: datetime) -> None:
    """Let the time come for which a test is about: an outage lasts as long as it lasts."""
    until(f"it is {moment:%H:%M:%S}", lambda: wall() >= moment)


def _pretty(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "\n".join(f"  {each}" for each in value) or "  nothing"
    return f"  {value}"


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)
