"""What a breach may cost: the tariffs of `facts/platform-rules.md` §2, §3 and §11 on both sides of every border.

Amounts are yuan. A pair is the range; one number is both ends. Where no date is given the breach is of June 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.findings import Finding, Risk, Stage
from domain.orders import Case, OrderStatus
from rules.clock import common
from rules.money import NO_AMOUNT, assess, exposure, together
from rules.policy import Policy
from rules.stacking import Cap, Together
from rules.tariff import Tariff
from tests.rules.scenes import T0, at, order, parcel, plain_book, profiles, rule
from tests.rules.test_profiles import FACT_RULES

Yuan = float | tuple[float, float] | None


def risk(yuan: Yuan) -> Risk | None:
    """`3` or `(3, 30)` in fen."""
    if yuan is None:
        return None
    low, high = yuan if isinstance(yuan, tuple) else (yuan, yuan)
    return Risk(round(low * 100), round(high * 100))


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)


def of(platform: str, amount: float | str | None, **said: Any) -> Case:
    paid = None if amount is None else Decimal(str(amount))
    return parcel(platform=platform, amount=paid, **said)


@dataclass(frozen=True)
class Row:
    """A rule's breach, what was paid, and what it costs."""

    platform: str
    rule: str
    amount: float | str | None
    costs: Yuan
    day: str = ""
    """In Beijing."""
    said: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        more = "-".join(map(str, filter(None, (self.day, *self.said))))
        return f"{self.platform}-{self.rule}-{self.amount}{'-' + more if more else ''}"


def rows(platform: str, name: str, *pairs: tuple[Any, Yuan], day: str = "", **said: Any) -> list[Row]:
    return [Row(platform, name, amount, costs, day, said) for amount, costs in pairs]


AFTER, BEFORE = "2025-09-05T00:00:00", "2025-09-04T23:59:59"
"""Taobao's notice of the trajectory tariff."""
PDD_AFTER, PDD_BEFORE = "2025-05-15T00:00:00", "2025-05-14T23:59:59"
TAOBAO = [
    # TB-1 and TB-1b: 5 %, 5–50, or 10 %, 5–100: a range.
    *rows(
        "taobao_tmall", "late_shipment",
        (0, 5), (49.9, 5), (50, 5), ("50.10", (5, 5.01)), (100, (5, 10)), ("100.10", (5.01, 10.01)),
        (999, (49.95, 99.9)), (1000, (50, 100)), (5000, (50, 100)), (None, (5, 100)),
    ),
    # Automatic since 2020-09-17; 30 % before, no ends known.
    *rows("taobao_tmall", "late_shipment", (200, (10, 20)), (None, (5, 100)), day="2020-09-17T00:00:00"),
    *rows("taobao_tmall", "late_shipment", (200, 60), (None, None), day="2020-09-16T23:59:59"),
    # TB-2: 30 %, 5–500.
    *rows(
        "taobao_tmall", "out_of_stock",
        (16.6, 5), ("16.70", 5.01), (100, 30), ("1666.60", 499.98), (1667, 500), (9999, 500), (None, (5, 500)),
    ),
    # TB-3 30 %, 5–500, or TB-4: 5 %, 5–50 since 2025-09-05, 20 %, 5–100 before.
    *rows("taobao_tmall", "pickup_no_update", (200, (10, 60)), (None, (5, 500)), (5000, (50, 500)), day=AFTER),
    *rows("taobao_tmall", "pickup_no_update", (200, (40, 60)), (None, (5, 500)), (5000, (100, 500)), day=BEFORE),
    # TB-4 and TB-5: only the new tariff since the notice; 20 % or 30 % before.
    *rows(
        "taobao_tmall", "transit_stagnation",
        (99, 5), (100, 5), ("100.20", 5.01), (999, 49.95), (1001, 50), (None, (5, 50)), day=AFTER,
    ),
    *rows("taobao_tmall", "transit_stagnation", (200, (40, 60)), (600, (100, 180)), (None, (5, 500)), day=BEFORE),
    # TB-6: the tariff of missing stock.
    *rows("taobao_tmall", "trajectory_to_out_of_stock", (100, 30), (2000, 500), (10, 5), (None, (5, 500))),
]  # fmt: skip
FAKES = ("waybill_reuse", "route_mismatch", "duplicate_pickup")
PINDUODUO = [
    # PD-1: ¥3 below ¥300; 1 %, at most ¥30 from there.
    *rows(
        "pinduoduo", "late_shipment",
        (1, 3), ("299.99", 3), (300, 3), ("300.49", 3), ("300.50", 3.01), (2999, 29.99), (3000, 30), (3001, 30),
        (None, (3, 30)),
    ),
    # PD-2 to PD-6: 5 %, 5–100 since 2025-05-15; 25 % before; ¥20 flat in 2022.
    *(
        row
        for name in ("no_pickup", "pickup_no_update", "first_hub", *FAKES)
        for row in (
            *rows("pinduoduo", name, (99, 5), (101, 5.05), (1999, 99.95), (2001, 100), (None, (5, 100))),
            *rows("pinduoduo", name, (100, 5), day=PDD_AFTER),
            *rows("pinduoduo", name, (100, 25), (16, 5), (401, 100), (None, (5, 100)), day=PDD_BEFORE),
            *rows("pinduoduo", name, (100, 25), day="2023-01-01T00:00:00"),
            *rows("pinduoduo", name, (100, (20, 25)), (40, (10, 20)), day="2022-12-31T23:59:59"),
        )
    ),
    # PD-9: ¥5 below ¥100; 5 %, at most ¥100 from there.
    *rows(
        "pinduoduo", "out_of_stock",
        (1, 5), ("99.99", 5), (100, 5), ("100.20", 5.01), (1999, 99.95), (2000, 100), (2001, 100), (None, (5, 100)),
    ),
    # PD-7, PD-8: no penalty known.
    *rows("pinduoduo", "update_timeout", (100, None)),
    *rows("pinduoduo", "dispatch_sign", (100, None)),
]  # fmt: skip
DOUYIN = [
    # DY-1 to DY-3: nothing up to ¥3; ¥3 below ¥300; 1 %, at most ¥30 from there.
    *(
        row
        for name in ("late_shipment", "pickup_normal", "pickup_after_upload")
        for row in rows(
            "douyin", name,
            (0, 0), (3, 0), ("3.01", 3), ("299.99", 3), (300, 3), ("300.50", 3.01), (2999, 29.99), (3001, 30),
            (None, (0, 30)),
        )
    ),
    # DY-5 and DY-6: orders above ¥3, at most ¥30.
    *(
        row
        for name in ("pickup_no_update", "tracking_before_order", *FAKES)
        for row in rows("douyin", name, (3, 0), ("3.01", (3, 30)), (5000, (3, 30)), (None, (0, 30)))
    ),
    # DY-7: 5 %, 5–500 for a promise up to 48 h; 10 %, 5–1000 beyond. Without a promise 48 h are the standard.
    *rows("douyin", "out_of_stock", (99, 5), (101, 5.05), (10_001, 500), (None, (5, 500))),
    *rows("douyin", "out_of_stock", (100, 5), (10_000, 500), promised_ship_at=48),
    *rows("douyin", "out_of_stock", (40, 5), (100, 10), (9_999, 999.9), (10_001, 1000), promised_ship_at=48.01),
    *rows("douyin", "out_of_stock", (None, (5, 1000)), promised_ship_at=72),
]  # fmt: skip
OTHERS = [
    # JD-1: 5 %, 5–50, or ¥3 up to ¥300 and 1 %, at most ¥30 above, or up to 10 %, at most ¥50.
    *rows("jd_pop", "late_shipment", (100, (3, 10)), (300, (3, 30)), ("300.01", (3, 30)), (1000, (10, 50))),
    *rows("jd_pop", "late_shipment", (5000, (30, 50)), (10, (1, 5)), (None, (0, 50))),
    # JD-3: late shipment. JD-2 is told only.
    *rows("jd_pop", "reship_info", (100, (3, 10)), tags=frozenset({"reship"})),
    *rows("jd_pop", "upload", (100, None)),
    # KS-1: 10 %, 5–30. KS-2 to KS-6: 30 %, at least ¥5. KS-7: ¥8, one source.
    *rows("kuaishou", "late_shipment", (49, 5), (51, 5.1), (299, 29.9), (301, 30), (None, (5, 30))),
    *rows("kuaishou", "no_pickup", (16, 5), (17, 5.1), (10_000, 3000), (None, 5)),
    *(
        row
        for name in ("pickup_no_update", "tracking_before_order", *FAKES)
        for row in rows("kuaishou", name, (16, 5), (17, 5.1), (None, 5))
    ),
    *rows("kuaishou", "journey_10d", (100, 8), (None, 8)),
    *rows("kuaishou", "journey_6d", (100, None)),
    # XH-1: 10 %, 5–100, or ¥5 up to ¥100 and 5 %, at most ¥50 above.
    *rows("xiaohongshu", "late_shipment", (40, 5), (100, (5, 10)), (2000, (50, 100)), (None, (5, 100))),
    # AL-1: 5 %, 5–30. The others' damages are not published.
    *rows("ali1688", "late_shipment", (99, 5), (101, 5.05), (599, 29.95), (601, 30), (None, (5, 30))),
    *rows("ali1688", "first_hub", (100, None)),
    *rows("ali1688", "node_gap", (100, None)),
    *rows("ali1688", "late_no_promise", (100, None)),
    # TM-2: once the value of the goods after 24 h, five times after 48 h.
    *rows("temu_jit", "jit_24h", (100, 100), (None, None), ordered_at=0),
    *rows("temu_jit", "jit_48h", ("19.99", 99.95), (None, None), ordered_at=0),
    # No amounts in the texts: TB-9, TB-10, WX-1, AE-1. Points and dollars are no yuan: AE-3, DH-2, LZ-3.
    *rows("taobao_special", "first_hub", (100, None)),
    *rows("tmall_global", "late_bonded", (100, None), tags=frozenset({"bonded"})),
    *rows("wechat_shop", "late_shipment", (100, None)),
    *rows("aliexpress", "online_48h", (100, None)),
    *rows("aliexpress", "fake_no_info", (100, None)),
    *rows("lazada", "hub_scan", (100, None)),
    *rows("dhgate", "first_info", (100, None)),
    *rows("dhgate", "first_info", (100, None), tags=frozenset({"dispatch_pledge"})),
]


@pytest.mark.parametrize("row", [*TAOBAO, *PINDUODUO, *DOUYIN, *OTHERS], ids=str)
def test_a_breach_costs_what_the_text_says(row: Row) -> None:
    case = of(row.platform, row.amount, **row.said)
    when = beijing(row.day) if row.day else T0
    assert exposure(rule(row.platform, row.rule), case, when) == risk(row.costs)


def test_every_priced_rule_has_a_row() -> None:
    priced = {
        (profile, each.id)
        for profile, found in profiles().items()
        for each in found.rules.values()
        if each.penalty
    }
    told = {(row.platform, row.rule) for row in (*TAOBAO, *PINDUODUO, *DOUYIN, *OTHERS)}
    assert priced <= told


def entry_of_facts(said: Mapping[str, Any]) -> tuple[Any, ...]:
    """An entry of §11 as `entry_of_ours` puts it."""
    money = [None if said.get(key) is None else round(said[key] * 100) for key in ("flat", "min", "max")]
    shares = [None if said.get(key) is None else Decimal(said[key]) for key in ("pct", "times_goods_value")]
    return (*money, *shares, said.get("points", 0), said.get("currency", "CNY"), said.get("when", ""))


def entry_of_ours(entry: Tariff) -> tuple[Any, ...]:
    when = entry.when
    about = (
        ""
        if when is None
        else f"{when.subject} {when.sign} {when.bound}".strip()
        if when.sign
        else when.subject
    )
    money = (entry.flat, entry.floor, entry.cap)
    return (*money, entry.percent, entry.times, entry.points, entry.currency, about)


DIFFERENT = {("douyin", "pickup_normal"), ("douyin", "pickup_after_upload"), ("jd_pop", "late_shipment")}
"""§2 says these more exactly: DY-2 and DY-3 "same table as DY-1"; JD's first account also costs a point."""
FINED = [
    (profile, said)
    for profile, said in FACT_RULES
    if "penalty" in said and (profile, said["id"]) not in DIFFERENT
]


@pytest.mark.parametrize(("profile", "said"), [pytest.param(p, s, id=f"{p}-{s['id']}") for p, s in FINED])
def test_the_penalties_of_the_facts_are_among_ours(profile: str, said: Mapping[str, Any]) -> None:
    ours = {entry_of_ours(each) for each in profiles()[profile].rules[said["id"]].penalty}
    assert {entry_of_facts(each) for each in said["penalty"]} <= ours


def test_soft_rules_cost_nothing_that_is_known() -> None:
    for profile in profiles():
        for name in plain_book().rule_ids(profile):
            found = rule(profile, name)
            assert not (found.soft and found.penalty), (profile, name)


def test_every_entry_has_a_confidence() -> None:
    for profile in profiles().values():
        for each in profile.rules.values():
            assert all(entry.confidence in ("OFF", "OFFQ", "SEC", "UNC") for entry in each.penalty), each.id


# ── told beside the sum ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("platform", "name", "amount", "tags", "said"),
    [
        ("taobao_tmall", "transit_stagnation", 100, (), ["实付的 5%（最低 ¥5，最高 ¥50）"]),
        ("taobao_tmall", "transit_stagnation", None, (), ["实付的 5%（最低 ¥5，最高 ¥50）", NO_AMOUNT]),
        ("kuaishou", "no_pickup", None, (), ["实付的 30%（最低 ¥5）", NO_AMOUNT]),
        ("kuaishou", "journey_10d", None, (), ["¥8；扣 3 分；只有一处资料这么说"]),
        ("pinduoduo", "late_shipment", 299, (), ["¥3"]),
        ("pinduoduo", "late_shipment", None, (), ["¥3", NO_AMOUNT, "实付的 1%（最高 ¥30）"]),
        ("aliexpress", "fake_no_info", 100, (), ["扣 2 分；一般违规", "扣 12 分；严重违规"]),
        ("dhgate", "first_info", 100, ("dispatch_pledge",), ["USD 30"]),
        ("lazada", "hub_scan", 100, (), ["USD 5；旧资料：取消订单每件罚款"]),
        ("temu_jit", "jit_48h", 100, (), ["货值的 5 倍"]),
        ("dhgate", "first_info", 100, (), []),
        ("taobao_special", "first_hub", 100, (), []),
    ],
)
def test_the_entries_that_count_are_told(
    platform: str, name: str, amount: float | None, tags: tuple[str, ...], said: list[str]
) -> None:
    case = of(platform, amount, tags=frozenset(tags))
    assert list(assess(rule(platform, name), common(case), T0).because) == said


def test_nobody_knows_the_buyer_of_tmall_s_daily_cap() -> None:
    """TB-2: same buyer, shop and day of payment at most ¥500. No buyer is imported."""
    told = assess(rule("taobao_tmall", "out_of_stock"), common(of("taobao_tmall", 100)), T0).because
    assert "不知道买家是谁" in told[0]


# ── several orders in one parcel ─────────────────────────────────────────────────────────────────


def merged(*amounts: float | None, platform: str = "pinduoduo", **said: Any) -> Case:
    each = (None if amount is None else Decimal(str(amount)) for amount in amounts)
    orders = tuple(order(str(n), platform=platform, amount=amount, **said) for n, amount in enumerate(each))
    return parcel(orders=orders)


@pytest.mark.parametrize(
    ("amounts", "costs"),
    [((100, 1000), 3 + 10), ((100, 100, 100), 9), ((1000, None), (10 + 3, 10 + 30)), ((299, 300), 6)],
)
def test_every_order_inside_pays_for_itself(amounts: tuple[float | None, ...], costs: Yuan) -> None:
    assert exposure(rule("pinduoduo", "late_shipment"), merged(*amounts), T0) == risk(costs)


@pytest.mark.parametrize("status", [OrderStatus.REFUNDED, OrderStatus.CLOSED])
def test_a_refunded_order_owes_nothing(status: OrderStatus) -> None:
    late = rule("pinduoduo", "late_shipment")
    one, other = merged(100, 1000).orders
    gone = replace(other, status=status)
    assert exposure(late, parcel(orders=(one, gone)), T0) == risk(3)
    assert exposure(late, parcel(orders=(gone,)), T0) is None


def test_an_order_the_rule_excuses_owes_nothing_beside_one_it_does_not() -> None:
    one, other = merged(100, 1000).orders
    made_to_order = replace(other, tags=frozenset({"custom"}))
    assert exposure(rule("pinduoduo", "late_shipment"), parcel(orders=(one, made_to_order)), T0) == risk(3)


def test_a_tariff_per_parcel_is_owed_once_on_everything() -> None:
    base = rule("pinduoduo", "late_shipment")
    flat = replace(base, penalty=(Tariff(flat=300, per_parcel=True),))
    share = replace(base, penalty=(Tariff(percent=Decimal(10), per_parcel=True),))
    assert exposure(flat, merged(100, 1000), T0) == risk(3)
    assert exposure(share, merged(100, 1000), T0) == risk(110)
    assert exposure(share, merged(100, None), T0) is None


def test_half_a_fen_is_rounded_up() -> None:
    half = replace(rule("pinduoduo", "late_shipment"), penalty=(Tariff(percent=Decimal("0.5")),))
    for amount, fen in (("0.99", 0), ("1.00", 1), ("2.99", 1), ("3.00", 2)):
        assert exposure(half, of("pinduoduo", amount), T0) == Risk(fen, fen), amount


def test_times_the_value_of_the_goods() -> None:
    fine = replace(rule("pinduoduo", "late_shipment"), penalty=(Tariff(times=Decimal(5)),))
    assert exposure(fine, of("pinduoduo", 19.9), T0) == risk(99.5)
    assert exposure(fine, of("pinduoduo", None), T0) is None


# ── several rules of one order ───────────────────────────────────────────────────────────────────


def found(case: Case, *names: str, shadow: bool = False) -> list[Finding]:
    """A breach of each of the rules, with its own risk."""
    return [
        Finding(
            rule=name,
            stage=Stage.BREACH,
            started_at=T0,
            crossed_at=at(48),
            policy=name,
            shadow=shadow,
            risk=exposure(rule(case.order.platform, name), case, at(48)),
        )
        for name in names
    ]


def whole(platform: str, amount: float | None, *names: str) -> Risk | None:
    case = of(platform, amount)
    return together(found(case, *names), case, plain_book().policy_for(case))


@pytest.mark.parametrize(
    ("platform", "amount", "names", "costs"),
    [
        # Tmall caps an order at 35 %: 5 % or 10 %, and 30 %.
        ("taobao_tmall", 200, ("late_shipment",), (10, 20)),
        ("taobao_tmall", 200, ("late_shipment", "out_of_stock"), 70),
        ("taobao_tmall", 2000, ("late_shipment", "out_of_stock"), (50 + 500, 100 + 500)),
        ("taobao_tmall", None, ("late_shipment", "out_of_stock"), (5 + 5, 100 + 500)),
        # The cap lowers no single fine: 35 % of ¥10 is less than the floor of either.
        ("taobao_tmall", 10, ("late_shipment", "out_of_stock"), 5),
        # One silence after the pickup is one fine; both ways out of stock are one.
        ("taobao_tmall", 200, ("pickup_no_update", "transit_stagnation"), (10, 60)),
        ("taobao_tmall", 200, ("out_of_stock", "trajectory_to_out_of_stock"), 60),
        # Nobody says whether the silence adds up with the missing stock: from the dearest to the sum, 35 % at most.
        ("taobao_tmall", 200, ("transit_stagnation", "trajectory_to_out_of_stock"), (60, 70)),
        # Pinduoduo: late and out of stock do not add up; late, fake and trajectory do.
        ("pinduoduo", 200, ("late_shipment", "out_of_stock"), 10),
        ("pinduoduo", 90, ("late_shipment", "out_of_stock"), 5),
        ("pinduoduo", 200, ("late_shipment", "no_pickup"), 3 + 10),
        ("pinduoduo", 200, ("pickup_no_update", "first_hub"), 10 + 10),
        ("pinduoduo", 200, ("late_shipment", "out_of_stock", "pickup_no_update", "first_hub"), 10 + 10 + 10),
        ("pinduoduo", 200, ("no_pickup", "pickup_no_update"), 10),
        ("pinduoduo", 200, ("update_timeout",), None),
        ("pinduoduo", 200, ("first_hub", "update_timeout"), 10),
        # Douyin: out of stock adds to late; a shop has one of the two pickup limits.
        ("douyin", 1000, ("late_shipment", "out_of_stock"), 10 + 50),
        ("douyin", 1000, ("pickup_normal", "pickup_after_upload"), 10),
        ("douyin", 1000, ("late_shipment", "pickup_normal"), (10, 20)),
        # No text says anything of Kuaishou: from the dearest alone to the sum.
        ("kuaishou", 100, ("late_shipment", "no_pickup"), (30, 40)),
        # Fake is fake, however it shows.
        ("pinduoduo", 200, ("pickup_no_update", "waybill_reuse", "route_mismatch", "duplicate_pickup"), 10),
        ("pinduoduo", 200, ("first_hub", "waybill_reuse"), 10 + 10),
        ("kuaishou", 100, ("no_pickup", "waybill_reuse"), 30),
        ("douyin", 100, ("pickup_no_update", "route_mismatch"), (3, 30)),
        # Temu: five times the goods' value replace the one time.
        ("temu_jit", 100, ("jit_24h", "jit_48h"), 500),
        # 1688: late with late does not add up.
        ("ali1688", 100, ("late_shipment", "late_no_promise"), 5),
        ("kuaishou", 100, (), None),
    ],
)
def test_what_breaches_of_one_order_cost_together(
    platform: str, amount: float | None, names: tuple[str, ...], costs: Yuan
) -> None:
    assert whole(platform, amount, *names) == risk(costs)


def test_each_order_of_a_parcel_has_its_own_cap() -> None:
    case = merged(200, 10, platform="taobao_tmall")
    policy = plain_book().policy_for(case)
    assert together(found(case, "late_shipment", "out_of_stock"), case, policy) == risk(70 + 5)


def test_what_is_on_trial_costs_nothing_together() -> None:
    case = of("pinduoduo", 200)
    findings = [*found(case, "late_shipment"), *found(case, "first_hub", shadow=True)]
    assert together(findings, case, plain_book().policy_for(case)) == risk(3)


def test_a_cap_may_be_about_some_rules_and_in_yuan() -> None:
    case = of("kuaishou", 100)
    plain = plain_book().policy_for(case)
    capped = Together(
        adds=frozenset({"late_shipment", "no_pickup", "journey_10d"}),
        caps=(Cap(Tariff(cap=3500), frozenset({"late_shipment", "no_pickup"})),),
    )
    policy: Policy = replace(plain, together=capped)
    assert together(found(case, "late_shipment", "no_pickup"), case, policy) == risk(35)
    assert together(found(case, "late_shipment", "no_pickup", "journey_10d"), case, policy) == risk(43)


@pytest.mark.parametrize("name", sorted(profiles()))
def test_stacking_speaks_of_rules_the_profile_has(name: str) -> None:
    assert profiles()[name].together.named <= plain_book().rule_ids(name)
