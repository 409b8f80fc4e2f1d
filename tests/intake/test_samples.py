"""The shared samples read exactly as their `expected.json` says."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from carriers.names import canonical
from monitor.intake.export import write_rejected
from monitor.intake.files import read_orders
from monitor.intake.outside import How, opened
from monitor.intake.values import shown, text
from monitor.intake.verdicts import RowKind
from tests.intake.conftest import NOW, SHANGHAI
from tests.intake.test_outside import without_raw

SAMPLES = Path(__file__).parents[3] / "shared" / "facts" / "samples" / "imports"
EXPECTED: dict[str, Any] = (
    json.loads((SAMPLES / "expected.json").read_text("utf-8")) if SAMPLES.is_dir() else {}
)


@pytest.mark.skipif(not EXPECTED, reason="the shared samples are not here")
@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_shared_sample_reads_as_expected(name: str) -> None:
    expected = EXPECTED[name]
    file = read_orders(SAMPLES / name, zone=SHANGHAI, now=NOW)
    rows = list(file.rows)

    assert (file.source, file.encoding) == (expected["source"], expected["encoding"])
    if "sheet" in expected:
        assert file.sheets == (expected["sheet"],)
    assert len([row for row in rows if row.reason != "total_row"]) == expected["rows"]

    shipments = []
    for row in rows:
        if row.kind is not RowKind.SHIPMENT:
            continue
        order = row.order
        assert order is not None
        for waybill in row.waybills:
            written = dict(zip(row.header, row.raw, strict=False))[file.mapping["carrier"]]
            assert canonical(text(written)) == waybill.carrier
            said = {
                "order": order.order_no,
                "waybill": waybill.waybill_no,
                "carrier_text": text(written),
                "paid_at": order.paid_at,
                "shipped_at": order.shipped_at,
                "promised_ship_by": order.promised_ship_at,
                "confirmed_at": row.finished_at,
                "platform_order": "".join(row.platform_orders),
            }
            shipments.append(said)
    wanted = expected["shipments"]
    assert [_written(got, want) for got, want in zip(shipments, wanted, strict=True)] == wanted

    awaiting = [row.order.order_no for row in rows if row.kind is RowKind.AWAITING and row.order]
    assert awaiting == expected["awaiting_shipment"]
    rejected = [
        {
            "line": row.line,
            "reason": row.reason,
            "columns": [problem.column for problem in row.problems if problem.reason == row.reason],
        }
        for row in rows
        if row.kind is RowKind.REJECTED
    ]
    assert rejected == expected["rejected"]
    ignored = [
        {"line": row.line, "order": row.order.order_no if row.order else None, "reason": row.reason}
        for row in rows
        if row.kind is RowKind.IGNORED
    ]
    assert [
        {key: got[key] for key in want} for got, want in zip(ignored, expected["ignored"], strict=True)
    ] == expected["ignored"]
    warned = [
        {"line": row.line, "reason": each.reason, "column": each.column}
        for row in rows
        for each in row.warnings
    ]
    assert warned == expected.get("warnings", [])


@pytest.mark.skipif(not EXPECTED, reason="the shared samples are not here")
@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_shared_sample_reads_the_same_in_the_child(name: str) -> None:
    """What reads it for people is the child; original cells come back with rows that became no order."""
    here = read_orders(SAMPLES / name, zone=SHANGHAI, now=NOW)
    rows = [without_raw(row) for row in here.rows]
    with opened(SAMPLES / name, How(), zone=SHANGHAI, now=NOW) as file:
        told = [replace(row, raw=tuple(map(shown, row.raw))) for row in file.rows]
    assert told == [replace(row, raw=tuple(map(shown, row.raw))) for row in rows]


@pytest.mark.skipif(not EXPECTED, reason="the shared samples are not here")
def test_a_formula_of_a_sample_comes_out_of_an_export_as_text(tmp_path: Path) -> None:
    """The note of `expected.json`: row 4's title is no formula to whoever opens what we hand back."""
    file = read_orders(SAMPLES / "taobao_style_gb18030.csv", zone=SHANGHAI, now=NOW)
    rows = [replace(row, kind=RowKind.REJECTED) for row in file.rows]
    write_rejected(rows, file.header, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as lines:
        titles = [row["宝贝标题"] for row in csv.DictReader(lines)]
    assert any(title.startswith("'=") for title in titles)
    assert not any(title.startswith("=") for title in titles)


def _written(got: dict[str, Any], want: dict[str, Any]) -> dict[str, Any]:
    """What was read, in the words and with the keys of the expectation."""
    return {
        key: got[key].astimezone(SHANGHAI).isoformat() if key.endswith(("_at", "_by")) else got[key]
        for key in want
    }
