"""The shared samples read exactly as their `expected.json` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from carriers.names import canonical
from monitor.intake.files import read_orders
from monitor.intake.verdicts import RowKind
from tests.intake.conftest import NOW, SHANGHAI

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
            said = {
                "order": order.order_no,
                "waybill": waybill.waybill_no,
                "carrier_text": waybill.carrier,
                "paid_at": order.paid_at,
                "shipped_at": order.shipped_at,
                "promised_ship_by": order.promised_ship_at,
                "confirmed_at": row.finished_at,
                "platform_order": "".join(row.platform_orders),
            }
            shipments.append(said)
    wanted = [{**each, "carrier_text": canonical(each["carrier_text"])} for each in expected["shipments"]]
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


def _written(got: dict[str, Any], want: dict[str, Any]) -> dict[str, Any]:
    """What was read, in the words and with the keys of the expectation."""
    return {
        key: got[key].astimezone(SHANGHAI).isoformat() if key.endswith(("_at", "_by")) else got[key]
        for key in want
    }
