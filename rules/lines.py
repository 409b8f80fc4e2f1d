"""Lines: how many natural days a parcel may take from one city to another.

A platform that counts by lines gives each pair of cities its own number of days. The day of the pickup
is day 0; the parcel is in time if signed for by 23:59:59 of day N (`facts/platform-rules.md` §2.3,
[DY9]). No platform publishes its table: merchants copy the lines they use. A line without a number is
never guessed: the clock sleeps and says which one is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from domain.time import SHANGHAI
from rules.calendars import Almanac, Week, working_time
from rules.regions import province
from rules.values import Declined, Problems, text

__all__ = ["NO_LINES", "WHOLE_DAYS", "City", "Lines", "city_of", "line_limit", "parse_lines", "place_zh"]

_LONGEST: Final = 60
"""Days; no domestic line takes longer, so it would be a slip."""
_SUFFIXES: Final = ("市", "地区", "盟", "林区")
WHOLE_DAYS: Final = working_time(
    Almanac("natural", "自然日", SHANGHAI, {}),
    Week("natural_days", "自然日，揽收当天不算", frozenset(range(1, 8)), frozenset(), whole_days=True),
)
"""Every day counts, from the midnight after the start on."""


class City(NamedTuple):
    """A city as tables are keyed: the shortest spelling of both names."""

    province: str
    city: str


@lru_cache(maxsize=4096)
def city_of(where: str) -> City | None:
    """`浙江省,杭州市` as a city; None where province or city is not said. A municipality is its own city."""
    parts = [part.strip() for part in where.split(",")]
    area = province(parts[0]) if parts[0] else ""
    city = parts[1] if len(parts) > 1 else ""
    if area in _MUNICIPALITIES:
        return City(area, area)
    for suffix in _SUFFIXES:
        if len(city) > len(suffix) + 1:
            city = city.removesuffix(suffix)
    return City(area, city) if area and city else None


_MUNICIPALITIES: Final = frozenset({"北京", "上海", "天津", "重庆"})


def place_zh(city: City) -> str:
    """As people say it: 浙江杭州, 上海."""
    return city.city if city.city == city.province else f"{city.province}{city.city}"


class Lines:
    """One platform's table, from (origin, destination) to natural days."""

    def __init__(self, days: Mapping[tuple[City, City], int]) -> None:
        self._days = dict(days)
        self.version = hashlib.sha256(repr(sorted(self._days.items())).encode()).hexdigest()[:12]
        """Names exactly these lines; a rule judged by others was judged by another rule."""

    def __repr__(self) -> str:
        return f"Lines({len(self._days)} {self.version})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lines) and other.version == self.version

    def __hash__(self) -> int:
        return hash(self.version)

    def __len__(self) -> int:
        return len(self._days)

    def days(self, origin: City, destination: City) -> int | None:
        """The line's number of days; None for a line that is not in the table."""
        return self._days.get((origin, destination))


NO_LINES: Final = Lines({})


def line_limit(days: int) -> timedelta:
    """The limit by `WHOLE_DAYS`: to 23:59:59 of the last day."""
    return timedelta(days=days, seconds=-1)


def parse_lines(rows: Any) -> tuple[Lines | None, list[Declined]]:
    """A table from its rows, `{from = "浙江,杭州", to = "四川,成都", days = 3}`, or None with every mistake found."""
    problems = Problems()
    if not isinstance(rows, list):
        problems.at(("lines",), "线路要写成 [[lines]]，每条有 from、to、days")
        return None, problems
    found: dict[tuple[City, City], int] = {}
    for n, row in enumerate(rows):
        for ends, days in _line(problems, ("lines", n), row):
            if found.setdefault(ends, days) != days:
                told = f"{place_zh(ends[0])} 到 {place_zh(ends[1])} 已经写了 {found[ends]} 天"
                problems.at(("lines", n, "days"), told)
    return (None, problems) if problems else (Lines(found), [])


def _line(
    problems: Problems, path: tuple[str | int, ...], row: Any
) -> Iterator[tuple[tuple[City, City], int]]:
    if not isinstance(row, Mapping):
        problems.at(path, "每条线路要写成一张表，有 from、to、days")
        return
    for key in sorted(row.keys() - set(_KEYS)):
        problems.unknown_key(path, key, _KEYS)
    for key in _KEYS:
        if key not in row:
            problems.at((*path, key), f"缺少 {key}")
    readers = (("from", _city), ("to", _city), ("days", _days))
    said = [problems.read((*path, key), read, row[key]) for key, read in readers if key in row]
    if len(said) == len(_KEYS) and all(each is not None for each in said):
        yield (said[0], said[1]), said[2]


_KEYS: Final = ("from", "to", "days")


def _city(value: Any) -> City:
    city = city_of(text(value).replace("，", ","))
    if city is None:
        raise ValueError(f'{value!r} 要写成"省,市"，如 "浙江,杭州"')
    return city


def _days(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LONGEST:
        raise ValueError(f"天数要写 1 到 {_LONGEST} 的整数（现在是 {value!r}）")
    return value


def together(tables: Iterable[Lines]) -> Lines:
    """All lines of several tables; of two for the same line the later one."""
    merged: dict[tuple[City, City], int] = {}
    for table in tables:
        merged.update(table._days)
    return Lines(merged)
