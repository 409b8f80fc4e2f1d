"""An account's money: what its answers cost, what was spent, and what is dropped first when it runs short.

The owner sets a limit for a day, for a month, or both (of Shanghai). A question is paid for when it is claimed,
in the transaction that claims it, and the money goes back when nothing came that costs: so whatever happens, no
more is ever spent than the limit. What a question is for decides how far into the limit it may go (`UP_TO`):
freshness stops first, then news people wait for, then deadlines; deadlines whose breach costs money go on to the
very end. What is not asked stays due and proves nothing: it accuses nobody (L1), and is asked when there is money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from carriers.base import Billing, billed_for
from domain.remote import Denied, RemoteError, Throttled, Unanswered, Unavailable
from domain.time import SHANGHAI
from domain.tracking import Answer
from monitor.config.accounts import Budget, ProviderAccount
from monitor.polling.flight import Result
from monitor.store import billing, providers
from monitor.store.claims import ALL, Claim, Scope
from rules.schedule import Reason

__all__ = ["STRETCHED", "STRETCH_FROM", "UP_TO", "Purse", "Till"]

UP_TO: Final[Mapping[Reason, Decimal]] = MappingProxyType(
    {
        Reason.FRESHNESS: Decimal("0.7"),
        Reason.AWAITED: Decimal("0.8"),
        Reason.VERIFY: Decimal("0.9"),
        Reason.MONEY: Decimal(1),
    }
)
"""How much of a limit may be spent before a question of that kind is asked no more."""
STRETCH_FROM: Final = Decimal("0.5")
"""From here on a question for freshness alone waits longer by `STRETCHED`."""
STRETCHED: Final = timedelta(hours=12)
_YUAN: Final = 1_000_000
_WEEK: Final = 7
_NOTHING: Final = max(Reason) + 1


@dataclass(frozen=True, slots=True)
class Purse:
    """What an account has spent, of what it may. In millionths of a yuan; None: no limit."""

    today: int = 0
    month: int = 0
    per_day: int | None = None
    per_month: int | None = None

    @property
    def limited(self) -> bool:
        """The owner set a limit."""
        return self.per_day is not None or self.per_month is not None

    def left(self, share: Decimal = Decimal(1)) -> int | None:
        """What may still be spent within that share of the tighter limit; None: no limit."""
        limits = ((self.per_day, self.today), (self.per_month, self.month))
        return min((int(limit * share) - spent for limit, spent in limits if limit is not None), default=None)

    def least(self, price: int) -> int:
        """What a question has to be for, at least, to be paid for; above every `Reason` when nothing is."""
        if not self.limited or not price:
            return min(Reason)
        return min(
            (reason for reason in Reason if (self.left(UP_TO[reason]) or 0) >= price), default=_NOTHING
        )

    def scope(self, price: int, billed_since: datetime | None = None) -> Scope:
        """Which due questions may be asked now, at that price each."""
        if not self.limited or not price:
            return ALL if billed_since is None else Scope(billed_since=billed_since)
        least = self.least(price)
        if least == _NOTHING:
            return Scope(_NOTHING, paying=0, billed_since=billed_since)
        tight = (self.left(STRETCH_FROM) or 0) <= 0
        paying = (self.left(UP_TO[Reason(least)]) or 0) // price
        return Scope(least, STRETCHED if tight else None, paying, billed_since)

    def exhausted(self, price: int) -> bool:
        """Not even what costs money if it is not known can be paid for."""
        return self.least(price) == _NOTHING

    @property
    def monthly(self) -> bool:
        """It is the month's limit that is the tighter one."""
        day = None if self.per_day is None else self.per_day - self.today
        month = None if self.per_month is None else self.per_month - self.month
        return month is not None and (day is None or month <= day)


@dataclass(frozen=True, slots=True)
class Till:
    """One account's money."""

    account: ProviderAccount

    @property
    def price(self) -> int:
        """Of one answer, or of one number, in millionths of a yuan; nothing where nothing is paid."""
        account = self.account
        if account.price is None or account.provider.billing is Billing.FREE:
            return 0
        return int(account.price * _YUAN)

    def purse(self, conn: Connection, now: datetime) -> Purse:
        """What was spent today and this month."""
        day = today(now)
        budget = self.account.budget or Budget()
        spent = providers.spending(conn, self.account.name, day.replace(day=1), day)
        return Purse(
            spent[day].micros if day in spent else 0,
            sum(each.micros for each in spent.values()),
            _micros(budget.per_day),
            _micros(budget.per_month),
        )

    def projected(self, conn: Connection, now: datetime) -> int:
        """The month's bill if it goes on as in the last seven days: what is spent, and that rate until its end.

        The rate is of whole days; an account younger than a week has fewer of them, one without any today's.
        """
        day = today(now)
        first, last = day.replace(day=1), _last_of(day)
        spent = providers.spending(conn, self.account.name, min(first, day - timedelta(_WEEK)), day)
        month = sum(each.micros for at, each in spent.items() if at >= first)
        mine = spent[day].micros if day in spent else 0
        week = [each.micros for at, each in spent.items() if day - timedelta(_WEEK) <= at < day]
        since = min((at for at in spent if at < day), default=day)
        days = min(_WEEK, (day - since).days)
        rate = sum(week) // days if days else mine
        return month + max(0, rate - mine) + rate * (last - day).days

    def scope(self, conn: Connection, now: datetime) -> Scope:
        """Which due questions may be asked now. In a claim: after `providers.lock`."""
        if not self.price:
            return ALL
        since = self._billed_since(now)
        if self.account.budget is None:
            return ALL if since is None else Scope(billed_since=since)
        return self.purse(conn, now).scope(self.price, since)

    def book(self, conn: Connection, claims: Sequence[Claim], now: datetime) -> None:
        """Pay for these questions, before they are asked."""
        cost = self.price * sum(claim.charged for claim in claims)
        providers.spend(conn, self.account.name, today(now), asked=len(claims), micros=cost)

    def settle(self, conn: Connection, results: Sequence[Result]) -> None:
        """What came of questions that were paid for: the money back where nothing came that costs."""
        if not self.price:
            return
        back: dict[date, int] = {}
        charged: dict[int, datetime] = {}
        for result in results:
            if not result.claim.charged:
                continue
            if self._costs(result):
                charged[result.claim.parcel_id] = result.asked_at
            else:
                day = today(result.claim.claimed_at or result.asked_at)
                back[day] = back.get(day, 0) + self.price
        for day, micros in sorted(back.items()):
            providers.spend(conn, self.account.name, day, asked=0, micros=-micros)
        if self.account.provider.billing in (Billing.NUMBER, Billing.REGISTRATION):
            billing.note(conn, self.account.name, charged)

    def unbook(self, conn: Connection, claims: Sequence[Claim]) -> None:
        """These questions, booked when they were claimed, were not asked after all."""
        for day in sorted({today(claim.claimed_at) for claim in claims if claim.claimed_at is not None}):
            mine = [each for each in claims if each.claimed_at is not None and today(each.claimed_at) == day]
            cost = self.price * sum(claim.charged for claim in mine)
            providers.spend(conn, self.account.name, day, asked=-len(mine), micros=-cost)

    def again(self, conn: Connection, refused: Sequence[Result], now: datetime) -> list[Claim]:
        """Those of these questions that there is money for to ask them once more: settled, and booked anew."""
        purse, able, dear = self.purse(conn, now), list[Result](), 0
        for result in refused:
            if self.price and result.claim.charged and self._costs(result):
                left = purse.left(UP_TO[Reason(result.claim.reason)])
                if left is not None and left < self.price * (dear + 1):
                    continue
                dear += 1
            able.append(result)
        self.settle(conn, able)
        claims = [replace(result.claim, claimed_at=now) for result in able]
        self.book(conn, claims, now)
        return claims

    def register(self, conn: Connection, parcel_ids: Sequence[int], now: datetime) -> int:
        """Pay for numbers put on the provider's list, each once within its period; what that cost."""
        if not self._listed:
            return 0
        known = billing.known(conn, self.account.name, parcel_ids, self._billed_since(now) or now)
        fresh = [each for each in parcel_ids if each not in known]
        cost = self.price * len(fresh)
        providers.spend(conn, self.account.name, today(now), asked=0, micros=cost)
        billing.note(conn, self.account.name, dict.fromkeys(fresh, now))
        return cost

    def registrable(self, conn: Connection, now: datetime) -> int | None:
        """How many numbers may be put on the provider's list now; None: as many as wanted. After `providers.lock`.

        A push is news people wait for: what is kept for deadlines is not spent on it.
        """
        if not self._listed or self.account.budget is None:
            return None
        left = self.purse(conn, now).left(UP_TO[Reason.AWAITED])
        return None if left is None else max(0, left) // self.price

    def unregister(self, conn: Connection, parcel_ids: Sequence[int], at: datetime) -> None:
        """The money back for numbers registered (`register`) at that moment that the provider did not take."""
        if not self._listed:
            return
        refunded = billing.forget(conn, self.account.name, parcel_ids, at)
        providers.spend(conn, self.account.name, today(at), asked=0, micros=-self.price * refunded)

    @property
    def _listed(self) -> bool:
        """The price is of a number. Where it is of an answer (快递100), what a subscription costs is in another
        contract that nobody told us of: `facts/carriers.md` knows only that it is paid per parcel."""
        return bool(self.price) and self.account.provider.billing is not Billing.QUERY

    def _billed_since(self, now: datetime) -> datetime | None:
        """A number charged for since then is free; None where every answer costs."""
        if self.account.provider.billing is Billing.QUERY:
            return None
        return now - billed_for(self.account.provider)

    def _costs(self, result: Result) -> bool:
        """What the provider charges for (`Billing`); where the facts are silent, that it does."""
        answer = result.answer
        if isinstance(answer, Unanswered) or (isinstance(answer, Unavailable) and answer.lost):
            return True
        if isinstance(answer, (Unavailable, Denied, Throttled)):
            return False
        if self.account.provider.billing is not Billing.NUMBER:
            return self.account.provider.billing is Billing.QUERY or not isinstance(answer, RemoteError)
        if isinstance(answer, RemoteError):
            return False
        return bool(answer.events) if isinstance(answer, Answer) else result.claim.known


def today(now: datetime) -> date:
    """The day on which something is paid: of Shanghai, as providers and owners reckon."""
    return now.astimezone(SHANGHAI).date()


def _last_of(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _micros(yuan: Decimal | None) -> int | None:
    return None if yuan is None else int(yuan * _YUAN)
