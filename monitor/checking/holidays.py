"""What is known of the official holidays, for `check` and `calendar`: which years, and who counts by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from domain.time import Calendar, format_duration
from monitor.calendars import load_almanacs
from monitor.checking.lint import CheckLine
from monitor.config.settings import Settings
from rules.calendars import Almanac, WorkingTime, Year
from rules.policy import FALLBACK, Deferral, Exemption, PolicySpec

__all__ = [
    "counting",
    "exemption_rows",
    "holiday_rows",
    "in_force",
    "known_years",
    "missing",
    "years_to_know",
]

_ANNOUNCED_FROM: Final = 10
"""The month from which next year's arrangement may be expected: the last three came on 25 October, 12 and 4 November."""


def years_to_know(almanac: Almanac, now: datetime) -> list[int]:
    """This year, and from October on the next one: a clock started in December ends there."""
    local = now.astimezone(almanac.zone)
    return [local.year, local.year + 1] if local.month >= _ANNOUNCED_FROM else [local.year]


def missing(almanac: Almanac, year: int) -> tuple[str, str]:
    """How a year without an official arrangement is told, and what to do about it."""
    note = almanac.years.get(year, Year(False, note=almanac.note)).note
    told = f"{almanac.name} {year} 年没有官方放假安排，按工作日计时的规则那一年只按周末推算"
    todo = f"公布后升级到带有它的版本，或写进配置文件旁边的 calendars/{almanac.id}.toml（写法同自带的那一份）"
    return told + (f"（{note}）" if note else ""), todo


def counting(settings: Settings, almanac: Almanac, platforms: Sequence[str] = ()) -> list[str]:
    """The rules in force that count by this almanac, as `profile.rule`.

    In force are the general profile's, those of profiles that a policy names, and those of `platforms`.
    """
    named = {FALLBACK, *platforms, *(each.profile for each in settings.policies)}
    named |= {name for each in settings.policies for name in each.match.get("platform", ())}
    own = [
        f"{name}.{rule.id}"
        for name, profile in settings.book.profiles.items()
        if name in named
        for rule in profile.rules.values()
        if rule.watch and _by(rule.calendar, almanac)
    ]
    return own + [each for policy in settings.policies for each in _changed(policy, policy.name, almanac)]


def _changed(policy: PolicySpec, name: str, almanac: Almanac) -> list[str]:
    """The rules that a policy says are counted by the almanac."""
    own = [f"{name}.{rule}" for rule, each in policy.rules.items() if _by(each.calendar, almanac)]
    inner = [_changed(each, f"{name} › {each.name}", almanac) for each in policy.overrides]
    return [*own, *(rule for rules in inner for rule in rules)]


def _by(calendar: Calendar | None, almanac: Almanac) -> bool:
    return isinstance(calendar, WorkingTime) and calendar.almanac.id == almanac.id


def known_years(
    settings: Settings,
    now: datetime,
    platforms: Sequence[str] = (),
    almanacs: Mapping[str, Almanac] | None = None,
) -> Iterator[CheckLine]:
    """A line for each country; a year that is not known is a warning only where something depends on it."""
    for almanac in (load_almanacs(beside=settings.path.parent) if almanacs is None else almanacs).values():
        years = years_to_know(almanac, now)
        unknown = [year for year in years if not almanac.known(year)]
        known = "、".join(str(year) for year in years if year not in unknown)
        if known:
            yield CheckLine("ok", f"{almanac.name} {known} 年的官方放假安排已知")
        for year in unknown:
            told, todo = missing(almanac, year)
            rules = counting(settings, almanac, platforms)
            if rules:
                more = f" 等 {len(rules)} 条" if len(rules) > 1 else ""
                yield CheckLine("warn", f"{told}：{rules[0]}{more}", todo)
            elif settings.exemptions or settings.deferrals:
                yield CheckLine("warn", told, f"{todo}；跟着节日走的豁免也要核对起止日期")
            else:
                yield CheckLine("ok", told, "现在没有规则和豁免用到它，不必处理")


# ── rows for `calendar` ──────────────────────────────────────────────────────────────────────────


def holiday_rows(almanac: Almanac, year: int) -> list[dict[str, Any]]:
    """The holidays of a year, in order."""
    return [
        {
            "kind": "holiday",
            "calendar": almanac.id,
            "name": each.name,
            "from": each.first.isoformat(),
            "until": each.last.isoformat(),
            "days": len([*each.days]),
            "workdays": [day.isoformat() for day in each.workdays],
        }
        for each in almanac.years.get(year, Year(False)).holidays
    ]


def in_force(settings: Settings) -> list[Exemption | Deferral]:
    """The exemptions and windows of the file, and of the shipped notices that are switched on."""
    notices: list[Exemption | Deferral] = []
    for notice in settings.windows:
        notices += [*notice.exemptions, *notice.deferrals]
    return [*settings.exemptions, *settings.deferrals, *notices]


def exemption_rows(
    every: Sequence[Exemption | Deferral], year: int, now: datetime, zone: ZoneInfo
) -> list[dict[str, Any]]:
    """The exemptions and windows that touch a year, the earliest first."""
    first, last = datetime(year, 1, 1, tzinfo=zone), datetime(year + 1, 1, 1, tzinfo=zone)
    touching = [each for each in every if each.window.starts_at < last and _ends_at(each) > first]
    return [_exemption_row(each, now, zone) for each in sorted(touching, key=lambda each: each.window)]


def _exemption_row(each: Exemption | Deferral, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "kind": "exemption" if isinstance(each, Exemption) else "window",
        "name": each.window.name,
        "from": each.window.starts_at.astimezone(zone).isoformat(),
        "until": each.window.ends_at.astimezone(zone).isoformat(),
        "state": _state(each, now),
        "match": {key: sorted(values) for key, values in sorted(each.match.items())},
        "rules": sorted(each.rules if isinstance(each, Exemption) else each.grants),
        "proof": each.proof,
        "ground": each.kind.value,
        "grants": _grants(each, zone),
        "source": list(each.source),
        "confidence": each.confidence,
        "window": each.by,
    }


def _grants(each: Exemption | Deferral, zone: ZoneInfo) -> dict[str, str]:
    """Until when, or how long, by rule; nothing of time that stands still."""
    if isinstance(each, Exemption):
        return {}
    told = {}
    for rule, grant in sorted(each.grants.items()):
        until = [] if grant.deadline_at is None else [grant.deadline_at.astimezone(zone).isoformat()]
        lengths = dict.fromkeys(map(format_duration, grant.limit.values())) if grant.limit else {}
        told[rule] = "、".join([*until, "/".join(lengths)] if lengths else until)
    return told


def _ends_at(each: Exemption | Deferral) -> datetime:
    """The last moment it may make a difference to."""
    if isinstance(each, Exemption):
        return each.window.ends_at
    return max(
        [each.window.ends_at, *(grant.deadline_at for grant in each.grants.values() if grant.deadline_at)]
    )


def _state(each: Exemption | Deferral, now: datetime) -> str:
    if now < each.window.starts_at:
        return "ahead"
    return "now" if now < _ends_at(each) else "over"
