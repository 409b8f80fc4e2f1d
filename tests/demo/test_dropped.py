"""The export in the drop folder: the product reads it as 千牛's, and hands back the one row that a spreadsheet spoilt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.time import SHANGHAI
from monitor.demo.dropped import NAME, SHOP, drop, exported
from monitor.demo.world import World
from monitor.intake.files import read_orders

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


def test_it_is_read_row_by_row_and_the_spoilt_number_is_refused(tmp_path: Path) -> None:
    world = World(7, START, per_day=180, backlog=timedelta(days=4))
    export = exported(world.shipped(START - timedelta(hours=36), START))
    assert len(export.only) > 5
    assert export.spoilt is not None
    drop(tmp_path, export, START)
    assert [path.name for path in tmp_path.iterdir()] == [NAME], "whole at once"
    read = read_orders(tmp_path / NAME, zone=SHANGHAI, now=START)
    assert (read.source, read.encoding.lower()) == ("taobao", "gb18030")
    rows = list(read.rows)
    taken = [waybill.waybill_no for row in rows for waybill in row.waybills if not row.problems]
    assert taken == [each.waybill_no for each in export.only]
    [refused] = [row for row in rows if row.problems]
    assert "已被电子表格改坏" in refused.problems[0].text
    assert {row.order.shop for row in rows if row.order is not None} == {SHOP}


def test_what_wants_a_phone_and_other_shops_stay_out() -> None:
    world = World(7, START, per_day=180, backlog=timedelta(days=4))
    export = exported(world.shipped(START - timedelta(days=3), START))
    assert export.spoilt is not None
    assert export.spoilt not in export.only
    for parcel in (*export.only, export.spoilt):
        assert parcel.order.shop == SHOP
        assert not parcel.carrier.checks_phone


def test_a_quiet_shop_may_have_nothing_to_export() -> None:
    export = exported([])
    assert (export.only, export.spoilt) == ((), None)
