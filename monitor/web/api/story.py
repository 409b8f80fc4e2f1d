"""What several answers tell of one parcel: its scans, clocks, findings, entries and messages, as models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from domain import findings as words
from domain.findings import ClockReading, FindingState, Stage
from domain.history import Stored
from domain.tickets import EntryKind
from domain.tracking import Milestone
from monitor.store import ticket_page
from monitor.web.api.values import Blame, Risk, Zone, blame, hours, local, risk, shown

__all__ = [
    "Attempt",
    "Clock",
    "Entry",
    "Event",
    "Standing",
    "Told",
    "clean_tree",
    "clock",
    "entry",
    "event",
    "message",
    "standing",
]


class Event(BaseModel):
    """One scan as the carrier put it; `withdrawn_at` where it took it back."""

    occurred_at: datetime
    written: str = Field(description="原文时间，写得不是一个时刻时（只有日期，或没有时区）")
    learned_at: datetime
    withdrawn_at: datetime | None
    milestone: Milestone
    code: str
    text: str
    exceptions: list[str]
    node: str
    next_stop: str


class Step(BaseModel):
    """A threshold of a clock."""

    stage: Stage
    at: datetime


class Clock(BaseModel):
    """One clock: what started it, its deadline, what it waits for, which line of which policy said so."""

    rule: str
    policy: str
    started_at: datetime | None
    started_by: str
    waits_for: str
    limit_hours: float | None
    deadline: datetime | None
    steps: list[Step]
    ended_at: datetime | None
    ended_by: str
    asleep: str = Field(description="为什么不计时")
    running: bool


class Standing(BaseModel):
    """A finding of the parcel, standing or ended."""

    rule: str
    stage: Stage
    state: FindingState
    started_at: datetime
    crossed_at: datetime
    deadline: datetime | None
    limit_hours: float | None
    policy: str
    policy_version: str
    severity: int
    found_at: datetime
    ended_at: datetime | None
    ended_by: str
    silenced_by: str
    evidence: dict[str, str]
    shadow: bool = Field(description="规则在试运行：只记录，没有通知任何人")
    risk: Risk | None = Field(description="可能赔多少元；null：没有查到罚则")
    blame: Blame | None


class Entry(BaseModel):
    """One line of a ticket's history; only ever added."""

    at: datetime
    kind: EntryKind
    author: str
    text: str
    data: dict[str, Any]


class Attempt(BaseModel):
    """One try at saying something, and the platform's answer."""

    at: datetime
    outcome: str
    answer: str


class Told(BaseModel):
    """A message: to whom, what became of it."""

    id: int
    channel: str
    kind: str
    title: str
    state: str
    created_at: datetime
    sent_at: datetime | None
    last_answer: str
    folded_into: int | None = Field(description="并入哪一条汇总")
    attempts: list[Attempt]


def event(stored: Stored, zone: Zone) -> Event:
    """A scan."""
    of = stored.event
    return Event(
        occurred_at=of.occurred_at.astimezone(zone),
        written=shown(of.written),
        learned_at=stored.learned_at.astimezone(zone),
        withdrawn_at=local(stored.withdrawn_at, zone),
        milestone=of.milestone,
        code=shown(of.code),
        text=shown(of.text),
        exceptions=sorted(kind.value for kind in of.exceptions),
        node=shown(of.node),
        next_stop=shown(of.next_stop),
    )


def clock(reading: ClockReading, zone: Zone) -> Clock:
    """A clock as it was read."""
    return Clock(
        rule=reading.rule,
        policy=shown(reading.policy),
        started_at=local(reading.started_at, zone),
        started_by=shown(reading.started_by),
        waits_for=shown(reading.waits_for),
        limit_hours=hours(reading.limit),
        deadline=local(reading.deadline, zone),
        steps=[Step(stage=step.stage, at=step.at.astimezone(zone)) for step in reading.steps],
        ended_at=local(reading.ended_at, zone),
        ended_by=shown(reading.ended_by),
        asleep=shown(reading.asleep),
        running=reading.running,
    )


def standing(of: ticket_page.TicketFinding, zone: Zone) -> Standing:
    """A finding with how it stands."""
    found: words.Finding = of.finding
    return Standing(
        rule=found.rule,
        stage=found.stage,
        state=of.state,
        started_at=found.started_at.astimezone(zone),
        crossed_at=found.crossed_at.astimezone(zone),
        deadline=local(found.deadline, zone),
        limit_hours=hours(found.limit),
        policy=shown(found.policy),
        policy_version=of.policy_version,
        severity=found.severity,
        found_at=of.found_at.astimezone(zone),
        ended_at=local(of.ended_at, zone),
        ended_by=shown(of.ended_by),
        silenced_by=of.silenced_by,
        evidence={name: shown(value) for name, value in found.evidence.items()},
        shadow=found.shadow,
        risk=risk(found.risk),
        blame=blame(found.blame),
    )


def entry(of: ticket_page.Entry, zone: Zone) -> Entry:
    """A line of a ticket's history."""
    return Entry(
        at=of.at.astimezone(zone),
        kind=of.kind,
        author=shown(of.author),
        text=shown(of.text),
        data=clean_tree(of.data),
    )


def message(of: ticket_page.Said, zone: Zone) -> Told:
    """A message about a ticket."""
    return Told(
        id=of.id,
        channel=shown(of.channel),
        kind=of.message.kind.value,
        title=shown(of.message.title),
        state=of.state,
        created_at=of.created_at.astimezone(zone),
        sent_at=local(of.sent_at, zone),
        last_answer=shown(of.last_answer),
        folded_into=of.folded_into,
        attempts=[
            Attempt(at=each.at.astimezone(zone), outcome=each.outcome, answer=shown(each.answer))
            for each in of.attempts
        ],
    )


def clean_tree(value: Any) -> Any:
    """Stored JSON as it is given out: every text of it fit to be shown."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {shown(str(name)): clean_tree(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [clean_tree(each) for each in value]
    return value
