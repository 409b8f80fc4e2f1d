"""Clocks over columns: which steps the waits of a rule crossed, under every line that holds for some parcels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from domain.time import to_micros
from domain.tracking import MOVEMENTS
from rules.clock import PROMISED
from rules.declare import Kind, Rule
from rules.lab.breaches import Breaches
from rules.lab.columns import NEVER, Bools, Codes, Micros
from rules.lab.ends import Spells, spells
from rules.lab.frame import Milestones
from rules.lab.kinds import Kinds, choose, dated, marked, places, steady, wavering, ways
from rules.lab.sheet import Block
from rules.lab.spans import length_of
from rules.lab.steps import Part, steps
from rules.lab.waits import Plan, Waits, from_starts, plan_key, settled, waits
from rules.policy import Line

__all__ = ["Clocks", "Found"]

_FLOOR: Final = 8 * 3600 * 1_000_000
"""Waits longer than this are kept, so that the next policy finds them, though its limits be shorter."""
_PROMISES: Final = {"ship": "promised_ship_at", "delivery": "promised_delivery_at"}
_MOVING: Final = frozenset(milestone.value for milestone in MOVEMENTS)


class Found(NamedTuple):
    """What a rule found in the columns, and the parcels it has to be replayed for."""

    blocks: list[Block]
    replay: Bools


@dataclass(frozen=True, eq=False)
class Clocks:
    """The clocks of one run."""

    m: Milestones
    kinds: Kinds
    now: int

    def rule(self, name: str, causes: Mapping[str, Breaches]) -> Found:
        """The crossings of one rule, but for parcels that are replayed anyway."""
        table = self.kinds.rules[name]
        held = table.of_policy[self.kinds.policy]
        held = np.where(self.m.is_odd, -1, held)
        replay = np.zeros(self.m.parcels, dtype=bool)
        blocks: list[Block] = []
        for n, line in enumerate(table.lines):
            if line.rule.kind in (Kind.CLOCK, Kind.STALENESS):
                for each, found in self._held(line, held == n, replay, causes):
                    for part in self._parts(each, found, replay):
                        blocks += steps(self.m, self.kinds, each.rule, part, replay)
        return Found([block.without(replay) for block in blocks], replay)

    # ── which waits a line is about ──────────────────────────────────────────────────────────────

    def _held(
        self, line: Line, mine: Bools, replay: Bools, causes: Mapping[str, Breaches]
    ) -> Iterator[tuple[Line, Spells]]:
        """The line and its variants, each with the waits of its time; what cannot be told is marked for replay."""
        only = steady(self.m, line)
        by_day = only is None
        unsteady = wavering(self.m, line, self.now) if by_day else None
        for place, each in enumerate((*line.variants, line)):
            if each.asleep or not _limited(each) or only not in (None, place):
                continue
            long = self._waits(each, mine, replay, causes)
            if long is None:
                replay |= mine
                continue
            found = long.taken(np.flatnonzero(mine[long.owner] & self._long_enough(each, long)))
            keep = np.ones(len(found.owner), dtype=bool)
            if by_day:
                keep &= choose(line, self._dated[found.owner]) == place
            if unsteady is not None:
                keep &= self._left_out(unsteady[found.owner], found.owner, replay)
            if _order_by_order(each) or by_day:
                keep &= self._left_out(self.m.bought.several[found.owner], found.owner, replay)
            keep &= self._concerned(each.rule, found.owner, replay)
            yield each, found.taken(keep)

    def _waits(self, line: Line, mine: Bools, replay: Bools, causes: Mapping[str, Breaches]) -> Spells | None:
        """The waits of the line's rule; None where the columns have none."""
        plan, least = plan_key(line.rule), self._least(line)
        if not settled(plan):
            replay |= mine & self.m.is_taken_back
        if line.rule.start == "confirmed":
            replay |= mine & self._confirmed_late(line)
        if not line.rule.after:
            return self._standing(plan, min(least, _FLOOR))
        cause = causes.get(line.rule.after)
        if cause is None:
            return spells(self.m, Waits.none(), self.now)
        replay |= mine & cause.replayed
        found = from_starts(self.m, plan, cause.at, least)
        if found is None:
            return None
        return spells(self.m, found.taken(found.end > cause.claimed_at[found.owner]), self.now)

    def _standing(self, plan: Plan, least: int) -> Spells | None:
        """All waits longer than `least` as they stand, kept for the next policy."""
        kept = self.m.kept
        key = ("waits", plan)
        if key not in kept or kept[key][0] > least or kept[key][1] != self.now:
            found = waits(self.m, plan, least)
            kept[key] = (least, self.now, None if found is None else spells(self.m, found, self.now))
        standing: Spells | None = kept[key][2]
        return standing

    def _long_enough(self, line: Line, found: Spells) -> Bools:
        """Whether a step of the line may have been crossed."""
        length = found.until - found.start
        if not line.rule.promise or line.by_merchant or line.limit is None:
            return length > self._least(line)
        promised = self._promised(line.rule)[found.owner] < NEVER
        return (length > self._shortest(line)) | (promised & (length > 0))

    def _least(self, line: Line) -> int:
        """No step of the line comes sooner after a start."""
        rule = line.rule
        if line.by_merchant:
            return self._shortest(line)
        promised = rule.promise and (self._promised(rule) < NEVER).any()
        return 0 if promised or line.limit is None or rule.lines is not None else self._shortest(line)

    def _shortest(self, line: Line) -> int:
        """The first step of the line's limits, promises aside."""
        lengths = [length_of(each) for each in (line.limit, *line.rule.goods.values()) if each is not None]
        ahead = [length_of(each) for each in line.rule.warn]
        return min(length - (each if each < length else 0) for length in lengths for each in (0, *ahead))

    def _confirmed_late(self, line: Line) -> Bools:
        """Parcels that crossed a step since the payment before the order was confirmed."""
        paid, confirmed = (self.m.bought.times[name] for name in ("paid_at", "confirmed_at"))
        rule = line.rule
        ahead = max((length_of(each) for each in rule.warn), default=0)
        lengths = [length_of(each) for each in (*rule.goods.values(), *([line.limit] if line.limit else []))]
        least = min(lengths, default=NEVER) - ahead
        promised = np.full(len(paid), least, dtype=np.int64)
        if rule.promise:
            until = self._promised(rule)
            said = (until < NEVER) & (until > paid)
            promised = np.where(said, until - paid + length_of(rule.promise_plus) - ahead, promised)
        return (confirmed < NEVER) & (confirmed - paid > np.minimum(promised, least))

    def _left_out(self, which: Bools, owner: Codes, replay: Bools) -> Bools:
        """Marks these for replay; the others are kept."""
        replay[owner[which]] = True
        return ~which

    def _concerned(self, rule: Rule, owner: Codes, replay: Bools) -> Bools:
        """Whether the rule is about the orders of these parcels."""
        if not rule.when:
            return np.ones(len(owner), dtype=bool)
        kind = self.m.bought.kind[owner]
        found: Bools = marked(self.kinds, rule.when)[kind]
        if "no_promise" in rule.when:
            found |= self._promised(rule)[owner] == NEVER
        if places(rule):
            way = self._ways[owner]
            found |= ((way == 1) & ("same_city" in rule.when)) | ((way == 0) & ("inter_city" in rule.when))
            if rule.start not in _MOVING:
                # The pickup tells the city, and it is not known before.
                unknown = np.array([city is None for city in self.kinds.origin], dtype=bool)[kind]
                found &= self._left_out(unknown, owner, replay)
        return found

    # ── how long they may take ───────────────────────────────────────────────────────────────────

    def _parts(self, line: Line, found: Spells, replay: Bools) -> Iterator[Part]:
        """The waits by how they are measured: by a promise, by the kind of goods, by the line."""
        rule = line.rule
        if rule.lines is not None and not line.by_merchant:
            self._left_out(np.ones(len(found.owner), dtype=bool), found.owner, replay)
            return
        if line.leaves:
            found = found.taken(self._left_out(self._excused(line, found.owner), found.owner, replay))
        if rule.promise and not line.by_merchant:
            until = self._promised(rule)[found.owner]
            said = (until < NEVER) & (until > found.start)
            length = until[said] - found.start[said] + length_of(rule.promise_plus)
            yield Part(found.taken(said), length, line.natural, line.source + PROMISED)
            found = found.taken(~said)
        if rule.goods and not line.by_merchant:
            for word_length, of_kind in self._by_goods(line):
                which = of_kind[self.m.bought.kind[found.owner]]
                yield Part(found.taken(which), word_length, line.calendar, line.source)
                found = found.taken(~which)
        if line.limit is not None:
            yield Part(found, length_of(line.limit), line.calendar, line.source)

    def _by_goods(self, line: Line) -> Iterator[tuple[int, Bools]]:
        """The limits of goods, the longest first, and which kinds have such goods."""
        for length in sorted(set(line.rule.goods.values()), reverse=True):
            words = frozenset(word for word, each in line.rule.goods.items() if each == length)
            yield length_of(length), marked(self.kinds, words)

    def _excused(self, line: Line, owner: Codes) -> Bools:
        """Whether a window may give these parcels' orders more time."""
        found = np.zeros(len(owner), dtype=bool)
        for name in ("paid_at", "confirmed_at"):
            at = self.m.bought.times[name][owner]
            for leave in line.leaves:
                found |= (at >= to_micros(leave.paid.starts_at)) & (at < to_micros(leave.paid.ends_at))
        return found

    # ── asked again and again ────────────────────────────────────────────────────────────────────

    def _promised(self, rule: Rule) -> Micros:
        return self.m.bought.times[_PROMISES[rule.promises]]

    @cached_property
    def _dated(self) -> Micros:
        return dated(self.m)

    @cached_property
    def _ways(self) -> Codes:
        return ways(self.m, self.kinds)


def _limited(line: Line) -> bool:
    """Anything says when its time is over."""
    return line.limit is not None or line.rule.promise or bool(line.rule.lines)


def _order_by_order(line: Line) -> bool:
    """What it says depends on single orders."""
    rule = line.rule
    return bool(rule.when or rule.promise or rule.goods or line.leaves)
