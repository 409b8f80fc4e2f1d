"""Rules as data: what a profile file may say, and every mistake in it at once.

A rule is a **clock** (from one milestone to another), a **staleness** (a clock that restarts at every
movement scan while the parcel is between two milestones), or an **exception** (trouble the carrier
itself reports). Profiles are TOML under `config/profiles/`; nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from domain.time import parse_duration
from domain.tracking import ExceptionKind, Milestone
from rules.regions import Tier

__all__ = ["Declined", "Kind", "Limit", "Profile", "Rule", "parse_limit", "parse_profile", "parse_warn"]

Limit = Mapping[Tier, timedelta]
"""A limit for each tier of destination; every tier that counts is there."""

ORDER_TIMES: Final = frozenset({"paid", "confirmed", "shipped", "promised_ship"})
SCAN_WORDS: Final = frozenset({"first_scan", "any_scan", "terminal"})
_MILESTONES: Final = frozenset(m.value for m in Milestone) - {"unknown"}


class Kind(StrEnum):
    """How a rule is read."""

    CLOCK = "clock"
    STALENESS = "staleness"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class Rule:
    """One declared rule. Which fields matter depends on `kind`."""

    id: str
    zh: str
    kind: Kind
    severity: int
    """0–100; an open finding silences those of lower severity on the same parcel."""
    start: str = ""
    stops: tuple[str, ...] = ()
    all_stops: bool = False
    """All of `stops` must happen, not any of them."""
    restarts: bool = False
    """Counts from the latest start, not the first: a parcel may be sent out for delivery twice."""
    limit: Limit = field(default_factory=dict)
    warn: tuple[timedelta, ...] = ()
    """Lengths before the limit, longest first."""
    promise: bool = False
    """The order's own promised time is the deadline where it has one (L8)."""
    exempt: frozenset[str] = frozenset()
    """Tiers, goods types or tags the rule does not apply to."""
    on: frozenset[str] = frozenset()
    """Exception kinds or milestones that are the finding."""
    soft: bool = False
    """Told, but no penalty is known."""
    watch: bool = True
    notify: bool = True
    confidence: str = ""
    source: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A platform's rules, as defaults a merchant can override."""

    id: str
    name: str
    verified_on: str
    rules: Mapping[str, Rule]
    inherits: tuple[str, ...] = ()
    drops: frozenset[str] = frozenset()
    """Inherited rules this platform has under another name."""


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
        unknown = set(value) - {Tier.NORMAL, Tier.REMOTE, Tier.VERY_REMOTE}
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


def parse_warn(value: Any) -> tuple[timedelta, ...]:
    """`["24h", "8h"]`, one duration, or an empty list for no warning. Longest first, none twice."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, Sequence):
        raise TypeError('warn 要写成时长的列表，如 ["24h", "8h"]')
    return tuple(sorted({duration(item) for item in items}, reverse=True))


def _words(value: Any) -> tuple[str, ...]:
    items = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(item, str) for item in items):
        raise TypeError("要写成文字或文字的列表")
    return items


_PROFILE_KEYS: Final = ("id", "name", "verified_on", "inherits", "drops", "rules")
_RULE_KEYS: Final = [
    "zh",
    "kind",
    "severity",
    "start",
    "stop",
    "stop_mode",
    "restarts",
    "limit",
    "warn",
    "promise",
    "exempt",
    "on",
    "soft",
    "watch",
    "notify",
    "confidence",
    "source",
    "note",
    "from",
    "until",
]


def parse_profile(data: Mapping[str, Any]) -> tuple[Profile | None, list[Declined]]:
    """A profile from its TOML table, or None with every mistake found."""
    problems = Problems()
    rules: dict[str, Rule] = {}
    for key in data.keys() - set(_PROFILE_KEYS):
        problems.unknown_key((), key, _PROFILE_KEYS)
    for key in ("id", "name"):
        if not isinstance(data.get(key), str):
            problems.at((key,), f"缺少 {key}")
    for name, table in data.get("rules", {}).items():
        rule = _parse_rule(name, table, ("rules", name), problems)
        if rule is not None:
            rules[name] = rule
    if problems:
        return None, problems
    inherits = _words(data.get("inherits", ()))
    drops = frozenset(_words(data.get("drops", ())))
    return Profile(data["id"], data["name"], data.get("verified_on", ""), rules, inherits, drops), []


def _parse_rule(
    name: str, table: Mapping[str, Any], path: tuple[str, ...], problems: Problems
) -> Rule | None:
    before = len(problems)
    for key in table.keys() - set(_RULE_KEYS):
        problems.unknown_key(path, key, _RULE_KEYS)
    kind = problems.read((*path, "kind"), Kind, table.get("kind"))
    start = table.get("start", table.get("from", ""))
    stops = _words(table.get("stop", table.get("until", ())))
    on = frozenset(_words(table.get("on", ())))
    known_on = {k.value for k in ExceptionKind} | _MILESTONES
    for word in on - known_on:
        problems.at((*path, "on"), f"不认识的异常或节点 {word!r}")
    if kind in (Kind.CLOCK, Kind.STALENESS):
        for word in {start, *stops} - _MILESTONES - ORDER_TIMES - SCAN_WORDS:
            problems.at(path, f"不认识的节点 {word!r}")
        if not start or not stops or "limit" not in table:
            problems.at(path, "时钟规则要有起点、终点和 limit")
    limit = problems.read((*path, "limit"), parse_limit, table["limit"]) if "limit" in table else {}
    warn = problems.read((*path, "warn"), parse_warn, table.get("warn", ())) or ()
    if limit and warn and warn[0] >= min(limit.values()):
        problems.at((*path, "warn"), "预警提前量必须小于时限")
    if len(problems) > before:
        return None
    return Rule(
        id=name,
        zh=table.get("zh", name),
        kind=kind,
        severity=int(table.get("severity", 50)),
        start=start,
        stops=stops,
        all_stops=table.get("stop_mode") == "all",
        restarts=bool(table.get("restarts", False)),
        limit=limit,
        warn=warn,
        promise=bool(table.get("promise", False)),
        exempt=frozenset(_words(table.get("exempt", ()))),
        on=on,
        soft=bool(table.get("soft", False)),
        watch=bool(table.get("watch", True)),
        notify=bool(table.get("notify", True)),
        confidence=str(table.get("confidence", "")),
        source=_words(table.get("source", ())),
        note=str(table.get("note", "")),
    )
