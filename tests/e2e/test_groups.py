"""Robots that misbehave: each hurts its own group only, and nothing is lost or said twice without need."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor.clock import wall
from tests.e2e.stage import (
    LEFT_HUB,
    PICKED,
    SECOND,
    SIGNED,
    Heard,
    Installation,
    Parcel,
    Peers,
    configuration,
    second_channels,
    seconds,
    until,
)

LIMITS = {"late_shipment": ("2s",), "pickup_no_update": ("2s",), "transit_stagnation": ("2s",)}


def alerts(heard: list[Heard]) -> list[Heard]:
    return [each for each in heard if each.stage in ("warning", "breach")]


def waiting(parcelwatch: Installation) -> dict[str, list[dict[str, str]]]:
    """What is not out yet, by channel."""
    rows = parcelwatch.listing("outbox")
    return {
        name: [row for row in rows if row["channel"] == name] for name in {row["channel"] for row in rows}
    }


def test_a_robot_that_misbehaves_costs_no_other_group_a_message_and_its_own_no_more_than_it_must(
    start_peers: Callable[..., Peers], parcelwatch: Installation
) -> None:
    one, two = start_peers(), start_peers(*SECOND)
    routes = ({"channels": ["ops", "wx", "qq", "ops2", "wx2", "qq2"]},)
    channels = second_channels(two)
    parcelwatch.configure(
        configuration(one, parcelwatch.store, rules=LIMITS, routes=routes, channels=channels)
    )
    parcelwatch.command("migrate")
    one.groups(ding="muted", wecom="take_and_drop", qq="slow", delay=1)
    two.groups(ding="errcode", code=310000, wecom="html", qq="hang")
    began = wall().replace(microsecond=0)
    parcel = Parcel("75000000000061", "zhongtong", paid_at=began).scan(began, PICKED).scan(began, LEFT_HUB)
    one.knows(parcel)
    parcelwatch.import_([parcel])
    daemon = parcelwatch.start()

    everywhere = [(peers, robot) for peers in (one, two) for robot in ("ding", "wecom", "qq")]
    tried = [(peers, robot) for peers, robot in everywhere if (peers, robot) != (two, "qq")]  # that one hangs
    until(
        "every robot was tried",
        lambda: all(peers.heard(robot) for peers, robot in tried),
        seen=lambda: [*one.heard(), *two.heard()],
    )
    until("the refusal is cried out", lambda: "feed" in stages(one, "wecom"), seen=one.heard)
    one.groups(ding="muted")
    two.groups(ding="errcode", code=310000)
    for peers, robot in ((one, "wecom"), (two, "wecom"), (two, "qq")):
        until(f"{robot} has it and says so", lambda: delivered(peers, robot), seen=peers.heard)  # noqa: B023

    first = alerts(one.shown("qq"))[0]
    counts = [len(alerts(peers.shown(robot))) for peers, robot in everywhere]
    assert counts.pop(1) >= 2  # it had the message and the receipt was lost: said again
    assert counts == [0, 1, 0, 1, 1]
    assert {each.title for peers in (one, two) for each in alerts(peers.shown())} == {first.title}
    assert [each.code for each in one.heard("ding")] == [130101], "a muted robot is left alone"
    assert [each.code for each in two.heard("ding")] == [310000], "a robot that refuses us is left alone"
    kept = waiting(parcelwatch)
    assert kept.keys() >= {"ops", "ops2"}
    for name in ("ops", "ops2"):
        soonest = min(datetime.fromisoformat(row["next_try_at"]) for row in kept[name] if row["attempts"])
        assert soonest > wall()
    assert "禁言 10 分钟" in kept["ops"][-1]["last_answer"]

    parcel.scan(wall().replace(microsecond=0), SIGNED)
    one.knows(parcel)
    for peers, robot in ((one, "wecom"), (one, "qq"), (two, "wecom"), (two, "qq")):
        until("the end is told", lambda: stages(peers, robot).count("resolved") == 1, seen=peers.heard)  # noqa: B023
        cries = stages(peers, robot).count("feed")
        assert cries == 1 or (cries > 1 and robot == "wecom" and peers is one), "its receipts were lost"
    assert parcelwatch.stop(daemon) < 10
    assert [each for each in one.heard("ding") + two.heard("ding") if each.stage == "resolved"] == []
    dropped = [row for row in parcelwatch.listing("outbox", "--all") if row["state"] == "dropped"]
    assert sorted(row["channel"] for row in dropped) == ["ops", "ops2"], (
        "an alert that is over before it was said"
    )
    assert one.violations() == []


def delivered(peers: Peers, robot: str) -> list[Heard]:
    """What a healthy robot took."""
    return [each for each in alerts(peers.shown(robot)) if each.fault == "ok"]


def stages(peers: Peers, robot: str) -> list[str]:
    return [each.stage for each in peers.shown(robot)]


def test_the_daemon_ends_within_ten_seconds_finishing_what_leaves_and_says_the_rest_after_a_start(
    peers: Peers, parcelwatch: Installation
) -> None:
    routes = ({"channels": ["ops", "wx"]},)
    parcelwatch.configure(configuration(peers, parcelwatch.store, rules=LIMITS, routes=routes))
    parcelwatch.command("migrate")
    peers.groups(ding="hang", wecom="slow", delay=2)
    began = wall().replace(microsecond=0)
    parcel = Parcel("770000000000071", "shentong", paid_at=began - seconds(2))
    peers.knows(parcel)
    parcelwatch.import_([parcel])
    daemon = parcelwatch.start()
    until(
        "both messages are leaving",
        lambda: sorted(parcelwatch.waiting()) == [("ops", "sending", 1), ("wx", "sending", 1)],
        seen=peers.heard,
    )
    assert parcelwatch.stop(daemon) < 10
    states = {row["channel"]: row["state"] for row in parcelwatch.listing("outbox", "--all")}
    assert states == {"wx": "sent", "ops": "sending"}
    assert [each.stage for each in peers.shown("wecom")] == ["breach"]

    peers.groups("ok")
    daemon = parcelwatch.start()
    until("the other one has it too", lambda: peers.shown("ding"), seen=peers.heard)
    until("nothing waits", lambda: not parcelwatch.waiting())
    assert parcelwatch.stop(daemon) < 10
    assert [each.stage for each in peers.shown("wecom")] == ["breach"]
    assert [each.title for each in peers.shown("ding")] == [peers.shown("wecom")[0].title]
    assert peers.violations() == []
