"""快递100 and 快递鸟 push into the running daemon as fast as it answers, forgers and echoes among them; then `kill -9`.

Whatever was answered as taken is stored, once; nothing of the forged is. What was not answered is pushed again, as
the pushers do.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from monitor.clock import wall
from tests.e2e.peers import Parcel
from tests.e2e.pushers import APP_KEY, FORGED, SALT, Sent, by_kdniao, by_kuaidi100, mixed, push_all
from tests.e2e.stage import Installation, Stage
from tests.e2e.waiting import until

PARCELS, STAGES = 300, 3
NOBODY = "http://127.0.0.1:9"
"""The services themselves cannot be reached: pushes are all that comes."""


def configuration(store: str) -> str:
    return f"""
store = "{store}"

[web]
port = 0
public_url = "https://hooks.example.org"

[[providers]]
name = "k100"
kind = "kuaidi100"
base_url = "{NOBODY}"
customer = "C"
key = "K"
salt = "{SALT}"
push = true
carriers = ["zhongtong"]

[[providers]]
name = "kdn"
kind = "kdniao"
business_id = "1000000"
app_key = "{APP_KEY}"
base_url = "{NOBODY}"
dist_url = "{NOBODY}"
push = true
carriers = ["yunda"]
"""


@pytest.fixture
def seed() -> int:
    """Another one each time; `KILL_SEED` plays one again."""
    seed = int(os.environ.get("KILL_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"KILL_SEED={seed}")  # noqa: T201 - shown when the test fails
    return seed


def story(chance: random.Random) -> tuple[list[Parcel], list[Sent]]:
    """Parcels, and everything that is pushed of them in the order of their stages."""
    began = wall() - timedelta(hours=3)
    by_k100 = [
        Parcel(f"7580000{n:06d}", "zhongtong", order_no=f"K{n}", paid_at=began) for n in range(PARCELS)
    ]
    by_kdn = [Parcel(f"4321000{n:06d}", "yunda", order_no=f"D{n}", paid_at=began) for n in range(PARCELS)]
    calls: list[Sent] = []
    owner = {each.waybill_no: each for each in (*by_k100, *by_kdn)}

    def forge(call: Sent) -> Sent:
        named = [owner[number] for number in sorted({number for number, _ in call.scans})]
        stages = 1 + max(stage for _, stage in call.scans)
        return (
            by_kuaidi100(named[0], stages, forged=True)
            if call.account == "k100"
            else by_kdniao(named, stages, forged=True)
        )

    for stages in range(1, STAGES + 1):
        true = [by_kuaidi100(each, stages) for each in by_k100]
        true += [by_kdniao(by_kdn[n : n + 3], stages) for n in range(0, PARCELS, 3)]
        chance.shuffle(true)
        calls += mixed(true, forge, chance)
    return [*by_k100, *by_kdn], calls


def port_of(home: Installation) -> int:
    return urlsplit(str(home.logged("console")[-1]["url"])).port or 0


def stored(home: Installation) -> Counter[str]:
    return Counter(
        number
        for (number,) in home.query(
            "SELECT waybill_no FROM events JOIN parcels ON parcels.id = events.parcel_id"
        )
    )


def emptied(home: Installation) -> bool:
    return home.query("SELECT id FROM pushes LIMIT 1") == []


def scans_in(calls: Sequence[Sent]) -> set[tuple[str, int]]:
    return {scan for call in calls if call.taken for scan in call.scans}


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_a_kill_in_a_storm_of_pushes_loses_nothing_that_was_answered(
    stage: Stage,
    backend: str,
    seed: int,
    record_property: Callable[[str, object], None],
    request: pytest.FixtureRequest,
) -> None:
    home, chance = stage.parcelwatch, random.Random(seed)
    if backend == "postgresql":
        home.postgresql = request.getfixturevalue("empty_postgresql_url")
    home.configure(configuration(home.store))
    home.command("migrate")
    parcels, calls = story(chance)
    home.import_(parcels)

    daemon = home.start()
    storm = threading.Thread(target=lambda: asyncio.run(push_all(port_of(home), calls)))
    enough = chance.randrange(len(calls) // 4, len(calls) // 2)
    storm.start()
    until("the storm is in full swing", lambda: sum(call.status > 0 for call in calls) >= enough)
    home.kill(daemon)
    storm.join(60)
    answered = [call for call in calls if call.status]
    assert len(answered) < len(calls), "it was killed in the middle"

    home.start()
    until("what was answered is read", lambda: emptied(home), seen=lambda: home.log[-2000:])
    before = scans_in(answered)
    there = stored(home)
    wanted = Counter(number for number, _ in before)
    assert not [number for number, n in wanted.items() if there[number] < n], "acknowledged and lost"

    rest = [call for call in calls if not call.status]
    began = time.perf_counter()
    asyncio.run(push_all(port_of(home), rest))
    seconds = time.perf_counter() - began
    assert all(call.status for call in calls)
    assert Counter(call.status for call in calls if call.forged) == {404: sum(call.forged for call in calls)}
    assert all(call.taken for call in calls if not call.forged)
    until("everything is read", lambda: emptied(home), seen=lambda: home.log[-2000:])
    record_property("pushes_answered_per_second", round(len(rest) / seconds))

    assert stored(home) == {each.waybill_no: STAGES for each in parcels}, "each scan once"
    assert home.query(f"SELECT count(*) FROM events WHERE text LIKE '%{FORGED}%'") == [(0,)]
    assert home.query("SELECT count(*) FROM event_edits") == [(0,)]
    assert home.query("SELECT count(*) FROM oddities WHERE reason LIKE '推送%'") == [(0,)]
    assert len(home.logged("push refused")) <= 4, "two accounts, two processes, once a minute"
    assert home.query("SELECT count(*) FROM parcels WHERE observed_at IS NOT NULL") == [(0,)], (
        "no push is a look"
    )
