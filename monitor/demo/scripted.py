"""Parcels a test writes by hand, in real time: rows at offsets in seconds, visible when it says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain.time import aware
from monitor.demo.scans import Row

__all__ = ["ScriptedSource"]


@dataclass(frozen=True, slots=True)
class _Line:
    row: Row
    visible_at: datetime
    withdrawn_at: datetime | None


@dataclass
class ScriptedSource:
    """A `provider.Source` filled by hand."""

    _lines: dict[tuple[str, str], list[_Line]] = field(default_factory=dict)
    _phones: dict[tuple[str, str], str] = field(default_factory=dict)

    def put(self, parcel: Mapping[str, Any], now: datetime) -> None:
        """Add or replace a parcel. Raises ValueError or KeyError, naming what is wrong.

        `{"carrier": "zhongtong", "waybill_no": "…", "phone_tail": "0036", "rows": [{"at": -3600, "visible_after": 2,
        "withdrawn_after": 9, "code": "1", "text": "…"}]}`: `carrier` is 快递100's code; `at` is a moment
        with an offset, or seconds from `now`; the other two are seconds from `now` too, and may be missing.
        """
        key = str(parcel["carrier"]), str(parcel["waybill_no"])
        lines = [_line(row, now) for row in parcel.get("rows", ())]
        lines.sort(key=lambda line: line.row.at, reverse=True)
        self._lines[key] = lines
        if parcel.get("phone_tail"):
            self._phones[key] = str(parcel["phone_tail"])

    def lookup(self, com: str, num: str, at: datetime) -> Sequence[Row] | None:
        """Rows visible at `at`, newest first; None when there are none."""
        lines = self._lines.get((com, num), ())
        rows = [
            line.row
            for line in lines
            if line.visible_at <= at and (line.withdrawn_at is None or at < line.withdrawn_at)
        ]
        return rows or None

    def phone_tail(self, com: str, num: str) -> str | None:
        """The digits given with the parcel."""
        return self._phones.get((com, num))


def _line(row: Mapping[str, Any], now: datetime) -> _Line:
    moment = row["at"]
    if isinstance(moment, str):
        at = aware(datetime.fromisoformat(moment))
    else:
        at = now + timedelta(seconds=float(moment))
    visible = _after(row.get("visible_after"), now)
    said = Row(at.replace(microsecond=0), str(row["text"]), str(row.get("code", "0")))
    return _Line(said, visible or now, _after(row.get("withdrawn_after"), now))


def _after(seconds: object, now: datetime) -> datetime | None:
    return now + timedelta(seconds=float(str(seconds))) if seconds is not None else None
