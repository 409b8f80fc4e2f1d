"""Scans for the lab, from a file: `carrier, waybill_no, occurred_at, description[, milestone][, code][, location]
[, learned_at]` (`design.md` §4).

A given milestone is used as it is; without one the engine reads the text. The frame is what `rules.lab` wants:
`parcel, occurred_at[, learned_at], milestone, text, code, location`, the texts as categories.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.masking import safe_text
from domain.tracking import MILESTONE_ZH, Milestone
from monitor.intake.tables import FileRefused
from monitor.intake.values import heading_key
from monitor.lab.parcels import Parcels
from monitor.lab.rows import Faults, bare, carriers_of, cell
from monitor.lab.tables import LINE, TextFile, open_text
from monitor.lab.telling import Telling
from monitor.lab.times import EARLIEST, MOMENT, read_times

__all__ = ["WORDS", "Lexicon", "empty_events", "read_events"]

WORDS: Final = ("milestone", "text", "code", "location")
"""The columns of texts."""
_STAGE: Final = "读轨迹"
_REQUIRED: Final = ("carrier", "waybill_no", "occurred_at")
_KNOWN: Final = (*_REQUIRED, "description", "milestone", "code", "location", "learned_at")
_LOOKED: Final = 20
"""Scans without a parcel for which the nearest waybill is looked for."""
_NAMED: Final = 1000
"""Rows said twice that are named one by one; all are counted."""
_ALIASES: Final = {
    "registered": Milestone.LABEL_CREATED,
    "arrived_at_destination": Milestone.ARRIVED_DEST_CITY,
    **{zh: milestone for milestone, zh in MILESTONE_ZH.items()},
    **{milestone.value: milestone for milestone in Milestone},
}
"""A milestone as files write it: our name, its Chinese, and the names of `facts/carriers-states.csv`."""


@dataclass
class Lexicon:
    """Every different text of a column once; the column itself is numbers."""

    words: dict[str, int] = field(default_factory=dict)

    def codes(self, texts: pd.Series[str]) -> npt.NDArray[np.int32]:
        """The numbers of these texts."""
        local, found = pd.factorize(texts)
        places = [self.words.setdefault(str(word), len(self.words)) for word in found]
        return np.array(places, dtype=np.int32)[local] if places else np.empty(0, dtype=np.int32)

    def column(self, codes: npt.NDArray[np.int32]) -> pd.Categorical:
        """The column as texts again."""
        return pd.Categorical.from_codes(codes, categories=pd.Index([*self.words], dtype="str"))


def empty_events() -> pd.DataFrame:
    """No scan at all, its texts as numbers."""
    kinds = {"parcel": "int32", "occurred_at": MOMENT, "learned_at": MOMENT} | dict.fromkeys(WORDS, "int32")
    return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in {**kinds, LINE: "int64"}.items()})


def read_events(
    path: Path, parcels: Parcels, zone: ZoneInfo, latest: datetime, aside: Path, telling: Telling
) -> pd.DataFrame:
    """The scans of a file; what cannot be taken is told. Raises `FileRefused` for a file that is not one."""
    file = open_text(path, aside)
    names = _headings(file, telling)
    lexica = {name: Lexicon() for name in WORDS}
    reader = _Reader(file.name, parcels, zone, latest, telling, lexica)
    chunks = [reader.columns(chunk.rename(columns=names)) for chunk in file.frames(telling, _STAGE)]
    events = pd.concat([empty_events(), *chunks], ignore_index=True)
    del chunks
    events = _once(events, parcels, file.name, telling)
    for name in WORDS:
        events[name] = lexica[name].column(events[name].to_numpy())
    return events.drop(columns=["learned_at"]) if events["learned_at"].isna().all() else events


def _headings(file: TextFile, telling: Telling) -> dict[str, str]:
    names = {heading: heading_key(heading)[0] for heading in file.header}
    missing = [name for name in _REQUIRED if name not in names.values()]
    if not {"description", "milestone"} & set(names.values()):
        missing.append("description（或 milestone）")
    if missing:
        seen = "、".join(safe_text(each, 20) for each in file.header[:20])
        swapped = "；是不是和 --orders 写反了？" if "order_no" in names.values() else ""
        raise FileRefused(
            file.name, "missing_columns", f"缺少必需的列：{'、'.join(missing)}；看到的列：{seen}{swapped}"
        )
    for heading, name in names.items():
        if name not in _KNOWN:
            close = get_close_matches(name, _KNOWN, n=1)
            hint = f"；是不是想写 {close[0]}？" if close else ""
            telling.remark(f"{file.name} 的列“{safe_text(heading, 40)}”不认识，没有读{hint}")
    return names


@dataclass(frozen=True)
class _Reader:
    """Turns chunks of text into typed columns."""

    file: str
    parcels: Parcels
    zone: ZoneInfo
    latest: datetime
    telling: Telling
    lexica: dict[str, Lexicon]

    def columns(self, raw: pd.DataFrame) -> pd.DataFrame:
        """One chunk; rows with a fault are told with all their reasons."""
        faults = Faults(raw, self.file, self.telling)
        out = pd.DataFrame(index=raw.index)
        out["parcel"] = self._parcels(raw, faults)
        self._moments(raw, out, faults)
        for name, source in (("text", "description"), ("code", "code"), ("location", "location")):
            out[name] = self.lexica[name].codes(bare(raw, source))
        out["milestone"] = self.lexica["milestone"].codes(_milestones(bare(raw, "milestone"), faults))
        out[LINE] = raw[LINE]
        return out[faults.settle()]

    def _parcels(self, raw: pd.DataFrame, faults: Faults) -> npt.NDArray[np.int32]:
        carriers, unknown = carriers_of(cell(raw, "carrier"), self.telling)
        for n, reason in unknown.items():
            faults.at(n, "unknown_carrier", reason)
        waybills = bare(raw, "waybill_no")
        faults.where(waybills == "", "no_event_waybill", "waybill_no 是空的")
        places = self.parcels.places(carriers, waybills)
        missing = (places < 0).nonzero()[0].tolist()
        looked = frozenset(missing[: 0 if self.telling.counts["no_order"] else _LOOKED])
        for n in missing:
            carrier, waybill = str(carriers.iloc[n]), str(waybills.iloc[n])
            if carrier and waybill:
                near = self.parcels.nearest(carrier, waybill) if n in looked else ""
                faults.at(n, "no_order", f"订单文件里没有运单 {safe_text(waybill, 40)}{near}")
        return places.astype(np.int32)

    def _moments(self, raw: pd.DataFrame, out: pd.DataFrame, faults: Faults) -> None:
        newest = pd.Timestamp(self.latest)
        told = f"晚于“现在”{self.latest.astimezone(self.zone):%Y-%m-%d %H:%M}"
        for name in ("occurred_at", "learned_at"):
            found = read_times(cell(raw, name), self.zone, whole_day=False, late_minute=False)
            out[name] = found.at
            for n, reason in found.faults.items():
                faults.at(n, "bad_time", f"{name}：{reason}")
            if name == "occurred_at":  # `-`, `null` and the like are also nothing
                untold = found.at.isna().to_numpy(copy=True)
                untold[list(found.faults)] = False
                faults.where(pd.Series(untold), "bad_time", "occurred_at 是空的")
            faults.where(found.at < EARLIEST, "too_early", f"{name} 早于 2010 年")
            faults.where(found.at > newest, "in_the_future", f"{name} {told}")


def _milestones(words: pd.Series[str], faults: Faults) -> pd.Series[str]:
    """Our names; blank where none is given."""
    known = {word: _ALIASES.get(word.lower()) if word else None for word in words.unique()}
    strange = {word for word, milestone in known.items() if word and milestone is None}
    if strange:
        for n in words.isin(strange).to_numpy().nonzero()[0].tolist():
            faults.at(n, "unknown_milestone", _nearest(str(words.iloc[n])))
    return words.map({word: each.value if each else "" for word, each in known.items()}).astype("str")


def _nearest(word: str) -> str:
    near = get_close_matches(word, _ALIASES, n=1, cutoff=0.4)
    known = "、".join(milestone.value for milestone in Milestone)
    hint = f"，是不是 {near[0]}？" if near else f"；可以写：{known}"
    return f"不认识的节点“{safe_text(word, 24)}”{hint}"


def _once(events: pd.DataFrame, parcels: Parcels, file: str, telling: Telling) -> pd.DataFrame:
    """The same line twice is one scan."""
    key = ["parcel", "occurred_at", "text", "milestone"]
    again = events.duplicated(key)
    if not again.any():
        return events
    pairs = events[again].head(_NAMED).merge(events[~again][[*key, LINE]], on=key, suffixes=("", "_of"))
    names = parcels.frame.loc[pairs["parcel"], ["carrier", "waybill_no"]].to_numpy().tolist()
    for line, of, cells in zip(pairs[LINE].tolist(), pairs[f"{LINE}_of"].tolist(), names, strict=True):
        telling.reject(file, line, "duplicate", f"与第 {of} 行相同", cells)
    telling.counts["duplicate"] += int(again.sum()) - len(pairs)
    return events[~again].reset_index(drop=True)
