"""Structural checks of the way: did it start at the warehouse, could it be so fast, does it end at the receiver.

Speeds are between cities as the crow flies, less how far both cities reach, so a road is longer and a claim
on the careful side. What may have flown is measured by a jet: 顺丰, EMS, 京东 and 圆通 have aircraft, and over
600 km any carrier books freight in one. `facts/platform-rules.md` §5 and §11 give 120 km/h for roads only.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from domain.journey import Journey, Sighting
from domain.masking import safe_text
from domain.orders import Case, Order
from domain.tracking import DeliveredKind, ExceptionKind, Milestone
from rules.borders import touch
from rules.places import Leg, Place, area_of, distance, leg, place_of, province_of
from rules.regions import province
from rules.showing import Showing, km_text, moment, receiver, span
from rules.tolerances import Tolerances

__all__ = ["impossible_speed", "leaps", "origin_mismatch", "route_mismatch", "signed_too_soon"]

_HOUR = timedelta(hours=1)


def origin_mismatch(case: Case, allowed: Tolerances) -> Showing | None:
    """Picked up far from the warehouse; sleeps where the configuration does not say where that stands."""
    way = leg(case.journey.origin, case.origin)
    if way is None or way.far <= allowed.max_km:
        return None
    at, far, picked, warehouse = case.journey.cities[0].at, way.km, way.start, way.end
    return Showing(
        at,
        f"{moment(at)} 首次扫描在{picked}，发货仓在{warehouse}，相距{km_text(far)}",
        (at,),
        {"place": str(picked), "warehouse": str(warehouse), "km": f"{far:.0f}"},
    )


def impossible_speed(case: Case, allowed: Tolerances) -> Showing | None:
    """From one city to the next faster than anything that carries parcels.

    To and fro and to again is late bookkeeping: a departure that is booked after the arrival.
    """
    stays = case.journey.cities
    for n, (earlier, later) in enumerate(pairwise(stays)):
        way = leg(earlier.area, later.area)
        took = later.at - earlier.until
        if (
            way is None
            or not _too_fast(way, took, _speed(case, way, allowed))
            or _to_and_fro(case.journey, n)
        ):
            continue
        text = (
            f"{moment(earlier.until)} 还在{way.start}，{moment(later.at)} 已到{way.end}：{_pace(way, took)}"
        )
        return Showing(later.at, text, (earlier.until, later.at), _facts(way, took))
    return None


def _to_and_fro(journey: Journey, n: int) -> bool:
    """The step from stay `n` is of a row A B A B, or may still become one."""
    areas = [stay.area for stay in journey.cities]
    rows = (areas[k : k + 4] for k in range(max(0, n - 2), n + 1))
    if any(len(row) == 4 and row[0] == row[2] and row[1] == row[3] for row in rows):
        return True
    return not journey.over and n + 3 >= len(areas) and len(areas) > 2 and areas[-1] == areas[-3]


def leaps(case: Case, earlier: Sighting, later: Sighting, allowed: Tolerances) -> bool:
    """From one stay to the next faster than anything that carries parcels: one of the two is garbled."""
    way = leg(earlier.area, later.area)
    return way is not None and _too_fast(way, later.at - earlier.until, _speed(case, way, allowed))


def signed_too_soon(case: Case, allowed: Tolerances) -> Showing | None:
    """Signed for in another city sooner after the pickup than anything could have brought it."""
    journey, door = case.journey, case.journey.doorstep
    signed_at, picked_at = journey.first.get(Milestone.DELIVERED), journey.first_scan_at
    way = leg(journey.origin, door.area) if door is not None else None
    if signed_at is None or picked_at is None or door is None or way is None or way.start == way.end:
        return None
    if not door.at <= signed_at <= door.until:
        return None
    took = signed_at - picked_at
    flies = case.waybill.carrier in allowed.air_carriers
    far = way.far > (allowed.air_from_km if flies else allowed.near_km)
    if not (far and took < allowed.at_least) and not _too_fast(way, took, _speed(case, way, allowed)):
        return None
    text = f"{moment(picked_at)} 在{way.start}揽收，{moment(signed_at)} 已在{way.end}签收：{_pace(way, took)}"
    return Showing(signed_at, text, (picked_at, signed_at), _facts(way, took))


def _speed(case: Case, way: Leg, allowed: Tolerances) -> int:
    """The most that is possible between the two, in km/h."""
    flies = way.km >= allowed.air_from_km or case.waybill.carrier in allowed.air_carriers
    return allowed.air_kmh if flies else allowed.max_kmh


def _too_fast(way: Leg, took: timedelta, kmh: int) -> bool:
    return way.sure > 0 and way.sure > max(took / _HOUR, 0.0) * kmh


def _pace(way: Leg, took: timedelta) -> str:
    """The way in words; the distance people can look up, and how fast that would have been."""
    said = f"相距{km_text(way.km)}，只用了 {span(max(took, timedelta(0)))}"
    return said + (f"，合每小时 {way.km / (took / _HOUR):.0f} 公里" if took > timedelta(minutes=1) else "")


def _facts(way: Leg, took: timedelta) -> dict[str, str]:
    minutes = f"{took / timedelta(minutes=1):.0f}"
    return {"from": str(way.start), "place": str(way.end), "km": f"{way.km:.0f}", "minutes": minutes}


def route_mismatch(case: Case, allowed: Tolerances) -> Showing | None:
    """Carried out, stored or signed for in another city than the receiver's; in another province it is worse.

    Not what was sent on, called back or signed for by a transit warehouse, nor what a neighbouring city's
    outlet serves over the border. A parcel that came to the right city later was only sorted wrongly.
    """
    journey, door = case.journey, case.journey.doorstep
    if door is None or not case.orders or _led_astray(journey):
        return None
    meant = [_off(door, order, allowed) for order in case.orders]
    if not all(meant):
        return None
    worst, order = all(off == "province" for off in meant), case.orders[0]
    here, there = place_of(door.area), receiver(order)
    signed_at = _signed_at(journey, door)
    at = door.at
    said = (
        f"{moment(signed_at)} 在{_name(here, door)}签收"
        if signed_at
        else f"{moment(at)} 已在{_name(here, door)}派送"
    )
    wanted = (
        str(there) if there else safe_text(f"{province(order.receiver_province)}{order.receiver_city}", 30)
    )
    far = f"，相距{km_text(distance(here, there))}" if here and there else ""
    return Showing(
        at,
        f"{said}，收货地是{wanted}{far}" + ("（跨省）" if worst else ""),
        (at,),
        {"place": _name(here, door), "receiver": wanted, "level": "province" if worst else "city"},
        severity=allowed.escalate if worst else 0,
    )


def _led_astray(journey: Journey) -> bool:
    """It has a reason to be elsewhere."""
    return (
        journey.turned_back
        or journey.forwarded is not None
        or journey.delivered_kind is DeliveredKind.TRANSIT_WAREHOUSE
        or any(each.kind is ExceptionKind.INTERCEPTED for each in journey.exceptions)
    )


def _off(door: Sighting, order: Order, allowed: Tolerances) -> str:
    """`city` or `province` where the parcel is in another one than the order's; nothing where nobody can say.

    A city nobody knows may lie at the border, so only provinces that do not touch are held against it.
    """
    way = leg(door.area, area_of(order.receiver_province, order.receiver_city))
    if way is not None and way.far <= allowed.near_km:
        return ""
    mine, meant = province_of(door.area), province_of(order.receiver_province)
    if way is None:
        return "province" if mine and meant and not touch(mine, meant) else ""
    return "province" if mine != meant else "city"


def _signed_at(journey: Journey, door: Sighting) -> datetime | None:
    signed_at = journey.last.get(Milestone.DELIVERED)
    return signed_at if signed_at is not None and door.at <= signed_at <= door.until else None


def _name(place: Place | None, stay: Sighting) -> str:
    """As people write it; a city nobody knows as the provider writes it."""
    return str(place) if place is not None else safe_text(stay.area.replace(",", ""), 30)
