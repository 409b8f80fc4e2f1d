"""`providers`: who answers and who is down, what was asked and spent and may be, and all that is known of one account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from carriers.names import display
from domain.masking import safe_text
from domain.time import format_duration
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
from monitor.clock import wall
from monitor.config.settings import Settings
from monitor.feeds import report as feed_report
from monitor.feeds.report import AccountReport, CarrierReport
from monitor.store import providers
from monitor.store.feeds import Lag
from monitor.telling.wording import hours

__all__ = ["COMMANDS"]

_WHOLE: Final = 600
"""Characters of a reason: more than anybody says, less than floods a terminal."""
_FEEDS: Final = {"up": "正常", "degraded": "不稳", "down": "中断", "unknown": "尚无应答", "held": "账号中断"}
_SUBSCRIPTIONS: Final = {
    "open": "订阅着",
    "wanted": "等着订阅",
    "renew": "到时候再订阅",
    "full": "本月到上限",
    "refused": "被拒绝",
    "ended": "已结束",
}


@click.command("providers")
@click.argument("name", default="", metavar="[NAME]")
@config_option
@json_option
def providers_(name: str, config: Path | None, as_json_: bool) -> None:
    """列出数据源账号：是否正常、问了多少次、花了多少、上限多少、订阅了多少；写 NAME 只看这个账号的全部。"""
    settings = settings_from(config)
    with open_store(settings) as db:
        listed = db.read_now(lambda conn: providers.listing(conn, wall(), zone=settings.timezone))
        reports = db.read_now(lambda conn: feed_report.read(conn, settings.providers, wall()))
    chosen = [each for each in reports if name in ("", each.account.name)]
    if name and not chosen:
        have = "、".join(each.account.name for each in reports)
        raise click.BadParameter(f"没有数据源账号 {name}；配置里有：{have}")
    known = {row["name"]: row for row in listed}
    if as_json_:
        as_json([_data(each, known.get(each.account.name, {}), settings.timezone) for each in chosen])
    elif name:
        _say_whole(chosen[0], known.get(name, {}), settings)
    else:
        _say_all(chosen, known, settings)


def _data(report: AccountReport, row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    return {
        "name": report.account.name,
        "state": report.state,
        "last_good_at": row.get("last_good_at"),
        "asked_today": report.asked_today,
        "spent_today": float(report.spent_today),
        "unknown_codes": row.get("unknown_codes", 0),
        **feed_report.plain(report, zone),
    }


# ── all of them ──────────────────────────────────────────────────────────────────────────────────


def _say_all(reports: Sequence[AccountReport], known: dict[str, dict[str, Any]], settings: Settings) -> None:
    rows = [_row(each, known.get(each.account.name, {}), settings.timezone) for each in reports]
    headings = {
        "name": "账号",
        "state": "状态",
        "reason": "原因",
        "last_good_at": "最后成功",
        "asked": "今日查询/上限",
        "today": "今日花费/上限(元)",
        "month": "本月/上限(元)",
        "projected_month": "预计本月",
        "subscribed": "订阅",
        "unknown_codes": "未识别编码",
        "unheard": "无人应答",
        "disagreements": "与第一家不一致",
    }
    words = {"state": _FEEDS}
    emit(rows, headings, json_=False, empty="配置里没有数据源（[[providers]]）。", words=words)
    _say_carriers(reports)
    unsure = [(each.account.name, len(each.account.provider.uncertain)) for each in reports]
    told = "、".join(f"{name} {n} 件" for name, n in unsure if n)
    if told:
        say(f"\n没有确认的事：{told}；全文和其余的上限：parcelwatch providers 账号名")


def _row(report: AccountReport, row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    money = report.money
    return {
        **_data(report, row, zone),
        "reason": _reason(report, zone),
        "asked": _of(report.asked_today, report.queries_per_day),
        "today": _of(float(report.spent_today), None if money is None else money.per_day),
        "month": None if money is None else _of(float(money.month), money.per_month),
        "subscribed": _subscribed(report),
    }


def _of(done: float, limit: Any) -> str:
    """`30/4000`; without a limit the first alone."""
    return f"{_figure(done)}/{_figure(limit)}" if limit is not None else _figure(done)


def _figure(value: Any) -> str:
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def _subscribed(report: AccountReport) -> str:
    """`12，等 3，拒 1`: what is open, and what else there is."""
    tally = report.subscriptions
    if tally is None or report.per_number_monthly is None:
        return ""
    later = tally.wanted + tally.renew + tally.full
    rest = (("等", later), ("拒", tally.refused))
    return "，".join([str(tally.open), *(f"{word} {n}" for word, n in rest if n)])


def _reason(report: AccountReport, zone: ZoneInfo) -> str:
    """Why an account does not answer as it should, and since when; nothing for one that does."""
    health = report.health
    if health.state == "up":
        return ""
    since = f"{health.since.astimezone(zone):%m-%d %H:%M} 起" if health.since is not None else ""
    return "：".join(filter(None, (since, safe_text(health.last_error, _WHOLE))))


# ── one of them ──────────────────────────────────────────────────────────────────────────────────


def _say_whole(report: AccountReport, row: dict[str, Any], settings: Settings) -> None:
    """Everything of one account, nothing of it cut."""
    say(f"{report.account.name}（{report.account.kind}）")
    for label, told in _facts(report, row, settings):
        say(f"  {label}：{told}")
    _say_carriers([report])
    for each in report.carriers:
        if why := _carriers_reason(each):
            say(f"  {display(each.carrier)}：{why}")
    if report.account.provider.uncertain:
        say("\n没有确认的事：")
    for said in report.account.provider.uncertain:
        say(f"  · {said}")


def _facts(report: AccountReport, row: dict[str, Any], settings: Settings) -> Iterator[tuple[str, str]]:
    account, ceilings = report.account, report.account.ceilings
    yield "状态", "，".join(filter(None, (_FEEDS[report.state], _reason(report, settings.timezone))))
    good = report.health.last_good_at
    yield "最后成功", f"{good.astimezone(settings.timezone):%Y-%m-%d %H:%M:%S}" if good else "还没有"
    yield "快递公司", "全部" if "*" in account.carriers else "、".join(map(display, sorted(account.carriers)))
    yield "今日查询/上限", _of(report.asked_today, report.queries_per_day)
    if account.provider.asks:
        yield (
            "服务商的上限",
            f"同一单号至少隔 {format_duration(ceilings.per_waybill_interval)}、一天最多"
            f" {ceilings.per_waybill_daily} 次；每秒 {_figure(ceilings.per_second)} 次，同时 {ceilings.concurrency} 个",
        )
    yield from _bill(report)
    yield from _asked_for(report)
    yield "等待查询", str(report.waiting)
    yield "未识别编码", str(row.get("unknown_codes", 0))
    yield "无人应答", str(report.unheard)
    if account.second:
        yield "与第一家不一致", str(report.disagreements)


def _bill(report: AccountReport) -> Iterator[tuple[str, str]]:
    money = report.money
    if money is None:
        yield "花费", "没有写单价（price）"
        return
    yield "今日花费/上限(元)", _of(float(money.today), money.per_day)
    yield "本月/上限(元)", _of(float(money.month), money.per_month)
    yield "预计本月(元)", _figure(money.projected)


def _asked_for(report: AccountReport) -> Iterator[tuple[str, str]]:
    tally = report.subscriptions
    if tally is None:
        return
    if report.per_number_monthly is None:
        yield "推送", "接收，不用订阅"
        return
    counts = "，".join(f"{zh} {getattr(tally, key)}" for key, zh in _SUBSCRIPTIONS.items())
    yield "订阅", f"{counts}；同一单号一个月最多 {report.per_number_monthly} 次"


# ── the carriers behind them ─────────────────────────────────────────────────────────────────────


def _say_carriers(reports: Iterable[AccountReport]) -> None:
    """Each carrier behind an account that was asked within a week."""
    rows = [
        {
            "name": report.account.name,
            "carrier": each.carrier,
            "state": report.shown(each),
            "success": _percent(each.day.success),
            "median": _late(each.median),
            "p95": _late(each.p95),
            "unknown": _percent(each.unknown_share),
            "unheard": each.unheard,
            "reason": _carriers_reason(each),
        }
        for report in reports
        for each in report.carriers
    ]
    headings = {
        "name": "账号",
        "carrier": "承运商",
        "state": "状态",
        "success": "24小时成功",
        "median": "轨迹晚到(中位)",
        "p95": "晚到(95%)",
        "unknown": "未识别轨迹",
        "unheard": "无人应答",
        "reason": "原因",
    }
    if rows:
        say("")
        emit(rows, headings, json_=False, empty="", words={"state": _FEEDS, "carrier": carriers_zh()})


def _carriers_reason(report: CarrierReport) -> str:
    return safe_text(report.line.feed.last_error, _WHOLE) if report.line.state.value != "up" else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _late(lag: Lag | None) -> str:
    """`15 分钟–2 小时`: between these two, which is all that our own looks can tell."""
    if lag is None:
        return ""
    most = hours(lag.most) if lag.most is not None else "更久"
    return f"{hours(lag.least)}–{most}" if lag.least else f"{most}内" if lag.most is not None else "不详"


COMMANDS: Final = (providers_,)
