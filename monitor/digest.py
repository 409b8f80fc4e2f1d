"""Many messages said as one, and one message said in another's place. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.messages import Message, MessageKind, Urgency
from monitor.store.outbox import Waiting

__all__ = ["digest_of", "foldable", "on_behalf", "without_rows"]

_ROWS: Final = 40
"""Lines of a digest; robots cut further where their limit is shorter, and count what they cut."""


def digest_of(rows: Sequence[Waiting], now: datetime, *, listed: int = _ROWS) -> Message:
    """Many messages said as one: worst first, each by its first line; the rest is counted."""
    order = list(Urgency)
    worst = sorted(rows, key=lambda row: (order.index(row.message.urgency), row.created_at))
    kinds = [row.message.kind for row in rows]
    counts = [
        f"{label} {n} 条"
        for label, n in (
            ("告警", kinds.count(MessageKind.ALERT)),
            ("恢复", kinds.count(MessageKind.RESOLVED)),
            ("撤回", kinds.count(MessageKind.RETRACTED)),
            ("数据源", kinds.count(MessageKind.FEED)),
        )
        if n
    ]
    mentions = dict.fromkeys(each for row in worst for each in row.message.mentions)
    return Message(
        kind=MessageKind.DIGEST,
        title=f"[汇总] 物流告警共 {len(rows)} 条：{'，'.join(counts)}",
        rows=tuple(row.message.title for row in worst[:listed]),
        more=max(0, len(rows) - listed),
        link=next((_list_beside(row.message.link) for row in worst if row.message.link), ""),
        reference=f"D-{rows[0].id}",
        mentions=tuple(mentions)[:5],
        urgency=worst[0].message.urgency,
        at=now,
        data={"list": "parcelwatch tickets"},
    )


def foldable(row: Waiting) -> bool:
    """A digest would lose its names in another one; what may be in the group already is repeated as it was."""
    return row.message.kind is not MessageKind.DIGEST and not row.unknowns


def _list_beside(link: str) -> str:
    """The console that lists all of them, from the address of one ticket."""
    console, mark, _ = link.partition("/tickets/")
    return f"{console}/tickets" if mark else link


def without_rows(digest: Message) -> Message:
    """The counts and the link alone: every word of it ours."""
    return replace(digest, rows=(), more=digest.more + len(digest.rows))


def on_behalf(message: Message, channel: str) -> Message:
    """What a fallback says: the same, marked behind its tag."""
    tag, found, rest = message.title.partition("] ")
    title = f"{tag}] 代 {channel}：{rest}" if found else f"代 {channel}：{message.title}"
    return replace(message, title=title)
