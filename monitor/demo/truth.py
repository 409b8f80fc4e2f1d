"""What an all-seeing judge would say of a scripted parcel: the waits, their ends, and the limits they break.

Derived from the script, not from anybody's reading of it, so that recall and precision can be counted. Rule
names are those of `config/profiles/`. `LIMITS` restates `facts/platform-rules.md` §11 for the two platforms.
A breach is *more than* the limit: a wait that ends on the dot broke nothing.

A jam or a burst that is caused while the world runs is in the script of every parcel asked for afterwards, so
this stays true of it. Not covered: what many parcels have in common (a jam is not one claim of its own here), and
what the watcher cannot see while a provider is out or say while a robot is mute, which delays a claim and
changes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from types import MappingProxyType
from typing import Final, Protocol

from domain.findings import Stage
from domain.orders import Order
from domain.tracking import ExceptionKind, Milestone, Motion
from monitor.demo.places import tier
from monitor.demo.scans import Scan
from rules.policy import Policy

__all__ = [
    "LIMITS",
    "Crossing",
    "Limit",
    "Scripted",
    "Trouble",
    "Wait",
    "crossings",
    "limits_of",
    "troubles",
    "waits",
]

_HOUR: Final = timedelta(hours=1)


class Scripted(Protocol):
    """A parcel whose whole life is known, such as `world.Parcel`."""

    @property
    def order(self) -> Order:
        """The order inside; paid and shipped."""

    @property
    def scans(self) -> Sequence[Scan]:
        """Every line of its life, in order of time."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Hours allowed by the tier of the destination (None: exempt), and the warning steps before them."""

    normal: float
    warn: tuple[float, ...] = ()
    remote: float | None = None
    very_remote: float | None = None

    def of(self, province: str) -> timedelta | None:
        """The limit for a destination."""
        allowed: float | None = getattr(self, tier(province))
        return timedelta(hours=allowed) if allowed is not None else None


def _same(normal: float, *warn: float) -> Limit:
    return Limit(normal, warn, normal, normal)


_LAST_MILE: Final[Mapping[str, Limit]] = MappingProxyType(
    {
        "dispatch_sign": _same(24, 6),
        "failed_no_retry": _same(48, 24),
        "locker_overdue": _same(72, 48),
        "return_transit": _same(72, 24),
        "thorough_delay": Limit(240, (72, 24), 336, 408),
        "no_record": _same(72, 24),
        "same_city": _same(24, 6),
        "inter_city": Limit(72, (24,), 168, 240),
        "thorough_delay_same_city": _same(96, 24),
    }
)
"""`generic_cn`, which both platforms inherit."""

_AFTERMATH: Final = "trajectory_to_out_of_stock"
_STALL: Final = "transit_stagnation"

LIMITS: Final[Mapping[str, Mapping[str, Limit]]] = MappingProxyType(
    {
        "taobao_tmall": {
            **_LAST_MILE,
            "late_shipment": _same(48, 12, 4),
            "pickup_kpi_24h": _same(24, 6),
            "out_of_stock": _same(120, 24),
            "pickup_no_update": Limit(48, (24, 8)),
            "transit_stagnation": Limit(48, (24, 8)),
            "paid_to_signed": _same(59, 12),
            _AFTERMATH: _same(120, 48, 24),
        },
        "pinduoduo": {
            **_LAST_MILE,
            "late_shipment": _same(48, 12, 4),
            "no_pickup": _same(24, 8, 2),
            "pickup_no_update": _same(24, 8, 2),
            "first_hub": Limit(48, (24, 8), 72, 120),
            "update_timeout": Limit(48, (24, 8), 72, 120),
            "dispatch_sign": _same(24, 6),
            "out_of_stock": _same(72, 24),
        },
    }
)


def limits_of(policy: Policy) -> dict[str, Limit]:
    """The limits a real policy sets one parcel: for whoever wants to hold the rules to the truth."""
    return {
        line.rule.id: _same(
            line.limit / _HOUR, *(ahead / _HOUR for ahead in line.rule.warn if ahead < line.limit)
        )
        for line in policy.lines
        if line.limit is not None and not line.asleep
    }


@dataclass(frozen=True, slots=True)
class Wait:
    """One stretch a rule measures. `None` ends mean: it never ended."""

    rule: str
    started_at: datetime
    start_known_at: datetime
    ended_at: datetime | None = None
    end_known_at: datetime | None = None

    def breaks(self, limit: timedelta) -> bool:
        """The wait was longer than the limit."""
        return self.ended_at is None or self.ended_at - self.started_at > limit

    def seems_to_break(self, limit: timedelta) -> bool:
        """For a while nobody could know better, though the end turned out to be in time."""
        if self.breaks(limit) or self.end_known_at is None:
            return False
        return self.end_known_at - self.started_at > limit


@dataclass(frozen=True, slots=True)
class Crossing:
    """A step some rule passes: at `at`, and not knowable before `knowable_at`."""

    rule: str
    stage: Stage
    started_at: datetime
    at: datetime
    knowable_at: datetime
    ended_at: datetime | None
    end_known_at: datetime | None
    retracted: bool = False
    """True only until scans arrive that are older than the step."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something the carrier itself reports, under the rule that tells of it."""

    rule: str
    since: datetime
    known_at: datetime
    until: datetime | None = None


def crossings(parcel: Scripted, limits: Mapping[str, Limit] | None = None) -> tuple[Crossing, ...]:
    """Every warning step and limit a parcel passes, also those that only seem to be passed, in order.

    `limits` by rule, hours before the limit for its warnings; without them those of the parcel's platform.
    """
    allowed = limits if limits is not None else LIMITS[parcel.order.platform]
    found = []
    known = waits(parcel)
    stall = allowed[_STALL].of(parcel.order.receiver_province) if _STALL in allowed else None
    for wait in (*known, *_aftermath(parcel, known, stall)):
        limit = allowed[wait.rule].of(parcel.order.receiver_province) if wait.rule in allowed else None
        if limit is None:
            continue
        steps = [(Stage.WARNING, limit - timedelta(hours=ahead)) for ahead in allowed[wait.rule].warn]
        found += [_crossing(wait, stage, step) for stage, step in (*steps, (Stage.BREACH, limit))]
    return tuple(sorted((step for step in found if step is not None), key=lambda step: step.at))


def _crossing(wait: Wait, stage: Stage, step: timedelta) -> Crossing | None:
    if not wait.breaks(step) and not wait.seems_to_break(step):
        return None
    at = wait.started_at + step
    return Crossing(
        rule=wait.rule,
        stage=stage,
        started_at=wait.started_at,
        at=at,
        knowable_at=max(at, wait.start_known_at),
        ended_at=wait.ended_at,
        end_known_at=wait.end_known_at,
        retracted=not wait.breaks(step),
    )


def waits(parcel: Scripted) -> tuple[Wait, ...]:
    """Every stretch the rules of the parcel's platform measure."""
    moved = _moved(parcel.scans)
    back = _first(moved, Milestone.RETURNING, Milestone.RETURNED)
    forward = [scan for scan in moved if back is None or scan.occurred_at < back.occurred_at]
    duoduo = parcel.order.platform == "pinduoduo"
    found = [*_shop_waits(parcel, moved, duoduo), *_delivery_waits(forward, back, duoduo)]
    if forward:
        found += _pickup_waits(forward, back, duoduo)
        found += _silences("update_timeout" if duoduo else "transit_stagnation", forward, back)
        end = _first(forward, Milestone.DELIVERED) or back
        found += [
            _wait(rule, forward[0], end) for rule in ("thorough_delay", *_services(parcel.order, forward[0]))
        ]
    if back is not None and back.milestone is Milestone.RETURNING:
        found.append(_wait("return_transit", back, _first(moved, Milestone.RETURNED)))
    return tuple(found)


def _services(order: Order, first: Scan) -> tuple[str, ...]:
    """The rules for a parcel that stays in town, or the one for those that do not; none where a city is unknown."""
    if first.city is None or not order.receiver_city:
        return ()
    stays = (order.receiver_province, order.receiver_city) == (first.city.province, first.city.full)
    return ("same_city", "thorough_delay_same_city") if stays else ("inter_city",)


def _shop_waits(parcel: Scripted, moved: Sequence[Scan], duoduo: bool) -> list[Wait]:
    """Clocks that start at the payment or at the upload of the number, when the order becomes known."""
    order = parcel.order
    assert order.paid_at is not None
    assert order.shipped_at is not None
    paid, shipped = order.paid_at, order.shipped_at
    first, signed = (moved[0] if moved else None), _first(moved, Milestone.DELIVERED)
    back = _first(moved, Milestone.RETURNING, Milestone.RETURNED)

    def until(rule: str, start: datetime, end: Scan | None) -> Wait:
        seen = end.visible_at if end else None
        return Wait(rule, start, shipped, end.occurred_at if end else None, seen)

    told = [until("late_shipment", paid, first), until("no_record", shipped, first)]
    if duoduo:
        return [
            *told,
            until("no_pickup", shipped, first),
            Wait("out_of_stock", paid, shipped, shipped, shipped),
        ]
    return [
        *told,
        until("pickup_kpi_24h", paid, first),
        until("out_of_stock", paid, first),
        until("paid_to_signed", paid, signed or back),
    ]


def _pickup_waits(forward: Sequence[Scan], back: Scan | None, duoduo: bool) -> list[Wait]:
    """What has to follow the first scan."""
    first, *later = forward
    onward = [scan for scan in later if duoduo or scan.milestone is not Milestone.PICKED_UP]
    found = [_wait("pickup_no_update", first, onward[0] if onward else back)]
    if duoduo:
        found.append(_wait("first_hub", first, _left_first_hub(forward) or back))
    return found


def _left_first_hub(forward: Sequence[Scan]) -> Scan | None:
    hub = ""
    for scan in forward:
        onward = scan.hub and (scan.motion is Motion.DEPARTED or (hub and scan.hub != hub))
        if onward or scan.milestone.rank >= Milestone.ARRIVED_DEST_CITY.rank:
            return scan
        hub = scan.hub or hub
    return None


def _silences(rule: str, forward: Sequence[Scan], back: Scan | None) -> list[Wait]:
    """Between movements, up to the one that brings the parcel to the door; the last one may never end."""
    door = Milestone.OUT_FOR_DELIVERY.rank
    before = list(takewhile(lambda scan: scan.milestone.rank < door, forward))
    ends: list[Scan | None] = [*before[1:], next(iter(forward[len(before) :]), back)] if before else []
    return [_wait(rule, start, end) for start, end in zip(before, ends, strict=True)]


def _aftermath(parcel: Scripted, known: Sequence[Wait], limit: timedelta | None) -> list[Wait]:
    """From the first stall that was too long until somebody has the parcel."""
    broken = [wait for wait in known if wait.rule == _STALL and limit is not None and wait.breaks(limit)]
    if limit is None or not broken:
        return []
    first = min(broken, key=lambda wait: wait.started_at)
    moved = _moved(parcel.scans)
    end = _first(moved, Milestone.DELIVERED, Milestone.RETURNING, Milestone.RETURNED)
    seen = end.visible_at if end else None
    start = first.started_at + limit
    return [Wait(_AFTERMATH, start, max(start, first.start_known_at), end.occurred_at if end else None, seen)]


def _delivery_waits(forward: Sequence[Scan], back: Scan | None, duoduo: bool) -> list[Wait]:
    """Clocks of the last mile; each restarts when its start happens again."""
    out, failed = Milestone.OUT_FOR_DELIVERY, Milestone.DELIVERY_FAILED
    stored, signed = Milestone.READY_FOR_COLLECTION, Milestone.DELIVERED
    tried = {out, stored, signed} if duoduo else {out, stored, signed, failed}
    found = []
    for n, scan in enumerate(forward):
        after = forward[n + 1 :]
        if scan.milestone is out:
            found.append(_wait("dispatch_sign", scan, _first(after, *tried) or back))
        elif scan.milestone is failed:
            found.append(_wait("failed_no_retry", scan, _first(after, out, stored, signed, failed) or back))
        elif scan.milestone is stored:
            found.append(_wait("locker_overdue", scan, _first(after, stored, signed) or back))
    return found


def troubles(parcel: Scripted) -> tuple[Trouble, ...]:
    """Everything the carrier reports by itself, in order."""
    moved = _moved(parcel.scans)
    over = _first(moved, Milestone.RETURNED)
    found = []
    for scan in parcel.scans:
        rule = next((name for kind, name in _REPORTED.items() if kind in scan.exceptions), "")
        later = [other for other in moved if other.occurred_at > scan.occurred_at]
        if scan.milestone is Milestone.READY_FOR_COLLECTION and _signed_before(moved, scan):
            rule, later = "signed_then_stored", [s for s in later if s.milestone is Milestone.DELIVERED]
        elif rule and rule != "unreachable":
            later = [over] if over else []
        elif scan.milestone is Milestone.RETURNING:
            rule, later = "returned", []
        if rule and not scan.echo:
            until = later[0].occurred_at if later else None
            found.append(Trouble(rule, scan.occurred_at, scan.visible_at, until))
    return tuple(found)


_REPORTED: Final[Mapping[ExceptionKind, str]] = {
    ExceptionKind.LOST: "lost",
    ExceptionKind.DAMAGED: "damaged",
    ExceptionKind.REFUSED: "refused",
    ExceptionKind.CONTACT_FAILURE: "unreachable",
}


def _moved(scans: Sequence[Scan]) -> list[Scan]:
    """The parcel's own movements, each once."""
    return [scan for scan in scans if scan.moves and not scan.echo and not scan.stray]


def _first(scans: Sequence[Scan], *milestones: Milestone) -> Scan | None:
    return next((scan for scan in scans if scan.milestone in milestones), None)


def _signed_before(moved: Sequence[Scan], scan: Scan) -> bool:
    signed = _first(moved, Milestone.DELIVERED)
    return signed is not None and signed.occurred_at < scan.occurred_at


def _wait(rule: str, start: Scan, end: Scan | None) -> Wait:
    if end is None:
        return Wait(rule, start.occurred_at, start.visible_at)
    return Wait(rule, start.occurred_at, start.visible_at, end.occurred_at, end.visible_at)
