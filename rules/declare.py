"""Rules as data: what a profile file may say, and every mistake in it at once.

A rule is a **clock** (from one milestone to another), a **staleness** (a clock that restarts at every
movement scan while the parcel is between two milestones), an **exception** (trouble the carrier
itself reports), or a **structural** check over the history and its neighbours. Profiles are TOML under
`config/profiles/`; nothing here reads a file. The words of a rule's table are in `rules.language`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from domain.time import AROUND_THE_CLOCK, SHANGHAI, Calendar
from rules.language import BREACH, BY_LINE, KEYS, NATURAL, ORDER_TIMES, PROMISES, Kind, check_meaning
from rules.lines import NO_LINES, WHOLE_DAYS, Lines
from rules.penalty import parse_penalty
from rules.stacking import ALONE, Together, parse_together
from rules.tariff import Tariff
from rules.tolerances import Tolerances, parse_tolerances
from rules.values import (
    Declined,
    Limit,
    Problems,
    duration,
    parse_limit,
    parse_warn,
    parse_zone,
    text,
    words,
)

__all__ = [
    "BREACH",
    "ORDER_TIMES",
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
    """Empty where only the order's promise or the line says when the time is over."""
    goods: Mapping[str, timedelta] = field(default_factory=dict)
    """The limit of an order with such a goods type or tag, instead of `limit`; of several the longest."""
    warn: tuple[timedelta, ...] = ()
    """Lengths before the limit, longest first."""
    grace: timedelta = timedelta(0)
    """How much longer silence must last before the breach is claimed; it still counts from the limit.

    For carriers that upload their scans late. None by default: silence is only ever proven by a look (L1),
    which covers our own lag and the provider's, a back-dated scan takes the claim back, and a fine is due
    at the limit, not 90 minutes later (§11, `grace_minutes`, is a default for systems that do neither).
    """
    promise: bool = False
    """The order's own promised time is the deadline where it has one (L8)."""
    promises: str = PROMISES[0]
    """Which of them: to `ship`, or the `delivery`."""
    calendar: Calendar = AROUND_THE_CLOCK
    """Which time counts towards the limit; a promised time is a moment, so it is not measured by it."""
    lines: Lines | None = None
    """Natural days from city to city, instead of a limit; None for a rule that is not about lines."""
    promise_plus: timedelta = timedelta(0)
    """The deadline is that much after the promised time."""
    when: frozenset[str] = frozenset()
    """The orders the rule is about: with one of these goods types or tags, `no_promise`, `same_city` or
    `inter_city`. Empty: all."""
    since: date | None = None
    """The first day of payment, in `zone`, that the rule is about."""
    until: date | None = None
    """The last one."""
    zone: ZoneInfo = SHANGHAI
    """Whose days `since` and `until` are."""
    variants: tuple[Rule, ...] = ()
    """The same rule as it was, or will be, for orders paid between other days; their days do not overlap."""
    exempt: frozenset[str] = frozenset()
    """Tiers, goods types or tags the rule does not apply to."""
    on: frozenset[str] = frozenset()
    """Exception kinds or milestones that are the finding."""
    check: str = ""
    """The structural check by its name (`rules.structural`)."""
    tolerances: Tolerances = field(default_factory=Tolerances)
    """What it allows."""
    soft: bool = False
    """Told, but no penalty is known."""
    penalty: tuple[Tariff, ...] = ()
    """What a breach costs; several entries where sources disagree or the amount decides (`rules.tariff`)."""
    watch: bool = True
    notify: bool = True
    shadow: bool = False
    """On trial: found and recorded, told to nobody."""
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
    together: Together = ALONE
    """How the penalties of several rules add up for one order."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What a rule may refer to, and what holds for all rules of its profile."""

    profile: str
    zone: ZoneInfo
    calendars: Mapping[str, Calendar]
    lines: Lines


Path = tuple[str | int, ...]
_PROFILE_KEYS: Final = ("id", "name", "verified_on", "timezone", "inherits", "drops", "rules", "together")


def parse_profile(
    data: Mapping[str, Any],
    calendars: Mapping[str, Calendar] = MappingProxyType({}),
    lines: Mapping[str, Lines] = MappingProxyType({}),
) -> tuple[Profile | None, list[Declined]]:
    """A profile from its TOML table, or None with every mistake found.

    Rules may name one of `calendars`; `lines` holds the table of each profile that has one.
    """
    problems = Problems()
    for key in sorted(data.keys() - set(_PROFILE_KEYS)):
        problems.unknown_key((), key, _PROFILE_KEYS)
    for key in ("id", "name"):
        if key not in data:
            problems.at((key,), f"缺少 {key}")
    name = {key: problems.read((key,), text, data[key]) for key in ("id", "name") if key in data}
    zone = problems.read(("timezone",), parse_zone, data.get("timezone", SHANGHAI.key)) or SHANGHAI
    parents = problems.read(("inherits",), words, data.get("inherits", ())) or ()
    drops = problems.read(("drops",), words, data.get("drops", ())) or ()
    together = parse_together(data["together"], problems) if "together" in data else ALONE
    tables = data.get("rules", {})
    if not isinstance(tables, Mapping):
        problems.at(("rules",), "规则要写成表：[rules.规则名]")
        tables = {}
    by = name.get("id") or ""
    around = _Around(by, zone, calendars, lines.get(by, NO_LINES))
    rules = {
        rule: _parse_rule(rule, table, ("rules", rule), around, problems) for rule, table in tables.items()
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
            together=together,
        ),
        [],
    )


def _parse_rule(name: str, table: Any, path: Path, around: _Around, problems: Problems) -> Rule | None:
    if not isinstance(table, Mapping):
        problems.at(path, f"每条规则要写成一张表：[rules.{name}]")
        return None
    before = len(problems)
    for key in sorted(table.keys() - KEYS.keys()):
        problems.unknown_key(path, key, list(KEYS))
    if "kind" not in table:
        problems.at((*path, "kind"), f"缺少 kind：{'、'.join(Kind)} 之一")
    said = {
        key: problems.read((*path, key), parse, table[key]) if key in table else default
        for key, (parse, default) in KEYS.items()
    }
    if said["calendar"] not in (None, NATURAL, BY_LINE, *around.calendars):
        problems.unknown_word((*path, "calendar"), said["calendar"], [NATURAL, BY_LINE, *around.calendars])
    penalty = parse_penalty(table["penalty"], (*path, "penalty"), problems) if "penalty" in table else ()
    if said["kind"] is not None:
        check_meaning(said, table.keys() & KEYS.keys(), path, problems)
    if len(problems) > before:
        return None
    variants = _variants(name, table, path, around, problems)
    return _rule(name, {**said, "penalty": penalty}, around, variants) if len(problems) == before else None


def _rule(name: str, said: Mapping[str, Any], around: _Around, variants: tuple[Rule, ...]) -> Rule:
    by_line = said["calendar"] == BY_LINE
    calendar = AROUND_THE_CLOCK if said["calendar"] == NATURAL else around.calendars.get(said["calendar"])
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
        grace=said["grace"],
        promise=said["promise"],
        promises=said["promises"],
        calendar=calendar or WHOLE_DAYS,
        lines=around.lines if by_line else None,
        promise_plus=said["promise_plus"],
        when=frozenset(said["when"]),
        since=said["in_force"][0],
        until=said["in_force"][1],
        zone=around.zone,
        variants=variants,
        exempt=frozenset(said["exempt"]),
        on=frozenset(said["on"]),
        check=said["check"],
        tolerances=parse_tolerances(said),
        soft=said["soft"],
        penalty=said["penalty"],
        watch=said["watch"],
        notify=said["notify"],
        confidence=said["confidence"],
        source=said["source"],
        note=said["note"],
        profile=around.profile,
    )


def _variants(
    name: str, table: Mapping[str, Any], path: Path, around: _Around, problems: Problems
) -> tuple[Rule, ...]:
    """The rule's variants: each says from when to when, and what is different then."""
    found: list[Rule] = []
    base = {key: value for key, value in table.items() if key not in ("variants", "in_force")}
    for n, different in enumerate(table.get("variants", ())):
        place = (*path, "variants", n)
        fixed = sorted(different.keys() & {"kind", "variants"})
        for key in fixed:
            problems.at((*place, key), f"变体不能另写 {key}")
        if "in_force" not in different:
            problems.at((*place, "in_force"), "变体要写从哪天到哪天：in_force = { until = 2025-05-14 }")
        elif not fixed:
            rule = _parse_rule(name, {**base, **different}, place, around, problems)
            found += [rule] if rule is not None else []
    days = sorted((rule.since or date.min, rule.until or date.max) for rule in found)
    for (_, until), (since, _) in pairwise(days):
        if since <= until:
            problems.at((*path, "variants"), f"两个变体都管 {since} 付款的订单")
    return tuple(found)
