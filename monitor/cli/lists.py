"""What is open, what waits, what is dead, who is down: tickets, findings, outbox, providers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from monitor.cli.common import (
    PARTIES,
    carriers_zh,
    config_option,
    emit,
    json_option,
    open_store,
    rules_zh,
    say,
    settings_from,
    yuan_range,
)
from monitor.clock import wall
from monitor.feeds import report as feed_report
from monitor.feeds.report import AccountReport
from monitor.store import findings, outbox, providers
from monitor.store.feeds import Lag
from monitor.telling.wording import hours

__all__ = ["COMMANDS"]


_STAGES: Final = {"warning": "预警", "breach": "超时"}
_FINDINGS: Final = {
    "open": "未了结",
    "cleared": "已恢复",
    "retracted": "已撤回",
    "expired": "不再适用",
    "dismissed": "已忽略",
}
_MESSAGES: Final = {
    "waiting": "待发",
    "sending": "发送中",
    "sent": "已送达",
    "folded": "并入汇总",
    "dropped": "不必再发",
    "dead": "死信",
}
_FEEDS: Final = {"up": "正常", "degraded": "不稳", "down": "中断"}


@click.command("findings")
@config_option
@json_option
@click.option("--all", "all_", is_flag=True, help="已结束的也列出")
def findings_(config: Path | None, as_json_: bool, all_: bool) -> None:
    """列出异常：哪条规则、哪个阶段、从何时起。"""
    settings = settings_from(config)
    with open_store(settings) as db:
        rows = db.read_now(lambda conn: findings.listing(conn, all_=all_, zone=settings.timezone))
    headings = {
        "carrier": "承运商",
        "waybill_no": "运单号",
        "order_no": "订单号",
        "rule": "规则",
        "stage": "阶段",
        "state": "状态",
        "started_at": "起点",
        "crossed_at": "越线",
        "limit_hours": "时限(小时)",
        "yuan": "可能赔付(元)",
        "blame": "责任",
        "ticket": "工单",
    }
    words = {
        "carrier": carriers_zh(),
        "rule": rules_zh(),
        "stage": _STAGES,
        "state": _FINDINGS,
        "blame": PARTIES,
    }
    if not as_json_:
        rows = [{**row, "yuan": yuan_range(row), "ticket": row["ticket"] or _unheard(row)} for row in rows]
    emit(rows, headings, json_=as_json_, empty="没有异常。", words=words)


def _unheard(row: Mapping[str, Any]) -> str:
    """Why no ticket was opened, where the rule is on trial."""
    return "试运行" if row["shadow"] else ""


@click.command("outbox")
@config_option
@json_option
@click.option("--all", "all_", is_flag=True, help="已送达的也列出")
def outbox_(config: Path | None, as_json_: bool, all_: bool) -> None:
    """列出待发、失败和死信的消息，以及平台的最后回答。"""
    settings = settings_from(config)
    with open_store(settings) as db:
        rows = db.read_now(lambda conn: outbox.listing(conn, all_=all_, zone=settings.timezone))
    headings = {
        "id": "编号",
        "channel": "渠道",
        "ticket": "工单",
        "state": "状态",
        "attempts": "次数",
        "next_try_at": "下次尝试",
        "last_answer": "平台回答",
    }
    emit(rows, headings, json_=as_json_, empty="没有待发的消息。", words={"state": _MESSAGES})


@click.command("providers")
@config_option
@json_option
def providers_(config: Path | None, as_json_: bool) -> None:
    """列出数据源账号：是否正常、今天问了多少次、花了多少、有多少不认识的编码；服务商的哪些事没有确认。"""
    settings = settings_from(config)
    with open_store(settings) as db:
        listed = db.read_now(lambda conn: providers.listing(conn, wall(), zone=settings.timezone))
        known = {row["name"]: row for row in listed}
        why = {} if as_json_ else db.read_now(lambda conn: _reasons(conn, known, settings.timezone))
        reports = db.read_now(lambda conn: feed_report.read(conn, settings.providers, wall()))
    unasked = {"state": "up", "last_good_at": None, "asked_today": 0, "spent_today": 0, "unknown_codes": 0}
    rows = [
        known.get(each.account.name, {"name": each.account.name, **unasked})
        | {"state": each.state}
        | feed_report.plain(each, settings.timezone)
        for each in reports
    ]
    rows = [{**row, "reason": why[row["name"]]} if row["name"] in why else row for row in rows]
    headings = {
        "name": "账号",
        "state": "状态",
        "reason": "原因",
        "last_good_at": "最后成功",
        "asked_today": "今日查询",
        "spent_today": "今日花费(元)",
        "spent_month": "本月",
        "projected_month": "预计本月",
        "limit_month": "月上限",
        "unknown_codes": "未识别编码",
        "unheard": "无人应答",
        "disagreements": "与第一家不一致",
    }
    emit(rows, headings, json_=as_json_, empty="配置里没有数据源（[[providers]]）。", words={"state": _FEEDS})
    if not as_json_:
        _say_carriers(reports)
    for account in () if as_json_ else settings.providers:
        for said in account.provider.uncertain:
            say(f"  {account.name} 没有确认：{said}")


def _say_carriers(reports: Iterable[AccountReport]) -> None:
    """Each carrier behind an account that was asked within a week."""
    rows = [
        {
            "name": report.account.name,
            "carrier": each.carrier,
            "state": each.line.state.value,
            "success": _percent(each.day.success),
            "median": _late(each.median),
            "p95": _late(each.p95),
            "unknown": _percent(each.unknown_share),
            "unheard": each.unheard,
            "reason": each.line.feed.last_error if each.line.state.value != "up" else "",
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


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _late(lag: Lag | None) -> str:
    """`15 分钟–2 小时`: between these two, which is all that our own looks can tell."""
    if lag is None:
        return ""
    most = hours(lag.most) if lag.most is not None else "更久"
    return f"{hours(lag.least)}–{most}" if lag.least else f"{most}内" if lag.most is not None else "不详"


def _reasons(conn: Connection, names: Iterable[str], zone: ZoneInfo) -> dict[str, str]:
    """Why an account does not answer as it should, and since when; none for one that does."""
    states = (providers.load(conn, name) for name in names)
    return {each.name: _reason(each, zone) for each in states if each.state != "up"}


def _reason(state: providers.ProviderState, zone: ZoneInfo) -> str:
    since = f"{state.since.astimezone(zone):%m-%d %H:%M} 起" if state.since is not None else ""
    return "：".join(filter(None, (since, state.last_error)))


COMMANDS: Final = (findings_, outbox_, providers_)
