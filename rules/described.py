"""A book of policies as plain data, to be kept beside the version that findings name; and what two of them say differently.

What has its default is left out, and a rule stands in the profile that says it, not in those that inherit it: so a
change is one change. Lengths are written as people write them (`48h`), moments in ISO 8601.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Any, Final

from domain.time import Calendar, format_duration
from rules.regions import Tier

__all__ = ["ORDER", "Difference", "body", "differences", "entry", "leaves", "read_body"]

_NAMED: Final = ("policies", "overrides", "exemptions", "deferrals", "warehouses")
"""Lists of tables that have names."""


def body(**parts: object) -> str:
    """The parts of a book, by name, as one text."""
    plain = {name: described(value) for name, value in parts.items()}
    return json.dumps({name: value for name, value in plain.items() if value}, ensure_ascii=False, indent=0)


def read_body(text: str) -> dict[str, Any] | None:
    """The inverse of `body`; None for what an earlier program kept, which is a text for its developers."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def described(value: Any) -> Any:
    """The same as JSON can say it, in an order that does not change from run to run."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Calendar):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        told = {each.name: getattr(value, each.name) for each in fields(value)}
        return {
            each.name: described(told[each.name])
            for each in fields(value)
            if told[each.name] != _default(each)
        }
    if isinstance(value, Mapping):
        if _everywhere(value):
            return described(next(iter(value.values())))
        return {_key(name): described(value[name]) for name in sorted(value, key=_key)}
    if isinstance(value, (set, frozenset)):
        return sorted(described(each) for each in value)
    if isinstance(value, (tuple, list)):
        return [described(each) for each in value]
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)


def _everywhere(value: Mapping[Any, Any]) -> bool:
    """The same for near and far destinations, as it is written then: one limit."""
    return len(value) > 1 and all(isinstance(name, Tier) for name in value) and len({*value.values()}) == 1


def _default(each: Field[Any]) -> Any:
    if each.default is not MISSING:
        return each.default
    return each.default_factory() if each.default_factory is not MISSING else MISSING


def _key(name: object) -> str:
    if isinstance(name, tuple):
        return "/".join(map(_key, name))
    return str(name.value if isinstance(name, Enum) else name)


# ── what two of them say differently ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Difference:
    """One value; `was` or `now` is None where it is not said at all, and the default holds."""

    path: tuple[str, ...]
    """`policies`, `旗舰店`, `rules`, `late_pickup`, `limit`."""
    was: Any
    now: Any


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """What `now` says that `was` did not, value by value; and where named tables stand in another order."""
    return list(_between((), was, now))


def leaves(told: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """Every single value of what is told, with its path."""
    return [(each.path, each.now) for each in differences({}, told)]


def _between(path: tuple[str, ...], was: Any, now: Any) -> Iterator[Difference]:
    if path and path[-1] in _NAMED and _tables(was) and _tables(now):
        before, after = _by_name(was), _by_name(now)
        yield from _between(path, before, after)
        common = [[name for name in side if name in before and name in after] for side in (before, after)]
        if common[0] != common[1]:
            yield Difference((*path, ORDER), list(before), list(after))
    elif _table(was) and _table(now):
        for name in dict.fromkeys([*(was or {}), *(now or {})]):
            yield from _between((*path, name), (was or {}).get(name), (now or {}).get(name))
        if (was is None or now is None) and not was and not now:
            yield Difference(path, was, now)  # an empty table came or went
    elif was != now:
        yield Difference(path, was, now)


ORDER: Final = "（先后）"
"""Stands for a name where only the order of tables is another one: of equals the first wins."""


def _table(value: Any) -> bool:
    return value is None or isinstance(value, Mapping)


def _tables(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(each, Mapping) for each in value))


def _by_name(tables: Sequence[Mapping[str, Any]] | None) -> dict[str, Mapping[str, Any]]:
    """Tables by their names; of several with one name the second is `name #2`."""
    found: dict[str, Mapping[str, Any]] = {}
    for table in tables or ():
        name = str(table.get("name") or _window(table) or "")
        again = sum(known == name or known.startswith(f"{name} #") for known in found)
        found[f"{name} #{again + 1}" if again else name] = {k: v for k, v in table.items() if k != "name"}
    return found


def _window(table: Mapping[str, Any]) -> str:
    """An exemption's name stands in its window."""
    window = table.get("window")
    return str(window.get("name", "")) if isinstance(window, Mapping) else ""


def entry(book: Mapping[str, Any], kind: str, name: str) -> Any:
    """What a book says under a kind (`policies`, `profiles`, …) and a name; None when it says nothing."""
    told = book.get(kind)
    return (_by_name(told) if isinstance(told, list) else told or {}).get(name)
