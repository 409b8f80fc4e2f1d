"""A provider is switched off for longer than every limit while 5,000 parcels are due (laws L1, promise 5 and 6)."""

from __future__ import annotations

from collections import Counter

import pytest

from carriers.base import Ceilings
from monitor.store.database import Database
from tests.simulated import HOUR, HUB, MINUTE, PICKED, SIGNED, Robot, World

PARCELS, STALLED = 5000, 40
LIMITS = Ceilings(30 * MINUTE, 48, per_second=100.0, concurrency=16)
OFF = 100
"""Hours: every limit of these rules is shorter."""


@pytest.fixture
def world(database: Database) -> World:
    return World(database, [Robot("ops")], ceilings=LIMITS)


def feed_alerts(world: World) -> list[str]:
    return world.column("SELECT key FROM outbox WHERE kind = 'feed' ORDER BY id")


def test_nobody_is_accused_the_outage_is_told_once_and_the_true_ones_come_within_one_cycle(
    world: World,
) -> None:
    world.import_many(PARCELS)
    for n in range(PARCELS):
        world.carrier.says(f"Z{n:05d}", (-1, PICKED))
    world.tick()
    while world.tick().parcels:
        pass
    world.due_now()
    world.run(lambda: world.repeat(world.poller.tick, seconds=5))
    assert world.column("SELECT count(*) FROM events") == [PARCELS]

    for n in range(PARCELS):
        number, moves = f"Z{n:05d}", n >= STALLED
        world.carrier.says(number, (-1, PICKED), *([(30.0, HUB), (50.0, SIGNED)] if moves else []))
    world.carrier.down = True
    before = list(world.carrier.asked)
    world.carrier.asked.clear()
    for hour in range(1, OFF, 7):
        world.set(hour)
        while world.tick().parcels >= 1000:
            pass
        world.poll()
    assert world.column("SELECT count(*) FROM findings") == [0]
    assert world.column("SELECT count(*) FROM tickets") == [0]
    assert len(feed_alerts(world)) == 1
    probes = len(world.carrier.asked)
    assert probes < 1000, "what is down is probed, not asked about everybody"

    world.set(OFF)
    world.carrier.down = False
    world.run(lambda: world.repeat(world.poller.tick, seconds=PARCELS / LIMITS.per_second + 10))
    accused = world.column(
        "SELECT DISTINCT p.waybill_no FROM findings f JOIN parcels p ON p.id = f.parcel_id"
        " ORDER BY p.waybill_no"
    )
    assert accused == [f"Z{n:05d}" for n in range(STALLED)]
    assert len(feed_alerts(world)) == 2, "and its end, once"

    after = world.carrier.asked[probes:]
    assert max(Counter(number for _, number in after).values()) == 1, "one cycle"
    moments = sorted(at for at, _ in after)
    in_a_second = max(
        sum(first <= at < first + HOUR / 3600 for at in moments[n : n + 200])
        for n, first in enumerate(moments)
    )
    assert in_a_second <= LIMITS.per_second + 1
    first = {number: at for at, number in before}
    assert all(at - first[number] >= LIMITS.per_waybill_interval for at, number in after)
