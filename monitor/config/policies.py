"""`[[policies]]`: the same in the configuration and in the lab's policy files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.time import format_duration
from monitor.config.lines import KeyPath
from monitor.config.shapes import Reading, Remark, hint, read_table
from monitor.config.words import Words
from rules.declare import Rule
from rules.policy import Change, PolicySpec

__all__ = ["policies"]


def policies(
    reading: Reading, words: Words, rows: Sequence[tuple[KeyPath, Mapping[str, Any]]]
) -> tuple[PolicySpec, ...]:
    """The policies of a file, from its tables as `Words.policy` reads them."""
    found = tuple(_policy(reading, words, path, row) for path, row in rows)
    _distinct(reading, [(path, spec) for (path, _), spec in zip(rows, found, strict=True)])
    return found


def _distinct(reading: Reading, placed: Sequence[tuple[KeyPath, PolicySpec]]) -> None:
    """Note a match that was written before: nothing but the order of the file would say which one holds."""
    before: dict[frozenset[tuple[str, frozenset[str]]], str] = {}
    for path, spec in placed:
        match = frozenset(spec.match.items())
        if match in before:
            what = "match 和" if match else "没有 match，和"
            reading.problems.at(
                (*path, "match"), f"{what}「{before[match]}」完全一样，永远轮不到它；合并成一条"
            )
        before.setdefault(match, spec.name)


def _policy(reading: Reading, words: Words, path: KeyPath, row: Mapping[str, Any]) -> PolicySpec:
    match = row["match"] or {}
    over = words.candidates(row["profile"] or "", match.get("platform", ()))
    rules = _changes(reading, words, (*path, "rules"), row["rules"], over, {})
    overrides: list[PolicySpec] = []
    for at, each in row["overrides"]:
        place = each["match"] or {}
        if each["match"] == {}:
            reading.problems.at((*at, "match"), "要写明只对哪些包裹；对全部有效的改动请写在策略本身")
        changes = _changes(reading, words, (*at, "rules"), each["rules"], over, rules)
        overrides.append(PolicySpec(each["name"] or _summary(place), place, "", changes))
    _distinct(
        reading, [(at, spec) for (at, _), spec in zip(row["overrides"], overrides, strict=True) if spec.match]
    )
    return PolicySpec(
        row["name"] or "",
        match,
        row["profile"] or "",
        rules,
        tuple(overrides),
        shadow=bool(row["shadow"]),
        tiers=row["tiers"] or {},
    )


def _summary(match: Mapping[str, frozenset[str]]) -> str:
    """What an override without a name is called: `新疆、西藏`."""
    return "，".join("、".join(sorted(values)) for values in match.values())


def _changes(
    reading: Reading,
    words: Words,
    path: KeyPath,
    value: Any,
    over: Sequence[Mapping[str, Rule]],
    before: Mapping[str, Change],
) -> dict[str, Change]:
    """A `rules` table over the candidate profiles; `before` is what the policy around it says."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        reading.problems.at(path, '要写成一张表，如 rules.transit_stagnation = {limit = "48h"}')
        return {}
    known = {name for rules in over for name in rules}
    table = words.change()
    changes = {}
    for name, each in value.items():
        at = (*path, name)
        if name not in known:
            reading.problems.at(at, f"这里没有规则 {name}{hint(name, known)}")
            continue
        change = Change(**read_table(reading, at, each, table))
        rules = [profile[name] for profile in over if name in profile]
        _possible(reading, at, change, rules, before.get(name))
        changes[name] = change
    return changes


def _possible(
    reading: Reading, path: KeyPath, change: Change, rules: Sequence[Rule], before: Change | None
) -> None:
    """Note a limit for a rule that has none, and a warning that would not come before the limit."""
    limits = [rule.limit for rule in rules if rule.limit]
    if not limits:
        for key, value in (("limit", change.limit), ("warn", change.warn), ("calendar", change.calendar)):
            if value is not None:
                reason = f"「{rules[0].zh}」一看到就成立，没有时限；这里只能写 watch、notify 和 shadow"
                reading.problems.at((*path, key), reason)
        return
    own = change.limit or (before.limit if before else None)
    limit = min(own.values()) if own else max(min(each.values()) for each in limits)
    if change.warn and change.warn[0] >= limit:
        reason = (
            f"提前 {format_duration(change.warn[0])} 预警不早于时限 {format_duration(limit)}；"
            "warn 是超时前多久，要比时限短"
        )
        reading.problems.at((*path, "warn"), reason)
    above = before.warn if before is not None and change.warn is None else None
    if above and above[0] >= limit > above[-1]:  # where no step is left, `check` says so of the whole policy
        late = "、".join(format_duration(each) for each in above if each >= limit)
        what = f"策略写的提前 {late} 预警不早于这里的时限 {format_duration(limit)}，这一步在这里不会有"
        reading.remarks.append(Remark((*path, "limit"), what, "在这里也写上比时限短的 warn"))
