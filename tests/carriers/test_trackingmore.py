"""TrackingMore: creating what is not there, two legs, quotas, pushes whose signature is uncertain."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carriers.abroad import NEVER
from carriers.base import Question, Recogniser
from carriers.push import End, Forged, Push, Subscribed, Subscriber
from carriers.trackingmore import TrackingMore, body_signature, time_signature
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
HOOK = Secret("tm-webhook-demo")
ACCOUNT = TrackingMore(Secret("tm-key-demo"))
SIGNED = TrackingMore(Secret("tm-key-demo"), webhook_secret=HOOK)
Ask = Callable[..., Answer]
Say = dict[str, Any]


def question(number: str = NUMBER, carrier: str = "youzhengguoji") -> Question:
    return Question(Waybill(carrier, number))


def row(substatus: str | None, time: str = "2026-03-12T10:05:00-05:00", **more: Any) -> Say:
    told = {
        "checkpoint_date": time,
        "tracking_detail": "一句谁也不懂的话",
        "checkpoint_delivery_status": None,
    }
    return {**told, "checkpoint_delivery_substatus": substatus, **more}


def tracking(*rows: Say, number: str = NUMBER, abroad: tuple[Say, ...] = (), **more: Any) -> Say:
    told = {
        "tracking_number": number,
        "courier_code": "china-post",
        "delivery_status": "transit",
        "created_at": "2026-03-02T02:00:00+00:00",
        "origin_info": {"trackinfo": list(rows)},
        "destination_info": {"trackinfo": list(abroad)},
    }
    return {**told, **more}


def listed(*trackings: Say) -> Say:
    return {"meta": {"code": 200, "message": "ok"}, "data": list(trackings)}


def made(number: str = NUMBER) -> Say:
    said = tracking(number=number, delivery_status="pending", created_at="2026-03-12T16:59:59Z")
    return {"meta": {"code": 200}, "data": said}


def fault(code: int, status: int = 400) -> Reply:
    return Reply(status, json.dumps({"meta": {"code": code, "message": "说明"}, "data": []}).encode())


def numbers(request: Request) -> list[str]:
    return parse_qs(urlsplit(request.url).query)["tracking_numbers"][0].split(",")


def read(ask: Ask, *rows: Say, **more: Any) -> Answer:
    return ask("trackingmore", listed(tracking(*rows, **more)), str(POSTAL))


class TestAsking:
    def test_forty_in_a_call(self) -> None:
        asked = [question(f"RR{n:09}CN") for n in range(95)]
        _, requests = talk(
            ACCOUNT.ask(asked, NOW),
            then=lambda request: listed(*(tracking(number=number) for number in numbers(request))),
        )
        assert [len(numbers(request)) for request in requests] == [40, 40, 15]
        assert requests[0].url.startswith("https://api.trackingmore.com/v4/trackings/get?tracking_numbers=")
        assert requests[0].headers["Tracking-Api-Key"] == "tm-key-demo"

    @pytest.mark.parametrize("nothing", [listed(), fault(4102)], ids=["an empty list", "4102"])
    def test_what_is_not_there_is_created(self, nothing: object) -> None:
        asked = [question(), question("YT8812345678901", "yuantong")]
        answers, requests = talk(ACCOUNT.ask(asked, NOW), nothing, made(), made("YT8812345678901"))
        assert bodies(requests) == [
            {"tracking_number": NUMBER, "courier_code": "china-post"},
            {"tracking_number": "YT8812345678901", "order_number": "carrier:yuantong"},
        ]
        for answer in answers:
            assert isinstance(answer, Answer)
            assert (answer.events, answer.read_at) == ((), NEVER), "nobody looked yet: no proof of silence"

    def test_one_that_was_there_already_is_read_again(self) -> None:
        """4102 for one of two may hide the other: it is asked about alone."""
        asked = [question(), question("RR000000014CN")]
        answers, requests = talk(
            ACCOUNT.ask(asked, NOW),
            fault(4102),
            fault(4101),
            made("RR000000014CN"),
            listed(tracking(row("delivered001"))),
        )
        assert [request.method for request in requests] == ["GET", "POST", "POST", "GET"]
        assert numbers(requests[-1]) == [NUMBER]
        assert [isinstance(answer, Answer) and len(answer.events) for answer in answers] == [1, 0]

    def test_one_bad_number_costs_the_others_nothing(self) -> None:
        asked = [question(f"RR{n:09}CN") for n in range(5)]

        def answer(request: Request) -> object:
            if "RR000000003CN" in numbers(request):
                return fault(4110)
            return listed(*(tracking(number=number) for number in numbers(request)))

        answers, _ = talk(ACCOUNT.ask(asked, NOW), then=answer)
        assert [type(answer) for answer in answers] == [*[Answer] * 3, Rejected, Answer]

    def test_subscribing_is_creating(self) -> None:
        assert isinstance(ACCOUNT, Subscriber)
        asked = [question(), question("1Z1", "ups"), question("X", "ups")]
        told, _ = talk(ACCOUNT.subscribe(asked, "https://x/cb", NOW), made(), fault(4101), fault(4121))
        assert [type(each) for each in told] == [Subscribed, Subscribed, Rejected]


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "error"),
        [
            *((code, Rejected) for code in (4110, 4111, 4112, 4113, 4120, 4121, 4122, 4130)),
            (4190, Denied),
            (401, Denied),
            (429, Throttled),
            *((code, Unavailable) for code in (511, 512, 513)),
            (4103, Unreadable),
            (4999, Unreadable),
        ],
    )
    def test_every_documented_code_by_who_acts(self, code: int, error: type[RemoteError]) -> None:
        with pytest.raises(error):
            one(talk(ACCOUNT.ask([question()], NOW), fault(code))[0])

    def test_another_parcels_tracking_is_unreadable(self, ask: Ask) -> None:
        with pytest.raises(Unreadable):
            ask("trackingmore", listed(tracking(number="RR000000014CN")), str(POSTAL))


@pytest.mark.parametrize(("courier", "told"), [("ups", Rejected), ("zto", Answer)])
def test_a_guess_from_the_numbers_form_brings_no_other_parcels_track(
    courier: str, told: type[object]
) -> None:
    said = listed(tracking(courier_code=courier))
    answers, _ = talk(ACCOUNT.ask([question(carrier="zhongtong")], NOW), said)
    assert isinstance(answers[0], told)


class TestReading:
    @pytest.mark.parametrize(
        "state",
        [each for each in states("trackingmore") if each["code"] not in ("pickup002", "pickup003")],
        ids=lambda state: state["code"],
    )
    def test_every_documented_substatus(self, ask: Ask, state: dict[str, str]) -> None:
        answer = read(ask, row(state["code"]))
        assert as_the_facts_say(answer.events[0], state)
        assert not [said for said in answer.unknown_codes if not said.startswith("tracking_detail")]

    @pytest.mark.parametrize(
        ("text", "milestone"),
        [
            ("一句谁也不懂的话", Milestone.READY_FOR_COLLECTION),
            ("Out for delivery", Milestone.OUT_FOR_DELIVERY),
            ("Available for pickup", Milestone.READY_FOR_COLLECTION),
        ],
    )
    def test_pickup_stands_for_both(self, ask: Ask, text: str, milestone: Milestone) -> None:
        """002 and 003 are ready for collection, uncertain (`carriers-states.csv`): the words come first."""
        assert read(ask, row("pickup002", tracking_detail=text)).events[0].milestone is milestone

    def test_two_legs_in_one_order(self, ask: Ask) -> None:
        here = (
            row("transit002", "2026-03-05T08:00:00+08:00"),
            row("transit001", "2026-03-02T08:00:00+08:00"),
        )
        there = (
            row("delivered001", "2026-03-08T08:00:00-05:00"),
            row("transit003", "2026-03-04T20:00:00-05:00"),
        )
        answer = read(ask, *here, abroad=there)
        assert [event.code for event in answer.events] == [
            "transit001",
            "transit002",
            "transit003",
            "delivered001",
        ]

    @pytest.mark.parametrize(
        ("more", "proven"),
        [
            ({}, None),
            ({"delivery_status": "expired"}, "2026-03-12T15:05:00Z"),
            ({"archived": True}, "2026-03-12T15:05:00Z"),
        ],
        ids=["as fresh as the lag", "given up", "archived"],
    )
    def test_what_an_answer_proves(self, ask: Ask, more: Say, proven: str | None) -> None:
        told = read(ask, row("transit001"), **more).read_at
        assert told == (datetime.fromisoformat(proven) if proven else None)

    @pytest.mark.parametrize("rows", ["x", [1], [{"checkpoint_date": "2026-03-12", "tracking_detail": []}]])
    def test_another_shape_is_unreadable(self, ask: Ask, rows: object) -> None:
        with pytest.raises(Unreadable):
            ask("trackingmore", listed({**tracking(), "origin_info": {"trackinfo": rows}}), str(POSTAL))


def body(**more: Any) -> bytes:
    return json.dumps({"meta": {"code": 200}, "data": tracking(row("delivered001"), **more)}).encode()


class TestPushes:
    @pytest.mark.parametrize(
        ("sign", "timestamp"),
        [
            (body_signature(body(), HOOK.reveal()), ""),
            (time_signature("1772416800", HOOK.reveal()), "1772416800"),
        ],
        ids=["as the text says", "as the sample does"],
    )
    def test_both_documented_signatures_are_taken(self, sign: str, timestamp: str) -> None:
        headers = {"signature": sign, "timestamp": timestamp}
        assert SIGNED.receive(Push(body(), headers), NOW).answers

    @pytest.mark.parametrize(
        ("sign", "timestamp"),
        [
            (None, "1772416800"),
            ("", ""),
            (time_signature("", HOOK.reveal()), ""),
            (time_signature("1772416800", "other"), "1772416800"),
            (body_signature(b"{}", HOOK.reveal()), ""),
        ],
        ids=["none", "empty", "of no time", "another secret", "another body"],
    )
    def test_another_one_is_forged(self, sign: str | None, timestamp: str) -> None:
        headers = {"timestamp": timestamp, **({"signature": sign} if sign is not None else {})}
        with pytest.raises(Forged):
            SIGNED.receive(Push(body(), headers), NOW)

    def test_the_address_has_to_hold_a_secret_in_any_case(self) -> None:
        assert not ACCOUNT.signed
        assert not SIGNED.signed, "under a signature of the time alone any body passes"

    def test_the_headers_are_called_as_the_account_says(self) -> None:
        account = TrackingMore(Secret("key"), webhook_secret=HOOK, signature_header="X-Signature")
        push = Push(body(), {"x-signature": body_signature(body(), HOOK.reveal())})
        assert account.receive(push, NOW).answers

    def test_a_push_is_that_parcels_news_and_no_proof_of_silence(self) -> None:
        (answer,) = ACCOUNT.receive(Push(body(order_number="carrier:ems")), NOW).answers
        assert (answer.carrier, answer.waybill_no) == ("ems", NUMBER)
        assert (answer.whole, answer.late, answer.read_at) == (False, True, None)

    def test_expired_is_its_end(self) -> None:
        ended = ACCOUNT.receive(Push(body(delivery_status="expired")), NOW).ended
        assert [(each.waybill, each.why) for each in ended] == [(POSTAL, End.SILENT)]

    @pytest.mark.parametrize("said", [b"", b'"x"', b"{}", b'{"data":{"courier_code":"ups"}}'])
    def test_a_push_that_nobody_can_read(self, said: bytes) -> None:
        with pytest.raises(Unreadable):
            ACCOUNT.receive(Push(said), NOW)


class TestRecognising:
    def test_the_couriers_we_know_best_first(self) -> None:
        account = TrackingMore(Secret("tm-key-demo"), detects=True)
        said = {"meta": {"code": 200}, "data": [{"courier_code": code} for code in ("fedex", "x", "ups")]}
        guesses, requests = talk(account.recognise("775429982388", NOW), said)
        assert isinstance(account, Recogniser)
        assert (account.recognises, ACCOUNT.recognises) == (True, False)
        assert [guess.carrier for guess in guesses] == ["fedex", "ups"]
        assert bodies(requests) == [{"tracking_number": "775429982388"}]

    def test_nobodys_number_is_an_answer(self) -> None:
        assert talk(ACCOUNT.recognise("0000", NOW), fault(4121))[0] == ()

    @pytest.mark.parametrize(("code", "error"), [(401, Denied), (429, Throttled), (4190, Denied)])
    def test_a_refusal_is_none(self, code: int, error: type[RemoteError]) -> None:
        with pytest.raises(error):
            talk(ACCOUNT.recognise("0000", NOW), fault(code))
