"""Cities and the roads between them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from monitor.demo.places import CITIES, DESTINATIONS, ORIGINS, road_hours, route, tier


def test_every_route_starts_and_ends_where_it_should_and_passes_no_city_twice() -> None:
    for origin in ORIGINS:
        for city, _ in DESTINATIONS:
            way = route(origin, city)
            assert (way[0], way[-1]) == (origin, city)
            assert len(set(way)) == len(way)


def test_no_leg_to_an_ordinary_destination_takes_a_day() -> None:
    for origin in ORIGINS:
        for city, _ in DESTINATIONS:
            if tier(city.province) == "normal":
                assert all(road_hours(a, b) < 21 for a, b in pairwise(route(origin, city)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("新疆", "very_remote"), ("西藏", "very_remote"), ("海南", "remote"), ("湖北", "normal")],
)
def test_tiers_are_those_of_the_destination_province(name: str, expected: str) -> None:
    """`facts/platform-rules.md` §11, region_tiers."""
    assert tier(name) == expected


def test_the_world_reaches_the_remote_provinces() -> None:
    provinces = {city.province for city in CITIES.values()}
    assert {"内蒙古", "海南", "甘肃", "青海", "宁夏", "西藏", "新疆"} <= provinces
