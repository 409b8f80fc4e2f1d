"""Penalties as people write them, and every mistake in them at once, each with its place."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from rules.declare import parse_profile
from rules.penalty import parse_penalty
from rules.stacking import Together, parse_together
from rules.tariff import Tariff, When
from rules.values import Problems


def read(*entries: Any) -> tuple[tuple[Tariff, ...], list[tuple[str, str]]]:
    """The entries, and (place, reason) of every mistake."""
    problems = Problems()
    found = parse_penalty(list(entries), ("rules", "late", "penalty"), problems)
    return found, [(".".join(map(str, each.path)), each.reason) for each in problems]


GOOD = [
    ({"flat": 3}, Tariff(flat=300), "¥3"),
    ({"flat": 0}, Tariff(flat=0), "¥0"),
    ({"flat": 3.5}, Tariff(flat=350), "¥3.50"),
    ({"flat": 3, "max": 30}, Tariff(flat=300, cap=3000), "¥3 到 ¥30"),
    (
        {"pct": 5, "min": 5, "max": 50},
        Tariff(percent=Decimal(5), floor=500, cap=5000),
        "实付的 5%（最低 ¥5，最高 ¥50）",
    ),
    ({"pct": 30, "min": 5}, Tariff(percent=Decimal(30), floor=500), "实付的 30%（最低 ¥5）"),
    ({"pct": 0.5}, Tariff(percent=Decimal("0.5")), "实付的 0.5%"),
    ({"points": 12}, Tariff(points=12), "扣 12 分"),
    ({"flat": 8, "points": 3}, Tariff(flat=800, points=3), "¥8；扣 3 分"),
    ({"times_goods_value": 5}, Tariff(times=Decimal(5)), "货值的 5 倍"),
    ({"flat": 30, "currency": "USD"}, Tariff(flat=3000, currency="USD"), "USD 30"),
    ({"flat": 3, "per": "parcel"}, Tariff(flat=300, per_parcel=True), "¥3"),
    (
        {"pct": 10, "note": "只有一处资料", "confidence": "SEC", "source": ["KS6"]},
        Tariff(percent=Decimal(10), note="只有一处资料", confidence="SEC", source=("KS6",)),
        "实付的 10%；只有一处资料",
    ),
]


@pytest.mark.parametrize(
    ("written", "meant", "zh"), GOOD, ids=lambda each: "" if not isinstance(each, str) else each
)
def test_an_entry_reads_as_it_is_meant(written: dict[str, Any], meant: Tariff, zh: str) -> None:
    found, problems = read(written)
    assert problems == []
    assert found == (meant,)
    assert found[0].zh == zh


@pytest.mark.parametrize(
    ("written", "meant", "zh"),
    [
        ("paid < 300", When("paid", "<", Decimal(300)), "实付低于 ¥300"),
        ("paid<=3", When("paid", "<=", Decimal(3)), "实付不超过 ¥3"),
        ("paid >= 99.5", When("paid", ">=", Decimal("99.5")), "实付不低于 ¥99.50"),
        ("promise > 48", When("promise", ">", Decimal(48)), "承诺超过 48 小时"),
        ("dispatch_pledge", When("dispatch_pledge"), "dispatch_pledge"),
    ],
)
def test_when(written: str, meant: When, zh: str) -> None:
    found, problems = read({"flat": 3, "when": written})
    assert problems == []
    assert found[0].when == meant
    assert found[0].about_zh == zh


def test_an_entry_says_from_when_to_when() -> None:
    (found,), problems = read({"pct": 25, "since": date(2022, 1, 1), "until": date(2025, 5, 14)})
    assert problems == []
    assert found.about_zh == "2022-01-01 起，2025-05-14 止"
    days = (date(2021, 12, 31), date(2022, 1, 1), date(2025, 5, 14), date(2025, 5, 15))
    assert [found.in_force(day) for day in days] == [False, True, True, False]


BAD = [
    ({"pc": 5, "flat": 3}, "pc", "是不是想写 pct"),
    ({"min": 5, "max": 50}, "", "罚多少"),
    ({"min": 5, "points": 2}, "min", "要和 pct 一起写"),
    ({"flat": 3, "pct": 1}, "pct", "flat 和 pct 只能写一个"),
    ({"pct": 1, "times_goods_value": 1}, "times_goods_value", "只能写一个"),
    ({"flat": 3, "min": 1}, "min", "固定金额没有 min"),
    ({"pct": 5, "min": 50, "max": 5}, "max", "不能小于 min"),
    ({"flat": 5, "max": 3}, "max", "不能小于 min 或 flat"),
    ({"flat": "3"}, "flat", "不加引号"),
    ({"flat": True}, "flat", "不加引号"),
    ({"flat": -3}, "flat", "负数"),
    ({"flat": float("nan")}, "flat", "负数"),
    ({"flat": float("inf")}, "flat", "负数"),
    ({"flat": 1.005}, "flat", "两位小数"),
    ({"pct": 0}, "pct", "大于零"),
    ({"points": 1.5}, "points", "整数"),
    ({"flat": 3, "currency": "usd"}, "currency", "三个大写字母"),
    ({"flat": 3, "when": "payd < 300"}, "when", "是不是想写 paid"),
    ({"flat": 3, "when": "weight < 3"}, "when", "只能比较 paid"),
    ({"flat": 3, "when": "paid < 三百"}, "when", "看不懂"),
    ({"flat": 3, "when": ""}, "when", "文字"),
    ({"flat": 3, "since": "2025-05-15"}, "since", "日期不加引号"),
    ({"flat": 3, "since": date(2025, 5, 15), "until": date(2025, 5, 14)}, "", "until 不能早于 since"),
    ({"flat": 3, "per": "day"}, "per", '"order" 或 "parcel"'),
    (3, "", "要写成表"),
]


@pytest.mark.parametrize(("written", "key", "reason"), BAD)
def test_a_mistake_is_told_with_its_place(written: Any, key: str, reason: str) -> None:
    _, problems = read({"flat": 3}, written)
    assert len(problems) == 1, problems
    place, told = problems[0]
    assert place == "rules.late.penalty.1" + (f".{key}" if key else "")
    assert reason in told


@pytest.mark.parametrize("written", [3, "5%", {"pct": 5}, []])
def test_a_penalty_is_a_list_of_tables(written: Any) -> None:
    problems = Problems()
    assert parse_penalty(written, ("penalty",), problems) == ()
    assert "表的列表" in problems[0].reason


# ── in a profile ─────────────────────────────────────────────────────────────────────────────────

CLOCK: dict[str, Any] = {"kind": "clock", "start": "paid", "stop": "picked_up", "limit": "48h"}


def profile(rule: dict[str, Any], **more: Any) -> tuple[Any, list[tuple[str, str]]]:
    found, problems = parse_profile(
        {"id": "x", "name": "某平台", "rules": {"late": {**CLOCK, **rule}}, **more}
    )
    return found, [(".".join(map(str, each.path)), each.reason) for each in problems]


def test_a_rule_keeps_its_penalty() -> None:
    found, problems = profile({"penalty": [{"flat": 3}]})
    assert problems == []
    assert found.rules["late"].penalty == (Tariff(flat=300),)


def test_mistakes_of_a_penalty_are_told_with_those_of_its_rule() -> None:
    _, problems = profile({"penalty": [{"flat": "3"}, {"pct": 5, "maximum": 3}], "limit": "48"})
    assert [place for place, _ in problems] == [
        "rules.late.limit",
        "rules.late.penalty.0.flat",
        "rules.late.penalty.1.maximum",
    ]


def test_a_soft_rule_has_no_penalty() -> None:
    _, problems = profile({"penalty": [{"flat": 3}], "soft": True})
    assert [place for place, _ in problems] == ["rules.late.penalty"]


# ── which add up ─────────────────────────────────────────────────────────────────────────────────


def test_together_reads_as_it_is_meant() -> None:
    problems = Problems()
    found = parse_together(
        {
            "adds": ["a", "b"],
            "one_of": [["b", "c"]],
            "caps": [{"pct": 35}, {"max": 500, "rules": ["a", "d"]}],
        },
        problems,
    )
    assert problems == []
    assert found.adds == {"a", "b"}
    assert found.one_of == (frozenset({"b", "c"}),)
    assert [(cap.share.percent, cap.share.cap, sorted(cap.rules)) for cap in found.caps] == [
        (Decimal(35), None, []),
        (None, 50_000, ["a", "d"]),
    ]
    assert found.named == {"a", "b", "c", "d"}
    assert found.said({"a": "延迟发货", "b": "缺货"}) == (
        "延迟发货、缺货：相加",
        "缺货、c：只算最贵的一笔",
        "全部：合计最高实付的 35%",
        "延迟发货、d：合计最高¥500",
    )


@pytest.mark.parametrize(
    ("written", "place", "reason"),
    [
        (3, "together", "要写成表"),
        ({"add": ["a"]}, "together.add", "是不是想写 adds"),
        ({"adds": True}, "together.adds", "文字"),
        ({"one_of": "a"}, "together.one_of", "规则名的组"),
        ({"one_of": [["a"]]}, "together.one_of.0", "至少要有两条"),
        ({"one_of": [3]}, "together.one_of.0", "文字"),
        ({"one_of": [["a", "b"], ["b", "c"]]}, "together.one_of", "b 在两组里"),
        ({"caps": 35}, "together.caps", "表的列表"),
        ({"caps": [{}]}, "together.caps.0", "pct 或 max"),
        ({"caps": [{"pct": 35, "rule": ["a"]}]}, "together.caps.0.rule", "是不是想写 rules"),
        ({"caps": [{"pct": "35"}]}, "together.caps.0.pct", "不加引号"),
    ],
)
def test_a_mistake_in_together_is_told_with_its_place(written: Any, place: str, reason: str) -> None:
    problems = Problems()
    assert isinstance(parse_together(written, problems), Together)
    assert [".".join(map(str, each.path)) for each in problems] == [place], problems
    assert reason in problems[0].reason
