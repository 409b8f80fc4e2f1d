"""Real orders: the lab's findings equal a direct computation, row by row, through the command line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.lab.olist import DATA, PAID, PICKED, SIGNED, ZONE, rows, write_files

pytestmark = pytest.mark.skipif(not DATA.is_file(), reason=f"no {DATA.name} beside the project")

POLICY = """
[[policies]]
name = "olist"
profile = "taobao_tmall"
rules.late_shipment = {limit = "48h", warn = ["12h", "4h"]}
rules.paid_to_signed = {limit = "SIGNED", warn = ["12h"]}
"""
Row = tuple[str, str, str, str, str, str]
"""Waybill, rule, stage, started, crossed, ended."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command wrote: 59 hours, held against 120."""
    folder = tmp_path_factory.mktemp("olist")
    orders, events = write_files(folder)
    for hours in ("59h", "120h"):
        (folder / f"{hours}.toml").write_text(POLICY.replace("SIGNED", hours), "utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "monitor", "lab", "--orders", orders, "--events", events),
            *("--policy", folder / "59h.toml", "--against", folder / "120h.toml"),
            *("--out", folder / "out", "--zone", ZONE, "--json"),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((folder / "out" / "summary.json").read_text("utf-8"))
    return folder / "out"


def local(texts: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    """Brazil's wall clocks as UTC: the first of two that are the same, as Python's fold=0."""
    return pd.Series(
        [
            pd.NaT if not text else pd.Timestamp(text).tz_localize(ZONE, ambiguous=True).tz_convert("UTC")
            for text in texts
        ],
        index=texts.index,
        dtype="datetime64[us, UTC]",
    )


def directly(signed_hours: int) -> set[Row]:
    """What three subtractions say."""
    told = rows()
    paid, picked, signed = (local(told[name]) for name in (PAID, PICKED, SIGNED))
    moved = pd.concat([picked, signed], axis=1).min(axis=1)
    as_of = max(paid.max(), picked.max(), signed.max())
    found: set[Row] = set()
    for rule, end, limit, warnings in (
        ("late_shipment", moved, 48, (12, 4)),
        ("out_of_stock", moved, 120, (24,)),
        ("paid_to_signed", signed, signed_hours, (12,)),
    ):
        steps = [*(("warning", limit - ahead) for ahead in warnings), ("breach", limit)]
        for stage, hours in steps:
            at = paid + pd.Timedelta(hours=hours)
            crossed = paid.notna() & (at < end.fillna(as_of))
            for n in crossed[crossed].index:
                found.add((told["order_id"][n], rule, stage, _iso(paid[n]), _iso(at[n]), _iso(end[n])))
    return found


def _iso(at: pd.Timestamp) -> str:
    return "" if pd.isna(at) else at.tz_convert("UTC").isoformat()


def found_in(path: Path) -> set[Row]:
    """The findings of a file for the three rules, their times in UTC."""
    with path.open(encoding="utf-8", newline="") as source:
        told = list(csv.DictReader(source))
    rules = ("late_shipment", "out_of_stock", "paid_to_signed")
    names = ("started_at", "crossed_at", "ended_at")
    found = [
        (
            row["waybill_no"],
            row["rule"],
            row["stage"],
            *(_iso(pd.Timestamp(row[n])) if row[n] else "" for n in names),
        )
        for row in told
        if row["rule"] in rules
    ]
    assert len(found) == len(set(found)), "each stage is crossed once"
    return set(found)


@pytest.mark.parametrize("file, hours", [("findings.csv", 59), ("findings.against.csv", 120)])
def test_findings_equal_a_direct_computation_row_by_row(out: Path, file: str, hours: int) -> None:
    expected = directly(hours)
    assert found_in(out / file) == expected
    assert len(expected) > 2000
    assert any(stage == "breach" and rule == "paid_to_signed" for _, rule, stage, *_ in expected)


def test_rows_that_end_before_they_start_are_found_nothing_of() -> None:
    """There are such rows, or the equality above says nothing of them."""
    told = rows()
    paid, picked = local(told[PAID]), local(told[PICKED])
    assert (picked < paid).sum() > 5
    backwards = set(told["order_id"][picked < paid])
    assert not {row[0] for row in directly(59) if row[1] != "paid_to_signed"} & backwards


def test_the_summary_counts_what_the_findings_say(out: Path) -> None:
    told = json.loads((out / "summary.json").read_text("utf-8"))
    with (out / "findings.csv").open(encoding="utf-8", newline="") as source:
        rows_ = list(csv.DictReader(source))
    assert told["findings"] == len(rows_)
    assert sum(count for stages in told["rules"].values() for count in stages.values()) == len(rows_)
    assert told["carriers"] == {"correios": len(rows_)}
    assert sum(told["days"].values()) == told["alerts"]["total"]
    only = told["difference"]["rules"]["paid_to_signed"]["breach"]
    first, second = (
        {row[0] for row in directly(hours) if row[1:3] == ("paid_to_signed", "breach")} for hours in (59, 120)
    )
    assert only == {"both": len(first & second), "only_policy": len(first - second), "only_against": 0}


def test_the_page_is_whole_and_fetches_nothing(out: Path) -> None:
    page = (out / "report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert page.count("<svg") >= 3
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
