"""Structural checks of the papers: the number, whose it is, and what was booked on it when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from operator import itemgetter
from typing import Final

from domain.journey import Sighting
from domain.masking import safe_text
from domain.numbers import looks_like, shape_hint
from domain.orders import UNNAMED, Case, Neighbour, Order, OrderStatus
from domain.tracking import DeliveredKind, ExceptionKind, Milestone
from rules.places import apart, area_of, place_of, province_of
from rules.showing import Showing, moment, span
from rules.tolerances import Tolerances
from rules.travel import leaps

__all__ = [
    "carrier_mismatch",
    "duplicate_pickup",
    "refund_after_pickup",
    "shared",
    "tracking_before_order",
    "transit_warehouse_signed",
]

_NEW_NUMBER: Final = re.compile(
    r"(?:新(?:的)?(?:运|快递)?单号|新运单|new tracking (?:number|no))\s*[为是]?\s*[:：]?\s*([A-Z0-9][A-Z0-9-]{7,29})",
    re.IGNORECASE | re.ASCII,
)
_KEPT: Final = 4
_TOGETHER: Final = timedelta(hours=24)
"""Orders of one city sent so close to each other are one parcel: platforms give each order a phone of its own."""
_REFUNDS: Final = frozenset({OrderStatus.REFUNDING, OrderStatus.REFUNDED})


def tracking_before_order(case: Case, allowed: Tolerances) -> Showing | None:
    """The carrier had the parcel before the order was paid for; a printed label is no scan of it."""
    first = case.journey.first_scan_at
    known = [(at, order) for order in case.orders if (at := _bought_at(order)) is not None]
    if first is None or not known:
        return None
    paid_at, order = max(known, key=lambda pair: pair[0])
    if paid_at - first <= allowed.tolerance:
        return None
    early = span(paid_at - first)
    return Showing(
        first,
        f"首次扫描 {moment(first)}，订单 {_masked(order.order_no)} {moment(paid_at)} 才付款，早了 {early}",
        (first,),
        {"paid_at": paid_at.isoformat()},
    )


def _bought_at(order: Order) -> datetime | None:
    return order.paid_at or order.confirmed_at or order.ordered_at


def waybill_reuse(case: Case, allowed: Tolerances) -> Showing | None:
    """The number was used for another receiver not long before; a merged order has the same receiver."""
    uses = sorted(
        ((use.at, use) for use in shared(case) if use.at is not None),
        key=lambda use: (use[0], use[1].order_no),
    )
    reused = (
        (used_at, earlier_at, later, earlier)
        for (earlier_at, earlier), (used_at, later) in combinations(uses, 2)
        if used_at - earlier_at <= allowed.lookback
        and _other_receiver(earlier, later, used_at - earlier_at > _TOGETHER)
    )
    found = min(reused, key=itemgetter(0, 1), default=None)
    if found is None:
        return None
    used_at, earlier_at, later, earlier = found
    places = f"{_where(earlier)}，这一单寄往{_where(later)}"
    return Showing(
        used_at,
        f"该单号 {moment(earlier_at)} 已用于订单 {_masked(earlier.order_no)}，寄往{places}（{moment(used_at)}）",
        facts={"other": _masked(earlier.order_no), "used_at": earlier_at.isoformat()},
    )


def shared(case: Case) -> tuple[Neighbour, ...]:
    """Every use of the number, as the store knows them or else as the orders inside tell.

    Not that of an order that was never sent: its number was taken back.
    """
    if case.neighbours:
        return tuple(use for use in case.neighbours if use.sent)
    if len(case.orders) < 2:
        return ()
    return tuple(
        Neighbour(
            order.order_no,
            order.receiver_province,
            order.receiver_city,
            order.shipped_at or _bought_at(order),
        )
        for order in case.orders
        if order.sent
    )


def _other_receiver(one: Neighbour, other: Neighbour, by_phone: bool) -> bool:
    """Another city or province, or another phone where that proves it; what is not known is taken for the same."""
    provinces = province_of(one.province), province_of(other.province)
    if all(provinces) and provinces[0] != provinces[1]:
        return True
    here, there = place_of(area_of(one.province, one.city)), place_of(area_of(other.province, other.city))
    if here is not None and there is not None and here != there:
        return True
    return bool(by_phone and one.phone and other.phone and one.phone != other.phone)


def _where(use: Neighbour) -> str:
    place = place_of(area_of(use.province, use.city))
    return str(place) if place is not None else safe_text(f"{use.province}{use.city}", 30) or "未知地址"


def duplicate_pickup(case: Case, allowed: Tolerances) -> Showing | None:
    """Picked up again half a day later, or in another city: the courier and his outlet book one pickup twice."""
    signed_at = case.journey.first.get(Milestone.DELIVERED)
    # What is booked after the signature is a site's late bookkeeping (`facts/carriers.md`, realities).
    pickups = [at for at in case.journey.pickups if signed_at is None or at < signed_at]
    if len(pickups) < 2:
        return None
    again = next(
        (
            at
            for at in pickups[1:]
            if at - pickups[0] > allowed.apart or _moved(case, pickups[0], at, allowed)
        ),
        None,
    )
    if again is None:
        return None
    counted, which = (pickups[-1], "最后一次") if allowed.counts == "last" else (pickups[0], "第一次")
    times = "、".join(f"{moment(at)}{_city_at(case, at)}" for at in _few(pickups))
    return Showing(
        again,
        f"有 {len(pickups)} 次揽收记录：{times}；按{which}（{moment(counted)}）计算",
        (pickups[0], again),
        {"counted_at": counted.isoformat()},
    )


def _few(pickups: Sequence[datetime]) -> Sequence[datetime]:
    return pickups if len(pickups) <= _KEPT else (*pickups[: _KEPT - 1], pickups[-1])


def _moved(case: Case, first: datetime, again: datetime, allowed: Tolerances) -> bool:
    """Two cities that are surely apart, neither of them garbled: what nothing can have travelled is a slip."""
    stays = _stay_at(case, first), _stay_at(case, again)
    if stays[0] is None or stays[1] is None:
        return False
    here, there = place_of(stays[0].area), place_of(stays[1].area)
    if here is None or there is None or apart(here, there) <= 0:
        return False
    steps = [each for each in pairwise(case.journey.cities) if set(each) & set(stays)]
    return not any(leaps(case, *step, allowed) for step in steps)


def _stay_at(case: Case, at: datetime) -> Sighting | None:
    """The city in which the parcel was scanned at that moment."""
    return next((stay for stay in case.journey.cities if stay.at <= at <= stay.until), None)


def _city_at(case: Case, at: datetime) -> str:
    stay = _stay_at(case, at)
    place = place_of(stay.area) if stay is not None else None
    return f"（{place}）" if place is not None else ""


def carrier_mismatch(case: Case, allowed: Tolerances) -> Showing | None:
    """The number is another carrier's, or the parcel went on under a number that the shop never recorded."""
    return _strange_number(case) or _wrong_carrier(case) or _unrecorded_number(case)


def _strange_number(case: Case) -> Showing | None:
    """Looked for at the carrier and never heard of, and its shape is one that only another carrier uses.

    Where the carrier knows the number it is his, whatever it looks like.
    """
    if case.journey.events or case.observed_at is None:
        return None
    carrier, number = case.waybill.carrier, case.waybill.waybill_no
    theirs = looks_like(number)
    if not theirs or carrier in theirs:
        return None
    since = min((at for order in case.orders if (at := order.shipped_at or _bought_at(order))), default=None)
    if since is None or shape_hint(carrier, number) is not False:
        return None
    text = "承运商查不到这个单号，而它的格式只见于另一家承运商，可能选错了承运商"
    return Showing(since, text, facts={"looks_like": " ".join(sorted(theirs))})


def _wrong_carrier(case: Case) -> Showing | None:
    """The shop named one carrier, and another one has the parcel: the number is his, and he knows it."""
    first = case.journey.first_event_at
    if first is None or case.declared in ("", UNNAMED):
        return None
    since = min((at for order in case.orders if (at := order.shipped_at or _bought_at(order))), default=first)
    text = "商家填的快递公司不对：这个单号是另一家的，那一家已有轨迹"
    return Showing(min(since, first), text, (first,), {"declared": case.declared})


def _unrecorded_number(case: Case) -> Showing | None:
    """Sent on under a new number; claimed once the shop has had its word since and did not name it."""
    sent_on, told_at = case.journey.forwarded, case.orders_observed_at
    found = _NEW_NUMBER.search(sent_on.text) if sent_on is not None else None
    if sent_on is None or found is None or told_at is None or told_at <= sent_on.since:
        return None
    if case.siblings is None:
        return None
    number = found[1].upper()
    if number == case.waybill.waybill_no.upper() or number in {each.upper() for each in case.siblings}:
        return None
    text = f"{moment(sent_on.since)} 已转寄，新单号 {number} 没有登记到订单上，之后的轨迹无人监控"
    return Showing(sent_on.since, text, (sent_on.since,), {"number": number})


def transit_warehouse_signed(case: Case, allowed: Tolerances) -> Showing | None:
    """Signed for by a warehouse on the way (新疆中转, 集运): the receiver has nothing yet."""
    journey = case.journey
    signed_at = journey.last.get(Milestone.DELIVERED)
    if journey.milestone is not Milestone.DELIVERED or signed_at is None:
        return None
    if journey.delivered_kind is not DeliveredKind.TRANSIT_WAREHOUSE:
        return None
    text = f"{moment(signed_at)} 由中转仓/集运仓签收，不算送达：第二程会换新单号，由平台负责"
    return Showing(signed_at, text, (signed_at,))


def refund_after_pickup(case: Case, allowed: Tolerances) -> Showing | None:
    """All orders inside are being refunded while the parcel is on its way: it wants stopping (§11, notes)."""
    journey, orders = case.journey, case.orders
    picked_at = journey.first.get(Milestone.PICKED_UP)
    if picked_at is None or journey.over or journey.turned_back or not orders:
        return None
    stopped = any(each.kind is ExceptionKind.INTERCEPTED for each in journey.exceptions)
    if stopped or any(order.status not in _REFUNDS for order in orders):
        return None
    numbers = "、".join(_masked(order.order_no) for order in orders[:_KEPT])
    text = f"{moment(picked_at)} 已揽收，订单 {numbers} 在退款，包裹还在往收件人走：要拦截就尽快通知承运商"
    return Showing(picked_at, text, (picked_at,))


def _masked(order_no: str) -> str:
    """The end is enough to find the order in one's own shop, and says nothing to others."""
    return safe_text(f"…{order_no[-6:]}" if len(order_no) > 6 else order_no, 10)
