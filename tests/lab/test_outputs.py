"""The lab's files: times with their offset, names that no spreadsheet calculates."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.lab.outputs import FINDINGS, write_findings

ZONES = ("Asia/Shanghai", "America/Sao_Paulo", "Asia/Kathmandu", "UTC")


def written(rows: list[dict[str, object]], zone: str, path: Path) -> list[dict[str, str]]:
    usual = {"carrier": "zhongtong", "waybill_no": "Z1", "order_no": "o1", "rule": "late", "stage": "breach"}
    usual |= {"limit_hours": 48.0, "policy": "p.late"}  # type: ignore[dict-item]
    frame = pd.DataFrame([usual | row for row in rows])
    for name in ("started_at", "crossed_at", "ended_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    write_findings(frame, path, ZoneInfo(zone))
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


moments = st.datetimes(datetime(2011, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(moments, moments, st.none() | moments), min_size=1, max_size=5), st.sampled_from(ZONES)
)
def test_times_are_written_as_python_writes_them(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[datetime, datetime, datetime | None]],
    zone: str,
) -> None:
    names = ("started_at", "crossed_at", "ended_at")
    told = written(
        [dict(zip(names, row, strict=True)) for row in rows], zone, tmp_path_factory.mktemp("o") / "f.csv"
    )
    expected = [
        ["" if at is None else at.astimezone(ZoneInfo(zone)).isoformat() for at in row] for row in rows
    ]
    assert [[row[name] for name in names] for row in told] == expected


def test_columns_and_odd_values(tmp_path: Path) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    moments = {"started_at": at, "crossed_at": at + timedelta(hours=1.5), "ended_at": None}
    [row] = written(
        [{**moments, "order_no": "=1+1", "limit_hours": float("nan")}], "Asia/Shanghai", tmp_path / "f.csv"
    )
    assert tuple(row) == FINDINGS
    assert (row["order_no"], row["limit_hours"], row["ended_at"]) == ("'=1+1", "", "")
    assert row["crossed_at"] == "2026-11-01T09:30:00+08:00"
    [row] = written([{**moments, "limit_hours": 1.5}], "Asia/Shanghai", tmp_path / "f.csv")
    assert row["limit_hours"] == "1.5"
