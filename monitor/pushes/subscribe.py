"""Asking to be pushed: subscriptions opened, counted against the ceiling, renewed, closed.

Every watched parcel of an account with `push` is to be subscribed. A place under the number's monthly ceiling is taken
before the request leaves (`store/subscriptions.py`), so neither a crash nor a lost answer ever subscribes a number more
often than the service allows. Given up by the pusher as unknown it is asked for again once a question has shown a scan;
given up after sixty days it is not. While a parcel is pushed, questions about it only verify its deadlines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from carriers.base import Question
from carriers.push import Subscribed, Subscriber
from domain.orders import Waybill
from domain.remote import Denied, Rejected, RemoteError, Throttled, Unavailable
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount
from monitor.net import Net
from monitor.polling.asking import Asker
from monitor.polling.budget import Till
from monitor.polling.slots import Slots
from monitor.store import providers, subscriptions
from monitor.store.database import Database
from monitor.store.subscriptions import Claim, Outcome, State

__all__ = ["Subscribing"]

log = structlog.get_logger()
_NOTED: Final = 2000
"""Parcels looked at in one tick for some that are not subscribed yet."""
_CLAIMED: Final = 200
_ALL_AGAIN: Final = timedelta(hours=1)
"""So often all parcels are looked at, not only new ones: some are watched again, some are done."""
_LATER: Final = timedelta(minutes=5)
_UNREAD: Final = timedelta(hours=1)
_PAUSES: Final = (timedelta(minutes=10), timedelta(hours=6))
"""Of an account that is refused, the first and the longest."""


class Subscribing:
    """The subscriptions of one account."""

    def __init__(
        self,
        account: ProviderAccount,
        db: Database,
        net: Net,
        clock: Clock,
        public_url: str,
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        """`public_url` is where we are reached from outside, if anywhere."""
        assert isinstance(account.provider, Subscriber)
        self.name = account.name
        self._account = account
        self._provider = account.provider
        self._db = db
        self._net = net
        self._clock = clock
        self._callback = account.callback(public_url)
        self._ending = ending
        self._till = Till(account)
        slots = Slots(account.name, account.ceilings.concurrency, db, clock)
        self._asker = Asker(account, db, net, clock, slots)
        self._seen = 0
        """The newest parcel looked at."""
        self._whole_at: datetime | None = None
        self._resume_at: datetime | None = None
        self._refusals = 0

    async def tick(self) -> int:
        """Subscribe what is due and may be; how many were asked for."""
        now = self._clock.now()
        if not self._callback or (self._resume_at is not None and now < self._resume_at):
            return 0
        await self._note(now)
        if self._ending() or not await self._db.read(lambda conn: subscriptions.due(conn, self.name, now)):
            return 0
        claims = await self._db.write(partial(self._claim, now))
        if not claims:
            return 0
        try:
            outcomes = await self._ask(claims)
        finally:
            await self._asker.slots.release()
        await self._db.write(partial(self._settle, outcomes, self._clock.now()))
        opened = sum(each.state is State.OPEN for each in outcomes)
        if opened:  # what came of the others, and why, is in the store and on the page
            log.info("subscribed", account=self.name, opened=opened, asked=len(claims))
        return len(claims)

    async def _note(self, now: datetime) -> None:
        """Find parcels that want a subscription, the newest at once, all of them every hour."""
        if self._whole_at is None or now - self._whole_at >= _ALL_AGAIN:
            self._seen, self._whole_at = 0, now
            await self._db.write(lambda conn: subscriptions.close_done(conn, self.name, _NOTED))
        found = await self._db.read(lambda conn: subscriptions.any_after(conn, self._seen))
        if found:
            self._seen = await self._db.write(
                lambda conn: subscriptions.want(
                    conn,
                    self.name,
                    self._seen,
                    now,
                    carriers=sorted(self._account.carriers),
                    asked=self._account.provider.asks,
                    limit=_NOTED,
                )
            )

    def _claim(self, now: datetime, conn: Connection) -> list[Claim]:
        """Places under the numbers' ceilings, paid for: who dies now has spent nothing unseen."""
        if self._account.budget is not None:
            providers.lock(conn, self.name)
        paid = self._till.registrable(conn, now)
        most = _CLAIMED if paid is None else min(_CLAIMED, paid)
        if not most:
            return []
        terms, asked = self._provider.terms, self._account.provider.asks
        claims = subscriptions.claim(conn, self.name, terms, most, now, asked=asked)
        self._till.register(conn, [each.parcel_id for each in claims], now)
        return claims

    def _settle(self, outcomes: Sequence[Outcome], done: datetime, conn: Connection) -> None:
        """What came of claims; what was not taken is not paid for."""
        subscriptions.settle(conn, self.name, outcomes, done)
        back: dict[datetime, list[int]] = {}
        for each in outcomes:
            if not each.taken:
                back.setdefault(each.claim.at, []).append(each.claim.parcel_id)
        for at, parcels in back.items():
            self._till.unregister(conn, parcels, at)

    async def _ask(self, claims: Sequence[Claim]) -> list[Outcome]:
        """Batch after batch, each request in its turn; what is left when the account refuses is given back."""
        size = self._provider.terms.batch
        outcomes: list[Outcome] = []
        for start in range(0, len(claims), size):
            batch = claims[start : start + size]
            if self._stopped():
                outcomes += self._given_back(claims[start:], self._resume_at or self._clock.now())
                break
            await self._asker.place()
            async with self._asker.slots:
                outcomes += await self._converse(batch)
        return outcomes

    def _stopped(self) -> bool:
        paused = self._resume_at is not None and self._clock.now() < self._resume_at
        return paused or self._ending()

    async def _converse(self, batch: Sequence[Claim]) -> list[Outcome]:
        now = self._clock.now()
        asked = [
            Question(Waybill(each.carrier, each.waybill_no), each.phone_tail, destination=each.destination)
            for each in batch
        ]
        try:
            told = await self._net.converse(
                self._provider.subscribe(asked, self._callback, now),
                account=self.name,
                lanes=self._account.ceilings.concurrency,
                tries=1,
                pace=self._asker.place,
            )
        except RemoteError as error:
            return self._failed(batch, error)
        self._refusals = 0
        if len(told) != len(batch):
            return [
                _unread(each, f"订阅 {len(batch)} 个单号，得到 {len(told)} 个答复", now) for each in batch
            ]
        return [_outcome(claim, said) for claim, said in zip(batch, told, strict=True)]

    def _failed(self, batch: Sequence[Claim], error: RemoteError) -> list[Outcome]:
        """No answer to any of them; the account rests where it has to."""
        now, why = self._clock.now(), str(error)
        if isinstance(error, Rejected):
            return [Outcome(each, State.REFUSED, why, taken=False) for each in batch]
        if isinstance(error, Denied | Throttled):
            first, longest = _PAUSES
            rest = min(first * (1 << min(self._refusals, 8)), longest)
            self._refusals += 1
            self._resume_at = now + (max(rest, error.wait) if isinstance(error, Throttled) else rest)
            log.warning("subscribing rests", account=self.name, why=why, until=self._resume_at.isoformat())
            return self._given_back(batch, self._resume_at, why)
        if isinstance(error, Unavailable) and not error.lost:
            return self._given_back(batch, now + _LATER, why)
        return [_unread(each, why, now) for each in batch]

    @staticmethod
    def _given_back(batch: Sequence[Claim], again_at: datetime, why: str = "") -> list[Outcome]:
        """Nothing of it reached the service, or it said that it took nothing: no place is used up."""
        return [Outcome(each, State.WANTED, why, again_at, taken=False) for each in batch]


def _outcome(claim: Claim, said: Subscribed | Rejected) -> Outcome:
    if isinstance(said, Subscribed):
        return Outcome(claim, State.OPEN)
    return Outcome(claim, State.REFUSED, str(said), taken=False)


def _unread(claim: Claim, why: str, now: datetime) -> Outcome:
    """It may have been taken: its place stays used up, and it is asked again when the service allows."""
    return Outcome(claim, State.WANTED, why, now + _UNREAD)
