"""Queries per parcel over whole journeys, ours against a fixed 2-hour and a fixed 4-hour poll.

Plays every parcel of the simulated world from shipping to its end, in virtual time, with the real rules and the
real schedule; every way of asking sees exactly what the carrier shows at that moment. The lanes' usual gaps are
learned from another world. Prints one JSON line: of each way the queries per parcel, the yuan per thousand
parcels and the delay of detection (hours after the step was crossed, or the trouble told: median, p95, most);
and for what both find how much later or earlier ours finds it than the 2-hour poll.

    python bench/queries.py [--parcels 3000] [--seed 7] [--price 0.1]
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean, median

from domain.findings import Stage
from domain.journey import condense
from domain.orders import Case
from monitor.demo.scans import events_at
from monitor.demo.world import Parcel, World
from monitor.profiles import load_profiles
from monitor.store.gaps import ENOUGH, usual
from rules.judge import judge
from rules.policy import PolicyBook
from rules.schedule import Pace, next_asking

PACE = Pace(interval=timedelta(minutes=30))
LONGEST = timedelta(days=30)
Found = dict[tuple[str, str, datetime], tuple[datetime, datetime]]
"""When each finding was first true to the asker, and when it was true."""
Usual = dict[tuple[str, str], timedelta]


def seen(parcel: Parcel, at: datetime) -> Case:
    """The parcel as a look at `at` shows it."""
    journey = condense(events_at(parcel.scans, at))
    return Case(parcel.waybill, (parcel.order,), journey, observed_at=at, orders_observed_at=at)


def learned(world: World, parcels: int) -> Usual:
    """How long carriers usually say nothing, as the daemon would have learned it from parcels that arrived."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for parcel in world.parcels(parcels):
        scans = sorted(
            events_at(parcel.scans, datetime.max.replace(tzinfo=UTC)), key=lambda scan: scan.occurred_at
        )
        for before, after in pairwise(scans):
            gap = (after.occurred_at - before.occurred_at) // timedelta(microseconds=1)
            found[parcel.waybill.carrier, before.milestone.value].append(gap)
    return {leg: timedelta(microseconds=usual(gaps)) for leg, gaps in found.items() if len(gaps) >= ENOUGH}


def looks_of_ours(parcel: Parcel, book: PolicyBook, gaps: Usual) -> Iterator[datetime]:
    """The moments at which our schedule asks."""
    shipped = parcel.order.shipped_at
    assert shipped is not None
    case = Case(parcel.waybill, (parcel.order,), orders_observed_at=shipped)
    asked: datetime | None = None
    now = shipped
    while now < shipped + LONGEST:
        verdict = judge(case, book.policy_for(case), now)
        gap = gaps.get((parcel.waybill.carrier, case.journey.milestone.value))
        asking = next_asking(case, verdict, PACE, asked, now, usual=gap)
        if asking is None:
            return
        yield asking.at
        asked = now = asking.at
        case = seen(parcel, now)


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
            found.setdefault((finding.rule, stage, finding.started_at), (at, finding.crossed_at))
    return asked, found


def delays(ours: list[Found], theirs: list[Found], wanted: Callable[[str], bool]) -> tuple[list[float], int]:
    """Hours by which ours is later (negative: earlier), and how many only the poll found."""
    late: list[float] = []
    missed = 0
    for mine, other in zip(ours, theirs, strict=True):
        for key, (at, _) in other.items():
            if wanted(key[1]):
                if key in mine:
                    late.append((mine[key][0] - at).total_seconds() / 3600)
                else:
                    missed += 1
    return late, missed


def detection(found: list[Found], wanted: Callable[[str], bool]) -> dict[str, float]:
    """Hours from a finding's truth to its being known."""
    hours = sorted(
        (at - since).total_seconds() / 3600
        for each in found
        for (_, stage, _), (at, since) in each.items()
        if wanted(stage)
    )
    p95 = hours[int(len(hours) * 0.95)]
    return {
        "n": len(hours),
        "median": round(median(hours), 2),
        "p95": round(p95, 2),
        "max": round(hours[-1], 2),
    }


def told(played: list[tuple[int, Found]], price: float) -> dict[str, object]:
    """One way of asking."""
    each = mean(n for n, _ in played)
    found = [found for _, found in played]
    return {
        "queries_per_parcel": round(each, 2),
        "yuan_per_1000": round(each * price * 1000),
        "clock_delay_hours": detection(found, lambda stage: stage in (Stage.BREACH, Stage.WARNING)),
        "trouble_delay_hours": detection(found, lambda stage: stage == "trouble"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--price", type=float, default=0.1, help="yuan for a query: an example, not a quote")
    asked = parser.parse_args()
    opened = datetime(2026, 11, 11, tzinfo=UTC)
    world, book = World(asked.seed, opened), PolicyBook(load_profiles())
    gaps = learned(World(asked.seed + 1, opened), 1000)
    parcels = list(world.parcels(asked.parcels))
    ours = [play(p, book, looks_of_ours(p, book, gaps)) for p in parcels]
    two = [play(p, book, looks_of_poll(p, timedelta(hours=2))) for p in parcels]
    four = [play(p, book, looks_of_poll(p, timedelta(hours=4))) for p in parcels]
    clocks, missed = delays(
        [f for _, f in ours], [f for _, f in two], lambda stage: stage in (Stage.BREACH, Stage.WARNING)
    )
    per_parcel = mean(n for n, _ in ours)
    print(
        json.dumps(
            {
                "bench": "queries",
                "parcels": len(parcels),
                "ratio_to_2h": round(per_parcel / mean(n for n, _ in two), 3),
                "ratio_to_4h": round(per_parcel / mean(n for n, _ in four), 3),
                "ours": told(ours, asked.price),
                "fixed_2h": told(two, asked.price),
                "fixed_4h": told(four, asked.price),
                "clocks_later_than_2h_hours": {
                    "median": round(median(clocks), 3),
                    "max": round(max(clocks), 3),
                    "only_the_poll_found": missed,
                },
            }
        )
    )


if __name__ == "__main__":
    main()
