"""Places by name: is it the same city, and how far apart are two.

Names are those of providers (`浙江,杭州市,余杭区`) and of shops (province and city apart). A county-level city in
the city's place stands for the city it belongs to. What is not in the gazetteer has no place: nothing is
claimed of it (L7). Distances are great circles between the seats of two
cities, so a road is always longer; `apart` leaves out how far both reach, so two scans are at least so far
from each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import Final

from rules.counties import COUNTIES
from rules.gazetteer import NEWER, TABLE
from rules.regions import PROVINCES, province

__all__ = ["CITIES", "Place", "apart", "area_of", "distance", "place_of", "province_of"]

_EARTH: Final = 6371.0
_MUNICIPALITIES: Final = frozenset({"北京", "天津", "上海", "重庆", "香港", "澳门", "台湾"})
"""Their own city, whatever stands behind the province: 市辖区, 县, a district."""
_DIRECT: Final = re.compile(r"(?:省|自治区)?直辖县(?:级行政(?:区划|单位))?")
"""Stands where a city should, for a county directly under the province."""
_COMMA: Final = re.compile(r"[,，/>、\s-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A prefecture-level city, or a county directly under its province."""

    province: str
    name: str
    lng: float
    lat: float
    reach: int
    """Kilometres from its seat to its farthest parts."""

    def __str__(self) -> str:
        return self.name if self.name == self.province else f"{self.province}{self.name}"


def area_of(province_: str, city: str) -> str:
    """An order's two columns as one area; nothing where either is missing, but for a municipality."""
    known = province(province_)
    if known in _MUNICIPALITIES:
        return f"{known},{known}"
    return f"{province_.strip()},{city.strip()}" if province_.strip() and city.strip() else ""


def province_of(area: str) -> str:
    """The province of an area, or nothing where it names none that is known."""
    known = province(_COMMA.split(area.strip(), maxsplit=1)[0])
    return known if known in PROVINCES else ""


@lru_cache(maxsize=8192)
def place_of(area: str) -> Place | None:
    """The city of `省,市[,区]`; None for a name nobody knows, and for a bare province that is no city itself."""
    within = province_of(area)
    if not within:
        return None
    if within in _MUNICIPALITIES:
        return _CITIES[within][within]
    names = [part for part in _parts(area) if not _DIRECT.fullmatch(part)]
    return _named(within, names[0]) if names else None


def _parts(area: str) -> list[str]:
    """What stands behind the province."""
    return [part for part in _COMMA.split(area.strip())[1:] if part]


def _named(within: str, name: str) -> Place | None:
    """The city whose name this one begins with, the longest of several: 黔西南州, 伊犁哈萨克自治州; else a county's."""
    cities = _CITIES[within]
    stems = [stem for stem in cities if name.startswith(stem)]
    if not stems:
        return cities.get(_COUNTIES.get((within, name.removesuffix("市")), ""))
    return cities[max(stems, key=len)]


def _by_county(area: str) -> bool:
    """A county stands in the city's place, so the city's seat may be far from where it says."""
    within = province_of(area)
    names = [part for part in _parts(area) if not _DIRECT.fullmatch(part)]
    return bool(names) and (within, names[0].removesuffix("市")) in _COUNTIES


def distance(one: Place, other: Place) -> float:
    """Kilometres between the seats of two cities as the crow flies."""
    south, north = radians(one.lat), radians(other.lat)
    half = sin((north - south) / 2) ** 2
    half += cos(south) * cos(north) * sin(radians(other.lng - one.lng) / 2) ** 2
    return 2 * _EARTH * asin(sqrt(half))


def apart(one: Place, other: Place) -> float:
    """The kilometres that surely lie between any two scans in these cities; none between neighbours."""
    return 0.0 if one == other else max(0.0, distance(one, other) - one.reach - other.reach)


@dataclass(frozen=True, slots=True)
class Leg:
    """From one area to another."""

    start: Place
    end: Place
    km: float
    """As `distance`."""
    sure: float
    """As `apart`."""
    far: float
    """What may be held against it: `km`, but `sure` where a county is all that is known of a city."""


@lru_cache(maxsize=32768)
def leg(one: str, other: str) -> Leg | None:
    """The way between two areas; None where the city of one is not known."""
    start, end = place_of(one), place_of(other)
    if start is None or end is None:
        return None
    km, sure = distance(start, end), apart(start, end)
    return Leg(start, end, km, sure, sure if _by_county(one) or _by_county(other) else km)


def _read(table: str) -> Mapping[str, Mapping[str, Place]]:
    """By province, by the city's short name."""
    found: dict[str, dict[str, Place]] = {}
    for line in re.sub(r"\n +", " ", table.strip()).splitlines():
        within, cities = line.split(": ")
        found[within] = {
            name: Place(within, name, float(lng), float(lat), int(reach))
            for name, lng, lat, reach in (city.split() for city in cities.split(";"))
        }
    for (within, name), stands_for in NEWER.items():
        found[within][name] = found[within][stands_for]
    return found


def _belongs(table: str) -> Mapping[tuple[str, str], str]:
    """By province and county-level city, the short name of the city it belongs to."""
    found: dict[tuple[str, str], str] = {}
    for line in re.sub(r"\n +", " ", table.strip()).splitlines():
        within, cities = line.split(": ")
        for city, *counties in (group.split() for group in cities.split("; ")):
            found |= {(within, county): city for county in counties}
    return found


_COUNTIES: Final = _belongs(COUNTIES)
_CITIES: Final = _read(TABLE)
CITIES: Final = frozenset(name for within in _CITIES.values() for name in within)
"""The short names of all cities: a longer name begins with one."""
