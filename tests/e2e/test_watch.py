"""The whole watch, with real processes: orders in by the command, late parcels out as tickets and messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domain.time import SHANGHAI
from monitor.clock import wall
from tests.e2e.configuration import configuration
from tests.e2e.heard import Heard
from tests.e2e.peers import DELIVERING, LEFT_HUB, PICKED, SIGNED, Parcel, Peers
from tests.e2e.processes import Nursery
from tests.e2e.stage import Installation, Stage, together
from tests.e2e.waiting import seconds, until, wait_till

LATE, FAKE, STALLED, LATE_NEWS, HEALTHY = (
    "770000000000001",
    "YT0000000000002",
    "75000000000003",
    "YT0000000000004",
    "430000000000005",
)
RULE_ZH = {LATE: "延迟发货", FAKE: "揽收后无更新（虚假发货）", STALLED: "中转停滞", LATE_NEWS: "中转停滞"}
QQ_HEARS_OF = {"sqlite": {"shentong": LATE, "zhongtong": STALLED}, "postgresql": {"yuantong": FAKE}}
"""By carrier, breaches of one shop only: a QQ account may speak every three seconds."""
RUNG = {"ding": ("13800000000",), "wecom": ("zhangsan",), "qq": ("10001",)}
Told = tuple[str, str, str]
"""A group's robot, a waybill and a stage."""


def routes(backend: str) -> tuple[dict[str, Any], ...]:
    """Warnings ring nobody; breaches ring somebody in each group."""
    qq = {"stage": "breach", "shop": "旗舰店", "carrier": list(QQ_HEARS_OF[backend])}
    return (
        {"match": {"stage": "warning"}, "channels": ["ops", "wx"]},
        {"match": {"stage": "breach"}, "channels": ["ops"], "mention": ["13800000000"]},
        {"match": {"stage": "breach"}, "channels": ["wx"], "mention": ["zhangsan"]},
        {"match": qq, "channels": ["qq"], "mention": ["10001"]},
    )


def to_be_told(backend: str) -> list[Told]:
    """Every message there is to be."""
    wanted = []
    for waybill in (LATE, FAKE, STALLED, LATE_NEWS):
        over = "retracted" if waybill == LATE_NEWS else "resolved"
        wanted += [
            (robot, waybill, stage) for robot in ("ding", "wecom") for stage in ("warning", "breach", over)
        ]
    return wanted + [
        ("qq", each, stage) for each in QQ_HEARS_OF[backend].values() for stage in ("breach", "resolved")
    ]


def told(heard: Iterable[Heard]) -> list[Told]:
    return [(each.robot, each.waybill, each.stage) for each in heard]


def await_stages(peers: Peers, wanted: list[Told], *stages: str) -> None:
    """Every group that is to hear of a parcel at these stages has."""
    now = {each for each in wanted if each[2] in stages}
    until(f"{stages} in every group", lambda: now <= set(told(peers.shown())), seen=peers.heard)


def test_late_fake_and_stalled_parcels_are_told_once_in_every_group_and_stage_and_resolve_when_they_move(
    subtests: pytest.Subtests, nursery: Nursery, tmp_path: Path, empty_postgresql_url: str
) -> None:
    together(
        subtests,
        nursery,
        tmp_path,
        {
            "sqlite": partial(watch, "sqlite", ""),
            "postgresql": partial(watch, "postgresql", empty_postgresql_url),
        },
    )


def watch(backend: str, url: str, stage: Stage) -> None:
    """From an empty database to the last message."""
    peers, parcelwatch = stage.peers(), stage.parcelwatch
    parcelwatch.postgresql = url
    wanted = to_be_told(backend)
    parcelwatch.configure(configuration(peers, parcelwatch.store, routes=routes(backend)))
    assert parcelwatch.command("check").code == 0
    assert parcelwatch.command("migrate").code == 0
    daemon = parcelwatch.start(fresh=backend == "sqlite")

    began = wall().replace(microsecond=0)
    late = Parcel(LATE, "shentong", paid_at=began)
    fake = Parcel(FAKE, "yuantong", paid_at=began).scan(began, PICKED)
    stalled = (
        Parcel(STALLED, "zhongtong", paid_at=began).scan(began - seconds(1), PICKED).scan(began, LEFT_HUB)
    )
    late_news = Parcel(LATE_NEWS, "yuantong", "专卖店", paid_at=began)
    late_news.scan(began - seconds(1), PICKED).scan(began, LEFT_HUB)
    healthy = Parcel(HEALTHY, "yunda", paid_at=began).scan(began, PICKED).scan(began + seconds(1), DELIVERING)
    parcels = [late, fake, stalled, late_news, healthy]
    peers.knows(*parcels)
    counts = parcelwatch.import_(parcels)  # while the daemon runs
    assert (counts["accepted"], counts["rejected"]) == (5, 0)

    check_imports(parcelwatch, parcels)
    check_second_daemon(parcelwatch)
    await_stages(peers, wanted, "warning")
    await_stages(peers, wanted, "breach")
    check_lists_while_open(parcelwatch)

    wait_till(began + seconds(10))  # a scan has whole seconds: one at the limit's own second was in time
    moved = wall().replace(microsecond=0)
    late.scan(moved, PICKED).scan(moved, DELIVERING)
    fake.scan(moved, DELIVERING)
    stalled.scan(moved, SIGNED)
    late_news.scan(began + seconds(3), DELIVERING)  # learned now, but it happened before any limit
    peers.knows(late, fake, stalled, late_news)
    await_stages(peers, wanted, "resolved", "retracted")
    until("nothing waits", lambda: not parcelwatch.waiting(), seen=parcelwatch.waiting)

    assert parcelwatch.stop(daemon) < 10
    assert parcelwatch.logged("stopped")
    check_messages(peers, wanted)
    check_lists_in_the_end(parcelwatch)
    assert peers.violations() == []


def check_imports(parcelwatch: Installation, parcels: list[Parcel]) -> None:
    """The same file again changes nothing; an older export takes nothing back; a bad row comes back as a file."""
    again = parcelwatch.command("import", "orders.csv")
    assert "未变（unchanged）：5" in again.out
    assert "同一文件已于" in again.err
    yesterday = wall().astimezone(SHANGHAI) - timedelta(days=1)
    name = f"导出{yesterday:%Y%m%d%H%M}.csv"
    assert parcelwatch.import_(parcels, name, receiver_province="上海")["older"] == 5
    bad = parcelwatch.folder / "bad.csv"
    bad.write_text("order_no,carrier,waybill_no\nB1,中通,75000000000009\nB2,,123\n", "utf-8")
    done = parcelwatch.command("import", "--dry-run", "bad.csv")
    assert "拒绝（rejected）：1" in done.out
    assert "第 3 行" in done.out
    assert "B2" in (parcelwatch.folder / "bad.csv.rejected.csv").read_text("utf-8-sig")


def check_second_daemon(parcelwatch: Installation) -> None:
    """Two daemons on one store would poll twice and speak twice."""
    second = parcelwatch.command("run")
    assert second.code == 1
    assert "已有一个 parcelwatch run" in second.err or "另一个进程已经占有" in second.err
    assert "Traceback" not in second.err


def check_lists_while_open(parcelwatch: Installation) -> None:
    open_ones = {row["waybill_no"]: row for row in parcelwatch.listing("tickets")}
    assert open_ones.keys() == {LATE, FAKE, STALLED, LATE_NEWS}
    assert all(row["state"] == "open" for row in open_ones.values())
    explained = parcelwatch.command("explain", "中通", STALLED, "--json").json
    assert [found["rule"] for found in explained["findings"]] == ["transit_stagnation"]


def check_messages(peers: Peers, wanted: list[Told]) -> None:
    """Every request was right for its platform; one message per group, parcel and stage, in that order."""
    heard = peers.heard()
    assert [str(each) for each in heard if not each.taken] == []
    assert sorted(told(heard)) == sorted(wanted)
    for robot, waybill in {(robot, waybill) for robot, waybill, _ in wanted}:
        story = [each for each in heard if (each.robot, each.waybill) == (robot, waybill)]
        stages = [stage for *who, stage in wanted if who == [robot, waybill]]
        assert [each.stage for each in story] == stages
        assert len({each.ticket for each in story}) == 1
    for each in heard:
        assert each.title == each.lines[0]
        assert each.stage not in ("warning", "breach") or RULE_ZH[each.waybill] in each.title
        assert each.mentions == (RUNG[each.robot] if each.stage == "breach" else ())
        assert each.unrung == ()
    assert len({each.ticket for each in heard}) == len(RULE_ZH)


def check_lists_in_the_end(parcelwatch: Installation) -> None:
    tickets = parcelwatch.listing("tickets", "--all")
    assert sorted(row["waybill_no"] for row in tickets) == sorted(RULE_ZH)
    assert {row["state"] for row in tickets} == {"resolved"}
    found = {(row["waybill_no"], row["rule"]): row for row in parcelwatch.listing("findings", "--all")}
    assert found.pop((FAKE, "transit_stagnation"))["state"] == "cleared", "it was silent under a worse one"
    assert {key: row["state"] for key, row in found.items() if row["stage"] == "breach"} == {
        (LATE, "late_shipment"): "cleared",
        (FAKE, "pickup_no_update"): "cleared",
        (STALLED, "transit_stagnation"): "cleared",
        (LATE_NEWS, "transit_stagnation"): "retracted",
    }
    outbox = parcelwatch.listing("outbox", "--all")
    assert {(row["state"], row["attempts"]) for row in outbox} == {("sent", 1)}
    account = parcelwatch.listing("providers")[0]
    assert (account["state"], account["unknown_codes"]) == ("up", 0)
