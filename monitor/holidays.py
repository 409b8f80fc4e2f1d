"""What is known of the official holidays, for `check` and `calendar`: which years, and who counts by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from monitor.calendars import calendar_file, load_almanacs
from monitor.lint import CheckLine
from monitor.settings import Settings
from rules.calendars import Almanac, WorkingTime, Year
from rules.policy import FALLBACK, Exemption

__all__ = ["counting", "exemption_rows", "holiday_rows", "known_years", "missing", "years_to_know"]

_ANNOUNCED_FROM: Final = 10
"""The month from which next year's arrangement may be expected: the last three came on 25 October, 12 and 4 November."""


def years_to_know(almanac: Almanac, now: datetime) -> list[int]:
    """This year, and from October on the next one: a clock started in December ends there."""
    local = now.astimezone(almanac.zone)
    return [local.year, local.year + 1] if local.month >= _ANNOUNCED_FROM else [local.year]


def missing(almanac: Almanac, year: int) -> tuple[str, str]:
    """How a year without an official arrangement is told, and what to do about it."""
    note = almanac.years.get(year, Year(False)).note
    told = f"{almanac.name} {year} 年没有官方放假安排，按工作日计时的规则那一年只按周末推算"
    todo = f"公布后升级到带有它的版本，或照文件开头的说明写进 {calendar_file(almanac.id)}"
    return told + (f"（{note}）" if note else ""), todo


def counting(settings: Settings, almanac: Almanac, platforms: Sequence[str] = ()) -> list[str]:
    """The rules in force that count by this almanac, as `profile.rule`.

    In force are the general profile's, those of profiles that a policy names, and those of `platforms`.
    """
    named = {FALLBACK, *platforms, *(each.profile for each in settings.policies)}
    named |= {name for each in settings.policies for name in each.match.get("platform", ())}
    return [
        f"{name}.{rule.id}"
        for name, profile in settings.book.profiles.items()
        if name in named
        for rule in profile.rules.values()
        if rule.watch and isinstance(rule.calendar, WorkingTime) and rule.calendar.almanac.id == almanac.id
    ]


def known_years(
    settings: Settings,
    now: datetime,
    platforms: Sequence[str] = (),
    almanacs: Mapping[str, Almanac] | None = None,
) -> Iterator[CheckLine]:
    """A line for each country; a year that is not known is a warning only where something depends on it."""
    for almanac in (load_almanacs() if almanacs is None else almanacs).values():
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
            elif settings.exemptions:
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


def exemption_rows(
    exemptions: Sequence[Exemption], year: int, now: datetime, zone: ZoneInfo
) -> list[dict[str, Any]]:
    """The exemptions that touch a year, the earliest first."""
    first, last = datetime(year, 1, 1, tzinfo=zone), datetime(year + 1, 1, 1, tzinfo=zone)
    touching = [each for each in exemptions if each.window.starts_at < last and each.window.ends_at > first]
    return [
        {
            "kind": "exemption",
            "name": each.window.name,
            "from": each.window.starts_at.astimezone(zone).isoformat(),
            "until": each.window.ends_at.astimezone(zone).isoformat(),
            "state": _state(each, now),
            "match": {key: sorted(values) for key, values in sorted(each.match.items())},
            "rules": sorted(each.rules),
            "proof": each.proof,
        }
        for each in sorted(touching, key=lambda each: each.window)
    ]


def _state(exemption: Exemption, now: datetime) -> str:
    if now < exemption.window.starts_at:
        return "ahead"
    return "now" if now < exemption.window.ends_at else "over"
