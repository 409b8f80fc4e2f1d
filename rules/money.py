"""What a finding may cost: its rule's penalty (`rules.tariff`) on the orders inside, as a range in fen.

Every estimate is a default from secondary sources, never a bill. Per order; several sources that disagree make a
range; an order that was refunded or closed owes nothing. Where the amount is missing, what is fixed still counts and
a percentage counts from its floor to its cap. Points and other currencies are told in words and not added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from domain.findings import Finding, Risk
from domain.orders import Case, Order, OrderStatus
from domain.time import SHANGHAI
from rules.clock import Common, chosen, common, concerned
from rules.declare import Rule
from rules.policy import Policy
from rules.regions import Tier
from rules.stacking import Together
from rules.tariff import CNY, Tariff, When

__all__ = ["Exposure", "assess", "exposure", "together"]

NO_AMOUNT: Final = "缺少订单金额"
_OWES_NOTHING: Final = frozenset({OrderStatus.REFUNDED, OrderStatus.CLOSED})
_HOUR: Final = timedelta(hours=1)
_FEN: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class Exposure:
    """A breach's cost, and where it comes from."""

    risk: Risk | None = None
    because: tuple[str, ...] = ()
    """The entries that count, in words: points, other currencies and a missing amount as well."""


UNPRICED: Final = Exposure()


def exposure(rule: Rule, case: Case, at: datetime) -> Risk | None:
    """What the breach of `rule` at that moment may cost for the orders inside; None where nothing is known."""
    return assess(rule, common(case), at).risk


def assess(rule: Rule, all_of: Common, at: datetime) -> Exposure:
    """`exposure`, with the entries it comes from."""
    if not rule.penalty:
        return UNPRICED
    charged = [each for _, each in _charges(rule, all_of, at)]
    said = dict.fromkeys(entry for each in charged for entry in each.because)
    return Exposure(_sum(each.risk for each in charged), tuple(said))


def together(findings: Sequence[Finding], case: Case, policy: Policy) -> Risk | None:
    """What all findings of a parcel may cost together, order by order, after non-stacking and caps.

    They carry their own risks, as `judge` leaves them; what is only on trial (`shadow`) costs nothing here. None
    where no penalty is known. Never more than the sum of the findings' own risks.
    """
    priced = [each for each in findings if each.risk is not None and not each.shadow]
    if len(priced) < 2:
        return priced[0].risk if priced else None
    all_of = common(case)
    by_order: dict[Order, dict[str, Risk]] = {}
    for finding in priced:
        line = policy.line(finding.rule)
        if line is None:
            continue
        line, mine = chosen(all_of, line)
        for order, each in _charges(line.rule, mine, finding.deadline or finding.crossed_at):
            if each.risk is not None:
                by_order.setdefault(order, {})[finding.rule] = each.risk
    return _sum(_stacked(parts, policy.together, order) for order, parts in by_order.items())


# ── one rule, one order ──────────────────────────────────────────────────────────────────────────


def _charges(rule: Rule, all_of: Common, at: datetime) -> list[tuple[Order, Exposure]]:
    """Each order that would pay, with what it pays."""
    day = at.astimezone(SHANGHAI).date()
    orders = [
        order
        for order in concerned(all_of, rule).case.orders
        if order.status not in _OWES_NOTHING and not rule.exempt & (order.tags | {order.goods_type})
    ]
    return [(order, _charged(rule, order, orders if n == 0 else None, day)) for n, order in enumerate(orders)]


def _charged(rule: Rule, order: Order, parcel: Sequence[Order] | None, day: date) -> Exposure:
    """What one order pays. `parcel` is all of them, for the one order that also pays once for the parcel."""
    told: list[Risk] = []
    said: list[str] = []
    settled = False
    for tariff in rule.penalty:
        if not tariff.in_force(day) or (tariff.per_parcel and parcel is None):
            continue
        amount = _total(parcel) if tariff.per_parcel and parcel is not None else order.amount
        if tariff.when is not None:
            holds = None if settled else _holds(tariff.when, rule, order, amount)
            if settled or holds is False:
                continue
            settled = holds is True
        risk = _price(tariff, amount)
        said.append(tariff.zh)
        if amount is None and _asks(tariff):
            said.append(NO_AMOUNT)
        if risk is not None:
            told.append(risk)
    widest = Risk(min(each.low for each in told), max(each.high for each in told)) if told else None
    return Exposure(widest, tuple(said))


def _total(orders: Sequence[Order]) -> Decimal | None:
    """Yuan paid for all orders; None where one of them does not say."""
    amounts = [order.amount for order in orders if order.amount is not None]
    return sum(amounts, Decimal(0)) if len(amounts) == len(orders) else None


def _holds(when: When, rule: Rule, order: Order, amount: Decimal | None) -> bool | None:
    """Whether an entry is about this order; None where the amount is missing."""
    if when.subject == "paid":
        return None if amount is None else when.holds(amount)
    if when.subject == "promise":
        return when.holds(_promised_hours(rule, order))
    return when.subject in order.tags or when.subject == order.goods_type


def _promised_hours(rule: Rule, order: Order) -> Decimal:
    """From the payment to the promised time; without a promise the platform's own limit."""
    started, promised = order.paid_at or order.confirmed_at, order.promised_ship_at
    if started is not None and promised is not None and promised > started:
        length = promised - started
    else:
        length = rule.limit[Tier.NORMAL] - rule.promise_plus if rule.limit else timedelta(0)
    return Decimal(length // timedelta(microseconds=1)) / Decimal(_HOUR // timedelta(microseconds=1))


def _price(tariff: Tariff, amount: Decimal | None) -> Risk | None:
    """An entry on an amount; on a missing one as far as its ends and its own condition tell."""
    if tariff.currency != CNY:
        return None
    if tariff.flat is not None:
        return Risk(tariff.flat, tariff.flat if tariff.cap is None else tariff.cap)
    if tariff.share is None:
        return None
    if amount is not None:
        owed = _part(tariff, amount)
        return Risk(owed, owed)
    least, most = _ends(tariff.when)
    low = _part(tariff, least)
    high = _part(tariff, most) if most is not None else tariff.cap
    if high is None:
        return Risk(low, low) if low else None
    return Risk(low, high)


def _ends(when: When | None) -> tuple[Decimal, Decimal | None]:
    """Between which amounts an entry is about; None where nothing bounds them above."""
    if when is None or when.subject != "paid":
        return Decimal(0), None
    return (when.bound, None) if when.sign.startswith(">") else (Decimal(0), when.bound)


def _part(tariff: Tariff, amount: Decimal) -> int:
    """The percentage of an amount in fen, half a fen up, then its floor and cap."""
    assert tariff.share is not None
    owed = int((amount * tariff.share * _FEN).quantize(Decimal(1), ROUND_HALF_UP))
    if tariff.floor is not None:
        owed = max(owed, tariff.floor)
    return owed if tariff.cap is None else min(owed, tariff.cap)


def _asks(tariff: Tariff) -> bool:
    """Whether an entry cannot be told without the amount."""
    return tariff.share is not None or (tariff.when is not None and tariff.when.subject == "paid")


# ── several rules, one order ─────────────────────────────────────────────────────────────────────


class _Fine(NamedTuple):
    """What is owed once for these rules."""

    rules: frozenset[str]
    risk: Risk


def _stacked(parts: Mapping[str, Risk], how: Together, order: Order) -> Risk | None:
    """One order's fines under its platform's stacking."""
    left = dict(parts)
    fines: list[_Fine] = []
    for group in how.one_of:
        present = group & left.keys()
        if present:
            fines.append(_Fine(frozenset(present), _dearest([left.pop(rule) for rule in present])))
    fines += [_Fine(frozenset({rule}), risk) for rule, risk in left.items()]
    for cap in how.caps:
        under = [fine for fine in fines if not cap.rules or fine.rules <= cap.rules]
        most = _cap_of(cap.share, order)
        if len(under) > 1 and most is not None:
            rest = [fine for fine in fines if fine not in under]
            fines = [
                *rest,
                _Fine(frozenset().union(*(fine.rules for fine in under)), _capped(under, how, most)),
            ]
    return _added(fines, how) if fines else None


def _cap_of(share: Tariff, order: Order) -> int | None:
    """A cap in fen; None where it is a part of an amount nobody knows."""
    if share.share is None or order.amount is None:
        return share.cap
    return _part(share, order.amount)


def _capped(fines: Sequence[_Fine], how: Together, most: int) -> Risk:
    """Their sum, at most that; but never less than the dearest of them alone, whose floor no cap lowers."""
    whole, dearest = _added(fines, how), _dearest([fine.risk for fine in fines])
    return Risk(min(whole.low, max(most, dearest.low)), min(whole.high, max(most, dearest.high)))


def _added(fines: Sequence[_Fine], how: Together) -> Risk:
    """The sum; in its lower end only what is known to add up, or the dearest alone where that is more."""
    known = sum(fine.risk.low for fine in fines if fine.rules & how.adds)
    return Risk(max(known, *(fine.risk.low for fine in fines)), sum(fine.risk.high for fine in fines))


def _dearest(risks: Sequence[Risk]) -> Risk:
    return Risk(max(risk.low for risk in risks), max(risk.high for risk in risks))


def _sum(risks: Iterable[Risk | None]) -> Risk | None:
    """Of several orders; None when nothing is known of any."""
    known = [risk for risk in risks if risk is not None]
    return Risk(sum(risk.low for risk in known), sum(risk.high for risk in known)) if known else None
