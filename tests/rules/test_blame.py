"""Whose doing it is: one row per situation. Paid at 0, shipped at 1 unless said otherwise; `parcel` of `scenes`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.findings import Blame, ClockReading, Party
from domain.orders import Case, OrderStatus
from domain.time import Window
from domain.tracking import ExceptionKind, Milestone
from rules.blame import blame, blame_trouble
from rules.policy import Exemption
from tests.rules.scenes import (
    BACK,
    CITY,
    FAILED,
    HUB,
    LABEL,
    LEFT,
    OUT,
    PICKED,
    SIGNED,
    STORED,
    T0,
    Scan,
    at,
    book,
    finding,
    judged,
    parcel,
    plain_book,
    remark,
)

NEW: dict[str, Any] = {"shipped_at": None, "status": OrderStatus.AWAITING}
TMALL, PDD, GENERIC, TIKTOK = "taobao_tmall", "pinduoduo", "没有规则的平台", "tiktok_us"
W, C, E, B, U = Party.WAREHOUSE, Party.CARRIER, Party.EXEMPT, Party.BUYER, Party.UNKNOWN
NO_ANSWER = remark(ExceptionKind.CONTACT_FAILURE, on=FAILED)
TYPHOON = remark(ExceptionKind.FORCE_MAJEURE)
NOT_TAKEN = remark(ExceptionKind.PICKUP_FAILED, on=LABEL)


def row(
    name: str, platform: str, rule: str, seen: float, party: Party, because: str, *scans: Scan, **said: Any
) -> Any:
    return pytest.param(platform, rule, seen, scans, said, party, because, id=name)


@pytest.mark.parametrize(
    ("platform", "rule", "seen", "scans", "said", "party", "because"),
    [
        # The shop.
        row("not shipped", TMALL, "late_shipment", 50, W, "付款后 50 小时仍未发货", **NEW),
        row(
            "40 h in the warehouse of 63 h", TMALL, "paid_to_signed", 63, W, "付款后 40 小时才发货（共 63 小时）",
            (41, PICKED), (50, HUB), (62, OUT), shipped_at=40,
        ),
        row(
            "picked up late because handed over late", TMALL, "late_shipment", 60, W,
            "付款后 46 小时才发货（共 60 小时）", shipped_at=46,
        ),
        row(
            "nobody says when it was shipped, but when it was picked up", TMALL, "paid_to_signed", 63, W,
            "付款后 40 小时才揽收（共 63 小时）", (40, PICKED), (50, HUB), shipped_at=None,
        ),
        row(
            "the carrier's echo of the label says when it was shipped", TMALL, "late_shipment", 60, W,
            "付款后 45 小时才发货（共 60 小时）", (45, LABEL), shipped_at=None,
        ),
        row(
            "the courier came and got nothing", PDD, "no_pickup", 26, W, "快递上门揽收失败，发货后 25 小时仍未揽收",
            (3, NOT_TAKEN),
        ),
        row(
            "the courier came, seen from the payment", TMALL, "late_shipment", 50, W,
            "快递上门揽收失败，付款后 50 小时仍未揽收", (20, NOT_TAKEN),
        ),
        # Shipped and not picked up: shop or courier.
        row(
            "uploaded, no pickup", PDD, "no_pickup", 26, U,
            "发货后 25 小时仍没有揽收，看不出是仓库没交出，还是快递没来取",
        ),
        row(
            "uploaded at once, no pickup, seen from the payment", TMALL, "late_shipment", 50, U,
            "发货后 49 小时仍没有揽收，看不出是仓库没交出，还是快递没来取（共 50 小时）",
        ),
        row(
            "uploaded at once, picked up very late", TMALL, "paid_to_signed", 60, U,
            "发货后 44 小时才揽收，看不出是仓库没交出，还是快递没来取（共 60 小时）", (45, PICKED), (50, HUB),
        ),
        row(
            "said to be shipped, not when", TMALL, "late_shipment", 50, U,
            "付款后 50 小时仍没有揽收，也不知道何时发的货", shipped_at=None,
        ),
        # The carrier.
        row(
            "silent between two nodes", TMALL, "transit_stagnation", 60, C,
            "两个网点之间，50 小时没有新的扫描", (2, PICKED), (10, LEFT),
        ),
        row(
            "silent in a node", TMALL, "transit_stagnation", 60.5, C,
            "滞留在网点/分拨内，50.5 小时没有新的扫描", (2, PICKED), (10, HUB),
        ),
        row(
            "silent after the pickup", TMALL, "pickup_no_update", 51, C, "揽收后未发出，49 小时没有新的扫描", (2, PICKED),
        ),
        row(
            "slow on the way", TMALL, "paid_to_signed", 60, C, "揽收后在快递手里 55 小时（共 60 小时）",
            (5, PICKED), (20, HUB), (40, CITY),
        ),
        row(
            "a failed attempt without a reason, not tried again", GENERIC, "failed_no_retry", 70, C,
            "派送段，50 小时没有新的扫描", (2, PICKED), (20, FAILED),
        ),
        row(
            "five days after the breach of another clock", TMALL, "trajectory_to_out_of_stock", 190, C,
            "在快递手里 130 小时", (2, PICKED), (12, HUB), (100, CITY),
        ),
        row("silent on the way back", GENERIC, "return_transit", 100, C, "退回途中 80 小时还没有退到", (2, PICKED), (20, BACK)),
        # Nobody: weather.
        row(
            "a typhoon explains the silence it is told in", TMALL, "transit_stagnation", 60, E,
            "承运商报告不可抗力，已 50 小时", (2, PICKED), (10, LEFT), (40, TYPHOON),
        ),
        row(
            "a typhoon at the end of a long wait in the shop", TMALL, "paid_to_signed", 63, W,
            "付款后 40 小时才发货（共 63 小时）", (42, PICKED), (50, TYPHOON), shipped_at=40,
        ),
        # The buyer.
        row(
            "nobody answers", GENERIC, "failed_no_retry", 70, B, "联系不上收件人，已等 50 小时",
            (2, PICKED), (20, NO_ANSWER),
        ),
        row(
            "wrong address", TMALL, "transit_stagnation", 60, B, "地址有误，已等 50 小时",
            (2, PICKED), (10, HUB), (12, remark(ExceptionKind.ADDRESS_ERROR)),
        ),
        row(
            "asked to come another day", TMALL, "transit_stagnation", 60, B, "改约派送，已等 50 小时",
            (2, PICKED), (10, HUB), (30, remark(ExceptionKind.RESCHEDULED)),
        ),
        row(
            "refused", TMALL, "transit_stagnation", 60, B, "拒收，已等 50 小时",
            (2, PICKED), (10, HUB), (11, remark(ExceptionKind.REFUSED)),
        ),
        row(
            "not collected", GENERIC, "locker_overdue", 100, B, "待取件 80 小时没有取", (2, PICKED), (20, STORED),
        ),
        row(
            "not collected for the longest part", TMALL, "paid_to_signed", 70, B, "待取件 40 小时没有取（共 70 小时）",
            (2, PICKED), (30, STORED), (40, STORED),
        ),
        row(
            "stored, tried again, stored again", TMALL, "paid_to_signed", 70, C,
            "揽收后在快递手里 48 小时（共 70 小时）", (2, PICKED), (30, STORED), (45, OUT), (50, STORED),
        ),
    ],
)  # fmt: skip
def test_who_held_it_longest(
    platform: str, rule: str, seen: float, scans: tuple[Scan, ...], said: Any, party: Party, because: str
) -> None:
    case = parcel(*scans, seen=seen, platform=platform, **said)
    told = finding(judged(case), rule)
    assert told is not None
    assert told.blame == Blame(party, because)


@pytest.mark.parametrize(
    ("hours", "party", "because"),
    [
        (60, E, "豁免时段「台风」占了 60 小时（共 110 小时）"),
        (2, C, "两个网点之间，50 小时没有新的扫描（共 52 小时）"),
    ],
)
def test_an_exemption_window_is_nobody_s_time(hours: float, party: Party, because: str) -> None:
    """Its hours are taken from whoever held the parcel then; the calendar has let them off already."""
    window = Exemption(Window(at(20), at(20 + hours), "台风"))
    case = parcel((2, PICKED), (10, LEFT), seen=60 + hours)
    told = finding(judged(case, by=book(exemptions=(window,))), "transit_stagnation")
    assert told is not None
    assert told.blame == Blame(party, because)


def test_a_warning_is_blamed_as_well() -> None:
    told = finding(judged(parcel(seen=40, **NEW)), "late_shipment")
    assert told is not None
    assert told.blame == Blame(W, "付款后 40 小时仍未发货")


def test_a_rehearsal_in_seconds_is_told_in_seconds() -> None:
    case = parcel(platform=TMALL, **NEW)
    line = plain_book().policy_for(case).line("late_shipment")
    assert line is not None
    reading = ClockReading("late_shipment", "", started_at=T0, started_by="付款")
    told = [blame(case, line, reading, at(hours)).because for hours in (8 / 3600, 0.6, 1)]
    assert told == ["付款后 8 秒仍未发货", "付款后 36 分钟仍未发货", "付款后 1 小时仍未发货"]


def test_a_wait_for_the_payment_is_the_buyer_s() -> None:
    """Clocks that start with the order (TikTok, Temu)."""
    case = parcel(platform=TMALL, paid_at=30, **NEW)
    line = plain_book().policy_for(case).line("late_shipment")
    assert line is not None
    reading = ClockReading("dispatch", "", started_at=T0, started_by="下单")
    assert blame(case, line, reading, at(50)) == Blame(B, "下单后 30 小时才付款（共 50 小时）")
    assert blame(case, line, reading, at(80)) == Blame(W, "付款后 50 小时仍未发货（共 80 小时）")


# ── what the carrier itself reports ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "party"),
    [
        (ExceptionKind.REFUSED, B),
        (ExceptionKind.ADDRESS_ERROR, B),
        (ExceptionKind.CONTACT_FAILURE, B),
        (ExceptionKind.RESCHEDULED, B),
        (ExceptionKind.LOCKER_OVERDUE, B),
        (ExceptionKind.LOST, C),
        (ExceptionKind.DAMAGED, C),
        (ExceptionKind.HELD, C),
        (ExceptionKind.HUB_CONGESTION, C),
        (ExceptionKind.OUT_OF_AREA, C),
        (ExceptionKind.SIGNED_THEN_STORED, C),
        (ExceptionKind.FORCE_MAJEURE, E),
        (ExceptionKind.PICKUP_FAILED, W),
        (ExceptionKind.SHORT_CONTENT, U),
        (ExceptionKind.CUSTOMS_EXCEPTION, U),
        (ExceptionKind.FORWARDED, U),
        (ExceptionKind.INTERCEPTED, U),
        (ExceptionKind.NO_RECORD, U),
        (ExceptionKind.TRANSIT_WAREHOUSE, U),
    ],
)
def test_trouble(kind: ExceptionKind, party: Party) -> None:
    told = blame_trouble(kind.value, parcel())
    assert told.party is party
    assert told.because.startswith("承运商报告：")


def test_the_way_back_is_blamed_on_why_it_came_back() -> None:
    refused = parcel((2, PICKED), (20, remark(ExceptionKind.REFUSED, on=FAILED)), (30, BACK), seen=40)
    failed = parcel((2, PICKED), (20, FAILED), (30, BACK), seen=40)
    silent = parcel((2, PICKED), (20, OUT), (30, BACK), seen=40)
    cases = (refused, failed, silent)
    assert [finding(judged(case), "returned").blame for case in cases] == [  # type: ignore[union-attr]
        Blame(B, "拒收后退回"),
        Blame(U, "派件不成功后退回"),
        Blame(U, "退回，轨迹没有写原因"),
    ]


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────

WORDS = st.sampled_from(
    [LABEL, PICKED, HUB, LEFT, CITY, OUT, FAILED, STORED, SIGNED, BACK, TYPHOON, NO_ANSWER, NOT_TAKEN]
)
HISTORIES = st.lists(st.tuples(st.floats(0, 200), WORDS), max_size=8)


@given(
    scans=HISTORIES,
    seen=st.floats(1, 400),
    shipped=st.none() | st.floats(0, 100),
    platform=st.sampled_from([TMALL, PDD, "douyin", "kuaishou", GENERIC]),
)
def test_every_finding_is_blamed_with_a_reason(
    scans: list[Scan], seen: float, shipped: float | None, platform: str
) -> None:
    case = parcel(*scans, seen=seen, platform=platform, shipped_at=shipped)
    for each in judged(case).findings:
        assert each.blame is not None, each.rule
        assert each.blame.because.strip() == each.blame.because != "", each.rule


@given(hours=st.floats(0.001, 400), shipped=st.none() | st.floats(0, 100))
def test_before_the_pickup_it_is_never_the_carrier(hours: float, shipped: float | None) -> None:
    case: Case = parcel(platform=TMALL, shipped_at=shipped)
    line = plain_book().policy_for(case).line("late_shipment")
    assert line is not None
    begun: datetime = T0
    reading = ClockReading("late_shipment", "", started_at=begun, started_by="付款")
    assert blame(case, line, reading, at(hours)).party in (W, U)


def test_no_time_is_nobody_s() -> None:
    case = parcel()
    line = plain_book().policy_for(case).line("late_shipment")
    assert line is not None
    assert blame(case, line, ClockReading("late_shipment", ""), T0).party is U
    reading = ClockReading("late_shipment", "", started_at=T0, started_by=Milestone.PAID)
    assert blame(case, line, reading, T0).party is U
