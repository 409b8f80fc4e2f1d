"""Robots, what they received, and how fast each may be spoken to."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from monitor.demo.dialects import Reading
from monitor.demo.faults import Fault

__all__ = ["GroupLimits", "Inbox", "Pace", "Received", "Robot", "find_robot"]


@dataclass(frozen=True, slots=True)
class Robot:
    """One robot in one group, or one QQ account."""

    platform: str
    """`dingtalk`, `wecom` or `onebot`."""
    name: str
    token: str = field(repr=False)
    """DingTalk's access token, WeCom's key, OneBot's bearer token."""
    secret: str = field(default="", repr=False)
    """DingTalk's signing secret; empty: not asked for."""
    keywords: tuple[str, ...] = ()
    """DingTalk: at least one has to occur."""
    distrusts: tuple[str, ...] = ()
    """DingTalk: a message with one of these texts has an unsafe link."""
    groups: frozenset[str] = frozenset()
    """OneBot: the groups the account is in; none given: all."""


def find_robot(robots: Sequence[Robot], platform: str, token: str) -> Robot | None:
    """The platform's robot with this token."""
    mine = (robot for robot in robots if robot.platform == platform)
    return next((robot for robot in mine if hmac.compare_digest(robot.token.encode(), token.encode())), None)


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """The platforms' own limits (`facts/notifiers.md` §2); tests shorten them."""

    sends: int = 20
    window: timedelta = timedelta(seconds=60)
    dingtalk_mute: timedelta = timedelta(minutes=10)
    wecom_block: timedelta = timedelta(seconds=60)
    sign_tolerance: timedelta = timedelta(hours=1)


class Pace:
    """A robot's last minute: one send too many closes it for `rest`."""

    def __init__(self, limits: GroupLimits, rest: timedelta) -> None:
        self._limits, self._rest = limits, rest
        self._sent: deque[datetime] = deque()
        self._closed_until: datetime | None = None

    def admits(self, at: datetime) -> bool:
        """Count a send; False when it is refused."""
        if self._closed_until is not None and at < self._closed_until:
            return False
        while self._sent and self._sent[0] <= at - self._limits.window:
            self._sent.popleft()
        if len(self._sent) >= self._limits.sends:
            self._closed_until = at + self._rest
            self._sent.clear()
            return False
        self._sent.append(at)
        return True


@dataclass(frozen=True, slots=True)
class Received:
    """One request to a robot, and what became of it."""

    at: datetime
    platform: str
    robot: str
    """Its name; empty when the token belongs to none."""
    reading: Reading
    size: int
    """Bytes of the body."""
    fault: Fault = Fault.OK

    @property
    def taken(self) -> bool:
        """The group shows it, whatever the sender was told."""
        return self.reading.code == 0

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        head = {
            "at": self.at.isoformat(),
            "platform": self.platform,
            "robot": self.robot,
            "taken": self.taken,
        }
        return {**head, **asdict(self.reading), "size": self.size, "fault": self.fault.value}


@dataclass
class Inbox:
    """What arrived, newest last, the last ten thousand; listeners are called with each."""

    received: deque[Received] = field(default_factory=lambda: deque(maxlen=10_000))
    listeners: list[Callable[[Received], None]] = field(default_factory=list)

    def add(self, item: Received) -> None:
        """Keep it and tell the listeners."""
        self.received.append(item)
        for listener in self.listeners:
            listener(item)

    def shown(self, platform: str = "") -> list[Received]:
        """What the groups show, of one platform or of all."""
        return [item for item in self.received if item.taken and platform in ("", item.platform)]
