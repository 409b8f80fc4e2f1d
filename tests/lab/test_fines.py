"""The platforms' own rules over a whole history: what they fine is one number, whatever limits a merchant tries."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.lab.session import Asked, study
from monitor.lab.study import from_files
from monitor.lab.telling import Telling
from monitor.settings import load_book

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
