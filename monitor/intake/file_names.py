"""When an export was made, as its file name tells (`facts/import-formats.md` §4, quirk 18)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["exported_at"]

_NAMED_MOMENTS: Final = (
    re.compile(r"(?<!\d)(20\d{2})-(\d{2})-(\d{2})_(\d{2})-(\d{2})-(\d{2})(?!\d)"),
    re.compile(r"(?<!\d)(20\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})?(?!\d)"),
)
_NAMED_EPOCH: Final = re.compile(r"(\d{10})(?:\d{3})?(?!\d)")
_SKEW: Final = timedelta(minutes=10)


def exported_at(name: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The moment of export in a file's name, or None (quirk 18).

    抖店 starts with epoch seconds, 淘宝 has `yyyyMMddHHmm`, 聚水潭 `yyyy-MM-dd_HH-mm-ss`; local ones are in
    `zone`. A moment before 2010 or after `now` is no export. Of several, as of a span of orders, the latest counts.
    """
    epoch = _NAMED_EPOCH.match(name)
    found = [datetime.fromtimestamp(int(epoch[1]), UTC)] if epoch else _named_moments(name, zone)
    return max((min(at, now) for at in found if at.year >= 2010 and at <= now + _SKEW), default=None)


def _named_moments(name: str, zone: ZoneInfo) -> list[datetime]:
    found = []
    for pattern in _NAMED_MOMENTS:
        for match in pattern.finditer(name):
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
            try:
                found.append(datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC))
            except ValueError:
                continue
    return found
