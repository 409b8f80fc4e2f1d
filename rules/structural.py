"""Structural checks: what no clock can say (`facts/platform-rules.md` §5).

Each is a pure function of a parcel and its rule's tolerances. They claim what scans, orders and other uses of
the number show, never silence, so no look is due for them: only news makes them true or takes them back.
`empty_parcel` and `short_quantity` are left out, since no weights and no quantities are imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.findings import Blame, Ending, Finding, FindingState, Party, Stage
from domain.journey import Journey
from domain.orders import Case
from domain.tracking import MILESTONE_ZH, ExceptionKind
from rules.clock import common
from rules.papers import (
    carrier_mismatch,
    duplicate_pickup,
    refund_after_pickup,
    shared,
    tracking_before_order,
    transit_warehouse_signed,
    waybill_reuse,
)
from rules.showing import Check
from rules.spec import Line
from rules.travel import impossible_speed, origin_mismatch, route_mismatch, signed_too_soon

__all__ = ["CHECKS", "shown", "undone"]

CHECKS: Final[Mapping[str, Check]] = {
    check.__name__: check
    for check in (
        tracking_before_order,
        waybill_reuse,
        route_mismatch,
        origin_mismatch,
        impossible_speed,
        signed_too_soon,
        duplicate_pickup,
        carrier_mismatch,
        transit_warehouse_signed,
        refund_after_pickup,
    )
}
"""By the name a rule's `check` gives."""
_BLAME: Final[Mapping[str, Blame]] = {
    "tracking_before_order": Blame(Party.WAREHOUSE, "单号由商家上传，付款前已在用"),
    "waybill_reuse": Blame(Party.WAREHOUSE, "单号由商家上传，已用于别的收货地址"),
    "impossible_speed": Blame(Party.CARRIER, "轨迹由承运商登记"),
    "duplicate_pickup": Blame(Party.CARRIER, "揽收由承运商登记"),
    "refund_after_pickup": Blame(Party.BUYER, "买家在揽收后退款"),
    "carrier_mismatch": Blame(Party.WAREHOUSE, "承运商和单号由商家上传"),
}
_NOBODY: Final = Blame(Party.UNKNOWN, "面单贴错、单号错填或承运商错分都可能")


def shown(case: Case, line: Line) -> Finding | None:
    """The finding of a line's check, if it shows anything; orders that the rule exempts prove nothing."""
    rule = line.rule
    meant = tuple(order for order in case.orders if not rule.exempt & (order.tags | {order.goods_type}))
    if not meant:
        return None
    if len(meant) < len(case.orders):
        case = replace(case, orders=meant)
    showing = CHECKS[rule.check](case, rule.tolerances)
    if showing is None:
        return None
    return Finding(
        rule=rule.id,
        stage=Stage.BREACH,
        started_at=showing.at,
        crossed_at=showing.at,
        policy=line.source,
        step=1,
        severity=showing.severity or rule.severity,
        notify=rule.notify,
        evidence={
            "rule_zh": rule.zh,
            "check": rule.check,
            "trouble": showing.text,
            "text": showing.text,
            "scans": " ".join(at.isoformat() for at in showing.scans),
            "confidence": rule.confidence,
            **({"soft": "true"} if rule.soft else {}),
            **showing.facts,
        },
        shadow=rule.shadow,
        blame=_BLAME.get(rule.check, _NOBODY),
    )


def undone(old: Finding, case: Case, now: datetime) -> Ending:
    """How a claim that no longer holds came to its end.

    Retracted when a scan it rests on is gone or the order's time was corrected, cleared when later facts put
    it right, expired when nobody waits or the rule is off.
    """
    nobody = common(case).nobody
    if nobody:
        return Ending(FindingState.EXPIRED, now, nobody)
    scans = [datetime.fromisoformat(at) for at in old.evidence.get("scans", "").split()]
    if any(at not in _known(case.journey) for at in scans):
        return Ending(FindingState.RETRACTED, now, "承运商撤回或更正了该轨迹")
    if (paid := old.evidence.get("paid_at")) and not any(
        at is not None and at.isoformat() == paid
        for order in case.orders
        for at in (order.paid_at, order.confirmed_at, order.ordered_at)
    ):
        return Ending(FindingState.RETRACTED, now, "订单的付款时间已更正")
    return _put_right(old, case, now) or Ending(
        FindingState.EXPIRED, now, "规则已关闭或改了容差，或订单资料已更正"
    )


def _put_right(old: Finding, case: Case, now: datetime) -> Ending | None:
    """What happened since that makes it no trouble any more."""
    journey, check = case.journey, old.evidence["check"]
    cleared = FindingState.CLEARED
    if check == "route_mismatch":
        if journey.doorstep is not None and journey.doorstep.at > old.started_at:
            return Ending(cleared, journey.doorstep.at, "已转到收货城市派送")
        if journey.forwarded is not None:
            return Ending(cleared, journey.forwarded.since, "承运商已登记转寄")
        if journey.turned_back:
            return Ending(cleared, journey.first.get(journey.milestone, now), MILESTONE_ZH[journey.milestone])
    if check == "waybill_reuse" and len(shared(case)) < 2:
        return Ending(cleared, now, "该单号已只属于一个订单")
    if check == "carrier_mismatch" and "declared" in old.evidence:
        return None if case.declared else Ending(cleared, now, "商家已改正快递公司")
    if check == "carrier_mismatch" and journey.events and "number" not in old.evidence:
        return Ending(cleared, journey.first_event_at or now, "承运商已有该单号的轨迹")
    if check == "carrier_mismatch" and old.evidence.get("number") in (case.siblings or ()):
        return Ending(cleared, now, "新单号已登记")
    if check == "refund_after_pickup":
        return _stopped(case, now)
    if check == "transit_warehouse_signed":
        later = next((at for at in journey.movements if at > old.started_at), None)
        return Ending(cleared, later, "第二程已有新的扫描") if later is not None else None
    return None


def _stopped(case: Case, now: datetime) -> Ending:
    """How the wish to stop a refunded parcel ended."""
    journey = case.journey
    at = journey.first.get(journey.milestone, now)
    if journey.turned_back:
        return Ending(FindingState.CLEARED, at, MILESTONE_ZH[journey.milestone])
    if journey.over:
        return Ending(FindingState.EXPIRED, at, "已签收，来不及拦截")
    caught = next((each for each in journey.exceptions if each.kind is ExceptionKind.INTERCEPTED), None)
    if caught is not None:
        return Ending(FindingState.CLEARED, caught.since, "承运商已拦截")
    return Ending(FindingState.EXPIRED, now, "退款已撤销，或还有订单要送")


def _known(journey: Journey) -> set[datetime]:
    """The moments of all scans the condensed history still knows."""
    known = {*journey.movements, *journey.pickups, *journey.first.values(), *journey.last.values()}
    known |= {at for stay in journey.cities for at in (stay.at, stay.until)}
    known |= {at for at in (journey.first_scan_at, journey.first_event_at) if at is not None}
    known |= {journey.doorstep.at} if journey.doorstep is not None else set()
    return known | ({journey.forwarded.since} if journey.forwarded is not None else set())
