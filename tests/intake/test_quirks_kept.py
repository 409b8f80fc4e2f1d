"""The quirks of `facts/import-formats.md` §4 whose answer is the store's: 11, 14, 17, 18 and 19, on both databases.

Files are read by the child, as they are when people import them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from monitor.intake.importing import Job, Report, bring_in
from monitor.intake.outside import How
from monitor.store.database import Database
from tests.intake.conftest import NOW, SHANGHAI

ORDERS = "订单编号,买家会员名,买家应付货款,宝贝标题,订单状态,订单付款时间,店铺名称"
PARCELS = "订单编号,物流单号,物流公司,发货时间"
FIRST, SECOND = "310000000000000001", "310000000000000002"
SHIPPED, PAID = "卖家已发货，等待买家确认", "买家已付款，等待卖家发货"
Bring = Callable[..., Report]


def order(number: str, status: str = SHIPPED, shop: str = "甲店") -> str:
    return f"{number},t,10,杯,{status},2026-11-18 09:00:00,{shop}"


def sheet(*rows: str) -> str:
    return "\r\n".join(rows) + "\r\n"


@pytest.fixture
def bring(database: Database, tmp_path: Path) -> Bring:
    """`bring(content)` imports a file; the later, the later it was made."""
    at = NOW

    def brought(content: str, name: str = "订单.csv", **how: str) -> Report:
        nonlocal at
        at += timedelta(minutes=1)
        path = tmp_path / name
        path.write_text(content, "utf-8", newline="")
        return bring_in(database, Job(path, How(**how)), zone=SHANGHAI, now=at)  # type: ignore[arg-type]

    return brought


@pytest.fixture
def kept(database: Database) -> Callable[[], list[tuple[Any, ...]]]:
    """(order, shop, status, waybill) of everything that is kept; an order without parcels once."""
    query = text(
        "SELECT o.order_no, o.shop, o.status, coalesce(p.waybill_no, '') FROM orders o"
        " LEFT JOIN order_parcels l ON l.order_id = o.id AND l.unlinked_at IS NULL"
        " LEFT JOIN parcels p ON p.id = l.parcel_id ORDER BY 1, 2, 4"
    )
    return lambda: [tuple(row) for row in database.read_now(lambda conn: conn.execute(query).all())]


def parcels(database: Database) -> int:
    return database.read_now(lambda conn: conn.execute(text("SELECT count(*) FROM parcels")).scalar_one())


def test_quirk_11_one_waybill_for_several_orders_is_one_shipment(
    bring: Bring, kept: Callable[[], list[tuple[Any, ...]]], database: Database
) -> None:
    rows = [f"{number},YT2600000000001,圆通速递,2026-11-18 17:00:00" for number in (FIRST, SECOND)]
    bring(sheet(PARCELS, *rows))
    assert [(row[0], row[3]) for row in kept()] == [(FIRST, "YT2600000000001"), (SECOND, "YT2600000000001")]
    assert parcels(database) == 1


LISTS = {
    "orders": sheet(ORDERS, order(FIRST), order(SECOND, PAID)),
    "items": sheet(
        "子订单编号,主订单编号,宝贝标题,买家会员名,买家应付货款,订单状态,订单付款时间,店铺名称",
        f"{FIRST},{FIRST},杯,t,10,{SHIPPED},2026-11-18 09:00:00,甲店",
        f"310000000000000009,{FIRST},盖,t,10,交易关闭,2026-11-18 09:00:00,甲店",
    ),
    "parcels": sheet(PARCELS, f"{FIRST},YT2600000000001,圆通速递,2026-11-18 17:00:00"),
}


@pytest.mark.parametrize(
    "files",
    [("orders", "items", "parcels"), ("parcels", "orders", "items"), ("items", "parcels", "orders"), ("parcels", "items", "orders")],
    ids=" ".join,
)  # fmt: skip
def test_quirk_14_and_17_lists_in_files_of_their_own_are_joined_by_the_order_number(
    bring: Bring, kept: Callable[[], list[tuple[Any, ...]]], files: tuple[str, ...]
) -> None:
    """In any order; the shop and the platform of one list are the order's, though another does not name them."""
    for name in files:
        bring(LISTS[name], f"{name}.csv")
    assert kept() == [
        (FIRST, "甲店", "shipped", "YT2600000000001"),
        (SECOND, "甲店", "awaiting_shipment", ""),
    ]


ITEMS = "子订单编号,主订单编号,选购商品,达人ID,流量来源,订单状态,售后状态,支付完成时间,快递单号,快递公司"


def item(number: str, status: str, refund: str = "", waybill: str = "") -> str:
    return f"1,{number},杯,1,直播,{status},{refund},2026-11-18 09:00:00,{waybill},{'圆通速递' if waybill else ''}"


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        pytest.param([("已发货", "", "YT2600000000001"), ("已关闭", "退款成功", "")], "shipped", id="one item refunded"),
        pytest.param([("已关闭", "退款成功", ""), ("已发货", "", "YT2600000000001")], "shipped", id="the other way round"),
        pytest.param([("已发货", "退款成功", "YT2600000000001"), ("已发货", "", "YT2600000000002")], "shipped", id="one returned"),
        pytest.param([("已完成", "", ""), ("待发货", "", "")], "awaiting_shipment", id="one done, one still owed"),
        pytest.param([("已发货", "", "YT2600000000001"), ("已完成", "", "YT2600000000002")], "shipped", id="one arrived"),
    ],
)  # fmt: skip
def test_quirk_10_an_item_that_has_ended_does_not_end_its_order(
    bring: Bring, kept: Callable[[], list[tuple[Any, ...]]], rows: list[tuple[str, str, str]], status: str
) -> None:
    bring(sheet(ITEMS, *(item(FIRST, *row) for row in rows)))
    assert {row[2] for row in kept()} == {status}


def test_quirk_10_when_every_item_has_ended_the_order_has(
    bring: Bring, kept: Callable[[], list[tuple[Any, ...]]]
) -> None:
    bring(sheet(ITEMS, item(FIRST, "待发货"), item(FIRST, "待发货")))
    bring(sheet(ITEMS, item(FIRST, "已关闭"), item(FIRST, "已关闭")))
    assert kept() == [(FIRST, "", "closed", "")]


@pytest.mark.parametrize(
    ("content", "missing"), [("orders", "no_waybill_column"), ("parcels", "no_order_columns")]
)
def test_quirk_17_which_of_the_two_is_missing_is_said(bring: Bring, content: str, missing: str) -> None:
    assert missing in [note.reason for note in bring(LISTS[content]).file.notes]


def test_quirk_17_two_shops_with_the_same_number_are_not_taken_for_one(
    bring: Bring, kept: Callable[[], list[tuple[Any, ...]]]
) -> None:
    """Which of them a list without a shop speaks of, nobody knows."""
    bring(sheet(ORDERS, order(FIRST), order(FIRST, shop="乙店")))
    bring(LISTS["parcels"])
    assert [(row[1], row[3]) for row in kept()] == [("", "YT2600000000001"), ("乙店", ""), ("甲店", "")]


def test_quirk_17_short_numbers_are_nobodys_own(
    bring: Bring, kept: Callable[[], list[tuple[Any, ...]]]
) -> None:
    """Two shops that count from 1 both have a 17."""
    bring(sheet("订单号,快递单号,快递公司", "17,YT2600000000001,圆通"))
    bring(sheet("订单号,快递单号,快递公司,店铺", "17,YT2600000000002,圆通,乙店"))
    assert [(row[1], row[3]) for row in kept()] == [("", "YT2600000000001"), ("乙店", "YT2600000000002")]


def test_quirk_17_a_renamed_order_is_judged_again(
    bring: Bring, database: Database, kept: Callable[[], list[tuple[Any, ...]]]
) -> None:
    """Another shop may have another policy."""
    bring(LISTS["parcels"])
    database.write_now(lambda conn: conn.execute(text("UPDATE due SET next_deadline_at = NULL")))
    bring(LISTS["orders"])
    due = database.read_now(lambda conn: conn.execute(text("SELECT next_deadline_at FROM due")).scalar_one())
    assert due is not None


OLDER = "ExportOrderList202611181000.csv"
NEWER = "ExportOrderList202611201000.csv"
WHOLE = f"{ORDERS},物流单号,物流公司"


def test_quirk_18_an_older_export_never_replaces_newer_facts(
    bring: Bring, kept: Callable[[], list[tuple[Any, ...]]]
) -> None:
    """Neither a later status nor a waybill that is there, by an older one or an empty one."""
    bring(sheet(WHOLE, f"{order(FIRST, '交易成功')},YT2600000000001,圆通速递"), NEWER)
    report = bring(sheet(WHOLE, f"{order(FIRST, PAID)},,"), OLDER)
    assert report.tally.counts["older"] == 1
    assert kept() == [(FIRST, "甲店", "finished", "YT2600000000001")]
    bring(sheet(WHOLE, f"{order(FIRST, SHIPPED)},YT2600000000009,圆通速递"), OLDER)
    assert kept() == [(FIRST, "甲店", "finished", "YT2600000000001")]


def test_quirk_18_an_empty_cell_never_takes_a_waybill_away(
    bring: Bring, kept: Callable[[], list[tuple[Any, ...]]]
) -> None:
    bring(sheet(WHOLE, f"{order(FIRST)},YT2600000000001,圆通速递"), OLDER)
    bring(sheet(WHOLE, f"{order(FIRST)},,"), NEWER)
    assert kept() == [(FIRST, "甲店", "shipped", "YT2600000000001")]


def test_quirk_18_an_older_export_may_still_fill_what_nobody_knew(bring: Bring, database: Database) -> None:
    bring(sheet("订单号,快递单号,快递公司,订单状态", f"{FIRST},YT2600000000001,圆通,已发货"), NEWER)
    bring(sheet(ORDERS, order(FIRST, PAID)), OLDER)
    paid, shop = database.read_now(lambda conn: conn.execute(text("SELECT paid_at, shop FROM orders")).one())
    assert paid is not None
    assert shop == "甲店"


def test_quirk_19_the_same_rows_again_in_whatever_order_change_nothing(
    bring: Bring, kept: Callable[[], list[tuple[Any, ...]]]
) -> None:
    rows = [f"{order(str(int(FIRST) + n))},YT26{n:011d},圆通速递" for n in range(30)]
    assert bring(sheet(WHOLE, *rows)).tally.counts["accepted"] == 30
    before = kept()
    again = bring(sheet(WHOLE, *rows), name="副本.csv")
    assert again.seen is not None
    assert again.seen.name == "订单.csv"
    assert dict(again.tally.counts) == {"unchanged": 30}
    turned = bring(sheet(WHOLE, *reversed(rows)))
    assert turned.seen is None, "other bytes"
    assert dict(turned.tally.counts) == {"unchanged": 30}
    assert kept() == before


def test_a_dry_run_is_not_remembered_as_an_import(bring: Bring, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "试.csv"
    path.write_text(LISTS["parcels"], "utf-8")
    when: datetime = NOW
    bring_in(database, Job(path, dry_run=True), zone=SHANGHAI, now=when)
    assert bring(LISTS["parcels"]).seen is None
    assert parcels(database) == 1
