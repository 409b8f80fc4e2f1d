"""Why: every clock of a parcel, what started it, its deadline, what it waits for, who said so (E7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from carriers import names
from domain.findings import PARTY_ZH, ClockReading, Finding, Risk, Stage, Verdict
from domain.history import Stored
from domain.orders import UNNAMED, Case
from domain.time import format_duration
from domain.tracking import EXCEPTION_ZH, MILESTONE_ZH
from monitor.telling.wording import hours, yuan
from rules.clock import PROMISED
from rules.policy import Policy

__all__ = ["as_data", "as_text", "asked_zh", "clock_line", "clock_lines", "declared_zh", "short"]


NO_POLICY: Final = Policy("", (), "")
"""Where only readings are at hand, not what they were read by."""


def declared_zh(declared: str) -> str:
    """What the shop said of the carrier."""
    return "订单没有写" if declared == UNNAMED else f"订单写的是{names.display(declared)}"


def asked_zh(asked: str, case: Case) -> str:
    """What to say first where a parcel was asked for under `asked` (our key) and is not known to be its; or nothing."""
    if case.waybill.carrier != UNNAMED or asked in ("", UNNAMED):
        return ""
    return (
        f"没有{names.display(asked)}的 {case.waybill.waybill_no}；"
        "这是同一单号的包裹，订单没有写快递公司，还没有认出是哪家的"
    )


def _iso(at: datetime | None, zone: ZoneInfo) -> str | None:
    return at.astimezone(zone).isoformat() if at is not None else None


def as_data(
    case: Case,
    history: Sequence[Stored],
    verdict: Verdict,
    now: datetime,
    zone: ZoneInfo,
    extra: Mapping[str, Any],
    policy: Policy = NO_POLICY,
) -> dict[str, Any]:
    """`explain --json`: parcel, events, clocks, findings, next_look_at, observed_at. Money is yuan."""
    return {
        "parcel": {
            "carrier": case.waybill.carrier,
            "carrier_name": names.display(case.waybill.carrier),
            "waybill_no": case.waybill.waybill_no,
            "declared_carrier": case.declared,
            "milestone": case.journey.milestone.value,
            "orders": [
                {"order_no": o.order_no, "shop": o.shop, "platform": o.platform, "status": o.status.value}
                for o in case.orders
            ],
            "policy": policy.name,
            "policy_why": policy.why,
            "policy_beat": list(policy.beat),
            "policy_version": verdict.policy_version,
            "risk": _yuan(verdict.risk),
            **extra,
        },
        "events": [_event(row, zone) for row in history],
        "clocks": [_clock(clock, policy, zone) for clock in verdict.clocks],
        "findings": [_finding(finding, policy, zone) for finding in verdict.findings],
        "next_look_at": _iso(verdict.next_look_at, zone),
        "observed_at": _iso(case.observed_at, zone),
    }


def _event(row: Stored, zone: ZoneInfo) -> dict[str, Any]:
    event = row.event
    return {
        "occurred_at": _iso(event.occurred_at, zone),
        "written": event.written,
        "learned_at": _iso(row.learned_at, zone),
        "withdrawn_at": _iso(row.withdrawn_at, zone),
        "milestone": event.milestone.value,
        "code": event.code,
        "text": event.text,
        "exceptions": sorted(kind.value for kind in event.exceptions),
        "node": event.node,
        "next_stop": event.next_stop,
    }


def _clock(clock: ClockReading, policy: Policy, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "rule": clock.rule,
        "policy": clock.policy,
        "beat": list(_beaten(policy, clock.rule, clock.policy)),
        "shadow": _on_trial(policy, clock.rule),
        "started_at": _iso(clock.started_at, zone),
        "started_by": clock.started_by,
        "waits_for": clock.waits_for,
        "limit_hours": clock.limit.total_seconds() / 3600 if clock.limit else None,
        "calendar": clock.calendar,
        "deadline": _iso(clock.deadline, zone),
        "steps": [{"stage": step.stage.value, "at": _iso(step.at, zone)} for step in clock.steps],
        "ended_at": _iso(clock.ended_at, zone),
        "ended_by": clock.ended_by,
        "asleep": clock.asleep,
        "running": clock.running,
    }


def _on_trial(policy: Policy, rule: str) -> bool:
    line = policy.line(rule)
    return line is not None and line.rule.shadow


def _beaten(policy: Policy, rule: str, said_by: str) -> tuple[str, ...]:
    """The lines that this one overruled; none where something else speaks, such as the order's promise."""
    line = policy.line(rule)
    return line.beat if line is not None and line.source == said_by.removesuffix(PROMISED) else ()


def _yuan(risk: Risk | None) -> dict[str, float] | None:
    return None if risk is None else {"low": risk.low / 100, "high": risk.high / 100}


def _finding(finding: Finding, policy: Policy, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "stage": finding.stage.value,
        "started_at": _iso(finding.started_at, zone),
        "crossed_at": _iso(finding.crossed_at, zone),
        "deadline": _iso(finding.deadline, zone),
        "policy": finding.policy,
        "beat": list(_beaten(policy, finding.rule, finding.policy)),
        "shadow": finding.shadow,
        "risk": _yuan(finding.risk),
        "blame": {"party": finding.blame.party.value, "because": finding.blame.because}
        if finding.blame
        else None,
        "severity": finding.severity,
        "evidence": {name: _local(value, zone) for name, value in finding.evidence.items()},
    }


def _local(value: str, zone: ZoneInfo) -> str:
    """An evidence that is moments, as rules keep them (UTC), in the zone of all the others; any other as it is."""
    try:
        moments = [datetime.fromisoformat(each) for each in value.split(" ")]
    except ValueError:
        return value
    return (
        " ".join(at.astimezone(zone).isoformat() for at in moments)
        if all(at.tzinfo for at in moments)
        else value
    )


def as_text(
    case: Case,
    history: Sequence[Stored],
    verdict: Verdict,
    now: datetime,
    zone: ZoneInfo,
    extra: Mapping[str, Any],
    rules: Mapping[str, str],
    policy: Policy = NO_POLICY,
) -> str:
    """The same for a person at a terminal. `rules`: what each rule is called."""
    journey = case.journey
    lines = [
        f"{names.display(case.waybill.carrier)} {case.waybill.waybill_no}  "
        f"{MILESTONE_ZH[journey.milestone]}  订单 {'、'.join(o.order_no for o in case.orders)}"
    ]
    seen = f"已核实到 {short(case.observed_at, now, zone)}" if case.observed_at else "从未核实"
    lines.append(f"承运商动态{seen}；{_next_look(verdict.next_look_at, now, zone)}")
    if case.declared:
        lines.append(f"快递公司：{declared_zh(case.declared)}，实际是{names.display(case.waybill.carrier)}")
    if extra.get("why"):
        lines.append(f"说明：{extra['why']}")
    lines.append(f"\n轨迹（{len(history)} 条）")
    for row in history:
        event = row.event
        note = f"（原文时间 {event.written}）" if event.written else ""
        note += "（已撤回）" if row.withdrawn_at else ""
        troubles = "、".join(EXCEPTION_ZH[kind] for kind in sorted(event.exceptions))
        mark = MILESTONE_ZH[event.milestone] + (f"·{troubles}" if troubles else "")
        lines.append(f"  {short(event.occurred_at, now, zone)}  [{mark}] {event.text}{note}")
    if not history:
        lines.append("  尚无记录：可能未揽收，也可能承运商选错、缺手机号后四位，或刚下单")
    if policy.why:
        lost = f"；没有轮到 {'、'.join(policy.beat)}" if policy.beat else ""
        lines.append(f"\n策略 {policy.name}（版本 {policy.version}）：{policy.why}{lost}")
    lines.append("\n时效")
    lines += clock_lines(verdict.clocks, now, zone, rules, policy)
    whole = f"（合起来可能赔付 {yuan(verdict.risk)}）" if verdict.risk else ""
    lines.append(f"\n异常{whole}")
    for finding in verdict.findings:
        lines += _found_lines(finding, policy, now, zone)
    return "\n".join(lines if verdict.findings else [*lines, "  没有"])


def _found_lines(finding: Finding, policy: Policy, now: datetime, zone: ZoneInfo) -> Iterator[str]:
    """A finding, what it may cost by which entry of the tariff, and whose doing it is."""
    stage = "违规" if finding.stage is Stage.BREACH else "预警"
    name = finding.evidence.get("rule_zh", finding.rule)
    yield (
        f"  {stage} {name}（{finding.rule}），{short(finding.crossed_at, now, zone)} 越线，"
        f"依据 {_said_by(policy, finding.rule, finding.policy)}"
    )
    if finding.shadow:
        yield "      试运行：只记录，不通知任何人"
    entry = finding.evidence.get("penalty", "")
    if finding.risk is not None:
        yield f"      可能赔付 {yuan(finding.risk)}" + (f"：{entry}" if entry else "")
    elif entry:
        yield f"      罚则：{entry}"
    if finding.blame is not None:
        yield f"      责任：{PARTY_ZH[finding.blame.party]}（{finding.blame.because}）"


def _said_by(policy: Policy, rule: str, source: str) -> str:
    """The line that holds, with those it overruled."""
    beaten = _beaten(policy, rule, source)
    return f"{source}（盖过 {'、'.join(beaten)}）" if beaten else source


def clock_lines(
    clocks: Iterable[ClockReading],
    now: datetime,
    zone: ZoneInfo,
    rules: Mapping[str, str],
    policy: Policy = NO_POLICY,
) -> list[str]:
    """A line for each clock: those that run, those that ended, those that never started."""
    order = sorted(clocks, key=lambda each: 2 if each.asleep else int(each.ended_at is not None))
    return [clock_line(each, now, zone, rules, policy) for each in order]


def clock_line(
    clock: ClockReading,
    now: datetime,
    zone: ZoneInfo,
    rules: Mapping[str, str],
    policy: Policy = NO_POLICY,
) -> str:
    """One clock in a line: what started it, until when, what it waits for, how much is left."""
    name = rules.get(clock.rule)
    head = f"  {name}（{clock.rule}）" if name else f"  {clock.rule}"
    head += " 试运行" if _on_trial(policy, clock.rule) else ""
    if clock.asleep:
        return f"{head} 不计时：{clock.asleep}"
    counted = f"（按{clock.calendar}计）" if clock.calendar else ""
    limit = (format_duration(clock.limit) if clock.limit else "-") + counted
    start = (
        f"{short(clock.started_at, now, zone)}「{clock.started_by}」起，"
        f"时限 {limit} → {short(clock.deadline, now, zone)}"
    )
    return f"{head} {start}；{_stand(clock, now, zone)}；依据 {_said_by(policy, clock.rule, clock.policy)}"


def _stand(clock: ClockReading, now: datetime, zone: ZoneInfo) -> str:
    if clock.ended_at is not None:
        return f"{short(clock.ended_at, now, zone)} 已结束（{clock.ended_by}）"
    assert clock.deadline is not None
    left = clock.deadline - now
    state = f"还剩 {hours(left)}" if left.total_seconds() > 0 else f"已超 {hours(-left)}"
    return f"等「{clock.waits_for}」，{state}"


def _next_look(at: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    if at is None:
        return "没有要等的时限"
    late = "（早该看了）" if at <= now else ""
    return f"下次变化 {short(at, now, zone)}{late}"


def short(at: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    """A moment to the second, with the year where it is not this one."""
    if at is None:
        return "—"
    there = at.astimezone(zone)
    year = "" if there.year == now.astimezone(zone).year else f"{there.year}-"
    return f"{year}{there:%m-%d %H:%M:%S}"
