"""Orders that come as objects instead of rows of a file: judged by the very same reading.

An object's names are the headings of our own format (`monitor/intake/columns.py`, OWN). What it lacks is an empty
cell. A list of plain values is a cell that holds several; anything deeper, and any other name, rejects the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

from monitor.intake.columns import FIELDS, OWN
from monitor.intake.layouts import Layout
from monitor.intake.reading import MANY
from monitor.intake.rows import RowVerdict, Terms, judge
from monitor.intake.shapes import extract
from monitor.intake.tables import MAX_CELL, Problem, Record
from monitor.intake.values import Cell, quoted

__all__ = ["NAMES", "read_object"]

NAMES: Final[Mapping[str, str]] = {name: FIELDS[name] for name in OWN.fields}
"""What an object may hold, with the name people read."""
_LAYOUT: Final = Layout(OWN, tuple(NAMES), {name: (at,) for at, name in enumerate(NAMES)})
_DIGITS: Final = 40
"""More digits than any number of ours has; longer ones are not worth turning into text."""


def read_object(terms: Terms, given: Mapping[str, Any], line: int) -> RowVerdict:
    """The verdict of one object; `line` is the number it is called by."""
    faults = list(_unknown(given))
    cells: list[Cell] = []
    for name in NAMES:
        cell = _cell(given.get(name))
        if cell is None:
            faults.append(Problem("bad_value", name, "只能是文字或数字"))
        cells.append("" if cell is None else cell)
    row = extract(_LAYOUT, Record(line, cells), line)
    if not row.fields and not faults:
        faults.append(Problem("missing_order_no", "order_no", "“order_no”是空的"))
    [verdict, *_] = judge(terms, _LAYOUT, replace(row, faults=(*faults, *row.faults)))
    return verdict


def _unknown(given: Mapping[str, Any]) -> Iterator[Problem]:
    for name in given:
        if name not in NAMES:
            near = get_close_matches(str(name)[:64], NAMES, n=1)
            hint = f"，是不是 {near[0]}？" if near else f"；可用的有：{'、'.join(NAMES)}"
            yield Problem("unknown_field", str(name)[:64], f"没有 {quoted(str(name))} 这个字段{hint}")


def _cell(value: Any) -> Cell | None:
    """A value as a cell; None for what a cell cannot hold."""
    match value:
        case None:
            return ""
        case str():
            return value if len(value) <= MAX_CELL else None
        case bool():
            return value
        case int():
            return value if abs(value) < 10**_DIGITS else None
        case float():
            return value
        case list() if len(value) <= MANY and all(isinstance(each, str | int) for each in value):
            parts = [_cell(each) for each in value]
            return None if None in parts else "，".join(map(str, parts))
        case _:
            return None
