"""Reloads in the middle of everything: nothing is lost, nothing is said twice, a broken file in between harms nothing."""

from __future__ import annotations

import signal
from itertools import count

from monitor.clock import wall
from tests.e2e.configuration import configuration
from tests.e2e.peers import Parcel, Peers
from tests.e2e.processes import Process
from tests.e2e.stage import Installation, Stage
from tests.e2e.waiting import seconds, until

RELOADS = 12
DELAY = 0.3
"""Seconds a group takes: many a message is on its way when a reload comes."""
SHOPS = {"甲店": "ops", "乙店": "wx"}
"""Each with the channel its alarms are routed to."""


def test_reloads_under_way_lose_nothing_and_say_nothing_twice(stage: Stage) -> None:
    peers, home = stage.peers("--daily", "500"), stage.parcelwatch
    routes = [{"match": {"shop": shop}, "channels": [channel]} for shop, channel in SHOPS.items()]
    text = configuration(peers, home.store, rules={"late_shipment": ("3s",)}, routes=routes)
    home.configure(text)
    peers.groups("slow", delay=DELAY)
    daemon = home.start()
    began = wall().replace(microsecond=0)
    parcels = [
        Parcel(f"YT00000000{n:05d}", shop=list(SHOPS)[n % 2], order_no=f"K{n}", paid_at=began + seconds(n))
        for n in range(10)
    ]
    peers.knows(*parcels)
    home.import_(parcels)

    for n in range(RELOADS):
        whole = n % 3 != 1
        home.configure(f'freshness = "{n + 1}h"\n{text}' if whole else f"{text}\nbroken =\n")
        reload(
            home,
            daemon,
            "configuration read again" if whole else "configuration refused, the old one stays in force",
        )
        a_while(peers)

    wanted = sorted(parcel.waybill_no for parcel in parcels)
    until(
        "everybody is told",
        lambda: {each.waybill for each in peers.heard()} >= set(wanted) and not home.waiting(),
        seen=peers.heard,
    )
    assert sorted(each.waybill for each in peers.heard()) == wanted
    assert {each.taken for each in peers.heard()} == {True}
    assert home.stop(daemon) < 10
    assert len(home.logged("configuration read again")) == RELOADS * 2 // 3
    assert not home.logged("verb fails")
    assert peers.violations() == []


def reload(home: Installation, daemon: Process, done: str) -> None:
    """Send the signal, and wait until the log tells that it was heeded."""
    before = len(home.logged(done))
    daemon.signal(signal.SIGHUP)
    until("the reload is over", lambda: len(home.logged(done)) > before, seen=lambda: home.log[-2000:])


def a_while(peers: Peers) -> None:
    """Until somebody is told something more, or about half a second."""
    told, tries = len(peers.heard()), count()
    until("something happens", lambda: len(peers.heard()) > told or next(tries) > 10)
