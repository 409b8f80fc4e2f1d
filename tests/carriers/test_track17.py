"""17TRACK: registering before reading, batches and what spoils them, quotas, two legs, pushes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from carriers.abroad import NEVER
from carriers.base import Question
from carriers.push import Doorman, End, Forged, Push, Subscribed, Subscriber
from carriers.track17 import Track17, signature
from domain.orders import Waybill
from domain.remote import (
    Denied,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Throttled,
    Unavailable,
    Unreadable,
)
from domain.tracking import Answer, Milestone, TrackingEvent
from tests.carriers.abroad import NUMBER, POSTAL, as_the_facts_say, bodies, states, talk

NOW = datetime(2026, 3, 12, 17, 0, tzinfo=UTC)
KEY = Secret("17TRACKDEMOKEY0000000000000000AA")
ACCOUNT = Track17(KEY)
Ask = Callable[..., Answer]
Say = dict[str, Any]


def question(number: str = NUMBER, carrier: str = "youzhengguoji", tail: str = "") -> Question:
    return Question(Waybill(carrier, number), Secret(tail) if tail else None)


def event(code: str | None, text: str = "一句谁也不懂的话", stage: str | None = None) -> Say:
    return {
        "time_iso": "2026-03-12T10:05:00-05:00",
        "time_utc": "2026-03-12T15:05:00Z",
        "time_raw": {"date": "2026-03-12", "time": "10:05:00", "timezone": "-05:00"},
        "description": text,
        "stage": stage,
        "sub_status": code,
        "location": None,
    }


def leg(*events: Say, status: str = "Success", synced: str | None = "2026-03-12T16:00:00Z") -> Say:
    return {"latest_sync_status": status, "latest_sync_time": synced, "events": list(events)}


def taken(number: str, *legs: Say, status: str = "InTransit", carrier: int = 3011) -> Say:
    info = {
        "latest_status": {"status": status, "sub_status": None},
        "tracking": {"providers": list(legs)},
    }
    return {"number": number, "carrier": carrier, "tag": None, "track_info": info}


def refused(number: str, code: int, message: str = "说明") -> Say:
    return {"number": number, "error": {"code": code, "message": message}}


def reply(accepted: list[Say] | None = None, rejected: list[Say] | None = None) -> Say:
    return {"code": 0, "data": {"accepted": accepted or [], "rejected": rejected or []}}


def fault(code: int) -> Say:
    return {"code": code, "data": {"errors": [{"code": code, "message": "说明"}]}}


def numbers(request: Request) -> list[str]:
    return [row["number"] for row in json.loads(request.content)]


def read(ask: Ask, *legs: Say, **more: Any) -> Answer:
    return ask("track17", reply([taken(NUMBER, *legs, **more)]), str(POSTAL))


class TestAsking:
    def test_a_json_array_with_the_key_in_a_header(self) -> None:
        request = next(ACCOUNT.ask([question(), question("YT8812345678901", "yuantong")], NOW))
        assert (request.method, request.url) == ("POST", "https://api.17track.net/track/v2.2/gettrackinfo")
        assert request.headers["17token"] == KEY.reveal()
        assert json.loads(request.content) == [
            {"number": NUMBER, "carrier": 3011},
            {"number": "YT8812345678901"},
        ]

    def test_forty_in_a_call(self) -> None:
        asked = [question(f"RR{n:09}CN") for n in range(95)]
        answers, requests = talk(
            ACCOUNT.ask(asked, NOW),
            then=lambda request: reply(
                [taken(number, leg(event("Delivered_Other"))) for number in numbers(request)]
            ),
        )
        assert [len(numbers(request)) for request in requests] == [40, 40, 15]
        assert [answer.waybill_no for answer in answers if isinstance(answer, Answer)] == [
            each.waybill.waybill_no for each in asked
        ]

    @pytest.mark.parametrize(
        ("carrier", "code"),
        [
            ("youzhengguoji", 3011),
            ("usps", 21051),
            ("dhlde", 7041),
            ("dhl", 100001),
            ("ups", 100002),
            ("fedex", 100003),
        ],
    )
    def test_the_carriers_that_the_facts_name(self, carrier: str, code: int) -> None:
        assert json.loads(next(ACCOUNT.ask([question(carrier=carrier)], NOW)).content)[0]["carrier"] == code

    def test_the_account_may_name_more_and_others(self) -> None:
        account = Track17(KEY, couriers=("yanwen=190012", "usps = 21052"))
        asked = [question(carrier="yanwen"), question("RR000000014CN", "usps")]
        assert [row["carrier"] for row in json.loads(next(account.ask(asked, NOW)).content)] == [
            190012,
            21052,
        ]

    @pytest.mark.parametrize("written", ["yanwen", "Yan Wen=1", "=1", "yanwen=", "yanwen=cn"])
    def test_a_carrier_that_is_written_otherwise_is_told(self, written: str) -> None:
        with pytest.raises(ValueError, match=r"^couriers "):
            Track17(KEY, couriers=(written,))

    def test_a_number_that_cannot_be_one_is_refused_unasked(self) -> None:
        answers, requests = talk(
            ACCOUNT.ask([question("JDVC00000000001-1-1-", "jd"), question()], NOW),
            reply([taken(NUMBER, leg(event("Delivered_Other")))]),
        )
        assert [type(answer) for answer in answers] == [Rejected, Answer]
        assert numbers(requests[0]) == [NUMBER]


class TestRegistering:
    def test_what_is_not_registered_is_registered_and_asked_again(self) -> None:
        new = question("1Z0000000000000001", "ups", tail="0036")
        answers, requests = talk(
            ACCOUNT.ask([question(), new], NOW),
            reply([taken(NUMBER, leg(event("Delivered_Other")))], [refused("1Z0000000000000001", -18019902)]),
            reply([{"origin": 2, "number": "1Z0000000000000001", "carrier": 100002}]),
            reply([], [refused("1Z0000000000000001", -18019909)]),
        )
        assert [request.url.rpartition("/")[2] for request in requests] == [
            "gettrackinfo",
            "register",
            "gettrackinfo",
        ]
        assert bodies(requests)[1] == [
            {
                "number": "1Z0000000000000001",
                "carrier": 100002,
                "auto_detection": False,
                "tag": "carrier:ups",
                "phone": "0036",
            }
        ]
        assert [isinstance(answer, Answer) and len(answer.events) for answer in answers] == [1, 0]
        assert isinstance(answers[1], Answer)
        assert answers[1].read_at == NEVER, "what was just registered was not looked at: no proof of silence"

    def test_registered_already_is_a_success(self) -> None:
        answers, _ = talk(
            ACCOUNT.ask([question()], NOW),
            reply([], [refused(NUMBER, -18019902)]),
            reply([], [refused(NUMBER, -18019901)]),
            reply([taken(NUMBER, leg(event("Delivered_Other")))]),
        )
        assert isinstance(answers[0], Answer)
        assert answers[0].events

    def test_a_number_that_stays_unregistered_proves_nothing(self) -> None:
        missing = reply([], [refused(NUMBER, -18019902)])
        answers, _ = talk(ACCOUNT.ask([question()], NOW), missing, reply([{"number": NUMBER}]), missing)
        assert isinstance(answers[0], Answer)
        assert answers[0].read_at == NEVER

    @pytest.mark.parametrize(("code", "error"), [(-18019907, Throttled), (-18019908, Denied)])
    def test_a_used_up_quota_pauses_whoever_has_nothing_else_to_ask(
        self, code: int, error: type[RemoteError]
    ) -> None:
        with pytest.raises(error) as told:
            talk(
                ACCOUNT.ask([question()], NOW),
                reply([], [refused(NUMBER, -18019902)]),
                reply([], [refused(NUMBER, code)]),
            )
        if isinstance(told.value, Throttled):
            assert not told.value.closes, "what is registered is read on"

    @pytest.mark.parametrize("code", [-18019907, -18019908])
    def test_what_is_registered_is_read_on_when_the_quota_is_used_up(self, code: int) -> None:
        answers, _ = talk(
            ACCOUNT.ask([question(), question("1Z0000000000000001", "ups")], NOW),
            reply([taken(NUMBER, leg(event("Delivered_Other")))], [refused("1Z0000000000000001", -18019902)]),
            reply([], [refused("1Z0000000000000001", code)]),
        )
        assert [type(answer) for answer in answers] == [Answer, Rejected]

    def test_subscribing_is_registering(self) -> None:
        assert isinstance(ACCOUNT, Subscriber)
        told, requests = talk(
            ACCOUNT.subscribe([question(), question("1Z1", "ups"), question("RR1CN1")], "https://x/cb", NOW),
            reply([{"number": "RR1CN1"}], [refused(NUMBER, -18019901), refused("1Z1", -18010020)]),
        )
        assert [type(each) for each in told] == [Subscribed, Rejected, Subscribed]
        assert "电话" in str(told[1])
        assert [request.url.rpartition("/")[2] for request in requests] == ["register"]

    def test_nobody_is_subscribed_without_quota(self) -> None:
        with pytest.raises(Denied):
            talk(ACCOUNT.subscribe([question()], "", NOW), reply([], [refused(NUMBER, -18019908)]))


class TestTogether:
    def test_one_bad_number_that_refuses_the_call_costs_the_others_nothing(self) -> None:
        asked = [question(f"RR{n:09}CN") for n in range(7)]

        def answer(request: Request) -> Say:
            if "RR000000004CN" in numbers(request):
                return fault(-18010012)
            return reply([taken(number, leg(event("Delivered_Other"))) for number in numbers(request)])

        answers, requests = talk(ACCOUNT.ask(asked, NOW), then=answer)
        assert [type(answer) for answer in answers] == [*[Answer] * 4, Rejected, *[Answer] * 2]
        assert len(requests) <= 2 * 3 + 1

    @pytest.mark.parametrize("code", [-18010010, -18010011, -18010012, -18010013])
    def test_the_one_number_of_such_a_call_is_refused(self, ask: Ask, code: int) -> None:
        with pytest.raises(Rejected):
            ask("track17", fault(code), str(POSTAL))

    def test_a_number_nobody_speaks_of_is_no_silence(self) -> None:
        answers, _ = talk(
            ACCOUNT.ask([question(), question("RR000000014CN")], NOW),
            reply([taken(NUMBER, leg(event("Delivered_Other")))]),
        )
        assert [type(answer) for answer in answers] == [Answer, Rejected]

    def test_a_reply_about_none_of_them_is_unreadable(self, ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("track17", reply([taken("RR000000014CN", leg())]), str(POSTAL))

    def test_the_carrier_asked_for_comes_before_another_with_the_number(self) -> None:
        both = reply([taken(NUMBER, leg(), carrier=21051), taken(NUMBER, leg(event("Delivered_Other")))])
        answers, _ = talk(ACCOUNT.ask([question()], NOW), both)
        assert isinstance(answers[0], Answer)
        assert (len(answers[0].events), answers[0].corrected_carrier) == (1, "")

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (-18010001, Denied),
            (-18010002, Denied),
            (-18010004, Denied),
            (-18010005, Denied),
            (-18010201, Denied),
            (-18010206, Denied),
            (-18010003, Unavailable),
            (-18010014, Unreadable),
            (-18019999, Unreadable),
        ],
    )
    def test_a_refused_call_by_who_acts(self, ask: Ask, code: int, error: type[RemoteError]) -> None:
        with pytest.raises(error):
            ask("track17", fault(code), str(POSTAL))

    @pytest.mark.parametrize("body", [b"", json.dumps(fault(-18010002)).encode()], ids=["empty", "code"])
    @pytest.mark.parametrize("status", [401, 403])
    def test_a_key_that_lapsed_is_the_owners(self, ask: Ask, status: int, body: bytes) -> None:
        with pytest.raises(Denied):
            ask("track17", body, str(POSTAL), status=status)

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (-18010018, Rejected),
            (-18010019, Rejected),
            (-18010020, Rejected),
            (-18010022, Rejected),
            (-18019903, Rejected),
            (-18019904, Rejected),
            (-18019905, Rejected),
            (-18019910, Rejected),
            (-18019911, Rejected),
            (-18019815, Unavailable),
            (-18019816, Unavailable),
            (-18017777, Unreadable),
        ],
    )
    def test_one_numbers_fault_by_who_acts(self, ask: Ask, code: int, error: type[RemoteError]) -> None:
        with pytest.raises(error):
            ask("track17", reply([], [refused(NUMBER, code)]), str(POSTAL))

    def test_a_busy_carrier_among_others_proves_nothing(self) -> None:
        answers, _ = talk(
            ACCOUNT.ask([question(), question("RR000000014CN")], NOW),
            reply([taken(NUMBER, leg(event("Delivered_Other")))], [refused("RR000000014CN", -18019815)]),
        )
        assert isinstance(answers[1], Answer)
        assert (answers[1].events, answers[1].read_at) == ((), NEVER)


class TestWhoseItIs:
    def test_a_carrier_that_was_told_and_found_to_be_another_is_corrected(self, ask: Ask) -> None:
        assert read(ask, leg(event("Delivered_Other")), carrier=21051).corrected_carrier == "usps"

    def test_one_in_no_table_is_counted(self, ask: Ask) -> None:
        answer = read(ask, leg(event("Delivered_Other")), carrier=190012)
        assert (answer.corrected_carrier, answer.unknown_codes[-1]) == ("", "carrier 190012")

    @pytest.mark.parametrize(
        ("declared", "found", "told"),
        [
            ("zhongtong", 100003, Rejected),
            ("zhongtong", 190455, Answer),
            ("ems", 3011, Answer),
            ("emsguoji", 21051, Rejected),
        ],
        ids=["another of ours", "one in no table", "the post's own", "another country's post"],
    )
    def test_a_guess_from_the_numbers_form_corrects_nobody_and_brings_no_other_parcels_track(
        self, declared: str, found: int, told: type[object]
    ) -> None:
        said = reply([taken(NUMBER, leg(event("Delivered_Other")), carrier=found)])
        answers, _ = talk(ACCOUNT.ask([question(carrier=declared)], NOW), said)
        assert isinstance(answers[0], told)
        assert not isinstance(answers[0], Answer) or not answers[0].corrected_carrier

    def test_nor_does_a_push(self) -> None:
        entry = {**taken(NUMBER, leg(event("Delivered_Other")), carrier=100003), "tag": "carrier:zhongtong"}
        delivery = ACCOUNT.receive(push({"event": "TRACKING_UPDATED", "data": entry}), NOW)
        assert (delivery.answers, len(delivery.unreadable)) == ((), 1)


class TestReading:
    @pytest.mark.parametrize("state", states("track17"), ids=lambda state: state["code"])
    def test_every_documented_sub_status(self, ask: Ask, state: dict[str, str]) -> None:
        answer = read(ask, leg(event(state["code"])))
        assert as_the_facts_say(answer.events[0], state)
        assert not [said for said in answer.unknown_codes if not said.startswith("description")]

    @pytest.mark.parametrize(
        ("stage", "milestone"),
        [
            ("PickedUp", Milestone.PICKED_UP),
            ("Returned", Milestone.RETURNED),
            ("Arrival", Milestone.IN_TRANSIT),
        ],
    )
    def test_the_stage_counts_where_there_is_no_sub_status(
        self, ask: Ask, stage: str, milestone: Milestone
    ) -> None:
        assert read(ask, leg(event(None, stage=stage))).events[0].milestone is milestone

    def test_a_row_without_either_is_read_by_its_words(self, ask: Ask) -> None:
        assert (
            read(ask, leg(event(None, "Delivered to the recipient"))).events[0].milestone
            is Milestone.DELIVERED
        )

    @pytest.mark.parametrize(
        ("legs", "proven"),
        [
            pytest.param([leg(event("Delivered_Other"))], "2026-03-12T16:00:00Z", id="as it says"),
            pytest.param(
                [leg(event("Delivered_Other")), leg(synced="2026-03-12T11:00:00Z")],
                "2026-03-12T11:00:00Z",
                id="the leg looked at longer ago",
            ),
            pytest.param(
                [leg(event("Delivered_Other"), status="Failure")], "2026-03-12T15:05:00Z", id="a failed look"
            ),
            pytest.param([leg(event("Delivered_Other"), synced=None)], "2026-03-12T15:05:00Z", id="no time"),
            pytest.param([leg(status="Failure")], "2000-01-01T00:00:00Z", id="never"),
            pytest.param([], "2000-01-01T00:00:00Z", id="nobody"),
        ],
    )
    def test_silence_is_proven_up_to_the_look_at_the_carrier(
        self, ask: Ask, legs: list[Say], proven: str
    ) -> None:
        assert read(ask, *legs).read_at == datetime.fromisoformat(proven)

    def test_not_found_is_a_look(self, ask: Ask) -> None:
        answer = read(ask, leg(status="Failure"), status="NotFound")
        assert answer.read_at == datetime(2026, 3, 12, 16, 0, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("raw", "iso", "at", "written"),
        [
            (
                {"date": "2026-03-12", "time": "10:05:00", "timezone": "-05:00"},
                True,
                "2026-03-12T15:05:00Z",
                "",
            ),
            (None, True, "2026-03-12T15:05:00Z", ""),
            (
                {"date": "2026-03-12", "time": "10:05:00", "timezone": None},
                True,
                "2026-03-12T15:05:00Z",
                "2026-03-12 10:05:00",
            ),
            (
                {"date": "2026-03-12", "time": None, "timezone": None},
                True,
                "2026-03-13T04:59:59Z",
                "2026-03-12",
            ),
            (
                {"date": "2026-03-12", "time": None, "timezone": None},
                False,
                "2026-03-12T23:59:59Z",
                "2026-03-12",
            ),
            (
                {"date": "2026-03-12", "time": "10:05:00", "timezone": None},
                False,
                "2026-03-12T10:05:00Z",
                "2026-03-12T10:05:00",
            ),
        ],
        ids=["whole", "no raw", "guessed offset", "a day", "a day nowhere", "a wall clock nowhere"],
    )
    def test_a_time_is_as_exact_as_it_was_written(
        self, ask: Ask, raw: Say | None, iso: bool, at: str, written: str
    ) -> None:
        row = {**event("Delivered_Other"), "time_raw": raw}
        if not iso:
            row |= {"time_iso": None, "time_utc": None}
        told: TrackingEvent = read(ask, leg(row)).events[0]
        assert (told.occurred_at, told.written) == (datetime.fromisoformat(at), written)

    @pytest.mark.parametrize(
        "info",
        [
            None,
            [],
            {"tracking": None},
            {"tracking": {"providers": "x"}},
            {"tracking": {"providers": [{"events": [1]}]}},
            {
                "tracking": {
                    "providers": [{"events": [{"description": {}, "time_utc": "2026-03-12T15:05:00Z"}]}]
                }
            },
        ],
        ids=["nothing", "a list", "no tracking", "providers", "rows", "words"],
    )
    def test_another_shape_is_unreadable(self, ask: Ask, info: object) -> None:
        with pytest.raises(Unreadable):
            ask("track17", reply([{"number": NUMBER, "carrier": 3011, "track_info": info}]), str(POSTAL))


def push(said: object, key: Secret = KEY) -> Push:
    body = json.dumps(said).encode()
    return Push(body, {"sign": signature(body, key.reveal())})


class TestPushes:
    def test_a_push_is_admitted_by_its_signature_alone(self) -> None:
        assert isinstance(ACCOUNT, Doorman)
        assert ACCOUNT.admit(push("whatever"), NOW).kept.status == 200
        for forged in (push("whatever", Secret("other")), Push(b"x", {}), replace(push("a"), body=b"b")):
            with pytest.raises(Forged):
                ACCOUNT.receive(forged, NOW)

    def test_an_update_is_that_parcels_news_and_no_proof_of_silence(self) -> None:
        entry = {**taken(NUMBER, leg(event("Delivered_Other"))), "tag": "carrier:ems"}
        delivery = ACCOUNT.receive(push({"event": "TRACKING_UPDATED", "data": entry}), NOW)
        (answer,) = delivery.answers
        assert (answer.carrier, answer.waybill_no) == ("ems", NUMBER)
        assert (answer.whole, answer.late, answer.read_at) == (False, True, None)
        assert not delivery.ended

    @pytest.mark.parametrize(
        ("tag", "carrier", "ours"),
        [
            ("order-1", 3011, "youzhengguoji"),
            (None, 100002, "ups"),
            (None, 190012, "190012"),
            ("carrier:jd", 190455, "jd"),
        ],
    )
    def test_whose_it_is_stands_in_the_tag_we_gave(self, tag: str | None, carrier: int, ours: str) -> None:
        entry = {**taken(NUMBER, leg(event("Delivered_Other")), carrier=carrier), "tag": tag}
        assert (
            ACCOUNT.receive(push({"event": "TRACKING_UPDATED", "data": entry}), NOW).answers[0].carrier
            == ours
        )

    @pytest.mark.parametrize(
        ("code", "why"), [("Delivered_Other", End.DONE), ("InTransit_Other", End.SILENT)]
    )
    def test_a_stop_ends_it(self, code: str, why: End) -> None:
        entry = taken(NUMBER, leg(event(code)))
        delivery = ACCOUNT.receive(push({"event": "TRACKING_STOPPED", "data": entry}), NOW)
        assert [(each.waybill, each.why) for each in delivery.ended] == [(POSTAL, why)]

    @pytest.mark.parametrize(
        "said",
        [
            "x",
            {},
            {"event": "TRACKING_UPDATED", "data": {"number": NUMBER, "carrier": 3011}},
            {"event": "OTHER", "data": {"number": NUMBER}},
            {"event": "TRACKING_STOPPED", "data": {"number": ""}},
        ],
        ids=["text", "empty", "no track", "another event", "no number"],
    )
    def test_a_true_push_that_nobody_can_read(self, said: object) -> None:
        with pytest.raises(Unreadable):
            ACCOUNT.receive(push(said), NOW)

    def test_what_is_no_json_is_unreadable(self) -> None:
        body = b"\xff{"
        with pytest.raises(Unreadable):
            ACCOUNT.receive(Push(body, {"sign": signature(body, KEY.reveal())}), NOW)


def test_a_key_said_back_is_starred_in_a_refusal_that_is_kept() -> None:
    answers, _ = talk(
        ACCOUNT.ask([question(), question("RR000000014CN")], NOW),
        Reply(
            200,
            json.dumps(
                reply([taken(NUMBER, leg())], [refused("RR000000014CN", -18019910, f"no {KEY.reveal()}")])
            ).encode(),
        ),
    )
    assert KEY.reveal() not in str(answers[1])
