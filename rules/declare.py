"""Rules as data: what a profile file may say, and every mistake in it at once.

A rule is a **clock** (from one milestone to another), a **staleness** (a clock that restarts at every
movement scan while the parcel is between two milestones), or an **exception** (trouble the carrier
itself reports). Profiles are TOML under `config/profiles/`; nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, timedelta
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from domain.time import AROUND_THE_CLOCK, Calendar
from domain.tracking import ExceptionKind, Milestone
from rules.values import (
    Declined,
    Limit,
    Problems,
    duration,
    flag,
    parse_days,
    parse_goods,
    parse_limit,
    parse_warn,
    severity,
    text,
    words,
)

__all__ = [
    "Declined",
    "Kind",
    "Limit",
    "Problems",
    "Profile",
    "Rule",
    "duration",
    "parse_limit",
    "parse_profile",
    "parse_warn",
]


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
    goods: Mapping[str, timedelta] = field(default_factory=dict)
    """The limit of an order with such a goods type or tag, instead of `limit`; of several the longest."""
    warn: tuple[timedelta, ...] = ()
    """Lengths before the limit, longest first."""
    promise: bool = False
    """The order's own promised time is the deadline where it has one (L8)."""
    calendar: Calendar = AROUND_THE_CLOCK
    """Which time counts towards the limit; a promised time is a moment, so it is not measured by it."""
    promise_plus: timedelta = timedelta(0)
    """The deadline is that much after the promised time."""
    when: frozenset[str] = frozenset()
    """The orders the rule is about: with one of these goods types or tags, or `no_promise`. Empty: all."""
    since: date | None = None
    """The first day of payment, in Beijing, that the rule is about."""
    until: date | None = None
    """The last one."""
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
    profile: str = ""
    """The profile that says so, for those that inherit it too (L8)."""

    @property
    def after(self) -> str:
        """The rule whose breach starts this one's clock, or nothing."""
        return self.start.removeprefix(BREACH) if self.start.startswith(BREACH) else ""


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


def _kind(value: Any) -> Kind:
    if value not in list(Kind):
        raise ValueError(f"kind 要写 {'、'.join(Kind)} 之一（现在是 {value!r}）")
    return Kind(value)


def _all_stops(value: Any) -> bool:
    if value not in ("any", "all"):
        raise ValueError(f'stop_mode 要写 "any" 或 "all"（现在是 {value!r}）')
    return bool(value == "all")


_PROFILE_KEYS: Final = ("id", "name", "verified_on", "inherits", "drops", "rules")
BREACH: Final = "breach:"
"""Begins a start that is another rule's breach: `breach:transit_stagnation`."""
NATURAL: Final = "natural"
"""The calendar of a rule that names none: every hour counts."""
_RULE: Final[Mapping[str, tuple[Callable[[Any], Any], Any]]] = {
    "zh": (text, ""),
    "kind": (_kind, None),
    "severity": (severity, 50),
    "start": (text, ""),
    "stop": (words, ()),
    "stop_mode": (_all_stops, False),
    "restarts": (flag, False),
    "limit": (parse_limit, {}),
    "goods": (parse_goods, {}),
    "warn": (parse_warn, ()),
    "promise": (flag, False),
    "calendar": (text, NATURAL),
    "promise_plus": (duration, timedelta(0)),
    "when": (words, ()),
    "in_force": (parse_days, (None, None)),
    "exempt": (words, ()),
    "on": (words, ()),
    "soft": (flag, False),
    "watch": (flag, True),
    "notify": (flag, True),
    "confidence": (text, ""),
    "source": (words, ()),
    "note": (text, ""),
    "from": (text, ""),
    "until": (words, ()),
}
"""What a rule's table may say: how each key is read, and what holds without it."""


def parse_profile(
    data: Mapping[str, Any], calendars: Mapping[str, Calendar] = MappingProxyType({})
) -> tuple[Profile | None, list[Declined]]:
    """A profile from its TOML table, or None with every mistake found. Rules may name one of `calendars`."""
    problems = Problems()
    for key in sorted(data.keys() - set(_PROFILE_KEYS)):
        problems.unknown_key((), key, _PROFILE_KEYS)
    for key in ("id", "name"):
        if key not in data:
            problems.at((key,), f"缺少 {key}")
    name = {key: problems.read((key,), text, data[key]) for key in ("id", "name") if key in data}
    parents = problems.read(("inherits",), words, data.get("inherits", ())) or ()
    drops = problems.read(("drops",), words, data.get("drops", ())) or ()
    tables = data.get("rules", {})
    if not isinstance(tables, Mapping):
        problems.at(("rules",), "规则要写成表：[rules.规则名]")
        tables = {}
    by = name.get("id") or ""
    rules = {
        rule: _parse_rule(rule, by, table, ("rules", rule), calendars, problems)
        for rule, table in tables.items()
    }
    if problems:
        return None, problems
    return (
        Profile(
            id=name["id"],
            name=name["name"],
            verified_on=str(data.get("verified_on", "")),
            rules={rule: parsed for rule, parsed in rules.items() if parsed is not None},
            inherits=parents,
            drops=frozenset(drops),
        ),
        [],
    )


def _parse_rule(
    name: str,
    profile: str,
    table: Any,
    path: tuple[str, ...],
    calendars: Mapping[str, Calendar],
    problems: Problems,
) -> Rule | None:
    if not isinstance(table, Mapping):
        problems.at(path, f"每条规则要写成一张表：[rules.{name}]")
        return None
    before = len(problems)
    for key in sorted(table.keys() - _RULE.keys()):
        problems.unknown_key(path, key, list(_RULE))
    if "kind" not in table:
        problems.at((*path, "kind"), f"缺少 kind：{'、'.join(Kind)} 之一")
    said = {
        key: problems.read((*path, key), parse, table[key]) if key in table else default
        for key, (parse, default) in _RULE.items()
    }
    if said["calendar"] not in (None, NATURAL, *calendars):
        problems.unknown_word((*path, "calendar"), said["calendar"], [NATURAL, *calendars])
    if said["kind"] is not None:
        _check_meaning(said, table.keys() & _RULE.keys(), path, problems)
    if len(problems) > before:
        return None
    return Rule(
        id=name,
        zh=said["zh"] or name,
        kind=said["kind"],
        severity=said["severity"],
        start=said["start"] or said["from"],
        stops=said["stop"] or said["until"],
        all_stops=said["stop_mode"],
        restarts=said["restarts"],
        limit=said["limit"],
        goods=said["goods"],
        warn=said["warn"],
        promise=said["promise"],
        calendar=AROUND_THE_CLOCK if said["calendar"] == NATURAL else calendars[said["calendar"]],
        promise_plus=said["promise_plus"],
        when=frozenset(said["when"]),
        since=said["in_force"][0],
        until=said["in_force"][1],
        exempt=frozenset(said["exempt"]),
        on=frozenset(said["on"]),
        soft=said["soft"],
        watch=said["watch"],
        notify=said["notify"],
        confidence=said["confidence"],
        source=said["source"],
        note=said["note"],
        profile=profile,
    )


def _check_meaning(
    said: Mapping[str, Any], keys: Set[str], path: tuple[str, ...], problems: Problems
) -> None:
    """Mistakes that only show when the keys of one rule are read together."""
    kind = said["kind"]
    allowed = {"zh", "kind", "severity", "soft", "watch", "notify", "confidence", "source", "note", "exempt"}
    allowed |= _OWN[kind]
    for key in sorted(keys - allowed):
        problems.at((*path, key), f"{kind} 规则没有 {key}")
    for key in sorted(_NEEDED[kind] - keys):
        problems.at((*path, key), f"{kind} 规则缺少 {key}")
    if "when" in keys and said["when"] == ():
        problems.at((*path, "when"), "when 不能是空的")
    for key, known in _WORDS[kind].items():
        if key in keys and said[key] == ():
            problems.at((*path, key), f"{key} 不能是空的")
        for word in words(said[key] or ()):
            if word not in known and not (key == "start" and word.removeprefix(BREACH) != word):
                near = get_close_matches(word, sorted(known), n=1)
                hint = f"，是不是想写 {near[0]}？" if near else ""
                problems.at((*path, key), f"{key} 不认识 {word}{hint}")
    limit, warn, start = said["limit"], said["warn"], said["start"]
    lengths = [*(limit or {}).values(), *(said["goods"] or {}).values()]
    if lengths and warn and warn[0] >= min(lengths):
        problems.at((*path, "warn"), "预警提前量必须小于时限")
    if kind is Kind.CLOCK and start not in ORDER_TIMES:
        for key, what in _OF_ORDERS.items():
            if said[key]:
                problems.at((*path, key), f"只有从订单的时间起算的规则才能{what}")
    if said["promise_plus"] and not said["promise"]:
        problems.at((*path, "promise_plus"), "要同时写 promise = true")
    if kind is Kind.CLOCK and said["restarts"] and start not in _SCANS:
        problems.at((*path, "restarts"), "只有从承运商的节点起算的规则才能重新计时")


_OF_ORDERS: Final = {"promise": "按承诺时间", "goods": "按商品类型分时限"}
"""Keys for which every order inside counts by itself."""
ORDER_TIMES: Final = frozenset({"paid", "confirmed", "shipped", "promised_ship"})
_SCANS: Final[frozenset[str]] = frozenset(
    milestone.value
    for milestone in Milestone
    if milestone.rank >= Milestone.LABEL_CREATED.rank and milestone is not Milestone.BUYER_CONFIRMED
)
"""The milestones a carrier tells of; the others are the shop's, and have their own words."""
_OWN: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.CLOCK: frozenset(
        {"start", "stop", "stop_mode", "restarts", "limit", "warn", "when", "in_force", "goods"}
        | {"promise", "promise_plus", "calendar"}
    ),
    Kind.STALENESS: frozenset({"from", "until", "limit", "warn", "when", "in_force", "calendar"}),
    Kind.EXCEPTION: frozenset({"on"}),
}
_NEEDED: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.CLOCK: frozenset({"start", "stop", "limit"}),
    Kind.STALENESS: frozenset({"from", "until", "limit"}),
    Kind.EXCEPTION: frozenset({"on"}),
}
_WORDS: Final[Mapping[Kind, Mapping[str, frozenset[str]]]] = {
    Kind.CLOCK: {
        "start": _SCANS | ORDER_TIMES | {"first_scan"},
        "stop": _SCANS | ORDER_TIMES | {"first_scan", "any_scan", "terminal"},
    },
    Kind.STALENESS: {"from": _SCANS, "until": _SCANS},
    Kind.EXCEPTION: {"on": frozenset(ExceptionKind) | {Milestone.RETURNING, Milestone.RETURNED}},
}
