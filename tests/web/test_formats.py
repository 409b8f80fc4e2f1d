"""Times, lengths and numbers as a reader sees them: in the configured zone, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.config.settings import Settings
from monitor.web.formats import View
from monitor.web.i18n import Words

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
H, M, S = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def views(make_settings: Callable[[], Settings]) -> tuple[View, View]:
    """The same moment for a reader of Chinese in Shanghai and one of English in London."""
    settings = make_settings()
    chinese = View(Words(), ZoneInfo("Asia/Shanghai"), NOW, settings)
    return chinese, View(Words("en"), ZoneInfo("Europe/London"), NOW, settings)


@pytest.mark.parametrize(
    ("gap", "chinese", "english"),
    [
        pytest.param(40 * S, "还剩 40 秒", "40 s left", id="seconds"),
        pytest.param(119 * S, "还剩 119 秒", "119 s left", id="not quite two minutes"),
        pytest.param(59 * M, "还剩 59 分钟", "59 min left", id="minutes"),
        pytest.param(H, "还剩 1 小时", "1 h left", id="an hour on the dot"),
        pytest.param(3 * H + 20 * M, "还剩 3 小时 20 分", "3 h 20 min left", id="hours"),
        pytest.param(47 * H + 59 * M, "还剩 47 小时 59 分", "47 h 59 min left", id="up to two days in hours"),
        pytest.param(100 * H, "还剩 4 天 4 小时", "4 d 4 h left", id="days"),
        pytest.param(timedelta(0), "已超 0 秒", "0 s over", id="the very moment"),
        pytest.param(-40 * M, "已超 40 分钟", "40 min over", id="over"),
    ],
)
def test_how_far_a_limit_is(views: tuple[View, View], gap: timedelta, chinese: str, english: str) -> None:
    assert [view.left(NOW + gap) for view in views] == [chinese, english]


@pytest.mark.parametrize(
    ("gap", "chinese", "english"),
    [(S, "刚刚", "just now"), (-H, "刚刚", "just now"), (3 * M, "3 分钟前", "3 min ago"), (46 * H + 50 * M, "46 小时前", "46 h ago"), (80 * H, "3 天前", "3 d ago")],
)  # fmt: skip
def test_how_long_ago(views: tuple[View, View], gap: timedelta, chinese: str, english: str) -> None:
    assert [view.ago(NOW - gap) for view in views] == [chinese, english]


def test_a_moment_is_short_and_whole_on_hovering(views: tuple[View, View]) -> None:
    chinese, english = (view.when(NOW - 12 * H) for view in views)
    assert ">11-22 06:00<" in chinese
    assert 'datetime="2026-11-21T22:00:00+00:00"' in chinese
    assert 'title="2026-11-22 06:00:00 CST"' in chinese
    assert ">21 Nov 22:00<" in english
    assert views[0].moment(NOW - 400 * 24 * H) == "2025-10-18 18:00", "another year is said"


def test_nothing_is_a_dash(views: tuple[View, View]) -> None:
    view = views[0]
    assert {view.when(None), view.day(None), view.left(None), view.ago(None), view.yuan(None)} == {"—"}


def test_numbers_and_money(views: tuple[View, View]) -> None:
    view = views[0]
    assert view.number(1234567) == "1,234,567"
    assert [view.yuan(cents) for cents in (0, 5, 123450, -1)] == ["¥0.00", "¥0.05", "¥1,234.50", "¥-0.01"]


def test_names_and_texts_from_outside(views: tuple[View, View]) -> None:
    chinese, english = views
    assert (chinese.carrier("zhongtong"), english.carrier("zhongtong")) == ("中通快递", "ZTO Express")
    assert chinese.carrier("no\u202esuch") == "nosuch"
    assert (chinese.milestone("picked_up"), english.milestone("picked_up")) == ("揽收", "Picked up")
    assert (chinese.state("open"), english.state("closed")) == ("待处理", "Closed")
    assert (chinese.rule("transit_stagnation"), english.rule("no_such_rule")) == ("中转停滞", "no_such_rule")
    assert chinese.clean("电话13812345678\u200b\n" + "长" * 600, 20) == "电话138******78 长长长长长…"


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({}, "/x?a=1&a=2&cursor=c&q=%E5%BA%97"),
        ({"cursor": "d"}, "/x?a=1&a=2&q=%E5%BA%97&cursor=d"),
        ({"a": "3"}, "/x?q=%E5%BA%97&a=3"),
        ({"a": None, "q": ""}, "/x"),
    ],
)
def test_the_same_page_with_something_changed(
    views: tuple[View, View], changes: dict[str, str], address: str
) -> None:
    query = (("a", "1"), ("a", "2"), ("cursor", "c"), ("q", "店"))
    view = View(views[0].words, views[0].zone, NOW, views[0].settings, "/x", query)
    assert view.link(**changes) == address
