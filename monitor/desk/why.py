"""Why this alert, in sentences a service agent can read to the carrier on the phone.

Pure: a finding and what it was concluded from in, sentences in the reader's language out. They follow the
order of the call: what started the wait, how long it may take and who says so, what would have ended it, up
to when nothing of the kind was seen and at whom we looked, what nobody could read since, and what else it
might be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from carriers import names
from domain.findings import Finding, FindingState, Stage
from domain.history import Stored
from domain.journey import Whereabouts
from domain.masking import safe_text
from domain.orders import Case, Order
from domain.tracking import MILESTONE_ZH, Milestone
from monitor.desk.voice import Voice
from rules.clock import PROMISED
from rules.declare import ORDER_TIMES
from rules.policy import Line
from rules.questions import plan_of

__all__ = ["Ground", "Part", "Sentence", "opening", "why"]

_SCAN: Final = 160
_CLAIM: Final = 300
"""Characters of a carrier's line: the longest in the samples has about 120."""
_NAME: Final = 48
_UNREAD_SHOWN: Final = 3
_OF_ORDER: Final = {
    MILESTONE_ZH[Milestone.ORDERED]: "ordered_at",
    MILESTONE_ZH[Milestone.PAID]: "paid_at",
    MILESTONE_ZH[Milestone.CONFIRMED]: "confirmed_at",
    MILESTONE_ZH[Milestone.SHIPPED]: "shipped_at",
    "承诺发货时间": "promised_ship_at",
}
"""The shop's own moments, by what a reading calls them."""


class Part(StrEnum):
    """What a sentence tells."""

    START = "start"
    LIMIT = "limit"
    SOURCE = "source"
    WAITS = "waits"
    SILENCE = "silence"
    PLACE = "place"
    UNREAD = "unread"
    DOUBT = "doubt"
    TROUBLE = "trouble"
    AHEAD = "ahead"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, plain text; what is in it from outside is visible, masked and cut, but not escaped."""

    part: Part
    text: str


@dataclass(frozen=True, slots=True)
class Ground:
    """What a finding stands on."""

    finding: Finding
    case: Case
    scans: Sequence[Stored] = ()
    line: Line | None = None
    """The policy's line as it holds now; None when the rule is in the parcel's policy no more."""
    proven: datetime | None = None
    """Up to when silence is proven for this clock."""
    provider: str = ""
    """The account that is asked about the parcel."""
    state: FindingState = FindingState.OPEN
    ended_at: datetime | None = None
    ended_by: str = ""

    @property
    def at_shop(self) -> bool:
        """The wait is for the shop, so its silence is the shop's."""
        if not self.case.waybill.waybill_no:
            return True
        return self.line is not None and plan_of(self.line).by_shop


def opening(case: Case, voice: Voice) -> str:
    """How the call begins: which parcel, of which order, to where."""
    order = case.orders[0] if case.orders else Order("")
    place = safe_text(f"{order.receiver_province} {order.receiver_city}", _NAME)
    parcel = f"{voice.catalogue(names.display(case.waybill.carrier))} {case.waybill.waybill_no}"
    told = voice._("请帮忙查一下这票快件：{parcel}", parcel=safe_text(parcel, 80))
    if order.order_no:
        told += voice._("，订单 {order}", order=safe_text(order.order_no, _NAME))
    if place:
        told += voice._("，寄往 {place}", place=place)
    return told + voice._("。")


def why(ground: Ground, now: datetime, voice: Voice) -> tuple[Sentence, ...]:
    """The sentences of one finding, standing or ended."""
    told = _clock(ground, now, voice) if ground.finding.deadline is not None else _trouble(ground, voice)
    return (*told, *_doubts(ground, voice), *_ended(ground, voice))


# ── a clock ──────────────────────────────────────────────────────────────────────────────────────


def _clock(ground: Ground, now: datetime, voice: Voice) -> Iterator[Sentence]:
    finding = ground.finding
    assert finding.deadline is not None
    yield Sentence(Part.START, _started(ground, voice))
    yield Sentence(Part.LIMIT, _limit(finding, voice))
    yield Sentence(Part.SOURCE, _source(ground, voice))
    waits = voice.reword(finding.evidence.get("waits_for", ""))
    if waits:
        yield Sentence(Part.WAITS, voice._("这段时间里本应看到「{waits}」。", waits=waits))
    if ground.state is not FindingState.OPEN:
        return
    yield Sentence(Part.SILENCE, _silence(ground, now, voice))
    if finding.stage is Stage.WARNING and finding.deadline > now:
        left = voice.length(finding.deadline - now)
        text = voice._("还没有超时，还剩 {left}：现在催还来得及。", left=left)
        yield Sentence(Part.AHEAD, text)


def _started(ground: Ground, voice: Voice) -> str:
    """What began the wait: the shop's word, or a scan with its text and place."""
    finding = ground.finding
    at, by = finding.started_at, finding.evidence.get("started_by", "")
    when = voice.moment(at)
    order = _order_of(ground, by, at)
    if order is not None:
        shop = safe_text(order.shop or order.merchant, _NAME)
        said = voice._("计时从 {when}「{what}」开始", when=when, what=voice.reword(by))
        return said + voice._("（订单 {order}，{shop}）。", order=safe_text(order.order_no, _NAME), shop=shop)
    scan = _scan_at(ground.scans, at)
    if scan is None:
        return voice._("计时从 {when}「{what}」开始。", when=when, what=voice.reword(by))
    what = voice.catalogue(MILESTONE_ZH[scan.event.milestone])
    said = voice._(
        "计时从 {when} 的「{what}」扫描开始，贵司原文：「{text}」",
        when=when,
        what=what,
        text=safe_text(scan.event.text, _SCAN),
    )
    place = safe_text(scan.event.node or scan.event.area, _NAME)
    return said + (voice._("，地点：{place}。", place=place) if place else voice._("。"))


def _order_of(ground: Ground, by: str, at: datetime) -> Order | None:
    """The order whose own moment the wait began with."""
    if ground.line is not None and ground.line.rule.start not in ORDER_TIMES:
        return None
    name = _OF_ORDER.get(by)
    if name is None:
        return None
    orders = ground.case.orders
    exact = next((order for order in orders if getattr(order, name) == at), None)
    return exact or next((order for order in orders if order.paid_at == at), None)


def _scan_at(scans: Sequence[Stored], at: datetime) -> Stored | None:
    """The scan of that moment: one that stands and moves before any other."""
    found = [row for row in scans if row.event.occurred_at == at and row.withdrawn_at is None]
    return max(found, key=lambda row: (row.event.moves, row.event.milestone.rank, row.seq), default=None)


def _limit(finding: Finding, voice: Voice) -> str:
    assert finding.deadline is not None
    until = voice.moment(finding.deadline)
    if finding.limit is None:
        return voice._("最晚到 {until}。", until=until)
    limit = voice.length(finding.limit)
    paused = finding.deadline - finding.started_at - finding.limit
    counted = finding.evidence.get("calendar", "")
    if counted and paused > timedelta(0):
        return voice._(
            "时限 {limit}，按{calendar}计（其间 {paused} 不算），最晚到 {until}。",
            limit=limit,
            calendar=voice.reword(counted),
            paused=voice.length(paused),
            until=until,
        )
    if counted:
        return voice._(
            "时限 {limit}，按{calendar}计，最晚到 {until}。",
            limit=limit,
            calendar=voice.reword(counted),
            until=until,
        )
    if paused > timedelta(0):
        return voice._(
            "时限 {limit}，其间有 {paused} 因豁免不计，最晚到 {until}。",
            limit=limit,
            paused=voice.length(paused),
            until=until,
        )
    return voice._("时限 {limit}，最晚到 {until}。", limit=limit, until=until)


def _confidence(code: str, voice: Voice) -> str:
    """How sure the number is, as `facts/platform-rules.md` grades it."""
    words = {
        "OFF": voice._("官方文件"),
        "OFFQ": voice._("规则原文转述"),
        "SEC": voice._("行业资料"),
        "UNC": voice._("经验值，平台没有公布"),
    }
    return words.get(code, "")


def _source(ground: Ground, voice: Voice) -> str:
    """Which line of which policy says so (L8), and how sure that is."""
    policy, line = ground.finding.policy, ground.line
    shown = safe_text(policy.removesuffix(PROMISED), 120)
    if policy.endswith(PROMISED):
        return voice._("依据：订单自己的承诺时间（策略行 {policy}）。", policy=shown)
    if line is None or line.source != policy:
        return voice._("依据：策略行 {policy}。", policy=shown)
    if line.by_merchant:
        return voice._("依据：商家自己的策略，策略行 {policy}。", policy=shown)
    notes = [_confidence(line.rule.confidence, voice)]
    if line.rule.source:
        notes.append(voice._("出处 {codes}", codes=voice._("、").join(line.rule.source)))
    if line.rule.soft:
        notes.append(voice._("没有查到罚则，仅作提醒"))
    told = voice._("；").join(note for note in notes if note)
    said = voice._("依据：平台规则，策略行 {policy}", policy=shown)
    return said + (voice._("（{notes}）。", notes=told) if told else voice._("。"))


def _silence(ground: Ground, now: datetime, voice: Voice) -> str:
    """Up to when nothing was seen, and at whom we looked; more silence than was observed is never claimed."""
    evidence = ground.finding.evidence.get("silent_until", "")
    seen = ground.proven or (datetime.fromisoformat(evidence) if evidence else None)
    if seen is None:
        return voice._("还没有成功查到过，无法确认其间有没有动静。")
    seen = min(seen, now)
    gone = voice.length(seen - ground.finding.started_at)
    if ground.at_shop:
        return voice._(
            "店铺订单最后一次更新到 {seen}，到那时为止没有看到，已经 {gone}。",
            seen=voice.moment(seen),
            gone=gone,
        )
    return voice._(
        "我们最后一次查到贵司的轨迹是 {seen}（数据源 {provider}），到那时为止没有看到，已经 {gone}。",
        seen=voice.moment(seen),
        provider=safe_text(ground.provider, _NAME) or "—",
        gone=gone,
    )


# ── trouble the carrier reported ─────────────────────────────────────────────────────────────────


def _trouble(ground: Ground, voice: Voice) -> Iterator[Sentence]:
    finding = ground.finding
    if "check" in finding.evidence:
        claim = voice.reword(safe_text(finding.evidence.get("text", ""), _CLAIM))
        yield Sentence(Part.TROUBLE, voice._("事实：{text}。", text=claim))
        yield Sentence(Part.SOURCE, _source(ground, voice))
        return
    trouble = voice.catalogue(finding.evidence.get("trouble", ""))
    text = safe_text(finding.evidence.get("text", ""), _SCAN)
    said = voice._(
        "贵司在 {when} 报告「{trouble}」，原文：「{text}」。",
        when=voice.moment(finding.crossed_at),
        trouble=trouble or voice.catalogue(finding.evidence.get("rule_zh", finding.rule)),
        text=text or "—",
    )
    yield Sentence(Part.TROUBLE, said)
    yield Sentence(Part.SOURCE, _source(ground, voice))


# ── both ─────────────────────────────────────────────────────────────────────────────────────────


def _doubts(ground: Ground, voice: Voice) -> Iterator[Sentence]:
    """Where it stands, what nobody could read, and what else it might be."""
    finding, journey = ground.finding, ground.case.journey
    if ground.state is not FindingState.OPEN:
        return
    where = finding.evidence.get("whereabouts", "")
    if where in list(Whereabouts):
        place = safe_text(journey.node, _NAME)
        if place and journey.next_stop:
            place += f" → {safe_text(journey.next_stop, _NAME)}"
        said = voice._("停在：{where}", where=voice.catalogue(Whereabouts(where).zh))
        yield Sentence(
            Part.PLACE, said + (voice._("（{place}）", place=place) if place else "") + voice._("。")
        )
    unread = _unread(ground)
    if unread:
        lines = [voice._("「{text}」", text=safe_text(row.event.text, 80)) for row in unread[-_UNREAD_SHOWN:]]
        text = voice._(
            "此后还有 {n} 条我们没能识别的轨迹，请一起核对：{lines}。", n=len(unread), lines="".join(lines)
        )
        yield Sentence(Part.UNREAD, text)
    if doubt := finding.evidence.get("no_news", ""):
        yield Sentence(Part.DOUBT, voice._("{doubt}。", doubt=voice.reword(doubt)))


def _unread(ground: Ground) -> list[Stored]:
    """The standing lines after the last movement that nobody could read (L7)."""
    moved = ground.case.journey.last_movement_at
    return [
        row
        for row in sorted(ground.scans, key=lambda row: (row.event.occurred_at, row.seq))
        if row.withdrawn_at is None
        and row.event.milestone is Milestone.UNKNOWN
        and not row.event.exceptions
        and not row.event.forecast
        and (moved is None or row.event.occurred_at > moved)
    ]


def _ended(ground: Ground, voice: Voice) -> Iterator[Sentence]:
    if ground.state is FindingState.OPEN or ground.ended_at is None:
        return
    said = {
        FindingState.CLEARED: voice._("已恢复"),
        FindingState.RETRACTED: voice._("已撤回：从来不成立"),
        FindingState.EXPIRED: voice._("不再适用"),
        FindingState.DISMISSED: voice._("已由人工忽略"),
    }[ground.state]
    by = safe_text(voice.reword(ground.ended_by), _SCAN)
    when = voice.moment(ground.ended_at)
    text = voice._("{when} {said}", when=when, said=said)
    yield Sentence(Part.ENDED, text + (voice._("（{by}）。", by=by) if by else voice._("。")))
