"""A source on both databases, against a simulated ERP of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from monitor.config.order_sources import SourceAccount
from monitor.net import Net, Timeouts
from monitor.pulling.pull import Puller, Pulls
from monitor.store.database import Database
from monitor.telling.routing import Route
from tests.erp.simulated_erp import KINDS, Erp
from tests.simulated import Hands

QUICK = Timeouts(
    connect=timedelta(seconds=2),
    read=timedelta(seconds=2),
    total=timedelta(seconds=4),
    backoff=timedelta(milliseconds=1),
)


class Source:
    """A shop's ERP and our puller at it; `restart` is a new process."""

    def __init__(self, database: Database, erp: Erp, clock: Hands) -> None:
        self.database, self.erp, self.clock = database, erp, clock
        self.account: SourceAccount = erp.account()
        self.restart()

    def restart(self, account: SourceAccount | None = None) -> None:
        self.account = account or self.account
        self._puller: Callable[[Net], Puller] = lambda net: Puller(
            self.account, self.database, net, self.clock, [Route(("ops",), {})]
        )
        self.puller: Puller | None = None

    def pull(self) -> Pulls:
        """One ring of the verb, in an event loop and over connections of its own."""

        async def ring() -> Pulls:
            net = Net(timeout=QUICK)
            if self.puller is None:
                self.puller = self._puller(net)
            self.puller._net = net
            try:
                return await self.puller.tick()
            finally:
                await net.close()

        return asyncio.run(ring())

    def after(self, **length: float) -> Pulls:
        """Time passes, then one ring."""
        self.clock.start += timedelta(**length)
        return self.pull()

    def column(self, query: str) -> list[Any]:
        return list(self.database.read_now(lambda conn: list(conn.execute(text(query)).scalars())))

    @property
    def watched(self) -> list[str]:
        """The numbers of watched parcels that an order is waiting for."""
        return self.column(
            "SELECT p.waybill_no FROM parcels p JOIN order_parcels l ON l.parcel_id = p.id AND l.unlinked_at IS NULL"
            " JOIN orders o ON o.id = l.order_id AND o.status = 'shipped' WHERE p.state = 'watched' ORDER BY 1"
        )


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def erp(kind: str, clock: Hands) -> Iterator[Erp]:
    with Erp(kind, clock) as erp:
        yield erp


@pytest.fixture
def source(database: Database, erp: Erp, clock: Hands) -> Source:
    return Source(database, erp, clock)
