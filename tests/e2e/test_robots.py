"""Robots that misbehave: each costs its own group only, and nothing is lost or said twice without need."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from monitor.clock import wall
from tests.e2e.configuration import SECOND, configuration, second_channels
from tests.e2e.heard import Heard, alerts, stages
from tests.e2e.peers import LEFT_HUB, PICKED, SIGNED, Parcel, Peers
from tests.e2e.processes import Nursery
from tests.e2e.stage import Stage, together
from tests.e2e.waiting import seconds, until

LIMITS = {"late_shipment": ("2s",), "pickup_no_update": ("2s",), "transit_stagnation": ("2s",)}
Group = tuple[Peers, str]


def test_robots_that_misbehave(subtests: pytest.Subtests, nursery: Nursery, tmp_path: Path) -> None:
    scenarios = (six_robots_five_of_them_ill, an_end_while_messages_leave)
    together(subtests, nursery, tmp_path, {each.__name__: each for each in scenarios})


def delivered(group: Group) -> list[Heard]:
    """The alerts that a healthy robot took."""
    peers, robot = group
    return [each for each in alerts(peers.shown(robot)) if each.fault == "ok"]


def shown(group: Group, stage: str) -> int:
    """How many messages of a stage the group shows."""
    peers, robot = group
    return stages(peers.shown(robot)).count(stage)


def six_robots_five_of_them_ill(stage: Stage) -> None:
    """Each group hears of a parcel once all the same, as soon as its own robot can; none waits for another."""
    one, two, parcelwatch = stage.peers(), stage.peers(*SECOND), stage.parcelwatch
    muted, forgets, slow = (one, "ding"), (one, "wecom"), (one, "qq")
    refuses, portal, hangs = (two, "ding"), (two, "wecom"), (two, "qq")
    routes = ({"channels": ["ops", "wx", "qq", "ops2", "wx2", "qq2"]},)
    channels = second_channels(two)
    text = configuration(one, parcelwatch.store, rules=LIMITS, routes=routes, channels=channels)
    parcelwatch.configure(text)
    parcelwatch.command("migrate")
    one.groups(ding="muted", wecom="take_and_drop", qq="slow", delay=1)
    two.groups(ding="errcode", code=310000, wecom="html", qq="hang")
    began = wall().replace(microsecond=0)
    parcel = Parcel("75000000000061", "zhongtong", paid_at=began).scan(began, PICKED).scan(began, LEFT_HUB)
    one.knows(parcel)
    parcelwatch.import_([parcel])
    daemon = parcelwatch.start()
    until(
        "every robot was tried, while one hangs",
        lambda: all(peers.heard(robot) for peers, robot in (muted, forgets, slow, refuses, portal)),
        seen=lambda: [*one.heard(), *two.heard()],
    )
    until("the refusal is cried out", lambda: shown(forgets, "feed"), seen=one.heard)
    one.groups(ding="muted")
    two.groups(ding="errcode", code=310000)
    mended = (forgets, portal, hangs)
    until(
        "those that are well again have it",
        lambda: all(delivered(group) for group in mended),
        seen=lambda: [*one.heard(), *two.heard()],
    )

    assert shown(forgets, "breach") >= 2, "it had the message, and the receipt was lost"
    assert [shown(group, "breach") for group in (slow, portal, hangs)] == [1, 1, 1]
    assert len({each.title for each in [*alerts(one.shown()), *alerts(two.shown())]}) == 1
    assert [each.code for each in one.heard("ding")] == [130101], "a muted robot is left alone"
    assert [each.code for each in two.heard("ding")] == [310000], "so is one that refuses us"
    kept = {row["channel"]: row for row in parcelwatch.listing("outbox") if row["attempts"]}
    assert kept.keys() == {"ops", "ops2"}
    assert all(datetime.fromisoformat(row["next_try_at"]) > wall() + seconds(500) for row in kept.values())
    assert "禁言 10 分钟" in kept["ops"]["last_answer"]

    parcel.scan(wall().replace(microsecond=0), SIGNED)
    one.knows(parcel)
    well = (forgets, slow, portal, hangs)
    until("the end is told", lambda: all(shown(group, "resolved") for group in well), seen=one.heard)
    assert parcelwatch.stop(daemon) < 10
    assert [shown(group, "resolved") for group in well] == [1, 1, 1, 1]
    assert [shown(group, "feed") for group in (slow, portal, hangs)] == [1, 1, 1]
    assert "resolved" not in stages([*one.heard("ding"), *two.heard("ding")])
    dropped = [row["channel"] for row in parcelwatch.listing("outbox", "--all") if row["state"] == "dropped"]
    assert sorted(dropped) == ["ops", "ops2"], "an alarm that is over before it was said"
    assert one.violations() == []


def an_end_while_messages_leave(stage: Stage) -> None:
    """SIGTERM: gone within ten seconds; what could be finished is, the rest is said after the next start."""
    peers, parcelwatch = stage.peers(), stage.parcelwatch
    parcelwatch.configure(configuration(peers, parcelwatch.store, rules=LIMITS))
    parcelwatch.command("migrate")
    peers.groups(ding="hang", wecom="slow", delay=2)
    parcel = Parcel("770000000000071", "shentong", paid_at=wall() - seconds(2))
    peers.knows(parcel)
    parcelwatch.import_([parcel])
    daemon = parcelwatch.start()
    until(
        "both messages are leaving",
        lambda: sorted(parcelwatch.waiting()) == [("ops", "sending", 1), ("wx", "sending", 1)],
        seen=parcelwatch.waiting,
    )
    assert parcelwatch.stop(daemon) < 10
    assert stages(peers.shown("wecom")) == ["breach"]
    states = {row["channel"]: row["state"] for row in parcelwatch.listing("outbox", "--all")}
    assert states == {"wx": "sent", "ops": "sending"}

    peers.groups("ok")
    daemon = parcelwatch.start()
    until("the other one has it too", lambda: peers.shown("ding"), seen=peers.heard)
    until("nothing waits", lambda: not parcelwatch.waiting())
    assert parcelwatch.stop(daemon) < 10
    assert stages(peers.shown("wecom")) == ["breach"]
    assert [each.title for each in peers.shown("ding")] == [peers.shown("wecom")[0].title]
    assert peers.violations() == []
