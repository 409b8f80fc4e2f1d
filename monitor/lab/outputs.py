"""The lab's files: `findings.csv` and `summary.json`, as `design.md` §4 has them.

Times are ISO 8601 with the offset of the zone. Texts of a merchant's own (order numbers) cannot become formulas.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from monitor.intake.export import neutral
from monitor.lab.compare import Card, Numbers
from monitor.lab.fines import Fines
from monitor.lab.report import Report

__all__ = ["FINDINGS", "summary", "write_findings", "write_json"]

FINDINGS: Final = (
    "carrier",
    "waybill_no",
    "order_no",
    "rule",
    "stage",
    "started_at",
    "crossed_at",
    "ended_at",
    "limit_hours",
    "policy",
)
"""The columns of `findings.csv`; they do not change."""
_MOMENTS: Final = ("started_at", "crossed_at", "ended_at")
_CHUNK: Final = 50_000


def write_findings(
    findings: pd.DataFrame,
    path: Path,
    zone: ZoneInfo,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """One row per stage crossed, in the order given. The frame has the parcel's names beside the engine's columns."""
    with path.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(FINDINGS)
        for start in range(0, len(findings), _CHUNK):
            rows.writerows(_rows(findings.iloc[start : start + _CHUNK], zone))
            watch(min(start + _CHUNK, len(findings)), len(findings))


def _rows(some: pd.DataFrame, zone: ZoneInfo) -> zip[tuple[Any, ...]]:
    columns: list[Sequence[str]] = []
    for name in FINDINGS:
        if name in _MOMENTS:
            columns.append(_iso(some[name], zone))
        elif name == "limit_hours":
            columns.append(_each(some[name], lambda hours: "" if pd.isna(hours) else f"{hours:g}"))
        else:
            columns.append(_each(some[name], lambda word: neutral(str(word))))
    return zip(*columns, strict=True)


def _each(values: pd.Series[Any], say: Callable[[Any], str]) -> list[str]:
    """Every different value said once."""
    codes, found = pd.factorize(values, use_na_sentinel=False)
    words = [say(value) for value in found]
    return [words[code] for code in codes.tolist()]


def _iso(at: pd.Series[pd.Timestamp], zone: ZoneInfo) -> list[str]:
    """As `datetime.isoformat` writes them in the zone; nothing where there is no moment."""
    utc = at.dt.tz_localize(None)
    local = at.dt.tz_convert(zone).dt.tz_localize(None)
    offsets = _each((local - utc).dt.total_seconds(), _offset)
    walls = np.datetime_as_string(local.to_numpy(), unit="us").tolist()
    return [
        "" if wall == "NaT" else wall.removesuffix(".000000") + offset
        for wall, offset in zip(walls, offsets, strict=True)
    ]


def _offset(seconds: float) -> str:
    if pd.isna(seconds):
        return ""
    return datetime.fromtimestamp(0, timezone(timedelta(seconds=seconds))).isoformat()[19:]


def summary(report: Report) -> dict[str, Any]:
    """What `summary.json` says; money in yuan."""
    numbers, zone = report.numbers, report.zone
    told: dict[str, Any] = {
        "policy": report.policy,
        "since": report.since.astimezone(zone).isoformat(),
        "as_of": report.as_of.astimezone(zone).isoformat(),
        "parcels": report.parcels,
        "events": report.events,
        "rejected": dict(report.rejected),
        "remarks": list(report.remarks),
        **_numbers(numbers),
    }
    if report.other is not None:
        other, differs = report.other.numbers, report.other.difference
        told["against"] = {"policy": report.other.policy, **_numbers(other)}
        told["difference"] = {
            "both": differs.both,
            "only_policy": differs.only_first,
            "only_against": differs.only_second,
            "alerts_per_day": round(numbers.alerts_per_day - other.alerts_per_day, 2),
            "rules": {rule: _sides(stages) for rule, stages in differs.by_rule.items()},
        }
    return told


def _sides(stages: Mapping[str, Sequence[int]]) -> dict[str, dict[str, int]]:
    names = ("both", "only_policy", "only_against")
    return {stage: dict(zip(names, counts, strict=True)) for stage, counts in stages.items()}


def _numbers(found: Numbers) -> dict[str, Any]:
    busiest, most = found.busiest
    return {
        "findings": found.findings,
        "rules": found.rule_stage,
        "carriers": found.carrier,
        "days": found.per_day,
        "alerts": {
            "total": found.alerts,
            "per_day": round(found.alerts_per_day, 2),
            "agents": found.agents,
            "per_agent_per_day": round(found.alerts_per_agent, 2),
            "busiest_day": busiest,
            "busiest": most,
        },
        "running": found.running,
        "fines": _fines(found.fines),
        "cards": [_card(card) for card in found.cards],
    }


def _card(card: Card) -> dict[str, Any]:
    whole = {name: value for name, value in asdict(card).items() if name not in ("fines", "steps")}
    shares = (
        {
            f"{name}_share": round(getattr(card, name) / card.decided, 4)
            for name in ("breached", "recovered", "false")
        }
        if card.enough
        else {}
    )
    suggested = card.suggested
    return {
        **whole,
        "decided": card.decided,
        "enough": card.enough,
        **shares,
        "fines": _fines(card.fines),
        "steps": [{**asdict(step), "share": round(step.share, 4)} for step in card.steps],
        "suggested_warn_hours": suggested.hours_before if suggested else None,
        "suggested_from": suggested.decided if suggested else None,
        "advice": card.advice,
    }


def _fines(owed: Fines) -> dict[str, Any]:
    """What the platform fines, what of it was told in time, and the rest."""
    parts = {"platform": owed.every, "told_in_time": owed.in_time, "late_or_untold": owed.rest}
    return {
        name: {"count": each.count, "yuan": [each.low / 100, each.high / 100]} for name, each in parts.items()
    }


def write_json(told: dict[str, Any], path: Path) -> None:
    """`summary.json`."""
    path.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", "utf-8")
