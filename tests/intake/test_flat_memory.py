"""100,000 rows of 90 columns in one go: nothing in the parent grows with the rows, only bounds are asserted."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.intake.importing import Job, bring_in
from monitor.intake.take import SHOWN
from monitor.store.database import Database
from tests.intake.conftest import NOW, SHANGHAI

ROOT = Path(__file__).parents[2]
HEAD = ["order_no", "carrier", "waybill_no", "paid_at", *(f"备用{n}" for n in range(86))]
READ = """
import json, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo
from monitor.intake.outside import How, opened
with opened(Path(sys.argv[1]), How(), zone=ZoneInfo("Asia/Shanghai"), now=datetime(2026, 11, 22, tzinfo=UTC)) as file:
    rows = sum(1 for _ in file.rows)
own, child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps([rows, own, child]))
"""


def lines(rows: int, carrier: str = "圆通") -> Iterator[str]:
    yield ",".join(HEAD)
    rest = ",".join("格" if at % 4 else "" for at in range(86))  # as much as 50 MB, and 400 unpacked, hold
    for n in range(rows):
        yield f"A-{n},{carrier},YT26{n:011d},2026-11-18 09:00:00,{rest}"


def csv_file(folder: Path, rows: int, carrier: str = "圆通") -> Path:
    path = folder / f"{rows}.csv"
    with path.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines(rows, carrier))
    return path


def xlsx_file(folder: Path, rows: int) -> Path:
    import xlsxwriter

    path = folder / f"{rows}.xlsx"
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, line in enumerate(lines(rows)):
            for place, cell in enumerate(line.split(",")):
                if cell:
                    sheet.write_string(at, place, cell)
    return path


def read_in_a_process(path: Path) -> tuple[int, float, float]:
    """Rows, and the peak memory of the reading process and of its child, in MB."""
    told = subprocess.run(
        [sys.executable, "-c", READ, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows, own, child = json.loads(told.stdout)
    return rows, own, child


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_reading_a_hundred_thousand_rows_holds_a_few(tmp_path: Path, kind: str) -> None:
    write = csv_file if kind == "csv" else xlsx_file
    few, small, _ = read_in_a_process(write(tmp_path, 1000))
    many, large, child = read_in_a_process(write(tmp_path, 100_000))
    assert (few, many) == (1000, 100_000)
    assert large - small < 10, "MB"
    assert child < 600, "MB, of the 1,024 it may have"


def test_the_parent_holds_a_few_hundred_rows(database: Database, tmp_path: Path) -> None:
    """Read, kept and, half of them, handed back: five times the rows, no more memory."""
    peaks = []
    for rows in (800, 4000):
        path = csv_file(tmp_path, rows, "没有这家")
        with path.open("a", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in list(lines(rows))[1:])
        job = Job(path, rejected=tmp_path / "rejected.csv")
        tracemalloc.start()
        try:
            report = bring_in(database, job, zone=SHANGHAI, now=NOW)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert report.tally.rows == 2 * rows
        assert report.tally.counts["rejected"] == rows
        assert len(report.tally.rejected) == SHOWN
        assert (tmp_path / "rejected.csv").read_text("utf-8-sig").count("\n") == rows + 1
    assert peaks[1] < peaks[0] * 1.5 + 500_000
