"""Claiming what may be asked of one account now: inside its ceilings, its money, and what a carrier will answer.

A claim, its place in the account's queue and what it costs are one transaction: whoever dies after it has asked
nothing twice and spent nothing unseen. What was claimed and not asked after all is given back in one, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection, Table

from carriers.base import serves
from carriers.names import display
from domain.time import SHANGHAI, UTC
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount
from monitor.polling import money_wording
from monitor.polling.budget import Purse, Till, today
from monitor.polling.flight import Result
from monitor.store import outbox, polls, providers, schema
from monitor.store.claimed import give_back, once_more
from monitor.store.claims import Claim, take
from monitor.store.database import Database
from monitor.telling.routing import Route, everybody
from monitor.vitals import Vitals

__all__ = ["LEASE", "Claimer"]

log = structlog.get_logger()
LEASE: Final = timedelta(seconds=45)
"""So long a claimed waybill is nobody else's."""
_QUEUE: Final = LEASE / 3
"""Nothing is claimed while the account's queue is longer: what is claimed leaves well within its lease."""


@dataclass(slots=True)
class Claimer:
    """Claims for one account."""

    account: ProviderAccount
    db: Database
    clock: Clock
    routes: Sequence[Route]
    till: Till
    vitals: Vitals
    questions: Table = schema.due
    """Where it says what is to be asked."""
    _told: set[str] = field(default_factory=set)

    async def claim(self, limit: int) -> tuple[list[Claim], timedelta]:
        """Take what is due and may be asked, and how long it waits for its turn. With `limit` 0 it is only wanted."""
        now = self.clock.now()
        wanted, broke = await self.db.read(partial(self._wanted, now=now))
        if broke:
            await self._tell_broke(now)
        if not wanted:
            return [], timedelta(0)
        self.vitals.wants(self.account.name, now)
        if not limit:
            return [], timedelta(0)
        return await self.db.write(partial(self._in_turn, limit=limit, now=now))

    async def give_back(self, claims: Sequence[Claim]) -> None:
        """These were not asked: they are due as before, their places in the ceilings free, the money is back."""
        if claims:
            await self.db.write(partial(self._give_back, claims))

    def _give_back(self, claims: Sequence[Claim], conn: Connection) -> None:
        give_back(conn, self.account.name, claims, self.questions)
        self.till.unbook(conn, claims)

    def once_more(self, conn: Connection, refused: Sequence[Result], now: datetime) -> list[Claim]:
        """Those of a refused call's numbers that may be asked about once more now: counted, and paid for again."""
        ceilings = self.account.ceilings
        if self.account.budget is not None:
            providers.lock(conn, self.account.name)
        able = once_more(
            conn,
            self.account.name,
            [result.claim for result in refused],
            now,
            interval=ceilings.per_waybill_interval,
            daily=ceilings.per_waybill_daily,
            table=self.questions,
        )
        ids = {claim.parcel_id for claim in able}
        return self.till.again(conn, [result for result in refused if result.claim.parcel_id in ids], now)

    def _wanted(self, conn: Connection, now: datetime) -> tuple[bool, bool]:
        """Whether something may be asked, and whether only money is lacking. An empty tick costs one indexed read."""
        name, scope = self.account.name, self.till.scope(conn, now)
        if polls.waiting(conn, name, now, scope):
            return True, False
        return False, scope.paying == 0 and polls.waiting(conn, name, now)

    def _in_turn(self, conn: Connection, limit: int, now: datetime) -> tuple[list[Claim], timedelta]:
        """Claims, and how long until the first may leave; none while the queue is long."""
        if providers.queued(conn, self.account.name, self.account.ceilings.per_second, now) > _QUEUE:
            return [], timedelta(0)
        return self._take(conn, limit, now)

    def _take(self, conn: Connection, limit: int, now: datetime) -> tuple[list[Claim], timedelta]:
        name, ceilings = self.account.name, self.account.ceilings
        if self.account.budget is not None:
            providers.lock(conn, name)
        taken = take(
            conn,
            name,
            now,
            limit,
            interval=ceilings.per_waybill_interval,
            daily=ceilings.per_waybill_daily,
            lease=LEASE,
            scope=self.till.scope(conn, now),
            refused=self._refused,
            waits=self._turn(conn, limit, now),
        )
        for claim, why in taken.refused:
            polls.remark(conn, claim.parcel_id, why, now)
        if not taken.claims:
            return [], timedelta(0)
        self.till.book(conn, taken.claims, now)
        calls = -(-len(taken.claims) // self.account.provider.batch)
        return taken.claims, providers.reserve(conn, name, calls, ceilings.per_second, now)

    def _turn(self, conn: Connection, limit: int, now: datetime) -> timedelta:
        """How long the last of so many claims waits for its turn in the account's queue."""
        per_second = self.account.ceilings.per_second
        calls = -(-limit // self.account.provider.batch)
        return providers.queued(conn, self.account.name, per_second, now) + timedelta(
            seconds=(calls - 1) / per_second
        )

    def _refused(self, claim: Claim) -> str:
        """Why it is no use to ask, and what to do; nothing where it is."""
        provider, carrier = self.account.provider, display(claim.carrier)
        if not serves(provider, claim.carrier):
            return f"{self.account.name} 查不了{carrier}：请把它从这个账号的 carriers 里去掉，另配一个查得了的账号"
        if provider.needs_phone(claim.carrier) and not claim.phone_tail:
            return f"{carrier}要收/寄件人手机号后四位才给查：请在订单里补上 phone_tail 后重新导入（没有去问，不花钱）"
        return ""

    # ── no money left ────────────────────────────────────────────────────────────────────────────

    async def _tell_broke(self, now: datetime) -> None:
        purse = await self.db.read(partial(self.till.purse, now=now))
        key = _period(self.account.name, purse, now)
        if key not in self._told:
            self._told = {key}
            await self.db.write(partial(self._announce, key=key, purse=purse, now=now))

    def _announce(self, conn: Connection, key: str, purse: Purse, now: datetime) -> None:
        """Once for a period and its limit, whichever process is first: the outbox knows the key."""
        monthly = purse.monthly
        message = money_wording.exhausted(
            self.account.name,
            now,
            monthly=monthly,
            spent=purse.month if monthly else purse.today,
            limit=(purse.per_month if monthly else purse.per_day) or 0,
            resumes_at=_resumes(now, monthly=monthly),
            waiting=polls.overdue(conn, self.account.name, now),
        )
        told = everybody(self.routes, message.kind)
        rows = [
            outbox.NewMessage(f"{key}:{channel}", channel, replace(message, mentions=mentions), now)
            for channel, mentions in told.items()
        ]
        if outbox.put(conn, rows):
            log.warning("the budget is used up", provider=self.account.name, monthly=monthly)


def _period(account: str, purse: Purse, now: datetime) -> str:
    """What a message is told once for; a raised limit that is used up as well is told again."""
    day = today(now)
    if purse.monthly:
        return f"budget:{account}:{day:%Y-%m}:{purse.per_month}"
    return f"budget:{account}:{day.isoformat()}:{purse.per_day}"


def _resumes(now: datetime, *, monthly: bool) -> datetime:
    """The next midnight in Shanghai, or that of the first of the next month."""
    day = today(now)
    after = (day.replace(day=28) + timedelta(days=4)).replace(day=1) if monthly else day + timedelta(days=1)
    return datetime.combine(after, time(), SHANGHAI).astimezone(UTC)
