"""What a setting may look like: how it is read, and how the JSON Schema describes it, side by side.

A `Shape` reads one value and notes what is wrong with it; a `Table` names the settings of one TOML
table. Nothing stops at the first mistake: a value that could not be read is None and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from domain.time import SHANGHAI
from monitor.config.lines import KeyPath
from rules.declare import Problems

__all__ = [
    "REQUIRED", "Reading", "Remark", "Setting", "Shape", "Table", "hint", "kind_of", "leaf", "listed", "read_table",
    "table", "table_schema", "tables", "tables_by",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Remark:
    """Not a mistake, but `check` says it: where, what is odd, what to do."""

    path: KeyPath
    what: str
    todo: str


@dataclass(slots=True)
class Reading:
    """One pass over a file: what it may look at, and what it found wrong or worth a word."""

    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    zone: ZoneInfo = SHANGHAI
    problems: Problems = field(default_factory=Problems)
    plain: list[KeyPath] = field(default_factory=list)
    """Secrets written into the file itself."""
    files: list[tuple[KeyPath, Path]] = field(default_factory=list)
    """Secrets kept in files of their own."""
    remarks: list[Remark] = field(default_factory=list)


Read: TypeAlias = Callable[[Reading, KeyPath, Any], Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a value is read (None when it cannot be), and its JSON Schema."""

    read: Read
    schema: Mapping[str, Any]


REQUIRED: Final = object()
_FEW: Final = 24


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a table. Without a default it has to be there."""

    shape: Shape
    zh: str = ""
    default: Any = REQUIRED


Table: TypeAlias = Mapping[str, Setting]


def hint(word: str, known: Collection[str]) -> str:
    """The nearest known word, or all of them when none is near and they are few."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"，是不是想写 {near[0]}？"
    words = sorted(set(known))
    return f"；可用的有：{'、'.join(words)}" if 0 < len(words) <= _FEW else ""


def leaf(parse: Callable[[Any], Any], **schema: Any) -> Shape:
    """A shape whose `parse` raises ValueError or TypeError with a reason for people."""
    return Shape(lambda reading, path, value: reading.problems.read(path, parse, value), schema)


def kind_of(value: Any) -> str:
    """What kind of value it is, as people call it; never the value."""
    names = {bool: "是否", int: "整数", float: "小数", str: "文字", dict: "一张表", list: "列表"}
    return names.get(type(value), "日期时间")


def listed(item: Shape) -> Shape:
    """A list, or a single item for a list of one; an empty list is for the caller to judge."""

    def read(reading: Reading, path: KeyPath, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            return (item.read(reading, path, value),)
        return tuple(item.read(reading, (*path, n), each) for n, each in enumerate(value))

    return Shape(read, {"anyOf": [item.schema, {"type": "array", "items": item.schema}]})


def read_table(reading: Reading, path: KeyPath, value: Any, table: Table) -> dict[str, Any]:
    """The settings of one table, defaults filled in; what is missing or wrong is None and noted."""
    if not isinstance(value, dict):
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        reading.problems.at(path, f"要写成一张表：[{key}]，或 {key} = {{…}}（现在是{kind_of(value)}）")
        return dict.fromkeys(table)
    meant = set()
    for key in value.keys() - table.keys():
        reading.problems.unknown_key(path, key, list(table))
        meant.update(get_close_matches(key, table, n=1))
    got = {}
    for name, setting in table.items():
        if name in value:
            got[name] = setting.shape.read(reading, (*path, name), value[name])
        elif setting.default is REQUIRED:
            got[name] = None
            if name not in meant:
                reading.problems.at(
                    (*path, name), f"缺少 {name}（{setting.zh}）" if setting.zh else f"缺少 {name}"
                )
        else:
            got[name] = setting.default
    return got


def table_schema(table: Table) -> dict[str, Any]:
    """The JSON Schema of one table."""
    required = [name for name, setting in table.items() if setting.default is REQUIRED]
    return {
        "type": "object",
        "properties": {
            name: {**setting.shape.schema, **({"description": setting.zh} if setting.zh else {})}
            for name, setting in table.items()
        },
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def table(settings: Table) -> Shape:
    """A table of settings; reads as a dict."""
    return Shape(
        lambda reading, path, value: read_table(reading, path, value, settings), table_schema(settings)
    )


def tables(settings: Table) -> Shape:
    """An array of tables; reads as (path, dict) for each that is a table."""
    return tables_by(
        lambda reading, path, value: (path, read_table(reading, path, value, settings)),
        table_schema(settings),
    )


def tables_by(read: Read, schema: Mapping[str, Any]) -> Shape:
    """An array of tables, each read by `read`."""

    def read_all(reading: Reading, path: KeyPath, value: Any) -> list[Any]:
        if not isinstance(value, list):
            reading.problems.at(path, f"要用两对方括号：[[{path[-1]}]]（可以写多条）")
            return []
        for n, each in enumerate(value):
            if not isinstance(each, dict):
                reason = f"这里每一项都要是一张表：[[{path[-1]}]]（现在是{kind_of(each)}）"
                reading.problems.at((*path, n), reason)
        return [read(reading, (*path, n), each) for n, each in enumerate(value) if isinstance(each, dict)]

    return Shape(read_all, {"type": "array", "items": schema})
