"""Scans: added, corrected with the earlier words kept, marked withdrawn, never lost (feature B8, L4)."""

from __future__ import annotations

import json

import pytest
from sqlalchemy.exc import IntegrityError

from domain.history import Stored, merge
from domain.tracking import DeliveredKind, ExceptionKind, Milestone, Motion, TrackingEvent
from monitor.store import events
from tests.store.given import PICKED, T0, H, a_parcel, answer, column, learn, many_parcels

MOVED = TrackingEvent(
    T0 + 3 * H,
    Milestone.IN_TRANSIT,
    "已到达【杭州转运中心】",
    status="干线",
    motion=Motion.ARRIVED,
    hub="杭州转运中心",
    area="浙江省,杭州市",
    exceptions=frozenset({ExceptionKind.HELD, ExceptionKind.HUB_CONGESTION}),
)
SIGNED = TrackingEvent(
    T0 + 30 * H, Milestone.DELIVERED, "已签收", delivered_kind=DeliveredKind.LOCKER, courier="王师傅"
)


def known(store, parcel_id) -> list[Stored]:
    return store.read_now(lambda conn: events.known(conn, [parcel_id]))[parcel_id]


def test_scans_come_back_in_order_with_everything_they_said(database):
    parcel_id = a_parcel(database)
    learn(database, parcel_id, T0 + 40 * H, SIGNED, PICKED, MOVED)
    assert [row.event for row in known(database, parcel_id)] == [PICKED, MOVED, SIGNED]
    assert {row.learned_at for row in known(database, parcel_id)} == {T0 + 40 * H}
    assert column(database, "SELECT DISTINCT provider FROM events") == ["k100"]


def test_asking_twice_stores_nothing_new(database):
    parcel_id = a_parcel(database)
    learn(database, parcel_id, T0 + 4 * H, PICKED, MOVED)
    before = known(database, parcel_id)
    assert not learn(database, parcel_id, T0 + 5 * H, PICKED, MOVED)
    assert known(database, parcel_id) == before


def test_two_scans_of_one_second_are_two(database):
    parcel_id = a_parcel(database)
    twin = TrackingEvent(T0, Milestone.IN_TRANSIT, "已发往杭州")
    learn(database, parcel_id, T0 + H, PICKED, twin)
    assert [(row.event.text, row.seq) for row in known(database, parcel_id)] == [
        ("已揽收", 0),
        ("已发往杭州", 1),
    ]


def test_edited_words_replace_the_old_ones_which_are_kept(database):
    parcel_id = a_parcel(database)
    learn(database, parcel_id, T0 + H, PICKED, MOVED)
    masked = TrackingEvent(T0, Milestone.PICKED_UP, "已揽收，快递员 138****0000", "103")
    learn(database, parcel_id, T0 + 5 * H, masked, MOVED)
    row = known(database, parcel_id)[0]
    assert row.event == masked
    assert row.learned_at == T0 + H  # of the scan we knew then; the words came later
    [was] = column(database, "SELECT was FROM event_edits")
    assert json.loads(was)["text"] == "已揽收"
    [replaced_at] = column(database, "SELECT replaced_at FROM event_edits")
    assert replaced_at == events.to_micros(T0 + 5 * H)


def test_a_withdrawn_scan_is_marked_and_comes_back_without_losing_that_it_was_gone(database):
    parcel_id = a_parcel(database)
    learn(database, parcel_id, T0 + 4 * H, PICKED, MOVED, SIGNED)
    learn(database, parcel_id, T0 + 50 * H, PICKED, SIGNED)
    assert [row.withdrawn_at for row in known(database, parcel_id)] == [None, T0 + 50 * H, None]
    learn(database, parcel_id, T0 + 60 * H, PICKED, MOVED, SIGNED)
    assert [row.withdrawn_at for row in known(database, parcel_id)] == [None, None, None]
    [was] = column(database, "SELECT was FROM event_edits")
    assert json.loads(was)["withdrawn_at"] == events.to_micros(T0 + 50 * H)


def test_many_parcels_are_learned_of_at_once(database):
    ids = many_parcels(database, 600)
    changes = [(id_, merge([], answer(PICKED, MOVED), T0 + 4 * H)) for id_ in ids]
    database.write_now(lambda conn: events.apply(conn, changes, provider="k100", at=T0 + 4 * H))
    found = database.read_now(lambda conn: events.known(conn, ids))
    assert all([row.event for row in found[id_]] == [PICKED, MOVED] for id_ in ids)


def test_a_merge_made_from_older_rows_is_refused_whole(database):
    """Two answers about one parcel at a time: the second has to look again, nothing is overwritten."""
    first, second = many_parcels(database, 2)
    learn(database, first, T0 + H, PICKED)
    stale = merge([], answer(TrackingEvent(T0, Milestone.PICKED_UP, "另一句")), T0 + 2 * H)
    fresh = merge([], answer(MOVED), T0 + 2 * H)
    with pytest.raises(IntegrityError):
        database.write_now(
            lambda conn: events.apply(conn, [(second, fresh), (first, stale)], provider="k100", at=T0)
        )
    assert [row.event for row in known(database, first)] == [PICKED]
    assert known(database, second) == []


def test_hostile_text_is_kept_letter_by_letter_and_is_not_an_edit_the_next_time(database):
    parcel_id = a_parcel(database)
    hostile = TrackingEvent(T0, Milestone.UNKNOWN, "'; DROP TABLE events; --\0\ud83d{0}%s\x1b[2J", "\0")
    learn(database, parcel_id, T0 + H, hostile)
    assert [row.event for row in known(database, parcel_id)] == [hostile]
    assert not learn(database, parcel_id, T0 + 2 * H, hostile)


def test_a_parcel_nobody_knows_anything_of_has_an_empty_list(database):
    parcel_id = a_parcel(database)
    assert database.read_now(lambda conn: events.known(conn, [parcel_id, 999_999])) == {
        parcel_id: [],
        999_999: [],
    }
