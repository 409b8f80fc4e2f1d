"""The waits of a rule in every parcel: when each began and what ended it, whatever the limit.

A wait is told as the row-wise replay would know it: a stop counts from the moment it is known. Rules that ask
what is not modelled here give None and are replayed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from domain.tracking import FORWARD, MOVEMENTS, Milestone
from rules.declare import Kind, Rule
from rules.lab.columns import NEVER, Bools, Codes, Micros
from rules.lab.frame import Milestones
from rules.lab.meanings import MARKS, mark
from rules.lab.scans import Rows
from rules.questions import implying

__all__ = ["Plan", "Waits", "breakable", "plan_key", "settled", "waits"]

_HOMEWARD: Final = frozenset({"returning", "returned"})
_TERMINAL: Final = frozenset(milestone for milestone in Milestone if milestone.ends)
_ORDER_TIMES: Final = {"ordered": "ordered_at", "paid": "paid_at", "shipped": "shipped_at"}
_PAST_HUB: Final = frozenset(each for each in FORWARD if each.rank > Milestone.IN_TRANSIT.rank)
_BY_THEN: Final = frozenset({"shipped", "first_scan", "terminal"})
"""Stops that a signature proves to have come, beside the milestones on the way to it."""
_SCANS: Final = frozenset(milestone.value for milestone in Milestone)


class Plan(NamedTuple):
    """What decides a rule's waits, apart from how long they may be."""

    kind: Kind
    start: str
    stops: tuple[str, ...]
    all_stops: bool
    restarts: bool


class Waits(NamedTuple):
    """Waits, sorted by parcel and start."""

    owner: Codes
    start: Micros
    end: Micros
    """What ended it, or `NEVER`."""

    @classmethod
    def none(cls) -> Waits:
        """Nothing to wait for."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, nothing)

    def taken(self, which: Bools | Codes) -> Waits:
        """Some of them."""
        return Waits(self.owner[which], self.start[which], self.end[which])


def plan_key(rule: Rule) -> Plan:
    """The plan of a rule."""
    return Plan(rule.kind, rule.start, rule.stops, rule.all_stops, rule.restarts)


def waits(m: Milestones, plan: Plan, least: int) -> Waits | None:
    """All waits longer than `least` microseconds; None where the plan asks what is not modelled."""
    if plan.kind is Kind.STALENESS:
        return _silences(m, plan, least)
    if plan.restarts:
        return _again(m, plan, least)
    start = start_of(m, plan.start)
    return None if start is None else from_starts(m, plan, start, least)


def breakable(plan: Plan) -> bool:
    """Its breaches stay what they were, so that other clocks may start from them."""
    if plan.kind is Kind.STALENESS:
        return True
    forward = [stop in _SCANS and len(implying(Milestone(stop))) > 1 for stop in plan.stops]
    return not plan.restarts and not plan.all_stops and any(forward) and set(plan.stops) <= _SCANS


def settled(plan: Plan) -> bool:
    """A signature ends its waits for good, whatever becomes of the signature."""
    signed = [stop in _BY_THEN or (stop in _SCANS and Milestone(stop) in FORWARD) for stop in plan.stops]
    if plan.restarts or plan.start in _HOMEWARD:
        return False
    return all(signed) if plan.all_stops else any(signed)


def from_starts(m: Milestones, plan: Plan, start: Micros, least: int) -> Waits | None:
    """One wait for each parcel with a start."""
    end = _ends(m, plan)
    if end is None:
        return None
    # A start that is `NEVER` is before no end.
    long = np.flatnonzero(end - start > least)
    return Waits(long.astype(np.int32), start[long], end[long])


def start_of(m: Milestones, word: str) -> Micros | None:
    """When the clocks of each parcel start; None for a word that is not modelled."""
    if word in _ORDER_TIMES:
        return m.bought.times[_ORDER_TIMES[word]]
    if word == "confirmed":
        return _confirmed(m)
    if word == "promised_ship":
        return m.bought.times["promised_ship_at"]
    if word == "first_scan":
        return m.first_scan
    return m.first(frozenset({Milestone(word)})) if word in _SCANS else None


def _confirmed(m: Milestones) -> Micros:
    """Confirmed, or paid where nobody says when."""
    said = m.bought.times["confirmed_at"]
    return np.where(said == NEVER, m.bought.times["paid_at"], said)


def _ends(m: Milestones, plan: Plan) -> Micros | None:
    """What ends each parcel's wait that does not start again."""
    found = [_stop(m, word, plan.start) for word in plan.stops]
    times = [each for each in found if each is not None]
    if len(times) < len(found):
        return None
    reached = np.maximum.reduce(times) if plan.all_stops else np.minimum.reduce(times)
    return np.minimum(reached, _over(m, plan))


def _over(m: Milestones, plan: Plan) -> Micros:
    """What ends every wait: on the way back only a cancellation does."""
    return m.first(frozenset({Milestone.CANCELLED})) if plan.start in _HOMEWARD else m.over


def _stop(m: Milestones, word: str, start: str) -> Micros | None:
    if word == "shipped":
        # What the carrier has scanned was shipped, whenever the shop says so.
        return np.minimum(m.bought.times["shipped_at"], m.first_scan)
    if word in _ORDER_TIMES:
        return m.bought.times[_ORDER_TIMES[word]]
    if word == "confirmed":
        return np.minimum(m.bought.times["confirmed_at"], m.bought.times["paid_at"])
    if word == "first_scan":
        return m.first_scan
    if word == "any_scan":
        return m.after_pickup if start == Milestone.PICKED_UP else m.second_scan
    if word == "hub_scan":
        left = m.first(frozenset({Milestone.DEPARTED_FIRST_HUB}))
        return np.minimum(np.minimum(m.hub_scan, left), m.first(_PAST_HUB))
    if word == "terminal":
        return m.first(_TERMINAL)
    return m.first(implying(Milestone(word))) if word in _SCANS else None


# ── waits that come again ────────────────────────────────────────────────────────────────────────


def _silences(m: Milestones, plan: Plan, least: int) -> Waits | None:
    """From each movement to the next, between two milestones."""
    since = start_of(m, plan.start)
    end = _ends(m, plan)
    if since is None or end is None or Milestone(plan.start) not in MOVEMENTS:
        return None
    at, owner = m.moved.at, m.moved.owner
    following = _next_movement(m)
    rows = np.flatnonzero(following - at > least)
    mine = owner[rows]
    start, stop = at[rows], np.minimum(following[rows], end[mine])
    long = (stop - start > least) & (start >= since[mine])
    return Waits(mine[long], start[long], stop[long])


def _next_movement(m: Milestones) -> Micros:
    """For each movement when the next one of its parcel was."""
    at, owner = m.moved.at, m.moved.owner
    following = np.full(len(at), NEVER, dtype=np.int64)
    np.copyto(following[:-1], at[1:], where=owner[1:] == owner[:-1])
    return following


def _again(m: Milestones, plan: Plan, least: int) -> Waits | None:
    """From each start to the first stop after it, or the next start."""
    marks = [Milestone(stop) for stop in plan.stops if stop in _SCANS]
    if plan.all_stops or len(marks) < len(plan.stops) or plan.start not in _SCANS:
        return None
    begins = Milestone(plan.start)
    # A pickup and the leaving of the first hub are also read from other scans.
    derived = {Milestone.PICKED_UP, Milestone.DEPARTED_FIRST_HUB} & {begins, *marks}
    if derived or not MOVEMENTS.issuperset({begins, *marks}):
        return None
    rows = np.flatnonzero(m.moved.mark == mark(begins))
    owner, start = m.moved.owner[rows], m.moved.at[rows]
    end = np.minimum(_over(m, plan)[owner], _after(m.moved, rows, [begins, *marks]))
    long = end - start > least
    return Waits(owner[long], start[long], end[long])


def _after(moved: Rows, rows: Codes, wanted: list[Milestone]) -> Micros:
    """The first of the wanted scans behind each of the rows, in the same parcel."""
    table = np.zeros(len(MARKS), dtype=bool)
    table[[mark(each) for each in wanted]] = True
    there = np.flatnonzero(table[moved.mark])
    place = np.searchsorted(there, rows, side="right")
    found = np.full(len(rows), NEVER, dtype=np.int64)
    inside = place < len(there)
    behind = there[place[inside]]
    same = moved.owner[behind] == moved.owner[rows[inside]]
    found[inside] = np.where(same, moved.at[behind], NEVER)
    return found
