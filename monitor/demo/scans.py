"""What a carrier will say of a parcel: scripted lines, and which of them are visible at a moment.

A `Scan` knows more than anybody can see: what the author meant by it, whether it is a true movement,
when it becomes visible, how its words change, and when it vanishes again. A `Row` is what a tracking
provider would hand out at a moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.tracking import ExceptionKind, Milestone, Motion, TrackingEvent
from monitor.demo.places import City

__all__ = ["STATUS_ZH", "Row", "Scan", "events_at", "rows_at"]

STATUS_ZH: Final[dict[str, str]] = {
    "101": "已下单",
    "102": "待揽收",
    "1": "揽收",
    "103": "已揽收",
    "0": "在途",
    "1001": "到达派件城市",
    "1002": "干线",
    "1003": "转递",
    "5": "派件",
    "501": "投柜或驿站",
    "3": "签收",
    "301": "本人签收",
    "302": "派件异常后签收",
    "303": "代签",
    "304": "投柜或站签收",
    "6": "退回",
    "4": "退签",
    "401": "已销单",
    "14": "拒签",
    "7": "转投",
    "2": "疑难",
    "201": "超时未签收",
    "202": "超时未更新",
    "203": "拒收",
    "204": "派件异常",
    "205": "柜或驿站超时未取",
    "206": "无法联系",
    "207": "超区",
    "208": "滞留",
    "209": "破损",
    "210": "销单",
    "8": "清关",
    "10": "待清关",
    "11": "清关中",
    "12": "已清关",
    "13": "清关异常",
}
"""`facts/carriers-kuaidi100.md`, state codes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an answer, as 快递100 would hold it."""

    at: datetime
    text: str
    code: str = "0"
    city: City | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """One scripted line of a parcel's life."""

    occurred_at: datetime
    visible_at: datetime
    text: str
    milestone: Milestone
    code: str
    city: City | None = None
    hub: str = ""
    outlet: str = ""
    next_stop: str = ""
    motion: Motion | None = None
    exceptions: frozenset[ExceptionKind] = frozenset()
    moves: bool = True
    """The parcel was touched: not a label, a remark, a forecast."""
    echo: bool = False
    """Said twice: the same scan again, or a courtesy line in the same second."""
    stray: bool = False
    """Another parcel's line, booked on this number by mistake."""
    edits: tuple[tuple[datetime, str], ...] = ()
    """(from when, other words), in order of time."""
    withdrawn_at: datetime | None = None

    def visible(self, at: datetime) -> bool:
        """Whether an answer given at `at` holds this line."""
        return self.visible_at <= at and (self.withdrawn_at is None or at < self.withdrawn_at)

    def words(self, at: datetime) -> str:
        """The text as it reads at `at`."""
        text = self.text
        for since, other in self.edits:
            if since <= at:
                text = other
        return text

    def event(self, at: datetime) -> TrackingEvent:
        """The line as a perfect reader would understand it: for benches that leave out the adapters."""
        return TrackingEvent(
            self.occurred_at,
            self.milestone,
            self.words(at),
            self.code,
            exceptions=self.exceptions,
            motion=self.motion,
            area=self.city.area if self.city else "",
            hub=self.hub,
            outlet=self.outlet,
            next_stop=self.next_stop,
            forecast=not self.moves and self.milestone is Milestone.UNKNOWN and not self.exceptions,
        )


def rows_at(scans: Iterable[Scan], at: datetime) -> tuple[Row, ...]:
    """The lines visible at `at`, newest first; lines of one second keep the order they were written in."""
    seen = [scan for scan in scans if scan.visible(at)]
    seen.sort(key=lambda scan: scan.occurred_at, reverse=True)
    return tuple(Row(scan.occurred_at, scan.words(at), scan.code, scan.city) for scan in seen)


def events_at(scans: Iterable[Scan], at: datetime) -> tuple[TrackingEvent, ...]:
    """The lines visible at `at`, read without fail, in the order they were written in."""
    return tuple(scan.event(at) for scan in scans if scan.visible(at))
