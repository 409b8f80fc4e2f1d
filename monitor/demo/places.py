"""Cities, how far apart they are, and which hubs a parcel passes between two of them.

Coordinates are rounded to two decimals, enough for driving times. Remote tiers are the defaults of
`facts/platform-rules.md` §8 and §11 (`region_tiers`), by destination province.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import Final

__all__ = [
    "CITIES",
    "DESTINATIONS",
    "ORIGINS",
    "REMOTE",
    "VERY_REMOTE",
    "City",
    "road_hours",
    "route",
    "tier",
]

REMOTE: Final = frozenset({"内蒙古", "海南", "甘肃", "青海", "宁夏"})
VERY_REMOTE: Final = frozenset({"西藏", "新疆"})


@dataclass(frozen=True, slots=True)
class City:
    """A prefecture: names as carriers and as 快递100's `areaName` write them."""

    name: str
    province: str
    full: str
    code: str
    """GB/T 2260, six digits."""
    pinyin: str
    lng: float
    lat: float
    outlets: tuple[str, ...]
    """Districts with an outlet."""

    @property
    def area(self) -> str:
        """`省,市`, as 快递100 writes an area."""
        return f"{self.province},{self.full}"

    @property
    def municipality(self) -> bool:
        """Its own province, so its name is said once."""
        return self.name == self.province


def _city(line: str) -> City:
    name, province, full, code, pinyin, lng, lat, outlets = line.split()
    return City(
        name,
        province,
        full,
        code,
        pinyin.replace("-", " "),
        float(lng),
        float(lat),
        tuple(outlets.split("/")),
    )


CITIES: Final[dict[str, City]] = {
    city.name: city
    for city in map(
        _city,
        """
        杭州 浙江 杭州市 330100 hang-zhou-shi 120.16 30.27 余杭/萧山/滨江
        金华 浙江 金华市 330700 jin-hua-shi 119.65 29.08 义乌/永康
        苏州 江苏 苏州市 320500 su-zhou-shi 120.59 31.30 吴中/昆山
        上海 上海 上海市 310100 shang-hai-shi 121.47 31.23 浦东/闵行/嘉定
        广州 广东 广州市 440100 guang-zhou-shi 113.26 23.13 白云/天河/番禺
        深圳 广东 深圳市 440300 shen-zhen-shi 114.06 22.54 南山/龙岗
        泉州 福建 泉州市 350500 quan-zhou-shi 118.68 24.87 晋江/石狮
        南昌 江西 南昌市 360100 nan-chang-shi 115.86 28.68 青山湖/红谷滩
        长沙 湖南 长沙市 430100 chang-sha-shi 112.94 28.23 岳麓/雨花
        武汉 湖北 武汉市 420100 wu-han-shi 114.31 30.59 洪山/江夏
        合肥 安徽 合肥市 340100 he-fei-shi 117.23 31.82 蜀山/包河
        郑州 河南 郑州市 410100 zheng-zhou-shi 113.62 34.75 中原/金水
        济南 山东 济南市 370100 ji-nan-shi 117.00 36.65 历下/槐荫
        青岛 山东 青岛市 370200 qing-dao-shi 120.38 36.07 市北/黄岛
        北京 北京 北京市 110100 bei-jing-shi 116.41 39.90 海淀/朝阳/通州
        天津 天津 天津市 120100 tian-jin-shi 117.20 39.08 南开/武清
        石家庄 河北 石家庄市 130100 shi-jia-zhuang-shi 114.51 38.04 裕华/长安
        太原 山西 太原市 140100 tai-yuan-shi 112.55 37.87 小店/迎泽
        沈阳 辽宁 沈阳市 210100 shen-yang-shi 123.43 41.80 铁西/和平
        哈尔滨 黑龙江 哈尔滨市 230100 ha-er-bin-shi 126.53 45.80 道里/南岗
        西安 陕西 西安市 610100 xi-an-shi 108.94 34.34 雁塔/未央
        成都 四川 成都市 510100 cheng-du-shi 104.07 30.57 武侯/双流
        重庆 重庆 重庆市 500100 chong-qing-shi 106.55 29.56 渝北/江北
        昆明 云南 昆明市 530100 kun-ming-shi 102.83 24.88 官渡/五华
        南宁 广西 南宁市 450100 nan-ning-shi 108.37 22.82 青秀/江南
        海口 海南 海口市 460100 hai-kou-shi 110.20 20.04 龙华/美兰
        兰州 甘肃 兰州市 620100 lan-zhou-shi 103.83 36.06 城关/七里河
        西宁 青海 西宁市 630100 xi-ning-shi 101.78 36.62 城西/城北
        银川 宁夏 银川市 640100 yin-chuan-shi 106.23 38.49 兴庆/金凤
        呼和浩特 内蒙古 呼和浩特市 150100 hu-he-hao-te-shi 111.75 40.84 新城/赛罕
        乌鲁木齐 新疆 乌鲁木齐市 650100 wu-lu-mu-qi-shi 87.62 43.83 天山/沙依巴克
        拉萨 西藏 拉萨市 540100 la-sa-shi 91.14 29.65 城关/堆龙德庆
        """.strip().splitlines(),
    )
}

ORIGINS: Final = tuple(CITIES[name] for name in ("杭州", "金华", "广州", "泉州", "苏州"))
"""Where the merchants' warehouses stand."""

DESTINATIONS: Final[tuple[tuple[City, float], ...]] = tuple(
    (city, {"上海": 3.0, "北京": 3.0, "广州": 2.5, "深圳": 2.5, "成都": 2.0, "武汉": 1.5}.get(city.name, 1.0))
    for city in CITIES.values()
)
"""Where buyers live, with weights."""

_HUBS: Final = tuple(
    CITIES[name] for name in ("武汉", "郑州", "西安", "长沙", "北京", "济南", "沈阳", "兰州", "西宁", "成都")
)
_LONGEST_LEG: Final = 1050.0
"""Kilometres of one night's line haul; a longer lane goes by another hub."""
_DETOUR: Final = 1.35
_ROAD: Final = 1.25
_KM_PER_HOUR: Final = 70.0
_EARTH: Final = 6371.0


def tier(province: str) -> str:
    """`normal`, `remote` or `very_remote`, by the destination's province."""
    if province in VERY_REMOTE:
        return "very_remote"
    return "remote" if province in REMOTE else "normal"


def distance(a: City, b: City) -> float:
    """Kilometres as the crow flies."""
    south, north = radians(a.lat), radians(b.lat)
    half = sin((north - south) / 2) ** 2
    half += cos(south) * cos(north) * sin(radians(b.lng - a.lng) / 2) ** 2
    return 2 * _EARTH * asin(sqrt(half))


@lru_cache(maxsize=4096)
def road_hours(a: City, b: City) -> float:
    """Hours of a lorry between two cities, loading apart; at least an hour."""
    return max(1.0, distance(a, b) * _ROAD / _KM_PER_HOUR)


@lru_cache(maxsize=4096)
def route(origin: City, destination: City) -> tuple[City, ...]:
    """The cities whose hubs a parcel passes, both ends included; one city when it stays in town."""
    if origin == destination:
        return (origin,)
    direct = distance(origin, destination)
    if direct <= _LONGEST_LEG:
        return (origin, destination)
    by = [
        (distance(origin, hub) + distance(hub, destination), hub)
        for hub in _HUBS
        if hub not in (origin, destination)
        and max(distance(origin, hub), distance(hub, destination)) < direct * 0.85
    ]
    length, hub = min(by, key=lambda pair: pair[0], default=(direct, None))
    if hub is None or length > direct * _DETOUR:
        return (origin, destination)
    return (*route(origin, hub), *route(hub, destination)[1:])
