"""Short names for exactly what was said: of a whole book of policies, and of what holds for a parcel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Final

from domain.time import Calendar
from rules.declare import Rule
from rules.spec import Line, Policy

__all__ = ["plain", "terms"]


_RULES: Final[dict[int, tuple[Rule, object, str]]] = {}
"""The rules seen, what each says and its short name: thousands of policies hold the same few hundred."""
_MOST: Final = 10_000


def plain(value: object) -> object:
    """The same value in an order that does not change from run to run."""
    if isinstance(value, Calendar):
        return str(value)
    if isinstance(value, Rule):
        return _known(value)[1]
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(plain(getattr(value, each.name)) for each in fields(value) if each.compare)
    if isinstance(value, Mapping):
        return sorted((str(key), plain(item)) for key, item in value.items())
    if isinstance(value, frozenset):
        return sorted((plain(each) for each in value), key=repr)
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value


def terms(policy: Policy) -> str:
    """Of everything a verdict depends on, but not of the policies that lost or do not match."""
    lines = [_line(line) for line in policy.lines]
    rest = [plain(getattr(policy, name)) for name in _FURTHER]
    return _short((lines, rest))


def _line(line: Line) -> object:
    said = [plain(getattr(line, name)) for name in _OF_LINE]
    return _known(line.rule)[2], said, [_line(each) for each in line.variants]


def _known(rule: Rule) -> tuple[Rule, object, str]:
    known = _RULES.get(id(rule))
    if known is None or known[0] is not rule:
        if len(_RULES) > _MOST:
            _RULES.clear()
        said = tuple(plain(getattr(rule, each.name)) for each in fields(rule))
        known = _RULES[id(rule)] = rule, said, _short(said)
    return known


def _short(said: object) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


_OF_LINE: Final = [each.name for each in fields(Line) if each.name not in ("rule", "variants", "beat")]
_FURTHER: Final = [
    each.name for each in fields(Policy) if each.name not in ("lines", "version", "terms", "beat", "why")
]
