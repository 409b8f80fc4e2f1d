"""What every provider adapter owes, whoever wrote it: `carriers/base.py`, style, design §1 and §6."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from carriers.base import Billing, Provider, Question, kinds
from carriers.push import Pusher
from domain.orders import Waybill
from domain.remote import (
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Throttled,
    Unavailable,
    Unreadable,
    rehearse,
)
from domain.tracking import Answer

HERE = Path(__file__).parent
NOW = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)
KINDS = sorted(kinds())
ASKED = [kind for kind in KINDS if kinds()[kind].asks]
"""Those that do more than push."""
SAMPLES = [path for path in sorted(HERE.glob("samples/*/*.json")) if ".golden" not in path.suffixes]

JUNK = {
    "empty": b"",
    "blanks": b" \n ",
    "html": "<html><body>502 网关错误</body></html>".encode(),
    "text": b"ok",
    "cut off": b'{"status":"200","data":[{"time":"2026-05-05 19',
    "null": b"null",
    "number": b"123",
    "list": b"[]",
    "list of lists": b"[[]]",
    "string": b'"ok"',
    "empty object": b"{}",
    "another shape": b'{"hello":{"world":[1,2,3]}}',
    "data is text": b'{"status":"200","message":"ok","data":"x"}',
    "rows are numbers": b'{"status":"200","message":"ok","data":[1,2]}',
    "binary": b"\xff\xfe\x00\x01\x1f\x8b",
    "brackets": b"[" * 10_000_000,
    "objects": b'{"a":' * 2_000_000,
}

ECHOES: tuple[Callable[[str], object], ...] = (
    lambda said: {"returnCode": "400", "result": False, "message": said},
    lambda said: {"Success": False, "Reason": f"无效的输入[{said}]", "Traces": []},
    lambda said: {"apiResultCode": "A1006", "apiErrorMsg": said, "apiResultData": None},
    lambda said: {
        "apiResultCode": "A1000",
        "apiResultData": json.dumps({"success": False, "errorCode": said, "errorMsg": said}),
    },
    lambda said: {"status": False, "statusCode": said, "message": said, "result": None},
    lambda said: {"code": -18010003, "data": {"errors": [{"code": -18010003, "message": said}]}},
    lambda said: {"meta": {"code": 4005, "message": said}, "data": {}},
    lambda said: {"success": "false", "errorCode": said, "errorMsg": said, "code": said, "reason": said},
    lambda said: {"code": "145003030", "msg": said, "data": None},
    lambda said: {"error_response": {"code": "19", "zh_desc": said, "en_desc": said}},
    lambda said: {"retCode": said, "retMsg": said, "retBody": said},
    lambda said: {"result": "false", "resultCode": said, "reason": said, "responseParam": said},
)
"""Refusals that say our own settings back, in the shape of each service."""

CALLS = {"yunda": 3}
"""Calls about a number that is not known, where one is not all: 韵达 is told to watch it and asked again."""

OF_EACH: dict[str, Callable[[list[str]], object]] = {
    "sto": lambda numbers: {"success": "true", "data": {number: [] for number in numbers}},
    "track17": lambda numbers: {
        "code": 0,
        "data": {
            "accepted": [],
            "rejected": [{"number": number, "error": {"code": -18019909}} for number in numbers],
        },
    },
    "aftership": lambda numbers: {
        "meta": {"code": 200},
        "data": {"trackings": [{"tracking_number": number, "checkpoints": []} for number in numbers]},
    },
    "trackingmore": lambda numbers: {
        "meta": {"code": 200},
        "data": [{"tracking_number": number, "delivery_status": "notfound"} for number in numbers],
    },
}
"""Nothing known of several numbers, where a number that is left out is no answer."""

Specimen = Callable[[str], Provider]
Ask = Callable[..., Answer]


def about(kind: str) -> str:
    """A waybill such an account can be asked about: the one of which nothing is known; of a pusher, any."""
    golden = HERE / "samples" / kind / ("nothing_known" if kind in ASKED else "unknown_codes")
    golden = golden.with_suffix(".golden.json")
    asked: str = json.loads(golden.read_text(encoding="utf-8"))["asked"]
    return asked


def first_request(account: Provider, tail: str = "0036") -> Request:
    waybill = Waybill(*about(account.kind).split("/"))
    return next(account.ask([Question(waybill, Secret(tail), "浙江省湖州市", "四川省绵阳市")], NOW))


def test_there_is_something_to_hold_to_the_contract() -> None:
    assert {"kuaidi100", "kdniao", "sf"} <= set(KINDS)
    assert {path.parent.name for path in SAMPLES} == set(KINDS), "every kind has saved replies, no other has"


@pytest.mark.parametrize("kind", KINDS)
def test_an_account_is_frozen_settings_and_facts_about_the_service(kind: str, specimen: Specimen) -> None:
    account = specimen(kind)
    assert is_dataclass(account)
    assert account.kind == kind
    assert account.batch >= 1
    assert account.refresh_lag >= timedelta(0)
    limits = account.ceilings
    assert limits.per_waybill_interval > timedelta(0)
    assert min(limits.per_waybill_daily, limits.per_second, limits.concurrency) > 0
    assert all(isinstance(said, str) and said for said in account.uncertain)
    if account.billing is Billing.FREE:
        assert any("收不收费" in said for said in account.uncertain), "no document says that it is free"
    with pytest.raises((AttributeError, TypeError)):
        account.kind = "changed"  # type: ignore[misc]


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_junk_is_unreadable_and_never_an_empty_history(kind: str, junk: bytes, ask: Ask) -> None:
    with pytest.raises(Unreadable):
        ask(kind, junk, about(kind))


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, Throttled), (500, Unavailable), (503, Unavailable), (404, Unreadable), (302, Unreadable)],
)
def test_http_trouble_is_named_by_who_acts(
    kind: str, status: int, expected: type[RemoteError], ask: Ask
) -> None:
    with pytest.raises(expected) as told:
        ask(kind, b"<html>", about(kind), status=status)
    if isinstance(told.value, Throttled):
        assert told.value.wait > timedelta(0)


@pytest.mark.parametrize("kind", ASKED)
def test_a_request_is_repeatable_to_the_byte(kind: str, specimen: Specimen) -> None:
    first, second = first_request(specimen(kind)), first_request(specimen(kind))
    assert first == second
    assert first.repeatable, "asking twice does no harm"
    assert first.url.startswith("https://")


@pytest.mark.parametrize("kind", ASKED)
def test_no_secret_shows(kind: str, specimen: Specimen, ask: Ask) -> None:
    account = specimen(kind)
    secrets = [value for f in fields(account) if isinstance(value := getattr(account, f.name), Secret)]  # type: ignore[arg-type]
    assert secrets, "an account without a secret is no account"
    request = first_request(account)
    shown = [repr(account), str(account), repr(request), str(request), request.url.split("?")[0]]
    echo = " ".join(secret.reveal() for secret in secrets)
    shapes = (
        echo,
        f"<html>{echo}</html>",
        f"<response><success>false</success><reason>{echo}</reason></response>",
        *(json.dumps(shape(echo)) for shape in ECHOES),
    )
    for shape in shapes:
        for status in (200, 404, 500):
            with pytest.raises(RemoteError) as told:
                ask(kind, shape, about(kind), status=status)
            shown += [str(told.value), repr(told.value)]
    assert not [text for text in shown for secret in secrets if secret.reveal() in text]
    assert set(secrets) <= set(request.secrets), "the driver stars what it is told of"
    assert Secret("0036") in request.secrets, "a phone's digits are a secret too"


@pytest.mark.parametrize("kind", ASKED)
def test_one_answer_per_question_in_order(kind: str, specimen: Specimen) -> None:
    """A conversation about several waybills asks about each of them, together or one after the other."""
    sample = next(path for path in SAMPLES if path.parent.name == kind and path.stem == "nothing_known")
    golden = json.loads(sample.with_suffix(".golden.json").read_text(encoding="utf-8"))
    carrier, told = golden["asked"].split("/")
    asked = [Question(Waybill(carrier, f"YT900000000000{n}"), Secret("0036")) for n in range(3)]
    requests: list[Request] = []

    def nothing(request: Request) -> Reply:
        """The saved reply, about the first number that this request names, or all of them."""
        requests.append(request)
        numbers = (each.waybill.waybill_no for each in asked)
        named = [number for number in numbers if number in f"{request.url} {request.content.decode()}"]
        named = named or [asked[len(requests) - 1].waybill.waybill_no]  # it is encrypted
        if kind in OF_EACH:
            return Reply(200, json.dumps(OF_EACH[kind](named)).encode())
        return Reply(200, sample.read_bytes().replace(told.encode(), named[0].encode()))

    answers = rehearse(specimen(kind).ask(asked, NOW), nothing)
    assert len(requests) == ceil(len(asked) / specimen(kind).batch) * CALLS.get(kind, 1)
    assert all(isinstance(answer, Answer) and not answer.events for answer in answers)
    numbers = [answer.waybill_no for answer in answers if isinstance(answer, Answer)]
    assert numbers == [question.waybill.waybill_no for question in asked]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(ASKED)))
def test_who_only_pushes_refuses_every_question_without_a_call(kind: str, specimen: Specimen) -> None:
    asked = [Question(Waybill("zhongtong", f"7581234567890{n}")) for n in range(3)]
    answers = rehearse(specimen(kind).ask(asked, NOW), lambda request: pytest.fail(f"it asks: {request}"))
    assert [type(answer) for answer in answers] == [Rejected] * 3
    assert isinstance(specimen(kind), Pusher)


@pytest.mark.parametrize("saved", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_saved_reply_reads_as_its_golden(saved: Path, check_golden: Callable[[Path], None]) -> None:
    check_golden(saved)


def answered(ask: Ask) -> list[tuple[str, Answer]]:
    """Every saved reply that is an answer."""
    read = []
    for saved in SAMPLES:
        golden = json.loads(saved.with_suffix(".golden.json").read_text(encoding="utf-8"))
        if "answer" in golden:
            read.append((saved.parent.name, ask(saved.parent.name, saved.read_bytes(), golden["asked"])))
    return read


def test_events_are_in_order_and_in_utc(ask: Ask) -> None:
    for _, answer in answered(ask):
        assert all(event.occurred_at.tzinfo is UTC for event in answer.events)
        assert all(
            (one.occurred_at, one.milestone.rank) <= (next_.occurred_at, next_.milestone.rank)
            for one, next_ in pairwise(answer.events)
        )


def test_unknown_codes_stay_unknown_and_are_counted(ask: Ask) -> None:
    counted = {
        kind
        for kind, answer in answered(ask)
        if answer.unknown_codes and any(event.milestone.value == "unknown" for event in answer.events)
    }
    assert counted == set(KINDS)


def test_nothing_known_is_an_answer(ask: Ask) -> None:
    empty = {kind: answer for kind, answer in answered(ask) if not answer.events}
    assert set(empty) == set(ASKED)
    assert all(answer.remark for answer in empty.values()), "it says why there is nothing"


def test_words_never_hold_a_whole_phone(ask: Ask) -> None:
    texts: list[Any] = [event.text for _, answer in answered(ask) for event in answer.events]
    texts += [code for _, answer in answered(ask) for code in answer.unknown_codes]
    assert "159******36" in "".join(texts)
    assert "15912340036" not in "".join(texts)
