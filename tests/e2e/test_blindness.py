"""When nobody answers, nobody is accused: outages, a wrong key, answers that prove nothing, a clock that jumps."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from monitor.clock import wall
from tests.e2e.configuration import configuration
from tests.e2e.heard import alerts, stages
from tests.e2e.peers import DELIVERING, LEFT_HUB, PICKED, Parcel, Peers
from tests.e2e.processes import Nursery
from tests.e2e.stage import Stage, together
from tests.e2e.waiting import seconds, until, wait_till

LIMITS = {"late_shipment": ("6s",), "pickup_no_update": ("6s",), "transit_stagnation": ("7s",)}
LONGEST = 7
GROUPS = ("ding", "wecom")


def test_nobody_is_accused_while_we_are_blind(
    subtests: pytest.Subtests, nursery: Nursery, tmp_path: Path
) -> None:
    scenarios = (
        an_outage_longer_than_every_limit,
        a_wrong_key,
        answers_that_prove_nothing_and_a_clock_that_jumps,
        a_start_with_a_clock_days_ahead,
    )
    together(subtests, nursery, tmp_path, {each.__name__: each for each in scenarios})


def feed_news(peers: Peers, robot: str) -> list[str]:
    """What a group reads about the provider's account, without the details."""
    return [each.title[:12] for each in peers.shown(robot) if each.stage == "feed"]


DOWN, UP = "[数据源] k100 查", "[数据源] k100 已"  # 查询中断, 已恢复


def stalled(waybill_no: str, at: datetime, carrier: str = "yuantong") -> Parcel:
    """It left the first hub, and that was that."""
    return Parcel(waybill_no, carrier, paid_at=at).scan(at - seconds(1), PICKED).scan(at, LEFT_HUB)


def an_outage_longer_than_every_limit(stage: Stage) -> None:
    """Accuses nobody, also over a restart; is told once; then the true ones come."""
    peers, parcelwatch = stage.peers(), stage.parcelwatch
    parcelwatch.configure(configuration(peers, parcelwatch.store, rules=LIMITS))
    parcelwatch.command("migrate")
    began = wall().replace(microsecond=0)
    late = Parcel("770000000000011", "shentong", paid_at=began)
    fake = Parcel("YT0000000000012", paid_at=began).scan(began, PICKED)
    guilty = [late, fake, stalled("75000000000013", began, "zhongtong")]
    innocent = [stalled(f"YT000000000002{n}", began) for n in range(3)]
    peers.knows(*guilty, *innocent)
    parcelwatch.import_([*guilty, *innocent])
    daemon = parcelwatch.start()
    until("a first look at each", lambda: peers.asked_since(began, *guilty, *innocent))

    peers.provider("hang")
    for parcel in innocent:  # they move in time, while nobody sees it
        parcel.scan(began + seconds(2), DELIVERING)
    peers.knows(*innocent)
    wait_till(wall() + seconds(4.5))  # half a limit later each is asked about again
    peers.provider("html")  # and what hangs is cut off
    until("the outage is told", lambda: all(feed_news(peers, each) for each in GROUPS), seen=peers.heard)
    until("nothing waits", lambda: not parcelwatch.waiting())
    until("a page was met instead of an answer", lambda: any(e["fault"] == "html" for e in peers.asked()))
    parcelwatch.kill(daemon)  # a restart is no reason to tell it again
    peers.provider("garbage")
    daemon = parcelwatch.start()
    met = {"hang", "html", "garbage"}
    faults = lambda: {each["fault"] for each in peers.asked()}  # noqa: E731
    until("each fault was met", lambda: met <= faults(), seen=faults)
    wait_till(began + seconds(LONGEST + 2))
    assert [str(each) for each in alerts(peers.heard())] == []
    assert parcelwatch.listing("findings", "--all") == []
    assert parcelwatch.listing("providers")[0]["state"] == "down"

    healed = wall()
    peers.provider("ok")
    until(
        "the end is told", lambda: all(len(feed_news(peers, each)) == 2 for each in GROUPS), seen=peers.heard
    )
    until("all were asked again", lambda: peers.asked_since(healed, *guilty, *innocent), seen=peers.asked)
    until("the true ones come", lambda: len(alerts(peers.shown())) >= 2 * len(guilty), seen=peers.heard)
    until("nothing waits", lambda: not parcelwatch.waiting())
    assert parcelwatch.stop(daemon) < 10

    for robot in GROUPS:
        told = alerts(peers.shown(robot))
        assert {(each.waybill, each.stage) for each in told} == {
            (each.waybill_no, "breach") for each in guilty
        }
        assert len(told) == len(guilty)
        assert all(each.at > healed for each in told)
        assert feed_news(peers, robot) == [DOWN, UP]
    assert len(parcelwatch.listing("tickets", "--all")) == len(guilty)
    assert parcelwatch.listing("providers")[0]["state"] == "up"
    assert peers.violations() == []


def a_wrong_key(stage: Stage) -> None:
    """Is told once and accuses nobody; a start with the right one ends it."""
    peers, parcelwatch = stage.peers(), stage.parcelwatch
    parcelwatch.configure(configuration(peers, parcelwatch.store, rules=LIMITS, key="KEYwrong0000"))
    parcelwatch.command("migrate")
    began = wall().replace(microsecond=0)
    parcels = [Parcel(f"77000000000003{n}", "shentong", paid_at=began) for n in range(2)]
    peers.knows(*parcels)
    parcelwatch.import_(parcels)
    daemon = parcelwatch.start()
    until("the refusal is told", lambda: all(feed_news(peers, each) for each in GROUPS), seen=peers.heard)
    wait_till(began + seconds(LONGEST + 1))
    assert parcelwatch.stop(daemon) < 10
    assert {each["code"] for each in peers.asked()} == {"503"}
    assert len(peers.asked()) <= len(parcels), "a refused account goes on asking"
    assert stages(peers.heard()) == ["feed", "feed"]
    assert "503" in "".join(peers.heard("ding")[0].lines)
    assert parcelwatch.listing("findings", "--all") == []

    parcelwatch.configure(configuration(peers, parcelwatch.store, rules=LIMITS))
    daemon = parcelwatch.start()
    until("the true ones come", lambda: len(alerts(peers.shown())) == 2 * len(parcels), seen=peers.heard)
    until(
        "the end is told", lambda: all(len(feed_news(peers, each)) == 2 for each in GROUPS), seen=peers.heard
    )
    assert parcelwatch.stop(daemon) < 10
    assert feed_news(peers, "ding") == feed_news(peers, "wecom") == [DOWN, UP]
    assert peers.violations() == []


def answers_that_prove_nothing_and_a_clock_that_jumps(stage: Stage) -> None:
    """Another parcel's rows, "no such number" of a known one, garbage: no look; three days more or less: no proof."""
    peers, parcelwatch, skew = stage.peers(), stage.parcelwatch, stage.folder / "skew"
    slow = '\n[[policies]]\nname = "slow"\nprofile = "taobao_tmall"\nmatch = {shop = "别家店"}\n'
    parcelwatch.configure(configuration(peers, parcelwatch.store, rules=LIMITS) + slow)
    parcelwatch.command("migrate")
    began = wall().replace(microsecond=0)
    wrong, unknown, garbage, honest = (stalled(f"YT000000000004{n}", began) for n in range(4))
    parcels = [wrong, unknown, garbage, honest]
    owed_in_two_days = Parcel("770000000000049", "shentong", "别家店", paid_at=began)
    peers.knows(*parcels)
    parcelwatch.import_([*parcels, owed_in_two_days])
    jump(skew, 0)
    daemon = parcelwatch.start(clock=skew)
    until("a first look at each", lambda: peers.asked_since(began, *parcels))
    lies = {wrong.waybill_no: "contradictory", unknown.waybill_no: "old_style", garbage.waybill_no: "garbage"}
    peers.provider("ok", lies)
    until("the honest one is told", lambda: breaches(peers) == [honest.waybill_no], seen=peers.heard)
    until(
        "all were asked after their limits", lambda: peers.asked_since(began + seconds(LONGEST + 1), *parcels)
    )
    assert breaches(peers) == [honest.waybill_no]
    assert {each["waybill_no"] for each in parcelwatch.listing("findings", "--all")} == {honest.waybill_no}

    peers.provider("ok", {garbage.waybill_no: "garbage"})
    told = [each.waybill_no for each in parcels if each is not garbage]
    until("the true ones come", lambda: breaches(peers) == told, seen=peers.heard)

    for days in (3, -3, 0):
        jump(skew, days)
        asked = len(peers.asked())
        until("it goes on asking", lambda before=asked: len(peers.asked()) >= before + 2)  # type: ignore[misc]
    assert parcelwatch.stop(daemon) < 10
    assert breaches(peers) == told
    assert {each["waybill_no"] for each in parcelwatch.listing("findings", "--all")} == set(told)
    assert "feed" not in stages(peers.heard())
    assert parcelwatch.logged("verb fails") == []
    assert peers.violations() == []


def a_start_with_a_clock_days_ahead(stage: Stage) -> None:
    """Proves no silence, though nobody contradicts the clock before the first answer."""
    peers, parcelwatch, skew = stage.peers(), stage.parcelwatch, stage.folder / "skew"
    parcelwatch.configure(configuration(peers, parcelwatch.store, rules={}))
    parcelwatch.command("migrate")
    began = wall().replace(microsecond=0)
    parcel = Parcel("YT0000000000051", paid_at=began).scan(began, PICKED)
    peers.knows(parcel)
    parcelwatch.import_([parcel])
    jump(skew, 5)
    daemon = parcelwatch.start(clock=skew)

    def observed_at() -> str:
        text: str = parcelwatch.command("explain", "圆通", parcel.waybill_no, "--json").json["observed_at"]
        return text

    until("it was looked at", lambda: peers.asked(parcel.waybill_no))
    assert datetime.fromisoformat(until("the look is kept", observed_at)) <= wall()
    parcelwatch.kill(daemon)
    assert parcelwatch.listing("findings", "--all") == []


def jump(skew: Path, days: int) -> None:
    """From now on the daemon's machine thinks it is so many days later."""
    new = skew.with_suffix(".new")
    new.write_text(str(days * 86400))
    new.replace(skew)


def breaches(peers: Peers) -> list[str]:
    return sorted(each.waybill for each in peers.shown("ding") if each.stage == "breach")
