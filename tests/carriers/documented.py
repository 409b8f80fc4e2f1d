"""Every documented code of a provider: the rows of `facts/carriers-states.csv`."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

FACTS = Path(__file__).parents[2].parent / "shared" / "facts"


def documented(provider: str, field: str) -> set[str]:
    """The codes of a field; skips the test where the facts are not beside this tree."""
    table = FACTS / "carriers-states.csv"
    if not table.exists():
        pytest.skip("the facts are not beside this tree")
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {each["code"] for each in rows if (each["provider"], each["field"]) == (provider, field)}
