"""The exemptions and windows that come with the program: precedents, in force only where they are switched on.

Each file of `config/windows/` is one notice, of a platform or of the carriers, with its source; its name is
what the configuration's `windows` says. Lists of remote provinces by platform come from `config/tiers.toml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from monitor.calendars import config_folder
from monitor.config.exemptions import exemption_table, exemptions
from monitor.config.file import read_toml
from monitor.config.lines import KeyPath
from monitor.config.places import EVERYWHERE, tiers_of
from monitor.config.shapes import Reading, Setting, Shape, Table, read_table, table_schema, tables
from monitor.config.values import TEXT, TEXTS, choice
from monitor.config.words import Words
from rules.exemptions import Deferral, Exemption
from rules.regions import TierLists

__all__ = ["Notice", "load_tiers", "load_windows", "merged", "uses", "window_file", "window_names"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What one file says."""

    id: str
    name: str
    confidence: str
    source: tuple[str, ...]
    note: str
    exemptions: tuple[Exemption, ...]
    deferrals: tuple[Deferral, ...]

    @property
    def over_at(self) -> datetime:
        """When none of it can make a difference to a new order any more."""
        ends = [each.window.ends_at for each in self.exemptions]
        return max(ends + [each.window.ends_at for each in self.deferrals])


def window_file(name: str) -> Path:
    """Where a notice is written."""
    return config_folder() / "windows" / f"{name}.toml"


def window_names() -> list[str]:
    """What `windows` may say."""
    return sorted(file.stem for file in (config_folder() / "windows").glob("*.toml"))


def uses() -> Shape:
    """One of `windows`: a name, or `{use = …, opted_in = […]}` for a notice that some shops renounced."""
    name = choice(window_names(), "豁免或窗口")
    table: Table = {
        "use": Setting(name, "启用哪一个"),
        "opted_in": Setting(TEXTS, "报名照常发货、不享受的店铺", ()),
    }

    def read(reading: Reading, path: KeyPath, value: Any) -> tuple[str, frozenset[str]] | None:
        if not isinstance(value, dict):
            found = name.read(reading, path, value)
            return None if found is None else (found, frozenset())
        got = read_table(reading, path, value, table)
        return None if got["use"] is None else (got["use"], frozenset(got["opted_in"] or ()))

    return Shape(read, {"anyOf": [name.schema, table_schema(table)]})


def load_windows(
    words: Words, wanted: Iterable[tuple[str, frozenset[str]] | None] = ()
) -> tuple[Notice, ...]:
    """The notices as `uses` reads them, each once. Raises ConfigError for the first file with mistakes."""
    renounced: dict[str, frozenset[str]] = {}
    for name, shops in filter(None, wanted):
        renounced[name] = renounced.get(name, frozenset()) | shops
    return tuple(_without(_load(words, window_file(name)), shops) for name, shops in renounced.items())


def _without(notice: Notice, shops: frozenset[str]) -> Notice:
    """The notice, renounced by these shops."""
    windows = tuple(replace(each, opted_in=each.opted_in | shops) for each in notice.deferrals)
    return replace(notice, deferrals=windows)


def _load(words: Words, file: Path) -> Notice:
    document = read_toml(file)
    reading = Reading(folder=file.parent)
    got = read_table(reading, (), document.data, _table(words))
    pauses, windows = exemptions(reading, words, got["exemptions"] or (), file.stem)
    document.refuse(reading.problems)
    return Notice(file.stem, got["name"], got["confidence"], got["source"], got["note"], pauses, windows)


def _table(words: Words) -> Table:
    return {
        "name": Setting(TEXT, "名字"),
        "source": Setting(TEXTS, "出处"),
        "confidence": Setting(TEXT, "可信度"),
        "note": Setting(TEXT, "说明", ""),
        "exemptions": Setting(tables(exemption_table(words)), "豁免和窗口"),
    }


_TIERS: Final = "tiers.toml"


def load_tiers(words: Words) -> Mapping[str, TierLists]:
    """The provinces of each level, by profile. Raises ConfigError."""
    document = read_toml(config_folder() / _TIERS)
    reading = Reading()
    tiers: Mapping[str, TierLists] = tiers_of(words.known.profiles).read(reading, (), dict(document.data))
    document.refuse(reading.problems)
    return tiers


def merged(shipped: Mapping[str, TierLists], own: Mapping[str, TierLists]) -> dict[str, TierLists]:
    """The shipped lists with the levels of the configuration's `[tiers]` over them.

    What the configuration says for every platform also replaces what is shipped for a single one.
    """
    general = own.get(EVERYWHERE, {})
    names = sorted({*shipped, *own})
    return {name: _over(_over(shipped.get(name, {}), general), own.get(name, {})) for name in names}


def _over(lists: TierLists, further: TierLists) -> TierLists:
    """A province is in the level that was said last."""
    moved = frozenset[str]().union(*further.values())
    return {**{level: names - moved for level, names in lists.items()}, **further}
