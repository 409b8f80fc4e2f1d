"""A whole ticket as text for the terminal, and as data for `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from domain.tickets import TICKET_STATE_ZH, EntryKind
from domain.tracking import MILESTONE_ZH
from monitor.desk.explain import clock_lines, short
from monitor.store.ticket_page import Detail

__all__ = ["ticket_data", "ticket_text"]

_ENTRY_ZH = {
    EntryKind.OPENED: "开单",
    EntryKind.FINDING: "异常",
    EntryKind.CLEARED: "结束",
    EntryKind.SCAN: "新轨迹",
    EntryKind.MESSAGE: "消息",
    EntryKind.COMMENT: "留言",
    EntryKind.ACKNOWLEDGED: "认领",
    EntryKind.RESOLVED: "解决",
    EntryKind.REOPENED: "重开",
    EntryKind.CLOSED: "关闭",
}


def ticket_data(value: Any, zone: ZoneInfo) -> Any:
    """Any of our values as JSON knows it: times ISO 8601 in `zone`, lengths in hours."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: ticket_data(getattr(value, each.name), zone) for each in fields(value)}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds() / 3600
    if isinstance(value, dict):
        return {str(key): ticket_data(item, zone) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [ticket_data(item, zone) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(ticket_data(item, zone) for item in value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def ticket_text(detail: Detail, now: datetime, zone: ZoneInfo, rules: Mapping[str, str]) -> str:
    """The ticket as a person at a terminal reads it: what, whose, where, why, who said what.

    `rules`: what each rule is called.
    """

    def at(moment: datetime | None) -> str:
        return short(moment, now, zone)

    ticket = detail.ticket
    lines = [
        f"{ticket.number}  {TICKET_STATE_ZH[ticket.state]}  {ticket.summary}",
        f"开单 {at(ticket.opened_at)}",
    ]
    if ticket.resolved_at is not None:
        lines.append(f"解决 {at(ticket.resolved_at)}，{ticket.resolved_by}：{ticket.resolution}")
    for order in ticket.filled.get("orders", []):
        told = (
            order.get(key) for key in ("shop", "order_no", "receiver_province", "receiver_city", "amount")
        )
        lines.append("订单 " + " · ".join(str(each) for each in told if each))
    lines.append("\n时效")
    lines += clock_lines(detail.clocks, now, zone, rules)
    lines.append("\n轨迹")
    lines += [
        f"  {at(row.event.occurred_at)}  [{MILESTONE_ZH[row.event.milestone]}] {row.event.text}"
        + ("（已撤回）" if row.withdrawn_at else "")
        for row in detail.events
    ] or ["  尚无记录"]
    lines.append("\n记录")
    lines += [f"  {at(e.at)}  {_ENTRY_ZH[e.kind]} {e.author}：{e.text}" for e in detail.entries]
    lines.append("\n消息")
    lines += [
        f"  {at(said.created_at)}  {said.channel} {said.state}：{said.message.title}（{said.last_answer or '未发'}）"
        for said in detail.messages
    ] or ["  没有"]
    return "\n".join(lines)
