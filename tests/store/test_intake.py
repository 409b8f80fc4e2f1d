"""Orders come in: once, forward only, and every parcel keeps its history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.orders import OrderStatus
from monitor.store import parcels
from tests.store.given import DAY, T0, H, a_parcel, column, due, incoming, loaded, take, waybill


def outcomes(taken) -> list[str]:
    return [each.outcome for each in taken]


# ── new ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_order_is_watched_from_now_on(database):
    [taken] = take(database, incoming("o1", "Z1", amount=Decimal("99.90"), receiver_province="浙江省"))
    assert (taken.outcome, len(taken.parcel_ids)) == ("accepted", 1)
    assert "Z1" in taken.detail
    found = loaded(database, taken.parcel_ids[0])
    assert found.state == "watched"
    assert found.case.waybill == waybill("Z1")
    assert found.case.order.amount == Decimal("99.90")
    assert found.case.orders_observed_at == T0
    assert found.case.observed_at is None
    assert (found.next_deadline_at, found.next_poll_at) == (T0, None)  # the next sweep schedules it


def test_the_same_again_changes_nothing(database):
    row = incoming("o1", "Z1", tail="1234", tags=frozenset({"预售", "大促"}))
    first = take(database, row)
    parcel = loaded(database, first[0].parcel_ids[0])
    again = take(database, row, now=T0 + H)
    assert outcomes(again) == ["unchanged"]
    assert again[0].parcel_ids == first[0].parcel_ids
    assert loaded(database, parcel.id) == parcel
    assert column(database, "SELECT count(*) FROM order_parcels") == [1]


def test_the_same_row_twice_in_one_file_is_one_order(database):
    row = incoming("o1", "Z1")
    assert outcomes(take(database, row, row)) == ["accepted", "unchanged"]
    assert column(database, "SELECT count(*) FROM orders") == [1]


def test_one_order_on_several_rows_has_several_parcels(database):
    rows = [incoming("o1", "Z1"), incoming("o1", "Z2"), incoming("o1", "Z3", "Z4")]
    taken = take(database, *rows)
    assert outcomes(taken) == ["accepted"] * 3
    assert [len(each.parcel_ids) for each in taken] == [1, 1, 2]
    assert len({each for row in taken for each in row.parcel_ids}) == 4


def test_several_orders_in_one_parcel_are_judged_by_the_earliest_paid(database):
    rows = [
        incoming("later", "Z1", paid_at=T0 - 3 * H),
        incoming("unpaid", "Z1", paid_at=None),
        incoming("earlier", "Z1", paid_at=T0 - 9 * H),
    ]
    taken = take(database, *rows)
    assert len({each.parcel_ids for each in taken}) == 1
    found = loaded(database, taken[0].parcel_ids[0])
    assert [order.order_no for order in found.case.orders] == ["earlier", "later", "unpaid"]


def test_the_shops_silence_is_proven_up_to_the_earliest_look_at_any_of_its_orders(database):
    [first, _] = take(
        database, incoming("o1", "Z1", known=T0), incoming("o2", "Z1", known=T0 + H), now=T0 + H
    )
    assert loaded(database, first.parcel_ids[0]).case.orders_observed_at == T0


def test_the_same_number_at_two_shops_or_platforms_is_two_orders(database):
    rows = [incoming("o1", "Z1"), incoming("o1", "Z2", shop="二店"), incoming("o1", "Z3", platform="pdd")]
    assert outcomes(take(database, *rows)) == ["accepted"] * 3
    assert column(database, "SELECT count(*) FROM orders") == [3]


def test_an_order_without_a_waybill_is_kept_and_gets_one_later(database):
    [first] = take(database, incoming("o1", status=OrderStatus.AWAITING, shipped_at=None))
    assert (first.outcome, first.parcel_ids, first.detail) == ("accepted", (), "新订单，还没有运单号")
    [later] = take(database, incoming("o1", "Z1", known=T0 + H))
    assert later.outcome == "updated"
    assert len(later.parcel_ids) == 1


def test_an_order_that_has_ended_is_taken_and_due_for_judging(database):
    """Whether anything is still owed of it the judgement says, not the intake."""
    [taken] = take(database, incoming("o1", "Z1", status=OrderStatus.FINISHED))
    found = loaded(database, taken.parcel_ids[0])
    assert found.case.order.status.ended
    assert found.next_deadline_at == T0


@pytest.mark.parametrize(
    ("paid_at", "shipped_at", "watch_from"),
    [
        pytest.param(T0 - 9 * H, T0 - H, T0 - 9 * H - 2 * DAY, id="paid first"),
        pytest.param(T0 - H, T0 - 9 * H, T0 - 9 * H - 2 * DAY, id="shipped first, as exports have it"),
        pytest.param(None, T0 - H, T0 - H - 2 * DAY, id="shipped only"),
        pytest.param(None, None, T0 - 30 * DAY, id="nothing known"),
    ],
)
def test_scans_before_the_order_belong_to_somebody_else(database, paid_at, shipped_at, watch_from):
    found = loaded(database, a_parcel(database, paid_at=paid_at, shipped_at=shipped_at))
    assert found.watch_from == watch_from


# ── forward only ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("had", "gets", "hours_later", "has"),
    [
        pytest.param("shipped", "finished", 1, "finished", id="forward"),
        pytest.param("finished", "shipped", -1, "finished", id="an older export never takes back"),
        pytest.param("shipped", "finished", -1, "shipped", id="nor knows better"),
        pytest.param("finished", "shipped", 1, "finished", id="nothing ended starts again"),
        pytest.param("refunding", "shipped", 1, "shipped", id="a refund called off"),
        pytest.param("refunding", "shipped", 0, "refunding", id="another row of the same export"),
        pytest.param("refunding", "refunded", 1, "refunded", id="a refund paid"),
        pytest.param("refunded", "shipped", 1, "refunded", id="paid is paid"),
    ],
)
def test_a_status_moves_forward_only(database, had, gets, hours_later, has):
    row = incoming("o1", "Z1", status=OrderStatus(had))
    [taken] = take(database, row)
    later = replace(row, order=replace(row.order, status=OrderStatus(gets)), known_at=T0 + hours_later * H)
    take(database, later)
    assert loaded(database, taken.parcel_ids[0]).case.order.status == OrderStatus(has)


def test_a_newer_export_replaces_values_and_an_empty_one_does_not(database):
    [taken] = take(database, incoming("o1", "Z1", receiver_city="杭州市", warehouse="义乌仓"))
    [updated] = take(database, incoming("o1", "Z1", known=T0 + H, receiver_city="宁波市", paid_at=None))
    order = loaded(database, taken.parcel_ids[0]).case.order
    assert updated.outcome == "updated"
    assert (order.receiver_city, order.warehouse, order.paid_at) == ("宁波市", "义乌仓", T0 - 5 * H)


def test_an_older_export_fills_what_is_empty_and_replaces_nothing(database):
    [taken] = take(database, incoming("o1", "Z1", receiver_city="杭州市", amount=None))
    [older] = take(
        database, incoming("o1", "Z1", known=T0 - H, receiver_city="宁波市", amount=Decimal("5")), now=T0
    )
    order = loaded(database, taken.parcel_ids[0]).case.order
    assert (order.receiver_city, order.amount) == ("杭州市", Decimal("5"))
    assert older.outcome == "updated"
    [again] = take(
        database, incoming("o1", "Z1", known=T0 - H, receiver_city="宁波市", amount=Decimal("5")), now=T0
    )
    assert again.outcome == "older"
    assert "较旧" in again.detail
    assert loaded(database, taken.parcel_ids[0]).case.orders_observed_at == T0


def test_a_changed_order_is_judged_again_and_an_unchanged_one_is_not(database):
    [taken] = take(database, incoming("o1", "Z1"))
    parcel_id = taken.parcel_ids[0]
    calm = parcels.Due(parcel_id, "k100", T0 + 9 * H, T0 + 20 * H)
    due(database, calm)
    take(database, incoming("o1", "Z1", known=T0 + H))
    assert loaded(database, parcel_id).next_deadline_at == T0 + 20 * H
    take(database, incoming("o1", "Z1", known=T0 + 2 * H, status=OrderStatus.REFUNDED))
    assert loaded(database, parcel_id).next_deadline_at == T0 + 2 * H
    assert loaded(database, parcel_id).next_poll_at == T0 + 9 * H


def test_another_look_at_an_unshipped_order_is_news_for_the_clock_that_waits_for_the_shop(database):
    waiting = incoming("o1", "Z1", shipped_at=None, status=OrderStatus.AWAITING)
    [taken] = take(database, waiting)
    due(database, parcels.Due(taken.parcel_ids[0], "", None, T0 + 20 * H))
    take(database, replace(waiting, known_at=T0 + H))
    assert loaded(database, taken.parcel_ids[0]).next_deadline_at == T0 + H


# ── a changed waybill ────────────────────────────────────────────────────────────────────────────


def test_a_changed_waybill_keeps_the_history_of_the_earlier_one(database):
    [first] = take(database, incoming("o1", "Z1"))
    [second] = take(database, incoming("o1", "Z2", known=T0 + H))
    assert second.outcome == "updated"
    assert "Z1" in second.detail
    old, new = loaded(database, first.parcel_ids[0]), loaded(database, second.parcel_ids[0])
    assert (old.state, new.state) == ("unwatched", "watched")
    assert "Z2" in old.why
    assert (old.next_deadline_at, old.next_poll_at) == (T0 + H, None)  # judged once more, asked no more
    assert old.case.order.status is OrderStatus.CLOSED  # nothing is owed of it
    assert new.case.order.status is OrderStatus.SHIPPED
    assert column(database, "SELECT count(*) FROM order_parcels") == [2]


def test_a_corrected_carrier_is_a_changed_waybill(database):
    take(database, incoming("o1", "zhongtong/N1"))
    [second] = take(database, incoming("o1", "yuantong/N1", known=T0 + H))
    assert loaded(database, second.parcel_ids[0]).case.waybill == waybill("yuantong/N1")
    assert column(database, "SELECT state FROM parcels ORDER BY id") == ["unwatched", "watched"]


def test_a_parcel_somebody_else_is_in_stays_watched(database):
    take(database, incoming("o1", "Z1"), incoming("o2", "Z1"))
    take(database, incoming("o1", "Z2", known=T0 + H))
    assert column(database, "SELECT state FROM parcels ORDER BY id") == ["watched", "watched"]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([incoming("o1", "Z1", known=T0 + H)], id="one row names only one of them"),
        pytest.param([incoming("o1", "Z3", known=T0)], id="another row of the same export"),
        pytest.param([incoming("o1", "Z3", known=T0 - H)], id="an older export"),
        pytest.param([incoming("o1", known=T0 + H)], id="an export without numbers"),
        pytest.param(
            [incoming("o1", "Z3", known=T0 + H), incoming("o1", "Z1", known=T0 + H)],
            id="the other number is on another row of the export",
        ),
    ],
)
def test_parcels_that_may_still_be_the_orders_are_not_unlinked(database, rows):
    take(database, incoming("o1", "Z1"), incoming("o1", "Z2"))
    take(database, *rows, now=T0 + H)
    found = "SELECT waybill_no FROM parcels WHERE state = 'watched' AND waybill_no IN ('Z1', 'Z2')"
    assert sorted(column(database, found)) == ["Z1", "Z2"]


def test_an_older_export_adds_no_waybill_beside_a_present_one(database):
    take(database, incoming("o1", "Z1"))
    [older] = take(database, incoming("o1", "Z0", known=T0 - H), now=T0)
    assert (older.outcome, older.parcel_ids) == ("older", ())
    assert column(database, "SELECT waybill_no FROM parcels") == ["Z1"]


def test_an_older_export_fills_in_a_missing_waybill(database):
    take(database, incoming("o1"))
    [older] = take(database, incoming("o1", "Z1", known=T0 - H), now=T0)
    assert older.outcome == "updated"
    assert column(database, "SELECT waybill_no FROM parcels") == ["Z1"]


def test_a_number_changed_back_is_the_old_parcel_again(database):
    [first] = take(database, incoming("o1", "Z1"))
    take(database, incoming("o1", "Z2", known=T0 + H))
    [back] = take(database, incoming("o1", "Z1", known=T0 + 2 * H))
    assert back.parcel_ids == first.parcel_ids
    assert loaded(database, back.parcel_ids[0]).state == "watched"
    assert column(database, "SELECT state FROM parcels WHERE waybill_no = 'Z2'") == ["unwatched"]


# ── reused numbers ───────────────────────────────────────────────────────────────────────────────


def finish(store, parcel_id, at):
    update = parcels.Update(parcel_id, state="done", why="签收", done_at=at)
    store.write_now(lambda conn: parcels.save(conn, [update], at))


@pytest.mark.parametrize(
    ("days", "cycles"), [pytest.param(59, [0], id="59 days"), pytest.param(60, [0, 1], id="60 days")]
)
def test_a_number_shipped_again_after_two_months_is_another_parcel(database, days, cycles):
    take(database, incoming("o1", "Z1", shipped_at=T0))
    later = T0 + timedelta(days=days)
    [again] = take(database, incoming("o2", "Z1", known=later, paid_at=later, shipped_at=later))
    assert sorted(column(database, "SELECT cycle FROM parcels")) == cycles
    found = database.read_now(lambda conn: parcels.find(conn, "Z1"))
    assert found[0] == again.parcel_ids[0]  # the newest use first
    assert len(found) == len(cycles)


@pytest.mark.parametrize(
    ("days", "cycles"), [pytest.param(59, [0], id="59 days"), pytest.param(60, [0, 1], id="60 days")]
)
def test_a_number_that_was_done_two_months_ago_is_another_parcel(database, days, cycles):
    finish(database, a_parcel(database, paid_at=None, shipped_at=None), T0)
    later = T0 + timedelta(days=days)
    take(database, incoming("o2", "Z1", known=later, paid_at=later, shipped_at=later))
    assert sorted(column(database, "SELECT cycle FROM parcels")) == cycles


def test_an_order_of_long_before_does_not_join_todays_parcel(database):
    """Else the clocks of today's parcel would start a year ago."""
    parcel_id = a_parcel(database)
    long_ago = T0 - 365 * DAY
    row = incoming("old", "Z1", known=long_ago, paid_at=long_ago, shipped_at=long_ago)
    [old] = take(database, row, now=T0)
    assert (old.outcome, old.parcel_ids) == ("accepted", ())
    assert "太早" in old.detail
    assert [order.order_no for order in loaded(database, parcel_id).case.orders] == ["order of Z1"]


def test_an_order_keeps_its_own_use_of_a_number(database):
    [first] = take(database, incoming("o1", "Z1", shipped_at=T0))
    later = T0 + 90 * DAY
    take(database, incoming("o2", "Z1", known=later, paid_at=later, shipped_at=later))
    [again] = take(database, incoming("o1", "Z1", known=later + H, shipped_at=T0))
    assert again.parcel_ids == first.parcel_ids


# ── personal data and size ───────────────────────────────────────────────────────────────────────


def test_the_phone_is_sealed_and_never_more_than_four_digits(database):
    take(database, incoming("o1", "Z1", tail="13812345678"))
    [sealed] = column(database, "SELECT phone_tail FROM orders")
    assert b"5678" not in bytes(sealed)
    assert len(bytes(sealed)) == 1 + 4 + 16 + 4 + 16  # head, four characters, tag
    claimed = claim_one(database)
    assert claimed.phone_tail.reveal() == "5678"
    assert "5678" not in repr(claimed)


def test_a_phone_that_comes_later_is_kept_and_the_same_again_is_not_rewritten(database):
    take(database, incoming("o1", "Z1"))
    take(database, incoming("o1", "Z1", tail="1111", known=T0 + H))
    [before] = column(database, "SELECT phone_tail FROM orders")
    [again] = take(database, incoming("o1", "Z1", tail="1111", known=T0 + 2 * H))
    assert again.outcome == "unchanged"
    assert column(database, "SELECT phone_tail FROM orders") == [before]
    assert claim_one(database).phone_tail.reveal() == "1111"


def claim_one(store):
    [parcel_id] = column(store, "SELECT id FROM parcels")
    due(store, parcels.Due(parcel_id, "k100", T0, None))
    [claim] = store.write_now(
        lambda conn: parcels.claim_polls(conn, "k100", T0 + DAY, 1, interval=H, daily=40, lease=H)
    )
    return claim


def test_texts_postgresql_refuses_come_in_all_the_same(database):
    [taken] = take(database, incoming("o\0", "Z\ud83d", shop="店\0", warehouse="仓\udc00"))
    assert taken.outcome == "accepted"
    assert outcomes(take(database, incoming("o\0", "Z\ud83d", shop="店\0", warehouse="仓\udc00"))) == [
        "unchanged"
    ]


def test_a_file_of_many_rows_comes_in_whole_and_again_as_unchanged(database):
    rows = [incoming(f"o{i}", f"Z{i % 2000}", tail=f"{i % 10000:04}") for i in range(2500)]
    assert outcomes(take(database, *rows)) == ["accepted"] * 2500
    assert column(database, "SELECT count(*) FROM parcels") == [2000]
    assert outcomes(take(database, *rows)) == ["unchanged"] * 2500
