"""AfterShip: creating what is not there, pages, signed requests, three precisions of a time, pushes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carriers.abroad import NEVER
from carriers.aftership import AfterShip, push_signature, request_signature
from carriers.base import Question, Recogniser
from carriers.push import End, Forged, Push, Subscribed, Subscriber
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
from domain.tracking import Answer, Milestone
from tests.carriers.abroad import NUMBER, POSTAL, as_the_facts_say, bodies, one, states, talk

NOW = datetime(2026, 3, 12, 17, 0, tzinfo=UTC)
HOOK = Secret("aftership-webhook-secret-demo")
ACCOUNT = AfterShip(Secret("as-key-demo"), webhook_secret=HOOK)
Ask = Callable[..., Answer]
Say = dict[str, Any]


def question(number: str = NUMBER, carrier: str = "youzhengguoji") -> Question:
    return Question(Waybill(carrier, number))


def tracking(*checkpoints: Say, number: str = NUMBER, **more: Any) -> Say:
    told = {
        "tracking_number": number,
        "slug": "china-post",
        "active": True,
        "tag": "InTransit",
        "subtag": "InTransit_001",
        "created_at": "2026-03-02T02:00:00+00:00",
    }
    return {**told, "checkpoints": list(checkpoints), **more}


def checkpoint(subtag: str | None, time: str = "2026-03-12T10:05:00-05:00", **more: Any) -> Say:
    row = {"checkpoint_time": time, "message": "一句谁也不懂的话", "tag": None, "subtag": subtag}
    return {**row, **more}


def listed(*trackings: Say, cursor: str = "") -> Say:
    pages = {"total": 1, "next_cursor": cursor, "has_next_page": bool(cursor)}
    return {"meta": {"code": 200}, "data": {"pagination": pages, "trackings": list(trackings)}}


def made(number: str = NUMBER) -> Say:
    return {"meta": {"code": 201}, "data": tracking(number=number, created_at="2026-03-12T16:59:59Z")}


def fault(code: int, status: int = 400) -> Reply:
    said = {"meta": {"code": code, "type": "x", "message": "说明"}, "data": {}}
    return Reply(status, json.dumps(said).encode())


def query(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def numbers(request: Request) -> list[str]:
    return query(request)["tracking_numbers"].split(",")


def read(ask: Ask, *checkpoints: Say, **more: Any) -> Answer:
    return ask("aftership", listed(tracking(*checkpoints, **more)), str(POSTAL))


class TestAsking:
    def test_the_list_is_asked_for_by_number_as_far_back_as_it_reaches(self) -> None:
        request = next(ACCOUNT.ask([question(), question("1Z0000000000000001", "ups")], NOW))
        assert request.method == "GET"
        assert request.url.startswith("https://api.aftership.com/tracking/2024-07/trackings?")
        assert request.headers["as-api-key"] == "as-key-demo"
        assert query(request) == {
            "tracking_numbers": f"{NUMBER},1Z0000000000000001",
            "created_at_min": "2025-11-12T17:00:00Z",
            "limit": "200",
        }

    def test_forty_in_a_call(self) -> None:
        asked = [question(f"RR{n:09}CN") for n in range(95)]
        _, requests = talk(
            ACCOUNT.ask(asked, NOW),
            then=lambda request: listed(*(tracking(number=number) for number in numbers(request))),
        )
        assert [len(numbers(request)) for request in requests] == [40, 40, 15]

    def test_pages_are_followed_and_one_that_repeats_itself_ends_it(self) -> None:
        asked = [question(), question("RR000000014CN")]
        answers, requests = talk(
            ACCOUNT.ask(asked, NOW),
            listed(tracking(), cursor="next"),
            listed(tracking(number="RR000000014CN"), cursor="next"),
        )
        assert [query(request).get("cursor") for request in requests] == [None, "next"]
        assert all(isinstance(answer, Answer) for answer in answers)

    def test_a_list_without_end_ends(self) -> None:
        pages = iter(range(1000))
        answers, requests = talk(
            ACCOUNT.ask([question()], NOW), then=lambda request: listed(tracking(), cursor=f"{next(pages)}")
        )
        assert (len(answers), len(requests)) == (1, 10)

    def test_a_signed_request_where_the_key_wants_it(self) -> None:
        account = AfterShip(Secret("as-key-demo"), api_secret=Secret("as-secret-demo"))
        first, second = (next(account.ask([question()], NOW)) for _ in range(2))
        assert first == second
        assert first.headers["Date"] == "Thu, 12 Mar 2026 17:00:00 GMT"
        bare = Request("GET", first.url, {}, {"as-api-key": "as-key-demo"})
        expected = request_signature(bare, "as-secret-demo", first.headers["Date"])
        assert first.headers["as-signature-hmac-sha256"] == expected
        later = next(account.ask([question()], NOW + timedelta(seconds=1)))
        assert later.headers["as-signature-hmac-sha256"] != expected


class TestCreating:
    def test_what_is_not_in_the_list_is_created(self) -> None:
        asked = [question(), question("YT8812345678901", "yuantong")]
        answers, requests = talk(ACCOUNT.ask(asked, NOW), listed(), made(), made("YT8812345678901"))
        assert [request.url.rpartition("/")[2].partition("?")[0] for request in requests] == ["trackings"] * 3
        assert bodies(requests) == [
            {"tracking_number": NUMBER, "slug": "china-post"},
            {"tracking_number": "YT8812345678901", "order_id": "carrier:yuantong"},
        ]
        for answer in answers:
            assert isinstance(answer, Answer)
            assert (answer.events, answer.read_at) == ((), NEVER), "nobody looked yet: no proof of silence"

    def test_one_that_was_there_already_is_read_again(self) -> None:
        answers, requests = talk(
            ACCOUNT.ask([question()], NOW),
            listed(),
            fault(4003),
            listed(tracking(checkpoint("Delivered_001"))),
        )
        assert [request.method for request in requests] == ["GET", "POST", "GET"]
        assert isinstance(answers[0], Answer)
        assert answers[0].events

    def test_one_that_is_there_and_not_in_the_list_is_told(self) -> None:
        answers, _ = talk(ACCOUNT.ask([question()], NOW), listed(), fault(4003), listed())
        assert isinstance(answers[0], Rejected)

    def test_one_that_cannot_be_created_costs_the_others_nothing(self) -> None:
        asked = [question(), question("RR000000014CN")]
        answers, _ = talk(ACCOUNT.ask(asked, NOW), listed(tracking()), fault(4012))
        assert [type(answer) for answer in answers] == [Answer, Rejected]

    def test_one_bad_number_that_refuses_the_list_costs_the_others_nothing(self) -> None:
        asked = [question(f"RR{n:09}CN") for n in range(5)]

        def answer(request: Request) -> object:
            if "RR000000003CN" in numbers(request):
                return fault(4005)
            return listed(*(tracking(number=number) for number in numbers(request)))

        answers, _ = talk(ACCOUNT.ask(asked, NOW), then=answer)
        assert [type(answer) for answer in answers] == [*[Answer] * 3, Rejected, Answer]

    def test_subscribing_is_creating(self) -> None:
        assert isinstance(ACCOUNT, Subscriber)
        told, _ = talk(
            ACCOUNT.subscribe(
                [question(), question("1Z1", "ups"), question("X", "ups")], "https://x/cb", NOW
            ),
            made(),
            fault(4003),
            fault(4012),
        )
        assert [type(each) for each in told] == [Subscribed, Subscribed, Rejected]


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "error"),
        [
            *((code, Rejected) for code in (400, 4001, 4002, 4005, 4009, 4010, 4011, 4012, 4013, 4016, 4017)),
            (401, Denied),
            (403, Denied),
            (429, Throttled),
            *((code, Unavailable) for code in (500, 502, 503, 504)),
            (4999, Unreadable),
        ],
    )
    def test_every_documented_code_by_who_acts(self, code: int, error: type[RemoteError]) -> None:
        with pytest.raises(error):
            one(talk(ACCOUNT.ask([question()], NOW), fault(code))[0])

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key_whatever_the_body(self, ask: Ask, status: int) -> None:
        with pytest.raises(Denied):
            ask("aftership", b"<html>", str(POSTAL), status=status)

    def test_another_parcels_tracking_is_unreadable(self, ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("aftership", listed(tracking(number="RR000000014CN")), str(POSTAL))


def test_a_guess_from_the_numbers_form_brings_no_other_parcels_track() -> None:
    asked = [question(carrier="zhongtong"), question(carrier="ems")]
    for slug, told in (("ups", Rejected), ("zto-express", Answer)):
        answers, _ = talk(ACCOUNT.ask(asked[:1], NOW), listed(tracking(slug=slug)))
        assert isinstance(answers[0], told)
    own, _ = talk(ACCOUNT.ask(asked[1:], NOW), listed(tracking()))
    assert isinstance(own[0], Answer)
    assert not own[0].corrected_carrier, "中国邮政 and EMS are one house"


class TestReading:
    @pytest.mark.parametrize("state", states("aftership"), ids=lambda state: state["code"])
    def test_every_documented_subtag(self, ask: Ask, state: dict[str, str]) -> None:
        answer = read(ask, checkpoint(state["code"]))
        assert as_the_facts_say(answer.events[0], state)
        assert not [said for said in answer.unknown_codes if not said.startswith("message")]

    @pytest.mark.parametrize(
        ("tag", "milestone"),
        [("InfoReceived", Milestone.LABEL_CREATED), ("OutForDelivery", Milestone.OUT_FOR_DELIVERY)],
    )
    def test_the_tag_counts_where_there_is_no_subtag(self, ask: Ask, tag: str, milestone: Milestone) -> None:
        assert read(ask, checkpoint(None, tag=tag)).events[0].milestone is milestone

    @pytest.mark.parametrize(
        ("time", "country", "at", "written"),
        [
            ("2026-03-12T10:05:00-05:00", "USA", "2026-03-12T15:05:00Z", ""),
            ("2026-03-12T10:05:00Z", "CHN", "2026-03-12T10:05:00Z", ""),
            ("2026-03-12T10:05:00", "USA", "2026-03-12T10:05:00Z", "2026-03-12T10:05:00"),
            ("2026-03-12T10:05:00", "CHN", "2026-03-12T02:05:00Z", "2026-03-12T10:05:00"),
            ("2026-03-12", "USA", "2026-03-12T23:59:59Z", "2026-03-12"),
            ("2026-03-12", "CHN", "2026-03-12T15:59:59Z", "2026-03-12"),
        ],
    )
    def test_a_time_is_as_exact_as_it_was_written(
        self, ask: Ask, time: str, country: str, at: str, written: str
    ) -> None:
        told = read(ask, checkpoint("Delivered_001", time, country_region=country)).events[0]
        assert (told.occurred_at, told.written) == (datetime.fromisoformat(at), written)

    @pytest.mark.parametrize(
        ("more", "proven"),
        [
            pytest.param({}, None, id="as fresh as the lag"),
            pytest.param({"active": False}, "2026-03-12T15:05:00Z", id="no longer followed"),
        ],
    )
    def test_what_an_answer_with_scans_proves(self, ask: Ask, more: Say, proven: str | None) -> None:
        told = read(ask, checkpoint("InTransit_001"), **more).read_at
        assert told == (datetime.fromisoformat(proven) if proven else None)

    @pytest.mark.parametrize(
        ("created", "proven"),
        [("2026-03-12T10:59:00Z", None), ("2026-03-12T11:01:00Z", NEVER), (None, NEVER)],
        ids=["older than the lag", "newer", "nobody knows"],
    )
    def test_nothing_known_is_a_look_once_there_was_time_for_one(
        self, created: str | None, proven: datetime | None
    ) -> None:
        answers, _ = talk(ACCOUNT.ask([question()], NOW), listed(tracking(created_at=created)))
        assert isinstance(answers[0], Answer)
        assert (answers[0].events, answers[0].read_at) == ((), proven)
        assert answers[0].remark

    @pytest.mark.parametrize("rows", ["x", [1], [{"checkpoint_time": "2026-03-12", "message": []}]])
    def test_another_shape_is_unreadable(self, ask: Ask, rows: object) -> None:
        with pytest.raises(Unreadable):
            ask("aftership", listed({**tracking(), "checkpoints": rows}), str(POSTAL))


def push(said: object, secret: Secret = HOOK) -> Push:
    body = json.dumps(said).encode()
    return Push(body, {"aftership-hmac-sha256": push_signature(body, secret.reveal())})


def update(**more: Any) -> Say:
    return {
        "event": "tracking_update",
        "event_id": "1",
        "msg": tracking(checkpoint("Delivered_001"), **more),
        "ts": 1,
    }


class TestPushes:
    def test_a_forged_push_is_not_read(self) -> None:
        true = push(update())
        for forged in (
            push(update(), Secret("other")),
            Push(true.body, {}),
            Push(true.body + b" ", true.headers),
        ):
            with pytest.raises(Forged):
                ACCOUNT.receive(forged, NOW)

    def test_without_the_secret_the_address_has_to_hold_one(self) -> None:
        account = AfterShip(Secret("as-key-demo"))
        assert (ACCOUNT.signed, account.signed) == (True, False)
        assert account.receive(push(update(), Secret("other")), NOW).answers

    def test_an_update_is_that_parcels_news_and_no_proof_of_silence(self) -> None:
        (answer,) = ACCOUNT.receive(push(update(order_id="carrier:ems")), NOW).answers
        assert (answer.carrier, answer.waybill_no) == ("ems", NUMBER)
        assert (answer.whole, answer.late, answer.read_at) == (False, True, None)

    @pytest.mark.parametrize(
        ("more", "ended"),
        [
            ({}, []),
            ({"tag": "Delivered", "active": False}, [End.DONE]),
            ({"subtag": "Exception_011", "tag": "Exception", "active": False}, [End.DONE]),
            ({"tag": "Expired", "active": True}, [End.SILENT]),
            ({"tag": "InTransit", "active": False}, [End.REFUSED]),
        ],
        ids=["runs on", "arrived", "came back", "silent", "stopped"],
    )
    def test_the_end_of_a_tracking(self, more: Say, ended: list[End]) -> None:
        assert [each.why for each in ACCOUNT.receive(push(update(**more)), NOW).ended] == ended

    @pytest.mark.parametrize("event", ["edd_revise", "tracking_pending_time"])
    def test_an_estimate_is_no_news_of_the_parcel(self, event: str) -> None:
        delivery = ACCOUNT.receive(push({**update(), "event": event}), NOW)
        assert (delivery.answers, delivery.ended, delivery.reply.status) == ((), (), 200)

    @pytest.mark.parametrize("said", ["x", {}, {"event": "tracking_update", "msg": {"slug": "ups"}}])
    def test_a_true_push_that_nobody_can_read(self, said: object) -> None:
        with pytest.raises(Unreadable):
            ACCOUNT.receive(push(said), NOW)


class TestRecognising:
    def test_the_couriers_we_know_best_first(self) -> None:
        account = AfterShip(Secret("as-key-demo"), detects=True)
        said = {
            "meta": {"code": 200},
            "data": {"total": 3, "couriers": [{"slug": s} for s in ("ups", "x", "dhl")]},
        }
        guesses, requests = talk(account.recognise("1Z0000000000000001", NOW), said)
        assert isinstance(account, Recogniser)
        assert (account.recognises, ACCOUNT.recognises) == (True, False)
        assert [guess.carrier for guess in guesses] == ["ups", "dhl"]
        assert requests[0].url.endswith("/couriers/detect")
        assert bodies(requests) == [{"tracking_number": "1Z0000000000000001"}]

    def test_nobodys_number_is_an_answer(self) -> None:
        assert talk(ACCOUNT.recognise("0000", NOW), fault(4012))[0] == ()

    @pytest.mark.parametrize(("code", "error"), [(401, Denied), (429, Throttled), (4999, Unreadable)])
    def test_a_refusal_is_none(self, code: int, error: type[RemoteError]) -> None:
        with pytest.raises(error):
            talk(ACCOUNT.recognise("0000", NOW), fault(code))
