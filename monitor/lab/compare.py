"""What a policy would have done, in numbers, and what another would have done otherwise. Pure, over frames.

The unit is the *wait*: one parcel, one rule, one start. A wait crosses its warning steps and perhaps its limit;
`TERMS` defines every number in one line, and the report prints those lines beside the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isnan
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import pandas as pd

from monitor.lab.fines import NONE, Fines, fines, leads

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

_MOST_LIMITS: Final = 6
"""More limits of one rule than that are not told apart."""

COMPARED: Final = ("parcel", "rule", "stage")
"""The columns of findings that `difference` looks at."""
COUNTED: Final = (
    *(*COMPARED, "step", "started_at", "crossed_at", "ended_at", "ended_by", "notify", "shadow"),
    *("limit_hours", "policy"),
)
"""The columns of findings that `numbers` looks at."""

TERMS: Final = {
    "waits": "计时：一个包裹、一条规则、一次起算",
    "alerts": "提醒：每越过一步（一次预警或超时）算一次，只算 notify = true 且不是试行（shadow）的；群里的合并、压制和免打扰没有算，实际消息更少",
    "breached": "属实：最后超过了这份策略的时限；会通知的是提醒过的，只记录的是规则不通知或在试行",
    "recovered": "自行恢复：预警以后，在时限之前动了",
    "false": "误报：后来补传的轨迹说明当时并没有越线",
    "expired": "不再适用：还没有结果，规则就不再管它了（订单关闭、退回、被拦截等）",
    "running": "还在走：到“现在”为止既没有动，也没有超过时限；不算进比例",
    "too_late": "太晚：属实的里面，第一次提醒时离超时不到 {useful:g} 小时（没有预警的也算；不通知的规则不算）",
    "moved_late": "超时后才动：属实的里面，到“现在”为止已经动了的",
    "lead": "提前量：从第一次提醒到这份策略自己的时限的小时数，只算属实的；时限不同的两份策略不能拿它比",
    "share": "比例：分母是有结果的（属实 + 自行恢复 + 误报）",
    "platform_lead": "离平台时限：从第一次提醒到平台自己的时限的小时数，只算超过了平台时限的；负的是平台时限以后才提醒。比较两份策略看这个",
    "fined": "平台会罚：同一段历史按平台自己的规则（不看商家改的时限）会罚的，包裹 × 规则算一笔，低到高；低值每个包裹只取最高的一条，高值全部相加；没有平台、平台不罚的没有",
    "in_time": "其中提前提醒到的：在平台时限以前至少 {useful:g} 小时，这份策略提醒过这个包裹（不论哪条规则）；提醒到不等于避免",
    "left_out": "没有看的：结构检查（路由倒退、重复用号等）不在实验室里；订单文件里已关闭、已退款又没有时间的订单没有看；退款中的当作一开始就在退款",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One warning step of a rule: how many crossed it, and how many of those with an outcome went on to breach."""

    limit_hours: float | None
    """The limit; None where the rule has too many to tell apart, as orders' own promises are."""
    hours_before: float
    crossed: int
    decided: int
    breached: int

    @property
    def told(self) -> str:
        """In words: how long before which limit."""
        limit = "" if self.limit_hours is None else f"时限 {self.limit_hours:g} 小时的"
        return f"{limit}提前 {self.hours_before:g} 小时"

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
    steps: tuple[Step, ...] = ()
    platform_lead_hours: float | None = None
    """The median against the platform's limit; None where nothing that was told of broke it."""
    fines: Fines = NONE
    """What the platform fines by this rule."""
    breached_told: int = 0
    """Of the breached, how many somebody was told of; of the others there is only a record."""
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
        """The earliest warning step after which most waits breached; None where no step is sound.

        It may be the first that the rule has already. Of several limits the one with most waits is meant.
        """
        sound = [each for each in self.steps if each.decided >= ENOUGH and each.share >= LIKELY]
        if not sound:
            return None
        limit = max(sound, key=lambda each: each.decided).limit_hours
        return max((each for each in sound if each.limit_hours == limit), key=lambda each: each.hours_before)

    @property
    def advice(self) -> str:
        """From which step a warning is worth it, or why nothing can be said, in words."""
        best = self.suggested
        if best is not None:
            first = max(each.hours_before for each in self.steps if each.limit_hours == best.limit_hours)
            told = f"{best.decided:,} 个里 {best.share:.0%} 最终超时"
            if best.hours_before == first:
                return f"现在最早的预警（{best.told}）就是：{told}，不用改晚"
            return f"建议从{best.told}起预警：{told}，更早的多半自己恢复"
        if not self.steps:
            return "没有建议：这段历史里没有一次预警"
        if all(each.decided < ENOUGH for each in self.steps):
            return f"没有建议：样本太少，没有一步预警有 {ENOUGH} 个有结果的"
        most = max((each for each in self.steps if each.decided >= ENOUGH), key=lambda each: each.share)
        return f"没有建议：没有一步到 {LIKELY:.0%}，最高的是{most.told}，{most.share:.0%}"


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
    platform_lead_hours: tuple[float, ...] = field(default=(), repr=False)
    """Of every wait that broke the platform's limit, and that somebody was told of."""
    fines: Fines = NONE

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
    platform: pd.DataFrame,
    useful: timedelta = timedelta(hours=4),
) -> Numbers:
    """The numbers of one policy's findings; `carriers` by parcel, `platform` as `fines.limits` has it.

    Warnings closer to the limit than `useful` are late.
    """
    found = waits(findings)
    found["platform_lead"] = leads(platform, found)
    told = findings[findings["notify"].astype(bool) & ~findings["shadow"].astype(bool)]
    by_rule: dict[str, dict[str, int]] = {}
    for rule, some in findings.groupby("rule", sort=True):
        counts = some["stage"].value_counts().sort_index()
        by_rule[str(rule)] = {str(stage): int(count) for stage, count in counts.items()}
    by_carrier = findings["parcel"].map(carriers).value_counts().sort_index()
    owed = fines(platform, told, useful)
    cards = tuple(
        _card(str(rule), some, findings[findings["rule"] == rule], useful, owed.get(str(rule), NONE))
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
        platform_lead_hours=tuple(found["platform_lead"].dropna().tolist()),
        fines=sum(owed.values(), NONE),
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


def _card(rule: str, found: pd.DataFrame, rows: pd.DataFrame, useful: timedelta, owed: Fines) -> Card:
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
        lead_hours=_median(lead),
        steps=_steps(found, rows),
        platform_lead_hours=_median(found["platform_lead"]),
        fines=owed,
        breached_told=int(breached["told_at"].notna().sum()),
        shadow=bool(found["shadow"].astype(bool).all()),
        silent=silent,
    )


def _steps(found: pd.DataFrame, rows: pd.DataFrame) -> tuple[Step, ...]:
    """The warning steps by limit and hours before it, as the breached waits show them.

    A step's number alone means nothing: one override warns twice, another once. Which line it is of
    (`policy`), its limit and its number make it one; lines that say the same count together.
    """
    joined = rows[rows["stage"] == "warning"].merge(
        found[["parcel", "rule", "started_at", "breached_at", "outcome"]], on=["parcel", "rule", "started_at"]
    )
    joined["limit_hours"] = joined["limit_hours"].round(1)
    if joined["limit_hours"].nunique() > _MOST_LIMITS:
        joined["limit_hours"] = float("nan")
    joined["ahead"] = _hours(joined["breached_at"], joined["crossed_at"])
    joined["policy"] = joined["policy"].astype("str")
    real = joined.groupby(["policy", "limit_hours", "step"], dropna=False, sort=False)
    joined["ahead"] = real["ahead"].transform("median").round(1)
    steps = []
    for real_step, some in joined.dropna(subset="ahead").groupby(
        ["limit_hours", "ahead"], dropna=False, sort=False
    ):
        limit, ahead = (float(each) for each in cast("tuple[float, float]", real_step))
        decided = int(some["outcome"].isin(["breached", "recovered", "false"]).sum())
        went_on = int((some["outcome"] == "breached").sum())
        steps.append(Step(None if isnan(limit) else limit, ahead, len(some), decided, went_on))
    return tuple(sorted(steps, key=lambda each: (-(each.limit_hours or 0), -each.hours_before)))


def _median(hours: pd.Series[float]) -> float | None:
    return float(hours.median()) if hours.notna().any() else None


def _hours(until: pd.Series[pd.Timestamp], since: pd.Series[pd.Timestamp]) -> pd.Series[float]:
    """Hours between two columns of moments."""
    return (until - since).dt.total_seconds() / 3600


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
