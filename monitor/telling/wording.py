"""What the group reads, in Chinese: a first line that says it all, then at most six facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from carriers import names
from domain.findings import PARTY_ZH, Blame, Finding, FindingState, Party, Risk, Stage
from domain.journey import Journey, Whereabouts
from domain.masking import clean, safe_text
from domain.messages import Message, MessageKind, Urgency
from domain.orders import Case
from domain.time import SHANGHAI

__all__ = ["alert", "blamed", "feed_alert", "hours", "relieved", "source_alert", "summary", "yuan"]

_URGENT_FROM: Final = 60
_TEXT_LIMIT: Final = 60
_REASON_LIMIT: Final = 80
_BLAME_LIMIT: Final = 48
_MOMENT: Final = timedelta(seconds=30)
_FACTS: Final = 6


def hours(length: timedelta) -> str:
    """`6 秒`, `40 分钟`, `53 小时`, `10 天`: as a person would say it; hours up to a week."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 120:
        return f"{seconds} 秒"
    if seconds < 7200:
        return f"{seconds // 60} 分钟"
    if seconds < 7 * 86400:
        return f"{seconds // 3600} 小时"
    return f"{seconds // 86400} 天"


def moment(at: datetime | None, zone: ZoneInfo = SHANGHAI) -> str:
    """`11-22 08:10` in the merchant's zone."""
    return at.astimezone(zone).strftime("%m-%d %H:%M") if at is not None else "—"


def parcel_name(case: Case) -> str:
    """`中通 75812345678901`."""
    return f"{clean(names.display(case.waybill.carrier), 20)} {clean(case.waybill.waybill_no, 40)}"


def summary(case: Case, finding: Finding, now: datetime) -> str:
    """One finding in a few words: `中转停滞 53 小时（限 48 小时）` or `延迟发货 还剩 4 小时（限 48 小时）`."""
    what = finding.evidence.get("rule_zh", finding.rule)
    if finding.deadline is None or finding.limit is None:
        trouble = finding.evidence.get("trouble", "")
        return what if trouble in what or what in trouble else f"{what}：{trouble}"
    limit = f"（限 {hours(finding.limit)}）"
    if finding.stage is Stage.BREACH:
        return (
            f"{what} 已 {hours(max(_known_until(finding, now) - finding.started_at, finding.limit))}{limit}"
        )
    left = finding.deadline - now
    if left <= timedelta(0):
        return f"{what} 即将超时{limit}"
    # Read a moment after the step of two hours, two hours are left, not 119 minutes.
    about = left + _MOMENT if left > 20 * _MOMENT else left
    return f"{what} 还剩 {hours(about)}{limit}"


def yuan(risk: Risk) -> str:
    """`¥5`, `¥5–50`, `¥4.50–30`: what may have to be paid."""
    low, high = (f"{fen // 100}" if fen % 100 == 0 else f"{fen / 100:.2f}" for fen in (risk.low, risk.high))
    return f"¥{high}" if low == high else f"¥{low}–{high}"


def blamed(blame: Blame) -> str:
    """`耽误在承运商：揽收后 41 小时没有新的扫描`; only why, where it is nobody's fault; nothing where it is not known."""
    because = safe_text(blame.because, _BLAME_LIMIT)
    if blame.party is Party.UNKNOWN:
        return ""
    return f"耽误在{PARTY_ZH[blame.party]}：{because}"


def _at_stake(risk: Risk | None, blame: Blame | None) -> tuple[str, str]:
    """The money and whose doing it is, in one line; the money's label where there is money."""
    who = blamed(blame) if blame is not None else ""
    if risk is None:
        return "责任", who
    return "可能赔付", "；".join(part for part in (yuan(risk), who) if part)


def _known_until(finding: Finding, now: datetime) -> datetime:
    """No more silence is claimed than was observed (L1)."""
    seen = finding.evidence.get("silent_until")
    return min(now, datetime.fromisoformat(seen)) if seen else now


def urgency(finding: Finding) -> Urgency:
    """A breach that costs money is critical, a warning of one is high, the rest is normal."""
    if finding.severity < _URGENT_FROM or "soft" in finding.evidence:
        return Urgency.NORMAL
    return Urgency.CRITICAL if finding.stage is Stage.BREACH else Urgency.HIGH


_TAGS: Final = {Urgency.CRITICAL: "[紧急]", Urgency.HIGH: "[预警]", Urgency.NORMAL: "[提醒]"}


def alert(
    case: Case,
    finding: Finding,
    ticket: str,
    now: datetime,
    *,
    others: Sequence[Finding] = (),
    mentions: Sequence[str] = (),
    link: str = "",
    zone: ZoneInfo = SHANGHAI,
    risk: Risk | None = None,
) -> Message:
    """The message of one finding at one step; `others` are the lesser ones it speaks for.

    `risk` is what all of them may cost together; without it the finding's own is said.
    """
    lane, money = urgency(finding), risk or finding.risk
    title = f"{_TAGS[lane]} {parcel_name(case)} {summary(case, finding, now)} · {ticket}"
    return Message(
        kind=MessageKind.ALERT,
        title=title,
        facts=_facts(case, finding, others, money, zone),
        link=link,
        reference=ticket,
        mentions=tuple(mentions),
        urgency=lane,
        at=now,
        data={
            "severity": str(finding.severity),
            **({"fen_low": str(money.low), "fen_high": str(money.high)} if money else {}),
        },
    )


def _facts(
    case: Case, finding: Finding, others: Sequence[Finding], money: Risk | None, zone: ZoneInfo
) -> tuple[tuple[str, str], ...]:
    order, journey = case.order, case.journey
    # Each part has its share of the line: a shop's name never pushes the order's number out of it.
    shop = safe_text(order.shop or order.merchant, 20)
    place = safe_text(f"{order.receiver_province} {order.receiver_city}", 16)
    whose = "·".join(part for part in (shop, safe_text(order.order_no, 32)) if part)
    facts = [("订单", whose + (f"（收货 {place}）" if place else "")), _at_stake(money, finding.blame)]
    if journey.events:
        facts.append(_last_scan(journey, zone))
    else:
        facts.append(("最后轨迹", "承运商尚无任何记录" + _doubt(finding)))
    if finding.deadline is not None:
        began, counted = finding.evidence.get("started_by", ""), finding.evidence.get("calendar", "")
        span = f"{moment(finding.started_at, zone)}（{began}）起，时限 {moment(finding.deadline, zone)}"
        facts.append(("计时", span + (f"，按{counted}计" if counted else "")))
        facts.append(("在等", finding.evidence.get("waits_for", "")))
    if unread := finding.evidence.get("unread"):
        facts.append(("注意", f"其后另有 {unread} 条未能识别的轨迹，请人工看一眼"))
    if others:
        facts.append(("同时", "、".join(other.evidence.get("rule_zh", other.rule) for other in others[:4])))
    whereabouts = finding.evidence.get("whereabouts")
    if whereabouts:
        stop = journey.node + (f" → {journey.next_stop}" if journey.next_stop else "")
        facts.append(("位置", f"{Whereabouts(whereabouts).zh} {safe_text(stop, _TEXT_LIMIT)}".strip()))
    return tuple((label, value) for label, value in facts if value)[:_FACTS]


def _doubt(finding: Finding) -> str:
    doubt = finding.evidence.get("no_news", "")
    return f"（{doubt}）" if doubt else ""


def _last_scan(journey: Journey, zone: ZoneInfo) -> tuple[str, str]:
    return "最后轨迹", f"{moment(journey.last_event_at, zone)} {safe_text(journey.last_text, _TEXT_LIMIT)}"


_ENDINGS: Final = {
    FindingState.RETRACTED: ("[撤回]", "告警撤回"),
    FindingState.EXPIRED: ("[结束]", "不必再处理"),
}


def relieved(
    case: Case,
    ticket: str,
    now: datetime,
    *,
    because: str,
    state: FindingState = FindingState.CLEARED,
    link: str = "",
    zone: ZoneInfo = SHANGHAI,
) -> Message:
    """The parcel moved, the alarm never was true, or nobody waits any more; said only where the alarm was."""
    tag, what = _ENDINGS.get(state, ("[恢复]", "已恢复"))
    retracted = state is FindingState.RETRACTED
    journey = case.journey
    facts = [("原因", safe_text(because, _REASON_LIMIT))]
    if journey.events:
        facts.append(_last_scan(journey, zone))
    return Message(
        kind=MessageKind.RETRACTED if retracted else MessageKind.RESOLVED,
        title=f"{tag} {parcel_name(case)} {what} · {ticket}",
        facts=tuple(facts),
        link=link,
        reference=ticket,
        urgency=Urgency.NORMAL,
        at=now,
    )


def feed_alert(
    account: str, now: datetime, *, down: bool, since: datetime | None, why: str, waiting: int
) -> Message:
    """A provider account went silent, or came back: told once each."""
    if down:
        title = f"[数据源] {account} 查询中断，暂停一切基于它的判定"
        facts = [
            ("原因", safe_text(why, _REASON_LIMIT)),
            ("最后成功", moment(since)),
            (
                "影响",
                (f"{waiting} 个运单到点未能查询；" if waiting else "") + "恢复后先重新查询再判定，不会误报",
            ),
        ]
    else:
        gap = hours(now - since) if since is not None else ""
        title = f"[数据源] {account} 已恢复" + (f"，中断 {gap}" if gap else "")
        late = f"{waiting} 个到点运单" if waiting else "到点的运单"
        facts = [("后续", f"{late}正在补查，补查后才会告警")]
    return Message(
        kind=MessageKind.FEED,
        title=title,
        facts=tuple(facts),
        reference=account,
        urgency=Urgency.CRITICAL if down else Urgency.HIGH,
        at=now,
    )


def source_alert(source: str, now: datetime, *, down: bool, since: datetime | None, why: str) -> Message:
    """An order source went silent, or came back: told once each."""
    if down:
        title = f"[订单来源] {source} 取不到订单，新发货的包裹暂时没有进入监控"
        facts = [
            ("原因", safe_text(why, _REASON_LIMIT)),
            ("最后成功", moment(since)),
            ("影响", "已在监控的不受影响；恢复后从中断处接着取，不会漏单"),
        ]
    else:
        gap = hours(now - since) if since is not None else ""
        title = f"[订单来源] {source} 已恢复" + (f"，中断 {gap}" if gap else "")
        facts = [("后续", "中断期间发货的订单正在补取")]
    return Message(
        kind=MessageKind.FEED,
        title=title,
        facts=tuple(facts),
        reference=source,
        urgency=Urgency.CRITICAL if down else Urgency.HIGH,
        at=now,
    )
