"""Money, blame and rules on trial as the console shows them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from decimal import Decimal

import pytest

from domain.tracking import ExceptionKind, Milestone
from monitor.config.settings import Settings
from monitor.store.database import Database
from tests.simulated import PICKED, at
from tests.store.views.rows import NOW, Find, Given, put_tickets
from tests.web.conftest import Site
from tests.web.desk import Desk, harmless, scan
from tests.web.test_ticket import words

ON_TRIAL = """
[[policies]]
name = "试点店"
match = {shop = "试点店"}
rules.transit_stagnation = {shadow = true}
"""


@pytest.fixture
def given(site: Site) -> Site:
    """Three tickets: ¥5–50 with an hour left, ¥90 over, and one of unknown money."""
    site.now = NOW
    put_tickets(
        site.db,
        [
            Given(
                risk=(500, 5000),
                blame="carrier",
                blame_why="=揽收后在快递手里 41 小时",
                findings=(Find(left=60, risk=(500, 5000)),),
                limit=60,
            ),
            Given(risk=(9000, 9000), blame="warehouse", findings=(Find("lost", stage="breach"),)),
            Given(),
        ],
    )
    return site


def order(site: Site, query: str) -> list[int]:
    html = site.get(f"/tickets?{query}").text
    return [int(number[-4:]) for number in re.findall(r'href="/tickets/(T-[\d-]+)"', html)]


def test_the_list_is_sorted_by_money_and_by_money_per_hour_left(given: Site) -> None:
    assert order(given, "sort=risk") == [2, 1, 3]
    assert order(given, "sort=risk_per_hour") == [1, 2, 3]
    assert order(given, "sort=risk_per_hour&state=all") == [2, 1, 3], "what has ended has no hours left"


def test_the_list_says_the_range_and_how_it_is_sorted(given: Site) -> None:
    told = words(given.get("/tickets?sort=risk_per_hour").text)
    assert "¥5.00–¥50.00" in told
    assert "每小时 ¥50.00" in told
    assert "¥90.00" in told
    assert "时限都已超过的排在还来得及的后面" in told
    assert "多于 10000 张时，只有可能赔付最多的 10000 张这样排" in told
    assert "承运商" in told
    english = words(given.get("/tickets?sort=risk_per_hour&lang=en").text)
    assert "By money at risk per hour left" in english
    assert "Of more than 10000 tickets" in english


@pytest.mark.parametrize(
    ("query", "expected"),
    [("blame=carrier", [1]), ("blame=warehouse&blame=carrier", [1, 2]), ("blame=buyer", [])],
)
def test_the_list_is_filtered_by_who_is_to_blame(given: Site, query: str, expected: list[int]) -> None:
    assert sorted(order(given, query)) == expected


def test_a_party_that_does_not_exist_is_said_in_words(given: Site) -> None:
    answer = given.get("/tickets?blame=nix")
    assert answer.status_code == 400
    assert "没有这样的责任方" in words(answer.text)


def test_files_have_the_money_and_the_blame_at_their_end(given: Site) -> None:
    text = given.get("/tickets.csv?sort=risk").content.decode("utf-8-sig")
    table = list(csv.reader(io.StringIO(text)))
    assert table[0][-4:] == ["可能赔付（低）", "可能赔付（高）", "责任", "责任依据"]
    assert [row[-4:] for row in table[1:]] == [
        ["90.00", "90.00", "仓库", ""],
        ["5.00", "50.00", "承运商", "'=揽收后在快递手里 41 小时"],
        ["", "", "", ""],
    ]


def test_now_says_what_the_next_hours_may_cost(given: Site) -> None:
    told = words(given.get("/").text)
    assert "¥5.00–¥50.00 12 小时内可能赔付 已开单的 1 件" in told
    assert "— 1 小时内可能赔付" not in told


# ── a ticket, a parcel ───────────────────────────────────────────────────────────────────────────


def test_a_ticket_names_the_tariff_the_blame_and_the_line_that_won(
    store: Database, make_settings: Callable[[str], Settings]
) -> None:
    own = '[[policies]]\nname = "旗舰"\nrules.transit_stagnation = {limit = "47h"}'
    desk = Desk(Site(store, make_settings(own), at(50)))
    number = desk.stalled("Z1", amount=Decimal(300))
    html = desk.site.get(f"/tickets/{number}").text
    told = words(html)
    assert "可能赔付 ¥15.00 实付的 5%（最低 ¥5，最高 ¥50）" in told
    assert "责任" in told
    assert "旗舰.transit_stagnation" in told
    assert "盖过了 taobao_tmall.transit_stagnation" in told
    assert f"版本 {desk.site.settings.book.version}" in told
    parcel = words(desk.site.get("/parcels/zhongtong/Z1").text)
    assert "盖过了 taobao_tmall.transit_stagnation" in parcel
    assert "只有这条策略匹配" in parcel
    harmless(html)


@pytest.fixture
def trial(store: Database, make_settings: Callable[[str], Settings]) -> Desk:
    desk = Desk(Site(store, make_settings(ON_TRIAL), at(50)))
    lost = scan(1, "快件丢失", milestone=Milestone.UNKNOWN, exceptions=frozenset({ExceptionKind.LOST}))
    desk.parcel("Z1", scan(-5, milestone=PICKED), scan(0), lost, seen=50, shop="试点店")
    return desk


@pytest.mark.parametrize("path", ["/parcels/zhongtong/Z1", "ticket"])
def test_what_a_rule_on_trial_found_stands_by_itself(trial: Desk, path: str) -> None:
    told = words(trial.site.get(path if path != "ticket" else f"/tickets/{trial.ticket('Z1')}").text)
    section = told[told.index("试运行的规则（没有通知任何人）") :]
    assert "中转停滞" in section


def test_the_page_of_rules_on_trial_says_what_they_found_and_how_to_promote_them(trial: Desk) -> None:
    html = trial.site.get("/rules").text
    told = words(html)
    assert "1 最近 7 天找到 1 现在还成立" in told
    assert "转正：在策略 试点店 里写 rules.transit_stagnation = {shadow = false}" in told
    assert 'href="/parcels/zhongtong/Z1"' in html
    assert 'href="/parcels/zhongtong/Z1"' not in trial.site.get("/rules?rule=lost").text
    assert "Rules on trial" in words(trial.site.get("/rules?lang=en").text)
    harmless(html)


def test_a_whole_policy_on_trial(store: Database, make_settings: Callable[[str], Settings]) -> None:
    whole = '[[policies]]\nname = "新店"\nshadow = true'
    desk = Desk(Site(store, make_settings(whole), at(50)))
    desk.stalled("Z1")
    told = words(desk.site.get("/rules").text)
    assert "整条策略在试运行： 新店" in told
    assert "转正：删掉策略 新店" in told


def test_without_any_rule_on_trial_the_page_says_how_to_begin_one(site: Site) -> None:
    told = words(site.get("/rules").text)
    assert "没有试运行的规则" in told
    assert "rules.lost = {shadow = true}" in told
