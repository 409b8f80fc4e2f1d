"""Almanacs as data: what a file under `config/calendars/` may say, and every mistake in it at once.

Nothing here reads a file. The shape is told at the top of `config/calendars/cn.toml`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from rules.calendars import FIRST_YEAR, LAST_YEAR, Almanac, Holiday, Week, Year
from rules.values import Declined, Problems, flag, parse_zone, text, words

__all__ = ["parse_almanac", "parse_week"]

Path = tuple[str | int, ...]
_LONGEST: Final = timedelta(days=20)
"""No public holiday is longer: it would be a slip of the year."""
Readers = Mapping[str, tuple[Callable[[Any], Any], Any]]


def parse_almanac(data: Mapping[str, Any]) -> tuple[Almanac | None, list[Declined]]:
    """An almanac from its TOML table, or None with every mistake found."""
    problems = Problems()
    said = _table(problems, (), data, _ALMANAC, ("id", "name", "timezone"))
    years = dict(_years(problems, said["years"]))
    weeks = {name: _week(problems, ("calendars", name), table) for name, table in said["calendars"].items()}
    _twice(problems, years)
    for name, week in weeks.items():
        _festive(problems, ("calendars", name), week, years)
    if problems:
        return None, problems
    named = {name: replace(week, id=name) for name, week in weeks.items()}
    return Almanac(said["id"], said["name"], said["timezone"], years, named, said["note"]), []


def parse_week(problems: Problems, path: Path, value: Any, almanac: Almanac) -> Week:
    """A further way to count by an almanac, from its TOML table; what is wrong goes to `problems`."""
    week = _week(problems, path, value)
    _festive(problems, path, week, almanac.years)
    return week


def _festive(problems: Problems, path: Path, week: Week, years: Mapping[int, Year]) -> None:
    """Note holidays that are in no year."""
    festivals = {name for year in years.values() for each in year.holidays for name in each.festivals}
    for unknown in sorted((week.holidays or frozenset()) - festivals):
        problems.unknown_word((*path, "holidays"), unknown, sorted(festivals))


def _table(
    problems: Problems, path: Path, value: Any, keys: Readers, needed: tuple[str, ...]
) -> dict[str, Any]:
    """Each key read, or what holds without it."""
    if not isinstance(value, Mapping):
        problems.at(path, "要写成一张表")
        value, needed = {}, ()
    for key in sorted(value.keys() - keys.keys()):
        problems.unknown_key(path, key, list(keys))
    for key in needed:
        if key not in value:
            problems.at((*path, key), f"缺少 {key}")
    said = {key: without for key, (_, without) in keys.items()}
    for key, (read, _) in keys.items():
        if key in value and (got := problems.read((*path, key), read, value[key])) is not None:
            said[key] = got
    return said


def _years(problems: Problems, table: Mapping[str, Any]) -> Iterator[tuple[int, Year]]:
    for name, value in table.items():
        path = ("years", name)
        if not name.isdecimal() or not FIRST_YEAR <= int(name) <= LAST_YEAR:
            problems.at(path, f"年份要写成 {FIRST_YEAR} 到 {LAST_YEAR} 的数字")
            continue
        said = _table(problems, path, value, _YEAR, ("official",))
        rows = enumerate(said["holidays"])
        holidays = tuple(_holiday(problems, (*path, "holidays", n), row, int(name)) for n, row in rows)
        if said["official"] and not (holidays and said["source"]):
            problems.at(path, "已公布的年份要写出 source 和 holidays")
        if not said["official"] and holidays:
            problems.at(
                (*path, "holidays"),
                "还没有公布的年份不写日期：没有人知道怎么放假；公布了就写 official = true",
            )
        yield int(name), Year(said["official"], said["source"], said["note"], holidays)


def _holiday(problems: Problems, path: Path, value: Any, year: int) -> Holiday:
    said = _table(problems, path, value, _HOLIDAY, ("name", "from", "until"))
    first, last, workdays = said["from"] or said["until"], said["until"] or said["from"], said["workdays"]
    if first is None:
        return Holiday(said["name"], date.min, date.min, workdays)
    mistake = ""
    if last < first:
        mistake = "最后一天早于第一天"
    elif last - first > _LONGEST:
        mistake = f"超过 {_LONGEST.days} 天，检查起止日期"
    elif year not in (first.year, last.year):
        mistake = f"不在 {year} 年"
    if mistake:
        problems.at((*path, "until"), mistake)
    for day in workdays:
        if day.isoweekday() < 6:
            problems.at((*path, "workdays"), f"{day} 不是周末，不会是调休上班的日子")
    return Holiday(said["name"], first, first if mistake else last, workdays)


def _twice(problems: Problems, years: Mapping[int, Year]) -> None:
    """Note days that two holidays claim, and days both off and worked."""
    off: dict[date, str] = {}
    every = [(number, n, each) for number, year in years.items() for n, each in enumerate(year.holidays)]
    for number, n, each in every:
        path = ("years", str(number), "holidays", n)
        for day in each.days:
            if (before := off.setdefault(day, each.name)) != each.name:
                problems.at((*path, "from"), f"{day} 已经是{before}")
    for number, n, each in every:
        for day in each.workdays:
            if day in off:
                problems.at(("years", str(number), "holidays", n, "workdays"), f"{day} 是{off[day]}，不上班")


def _week(problems: Problems, path: Path, value: Any) -> Week:
    said = _table(problems, path, value, _WEEK, ("zh",))
    (opens, closes), whole_days = said.pop("hours"), said["whole_days"]
    if whole_days and (opens, closes) != _ALL_DAY:
        problems.at((*path, "whole_days"), "按整天计的日历没有 hours")
    return Week(id=str(path[-1]), opens=opens, closes=closes, **said)


# ── single values ────────────────────────────────────────────────────────────────────────────────


def _tables(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("要写成一张表")
    return value


def _rows(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("要写成列表")
    return value


def _day(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"要写成日期，不加引号，如 2026-10-01（现在是 {value!r}）")
    return value


def _days(value: Any) -> tuple[date, ...]:
    return tuple(map(_day, _rows(value)))


def _weekdays(value: Any) -> frozenset[int]:
    numbers = _rows(value)
    if not numbers or not all(type(each) is int and 1 <= each <= 7 for each in numbers):
        raise ValueError("weekdays 写 1（星期一）到 7（星期日）的列表，至少一天")
    return frozenset(numbers)


def _festivals(value: Any) -> frozenset[str] | None:
    """Which holidays do not count; None, the default, is all of them."""
    return None if value == "all" else frozenset(words(value))


def _clock(value: Any) -> time:
    try:
        return time.fromisoformat(text(value))
    except ValueError:
        raise ValueError(f'{value!r} 不是时刻；请写成 "16:00"') from None


def _hours(value: Any) -> tuple[time, time]:
    opens, dash, closes = text(value).partition("-")
    if not dash:
        raise ValueError('hours 写成 "09:00-18:00"')
    span = _clock(opens), _clock("00:00" if closes.strip() == "24:00" else closes)
    if span[1] != time() and span[1] <= span[0]:
        raise ValueError("下班时间要晚于上班时间")
    return span


_ALL_DAY: Final = (time(), time())
_ALMANAC: Final[Readers] = {
    "id": (text, ""),
    "name": (text, ""),
    "timezone": (parse_zone, None),
    "note": (text, ""),
    "years": (_tables, {}),
    "calendars": (_tables, {}),
}
_YEAR: Final[Readers] = {
    "official": (flag, False),
    "source": (text, ""),
    "note": (text, ""),
    "holidays": (_rows, []),
}
_HOLIDAY: Final[Readers] = {
    "name": (text, ""),
    "from": (_day, None),
    "until": (_day, None),
    "workdays": (_days, ()),
}
_WEEK: Final[Readers] = {
    "zh": (text, ""),
    "weekdays": (_weekdays, frozenset(range(1, 6))),
    "holidays": (_festivals, None),
    "makeup": (flag, True),
    "hours": (_hours, _ALL_DAY),
    "whole_days": (flag, False),
    "cutoff": (_clock, None),
}
