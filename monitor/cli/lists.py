"""What is open, what waits, what is dead: findings, outbox."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from monitor.cli.common import (
    PARTIES,
    carriers_zh,
    config_option,
    emit,
    json_option,
    open_store,
    rules_zh,
    settings_from,
    yuan_range,
)
from monitor.store import findings, outbox

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


COMMANDS: Final = (findings_, outbox_)
