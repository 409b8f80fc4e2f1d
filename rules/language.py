"""The words of a rule's table: how each key is read, which keys each kind has, what contradicts what.

`rules.declare` makes rules of them. A word that is new to the language is written down here, and asked
of a parcel in `rules.questions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from domain.tracking import ExceptionKind, Milestone
from rules.tolerances import CHECKS, TOLERANCES
from rules.values import (
    Problems,
    as_written,
    duration,
    flag,
    parse_days,
    parse_goods,
    parse_limit,
    parse_tables,
    parse_warn,
    severity,
    text,
    words,
)

__all__ = [
    "BREACH",
    "BY_LINE",
    "KEYS",
    "NATURAL",
    "ORDER_TIMES",
    "PLACES",
    "PROMISES",
    "Kind",
    "check_meaning",
]


class Kind(StrEnum):
    """How a rule is read."""

    CLOCK = "clock"
    STALENESS = "staleness"
    EXCEPTION = "exception"
    STRUCTURAL = "structural"


BREACH: Final = "breach:"
"""Begins a start that is another rule's breach: `breach:transit_stagnation`."""
NATURAL: Final = "natural"
"""The calendar of a rule that names none: every hour counts."""
BY_LINE: Final = "line"
"""The calendar of a rule whose limit is a number of natural days for each pair of cities."""
PLACES: Final = frozenset({"same_city", "inter_city"})
"""Words of `when` that compare where a parcel comes from with where it goes."""
PROMISES: Final = ("ship", "delivery")
"""Which promised time of the order `promise` means; the first where nothing is said."""


def _kind(value: Any) -> Kind:
    if value not in list(Kind):
        raise ValueError(f"kind 要写 {'、'.join(Kind)} 之一（现在是 {value!r}）")
    return Kind(value)


def _all_stops(value: Any) -> bool:
    if value not in ("any", "all"):
        raise ValueError(f'stop_mode 要写 "any" 或 "all"（现在是 {value!r}）')
    return bool(value == "all")


def _promises(value: Any) -> str:
    if value not in PROMISES:
        raise ValueError(f'promises 要写 "ship" 或 "delivery"（现在是 {value!r}）')
    return str(value)


KEYS: Final[Mapping[str, tuple[Callable[[Any], Any], Any]]] = {
    "zh": (text, ""),
    "kind": (_kind, None),
    "severity": (severity, 50),
    "start": (text, ""),
    "stop": (words, ()),
    "stop_mode": (_all_stops, False),
    "restarts": (flag, False),
    "limit": (parse_limit, {}),
    "goods": (parse_goods, {}),
    "warn": (parse_warn, ()),
    "grace": (duration, timedelta(0)),
    "promise": (flag, False),
    "promises": (_promises, PROMISES[0]),
    "calendar": (text, NATURAL),
    "promise_plus": (duration, timedelta(0)),
    "when": (words, ()),
    "in_force": (parse_days, (None, None)),
    "variants": (parse_tables, ()),
    "exempt": (words, ()),
    "on": (words, ()),
    "check": (text, ""),
    **{name: (read, None) for name, read in TOLERANCES.items()},
    "soft": (flag, False),
    "penalty": (as_written, ()),
    "watch": (flag, True),
    "notify": (flag, True),
    "confidence": (text, ""),
    "source": (words, ()),
    "note": (text, ""),
    "from": (text, ""),
    "until": (words, ()),
}
"""What a rule's table may say: how each key is read, and what holds without it."""


def check_meaning(
    said: Mapping[str, Any], keys: Set[str], path: tuple[str | int, ...], problems: Problems
) -> None:
    """Mistakes that only show when the keys of one rule are read together."""
    kind = said["kind"]
    for key in sorted(keys - _EVERY - _OWN[kind]):
        problems.at((*path, key), f"{kind} 规则没有 {key}")
    for key in sorted(_NEEDED[kind] - keys):
        problems.at((*path, key), f"{kind} 规则缺少 {key}")
    if "when" in keys and said["when"] == ():
        problems.at((*path, "when"), "when 不能是空的")
    if said["soft"] and "penalty" in keys:
        problems.at((*path, "penalty"), "soft 的规则没有已知的罚则，两者只能写一个")
    _check_words(said, keys, path, problems)
    limit, warn, start = said["limit"], said["warn"], said["start"]
    lengths = [*(limit or {}).values(), *(said["goods"] or {}).values()]
    if lengths and warn and warn[0] >= min(lengths):
        problems.at((*path, "warn"), "预警提前量必须小于时限")
    if kind is Kind.CLOCK:
        _check_limit(said, keys, path, problems)
    if kind is Kind.STRUCTURAL and said["check"] in CHECKS:
        for key in sorted(keys & TOLERANCES.keys() - CHECKS[said["check"]]):
            problems.at((*path, key), f"{said['check']} 没有 {key}")
    if kind is Kind.CLOCK and start not in ORDER_TIMES:
        for key, what in _OF_ORDERS.items():
            if said[key]:
                problems.at((*path, key), f"只有从订单的时间起算的规则才能{what}")
    for key in ("promise_plus", "promises"):
        if key in keys and not said["promise"]:
            problems.at((*path, key), "要同时写 promise = true")
    if kind is Kind.CLOCK and said["restarts"] and start not in _SCANS:
        problems.at((*path, "restarts"), "只有从承运商的节点起算的规则才能重新计时")


def _check_words(
    said: Mapping[str, Any], keys: Set[str], path: tuple[str | int, ...], problems: Problems
) -> None:
    for key, known in _WORDS[said["kind"]].items():
        if key in keys and said[key] == ():
            problems.at((*path, key), f"{key} 不能是空的")
        for word in words(said[key] or ()):
            if word not in known and not (key == "start" and word.removeprefix(BREACH) != word):
                near = get_close_matches(word, sorted(known), n=1)
                hint = f"，是不是想写 {near[0]}？" if near else ""
                problems.at((*path, key), f"{key} 不认识 {word}{hint}")


def _check_limit(
    said: Mapping[str, Any], keys: Set[str], path: tuple[str | int, ...], problems: Problems
) -> None:
    """A clock has a limit, unless only the order's promise or the line says when it is over."""
    by_line = said["calendar"] == BY_LINE
    if "limit" not in keys and not said["promise"] and not by_line:
        problems.at((*path, "limit"), "clock 规则缺少 limit（只看承诺时间的写 promise = true）")
    if by_line:
        for key in sorted(keys & {"limit", "goods", "promise"}):
            problems.at((*path, key), f'calendar = "line" 的时限来自线路表，不写 {key}')


_OF_ORDERS: Final = {"promise": "按承诺时间", "goods": "按商品类型分时限"}
"""Keys for which every order inside counts by itself."""
ORDER_TIMES: Final = frozenset({"ordered", "paid", "confirmed", "shipped", "promised_ship"})
_SCANS: Final[frozenset[str]] = frozenset(
    milestone.value
    for milestone in Milestone
    if milestone.rank >= Milestone.LABEL_CREATED.rank and milestone is not Milestone.BUYER_CONFIRMED
)
"""The milestones a carrier tells of; the others are the shop's, and have their own words."""
_EVERY: Final = frozenset(
    {"zh", "kind", "severity", "soft", "penalty", "watch", "notify", "confidence", "source", "note", "exempt"}
)
"""The keys of every kind."""
_OWN: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.CLOCK: frozenset(
        {"start", "stop", "stop_mode", "restarts", "limit", "warn", "when", "in_force", "goods"}
        | {"promise", "promises", "promise_plus", "calendar", "grace", "variants"}
    ),
    Kind.STALENESS: frozenset(
        {"from", "until", "limit", "warn", "when", "in_force", "calendar", "grace", "variants"}
    ),
    Kind.EXCEPTION: frozenset({"on"}),
    Kind.STRUCTURAL: frozenset({"check", *TOLERANCES}),
}
_NEEDED: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.CLOCK: frozenset({"start", "stop"}),
    Kind.STALENESS: frozenset({"from", "until", "limit"}),
    Kind.EXCEPTION: frozenset({"on"}),
    Kind.STRUCTURAL: frozenset({"check"}),
}
_WORDS: Final[Mapping[Kind, Mapping[str, frozenset[str]]]] = {
    Kind.CLOCK: {
        "start": _SCANS | ORDER_TIMES | {"first_scan"},
        "stop": _SCANS
        | ORDER_TIMES
        | {"first_scan", "any_scan", "hub_scan", "terminal"}
        | {"departed_first_province"},
    },
    Kind.STALENESS: {"from": _SCANS, "until": _SCANS},
    Kind.EXCEPTION: {"on": frozenset(ExceptionKind) | {Milestone.RETURNING, Milestone.RETURNED}},
    Kind.STRUCTURAL: {"check": frozenset(CHECKS)},
}
