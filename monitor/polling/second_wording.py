"""What two accounts say of one parcel, for `explain`: side by side, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from domain.masking import safe_text
from domain.tracking import MILESTONE_ZH, Milestone
from monitor.store.opinions import Opinion
from monitor.telling.wording import moment

__all__ = ["plain", "spoken"]

_WHY = 160


def plain(opinion: Opinion, zone: tzinfo) -> dict[str, Any]:
    """As `explain --json` has it. Times in `zone`."""
    return {
        "provider": opinion.provider,
        "heard_at": _at(opinion.heard_at, zone),
        "milestone": opinion.milestone.value if opinion.heard_at else None,
        "last_movement_at": _at(opinion.last_event_at, zone),
        "first_milestone": opinion.against.value if opinion.heard_at else None,
        "first_last_movement_at": _at(opinion.against_at, zone),
        "differs": list(opinion.says),
        "due_at": _at(opinion.due_at, zone),
        "wait_until": _at(opinion.wait_until, zone),
        "why": safe_text(opinion.why, _WHY),
    }


def spoken(opinions: Sequence[Opinion], zone: ZoneInfo) -> Iterator[str]:
    """Lines for a terminal; none where nobody was asked for a second opinion."""
    if opinions:
        yield "\n再问一家"
    for each in opinions:
        if each.heard_at is not None:
            mine = _stand(each.milestone, each.last_event_at, zone)
            first = _stand(each.against, each.against_at, zone)
            verdict = f"不一致：{'、'.join(each.says)}" if each.says else "一致"
            at = moment(each.heard_at, zone)
            yield f"  {each.provider}（{at} 答）：{mine}；第一家：{first}；{verdict}"
        if each.due_at is not None:
            until = f"，异常最多等到 {moment(each.wait_until, zone)}" if each.wait_until else ""
            yield f"  {each.provider}：正要去问{until}"
        elif each.why:
            yield f"  {each.provider}：没有问到：{safe_text(each.why, _WHY)}"


def _stand(milestone: Milestone, moved_at: datetime | None, zone: ZoneInfo) -> str:
    step = MILESTONE_ZH[milestone]
    return f"{step}，最后动静 {moment(moved_at, zone)}" if moved_at else f"{step}，没有动静"


def _at(at: datetime | None, zone: tzinfo) -> str | None:
    return None if at is None else at.astimezone(zone).isoformat(timespec="seconds")
