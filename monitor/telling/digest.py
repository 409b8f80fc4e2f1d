"""Many messages said as one, and one message said in another's place. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.findings import Risk
from domain.messages import Message, MessageKind, Urgency
from monitor.store.outbox import Waiting
from monitor.telling.wording import yuan

__all__ = ["digest_of", "foldable", "on_behalf", "without_rows"]

_ROWS: Final = 40
"""Lines of a digest; robots cut further where their limit is shorter, and count what they cut."""


def digest_of(rows: Sequence[Waiting], now: datetime, *, listed: int = _ROWS) -> Message:
    """Many messages said as one, each by its first line; the rest is counted.

    A source that went silent comes first, for of its parcels nothing is known; then the most money at risk, then
    the worst, then the oldest.
    """
    order = list(Urgency)
    worst = sorted(rows, key=_weight)
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
        rows=tuple(_line(row.message) for row in worst[:listed]),
        more=max(0, len(rows) - listed),
        link=next((_list_beside(row.message.link) for row in worst if row.message.link), ""),
        reference=f"D-{rows[0].id}",
        mentions=tuple(mentions)[:5],
        urgency=min((row.message.urgency for row in rows), key=order.index),
        at=now,
        data={"list": "parcelwatch tickets"},
    )


def _weight(row: Waiting) -> tuple[bool, int, int, int, datetime]:
    message = row.message
    most, severity = (_number(message.data.get(name, "")) for name in ("fen_high", "severity"))
    urgency = list(Urgency).index(message.urgency)
    return message.kind is not MessageKind.FEED, -most, urgency, -severity, row.created_at


def _line(message: Message) -> str:
    """A message by its first line, with the money it is sorted by."""
    low, high = (_number(message.data.get(name, "")) for name in ("fen_low", "fen_high"))
    return f"{message.title} · {yuan(Risk(low, high))}" if high else message.title


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


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
