"""Generated orders and scans for the lab: usual parcels, odd ones, and moments on the edge of limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import pandas as pd

from monitor.profiles import load_profiles

T0 = datetime(2026, 10, 20, 2, tzinfo=UTC)
HOUR, MS = timedelta(hours=1), timedelta(milliseconds=1)

HUBS = ("杭州转运中心", "武汉分拨中心", "成都转运中心")
CITIES = ("浙江省,杭州市,余杭区", "湖北省,武汉市", "四川省,成都市", "")
FORWARD = (
    *("in_transit", "in_transit", "arrived_dest_city", "at_delivery_station"),
    *("out_for_delivery", "delivered"),
)
ANY = (
    *("label_created", "picked_up", "departed_first_hub", "in_transit", "export_customs", "import_customs"),
    *("customs_cleared", "arrived_dest_city", "at_delivery_station", "out_for_delivery", "delivery_failed"),
    *("ready_for_collection", "delivered", "returning", "returned", "cancelled", "unknown"),
)
LINES = (
    *("离开【{hub}】,发往【成都转运中心】", "快件到达【{hub}】", "由于件量激增,快件积压在【{hub}】"),
    *("收件人拒收,快件退回", "因联系不上收件人,派件不成功", "包裹破损,等待处理", "快件丢失"),
    *(
        "正在派件,快递员:小王",
        "已签收,签收人:本人",
        "【陕西西安中转仓】已签收",
        "快件已存放至丰巢智能柜,请凭取件码取件",
    ),
    *("已揽收", "待揽收", "预计明天送达", "谁也看不懂的一行", "应客户要求,快件正在转寄中", "驿站超时未取"),
    *("快件已被拦截", "清关异常,待查验", "揽收失败", "地址不详"),
)


@dataclass
class World:
    """Rows as they are made."""

    rng: Random
    edges: Sequence[float]
    """Lengths in hours on whose edge moments are put now and then."""
    orders: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def gap(self, most: float = 100.0) -> timedelta:
        """How long something took: often an edge, one millisecond off it or on it."""
        kind = self.rng.random()
        if kind < 0.35:
            edge = self.rng.choice(self.edges) * HOUR
            return max(timedelta(0), edge + self.rng.choice((0, 1, -1)) * MS)
        if kind < 0.45:
            return timedelta(0)
        return self.rng.random() * most * HOUR // timedelta(minutes=1) * timedelta(minutes=1)

    def maybe(self, chance: float) -> bool:
        return self.rng.random() < chance


def frames(world: World) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows as the lab takes them."""
    orders, events = pd.DataFrame(world.orders), pd.DataFrame(world.events)
    for frame in (orders, events):
        for name in frame.columns:
            if name.endswith("_at"):
                frame[name] = pd.to_datetime(frame[name], utc=True).dt.as_unit("us")
    if "milestone" in events:
        events["milestone"] = events["milestone"].astype("category")
    return orders, events


def generated(
    seed: int,
    platform: str,
    edges: Sequence[float],
    count: int = 40,
    *,
    texts: bool = False,
    odd: float = 0.3,
    learned: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The orders and scans of so many parcels; `learned`: some scans are learned late."""
    world = World(Random(seed), edges)
    for parcel in range(count):
        _parcel(world, parcel, platform, texts=texts, odd=world.maybe(odd))
    if not world.events:
        world.events.append({"parcel": 0, "occurred_at": T0, "milestone": "label_created"})
    world.rng.shuffle(world.events)
    for row in world.events if learned else ():
        row["learned_at"] = row["occurred_at"] + world.gap(60) if world.maybe(0.03) else None
    return frames(world)


def longer(seed: int, platform: str, count: int, *, texts: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Parcels of 41 to 90 movements, mostly hours apart, now and then days; a few turn up at the door between."""
    world = World(Random(seed), edges_of(platform))
    for parcel in range(count):
        _order(world, parcel, 0, platform, T0, odd=False)
        at = T0 + 5 * HOUR
        _scan(world, parcel, at, "picked_up", texts=False)
        for _ in range(world.rng.randrange(40, 90)):
            at += world.gap(200) if world.maybe(0.06) else timedelta(minutes=world.rng.randrange(6, 900))
            door = world.maybe(0.03)
            mark = (
                world.rng.choice(("out_for_delivery", "delivery_failed", "returning"))
                if door
                else "in_transit"
            )
            _scan(world, parcel, at, mark, texts=texts and world.maybe(0.05))
    for row in world.events:
        row.setdefault("text", "")
    return frames(world)


def frames_of(
    orders: Sequence[dict[str, Any]], scans: Sequence[tuple[int, datetime, str]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Orders and scans (parcel, time, milestone) as the lab takes them."""
    rows = [{"parcel": parcel, "occurred_at": at, "milestone": mark} for parcel, at, mark in scans]
    return frames(World(Random(0), (), [*orders], rows))


@cache
def edges_of(profile: str) -> tuple[float, ...]:
    """The limits and warning steps of a profile's rules in hours."""
    found = {24.0, 48.0}
    for rule in load_profiles()[profile].rules.values():
        for limit in rule.limit.values():
            found |= {(limit - ahead) / HOUR for ahead in (timedelta(0), *rule.warn)}
    return tuple(sorted(found))


def _parcel(world: World, parcel: int, platform: str, *, texts: bool, odd: bool) -> None:
    rng = world.rng
    paid = T0 + timedelta(minutes=rng.randrange(0, 20_000))
    for n in range(2 if world.maybe(0.15) else 1):
        _order(
            world, parcel, n, platform, paid + (world.gap(20) if world.maybe(0.5) else timedelta(0)), odd=odd
        )
    at = paid + (world.gap() if not odd else world.gap() - 3 * HOUR)
    if world.maybe(0.3):
        _scan(world, parcel, at, "label_created", texts=texts)
        at += world.gap(30)
    if world.maybe(0.85):
        if world.maybe(0.9):
            _scan(world, parcel, at, "picked_up", texts=texts)
        for mark in FORWARD[: rng.randrange(len(FORWARD) + 1)]:
            at += world.gap()
            _scan(world, parcel, at, mark, texts=texts)
            if mark == "out_for_delivery":
                at = _door(world, parcel, at, texts=texts)
        if world.maybe(0.12):
            for mark in ("returning", "in_transit", rng.choice(("returned", "delivered", "in_transit"))):
                at += world.gap()
                _scan(world, parcel, at, mark, texts=texts)
        elif world.maybe(0.05):
            _scan(world, parcel, at + world.gap(), "cancelled", texts=texts)
    if odd:
        for _ in range(rng.randrange(4)):
            _scan(world, parcel, paid + world.gap() + world.gap() - 5 * HOUR, rng.choice(ANY), texts=texts)


def _door(world: World, parcel: int, at: datetime, *, texts: bool) -> datetime:
    """What happens at the door: nothing yet, a failed attempt and another, a locker."""
    if world.maybe(0.3):
        at += world.gap(20)
        _scan(world, parcel, at, "delivery_failed", texts=texts)
        at += world.gap(60)
        _scan(world, parcel, at, "out_for_delivery", texts=texts)
    if world.maybe(0.2):
        at += world.gap(20)
        _scan(world, parcel, at, "ready_for_collection", texts=texts)
    return at


def _scan(world: World, parcel: int, at: datetime, mark: str, *, texts: bool) -> None:
    rng = world.rng
    row: dict[str, Any] = {"parcel": parcel, "occurred_at": at, "milestone": mark}
    if texts:
        line = (
            rng.choice(LINES).format(hub=rng.choice(HUBS))
            if world.maybe(0.5)
            else f"{mark} {rng.randrange(99)}"
        )
        row |= {"text": line, "location": rng.choice(CITIES)}
        if world.maybe(0.4):
            row["milestone"] = ""
    world.events.append(row)
    if world.maybe(0.06):
        world.events.append({**row, "occurred_at": at + rng.choice((0, 1, 240, 301)) * timedelta(seconds=1)})


def _order(world: World, parcel: int, n: int, platform: str, paid: datetime, *, odd: bool) -> None:
    rng = world.rng
    row: dict[str, Any] = {
        "parcel": parcel,
        "order_no": f"{parcel}-{n}",
        "platform": platform,
        "shop": rng.choice(("旗舰店", "专营店")),
        "carrier": rng.choice(("zhongtong", "yuantong")),
        "waybill_no": f"Z{parcel}",
        "status": "shipped",
        "paid_at": paid if world.maybe(0.95) else None,
        "ordered_at": paid - world.gap(2) if world.maybe(0.5) else None,
        "confirmed_at": paid + world.gap(10) if world.maybe(0.3) else None,
        "shipped_at": paid + world.gap(40) if world.maybe(0.8) else None,
        "promised_ship_at": paid + world.gap(90) if world.maybe(0.2) else None,
        "promised_delivery_at": paid + world.gap(200) if world.maybe(0.2) else None,
        "amount": rng.choice((None, 9.9, 120, 399.5)),
        "receiver_province": rng.choice(("浙江", "浙江省", "甘肃", "新疆", "香港", "")),
        "receiver_city": rng.choice(("杭州市", "成都", "")),
        "goods_type": rng.choice(("", "", "", "bulky", "bonded", "direct_mail", "custom", "fresh")),
        "tags": rng.choice(("", "", "", "presale", "reship,vip", "direct_mail")),
        "origin": rng.choice(("", "浙江省,杭州市")),
        "status_at": None,
    }
    if world.maybe(0.12):
        row["status"] = rng.choice(("closed", "finished", "refunded", "refunding"))
        row["status_at"] = paid + world.gap(300) if world.maybe(0.4) else None
    world.orders.append(row)
