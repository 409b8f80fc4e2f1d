"""How a true journey looks through a provider: late, repeated, edited, masked, mixed up.

`facts/carriers.md`, realities. None of it changes what happened, so none of it may change a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from domain.tracking import Milestone, Motion
from monitor.demo.places import CITIES, route
from monitor.demo.scans import Scan
from monitor.demo.story import Draft, Kind, Plan, Story, hours
from monitor.demo.wording import masked

__all__ = ["Noise", "shown"]


@dataclass(frozen=True, slots=True)
class Noise:
    """The share of lines (of parcels, for `strayed`) that each trouble befalls."""

    late: float = 0.04
    """Visible one to four hours after it happened; all others within a quarter of an hour."""
    echoed: float = 0.03
    """The same words again within four minutes."""
    edited: float = 0.06
    """A hub's line that first names only the city."""
    strayed: float = 0.015
    """A line of another parcel that is taken back after some hours."""

    @classmethod
    def none(cls) -> Noise:
        """Clean data: only the short delay of every line and the masking of phones remain."""
        return cls(0.0, 0.0, 0.0, 0.0)


_NAMES: Final = tuple(CITIES.values())


def shown(plan: Plan, kind: Kind, story: Story, noise: Noise, rng: Random) -> tuple[Scan, ...]:
    """The story as scans, in order of time."""
    scans: list[Scan] = []
    for draft in story:
        scan = _scan(plan, draft, noise, rng)
        scans.append(scan)
        if scan.moves and rng.random() < noise.echoed:
            again = timedelta(seconds=rng.randint(0, 240))
            at, seen = scan.occurred_at + again, scan.visible_at + again
            scans.append(replace(scan, occurred_at=at, visible_at=seen, echo=True))
    if kind is Kind.NORMAL and len(scans) > 4 and rng.random() < noise.strayed:
        scans.append(_stray(plan, scans, rng))
    scans.sort(key=lambda scan: scan.occurred_at)
    return tuple(scans)


def _scan(plan: Plan, draft: Draft, noise: Noise, rng: Random) -> Scan:
    lag = rng.uniform(1, 4) if rng.random() < noise.late else rng.uniform(0.02, 0.25)
    seen = draft.at + hours(lag)
    if draft.hidden_until is not None:
        seen = max(seen, draft.hidden_until)
    text, edits = _words(plan, draft, seen, noise, rng)
    return Scan(
        occurred_at=draft.at,
        visible_at=seen,
        text=text,
        milestone=draft.milestone,
        code=draft.code,
        city=draft.city,
        hub=draft.hub,
        outlet=draft.outlet,
        next_stop=draft.next_stop,
        motion=draft.motion,
        exceptions=draft.exceptions,
        moves=draft.moves,
        echo=draft.step == "thanks",
        edits=edits,
    )


def _words(
    plan: Plan, draft: Draft, seen: datetime, noise: Noise, rng: Random
) -> tuple[str, tuple[tuple[datetime, str], ...]]:
    """What the line says at first, and what it says later."""
    text = _say(plan, draft, draft.hub)
    if draft.step == "hub_in" and rng.random() < noise.edited:
        return _say(plan, draft, draft.city.name), ((seen + hours(rng.uniform(2, 6)), text),)
    if plan.phone in text:
        return text, ((seen + hours(rng.uniform(24, 72)), masked(text, plan.phone)),)
    return text, ()


def _say(plan: Plan, draft: Draft, hub: str) -> str:
    return draft.sentence.format(
        city=draft.city.name,
        full=draft.city.full,
        hub=hub,
        next=draft.next_stop,
        outlet=draft.outlet,
        name=plan.courier,
        phone=plan.phone,
        **draft.words,
    )


def _stray(plan: Plan, scans: list[Scan], rng: Random) -> Scan:
    """An arrival in a city off the route, shown for some hours."""
    on_route = route(plan.origin, plan.destination)
    city = rng.choice([city for city in _NAMES if city not in on_route])
    before = scans[rng.randrange(1, len(scans) - 2)]
    at = before.occurred_at + hours(0.2)
    draft = Draft(
        "stray", at, plan.carrier.hub_in, "1002", Milestone.IN_TRANSIT, city, plan.carrier.hub(city)
    )
    seen = at + hours(0.3)
    return Scan(
        occurred_at=at,
        visible_at=seen,
        text=_say(plan, draft, draft.hub),
        milestone=draft.milestone,
        code=draft.code,
        city=city,
        hub=draft.hub,
        motion=Motion.ARRIVED,
        stray=True,
        withdrawn_at=seen + hours(rng.uniform(1, 6)),
    )
