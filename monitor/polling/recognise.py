"""Whose number is this? Asked for parcels whose shop named no carrier: the shape first, then an account that knows.

A guess is taken where the shape alone is sure, or where a provider names a carrier whose numbers can look like this.
Nothing is taken that cannot be right; what nobody can say stays on the coverage list with what it may be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from carriers.base import Guess, Recogniser
from carriers.recognise import guesses, likeliest
from domain.numbers import shape_hint
from domain.orders import UNNAMED
from domain.remote import Denied, Rejected, RemoteError, Throttled
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount
from monitor.net import Net
from monitor.polling.asking import Asker
from monitor.polling.slots import Slots
from monitor.store import providers, recognitions
from monitor.store.database import Database
from monitor.store.recognitions import Unnamed

__all__ = ["EVERY", "Recognition", "choose"]

log = structlog.get_logger()
EVERY: Final = 30.0
"""Seconds between two looks for numbers without a carrier."""
_SOME: Final = 50
_PATIENCE: Final = timedelta(seconds=2)
"""Its turn is in the queue of the account's queries, which keep people waiting; it does not."""
_REST: Final = timedelta(minutes=10)


def choose(waybill_no: str, found: Sequence[Guess]) -> Guess | None:
    """The first carrier whose numbers can look like this one; None where none can."""
    return next(
        (
            each
            for each in found
            if each.carrier != UNNAMED and shape_hint(each.carrier, waybill_no) is not False
        ),
        None,
    )


class Recognition:
    """The verb that names carriers."""

    def __init__(
        self,
        accounts: Sequence[ProviderAccount],
        db: Database,
        net: Net,
        clock: Clock,
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        """The first account that can be asked, and whose owner wants it, is asked."""
        self._asked = next((each for each in accounts if _can(each)), None)
        self._db = db
        self._net = net
        self._now = clock.now
        self._ending = ending
        self._resume_at: datetime | None = None
        self._asker: Asker | None = None
        if (account := self._asked) is not None:
            slots = Slots(account.name, account.ceilings.concurrency, db, clock)
            self._asker = Asker(account, db, net, clock, slots)

    async def tick(self) -> None:
        """Name what can be named now, at most a batch; the next ring goes on."""
        now = self._now()
        if self._resume_at is not None and now < self._resume_at:
            return
        asks = self._asked is not None
        for one in await self._db.read(partial(recognitions.unnamed, now=now, limit=_SOME, asks=asks)):
            if self._ending() or not await self._name(one):
                return

    async def _name(self, one: Unnamed) -> bool:
        """One number; False where the account has to rest."""
        shapes = guesses(one.waybill_no)
        if key := likeliest(shapes):
            await self._settle(one, shapes, next(each for each in shapes if each.carrier == key))
            return True
        try:
            told = await self._ask(one.waybill_no)
        except Rejected:
            told = ()
        except RemoteError as error:
            self._resume_at = self._now() + (error.wait if isinstance(error, Throttled) else _REST)
            say = log.warning if isinstance(error, Denied) else log.info
            say("numbers are not recognised", why=str(error), again_at=self._resume_at.isoformat())
            return False
        await self._settle(one, (*told, *shapes), choose(one.waybill_no, told))
        return True

    async def _settle(self, one: Unnamed, said: Sequence[Guess], taken: Guess | None) -> None:
        now = self._now()
        if taken is None:
            asked = self._asked is not None
            await self._db.write(partial(recognitions.nothing, one=one, guesses=said, now=now, asked=asked))
            return
        await self._db.write(partial(recognitions.found, one=one, guesses=said, taken=taken, now=now))
        log.info("carrier recognised", waybill=one.waybill_no, carrier=taken.carrier, by=taken.source)

    async def _ask(self, waybill_no: str) -> Sequence[Guess]:
        """What the account says; nothing where none can be asked. Raises a `RemoteError`."""
        account = self._asked
        if account is None or self._asker is None or not isinstance(account.provider, Recogniser):
            return ()
        now, ceilings = self._now(), account.ceilings
        wait = await self._db.write(
            lambda conn: providers.reserve(conn, account.name, 1, ceilings.per_second, now)
        )
        if wait > _PATIENCE:
            raise Throttled("查询排着队，单号识别先让一让", wait)
        await asyncio.sleep(wait.total_seconds())
        try:
            async with self._asker.slots:
                return await self._net.converse(
                    account.provider.recognise(waybill_no, now),
                    account=account.name,
                    lanes=ceilings.concurrency,
                    tries=1,
                    pace=self._asker.place,
                )
        finally:
            await self._asker.slots.release()


def _can(account: ProviderAccount) -> bool:
    return isinstance(account.provider, Recogniser) and account.provider.recognises
