"""Our own headings without a carrier: taken, and recognised later, as back offices' exports without it are."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.intake.importing import Job, bring_in
from monitor.store.database import Database
from tests.intake.conftest import NOW, SHANGHAI, Reader

HEAD = "order_no,waybill_no,paid_at\n"


def test_without_the_column_every_row_is_taken(read: Reader) -> None:
    got = read(
        HEAD + "A-1,75812345678901,2026-11-18 09:00:00\nA-2,YT2600000000001,2026-11-18 09:00:00\nA-3,,\n"
    )
    assert got.kinds() == ["shipment", "shipment", "awaiting"]
    assert got.parcels() == [("A-1", "auto", "75812345678901"), ("A-2", "yuantong", "YT2600000000001")]
    assert [each.guessed for row in got.rows for each in row.waybills] == [True, True]
    assert [each.reason for each in got.file.notes] == ["no_carrier_column"]
    assert got.warnings() == [(2, "unnamed_carrier")]


@pytest.mark.parametrize("carrier", ["", "  ", '""'])
@pytest.mark.parametrize("head", ["order_no,carrier,waybill_no", "订单号,快递公司,快递单号"])
def test_an_empty_cell_is_read_like_no_column(read: Reader, head: str, carrier: str) -> None:
    got = read(f"{head}\nA-1,{carrier},75812345678901\nA-2,圆通,YT2600000000002\n")
    assert got.parcels() == [("A-1", "auto", "75812345678901"), ("A-2", "yuantong", "YT2600000000002")]


def test_a_name_nobody_has_is_still_told(read: Reader) -> None:
    got = read("order_no,carrier,waybill_no\nA-1,没有这家,75812345678901\n")
    assert got.reasons() == [(2, "unknown_carrier", "carrier")]


def test_what_is_nobodys_number_is_still_told(read: Reader) -> None:
    [(_, reason, column)] = read(HEAD + "A-1,LX000000004US,\n").reasons()
    assert (reason, column) == ("missing_carrier", "waybill_no")


def test_it_is_kept_as_unknown_and_named_when_a_fuller_file_comes(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    query = text("SELECT carrier, waybill_no FROM parcels ORDER BY id")

    def parcels(content: str) -> list[tuple[str, str]]:
        path.write_text(content, "utf-8")
        bring_in(database, Job(path), zone=SHANGHAI, now=NOW)
        return [(row[0], row[1]) for row in database.read_now(lambda conn: conn.execute(query).all())]

    assert parcels(HEAD + "ORDER-0001,75812345678901,\n") == [("auto", "75812345678901")]
    fuller = "order_no,carrier,waybill_no\nORDER-0001,中通,75812345678901\n"
    named = parcels(fuller)
    assert named == [("zhongtong", "75812345678901")]
    assert parcels(HEAD + "ORDER-0001,75812345678901,\n") == named, (
        "and is not forgotten by a file without it"
    )
