"""The report as a page and as text: whole, without script, and deaf to whatever stands in a name."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.lab.charts import days, histogram, shares
from monitor.lab.compare import Card, Difference, Numbers, Step
from monitor.lab.fines import Fines, Sum
from monitor.lab.page import page
from monitor.lab.report import Other, Report
from monitor.lab.text import text
from tests.hostile import TEXTS

T0 = datetime(2026, 11, 1, tzinfo=UTC)
OWED = Fines(Sum(90, 45_000, 450_000), Sum(80, 40_000, 400_000), Sum(10, 5_000, 50_000))
CARD = Card(
    "late_shipment",
    200,
    310,
    90,
    100,
    5,
    0,
    5,
    7,
    80,
    12.0,
    (Step(48.0, 12.0, 195, 190, 90), Step(48.0, 4.0, 100, 100, 90)),
    fines=OWED,
    breached_told=60,
)
FEW = replace(
    CARD,
    rule="no_record",
    waits=9,
    breached=4,
    recovered=5,
    false=0,
    running=0,
    steps=(),
    fines=Fines(),
    breached_told=4,
)
NUMBERS = Numbers(
    300, 310, 10.0, 3, {"2026-11-01": 210, "2026-11-02": 100}, {"late_shipment": {"warning": 205, "breach": 95}},
    {"zhongtong": 300}, 5, (12.0, 11.5, 0.0), (CARD, FEW), (12.0, -3.0), OWED,
)  # fmt: skip
REPORT = Report(
    "policy.toml", NUMBERS, T0, T0 + timedelta(days=10), ZoneInfo("Asia/Shanghai"), 500, 6000, timedelta(hours=4),
    {"no_order": 3}, ("历史太短",), {"late_shipment": "延迟发货", "no_record": "查无记录"}, {"zhongtong": "中通快递"},
)  # fmt: skip
COMPARED = replace(
    REPORT,
    other=Other("old.toml", NUMBERS, Difference(250, 50, 0, {"late_shipment": {"breach": (90, 5, 0)}})),
)


class _Tags(HTMLParser):
    """What is opened and closed, and what a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.active += [
            name for name, _ in attrs if name.startswith("on") or name in ("src", "href", "style")
        ]
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def parsed(html: str) -> _Tags:
    tags = _Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    return tags


@pytest.mark.parametrize(
    "report", [REPORT, COMPARED, replace(REPORT, numbers=replace(NUMBERS, cards=(), per_day={}))]
)
def test_a_page_is_whole_and_runs_and_fetches_nothing(report: Report) -> None:
    html = page(report)
    tags = parsed(html)
    assert {"script", "img", "link", "iframe"} & set(tags.seen) == set()
    assert tags.active == []
    assert not re.search(r"url\(|@import|https?:", html)
    assert "prefers-color-scheme:dark" in html


def test_a_page_says_what_its_numbers_mean() -> None:
    html = page(COMPARED)
    for words in (
        "历史太短",
        "3 行没有采用",
        "延迟发货",
        "450–4,500 元",
        "90（46%）",
        "样本太少",
        "建议从时限 48 小时的提前 4 小时起",
        "只有 policy.toml 找到 50",
    ):
        assert words in html, words
    for term in COMPARED.terms.values():
        assert term.replace("’", "&#x27;") in html


@pytest.mark.parametrize("name", TEXTS, ids=range(len(TEXTS)))
def test_names_from_outside_cannot_become_markup(name: str) -> None:
    plain = parsed(page(COMPARED)).seen
    report = replace(
        COMPARED,
        policy=name,
        remarks=(name,),
        rules_zh={"late_shipment": name},
        carriers_zh={"zhongtong": name},
        other=replace(COMPARED.other, policy=name) if COMPARED.other else None,
    )
    tags = parsed(page(report))
    assert tags.seen == plain
    assert tags.active == []


def test_the_text_says_the_same(tmp_path: Path) -> None:
    told = text(COMPARED, tmp_path)
    for words in (
        "500 个包裹",
        "提醒 每天（条）",
        "31.0",
        "提醒 每人每天（3 人）",
        "10.3",
        "90（46%）",
        "样本太少（有结果的不到 30 个），不算比例：查无记录",
        "建议从时限 48 小时的提前 4 小时起",
        "80 笔，400–4,000 元",
        "属实，会通知的",
        "属实，只记录的",
        "结构检查",
        "findings.against.csv",
        "rejected.csv",
    ):
        assert words in told, words
    assert "findings.against.csv" not in text(REPORT, tmp_path)


def test_without_a_scan_the_text_begins_with_a_warning(tmp_path: Path) -> None:
    assert text(replace(REPORT, events=0), tmp_path).startswith("注意：一条轨迹也没有")
    assert "注意" not in text(REPORT, tmp_path)


def test_a_column_is_as_high_as_its_count() -> None:
    drawn = days([("a", {"2026-11-01": 50, "2026-11-02": 100})], "提醒")
    heights = [float(high) for high in re.findall(r'<rect class="s0"[^>]* height="([\d.]+)"', drawn)]
    assert heights == [100.0, 200.0]
    assert "2026-11-01：50" in drawn


def test_a_long_history_is_told_by_week() -> None:
    many = {f"2026-{month:02}-{day:02}": 1 for month in range(1, 7) for day in range(1, 29)}
    drawn = days([("a", many)], "提醒")
    assert drawn.count("<rect") == len(many) // 7
    assert "起一周：7" in drawn


def test_every_value_is_in_one_column_of_the_histogram() -> None:
    drawn = histogram([("a", [0.0, 0.5, 3.0, 24.0, 24.0])], "提前")
    counts = [int(count) for count in re.findall(r"小时：(\d+)", drawn)]
    assert sum(counts) == 5
    assert counts[-1] == 2


def test_each_column_of_the_histogram_has_its_hours() -> None:
    drawn = histogram([("a", [-5.0, 0.5, 30.0, 160.0])], "提前")
    labels = re.findall(r'text-anchor="middle">([^<]+)<', drawn)
    assert labels == ["已超时", *(f"{n}–{n + 24}" for n in range(0, 168, 24))]
    assert drawn.count("<rect") == len(labels)


def test_no_line_breaks_a_moment() -> None:
    assert '<span class="one">2026-11-01 08:00</span>' in page(REPORT)


def test_shares_fill_the_bar() -> None:
    drawn = shares([("bad", "属实", 1), ("good", "恢复", 3)], "结果")
    widths = [float(wide) for wide in re.findall(r'width="([\d.]+)" height', drawn)]
    assert widths == [180.0, 540.0]
    assert shares([("bad", "属实", 0)], "结果") == ""
