"""Each way a journey goes wrong.

A journey is first written as it should have been, then bent: a stretch is held up, cut off, or something is
written in. Held stretches are whole days, so that deliveries still happen by day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Final

from domain.tracking import ExceptionKind, Milestone, Motion
from monitor.demo.places import City, road_hours
from monitor.demo.story import (
    BEIJING,
    Draft,
    Jam,
    Kind,
    Plan,
    Story,
    at_door,
    at_hub,
    at_outlet,
    hours,
    local_window,
    ordinary,
    remark,
)

__all__ = ["journey"]

_FOREVER: Final = 0.35
"""The share of stalls that never end."""


def journey(plan: Plan, rng: Random) -> tuple[Kind, Story]:
    """The lines of a parcel's life in order of time, and its kind (a jam on the way makes one of NORMAL)."""
    if plan.kind is Kind.NEVER_HEARD_OF:
        return plan.kind, []
    story = ordinary(plan, rng)
    bend = _BENDS.get(plan.kind)
    if bend is not None:
        story = bend(plan, story, rng)
    elif plan.kind is Kind.NORMAL and _jammed(plan, story, rng):
        return Kind.HUB_JAM, story
    if plan.carrier.forecast and rng.random() < 0.3:
        _foretell(plan, story)
    story.sort(key=lambda draft: draft.at)
    return plan.kind, story


def _index(story: Story, *steps: str) -> int:
    """Where the first line of one of these steps stands."""
    return next(n for n, draft in enumerate(story) if draft.step in steps)


def _some(story: Story, rng: Random, *steps: str) -> int:
    """Where one of the lines of these steps stands."""
    return rng.choice([n for n, draft in enumerate(story) if draft.step in steps])


def _second(moment: datetime) -> datetime:
    """Carriers book whole seconds."""
    return moment.replace(microsecond=0)


def _hold(story: Story, place: int, days: int) -> None:
    """Everything from `place` on happens `days` later."""
    for draft in story[place:]:
        draft.at += timedelta(days=days)


def _stall(story: Story, place: int, rng: Random, days: tuple[int, int] = (2, 4)) -> Story:
    """Nothing before `place` moves on for some days, or ever."""
    if rng.random() < _FOREVER:
        return story[:place]
    _hold(story, place, rng.randint(*days))
    return story


def _late_pickup(plan: Plan, story: Story, rng: Random) -> Story:
    """The number is uploaded and nobody comes, for days or for ever."""
    return _stall(story, _index(story, "pickup"), rng)


def _fake(plan: Plan, story: Story, rng: Random) -> Story:
    return story[: _index(story, "pickup") + 1]


def _first_hub(plan: Plan, story: Story, rng: Random) -> Story:
    """Weighed again and again at the first hub, never silent for a day, and not leaving."""
    place = _index(story, "first_out")
    arrived, leaves, days = story[place - 1], story[place], rng.randint(3, 4)
    forever = rng.random() < _FOREVER
    rounds = 6 if forever else days
    pace = (leaves.at - arrived.at + timedelta(days=rounds)) / (rounds + 1)
    again = [
        at_hub(
            "weighed", _second(arrived.at + pace * n), plan.carrier.weighed, arrived.city, arrived.hub, None
        )
        for n in range(1, rounds + 1)
    ]
    if forever:
        return story[:place] + again
    _hold(story, place, days)
    return story[:place] + again + story[place:]


def _stall_at_pickup(plan: Plan, story: Story, rng: Random) -> Story:
    _hold(story, _index(story, "outlet_out"), rng.randint(2, 3))
    return story


def _stall_in_node(plan: Plan, story: Story, rng: Random) -> Story:
    """In a hub on the way; a parcel that stays in town has only the first one."""
    return _stall(story, _some(story, rng, "hub_out" if _leaves_town(story) else "first_out"), rng)


def _stall_between(plan: Plan, story: Story, rng: Random) -> Story:
    """On the road to the next hub, or to the outlet in the same town."""
    return _stall(story, _some(story, rng, "hub_in" if _leaves_town(story) else "station"), rng)


def _leaves_town(story: Story) -> bool:
    return any(draft.step == "hub_in" for draft in story)


def _stall_delivery(plan: Plan, story: Story, rng: Random) -> Story:
    return _stall(story, _index(story, "out"), rng)


def _dispatch(plan: Plan, story: Story, rng: Random) -> Story:
    return _stall(story, _index(story, "signed"), rng, (1, 2))


def _refused(plan: Plan, story: Story, rng: Random) -> Story:
    place = _index(story, "signed")
    said = at_door(plan, "refused", story[place].at, plan.carrier.refused, "203", Milestone.DELIVERY_FAILED)
    said.exceptions = frozenset({ExceptionKind.REFUSED})
    story = [*story[:place], said]
    if rng.random() < 0.4:
        return story
    return story + _way_back(plan, said.at + hours(rng.uniform(6, 30)), plan.destination, rng)


def _returned(plan: Plan, story: Story, rng: Random) -> Story:
    """Called back on the way."""
    place = _some(story, rng, "hub_out", "first_out")
    return story[:place] + _way_back(plan, story[place].at, story[place].city, rng)


def _way_back(plan: Plan, at: datetime, city: City, rng: Random) -> Story:
    """From a city's hub back to the shipper, who signs."""
    c = plan.carrier
    back = at_hub("returning", at, c.returning, city, c.hub(city), Motion.DEPARTED)
    back.code, back.milestone, back.next_stop = "6", Milestone.RETURNING, c.hub(plan.origin)
    lane = road_hours(city, plan.origin) + rng.uniform(10, 20)
    home = local_window(at + hours(lane), rng, (10.0, 17.0))
    outlet = c.outlet(plan.origin, plan.origin_district)
    return [back, at_outlet("returned", home, c.returned, "4", Milestone.RETURNED, plan.origin, outlet)]


def _damaged(plan: Plan, story: Story, rng: Random) -> Story:
    place = _some(story, rng, "hub_in", "first_in")
    hub = story[place]
    said = remark(hub, hub.at + hours(0.5), plan.carrier.damaged, "209", ExceptionKind.DAMAGED)
    if rng.random() < 0.5:
        _hold(story, place + 1, 2)
    return [*story[: place + 1], said, *story[place + 1 :]]


def _lost(plan: Plan, story: Story, rng: Random) -> Story:
    place = _some(story, rng, "hub_out", "first_out")
    gone = story[place]
    said = remark(gone, gone.at + hours(rng.uniform(55, 80)), plan.carrier.lost, "2", ExceptionKind.LOST)
    return [*story[: place + 1], said]


def _unreachable(plan: Plan, story: Story, rng: Random) -> Story:
    """Nobody answers the phone; a second try the next day ends in a signature or in the way back."""
    place = _index(story, "signed")
    again = local_window(story[place].at + hours(4), rng, (8.0, 9.5))
    out = at_door(plan, "out", again, plan.carrier.out, "5", Milestone.OUT_FOR_DELIVERY)
    end = again + hours(rng.uniform(2, 4))
    story = [*story[:place], _no_answer(plan, story[place].at), out]
    if rng.random() < 0.6:
        return [*story, at_door(plan, "signed", end, plan.carrier.signed, "302", Milestone.DELIVERED)]
    return [*story, _no_answer(plan, end), *_way_back(plan, end + timedelta(days=3), plan.destination, rng)]


def _no_answer(plan: Plan, at: datetime) -> Draft:
    failed = at_door(plan, "failed", at, plan.carrier.unreachable, "206", Milestone.DELIVERY_FAILED)
    failed.exceptions = frozenset({ExceptionKind.CONTACT_FAILURE})
    return failed


def _locker(plan: Plan, story: Story, rng: Random) -> Story:
    """Put into a locker and not collected for three days or more."""
    place = _index(story, "signed")
    put = at_door(plan, "locker", story[place].at, plan.carrier.locker, "501", Milestone.READY_FOR_COLLECTION)
    story = [*story[:place], put]
    if rng.random() < _FOREVER:
        return story
    at = local_window(put.at + timedelta(days=rng.randint(3, 6)), rng, (12.0, 13.0), (17.5, 21.0))
    return [*story, at_door(plan, "signed", at, plan.carrier.taken, "304", Milestone.DELIVERED)]


def _signed_stored(plan: Plan, story: Story, rng: Random) -> Story:
    """Signed without the receiver, stored minutes later under a plain transit code, perhaps collected."""
    place = _index(story, "signed")
    at = story[place].at + hours(rng.uniform(0.2, 1.0))
    stored = at_door(plan, "stored", at, plan.carrier.locker, "0", Milestone.READY_FOR_COLLECTION)
    story = [*story[: place + 1], stored]
    if rng.random() < 0.4:
        return story
    at = local_window(at + hours(20), rng, (12.0, 13.0), (17.5, 21.0))
    return [*story, at_door(plan, "signed", at, plan.carrier.taken, "304", Milestone.DELIVERED)]


def _missing_pickup(plan: Plan, story: Story, rng: Random) -> Story:
    return [draft for draft in story if draft.step not in ("pickup", "outlet_out")]


def _back_dated(plan: Plan, story: Story, rng: Random) -> Story:
    """After a departure the scans come days late, with the times at which they were made."""
    place = _some(story, rng, "first_out", "hub_out")
    shown = story[place].at + hours(rng.uniform(50, 56))
    for draft in story[place + 1 :]:
        draft.hidden_until = shown
    return story


def _jammed(plan: Plan, story: Story, rng: Random) -> bool:
    """Hold the parcel where its hub is congested when it wants to leave."""
    for place, draft in enumerate(story[:-1]):
        jam = _jam_at(plan, draft)
        leaves = story[place + 1].at
        if jam is None or leaves >= jam.until:
            continue
        _hold(story, place + 1, -(-(jam.until - leaves) // timedelta(days=1)))
        kinds = (ExceptionKind.HUB_CONGESTION, ExceptionKind.HELD)
        told = draft.at + hours(rng.uniform(4, 8))
        story.insert(place + 1, remark(draft, told, plan.carrier.congested, "0", *kinds))
        return True
    return False


def _jam_at(plan: Plan, draft: Draft) -> Jam | None:
    """The jam a parcel arriving with this line runs into."""
    if draft.motion is not Motion.ARRIVED or not draft.hub:
        return None
    for jam in plan.jams:
        here = jam.carrier == plan.carrier.key and jam.city == draft.city.name
        if here and jam.since <= draft.at < jam.until:
            return jam
    return None


def _foretell(plan: Plan, story: Story) -> None:
    """A forecast line in the middle of the longest gap on the way: it must not look like movement."""
    gaps = [(later.at - earlier.at, n) for n, (earlier, later) in enumerate(pairwise(story)) if earlier.moves]
    if not gaps:
        return
    gap, n = max(gaps)
    at = _second(story[n].at + gap / 2)
    line = remark(story[n], at, plan.carrier.forecast, "0")
    line.hub = line.outlet = line.next_stop = ""
    tomorrow = at + BEIJING + timedelta(days=1)
    line.words = {"date": f"{tomorrow.month}月{tomorrow.day}日"}
    story.insert(n + 1, line)


_BENDS: Final[Mapping[Kind, Callable[[Plan, Story, Random], Story]]] = {
    Kind.LATE_PICKUP: _late_pickup,
    Kind.FAKE_SHIPMENT: _fake,
    Kind.FIRST_HUB_STUCK: _first_hub,
    Kind.STALL_AT_PICKUP: _stall_at_pickup,
    Kind.STALL_IN_NODE: _stall_in_node,
    Kind.STALL_BETWEEN_NODES: _stall_between,
    Kind.STALL_DELIVERY_LEG: _stall_delivery,
    Kind.DISPATCH_TIMEOUT: _dispatch,
    Kind.REFUSED: _refused,
    Kind.DAMAGED: _damaged,
    Kind.LOST: _lost,
    Kind.RETURNED: _returned,
    Kind.UNREACHABLE: _unreachable,
    Kind.LOCKER_OVERDUE: _locker,
    Kind.SIGNED_THEN_STORED: _signed_stored,
    Kind.MISSING_PICKUP: _missing_pickup,
    Kind.BACK_DATED_SCAN: _back_dated,
}
