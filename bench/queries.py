"""Queries per parcel over whole journeys, ours against a fixed 2-hour and a fixed 4-hour poll.

Plays every parcel of the simulated world from shipping to its end, in virtual time, with the real
rules and the real schedule; both ways of asking see exactly what the carrier shows at that moment.
Prints one JSON line: queries per parcel, the ratio to the fixed polls, and for what both find how
much later or earlier ours finds it.

    python bench/queries.py [--parcels 3000] [--seed 7]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import mean, median

from domain.findings import Stage
from domain.journey import condense
from domain.orders import Case
from monitor.demo.scans import events_at
from monitor.demo.world import Parcel, World
from monitor.profiles import load_profiles
from rules.judge import judge
from rules.policy import PolicyBook
from rules.schedule import Pace, next_question

PACE = Pace(interval=timedelta(minutes=30))
LONGEST = timedelta(days=30)
Found = dict[tuple[str, str, datetime], datetime]


def seen(parcel: Parcel, at: datetime) -> Case:
    """The parcel as a look at `at` shows it."""
    journey = condense(events_at(parcel.scans, at))
    return Case(parcel.waybill, (parcel.order,), journey, observed_at=at, orders_observed_at=at)


def looks_of_ours(parcel: Parcel, book: PolicyBook) -> Iterator[datetime]:
    """The moments at which our schedule asks."""
    shipped = parcel.order.shipped_at
    assert shipped is not None
    case = Case(parcel.waybill, (parcel.order,), orders_observed_at=shipped)
    asked: datetime | None = None
    now = shipped
    while now < shipped + LONGEST:
        verdict = judge(case, book.policy_for(case), now)
        at = next_question(case, verdict, PACE, asked, now)
        if at is None:
            return
        yield at
        asked = now = at
        case = replace(seen(parcel, at))


def looks_of_poll(parcel: Parcel, every: timedelta) -> Iterator[datetime]:
    """A fixed poll from shipping until the parcel has arrived for good."""
    shipped = parcel.order.shipped_at
    assert shipped is not None
    at = shipped + every
    while at < shipped + LONGEST:
        yield at
        if condense(events_at(parcel.scans, at)).over:
            return
        at += every


def play(parcel: Parcel, book: PolicyBook, looks: Iterator[datetime]) -> tuple[int, Found]:
    """How many questions, and when each finding was first true to the asker."""
    found: Found = {}
    asked = 0
    for at in looks:
        asked += 1
        case = seen(parcel, at)
        for finding in judge(case, book.policy_for(case), at).findings:
            stage = finding.stage.value if finding.deadline else "trouble"
            found.setdefault((finding.rule, stage, finding.started_at), at)
    return asked, found


def delays(ours: list[Found], theirs: list[Found], wanted: Callable[[str], bool]) -> tuple[list[float], int]:
    """Hours by which ours is later (negative: earlier), and how many only the poll found."""
    late: list[float] = []
    missed = 0
    for mine, other in zip(ours, theirs, strict=True):
        for key, at in other.items():
            if wanted(key[1]):
                if key in mine:
                    late.append((mine[key] - at).total_seconds() / 3600)
                else:
                    missed += 1
    return late, missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    world = World(asked.seed, datetime(2026, 11, 11, tzinfo=UTC))
    book = PolicyBook(load_profiles())
    parcels = list(world.parcels(asked.parcels))
    ours = [play(p, book, looks_of_ours(p, book)) for p in parcels]
    two = [play(p, book, looks_of_poll(p, timedelta(hours=2))) for p in parcels]
    four = [play(p, book, looks_of_poll(p, timedelta(hours=4))) for p in parcels]
    mine, theirs = [f for _, f in ours], [f for _, f in two]
    clocks, missed = delays(mine, theirs, lambda stage: stage == Stage.BREACH)
    warned, unwarned = delays(mine, theirs, lambda stage: stage == Stage.WARNING)
    trouble, untold = delays(mine, theirs, lambda stage: stage == "trouble")
    per_parcel = mean(n for n, _ in ours)
    print(
        json.dumps(
            {
                "bench": "queries",
                "parcels": len(parcels),
                "queries_per_parcel": round(per_parcel, 2),
                "fixed_2h": round(mean(n for n, _ in two), 2),
                "fixed_4h": round(mean(n for n, _ in four), 2),
                "ratio_to_2h": round(per_parcel / mean(n for n, _ in two), 3),
                "ratio_to_4h": round(per_parcel / mean(n for n, _ in four), 3),
                "breaches": len(clocks),
                "breach_hours_later_max": round(max(clocks), 3),
                "breach_hours_later_median": round(median(clocks), 3),
                "breaches_only_the_poll_found": missed,
                "warnings": len(warned),
                "warning_hours_later_max": round(max(warned), 3),
                "warnings_only_the_poll_found": unwarned,
                "troubles": len(trouble),
                "trouble_hours_later_max": round(max(trouble), 3),
                "troubles_only_the_poll_found": untold,
            }
        )
    )


if __name__ == "__main__":
    main()
