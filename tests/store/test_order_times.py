"""When an order was placed, and when its delivery was promised: kept, and never taken back by an older export."""

from __future__ import annotations

from datetime import timedelta

from monitor.store.database import Database
from tests.store.given import DAY, T0, H, incoming, loaded, take

PLACED, PROMISED = T0 - 6 * H, T0 + 5 * DAY


def test_both_come_back_as_they_were(database: Database) -> None:
    row = incoming("o1", "Z1", ordered_at=PLACED, promised_delivery_at=PROMISED)
    [taken] = take(database, row)
    order = loaded(database, taken.parcel_ids[0]).case.order
    assert (order.ordered_at, order.promised_delivery_at) == (PLACED, PROMISED)
    assert [each.outcome for each in take(database, row, now=T0 + H)] == ["unchanged"]


def test_a_newer_export_moves_them_and_says_so(database: Database) -> None:
    [taken] = take(database, incoming("o1", "Z1", ordered_at=PLACED, promised_delivery_at=PROMISED))
    later = incoming("o1", "Z1", known=T0 + H, ordered_at=PLACED, promised_delivery_at=PROMISED + DAY)
    [again] = take(database, later)
    assert (again.outcome, again.detail) == ("updated", "承诺送达时间已更新")
    assert loaded(database, taken.parcel_ids[0]).case.order.promised_delivery_at == PROMISED + DAY


def test_an_older_export_takes_nothing_back(database: Database) -> None:
    [taken] = take(database, incoming("o1", "Z1", ordered_at=PLACED, promised_delivery_at=PROMISED))
    older = incoming("o1", "Z1", known=T0 - DAY, ordered_at=PLACED - H, promised_delivery_at=PROMISED - DAY)
    [again] = take(database, older, now=T0 + H)
    assert again.outcome == "older"
    order = loaded(database, taken.parcel_ids[0]).case.order
    assert (order.ordered_at, order.promised_delivery_at) == (PLACED, PROMISED)


def test_what_an_older_export_alone_knows_is_kept(database: Database) -> None:
    [taken] = take(database, incoming("o1", "Z1"))
    take(database, incoming("o1", "Z1", known=T0 - DAY, ordered_at=PLACED), now=T0 + H)
    assert loaded(database, taken.parcel_ids[0]).case.order.ordered_at == PLACED


def test_an_empty_cell_erases_nothing(database: Database) -> None:
    [taken] = take(database, incoming("o1", "Z1", ordered_at=PLACED))
    take(database, incoming("o1", "Z1", known=T0 + timedelta(hours=2)))
    assert loaded(database, taken.parcel_ids[0]).case.order.ordered_at == PLACED
