"""Orders out of an ERP by a real daemon that is killed in the middle: every one watched, none twice."""

from __future__ import annotations

from datetime import timedelta

from monitor.clock import Clock, wall
from tests.e2e.stage import Stage
from tests.e2e.waiting import until
from tests.erp.simulated_erp import SECRET, Erp

SHIPPED = 450


def configuration(erp: Erp) -> str:
    return f"""
[web]
enabled = false

[[order_sources]]
name = "wdt"
kind = "wangdian"
sid = "demo"
appkey = "k"
appsecret = "{SECRET}"
base_url = "{erp.url}/openapi2"
platform = "douyin"
since = "1h"
every = "1s"
per_second = 4
"""


def test_a_killed_daemon_goes_on_where_it_was(stage: Stage) -> None:
    with Erp("wangdian", Clock()) as erp:
        for n in range(SHIPPED):
            erp.ship(
                f"CK{n:04d}", f"JY{n}", f"758{n:011d}", at=wall() - timedelta(minutes=40, seconds=-(n // 9))
            )
        watch = stage.parcelwatch
        watch.configure(configuration(erp))
        watch.command("migrate")
        process = watch.start(fresh=True)
        until(
            "two pages are kept", lambda: kept(stage, "pulls", "pages") >= 2, seen=lambda: watch.log[-1000:]
        )
        watch.kill(process)
        before = kept(stage, "pulls", "pages")
        assert before < 6, "in the middle"
        process = watch.start(fresh=True)
        until(
            "every order is there",
            lambda: (
                watch.query("SELECT count(*) FROM parcels")[0][0] == SHIPPED
                and watch.query("SELECT observed_at FROM pulls")[0][0] is not None
            ),
            seen=lambda: watch.log[-1000:],
        )
        assert watch.query("SELECT count(*), count(DISTINCT order_no) FROM orders") == [(SHIPPED, SHIPPED)]
        [source] = watch.command("coverage", "--by", "source", "--json").json_of(2)
        assert (source["documents"], source["orders"], source["not_kept"]) == (SHIPPED, SHIPPED, 0)
        counts = {each["reason"]: each["count"] for each in watch.command("coverage", "--json").json_of(2)}
        assert counts["not_served"] == SHIPPED, "nobody can be asked here, and it says so"
        watch.stop(process)


def kept(stage: Stage, table: str, column: str) -> int:
    """A source's own count."""
    rows = stage.parcelwatch.query(f"SELECT {column} FROM {table}")
    return int(rows[0][0]) if rows else 0
