"""Read rows onto the watch list: batches, each one transaction; twice the same changes nothing (features A2, A3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from monitor.intake import take as taking
from monitor.intake.take import Tally, take
from monitor.store.database import Database, StoreFull
from tests.intake.conftest import NOW, Reader

HEAD = "order_no,carrier,waybill_no,platform,shop,status,paid_at,shipped_at,amount\n"
LATER = NOW + timedelta(hours=1)


def row(
    number: str = "A1",
    waybill: str = "75812345678901",
    *,
    platform: str = "taobao_tmall",
    status: str = "",
    shop: str = "旗舰店",
) -> str:
    return f"{number},中通,{waybill},{platform},{shop},{status},2026-11-21 08:00,2026-11-21 10:00,88.00\n"


def taken(store: Database, rows: Any, *, known: datetime = NOW, dry_run: bool = False) -> Tally:
    return list(take(store, rows, known_at=known, now=known, dry_run=dry_run))[-1]


def counts(store: Database, *tables: str) -> list[int]:
    names = tables or ("orders", "parcels", "order_parcels", "due")
    return store.read_now(
        lambda conn: [conn.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names]
    )


def column(store: Database, query: str) -> list[Any]:
    return store.read_now(lambda conn: list(conn.execute(text(query)).scalars()))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "_BATCH", 3)
    monkeypatch.setattr(taking.batches, "__defaults__", (3,))


def test_every_row_has_its_outcome(database: Database, read: Reader) -> None:
    file = read(
        HEAD + row() + row("A2", "75812345678902") + row("A3", "") + row("A4").replace("中通", "没有这家")
    )
    tally = taken(database, file.rows)
    assert tally.rows == 4
    assert dict(tally.counts) == {"accepted": 3, "rejected": 1}
    assert (tally.awaiting, [each.line for each in tally.rejected]) == (1, [5])
    assert counts(database) == [3, 2, 2, 2]


def test_a_waybill_with_a_label_is_the_waybill(database: Database, read: Reader) -> None:
    rows = read(HEAD + row(waybill="No:75812345678901") + row("A2", "No:")).rows
    assert [each.kind for each in rows] == ["shipment", "awaiting"]
    taken(database, rows)
    assert column(database, "SELECT waybill_no FROM parcels") == ["75812345678901"]


def test_orders_paid_long_ago_are_counted(database: Database, read: Reader) -> None:
    """Their limits are all behind them: they may alarm at once."""
    old = row("A2", "75812345678902").replace("2026-11-21", "2026-09-01")
    over = row("A3", "75812345678903", status="交易成功").replace("2026-11-21", "2026-09-01")
    edge = row("A4", "75812345678904").replace("2026-11-21", f"{NOW - timedelta(days=59):%Y-%m-%d}")
    rows = read(HEAD + row() + old + over + edge).rows
    assert taken(database, rows, dry_run=True).long_paid == 1
    assert taken(database, rows).long_paid == 1
    assert taken(database, rows).long_paid == 0, "they are on watch already"


def test_a_new_parcel_is_judged_at_the_next_sweep(database: Database, read: Reader) -> None:
    taken(database, read(HEAD + row()).rows)
    assert column(database, "SELECT next_deadline_at FROM due") == [int(NOW.timestamp() * 1_000_000)]


def test_twice_the_same_file_registers_nothing_twice(database: Database, read: Reader) -> None:
    rows = read(HEAD + row() + row("A2", "75812345678902")).rows
    taken(database, rows)
    before = column(database, "SELECT updated_at FROM orders ORDER BY id")
    assert dict(taken(database, rows).counts) == {"unchanged": 2}
    assert column(database, "SELECT updated_at FROM orders ORDER BY id") == before
    assert dict(taken(database, rows, known=LATER).counts) == {"unchanged": 2}
    assert counts(database) == [2, 2, 2, 2]


def test_a_later_export_that_says_more_updates(database: Database, read: Reader) -> None:
    taken(database, read(HEAD + row(waybill="")).rows)
    tally = taken(database, read(HEAD + row()).rows, known=LATER)
    assert dict(tally.counts) == {"updated": 1}
    assert counts(database) == [1, 1, 1, 1]
    earlier = taken(database, read(HEAD + row(shop="旗舰店", status="待发货")).rows, known=NOW)
    assert "updated" not in earlier.counts


def test_several_batches_are_one_file(database: Database, read: Reader, small_batches: None) -> None:
    """The tally grows, for a progress display; an order in two batches keeps both of its parcels."""
    lines = [row(f"A{n}", f"7581234567890{n}") for n in range(7)] + [row("A0", "75812345678999")]
    seen = []
    for tally in take(database, read(HEAD + "".join(lines)).rows, known_at=NOW, now=NOW):
        seen.append(tally.rows)
    assert seen == [3, 6, 8]
    assert counts(database) == [7, 8, 8, 8]
    assert column(database, "SELECT count(*) FROM order_parcels WHERE unlinked_at IS NULL") == [8]


def test_a_dry_run_says_the_same_and_keeps_nothing(database: Database, read: Reader) -> None:
    rows = read(HEAD + row() + row("A2", "75812345678902") + row("A4").replace("中通", "没有这家")).rows
    rehearsed = taken(database, rows, dry_run=True)
    assert counts(database) == [0, 0, 0, 0]
    done = taken(database, rows)
    assert (rehearsed.counts, rehearsed.awaiting, rehearsed.rows) == (done.counts, done.awaiting, done.rows)
    assert dict(taken(database, rows, dry_run=True).counts) == {"unchanged": 2, "rejected": 1}


def test_a_closed_order_is_not_watched_but_ends_one_that_is(database: Database, read: Reader) -> None:
    closed = read(HEAD + row(status="交易关闭")).rows
    assert dict(taken(database, closed).counts) == {"ignored": 1}
    assert counts(database) == [0, 0, 0, 0]
    taken(database, read(HEAD + row(status="已发货")).rows)
    taken(database, closed, known=LATER)
    assert column(database, "SELECT status FROM orders") == ["closed"]
    assert column(database, "SELECT next_deadline_at FROM due") == [int(LATER.timestamp() * 1_000_000)]


def test_rows_without_a_platform_are_counted(database: Database, read: Reader) -> None:
    assert taken(database, read(HEAD + row(platform="") + row("A2", "75812345678902")).rows).homeless == 1


def test_a_store_that_fails_keeps_whole_batches(
    database: Database, read: Reader, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read(HEAD + "".join(row(f"A{n}", f"7581234567890{n}") for n in range(7))).rows
    write, done = database.write_now, []

    def full(work: Any) -> Any:
        if len(done) == 2:
            raise StoreFull("磁盘空间已满")
        done.append(write(work))
        return done[-1]

    monkeypatch.setattr(database, "write_now", full)
    with pytest.raises(StoreFull):
        taken(database, rows)
    monkeypatch.undo()
    assert counts(database)[:2] == [6, 6]
    assert dict(taken(database, rows).counts) == {"unchanged": 6, "accepted": 1}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(row("A" * 5000), id="an endless order number"),
        pytest.param(row(waybill="7" * 300), id="an endless waybill"),
        pytest.param(row(shop="店" * 5000), id="an endless shop"),
        pytest.param(
            row(shop="旗\x00舰\ud83d店".encode("utf-8", "replace").decode()),
            id="characters no database takes",
        ),
        pytest.param(row().replace("88.00", "9" * 40), id="more money than there is"),
        pytest.param(row().replace("2026-11-21 08:00", "9999-12-31 23:59"), id="the end of time"),
        pytest.param(row().replace("2026-11-21 08:00", "0001-01-01 00:00"), id="the beginning of time"),
        pytest.param(row().replace("中通", "中" * 300), id="an endless carrier"),
    ],
)
def test_a_poisoned_row_stops_only_itself(database: Database, read: Reader, line: str) -> None:
    """Promise 7, on both databases."""
    tally = taken(database, read(HEAD + line + row("A2", "75812345678902")).rows)
    assert tally.rows == 2
    assert tally.counts["accepted"] + tally.counts["rejected"] == 2
    assert "A2" in column(database, "SELECT order_no FROM orders")
