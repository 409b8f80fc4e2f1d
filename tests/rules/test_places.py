"""Where a name is, and how far apart two are: held to distances anybody can look up."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.borders import BORDERS, touch
from rules.counties import COUNTIES
from rules.gazetteer import NEWER, TABLE
from rules.places import apart, area_of, distance, place_of, province_of
from rules.regions import PROVINCES

AREAS = st.text(st.sampled_from("北京上海市省浙江杭州新疆自治区直辖县,，/- \0\ud800<a1"), max_size=14)


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        ("北京,北京市", "上海,上海市", 1067),
        ("北京,北京市", "广东,广州市", 1890),
        ("北京,北京市", "新疆,乌鲁木齐市", 2410),
        ("上海,上海市", "浙江,杭州市", 165),
        ("广东,广州市", "广东,深圳市", 105),
        ("广东,广州市", "广东,佛山市", 19),
        ("四川,成都市", "重庆,重庆市", 268),
        ("四川,成都市", "西藏,拉萨市", 1250),
        ("湖北,武汉市", "河南,郑州市", 468),
        ("陕西,西安市", "甘肃,兰州市", 503),
        ("江苏,南京市", "安徽,合肥市", 150),
        ("黑龙江,哈尔滨市", "海南,三亚市", 3440),
        ("内蒙古,呼和浩特市", "河北,张家口市", 264),
        ("福建,福州市", "台湾,台北市", 250),
        ("云南,昆明市", "云南,大理白族自治州", 280),
    ],
)
def test_great_circles(one: str, other: str, km: int) -> None:
    here, there = place_of(one), place_of(other)
    assert here is not None
    assert there is not None
    assert distance(here, there) == pytest.approx(km, rel=0.06, abs=6)
    assert distance(here, there) == distance(there, here)


@pytest.mark.parametrize(
    ("area", "city"),
    [
        pytest.param("浙江,杭州市,余杭区", "浙江杭州", id="as 快递100 writes it"),
        pytest.param("浙江省,杭州市", "浙江杭州", id="with the province's kind"),
        pytest.param("上海,上海市", "上海", id="a municipality"),
        pytest.param("上海市,市辖区,浦东新区", "上海", id="as the code table writes one"),
        pytest.param("上海,浦东新区", "上海", id="a municipality's district in the city's place"),
        pytest.param("重庆,县", "重庆", id="a municipality's counties"),
        pytest.param("上海", "上海", id="a municipality alone is a city"),
        pytest.param("湖北,省直辖县级行政区划,仙桃市", "湖北仙桃", id="a county under the province"),
        pytest.param("湖北,仙桃市", "湖北仙桃", id="in the city's place"),
        pytest.param("新疆,自治区直辖县级行政区划,石河子市", "新疆石河子", id="under an autonomous region"),
        pytest.param("新疆维吾尔自治区,伊犁哈萨克自治州", "新疆伊犁", id="the long names"),
        pytest.param("贵州,黔西南州", "贵州黔西南", id="the short name of a prefecture"),
        pytest.param("贵州,黔南布依族苗族自治州", "贵州黔南", id="not its neighbour"),
        pytest.param("吉林,吉林市", "吉林", id="named as its province"),
        pytest.param("青海,海南藏族自治州", "青海海南", id="named as another province"),
        pytest.param("山东,莱芜市", "山东济南", id="joined with its neighbour since"),
        pytest.param("湖北,襄樊市", "湖北襄阳", id="an old name"),
        pytest.param("浙江", None, id="a bare province"),
        pytest.param("浙江,", None, id="an empty city"),
        pytest.param("江苏,昆山市", "江苏苏州", id="a county that does not say its city"),
        pytest.param("河北省,三河市", "河北廊坊", id="another"),
        pytest.param("浙江,义乌", "浙江金华", id="without its kind"),
        pytest.param("浙江,昆山市", None, id="a county of another province"),
        pytest.param("河北,香河县", None, id="a county that is no city"),
        pytest.param("", None, id="nothing"),
        pytest.param("加利福尼亚,洛杉矶", None, id="abroad"),
        pytest.param("杭州市,余杭区", None, id="no province"),
        pytest.param("湖北,省直辖县级行政区划", None, id="only the heading"),
    ],
)
def test_names(area: str, city: str | None) -> None:
    place = place_of(area)
    assert (str(place) if place else None) == city


@settings(deadline=None)
@given(AREAS)
def test_any_text_has_a_place_or_none(area: str) -> None:
    place = place_of(area)
    assert place is None or place.province == province_of(area)


@pytest.mark.parametrize(
    ("province", "city", "area"),
    [
        ("浙江省", "杭州市", "浙江省,杭州市"),
        ("上海市", "", "上海,上海"),
        ("北京", "市辖区", "北京,北京"),
        ("浙江", "", ""),
        ("", "杭州市", ""),
        (" 浙江 ", " 杭州市 ", "浙江,杭州市"),
    ],
)
def test_an_orders_two_columns(province: str, city: str, area: str) -> None:
    assert area_of(province, city) == area


def test_neighbours_are_not_apart_and_reach_counts_on_both_sides() -> None:
    hangzhou, shanghai, beijing = place_of("浙江,杭州"), place_of("上海"), place_of("北京")
    assert hangzhou is not None
    assert shanghai is not None
    assert beijing is not None
    assert apart(hangzhou, hangzhou) == 0
    assert apart(hangzhou, shanghai) == 0
    assert apart(beijing, shanghai) == distance(beijing, shanghai) - beijing.reach - shanghai.reach


def test_the_gazetteer_is_whole() -> None:
    """Every province once, and as many cities as the head of the table says."""
    lines = TABLE.strip().split("\n")
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == PROVINCES
    cities = TABLE.count(";") + len(PROVINCES)
    assert cities == 365
    assert len(NEWER) == 17


def test_every_county_belongs_to_a_city_of_the_table() -> None:
    lines = [line.split(": ") for line in re.sub(r"\n +", " ", COUNTIES.strip()).splitlines()]
    groups = [(within, group.split()) for within, cities in lines for group in cities.split("; ")]
    pairs = [(within, city, county) for within, (city, *counties) in groups for county in counties]
    assert len(pairs) == len({(within, county) for within, _, county in pairs}) == 369
    for within, city, county in pairs:
        assert place_of(f"{within},{county}市") == place_of(f"{within},{city}"), county


def test_borders_hold_both_ways() -> None:
    assert BORDERS.keys() == set(PROVINCES)
    for one, others in BORDERS.items():
        assert one not in others
        assert all(one in BORDERS[other] for other in others)
    assert touch("四川", "陕西")
    assert touch("台湾", "台湾")
    assert not touch("四川", "广西")
    assert not touch("", "四川")
