"""Parcels in few words: hours since T0 and what was scanned, and what the rules say of them.

    parcel((2, PICKED), (10, HUB), seen=58)      picked up two hours after payment, at the hub at ten

Paid at 0 and shipped at 1 unless said otherwise. `seen` is the last look at the carrier and at the shop;
`rules_of` judges at that hour.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from domain.findings import ClockReading, Finding, Verdict
from domain.journey import condense
from domain.orders import Case, Order, Waybill
from domain.tracking import DeliveredKind, ExceptionKind, Milestone, Motion, TrackingEvent
from rules.calendar_file import parse_almanac
from rules.calendars import Almanac, Calendars
from rules.declare import Profile, Rule, parse_profile
from rules.judge import judge
from rules.policy import Change, Exemption, PolicyBook, PolicySpec
from rules.regions import TierLists
from rules.values import parse_limit, parse_warn

T0 = datetime(2026, 6, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PROFILES_FOLDER = Path(__file__).parents[2] / "config" / "profiles"
CALENDARS_FOLDER = PROFILES_FOLDER.with_name("calendars")
FACTS = Path(__file__).parents[3] / "shared" / "facts" / "platform-rules.md"

Hours = float


def at(hours: Hours) -> datetime:
    """That many hours after T0."""
    return T0 + timedelta(hours=hours)


def hours(moment: datetime | None) -> Hours | None:
    """The inverse of `at`."""
    return None if moment is None else (moment - T0) / timedelta(hours=1)


@dataclass(frozen=True)
class Word:
    """A kind of scan; `but` makes a variant of it."""

    milestone: Milestone
    more: tuple[tuple[str, Any], ...] = ()

    def but(self, **more: Any) -> Word:
        return replace(self, more=(*self.more, *more.items()))

    def scan(self, hour: Hours) -> TrackingEvent:
        fields: dict[str, Any] = {"text": f"{self.milestone.value} {hour:g}", **dict(self.more)}
        return TrackingEvent(at(hour), self.milestone, **fields)


LABEL = Word(Milestone.LABEL_CREATED)
PICKED = Word(Milestone.PICKED_UP)
HUB = Word(Milestone.IN_TRANSIT).but(motion=Motion.ARRIVED, hub="义乌转运中心")
LEFT = Word(Milestone.IN_TRANSIT).but(motion=Motion.DEPARTED, hub="义乌转运中心")
NEXT_HUB = Word(Milestone.IN_TRANSIT).but(motion=Motion.ARRIVED, hub="武汉分拨中心")
LEFT_OUTLET = Word(Milestone.IN_TRANSIT).but(motion=Motion.DEPARTED, outlet="义乌北苑网点")
TRANSIT = Word(Milestone.IN_TRANSIT)
CITY = Word(Milestone.ARRIVED_DEST_CITY)
STATION = Word(Milestone.AT_DELIVERY_STATION)
OUT = Word(Milestone.OUT_FOR_DELIVERY)
FAILED = Word(Milestone.DELIVERY_FAILED)
STORED = Word(Milestone.READY_FOR_COLLECTION)
SIGNED = Word(Milestone.DELIVERED)
SIGNED_BY_WAREHOUSE = SIGNED.but(delivered_kind=DeliveredKind.TRANSIT_WAREHOUSE)
BACK = Word(Milestone.RETURNING)
BACK_HOME = Word(Milestone.RETURNED)
CANCELLED = Word(Milestone.CANCELLED)
FORECAST = TRANSIT.but(forecast=True)
NOBODY_KNOWS = Word(Milestone.UNKNOWN)


def remark(*kinds: ExceptionKind, on: Word = TRANSIT) -> Word:
    """A line of trouble."""
    return on.but(exceptions=frozenset(kinds))


Scan = tuple[Hours, Word]


def events(*scans: Scan) -> list[TrackingEvent]:
    return [word.scan(hour) for hour, word in scans]


def order(no: str = "1", *, platform: str = "taobao_tmall", **said: Any) -> Order:
    """An order; moments in hours."""
    moments = ("ordered_at", "paid_at", "confirmed_at", "shipped_at")
    moments = (*moments, "promised_ship_at", "promised_delivery_at")
    said = {"paid_at": 0, "shipped_at": 1, "receiver_province": "广东省", **said}
    said |= {name: at(said[name]) for name in moments if isinstance(said.get(name), int | float)}
    return Order(no, platform=platform, **said)


def parcel(
    *scans: Scan,
    seen: Hours | None = None,
    shop_seen: Hours | None = None,
    orders: tuple[Order, ...] = (),
    waybill: str = "YT1",
    **said: Any,
) -> Case:
    """A parcel with its history; without `orders` it has one, of which `said` tells."""
    looked_at = None if seen is None else at(seen)
    return Case(
        Waybill("yuantong", waybill),
        orders or (order(**said),),
        condense(events(*scans)),
        looked_at,
        looked_at if shop_seen is None else at(shop_seen),
    )


def seen_at(case: Case, moment: datetime) -> Case:
    """The same parcel when carrier and shop were last looked at then."""
    return replace(case, observed_at=moment, orders_observed_at=moment)


@cache
def almanac(name: str = "cn") -> Almanac:
    """A country's holidays, as they come with the program."""
    text = (CALENDARS_FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    found, problems = parse_almanac(tomllib.loads(text))
    assert found is not None, problems
    return found


@cache
def calendars() -> Calendars:
    """The calendars that come with the program."""
    return Calendars(almanac(file.stem) for file in sorted(CALENDARS_FOLDER.glob("*.toml")))


@cache
def profiles() -> Mapping[str, Profile]:
    """The profiles that come with the program."""
    found = {}
    for file in sorted(PROFILES_FOLDER.glob("*.toml")):
        profile, problems = parse_profile(tomllib.loads(file.read_text(encoding="utf-8")), calendars())
        assert profile is not None, problems
        found[profile.id] = profile
    return found


@cache
def plain_book() -> PolicyBook:
    """The profiles alone, no policy of a merchant's."""
    return PolicyBook(profiles())


def book(
    *policies: PolicySpec,
    exemptions: tuple[Exemption, ...] = (),
    tiers: Mapping[str, TierLists] | None = None,
) -> PolicyBook:
    return PolicyBook(profiles(), policies, exemptions, tiers)


def change(
    limit: Any = None, warn: Any = None, watch: bool | None = None, notify: bool | None = None, **more: Any
) -> Change:
    """What a policy says of a rule, as people write it; `more` as it is."""
    return Change(
        None if limit is None else parse_limit(limit),
        None if warn is None else parse_warn(warn),
        watch,
        notify,
        **more,
    )


def match(**fields: str | list[str]) -> dict[str, frozenset[str]]:
    return {key: frozenset([value] if isinstance(value, str) else value) for key, value in fields.items()}


def spec(
    name: str = "店铺策略",
    where: Mapping[str, frozenset[str]] | None = None,
    profile: str = "",
    overrides: tuple[PolicySpec, ...] = (),
    **rules: Change,
) -> PolicySpec:
    return PolicySpec(name, where or {}, profile, rules, overrides)


def judged(case: Case, now: Hours | datetime | None = None, by: PolicyBook | None = None) -> Verdict:
    """The verdict at that hour, or at the moment of the last look."""
    moment = now if isinstance(now, datetime) else at(now) if now is not None else case.observed_at
    assert moment is not None
    return judge(case, (by or plain_book()).policy_for(case), moment)


def finding(verdict: Verdict, rule: str) -> Finding | None:
    return next((each for each in verdict.findings if each.rule == rule), None)


def stage(verdict: Verdict, rule: str) -> str:
    """`warning`, `breach` or nothing."""
    found = finding(verdict, rule)
    return found.stage.value if found else ""


def clock(verdict: Verdict, rule: str) -> ClockReading:
    reading = verdict.clock(rule)
    assert reading is not None, f"no clock {rule}"
    return reading


def rules_of(verdict: Verdict, *only: str) -> set[str]:
    """The rules found, of these only where some are named."""
    return {each.rule for each in verdict.findings if not only or each.rule in only}


def rule(profile: str, name: str) -> Rule:
    """A rule of a profile, inherited or its own."""
    line = plain_book().policy_for(parcel(platform=profile)).line(name)
    assert line is not None, f"{profile} has no {name}"
    return line.rule
