"""One sitting in the lab: judge, compare, write the files, and say it in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from monitor.lab.compare import COMPARED, COUNTED, Numbers, difference, numbers
from monitor.lab.drafts import Drafts
from monitor.lab.fines import limits
from monitor.lab.outputs import summary, write_findings, write_json
from monitor.lab.page import page
from monitor.lab.report import Other, Report
from monitor.lab.study import History, judged, too_short
from monitor.lab.telling import Telling
from monitor.lab.text import text
from rules.policy import PolicyBook

__all__ = ["Asked", "Told", "study"]


@dataclass(frozen=True)
class Asked:
    """What somebody wants to know."""

    policy: tuple[str, PolicyBook]
    """What it is called, and the rules."""
    against: tuple[str, PolicyBook] | None
    out: Path
    """An existing folder."""
    zone: ZoneInfo
    platforms: PolicyBook | None = None
    """Whose platforms, windows and pauses fine; a draft alone may lack those in force. None: the policy's own."""
    agents: int = 1
    useful: timedelta = timedelta(hours=4)
    rules_zh: Mapping[str, str] = field(default_factory=dict)
    carriers_zh: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """The answer."""

    data: dict[str, Any]
    """As in `summary.json`."""
    text: str


def study(history: History, asked: Asked, telling: Telling) -> Told:
    """Writes `findings.csv`, `summary.json`, `report.html`, `rejected.csv`; with another policy `findings.against.csv`.

    All of them or none. Raises OSError, as of a full disk.
    """
    with Drafts(asked.out) as drafts:
        return _written(history, asked, telling, drafts)


def _written(history: History, asked: Asked, telling: Telling, drafts: Drafts) -> Told:
    short = too_short(history, asked.policy[1])
    if short:
        telling.remark(short)
    platform = limits(judged(history, (asked.platforms or asked.policy[1]).platforms_own()))
    found, counted = _judged(history, asked.policy, platform, asked, telling, drafts, "findings.csv")
    other = None
    if asked.against is not None:
        second, counted_too = _judged(
            history, asked.against, platform, asked, telling, drafts, "findings.against.csv"
        )
        other = Other(asked.against[0], counted_too, difference(found, second))
    else:
        drafts.drop("findings.against.csv")
    report = Report(
        policy=asked.policy[0],
        numbers=counted,
        since=history.since,
        as_of=history.as_of,
        zone=asked.zone,
        parcels=history.watched,
        events=history.events,
        useful=asked.useful,
        rejected=dict(sorted(telling.counts.items())),
        remarks=tuple(telling.remarks),
        rules_zh=asked.rules_zh,
        carriers_zh=asked.carriers_zh,
        other=other,
    )
    data = summary(report)
    write_json(data, drafts.path("summary.json"))
    drafts.path("report.html").write_text(page(report), "utf-8")
    telling.write(drafts.path("rejected.csv"))
    return Told(data, text(report, asked.out))


def _judged(
    history: History,
    policy: tuple[str, PolicyBook],
    platform: pd.DataFrame,
    asked: Asked,
    telling: Telling,
    drafts: Drafts,
    file: str,
) -> tuple[pd.DataFrame, Numbers]:
    name, book = policy
    telling.watch(f"用 {name} 判定", 0, history.watched)
    found = judged(history, book)
    write_findings(
        found,
        drafts.path(file),
        asked.zone,
        lambda done, total: telling.watch(f"写 {file}", done, total),
    )
    lean = found[list(COUNTED)]
    del found
    counted = numbers(
        lean,
        history.parcels.frame["carrier"],
        since=history.since,
        as_of=history.as_of,
        zone=asked.zone,
        agents=asked.agents,
        platform=platform,
        useful=asked.useful,
    )
    return lean[list(COMPARED)], counted
