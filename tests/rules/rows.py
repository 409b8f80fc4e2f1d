"""Waits as a table: which rule, since when, how long, what ends it; the platforms' own, from the text of the facts.

`facts/platform-rules.md` §2 is quoted by its rule numbers: DY-1 and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from domain.orders import Case, OrderStatus
from tests.rules.scenes import (
    BACK,
    BACK_HOME,
    CANCELLED,
    CITY,
    FAILED,
    HUB,
    LEFT,
    OUT,
    PICKED,
    SIGNED,
    STORED,
    TRANSIT,
    Hours,
    Scan,
    Word,
    parcel,
)

__all__ = ["ANY_SCAN", "DOOR", "FRESH", "PLATFORMS", "Row"]


@dataclass(frozen=True)
class Row:
    """A rule's wait: what happened before it, when it started, its limit and warnings, what ends it."""

    platform: str
    rule: str
    started: Hours
    limit: Hours
    warn: tuple[Hours, ...]
    ends: tuple[Word, ...]
    scans: tuple[Scan, ...] = ()
    said: dict[str, Any] = field(default_factory=dict)

    def case(self, *more: Scan) -> Case:
        return parcel(*self.scans, *more, platform=self.platform, **self.said)

    def __str__(self) -> str:
        province = self.said.get("receiver_province", "")
        return f"{self.platform}-{self.rule}{'-' + province if province else ''}"


ANY_SCAN = (TRANSIT, HUB, CITY, OUT, SIGNED, BACK)
DOOR = (OUT, FAILED, STORED, SIGNED, BACK)
FRESH: dict[str, Any] = {"shipped_at": None, "status": OrderStatus.AWAITING}

PICKUP = (PICKED, *ANY_SCAN)
MOVING: tuple[Scan, ...] = ((2, PICKED), (12, HUB))
JUST_PICKED: tuple[Scan, ...] = ((2, PICKED),)
CLICKED = {"shipped_at": 3}
END = (SIGNED, BACK_HOME, BACK, CANCELLED)


def marked(*words: str, **said: Any) -> dict[str, Any]:
    """An order of such goods."""
    return {"tags": frozenset(words), **said}


def promising(hours: Hours, **said: Any) -> dict[str, Any]:
    """An order with its own promise."""
    return {"promised_ship_at": hours, **said}


DOUYIN = [
    # DY-1: uploaded and picked up in 48 h; the promised time instead where there is one.
    Row("douyin", "late_shipment", 0, 48, (12, 4), PICKUP),
    Row("douyin", "late_shipment", 0, 48, (12, 4), PICKUP, said={"status": OrderStatus.AWAITING, **CLICKED}),
    Row("douyin", "late_shipment", 0, 72, (12, 4), PICKUP, said=promising(72)),
    # DY-2 and DY-3: 72 h from the payment, or 24 h from the upload.
    Row("douyin", "pickup_normal", 0, 72, (24, 8), PICKUP),
    Row("douyin", "pickup_after_upload", 3, 24, (8, 2), PICKUP, said=CLICKED),
    # DY-4 and DY-5: the next record within 24 h of the pickup.
    Row("douyin", "pickup_no_update", 2, 24, (8, 2), ANY_SCAN, JUST_PICKED),
    Row("douyin", "transit_stagnation", 12, 48, (24,), DOOR, MOVING),
    # DY-7: 48 h after the late-shipment deadline.
    Row("douyin", "out_of_stock", 0, 96, (24,), PICKUP),
    Row("douyin", "out_of_stock", 0, 72, (24,), PICKUP, said=promising(24)),
    Row("douyin", "out_of_stock", 0, 168, (24,), PICKUP, said=promising(120)),
    Row("douyin", "paid_pickup_kpi_24h", 0, 24, (6,), PICKUP),
]
JD = [
    # JD-1: 48 h; bulky appliances 72 h; direct mail 120 h.
    Row("jd_pop", "late_shipment", 0, 48, (12, 4), PICKUP),
    Row("jd_pop", "late_shipment", 0, 72, (12, 4), PICKUP, said=marked("bulky")),
    Row("jd_pop", "late_shipment", 0, 72, (12, 4), PICKUP, said={"goods_type": "bulky"}),
    Row("jd_pop", "late_shipment", 0, 120, (12, 4), PICKUP, said=marked("direct_mail")),
    Row("jd_pop", "late_shipment", 0, 24, (12, 4), PICKUP, said=marked("bulky", **promising(24))),
    # JD-2, JD-3, JD-6.
    Row("jd_pop", "upload", 0, 24, (6,), PICKUP, said=FRESH),
    Row("jd_pop", "reship_info", 3, 48, (12,), PICKUP, said=marked("reship", **CLICKED)),
    Row("jd_pop", "stale", 12, 72, (24,), DOOR, MOVING),
]
KUAISHOU = [
    # KS-1: the upload counts, 48 h unless promised 24 or 72.
    Row("kuaishou", "late_shipment", 0, 48, (12, 4), PICKUP, said=FRESH),
    Row("kuaishou", "late_shipment", 0, 24, (12, 4), PICKUP, said=promising(24, **FRESH)),
    Row("kuaishou", "late_shipment", 0, 72, (12, 4), PICKUP, said=promising(72, **FRESH)),
    # KS-2, KS-3.
    Row("kuaishou", "no_pickup", 3, 24, (8, 2), PICKUP, said=CLICKED),
    Row("kuaishou", "pickup_no_update", 2, 24, (8, 2), ANY_SCAN, JUST_PICKED),
    # KS-7: marked at 6 d, again at 10 d, 15 d in remote areas.
    Row("kuaishou", "journey_6d", 1, 144, (24,), END, JUST_PICKED),
    Row("kuaishou", "journey_10d", 1, 240, (48,), END, JUST_PICKED),
    *(
        Row("kuaishou", "journey_10d", 1, 360, (48,), END, JUST_PICKED, {"receiver_province": place})
        for place in ("甘肃省", "西藏自治区")
    ),
]
XIAOHONGSHU = [
    # XH-1 and XH-2: 48 h; bonded and cross-border 72 h; other modes 120 h.
    Row("xiaohongshu", "late_shipment", 0, 48, (12, 4), PICKUP),
    Row("xiaohongshu", "late_shipment", 0, 72, (12, 4), PICKUP, said=marked("bonded")),
    Row("xiaohongshu", "late_shipment", 0, 72, (12, 4), PICKUP, said=marked("cross_border")),
    Row("xiaohongshu", "late_shipment", 0, 120, (12, 4), PICKUP, said=marked("other_mode")),
    Row("xiaohongshu", "no_pickup", 3, 24, (8,), PICKUP, said=CLICKED),
    Row("xiaohongshu", "stale", 12, 72, (24,), DOOR, MOVING),
]
ALI1688 = [
    # AL-1 and AL-1b: 72 h or as promised; 15 days where nothing was promised.
    Row("ali1688", "late_shipment", 0, 72, (24, 8), PICKUP),
    Row("ali1688", "late_shipment", 0, 120, (24, 8), PICKUP, said=promising(120)),
    Row("ali1688", "late_no_promise", 0, 360, (72, 24), PICKUP, said=FRESH),
    # AL-2 and AL-3, in the areas that are not remote.
    Row("ali1688", "first_hub", 2, 48, (24, 8), (LEFT, CITY, OUT, SIGNED, BACK), MOVING),
    Row("ali1688", "node_gap", 12, 72, (24,), DOOR, MOVING),
]
WECHAT = [
    # WX-1: the upload counts; WX-3: the deadline of the order.
    Row("wechat_shop", "late_shipment", 0, 48, (12, 4), PICKUP, said=FRESH),
    Row("wechat_shop", "late_shipment", 0, 240, (12, 4), PICKUP, said=promising(240, **FRESH)),
    Row("wechat_shop", "no_pickup", 3, 24, (8,), PICKUP, said=CLICKED),
    Row("wechat_shop", "stale", 12, 72, (24,), DOOR, MOVING),
]
TAOBAO_SPECIAL = [
    # TB-9.
    Row("taobao_special", "first_hub", 2, 48, (24, 8), (LEFT, CITY, OUT, SIGNED, BACK), MOVING),
    Row("taobao_special", "node_gap", 12, 72, (24,), DOOR, MOVING),
]
TMALL_GLOBAL = [
    # TB-10: bonded 96 h, direct mail 120 h.
    Row("tmall_global", "late_bonded", 0, 96, (24,), PICKUP, said=marked("bonded")),
    Row("tmall_global", "late_direct", 0, 120, (24,), PICKUP, said=marked("direct_mail")),
    Row("tmall_global", "late_direct", 0, 72, (24,), PICKUP, said=marked("direct_mail", **promising(72))),
]
ALIEXPRESS = [
    # AE-1 to AE-3, in a week without a holiday: T0 is a Monday.
    Row("aliexpress", "online_48h", 0, 48, (12, 4), PICKUP),
    Row("aliexpress", "online_48h", 2, 48, (12, 4), PICKUP, said={"confirmed_at": 2}),
    Row("aliexpress", "online_72h", 0, 72, (12,), PICKUP),
    Row("aliexpress", "fake_no_info", 3, 360, (120, 48), PICKUP, said=CLICKED),
]
LAZADA = [
    # LZ-3: scanned at the sorting centre in 5 days.
    Row("lazada", "hub_scan", 0, 120, (48, 24), (HUB, LEFT, CITY, OUT, SIGNED), JUST_PICKED),
]
AMAZON = [
    # AM-5: by the order's own deliver-by time; the first scan is our own number.
    Row("amazon", "deliver_by", 0, 200, (48, 24), (SIGNED, BACK), JUST_PICKED, {"promised_delivery_at": 200}),
    Row("amazon", "first_scan", 3, 24, (8,), PICKUP, said=CLICKED),
]
JIT = {"ordered_at": 1, **FRESH}
TEMU = [
    # TM-2: 24 h, and 48 h.
    Row("temu_jit", "jit_24h", 1, 24, (8, 2), PICKUP, said=JIT),
    Row("temu_jit", "jit_48h", 1, 48, (12,), PICKUP, said=JIT),
]
PLATFORMS = [
    *LAZADA, *AMAZON, *TEMU,
    *DOUYIN, *JD, *KUAISHOU, *XIAOHONGSHU, *ALI1688, *WECHAT, *TAOBAO_SPECIAL, *TMALL_GLOBAL, *ALIEXPRESS,
]  # fmt: skip
