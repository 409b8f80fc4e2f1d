"""What the lab costs: 1 million parcels of ten scans each under the taobao_tmall profile.

A made-up month: most parcels arrive, some stall, are tried twice, wait in a locker, turn back or are never
picked up; two in ten thousand are signed for and stored again, which the columns leave to the row-wise
rules. Scans come in the order of time, as an export has them. The lab is measured against what a good
pandas user would write by hand for the same clocks (`lab_parts/by_hand.py`), whose count of findings must be the
lab's, rule by rule; against the row-wise rules, on a sample, extrapolated; and a second policy over the
same frame against the first. Rounds alternate. The peak of memory is that of a process that makes the
frame and applies two policies. Prints one JSON line; goals: `ratio_by_hand` ≤ 1.5,
`times_rowwise` ≥ 10, `second_to_first` ≤ 0.2, `peak_mb` ≤ 2048.

    python bench/lab.py [--parcels 1000000] [--rounds 3] [--sample 1000]
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from typing import TypeVar

from lab_parts.by_hand import by_hand
from lab_parts.month import AS_OF, month

from monitor.profiles import load_profiles
from rules.lab import milestones, run, run_rowwise
from rules.policy import Change, PolicyBook, PolicySpec
from rules.regions import Tier

T = TypeVar("T")
TIERS = (Tier.NORMAL, Tier.REMOTE, Tier.VERY_REMOTE)


def books() -> tuple[PolicyBook, PolicyBook]:
    """The platform's own rules, and a merchant who tightens three limits."""
    profiles = load_profiles()
    hours = {"late_shipment": 40, "transit_stagnation": 36, "dispatch_sign": 20}
    rules = {name: Change(limit=dict.fromkeys(TIERS, timedelta(hours=each))) for name, each in hours.items()}
    return PolicyBook(profiles), PolicyBook(profiles, [PolicySpec("strict", rules=rules)])


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of the processor and the result: everything here is one thread, and the machine is shared."""
    gc.collect()
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def peak(parcels: int) -> None:
    """Make the frame and apply two policies, and nothing else in this process."""
    orders, events = month(parcels)
    first, second = books()
    m = milestones(orders, events)
    rows = [len(run(m, book, AS_OF)) for book in (first, second)]
    print(json.dumps({"kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "rows": rows}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", type=int, default=1_000)
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak:
        peak(asked.parcels)
        return
    command = [sys.executable, __file__, "--peak", "--parcels", str(asked.parcels)]
    memory = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    orders, events = month(asked.parcels)
    first, second = books()
    hand, frames, firsts, seconds = [], [], [], []
    for _ in range(asked.rounds):
        took, counts = timed(lambda: by_hand(orders, events, AS_OF))
        hand.append(took)
        took, m = timed(lambda: milestones(orders, events))
        frames.append(took)
        took, found = timed(lambda m=m: run(m, first, AS_OF))
        firsts.append(took)
        usual = found[~found["parcel"].isin(m.taken_back)]
        hand_counts = (
            counts[~counts["parcel"].isin(m.taken_back)].groupby(["rule", "stage"], observed=True).size()
        )
        ours = usual.groupby(["rule", "stage"], observed=True).size()
        assert dict(ours) == dict(hand_counts), (dict(ours), dict(hand_counts))
        del found, usual, counts
        took, _ = timed(lambda m=m: run(m, second, AS_OF))
        seconds.append(took)
        odd = m.odd
        del m
    few = orders[orders["parcel"] < asked.sample], events[events["parcel"] < asked.sample]
    sample = milestones(*few)
    rowwise, _ = timed(lambda: run_rowwise(sample, first, AS_OF))
    rowwise *= asked.parcels / asked.sample
    whole = median(map(sum, zip(frames, firsts, strict=True)))
    print(
        json.dumps(
            {
                "bench": "lab",
                "parcels": asked.parcels,
                "events": len(events),
                "crossings": memory["rows"][0],
                "odd": round(odd, 6),
                "s_by_hand": round(median(hand), 2),
                "s_frame": round(median(frames), 2),
                "s_first": round(median(firsts), 2),
                "s_second": round(median(seconds), 2),
                "s_rowwise_extrapolated": round(rowwise),
                "ratio_by_hand": round(whole / median(hand), 3),
                "times_rowwise": round(rowwise / whole),
                "second_to_first": round(median(seconds) / whole, 3),
                "peak_mb": round(memory["kib"] / 1024),
            }
        )
    )


if __name__ == "__main__":
    main()
