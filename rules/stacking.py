"""Which penalties of one order add up: a profile's `[together]`, data read from the platform's text.

    [together]
    adds = ["late_shipment", "first_hub"]                # the fines of these are known to add up
    one_of = [["late_shipment", "out_of_stock"]]         # of these only the dearest is owed
    caps = [{ pct = 35 }]                                # all of them together: at most 35 % of what was paid

Of rules that are not named nobody says whether they add up: the range goes from the dearest alone to the sum of
all (`facts/platform-rules.md` §11, notes: "the sum of stackable maxima, shown as a range").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rules.penalty import parse_share
from rules.tariff import Tariff
from rules.values import Problems, text, words

__all__ = ["ALONE", "Cap", "Together", "parse_together"]


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that several rules of one order cost together; a single fine is never lowered by it."""

    share: Tariff
    """`percent` of the amount, at most `cap` fen: one of them or both."""
    rules: frozenset[str] = frozenset()
    """Empty: every rule."""


@dataclass(frozen=True, slots=True)
class Together:
    """How the penalties of one order add up."""

    adds: frozenset[str] = frozenset()
    """Rules whose fines are known to add up."""
    one_of: tuple[frozenset[str], ...] = ()
    """Groups of rules: of each only the dearest fine is owed."""
    caps: tuple[Cap, ...] = ()
    confidence: str = ""
    source: tuple[str, ...] = ()
    note: str = ""

    @property
    def named(self) -> frozenset[str]:
        """Every rule it speaks of."""
        return self.adds.union(*self.one_of, *(cap.rules for cap in self.caps))

    def said(self, names: Mapping[str, str]) -> tuple[str, ...]:
        """In words, rule by rule under the names people know: `缺货、延迟发货：相加`."""

        def zh(rules: frozenset[str]) -> str:
            return "、".join(names.get(rule, rule) for rule in sorted(rules))

        caps = (f"{zh(cap.rules) or '全部'}：合计最高{cap.share.zh}" for cap in self.caps)
        adds = (f"{zh(self.adds)}：相加",) if self.adds else ()
        return (*adds, *(f"{zh(group)}：只算最贵的一笔" for group in self.one_of), *caps)


ALONE: Final = Together()
_KEYS: Final = ("adds", "one_of", "caps", "confidence", "source", "note")


def parse_together(value: Any, problems: Problems) -> Together:
    """A profile's `[together]`; what is wrong goes to `problems`, each with its place."""
    path = ("together",)
    if not isinstance(value, Mapping):
        problems.at(path, "要写成表：[together]")
        return ALONE
    for key in sorted(value.keys() - set(_KEYS)):
        problems.unknown_key(path, key, _KEYS)
    plain = {"adds": words, "confidence": text, "source": words, "note": text}
    said = {
        key: problems.read((*path, key), parse, value[key]) for key, parse in plain.items() if key in value
    }
    return Together(
        adds=frozenset(said.get("adds") or ()),
        one_of=tuple(_groups(value.get("one_of", ()), (*path, "one_of"), problems)),
        caps=tuple(_caps(value.get("caps", ()), (*path, "caps"), problems)),
        confidence=said.get("confidence") or "",
        source=said.get("source") or (),
        note=said.get("note") or "",
    )


def _groups(value: Any, path: Sequence[str | int], problems: Problems) -> list[frozenset[str]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        problems.at(path, 'one_of 要写成规则名的组，如 [["late_shipment", "out_of_stock"]]')
        return []
    groups = [frozenset(problems.read((*path, n), words, group) or ()) for n, group in enumerate(value)]
    for n, group in enumerate(value):
        if isinstance(group, list) and len(groups[n]) < 2:
            problems.at((*path, n), "一组至少要有两条规则")
    named = [rule for group in groups for rule in group]
    for rule in sorted({rule for rule in named if named.count(rule) > 1}):
        problems.at(path, f"{rule} 在两组里")
    return groups


def _caps(value: Any, path: Sequence[str | int], problems: Problems) -> list[Cap]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        problems.at(path, "caps 要写成表的列表，如 [{ pct = 35 }]")
        return []
    return [_cap(each, (*path, n), problems) for n, each in enumerate(value)]


def _cap(value: Any, path: Sequence[str | int], problems: Problems) -> Cap:
    if not isinstance(value, Mapping) or not value.keys() & {"pct", "max"}:
        problems.at(path, "封顶要写 pct 或 max")
        return Cap(Tariff())
    for key in sorted(value.keys() - {"pct", "max", "rules"}):
        problems.unknown_key(path, key, ("pct", "max", "rules"))
    share = parse_share({key: value[key] for key in ("pct", "max") if key in value}, path, problems)
    return Cap(share, frozenset(problems.read((*path, "rules"), words, value.get("rules", ())) or ()))
