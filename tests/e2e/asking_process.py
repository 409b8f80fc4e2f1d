"""A process of its own that asks a provider about what is due, until nothing is.

python -m tests.e2e.asking_process STORE FOLDER PORT PER_SECOND CONCURRENCY
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from carriers.base import Ceilings
from monitor.clock import Clock
from monitor.config.accounts import ProviderAccount
from monitor.net import Net
from monitor.polling.poll import Poller
from monitor.store import polls
from monitor.store.database import Database
from monitor.sweep import Sweep
from rules.schedule import Pace
from tests.e2e.shared_provider import Plain
from tests.simulated import book


async def main(store: Database, port: int, ceilings: Ceilings) -> None:
    clock, net = Clock(), Net()
    provider = Plain(f"http://127.0.0.1:{port}")
    account = ProviderAccount("k100", "test", provider, frozenset({"*"}), ceilings, timedelta(0))
    pace = Pace(ceilings.per_waybill_interval)
    sweep = Sweep(book(), (), lambda carrier: ("k100", pace))
    poller = Poller(account, store, net, sweep, clock, ())
    while await store.read(lambda conn: polls.waiting(conn, "k100", clock.now())):
        await poller.tick()
    await poller.close()
    await net.close()


if __name__ == "__main__":
    url, folder, port, per_second, concurrency = sys.argv[1:]
    from monitor.store.sealing import Keys

    opened = Database.open(url, keys=Keys.beside(Path(folder) / "test"))
    limits = Ceilings(timedelta(hours=1), 48, float(per_second), int(concurrency))
    asyncio.run(main(opened, int(port), limits))
    opened.close()
