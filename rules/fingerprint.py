"""Short names for exactly what was said: of a whole book of policies, and of what holds for a parcel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace

from domain.time import Calendar
from rules.spec import Policy

__all__ = ["plain", "terms"]


def plain(value: object) -> object:
    """The same value in an order that does not change from run to run."""
    if isinstance(value, Calendar):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(plain(getattr(value, each.name)) for each in fields(value))
    if isinstance(value, Mapping):
        return sorted((str(key), plain(item)) for key, item in value.items())
    if isinstance(value, frozenset):
        return sorted((plain(each) for each in value), key=repr)
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value


def terms(policy: Policy) -> str:
    """Of everything a verdict depends on, but not of the policies that lost or do not match."""
    lines = [plain(replace(line, beat=())) for line in policy.lines]
    rest = [plain(getattr(policy, name)) for name in _FURTHER]
    return hashlib.sha256(repr((lines, rest)).encode()).hexdigest()[:16]


_FURTHER = [
    each.name for each in fields(Policy) if each.name not in ("lines", "version", "terms", "beat", "why")
]
