"""When nobody answers, nobody is accused: outages, a wrong key, answers that are none, a clock that jumps."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from monitor.clock import wall
from tests.e2e.stage import (
    DELIVERING,
    LEFT_HUB,
    PICKED,
    Heard,
    Installation,
    Parcel,
    Peers,
    configuration,
    seconds,
    until,
    wait_till,
)

LIMITS = {"late_shipment": ("4s",), "pickup_no_update": ("4s",), "transit_stagnation": ("5s", "2s")}
QUIET_ROUTES = ({"channels": ["ops", "wx"]},)


def alerts(heard: list[Heard]) -> list[Heard]:
    return [each for each in heard if each.stage in ("warning", "breach")]


def feed_news(peers: Peers, robot: str) -> list[str]:
    return [each.title for each in peers.shown(robot) if each.stage == "feed"]


def questions(peers: Peers, *parcels: Parcel) -> int:
    """How often any of these was asked about."""
    return sum(len(peers.asked(parcel.waybill_no)) for parcel in parcels)


def test_an_outage_longer_than_every_limit_accuses_nobody_and_is_told_once(
    peers: Peers, parcelwatch: Installation
) -> None:
    parcelwatch.configure(configuration(peers, parcelwatch.store, rules=LIMITS, routes=QUIET_ROUTES))
    parcelwatch.command("migrate")
    began = wall().replace(microsecond=0)
    late = Parcel("770000000000011", "shentong", paid_at=began)
    fake = Parcel("YT0000000000012", paid_at=began).scan(began, PICKED)
    stalled = Parcel("75000000000013", "zhongtong", paid_at=began).scan(began, PICKED).scan(began, LEFT_HUB)
    guilty = [late, fake, stalled]
    innocent = [
        Parcel(f"YT000000000002{n}", paid_at=began).scan(began, PICKED).scan(began, LEFT_HUB)
        for n in range(3)
    ]
    peers.knows(*guilty, *innocent)
    parcelwatch.import_([*guilty, *innocent])
    daemon = parcelwatch.start()
    until("a first look at each", lambda: all(peers.asked(each.waybill_no) for each in [*guilty, *innocent]))

    peers.provider("hang")
    for parcel in innocent:  # they move in time, while nobody sees it
        parcel.scan(began + seconds(2), DELIVERING)
    peers.knows(*innocent)
    wait_till(max(began + seconds(4), wall() + seconds(3.5)))  # each is asked about again by then
    peers.provider("html")  # what hangs is cut off
    until(
        "the outage is told", lambda: feed_news(peers, "ding") and feed_news(peers, "wecom"), seen=peers.heard
    )
    until("nothing waits", lambda: not parcelwatch.waiting())
    parcelwatch.kill(daemon)  # a restart is no reason to tell it again
    peers.provider("garbage")
    daemon = parcelwatch.start()
    for fault in ("hang", "html", "garbage"):
        until(f"somebody met {fault}", lambda: fault in {each["fault"] for each in peers.asked()})  # noqa: B023
    wait_till(began + seconds(7))
    assert [str(each) for each in alerts(peers.heard())] == []
    assert parcelwatch.listing("findings", "--all") == []
    assert parcelwatch.listing("providers")[0]["state"] == "down"

    healed = wall()
    peers.provider("ok")
    for robot in ("ding", "wecom"):
        until("the true ones come", lambda: len(alerts(peers.shown(robot))) >= 3, seen=peers.heard)  # noqa: B023
    until("the end of the outage is told", lambda: len(feed_news(peers, "wecom")) == 2, seen=peers.heard)
    until("all were asked again", lambda: all(_asked_since(peers, each, healed) for each in innocent))
    until("nothing waits", lambda: not parcelwatch.waiting())
    assert parcelwatch.stop(daemon) < 10

    for robot in ("ding", "wecom"):
        told = alerts(peers.shown(robot))
        assert sorted((each.waybill, each.stage) for each in told) == sorted(
            (each.waybill_no, "breach") for each in guilty
        )
        assert all(each.at > healed for each in told)
        news = feed_news(peers, robot)
        assert [title[:12] for title in news] == ["[数据源] k100 查", "[数据源] k100 已"], news
    assert len(parcelwatch.listing("tickets", "--all")) == 3
    assert parcelwatch.listing("providers")[0]["state"] == "up"
    assert peers.violations() == []


def _asked_since(peers: Peers, parcel: Parcel, moment: object) -> bool:
    return any(each["at"] > str(moment.isoformat()) for each in peers.asked(parcel.waybill_no))  # type: ignore[attr-defined]


def test_a_wrong_key_is_told_once_and_a_start_with_the_right_one_ends_it(
    peers: Peers, parcelwatch: Installation
) -> None:
    limits = {"late_shipment": ("3s",), "pickup_no_update": ("3s",), "transit_stagnation": ("3s",)}
    parcelwatch.configure(
        configuration(peers, parcelwatch.store, rules=limits, key="KEYwrong0000", routes=QUIET_ROUTES)
    )
    parcelwatch.command("migrate")
    began = wall().replace(microsecond=0)
    parcels = [Parcel(f"77000000000003{n}", "shentong", paid_at=began) for n in range(2)]
    peers.knows(*parcels)
    parcelwatch.import_(parcels)
    daemon = parcelwatch.start()
    until(
        "the refusal is told",
        lambda: feed_news(peers, "ding") and feed_news(peers, "wecom"),
        seen=peers.heard,
    )
    wait_till(began + seconds(5))
    assert parcelwatch.stop(daemon) < 10
    assert {each["code"] for each in peers.asked()} == {"503"}
    assert len(peers.asked()) <= len(parcels), "a refused account goes on asking"
    assert [each.stage for each in peers.heard()] == ["feed", "feed"]
    assert "503" in "".join(peers.heard("ding")[0].lines)
    assert parcelwatch.listing("findings", "--all") == []

    parcelwatch.configure(configuration(peers, parcelwatch.store, rules=limits, routes=QUIET_ROUTES))
    daemon = parcelwatch.start()
    for robot in ("ding", "wecom"):
        until("the true ones come", lambda: len(alerts(peers.shown(robot))) == 2, seen=peers.heard)  # noqa: B023
        until("the end is told", lambda: len(feed_news(peers, robot)) == 2, seen=peers.heard)  # noqa: B023
    assert parcelwatch.stop(daemon) < 10
    assert peers.violations() == []


def test_answers_that_prove_nothing_accuse_nobody_and_neither_does_a_clock_that_jumps(
    peers: Peers, parcelwatch: Installation, tmp_path: Path
) -> None:
    parcelwatch.configure(configuration(peers, parcelwatch.store, rules=LIMITS, routes=QUIET_ROUTES))
    parcelwatch.command("migrate")
    began = wall().replace(microsecond=0)
    names = ("contradictory", "old_style", "garbage", "ok")
    parcels = {
        name: Parcel(f"YT000000000004{n}", paid_at=began)
        .scan(began - seconds(1), PICKED)
        .scan(began, LEFT_HUB)
        for n, name in enumerate(names)
    }
    honest, lied_about = parcels["ok"], [each for name, each in parcels.items() if name != "ok"]
    slow = Parcel("770000000000049", "shentong", "别家店", paid_at=began)  # owed in two days
    peers.knows(*parcels.values(), slow)
    parcelwatch.configure(
        configuration(peers, parcelwatch.store, rules=LIMITS, routes=QUIET_ROUTES)
        + '\n[[policies]]\nname = "slow"\nprofile = "taobao_tmall"\nmatch = {shop = "别家店"}\n'
    )
    parcelwatch.import_([*parcels.values(), slow])
    skew = tmp_path / "skew"
    jump(skew, 0)
    daemon = parcelwatch.start(clock=skew)
    until("a first look at each", lambda: all(peers.asked(each.waybill_no) for each in parcels.values()))
    peers.provider("ok", {parcel.waybill_no: name for name, parcel in parcels.items() if name != "ok"})
    until("the honest one is told", lambda: _breaches(peers) == [honest.waybill_no], seen=peers.heard)
    for parcel in lied_about:
        until("it was asked after its limit", lambda: _asked_since(peers, parcel, began + seconds(6)))  # noqa: B023
    assert _breaches(peers) == [honest.waybill_no]
    assert {each["waybill_no"] for each in parcelwatch.listing("findings", "--all")} == {honest.waybill_no}

    peers.provider("ok", {parcels["garbage"].waybill_no: "garbage"})
    told = sorted(each.waybill_no for name, each in parcels.items() if name != "garbage")
    until("the true ones come", lambda: _breaches(peers) == told, seen=peers.heard)

    for days in (3, -3, 0):
        jump(skew, days)
        before = questions(peers, *parcels.values())
        until("it goes on asking", lambda: questions(peers, *parcels.values()) >= before + 2)  # noqa: B023
    assert parcelwatch.stop(daemon) < 10
    assert _breaches(peers) == told
    assert {each["waybill_no"] for each in parcelwatch.listing("findings", "--all")} == set(told)
    assert [each for each in peers.heard() if each.stage == "feed"] == []
    assert parcelwatch.logged("verb fails") == []
    assert peers.violations() == []


def jump(skew: Path, days: int) -> None:
    """From now on the daemon's machine thinks it is so many days later."""
    new = skew.with_suffix(".new")
    new.write_text(str(days * 86400))
    new.replace(skew)


def _breaches(peers: Peers) -> list[str]:
    return sorted(each.waybill for each in peers.shown("ding") if each.stage == "breach")


def test_a_start_with_a_clock_days_ahead_proves_no_silence(
    peers: Peers, parcelwatch: Installation, tmp_path: Path
) -> None:
    parcelwatch.configure(configuration(peers, parcelwatch.store, routes=QUIET_ROUTES, rules={}))
    parcelwatch.command("migrate")
    began = wall().replace(microsecond=0)
    parcel = Parcel("YT0000000000051", paid_at=began).scan(began, PICKED)
    peers.knows(parcel)
    parcelwatch.import_([parcel])
    skew = tmp_path / "skew"
    jump(skew, 5)
    daemon = parcelwatch.start(clock=skew)
    until("it was looked at", lambda: peers.asked(parcel.waybill_no))
    until(
        "the look is kept",
        lambda: parcelwatch.command("explain", "圆通", parcel.waybill_no, "--json").json["observed_at"],
    )
    seen = parcelwatch.command("explain", "圆通", parcel.waybill_no, "--json").json
    assert datetime.fromisoformat(seen["observed_at"]) <= wall(), seen
    parcelwatch.kill(daemon)
    assert parcelwatch.listing("findings", "--all") == []
