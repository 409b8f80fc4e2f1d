"""What the group reads of a carrier behind an account: its feed is down, back, poor or well again."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.masking import safe_text
from domain.messages import Message, MessageKind, Urgency
from monitor.telling.wording import hours, moment

__all__ = ["back", "down", "poor", "well"]

_REASON_LIMIT: Final = 80


def down(
    name: str, now: datetime, *, since: datetime | None, why: str, parcels: int, silent: bool
) -> Message:
    """Nothing of this carrier can be relied on; `parcels` were looked at within a day, 10,000 at most."""
    what = "没有新轨迹" if silent else "查询不正常"
    many = f"{parcels} 个" if parcels < 10_000 else "上万个"
    facts = (
        ("原因", safe_text(why, _REASON_LIMIT)),
        ("最后正常", moment(since)),
        ("影响", f"这家快递的 {many}在途运单暂停判定；恢复后先重新查询再判定，不会误报"),
        ("其他快递", "同一账号下的其他快递照常"),
    )
    return _message(f"[数据源] {name} {what}，暂停一切基于它的判定", name, now, Urgency.CRITICAL, facts)


def back(name: str, now: datetime, *, since: datetime | None) -> Message:
    """It is well again."""
    gap = f"，中断 {hours(now - since)}" if since is not None else ""
    facts = (("后续", "等结果的运单正在补查，补查后才会告警"),)
    return _message(f"[数据源] {name} 已恢复{gap}", name, now, Urgency.HIGH, facts)


def poor(name: str, now: datetime, *, why: str) -> Message:
    """Half of the questions fail."""
    facts = (
        ("最近一次失败", safe_text(why, _REASON_LIMIT)),
        ("影响", "查得到的照常判定；查不到的会迟，不会误报"),
    )
    return _message(f"[数据源] {name} 不稳：近一小时一半以上的查询失败", name, now, Urgency.NORMAL, facts)


def well(name: str, now: datetime, *, since: datetime | None) -> Message:
    """Nearly all of them are answered again."""
    gap = f"，不稳了 {hours(now - since)}" if since is not None else ""
    return _message(f"[数据源] {name} 查询恢复稳定{gap}", name, now, Urgency.NORMAL, ())


def _message(
    title: str, name: str, now: datetime, urgency: Urgency, facts: tuple[tuple[str, str], ...]
) -> Message:
    said = tuple((label, value) for label, value in facts if value)
    return Message(kind=MessageKind.FEED, title=title, facts=said, reference=name, urgency=urgency, at=now)
