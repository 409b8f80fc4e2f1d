"""What the pages of a ticket and of a parcel share: clocks on their lines, scans as they came, the reader's voice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request

from domain.findings import ClockReading, Verdict
from domain.history import Stored
from domain.masking import clean, safe_text, visible
from domain.orders import ORDER_STATUS_ZH, Case
from domain.tickets import EntryKind
from domain.tracking import EXCEPTION_ZH
from monitor.desk.voice import Voice
from monitor.store.views import parcel
from monitor.store.views.parcel import Edit
from monitor.web.formats import View
from monitor.web.render import view_of
from monitor.web.timeline import TimeLine, draw, order
from rules.judge import proven_until
from rules.policy import Policy

__all__ = [
    "Clocks",
    "Scan",
    "clocks_of",
    "identifier",
    "language_query",
    "paragraphs",
    "pasted",
    "platform_name",
    "scans_of",
    "voice_of",
]

PLATFORM_ZH: Final[Mapping[str, str]] = {
    "taobao_tmall": "淘宝/天猫",
    "taobao_special": "淘特",
    "tmall_global": "天猫国际",
    "pinduoduo": "拼多多",
    "douyin": "抖店",
    "jd_pop": "京东",
    "kuaishou": "快手",
    "xiaohongshu": "小红书",
    "ali1688": "1688",
    "wechat_shop": "微信小店",
    "dewu": "得物",
    "aliexpress": "速卖通",
    "shopee": "Shopee",
    "dhgate": "敦煌网",
}
"""Platforms by the ids of their profiles (`facts/platform-rules.md` §11)."""
ENTRY_ZH: Final[Mapping[EntryKind, str]] = {
    EntryKind.OPENED: "开单",
    EntryKind.FINDING: "异常",
    EntryKind.CLEARED: "异常结束",
    EntryKind.SCAN: "新轨迹",
    EntryKind.MESSAGE: "消息",
    EntryKind.COMMENT: "留言",
    EntryKind.ACKNOWLEDGED: "认领",
    EntryKind.RESOLVED: "解决",
    EntryKind.REOPENED: "重新打开",
    EntryKind.CLOSED: "关闭",
}
SAID_ZH: Final[Mapping[str, str]] = {
    "waiting": "待发",
    "sending": "发送中",
    "sent": "已送达",
    "folded": "并入汇总",
    "dropped": "不必再发",
    "dead": "发送失败",
}
"""What became of a message."""
FINDING_STATE_ZH: Final[Mapping[str, str]] = {
    "open": "成立",
    "cleared": "已恢复",
    "retracted": "已撤回",
    "expired": "不再适用",
    "dismissed": "人工忽略",
}
_IDENTIFIER: Final = 64
_PASTED: Final = 100_000
_LINES: Final = 60
_LINE: Final = 4000


def platform_name(view: View, platform: str) -> str:
    """A platform's name in the reader's language; one in no table as it is written."""
    known = PLATFORM_ZH.get(platform)
    return view.words.say(known) if known else safe_text(platform, 40)


def rule_name(view: View, names: Mapping[str, str], rule: str) -> str:
    """A rule's name as the parcel's own policy has it: platforms call the same rule by different names."""
    return view.words.say(names[rule]) if rule in names else view.rule(rule)


def shared(request: Request, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the templates of these pages call by name; `names` are the rules of the parcel's policy."""
    view = view_of(request)
    return {
        "rule_name": partial(rule_name, view, names or {}),
        "voice": Voice(view.words.say, view.zone),
        "identifier": identifier,
        "paragraphs": paragraphs,
        "platform_name": partial(platform_name, view),
        "order_status": ORDER_STATUS_ZH,
        "entry_words": ENTRY_ZH,
        "said_words": SAID_ZH,
        "keep": language_query(request),
    }


def voice_of(request: Request) -> Voice:
    """The reader's language and zone, for sentences."""
    view = view_of(request)
    return Voice(view.words.say, view.zone)


def identifier(text: str) -> str:
    """A waybill's or order's number, safe to show: it is nobody's phone, so nothing of it is hidden."""
    return clean(text, _IDENTIFIER)


def paragraphs(text: str) -> list[str]:
    """What a person wrote, line by line, each safe to show."""
    return [safe_text(line, _LINE) for line in text.splitlines()[:_LINES]]


def pasted(lines: Sequence[str]) -> str:
    """Numbers as they were pasted, fit to be shown in a form again."""
    text = "\n".join(lines)[:_PASTED]
    return "\n".join(visible(line) for line in text.splitlines())


def language_query(request: Request) -> str:
    """`?lang=en` where the address asks for a language: a form's answer keeps it."""
    asked = request.query_params.get("lang", "")
    return f"?lang={asked}" if asked in ("en", "zh", "zh-CN") else ""


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Clocks:
    """Every clock of a parcel, and what its rules are called."""

    names: Mapping[str, str]
    """Of all rules of the parcel's policy, in the source language."""
    running: tuple[TimeLine, ...]
    """The most urgent first."""
    ended: tuple[TimeLine, ...]
    asleep: tuple[ClockReading, ...]

    def line(self, rule: str) -> TimeLine | None:
        """The line of one rule's clock, running or ended."""
        return next((line for line in (*self.running, *self.ended) if line.reading.rule == rule), None)


def clocks_of(
    verdict: Verdict, policy: Policy, case: Case, scans: Sequence[Stored], now: datetime, zone: ZoneInfo
) -> Clocks:
    """The clocks of a verdict on their lines, each with the silence that is proven for it."""
    running: list[TimeLine] = []
    ended: list[TimeLine] = []
    asleep: list[ClockReading] = []
    for reading in verdict.clocks:
        policy_line = policy.line(reading.rule)
        proven = proven_until(case, policy_line, now) if policy_line is not None else None
        line = draw(reading, scans, proven, now, zone)
        if line is None:
            asleep.append(reading)
        else:
            (running if reading.ended_at is None else ended).append(line)
    names = {each.rule.id: each.rule.zh for each in policy.lines}
    return Clocks(names, tuple(order(running)), tuple(order(ended)), tuple(asleep))


# ── scans ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Scan:
    """One line of the carrier's, as it came to be known."""

    stored: Stored
    late: bool
    """A younger scan was known before it: it was back-dated."""
    troubles: tuple[str, ...]
    """What trouble it tells of, in the source language."""
    provider: str = ""
    edits: tuple[Edit, ...] = ()
    """How it read until the carrier changed it, the oldest first."""


def scans_of(
    rows: Sequence[Stored], edits: Sequence[Edit] = (), told: Sequence[parcel.Scan] = ()
) -> tuple[Scan, ...]:
    """The newest first, back-dated ones told apart; with their earlier words and who told of them, where known."""
    was: dict[tuple[datetime, int], list[Edit]] = defaultdict(list)
    for edit in edits:
        was[edit.was.occurred_at, edit.seq].append(edit)
    providers = {(each.stored.event.occurred_at, each.stored.seq): each.provider for each in told}
    found: list[Scan] = []
    earliest_known: datetime | None = None
    for row in sorted(rows, key=lambda row: (row.event.occurred_at, row.seq), reverse=True):
        late = earliest_known is not None and row.learned_at > earliest_known
        earliest_known = row.learned_at if earliest_known is None else min(earliest_known, row.learned_at)
        troubles = tuple(EXCEPTION_ZH[kind] for kind in sorted(row.event.exceptions))
        place = (row.event.occurred_at, row.seq)
        found.append(Scan(row, late, troubles, providers.get(place, ""), tuple(was[place])))
    return tuple(found)
