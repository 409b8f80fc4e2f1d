"""A million orders of 20 columns, brought in by one process as a merchant's history is: time, and memory against rows.

One file may have 500,000 rows and 50 MB, so the million comes as several CSV files of our own headings, imported one
after the other into one SQLite store by one process, as the daemon's drop folder does. Each is read by a limited
child of its own.

Prints one JSON line. `ratio` is the seconds of the whole to those of a bare `csv.reader` pass over the same files,
of which keeping the orders is the larger part; `late_to_early` the seconds of the last file to those of the first
(a store that slows down as it fills shows here). `parent_mb` is the process's peak after each file, `growth` the last
to the first (flat: ≤ 1.1); `child_mb` an upper bound of a reading child's peak, which may have 1,024: Linux counts
what its parent held when it forked.

    python bench/import_million.py [--rows 1000000] [--files 5]
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from monitor.intake.importing import Job, bring_in
from monitor.store.database import Database, migrate

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
HEAD = (
    "order_no", "platform", "shop", "merchant", "carrier", "waybill_no", "ordered_at", "paid_at", "shipped_at",
    "promised_ship_at", "amount", "status", "receiver_province", "receiver_city", "warehouse", "goods_type", "tags",
    "phone_tail", "note", "colour",
)  # fmt: skip


def rows(first: int, count: int) -> Iterator[list[str]]:
    """Orders that all differ, each with a parcel of its own."""
    for n in range(first, first + count):
        yield [
            f"31{n:017d}", "taobao_tmall", "旗舰店", "甲公司", "圆通", f"YT{n:013d}", "2026-11-18 09:10:05",
            "2026-11-18 09:12:40", "2026-11-18 17:30:11", "2026-11-20 09:12:40", "59.00", "已发货", "浙江", "杭州",
            f"{n % 5}号仓", "", "", "", "请轻放", "黑",
        ]  # fmt: skip


def written(folder: Path, files: int, total: int) -> list[Path]:
    """The files, each with its share of the rows."""
    paths = []
    for at in range(files):
        path = folder / f"{at + 1}.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(HEAD)
            writer.writerows(rows(at * (total // files), total // files))
        paths.append(path)
    return paths


def bare(paths: list[Path]) -> float:
    """Seconds of reading every cell and keeping none."""
    began = time.perf_counter()
    for path in paths:
        with path.open(encoding="utf-8", newline="") as lines:
            assert sum(1 for _ in csv.reader(lines)) > 1
    return time.perf_counter() - began


def peak(who: int) -> float:
    """The largest resident size so far, in MB."""
    return resource.getrusage(who).ru_maxrss / 1024


def main() -> None:
    """Write the files, import them, print the line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=5)
    said = parser.parse_args()
    seconds, parent = [], []
    with tempfile.TemporaryDirectory() as folder:
        paths = written(Path(folder), said.files, said.rows)
        largest = max(path.stat().st_size for path in paths) / 2**20
        floor = bare(paths)
        url = f"sqlite:///{folder}/bench.db"
        migrate(url)
        with closing(Database.open(url)) as db:
            for path in paths:
                began = time.perf_counter()
                report = bring_in(db, Job(path), zone=SHANGHAI, now=NOW)
                assert report.tally.counts["accepted"] == said.rows // said.files
                seconds.append(time.perf_counter() - began)
                parent.append(peak(resource.RUSAGE_SELF))
        line = {
            "bench": "import_million",
            "rows": said.rows,
            "columns": len(HEAD),
            "files": said.files,
            "file_mb": round(largest, 1),
            "store_mb": round(Path(folder, "bench.db").stat().st_size / 2**20),
            "ratio": round(sum(seconds) / floor, 1),
            "seconds": [round(each, 1) for each in seconds],
            "late_to_early": round(seconds[-1] / seconds[0], 2),
            "parent_mb": [round(each) for each in parent],
            "growth": round(parent[-1] / parent[0], 2),
            "child_mb": round(peak(resource.RUSAGE_CHILDREN)),
        }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
