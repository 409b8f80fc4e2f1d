"""Everything the demo's own page shows and drives: the time, the buttons, the groups, the walk."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from monitor.demo.causes import Causes
from monitor.demo.inbox import Inbox, Received
from monitor.demo.pace import SimulatedTime
from monitor.demo.walk import Footsteps
from monitor.vitals import Vitals

__all__ = ["GROUPS", "SPEEDS", "Group", "Scene", "Wall"]

SPEEDS: Final = (60, 576, 1800)
"""A minute, ten minutes, half an hour a second: what the page offers."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group of the demo: which robot speaks there, and what it is for."""

    platform: str
    app: str
    """The platform's name, Chinese as all names here: they go through the catalogue."""
    robot: str
    name: str
    about: str


GROUPS: Final = (
    Group("dingtalk", "钉钉", "紧急群", "物流紧急群", "所有平台的超时和数据源中断，点名值班"),
    Group("wecom", "企业微信", "淘系群", "淘系店铺群", "淘宝、天猫店铺的预警、超时和恢复"),
    Group("onebot", "QQ 群", "拼多多群", "拼多多店铺群", "拼多多店铺的预警、超时和恢复"),
)


class Wall:
    """The newest messages of every group, as they came."""

    def __init__(self, inbox: Inbox, most: int = 60) -> None:
        self._most = most
        self._kept: dict[str, deque[Received]] = {}
        self._came: dict[str, int] = {}
        inbox.listeners.append(self._add)

    def _add(self, item: Received) -> None:
        self._kept.setdefault(item.platform, deque(maxlen=self._most)).appendleft(item)
        self._came[item.platform] = self.came(item.platform) + 1

    def came(self, platform: str) -> int:
        """How many came since the start."""
        return self._came.get(platform, 0)

    def of(self, platform: str, most: int) -> list[tuple[int, Received]]:
        """One platform's messages with their numbers, the newest first."""
        came = self.came(platform)
        return [(came - n, item) for n, item in enumerate(self._kept.get(platform, ())) if n < most]


@dataclass(frozen=True)
class Scene:
    """What the page is made for. One per show."""

    url: str
    """This site's address, as the messages' links have it."""
    time: SimulatedTime
    causes: Causes
    wall: Wall
    vitals: Vitals
    policies: str
    """The part of the configuration file that holds the limits."""
    groups: Sequence[Group] = GROUPS
    steps: Footsteps = field(default_factory=Footsteps)

    def change_speed(self, speed: float) -> None:
        """The world's time from now on; those who wait for the wall's time are told."""
        self.time.change(speed)
        self.vitals.speed = self.time.speed
