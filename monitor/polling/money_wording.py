"""What the group reads when an account's money is used up."""

from __future__ import annotations

from datetime import datetime

from domain.messages import Message, MessageKind, Urgency
from monitor.telling.wording import moment

__all__ = ["exhausted", "yuan"]


def exhausted(
    account: str, now: datetime, *, monthly: bool, spent: int, limit: int, resumes_at: datetime, waiting: int
) -> Message:
    """Told once for a day's, or a month's, limit; amounts in millionths of a yuan."""
    which, key = ("本月", "per_month") if monthly else ("今天", "per_day")
    facts = (
        ("已花", f"{yuan(spent)} 元，上限 {yuan(limit)} 元（budget.{key}）"),
        ("影响", f"{waiting} 个到点的运单暂不查询；没有查询就不判定，不会误报"),
        ("恢复", f"{moment(resumes_at)} 起自动继续；现在就要继续，请调高 budget 后重新加载配置"),
    )
    return Message(
        kind=MessageKind.FEED,
        title=f"[数据源] {account} {which}的查询预算用完",
        facts=facts,
        reference=account,
        urgency=Urgency.CRITICAL,
        at=now,
    )


def yuan(micros: int) -> str:
    """An amount as people write it: no more than four digits after the point, and no idle zeros after two."""
    text = f"{micros / 1_000_000:.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")
