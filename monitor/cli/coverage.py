"""`coverage`: every shipped order is watched, or here is why not; by shop, by order source, or one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from monitor.cli.common import (
    as_json,
    carriers_zh,
    config_option,
    emit,
    json_option,
    open_store,
    say,
    settings_from,
)
from monitor.cli.errors import CHANGE
from monitor.config.settings import Settings
from monitor.store.database import Database
from monitor.store.views import coverage as views
from monitor.store.views import coverage_by
from monitor.store.views.coverage import Reason, Uncovered
from monitor.store.views.paging import Page
from monitor.wording_coverage import ADVICE_ZH, REASON_ZH

__all__ = ["COMMANDS"]

_PAGE: Final = 200
_STATES: Final = {"up": "正常", "degraded": "不稳", "down": "中断"}
_SHORT: Final = {
    Reason.ASKED: "监控中", Reason.PUSHED: "只靠推送", Reason.WAITING: "等答复", Reason.NOT_KEPT: "漏单",
    Reason.NO_WAYBILL: "无单号", Reason.UNKNOWN_CARRIER: "快递不明", Reason.NOT_SERVED: "没人查",
    Reason.PUT_ASIDE: "处理不了", Reason.NEEDS_PHONE: "缺手机尾号", Reason.LOCKED: "被锁", Reason.REFUSED: "被拒",
}  # fmt: skip
_LISTED: Final = [each.value for each in Reason if each not in (Reason.ASKED, Reason.PUSHED)]


@click.command("coverage")
@config_option
@json_option
@click.option(
    "--by", type=click.Choice(["reason", "shop", "source"]), default="reason", help="按原因、店铺或订单来源数"
)
@click.option("--list", "listed", type=click.Choice(_LISTED), default=None, help="逐个列出这一类")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="--list 最多列多少个")
@click.pass_context
def coverage(
    ctx: click.Context, config: Path | None, as_json_: bool, by: str, listed: str | None, limit: int
) -> None:
    """有没有漏单：每个已发货的包裹都在监控中，否则写明原因和怎么办。

    退出码：0 没有要处理的；2 有已发货而没有监控好的（刚发货、还在等第一次答复的不算）。
    """
    settings = settings_from(config)
    with open_store(settings) as db:
        counts = db.read_now(lambda conn: views.coverage(conn, settings.asked_about, settings.pushed_about))
        if listed is not None:
            _list(db, settings, Reason(listed), limit, json_=as_json_)
        elif by == "shop":
            _shops(db, settings, json_=as_json_)
        elif by == "source":
            _sources(db, settings, json_=as_json_)
        else:
            _reasons(counts, json_=as_json_)
    if counts.todo and not as_json_:
        say(f"\n有 {counts.todo:,} 个要处理；逐个列出：parcelwatch coverage --list 原因")
    ctx.exit(CHANGE if counts.todo else 0)


def _reasons(counts: views.Coverage, *, json_: bool) -> None:
    if json_:
        as_json([{"reason": each, "count": n, "covered": each.covered} for each, n in counts.counts.items()])
        return
    rows = [
        {"what": REASON_ZH[each], "count": f"{n:,}", "reason": each.value, "todo": ADVICE_ZH.get(each, "")}
        for each, n in counts.counts.items()
        if n or each in (Reason.ASKED, Reason.NOT_KEPT)
    ]
    emit(rows, {"what": "现状", "count": "个数", "reason": "原因"}, json_=False, empty="")
    for row in rows:
        if row["todo"] and row["count"] != "0":
            say(f"· {row['what']}：{row['todo']}")


def _shops(db: Database, settings: Settings, *, json_: bool) -> None:
    """A row for each shop, the ones with something to do first."""
    shops = db.read_now(lambda conn: coverage_by.by_shop(conn, settings.asked_about, settings.pushed_about))
    shops.sort(key=lambda each: (-each.todo, each.merchant, each.platform, each.shop))
    rows = [
        {"merchant": each.merchant, "platform": each.platform, "shop": each.shop, "orders": each.orders}
        | {reason.value: each.counts.get(reason, 0) for reason in _SHORT}
        for each in shops
    ]
    seen = [reason for reason in _SHORT if any(row[reason.value] for row in rows)]
    headings = {"shop": "店铺", "platform": "平台", "orders": "订单"} | {r.value: _SHORT[r] for r in seen}
    emit(rows, headings, json_=json_, empty="还没有订单。")


def _sources(db: Database, settings: Settings, *, json_: bool) -> None:
    zone = settings.timezone
    known = {each.source: each for each in db.read_now(coverage_by.by_source)}
    rows: list[dict[str, Any]] = []
    for account in settings.order_sources:
        each = known.get(account.name)
        rows.append(
            {
                "source": account.name,
                "kind": account.kind,
                "state": each.state if each else "up",
                "documents": each.documents if each else 0,
                "orders": each.orders if each else 0,
                "not_kept": each.lost if each else 0,
                "unknown_carrier": each.strange if each else 0,
                "no_waybill": each.bare if each else 0,
                "observed_at": _iso(each.observed_at if each else None, zone),
                "pulled_at": _iso(each.pulled_at if each else None, zone),
            }
        )
    headings = {
        "source": "来源", "state": "状态", "documents": "出库单", "orders": "订单", "not_kept": "漏单",
        "unknown_carrier": "快递不明", "no_waybill": "无单号", "observed_at": "读到",
    }  # fmt: skip
    empty = "配置里没有订单来源（[[order_sources]]）。"
    emit(rows, headings, json_=json_, empty=empty, words={"state": _STATES})


def _list(db: Database, settings: Settings, reason: Reason, limit: int, *, json_: bool) -> None:
    rows = list(islice(_walk(db, settings, reason), limit))
    headings = {
        "waybill_no": "运单号", "carrier": "快递", "order_no": "订单号", "shop": "店铺", "why": "说明", "since": "自",
    }  # fmt: skip
    told = [_row(each, settings.timezone) for each in rows]
    emit(
        told, headings, json_=json_, empty=f"没有“{REASON_ZH[reason]}”的。", words={"carrier": carriers_zh()}
    )
    if not json_ and rows and ADVICE_ZH.get(reason):
        say(f"· {ADVICE_ZH[reason]}")


def _walk(db: Database, settings: Settings, reason: Reason) -> Iterator[Uncovered]:
    cursor: str | None = None
    while True:
        page = db.read_now(partial(_page, settings=settings, reason=reason, cursor=cursor))
        yield from page.rows
        cursor = page.next
        if cursor is None:
            return


def _page(conn: Connection, settings: Settings, reason: Reason, cursor: str | None) -> Page[Uncovered]:
    return views.uncovered(conn, reason, settings.asked_about, cursor, _PAGE, settings.pushed_about)


def _row(each: Uncovered, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "reason": each.reason.value,
        "waybill_no": each.waybill_no,
        "carrier": each.carrier,
        "order_no": each.order_no,
        "shop": each.shop,
        "platform": each.platform,
        "source": each.source,
        "why": each.why,
        "since": _iso(each.since, zone),
        "asked_at": _iso(each.asked_at, zone),
    }


def _iso(at: datetime | None, zone: ZoneInfo) -> str | None:
    return None if at is None else at.astimezone(zone).isoformat(timespec="seconds")


COMMANDS: Final = (coverage,)
