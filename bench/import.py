"""A 90-column export of 100,000 orders, imported in one go: time against a bare reading pass, memory against rows.

For each kind of file, CSV (GB18030) and XLSX, of 10,000 and 100,000 rows:

- `bare`: a process that reads every cell and keeps none: `csv.reader`, or calamine's rows;
- `import`: a process that imports the file into a new SQLite store as `parcelwatch import` does: a limited child
  reads it, rows come back and are kept in transactions of 500.

Prints one JSON line. `ratio_csv` and `ratio_xlsx` are import to bare in seconds at 100,000 rows, of which keeping the
orders is the larger part; `read_ratio_…` without keeping them (rows read, judged, checked and dropped). `growth` is
the peak memory of the process that takes the rows at 100,000 to that at 10,000 (goal ≤ 1.1), the worse of the two
kinds; `store_growth_mb` what the store's own cache and mapped pages add to it meanwhile (SQLite: 64 MB and what is
mapped, whatever the rows); `child_mb` the reading child's peak, which may have 1,024.

    python bench/import.py [--rows 100000] [--columns 90]
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from monitor.intake.importing import Job, bring_in
from monitor.intake.outside import How, opened
from monitor.store.database import Database, migrate

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
HEAD = (
    "订单编号", "买家会员名", "买家应付货款", "宝贝标题", "订单状态", "收货地址", "订单付款时间", "物流单号", "物流公司",
    "发货时间",
)  # fmt: skip


def export(rows: int, columns: int) -> Iterator[list[str]]:
    """A header and rows as 千牛 writes them, most further cells filled with a few characters."""
    extra = columns - len(HEAD)
    yield [*HEAD, *(f"备用列{n}" for n in range(extra))]
    for n in range(rows):
        own = [f"31{n:017d}", f"t{n % 977}**", "59.00", "杯子 黑色 大号", "卖家已发货，等待买家确认"]
        own += [
            "浙江省 杭州市 余杭区 某街道",
            "2026-11-18 09:12:40",
            f"YT{n:013d}",
            "圆通速递",
            "2026-11-18 17:30:11",
        ]
        yield own + [("备用" if at % 3 else str(n % 100)) if at % 4 else "" for at in range(extra)]


def write_csv(path: Path, rows: int, columns: int) -> None:
    """As Taobao does: GB18030, CRLF."""
    with path.open("w", encoding="gb18030", newline="") as out:
        csv.writer(out).writerows(export(rows, columns))


def write_xlsx(path: Path, rows: int, columns: int) -> None:
    """Every cell a text, written as a stream."""
    import xlsxwriter

    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(export(rows, columns)):
            for place, cell in enumerate(row):
                if cell:
                    sheet.write_string(at, place, cell)


def bare(path: Path) -> int:
    """Read every cell and keep none."""
    if path.suffix == ".csv":
        with path.open(encoding="gb18030", newline="") as lines:
            return sum(len(row) > 0 for row in csv.reader(lines))
    from python_calamine import CalamineWorkbook

    return sum(len(row) > 0 for row in CalamineWorkbook.from_path(path).get_sheet_by_index(0).iter_rows())


def handed_over(path: Path) -> int:
    """Rows read by the child, judged and checked here, and dropped."""
    with opened(path, How(), zone=SHANGHAI, now=NOW) as file:
        return sum(1 for _ in file.rows)


def imported(path: Path) -> int:
    """The whole import, into a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        migrate(url)
        with closing(Database.open(url)) as db:
            report = bring_in(db, Job(path), zone=SHANGHAI, now=NOW)
        assert report.tally.counts["accepted"] == report.tally.rows
        return report.tally.rows


WAYS = {"bare": bare, "read": handed_over, "import": imported}


def one(way: str, path: Path) -> None:
    """In a process of its own: do it, and print what it took."""
    began = time.perf_counter()
    rows = WAYS[way](path)
    told = {
        "rows": rows,
        "seconds": time.perf_counter() - began,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "child_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }
    print(json.dumps(told))


def measured(way: str, path: Path) -> dict[str, Any]:
    """What that way took."""
    told = subprocess.run(
        [sys.executable, __file__, "--one", way, str(path)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def main() -> None:
    """Write the files, take the measures, print the line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=90)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "FILE"))
    said = parser.parse_args()
    if said.one:
        one(said.one[0], Path(said.one[1]))
        return
    line: dict[str, Any] = {"bench": "import", "rows": said.rows, "columns": said.columns}
    growths, stored = [], []
    with tempfile.TemporaryDirectory() as folder:
        for kind, write in (("csv", write_csv), ("xlsx", write_xlsx)):
            few, many = Path(folder, f"few.{kind}"), Path(folder, f"many.{kind}")
            write(few, max(said.rows // 10, 1), said.columns)
            write(many, said.rows, said.columns)
            small, smaller = measured("import", few), measured("read", few)
            floor, read, whole = (measured(way, many) for way in ("bare", "read", "import"))
            growths.append(read["mb"] / smaller["mb"])
            stored.append(whole["mb"] - small["mb"])
            line |= {
                f"ratio_{kind}": round(whole["seconds"] / floor["seconds"], 2),
                f"read_ratio_{kind}": round(read["seconds"] / floor["seconds"], 2),
                f"seconds_{kind}": round(whole["seconds"], 1),
                f"file_mb_{kind}": round(many.stat().st_size / 2**20, 1),
                f"reader_mb_{kind}": round(read["mb"]),
                f"import_mb_{kind}": round(whole["mb"]),
                f"child_mb_{kind}": round(whole["child_mb"]),
            }
    print(json.dumps(line | {"growth": round(max(growths), 2), "store_growth_mb": round(max(stored))}))


if __name__ == "__main__":
    main()
