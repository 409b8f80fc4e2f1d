"""When a rule was first broken: the start of the clocks that another rule's breach starts.

A breach counts from the moment of its limit, also where the parcel moved on later. The condensed history
keeps the latest movements only (`domain.journey`): of a parcel with more, the first breach kept counts.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from domain.tracking import Milestone
from rules.clock import Common, chosen, ended, read
from rules.exemptions import granted
from rules.policy import Line
from rules.questions import plan_of

__all__ = ["first_breach"]


def first_breach(all_of: Common, line: Line, horizon: datetime | None) -> datetime | None:
    """The first moment at which the line's limit was over, as far as silence is proven; None if never."""
    line, all_of = chosen(all_of, line)
    reading = read(all_of, line)
    if reading.started_at is None or reading.deadline is None:
        return None
    earlier = _earlier(all_of, line) if reading.stale else None
    if earlier is not None:
        return earlier
    until = min((at for at in (reading.ended_at, horizon) if at is not None), default=None)
    return reading.deadline if until is not None and until > reading.steps[-1].claimed_at else None


def _earlier(all_of: Common, line: Line) -> datetime | None:
    """The first breach of a staleness before the silence it is read for now."""
    assert line.limit is not None
    since = all_of.case.journey.first.get(Milestone(line.rule.start))
    moved = [at for at in all_of.case.journey.movements if since is not None and at >= since]
    if not moved:
        return None
    over_at, _ = ended(all_of, plan_of(line), moved[0])
    given = granted(line.limit, line.leaves, all_of.case.orders)
    for at, following in pairwise(moved):
        deadline = line.calendar.after(at, given.limit)
        deadline = deadline if given.floor is None else max(deadline, given.floor)
        if over_at is not None and at >= over_at:
            return None
        if (following if over_at is None else min(following, over_at)) > deadline + line.rule.grace:
            return deadline
    return None
