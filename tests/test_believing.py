"""What our own blindness looks like, and that it accuses nobody (law L1; "Bad input").

Each answer comes through the real 快递100 adapter and poller. A parcel moves on in truth; what reaches us of it is
damaged, old, of another year, or of another parcel: no limit is broken on the strength of that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from carriers.kuaidi100 import Kuaidi100
from domain.remote import Secret
from domain.time import SHANGHAI
from monitor.store.database import Database
from tests.simulated import Robot, World, at

ADAPTER = Kuaidi100(Secret("CUSTOMER"), Secret("KEYKEYKEY"), base_url="http://carrier.test")
Row = dict[str, str]


@dataclass
class Asked(World):
    """快递100 answers with these rows, under this carrier, or with a whole body."""

    known: dict[str, list[Row]] = field(default_factory=dict)
    com: str = ""
    body: dict[str, Any] = field(default_factory=dict)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "carrier.test":
            return super().answer(request)
        asked = json.loads(parse_qs(request.content.decode())["param"][0])
        rows = self.known.get(asked["num"])
        nothing = {"result": False, "returnCode": "500", "message": "查询无结果"}
        track = {"message": "ok", "status": "200", "state": "0", "data": rows, "nu": asked["num"]}
        track |= {"com": self.com or asked["com"]}
        return httpx.Response(200, json=self.body or (nothing if rows is None else track))

    def look(self, hours: float, *rows: Row) -> None:
        """At that hour it is asked about Z1, and these are its rows."""
        self.set(hours)
        self.known["Z1"] = list(rows)
        self.due_now()
        self.poll()

    @property
    def breaches(self) -> set[str]:
        return set(self.column("SELECT rule FROM findings WHERE stage = 'breach' AND state = 'open'"))

    def standing(self) -> list[str]:
        return self.column("SELECT text FROM events WHERE withdrawn_at IS NULL ORDER BY occurred_at")


def row(hours: float, text: str = "快件已到达 上海中心", code: str = "0", written: str = "") -> Row:
    clock = at(hours).astimezone(SHANGHAI).strftime(written or "%Y-%m-%d %H:%M:%S")
    return {"ftime": clock, "context": text, "statusCode": code}


PICKED = row(0, "【杭州】已收件", "1")


@pytest.fixture
def world(database: Database) -> Asked:
    world = Asked(database, [Robot("ops")], adapter=ADAPTER)  # type: ignore[arg-type]
    world.import_("Z1")
    return world


# ── rows that cannot be read ─────────────────────────────────────────────────────────────────────


def test_rows_without_a_readable_time_prove_no_silence(world: Asked) -> None:
    world.look(1, PICKED)
    parcel = world.column("SELECT id FROM parcels")[0]
    world.look(50, row(49, written="%m-%d %H:%M"), row(40, written="%Y年%m月%d日 %H:%M"), PICKED)
    assert world.loaded(parcel).case.observed_at == at(1), "nothing is proven since"
    assert world.breaches == set()
    assert "无法处理查询结果" in world.loaded(parcel).why
    world.look(51, row(49, written="%m-%d %H:%M"), row(40, written="%Y年%m月%d日 %H:%M"), PICKED)
    assert world.breaches == set(), "however often it is said"
    assert "无法处理查询结果" in world.loaded(parcel).why
    assert world.column("SELECT sum(unreadable) FROM feed_hours WHERE carrier = 'zhongtong'") == [2]


def test_what_can_be_read_beside_them_is_kept_and_a_whole_answer_proves_again(world: Asked) -> None:
    world.look(1, PICKED)
    world.look(30, row(29, written="%m-%d %H:%M"), row(20, "到达 嘉兴中心"), PICKED)
    assert world.standing() == ["【杭州】已收件", "到达 嘉兴中心"]
    world.look(70, row(20, "到达 嘉兴中心"), PICKED)
    assert "transit_stagnation" in world.breaches, "now it is true"
    assert world.column("SELECT why FROM parcels") == [""]


# ── an old copy ──────────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_lacks_the_newest_scans_is_no_look(world: Asked) -> None:
    world.look(41, row(40), row(39, "离开 杭州中心"), PICKED)
    world.look(50, PICKED)
    assert len(world.standing()) == 3, "nothing is taken back on first sight"
    assert world.column("SELECT observed_at FROM parcels") == [int(at(41).timestamp() * 1_000_000)]
    assert world.breaches == set()
    world.look(51, row(50, "派件中", "5"), row(40), row(39, "离开 杭州中心"), PICKED)
    assert len(world.standing()) == 4
    assert world.breaches == set()


def test_it_is_withdrawn_when_a_later_look_says_so_too(world: Asked) -> None:
    world.look(41, row(40), PICKED)
    world.look(50, PICKED)
    world.look(51, PICKED)
    assert len(world.standing()) == 2, "an hour later it may still be an old copy"
    world.look(52, PICKED)
    assert world.standing() == ["【杭州】已收件"]
    assert world.breaches == {"transit_stagnation"}, "since the scan at 0 h nothing has happened"


def test_a_copy_that_flickers_confirms_nothing(world: Asked) -> None:
    full = (row(40), PICKED)
    for hours in range(41, 81, 2):
        world.look(hours, *full)
        world.look(hours + 1, PICKED)
    assert len(world.standing()) == 2
    assert "transit_stagnation" not in world.breaches


def test_a_scan_withdrawn_in_the_middle_is_withdrawn_at_once(world: Asked) -> None:
    world.look(41, row(40), row(20, "到达 嘉兴中心"), PICKED)
    world.look(42, row(40), PICKED)
    assert world.standing() == ["【杭州】已收件", "快件已到达 上海中心"]


# ── the future ───────────────────────────────────────────────────────────────────────────────────


def test_a_scan_of_the_future_is_not_believed(world: Asked) -> None:
    world.look(1, row(24 * 400, "已签收，签收人：本人", "3"), PICKED)
    assert world.standing() == ["【杭州】已收件"]
    assert world.column("SELECT state FROM parcels") == ["watched"]
    assert world.column("SELECT observed_at FROM parcels") == [None], "and the answer proves nothing"
    assert any(
        at(24 * 400).strftime("%Y-%m-%d") in code for code in world.column("SELECT code FROM unknown_codes")
    )


def test_clocks_that_differ_by_hours_are_believed(world: Asked) -> None:
    world.look(1, row(3, "已签收，签收人：本人", "3"), PICKED)
    assert world.column("SELECT state FROM parcels") == ["done"]


# ── another use of the number ────────────────────────────────────────────────────────────────────


def test_scans_all_older_than_the_order_are_not_nothing_known(world: Asked) -> None:
    old = row(-24 * 365, "【杭州】已收件", "1")
    world.look(30, old)
    assert world.breaches == set()
    assert "早于订单" in world.column("SELECT why FROM parcels")[0]
    world.look(40, old)
    assert world.breaches == set()
    world.look(54.5, old)
    assert world.breaches == {"late_pickup"}, "still so a day later: the parcel itself has no scan"
    assert "早于订单" in world.column("SELECT why FROM parcels")[0]


# ── another carrier, by one answer's word ────────────────────────────────────────────────────────


@pytest.mark.parametrize("com", ["zto", "auto", "null", "unknown", "zzz9", "yuantong", "中通"])
def test_no_answer_moves_a_parcel_to_where_nobody_looks(world: Asked, com: str) -> None:
    """The account serves 中通 alone: 圆通 is a carrier, but nobody could be asked about it."""
    world.com = com
    world.look(1, PICKED)
    parcel = world.column("SELECT id FROM parcels")[0]
    world.tick()
    assert world.column("SELECT carrier FROM parcels") == ["zhongtong"]
    assert world.loaded(parcel).provider == "k100"
    assert world.standing() == ["【杭州】已收件"], "what it says of the parcel is kept"
    codes, odd = world.column("SELECT code FROM unknown_codes"), world.column("SELECT reason FROM oddities")
    assert any(com in each for each in codes) == (com in ("null", "unknown", "zzz9", "auto"))
    assert any("没有账号能查它" in each for each in odd) == (com == "yuantong")


def test_a_carrier_that_is_served_is_put_right(database: Database) -> None:
    world = Asked(database, [Robot("ops")], adapter=ADAPTER, carriers=frozenset({"*"}))  # type: ignore[arg-type]
    world.import_("Z1")
    world.com = "YTO"
    world.look(1, PICKED)
    assert world.column("SELECT carrier FROM parcels") == ["yuantong"]


# ── a service that is busy ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "looked"),
    [
        ("系统繁忙，请稍后再试", False),
        ("查询超时", False),
        ("查询无结果，请隔段时间再查", True),
        ("暂无轨迹，请稍后再查", True),
    ],
)
def test_a_busy_service_has_not_looked(world: Asked, said: str, looked: bool) -> None:
    world.body = {"result": False, "returnCode": "500", "message": said}
    world.look(29)
    world.look(30)
    assert world.column("SELECT observed_at IS NOT NULL FROM parcels") == [looked]
    assert ("late_pickup" in world.breaches) == looked
