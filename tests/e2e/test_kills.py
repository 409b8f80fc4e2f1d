"""`kill -9`, fifty times at random moments: nothing is lost, nothing is doubled beyond promise 4.

Two dozen parcels go through their stages meanwhile, new scans come in, and the groups are slow, so that many a
message is on its way when the daemon dies. A message is doubled when its group shows it twice; each such
repeat must be the first after a kill of its own, in its own group, with the same words and number.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from monitor.clock import wall
from monitor.store import events
from monitor.store.database import Database
from monitor.store.parcels import find
from tests.e2e.configuration import SECOND, configuration, second_channels
from tests.e2e.heard import Heard
from tests.e2e.peers import DELIVERING, LEFT_HUB, PICKED, SIGNED, Parcel, Peers
from tests.e2e.stage import Installation, Stage
from tests.e2e.waiting import seconds, until

_WAYBILL = re.compile(r"YT\d{13}")
KILLS = 50
DELAY = 0.08
"""Seconds a group takes: wide enough for a kill to hit a message on its way."""
LIFE = 0.7
"""Seconds a daemon lives at most once it is ready."""
PARCELS = 24
_MOVES_LATE, _MOVES_IN_TIME = 1, 2
SPREAD = 16.0
"""Seconds over which the parcels come due."""
SHOPS = {
    "甲店": ("ops", "ding"),
    "乙店": ("wx", "wecom"),
    "丙店": ("qq", "qq"),
    "丁店": ("ops2", "ding2"),
    "戊店": ("wx2", "wecom2"),
    "己店": ("qq2", "qq2"),
}
"""Each with the channel its alarms are routed to, and the robot behind it."""
LIMITS = {"late_shipment": ("4s",), "pickup_no_update": ("4s",), "transit_stagnation": ("5s",)}


@dataclass
class Cast:
    """Who plays: in every shop two, one and one."""

    stayers: list[Parcel] = field(default_factory=list)
    """Come due and stay where they are."""
    movers: list[Parcel] = field(default_factory=list)
    """Come due, and are signed for seven seconds later."""
    innocent: list[Parcel] = field(default_factory=list)
    """Move in time."""

    @property
    def everybody(self) -> list[Parcel]:
        return [*self.stayers, *self.movers, *self.innocent]


def cast(began: datetime) -> Cast:
    """Parcels that come due one after the other; their scans show up as they happen."""
    players = Cast()
    for n in range(PARCELS):
        shop, turn = list(SHOPS)[n % len(SHOPS)], n // len(SHOPS)
        start, kind = SPREAD * n / PARCELS, n % 3
        parcel = Parcel(f"YT00000000{n:05d}", shop=shop, order_no=f"K{n}", paid_at=began + seconds(start))
        script = [[], [(0, PICKED)], [(0, PICKED), (1, LEFT_HUB)]][kind]
        if turn == _MOVES_IN_TIME:
            script = [(0, PICKED), (1, LEFT_HUB), (2, DELIVERING)]
        elif turn == _MOVES_LATE:
            script += [(12, SIGNED)]
        for after, what in script:
            at = (began + seconds(start + after)).replace(microsecond=0)
            parcel.scan(at, what, visible_after=max(0.0, (at - began).total_seconds()))
        [players.stayers, players.movers, players.innocent, players.stayers][turn].append(parcel)
    return players


@pytest.fixture
def seed() -> int:
    """Another one each time; `KILL_SEED` plays one again."""
    seed = int(os.environ.get("KILL_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"KILL_SEED={seed}")  # noqa: T201 - shown when the test fails
    return seed


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_fifty_kills_lose_nothing_and_double_no_more_than_one_message_per_kill_and_group(
    stage: Stage,
    backend: str,
    seed: int,
    record_property: Callable[[str, object], None],
    request: pytest.FixtureRequest,
) -> None:
    peers, more, parcelwatch = stage.peers("--daily", "500"), stage.peers(*SECOND), stage.parcelwatch
    if backend == "postgresql":
        parcelwatch.postgresql = request.getfixturevalue("empty_postgresql_url")
    chance = random.Random(seed)
    routes = [{"match": {"shop": shop}, "channels": [channel]} for shop, (channel, _) in SHOPS.items()]
    ceilings = {"per_second": 500, "concurrency": 16, "per_waybill_daily": 500}
    text = configuration(
        peers,
        parcelwatch.store,
        rules=LIMITS,
        routes=routes,
        ceilings=ceilings,
        channels=second_channels(more),
    )
    parcelwatch.configure(text)
    parcelwatch.command("migrate")
    for each in (peers, more):
        each.groups("slow", delay=DELAY)
    began = wall().replace(microsecond=0)
    players = cast(began)
    peers.knows(*players.everybody)
    parcelwatch.import_(players.everybody)

    kills = [live(parcelwatch, chance) for _ in range(KILLS)]
    daemon = parcelwatch.start()
    wanted = {parcel.waybill_no for parcel in players.stayers}
    until(
        "every parcel that stays is told, and nothing waits",
        lambda: _named(heard(peers, more)) >= wanted and not parcelwatch.waiting(),
        seen=lambda: [
            wanted - _named(heard(peers, more)),
            *heard(peers, more),
            *parcelwatch.waiting(),
        ],
    )
    settled = wall()
    until(
        "what moved is resolved",
        lambda: _open_tickets(parcelwatch) == len(wanted),
        seen=lambda: parcelwatch.listing("tickets"),
    )
    scans = sum(len(parcel.rows) for parcel in players.everybody)
    until(
        "every scan is known, and nothing waits",
        lambda: _known_scans(parcelwatch) >= scans and not parcelwatch.waiting(),
        seen=lambda: [_known_scans(parcelwatch), *parcelwatch.waiting()],
    )
    assert parcelwatch.stop(daemon) < 10

    said = heard(peers, more)
    repeats = doubled(said, kills)
    figures = {
        "seed": seed,
        "kills": len(kills),
        "messages": len(said),
        "while killing": sum(1 for each in said if each.at < kills[-1]),
        "said again": {robot: len(found) for robot, found in repeats.items()},
        "questions": len(peers.asked()),
        "killing": round((kills[-1] - began).total_seconds(), 1),
        "settling": round((settled - kills[-1]).total_seconds(), 1),
    }
    record_property("figures", str(figures))
    print(figures)  # noqa: T201 - shown when the test fails

    check_tickets(parcelwatch, players)
    check_messages(parcelwatch, said, players)
    check_scans(parcelwatch.store, players.everybody)
    assert peers.violations() == []
    assert parcelwatch.logged("verb fails") == []


def live(parcelwatch: Installation, chance: random.Random) -> datetime:
    """One daemon's life, ended by chance: one in five dies while it starts. When it was dead."""
    daemon = parcelwatch.launch() if chance.random() < 0.2 else parcelwatch.start()
    time.sleep(chance.uniform(0, LIFE))
    return parcelwatch.kill(daemon)


def heard(peers: Peers, more: Peers) -> list[Heard]:
    """Every request to the six robots, oldest first."""
    second = [replace(each, robot=f"{each.robot}2") for each in more.heard()]
    return sorted([*peers.heard(), *second], key=lambda each: each.at)


def _open_tickets(parcelwatch: Installation) -> int:
    ((count,),) = parcelwatch.query("SELECT count(*) FROM tickets WHERE resolved_at IS NULL")
    return int(count)


def _known_scans(parcelwatch: Installation) -> int:
    ((count,),) = parcelwatch.query("SELECT count(*) FROM events")
    return int(count)


def _named(said: Iterable[Heard]) -> set[str]:
    """The parcels an alert was shown of, by itself or in a digest."""
    lines = [line for each in said for line in each.lines if "已恢复" not in line]
    return {named[0] for line in lines if (named := _WAYBILL.search(line))}


def doubled(shown: list[Heard], kills: list[datetime]) -> dict[str, list[Heard]]:
    """What a group shows again, by robot; fails where a repeat has no kill of its own.

    The kill came after the first copy had left: a slow group notes it up to `DELAY` later.
    """
    repeats: dict[str, list[Heard]] = defaultdict(list)
    blamed: set[tuple[str, datetime]] = set()
    last: dict[tuple[str, str], Heard] = {}
    for each in shown:
        before = last.get((each.robot, each.title))
        if before is not None:
            between = [kill for kill in kills if before.at - seconds(2 * DELAY) < kill < each.at]
            free = [kill for kill in between if (each.robot, kill) not in blamed]
            assert free, f"said again without a crash of its own: {each}; first {before}; kills {between}"
            blamed.add((each.robot, free[0]))
            repeats[each.robot].append(each)
        last[each.robot, each.title] = each
    return repeats


def check_tickets(parcelwatch: Installation, players: Cast) -> None:
    """One for each that stays; at most one for each that moved, and that one is resolved."""
    tickets = Counter((row["waybill_no"], row["state"]) for row in parcelwatch.listing("tickets", "--all"))
    assert set(tickets.values()) == {1}
    assert {number for number, state in tickets if state == "open"} == {
        each.waybill_no for each in players.stayers
    }
    assert {number for number, state in tickets if state != "open"} <= {
        each.waybill_no for each in players.movers
    }
    assert {state for _, state in tickets} <= {"open", "resolved"}


def check_messages(parcelwatch: Installation, said: list[Heard], players: Cast) -> None:
    """An alarm has one wording, in its parcel's own group, with its ticket's number; so has its end.

    That of one which moved before anybody heard of it may be missing; then so is its end.
    """
    numbers = {row["waybill_no"]: row["number"] for row in parcelwatch.listing("tickets", "--all")}
    alarms: dict[tuple[str, str], set[str]] = defaultdict(set)
    ends: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in said:
        for line in each.lines:
            named = _WAYBILL.search(line)
            if named and "· T-" in line:
                (ends if "已恢复" in line else alarms)[each.robot, named[0]].add(each.title)
                assert numbers[named[0]] in line
    stay, move = (
        {(SHOPS[parcel.shop][1], parcel.waybill_no) for parcel in parcels}
        for parcels in (players.stayers, players.movers)
    )
    assert alarms.keys() - move == stay
    assert ends.keys() == alarms.keys() & move
    assert {key: titles for key, titles in [*alarms.items(), *ends.items()] if len(titles) != 1} == {}
    states = Counter(row["state"] for row in parcelwatch.listing("outbox", "--all"))
    assert states.keys() <= {"sent", "folded", "dropped"}
    assert [str(each) for each in said if not each.taken] == [], "a platform's limit was broken"


def check_scans(store: str, parcels: Iterable[Parcel]) -> None:
    """Every scan the carriers ever showed is kept, once."""
    with closing(Database.open(store)) as db:
        for parcel in parcels:
            (parcel_id,) = db.read_now(lambda conn: find(conn, parcel.waybill_no))  # noqa: B023
            rows = db.read_now(lambda conn: events.known(conn, [parcel_id])).get(parcel_id, [])  # noqa: B023
            kept = sorted((row.event.occurred_at, row.event.text) for row in rows)
            shown = sorted((datetime.fromisoformat(row["at"]), str(row["text"])) for row in parcel.rows)
            assert kept == shown, parcel
