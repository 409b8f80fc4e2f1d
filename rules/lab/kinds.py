"""Parcels by kind: what a policy book holds for each, and which rules concern them, without a look at single ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

import numpy as np

from domain.orders import Case, Waybill
from domain.time import to_micros
from rules.declare import Rule
from rules.lab.columns import NEVER, Bools, Codes, Micros
from rules.lab.frame import Milestones
from rules.lab.rowwise import parcels
from rules.language import PLACES
from rules.lines import City, city_of
from rules.policy import Line, Policy, PolicyBook

__all__ = ["Kinds", "Lines", "choose", "dated", "kinds", "marked", "places", "steady", "wavering", "ways"]

_DATED: Final = ("paid_at", "confirmed_at", "ordered_at", "shipped_at")
"""By which moment of an order it is decided which rule was in force, the best first (`rules.concern`)."""
_UNKNOWN: Final = -1


class Lines(NamedTuple):
    """One rule in all policies: its different lines, and which of them holds for each policy, -1 for none."""

    lines: tuple[Line, ...]
    of_policy: Codes


@dataclass(frozen=True)
class Kinds:
    """A policy book over the kinds of parcels."""

    cases: tuple[Case, ...]
    """One of each kind, without its history."""
    policies: tuple[Policy, ...]
    number: Codes
    """For each kind the number of its policy."""
    policy: Codes
    """For each parcel."""
    rules: Mapping[str, Lines]
    origin: tuple[City | None, ...]
    """For each kind the city its warehouse stands in, where that is known."""

    def held(self, rule: str) -> Codes:
        """For each kind which line of the rule holds, -1 for none."""
        return self.rules[rule].of_policy[self.number]

    @property
    def causes(self) -> frozenset[str]:
        """The rules whose breaches start clocks."""
        return frozenset(line.rule.after for table in self.rules.values() for line in table.lines)


def kinds(m: Milestones, book: PolicyBook) -> Kinds:
    """What the book holds for every kind of parcel."""
    cases = m.once("cases", lambda: _cases(m))
    found: dict[str, int] = {}
    policies: list[Policy] = []
    number = np.empty(len(cases), dtype=np.int32)
    origin: list[City | None] = []
    for n, case in enumerate(cases):
        policy = book.policy_for(case)
        if policy.terms not in found:
            found[policy.terms] = len(policies)
            policies.append(policy)
        number[n] = found[policy.terms]
        origin.append(city_of(case.origin or policy.origin))
    policy_of = number[m.bought.kind] if len(number) else np.empty(0, dtype=np.int32)
    return Kinds(cases, tuple(policies), number, policy_of, _rules(policies), tuple(origin))


def _cases(m: Milestones) -> tuple[Case, ...]:
    """A parcel of each kind, with the one order that speaks for it: others inside are alike, or it is replayed."""
    lead = m.bought.lead[m.bought.of_kind]
    orders = m.orders.iloc[lead[lead >= 0]]
    told = {
        each.parcel: each for each in parcels(orders, m.events.iloc[:0], np.sort(orders["parcel"].to_numpy()))
    }
    found = [told.get(parcel) for parcel in m.bought.of_kind.tolist()]
    return tuple(
        Case(each.waybill, each.orders, origin=each.origin) if each else Case(Waybill("", ""), ())
        for each in found
    )


def _rules(policies: Sequence[Policy]) -> Mapping[str, Lines]:
    """Every rule of any policy, those that a breach starts last."""
    names = {line.rule.id: bool(line.rule.after) for policy in policies for line in policy.lines}
    found: dict[str, Lines] = {}
    for name in sorted(names, key=lambda name: (names[name], name)):
        lines: list[Line] = []
        number = np.full(len(policies), _UNKNOWN, dtype=np.int32)
        for n, policy in enumerate(policies):
            line = policy.line(name)
            if line is None or line.asleep:
                continue
            if line not in lines:
                lines.append(line)
            number[n] = lines.index(line)
        found[name] = Lines(tuple(lines), number)
    return found


# ── which of a rule's variants was in force ──────────────────────────────────────────────────────


def dated(m: Milestones) -> Micros:
    """The moment that decides which rules were in force for a parcel's orders."""

    def best() -> Micros:
        found = m.bought.times[_DATED[0]]
        for name in _DATED[1:]:
            found = np.where(found == NEVER, m.bought.times[name], found)
        return found

    return m.once("dated", best)


def choose(line: Line, at: Micros) -> Codes:
    """For orders of those moments which of (*variants, line) was in force, -1 for none of them."""
    found = np.full(len(at), _UNKNOWN, dtype=np.int8)
    # The line, then its variants: the first of them has the last word.
    for n, each in reversed([*enumerate((*line.variants, line))]):
        found[_in_force(each.rule, at)] = n
    return found


def _in_force(rule: Rule, at: Micros) -> Bools:
    if rule.since is None and rule.until is None:
        return np.ones(len(at), dtype=bool)
    since = _midnight(rule, rule.since) if rule.since else -NEVER
    until = _midnight(rule, rule.until + timedelta(days=1)) if rule.until else NEVER
    # Without any moment an order is of today, when what has an end is over.
    return np.where(at == NEVER, rule.until is None, (at >= since) & (at < until))


def _midnight(rule: Rule, day: date) -> int:
    return to_micros(datetime.combine(day, time(), tzinfo=rule.zone).astimezone(UTC))


def steady(m: Milestones, line: Line) -> int | None:
    """The one variant that was in force for all orders, whenever its moments became known; None of several."""
    least, most = m.once("order moments", lambda: _range(m))
    held = set(choose(line, np.array([least, most, NEVER])).tolist())
    bounds = {
        bound
        for each in (*line.variants, line)
        for day in (each.rule.since, each.rule.until and each.rule.until + timedelta(days=1))
        if day is not None and least < (bound := _midnight(each.rule, day)) <= most
    }
    return held.pop() if len(held) == 1 and not bounds else None


def _range(m: Milestones) -> tuple[int, int]:
    """The first and the last moment of any order."""
    known = [at[at < NEVER] for at in (m.bought.times[name] for name in _DATED)]
    known = [at for at in known if len(at)]
    if not known:
        return NEVER, NEVER
    return min(int(at.min()) for at in known), max(int(at.max()) for at in known)


def wavering(m: Milestones, line: Line, now: int) -> Bools:
    """Parcels for which another variant may hold before the deciding moment is known."""
    at = dated(m)
    held = choose(line, at)
    found: Bools = (at > now) & (at < NEVER)
    for name in _DATED[1:]:
        earlier = m.bought.times[name]
        found |= (earlier < at) & (choose(line, earlier) != held)
    first = np.minimum.reduce([m.bought.times[name] for name in _DATED])
    nothing = choose(line, np.array([NEVER]))[0]
    found |= (m.first_event < first) & (held != nothing)
    return found


# ── which orders it is about ─────────────────────────────────────────────────────────────────────


def marked(k: Kinds, words: frozenset[str]) -> Bools:
    """For each kind whether its orders have one of these goods types or tags."""
    return np.array(
        [any(words & (each.tags | {each.goods_type}) for each in case.orders) for case in k.cases]
    )


def ways(m: Milestones, k: Kinds) -> Codes:
    """For each parcel 1 where it stays in its city, 0 where it leaves, -1 where one end is unknown."""
    numbers: dict[City | None, int] = {None: _UNKNOWN}

    def number(city: City | None) -> int:
        return numbers.setdefault(city, len(numbers))

    origin = np.array([number(city) for city in k.origin], dtype=np.int32)[m.bought.kind]
    picked = np.array([number(city_of(area)) for area in m.table.areas], dtype=np.int32)
    first = m.first_city
    there = first < len(m.moved.at)
    seen = np.full(m.parcels, _UNKNOWN, dtype=np.int32)
    seen[there] = picked[m.moved.number[first[there]]]
    origin = np.where(origin == _UNKNOWN, seen, origin)
    ends = [
        city_of(f"{c.order.receiver_province},{c.order.receiver_city}") if c.orders else None for c in k.cases
    ]
    end = np.array([number(city) for city in ends], dtype=np.int32)[m.bought.kind]
    known = (origin != _UNKNOWN) & (end != _UNKNOWN)
    return np.where(known, origin == end, _UNKNOWN)


def places(rule: Rule) -> bool:
    """The rule compares where a parcel comes from with where it goes."""
    return bool(rule.when & PLACES)
