"""The platforms' own rules over a whole history: what they fine is one number, whatever limits a merchant tries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from domain.orders import Case, Order, Waybill
from monitor.config.settings import load_book
from monitor.lab.session import Asked, study
from monitor.lab.study import from_files
from monitor.lab.telling import Telling

SHANGHAI = ZoneInfo("Asia/Shanghai")
ORDERS = """order_no,carrier,waybill_no,platform,shop,paid_at,amount,receiver_province
o1,中通,Z1,taobao_tmall,旗舰店,2026-10-01 10:00:00,100,浙江
o2,中通,Z2,taobao_tmall,旗舰店,2026-10-01 10:00:00,100,浙江
o3,中通,Z3,,旗舰店,2026-10-01 10:00:00,100,浙江
"""
EVENTS = """carrier,waybill_no,occurred_at,description,milestone
中通,Z1,2026-10-02 23:00:00,快件已揽收,
中通,Z2,2026-10-04 20:00:00,快件已揽收,
中通,Z3,2026-10-04 20:00:00,快件已揽收,
"""
LATE = 'rules.late_shipment = {{limit = "{}", warn = ["2h"]}}'
"""Z1 left after 37 hours, Z2 and Z3 after 82; the platform says 48."""


def fines(tmp_path: Path, rules: str) -> dict[str, dict[str, object]]:
    for name, text in (
        ("o.csv", ORDERS),
        ("e.csv", EVENTS),
        ("p.toml", f'[[policies]]\nname = "p"\n{rules}\n'),
    ):
        (tmp_path / name).write_text(text, "utf-8")
    now = datetime(2026, 10, 5, tzinfo=UTC)
    telling = Telling()
    orders, events = tmp_path / "o.csv", tmp_path / "e.csv"
    history = from_files(orders, events, zone=SHANGHAI, as_of=now, now=now, aside=tmp_path, telling=telling)
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    study(history, Asked(("p", load_book(tmp_path / "p.toml")), None, out, SHANGHAI), telling)
    told = json.loads((out / "summary.json").read_text("utf-8"))
    [card] = [each for each in told["cards"] if each["rule"] == "late_shipment"]
    found: dict[str, dict[str, object]] = card["fines"]
    return found


@pytest.mark.parametrize("limit, in_time", [("36h", 1), ("48h", 0), ("80h", 0)])
def test_the_platform_fines_the_same_whatever_the_merchants_limit(
    tmp_path: Path, limit: str, in_time: int
) -> None:
    """A warning two hours before a limit of 48 is later than four hours before it; one of 36 is not."""
    found = fines(tmp_path, LATE.format(limit))
    assert found["platform"]["count"] == 1, "Z1 left within 48 hours; of Z3 no platform is known"
    assert found["platform"]["yuan"] == fines(tmp_path, LATE.format("20h"))["platform"]["yuan"]
    assert found["told_in_time"]["count"] == in_time


def test_a_parcel_that_the_platform_spares_costs_nothing_under_a_limit_of_the_merchants_own(
    tmp_path: Path,
) -> None:
    """A policy for 新疆 wakes a rule that sleeps there; the platform's own stays asleep."""
    own = load_book(_policy(tmp_path, 'rules.transit_stagnation = {limit = "36h"}'))
    bare = own.platforms_own()
    far = Case(Waybill("zhongtong", "Z1"), (Order("o", platform="taobao_tmall", receiver_province="新疆"),))
    mine, theirs = (book.policy_for(far).line("transit_stagnation") for book in (own, bare))
    assert mine is not None
    assert theirs is not None
    assert (mine.asleep, mine.limit) == ("", timedelta(hours=36))
    assert theirs.asleep
    assert bare.platforms_own().version == bare.version


def _policy(tmp_path: Path, rules: str) -> Path:
    path = tmp_path / "far.toml"
    path.write_text(f'[[policies]]\nname = "far"\nmatch = {{receiver_province = "新疆"}}\n{rules}\n', "utf-8")
    return path
