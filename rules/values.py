"""What people write in a rule's table, read one value at a time, and the list of every mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from domain.time import parse_duration
from rules.regions import Tier

__all__ = [
    "Declined",
    "Limit",
    "Problems",
    "as_written",
    "duration",
    "flag",
    "parse_days",
    "parse_goods",
    "parse_limit",
    "parse_tables",
    "parse_warn",
    "parse_zone",
    "severity",
    "text",
    "words",
]

Limit = Mapping[Tier, timedelta]
"""A limit for each tier of destination; every tier that counts is there."""


@dataclass(frozen=True, slots=True)
class Declined:
    """One mistake: where (keys and positions from the top), what is wrong, what to write instead."""

    path: tuple[str | int, ...]
    reason: str


class Problems(list[Declined]):
    """Collects mistakes, so that all are told at once."""

    def at(self, path: Sequence[str | int], reason: str) -> None:
        self.append(Declined(tuple(path), reason))

    def unknown_key(self, path: Sequence[str | int], key: str, known: Sequence[str]) -> None:
        near = get_close_matches(key, known, n=1)
        hint = f"，是不是想写 {near[0]}？" if near else f"；可用的有：{'、'.join(sorted(known))}"
        self.at([*path, key], f"不认识的配置项 {key}{hint}")

    def unknown_word(self, path: Sequence[str | int], word: str, known: Sequence[str]) -> None:
        near = get_close_matches(word, known, n=1)
        hint = f"，是不是想写 {near[0]}？" if near else f"；可用的有：{'、'.join(sorted(known))}"
        self.at(path, f"{path[-1]} 不认识 {word}{hint}")

    def read(self, path: Sequence[str | int], parse: Callable[[Any], Any], value: Any) -> Any:
        """`parse(value)`, or None and a note of what was wrong."""
        try:
            return parse(value)
        except (ValueError, TypeError) as error:
            self.at(path, str(error))
            return None


def duration(value: Any) -> timedelta:
    """A positive duration as people write it."""
    if not isinstance(value, str):
        raise TypeError(f'时长要写成带单位的文字，如 "48h"（现在是 {value!r}）')
    try:
        length = parse_duration(value)
    except ValueError:
        raise ValueError(f'{value!r} 不是时长；请写数字加 s、m、h 或 d，如 "48h"') from None
    if length <= timedelta(0):
        raise ValueError(f"{value!r} 必须大于零")
    return length


def parse_limit(value: Any) -> Limit:
    """`"48h"`, or `{normal = "48h", remote = "72h", very_remote = "120h"}`. Raises ValueError/TypeError."""
    if isinstance(value, Mapping):
        unknown = value.keys() - {Tier.NORMAL, Tier.REMOTE, Tier.VERY_REMOTE}
        if unknown or Tier.NORMAL not in value:
            raise ValueError("按目的地分级的时限要有 normal，可加 remote、very_remote")
        normal = duration(value[Tier.NORMAL])
        remote = duration(value.get(Tier.REMOTE, value[Tier.NORMAL]))
        far = value.get(Tier.VERY_REMOTE)
        return {
            Tier.NORMAL: normal,
            Tier.REMOTE: remote,
            Tier.VERY_REMOTE: duration(far) if far is not None else remote,
        }
    same = duration(value)
    return {Tier.NORMAL: same, Tier.REMOTE: same, Tier.VERY_REMOTE: same}


def parse_goods(value: Any) -> Mapping[str, timedelta]:
    """`{bulky = "72h"}`: a limit for each goods type or tag. Raises ValueError/TypeError."""
    if not isinstance(value, Mapping) or not value:
        raise TypeError('要写成商品类型或标签与时长的表，如 { bulky = "72h" }')
    return {word: duration(length) for word, length in value.items()}


def parse_days(value: Any) -> tuple[date | None, date | None]:
    """`{since = 2025-08-26, until = 2026-01-31}`, one of them or both. Raises ValueError/TypeError."""
    if not isinstance(value, Mapping) or not value or value.keys() - {"since", "until"}:
        raise TypeError("要写成有 since、until 的表，如 { since = 2025-08-26 }")
    for day in value.values():
        # A datetime is a date as well.
        if type(day) is not date:
            raise TypeError(f"日期不加引号，如 2025-08-26（现在是 {day!r}）")
    since, until = value.get("since"), value.get("until")
    if since and until and until < since:
        raise ValueError("until 不能早于 since")
    return since, until


def parse_warn(value: Any) -> tuple[timedelta, ...]:
    """`["24h", "8h"]`, one duration, or an empty list for no warning. Longest first, none twice."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, Sequence):
        raise TypeError('warn 要写成时长的列表，如 ["24h", "8h"]')
    return tuple(sorted({duration(item) for item in items}, reverse=True))


def parse_tables(value: Any) -> tuple[Mapping[str, Any], ...]:
    """A list of tables, as `[[rules.late_shipment.variants]]` makes one. Raises TypeError."""
    if not isinstance(value, list) or not value or not all(isinstance(each, Mapping) for each in value):
        raise TypeError("要写成表的列表，每张表用两层方括号：[[rules.规则名.variants]]")
    return tuple(value)


def parse_zone(value: Any) -> ZoneInfo:
    """A time zone by its name. Raises ValueError/TypeError."""
    try:
        return ZoneInfo(text(value))
    except (KeyError, ValueError, OSError):
        raise ValueError(f"不认识的时区 {value}，如 Asia/Shanghai") from None


def text(value: Any) -> str:
    """A text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"要写成文字（现在是 {value!r}）")
    return value.strip()


def words(value: Any) -> tuple[str, ...]:
    """One text, or a list of them."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) and item for item in items):
        raise TypeError(f"要写成文字或文字的列表（现在是 {value!r}）")
    return tuple(items)


def as_written(value: Any) -> Any:
    """Read later, entry by entry, so that each mistake has its place."""
    return value


def flag(value: Any) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        raise TypeError(f"要写成 true 或 false，不加引号（现在是 {value!r}）")
    return value


def severity(value: Any) -> int:
    """0–100."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise ValueError(f"要写成 0 到 100 的整数（现在是 {value!r}）")
    return value
