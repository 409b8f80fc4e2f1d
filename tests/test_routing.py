"""Who hears what (feature F2): every route that matches adds its channels; nobody hears a thing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.findings import Finding, Stage
from domain.messages import MessageKind
from domain.orders import Case, Waybill
from monitor.telling.routing import Route, everybody, route
from tests.simulated import T0, order

CASE = Case(
    Waybill("zhongtong", "Z1"),
    (
        order(
            "1",
            platform="taobao_tmall",
            receiver_province="广东省",
            receiver_city="深圳市",
            warehouse="华南仓",
        ),
        order("2", platform="pinduoduo", shop="百货店", tags=frozenset({"vip"})),
    ),
)
FINDING = Finding("transit_stagnation", Stage.BREACH, T0, T0 + timedelta(hours=48), "p", step=3, severity=70)


def to(*channels: str, mention: tuple[str, ...] = (), **match: str) -> Route:
    return Route(channels, {name: frozenset(value.split("|")) for name, value in match.items()}, mention)


@pytest.mark.parametrize(
    ("match", "heard"),
    [
        pytest.param({}, True, id="no match: everything"),
        pytest.param({"platform": "taobao_tmall"}, True, id="the platform of one of its orders"),
        pytest.param({"platform": "douyin"}, False, id="another platform"),
        pytest.param({"platform": "douyin|pinduoduo"}, True, id="one of several values"),
        pytest.param({"shop": "百货店", "carrier": "zhongtong"}, True, id="all fields have to match"),
        pytest.param({"shop": "百货店", "carrier": "yuantong"}, False, id="one that does not"),
        pytest.param({"receiver_province": "广东"}, True, id="provinces in their short form"),
        pytest.param({"receiver_city": "深圳"}, True, id="cities too"),
        pytest.param(
            {"warehouse": "华南仓", "tag": "vip"}, True, id="facets of different orders of the parcel"
        ),
        pytest.param({"rule": "transit_stagnation", "stage": "breach"}, True, id="rule and stage"),
        pytest.param({"stage": "warning"}, False, id="another stage"),
        pytest.param({"rule": "lost"}, False, id="another rule"),
        pytest.param({"kind": "alert"}, True, id="alarms"),
        pytest.param({"kind": "feed"}, False, id="only news of the feeds"),
        pytest.param({"merchant": "甲"}, False, id="a field the order does not have"),
    ],
)
def test_what_a_route_matches(match: dict[str, str], heard: bool) -> None:
    assert bool(route([to("ops", **match)], CASE, FINDING)) is heard


def test_every_matching_route_adds_its_channels_and_its_people_once() -> None:
    routes = [
        to("ops", "qq", mention=("138", "139")),
        to("night", stage="warning"),
        to("ops", mention=("139", "137"), stage="breach"),
        to("boss", rule="transit_stagnation"),
    ]
    assert route(routes, CASE, FINDING) == {"ops": ("138", "139", "137"), "qq": ("138", "139"), "boss": ()}


def test_without_a_route_nobody_hears() -> None:
    assert route([], CASE, FINDING) == {}


def test_an_order_without_anything_is_routed_like_any_other() -> None:
    bare = replace(CASE, orders=(order("1", shop=""),))
    assert route([to("ops"), to("qq", shop="旗舰店")], bare, FINDING) == {"ops": ()}


@pytest.mark.parametrize(
    ("routes", "heard"),
    [
        pytest.param(
            [to("ops"), to("qq", mention=("138",))], {"ops": (), "qq": ()}, id="nobody asked: all, quietly"
        ),
        pytest.param(
            [to("ops"), to("it", mention=("138",), kind="feed")], {"it": ("138",)}, id="those who asked"
        ),
        pytest.param([to("ops", platform="douyin")], {"ops": ()}, id="news of no parcel is for every shop"),
        pytest.param([to("ops", "ops"), to("ops")], {"ops": ()}, id="once"),
        pytest.param([], {}, id="nobody there"),
    ],
)
def test_news_that_concerns_no_parcel(routes: list[Route], heard: dict[str, tuple[str, ...]]) -> None:
    assert everybody(routes, MessageKind.FEED) == heard
