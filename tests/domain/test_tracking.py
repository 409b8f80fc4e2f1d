"""Folding answers into a history, and condensing a history to what the rules ask.

The cases are the rows of "Realities every adapter meets" (`facts/carriers.md`), §9 and the notes after §11
of `facts/platform-rules.md`, and the laws of the design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.history import Merge, Stored, merge
from domain.journey import Journey, Whereabouts, condense
from domain.tracking import (
    Answer,
    DeliveredKind,
    ExceptionKind,
    Milestone,
    Motion,
    TrackingEvent,
)

M, X = Milestone, ExceptionKind
T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
NOW = T0 + timedelta(days=20)
HUB, NEXT_HUB = "杭州转运中心", "北京转运中心"


def scan(hours: float, milestone: Milestone, text: str = "", **rest: object) -> TrackingEvent:
    """A scan `hours` after T0."""
    event = TrackingEvent(T0 + timedelta(hours=hours), milestone, text or f"{milestone.value} {hours}")
    return replace(event, **rest)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


PICKED = scan(0, M.PICKED_UP)
ARRIVED = scan(10, M.IN_TRANSIT, "已到达", motion=Motion.ARRIVED, hub=HUB)
LEFT = scan(12, M.IN_TRANSIT, "已发出", motion=Motion.DEPARTED, hub=HUB, next_stop=NEXT_HUB)
OUT = scan(40, M.OUT_FOR_DELIVERY, courier="李*")
SIGNED = scan(44, M.DELIVERED, delivered_kind=DeliveredKind.SELF)
STORY = (PICKED, ARRIVED, LEFT, OUT, SIGNED)


def answer(*events: TrackingEvent, whole: bool = True) -> Answer:
    return Answer("zhongtong", "75812345678905", events, whole=whole)


def applied(known: Sequence[Stored], change: Merge) -> list[Stored]:
    """What the store holds afterwards."""
    rows = {(row.event.occurred_at, row.seq): row for row in known}
    for row in (
        *(after for _, after in change.edited),
        *change.withdrawn,
        *change.restored,
        *change.added,
    ):
        rows[row.event.occurred_at, row.seq] = row
    return list(rows.values())


def told(*answers: Answer) -> list[Stored]:
    """The history after these answers, learned an hour apart."""
    known: list[Stored] = []
    for nth, said in enumerate(answers):
        known = applied(known, merge(known, said, NOW + timedelta(hours=nth)))
    return known


def standing(known: Sequence[Stored]) -> list[TrackingEvent]:
    return sorted(
        (row.event for row in known if row.withdrawn_at is None), key=lambda e: (e.occurred_at, e.text)
    )


class TestMerge:
    def test_everything_is_new_to_an_empty_history(self) -> None:
        change = merge([], answer(*STORY), NOW)
        assert [row.event for row in change.added] == list(STORY)
        assert all(row.learned_at == NOW and row.seq == 0 for row in change.added)
        assert not change.edited
        assert not change.withdrawn
        assert not change.restored
        assert not change.contradicts

    def test_the_same_answer_twice_changes_nothing(self) -> None:
        assert not merge(told(answer(*STORY)), answer(*STORY), NOW)

    def test_an_empty_answer_deletes_nothing(self) -> None:
        assert merge(told(answer(*STORY)), answer(), NOW) == Merge()

    def test_an_edited_a_shortened_and_a_late_scan(self) -> None:
        """`samples/kuaidi100/poll_1…` and `poll_2…`, in words of our own."""
        first = answer(
            scan(0, M.PICKED_UP, "【良渚】已揽收 王** 138****0036"), scan(40, M.IN_TRANSIT, "已到达")
        )
        second = answer(
            scan(0, M.PICKED_UP, "【良渚】已揽收 王**"),
            scan(7, M.IN_TRANSIT, "已离开"),
            scan(40, M.IN_TRANSIT, "已到达【北京转运中心】"),
        )
        known = told(first)
        change = merge(known, second, NOW + timedelta(hours=5))
        assert [row.event.text for row in change.added] == ["已离开"]
        assert [(old.event.text, new.event.text) for old, new in change.edited] == [
            ("【良渚】已揽收 王** 138****0036", "【良渚】已揽收 王**"),
            ("已到达", "已到达【北京转运中心】"),
        ]
        assert not change.withdrawn
        assert not change.restored
        assert not change.contradicts
        assert all(new.learned_at == old.learned_at for old, new in change.edited)
        assert change.added[0].learned_at == NOW + timedelta(hours=5)

    def test_a_stale_code_put_on_an_old_row_is_an_edit(self) -> None:
        stale = replace(LEFT, code="202", status="超时未更新")
        change = merge(told(answer(PICKED, LEFT)), answer(PICKED, stale), NOW)
        assert [(old.event.code, new.event.code) for old, new in change.edited] == [("", "202")]
        assert not change.added
        assert not change.withdrawn

    def test_a_scan_taken_back_is_marked_and_one_that_comes_back_is_restored(self) -> None:
        known = told(answer(PICKED, ARRIVED, LEFT))
        gone = merge(known, answer(PICKED, LEFT), NOW + timedelta(hours=9))
        assert [row.event for row in gone.withdrawn] == [ARRIVED]
        assert gone.withdrawn[0].withdrawn_at == NOW + timedelta(hours=9)
        after = applied(known, gone)
        assert standing(after) == [PICKED, LEFT]
        back = merge(after, answer(PICKED, ARRIVED, LEFT), NOW)
        assert [row.event for row in back.restored] == [ARRIVED]
        assert standing(applied(after, back)) == [PICKED, ARRIVED, LEFT]

    def test_a_scan_taken_back_and_put_again_in_other_words_is_restored_by_the_edit(self) -> None:
        known = told(answer(PICKED, ARRIVED, LEFT), answer(PICKED, LEFT))
        recoded = replace(ARRIVED, code="1002")
        change = merge(known, answer(PICKED, recoded, LEFT), NOW)
        assert [new.withdrawn_at for _, new in change.edited] == [None]
        assert standing(applied(known, change)) == [PICKED, recoded, LEFT]

    def test_what_is_older_than_the_answer_reaches_is_not_withdrawn(self) -> None:
        assert not merge(told(answer(PICKED, ARRIVED, LEFT)), answer(ARRIVED, LEFT), NOW)

    def test_a_push_of_new_scans_alone_withdraws_nothing_and_is_no_strangers(self) -> None:
        known = told(answer(PICKED, ARRIVED))
        change = merge(known, answer(LEFT, whole=False), NOW)
        assert [row.event for row in change.added] == [LEFT]
        assert not change.withdrawn
        assert not change.contradicts
        assert not merge(told(answer(PICKED, ARRIVED, LEFT)), answer(PICKED, LEFT, whole=False), NOW)

    def test_another_parcels_track_is_not_taken(self) -> None:
        """The wrong carrier can answer with another parcel's trace."""
        strange = answer(scan(1, M.PICKED_UP), scan(2, M.IN_TRANSIT), scan(3, M.DELIVERED))
        change = merge(told(answer(*STORY)), strange, NOW)
        assert change.contradicts
        assert not change

    def test_two_rows_in_one_second_are_two_scans(self) -> None:
        thanks = scan(44, M.DELIVERED, "感谢使用")
        known = told(answer(PICKED, thanks, SIGNED))
        assert [(row.event, row.seq) for row in known if row.event.occurred_at == at(44)] == [
            (thanks, 0),
            (SIGNED, 1),
        ]
        assert not merge(known, answer(PICKED, SIGNED, thanks), NOW), "their order in the reply may change"

    def test_one_of_two_in_a_second_is_edited(self) -> None:
        thanks = scan(44, M.DELIVERED, "感谢使用")
        masked = replace(SIGNED, text="已签收，电话138******36")
        change = merge(told(answer(thanks, SIGNED)), answer(thanks, masked), NOW)
        assert [(old.event, new.event) for old, new in change.edited] == [(SIGNED, masked)]
        assert not change.added
        assert not change.withdrawn

    def test_the_same_scan_several_times_in_one_answer_is_one(self) -> None:
        change = merge([], answer(PICKED, ARRIVED, ARRIVED, PICKED), NOW)
        assert [row.event for row in change.added] == [PICKED, ARRIVED]

    def test_equal_words_at_different_times_are_two_scans(self) -> None:
        again = replace(PICKED, occurred_at=at(41.8))
        assert len(merge([], answer(PICKED, again), NOW).added) == 2

    def test_a_standing_row_is_taken_before_a_withdrawn_one(self) -> None:
        twin = [Stored(ARRIVED, 0, NOW, withdrawn_at=NOW), Stored(ARRIVED, 1, NOW)]
        assert not merge(twin, answer(ARRIVED), NOW)


moments = st.integers(0, 8).map(float)
milestones = st.sampled_from(
    [
        M.UNKNOWN,
        M.LABEL_CREATED,
        M.PICKED_UP,
        M.IN_TRANSIT,
        M.ARRIVED_DEST_CITY,
        M.OUT_FOR_DELIVERY,
        M.DELIVERY_FAILED,
        M.READY_FOR_COLLECTION,
        M.DELIVERED,
        M.RETURNING,
        M.RETURNED,
        M.CANCELLED,
    ]
)
scans = st.builds(
    lambda hours, milestone, text, code, motion, hub, area, exceptions, kind, forecast, courier: scan(
        hours * 9,
        milestone,
        text,
        code=code,
        motion=motion,
        hub=hub,
        area=area,
        exceptions=exceptions,
        delivered_kind=kind if milestone is M.DELIVERED else None,
        forecast=forecast and milestone is M.UNKNOWN,
        courier=courier,
    ),
    moments,
    milestones,
    st.sampled_from(["甲", "乙", "丙"]),
    st.sampled_from(["", "0", "777"]),
    st.sampled_from([None, *Motion]),
    st.sampled_from(["", HUB, NEXT_HUB]),
    st.sampled_from(["", "浙江", "浙江,杭州市", "北京,北京市,海淀区"]),
    st.frozensets(st.sampled_from([X.HELD, X.DAMAGED, X.REFUSED]), max_size=2),
    st.sampled_from([None, *DeliveredKind]),
    st.booleans(),
    st.sampled_from(["", "李*", "王*"]),
)
histories = st.lists(scans, max_size=9)


class TestMergeLaws:
    @settings(deadline=None)
    @given(st.lists(histories, max_size=4), histories)
    def test_asking_twice_changes_nothing(
        self, before: list[list[TrackingEvent]], events: list[TrackingEvent]
    ) -> None:
        known = told(*(answer(*said) for said in before), answer(*events))
        assert not merge(known, answer(*events), NOW)

    @settings(deadline=None)
    @given(histories, histories)
    def test_nothing_is_ever_deleted_and_what_is_said_stands(
        self, before: list[TrackingEvent], events: list[TrackingEvent]
    ) -> None:
        known = told(answer(*before))
        change = merge(known, answer(*events), NOW)
        after = applied(known, change)
        assert {(row.event.occurred_at, row.seq) for row in known} <= {
            (row.event.occurred_at, row.seq) for row in after
        }
        if change.contradicts:
            assert after == known
        else:
            assert set(events) <= set(standing(after))

    @settings(deadline=None)
    @given(histories, st.randoms(use_true_random=False))
    def test_the_order_of_rows_in_an_answer_adds_no_scan(
        self, events: list[TrackingEvent], random: object
    ) -> None:
        shuffled = list(events)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        assert not merge(told(answer(*events)), answer(*shuffled), NOW)

    @settings(deadline=None)
    @given(histories, histories)
    def test_a_partial_answer_withdraws_nothing(
        self, before: list[TrackingEvent], events: list[TrackingEvent]
    ) -> None:
        change = merge(told(answer(*before)), answer(*events, whole=False), NOW)
        assert not change.withdrawn
        assert not change.contradicts


class TestCondense:
    def test_nothing_known_is_an_empty_journey(self) -> None:
        assert condense([]) == Journey()

    def test_an_ordinary_story(self) -> None:
        journey = condense(STORY)
        assert journey.milestone is M.DELIVERED
        assert journey.over
        assert journey.delivered_kind is DeliveredKind.SELF
        assert journey.first == {
            M.PICKED_UP: at(0),
            M.IN_TRANSIT: at(10),
            M.DEPARTED_FIRST_HUB: at(12),
            M.OUT_FOR_DELIVERY: at(40),
            M.DELIVERED: at(44),
        }
        assert journey.last[M.IN_TRANSIT] == at(12)
        assert (journey.first_scan_at, journey.last_movement_at) == (at(0), at(44))
        assert journey.update_after_first_scan_at == at(10)
        assert journey.update_after_pickup_at == at(10)
        assert (journey.courier, journey.events, journey.exceptions) == ("李*", 5, ())

    @pytest.mark.parametrize(
        ("events", "whereabouts"),
        [
            pytest.param([], None, id="nothing known"),
            pytest.param([scan(0, M.LABEL_CREATED)], None, id="label only"),
            pytest.param([PICKED], Whereabouts.AT_PICKUP, id="picked up, no more"),
            pytest.param([PICKED, ARRIVED], Whereabouts.IN_NODE, id="in a hub"),
            pytest.param([PICKED, ARRIVED, LEFT], Whereabouts.BETWEEN_NODES, id="on the road"),
            pytest.param([*STORY[:4]], Whereabouts.DELIVERY_LEG, id="with the courier"),
            pytest.param([*STORY], None, id="delivered"),
            pytest.param(
                [replace(ARRIVED, text="乙"), replace(LEFT, occurred_at=at(10), text="一")],
                Whereabouts.BETWEEN_NODES,
                id="came and went in one second, whatever the words",
            ),
        ],
    )
    def test_where_a_silent_parcel_is(
        self, events: list[TrackingEvent], whereabouts: Whereabouts | None
    ) -> None:
        assert condense(events).whereabouts is whereabouts

    def test_a_missing_pickup_is_the_first_movement(self) -> None:
        journey = condense([scan(-3, M.LABEL_CREATED), ARRIVED, LEFT])
        assert journey.first[M.PICKED_UP] == at(10)
        assert journey.first_scan_at == at(10), "a label is no scan"

    def test_a_label_alone_is_no_pickup(self) -> None:
        journey = condense([scan(0, M.LABEL_CREATED)])
        assert M.PICKED_UP not in journey.first
        assert journey.first_scan_at is None

    def test_a_pickup_booked_late_counts_from_the_first_movement(self) -> None:
        assert condense([ARRIVED, scan(11, M.PICKED_UP)]).first[M.PICKED_UP] == at(10)

    def test_a_repeated_pickup_is_a_scan_but_no_progress(self) -> None:
        """韵达 picked one parcel up twice, 41.8 hours apart."""
        journey = condense([PICKED, replace(PICKED, occurred_at=at(41.8))])
        assert journey.first[M.PICKED_UP] == at(0)
        assert journey.last[M.PICKED_UP] == at(41.8)
        assert journey.update_after_pickup_at is None
        assert journey.last_movement_at == at(41.8)

    @pytest.mark.parametrize(("minutes", "moved_at"), [(5, 10), (6, 10.1)])
    def test_the_same_line_within_five_minutes_counts_once(self, minutes: int, moved_at: float) -> None:
        again = replace(ARRIVED, occurred_at=at(10) + timedelta(minutes=minutes))
        assert condense([PICKED, ARRIVED, again]).last_movement_at == at(moved_at)

    @pytest.mark.parametrize(
        "remark",
        [
            pytest.param(scan(20, M.UNKNOWN, forecast=True), id="forecast"),
            pytest.param(scan(20, M.UNKNOWN, "谁也不懂"), id="unreadable"),
            pytest.param(scan(20, M.LABEL_CREATED), id="label"),
            pytest.param(scan(20, M.IN_TRANSIT, exceptions=frozenset({X.HELD})), id="problem parcel"),
            pytest.param(
                scan(20, M.AT_DELIVERY_STATION, exceptions=frozenset({X.RESCHEDULED})), id="put off"
            ),
            pytest.param(scan(20, M.IN_TRANSIT, exceptions=frozenset({X.DAMAGED})), id="damage looked into"),
            pytest.param(
                scan(20, M.IMPORT_CUSTOMS, exceptions=frozenset({X.CUSTOMS_EXCEPTION})), id="stuck in customs"
            ),
        ],
    )
    def test_a_remark_does_not_restart_the_clock_of_silence(self, remark: TrackingEvent) -> None:
        assert condense([PICKED, LEFT, remark]).last_movement_at == at(12)

    def test_a_damaged_parcel_that_arrives_has_moved(self) -> None:
        hurt = scan(20, M.IN_TRANSIT, motion=Motion.ARRIVED, exceptions=frozenset({X.DAMAGED}))
        journey = condense([PICKED, LEFT, hurt])
        assert journey.last_movement_at == at(20)
        assert [found.kind for found in journey.exceptions] == [X.DAMAGED]

    def test_unread_lines_after_the_last_movement_are_counted(self) -> None:
        journey = condense(
            [scan(5, M.UNKNOWN, "早"), LEFT, scan(20, M.UNKNOWN, "晚"), scan(21, M.UNKNOWN, "更晚")]
        )
        assert journey.unread == 2


class TestState:
    @pytest.mark.parametrize(
        ("events", "state"),
        [
            pytest.param(
                [SIGNED, scan(45, M.AT_DELIVERY_STATION)], M.DELIVERED, id="arrival booked after signing"
            ),
            pytest.param(
                [SIGNED, scan(46, M.OUT_FOR_DELIVERY)], M.DELIVERED, id="delivery booked after signing"
            ),
            pytest.param([SIGNED, scan(68, M.OUT_FOR_DELIVERY)], M.DELIVERED, id="exactly a day later"),
            pytest.param(
                [SIGNED, scan(69, M.OUT_FOR_DELIVERY)], M.OUT_FOR_DELIVERY, id="tried again days later"
            ),
            pytest.param([SIGNED, scan(69, M.IN_TRANSIT)], M.DELIVERED, id="a stray hub scan days later"),
            pytest.param(
                [SIGNED, scan(45, M.READY_FOR_COLLECTION)], M.READY_FOR_COLLECTION, id="signed, then stored"
            ),
            pytest.param(
                [scan(42, M.READY_FOR_COLLECTION), SIGNED], M.DELIVERED, id="stored, then collected"
            ),
            pytest.param(
                [scan(42, M.READY_FOR_COLLECTION), scan(43, M.OUT_FOR_DELIVERY)],
                M.OUT_FOR_DELIVERY,
                id="taken out of the locker by the courier",
            ),
            pytest.param(
                [OUT, scan(41, M.DELIVERY_FAILED), scan(60, M.OUT_FOR_DELIVERY)],
                M.OUT_FOR_DELIVERY,
                id="second attempt",
            ),
            pytest.param([OUT, scan(41, M.IN_TRANSIT)], M.OUT_FOR_DELIVERY, id="a lower rank is an event"),
            pytest.param([SIGNED, scan(50, M.RETURNING)], M.RETURNING, id="sent back after signing"),
            pytest.param(
                [scan(50, M.RETURNING), scan(60, M.IN_TRANSIT)], M.RETURNING, id="hubs on the way back"
            ),
            pytest.param([scan(50, M.RETURNING), scan(90, M.RETURNED)], M.RETURNED, id="back"),
            pytest.param(
                [scan(1, M.CANCELLED), scan(2, M.RETURNING)], M.RETURNING, id="cancelled on its way"
            ),
            pytest.param([OUT, scan(41, M.UNKNOWN)], M.OUT_FOR_DELIVERY, id="nobody knows"),
        ],
    )
    def test_state(self, events: list[TrackingEvent], state: Milestone) -> None:
        assert condense([PICKED, *events]).milestone is state

    def test_signed_by_the_shipper_is_returned(self) -> None:
        """`ischeck` is 1 there too; where the words do not say so, the way back does."""
        home = scan(90, M.DELIVERED, delivered_kind=DeliveredKind.SELF)
        journey = condense([PICKED, OUT, scan(50, M.RETURNING), home])
        assert journey.milestone is M.RETURNED
        assert M.DELIVERED not in journey.first
        assert journey.first[M.RETURNED] == at(90)
        assert (journey.over, journey.turned_back) == (True, True)

    def test_signed_then_stored_is_trouble_of_its_own_until_collected(self) -> None:
        stored = scan(45, M.READY_FOR_COLLECTION, "已存放驿站")
        journey = condense([*STORY, stored])
        assert [(found.kind, found.since, found.text) for found in journey.exceptions] == [
            (X.SIGNED_THEN_STORED, at(45), "已存放驿站")
        ]
        assert not journey.over
        collected = condense([*STORY, stored, scan(70, M.DELIVERED)])
        assert collected.milestone is M.DELIVERED
        assert collected.exceptions == ()

    def test_a_transit_warehouse_does_not_end_the_parcel(self) -> None:
        kind = DeliveredKind.TRANSIT_WAREHOUSE
        warehouse = scan(30, M.DELIVERED, delivered_kind=kind, exceptions=frozenset({X.TRANSIT_WAREHOUSE}))
        journey = condense([PICKED, warehouse])
        assert not journey.over
        assert [found.kind for found in journey.exceptions] == [X.TRANSIT_WAREHOUSE]
        assert condense([PICKED, warehouse, scan(90, M.DELIVERED)]).over
        assert condense([PICKED, warehouse, scan(90, M.RETURNED)]).over

    def test_a_thank_you_line_in_the_second_of_the_signature_hides_nothing(self) -> None:
        signed = scan(
            44, M.DELIVERED, "【学院路】已签收，前台", delivered_kind=DeliveredKind.RECEPTION, outlet="学院路"
        )
        thanks = scan(44, M.DELIVERED, "感谢使用")
        for events in ([signed, thanks], [thanks, signed]):
            journey = condense(events)
            assert journey.delivered_kind is DeliveredKind.RECEPTION
            assert journey.last_text == signed.text
            assert journey.node == "学院路"


class TestExceptions:
    HELD = scan(20, M.UNKNOWN, "滞留", exceptions=frozenset({X.HELD}))

    @pytest.mark.parametrize(
        "kind", [X.HELD, X.HUB_CONGESTION, X.FORCE_MAJEURE, X.CONTACT_FAILURE, X.RESCHEDULED]
    )
    def test_a_later_scan_closes_what_passes(self, kind: ExceptionKind) -> None:
        stuck = scan(20, M.UNKNOWN, "异常", exceptions=frozenset({kind}))
        assert [(x.kind, x.since) for x in condense([PICKED, stuck]).exceptions] == [(kind, at(20))]
        assert condense([PICKED, stuck, scan(21, M.IN_TRANSIT)]).exceptions == ()

    @pytest.mark.parametrize("kind", [X.REFUSED, X.LOST, X.DAMAGED, X.FORWARDED, X.CUSTOMS_EXCEPTION])
    def test_what_a_scan_does_not_mend_stays(self, kind: ExceptionKind) -> None:
        trouble = scan(20, M.UNKNOWN, "异常", exceptions=frozenset({kind}))
        journey = condense([PICKED, trouble, scan(21, M.IN_TRANSIT)])
        assert [(found.kind, found.since) for found in journey.exceptions] == [(kind, at(20))]

    def test_a_terminal_milestone_closes_all_but_harm_to_the_goods(self) -> None:
        trouble = scan(20, M.UNKNOWN, exceptions=frozenset({X.REFUSED, X.LOST, X.DAMAGED}))
        assert [found.kind for found in condense([PICKED, trouble, SIGNED]).exceptions] == [X.DAMAGED]
        assert condense([PICKED, trouble, scan(90, M.RETURNED)]).exceptions == ()

    def test_trouble_counts_since_it_was_first_told(self) -> None:
        again = replace(self.HELD, occurred_at=at(25), text="仍滞留")
        assert condense([PICKED, self.HELD, again]).exceptions[0].since == at(20)

    def test_a_remark_does_not_close_trouble(self) -> None:
        forecast = scan(22, M.UNKNOWN, forecast=True)
        assert [x.kind for x in condense([PICKED, self.HELD, forecast]).exceptions] == [X.HELD]


class TestFirstHub:
    @pytest.mark.parametrize(
        ("events", "departed"),
        [
            pytest.param([PICKED, ARRIVED], None, id="still in it"),
            pytest.param([PICKED, ARRIVED, LEFT], 12, id="departure scan"),
            pytest.param(
                [PICKED, ARRIVED, scan(30, M.IN_TRANSIT, hub=NEXT_HUB)], 30, id="seen at the second"
            ),
            pytest.param([PICKED, ARRIVED, scan(11, M.IN_TRANSIT, hub=HUB)], None, id="another scan inside"),
            pytest.param([PICKED, ARRIVED, scan(30, M.ARRIVED_DEST_CITY)], 30, id="destination city"),
            pytest.param(
                [
                    scan(0, M.PICKED_UP, area="浙江,杭州市,余杭区"),
                    scan(9, M.IN_TRANSIT, area="浙江,杭州市"),
                    scan(30, M.IN_TRANSIT, area="北京,北京市"),
                ],
                30,
                id="no hub ever named: another city",
            ),
            pytest.param(
                [scan(0, M.PICKED_UP, area="浙江,杭州市"), scan(9, M.IN_TRANSIT, area="浙江")],
                None,
                id="a bare province is no other city",
            ),
            pytest.param(
                [PICKED, scan(2, M.IN_TRANSIT, motion=Motion.DEPARTED, outlet="余杭良渚")],
                None,
                id="left an outlet",
            ),
        ],
    )
    def test_when_the_parcel_left_it(self, events: list[TrackingEvent], departed: float | None) -> None:
        journey = condense(events)
        assert journey.first.get(M.DEPARTED_FIRST_HUB) == (None if departed is None else at(departed))


class TestCondenseLaws:
    @settings(deadline=None)
    @given(histories, st.randoms(use_true_random=False))
    def test_the_order_of_arrival_does_not_matter(self, events: list[TrackingEvent], random: object) -> None:
        shuffled = list(events)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        assert condense(shuffled) == condense(events)

    @settings(deadline=None)
    @given(histories)
    def test_times_are_those_of_scans(self, events: list[TrackingEvent]) -> None:
        journey = condense(events)
        moments = {event.occurred_at for event in events}
        assert set(journey.first.values()) | set(journey.last.values()) <= moments
        assert all(journey.first[milestone] <= journey.last[milestone] for milestone in journey.first)
        assert journey.first.keys() == journey.last.keys()

    @settings(deadline=None)
    @given(histories, st.sampled_from(["预计明天送达", "预计后天到达"]))
    def test_a_forecast_changes_no_clock(self, events: list[TrackingEvent], text: str) -> None:
        before = condense(events)
        after = condense([*events, scan(999, M.UNKNOWN, text, forecast=True)])
        assert (after.first, after.last, after.milestone) == (before.first, before.last, before.milestone)
        assert after.last_movement_at == before.last_movement_at
        assert after.exceptions == before.exceptions

    @settings(deadline=None)
    @given(histories)
    def test_an_unreadable_line_moves_nothing(self, events: list[TrackingEvent]) -> None:
        before, after = condense(events), condense([*events, scan(999, M.UNKNOWN, "谁也不懂")])
        assert (after.first, after.milestone, after.whereabouts) == (
            before.first,
            before.milestone,
            before.whereabouts,
        )
        assert after.unread == before.unread + 1


def test_a_provider_s_own_clock_over_an_old_scan_takes_nothing_of_it():
    """快递100 puts 202 on the newest row while it is silent (`reply_advanced_stale`, its README line)."""
    arrived = scan(30, M.ARRIVED_DEST_CITY, "快件已到达 【北京海淀区学院路网点】")
    known = applied((), merge((), answer(PICKED, arrived), NOW))
    overdue = replace(arrived, milestone=M.IN_TRANSIT, code="202", overlaid=True)
    assert merge(known, answer(PICKED, overdue), NOW) == Merge()


def test_a_scan_first_seen_under_the_provider_s_clock_is_corrected_when_the_clock_goes():
    overdue = scan(30, M.IN_TRANSIT, "快件已到达 【北京海淀区学院路网点】", code="202", overlaid=True)
    arrived = replace(overdue, milestone=M.ARRIVED_DEST_CITY, code="1001", overlaid=False)
    known = applied((), merge((), answer(PICKED, overdue), NOW))
    change = merge(known, answer(PICKED, arrived), NOW)
    assert [after.event.milestone for _, after in change.edited] == [M.ARRIVED_DEST_CITY]


def test_an_echoed_scan_does_not_start_a_wait_anew():
    """The same words within five minutes are one scan (§11, notes): the dispatch began with the first."""
    echo = scan(40 + 3 / 60, M.OUT_FOR_DELIVERY, OUT.text, courier="李*")
    assert condense((PICKED, OUT, echo)).last[M.OUT_FOR_DELIVERY] == OUT.occurred_at


class TestStays:
    """Where the parcel was, for the structural checks: cities, the doorstep, pickups, a first line of any kind."""

    def test_cities_stay_by_stay(self) -> None:
        journey = condense(
            [
                scan(-1, M.LABEL_CREATED, area="浙江,杭州市"),
                scan(0, M.PICKED_UP, area="浙江,杭州市,余杭区"),
                scan(5, M.IN_TRANSIT, area="浙江,杭州市,萧山区"),
                scan(9, M.IN_TRANSIT, area="浙江"),
                scan(20, M.OUT_FOR_DELIVERY, area="四川,成都市"),
            ]
        )
        stays = [(stay.area, stay.at, stay.until) for stay in journey.cities]
        assert stays == [("浙江,杭州市", at(0), at(5)), ("四川,成都市", at(20), at(20))]
        assert journey.origin == "浙江,杭州市"
        assert (journey.first_event_at, journey.first_scan_at) == (at(-1), at(0))
        assert journey.doorstep == journey.cities[1]

    def test_a_pickup_without_a_city_has_no_origin(self) -> None:
        journey = condense([PICKED, scan(5, M.IN_TRANSIT, area="浙江,杭州市")])
        assert len(journey.cities) == 1
        assert journey.origin == ""

    def test_a_door_on_the_way_back_is_not_the_receivers(self) -> None:
        outward = [PICKED, scan(20, M.OUT_FOR_DELIVERY, area="四川,成都市"), scan(30, M.RETURNING)]
        journey = condense([*outward, scan(50, M.OUT_FOR_DELIVERY, area="浙江,杭州市")])
        assert journey.doorstep is not None
        assert journey.doorstep.area == "四川,成都市"

    def test_an_echoed_pickup_is_one(self) -> None:
        again = scan(0.05, M.PICKED_UP, PICKED.text)
        assert condense([PICKED, again]).pickups == (at(0),)
        assert condense([PICKED, again, scan(9, M.PICKED_UP)]).pickups == (at(0), at(9))

    def test_that_it_was_sent_on_outlives_the_delivery(self) -> None:
        sent_on = scan(9, M.IN_TRANSIT, "已转寄", exceptions=frozenset({X.FORWARDED}))
        journey = condense([PICKED, sent_on, SIGNED])
        assert journey.forwarded is not None
        assert journey.forwarded.since == at(9)
        assert journey.exceptions == ()
