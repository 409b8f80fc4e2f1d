"""What the groups heard, as the fake platforms noted it: read back as a person in the group would."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_ALERT = re.compile(
    r"\[(?:紧急|预警|提醒)\] (?P<carrier>\S+) (?P<waybill>\S+) (?P<rule>.+) "
    r"(?:(?P<breach>已) [\d]+ \S+?|还剩 [\d]+ \S+?|即将超时)（限 [\d]+ \S+?）"
)
_OVER = re.compile(r"\[(?P<tag>恢复|撤回)\] (?P<carrier>\S+) (?P<waybill>\S+) (?:已恢复|告警撤回)")
_TICKET = re.compile(r"T-\d{8}-\d{4,}")


@dataclass(frozen=True)
class Heard:
    """One request to a robot, and what the platform made of it."""

    at: datetime
    robot: str
    taken: bool
    """The group shows it: address, signature, size and rate were right."""
    code: int
    answer: str
    title: str
    """The first line, without the platform's heading marks."""
    lines: tuple[str, ...]
    mentions: tuple[str, ...]
    unrung: tuple[str, ...]
    fault: str
    size: int

    @property
    def stage(self) -> str:
        """`warning`, `breach`, `resolved`, `retracted`, `feed` or `digest`; nothing of what was not read."""
        if not self.title:
            return ""
        tag = self.title[: self.title.find("]") + 1]
        if tag in ("[恢复]", "[撤回]"):
            return "resolved" if tag == "[恢复]" else "retracted"
        if tag in ("[数据源]", "[汇总]"):
            return "feed" if tag == "[数据源]" else "digest"
        said = _ALERT.match(self.title)
        assert said is not None, f"a first line nobody can read: {self.title!r}"
        return "breach" if said["breach"] else "warning"

    @property
    def waybill(self) -> str:
        said = _ALERT.match(self.title) or _OVER.match(self.title)
        return said["waybill"] if said else ""

    @property
    def ticket(self) -> str:
        """The ticket's number, as the first line has it."""
        number = _TICKET.search(self.title)
        return number[0] if number else ""

    def __str__(self) -> str:
        verdict = "taken" if self.taken else f"{self.code} {self.answer}"
        return f"{self.at:%H:%M:%S.%f} {self.robot:5} {verdict:6} {self.fault:8} {self.title}"


def read(item: Mapping[str, Any]) -> Heard:
    """One entry of the peers' record."""
    lines = tuple(line.lstrip("# ") for line in item["lines"])
    return Heard(
        datetime.fromisoformat(item["at"]),
        item["robot"],
        item["taken"],
        item["code"],
        item["answer"],
        item["title"].lstrip("# "),
        lines,
        tuple(item["mentions"]),
        tuple(item["unrung"]),
        item["fault"],
        item["size"],
    )


def alerts(heard: Iterable[Heard]) -> list[Heard]:
    """The alarms."""
    return [each for each in heard if each.stage in ("warning", "breach")]


def stages(heard: Iterable[Heard]) -> list[str]:
    return [each.stage for each in heard]
