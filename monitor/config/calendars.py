"""`[calendars.NAME]`: a merchant's own way to count time, over the holidays that come with the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from domain.time import Calendar
from monitor.calendars import load_almanacs
from monitor.config.shapes import Reading, Shape, hint
from rules.calendar_file import parse_week
from rules.calendars import Almanac, Calendars, working_time
from rules.language import NATURAL

__all__ = ["CALENDARS", "calendars"]

_DEFAULT: Final = "cn"

CALENDARS: Final = Shape(
    lambda reading, path, value: value,
    {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "required": ["zh"],
            "properties": {
                "zh": {"type": "string", "description": "怎么称呼它"},
                "base": {"type": "string", "description": "按哪里的节假日：cn 等"},
                "weekdays": {"type": "array", "description": "哪些星期几算，1 是星期一"},
                "holidays": {"description": '哪些假期不算："all"，或名字的列表'},
                "makeup": {"type": "boolean", "description": "调休上班的周末算不算"},
                "hours": {"type": "string", "description": '一天里算的时段，如 "09:00-18:00"'},
                "whole_days": {"type": "boolean", "description": "起算当天不算，按整天数"},
                "cutoff": {"type": "string", "description": '晚于它的按下一个工作日起算，如 "16:00"'},
            },
        },
    },
)
"""Read before everything else (`calendars`), as policies name them."""


def calendars(reading: Reading, value: Any = None) -> dict[str, Calendar]:
    """The shipped calendars and those of a `[calendars]` table."""
    almanacs = load_almanacs(beside=reading.folder)
    known: dict[str, Calendar] = {**Calendars(almanacs.values())}
    if value is not None and not isinstance(value, Mapping):
        reading.problems.at(("calendars",), "要写成表，如 [calendars.仓库]")
        value = None
    for name, table in (value or {}).items():
        made = _own(reading, name, table, almanacs, known)
        known |= {name: made} if made is not None else {}
    return known


def _own(
    reading: Reading, name: str, table: Any, almanacs: Mapping[str, Almanac], known: Mapping[str, Calendar]
) -> Calendar | None:
    path = ("calendars", name)
    if name in known or name == NATURAL:
        reading.problems.at(path, f"已经有一个叫 {name} 的日历，请换个名字")
        return None
    base = table.get("base", _DEFAULT) if isinstance(table, Mapping) else _DEFAULT
    if base not in almanacs:
        reading.problems.at((*path, "base"), f"没有叫 {base} 的节假日表{hint(str(base), almanacs)}")
        return None
    said = (
        {key: each for key, each in table.items() if key != "base"} if isinstance(table, Mapping) else table
    )
    before = len(reading.problems)
    week = parse_week(reading.problems, path, said, almanacs[base])
    return working_time(almanacs[base], replace(week, id=name)) if len(reading.problems) == before else None
