"""`[[exemptions]]`: time that does not count, and platforms' windows that give more time.

The same tables stand in the configuration, in the lab's policy files and in `config/windows/*.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from domain.time import Window
from monitor.config.lines import KeyPath
from monitor.config.shapes import Reading, Setting, Shape, Table, hint, listed, read_table, table_schema
from monitor.config.values import MOMENT, TEXT, TEXTS, choice
from monitor.config.words import LIMIT, Words
from rules.exemptions import GROUND_ZH, Deferral, Exemption, Grant, Ground

__all__ = ["RENOUNCED", "exemption_table", "exemptions"]

RENOUNCED: Final = "不打烊"
"""The tag of orders whose shop stays open through the festival, and so has no window (§7)."""
_LONGEST: Final = timedelta(days=120)
_PAUSE: Final = ("from", "until")
_WINDOW: Final = ("paid_from", "paid_to")
_GRANT: Final[Table] = {
    "deadline_at": Setting(MOMENT, "最晚到何时", None),
    "limit": Setting(LIMIT, "或改成多长的时限", None),
}
_OF_WINDOW: Final = (*_GRANT, "limits", "opt_in", "opted_in")
Row = tuple[KeyPath, Mapping[str, Any]]


def exemption_table(words: Words) -> Table:
    """`[[exemptions]]`: with `from` and `until` time stands still, with `paid_from` and `paid_to` it is a window."""
    rules = sorted(words.known.rules)
    return {
        "name": Setting(TEXT, "名字"),
        "kind": Setting(
            choice([*Ground], "缘由"),
            "缘由：" + "、".join(f"{each} {zh}" for each, zh in GROUND_ZH.items()),
            Ground.OWN.value,
        ),
        "from": Setting(MOMENT, "停止计时：从何时起", None),
        "until": Setting(MOMENT, "停止计时：到何时恢复", None),
        "paid_from": Setting(MOMENT, "宽限窗口：从这时起付款的订单", None),
        "paid_to": Setting(MOMENT, "宽限窗口：付款早于这时的订单", None),
        "match": Setting(words.match(), "对哪些包裹；不写则对全部", {}),
        "rules": Setting(listed(choice(rules, "规则")), "只对这些规则；停止计时不写则对全部", ()),
        **_GRANT,
        "limits": Setting(_limits(rules), "宽限窗口：个别规则的时限或截止时间", {}),
        "opt_in": Setting(TEXT, "宽限窗口：带这个标签的订单不享受", RENOUNCED),
        "opted_in": Setting(TEXTS, "宽限窗口：报名照常发货、不享受的店铺", ()),
        "proof": Setting(TEXT, "凭据：公告网址、报备编号或文件", ""),
        "source": Setting(TEXTS, "出处", ()),
        "confidence": Setting(TEXT, "可信度", ""),
    }


def _limits(rules: Sequence[str]) -> Shape:
    """A table of rules, each with a limit, or with `limit` and `deadline_at`."""
    schema = {"anyOf": [*LIMIT.schema["anyOf"], table_schema(_GRANT)]}

    def read(reading: Reading, path: KeyPath, value: Any) -> dict[str, Grant]:
        if not isinstance(value, dict):
            reading.problems.at(path, '要写成一张表，如 limits = {no_pickup = "72h"}')
            return {}
        found = {}
        for name, each in value.items():
            at = (*path, name)
            if name not in rules:
                reading.problems.at(at, f"没有叫 {name} 的规则{hint(name, rules)}")
            elif isinstance(each, dict) and each.keys() & _GRANT.keys():
                found[name] = Grant(**read_table(reading, at, each, _GRANT))
            else:
                found[name] = Grant(limit=LIMIT.read(reading, at, each))
        return found

    return Shape(read, {"type": "object", "additionalProperties": schema})


def exemptions(
    reading: Reading, words: Words, rows: Sequence[Row], by: str = ""
) -> tuple[tuple[Exemption, ...], tuple[Deferral, ...]]:
    """Both kinds, from tables read as `exemption_table` says; `by` is the shipped window they stand in."""
    pauses, windows = list[Exemption](), list[Deferral]()
    for path, row in rows:
        if any(row[key] is not None for key in _WINDOW):
            window = _deferral(reading, words, path, row)
            windows += [replace(window, by=by, place=int(path[-1]))] if window else []
        else:
            pause = _exemption(reading, path, row)
            pauses += [replace(pause, by=by, place=int(path[-1]))] if pause else []
    return tuple(pauses), tuple(windows)


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What both kinds have."""
    return {
        "match": row["match"] or {},
        "proof": row["proof"] or "",
        "kind": Ground(row["kind"] or Ground.OWN),
        "source": row["source"] or (),
        "confidence": row["confidence"] or "",
    }


def _exemption(reading: Reading, path: KeyPath, row: Mapping[str, Any]) -> Exemption | None:
    for key in _OF_WINDOW:
        if row[key] not in (None, (), {}, RENOUNCED):
            reading.problems.at((*path, key), f"停止计时的豁免没有 {key}；宽限窗口要写 paid_from 和 paid_to")
    span = _span(reading, path, row, _PAUSE)
    if span is None:
        return None
    rules = frozenset(rule for rule in row["rules"] or () if rule is not None)
    return Exemption(span, rules=rules, **_told(row))


def _deferral(reading: Reading, words: Words, path: KeyPath, row: Mapping[str, Any]) -> Deferral | None:
    for key in _PAUSE:
        if row[key] is not None:
            reading.problems.at((*path, key), f"宽限窗口按付款时间算，不写 {key}；停止计时请另写一条")
    span = _span(reading, path, row, _WINDOW)
    grants = _grants(reading, path, row)
    for name in grants:
        if not any(name in rules and (rules[name].limit or rules[name].promise) for rules in words.every):
            place = ("limits", name) if name in (row["limits"] or {}) else ("rules",)
            reading.problems.at((*path, *place), f"{name} 没有时限，宽限不了")
    for key, at in (
        ("deadline_at", row["deadline_at"]),
        *((f"limits.{n}", g.deadline_at) for n, g in (row["limits"] or {}).items()),
    ):
        if span is not None and at is not None and at < span.ends_at - timedelta(seconds=1):
            reading.problems.at((*path, *key.split(".")), "截止时间早于窗口里最后的付款时间")
    if span is None:
        return None
    opted_in = frozenset(row["opted_in"] or ())
    return Deferral(span, grants, opt_in=row["opt_in"] or "", opted_in=opted_in, **_told(row))


def _grants(reading: Reading, path: KeyPath, row: Mapping[str, Any]) -> dict[str, Grant]:
    """What each rule is given: the window's own words for its `rules`, and each rule's own."""
    general = Grant(row["deadline_at"], row["limit"])
    rules = [rule for rule in row["rules"] or () if rule is not None]
    said = general != Grant()
    if not said and not row["limits"]:
        reading.problems.at(
            path, "宽限窗口没有写截止：要有 deadline_at（最晚时间）、limit（时限）或 limits（各规则的时限）"
        )
    elif said and not rules:
        reading.problems.at(path, '宽限窗口要写明对哪些规则，如 rules = ["late_shipment"]')
    return {**(dict.fromkeys(rules, general) if said else {}), **(row["limits"] or {})}


def _span(reading: Reading, path: KeyPath, row: Mapping[str, Any], keys: tuple[str, str]) -> Window | None:
    """The time from one key to the other; None with a note of what is missing or wrong."""
    starts_at, ends_at = (row[key] for key in keys)
    missing = [key for key in keys if row[key] is None]
    for key in missing:
        if not any(each.path == (*path, key) for each in reading.problems):
            reading.problems.at((*path, key), f"缺少 {key}")
    if missing:
        return None
    if ends_at <= starts_at:
        reading.problems.at((*path, keys[1]), "结束时间要晚于开始时间")
        return None
    return Window(starts_at, ends_at, row["name"] or "")
