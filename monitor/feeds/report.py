"""How every account and every carrier behind it does: what the page, the command and the API all show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection

from carriers.base import Billing
from carriers.push import Subscriber
from domain.masking import safe_text
from domain.time import SHANGHAI
from monitor.config.accounts import Budget, ProviderAccount
from monitor.feeds.line import Line, account_shown
from monitor.polling.budget import Till
from monitor.store import feeds, opinions, polls, providers, push_counts
from monitor.store.feeds import Counts, Lag
from monitor.store.providers import ProviderState
from monitor.store.push_counts import STANDINGS, Tally

__all__ = ["AccountReport", "CarrierReport", "Money", "plain", "read"]

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_YUAN: Final = 1_000_000
_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class CarrierReport:
    """One carrier behind an account."""

    carrier: str
    line: Line
    day: Counts
    """The last 24 hours."""
    week: Counts
    """Seven days: scans are few by the hour."""
    unheard: int
    """Parcels that were asked about and never answered for."""

    @property
    def median(self) -> Lag | None:
        """How long after a scan we learn of it."""
        return self.week.lag(0.5)

    @property
    def p95(self) -> Lag | None:
        """The same for the slowest twentieth."""
        return self.week.lag(0.95)

    @property
    def unknown_share(self) -> float | None:
        """Of a week's new scans, those nobody knows the meaning of."""
        return self.week.unknown / self.week.scans if self.week.scans else None


@dataclass(frozen=True, slots=True)
class Money:
    """An account's bill, in yuan (of Shanghai's days)."""

    today: Decimal
    month: Decimal
    projected: Decimal
    """The month's, if it goes on as in the last seven days."""
    per_day: Decimal | None
    per_month: Decimal | None


@dataclass(frozen=True, slots=True)
class AccountReport:
    """One account of the configuration."""

    account: ProviderAccount
    health: ProviderState
    poor_since: datetime | None
    asked_today: int
    waiting: int
    """Parcels that are due for a look."""
    money: Money | None
    """None where no price is known."""
    carriers: tuple[CarrierReport, ...]
    disagreements: int = 0
    """Watched parcels of which it, asked for a second opinion, says otherwise than the first account."""
    state: str = "up"
    """`up`, `degraded` or `down`, as people see it; `unknown` while nothing good was ever heard of it."""
    subscriptions: Tally | None = None
    """None where nobody takes its pushes."""
    spent_today: Decimal = Decimal(0)
    """Yuan; also where its price was said by nobody any more."""

    @property
    def per_number_monthly(self) -> int | None:
        """How often a number may be subscribed in a month; None where nothing has to be subscribed."""
        provider = self.account.provider
        return provider.terms.per_number_monthly if isinstance(provider, Subscriber) else None

    @property
    def queries_per_day(self) -> int | None:
        """How many questions the owner's limit for a day pays for; None where a question costs nothing, or no limit is."""
        money, price = self.money, self.account.price
        if money is None or money.per_day is None or not price:
            return None
        return int(money.per_day / price) if self.account.provider.billing is Billing.QUERY else None

    def shown(self, carrier: CarrierReport) -> str:
        """How one of its carriers does, as people see it: `held` where nothing is wrong but that the account is down."""
        return "held" if self.state == "down" and carrier.line.state.value == "up" else carrier.line.shown

    def pushed(self, carrier: CarrierReport) -> bool:
        """The last that was heard of the carrier is later than the account's last answer: it was a push."""
        heard, answered = carrier.line.feed.last_good_at, self.health.last_good_at
        return self.account.push and heard is not None and (answered is None or heard > answered)

    @property
    def success(self) -> float | None:
        """Of the last 24 hours' questions."""
        asked = sum(each.day.asked for each in self.carriers)
        return 1 - sum(each.day.bad for each in self.carriers) / asked if asked else None

    @property
    def unheard(self) -> int:
        """Parcels that were asked about and never answered for."""
        return sum(each.unheard for each in self.carriers)


def read(conn: Connection, accounts: Iterable[ProviderAccount], now: datetime) -> tuple[AccountReport, ...]:
    """In the order of the configuration."""
    lines, unheard = feeds.standing(conn), feeds.unheard(conn)
    day, week = feeds.totals(conn, now - _DAY), feeds.totals(conn, now - _WEEK)
    known, differing = {*lines, *unheard, *week}, opinions.differing(conn)
    tallies = push_counts.tallies(conn)
    found = []
    for account in accounts:
        name, health = account.name, providers.load(conn, account.name)
        today = providers.spent(conn, name, now.astimezone(SHANGHAI).date())
        mine = {carrier: line for (owner, carrier), line in lines.items() if owner == name}
        found.append(
            AccountReport(
                account,
                health,
                mine.get("", Line()).poor_since,
                today.asked,
                polls.overdue(conn, name, now),
                _money(conn, account, now),
                tuple(
                    CarrierReport(
                        key[1],
                        lines.get(key, Line()),
                        day.get(key, Counts()),
                        week.get(key, Counts()),
                        unheard.get(key, 0),
                    )
                    for key in sorted(known)
                    if key[0] == name and key[1]
                ),
                differing.get(name, 0),
                account_shown(health.state, mine, good=health.last_good_at is not None),
                tallies.get(name, Tally()) if account.push else None,
                _yuan(today.micros),
            )
        )
    return tuple(found)


def _money(conn: Connection, account: ProviderAccount, now: datetime) -> Money | None:
    if account.price is None:
        return None
    till, budget = Till(account), account.budget or Budget()
    purse = till.purse(conn, now)
    today, month = _yuan(purse.today), _yuan(purse.month)
    return Money(today, month, _yuan(till.projected(conn, now)), budget.per_day, budget.per_month)


def _yuan(micros: int) -> Decimal:
    return Decimal(micros) / _YUAN


def plain(report: AccountReport, zone: tzinfo) -> dict[str, Any]:
    """The columns that `providers --json` and the API have beside those of old. Times in `zone`, lengths in seconds."""
    money = report.money
    return {
        "success_24h": _share(report.success),
        "unheard": report.unheard,
        "disagreements": report.disagreements,
        "spent_month": None if money is None else float(money.month),
        "projected_month": None if money is None else float(money.projected),
        "limit_day": None if money is None or money.per_day is None else float(money.per_day),
        "limit_month": None if money is None or money.per_month is None else float(money.per_month),
        "queries_limit_day": report.queries_per_day,
        "per_waybill_daily": report.account.ceilings.per_waybill_daily,
        "per_waybill_interval_s": int(report.account.ceilings.per_waybill_interval.total_seconds()),
        "pushes": report.account.push,
        "subscriptions": _subscriptions(report),
        "by_carrier": [_carrier(each, zone) for each in report.carriers],
        "uncertain": list(report.account.provider.uncertain),
    }


def _subscriptions(report: AccountReport) -> dict[str, int | None] | None:
    tally = report.subscriptions
    if tally is None:
        return None
    counts = {name: getattr(tally, name) for name in STANDINGS}
    return {**counts, "per_number_monthly": report.per_number_monthly}


def _carrier(report: CarrierReport, zone: tzinfo) -> dict[str, Any]:
    line = report.line
    return {
        "carrier": report.carrier,
        "state": line.shown,
        "since": _at(line.feed.since if line.down else line.poor_since, zone),
        "why": safe_text(line.feed.last_error, _REASON) if line.state.value != "up" else "",
        "last_good_at": _at(line.feed.last_good_at, zone),
        "asked_24h": report.day.asked,
        "pushed_24h": report.day.pushed,
        "success_24h": _share(report.day.success),
        "lag_median_s": _lag(report.median),
        "lag_p95_s": _lag(report.p95),
        "unknown_share_7d": _share(report.unknown_share),
        "unheard": report.unheard,
    }


def _at(moment: datetime | None, zone: tzinfo) -> str | None:
    return None if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _lag(lag: Lag | None) -> list[int | None] | None:
    """Between these two; the second is null for more than sixteen hours."""
    if lag is None:
        return None
    return [int(lag.least.total_seconds()), None if lag.most is None else int(lag.most.total_seconds())]
