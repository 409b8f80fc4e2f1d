"""What a policy would have done, in numbers, and what another would have done otherwise. Pure, over frames.

The unit is the *wait*: one parcel, one rule, one start. A wait crosses its warning steps and perhaps its limit;
`TERMS` defines every number in one line, and the report prints those lines beside the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandas as pd

__all__ = [
    "COMPARED",
    "COUNTED",
    "ENOUGH",
    "TERMS",
    "Card",
    "Difference",
    "Numbers",
    "Step",
    "difference",
    "numbers",
    "waits",
]

ENOUGH: Final = 30
"""With fewer decided waits a share says nothing."""
LIKELY: Final = 0.8
"""A warning step after which so many waits went on to breach is worth somebody's time."""

COMPARED: Final = ("parcel", "rule", "stage")
"""The columns of findings that `difference` looks at."""
COUNTED: Final = (
    *(*COMPARED, "step", "started_at", "crossed_at", "ended_at", "ended_by", "notify", "shadow"),
    *("risk_low", "risk_high"),
)
"""The columns of findings that `numbers` looks at."""

TERMS: Final = {
    "waits": "计时：一个包裹、一条规则、一次起算",
    "alerts": "提醒：每越过一步（一次预警或超时）算一次，只算 notify = true 且不是试行（shadow）的；群里的合并、压制和免打扰没有算，实际消息更少",
    "breached": "属实：最后超过了时限",
    "recovered": "自行恢复：预警以后，在时限之前动了",
    "false": "误报：后来补传的轨迹说明当时并没有越线",
    "expired": "不再适用：还没有结果，规则就不再管它了（订单关闭、退回、被拦截等）",
    "running": "还在走：到“现在”为止既没有动，也没有超过时限；不算进比例",
    "too_late": "太晚：属实的里面，第一次提醒时离超时不到 {useful:g} 小时（没有预警的也算；不通知的规则不算）",
    "moved_late": "超时后才动：属实的里面，到“现在”为止已经动了的",
    "lead": "提前量：从第一次提醒到超时的小时数，只算属实的",
    "share": "比例：分母是有结果的（属实 + 自行恢复 + 误报）",
    "at_risk": "可能的罚款：属实的，按平台规则的低到高；合计时低值每个包裹只取最高的一条，高值全部相加",
    "avoided": "可能避免的罚款：自行恢复的，如果它们超时会罚的；里面也有本来就会动的",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One warning step of a rule: how many crossed it, and how many of those with an outcome went on to breach."""

    step: int
    hours_before: float
    crossed: int
    decided: int
    breached: int

    @property
    def share(self) -> float:
        """Of those with an outcome."""
        return self.breached / self.decided if self.decided else 0.0


@dataclass(frozen=True, slots=True)
class Card:
    """The report card of one rule."""

    rule: str
    waits: int
    alerts: int
    breached: int
    recovered: int
    false: int
    expired: int
    running: int
    too_late: int
    moved_late: int
    lead_hours: float | None
    """The median; None where nothing breached."""
    at_risk: tuple[int, int] | None
    """Fen, low and high; None where no penalty is known."""
    avoided: tuple[int, int] | None
    steps: tuple[Step, ...] = ()
    shadow: bool = False
    """A rule on trial: found, told to nobody."""
    silent: bool = False
    """`notify = false`: told to nobody."""

    @property
    def decided(self) -> int:
        """The waits with an outcome."""
        return self.breached + self.recovered + self.false

    @property
    def enough(self) -> bool:
        """Shares mean something."""
        return self.decided >= ENOUGH

    @property
    def suggested(self) -> Step | None:
        """The earliest warning step after which most waits breached, where earlier ones are mostly noise.

        None where there is too little to go by, and where the first step already is that one.
        """
        steps = sorted(self.steps, key=lambda each: -each.hours_before)
        sound = [each for each in steps if each.decided >= ENOUGH and each.share >= LIKELY]
        return sound[0] if sound and steps[0] is not sound[0] else None


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one policy would have done."""

    findings: int
    alerts: int
    days: float
    """The length of the history."""
    agents: int
    per_day: dict[str, int]
    """Alerts by local day; a day without any is there too."""
    rule_stage: dict[str, dict[str, int]]
    carrier: dict[str, int]
    running: int
    lead_hours: tuple[float, ...] = field(repr=False)
    """Of every breached wait that somebody would have been told of."""
    cards: tuple[Card, ...] = ()
    at_risk: tuple[int, int] | None = None
    avoided: tuple[int, int] | None = None

    @property
    def alerts_per_day(self) -> float:
        """On average."""
        return self.alerts / self.days if self.days else float(self.alerts)

    @property
    def alerts_per_agent(self) -> float:
        """On average, a day."""
        return self.alerts_per_day / self.agents

    @property
    def busiest(self) -> tuple[str, int]:
        """The day with the most alerts."""
        return max(self.per_day.items(), key=lambda item: item[1], default=("", 0))


def waits(findings: pd.DataFrame) -> pd.DataFrame:
    """One row for each wait that crossed a step: when first told, when it breached, how it ended.

    Rule by rule, because what a million parcels' waits are worked out from takes room.
    """
    parts = [_waits(some) for _, some in findings.groupby("rule", sort=True)]
    return pd.concat(parts, ignore_index=True) if parts else _waits(findings)


def _waits(findings: pd.DataFrame) -> pd.DataFrame:
    key = ["parcel", "rule", "started_at"]
    breach = findings["stage"] == "breach"
    told = findings["notify"].astype(bool) & ~findings["shadow"].astype(bool)
    rows = findings.assign(
        breached_at=findings["crossed_at"].where(breach),
        told_at=findings["crossed_at"].where(told),
        alerts=told.astype("int64"),
    )
    found = rows.groupby(key, sort=False, as_index=False).agg(
        first_at=("crossed_at", "min"),
        told_at=("told_at", "min"),
        breached_at=("breached_at", "max"),
        ended_at=("ended_at", "max"),
        ended_by=("ended_by", "last"),
        alerts=("alerts", "sum"),
        shadow=("shadow", "max"),
        risk_low=("risk_low", "max"),
        risk_high=("risk_high", "max"),
    )
    found["outcome"] = _outcome(found)
    return found


def _outcome(found: pd.DataFrame) -> pd.Series[str]:
    outcome = pd.Series("recovered", index=found.index, dtype="str")
    outcome[found["ended_by"] == "expired"] = "expired"
    outcome[found["ended_at"].isna()] = "running"
    outcome[found["breached_at"].notna()] = "breached"
    outcome[found["ended_by"] == "retracted"] = "false"
    return outcome


def numbers(
    findings: pd.DataFrame,
    carriers: pd.Series[str],
    *,
    since: datetime,
    as_of: datetime,
    zone: ZoneInfo,
    agents: int = 1,
    useful: timedelta = timedelta(hours=4),
) -> Numbers:
    """The numbers of one policy's findings; `carriers` by parcel. Warnings closer to the limit than `useful` are late."""
    found = waits(findings)
    told = findings[findings["notify"].astype(bool) & ~findings["shadow"].astype(bool)]
    by_rule: dict[str, dict[str, int]] = {}
    for rule, some in findings.groupby("rule", sort=True):
        counts = some["stage"].value_counts().sort_index()
        by_rule[str(rule)] = {str(stage): int(count) for stage, count in counts.items()}
    by_carrier = findings["parcel"].map(carriers).value_counts().sort_index()
    cards = tuple(
        _card(str(rule), some, findings[findings["rule"] == rule], useful)
        for rule, some in found.groupby("rule", sort=True)
    )
    breached = found[(found["outcome"] == "breached") & found["told_at"].notna()]
    return Numbers(
        findings=len(findings),
        alerts=len(told),
        days=max((as_of - since) / timedelta(days=1), 0.0),
        agents=agents,
        per_day=_per_day(told["crossed_at"], since, as_of, zone),
        rule_stage=by_rule,
        carrier={str(name): int(count) for name, count in by_carrier.items()},
        running=int((found["outcome"] == "running").sum()),
        lead_hours=tuple(_hours(breached["breached_at"], breached["told_at"]).tolist()),
        cards=cards,
        at_risk=_together(found[found["outcome"] == "breached"]),
        avoided=_together(found[found["outcome"] == "recovered"]),
    )


def _per_day(
    crossed_at: pd.Series[pd.Timestamp], since: datetime, as_of: datetime, zone: ZoneInfo
) -> dict[str, int]:
    """By local day, from the first of the history or of the alerts to the last."""
    local = crossed_at.dt.tz_convert(zone).dt.strftime("%Y-%m-%d").value_counts()
    days = {str(day): int(count) for day, count in local.items()}
    first = min([since.astimezone(zone).strftime("%Y-%m-%d"), *days])
    last = max([as_of.astimezone(zone).strftime("%Y-%m-%d"), *days])
    return {str(day.date()): days.get(str(day.date()), 0) for day in pd.date_range(first, last)}


def _card(rule: str, found: pd.DataFrame, rows: pd.DataFrame, useful: timedelta) -> Card:
    outcome = found["outcome"].value_counts()
    breached = found[found["outcome"] == "breached"]
    lead = _hours(breached["breached_at"], breached["told_at"])
    silent = not found["alerts"].any()
    late = lead.isna() | (lead < useful / timedelta(hours=1))
    return Card(
        rule=rule,
        waits=len(found),
        alerts=int(found["alerts"].sum()),
        breached=int(outcome.get("breached", 0)),
        recovered=int(outcome.get("recovered", 0)),
        false=int(outcome.get("false", 0)),
        expired=int(outcome.get("expired", 0)),
        running=int(outcome.get("running", 0)),
        too_late=0 if silent else int(late.sum()),
        moved_late=int(breached["ended_at"].notna().sum()),
        lead_hours=float(lead.median()) if lead.notna().any() else None,
        at_risk=_summed(breached),
        avoided=_summed(found[found["outcome"] == "recovered"]),
        steps=_steps(found, rows),
        shadow=bool(found["shadow"].astype(bool).all()),
        silent=silent,
    )


def _steps(found: pd.DataFrame, rows: pd.DataFrame) -> tuple[Step, ...]:
    """The warning steps by how many hours before the limit they are, as the breached waits show it."""
    joined = rows[rows["stage"] == "warning"].merge(
        found[["parcel", "rule", "started_at", "breached_at", "outcome"]], on=["parcel", "rule", "started_at"]
    )
    steps = []
    for number in sorted(int(each) for each in joined["step"].unique()):
        some = joined[joined["step"] == number]
        ahead = _hours(some["breached_at"], some["crossed_at"]).median()
        if pd.isna(ahead):
            continue
        decided = some["outcome"].isin(["breached", "recovered", "false"])
        went_on = some["outcome"] == "breached"
        steps.append(Step(number, round(float(ahead), 1), len(some), int(decided.sum()), int(went_on.sum())))
    return tuple(steps)


def _hours(until: pd.Series[pd.Timestamp], since: pd.Series[pd.Timestamp]) -> pd.Series[float]:
    """Hours between two columns of moments."""
    return (until - since).dt.total_seconds() / 3600


def _summed(found: pd.DataFrame) -> tuple[int, int] | None:
    """Fen of all these waits; None where no penalty is known."""
    known = found[found["risk_high"].notna()]
    return (int(known["risk_low"].sum()), int(known["risk_high"].sum())) if len(known) else None


def _together(found: pd.DataFrame) -> tuple[int, int] | None:
    """Fen of whole parcels: at least the dearest of each one's rules, at most all of them."""
    known = found[found["risk_high"].notna()]
    if not len(known):
        return None
    return int(known.groupby("parcel")["risk_low"].max().sum()), int(known["risk_high"].sum())


@dataclass(frozen=True, slots=True)
class Difference:
    """What only one of two policies finds: parcel × rule × stage."""

    both: int
    only_first: int
    only_second: int
    by_rule: dict[str, dict[str, tuple[int, int, int]]]
    """Rule → stage → (both, only the first, only the second)."""


def difference(first: pd.DataFrame, second: pd.DataFrame) -> Difference:
    """Hold two policies' findings over the same history against each other."""
    key = list(COMPARED)
    one, other = (each[key].drop_duplicates() for each in (first, second))
    joined: Any = one.merge(other, on=key, how="outer", indicator=True)
    counts = joined.groupby(["rule", "stage", "_merge"], observed=False).size()
    by_rule: dict[str, dict[str, tuple[int, int, int]]] = {}
    for rule, stage in sorted(
        {(str(r), str(s)) for r, s in zip(joined["rule"], joined["stage"], strict=True)}
    ):
        three = [int(counts.get((rule, stage, side), 0)) for side in ("both", "left_only", "right_only")]
        by_rule.setdefault(rule, {})[stage] = (three[0], three[1], three[2])
    sides = joined["_merge"].value_counts()
    return Difference(int(sides["both"]), int(sides["left_only"]), int(sides["right_only"]), by_rule)
